#include "session/session_priv.h"

#include <stdio.h>

#include "session/uri_priv.h"

#define SLOTS_MAX 256

/* What was seen instead, for the text of the refusal. */
struct seen {
    char labels[96];
    size_t len;
    unsigned blank; /* tokens that fit and are not initialised */
};

static void note(struct seen *seen, const CK_TOKEN_INFO *token)
{
    int n = (int)sizeof token->label;
    while (n && (token->label[n - 1] == ' ' || token->label[n - 1] == 0))
        n--;
    size_t room = sizeof seen->labels - seen->len;
    int put = snprintf(seen->labels + seen->len, room, "%s'%.*s'", seen->len ? ", " : "", n,
                       (const char *)token->label);
    if (put > 0 && (size_t)put < room)
        seen->len += (size_t)put;
    else
        seen->labels[seen->len] = 0; /* no room for it; the others will do */
}

static bool slot_fits(struct p11_core *core, P11KitUri *uri, CK_SLOT_ID id, CK_TOKEN_INFO *token,
                      struct seen *seen)
{
    CK_SLOT_INFO slot;
    CK_SLOT_ID want = p11_kit_uri_get_slot_id(uri);
    if (core->fn->C_GetSlotInfo(id, &slot) != CKR_OK ||
        core->fn->C_GetTokenInfo(id, token) != CKR_OK)
        return false;
    bool fits = (want == (CK_SLOT_ID)-1 || want == id) &&
                p11_kit_uri_match_slot_info(uri, &slot) == 1 &&
                p11_kit_uri_match_token_info(uri, token) == 1;
    bool ready = token->flags & CKF_TOKEN_INITIALIZED;
    if (ready && !fits)
        note(seen, token);
    else if (!ready && fits)
        seen->blank++;
    return ready && fits;
}

static enum cf_rc no_token(const struct seen *seen, struct cf_err *e)
{
    if (seen->blank)
        return CF_FAIL(e, CF_E_TOKEN, "the token that fits the token URI is not initialised");
    if (!seen->len)
        return CF_FAIL(e, CF_E_TOKEN, "no token fits the token URI: the module shows no token");
    return CF_FAIL(e, CF_E_TOKEN, "no token fits the token URI; the module shows %s", seen->labels);
}

static enum cf_rc check_library(const struct p11_core *core, P11KitUri *uri, struct cf_err *e)
{
    CK_INFO lib = { .flags = 0 };
    CK_RV rv = core->fn->C_GetInfo(&lib);
    if (rv != CKR_OK)
        return P11_RV_FAIL(e, "C_GetInfo", rv);
    if (p11_kit_uri_match_module_info(uri, &lib) != 1)
        return CF_FAIL(e, CF_E_TOKEN, "the token URI names another library than the module is");
    return CF_OK;
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
    struct seen seen = { .labels = "" };
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO token;
        if (!slot_fits(core, uri, ids[i], &token, &seen))
            continue;
        core->slot = ids[i];
        core->token = token;
        found++;
    }
    if (found == 0)
        return no_token(&seen, e);
    if (found > 1)
        return CF_FAIL(e, CF_E_INPUT,
                       "%u tokens fit the token URI; add serial=, token= or slot-id= to it", found);
    return CF_OK;
}

enum cf_rc p11_slot_find(struct p11_core *core, const char *text, struct cf_err *e)
{
    P11KitUri *uri = NULL;
    enum cf_rc rc = p11_uri_parse(text, &uri, e);
    if (rc == CF_OK)
        rc = check_library(core, uri, e);
    if (rc == CF_OK)
        rc = pick(core, uri, e);
    p11_kit_uri_free(uri);
    return rc;
}
