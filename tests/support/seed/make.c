/* One key: the material of its kind, a blob and rows of its own. */
#include "seed.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct hal_key_spec specs[SEED_KINDS] = {
    { .type = HAL_EC, .curve = HAL_P256 },
    { .type = HAL_OCT, .bits = 256 },
    { .type = HAL_RSA, .bits = 2048, .rsa_exponent = 65537 },
};

enum cf_rc seed_make_kinds(struct seed *s, struct cf_err *e)
{
    struct keystore *ks = s->a.keystore;
    struct hal_key_name kek = domain_key(ks, HAL_ROLE_KEK, ks->o.generation[0]);
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; i < SEED_KINDS; i++) {
        if (!s->o.kind[i])
            continue;
        struct seed_kind *k = &s->kind[s->kinds++];
        k->spec = specs[i];
        for (size_t m = 0; rc == CF_OK && m < SEED_MATERIALS; m++)
            rc = hal_token_user_make(s->a.token, &kek, &k->spec, &k->material[m], e);
    }
    return rc;
}

void seed_clear_kinds(struct seed *s)
{
    for (size_t i = 0; i < s->kinds; i++)
        for (size_t m = 0; m < SEED_MATERIALS; m++)
            hal_wrapped_clear(&s->kind[i].material[m]);
}

static enum cf_rc add_tags(const struct seed *s, uint64_t n, struct keystore_tags *t,
                           struct cf_err *e)
{
    char name[16], value[24];
    enum cf_rc rc = CF_OK;
    for (uint64_t i = 0; rc == CF_OK && i < s->o.tags; i++) {
        snprintf(name, sizeof name, "tag-%02u", (unsigned)i);
        snprintf(value, sizeof value, "%llu", (unsigned long long)n);
        rc = keystore_tags_add(t, i ? name : "number", value, e);
    }
    return rc;
}

static enum cf_rc add_version(struct seed *s, uint64_t n, struct keystore_record *r,
                              struct cf_err *e)
{
    struct record_version *rv = NULL;
    uint8_t id[KEYSTORE_ID_SIZE];
    struct seed_kind *k = &s->kind[n % s->kinds];
    enum cf_rc rc = record_add(r, &rv, e);
    if (rc == CF_OK)
        rc = hal_entropy_fill(s->a.parts.entropy, id, sizeof id, e);
    if (rc != CF_OK)
        return rc;
    rv->v = (struct keystore_version){ .created = s->now_s,
                                       .updated = s->now_s,
                                       .enabled = true,
                                       .ops = ops_default(&k->spec),
                                       .spec = k->spec };
    cf_hex(id, sizeof id, rv->v.id);
    rc = add_tags(s, n, &rv->v.tags, e);
    if (rc == CF_OK)
        rc = keyblob_make(s->a.keystore, r->lower, &rv->v,
                          &k->material[n / s->kinds % SEED_MATERIALS], &rv->blob, e);
    return rc;
}

void seed_name(uint64_t n, char out[KEYSTORE_NAME_MAX + 1])
{
    snprintf(out, KEYSTORE_NAME_MAX + 1, "key-%07llu", (unsigned long long)n);
}

enum cf_rc seed_make_key(struct seed *s, uint64_t n, struct keystore_record *r, struct cf_err *e)
{
    seed_name(n, r->lower);
    r->key.k = (struct keystore_key){ .created = s->now_s, .updated = s->now_s };
    memcpy(r->key.k.name, r->lower, sizeof r->lower);
    if (s->o.deleted && n % s->o.deleted == s->o.deleted - 1) {
        r->key.k.deleted = s->now_s;
        r->key.k.purge_at = s->now_s + (uint64_t)s->a.hsm.retention_days * 86400;
    }
    enum cf_rc rc = CF_OK;
    for (uint64_t v = 0; rc == CF_OK && v < s->o.versions; v++)
        rc = add_version(s, n, r, e);
    r->verified = rc == CF_OK; /* its MACs were made a moment ago */
    return rc;
}
