/* What a key may be and say of itself: API document 4.1, 4.2, 4.4, 4.7. */
#include "keystore_priv.h"

#include <string.h>

#define AES_OPS      (KEYSTORE_ENCRYPT | KEYSTORE_DECRYPT | KEYSTORE_WRAP | KEYSTORE_UNWRAP)
#define SIGN_OPS     (KEYSTORE_SIGN | KEYSTORE_VERIFY)
#define OCT_BITS_MAX 512

static bool is_aes(const struct hal_key_spec *s)
{
    return s->bits == 128 || s->bits == 192 || s->bits == 256;
}

static enum cf_rc rsa_check(const struct hal_key_spec *s, struct cf_err *e)
{
    if (s->bits != 2048 && s->bits != 3072 && s->bits != 4096)
        return BAD_PARAMETER(e, "RSA keys have 2048, 3072 or 4096 bits.");
    if (s->rsa_exponent && (s->rsa_exponent < 3 || s->rsa_exponent % 2 == 0))
        return BAD_PARAMETER(e, "The public exponent of an RSA key is odd and at least 3.");
    return CF_OK;
}

static enum cf_rc oct_check(const struct hal_key_spec *s, bool import, struct cf_err *e)
{
    if (import && s->bits > OCT_BITS_MAX)
        return BAD_PARAMETER(
            e, "JSON Web Key: k property of oct key is too large, maximum size is 64");
    if (import ? !s->bits || s->bits % 8 : !is_aes(s))
        return BAD_PARAMETER(e, "Symmetric keys have 128, 192 or 256 bits.");
    return CF_OK;
}

enum cf_rc spec_check(const struct hal_key_spec *s, bool import, struct cf_err *e)
{
    switch (s->type) {
    case HAL_RSA:
        return rsa_check(s, e);
    case HAL_EC:
        return s->curve >= HAL_P256 && s->curve <= HAL_P256K
                   ? CF_OK
                   : BAD_PARAMETER(e, "EC keys are of curve P-256, P-256K, P-384 or P-521.");
    case HAL_OCT:
        return oct_check(s, import, e);
    default:
        return BAD_PARAMETER(e, "Unknown type of key.");
    }
}

unsigned ops_default(const struct hal_key_spec *s)
{
    if (s->type == HAL_EC || (s->type == HAL_OCT && !is_aes(s)))
        return SIGN_OPS;
    return s->type == HAL_RSA ? AES_OPS | SIGN_OPS : AES_OPS;
}

static enum cf_rc ops_check(const struct keystore_version *v, struct cf_err *e)
{
    unsigned able = v->spec.type == HAL_EC ? SIGN_OPS : AES_OPS | SIGN_OPS;
    if (v->spec.type == HAL_RSA && v->ops == KEYSTORE_IMPORT)
        return CF_OK;
    if (v->ops & KEYSTORE_IMPORT)
        return BAD_PARAMETER(e, "The operation import stands alone, and on RSA keys only.");
    if (v->ops & ~(able | KEYSTORE_EXPORT))
        return BAD_PARAMETER(e, "The key's type does not have all of these operations.");
    if ((v->ops & KEYSTORE_EXPORT) && !v->exportable)
        return BAD_PARAMETER(e, "The operation export needs an exportable key.");
    return CF_OK;
}

static enum cf_rc policy_check(const struct keystore_version *v, struct cf_err *e)
{
    bool policy = v->policy.data.len != 0;
    if (policy && !v->exportable)
        return BAD_PARAMETER(e, "Non-exportable keys must not have release policy");
    if (!policy && v->exportable)
        return BAD_PARAMETER(e, "Exportable keys must have release policy");
    if (policy && (v->policy.data.len > KEYSTORE_POLICY_MAX || !v->policy.content_type[0] ||
                   !text_is_plain(v->policy.content_type, strlen(v->policy.content_type))))
        return BAD_PARAMETER(e, "The release policy is too long or has no content type.");
    return CF_OK;
}

static bool same_policy(const struct keystore_policy *a, const struct keystore_policy *b)
{
    return a->data.len == b->data.len && cf_equal(a->data.data, b->data.data, a->data.len) &&
           a->immutable == b->immutable && strcmp(a->content_type, b->content_type) == 0;
}

static enum cf_rc take_policy(const struct keystore_policy *new, struct keystore_version *v,
                              struct cf_err *e)
{
    if (v->policy.immutable && !same_policy(new, &v->policy))
        return BAD_PARAMETER(e, "The release policy is immutable.");
    keystore_policy_clear(&v->policy);
    return policy_copy(new, &v->policy, e);
}

enum cf_rc attrs_apply(const struct keystore_attrs *a, struct keystore_version *v, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    if (a->given & KEYSTORE_GIVEN_ENABLED)
        v->enabled = a->enabled;
    if (a->given & KEYSTORE_GIVEN_OPS)
        v->ops = a->ops;
    if (a->given & KEYSTORE_GIVEN_NBF) {
        v->has_nbf = true;
        v->nbf = a->nbf;
    }
    if (a->given & KEYSTORE_GIVEN_EXP) {
        v->has_exp = true;
        v->exp = a->exp;
    }
    if (a->given & KEYSTORE_GIVEN_TAGS) {
        keystore_tags_clear(&v->tags);
        rc = tags_copy(a->tags, &v->tags, e);
    }
    if (rc == CF_OK && (a->given & KEYSTORE_GIVEN_POLICY))
        rc = take_policy(a->policy, v, e);
    if (rc == CF_OK && v->has_nbf && v->has_exp && v->exp <= v->nbf)
        rc = BAD_PARAMETER(e, "exp must be later than nbf.");
    if (rc == CF_OK)
        rc = ops_check(v, e);
    if (rc == CF_OK)
        rc = policy_check(v, e);
    return rc;
}
