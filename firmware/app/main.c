/*
 * cofferd: the appliance. Reads its configuration, opens what there is, and waits for signals, a
 * PIN and the clock. Started with P11_WORKER_ARG it is the token worker instead.
 */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "appliance.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/privkey.h"
#include "p11/p11.h"

#define SETS_MAX      64
#define PIN_FILE_MAX  256
#define TICK_MS       60000
#define PURGE_AT_ONCE 64
#define EXPIRE_MS     1000

struct options {
    const char *config;
    const char *sets[SETS_MAX];
    size_t set_count;
    int pin_fd; /* -1: none */
    bool check;
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    uint64_t fd = 0;
    switch (key) {
    case 'c':
        o->config = arg;
        return 0;
    case 's':
        if (o->set_count == SETS_MAX)
            argp_error(state, "too many --set");
        o->sets[o->set_count++] = arg;
        return 0;
    case 'p':
        if (cf_parse_u64(arg, 1023, &fd, NULL) != CF_OK)
            argp_error(state, "--pin-fd wants the number of an open descriptor");
        o->pin_fd = (int)fd;
        return 0;
    case 'k':
        o->check = true;
        return 0;
    case ARGP_KEY_END:
        if (!o->config)
            argp_error(state, "--config FILE is needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Behind the options in --help: what can be set. */
static char *add_settings(int key, const char *text, void *input)
{
    char *all = NULL;
    size_t len = 0;
    (void)input;
    if (key != ARGP_KEY_HELP_EXTRA)
        return (char *)(uintptr_t)text;
    FILE *to = open_memstream(&all, &len);
    if (!to)
        return NULL;
    fprintf(to, "Settings:\n");
    app_config_describe(to);
    return fclose(to) == 0 ? all : NULL; /* argp frees it */
}

static void parse(int argc, char **argv, struct options *o)
{
    static const struct argp_option options[] = {
        { "config", 'c', "FILE", 0, "configuration file", 0 },
        { "set", 's', "SECTION.KEY=VALUE", 0, "one setting, over file and environment", 0 },
        { "pin-fd", 'p', "FD", 0, "descriptor that the token's PIN is read from", 0 },
        { "check", 'k', NULL, 0, "check the configuration, print it, and exit", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options,
        .parser = take_option,
        .help_filter = add_settings,
        .doc =
            "The Coffer appliance: Azure Managed HSM over a PKCS#11 token.\vIt stays in the foreground and logs to "
            "standard error. Each setting has a name in the environment too: COFFER_SECTION_KEY. `cofferd --config "
            "FILE --check` prints what is in force. Exit code: 0 stopped as asked, 1 cannot start or go on, 2 wrong command line.",
    };
    *o = (struct options){ .pin_fd = -1 };
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, o);
}

static enum cf_log_level level_of(const char *name)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0)
            return (enum cf_log_level)i;
    return CF_LOG_INFO;
}

/* An operator who wrote the file after the last failure has given a PIN anew: it may be tried. */
static bool newer(const char *pin_file, const char *config_dir)
{
    char counter[CONFIG_PATH_MAX + 16];
    struct stat pin, failures;
    snprintf(counter, sizeof counter, "%s/" APP_PIN_COUNTER, config_dir);
    if (stat(pin_file, &pin) != 0 || stat(counter, &failures) != 0)
        return false;
    return pin.st_mtim.tv_sec > failures.st_mtim.tv_sec ||
           (pin.st_mtim.tv_sec == failures.st_mtim.tv_sec &&
            pin.st_mtim.tv_nsec > failures.st_mtim.tv_nsec);
}

/* From the descriptor or the file; *out NULL: neither, it comes over the local socket. */
static enum cf_rc read_pin(const struct options *o, const struct app_config *c,
                           struct cf_secret **out, struct cf_err *e)
{
    char fd_path[32];
    const char *path = c->pin_file;
    *out = NULL;
    if (o->pin_fd >= 0) {
        snprintf(fd_path, sizeof fd_path, "/proc/self/fd/%d", o->pin_fd);
        path = fd_path;
    }
    if (!*path)
        return CF_OK;
    struct cf_secret *text = NULL;
    enum cf_rc rc = app_secret_text(path, PIN_FILE_MAX, &text, e);
    if (rc == CF_OK)
        rc = cf_secret_copy(cf_secret_view(text), cf_secret_len(text) - 1, out, e);
    cf_secret_free(text);
    if (o->pin_fd >= 0)
        close(o->pin_fd);
    return cf_err_ctx(e, rc, "PIN");
}

/* A PIN that came over the local socket. A refused one is logged and shown by status, and another
 * is waited for; with the token open a failure is one of the start and ends it. */
static enum cf_rc try_pin(struct appliance *a, struct cf_err *e)
{
    pthread_mutex_lock(&a->lock);
    struct cf_secret *pin = a->pin;
    enum cf_rc rc = pin ? app_open_token(a, pin, true, e) : CF_OK;
    a->pin = NULL;
    if (rc != CF_OK && !a->jobs) {
        cf_log(CF_LOG_ERROR, "app", "token-refused", "reason=\"%s\"", e->text);
        (void)cf_utf8_clean(e->text, a->pin_refused, sizeof a->pin_refused);
        *e = (struct cf_err){ 0 };
        rc = CF_OK;
    }
    pthread_mutex_unlock(&a->lock);
    cf_secret_free(pin);
    return rc;
}

/* For a second of each minute, so that a hundred thousand keys that fall due at once are gone in
 * hours, and a store of a million is walked through in three minutes. */
static enum cf_rc expire_some(struct appliance *a, size_t *purged, struct cf_err *e)
{
    uint64_t end_ms = hal_clock_monotonic_ms(a->parts.clock) + EXPIRE_MS;
    enum cf_rc rc = CF_OK;
    do {
        size_t gone = 0;
        rc = keystore_expire(a->keystore, &a->expire_walk, PURGE_AT_ONCE, &gone, e);
        *purged += gone;
    } while (rc == CF_OK && a->expire_walk.after[0] &&
             hal_clock_monotonic_ms(a->parts.clock) < end_ms);
    return rc;
}

static void tick(struct appliance *a)
{
    size_t purged = 0, rotated = 0;
    struct cf_err err = { 0 };
    pthread_mutex_lock(&a->lock);
    enum cf_rc rc = CF_OK;
    bool live = a->keystore && !jobs_restore_mode(a->jobs);
    if (live)
        rc = expire_some(a, &purged, &err);
    if (live)
        rotated = app_rotate_some(a);
    if (rc == CF_OK && purged)
        rc = access_refresh(a->access, &err); /* their assignments went with the keys */
    if (rc != CF_OK)
        cf_log(CF_LOG_WARN, "app", "expire-failed", "reason=\"%s\"", err.text);
    pthread_mutex_unlock(&a->lock);
    if (purged)
        cf_log(CF_LOG_INFO, "app", "purged", "keys=%zu", purged);
    if (rotated)
        cf_log(CF_LOG_INFO, "app", "rotated", "keys=%zu", rotated);
}

static enum cf_rc serve_until_signal(struct appliance *a, int signal_fd, struct cf_err *e)
{
    struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN },
                            { .fd = a->wake_fd, .events = POLLIN } };
    enum cf_rc rc = CF_OK;
    uint64_t tick_at_ms = hal_clock_monotonic_ms(a->parts.clock) + TICK_MS;
    while (rc == CF_OK) {
        uint64_t now_ms = hal_clock_monotonic_ms(a->parts.clock);
        int left = tick_at_ms > now_ms ? (int)(tick_at_ms - now_ms) : 0;
        int n = poll(fds, 2, app_schedule_tick(a, left));
        if (n < 0 && errno != EINTR)
            return CF_FAIL_ERRNO(e, CF_E_IO, "poll");
        if (n > 0 && fds[0].revents)
            return CF_OK;
        if (n > 0 && fds[1].revents) {
            uint64_t count;
            ssize_t ignored = read(a->wake_fd, &count, sizeof count);
            (void)ignored;
            rc = try_pin(a, e);
        }
        if (hal_clock_monotonic_ms(a->parts.clock) >= tick_at_ms) {
            tick(a);
            tick_at_ms = hal_clock_monotonic_ms(a->parts.clock) + TICK_MS;
        }
    }
    return rc;
}

/* Blocked before any thread starts, so that only the loop above sees them. */
static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static enum cf_rc run_appliance(const struct options *o, const struct app_config *config,
                                struct cf_err *e)
{
    struct appliance *a = calloc(1, sizeof *a);
    struct cf_secret *pin = NULL;
    int signal_fd = block_signals();
    if (!a || signal_fd < 0) {
        free(a);
        return CF_FAIL(e, CF_E_LIMIT, "no memory or no descriptor");
    }
    enum cf_rc rc = read_pin(o, config, &pin, e);
    if (rc == CF_OK)
        rc = app_open(a, config, e);
    if (rc == CF_OK && pin)
        rc =
            app_open_token(a, pin, o->pin_fd < 0 && newer(config->pin_file, config->config_dir), e);
    if (rc == CF_E_DENIED && !a->token && o->pin_fd < 0)
        (void)cf_err_ctx(e, rc, "PIN of %s (tried again once written anew)", config->pin_file);
    cf_secret_free(pin);
    if (rc == CF_OK) {
        cf_log(CF_LOG_INFO, "app", "started", "version=%s board=%s", APP_VERSION, a->board->name);
        sd_notify(0, "READY=1");
        rc = serve_until_signal(a, signal_fd, e);
        sd_notify(0, "STOPPING=1");
        cf_log(CF_LOG_INFO, "app", "stopping", "%s", "");
    }
    app_close(a);
    free(a);
    close(signal_fd);
    return rc;
}

int main(int argc, char **argv)
{
    int worker_fd = -1;
    (void)crypto_wipe_freed();
    if (p11_worker_asked(argc, argv, &worker_fd))
        _exit(p11_worker_main(worker_fd));
    cf_secret_harden_process();

    struct options o;
    struct app_config *config = calloc(1, sizeof *config);
    struct cf_err err = { 0 };
    parse(argc, argv, &o);
    enum cf_rc rc = config ? app_config_load(o.config, o.sets, o.set_count, config, &err)
                           : CF_FAIL(&err, CF_E_LIMIT, "no memory");
    if (rc == CF_OK && o.check) {
        app_config_print(config, stdout);
    } else if (rc == CF_OK) {
        cf_log_setup(level_of(config->log_level), STDERR_FILENO);
        rc = run_appliance(&o, config, &err);
    }
    if (rc != CF_OK)
        cf_log(CF_LOG_ERROR, "app", "failed", "reason=\"%s\"", err.text);
    free(config);
    return rc == CF_OK ? 0 : 1;
}
