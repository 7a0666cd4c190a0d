/* cofferd of a bench appliance as a background process. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define START_TRIES 600 /* of TRY_US */
#define STOP_TRIES  900 /* it answers what runs first, and an RSA key takes seconds */
#define TRY_US      50000

extern char **environ;

/* True when the process runs this appliance: a recycled pid must not be killed. */
static bool is_ours(const struct bench *b, pid_t pid)
{
    char path[64], conf[BENCH_PATH];
    struct cf_buf cmdline = { 0 };
    bool ours = false;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    bench_path(b, "cofferd.conf", conf);
    if (cf_file_read(path, 65536, &cmdline, NULL) == CF_OK && cmdline.len)
        ours = memmem(cmdline.data, cmdline.len, conf, strlen(conf)) != NULL;
    cf_buf_clear(&cmdline);
    return ours;
}

pid_t bench_running(const struct bench *b)
{
    char path[BENCH_PATH];
    struct cf_buf file = { 0 };
    const char *text = NULL;
    uint64_t pid = 0;
    bench_path(b, "cofferd.pid", path);
    if (cf_file_read(path, 32, &file, NULL) == CF_OK && cf_buf_text(&file, &text, NULL) == CF_OK) {
        char digits[24];
        snprintf(digits, sizeof digits, "%.*s", (int)strcspn(text, "\n"), text);
        if (cf_parse_u64(digits, INT_MAX, &pid, NULL) != CF_OK)
            pid = 0;
    }
    cf_buf_clear(&file);
    return pid && is_ours(b, (pid_t)pid) ? (pid_t)pid : 0;
}

/* The daemon beside this program. */
static enum cf_rc daemon_path(char *out, size_t size, struct cf_err *e)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    if (n <= 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot find this program");
    out[n] = 0;
    char *slash = strrchr(out, '/');
    snprintf(slash + 1, size - (size_t)(slash + 1 - out), "cofferd");
    return access(out, X_OK) == 0 ? CF_OK : CF_FAIL_ERRNO(e, CF_E_ABSENT, "%s", out);
}

/* The last line of cofferd.log says why it did not start: its reason alone where it has one. */
static enum cf_rc quote_line(const struct bench *b, const char *line, struct cf_err *e)
{
    const char *reason = strstr(line, "reason=\"");
    size_t len = strlen(line);
    if (!reason || line[len - 1] != '"')
        return CF_FAIL(e, CF_E_IO, "cofferd did not start: %.120s (all of it: %s/cofferd.log)",
                       line, b->dir);
    reason += strlen("reason=\"");
    return CF_FAIL(e, CF_E_IO, "cofferd did not start: %.*s", (int)(line + len - 1 - reason),
                   reason);
}

static enum cf_rc with_log(const struct bench *b, struct cf_err *e)
{
    char path[BENCH_PATH];
    struct cf_buf log = { 0 };
    const char *text = NULL;
    bench_path(b, "cofferd.log", path);
    enum cf_rc rc = CF_E_IO;
    if (cf_file_read(path, (size_t)64 << 20, &log, NULL) == CF_OK && log.len > 1 &&
        cf_buf_resize(&log, log.len - 1, NULL) == CF_OK &&
        cf_buf_text(&log, &text, NULL) == CF_OK) {
        const char *line = strrchr(text, '\n');
        rc = quote_line(b, line ? line + 1 : text, e);
    } else {
        rc = CF_FAIL(e, CF_E_IO, "cofferd did not start; see %s", path);
    }
    cf_buf_clear(&log);
    return rc;
}

static enum cf_rc wait_until_up(const struct bench *b, pid_t pid, struct cf_err *e)
{
    for (unsigned i = 0; i < START_TRIES; i++) {
        struct cli_answer r = { 0 };
        enum cf_rc rc = bench_local(b, "GET", "/local/status", NULL, &r, NULL);
        const char *state = rc == CF_OK ? json_text(json_member(r.json, "state")) : NULL;
        /* The socket answers before the token does. */
        bool open = state && strcmp(state, "locked") != 0 && strcmp(state, "opening") != 0;
        bool lost = open && b->created && strcmp(state, "factory") == 0;
        cli_answer_clear(&r);
        if (lost)
            return CF_FAIL(
                e, CF_E_STATE,
                "cofferd holds no HSM, but one was made here: %s/config is not the one it "
                "was made with",
                b->dir);
        if (open)
            return CF_OK;
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return with_log(b, e);
        usleep(TRY_US);
    }
    return CF_FAIL(e, CF_E_STATE, "cofferd runs but its HSM does not come up; see %s/cofferd.log",
                   b->dir);
}

static enum cf_rc spawn(const struct bench *b, char *const argv[], char *const envp[], pid_t *pid,
                        struct cf_err *e)
{
    char log[BENCH_PATH];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    bench_path(b, "cofferd.log", log);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
    int failed = posix_spawn(pid, argv[0], &files, &attr, argv, envp);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    errno = failed;
    return failed ? CF_FAIL_ERRNO(e, CF_E_IO, "cannot start %s", argv[0]) : CF_OK;
}

static enum cf_rc write_pid(const struct bench *b, pid_t pid, struct cf_err *e)
{
    char path[BENCH_PATH], text[24];
    bench_path(b, "cofferd.pid", path);
    int n = snprintf(text, sizeof text, "%d\n", (int)pid);
    return cf_file_write(path, 0600, text, (size_t)n, e);
}

enum cf_rc bench_start(const struct bench *b, pid_t *pid, struct cf_err *e)
{
    char program[PATH_MAX], conf[BENCH_PATH], softhsm[BENCH_PATH];
    char *argv[2 * BENCH_SETS_MAX + 8];
    size_t n = 0;
    static char config_flag[] = "--config", set_flag[] = "--set";
    enum cf_rc rc = daemon_path(program, sizeof program, e);
    if (rc != CF_OK)
        return rc;
    bench_path(b, "cofferd.conf", conf);
    argv[n++] = program;
    argv[n++] = config_flag;
    argv[n++] = conf;
    struct bench *mutable_sets = malloc(sizeof *b);
    if (!mutable_sets)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    *mutable_sets = *b;
    for (size_t i = 0; i < b->sets; i++) {
        argv[n++] = set_flag;
        argv[n++] = mutable_sets->set[i];
    }
    argv[n] = NULL;
    if (!b->module[0]) {
        bench_path(b, "token/softhsm2.conf", softhsm);
        if (setenv("SOFTHSM2_CONF", softhsm, 1) != 0)
            rc = CF_FAIL_ERRNO(e, CF_E_IO, "setenv");
    }
    if (rc == CF_OK)
        rc = spawn(b, argv, environ, pid, e);
    free(mutable_sets);
    if (rc == CF_OK)
        rc = write_pid(b, *pid, e);
    if (rc == CF_OK)
        rc = wait_until_up(b, *pid, e);
    if (rc != CF_OK)
        (void)!bench_stop(b, NULL); /* what does not come up is not left behind */
    return rc;
}

static bool gone(const struct bench *b, pid_t pid)
{
    for (unsigned i = 0; i < STOP_TRIES; i++) {
        if (!is_ours(b, pid))
            return true;
        usleep(TRY_US);
    }
    return false;
}

enum cf_rc bench_stop(const struct bench *b, struct cf_err *e)
{
    pid_t pid = bench_running(b);
    char path[BENCH_PATH];
    if (pid) {
        kill(pid, SIGTERM);
        if (!gone(b, pid)) {
            kill(pid, SIGKILL);
            if (!gone(b, pid))
                return CF_FAIL(e, CF_E_STATE, "cofferd (process %d) does not end", (int)pid);
        }
    }
    bench_path(b, "cofferd.pid", path);
    unlink(path);
    return CF_OK;
}
