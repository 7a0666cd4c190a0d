#include "world.h"

#include <stdlib.h>

#include "support/fake_token.h"
#include "support/scratch.h"

static enum cf_rc derive(void *arg, const uint8_t epoch[STORE_EPOCH_SIZE], unsigned attempt,
                         struct store_keys *out, struct cf_err *e)
{
    uint8_t key[32] = { 0 };
    (void)arg;
    if (attempt > 0)
        return CF_FAIL(e, CF_E_ABSENT, "no older generation");
    memcpy(key, epoch, STORE_EPOCH_SIZE);
    enum cf_rc rc = cf_secret_copy(key, 32, &out->page, e);
    return rc == CF_OK ? cf_secret_copy(key, 32, &out->row, e) : rc;
}

/* --- the gate: any token is ADMIN, the decision is real ----------------------------------------
 */

static enum cf_rc authenticate(void *ctx, const char *token, size_t len,
                               struct access_principal *out, struct cf_err *e)
{
    const struct world *w = ctx;
    (void)token;
    (void)len;
    (void)e;
    memset(out, 0, sizeof *out);
    snprintf(out->oid, sizeof out->oid, "%s", w->who ? w->who : ADMIN);
    out->verified = cf_verdict_of(true);
    return CF_OK;
}

static enum cf_rc require(void *ctx, const struct access_principal *who, enum access_action action,
                          const struct access_scope *scope, struct cf_err *e)
{
    return access_require(((struct world *)ctx)->access, who, action, scope, e);
}

static bool started(void *ctx, const char *id, const char *oid)
{
    (void)ctx;
    (void)id;
    (void)oid;
    return false;
}

static enum api_state state_of(void *ctx)
{
    return ((struct world *)ctx)->state;
}

static enum cf_rc record(void *ctx, const struct audit_record *r, struct cf_err *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    return CF_OK;
}

/* --- the services: they note and answer ----------------------------------------------------------
 */

static void facts(void *ctx, struct api_hsm_facts *out)
{
    (void)ctx;
    *out = (struct api_hsm_facts){ .retention_days = 7, .platform = "bench" };
}

static void keep(char *to, size_t size, const char **text)
{
    snprintf(to, size, "%s", *text ? *text : "");
    *text = *text ? to : NULL;
}

static enum cf_rc start(void *ctx, const struct api_job_order *o, struct jobs_record *out,
                        struct cf_err *e)
{
    struct world *w = ctx;
    w->order = *o;
    keep(w->uri, sizeof w->uri, &w->order.storage_uri);
    keep(w->sas, sizeof w->sas, &w->order.sas);
    keep(w->folder, sizeof w->folder, &w->order.folder);
    w->order.key = NULL;
    if (w->refuse)
        return cf_err_code(e, CF_FAIL(e, w->refuse, "refused in words"), "BadRequest");
    struct jobs_record job = { .kind = o->kind };
    snprintf(job.who, sizeof job.who, "%s", o->who);
    snprintf(job.uri, sizeof job.uri, "%s", w->uri);
    snprintf(job.key, sizeof job.key, "%s", o->key ? o->key : "");
    snprintf(job.folder, sizeof job.folder, "%s",
             o->kind == JOBS_BACKUP ? "mhsm-hsm1-20270115080000" : w->folder);
    return jobs_start(w->jobs, &job, out, e);
}

static enum cf_rc planned(void *ctx, const char *job, struct api_plan *out, api_planned_fn *each,
                          void *each_ctx, struct cf_err *e)
{
    const struct world *w = ctx;
    const struct api_planned items[] = { { "key", "added", "one", "" },
                                         { "key", "removed", "two", "made after the backup" } };
    if (w->refuse)
        return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "not the last plan"), "NotFound");
    *out = (struct api_plan){ .folder = "mhsm-hsm1-20270115080000",
                              .backup_s = START_S,
                              .versions_lost = 2 };
    for (size_t i = 0; i < API_PLAN_KINDS; i++)
        out->counts[i].kind = "key";
    out->counts[0].removed = strlen(job);
    enum cf_rc rc = each(each_ctx, &items[0], e);
    return rc == CF_OK ? each(each_ctx, &items[1], e) : rc;
}

static enum cf_rc undo(void *ctx, struct api_undo *out, struct cf_err *e)
{
    const struct world *w = ctx;
    *out = (struct api_undo){ .switched_s = START_S,
                              .folder = "mhsm-hsm1-20270115080000",
                              .counted = !w->refuse,
                              .changes = 3,
                              .partitions = 2,
                              .written = 1 };
    return w->refuse == CF_E_STATE
               ? cf_err_code(e, CF_FAIL(e, CF_E_STATE, "There is nothing to undo"), "Conflict")
               : CF_OK;
}

static enum cf_rc download(void *ctx, const struct api_officers *o, struct cf_buf *document,
                           struct cf_err *e)
{
    struct world *w = ctx;
    w->officer_count = o->count;
    w->required = o->required;
    return cf_buf_put_text(document, "{\"SharedKeys\":\"\\n\"}", e);
}

static enum cf_rc transfer_key(void *ctx, struct cf_buf *jwk, struct cf_err *e)
{
    (void)ctx;
    return cf_buf_put_text(jwk, "{\"kty\":\"RSA\"}", e);
}

static enum cf_rc upload(void *ctx, const char *blob, size_t len, struct cf_err *e)
{
    struct world *w = ctx;
    snprintf(w->blob, sizeof w->blob, "%.*s", (int)len, blob);
    return w->refuse ? CF_FAIL(e, w->refuse, "the blob does not open") : CF_OK;
}

static void status(void *ctx, struct api_domain_status *out)
{
    *out = ((struct world *)ctx)->status;
}

/* --- up and down
 * ------------------------------------------------------------------------------------ */

static void open_modules(struct world *w)
{
    static const uint8_t key[32] = { 1 };
    static const uint8_t domain[HAL_DOMAIN_ID_SIZE] = { 9 };
    struct store_live_options live = { .dir = w->dir, .derive = derive };
    assert_int_equal(store_live_create(&live, &w->live, NULL), CF_OK);
    assert_int_equal(cf_secret_copy(key, sizeof key, &w->key, NULL), CF_OK);
    struct store_options o = { .path = scratch_path(w->dir, "appliance.db"),
                               .page_key = w->key,
                               .row_key = w->key };
    assert_int_equal(store_create(&o, &w->appliance, NULL), CF_OK);
    w->token = fake_token_in_domain(domain, 1, 7);
    struct keystore_options k = { .live = w->live,
                                  .token = w->token,
                                  .clock = w->clock,
                                  .generation = { 1 },
                                  .generations = 1,
                                  .retention_days = 7 };
    memcpy(k.domain_id, domain, sizeof domain);
    assert_int_equal(keystore_open(&k, &w->ks, NULL), CF_OK);
    assert_int_equal(access_open(w->live, w->clock, &w->access, NULL), CF_OK);
    assert_int_equal(jobs_open(w->appliance, w->clock, hal_linux_entropy(), &w->jobs, NULL), CF_OK);
    static const char *const audiences[] = { AUDIENCE };
    struct access_authority_config a = { .store = w->appliance,
                                         .token = w->token,
                                         .clock = w->clock,
                                         .entropy = hal_linux_entropy(),
                                         .base_url = BASE,
                                         .tenant = TENANT,
                                         .audiences = audiences,
                                         .audience_count = 1 };
    assert_int_equal(access_authority_open(&a, &w->authority, NULL), CF_OK);
    static const enum access_builtin roles[] = { ACCESS_ADMINISTRATOR, ACCESS_CRYPTO_USER,
                                                 ACCESS_CRYPTO_OFFICER };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(access_grant(w->access, ADMIN, roles[i], NULL), CF_OK);
}

int world_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(w->dir);
    w->clock = hal_sim_clock_new(START_S * 1000);
    open_modules(w);
    w->state = API_ACTIVE;
    w->gate = (struct api_gate){ .ctx = w,
                                 .authenticate = authenticate,
                                 .require = require,
                                 .started = started,
                                 .state = state_of,
                                 .record = record };
    w->services = (struct api_services){ .ctx = w,
                                         .facts = facts,
                                         .start = start,
                                         .undo = undo,
                                         .planned = planned,
                                         .domain_download = download,
                                         .domain_transfer_key = transfer_key,
                                         .domain_upload = upload,
                                         .domain_status = status };
    w->api.cfg = (struct api_config){ .clock = w->clock,
                                      .entropy = hal_linux_entropy(),
                                      .gate = &w->gate,
                                      .access = w->access,
                                      .jobs = w->jobs,
                                      .authority = w->authority,
                                      .token = w->token,
                                      .services = &w->services,
                                      .authority_url = BASE "/adfs" };
    atomic_store(&w->api.keystore, w->ks);
    *state = w;
    return 0;
}

int world_down(void **state)
{
    struct world *w = *state;
    json_free(w->json);
    cf_buf_clear(&w->reply.body);
    keystore_close(w->ks);
    access_authority_close(w->authority);
    access_close(w->access);
    jobs_close(w->jobs);
    store_close(w->appliance);
    store_live_close(w->live);
    hal_token_close(w->token);
    cf_secret_free(w->key);
    hal_sim_clock_free(w->clock);
    scratch_remove(w->dir);
    free(w);
    return 0;
}

/* --- asking
 * --------------------------------------------------------------------------------------------- */

static enum api_method method_of(const char *name)
{
    static const char *const names[] = { "GET ", "POST ", "PUT ", "PATCH ", "DELETE " };
    int i = 0;
    while (i < API_OTHER && strncmp(name, names[i], strlen(names[i])) != 0)
        i++;
    return (enum api_method)i;
}

static void take_answer(struct world *w)
{
    json_free(w->json);
    w->json = NULL;
    w->text = "";
    if (!w->reply.body.len)
        return;
    assert_int_equal(cf_buf_text(&w->reply.body, &w->text, NULL), CF_OK);
    assert_int_equal(json_parse(w->text, w->reply.body.len, NULL, &w->json, NULL), CF_OK);
}

static int send_one(struct world *w, const char *request, const char *type, const char *body)
{
    char uri[2048];
    struct api_request rq = { .method = method_of(request) };
    const char *target = strchr(request, ' ') + 1;
    rq.local = strncmp(target, "/local/", 7) == 0;
    snprintf(uri, sizeof uri, "%s%s", target, strchr(target, '?') ? "" : "?api-version=7.4");
    assert_int_equal(api_uri_parse(uri, &rq.path, &rq.query, NULL), CF_OK);
    snprintf(rq.host, sizeof rq.host, "hsm1.coffer.test:8443");
    snprintf(rq.id, sizeof rq.id, "00000000-1111-4222-8333-444444444444");
    rq.head.authorization = "Bearer x";
    rq.head.content_type = type;
    rq.head.content_length = body ? strlen(body) : 0;
    cf_buf_clear(&w->reply.body);
    w->reply = (struct api_reply){ 0 };
    if (api_admit(&w->api, &rq, &w->reply) == CF_OK) {
        if (body)
            assert_int_equal(cf_buf_put_text(&rq.body, body, NULL), CF_OK);
        api_handle(&w->api, &rq, &w->reply);
    }
    cf_buf_clear(&rq.body);
    take_answer(w);
    if (w->reply.status >= 400)
        print_message("  %u %s\n", w->reply.status, w->text);
    return (int)w->reply.status;
}

int ask(struct world *w, const char *request, const char *body)
{
    return send_one(w, request, "application/json; charset=utf-8", body);
}

int ask_form(struct world *w, const char *request, const char *form)
{
    return send_one(w, request, "application/x-www-form-urlencoded", form);
}

const struct json *answer_at(const struct world *w, const char *path)
{
    const struct json *v = w->json;
    while (v && *path) {
        char name[64];
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        path += len + (path[len] == '.');
        if (json_type_of(v) == JSON_ARRAY) {
            const struct json *c = json_first(v);
            for (long i = strtol(name, NULL, 10); c && i > 0; i--)
                c = json_next(c);
            v = c;
        } else {
            v = json_member(v, name);
        }
    }
    return v;
}

const char *answer_text(const struct world *w, const char *path)
{
    const struct json *v = answer_at(w, path);
    const char *text = v ? json_text(v) : NULL;
    return text ? text : "";
}

int64_t answer_int(const struct world *w, const char *path)
{
    int64_t n = -1;
    const struct json *v = answer_at(w, path);
    return v && json_int(v, &n) ? n : -1;
}
