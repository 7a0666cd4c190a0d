/* The request of the running job, kept for the next start. Private to run. */
#ifndef RUN_REQUEST_PRIV_H
#define RUN_REQUEST_PRIV_H

#include "run/run.h"

struct request_kept {
    struct run_request q; /* points into the rest */
    char uri[BLOB_URI_MAX + 1];
    char folder[BLOB_NAME_MAX + 1];
    uint8_t accepted[32];
    struct cf_secret *token;
};
CF_CHECK enum cf_rc request_save(const struct run *r, const char *job_id,
                                 const struct run_request *q, struct cf_err *e);
/* CF_E_ABSENT: none is kept. CF_E_AUTH, CF_E_CORRUPT: another job's, or another token's. */
CF_CHECK enum cf_rc request_load(const struct run *r, const char *job_id, struct request_kept *k,
                                 struct cf_err *e);
void request_clear(struct request_kept *k);
void request_wipe(const struct run *r);

#endif
