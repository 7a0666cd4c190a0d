/* New versions: checked, made in the token, written. The name is looked at twice: before the
 * token's work, to refuse cheaply, and inside the transaction, where it counts. */
#include "keystore_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define RETENTION_MIN 7
#define RETENTION_MAX 90

enum cf_rc keystore_open(const struct keystore_options *o, struct keystore **out, struct cf_err *e)
{
    if (!o->live || !o->token || !o->clock || !o->generations ||
        o->generations > KEYSTORE_GENERATIONS_MAX)
        return CF_FAIL(e, CF_E_ARG, "key store options incomplete");
    if (o->retention_days < RETENTION_MIN || o->retention_days > RETENTION_MAX)
        return CF_FAIL(e, CF_E_ARG, "retention must be %d to %d days", RETENTION_MIN,
                       RETENTION_MAX);
    struct keystore *ks = calloc(1, sizeof *ks);
    if (!ks)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the key store");
    ks->o = *o;
    *out = ks;
    return CF_OK;
}

void keystore_close(struct keystore *ks)
{
    free(ks);
}

/* Everything a new version goes through. */
struct making {
    struct keystore *ks;
    char lower[KEYSTORE_NAME_MAX + 1];
    const char *spelt;
    struct keystore_version v;
    struct cf_buf blob;
    struct key_row key; /* as written */
};

static void making_clear(struct making *m)
{
    version_clear(&m->v);
    cf_buf_clear(&m->blob);
    key_row_clear(&m->key);
}

/* The sequence of the next version. CF_E_STATE: deleted; CF_E_LIMIT: too many. */
static enum cf_rc next_sequence(struct store_view *view, struct making *m, uint64_t *out,
                                struct cf_err *e)
{
    bool found;
    struct store_row last = { 0 };
    struct version_at at = { .lower = m->lower };
    key_row_clear(&m->key);
    *out = 1;
    enum cf_rc rc = find_key(view, m->lower, &m->key, &found, e);
    if (rc != CF_OK || !found)
        return rc;
    if (m->key.k.deleted)
        return fail_is_deleted(m->key.k.name, e);
    rc = find_version(view, &at, &last, e);
    if (rc == CF_OK)
        *out = version_sequence(m->lower, &last.key) + 1;
    store_row_clear(&last);
    if (rc == CF_OK && *out > KEYSTORE_VERSIONS_MAX)
        rc = cf_err_code(
            e, CF_FAIL(e, CF_E_LIMIT, "A key has at most %d versions.", KEYSTORE_VERSIONS_MAX),
            "BadParameter");
    return rc;
}

static enum cf_rc look_before(struct making *m, struct cf_err *e)
{
    struct store_view *view = NULL;
    uint64_t sequence;
    enum cf_rc rc = store_live_read(m->ks->o.live, &view, e);
    if (rc == CF_OK)
        rc = next_sequence(view, m, &sequence, e);
    store_view_end(view);
    return rc;
}

static enum cf_rc new_id(struct making *m, struct cf_err *e)
{
    uint8_t id[KEYSTORE_ID_SIZE];
    enum cf_rc rc = hal_token_random(m->ks->o.token, id, sizeof id, e);
    if (rc == CF_OK)
        cf_hex(id, sizeof id, m->v.id);
    return rc;
}

static enum cf_rc prepare(struct making *m, const struct keystore_new *n, bool import,
                          struct cf_err *e)
{
    struct keystore_version *v = &m->v;
    v->spec = n->spec;
    if (v->spec.type == HAL_RSA && !v->spec.rsa_exponent)
        v->spec.rsa_exponent = 65537;
    v->created = v->updated = now_s(m->ks);
    v->enabled = true;
    v->imported = import;
    v->exportable = (n->attrs.given & KEYSTORE_GIVEN_EXPORTABLE) && n->attrs.exportable;
    v->ops = ops_default(&v->spec);
    enum cf_rc rc = spec_check(&n->spec, import, e);
    if (rc == CF_OK)
        rc = attrs_apply(&n->attrs, v, e);
    return rc;
}

/* In the token: the material, its version id, the blob's MAC. */
static enum cf_rc make_blob(struct making *m, const struct cf_secret *material, struct cf_err *e)
{
    struct hal_token *token = m->ks->o.token;
    struct hal_key_name kek = domain_key(m->ks, HAL_ROLE_KEK, m->ks->o.generation[0]);
    struct hal_wrapped w = { 0 };
    enum cf_rc rc = new_id(m, e);
    if (rc == CF_OK)
        rc = material ? hal_token_user_import(token, &kek, &m->v.spec, material, &w, e)
                      : hal_token_user_make(token, &kek, &m->v.spec, &w, e);
    if (rc == CF_E_INPUT)
        cf_err_code(e, rc, "BadParameter");
    if (rc == CF_OK)
        rc = keyblob_make(m->ks, m->lower, &m->v, &w, &m->blob, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&m->v.spki, w.spki.data, w.spki.len, e);
    hal_wrapped_clear(&w);
    return rc;
}

static enum cf_rc write_version(struct making *m, struct cf_err *e)
{
    struct store_txn *t = NULL;
    uint64_t sequence = 0;
    uint8_t id[KEYSTORE_ID_SIZE];
    if (!version_id_parse(m->v.id, id))
        return CF_FAIL(e, CF_E_ARG, "a version without id");
    enum cf_rc rc = store_live_write(m->ks->o.live, &t, e);
    if (rc == CF_OK)
        rc = next_sequence(store_txn_view(t), m, &sequence, e);
    if (rc == CF_OK) {
        struct version_key at = version_key(m->lower, sequence, id);
        struct keystore_key *k = &m->key.k;
        if (sequence == 1) {
            snprintf(k->name, sizeof k->name, "%s", m->spelt);
            k->created = m->v.created;
        }
        k->updated = m->v.created;
        rc = put_key(t, m->lower, &m->key, e);
        if (rc == CF_OK)
            rc = put_version(t, &at, &m->v, bytes_of(&m->blob), e);
    }
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    return rc;
}

static enum cf_rc make(struct keystore *ks, const char *name, const struct keystore_new *n,
                       const struct cf_secret *material, struct keystore_bundle *out,
                       struct cf_err *e)
{
    struct making m = { .ks = ks, .spelt = name };
    enum cf_rc rc = keystore_name(name, m.lower, e);
    if (rc == CF_OK)
        rc = prepare(&m, n, material != NULL, e);
    if (rc == CF_OK)
        rc = look_before(&m, e);
    if (rc == CF_OK)
        rc = make_blob(&m, material, e);
    if (rc == CF_OK)
        rc = write_version(&m, e);
    if (rc == CF_OK && out) {
        *out = (struct keystore_bundle){ .key = m.key.k, .version = m.v };
        m.v = (struct keystore_version){ 0 };
    }
    making_clear(&m);
    return rc;
}

enum cf_rc keystore_create(struct keystore *ks, const char *name, const struct keystore_new *n,
                           struct keystore_bundle *out, struct cf_err *e)
{
    return make(ks, name, n, NULL, out, e);
}

enum cf_rc keystore_import(struct keystore *ks, const char *name, const struct keystore_new *n,
                           const struct cf_secret *material, struct keystore_bundle *out,
                           struct cf_err *e)
{
    if (!material)
        return CF_FAIL(e, CF_E_ARG, "import without material");
    return make(ks, name, n, material, out, e);
}

enum cf_rc keystore_rotate(struct keystore *ks, const char *name, uint64_t exp,
                           struct keystore_bundle *out, struct cf_err *e)
{
    struct keystore_bundle now = { 0 };
    struct cf_buf policy = { 0 };
    enum cf_rc rc = keystore_get(ks, name, NULL, &now, e);
    if (rc == CF_OK)
        rc = keystore_rotation_get(ks, name, &policy, e);
    if (rc == CF_OK && !policy.len)
        rc = cf_err_code(e, CF_FAIL(e, CF_E_STATE, "Key %s has no rotation policy.", now.key.name),
                         "Conflict");
    if (rc == CF_OK && now.version.spec.type == HAL_OCT &&
        spec_check(&now.version.spec, false, NULL) != CF_OK)
        rc = BAD_PARAMETER(e, "An imported key of this size cannot be rotated.");
    if (rc == CF_OK) {
        const struct keystore_version *v = &now.version;
        struct keystore_new n = { .spec = v->spec,
                                  .attrs = { .given = KEYSTORE_GIVEN_OPS | KEYSTORE_GIVEN_TAGS |
                                                      KEYSTORE_GIVEN_EXPORTABLE,
                                             .ops = v->ops,
                                             .tags = &v->tags,
                                             .exportable = v->exportable,
                                             .exp = exp,
                                             .policy = &v->policy } };
        if (exp)
            n.attrs.given |= KEYSTORE_GIVEN_EXP;
        if (v->policy.data.len)
            n.attrs.given |= KEYSTORE_GIVEN_POLICY;
        rc = keystore_create(ks, name, &n, out, e);
    }
    keystore_bundle_clear(&now);
    cf_buf_clear(&policy);
    return rc;
}
