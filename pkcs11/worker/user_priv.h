/*
 * User keys inside the worker: blobs to objects (user.c makes and imports, open.c opens, caches and
 * uses). Threads: any, each with its own struct p11_ctx.
 */
#ifndef P11_USER_PRIV_H
#define P11_USER_PRIV_H

#include "worker/serve_priv.h"

/* A wrapped user key and what it is said to hold; all borrowed. */
struct p11_blob {
    const struct hal_key_spec *spec;
    CK_OBJECT_HANDLE kek;
    struct crypto_bytes wrapped;
    struct crypto_bytes spki;
    const uint8_t *kcv; /* HAL_KCV_SIZE */
};

enum p11_kind p11_natural_kind(const struct hal_key_spec *spec);
CF_CHECK enum cf_rc p11_spec_check(const struct hal_key_spec *spec, struct cf_err *e);

/* Unwraps into `session`, sensitive and not extractable. Takes anchor_lock for the anchor. */
CF_CHECK enum cf_rc p11_user_unwrap(struct p11_ctx *c, const struct p11_blob *b, enum p11_kind kind,
                                    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *out,
                                    struct cf_err *e);

/* Does an object of the natural kind hold the key that the blob names? Check value, or public half:
 * by its numbers, or where they are not told or `thorough` is set, by a signature.
 * CF_E_CORRUPT: it does not. */
CF_CHECK enum cf_rc p11_user_prove(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct p11_blob *b,
                                   bool thorough, struct cf_err *e);

#endif
