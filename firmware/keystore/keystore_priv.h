/*
 * Inside the key store: rows, blobs, records. Only this folder's files include it.
 */
#ifndef KEYSTORE_PRIV_H
#define KEYSTORE_PRIV_H

#include "cbor/cbor.h"
#include "keystore/export.h"
#include "keystore/keystore.h"

#define RECORD_MAX ((size_t)4 << 20) /* backup/FORMAT.md 5 */

struct keystore {
    struct keystore_options o;
};

/* --- errors.c: the API's words for what clients run into (API document 1.6) ---------------------
 */

enum cf_rc fail_not_found(const char *name, struct cf_err *e);
enum cf_rc fail_deleted_not_found(const char *name, struct cf_err *e);
enum cf_rc fail_is_deleted(const char *name, struct cf_err *e);
enum cf_rc fail_exists(const char *name, struct cf_err *e);
#define BAD_PARAMETER(e, ...)                                                                      \
    cf_err_code((e), CF_FAIL((e), CF_E_INPUT, __VA_ARGS__), "BadParameter")

/* --- names.c -------------------------------------------------------------------------------------
 */

#define VERSION_KEY_MAX (KEYSTORE_NAME_MAX + 1 + 8 + KEYSTORE_ID_SIZE)

/* Row keys of table 2 (FORMAT.md 3.3). */
struct version_key {
    uint8_t bytes[VERSION_KEY_MAX];
    size_t len;
};
/* lower-case name, 00: what all versions of a key begin with. */
struct version_key version_prefix(const char *lower);
struct version_key version_key(const char *lower, uint64_t sequence,
                               const uint8_t id[KEYSTORE_ID_SIZE]);
/* The sequence in a row key, and that it fits the name: 0 if not. */
uint64_t version_sequence(const char *lower, const struct cf_buf *row_key);
/* False: not 32 lower-case hex digits. */
bool version_id_parse(const char *text, uint8_t out[KEYSTORE_ID_SIZE]);
/* [0-9a-z-], 1..127. */
bool name_is_lower(const char *name, size_t len);
uint64_t now_s(const struct keystore *ks);

static inline struct crypto_bytes bytes_of(const struct cf_buf *b)
{
    return crypto_bytes_of(b->data, b->len);
}

static inline struct crypto_bytes bytes_of_key(const struct version_key *k)
{
    return crypto_bytes_of(k->bytes, k->len);
}

/* --- rows.c: the CBOR of tables 1 and 2 (backup/FORMAT.md 3.7)
 * ------------------------------------ */

struct key_row {
    struct keystore_key k;
    struct cf_buf rotation; /* empty: none */
};
void key_row_clear(struct key_row *r);

void key_row_put(struct cbor_wr *w, const struct key_row *r);
void key_row_get(struct cbor_rd *rd, struct key_row *out);
/* Everything but spec, spki and imported, which are the blob's. */
void version_row_put(struct cbor_wr *w, const struct keystore_version *v);
void version_row_get(struct cbor_rd *rd, struct keystore_version *out);
/* Text of the records: UTF-8 (cbor has checked) without control characters. */
bool text_is_plain(const char *text, size_t len);

CF_CHECK enum cf_rc key_row_encode(const struct key_row *r, struct cf_buf *out, struct cf_err *e);
/* A row of table 1; none has a blob. */
CF_CHECK enum cf_rc key_row_decode(const struct store_row *row, struct key_row *out,
                                   struct cf_err *e);
CF_CHECK enum cf_rc version_row_encode(const struct keystore_version *v, struct cf_buf *out,
                                       struct cf_err *e);
CF_CHECK enum cf_rc version_row_decode(const struct cf_buf *in, struct keystore_version *out,
                                       struct cf_err *e);

void version_clear(struct keystore_version *v);
/* A copy of what is not on the heap alone. `to` starts zeroed. */
CF_CHECK enum cf_rc tags_copy(const struct keystore_tags *from, struct keystore_tags *to,
                              struct cf_err *e);
CF_CHECK enum cf_rc policy_copy(const struct keystore_policy *from, struct keystore_policy *to,
                                struct cf_err *e);

/* --- keyblob.c
 * ------------------------------------------------------------------------------------- */

#define KEYBLOB_MAX   STORE_BLOB_MAX
#define KEYBLOB_LABEL "coffer.v1.keyblob" /* with its NUL */

enum { KEYBLOB_EXPORTABLE = 1, KEYBLOB_IMPORTED = 2 };

/* A parsed blob; all pointers into the bytes it was parsed from. */
struct keyblob {
    struct hal_key_spec spec;
    unsigned flags;
    uint32_t material_len;
    uint8_t domain_id[HAL_DOMAIN_ID_SIZE];
    uint32_t generation;
    uint8_t version_id[KEYSTORE_ID_SIZE];
    uint64_t created;
    uint8_t kcv[HAL_KCV_SIZE];
    struct crypto_bytes name, spki, wrapped;
    struct crypto_bytes maced; /* all before the MAC */
    const uint8_t *mac;
};

/* Layout only: CF_E_CORRUPT, CF_E_LIMIT. */
CF_CHECK enum cf_rc keyblob_parse(struct crypto_bytes in, struct keyblob *out, struct cf_err *e);
/* CF_E_DENIED: other domain, or a generation that the keyring lacks. */
CF_CHECK enum cf_rc keyblob_ours(const struct keystore *ks, const struct keyblob *b,
                                 struct cf_err *e);
/* CF_E_AUTH: it stands in another row than it was made for. */
CF_CHECK enum cf_rc keyblob_belongs(const struct keyblob *b, const char *lower,
                                    const struct keystore_version *v, struct cf_err *e);
/* The public half has the head's type and size. CF_E_CORRUPT: not. */
CF_CHECK enum cf_rc keyblob_spki_fits(const struct keyblob *b, struct cf_err *e);
/* spec, spki, imported into `v`. */
CF_CHECK enum cf_rc keyblob_describe(const struct keyblob *b, struct keystore_version *v,
                                     struct cf_err *e);

/* What the token MACs: label 00 | blob without its MAC. */
CF_CHECK enum cf_rc keyblob_bound(const struct keyblob *b, struct cf_buf *out, struct cf_err *e);
/* For the token; pointers into `b` and `bound`. */
void keyblob_user_key(const struct keyblob *b, const struct cf_buf *bound,
                      struct hal_user_key *out);

/* Builds and MACs (one token call) the blob of a version; `v` has id, created, exportable,
 * imported, spec. CF_E_TOKEN: what the token made is not what was asked for. */
CF_CHECK enum cf_rc keyblob_make(struct keystore *ks, const char *lower,
                                 const struct keystore_version *v, const struct hal_wrapped *w,
                                 struct cf_buf *out, struct cf_err *e);
struct hal_key_name domain_key(const struct keystore *ks, enum hal_role role, uint32_t generation);

/* --- spki.c
 * ---------------------------------------------------------------------------------------- */

/* A SubjectPublicKeyInfo of that type and size, by its shape; none for oct. */
bool spki_fits(struct crypto_bytes spki, const struct hal_key_spec *spec);

/* --- find.c
 * ------------------------------------------------------------------------------------------ */

/* The key row of a name, deleted or not; `*found` false: none. `out` starts zeroed. */
CF_CHECK enum cf_rc find_key(struct store_view *v, const char *lower, struct key_row *out,
                             bool *found, struct cf_err *e);
/* CF_E_ABSENT KeyNotFound unless there and live. */
CF_CHECK enum cf_rc find_live(struct store_view *v, const char *lower, struct key_row *out,
                              struct cf_err *e);
/* CF_E_ABSENT unless there and soft-deleted. */
CF_CHECK enum cf_rc find_deleted(struct store_view *v, const char *lower, struct key_row *out,
                                 struct cf_err *e);

/* A version's row; version NULL: the current one. CF_E_ABSENT KeyNotFound. */
struct version_at {
    const char *lower;
    const char *version;
};
CF_CHECK enum cf_rc find_version(struct store_view *v, const struct version_at *at,
                                 struct store_row *row, struct cf_err *e);
/* The row decoded, its blob parsed and found to belong there. `out` starts zeroed; `b` points into
 * `row`. */
CF_CHECK enum cf_rc read_version(const char *lower, const struct store_row *row,
                                 struct keystore_version *out, struct keyblob *b, struct cf_err *e);

/* --- put.c
 * --------------------------------------------------------------------------------------------- */

CF_CHECK enum cf_rc put_key(struct store_txn *t, const char *lower, const struct key_row *r,
                            struct cf_err *e);
/* CF_E_INPUT BadParameter: a hundred such versions would be no record that a backup can carry. */
CF_CHECK enum cf_rc put_version(struct store_txn *t, const struct version_key *key,
                                const struct keystore_version *v, struct crypto_bytes blob,
                                struct cf_err *e);
/* Out of a record, which had its limit. */
CF_CHECK enum cf_rc put_restored_version(struct store_txn *t, const struct version_key *key,
                                         const struct keystore_version *v, struct crypto_bytes blob,
                                         struct cf_err *e);

/* --- attrs.c: rules of API document 4
 * --------------------------------------------------------------------- */

CF_CHECK enum cf_rc spec_check(const struct hal_key_spec *s, bool import, struct cf_err *e);
unsigned ops_default(const struct hal_key_spec *s);
/* What was given, onto `v`, which has spec and exportable; then the whole is checked. */
CF_CHECK enum cf_rc attrs_apply(const struct keystore_attrs *a, struct keystore_version *v,
                                struct cf_err *e);

/* --- public_op.c: public halves, on the host
 * ------------------------------------------------------------- */

bool is_public_op(const struct hal_key_spec *s, enum hal_use use);
CF_CHECK enum cf_rc public_op(const struct keystore_version *v, const struct hal_op *op,
                              struct keystore_result *out, struct cf_err *e);

/* --- record.c
 * ------------------------------------------------------------------------------------------------
 */

struct record_version {
    struct keystore_version v;
    struct cf_buf blob;
};

struct keystore_record {
    char lower[KEYSTORE_NAME_MAX + 1];
    struct key_row key;
    struct record_version *version; /* in ascending sequence, 1.. */
    size_t count;
    bool verified;
};

/* Empties it for the next key. */
void record_reset(struct keystore_record *r);
/* One more version at the end; zeroed. CF_E_LIMIT: past KEYSTORE_VERSIONS_MAX. */
CF_CHECK enum cf_rc record_add(struct keystore_record *r, struct record_version **out,
                               struct cf_err *e);
/* Sets `out`. CF_E_LIMIT: past RECORD_MAX. */
CF_CHECK enum cf_rc record_encode(const struct keystore_record *r, struct cf_buf *out,
                                  struct cf_err *e);
/* All versions of one key out of a view; `r` has lower and key. */
CF_CHECK enum cf_rc record_load(struct keystore_record *r, struct store_view *v, struct cf_err *e);

#endif
