/* Shared access signatures: judged as the service judges them, and made for tests. */
#ifndef BLOBSERVER_SAS_H
#define BLOBSERVER_SAS_H

#include <stdbool.h>
#include <stddef.h>

#include "errors.h"
#include "ops.h"
#include "store.h"

/* `key_base64` NULL: any signature is good. `tls`: the request came over TLS. */
enum bs_error sas_judge(const char *query, enum bs_op op, const struct store_target *t,
                        const char *key_base64, bool tls);

struct sas_wish {
    const char *permissions; /* "crdw" */
    long minutes;            /* from now; negative makes an expired one */
    bool account;            /* an account SAS: all resource types of the blob service */
};

/* Writes a SAS of that container, without '?', signed with `key_base64` (NULL: a made-up
 * signature). */
bool sas_make(const struct store_target *t, const struct sas_wish *w, const char *key_base64,
              char *out, size_t cap);

#endif
