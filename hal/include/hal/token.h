/*
 * The token: the one place where keys are used. A dozen keys of the appliance live in it by name;
 * user keys come as wrapped blobs, are opened into it for use, and never leave it in the clear.
 * Implementers: pkcs11/client (any PKCS#11 module, in its worker process);
 * tests/contract/token_contract.c states what each must do. Types of keys and operations:
 * hal/token_types.h.
 *
 * Errors of every call: CF_E_TOKEN the token is gone or hangs; the implementer has already tried
 * to reopen it, and a later call tries again. CF_E_DENIED the PIN or a key's policy refuses.
 * CF_E_AUTH a MAC or tag does not verify. CF_E_INPUT the caller's data does not fit the key
 * or mechanism. CF_E_LIMIT the token cannot do it; the text names what is missing.
 * Threads: any; a call blocks until its answer or its deadline (configured at open).
 */
#ifndef HAL_TOKEN_H
#define HAL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "hal/token_types.h"

struct hal_token;

/* All set. The calls below check arguments before they come here. */
struct hal_token_ops {
    enum cf_rc (*info)(struct hal_token *t, struct hal_token_info *out, struct cf_err *e);
    enum cf_rc (*random)(struct hal_token *t, void *dst, size_t len, struct cf_err *e);
    enum cf_rc (*key_present)(struct hal_token *t, const struct hal_key_name *k, bool *out,
                              struct cf_err *e);
    enum cf_rc (*key_import)(struct hal_token *t, const struct hal_key_name *k,
                             const struct cf_secret *value, struct cf_err *e);
    enum cf_rc (*key_make)(struct hal_token *t, const struct hal_key_name *k, struct cf_err *e);
    enum cf_rc (*key_public)(struct hal_token *t, const struct hal_key_name *k, struct cf_buf *spki,
                             struct cf_err *e);
    enum cf_rc (*key_destroy)(struct hal_token *t, const struct hal_key_name *k, struct cf_err *e);
    enum cf_rc (*mac)(struct hal_token *t, const struct hal_key_name *k, const void *msg,
                      size_t len, uint8_t out[HAL_MAC_SIZE], struct cf_err *e);
    enum cf_rc (*key_use)(struct hal_token *t, const struct hal_key_name *k,
                          const struct hal_op *op, struct hal_result *out, struct cf_err *e);
    enum cf_rc (*user_make)(struct hal_token *t, const struct hal_key_name *kek,
                            const struct hal_key_spec *spec, struct hal_wrapped *out,
                            struct cf_err *e);
    enum cf_rc (*user_import)(struct hal_token *t, const struct hal_key_name *kek,
                              const struct hal_key_spec *spec, const struct cf_secret *material,
                              struct hal_wrapped *out, struct cf_err *e);
    enum cf_rc (*user_use)(struct hal_token *t, const struct hal_user_key *key,
                           const struct hal_op *op, struct hal_result *out, struct cf_err *e);
    enum cf_rc (*user_check)(struct hal_token *t, const struct hal_user_key *key, struct cf_err *e);
    void (*close)(struct hal_token *t);
};

/* Implementers embed this as their first member. */
struct hal_token {
    const struct hal_token_ops *ops;
};

/* What is plugged in and how it is used. */
CF_CHECK enum cf_rc hal_token_info(struct hal_token *t, struct hal_token_info *out,
                                   struct cf_err *e);

/* Fills all of `dst` from the token's generator; len up to HAL_RANDOM_MAX. */
CF_CHECK enum cf_rc hal_token_random(struct hal_token *t, void *dst, size_t len, struct cf_err *e);

/* --- keys of the appliance, by name ------------------------------------------------------- */

CF_CHECK enum cf_rc hal_token_key_present(struct hal_token *t, const struct hal_key_name *k,
                                          bool *out, struct cf_err *e);

/* Brings a 32-byte domain secret (BK, KEK, MK) into the token as sensitive and not extractable,
 * reads those attributes back, and makes it last over a power cut before it returns.
 * The caller keeps and wipes `value`. Present already: CF_OK after proving that it is the same key
 * (a MAC, or a wrap, compared); CF_E_STATE when it is another. */
CF_CHECK enum cf_rc hal_token_key_import(struct hal_token *t, const struct hal_key_name *k,
                                         const struct cf_secret *value, struct cf_err *e);

/* Makes the key in the token if it is not there: STORE (32-byte generic secret), IDENTITY (P-256),
 * AUTHORITY (RSA-2048), EXCHANGE (RSA-3072). Sensitive, not extractable, lasting. */
CF_CHECK enum cf_rc hal_token_key_make(struct hal_token *t, const struct hal_key_name *k,
                                       struct cf_err *e);

/* Appends the DER SubjectPublicKeyInfo of an asymmetric key. CF_E_ABSENT: no such key. */
CF_CHECK enum cf_rc hal_token_key_public(struct hal_token *t, const struct hal_key_name *k,
                                         struct cf_buf *spki, struct cf_err *e);

/* Absent already: CF_OK. */
CF_CHECK enum cf_rc hal_token_key_destroy(struct hal_token *t, const struct hal_key_name *k,
                                          struct cf_err *e);

/* HMAC-SHA-256 by a BK, MK or STORE key; len up to HAL_IN_MAX. This is also the KDF of the
 * formats (SP 800-108, one block): crypto_kdf_message() frames the input. */
CF_CHECK enum cf_rc hal_token_mac(struct hal_token *t, const struct hal_key_name *k,
                                  const void *msg, size_t len, uint8_t out[HAL_MAC_SIZE],
                                  struct cf_err *e);

/* Signs (IDENTITY, AUTHORITY) or decrypts (EXCHANGE). `out` starts zeroed; the caller clears it. */
CF_CHECK enum cf_rc hal_token_key_use(struct hal_token *t, const struct hal_key_name *k,
                                      const struct hal_op *op, struct hal_result *out,
                                      struct cf_err *e);

/* --- user keys: blobs outside, used inside ------------------------------------------------- */

/* Generates in the token, wraps under the KEK (RFC 5649), destroys the object. `out` starts zeroed.
 */
CF_CHECK enum cf_rc hal_token_user_make(struct hal_token *t, const struct hal_key_name *kek,
                                        const struct hal_key_spec *spec, struct hal_wrapped *out,
                                        struct cf_err *e);

/* The same from material of the caller: DER PKCS#8 for RSA and EC, raw bytes for oct. The one call
 * that carries a user key's plaintext, towards the token only. */
CF_CHECK enum cf_rc hal_token_user_import(struct hal_token *t, const struct hal_key_name *kek,
                                          const struct hal_key_spec *spec,
                                          const struct cf_secret *material, struct hal_wrapped *out,
                                          struct cf_err *e);

/* Private-key and secret-key operations. The blob's MAC is verified in the token before it is
 * unwrapped; the opened key may stay cached there. `out` starts zeroed; the caller clears it. */
CF_CHECK enum cf_rc hal_token_user_use(struct hal_token *t, const struct hal_user_key *key,
                                       const struct hal_op *op, struct hal_result *out,
                                       struct cf_err *e);

/* Verifies the MAC, unwraps, compares KCV or public half with `key`, destroys. For restore and
 * verify. */
CF_CHECK enum cf_rc hal_token_user_check(struct hal_token *t, const struct hal_user_key *key,
                                         struct cf_err *e);

void hal_token_close(struct hal_token *t); /* closes and frees; NULL is a no-op */

void hal_wrapped_clear(struct hal_wrapped *w); /* zeroed input is fine */
void hal_result_clear(struct hal_result *r);

#endif
