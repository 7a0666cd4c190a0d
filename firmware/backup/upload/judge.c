#include "upload/upload.h"

void upload_judge(const struct blob_result *r, struct upload_outcome *out)
{
    *out = (struct upload_outcome){ .why = r->why,
                                    .retry_after_ms = r->retry_after_ms,
                                    .err = r->err };
    if (r->why == BLOB_OK)
        out->verdict = UPLOAD_DONE;
    else if (blob_worth_retry(r->why))
        out->verdict = UPLOAD_AGAIN;
    else
        out->verdict = UPLOAD_FAILED;
    if (r->why == BLOB_RANGE) /* whatever the far side calls it */
        out->err.rc = CF_E_CORRUPT;
    if (out->verdict != UPLOAD_DONE && out->err.rc == CF_OK)
        (void)CF_FAIL(&out->err, CF_E_REMOTE, "the storage refused");
}
