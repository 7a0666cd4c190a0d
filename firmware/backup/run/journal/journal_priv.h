/* What a power cut must not take: journals of a backup, of a restore, of a flip. Private to run. */
#ifndef RUN_JOURNAL_PRIV_H
#define RUN_JOURNAL_PRIV_H

#include "run/run.h"

/* --- a journal: records behind one another in a file; what is torn at its end is not there -------
 */

struct journal;

/* Of this appliance's token: HMAC key over a job's records. Once a start; the caller frees it. */
CF_CHECK enum cf_rc journal_key_make(struct hal_token *token, struct cf_secret **out,
                                     struct cf_err *e);

/* Where the whole records of a journal end, and the check that the next one's follows. A check is
 * keyed and over the one before it: who writes to the medium can cut a journal short, which costs
 * bytes, but not make, change, move or leave out a record. */
#define JOURNAL_CHECK 16
struct journal_mark {
    uint64_t at;
    uint8_t check[JOURNAL_CHECK];
};

struct journal_file {
    const char *dir, *name;
    const struct cf_secret *key; /* borrowed */
    /* Optional: what rows speak of must be on its medium before they are. Called from the journal's
     * thread; rows wait for it. */
    enum cf_rc (*before)(void *ctx, struct cf_err *e);
    void *ctx;
};

#define JOURNAL_OUT "backup.journal"
#define JOURNAL_IN  "restore.journal"

/* JOURNAL_OUT or JOURNAL_IN of this appliance (open.c). */
struct journal_file run_journal(const struct run *r, const char *name);

/* A new file in place of an old one; `go_on`: behind what was read of the one there is. */
CF_CHECK enum cf_rc journal_create(const struct journal_file *f, struct journal **out,
                                   struct cf_err *e);
CF_CHECK enum cf_rc journal_go_on(const struct journal_file *f, const struct journal_mark *kept,
                                  struct journal **out, struct cf_err *e);

struct journal_record {
    uint8_t type;
    const void *payload;
    size_t len;
};
/* Its bytes as they stand in a small file of one record, appended. Against a medium that tears, not
 * against who writes to it: there is no key. */
CF_CHECK enum cf_rc journal_frame(struct cf_buf *out, const struct journal_record *r,
                                  struct cf_err *e);
/* On the medium when it returns, and all rows before it. */
CF_CHECK enum cf_rc journal_put(struct journal *j, const struct journal_record *r,
                                struct cf_err *e);
/* A row: in the file at once, on the medium within a second; with a `before`, both soon. Any
 * thread. A failure stays and shows at every later call. */
CF_CHECK enum cf_rc journal_row(struct journal *j, const struct journal_record *r,
                                struct cf_err *e);
/* All rows on the medium. */
CF_CHECK enum cf_rc journal_flush(struct journal *j, struct cf_err *e);
void journal_close(struct journal *j); /* the file stays; NULL is a no-op */
void journal_remove(const char *dir, const char *name);
bool journal_there(const char *dir, const char *name);

typedef enum cf_rc journal_each_fn(void *ctx, const struct journal_record *r, struct cf_err *e);
/* Gives the records in order; `*kept` is where the last whole one ends. CF_E_ABSENT: no file. `f`
 * without a key: a small file as journal_frame makes it. */
CF_CHECK enum cf_rc journal_read(const struct journal_file *f, journal_each_fn *each, void *ctx,
                                 struct journal_mark *kept, struct cf_err *e);

/* --- of a backup: FORMAT.md 6, steps 1, 4 and 8 ------------------------------------------------
 */

/* What is remembered from backup to backup. */
struct journal_last {
    uint64_t seq;                   /* of the newest manifest that may be out there */
    uint8_t mac[MANIFEST_MAC_SIZE]; /* of the newest one that surely is; zeros: none */
};
CF_CHECK enum cf_rc journal_last_read(const char *dir, struct journal_last *last, struct cf_err *e);
CF_CHECK enum cf_rc journal_last_write(const char *dir, const struct journal_last *last,
                                       struct cf_err *e);

/* What a journal knows of one stream. */
struct journal_stream {
    bool begun, done;
    char name[MANIFEST_NAME_SIZE];
    uint64_t size, changes; /* raw ones */
    uint8_t chunk_log2;
    struct cf_buf rows;    /* FLOW_ROW_SIZE a block; zeros: not acked */
    struct cf_buf closing; /* done: what the manifest needs beyond the rows */
};

/* What an earlier life of the job left. Clear with journal_past_clear. */
struct journal_past {
    char job_id[JOBS_ID_SIZE]; /* "": nothing that this firmware understands */
    struct manifest_envelope env;
    uint64_t lives; /* so many before this one */
    char folder[JOBS_FOLDER_SIZE];
    uint8_t probe_salt[FLOW_SALT_SIZE];
    bool claimed;
    uint8_t layout;
    struct journal_stream *streams;
    size_t stream_count;
    struct journal_last it; /* of the manifest */
    struct cf_buf manifest; /* its bytes, once they were ready */
    struct journal_mark kept;
};
CF_CHECK enum cf_rc journal_past_read(const struct journal_file *f, struct journal_past *p,
                                      struct cf_err *e);
void journal_past_clear(struct journal_past *p);

/* What must be on the medium before something else happens is there when its call returns; the
 * rest is there before that, as the file has an order. A sync costs small flash milliseconds. */
struct journal_begin {
    const char *job_id;
    const struct manifest_envelope *env;
};
CF_CHECK enum cf_rc journal_out_begin(const struct journal_file *f, const struct journal_begin *b,
                                      struct journal **out, struct cf_err *e);
/* One more life: its number is in the salts, so it is here before any is drawn. */
CF_CHECK enum cf_rc journal_out_life(struct journal *j, uint64_t number, struct cf_err *e);
/* Before the folder is asked for (on the medium), and when it is ours. */
CF_CHECK enum cf_rc journal_out_folder(struct journal *j, const char *folder,
                                       const uint8_t salt[FLOW_SALT_SIZE], struct cf_err *e);
CF_CHECK enum cf_rc journal_out_claimed(struct journal *j, uint8_t layout, struct cf_err *e);
/* The stream begins, perhaps again: rows of before are void. Takes name, size, changes, chunk_log2.
 */
CF_CHECK enum cf_rc journal_out_stream(struct journal *j, uint32_t number,
                                       const struct journal_stream *s, struct cf_err *e);
/* An acked block. Any thread. */
CF_CHECK enum cf_rc journal_out_row(struct journal *j, uint32_t stream, uint64_t block,
                                    const uint8_t row[FLOW_ROW_SIZE], struct cf_err *e);
/* All of its blocks are acked and belong together: before its first block list, and journal_flush
 * behind it. */
CF_CHECK enum cf_rc journal_out_done(struct journal *j, uint32_t stream,
                                     const struct cf_buf *closing, struct cf_err *e);
/* The bytes that will be sent (on the medium): before the commit. */
CF_CHECK enum cf_rc journal_out_manifest(struct journal *j, const struct journal_last *it,
                                         const struct cf_buf *bytes, struct cf_err *e);

/* --- of a restore ------------------------------------------------------------------------------
 */

/* Which restore it is; another one's blocks are of no use. */
struct journal_aim {
    char job_id[JOBS_ID_SIZE];
    uint8_t mac[MANIFEST_MAC_SIZE]; /* of the manifest */
    uint64_t flips;                 /* of the selector: it says which side is the other one */
};
CF_CHECK enum cf_rc journal_in_begin(const struct journal_file *f, const struct journal_aim *a,
                                     struct journal **out, struct cf_err *e);
/* A block is in the twin; `sum` over its plain bytes (sum_priv.h). Any thread. */
CF_CHECK enum cf_rc journal_in_row(struct journal *j, uint32_t stream, uint64_t block, uint64_t sum,
                                   struct cf_err *e);
/* The rows of a restore with that aim. CF_E_ABSENT: there is none, or with another aim. */
typedef void journal_taken_fn(void *ctx, uint32_t stream, uint64_t block, uint64_t sum);
CF_CHECK enum cf_rc journal_in_read(const struct journal_file *f, const struct journal_aim *a,
                                    journal_taken_fn *each, struct journal_mark *kept,
                                    struct cf_err *e);

/* A restore's flip: written before it, so that a restart knows whether it happened. */
struct journal_flip {
    char job_id[JOBS_ID_SIZE];
    uint64_t flips; /* of the selector, once it has happened */
};
CF_CHECK enum cf_rc journal_flip_write(const char *dir, const struct journal_flip *f,
                                       struct cf_err *e);
/* CF_E_ABSENT: no restore was that far. */
CF_CHECK enum cf_rc journal_flip_read(const char *dir, struct journal_flip *f, struct cf_err *e);
void journal_flip_end(const char *dir);

#endif
