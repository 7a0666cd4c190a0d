/*
 * Key bundles, items and attributes: between JSON and the key store's structs (API document 2.1,
 * 4.2, 4.4).
 */
#ifndef API_BUNDLE_PRIV_H
#define API_BUNDLE_PRIV_H

#include "json/json.h"
#include "server_priv.h"

/* What parsed attributes point into. Zero-initialise; api_attrs_clear frees. */
struct api_attrs {
    struct keystore_attrs a;
    struct keystore_tags tags;
    struct keystore_policy policy;
};

/* Reads attributes, tags, release_policy of `body` and key_ops of `ops_of` (the body or its key).
 */
CF_CHECK enum cf_rc api_attrs_read(const struct json *body, const struct json *ops_of,
                                   struct api_attrs *out, struct cf_err *e);
void api_attrs_clear(struct api_attrs *a);

/* "RSA", "RSA-HSM", "EC", ... : every key of an HSM is one of the HSM. */
CF_CHECK enum cf_rc api_kty_read(const struct json *key, enum hal_key_type *out, struct cf_err *e);

/* Puts a KeyBundle, or a DeletedKeyBundle where the key is deleted, as the reply's body. */
CF_CHECK enum cf_rc api_reply_bundle(struct api *a, const struct api_request *rq,
                                     const struct keystore_bundle *b, struct api_reply *rp,
                                     struct cf_err *e);

/* One item of a list. `versioned`: the kid names the version. */
void api_put_item(struct api *a, const struct api_request *rq, struct json_wr *w,
                  const struct keystore_bundle *b, bool versioned);

#endif
