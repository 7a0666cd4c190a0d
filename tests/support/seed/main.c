#include "seed.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "p11/p11.h"

#define KEYS_MAX 9999999

static const char *const kinds[SEED_KINDS] = { "ec", "oct", "rsa" };

static uint64_t number(struct argp_state *state, const char *arg, uint64_t max)
{
    uint64_t n = 0;
    if (cf_parse_u64(arg, max, &n, NULL) != CF_OK)
        argp_error(state, "%s: a number up to %llu is wanted", arg, (unsigned long long)max);
    return n;
}

static void take_kinds(struct seed_options *o, struct argp_state *state, const char *arg)
{
    memset(o->kind, 0, sizeof o->kind);
    while (*arg) {
        size_t len = strcspn(arg, ","), i = 0;
        while (i < SEED_KINDS && (strlen(kinds[i]) != len || strncmp(kinds[i], arg, len) != 0))
            i++;
        if (i == SEED_KINDS)
            argp_error(state, "--kinds takes ec, oct and rsa");
        else
            o->kind[i] = true;
        arg += len + (arg[len] == ',');
    }
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct seed_options *o = state->input;
    switch (key) {
    case 'd':
        o->dir = arg;
        return 0;
    case 'n':
        o->keys = number(state, arg, KEYS_MAX);
        return 0;
    case 'f':
        o->first = number(state, arg, KEYS_MAX);
        return 0;
    case 'v':
        o->versions = number(state, arg, KEYSTORE_VERSIONS_MAX);
        return 0;
    case 't':
        o->tags = number(state, arg, KEYSTORE_TAGS_MAX);
        return 0;
    case 'x':
        o->deleted = number(state, arg, KEYS_MAX);
        return 0;
    case 'k':
        take_kinds(o, state, arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->dir || !o->keys || !o->versions || o->first + o->keys > KEYS_MAX + 1 ||
            !(o->kind[0] || o->kind[1] || o->kind[2]))
            argp_error(state, "--dir and --keys are needed, --versions and --kinds not empty");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse(int argc, char **argv, struct seed_options *o)
{
    static const struct argp_option options[] = {
        { "dir", 'd', "DIR", 0, "folder of a stopped bench appliance", 0 },
        { "keys", 'n', "N", 0, "number of keys", 0 },
        { "first", 'f', "N", 0, "number of the first one (0)", 0 },
        { "versions", 'v', "N", 0, "versions of each key (1)", 0 },
        { "tags", 't', "N", 0, "tags of each version (1)", 0 },
        { "deleted", 'x', "N", 0, "soft-delete every Nth key (none)", 0 },
        { "kinds", 'k', "LIST", 0, "ec, oct, rsa, in turn (all)", 0 },
        { 0 },
    };
    static const struct argp argp = { .options = options,
                                      .parser = take_option,
                                      .doc = "Fills the store of a bench appliance with keys." };
    *o = (struct seed_options){ .versions = 1, .tags = 1, .kind = { true, true, true } };
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, o);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int worker_fd = -1;
    if (p11_worker_asked(argc, argv, &worker_fd))
        _exit(p11_worker_main(worker_fd));
    struct seed *s = calloc(1, sizeof *s);
    struct cf_err err = { 0 };
    if (!s)
        return 1;
    parse(argc, argv, &s->o);
    cf_log_setup(CF_LOG_WARN, STDERR_FILENO);
    enum cf_rc rc = seed_open(s, &err);
    if (rc == CF_OK)
        rc = seed_make_kinds(s, &err);
    double start = now();
    if (rc == CF_OK)
        rc = seed_fill(s, &err);
    double seconds = now() - start;
    seed_clear_kinds(s);
    seed_close(s);
    if (rc == CF_OK)
        printf("KEYS=%llu\nSECONDS=%.3f\n", (unsigned long long)s->o.keys, seconds);
    else
        fprintf(stderr, "coffer-seed: %s\n", err.text);
    free(s);
    return rc == CF_OK ? 0 : 1;
}
