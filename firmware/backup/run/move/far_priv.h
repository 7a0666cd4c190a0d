/* The coordinator's own operations at the far side, repeated while that is worth it. Private to
 * run. */
#ifndef RUN_FAR_PRIV_H
#define RUN_FAR_PRIV_H

#include "run/run.h"
#include "seal/seal.h"
#include "upload/upload.h"

struct job;

/* --- the coordinator's own operations, repeated while worth it ----------------------------------
 */

typedef void far_attempt_fn(void *ctx, const struct upload_far *f, struct upload_outcome *out);
CF_CHECK enum cf_rc far_repeat(struct job *j, far_attempt_fn *attempt, void *ctx, struct cf_err *e);
/* Asks once for a blob that need not be there: the far side answers, and knows us. */
CF_CHECK enum cf_rc far_reach(struct job *j, const char *blob, struct cf_err *e);
CF_CHECK enum cf_rc far_commit(struct job *j, const char *name, const struct upload_list *list,
                               struct cf_err *e);
CF_CHECK enum cf_rc far_put(struct job *j, const char *name, const void *data, size_t len,
                            struct cf_err *e);
/* Asks once how long a blob is; not being told is no failure. */
CF_CHECK enum cf_rc far_look(struct job *j, const char *name, uint64_t bytes, struct cf_err *e);
/* The blocks of a blob. `again` comes before each attempt. CF_E_ABSENT: no such blob, no block. */
struct far_lister {
    void (*again)(void *ctx);
    blob_block_fn *each;
    void *ctx;
};
CF_CHECK enum cf_rc far_list(struct job *j, const char *name, const struct far_lister *l,
                             struct cf_err *e);
/* What the storage takes in a folder. */
struct run_probe {
    /* Somebody's already. With an error too, where an immutable container refuses and would say the
     * same of a new folder. */
    bool taken;
    enum manifest_layout layout;
};
/* Claims the folder by writing the blob `probe`, and so tells early whether blobs can be made, and
 * how: as a block list, or, where that is refused, as a whole. `salt` marks it as ours. */
CF_CHECK enum cf_rc far_probe(struct job *j, const uint8_t salt[FLOW_SALT_SIZE],
                              struct run_probe *out, struct cf_err *e);
/* A range of a blob into `out` (appended). `*size`: of the whole blob. */
struct far_range {
    const char *name; /* within the folder */
    uint64_t first, count;
    enum blob_why why; /* the far side's last word */
};
CF_CHECK enum cf_rc far_get(struct job *j, struct far_range *what, struct cf_buf *out,
                            uint64_t *size, struct cf_err *e);
/* One block through an opener; chunks go to its sink, which must take a repeated chunk. */
CF_CHECK enum cf_rc far_get_block(struct job *j, struct far_range *what, struct seal_opener *o,
                                  const struct seal_expect *x, uint64_t *size, struct cf_err *e);

#endif
