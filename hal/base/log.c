#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Process-wide by nature; set once by the program before its threads start. */
static atomic_int log_level = CF_LOG_INFO;
static atomic_int log_fd = STDERR_FILENO;

void cf_log_setup(enum cf_log_level level, int fd)
{
    atomic_store(&log_level, (int)level);
    atomic_store(&log_fd, fd);
}

/* A line break or control byte in a value must not forge a second line. */
static void flatten(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
}

void cf_log(enum cf_log_level level, const char *subject, const char *event, const char *fmt, ...)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    if ((int)level > atomic_load(&log_level))
        return;
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);

    char line[1024];
    size_t len = strftime(line, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    int head = snprintf(line + len, sizeof line - len, ".%03ldZ %s %s %s ", now.tv_nsec / 1000000,
                        names[level], subject, event);
    len += head > 0 ? (size_t)head : 0;
    if (len >= sizeof line)
        len = sizeof line - 1;
    va_list ap;
    va_start(ap, fmt);
    int body = vsnprintf(line + len, sizeof line - len, fmt, ap);
    va_end(ap);
    len += body > 0 ? (size_t)body : 0;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    flatten(line, len);
    line[len++] = '\n';
    ssize_t ignored = write(atomic_load(&log_fd), line, len);
    (void)ignored;
}
