/* Random mixtures of faults: COFFER_ROUNDS of them (20), from COFFER_SEED (a new one each run, told
 * at the start). Whatever comes of a job, the promises of scenario.h hold. */
#include "scenario.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"

#define ROUNDS    20
#define RULES_MAX 5

struct chance {
    uint64_t state;
};

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), SplitMix64. */
static uint64_t next(struct chance *c)
{
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t below(struct chance *c, uint64_t n)
{
    return next(c) % n;
}

#define PICK(c, list) list[below(c, sizeof list / sizeof list[0])]

/* What passes comes more often than what does not: most rounds shall get far. */
static const char *const on_writes[] = {
    "status:500",
    "status:503",
    "status:429",
    "status:502",
    "status:503",
    "early-status:503",
    "reset:head",
    "reset:1000",
    "reset:end",
    "commit-reset",
    "commit-reset",
    "commit-status:500",
    "commit-status:503",
    "delay:150",
    "drip:2000000",
    "etag",
    "late",
    "late",
    "date:3600",
    "status:408",
    "hang",
    "redirect:307",
    "expired",
    "forget",
    "steal",
    "plant as=manifest",
    "plant as=s2.0",
    "plant as=probe",
    "delete-container",
    "status:507",
    "status:409 code=BlobImmutableDueToPolicy",
    "plant as=s2/0-0000",
    "status:403 code=AuthorizationPermissionMismatch",
};
static const char *const on_reads[] = {
    "status:500",
    "status:503",
    "status:429",
    "status:504",
    "reset:head",
    "reset:end",
    "truncate:50",
    "truncate:70000",
    "unsized:50",
    "unsized:300000",
    "delay:150",
    "drip:3000000",
    "etag",
    "date:3600",
    "status:503 retry-after=1",
    "hang",
    "redirect:302",
    "expired",
    "shift:16",
    "displace:16",
    "whole",
    "length:777",
    "flip:70",
    "flip:70000",
    "delete-container",
    "status:404 code=BlobNotFound",
    "status:409 code=BlobArchived",
};
static const char *const writing[] = { "PutBlock", "PutBlock", "PutBlockList", "PutBlob",
                                       "HeadBlob", "GetBlob",  "GetBlockList", "*" };
static const char *const blobs[] = { "/probe", "/s0", "/s1",   "/s2",       "/s2",
                                     "/s2",    "/s2", "/meta", "/manifest", "/" };
static const char *const modes[][6] = {
    { NULL }, { "--worm" }, { "--worm", "--policy", "no-blocks" }, { "--policy", "no-lists" }
};

static size_t add_rule(struct chance *c, bool reads, char *out, size_t cap)
{
    const char *op = reads ? "GetBlob" : PICK(c, writing);
    const char *action = reads ? PICK(c, on_reads) : PICK(c, on_writes);
    char when[40];
    uint64_t n = 1 + below(c, 4);
    switch (below(c, 4)) {
    case 0:
        snprintf(when, sizeof when, "every=%" PRIu64 " times=%" PRIu64, n + 1, 1 + below(c, 4));
        break;
    case 1:
        snprintf(when, sizeof when, "nth=%" PRIu64 " times=%" PRIu64, n, 1 + below(c, 3));
        break;
    default:
        snprintf(when, sizeof when, "nth=%" PRIu64, n);
    }
    return (size_t)snprintf(out, cap, "op=%s blob=%s %s action=%s\n", op, PICK(c, blobs), when,
                            action);
}

static void compose(struct chance *c, struct scenario *row, unsigned round)
{
    static const enum scenario_deed deeds[] = { BACKUP,  BACKUP, BACKUP, RESTORE,
                                                RESTORE, KEY,    VERIFY, PRERESTORE };
    const char *const *args = PICK(c, modes);
    char rules[1024] = "", name[1200];
    size_t len = 0;
    *row = (struct scenario){ .deed = PICK(c, deeds), .verdict = EITHER };
    for (size_t i = 0; i < 6; i++)
        row->args[i] = args[i];
    for (uint64_t i = 0, n = 1 + below(c, RULES_MAX); i < n; i++)
        len += add_rule(c, row->deed != BACKUP, rules + len, sizeof rules - len);
    row->still_broken = strstr(rules, "delete-container") != NULL;
    snprintf(name, sizeof name, "round %u, deed %d, server %s %s %s\n%s", round, (int)row->deed,
             args[0] ? args[0] : "", args[0] && args[1] ? args[1] : "",
             args[0] && args[1] && args[2] ? args[2] : "", rules);
    for (char *at = name; (at = strchr(at, '\n')) != NULL;)
        *at = '|';
    row->name = strdup(name);
    row->rules = strdup(rules);
}

static uint64_t number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
    uint32_t fresh = 0;
    (void)!getrandom(&fresh, sizeof fresh, 0);
    struct chance c = { .state = number("COFFER_SEED", fresh) };
    size_t rounds = (size_t)number("COFFER_ROUNDS", ROUNDS);
    printf("run_soak_test: COFFER_SEED=%" PRIu64 " repeats this run\n", c.state);
    struct scenario *rows = calloc(rounds, sizeof *rows);
    for (size_t i = 0; i < rounds; i++)
        compose(&c, &rows[i], (unsigned)i);
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    int failed = scenario_run_all(rows, rounds);
    for (size_t i = 0; i < rounds; i++) {
        free((void *)(uintptr_t)rows[i].name);
        free((void *)(uintptr_t)rows[i].rules);
    }
    free(rows);
    return failed;
}
