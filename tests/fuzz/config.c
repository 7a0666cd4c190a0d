/* No configuration crashes the daemon's reader; what it takes is within its limits. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

/* libconfig's lexer loses the string it was at when the parser gives up; the daemon ends then. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct app_config c;
    struct cf_err err = { 0 };
    char path[32];
    int fd = memfd_create("config", MFD_CLOEXEC);
    if (fd < 0)
        return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, data, size) == (ssize_t)size) {
        enum cf_rc rc = app_config_load(path, NULL, 0, &c, &err);
        if (rc == CF_OK && (c.port == 0 || c.port > 65535 || c.raw_count > CONFIG_RAW_MAX ||
                            c.dir_root_count > CONFIG_ROOTS_MAX || !c.certificate[0]))
            abort();
        if (rc != CF_OK && !err.text[0])
            abort();
    }
    close(fd);
    return 0;
}
