/*
 * Inside jobs: rows in the appliance's store. See jobs/jobs.h.
 */
#ifndef JOBS_PRIV_H
#define JOBS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "jobs/receipts.h"
#include "store/store.h"

#define JOBS_KEEP_MAX 10000 /* finished records, whatever their age: bounds the store */

#define JOBS_PAST 64 /* oldest ones that are remembered */

/* Finished records, as far as pruning must know them. */
struct jobs_past {
    size_t kept;
    size_t count, next; /* oldest[next..count) are still there; none left: look again */
    struct {
        char id[JOBS_ID_SIZE];
        int64_t end_s;
    } oldest[JOBS_PAST];
};

/* What is known of completed backups and of restore mode; one row of STORE_STATE. */
struct jobs_facts {
    struct jobs_backups backups;
    bool restore_mode;
};

/* Where the job stood, twice a second for eight seconds: what the rate is taken from. */
#define JOBS_SAMPLES      17
#define JOBS_SAMPLE_MS    500
#define JOBS_RATE_OVER_MS 8000
#define JOBS_RATE_FROM_MS 1000 /* over less than this no rate is told */

struct jobs_sample {
    uint64_t at_ms, done;
};

struct jobs_sampling {
    pthread_mutex_t lock; /* not the jobs' own: that one is held across writes to the medium */
    struct jobs_sample sample[JOBS_SAMPLES];
    size_t count; /* taken so far; sample[n % JOBS_SAMPLES] is the n-th */
    uint64_t last_ms;
};

struct jobs {
    struct store *store;
    struct hal_clock *clock;
    struct hal_entropy *entropy;
    pthread_mutex_t lock; /* one change at a time; also over `locked` */
    struct {
        char running[JOBS_ID_SIZE];   /* "" while none runs */
        char waiting[JOBS_TEXT_SIZE]; /* "": the running one gets on */
        int64_t last_start_ms;        /* of this process; 0: none yet */
        struct jobs_facts facts;
        struct jobs_past past;
    } locked;
    atomic_bool restore_mode; /* mirror of locked.facts, for every request */
    atomic_bool cancel;
    bool past_cancel; /* under the lock */
    atomic_uint_fast64_t done_bytes, total_bytes;
    _Atomic(const char *) phase;
    struct jobs_sampling sampling;
};

/* Rows of STORE_JOB: key = id, value = CBOR map (jobs/README.md). */
CF_CHECK enum cf_rc jobs_row_put(struct store_txn *t, const struct jobs_record *r,
                                 struct cf_err *e);
CF_CHECK enum cf_rc jobs_row_parse(struct crypto_bytes key, struct crypto_bytes value,
                                   struct jobs_record *out, struct cf_err *e);
/* CF_E_ABSENT "NotFound" with the text clients know. */
CF_CHECK enum cf_rc jobs_row_get(struct store_view *v, const char *id, struct jobs_record *out,
                                 struct cf_err *e);
/* Every row, by id. */
CF_CHECK enum cf_rc jobs_row_each(struct store_view *v,
                                  enum cf_rc (*each)(void *ctx, const struct jobs_record *r,
                                                     struct cf_err *e),
                                  void *ctx, struct cf_err *e);

/* Rows of STORE_RECEIPT. */
CF_CHECK enum cf_rc jobs_receipt_put(struct store_txn *t, const struct jobs_record *r,
                                     const struct jobs_receipt *p, struct cf_err *e);
CF_CHECK enum cf_rc jobs_receipt_each(struct store_view *v,
                                      enum cf_rc (*each)(void *ctx, const struct jobs_verified *v,
                                                         struct cf_err *e),
                                      void *ctx, struct cf_err *e);
CF_CHECK enum cf_rc jobs_cover_put(struct store_txn *t, const char *id, const struct jobs_end *end,
                                   struct cf_err *e);
/* Of a newer backup, or of the same age and verified later. */
bool jobs_verified_newer(const struct jobs_verified *a, const struct jobs_verified *b);

CF_CHECK enum cf_rc jobs_facts_put(struct store_txn *t, const struct jobs_facts *f,
                                   struct cf_err *e);
CF_CHECK enum cf_rc jobs_facts_get(struct store_view *v, struct jobs_facts *out, struct cf_err *e);

/* Takes out at most one record a start, the oldest, if it is past its time: starts are as many as
 * records. With the lock. */
CF_CHECK enum cf_rc jobs_prune(struct jobs *j, struct store_txn *t, struct cf_err *e);

/* The last job that was asked to stop; "": none. */
CF_CHECK enum cf_rc jobs_cancel_kept(struct jobs *j, char id[JOBS_ID_SIZE], struct cf_err *e);

int64_t jobs_now_s(struct jobs *j);
/* A job begins: nothing is done yet. */
void jobs_reset_progress(struct jobs *j);

#endif
