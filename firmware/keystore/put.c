#include "keystore_priv.h"

#include <string.h>

/* A version's part of its key's record: with the most versions there may be it still is one that a
 * backup can carry, beside the key row. */
#define VERSION_SHARE ((RECORD_MAX - 16384) / KEYSTORE_VERSIONS_MAX - 16)

enum cf_rc put_key(struct store_txn *t, const char *lower, const struct key_row *r,
                   struct cf_err *e)
{
    struct cf_buf value = { 0 };
    enum cf_rc rc = key_row_encode(r, &value, e);
    struct store_put p = { .key = crypto_bytes_of(lower, strlen(lower)),
                           .value = bytes_of(&value) };
    if (rc == CF_OK)
        rc = store_put(t, STORE_KEY, &p, e);
    cf_buf_clear(&value);
    return rc;
}

static enum cf_rc put(struct store_txn *t, const struct version_key *key,
                      const struct keystore_version *v, struct crypto_bytes blob, bool share,
                      struct cf_err *e)
{
    struct cf_buf value = { 0 };
    enum cf_rc rc = version_row_encode(v, &value, e);
    struct store_put p = { .key = bytes_of_key(key), .value = bytes_of(&value), .blob = blob };
    if (rc == CF_OK && share && p.value.len + blob.len > VERSION_SHARE)
        rc =
            BAD_PARAMETER(e, "The tags and the release policy of this key are too large together.");
    if (rc == CF_OK)
        rc = store_put(t, STORE_VERSION, &p, e);
    cf_buf_clear(&value);
    return rc;
}

enum cf_rc put_version(struct store_txn *t, const struct version_key *key,
                       const struct keystore_version *v, struct crypto_bytes blob, struct cf_err *e)
{
    return put(t, key, v, blob, true, e);
}

enum cf_rc put_restored_version(struct store_txn *t, const struct version_key *key,
                                const struct keystore_version *v, struct crypto_bytes blob,
                                struct cf_err *e)
{
    return put(t, key, v, blob, false, e);
}
