#include "rules.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void log_call(const char *function)
{
    char line[64];
    const char *path = getenv("COFFER_SHIM_LOG");
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    int n = snprintf(line, sizeof line, "%s\n", function);
    if (fd >= 0 && write(fd, line, (size_t)n) != n)
        abort();
    if (fd >= 0)
        close(fd);
}

/* What a library has no business to do. */
static void be_rude(void)
{
    static const int taken[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, SIGALRM };
    printf("rude on standard output\n");
    fflush(stdout);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        (void)signal(taken[i], SIG_IGN);
    close(0);
    close(1);
    umask(0);
    (void)!chdir("/");
}

static void act_at_once(const struct shim_action *a)
{
    if (strcmp(a->verb, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(a->verb, "crash") == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* past the sanitizers' own handlers */
        raise(SIGSEGV);
    }
    if (strcmp(a->verb, "exit") == 0)
        exit((int)a->value);
    if (strcmp(a->verb, "sleep") == 0)
        usleep((useconds_t)a->value * 1000);
    if (strcmp(a->verb, "fork") == 0 && fork() == 0)
        for (;;)
            pause();
    if (strcmp(a->verb, "rude") == 0)
        be_rude();
}

/* True when the rule in the file is about this call. */
static bool read_rule(const char *path, const char *function, unsigned count, struct shim_action *a)
{
    char name[40] = "", when[16] = "", once[8] = "";
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    *a = (struct shim_action){ .verb = "" };
    int n = fscanf(f, "%39s %15s %15s %39s %7s", name, when, a->verb, a->text, once);
    fclose(f);
    if (n < 3 || (strcmp(name, "*") != 0 && strcmp(name, function) != 0))
        return false;
    char *end = NULL;
    unsigned long from = strtoul(when, &end, 10);
    if (*end == '+' ? count < from : count != from)
        return false;
    a->value = strtoul(a->text, NULL, 0);
    if (strcmp(once, "once") == 0 || strcmp(a->text, "once") == 0)
        unlink(path);
    act_at_once(a);
    return true;
}

unsigned shim_rules(const char *function, unsigned count, struct shim_action out[SHIM_ACTIONS])
{
    unsigned n = 0;
    const char *dir = getenv("COFFER_SHIM_RULES");
    DIR *d = dir ? opendir(dir) : NULL;
    log_call(function);
    for (struct dirent *e; d && n < SHIM_ACTIONS && (e = readdir(d));) {
        char path[512];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        n += read_rule(path, function, count, &out[n]);
    }
    if (d)
        closedir(d);
    return n;
}
