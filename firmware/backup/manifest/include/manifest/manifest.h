/*
 * Stage 5: receipts become an authenticated manifest; its Put Blob is the commit of a backup.
 * And the way back, in the order of checks of ../../FORMAT.md, 7. No I/O but with the token.
 * Errors of reading: CF_E_CORRUPT, CF_E_LIMIT, CF_E_AUTH as the page says; CF_E_DENIED another
 * domain or a generation that the keyring lacks.
 * Threads: any; an object belongs to one at a time.
 */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include "base/secret.h"
#include "hal/entropy.h"
#include "hal/token.h"
#include "manifest/model.h"

/* The keyring, as far as backups need it. All borrowed. */
struct manifest_domain {
    struct hal_token *token;
    uint8_t domain_id[HAL_DOMAIN_ID_SIZE];
    const uint32_t *generations; /* newest first; [0] seals */
    size_t count;
    const struct flow_recorder *recorder; /* NULL but in tests */
};

/* --- envelope ----------------------------------------------------------------------------------
 */

struct manifest_envelope {
    uint8_t bytes[MANIFEST_ENVELOPE_SIZE];
    uint8_t backup_id[FLOW_ID_SIZE];
    uint32_t generation;
};

/* A new backup id and data key, mixed from the token's and the host's random sources; the caller
 * frees `dk`. */
CF_CHECK enum cf_rc manifest_envelope_make(const struct manifest_domain *d,
                                           struct hal_entropy *entropy, uint64_t created_ms,
                                           struct manifest_envelope *out, struct cf_secret **dk,
                                           struct cf_err *e);

/* One that was made before, with its data key; `bytes` is checked as a reader would. CF_E_AUTH,
 * CF_E_DENIED, CF_E_CORRUPT: not ours, or of a generation that the keyring lacks. */
CF_CHECK enum cf_rc manifest_envelope_reopen(const struct manifest_domain *d,
                                             const uint8_t bytes[MANIFEST_ENVELOPE_SIZE],
                                             struct manifest_envelope *out, struct cf_secret **dk,
                                             struct cf_err *e);

/* Judges the first 96 bytes of a manifest of `size` bytes: newer format, other domain, "needs
 * generation g". One token call. */
CF_CHECK enum cf_rc manifest_head_check(const struct manifest_domain *d,
                                        const uint8_t head[MANIFEST_HEAD_SIZE], uint64_t size,
                                        struct cf_err *e);

/* --- writing ------------------------------------------------------------------------------------
 */

/* All the bytes of the blob into `out` (appended), signed by the token's identity key. `m` gives
 * the content but for spki, endorsement, signers and mac, which are set here. */
CF_CHECK enum cf_rc manifest_build(const struct manifest_domain *d,
                                   const struct manifest_envelope *env, const struct cf_secret *dk,
                                   struct hal_entropy *entropy, struct manifest *m,
                                   struct cf_buf *out, struct cf_err *e);

/* --- reading ------------------------------------------------------------------------------------
 */

struct manifest_judge {
    const char *folder; /* last segment of the path asked for */
    const uint8_t
        *accepted; /* NULL, or the SHA-256 of an identity's SPKI that the operator accepts */
    const struct cf_buf *known; /* SPKIs of further signers, DER; `known_count` of them */
    size_t known_count;
};

/* Every check of section 7 up to step 9. `out` starts zeroed; the caller clears it and frees `dk`.
 */
CF_CHECK enum cf_rc manifest_open(const struct manifest_domain *d, const struct cf_buf *bytes,
                                  const struct manifest_judge *judge, struct manifest *out,
                                  struct cf_secret **dk, struct cf_err *e);

/* The public map alone, unproven: for lists without the domain. */
CF_CHECK enum cf_rc manifest_claim(const struct cf_buf *bytes, struct manifest *out,
                                   struct cf_err *e);

/* --- tables -------------------------------------------------------------------------------------
 */

/* The rows of stream `number` against what the manifest says of it. `rows` is table_len bytes. */
CF_CHECK enum cf_rc manifest_table_check(const struct manifest *m, size_t number,
                                         const uint8_t *rows, struct cf_err *e);

/* Block i as its row describes it, without its map. */
void manifest_table_block(const struct manifest *m, size_t number, const uint8_t *rows, uint64_t i,
                          struct flow_block *block, struct flow_receipt *receipt);

/* Block i of `meta`; receipts are in m->meta.blocks. */
void manifest_meta_block(const struct manifest *m, size_t i, struct flow_block *block);

/* Names of blobs within the folder: a part of a stream (layout 0), a block of one (layout 1). */
void manifest_blob_name(uint32_t stream, size_t part, char out[MANIFEST_NAME_SIZE]);
void manifest_block_name(uint32_t stream, uint64_t block, const uint8_t salt[FLOW_SALT_SIZE],
                         char out[MANIFEST_NAME_SIZE]);
void manifest_meta_name(const uint8_t salt[FLOW_SALT_SIZE], char out[MANIFEST_NAME_SIZE]);

#endif
