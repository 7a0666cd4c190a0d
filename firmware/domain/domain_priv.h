/*
 * What the files of the security domain share. Private to the folder.
 */
#ifndef DOMAIN_PRIV_H
#define DOMAIN_PRIV_H

#include <pthread.h>

#include "cbor/cbor.h"
#include "crypto/cert.h"
#include "domain/domain.h"
#include "json/json.h"

#define DOMAIN_KEY_SIZE   32
#define DOMAIN_KEYS_SIZE  96 /* BK, KEK, MK of a generation */
#define DOMAIN_SALT_SIZE  32
#define DOMAIN_ITEM_MAX   16384
#define DOMAIN_ITEMS_MAX  16
#define DOMAIN_SEALED_MAX (DOMAIN_ITEM_MAX + CRYPTO_TAG_SIZE)
#define DOMAIN_COFFER_MAX 16384                /* bytes of the map */
#define DOMAIN_SIG_HEAD   36                   /* alg, 0, length, key id */
#define DOMAIN_SPKI_MAX   128                  /* P-256 takes 91 */
#define DOMAIN_KIND_NAME  "coffer.v1.document" /* label of the signature */

/* --- gf257.c: places x are 1..126, distinct ------------------------------------------------- */

/* Weights that take the values of n places to the value at `at`. */
void domain_gf_weights(const uint8_t *x, size_t n, uint32_t at, uint32_t *weight);
/* constant + coefficient[0] x + .. + coefficient[n-1] x^n. */
uint32_t domain_gf_eval(uint32_t constant, const uint16_t *coefficient, size_t n, uint32_t x);
uint32_t domain_gf_sum(const uint32_t *weight, const uint16_t *value, size_t n);

/* --- draw.c ------------------------------------------------------------------------------------
 */

/* The two random sources of an appliance. */
struct domain_sources {
    struct hal_token *token;
    struct hal_entropy *entropy;
};

/* HMAC-SHA256(token random 32, OS random 32 | name | le32 generation): FORMAT.md 4. */
CF_CHECK enum cf_rc domain_draw_key(const struct domain_sources *s, const char *name,
                                    uint32_t generation, uint8_t out[DOMAIN_KEY_SIZE],
                                    struct cf_err *e);
/* Token XOR OS random: uniform while one of them is. A domain_random_fn; ctx is the sources. */
CF_CHECK enum cf_rc domain_draw(void *ctx, void *dst, size_t len, struct cf_err *e);

/* --- keyring.c ---------------------------------------------------------------------------------
 */

CF_CHECK enum cf_rc domain_keyring_new(struct domain_keyring *k, size_t generations,
                                       struct cf_err *e);
/* Appends the plaintext of the item. */
CF_CHECK enum cf_rc domain_keyring_write(const struct domain_keyring *k, struct cf_buf *out,
                                         struct cf_err *e);
CF_CHECK enum cf_rc domain_keyring_read(const void *plain, size_t len, struct domain_keyring *out,
                                        struct cf_err *e);

/* --- map.c: the `coffer` map and its signature --------------------------------------------------
 */

struct domain_map_holder {
    struct domain_holder pub;
    uint8_t enc_key_digest[32];
};

struct domain_map_item {
    char tag[65];
    uint8_t digest[32];
};

struct domain_map_generation {
    uint32_t number;
    uint8_t fp[32];
};

struct domain_map {
    struct domain_sharing sharing;
    int64_t made_s;
    uint8_t master_check[32];
    struct domain_map_holder holder[DOMAIN_HOLDERS_MAX];
    size_t items;
    struct domain_map_item item[DOMAIN_ITEMS_MAX];
    size_t generations;
    struct domain_map_generation generation[DOMAIN_GENERATIONS_MAX];
};

CF_CHECK enum cf_rc domain_map_write(const struct domain_map *m, struct cf_buf *out,
                                     struct cf_err *e);
CF_CHECK enum cf_rc domain_map_read(const void *p, size_t len, struct domain_map *out,
                                    struct cf_err *e);

/* coffer_sig, 3.3. */
struct domain_signature {
    struct domain_identity identity;
    uint8_t appliance_id[16];
    uint8_t sig[CRYPTO_P256_SIG_SIZE]; /* of the identity */
};

CF_CHECK enum cf_rc domain_signature_write(const struct domain_signature *s, struct cf_buf *out,
                                           struct cf_err *e);
/* Reads, and verifies the identity's signature over the map. */
CF_CHECK enum cf_rc domain_signature_read(struct crypto_bytes in, struct crypto_bytes map,
                                          struct domain_signature *out, struct cf_err *e);
/* SHA-256 of the message under the signature. */
CF_CHECK enum cf_rc domain_signature_digest(const struct domain_identity *id,
                                            struct crypto_bytes map, uint8_t out[32],
                                            struct cf_err *e);
/* "coffer.v1.member" | 00 | appliance id | SHA-256(SPKI) | le64 since: backup page 3.5. */
#define DOMAIN_ENDORSE_SIZE 73
CF_CHECK enum cf_rc domain_endorse_message(const uint8_t appliance_id[16],
                                           const struct domain_identity *id,
                                           uint8_t msg[DOMAIN_ENDORSE_SIZE], struct cf_err *e);
/* HMAC(MK, that message), with MK in hand. */
CF_CHECK enum cf_rc domain_endorse(const uint8_t mk[DOMAIN_KEY_SIZE],
                                   const uint8_t appliance_id[16], const struct domain_identity *id,
                                   uint8_t out[32], struct cf_err *e);

/* --- officers.c --------------------------------------------------------------------------------
 */

struct domain_officer {
    struct crypto_cert cert;
    struct crypto_pkey *key;
};

struct domain_panel {
    struct domain_officer officer[DOMAIN_HOLDERS_MAX];
    size_t count;
    unsigned required;
    uint8_t digest[32]; /* over M and the thumbprints in order: the same officers again? */
};

/* Checks certificates and quorum (API document 6.2). `out` starts zeroed; clear it. */
CF_CHECK enum cf_rc domain_panel_read(const struct domain_officers *o, struct domain_panel *out,
                                      struct cf_err *e);
void domain_panel_clear(struct domain_panel *p);

/* --- deal.c: the dealer ----------------------------------------------------------------------- */

struct domain_deal {
    const struct domain_sources *sources;
    const struct domain_panel *panel;
    const struct domain_keyring *keyring;
    uint8_t appliance_id[16];
    int64_t now_s;
    struct hal_token *token; /* signs with IDENTITY */
    int64_t identity_since_s;
};

struct domain_dealt {
    struct cf_buf text; /* the document */
    uint8_t document_id[32];
    struct domain_identity identity;
};

/* FORMAT.md 6, steps 2 to 4. `out` starts zeroed; the caller clears `text`. */
CF_CHECK enum cf_rc domain_deal(const struct domain_deal *d, struct domain_dealt *out,
                                struct cf_err *e);

/* --- kept.c: the record ------------------------------------------------------------------------
 */

struct domain_kept {
    enum domain_state state;
    uint8_t id[HAL_DOMAIN_ID_SIZE];
    size_t generations;
    struct domain_generation generation[DOMAIN_GENERATIONS_MAX];
    uint8_t salt[DOMAIN_SALT_SIZE];
    struct cf_buf sealed;   /* keyring under a key of the token, with tag; empty unless active */
    struct cf_buf document; /* text of the last sharing */
    uint8_t document_id[32];
    uint8_t panel_digest[32];
    uint8_t quorum, officers;
    struct domain_identity identity;
};
void domain_kept_clear(struct domain_kept *k);

CF_CHECK enum cf_rc domain_kept_write(const struct domain_kept *k, struct cf_buf *out,
                                      struct cf_err *e);
CF_CHECK enum cf_rc domain_kept_read(const void *p, size_t len, struct domain_kept *out,
                                     struct cf_err *e);

/* Seals the keyring under a key that the token's STORE key derives from a fresh salt, and back. */
CF_CHECK enum cf_rc domain_keyring_seal(struct hal_token *token, const struct domain_sources *s,
                                        const struct domain_keyring *k, struct domain_kept *into,
                                        struct cf_err *e);
CF_CHECK enum cf_rc domain_keyring_unseal(struct hal_token *token, const struct domain_kept *from,
                                          struct domain_keyring *out, struct cf_err *e);

/* --- domain.c, activate.c ----------------------------------------------------------------------
 */

struct domain {
    struct domain_options o;
    struct domain_sources sources;
    pthread_mutex_t lock;
    struct domain_kept kept;
    bool unsure; /* what is kept, or in the token, is not known: only a restart tells */
};

/* Replaces the record, then the copy in memory, which takes over what `next` owns. On failure
 * `next` stays the caller's. */
CF_CHECK enum cf_rc domain_save(struct domain *d, struct domain_kept *next, struct cf_err *e);
/* Takes the keys of a half-made domain out of the token. Absent ones are fine. */
CF_CHECK enum cf_rc domain_destroy_keys(struct domain *d, const struct domain_kept *half,
                                        struct cf_err *e);
/* Proves by derivations in the token that it holds the domain's BKs and newest MK, and has KEKs. */
CF_CHECK enum cf_rc domain_prove_keys(struct domain *d, const struct domain_kept *k,
                                      struct cf_err *e);
CF_CHECK enum cf_rc domain_download_locked(struct domain *d, const struct domain_officers *o,
                                           struct cf_buf *document, struct cf_err *e);

#endif
