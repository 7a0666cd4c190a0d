/* What the root-only socket can ask (design document 8). */
#include "appliance.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "json/json.h"

#define ADMINISTRATORS_MAX 64
#define PIN_MAX            255

static enum cf_rc not_yet(struct cf_err *e, const char *what)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_STATE, "%s", what), "Conflict");
}

static enum cf_rc need_token(const struct appliance *a, struct cf_err *e)
{
    return a->jobs ? CF_OK : not_yet(e, "The token is not open yet: it waits for its PIN");
}

static enum cf_rc need_hsm(const struct appliance *a, struct cf_err *e)
{
    return a->authority
               ? CF_OK
               : not_yet(e, "There is no HSM on this appliance yet; coffer create makes one");
}

static const char *state_name(const struct appliance *a)
{
    if (!a->jobs)
        return atomic_load(&a->opening) ? "opening" : "locked";
    if (atomic_load(&a->opening))
        return "opening";
    if (jobs_restore_mode(a->jobs))
        return "restoring";
    switch ((enum api_state)atomic_load(&a->state)) {
    case API_FACTORY:
        return "factory";
    case API_PROVISIONED:
        return "provisioned";
    case API_RECOVERING:
        return "recovering";
    case API_ACTIVE:
        return "active";
    case API_OPENING:
    case API_RESTORING:
    default:
        return "restoring";
    }
}

static void put_token(struct appliance *a, struct json_wr *w)
{
    struct hal_token_info info = { 0 };
    if (!a->token || hal_token_info(a->token, &info, NULL) != CF_OK)
        return;
    json_put_int(w, "worker_pid", info.worker_pid);
    json_put_int(w, "worker_restarts", info.worker_restarts);
    json_put_object(w, "token");
    json_put_text(w, "label", info.label);
    json_put_text(w, "manufacturer", info.manufacturer);
    json_put_text(w, "model", info.model);
    json_put_text(w, "wrapping", info.kwp_mechanism);
    json_put_text(w, "oaep256", info.oaep256);
    json_close(w);
}

/* While a PIN is being tried the lock is taken for long, and there is nothing to say yet. */
static void put_refusal(struct appliance *a, struct json_wr *w)
{
    if (a->jobs || pthread_mutex_trylock(&a->lock) != 0)
        return;
    json_put_bool(w, "pin_wanted", !a->pin);
    if (a->pin_refused[0])
        json_put_text(w, "pin_refused", a->pin_refused);
    pthread_mutex_unlock(&a->lock);
}

static void put_backups(struct appliance *a, struct json_wr *w)
{
    struct api_freshness f;
    app_freshness(a, &f);
    if (!f.known || !a->hsm.name[0])
        return;
    json_put_object(w, "backup");
    if (f.backup_s)
        json_put_int(w, "newest_age_s", f.now_s > f.backup_s ? f.now_s - f.backup_s : 0);
    if (f.verified_s)
        json_put_int(w, "newest_verified_age_s",
                     f.now_s > f.verified_s ? f.now_s - f.verified_s : 0);
    for (size_t i = 0; i < f.last_count; i++)
        if (f.last[i].kind == JOBS_BACKUP)
            json_put_text(w, "last_job", jobs_state_name(f.last[i].state));
    if (f.scheduled) {
        json_put_text(w, "schedule", f.schedule);
        json_put_int(w, "next_in_s", f.next_s > f.now_s ? f.next_s - f.now_s : 0);
        json_put_int(w, "failures", f.failures);
    }
    if (f.problem[0])
        json_put_text(w, "problem", f.problem);
    json_close(w);
}

static enum cf_rc do_status(void *ctx, const struct json *body, struct cf_buf *reply,
                            struct cf_err *e)
{
    struct appliance *a = ctx;
    struct json_wr w;
    (void)body;
    json_wr_init(&w, reply, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "state", state_name(a));
    json_put_text(&w, "version", APP_VERSION);
    json_put_text(&w, "board", a->board->name);
    json_put_int(&w, "pid", getpid());
    if (atomic_load(&a->serving)) {
        json_put_text(&w, "name", a->hsm.name);
        json_put_text(&w, "url", a->base_url);
    }
    put_refusal(a, &w);
    put_token(a, &w);
    put_backups(a, &w);
    json_close(&w);
    return json_wr_end(&w);
}

static enum cf_rc read_administrators(const struct json *body, const char **out, size_t *count,
                                      struct cf_err *e)
{
    const struct json *list = NULL;
    char guid[ACCESS_GUID_SIZE];
    enum cf_rc rc = json_get_array(body, "administrators", &list, e);
    *count = 0;
    for (const struct json *i = rc == CF_OK ? json_first(list) : NULL; rc == CF_OK && i;
         i = json_next(i)) {
        const char *text = json_text(i);
        if (!text || *count == ADMINISTRATORS_MAX || cf_parse_guid(text, guid, NULL) != CF_OK)
            rc = CF_FAIL(e, CF_E_INPUT, "administrators: 1 to %d object ids (GUIDs) are wanted",
                         ADMINISTRATORS_MAX);
        else
            out[(*count)++] = text;
    }
    if (rc == CF_OK && *count == 0)
        rc = CF_FAIL(e, CF_E_INPUT, "administrators: at least one object id is wanted");
    return rc;
}

static enum cf_rc do_create(void *ctx, const struct json *body, struct cf_buf *reply,
                            struct cf_err *e)
{
    struct appliance *a = ctx;
    const char *administrators[ADMINISTRATORS_MAX];
    struct app_creation c = { .administrators = administrators };
    const char *name = NULL;
    int64_t days = 90;
    (void)reply;
    enum cf_rc rc = json_get_text(body, "name", &name, e);
    if (rc == CF_OK)
        rc = app_hsm_check_name(name, e);
    if (rc == CF_OK)
        rc = json_opt_int(body, "retention", (struct json_range){ 7, 90 }, &days, e);
    if (rc == CF_OK)
        rc = json_opt_bool(body, "purge_protection", &c.hsm.purge_protection, e);
    if (rc == CF_OK)
        rc = read_administrators(body, administrators, &c.administrator_count, e);
    if (rc != CF_OK)
        return rc;
    snprintf(c.hsm.name, sizeof c.hsm.name, "%s", name);
    c.hsm.retention_days = (uint32_t)days;
    pthread_mutex_lock(&a->lock);
    rc = need_token(a, e);
    if (rc == CF_OK)
        rc = app_create(a, &c, e);
    pthread_mutex_unlock(&a->lock);
    return rc;
}

static enum cf_rc do_pin(void *ctx, const struct json *body, struct cf_buf *reply, struct cf_err *e)
{
    struct appliance *a = ctx;
    const char *pin = NULL;
    (void)reply;
    enum cf_rc rc = json_get_text(body, "pin", &pin, e);
    if (rc == CF_OK && (!*pin || strlen(pin) > PIN_MAX))
        rc = CF_FAIL(e, CF_E_INPUT, "pin: 1 to %d bytes are wanted", PIN_MAX);
    if (rc != CF_OK)
        return rc;
    pthread_mutex_lock(&a->lock);
    if (a->jobs)
        rc = not_yet(e, "The token is open already");
    else if (a->pin)
        rc = not_yet(e, "A PIN is being tried already");
    else
        rc = cf_secret_copy(pin, strlen(pin), &a->pin, e);
    if (rc == CF_OK)
        a->pin_refused[0] = 0;
    pthread_mutex_unlock(&a->lock);
    app_wake(a);
    return rc;
}

static enum cf_rc do_add_administrator(void *ctx, const struct json *body, struct cf_buf *reply,
                                       struct cf_err *e)
{
    struct appliance *a = ctx;
    const char *principal = NULL;
    char guid[ACCESS_GUID_SIZE];
    (void)reply;
    enum cf_rc rc = need_hsm(a, e);
    if (rc == CF_OK)
        rc = json_get_text(body, "principal", &principal, e);
    if (rc == CF_OK)
        rc = cf_parse_guid(principal, guid, NULL);
    if (rc == CF_E_INPUT && principal)
        rc = CF_FAIL(e, rc, "principal: an object id (GUID) is wanted, not '%.64s'", principal);
    if (rc != CF_OK)
        return rc;
    rc = access_grant(a->access, guid, ACCESS_ADMINISTRATOR, e);
    const struct audit_record r = { .operation = "OwnerAddAdministrator",
                                    .principal = guid,
                                    .resource = "/local/owner/administrators",
                                    .status = rc == CF_OK ? 200 : 500 };
    enum cf_rc noted = a->audit ? audit_append(a->audit, &r, e) : CF_OK;
    return rc == CF_OK ? noted : rc;
}

static enum cf_rc do_token(void *ctx, const struct json *body, struct cf_buf *reply,
                           struct cf_err *e)
{
    struct appliance *a = ctx;
    const char *name = NULL, *audience = NULL, *token = NULL;
    int64_t lifetime = ACCESS_LIFETIME_S;
    struct access_grant_answer answer = { 0 };
    struct json_wr w;
    enum cf_rc rc = need_hsm(a, e);
    if (rc == CF_OK)
        rc = json_get_text(body, "name", &name, e);
    if (rc == CF_OK)
        rc = json_opt_text(body, "audience", &audience, e);
    if (rc == CF_OK)
        rc = json_opt_int(body, "lifetime",
                          (struct json_range){ -ACCESS_LIFETIME_MAX_S, ACCESS_LIFETIME_MAX_S },
                          &lifetime, e);
    if (rc == CF_OK)
        rc = access_authority_issue(a->authority, name, audience, lifetime, &answer, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&answer.token, &token, e);
    if (rc == CF_OK) {
        json_wr_init(&w, reply, e);
        json_put_object(&w, NULL);
        json_put_text(&w, "access_token", token);
        json_put_text(&w, "audience", answer.audience);
        json_close(&w);
        rc = json_wr_end(&w);
    }
    cf_buf_clear(&answer.token);
    return rc;
}

static enum cf_rc do_client(void *ctx, const struct json *body, struct cf_buf *reply,
                            struct cf_err *e)
{
    struct appliance *a = ctx;
    const char *name = NULL;
    struct access_client client = { 0 };
    struct cf_secret *secret = NULL;
    struct json_wr w;
    enum cf_rc rc = need_hsm(a, e);
    if (rc == CF_OK)
        rc = json_get_text(body, "name", &name, e);
    if (rc == CF_OK)
        rc = access_client_make(a->authority, name, &client, &secret, e);
    if (rc == CF_OK) {
        json_wr_init(&w, reply, e);
        json_put_object(&w, NULL);
        json_put_text(&w, "name", client.name);
        json_put_text(&w, "client_id", client.client_id);
        json_put_text(&w, "object_id", client.oid);
        json_put_text_n(&w, "client_secret", cf_secret_view(secret), cf_secret_len(secret));
        json_close(&w);
        rc = json_wr_end(&w);
    }
    cf_secret_free(secret);
    return rc;
}

void app_local(struct appliance *a)
{
    a->local_ops = (struct api_local_ops){
        .ctx = a,
        .status = do_status,
        .create = do_create,
        .pin = do_pin,
        .add_administrator = do_add_administrator,
        .token = do_token,
        .client = do_client,
    };
}
