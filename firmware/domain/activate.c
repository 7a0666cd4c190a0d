/* The download: a new domain, or the same one for other officers. FORMAT.md 6 and 8. */
#include <string.h>

#include "domain_priv.h"

/* --- what both ways need --- */

static enum cf_rc now_s(struct domain *d, int64_t *out, struct cf_err *e)
{
    *out = hal_clock_unix_ms(d->o.clock) / 1000;
    return *out > 0 ? CF_OK : CF_FAIL(e, CF_E_STATE, "the clock is not set");
}

/* Takes over the document and what is public of the sharing. */
static void adopt(struct domain_kept *next, struct domain_dealt *dealt,
                  const struct domain_panel *panel)
{
    cf_buf_clear(&next->document);
    next->document = dealt->text;
    dealt->text = (struct cf_buf){ 0 };
    memcpy(next->document_id, dealt->document_id, sizeof next->document_id);
    memcpy(next->panel_digest, panel->digest, sizeof next->panel_digest);
    next->quorum = (uint8_t)panel->required;
    next->officers = (uint8_t)panel->count;
    next->identity = dealt->identity;
}

static enum cf_rc deal(struct domain *d, const struct domain_panel *panel,
                       const struct domain_keyring *keyring, struct domain_kept *next,
                       struct cf_err *e)
{
    struct domain_dealt dealt = { 0 };
    struct domain_deal how = {
        .sources = &d->sources, .panel = panel, .keyring = keyring, .token = d->o.token
    };
    memcpy(how.appliance_id, d->o.appliance_id, sizeof how.appliance_id);
    enum cf_rc rc = now_s(d, &how.now_s, e);
    how.identity_since_s = next->identity.spki_len ? next->identity.since_s : how.now_s;
    if (rc == CF_OK)
        rc = domain_deal(&how, &dealt, e);
    if (rc == CF_OK)
        adopt(next, &dealt, panel);
    cf_buf_clear(&dealt.text);
    return rc;
}

/* --- activation --- */

static enum cf_rc draw_keyring(struct domain *d, struct domain_keyring *k, struct cf_err *e)
{
    static const char *const names[] = { "BK", "KEK", "MK" };
    enum cf_rc rc = domain_keyring_new(k, 1, e);
    if (rc == CF_OK)
        rc = now_s(d, &k->gen[0].made_s, e);
    if (rc == CF_OK)
        rc = domain_draw(&d->sources, k->domain_id, sizeof k->domain_id, e);
    if (rc != CF_OK)
        return rc;
    memcpy(k->name, d->o.hsm_name, strlen(d->o.hsm_name) + 1);
    k->gen[0].generation = 1;
    for (size_t i = 0; i < 3 && rc == CF_OK; i++)
        rc = domain_draw_key(&d->sources, names[i], 1,
                             cf_secret_data(k->keys) + i * DOMAIN_KEY_SIZE, e);
    return rc;
}

static enum cf_rc describe(const struct domain_keyring *k, struct domain_kept *next,
                           struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    memcpy(next->id, k->domain_id, sizeof next->id);
    next->generations = k->count;
    for (size_t i = 0; i < k->count && rc == CF_OK; i++) {
        next->generation[i].number = k->gen[i].generation;
        next->generation[i].made_s = k->gen[i].made_s;
        rc = domain_fingerprint(domain_keyring_key(k, i, HAL_ROLE_BK), k->domain_id,
                                k->gen[i].generation, next->generation[i].fp, e);
    }
    return rc;
}

static enum cf_rc import_key(struct domain *d, const struct domain_keyring *k, enum hal_role role,
                             struct cf_err *e)
{
    struct cf_secret *value = NULL;
    struct hal_key_name name = { .role = role, .generation = k->gen[0].generation };
    memcpy(name.domain_id, k->domain_id, sizeof name.domain_id);
    enum cf_rc rc = cf_secret_copy(domain_keyring_key(k, 0, role), DOMAIN_KEY_SIZE, &value, e);
    if (rc == CF_OK)
        rc = hal_token_key_import(d->o.token, &name, value, e);
    if (rc == CF_OK) /* the second time the token proves that it holds this very key */
        rc = hal_token_key_import(d->o.token, &name, value, e);
    cf_secret_free(value);
    return rc;
}

static enum cf_rc import_keys(struct domain *d, const struct domain_keyring *k,
                              const struct domain_kept *next, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (enum hal_role r = HAL_ROLE_BK; r <= HAL_ROLE_MK && rc == CF_OK; r++)
        rc = import_key(d, k, r, e);
    return rc == CF_OK ? domain_prove_keys(d, next, e) : rc;
}

/* Before any key goes into the token, its name is on record: a start must find what to take out. */
static enum cf_rc announce(struct domain *d, const struct domain_kept *next, struct cf_err *e)
{
    struct domain_kept half = { .generations = next->generations };
    memcpy(half.id, next->id, sizeof half.id);
    memcpy(half.generation, next->generation, sizeof half.generation);
    if (!domain_next(d->kept.state, DOMAIN_BEGIN, &half.state))
        return CF_FAIL(e, CF_E_STATE, "there is a security domain already");
    return domain_save(d, &half, e);
}

/* After a failure behind the announcement. What cannot be taken back now, the next start does. */
static void take_back(struct domain *d)
{
    struct domain_kept none = { .state = DOMAIN_PROVISIONED };
    if (domain_destroy_keys(d, &d->kept, NULL) != CF_OK ||
        !domain_next(d->kept.state, DOMAIN_ABORT, &none.state) ||
        domain_save(d, &none, NULL) != CF_OK)
        d->unsure = true;
}

/* The commit. A save that failed may have happened: then only a restart tells, and it finds either
 * the whole domain or one to take back. */
static enum cf_rc commit(struct domain *d, struct domain_kept *next, struct cf_err *e)
{
    if (!domain_next(d->kept.state, DOMAIN_COMMIT, &next->state))
        return CF_FAIL(e, CF_E_STATE, "no activation is under way");
    enum cf_rc rc = domain_save(d, next, e);
    d->unsure = rc != CF_OK;
    return rc;
}

static enum cf_rc activate(struct domain *d, const struct domain_panel *panel, struct cf_err *e)
{
    struct domain_keyring k = { 0 };
    struct domain_kept next = { .state = DOMAIN_ACTIVE };
    enum cf_rc rc = draw_keyring(d, &k, e);
    if (rc == CF_OK)
        rc = describe(&k, &next, e);
    if (rc == CF_OK)
        rc = deal(d, panel, &k, &next, e);
    if (rc == CF_OK)
        rc = domain_keyring_seal(d->o.token, &d->sources, &k, &next, e);
    if (rc == CF_OK)
        rc = announce(d, &next, e);
    if (rc == CF_OK) {
        rc = import_keys(d, &k, &next, e);
        if (rc != CF_OK)
            take_back(d);
        else
            rc = commit(d, &next, e);
    }
    domain_kept_clear(&next);
    domain_keyring_clear(&k);
    return rc;
}

/* --- other officers --- */

static enum cf_rc copy_kept(const struct domain_kept *from, struct domain_kept *to,
                            struct cf_err *e)
{
    *to = *from;
    to->sealed = (struct cf_buf){ 0 };
    to->document = (struct cf_buf){ 0 };
    return cf_buf_put(&to->sealed, from->sealed.data, from->sealed.len, e);
}

/* Nothing in the token changes: new master key, new shares, new document, one save. */
static enum cf_rc reshare(struct domain *d, const struct domain_panel *panel, struct cf_err *e)
{
    struct domain_keyring k = { 0 };
    struct domain_kept next = { 0 };
    enum cf_rc rc = copy_kept(&d->kept, &next, e);
    if (rc == CF_OK && !domain_next(d->kept.state, DOMAIN_RESHARE, &next.state))
        rc = CF_FAIL(e, CF_E_STATE, "there is no security domain yet");
    if (rc == CF_OK)
        rc = domain_keyring_unseal(d->o.token, &d->kept, &k, e);
    if (rc == CF_OK)
        rc = deal(d, panel, &k, &next, e);
    if (rc == CF_OK)
        rc = domain_save(d, &next, e);
    domain_kept_clear(&next);
    domain_keyring_clear(&k);
    return rc;
}

enum cf_rc domain_download_locked(struct domain *d, const struct domain_officers *o,
                                  struct cf_buf *document, struct cf_err *e)
{
    struct domain_panel panel = { 0 };
    enum cf_rc rc = CF_OK;
    if (d->unsure)
        rc = cf_err_code(e, CF_FAIL(e, CF_E_STATE, "an activation was interrupted: restart"),
                         "Conflict");
    if (rc == CF_OK)
        rc = domain_panel_read(o, &panel, e);
    bool active = d->kept.state == DOMAIN_ACTIVE;
    bool same = active && cf_equal(panel.digest, d->kept.panel_digest, sizeof panel.digest);
    if (rc == CF_OK && !same)
        rc = active ? reshare(d, &panel, e) : activate(d, &panel, e);
    if (rc == CF_OK)
        rc = cf_buf_put(document, d->kept.document.data, d->kept.document.len, e);
    domain_panel_clear(&panel);
    return rc;
}
