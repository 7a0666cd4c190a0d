#include "upload/upload.h"

enum cf_rc upload_block_start(struct blob_writer *w, const struct upload_block *b,
                              struct blob_end end, struct cf_err *e)
{
    struct blob_block_id id;
    struct blob_body body = { .len = b->wire, .pull = b->pull, .pull_ctx = b->pull_ctx };
    if (b->whole)
        return blob_put(w, b->blob, &body, end, e);
    blob_block_id_make(b->stream, b->number, b->salt, &id);
    return blob_put_block(w, b->blob, &id, &body, end, e);
}
