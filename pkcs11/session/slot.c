#include "session/session_priv.h"

#include "session/uri_priv.h"

#define SLOTS_MAX 256

static bool slot_fits(struct p11_core *core, P11KitUri *uri, CK_SLOT_ID id, CK_TOKEN_INFO *token)
{
    CK_SLOT_INFO slot;
    CK_SLOT_ID want = p11_kit_uri_get_slot_id(uri);
    if (want != (CK_SLOT_ID)-1 && want != id)
        return false;
    if (core->fn->C_GetSlotInfo(id, &slot) != CKR_OK ||
        core->fn->C_GetTokenInfo(id, token) != CKR_OK || !(token->flags & CKF_TOKEN_INITIALIZED))
        return false;
    return p11_kit_uri_match_slot_info(uri, &slot) == 1 &&
           p11_kit_uri_match_token_info(uri, token) == 1;
}

static enum cf_rc pick(struct p11_core *core, P11KitUri *uri, struct cf_err *e)
{
    CK_SLOT_ID ids[SLOTS_MAX];
    CK_ULONG n = 0;
    /* Some modules look for new slots only when asked for the number. */
    CK_RV rv = core->fn->C_GetSlotList(CK_TRUE, NULL, &n);
    if (rv != CKR_OK)
        return P11_RV_FAIL(e, "C_GetSlotList", rv);
    n = SLOTS_MAX;
    rv = core->fn->C_GetSlotList(CK_TRUE, ids, &n);
    if (rv != CKR_OK)
        return P11_RV_FAIL(e, "C_GetSlotList", rv);
    if (n > SLOTS_MAX)
        return CF_FAIL(e, CF_E_TOKEN, "the module claims %lu slots", n);

    unsigned found = 0;
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO token;
        if (!slot_fits(core, uri, ids[i], &token))
            continue;
        core->slot = ids[i];
        core->token = token;
        found++;
    }
    if (found == 0)
        return CF_FAIL(e, CF_E_TOKEN, "no token fits the token URI (%lu slots looked at)", n);
    if (found > 1)
        return CF_FAIL(e, CF_E_INPUT, "%u tokens fit the token URI; add serial= or token= to it",
                       found);
    return CF_OK;
}

enum cf_rc p11_slot_find(struct p11_core *core, const char *text, struct cf_err *e)
{
    P11KitUri *uri = NULL;
    enum cf_rc rc = p11_uri_parse(text, &uri, e);
    if (rc == CF_OK)
        rc = pick(core, uri, e);
    p11_kit_uri_free(uri);
    return rc;
}
