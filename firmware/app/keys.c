/* Keys of store files: derived in the token, from the domain's MK or from the appliance's storage
 * root. */
#include "appliance.h"

#include <string.h>

static const struct hal_key_name ROOT = { .role = HAL_ROLE_STORE };

static enum cf_rc derive(struct hal_token *t, const struct hal_key_name *k, const char *label,
                         const uint8_t ctx[APP_ID_SIZE + STORE_EPOCH_SIZE], struct cf_secret **out,
                         struct cf_err *e)
{
    struct cf_buf msg = { 0 };
    uint8_t key[HAL_MAC_SIZE];
    enum cf_rc rc = crypto_kdf_message(label, ctx, APP_ID_SIZE + STORE_EPOCH_SIZE, &msg, e);
    if (rc == CF_OK)
        rc = hal_token_mac(t, k, msg.data, msg.len, key, e);
    if (rc == CF_OK)
        rc = cf_secret_copy(key, sizeof key, out, e);
    cf_wipe(key, sizeof key);
    cf_buf_clear(&msg);
    return rc;
}

static enum cf_rc derive_both(struct appliance *a, const struct hal_key_name *k,
                              const uint8_t epoch[STORE_EPOCH_SIZE], struct store_keys *out,
                              struct cf_err *e)
{
    uint8_t ctx[APP_ID_SIZE + STORE_EPOCH_SIZE];
    *out = (struct store_keys){ 0 };
    memcpy(ctx, a->id, APP_ID_SIZE);
    memcpy(ctx + APP_ID_SIZE, epoch, STORE_EPOCH_SIZE);
    enum cf_rc rc = derive(a->token, k, "coffer.v1.page", ctx, &out->page, e);
    if (rc == CF_OK)
        rc = derive(a->token, k, "coffer.v1.row", ctx, &out->row, e);
    if (rc != CF_OK) {
        cf_secret_free(out->page);
        cf_secret_free(out->row);
        *out = (struct store_keys){ 0 };
    }
    return rc;
}

enum cf_rc app_store_keys(void *arg, const uint8_t epoch[STORE_EPOCH_SIZE], unsigned try_,
                          struct store_keys *out, struct cf_err *e)
{
    struct appliance *a = arg;
    struct app_keyring ring;
    app_keyring(a, &ring);
    if (try_ > ring.count)
        return CF_FAIL(e, CF_E_ABSENT, "no key of this appliance opens the store");
    if (try_ == ring.count)
        return derive_both(a, &ROOT, epoch, out, e);
    struct hal_key_name mk = { .role = HAL_ROLE_MK, .generation = ring.generation[try_] };
    memcpy(mk.domain_id, ring.domain_id, sizeof mk.domain_id);
    return derive_both(a, &mk, epoch, out, e);
}

enum cf_rc app_root_keys(struct appliance *a, struct store_keys *out, struct cf_err *e)
{
    static const uint8_t nothing[APP_ID_SIZE + STORE_EPOCH_SIZE];
    static const uint8_t db_epoch[STORE_EPOCH_SIZE]; /* zeros: keystore/FORMAT.md 3.6 */
    struct cf_secret *id = NULL, *skip = NULL;
    *out = (struct store_keys){ 0 };
    enum cf_rc rc = hal_token_key_make(a->token, &ROOT, e);
    if (rc == CF_OK)
        rc = derive(a->token, &ROOT, "coffer.v1.appliance", nothing, &id, e);
    if (rc == CF_OK) {
        memcpy(a->id, cf_secret_view(id), APP_ID_SIZE);
        rc = derive(a->token, &ROOT, "coffer.v1.skip", nothing, &skip, e);
    }
    if (rc == CF_OK) {
        memcpy(a->skip_key, cf_secret_view(skip), sizeof a->skip_key);
        rc = derive_both(a, &ROOT, db_epoch, out, e);
    }
    cf_secret_free(skip);
    cf_secret_free(id);
    return rc;
}
