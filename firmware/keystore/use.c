#include "keystore_priv.h"

#include <string.h>

/* A version ready for use: the row that holds its blob, and what stands in it. */
struct subject {
    char name[KEYSTORE_NAME_MAX + 1];
    struct store_row row;
    struct keystore_version v;
    struct keyblob blob;
};

static void subject_clear(struct subject *s)
{
    store_row_clear(&s->row);
    version_clear(&s->v);
}

static enum cf_rc subject_load(struct keystore *ks, const struct keystore_use *u, struct subject *s,
                               struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    struct store_view *view = NULL;
    struct key_row key = { 0 };
    enum cf_rc rc = keystore_name(u->name, lower, e);
    struct version_at at = { .lower = lower, .version = u->version };
    if (rc == CF_OK)
        rc = store_live_read(ks->o.live, &view, e);
    if (rc == CF_OK)
        rc = find_live(view, lower, &key, e);
    if (rc == CF_OK)
        rc = find_version(view, &at, &s->row, e);
    store_view_end(view); /* before the token is asked */
    if (rc == CF_OK)
        rc = read_version(lower, &s->row, &s->v, &s->blob, e);
    if (rc == CF_OK)
        rc = keyblob_ours(ks, &s->blob, e);
    memcpy(s->name, key.k.name, sizeof s->name);
    key_row_clear(&key);
    return rc;
}

/* --- rules (API document 4.4 and 1.6)
 * ----------------------------------------------------------------- */

struct rule {
    unsigned bit;
    const char *name;
    bool in_window; /* refused before nbf and after exp */
};

static const struct rule rules[] = {
    [HAL_SIGN] = { KEYSTORE_SIGN, "sign", true },
    [HAL_VERIFY] = { KEYSTORE_VERIFY, "verify", false },
    [HAL_ENCRYPT] = { KEYSTORE_ENCRYPT, "encrypt", true },
    [HAL_DECRYPT] = { KEYSTORE_DECRYPT, "decrypt", false },
    [HAL_WRAP] = { KEYSTORE_WRAP, "wrapKey", true },
    [HAL_UNWRAP] = { KEYSTORE_UNWRAP, "unwrapKey", false },
};

static const struct rule import_rule = { KEYSTORE_IMPORT, "import", true };

static enum cf_rc permitted(struct keystore *ks, const struct keystore_version *v,
                            const struct rule *r, struct cf_err *e)
{
    uint64_t now = now_s(ks);
    if (!v->enabled)
        return cf_err_code(
            e, CF_FAIL(e, CF_E_DENIED, "Operation %s is not allowed on a disabled key.", r->name),
            "KeyDisabled");
    if (!(v->ops & r->bit))
        return cf_err_code(
            e, CF_FAIL(e, CF_E_DENIED, "Operation %s is not permitted on this key.", r->name),
            "KeyOperationForbidden");
    if (r->in_window && v->has_nbf && now < v->nbf)
        return cf_err_code(e,
                           CF_FAIL(e, CF_E_DENIED,
                                   "Operation %s is not allowed on a key that is not yet valid.",
                                   r->name),
                           "KeyNotYetValid");
    if (r->in_window && v->has_exp && now >= v->exp)
        return cf_err_code(
            e, CF_FAIL(e, CF_E_DENIED, "Operation %s is not allowed on an expired key.", r->name),
            "KeyExpired");
    return CF_OK;
}

/* --- does the request fit the key
 * ----------------------------------------------------------------------- */

static enum hal_key_type type_for(enum hal_mech m)
{
    switch (m) {
    case HAL_RSA_PKCS1_SIGN:
    case HAL_RSA_PSS:
    case HAL_RSA_RAW_PKCS1:
    case HAL_RSA_OAEP:
    case HAL_RSA_PKCS1:
        return HAL_RSA;
    case HAL_ECDSA:
        return HAL_EC;
    case HAL_AES_KW:
    case HAL_AES_KWP:
    case HAL_AES_GCM:
    case HAL_AES_CBC:
    case HAL_AES_CBC_PAD:
    case HAL_HMAC:
        return HAL_OCT;
    }
    return (enum hal_key_type)0;
}

static bool takes_digest(enum hal_mech m)
{
    return m == HAL_RSA_PKCS1_SIGN || m == HAL_RSA_PSS || m == HAL_ECDSA;
}

static enum cf_rc fits(const struct keystore_version *v, const struct hal_key_spec *wants,
                       const struct hal_op *op, struct cf_err *e)
{
    const struct hal_key_spec *s = &v->spec;
    if (type_for(op->mech) != s->type || (wants->type && wants->type != s->type) ||
        (wants->bits && wants->bits != s->bits) || (wants->curve && wants->curve != s->curve))
        return BAD_PARAMETER(e, "The algorithm does not fit the key's type and size.");
    if (takes_digest(op->mech) && op->in_len != crypto_digest_size(op->hash))
        return BAD_PARAMETER(e, "The digest has %zu bytes, the algorithm takes %zu.", op->in_len,
                             crypto_digest_size(op->hash));
    return CF_OK;
}

/* --- in the token
 * ---------------------------------------------------------------------------------------- */

/* A cipher text that does not open and a damaged blob look the same from outside: ask which. */
static enum cf_rc whose_fault(struct keystore *ks, const struct hal_user_key *key,
                              struct cf_err *now, struct cf_err *e)
{
    struct cf_err check = { 0 };
    enum cf_rc rc = hal_token_user_check(ks->o.token, key, &check);
    if (rc == CF_OK)
        return BAD_PARAMETER(e, "The data does not decrypt with this key.");
    if (rc != CF_E_AUTH)
        return cf_err_set(e, rc, check.src, check.native, check.where, "%s", check.text);
    return cf_err_set(e, CF_E_AUTH, now->src, now->native, now->where, "%s", now->text);
}

static enum cf_rc in_token(struct keystore *ks, const struct subject *s, const struct hal_op *op,
                           struct hal_result *out, struct cf_err *e)
{
    struct cf_buf bound = { 0 };
    struct hal_user_key key;
    struct cf_err first = { 0 };
    enum cf_rc rc = keyblob_bound(&s->blob, &bound, e);
    if (rc != CF_OK)
        goto out;
    keyblob_user_key(&s->blob, &bound, &key);
    rc = hal_token_user_use(ks->o.token, &key, op, out, &first);
    if (rc == CF_E_AUTH)
        rc = whose_fault(ks, &key, &first, e);
    else if (rc != CF_OK)
        rc = cf_err_set(e, rc, first.src, first.native, first.where, "%s", first.text);
    if (rc == CF_E_INPUT)
        cf_err_code(e, rc, "BadParameter");
out:
    cf_buf_clear(&bound);
    return rc;
}

/* The MAC is made again and compared here, so that "wrong MAC" is not mixed up with a bad blob. */
static enum cf_rc verify_mac(struct keystore *ks, const struct subject *s, const struct hal_op *op,
                             struct keystore_result *out, struct cf_err *e)
{
    struct hal_result mac = { 0 };
    struct hal_op make = *op;
    make.use = HAL_SIGN;
    enum cf_rc rc = in_token(ks, s, &make, &mac, e);
    if (rc == CF_OK)
        out->valid = cf_verdict_of(mac.out.len == op->tag_len &&
                                   cf_equal(mac.out.data, op->tag, op->tag_len));
    hal_result_clear(&mac);
    return rc;
}

enum cf_rc keystore_use(struct keystore *ks, const struct keystore_use *u, const struct hal_op *op,
                        struct keystore_result *out, struct cf_err *e)
{
    struct subject s = { 0 };
    enum cf_rc rc = subject_load(ks, u, &s, e);
    if (rc == CF_OK)
        rc = permitted(ks, &s.v, &rules[op->use], e);
    if (rc == CF_OK)
        rc = fits(&s.v, &u->wants, op, e);
    if (rc == CF_OK && is_public_op(&s.v.spec, op->use))
        rc = public_op(&s.v, op, out, e);
    else if (rc == CF_OK && op->mech == HAL_HMAC && op->use == HAL_VERIFY)
        rc = verify_mac(ks, &s, op, out, e);
    else if (rc == CF_OK)
        rc = in_token(ks, &s, op, &out->r, e);
    if (rc == CF_OK) {
        memcpy(out->name, s.name, sizeof out->name);
        memcpy(out->version, s.v.id, sizeof out->version);
    } else {
        keystore_result_clear(out);
    }
    subject_clear(&s);
    return rc;
}

/* --- BYOK
 * ---------------------------------------------------------------------------------------------------
 */

#define TRANSFER_KEY 32 /* AES-256 under RSA-OAEP with SHA-1 (API document 4.6) */

enum cf_rc keystore_open_transfer(struct keystore *ks, const struct keystore_use *kek,
                                  struct crypto_bytes ciphertext, struct cf_secret **material,
                                  struct cf_err *e)
{
    struct subject s = { 0 };
    struct hal_result aes = { 0 };
    enum cf_rc rc = subject_load(ks, kek, &s, e);
    size_t k = s.v.spec.bits / 8;
    if (rc == CF_OK)
        rc = permitted(ks, &s.v, &import_rule, e);
    if (rc == CF_OK && ciphertext.len <= k)
        rc = BAD_PARAMETER(e, "The transfer blob is too short for its exchange key.");
    if (rc == CF_OK) {
        struct hal_op op = { .use = HAL_DECRYPT,
                             .mech = HAL_RSA_OAEP,
                             .hash = HAL_SHA1,
                             .in = ciphertext.p,
                             .in_len = k };
        rc = in_token(ks, &s, &op, &aes, e);
    }
    if (rc == CF_OK && aes.out.len != TRANSFER_KEY)
        rc = BAD_PARAMETER(e, "The transfer blob does not hold an AES-256 key.");
    if (rc == CF_OK) {
        struct crypto_bytes in = { (const uint8_t *)ciphertext.p + k, ciphertext.len - k };
        rc = crypto_unwrap(CRYPTO_KWP, bytes_of(&aes.out), in, material, NULL);
        if (rc != CF_OK)
            rc = BAD_PARAMETER(e, "The transfer blob does not unwrap.");
    }
    hal_result_clear(&aes);
    subject_clear(&s);
    return rc;
}
