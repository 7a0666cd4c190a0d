/*
 * Which backups a retention policy keeps: a plan made of facts, without a request to any storage.
 * Rules add up, as in restic's forget: keep_last the newest N; keep_daily (weekly, monthly) of the
 * newest N days (ISO weeks, months; UTC) that have a backup the newest one of each. What no rule
 * keeps goes, but for what may never go: the newest backup, the newest verified one, the young, the
 * one that a job still works on, and whatever is not surely a whole backup of this HSM.
 * Rules count backups and never look at the age, so a clock that jumps ahead deletes nothing more.
 * Threads: pure functions over the caller's memory.
 */
#ifndef RUN_RETAIN_H
#define RUN_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RETAIN_MAX_COUNT  1000000        /* of each rule */
#define RETAIN_MIN_AGE_S  INT64_C(86400) /* the usual minimum age */
#define RETAIN_NAME_SIZE  513            /* as JOBS_FOLDER_SIZE */
#define RETAIN_REASON_MAX 256
#define RETAIN_PENDING_S  (INT64_C(8) * 86400) /* storage forgets unfinished blocks after a week */

struct retain_policy {
    uint32_t last, daily, weekly, monthly; /* 0: this rule keeps nothing */
    int64_t min_age_s;                     /* what is younger stays */
    int64_t unfinished_age_s;              /* unfinished folders of this HSM that are older go;
                                              0: they stay. At least RETAIN_PENDING_S */
};

enum retain_kind {
    RETAIN_WHOLE,      /* authentic manifest of this appliance and domain, all its blobs there */
    RETAIN_UNFINISHED, /* named like one of ours, without a manifest */
    RETAIN_HALF_GONE,  /* without a manifest because an earlier pruning was cut */
    RETAIN_DAMAGED,    /* a manifest that does not verify, or blobs that are missing */
    RETAIN_FOREIGN,    /* of another domain, HSM or appliance: two may share a domain and a name */
    RETAIN_UNKNOWN,    /* not named as we name folders */
    RETAIN_UNREADABLE, /* a manifest that the storage does not let be read: archived */
    RETAIN_INCOMPLETE, /* ours, and something that was marked is not in it */
};

/* Reasons to stay, as bits of `why`; none: it goes. */
#define RETAIN_BY_LAST     0x001u
#define RETAIN_BY_DAY      0x002u
#define RETAIN_BY_WEEK     0x004u
#define RETAIN_BY_MONTH    0x008u
#define RETAIN_IS_NEWEST   0x010u
#define RETAIN_IS_VERIFIED 0x020u /* the newest verified one */
#define RETAIN_IS_YOUNG    0x040u /* or dated in the future */
#define RETAIN_IS_BUSY     0x080u
#define RETAIN_NOT_OURS    0x100u
#define RETAIN_NOT_WHOLE   0x200u
#define RETAIN_HAS_CHANGED 0x400u /* while the pruning ran */

/* What became of it. */
enum retain_fate { RETAIN_STAYS, RETAIN_TO_GO, RETAIN_GONE, RETAIN_HELD /* by the storage */ };
#define RETAIN_FATES 4

struct retain_folder {
    char name[RETAIN_NAME_SIZE];
    enum retain_kind kind;
    int64_t made_s;        /* WHOLE: completed, as its manifest says; else as its name says */
    bool verified;         /* read back and found right, later than it was made */
    bool busy;             /* a job works on it, or will go on with it */
    uint8_t mac[32];       /* WHOLE: of its manifest, names its content */
    uint64_t bytes;        /* on the storage */
    uint32_t why;          /* set by retain_plan */
    enum retain_fate fate; /* set by who carries the plan out */
};

/* CF_E_INPUT with code BadRequest: no rule keeps anything, or a number is out of range. */
CF_CHECK enum cf_rc retain_check(const struct retain_policy *p, struct cf_err *e);

/* Sorts newest first and sets `why`. `count` may be 0. */
void retain_plan(const struct retain_policy *p, int64_t now_s, struct retain_folder *folders,
                 size_t count);

/* Why it stays or goes, for people: "keep-last, newest verified backup". */
void retain_reason(const struct retain_folder *f, char out[RETAIN_REASON_MAX]);

/* Is `name` a folder that a backup of `hsm` makes (format page, 1)? The time in it, if so. */
bool retain_folder_time(const char *hsm, const char *name, int64_t *made_s);

#endif
