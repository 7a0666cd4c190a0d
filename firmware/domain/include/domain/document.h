/*
 * A security-domain document taken apart: for recovery, ceremonies and tests. FORMAT.md, 3 and 7.
 * Errors: CF_E_CORRUPT does not fit the page (X), CF_E_AUTH does not verify (A), CF_E_LIMIT (L).
 * Threads: a document may be read by several; a quorum belongs to one.
 */
#ifndef DOMAIN_DOCUMENT_H
#define DOMAIN_DOCUMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/verdict.h"
#include "domain/shares.h"
#include "hal/token_types.h"
#include "jose/jose.h"

#define DOMAIN_DOCUMENT_MAX    ((size_t)1 << 20)
#define DOMAIN_GENERATIONS_MAX 64
#define DOMAIN_NAME_MAX        127
#define DOMAIN_TAG             "hsm_backup" /* the item that is the keyring */

enum domain_holder_kind { DOMAIN_CERTIFICATE = 1, DOMAIN_PAPER = 2 };

struct domain_holder {
    uint8_t x;
    uint8_t check[CRYPTO_P256_POINT_SIZE];
    enum domain_holder_kind kind;
    uint8_t x5t[32]; /* SHA-256 of the certificate; zeros for paper */
    char name[DOMAIN_NAME_MAX + 1];
};

struct domain_document;

/* Checks everything that needs no key: members, map, digests, the identity's own signature.
 * The signature's worth depends on the identity: see domain_document_signer. */
CF_CHECK enum cf_rc domain_document_parse(const char *text, size_t len,
                                          struct domain_document **out, struct cf_err *e);
void domain_document_free(struct domain_document *d);

const struct domain_sharing *domain_document_sharing(const struct domain_document *d);
const uint8_t *domain_document_id(const struct domain_document *d);     /* 32 bytes */
const uint8_t *domain_document_signer(const struct domain_document *d); /* SHA-256 of its SPKI */
size_t domain_document_holders(const struct domain_document *d, const struct domain_holder **out);

/* Opens the share of holder `i` by the officer's private key. CF_E_AUTH: not this officer's, or
 * exchanged. The caller frees `share`; it is still to be offered to a quorum. */
CF_CHECK enum cf_rc domain_document_share(const struct domain_document *d, size_t i,
                                          jose_decrypt_fn *decrypt, void *ctx,
                                          struct cf_secret **share, struct cf_err *e);

/* --- shares gathered ------------------------------------------------------------------------- */

struct domain_quorum;

/* `d` is borrowed. */
CF_CHECK enum cf_rc domain_quorum_new(const struct domain_document *d, struct domain_quorum **out,
                                      struct cf_err *e);
void domain_quorum_free(struct domain_quorum *q); /* wipes; NULL is a no-op */

/* Takes a share that fits its public check; `x` (may be NULL) gets the officer's number. A wrong
 * one is refused by name and changes nothing. */
CF_CHECK enum cf_rc domain_quorum_offer(struct domain_quorum *q, const uint8_t *share, size_t len,
                                        uint8_t *x, struct cf_err *e);
unsigned domain_quorum_missing(const struct domain_quorum *q);

/* CF_E_DENIED: fewer than M shares. The caller frees `master`. */
CF_CHECK enum cf_rc domain_quorum_master(const struct domain_quorum *q, struct cf_secret **master,
                                         struct cf_err *e);

/* --- the keyring ------------------------------------------------------------------------------ */

struct domain_keys {
    uint32_t generation;
    int64_t made_s; /* Unix seconds */
};

struct domain_keyring {
    uint8_t domain_id[HAL_DOMAIN_ID_SIZE];
    char name[DOMAIN_NAME_MAX + 1];
    size_t count;
    struct domain_keys gen[DOMAIN_GENERATIONS_MAX]; /* ascending; the last is current */
    struct cf_secret *keys;                         /* BK | KEK | MK, 96 bytes a generation */
};
void domain_keyring_clear(struct domain_keyring *k); /* zeroed input is fine */

/* 32 bytes; role is HAL_ROLE_BK, KEK or MK; i < count. */
const uint8_t *domain_keyring_key(const struct domain_keyring *k, size_t i, enum hal_role role);

/* Opens every item and reads the keyring; compares it with the map (domain, generations,
 * fingerprints) and the endorsement of the document's signer with MK. The caller clears `out`. */
CF_CHECK enum cf_rc domain_document_open(const struct domain_document *d,
                                         const struct cf_secret *master, struct domain_keyring *out,
                                         struct cf_err *e);

/* KDF(BK, "coffer.v1.fp", domain id | le32 generation). */
CF_CHECK enum cf_rc domain_fingerprint(const uint8_t bk[32],
                                       const uint8_t domain_id[HAL_DOMAIN_ID_SIZE],
                                       uint32_t generation, uint8_t out[32], struct cf_err *e);

#endif
