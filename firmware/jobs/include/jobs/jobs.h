/*
 * Long-running operations: their durable records, and the states they go through.
 * Rows live in the appliance's own store (appliance.db), which a restore never switches.
 * One operation runs at a time. What a running one needs beyond its record (journal, sealed SAS)
 * belongs to backup/run.
 * Threads: any. Progress is a number in memory; everything else is durable before a call returns.
 */
#ifndef JOBS_JOBS_H
#define JOBS_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "hal/clock.h"
#include "hal/entropy.h"

struct jobs;
struct store;

#define JOBS_ID_SIZE     33 /* 32 lower-case hex digits and the NUL */
#define JOBS_WHO_SIZE    129
#define JOBS_URI_SIZE    1025
#define JOBS_FOLDER_SIZE 513
#define JOBS_KEY_SIZE    128
#define JOBS_TEXT_SIZE   513
#define JOBS_CODE_SIZE   65
#define JOBS_KEEP_S      (INT64_C(30) * 86400) /* a finished record is kept at least so long */

/* Values stand in rows: never renumber. */
enum jobs_kind {
    JOBS_BACKUP = 1,
    JOBS_RESTORE = 2,
    JOBS_SELECTIVE = 3,
    JOBS_PRE_BACKUP = 4, /* checks of a backup, nothing is written */
    JOBS_PRE_RESTORE = 5,
    JOBS_VERIFY = 6,    /* reads a backup back, writes nothing */
    JOBS_PLAN = 7,      /* what a restore would change, writes nothing */
    JOBS_UNDO = 8,      /* back to the state before the last restore */
    JOBS_RETENTION = 9, /* deletes backups that the rules let go */
};
#define JOBS_KIND_MAX JOBS_RETENTION

/* One that was running when the appliance stopped may go on, or may have reached its end: not for
 * jobs to judge. */
static inline bool jobs_outlives_a_stop(enum jobs_kind k)
{
    return k == JOBS_BACKUP || k == JOBS_RESTORE || k == JOBS_UNDO;
}

/* What an operator chose for one job. Zeroes: as the appliance is configured. */
struct jobs_choices {
    uint64_t limit_rate;     /* bytes a second over all connections to storage together; 0: no limit
                                of the job's own */
    unsigned connections;    /* to storage at one time; 0: none of the job's own */
    unsigned sample_percent; /* verify: share of the blocks that is read, 1..100; 0: 100 */
    bool require_complete;   /* backup: fail where something that is marked would be left out */
    bool allow_incomplete;   /* restore: also of a backup that something was left out of */
    char plan[JOBS_ID_SIZE]; /* restore: the plan that must still hold; "": none */
};
#define JOBS_RATE_MIN        65536 /* bytes a second */
#define JOBS_CONNECTIONS_MAX 64

/* Named as the REST status names them. Values stand in rows: never renumber. */
enum jobs_state { JOBS_IN_PROGRESS = 1, JOBS_SUCCEEDED = 2, JOBS_FAILED = 3, JOBS_CANCELED = 4 };

enum jobs_event { JOBS_EV_DONE, JOBS_EV_ERROR, JOBS_EV_CANCEL, JOBS_EV_INTERRUPTED, JOBS_EVENTS };

/* "InProgress", "Succeeded", "Failed", "Canceled". Never NULL. */
const char *jobs_state_name(enum jobs_state s);

/* "backup", "restore", "selective restore", ... for logs and messages. Never NULL. */
const char *jobs_kind_name(enum jobs_kind k);

/* The state that `event` leads to from `s`. CF_E_STATE: none, a finished job stays as it is. */
CF_CHECK enum cf_rc jobs_next_state(enum jobs_state s, enum jobs_event event, enum jobs_state *out,
                                    struct cf_err *e);

/* One operation, all texts NUL-terminated, "" where there is nothing. No secret is in it. */
struct jobs_record {
    char id[JOBS_ID_SIZE];
    enum jobs_kind kind;
    enum jobs_state state;
    char who[JOBS_WHO_SIZE];       /* oid of the principal that started it */
    char uri[JOBS_URI_SIZE];       /* container, without a query */
    char folder[JOBS_FOLDER_SIZE]; /* of the backup made or restored */
    char key[JOBS_KEY_SIZE];       /* selective restore: the key's name */
    int64_t start_s;               /* Unix seconds */
    int64_t start_ms;              /* orders those of one second; 0: an older record */
    int64_t end_s;                 /* 0 while it runs */
    char details[JOBS_TEXT_SIZE];  /* statusDetails; "" is null on the wire */
    char error_code[JOBS_CODE_SIZE];
    char error[JOBS_TEXT_SIZE];
    char warning[JOBS_TEXT_SIZE]; /* what succeeded with a remark */
    uint64_t bytes;               /* on the wire, at the end */
    uint64_t elapsed_ms;
};

/* Reads the records. One found running whose kind outlives a stop stays so: whoever runs it takes
 * it up or ends it. Any other is interrupted. Both devices and the store are borrowed. */
CF_CHECK enum cf_rc jobs_open(struct store *appliance, struct hal_clock *clock,
                              struct hal_entropy *entropy, struct jobs **out, struct cf_err *e);
void jobs_close(struct jobs *j); /* NULL is a no-op */

/* Reads kind, who, uri, folder, key and details of `in`; `out` (may be `in`) is the record as
 * written, with id and start time. CF_E_STATE "Conflict": another one runs; the text is the one
 * clients know. Prunes what is past its time. */
CF_CHECK enum cf_rc jobs_start(struct jobs *j, const struct jobs_record *in,
                               struct jobs_record *out, struct cf_err *e);

struct jobs_receipt; /* jobs/receipts.h */
struct jobs_cover;

/* How a job ended. Texts may be NULL for "as it was". */
struct jobs_end {
    enum jobs_event event;
    const char *details, *error_code, *error, *warning;
    uint64_t bytes, elapsed_ms;
    const struct jobs_receipt *receipt; /* NULL: none. Kept only with JOBS_EV_DONE */
    const struct jobs_cover *cover;     /* the same; `cover_count` of them */
    size_t cover_count;
};

/* Changes the folder or the details of the running job. NULL leaves one as it is. */
CF_CHECK enum cf_rc jobs_note(struct jobs *j, const char *id, const char *folder,
                              const char *details, struct cf_err *e);

/* Ends a job. A finished backup (JOBS_BACKUP, JOBS_EV_DONE) becomes the last completed one in the
 * same transaction, but for one whose coverage says that something is missing. CF_E_ABSENT;
 * CF_E_STATE: it has ended already. */
CF_CHECK enum cf_rc jobs_finish(struct jobs *j, const char *id, const struct jobs_end *end,
                                struct cf_err *e);

/* The running job, also one that an earlier life of this appliance began. CF_E_ABSENT: none. */
CF_CHECK enum cf_rc jobs_running(struct jobs *j, struct jobs_record *out, struct cf_err *e);

#define JOBS_WAS_CANCELED "The job was canceled"
#define JOBS_INTERRUPTED  "Interrupted" /* error code of what a stop ended */

/* Ends the running job that does not go on after a stop, as jobs_open does: Canceled where that was
 * asked for, else Failed with code "Interrupted". `why` (as a warning of a canceled one) may be
 * NULL. */
CF_CHECK enum cf_rc jobs_interrupt(struct jobs *j, const struct jobs_record *r, const char *why,
                                   struct cf_err *e);

/* CF_E_ABSENT "NotFound", text "The given jobId is not found". */
CF_CHECK enum cf_rc jobs_get(struct jobs *j, const char *id, struct jobs_record *out,
                             struct cf_err *e);

/* The newest job of that kind. CF_E_ABSENT "NotFound": there is none. */
CF_CHECK enum cf_rc jobs_last(struct jobs *j, enum jobs_kind kind, struct jobs_record *out,
                              struct cf_err *e);

/* Newest first. `each` borrows; anything but CF_OK stops and is returned. It must not call jobs. */
CF_CHECK enum cf_rc jobs_list(struct jobs *j,
                              enum cf_rc (*each)(void *ctx, const struct jobs_record *r,
                                                 struct cf_err *e),
                              void *ctx, struct cf_err *e);

/* --- progress of the running job, in memory only ------------------------------------------- */

struct jobs_progress {
    uint64_t done_bytes, total_bytes; /* total 0: not known yet */
    uint64_t bytes_s;                 /* over the last seconds; 0: not known, or nothing moves */
    uint64_t left_s;                  /* at that rate; 0: not known */
    const char *phase;                /* "keys", "partitions", ..; "" before the first */
};

/* Often: each call counts. Any thread. */
void jobs_set_progress(struct jobs *j, uint64_t done_bytes, uint64_t total_bytes);
/* What the running job does now. `phase` is a text that lasts, such as a literal. */
void jobs_set_phase(struct jobs *j, const char *phase);
struct jobs_progress jobs_get_progress(struct jobs *j);

/* Why the running job does not get on; its details until it is "" again. In memory only. */
void jobs_set_waiting(struct jobs *j, const char *text);

/* "1.2 GiB of 8.0 GiB, 230 MiB/s, 30 s left", of it what is known; "" while nothing is. */
#define JOBS_PROGRESS_SIZE 96
void jobs_progress_text(const struct jobs_progress *p, char out[JOBS_PROGRESS_SIZE]);

/* Asks the running job to stop, durably; jobs_cancel_asked tells its threads, also those of the
 * next start. CF_E_ABSENT "NotFound"; CF_E_STATE "Conflict": it has ended, or takes effect already.
 * Any other failure: it stops, but a power cut before may forget it. Asking again is fine. */
CF_CHECK enum cf_rc jobs_cancel(struct jobs *j, const char *id, struct cf_err *e);
bool jobs_cancel_asked(struct jobs *j);

/* The running job comes to the step that cannot be taken back. CF_OK: from now on jobs_cancel is
 * refused. CF_E_CANCEL: it was asked to stop before. */
CF_CHECK enum cf_rc jobs_past_cancel(struct jobs *j, struct cf_err *e);

/* --- restore mode and the rule about an earlier backup -------------------------------------- */

/* Durable; cheap to ask, for each request does. It survives a restart: who ended the restore or
 * found it interrupted sets it back. */
CF_CHECK enum cf_rc jobs_set_restore_mode(struct jobs *j, bool on, struct cf_err *e);
bool jobs_restore_mode(struct jobs *j);

/* End of the newest and of the oldest known completed full backup, Unix seconds; 0: none. */
struct jobs_backups {
    int64_t last_s, first_s;
    uint64_t count; /* completed so far on this appliance */
};
struct jobs_backups jobs_backups(struct jobs *j);

/* A full restore asks for a full backup of this HSM that ended at least `min_age_s` ago (API
 * document 5.2). 0 switches the rule off. CF_E_STATE "Conflict": none did; the text says when the
 * restore will be allowed, or that there is no backup yet. */
CF_CHECK enum cf_rc jobs_restore_allowed(struct jobs *j, int64_t min_age_s, struct cf_err *e);

#endif
