/* What a restore has written to the twins already. Private to run. */
#ifndef RUN_TAKEN_PRIV_H
#define RUN_TAKEN_PRIV_H

#include "run_priv.h"

/* Of one raw stream. Zero-initialise; clear with taken_clear. */
struct taken {
    bool *here;     /* of each block: its bytes are in the twin */
    uint64_t *sums; /* as they were noted */
    uint64_t blocks;
    uint64_t *todo; /* the blocks that are not, `left` of them; NULL: all */
    uint64_t left;
};
CF_CHECK enum cf_rc taken_init(struct taken *t, uint64_t blocks, struct cf_err *e);
void taken_clear(struct taken *t);
void taken_note(struct taken *t, uint64_t block, uint64_t sum);

/* A chunk's share of its block's sum; the shares are added. It tells a twin that is not what the
 * journal speaks of, by accident: not a digest. 0.05 CPU-seconds a GiB. */
uint64_t taken_sum(uint64_t place, const void *data, size_t len);
/* The shares of a run of chunks whose bytes are all `value`. */
uint64_t taken_fill(uint64_t place, size_t len, uint8_t value, uint8_t chunk_log2);

/* Keeps what the twin still holds, erases the rest where the medium asks for it, lists it. */
struct taken_view {
    struct job *j;
    const struct manifest *m;
    uint32_t stream;
    const uint8_t *rows;
    struct hal_partition *twin;
};
CF_CHECK enum cf_rc taken_settle(struct taken *t, const struct taken_view *v, struct cf_err *e);

/* The journal of this restore is there, with what an earlier life of the same restore noted. */
CF_CHECK enum cf_rc taken_begin(const struct backup_in *b, struct cf_err *e);
/* Gives its rows (to f->ctx) and opens it to go on; f->before is set. */
CF_CHECK enum cf_rc taken_read(const struct backup_in *b,
                               void (*each)(void *ctx, uint32_t stream, uint64_t block,
                                            uint64_t sum),
                               struct journal_file *f, struct journal **out, struct cf_err *e);

#endif
