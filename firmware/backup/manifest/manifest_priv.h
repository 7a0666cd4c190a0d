/* Parts of a manifest that writer and reader share. Private to manifest. */
#ifndef MANIFEST_PRIV_H
#define MANIFEST_PRIV_H

#include "cbor/cbor.h"
#include "crypto/crypto.h"
#include "manifest/manifest.h"

#define FIXED_SIZE    208 /* envelope, two lengths, random: up to the public map */
#define PUBLIC_MAX    16384
#define SEALED_MAX    (1048576 + CRYPTO_TAG_SIZE)
#define SIG_HEAD_SIZE 36 /* alg, zero, length, key id */
#define SIG_MAX       5120

/* KDF by a domain key that lives in the token. */
CF_CHECK enum cf_rc manifest_token_kdf(const struct manifest_domain *d, uint32_t generation,
                                       const char *label, struct crypto_bytes ctx,
                                       uint8_t out[HAL_MAC_SIZE], struct cf_err *e);

/* Opens the sealed data key of an envelope whose head was judged. */
CF_CHECK enum cf_rc manifest_envelope_open(const struct manifest_domain *d,
                                           const uint8_t bytes[MANIFEST_ENVELOPE_SIZE],
                                           struct cf_secret **dk, struct cf_err *e);
uint32_t manifest_generation(const uint8_t *envelope);
uint64_t manifest_created_ms(const uint8_t *envelope);

/* KM and KH of FORMAT 4. `head` is the manifest up to the end of the public map. */
CF_CHECK enum cf_rc manifest_map_key(const struct cf_secret *dk, struct crypto_bytes head,
                                     uint8_t km[CRYPTO_KEY_SIZE], struct cf_err *e);
CF_CHECK enum cf_rc manifest_mac(const struct cf_secret *dk, struct crypto_bytes bytes,
                                 uint8_t mac[MANIFEST_MAC_SIZE], struct cf_err *e);

/* SHA-256(SPKI), and HMAC(MK, member label .. since): the domain vouches for an appliance. */
CF_CHECK enum cf_rc manifest_key_id(struct crypto_bytes spki, uint8_t out[32], struct cf_err *e);
CF_CHECK enum cf_rc manifest_endorse(const struct manifest_domain *d, uint32_t generation,
                                     const struct manifest *m, uint8_t out[HAL_MAC_SIZE],
                                     struct cf_err *e);

/* Appends the identity's signature over out[0 .. end of MAC]. */
CF_CHECK enum cf_rc manifest_sign(const struct manifest_domain *d, const struct manifest *m,
                                  struct cf_buf *out, struct cf_err *e);
/* Who signs: the identity key of this appliance, vouched for by the domain in `generation`. The
 * caller has set appliance and since. */
CF_CHECK enum cf_rc manifest_identify(const struct manifest_domain *d, uint32_t generation,
                                      struct manifest *us, struct cf_err *e);
/* The same as a member of a statement's body: [key, since, endorsement]. */
void manifest_put_identity(struct cbor_wr *w, const struct manifest *us);

/* What tells one kind of signed statement from another. */
struct manifest_kind {
    const char *magic;
    const char *label; /* its NUL is part of the message */
};
/* Appends magic | le32 length | body, and one signature, without a number before it, over label |
 * 00 | all of `out`, which was empty. */
CF_CHECK enum cf_rc manifest_state(const struct manifest_domain *d,
                                   const struct manifest_kind *kind, const struct manifest *us,
                                   const struct cf_buf *body, struct cf_buf *out, struct cf_err *e);
/* The one signature that fills `entry`, over label | 00 | part, is by that key. CF_E_CORRUPT,
 * CF_E_AUTH. */
CF_CHECK enum cf_rc manifest_check_labelled(const char *label, struct crypto_bytes spki,
                                            struct crypto_bytes part, struct crypto_bytes entry,
                                            struct cf_err *e);
/* This appliance's own key, one that the domain vouches for (appliance, generation, spki, since and
 * endorsement of `m`), or one that the operator named. CF_E_AUTH. */
CF_CHECK enum cf_rc manifest_identity_judge(const struct manifest_domain *d,
                                            const struct manifest *m, const uint8_t *accepted,
                                            const uint8_t key_id[32], struct cf_err *e);
/* Number and lengths of the signatures fill `sigs` exactly; nothing is verified. */
CF_CHECK enum cf_rc manifest_sigs_tile(struct crypto_bytes sigs, struct cf_err *e);
/* Step 9: identity known or endorsed or accepted; each required signature there and good. */
CF_CHECK enum cf_rc manifest_sigs_judge(const struct manifest_domain *d, const struct manifest *m,
                                        const struct manifest_judge *judge,
                                        struct crypto_bytes signed_part, struct crypto_bytes sigs,
                                        struct cf_err *e);

CF_CHECK enum cf_rc manifest_public_write(const struct manifest *m, struct cf_buf *out,
                                          struct cf_err *e);
CF_CHECK enum cf_rc manifest_sealed_write(const struct manifest *m, struct cf_buf *out,
                                          struct cf_err *e);
CF_CHECK enum cf_rc manifest_public_read(struct crypto_bytes map, struct manifest *m,
                                         struct cf_err *e);
CF_CHECK enum cf_rc manifest_sealed_read(struct crypto_bytes map, struct manifest *m,
                                         struct cf_err *e);
void manifest_streams_write(struct cbor_wr *w, const struct manifest *m);
void manifest_streams_read(struct cbor_rd *r, struct manifest *m);
void manifest_meta_read(struct cbor_rd *r, struct manifest *m);

/* The array of lines; and the map under key 99, of which only what is known is taken. */
void manifest_cover_write(struct cbor_wr *w, const struct manifest *m);
void manifest_extensions_read(struct crypto_bytes map, struct manifest *m);
void manifest_cover_read(struct cbor_rd *r, struct manifest *m);

/* The next key must be `key`. */
void manifest_expect_key(struct cbor_rd *r, uint64_t key);
#define RECEIPT_MAGIC "CFRRCP01"
#define RECEIPT_HEAD  12
#define RECEIPT_SIG   100
#define RECEIPT_LABEL "coffer.v1.receipt"

/* Text of 1..size-1 bytes without control characters. */
void manifest_text(struct cbor_rd *r, char *out, size_t size);

/* Sums, orders and limits of 3.5 that a schema cannot say. */
CF_CHECK enum cf_rc manifest_check(const struct manifest *m, struct cf_err *e);

#endif
