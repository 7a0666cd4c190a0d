/*
 * What the server asks of the parts that act on the whole HSM: long-running operations and the
 * security domain. Written for its caller; app fills it from backup/run and domain.
 */
#ifndef API_SERVICES_H
#define API_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "jobs/jobs.h"

/* What key bundles show of the HSM. */
struct api_hsm_facts {
    unsigned retention_days; /* 7..90 */
    bool purge_protection;
    char platform[64]; /* hsmPlatform; "" leaves it out */
};

/* Which backups a pruning keeps (run/retain.h), zero where a rule was not given. */
#define API_KEEP_MAX     1000000
#define API_KEEP_AGE     86400 /* seconds, where none was given */
#define API_KEEP_AGE_MAX (INT64_C(100) * 366 * 86400)
struct api_keep {
    uint32_t last, daily, weekly, monthly;
    int64_t min_age_s, unfinished_age_s;
    bool dry_run;
};

/* One folder that a pruning looked at. */
struct api_pruned {
    const char *folder, *reason;
    enum { API_KEPT, API_WOULD_GO, API_GONE, API_HELD } fate;
    int64_t made_s;
    bool verified;
    uint64_t bytes;
};
typedef enum cf_rc api_pruned_fn(void *ctx, const struct api_pruned *p, struct cf_err *e);

/* How well the HSM is backed up. Times are Unix seconds, 0 where there was none. */
#define API_LAST_JOBS 4
struct api_last_job {
    enum jobs_kind kind;
    enum jobs_state state;
    int64_t start_s, end_s;
    char error[JOBS_TEXT_SIZE];
};
struct api_freshness {
    bool known; /* false: the token is not open yet, so nothing below but the schedule */
    int64_t now_s;
    int64_t backup_s; /* end of the newest completed backup */
    uint64_t backups;
    int64_t verified_s;    /* time of the newest backup that was verified whole */
    int64_t verified_at_s; /* when that was */
    bool scheduled;
    char schedule[64]; /* the rule */
    int64_t next_s;
    unsigned failures; /* scheduled attempts in a row that failed */
    char problem[JOBS_TEXT_SIZE];
    struct api_last_job last[API_LAST_JOBS]; /* one a kind */
    size_t last_count;
};

/* A start request, as its body had it: a "?" before the SAS and a "/" behind the URI are gone. */
struct api_job_order {
    enum jobs_kind kind;
    const char *who;         /* oid of the principal */
    const char *storage_uri; /* NULL: not given (pre-checks only) */
    const char *sas;         /* NULL: none. A secret */
    bool managed_identity;
    const char *folder;          /* restores; may have slashes. NULL: not given */
    const char *key;             /* selective restore */
    struct jobs_choices choices; /* member `coffer` of the body */
    const struct api_keep *keep; /* prunings */
};

/* What a restore would change. */
#define API_PLAN_KINDS 5
struct api_plan {
    char folder[JOBS_FOLDER_SIZE];
    char key[JOBS_KEY_SIZE]; /* "" where the plan is of all */
    int64_t backup_s;        /* the moment that the backup holds, Unix seconds */
    struct {
        const char *kind;
        uint64_t same, added, replaced, removed;
    } counts[API_PLAN_KINDS];
    uint64_t versions_lost, versions_back;
    bool cut; /* there are more items than were given */
};
struct api_planned {
    const char *kind, *change, *name, *note; /* note "": none */
};
typedef enum cf_rc api_planned_fn(void *ctx, const struct api_planned *i, struct cf_err *e);

/* What an undo of the last restore would do. */
struct api_undo {
    bool redo;                     /* the last switch was an undo */
    int64_t switched_s;            /* when it was, Unix seconds */
    char job[JOBS_ID_SIZE];        /* that switched */
    char folder[JOBS_FOLDER_SIZE]; /* of the backup restored */
    bool counted;                  /* `changes` are known */
    uint64_t changes;              /* of the key store since */
    size_t partitions, written;    /* that go back; of them written since */
};

/* One folder of a place; texts are borrowed for the call (backup/run/list.h). */
enum api_backup_state {
    API_BACKUP_WHOLE,
    API_BACKUP_UNFINISHED,
    API_BACKUP_DAMAGED,
    API_BACKUP_FOREIGN,
    API_BACKUP_GENERATION,
    API_BACKUP_NEWER_FORMAT,
    API_BACKUP_UNREADABLE,
    API_BACKUP_STATES
};
struct api_cover {
    const char *what, *why;
    unsigned state; /* 1 inside, 2 outside, 3 missing */
};
struct api_backup {
    const char *folder, *why, *hsm; /* "" unknown */
    enum api_backup_state state;
    int64_t made_s, verified_s; /* 0: unknown, never */
    uint64_t bytes, seq;
    uint32_t generation;
    bool proven, ours, complete, verified_whole;
    const struct api_cover *cover;
    size_t cover_count;
};
typedef enum cf_rc api_backup_fn(void *ctx, const struct api_backup *b, struct cf_err *e);

#define API_LISTING_MAX 1000
struct api_listing {
    size_t limit;
    const char *after; /* folder; NULL: from the newest */
    size_t folders;    /* answered: there are in all */
    bool more;
};

/* Certificates of a security-domain download, DER, in the order of the request. */
#define API_OFFICERS_MAX 10
struct api_officers {
    size_t count;
    struct cf_buf der[API_OFFICERS_MAX];
    unsigned required;
};

enum api_domain_state { API_DOMAIN_SUCCESS, API_DOMAIN_IN_PROGRESS, API_DOMAIN_FAILED };

struct api_domain_status {
    enum api_domain_state state;
    char details[256];
};

/* All set. Threads: called from any number at once. */
struct api_services {
    void *ctx;
    void (*facts)(void *ctx, struct api_hsm_facts *out);

    /* Starts the job and returns at once; `out` is its record. CF_E_STATE "Conflict": one runs, or
     * the 30-minute rule; CF_E_INPUT "BadRequest": storage or SAS unusable at sight. */
    enum cf_rc (*start)(void *ctx, const struct api_job_order *o, struct jobs_record *out,
                        struct cf_err *e);

    /* Reads what lies in the order's place, newest first; other members of the order are ignored.
     */
    enum cf_rc (*backups)(void *ctx, const struct api_job_order *o, struct api_listing *l,
                          api_backup_fn *each, void *each_ctx, struct cf_err *e);

    /* What the last pruning found and did. CF_E_ABSENT "NotFound": `job` is not that one. */
    enum cf_rc (*pruned)(void *ctx, const char *job, api_pruned_fn *each, void *each_ctx,
                         struct cf_err *e);

    void (*freshness)(void *ctx, struct api_freshness *out);

    /* What the last plan found. CF_E_ABSENT "NotFound": `job` is not that one. */
    enum cf_rc (*planned)(void *ctx, const char *job, struct api_plan *out, api_planned_fn *each,
                          void *each_ctx, struct cf_err *e);

    /* CF_E_STATE "Conflict": there is nothing to undo; the text says why. */
    enum cf_rc (*undo)(void *ctx, struct api_undo *out, struct cf_err *e);

    /* Appends the audit log's signed head (audit/FORMAT.md, 12). */
    enum cf_rc (*audit_head)(void *ctx, struct cf_buf *out, struct cf_err *e);

    /* Activates, or wraps the same domain for other officers. Appends the document's text. */
    enum cf_rc (*domain_download)(void *ctx, const struct api_officers *o, struct cf_buf *document,
                                  struct cf_err *e);
    /* Makes the exchange key if there is none (recovery begins). Appends the JWK's JSON text. */
    enum cf_rc (*domain_transfer_key)(void *ctx, struct cf_buf *jwk, struct cf_err *e);
    /* Installs the domain of a restore blob (JSON text). */
    enum cf_rc (*domain_upload)(void *ctx, const char *blob, size_t len, struct cf_err *e);
    /* Of the last download or upload; success when there was none. */
    void (*domain_status)(void *ctx, struct api_domain_status *out);
};

#endif
