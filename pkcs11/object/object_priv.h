/*
 * Objects in the token: what is asked for, in which words this token accepts it, and whether it
 * did as told. Nothing is left to a module's defaults (tokens document 1.3).
 * Threads: any, each with its own struct p11_ctx; token objects are made and destroyed under
 * objects_lock.
 */
#ifndef P11_OBJECT_PRIV_H
#define P11_OBJECT_PRIV_H

#include "base/buf.h"
#include "crypto/crypto.h"
#include "hal/token_types.h"
#include "session/session_priv.h"

#define P11_RSA_EXPONENT 65537 /* unless asked otherwise */
#define P11_ATTRS_MAX    28
#define P11_ATTR_ROOM    8192 /* for one attribute read: any key or wrapped data that we take */

enum {
    P11_USE_SIGN = 1,
    P11_USE_VERIFY = 2,
    P11_USE_ENCRYPT = 4,
    P11_USE_DECRYPT = 8,
    P11_USE_WRAP = 16,
    P11_USE_UNWRAP = 32,
};

/* A template under construction. It points into itself: never copy one. */
struct p11_tmpl {
    CK_ATTRIBUTE a[P11_ATTRS_MAX];
    CK_ULONG n;
    CK_ULONG numbers[8];
    unsigned numbers_len;
};

/* The caller keeps `p` alive while the template is. */
void p11_tmpl_bytes(struct p11_tmpl *t, CK_ATTRIBUTE_TYPE type, const void *p, size_t len);
void p11_tmpl_num(struct p11_tmpl *t, CK_ATTRIBUTE_TYPE type, CK_ULONG v);
void p11_tmpl_bool(struct p11_tmpl *t, CK_ATTRIBUTE_TYPE type, bool v);

/* What a key object is to be. */
struct p11_shape {
    CK_OBJECT_CLASS cls; /* secret or private */
    CK_KEY_TYPE type;
    unsigned use; /* P11_USE_*; all others are switched off */
    bool token;
    bool sensitive;
    bool extractable;
    const uint8_t *id;                /* P11_ID_SIZE, or NULL */
    const char *label;                /* or NULL */
    CK_ULONG value_len;               /* secrets: bytes; asked for only on the rungs that need it */
    struct crypto_bytes point;        /* EC: public point, for the rung that needs it */
    const CK_MECHANISM_TYPE *allowed; /* or NULL */
    CK_ULONG allowed_len;
};

/* One attempt with a template in the words of one rung. */
typedef CK_RV p11_try_fn(void *arg, struct p11_tmpl *t);

/* Tries `fn` on the rung that served last for this kind of key, then on each other. What it makes
 * counts towards recycling. */
CF_CHECK CK_RV p11_ladder(struct p11_core *core, const struct p11_shape *s, p11_try_fn *fn,
                          void *arg);
const char *p11_rung_name(int rung);

/* An unwrapping: which blob under which key in which session. */
struct p11_unwrapping {
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE under;
    CK_MECHANISM_TYPE mech;
    struct crypto_bytes blob;
};

/* Unwraps, reads SENSITIVE and EXTRACTABLE back, mends or refuses. */
CF_CHECK enum cf_rc p11_unwrap(struct p11_ctx *c, const struct p11_unwrapping *u,
                               const struct p11_shape *s, CK_OBJECT_HANDLE *out, struct cf_err *e);

/* Appends what C_WrapKey gives. */
CF_CHECK enum cf_rc p11_wrap(struct p11_ctx *c, CK_OBJECT_HANDLE under, CK_OBJECT_HANDLE key,
                             struct cf_buf *out, struct cf_err *e);

/* Reads SENSITIVE and EXTRACTABLE, and of token objects the usage bits; *fine when nothing is more
 * open than the shape says. */
CF_CHECK enum cf_rc p11_judge(struct p11_ctx *c, CK_SESSION_HANDLE session,
                              const struct p11_shape *s, CK_OBJECT_HANDLE h, bool *fine,
                              struct cf_err *e);

/* Judges; sets the flags where that was not fine; destroys the object and fails where that does
 * not help. */
CF_CHECK enum cf_rc p11_read_back(struct p11_ctx *c, CK_SESSION_HANDLE session,
                                  const struct p11_shape *s, CK_OBJECT_HANDLE h, struct cf_err *e);

/* The object of that class and CKA_ID. Absent: CK_INVALID_HANDLE. Two: CF_E_STATE. */
CF_CHECK enum cf_rc p11_find(struct p11_ctx *c, CK_OBJECT_CLASS cls, const uint8_t id[P11_ID_SIZE],
                             CK_OBJECT_HANDLE *out, struct cf_err *e);

void p11_destroy(struct p11_ctx *c, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE h); /* 0: no-op */

/* Reads one attribute with ample room (NSS writes past short buffers). Appends its bytes.
 * CF_E_ABSENT: the token does not tell it. */
CF_CHECK enum cf_rc p11_attr(struct p11_ctx *c, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type,
                             struct cf_buf *out, struct cf_err *e);

/* Appends the SPKI that the object's own attributes give: modulus and exponent of either half of
 * an RSA key, the point of a public EC key. CF_E_ABSENT: the object does not tell them. */
CF_CHECK enum cf_rc p11_spki(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                             struct cf_buf *spki, struct cf_err *e);

/* The same of the public half of a pair that was made as `spec` says; a token that does not tell
 * the RSA exponent is taken to have made it as asked. */
CF_CHECK enum cf_rc p11_spki_made(struct p11_ctx *c, CK_OBJECT_HANDLE pub,
                                  const struct hal_key_spec *spec, struct cf_buf *spki,
                                  struct cf_err *e);

/* DER of the curve's OID, for CKA_EC_PARAMS. */
struct crypto_bytes p11_ec_params(enum hal_curve c);

/* "RSA-4096", "P-521", "oct-256": for the text of a failure. */
#define P11_SPEC_TEXT 16
const char *p11_spec_name(const struct hal_key_spec *spec, char room[P11_SPEC_TEXT]);

/* Session or token key pair, or secret key. Handles are set on success. */
CF_CHECK enum cf_rc p11_make_pair(struct p11_ctx *c, const struct hal_key_spec *spec,
                                  const struct p11_shape *s, CK_OBJECT_HANDLE out[2],
                                  struct cf_err *e); /* [0] private, [1] public */
CF_CHECK enum cf_rc p11_make_secret(struct p11_ctx *c, const struct p11_shape *s,
                                    CK_OBJECT_HANDLE *out, struct cf_err *e);

/* Brings bytes into the token as a key in the context's session: by C_CreateObject where allowed
 * and possible, else wrapped on the host under a temporary key that the token and we both know. */
CF_CHECK enum cf_rc p11_bring(struct p11_ctx *c, const struct p11_shape *s,
                              struct crypto_bytes material, CK_OBJECT_HANDLE *out,
                              struct cf_err *e);

/* C_CreateObject alone; the return value is the caller's to judge. */
CF_CHECK CK_RV p11_create(struct p11_ctx *c, const struct p11_shape *s, struct crypto_bytes value,
                          CK_OBJECT_HANDLE *out);

#endif
