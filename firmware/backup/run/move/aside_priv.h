/* Small writes of the coordinator that travel beside others: by the transfer threads, whose
 * connections are open already. Private to run. */
#ifndef RUN_ASIDE_PRIV_H
#define RUN_ASIDE_PRIV_H

#include "blob/blob.h"
#include "engine_priv.h"
#include "upload/upload.h"

/* One blob, create-only; its length is looked at. */
struct aside {
    char name[MANIFEST_NAME_SIZE];
    struct upload_list list; /* of its blocks; rows NULL: it is written whole, from these bytes: */
    const struct cf_buf *bytes;
    enum blob_why why; /* of the last attempt, and what it said */
    struct cf_err err;
};

/* Zero-initialise; `item` is the caller's, and stays until asides_wait or engine_stop. */
struct asides {
    struct job *j;
    struct aside *item;
    size_t count;
    struct work w;
};

/* They go before blocks that nobody has begun. */
void asides_begin(struct asides *a);
/* All are there. A blob that was there before is success when it is what was to be written. */
CF_CHECK enum cf_rc asides_wait(struct asides *a, struct cf_err *e);

#endif
