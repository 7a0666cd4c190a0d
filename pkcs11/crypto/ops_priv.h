/*
 * Operations with keys in the token: one table of mechanisms, and for each the way that this token
 * was found to know. Threads: any, each with its own struct p11_ctx.
 */
#ifndef P11_OPS_PRIV_H
#define P11_OPS_PRIV_H

#include "hal/token.h"
#include "object/object_priv.h"

/* As what a user key's blob is opened: the fewest usage bits that serve the operation. */
enum p11_kind {
    P11_KIND_RSA = 1,
    P11_KIND_EC,
    P11_KIND_AES,    /* ENCRYPT, DECRYPT */
    P11_KIND_AES_KW, /* WRAP, UNWRAP, or ENCRYPT, DECRYPT where key wrap is done so */
    P11_KIND_HMAC,   /* SIGN */
};

/* Finds what out of all ways works, and fills core->ways; refuses the token by the name of what
 * it lacks. The context's session is used up. */
CF_CHECK enum cf_rc p11_probe(struct p11_ctx *c, struct cf_err *e);

/* Is the token there and right? Token info, one random byte, and a known answer through its
 * unwrapping: C_GetSessionInfo and old handles go on saying yes when all is lost. Uses up the
 * context's session. */
bool p11_alive(struct p11_ctx *c);

/* Which kind of object `op` wants of a key of that type. CF_E_INPUT: no such operation. */
CF_CHECK enum cf_rc p11_op_kind(const struct hal_key_spec *spec, const struct hal_op *op,
                                enum p11_kind *out, struct cf_err *e);

/* Runs `op` with the opened key. */
CF_CHECK enum cf_rc p11_op_run(struct p11_ctx *c, CK_OBJECT_HANDLE h,
                               const struct hal_key_spec *spec, const struct hal_op *op,
                               struct hal_result *out, struct cf_err *e);

/* One function a family; called by p11_op_run only. */
typedef enum cf_rc p11_op_fn(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                             const struct hal_op *op, struct hal_result *out, struct cf_err *e);
p11_op_fn p11_op_rsa_sign, p11_op_ecdsa, p11_op_rsa_decrypt, p11_op_gcm, p11_op_cbc, p11_op_keywrap,
    p11_op_hmac;

/* HMAC-SHA-256 by a key in the token; out of `len` bytes any number. */
CF_CHECK enum cf_rc p11_mac(struct p11_ctx *c, CK_OBJECT_HANDLE h, struct crypto_bytes msg,
                            uint8_t out[HAL_MAC_SIZE], struct cf_err *e);

/* Key check value as hal/token_types.h defines it, by an opened AES or HMAC key. */
CF_CHECK enum cf_rc p11_kcv(struct p11_ctx *c, CK_OBJECT_HANDLE h, enum p11_kind kind,
                            uint8_t out[HAL_KCV_SIZE], struct cf_err *e);

/* C_SignInit and C_Sign; appends. */
CF_CHECK enum cf_rc p11_sign(struct p11_ctx *c, CK_OBJECT_HANDLE h, CK_MECHANISM *m,
                             struct crypto_bytes msg, struct cf_buf *out, struct cf_err *e);

/* C_EncryptInit and C_Encrypt, or the pair that decrypts; appends. Room is in.len + 64. */
struct p11_crypt {
    bool encrypt;
    CK_MECHANISM *mech;
    CK_OBJECT_HANDLE key;
    struct crypto_bytes in;
};
CF_CHECK enum cf_rc p11_crypt(struct p11_ctx *c, const struct p11_crypt *x, struct cf_buf *out,
                              struct cf_err *e);

/* A failure that the caller's ciphertext may have caused: classed as c->blame if so. */
enum cf_rc p11_data_fail(struct p11_ctx *c, struct cf_err *e, const char *where, const char *call,
                         CK_RV rv);
#define P11_DATA_FAIL(c, e, call, rv) p11_data_fail((c), (e), CF_HERE, (call), (rv))

/* CKM_, CKG_ and HMAC numbers of a hash; all zero for none. */
struct p11_hash {
    CK_MECHANISM_TYPE digest;
    CK_RSA_PKCS_MGF_TYPE mgf;
    CK_MECHANISM_TYPE hmac;
    struct crypto_bytes info; /* DER in front of the digest (RFC 8017 9.2, note 1) */
};
const struct p11_hash *p11_hash_of(enum hal_hash h); /* never NULL */

#endif
