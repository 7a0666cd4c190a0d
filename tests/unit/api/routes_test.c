/* Walks the table of routes: what is there, what right each asks for, where it answers. */
#include <stdlib.h>

#include "route_priv.h"
#include "server_priv.h"
#include "support/api_fixture.h"
#include "support/test.h"

#define V   "0123456789abcdef0123456789abcdef"
#define DEF "/providers/Microsoft.Authorization/roleDefinitions"
#define ASG "/providers/Microsoft.Authorization/roleAssignments"
#define G   "11111111-2222-4333-8444-555555555555"

/* Azure's data plane as far as it is served (API document 2), and what we add to it. */
static const struct {
    enum api_method method;
    const char *path;
    enum access_action action;
    enum access_level level; /* where the right is asked for, before access judges further */
} azure[] = {
    { API_POST, "/keys/k/create", ACCESS_KEYS_CREATE, ACCESS_AT_KEY },
    { API_PUT, "/keys/k", ACCESS_KEYS_IMPORT, ACCESS_AT_KEY },
    { API_PUT, "/keys/restore", ACCESS_KEYS_IMPORT, ACCESS_AT_KEY },
    { API_PATCH, "/keys/k/" V, ACCESS_KEYS_WRITE, ACCESS_AT_KEY },
    { API_PATCH, "/keys/k/", ACCESS_KEYS_WRITE, ACCESS_AT_KEY },
    { API_GET, "/keys/k", ACCESS_KEYS_READ, ACCESS_AT_KEY },
    { API_GET, "/keys/k/", ACCESS_KEYS_READ, ACCESS_AT_KEY },
    { API_GET, "/keys/k/" V, ACCESS_KEYS_READ, ACCESS_AT_KEY },
    { API_GET, "/keys", ACCESS_KEYS_READ, ACCESS_AT_KEYS },
    { API_GET, "/keys/k/versions", ACCESS_KEYS_READ, ACCESS_AT_KEY },
    { API_DELETE, "/keys/k", ACCESS_KEYS_DELETE, ACCESS_AT_KEY },
    { API_GET, "/deletedkeys", ACCESS_KEYS_DELETED_READ, ACCESS_AT_KEYS },
    { API_GET, "/deletedkeys/k", ACCESS_KEYS_DELETED_READ, ACCESS_AT_KEY },
    { API_DELETE, "/deletedkeys/k", ACCESS_KEYS_DELETED_DELETE, ACCESS_AT_KEY },
    { API_POST, "/deletedkeys/k/recover", ACCESS_KEYS_DELETED_RECOVER, ACCESS_AT_KEY },
    { API_POST, "/keys/k/backup", ACCESS_KEYS_BACKUP, ACCESS_AT_KEY },
    { API_POST, "/keys/restore", ACCESS_KEYS_RESTORE, ACCESS_AT_KEYS },
    { API_POST, "/keys/k/" V "/encrypt", ACCESS_KEYS_ENCRYPT, ACCESS_AT_KEY },
    { API_POST, "/keys/k/" V "/decrypt", ACCESS_KEYS_DECRYPT, ACCESS_AT_KEY },
    { API_POST, "/keys/k/" V "/wrapkey", ACCESS_KEYS_WRAP, ACCESS_AT_KEY },
    { API_POST, "/keys/k/" V "/unwrapkey", ACCESS_KEYS_UNWRAP, ACCESS_AT_KEY },
    { API_POST, "/keys/k/" V "/sign", ACCESS_KEYS_SIGN, ACCESS_AT_KEY },
    { API_POST, "/keys/k/" V "/verify", ACCESS_KEYS_VERIFY, ACCESS_AT_KEY },
    { API_POST, "/keys/k//sign", ACCESS_KEYS_SIGN, ACCESS_AT_KEY },
    { API_POST, "/keys/k/rotate", ACCESS_KEYS_ROTATE, ACCESS_AT_KEY },
    { API_GET, "/keys/k/rotationpolicy", ACCESS_KEYS_READ, ACCESS_AT_KEY },
    { API_PUT, "/keys/k/rotationpolicy", ACCESS_KEYS_WRITE, ACCESS_AT_KEY },
    { API_POST, "/keys/k/" V "/release", ACCESS_KEYS_RELEASE, ACCESS_AT_KEY },
    { API_POST, "/keys/k//release", ACCESS_KEYS_RELEASE, ACCESS_AT_KEY },
    { API_POST, "/rng", ACCESS_RNG, ACCESS_AT_ALL },
    { API_POST, "/backup", ACCESS_BACKUP_START, ACCESS_AT_ALL },
    { API_GET, "/backup/" V "/pending", ACCESS_BACKUP_STATUS, ACCESS_AT_ALL },
    { API_POST, "/prebackup", ACCESS_BACKUP_START, ACCESS_AT_ALL },
    { API_PUT, "/restore", ACCESS_RESTORE_START, ACCESS_AT_ALL },
    { API_GET, "/restore", ACCESS_RESTORE_STATUS, ACCESS_AT_ALL },
    { API_PUT, "/prerestore", ACCESS_RESTORE_START, ACCESS_AT_ALL },
    { API_GET, "/coffer/jobs/" V "/receipt", ACCESS_RESTORE_STATUS, ACCESS_AT_ALL },
    { API_GET, "/coffer/verified", ACCESS_BACKUP_STATUS, ACCESS_AT_ALL },
    { API_GET, "/coffer/audit/head", ACCESS_BACKUP_STATUS, ACCESS_AT_ALL },
    { API_POST, "/coffer/backups", ACCESS_RESTORE_START, ACCESS_AT_ALL }, /* or BACKUP_START */
    { API_POST, "/coffer/verify", ACCESS_RESTORE_START, ACCESS_AT_ALL },
    { API_GET, "/coffer/freshness", ACCESS_BACKUP_STATUS, ACCESS_AT_ALL },
    { API_GET, "/coffer/metrics", ACCESS_BACKUP_STATUS, ACCESS_AT_ALL },
    { API_POST, "/coffer/prune", ACCESS_SETTINGS_WRITE, ACCESS_AT_ALL },
    { API_GET, "/coffer/prune/" V, ACCESS_BACKUP_STATUS, ACCESS_AT_ALL },
    { API_PUT, "/keys/k/restore", ACCESS_RESTORE_START, ACCESS_AT_ALL },
    { API_GET, "/keys/k/restore", ACCESS_RESTORE_STATUS, ACCESS_AT_ALL },
    { API_GET, "/restore/" V "/pending", ACCESS_RESTORE_STATUS, ACCESS_AT_ALL },
    { API_GET, DEF, ACCESS_DEFINITIONS_READ, ACCESS_AT_ALL },
    { API_GET, "//" DEF, ACCESS_DEFINITIONS_READ, ACCESS_AT_ALL },
    { API_GET, "/keys" DEF, ACCESS_DEFINITIONS_READ, ACCESS_AT_KEYS },
    { API_GET, "/keys/k" DEF, ACCESS_DEFINITIONS_READ, ACCESS_AT_KEY },
    { API_GET, DEF "/" G, ACCESS_DEFINITIONS_READ, ACCESS_AT_ALL },
    { API_PUT, DEF "/" G, ACCESS_DEFINITIONS_WRITE, ACCESS_AT_ALL },
    { API_DELETE, DEF "/" G, ACCESS_DEFINITIONS_DELETE, ACCESS_AT_ALL },
    { API_GET, ASG, ACCESS_ASSIGNMENTS_READ, ACCESS_AT_ALL },
    { API_GET, "/" ASG, ACCESS_ASSIGNMENTS_READ, ACCESS_AT_ALL },
    { API_GET, "/keys/k" ASG, ACCESS_ASSIGNMENTS_READ, ACCESS_AT_KEY },
    { API_GET, "/keys/providers" ASG, ACCESS_ASSIGNMENTS_READ, ACCESS_AT_KEY },
    { API_GET, ASG "/" G, ACCESS_ASSIGNMENTS_READ, ACCESS_AT_ALL },
    { API_PUT, "/keys" ASG "/" G, ACCESS_ASSIGNMENTS_WRITE, ACCESS_AT_KEYS },
    { API_PUT, "/keys/k" ASG "/" G, ACCESS_ASSIGNMENTS_WRITE, ACCESS_AT_KEY },
    { API_DELETE, ASG "/" G, ACCESS_ASSIGNMENTS_DELETE, ACCESS_AT_ALL },
    { API_GET, "/settings", ACCESS_SETTINGS_READ, ACCESS_AT_ALL },
    { API_GET, "/settings/S", ACCESS_SETTINGS_READ, ACCESS_AT_ALL },
    { API_PATCH, "/settings/S", ACCESS_SETTINGS_WRITE, ACCESS_AT_ALL },
    { API_POST, "/securitydomain/download", ACCESS_DOMAIN_DOWNLOAD, ACCESS_AT_ALL },
    { API_GET, "/securitydomain/download/pending", ACCESS_DOMAIN_DOWNLOAD_READ, ACCESS_AT_ALL },
    { API_GET, "/securitydomain/upload", ACCESS_DOMAIN_TRANSFER_KEY, ACCESS_AT_ALL },
    { API_POST, "/securitydomain/upload", ACCESS_DOMAIN_UPLOAD, ACCESS_AT_ALL },
    { API_GET, "/securitydomain/upload/pending", ACCESS_DOMAIN_UPLOAD_READ, ACCESS_AT_ALL },
};

/* Everything that answers a stranger. */
static const char *const public_patterns[] = {
    "/health",
    "/adfs/.well-known/openid-configuration",
    "/adfs/discovery/keys",
    "/adfs/oauth2/token",
    "/common/discovery/instance",
    "/{tenant}/v2.0/.well-known/openid-configuration",
    "/{tenant}/discovery/v2.0/keys",
    "/{tenant}/oauth2/v2.0/token",
};

/* A gate that notes what it was asked. */
struct asked {
    unsigned count;
    enum access_action action;
    struct access_scope scope;
    bool allow;
    enum api_state state;
    struct fake_gate fake;
};

static enum cf_rc note(void *ctx, const struct access_principal *who, enum access_action action,
                       const struct access_scope *scope, struct cf_err *e)
{
    struct asked *a = ctx;
    assert_true(cf_granted(&who->verified));
    a->count++;
    a->action = action;
    a->scope = *scope;
    return a->allow ? CF_OK : cf_err_code(e, CF_FAIL(e, CF_E_DENIED, "no"), "AccessDenied");
}

static enum cf_rc let_in(void *ctx, const char *token, size_t len, struct access_principal *out,
                         struct cf_err *e)
{
    (void)ctx;
    (void)token;
    (void)len;
    (void)e;
    memset(out, 0, sizeof *out);
    out->verified = cf_verdict_of(true);
    return CF_OK;
}

static bool nobody_started(void *ctx, const char *id, const char *oid)
{
    (void)ctx;
    (void)id;
    (void)oid;
    return false;
}

static enum api_state state_of(void *ctx)
{
    return ((struct asked *)ctx)->state;
}

static enum cf_rc no_record(void *ctx, const struct audit_record *r, struct cf_err *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    return CF_OK;
}

static struct api_gate gate_of(struct asked *a)
{
    return (struct api_gate){ .ctx = a,
                              .authenticate = let_in,
                              .require = note,
                              .started = nobody_started,
                              .state = state_of,
                              .record = no_record };
}

struct shot {
    char uri[512];
    struct api_request rq;
    struct api_reply rp;
};

/* Sends one request as far as a body would be read. */
static enum cf_rc admit(const struct api_gate *gate, enum api_method m, const char *path,
                        const char *token, bool local, struct shot *s)
{
    struct api api = { .cfg = { .gate = gate } };
    memset(s, 0, sizeof *s);
    snprintf(s->uri, sizeof s->uri, "%s?api-version=7.4", path);
    assert_int_equal(api_uri_parse(s->uri, &s->rq.path, &s->rq.query, NULL), CF_OK);
    s->rq.method = m;
    s->rq.local = local;
    s->rq.head.authorization = token;
    enum cf_rc rc = api_admit(&api, &s->rq, &s->rp);
    cf_buf_clear(&s->rp.body);
    return rc;
}

/* A path that fits the pattern. */
static void concrete(const char *pattern, char out[256])
{
    static const struct {
        const char *mark, *text;
    } marks[] = { { "{scope}", "" }, { "{key}", "k1" }, { "{version}", V }, { "{guid}", G },
                  { "{job}", V },    { "{name}", "n" }, { "{tenant}", G } };
    size_t n = 0;
    while (*pattern) {
        size_t i = 0;
        while (i < 7 && strncmp(pattern, marks[i].mark, strlen(marks[i].mark)) != 0)
            i++;
        if (i == 7) {
            out[n++] = *pattern++;
            continue;
        }
        n += (size_t)snprintf(out + n, 256 - n, "%s", marks[i].text);
        pattern += strlen(marks[i].mark);
    }
    out[n] = 0;
}

static void the_data_plane_is_there_with_its_actions_and_scopes(void **state)
{
    (void)state;
    struct asked a = { .allow = true, .state = API_ACTIVE };
    struct api_gate gate = gate_of(&a);
    for (size_t i = 0; i < sizeof azure / sizeof azure[0]; i++) {
        struct shot s;
        print_message("  %s\n", azure[i].path);
        a.count = 0;
        (void)admit(&gate, azure[i].method, azure[i].path, "Bearer x", false, &s);
        assert_non_null(s.rq.route);
        assert_int_equal(a.count, 1);
        assert_int_equal(a.action, azure[i].action);
        assert_int_equal(a.scope.level, azure[i].level);
    }
}

static bool is_public(const char *pattern)
{
    for (size_t i = 0; i < sizeof public_patterns / sizeof public_patterns[0]; i++)
        if (strcmp(public_patterns[i], pattern) == 0)
            return true;
    return false;
}

static void each_row_is_whole_and_none_is_open_but_those_listed(void **state)
{
    (void)state;
    size_t n = 0;
    const struct api_route *r = api_routes(&n);
    for (size_t i = 0; i < n; i++) {
        print_message("  %s\n", r[i].pattern);
        bool open = r[i].flags & (API_PUBLIC | API_LOCAL);
        assert_non_null(r[i].run);
        assert_true(strlen(r[i].operation) > 2);
        assert_int_not_equal(r[i].states, 0);
        assert_int_equal(!!(r[i].flags & API_PUBLIC), is_public(r[i].pattern));
        assert_int_equal(!!(r[i].flags & API_LOCAL), strncmp(r[i].pattern, "/local/", 7) == 0);
        assert_int_equal(open, r[i].action == ACCESS_ACTIONS);
        assert_int_equal(open, r[i].scope == API_SCOPE_NONE);
        assert_true(r[i].body_max <= API_BODY_MAX);
        if (r[i].method == API_GET)
            assert_int_equal(r[i].body_max > 0, r[i].flags & API_LOCAL ? 1 : 0);
    }
}

static void what_changes_something_is_recorded(void **state)
{
    (void)state;
    static const char *const uses[] = { "KeySign", "KeyVerify", "KeyEncrypt",     "KeyDecrypt",
                                        "KeyWrap", "KeyUnwrap", "RandomBytesGet", "LocalAudit" };
    size_t n = 0;
    const struct api_route *r = api_routes(&n);
    for (size_t i = 0; i < n; i++) {
        bool use = false;
        for (size_t k = 0; k < sizeof uses / sizeof uses[0]; k++)
            use |= strcmp(uses[k], r[i].operation) == 0;
        print_message("  %s %s\n", r[i].operation, r[i].pattern);
        if (r[i].method != API_GET)
            assert_int_equal(!use, !!(r[i].flags & API_RECORD));
    }
}

static void each_row_is_reached_by_its_own_pattern(void **state)
{
    (void)state;
    size_t n = 0;
    const struct api_route *r = api_routes(&n);
    for (size_t i = 0; i < n; i++) {
        char path[256];
        char allow[64];
        struct api_request rq = { .method = r[i].method, .local = r[i].flags & API_LOCAL };
        struct api_params q;
        concrete(r[i].pattern, path);
        print_message("  %s\n", path);
        assert_int_equal(api_uri_parse(path, &rq.path, &q, NULL), CF_OK);
        assert_int_equal(api_route_find(&rq, allow), API_MATCHED);
        assert_ptr_equal(rq.route, &r[i]);
    }
}

/* Method x state x right: what the columns say is what the dispatcher does. */
static void the_dispatcher_does_what_the_columns_say(void **state)
{
    (void)state;
    size_t n = 0;
    const struct api_route *r = api_routes(&n);
    struct asked a = { 0 };
    struct api_gate gate = gate_of(&a);
    for (size_t i = 0; i < n; i++) {
        char path[256];
        struct shot s;
        bool local = r[i].flags & API_LOCAL;
        bool open = local || (r[i].flags & API_PUBLIC);
        concrete(r[i].pattern, path);
        print_message("  %s\n", path);
        a.allow = false;
        a.state = API_ACTIVE;
        assert_int_equal(admit(&gate, r[i].method, path, NULL, local, &s) == CF_OK, open);
        assert_int_equal(s.rp.status, open ? 0 : 401);
        assert_int_equal(admit(&gate, r[i].method, path, "Bearer x", local, &s) == CF_OK, open);
        assert_int_equal(s.rp.status, open ? 0 : 403);
        a.allow = true;
        for (unsigned bit = API_FACTORY; bit <= API_RESTORING; bit <<= 1) {
            a.state = (enum api_state)bit;
            bool answers = r[i].states & bit;
            assert_int_equal(admit(&gate, r[i].method, path, "Bearer x", local, &s) == CF_OK,
                             answers);
            if (!answers)
                assert_int_equal(s.rp.status, bit & (API_RESTORING | API_ACTIVE) ? 409 : 403);
        }
    }
}

/* Of the service's own interface; of ours also what only tells of jobs: monitors must not go blind.
 */
static void during_a_restore_only_its_status_and_its_end_are_answered(void **state)
{
    (void)state;
    size_t n = 0;
    const struct api_route *r = api_routes(&n);
    for (size_t i = 0; i < n; i++)
        if ((r[i].states & API_RESTORING) &&
            !(r[i].flags & (API_PUBLIC | API_LOCAL | API_BY_KIND))) {
            bool ours = strncmp(r[i].pattern, "/coffer/", 8) == 0 && r[i].method == API_GET;
            assert_int_equal(r[i].action, ours ? ACCESS_BACKUP_STATUS : ACCESS_RESTORE_STATUS);
        }
}

static void while_the_appliance_opens_clients_are_asked_to_come_again(void **state)
{
    (void)state;
    size_t n = 0;
    const struct api_route *r = api_routes(&n);
    struct asked a = { .allow = true, .state = API_OPENING };
    struct api_gate gate = gate_of(&a);
    for (size_t i = 0; i < n; i++) {
        char path[256];
        struct shot s;
        bool local = r[i].flags & API_LOCAL, open = local || (r[i].flags & API_PUBLIC);
        concrete(r[i].pattern, path);
        assert_int_equal(admit(&gate, r[i].method, path, "Bearer x", local, &s) == CF_OK, open);
        assert_int_equal(s.rp.status, open ? 0 : 503);
        assert_int_equal(s.rp.retry_after, !open);
    }
}

static void who_started_a_job_reads_its_status_without_a_role(void **state)
{
    (void)state;
    struct fake_gate g;
    struct shot s;
    fake_gate_init(&g);
    g.state = API_RESTORING;
    const char *path = "/restore/" V "/pending";
    assert_int_equal(admit(&g.gate, API_GET, path, "Bearer other", false, &s), CF_E_DENIED);
    assert_int_equal(s.rp.status, 403);
    snprintf(g.started_by, sizeof g.started_by, "00000000-0000-4000-8000-000000000002");
    assert_int_equal(admit(&g.gate, API_GET, path, "Bearer other", false, &s), CF_OK);
    assert_int_equal(admit(&g.gate, API_GET, "/restore", "Bearer other", false, &s), CF_E_DENIED);
    assert_int_equal(admit(&g.gate, API_PUT, "/restore", "Bearer other", false, &s), CF_E_DENIED);
}

static void unknown_paths_and_methods_are_told_apart(void **state)
{
    (void)state;
    struct asked a = { .allow = true, .state = API_ACTIVE };
    struct api_gate gate = gate_of(&a);
    struct shot s;
    static const char *const unknown[] = { "/",
                                           "/nothing",
                                           "/Keys",
                                           "/keys/k/create/more",
                                           "/keys/k/0123",
                                           "/keys/k/" V "/create",
                                           "/backup/x/y/pending",
                                           "/local/status",
                                           "/deletedkeys/k/versions" };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        print_message("  %s\n", unknown[i]);
        assert_int_equal(admit(&gate, API_GET, unknown[i], "Bearer x", false, &s), CF_E_ABSENT);
        assert_int_equal(s.rp.status, 404);
    }
    (void)admit(&gate, API_PATCH, "/backup", "Bearer x", false, &s);
    assert_int_equal(s.rp.status, 405);
    assert_string_equal(s.rp.allow, "POST");
    (void)admit(&gate, API_OTHER, "/keys/k", "Bearer x", false, &s);
    assert_int_equal(s.rp.status, 405);
    (void)admit(&gate, API_GET, "/health", NULL, true, &s);
    assert_int_equal(s.rp.status, 404);
}

static void polls_need_no_version_but_no_false_one_either(void **state)
{
    (void)state;
    struct asked a = { .allow = true, .state = API_ACTIVE };
    struct api_gate gate = gate_of(&a);
    struct api api = { .cfg = { .gate = &gate } };
    static const char *const polls[] = { "/backup/" V "/pending", "/restore/" V "/pending",
                                         "/securitydomain/download/pending",
                                         "/securitydomain/upload/pending", "/coffer/metrics" };
    for (size_t i = 0; i < sizeof polls / sizeof polls[0]; i++)
        for (int with = 0; with < 2; with++) {
            char uri[128];
            struct api_request rq = { .method = API_GET, .head = { .authorization = "Bearer x" } };
            struct api_reply rp = { 0 };
            snprintf(uri, sizeof uri, "%s%s", polls[i], with ? "?api-version=1.0" : "");
            assert_int_equal(api_uri_parse(uri, &rq.path, &rq.query, NULL), CF_OK);
            assert_int_equal(api_admit(&api, &rq, &rp), with ? CF_E_INPUT : CF_OK);
            cf_buf_clear(&rp.body);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_data_plane_is_there_with_its_actions_and_scopes),
        cmocka_unit_test(each_row_is_whole_and_none_is_open_but_those_listed),
        cmocka_unit_test(what_changes_something_is_recorded),
        cmocka_unit_test(each_row_is_reached_by_its_own_pattern),
        cmocka_unit_test(the_dispatcher_does_what_the_columns_say),
        cmocka_unit_test(during_a_restore_only_its_status_and_its_end_are_answered),
        cmocka_unit_test(who_started_a_job_reads_its_status_without_a_role),
        cmocka_unit_test(unknown_paths_and_methods_are_told_apart),
        cmocka_unit_test(while_the_appliance_opens_clients_are_asked_to_come_again),
        cmocka_unit_test(polls_need_no_version_but_no_false_one_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
