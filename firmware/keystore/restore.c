/* Records into a store: a stage's, or the live one for a single key. */
#include "keystore_priv.h"

static enum cf_rc put_rows(const struct keystore_record *r, struct store_txn *t, struct cf_err *e)
{
    enum cf_rc rc = put_key(t, r->lower, &r->key, e);
    for (size_t i = 0; rc == CF_OK && i < r->count; i++) {
        uint8_t id[KEYSTORE_ID_SIZE];
        const struct record_version *rv = &r->version[i];
        if (!version_id_parse(rv->v.id, id))
            return CF_FAIL(e, CF_E_ARG, "a version without id");
        struct version_key key = version_key(r->lower, i + 1, id);
        rc = put_restored_version(t, &key, &rv->v, bytes_of(&rv->blob), e);
    }
    return rc;
}

static enum cf_rc must_be_verified(const struct keystore_record *r, struct cf_err *e)
{
    return r->verified ? CF_OK : CF_FAIL(e, CF_E_ARG, "record %s was not verified", r->lower);
}

enum cf_rc keystore_record_put(const struct keystore_record *r, struct store_txn *txn,
                               struct cf_err *e)
{
    struct key_row there = { 0 };
    bool found = false;
    enum cf_rc rc = must_be_verified(r, e);
    if (rc == CF_OK)
        rc = find_key(store_txn_view(txn), r->lower, &there, &found, e);
    if (rc == CF_OK && found)
        rc = CF_FAIL(e, CF_E_STATE, "the store being built has key %s already", r->lower);
    if (rc == CF_OK)
        rc = put_rows(r, txn, e);
    key_row_clear(&there);
    return rc;
}

enum cf_rc keystore_record_restore(struct keystore *ks, const struct keystore_record *r,
                                   enum keystore_restored *out, struct cf_err *e)
{
    struct key_row there = { 0 };
    struct store_txn *t = NULL;
    bool found = false;
    enum cf_rc rc = must_be_verified(r, e);
    if (rc == CF_OK)
        rc = store_live_write(ks->o.live, &t, e);
    if (rc == CF_OK)
        rc = find_key(store_txn_view(t), r->lower, &there, &found, e);
    if (rc == CF_OK && found && there.k.deleted)
        rc = cf_err_code(e,
                         CF_FAIL(e, CF_E_STATE,
                                 "Key %s is in a deleted but recoverable state: recover or purge "
                                 "it first.",
                                 there.k.name),
                         "Conflict");
    if (rc == CF_OK && !found)
        rc = put_rows(r, t, e);
    if (rc == CF_OK && !found)
        rc = store_commit(t, e);
    store_end(t);
    if (rc == CF_OK)
        *out = found ? KEYSTORE_NOT_OVERWRITTEN : KEYSTORE_RESTORED;
    key_row_clear(&there);
    return rc;
}
