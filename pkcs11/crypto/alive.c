#include "crypto/ops_priv.h"

#include "base/secret.h"

static bool known_answer(struct p11_ctx *c)
{
    const struct p11_core *core = c->core;
    const struct p11_shape s = { .cls = CKO_SECRET_KEY,
                                 .type = CKK_AES,
                                 .use = P11_USE_ENCRYPT,
                                 .sensitive = true,
                                 .value_len = 32 };
    const struct p11_unwrapping u = { .session = c->s,
                                      .under = core->probe_kek,
                                      .mech = core->ways.kwp,
                                      .blob =
                                          crypto_bytes_of(core->probe_blob, core->probe_blob_len) };
    CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
    uint8_t kcv[HAL_KCV_SIZE];
    bool ok = p11_unwrap(c, &u, &s, &h, NULL) == CF_OK &&
              p11_kcv(c, h, P11_KIND_AES, kcv, NULL) == CF_OK &&
              cf_equal(kcv, core->probe_kcv, sizeof kcv);
    p11_destroy(c, c->s, h);
    return ok;
}

bool p11_alive(struct p11_ctx *c)
{
    CK_TOKEN_INFO info;
    CK_BYTE one;
    /* The failed session is given back first: some tokens have not one to spare. */
    if (p11_ctx_ready(c, NULL) != CF_OK)
        return false;
    bool ok = c->fn->C_GetTokenInfo(c->core->slot, &info) == CKR_OK &&
              c->fn->C_GenerateRandom(c->s, &one, 1) == CKR_OK && known_answer(c);
    c->worst = P11_REQUEST; /* whatever happened, the next request gets a new session */
    return ok;
}
