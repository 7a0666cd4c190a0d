/*
 * Keys of the users: versions, attributes, tags, soft delete, use. Material exists outside the
 * token only wrapped, in key blobs (FORMAT.md, 3.1); rules are those of Azure Managed HSM (API
 * document 4). Errors carry the API's (inner) code in `code`: CF_E_ABSENT KeyNotFound; CF_E_STATE
 * Conflict, ObjectIsDeletedButRecoverable; CF_E_DENIED KeyDisabled, KeyNotYetValid, KeyExpired,
 * KeyOperationForbidden, Forbidden; CF_E_INPUT BadParameter; CF_E_LIMIT too many versions.
 * Texts are meant for the client. Beyond: CF_E_TOKEN, CF_E_IO, CF_E_AUTH of token and store.
 * Names are taken in any case, compared in lower case, answered as spelt at first creation.
 * Threads: any number at once. No transaction is held across a token call.
 */
#ifndef KEYSTORE_KEYSTORE_H
#define KEYSTORE_KEYSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/verdict.h"
#include "crypto/pkey.h"
#include "hal/clock.h"
#include "hal/token.h"
#include "keystore/types.h"
#include "store/live.h"

struct keystore;

#define KEYSTORE_GENERATIONS_MAX 16

/* All borrowed for the key store's life but the plain values. */
struct keystore_options {
    struct store_live *live;
    struct hal_token *token;
    struct hal_clock *clock;
    uint8_t domain_id[HAL_DOMAIN_ID_SIZE];
    uint32_t generation[KEYSTORE_GENERATIONS_MAX]; /* the keyring, newest first: [0] makes keys */
    size_t generations;
    uint32_t retention_days; /* 7..90 */
    bool purge_protection;
    uint32_t looks; /* KEYSTORE_LOOKS but in tests: 0 */
};

/* CF_E_ARG: retention or keyring out of range. */
CF_CHECK enum cf_rc keystore_open(const struct keystore_options *o, struct keystore **out,
                                  struct cf_err *e);
void keystore_close(struct keystore *ks); /* no call may be running; NULL is a no-op */

/* CF_E_INPUT: not 1..127 of [0-9a-zA-Z-]. Else the lower-case form. */
CF_CHECK enum cf_rc keystore_name(const char *name, char lower[KEYSTORE_NAME_MAX + 1],
                                  struct cf_err *e);

/* --- making and changing: `out` (zeroed, or NULL) gets what was made or changed --------------- */

/* A new key, or a new version of the key that has the name: its current one from then on. */
CF_CHECK enum cf_rc keystore_create(struct keystore *ks, const char *name,
                                    const struct keystore_new *n, struct keystore_bundle *out,
                                    struct cf_err *e);

/* The same from the caller's material: PKCS#8 DER (RSA, EC) or raw bytes (oct), which the caller
 * wipes. n->spec must say what it is; oct of 8..512 bits. */
CF_CHECK enum cf_rc keystore_import(struct keystore *ks, const char *name,
                                    const struct keystore_new *n, const struct cf_secret *material,
                                    struct keystore_bundle *out, struct cf_err *e);

/* A new version like the current one: spec, operations, tags, exportable, release policy.
 * exp = 0: none. CF_E_STATE: the key has no rotation policy. */
CF_CHECK enum cf_rc keystore_rotate(struct keystore *ks, const char *name, uint64_t exp,
                                    struct keystore_bundle *out, struct cf_err *e);

/* version NULL: the current one. Only what a->given names changes; exportable cannot. */
CF_CHECK enum cf_rc keystore_update(struct keystore *ks, const char *name, const char *version,
                                    const struct keystore_attrs *a, struct keystore_bundle *out,
                                    struct cf_err *e);

/* Soft: all versions, until retention is over. */
CF_CHECK enum cf_rc keystore_delete(struct keystore *ks, const char *name,
                                    struct keystore_bundle *out, struct cf_err *e);
CF_CHECK enum cf_rc keystore_recover(struct keystore *ks, const char *name,
                                     struct keystore_bundle *out, struct cf_err *e);

/* Gone for good, with the role assignments of its scope. CF_E_ABSENT: not among the deleted ones.
 * CF_E_DENIED: purge protection. */
CF_CHECK enum cf_rc keystore_purge(struct keystore *ks, const char *name, struct cf_err *e);

/* Where a walk over all keys stands. Zero-initialise. */
struct keystore_walk {
    char after[KEYSTORE_NAME_MAX + 1]; /* "": at the beginning */
    bool watched;                      /* the rest is known; keystore_expire's own */
    int64_t ahead_ms;                  /* wall clock over monotonic clock when last looked at */
    uint64_t since_ms;                 /* monotonic: since when the two have gone together */
};

/* A clock that was set wrong must not take keys for good: so long it has to go with the monotonic
 * one, without a step, before anything is purged by date. Time for an operator to see it. */
#define KEYSTORE_CLOCK_PROOF_MS ((uint64_t)24 * 3600 * 1000)
#define KEYSTORE_CLOCK_STEP_MS  ((int64_t)600 * 1000)

/* Goes on through the keys, KEYSTORE_LOOKS at the most, and purges up to `max` deleted ones whose
 * retention is over, purge protection or not; `*purged` says how many. Called now and then by
 * whoever owns a timer; behind the last key the walk begins anew. Purges nothing in the first
 * KEYSTORE_CLOCK_PROOF_MS of a walk, nor after a step of the clock by KEYSTORE_CLOCK_STEP_MS. */
CF_CHECK enum cf_rc keystore_expire(struct keystore *ks, struct keystore_walk *walk, size_t max,
                                    size_t *purged, struct cf_err *e);

/* --- reading -----------------------------------------------------------------------------------
 */

/* version NULL: the current one, else 32 hex digits. Deleted keys are absent. */
CF_CHECK enum cf_rc keystore_get(struct keystore *ks, const char *name, const char *version,
                                 struct keystore_bundle *out, struct cf_err *e);
CF_CHECK enum cf_rc keystore_get_deleted(struct keystore *ks, const char *name,
                                         struct keystore_bundle *out, struct cf_err *e);

/* n and e, or curve, x and y of a pair's public half, read out of `spki` by its shape alone: it was
 * checked in full before its row was written. CF_E_CORRUPT: an oct key, or it does not fit `spec`.
 */
CF_CHECK enum cf_rc keystore_public(const struct keystore_version *v, struct crypto_pub *out,
                                    struct cf_err *e);

/* Up to `limit` (1..KEYSTORE_PAGE_MAX) keys with names after `after` (NULL: from the first), each
 * with its current version. A page that has looked at KEYSTORE_LOOKS keys ends there, with fewer
 * items or none, so that its time does not depend on how many keys there are.
 * `page` starts zeroed; keystore_page_clear frees it. */
CF_CHECK enum cf_rc keystore_list(struct keystore *ks, enum keystore_which which, const char *after,
                                  size_t limit, struct keystore_page *page, struct cf_err *e);
/* Versions in order of creation, after the one with id `after`. No such key, or deleted: empty. */
struct keystore_versions_from {
    const char *name;
    const char *after; /* NULL: from the first */
};
CF_CHECK enum cf_rc keystore_list_versions(struct keystore *ks,
                                           const struct keystore_versions_from *from, size_t limit,
                                           struct keystore_page *page, struct cf_err *e);

/* Linear in their number. */
CF_CHECK enum cf_rc keystore_count(struct keystore *ks, struct keystore_counts *out,
                                   struct cf_err *e);

/* The rotation policy's JSON as the API keeps it, appended; none set: nothing. Setting an empty one
 * removes it. CF_E_LIMIT: over KEYSTORE_ROTATION_MAX. */
CF_CHECK enum cf_rc keystore_rotation_get(struct keystore *ks, const char *name,
                                          struct cf_buf *json, struct cf_err *e);
CF_CHECK enum cf_rc keystore_rotation_set(struct keystore *ks, const char *name, const char *json,
                                          struct cf_err *e);

/* --- use ----------------------------------------------------------------------------------------
 */

struct keystore_use {
    const char *name;
    const char *version; /* NULL: the current one */
    /* What the algorithm's name demands of the key: type, and bits (oct) or curve (EC); zero
     * demands nothing. Otherwise CF_E_INPUT BadParameter. */
    struct hal_key_spec wants;
};

struct keystore_result {
    struct hal_result r;
    char name[KEYSTORE_NAME_MAX + 1];  /* as spelt at first creation */
    char version[KEYSTORE_ID_HEX + 1]; /* the one that was used */
    struct cf_verdict valid;           /* HAL_VERIFY only: ask with cf_granted */
};
void keystore_result_clear(struct keystore_result *r); /* zeroed input is fine */

/* Checks deleted, enabled, key_ops, nbf and exp (decrypt, unwrap, verify work outside the window),
 * then operates: with private and secret keys in the token, with public halves (verify, encrypt,
 * wrap) on the host. `out` starts zeroed. A signature that does not verify is CF_OK and no `valid`;
 * a cipher text that does not open is CF_E_INPUT BadParameter. */
CF_CHECK enum cf_rc keystore_use(struct keystore *ks, const struct keystore_use *u,
                                 const struct hal_op *op, struct keystore_result *out,
                                 struct cf_err *e);

/* Opens a BYOK transfer (API document 4.6) with a key whose only operation is import: RSA-OAEP of
 * an AES key, then RFC 5649 of the target. The caller frees `material`. */
CF_CHECK enum cf_rc keystore_open_transfer(struct keystore *ks, const struct keystore_use *kek,
                                           struct crypto_bytes ciphertext,
                                           struct cf_secret **material, struct cf_err *e);

/* --- one key as a blob (API document 2.3, FORMAT.md 3.5) -----------------------------------------
 */

/* Appends the compact JWE with all versions. */
CF_CHECK enum cf_rc keystore_backup(struct keystore *ks, const char *name, struct cf_buf *jwe,
                                    struct cf_err *e);

/* CF_E_STATE Conflict: the name exists, live or deleted. CF_E_INPUT BadParameter: no blob of ours.
 * CF_E_DENIED: of another domain. */
CF_CHECK enum cf_rc keystore_restore(struct keystore *ks, const void *jwe, size_t len,
                                     struct keystore_bundle *out, struct cf_err *e);

#endif
