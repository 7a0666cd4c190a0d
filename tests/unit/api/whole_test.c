/* What concerns the whole HSM, over the wire shapes of the API document: jobs, roles, settings, the
 * security domain. */
#include "world.h"

#include <stdlib.h>

#include "base/text.h"
#include "crypto/cert.h"
#include "crypto/crypto.h"

#define SAS_BODY(more)                                                                                    \
    "{\"storageResourceUri\":\"https://acct.blob.core.windows.net/cont/\",\"token\":\"?sv=1&sig=x\"" more \
    "}"
#define RESTORE_BODY(member)                                                                       \
    "{\"sasTokenParameters\":" SAS_BODY("") ",\"" member "\":\"mhsm-hsm1-20270115080000\"}"

static void a_started_job_answers_what_every_client_waits_for(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *request, *body, *root;
        enum jobs_kind kind;
    } rows[] = {
        { "POST /backup", SAS_BODY(""), "/backup/", JOBS_BACKUP },
        { "POST /prebackup", SAS_BODY(""), "/backup/", JOBS_PRE_BACKUP },
        { "PUT /restore", RESTORE_BODY("folderToRestore"), "/restore/", JOBS_RESTORE },
        { "PUT /prerestore", RESTORE_BODY("folderToRestore"), "/restore/", JOBS_PRE_RESTORE },
        { "POST /coffer/verify", RESTORE_BODY("folderToRestore"), "/restore/", JOBS_VERIFY },
        { "PUT /keys/k1/restore", RESTORE_BODY("folder"), "/restore/", JOBS_SELECTIVE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char want[API_ASYNC_SIZE], poll[256];
        print_message("  %s\n", rows[i].request);
        assert_int_equal(ask(w, rows[i].request, rows[i].body), 202);
        assert_int_equal(w->order.kind, rows[i].kind);
        assert_string_equal(w->uri, "https://acct.blob.core.windows.net/cont"); /* no slash */
        assert_string_equal(w->sas, "sv=1&sig=x");                              /* no "?" */
        assert_string_equal(answer_text(w, "status"), "InProgress");
        assert_int_equal(answer_int(w, "startTime"), START_S);
        assert_int_equal(json_type_of(answer_at(w, "endTime")), JSON_NULL);
        assert_int_equal(json_type_of(answer_at(w, "statusDetails")), JSON_NULL);
        assert_int_equal(json_type_of(answer_at(w, "error")), JSON_NULL);
        assert_int_equal(strlen(answer_text(w, "jobId")), 32);
        snprintf(want, sizeof want, "%s%s/pending", rows[i].root, answer_text(w, "jobId"));
        assert_string_equal(w->reply.async_path, want);
        assert_true(w->reply.retry_after);
        assert_null(strstr(w->text, "sig=x"));
        char id[JOBS_ID_SIZE];
        snprintf(id, sizeof id, "%s", answer_text(w, "jobId"));
        snprintf(poll, sizeof poll, "GET %s?", want); /* without api-version */
        assert_int_equal(ask(w, poll, NULL), 200);
        assert_string_equal(answer_text(w, "status"), "InProgress");
        assert_true(w->reply.retry_after);
        assert_int_equal(ask(w, "POST /backup", SAS_BODY("")), 409);
        assert_string_equal(answer_text(w, "error.code"), "Conflict");
        if (rows[i].kind == JOBS_BACKUP)
            assert_string_equal(answer_text(w, "error.message"),
                                "Another backup operation is in progress");
        struct jobs_end end = { .event = JOBS_EV_DONE, .bytes = 5, .elapsed_ms = 7 };
        hal_sim_clock_step(w->clock, 3000);
        assert_int_equal(jobs_finish(w->jobs, id, &end, NULL), CF_OK);
        assert_int_equal(ask(w, poll, NULL), 200);
        assert_string_equal(answer_text(w, "status"), "Succeeded");
        assert_int_equal(answer_int(w, "endTime"), START_S + 3);
        assert_int_equal(answer_int(w, "coffer.bytes"), 5);
        assert_string_equal(answer_text(w, "azureStorageBlobContainerUri"),
                            rows[i].kind == JOBS_BACKUP ? "https://acct.blob.core.windows.net/"
                                                          "cont/mhsm-hsm1-20270115080000"
                                                        : "");
        hal_sim_clock_step(w->clock, -3000);
        snprintf(poll, sizeof poll, "GET %s/%s/pending",
                 rows[i].root[1] == 'b' ? "/restore" : "/backup", id);
        assert_int_equal(ask(w, poll, NULL), 404);
        assert_string_equal(answer_text(w, "error.message"), "The given jobId is not found");
    }
    assert_int_equal(ask(w, "GET /restore", NULL), 200);
    assert_string_equal(answer_text(w, "status"), "Succeeded");
    assert_int_equal(ask(w, "GET /keys/k1/restore", NULL), 200);
}

static void a_failed_job_says_why_in_its_body(void **state)
{
    struct world *w = *state;
    char poll[128], id[JOBS_ID_SIZE];
    assert_int_equal(ask(w, "POST /backup", SAS_BODY("")), 202);
    snprintf(id, sizeof id, "%s", answer_text(w, "jobId"));
    struct jobs_end end = { .event = JOBS_EV_ERROR,
                            .error_code = "BadRequest",
                            .error = "The container does not exist" };
    assert_int_equal(jobs_finish(w->jobs, id, &end, NULL), CF_OK);
    snprintf(poll, sizeof poll, "GET /backup/%s/pending", id);
    assert_int_equal(ask(w, poll, NULL), 200);
    assert_string_equal(answer_text(w, "status"), "Failed");
    assert_string_equal(answer_text(w, "error.code"), "BadRequest");
    assert_string_equal(answer_text(w, "error.message"), "The container does not exist");
    assert_true(answer_int(w, "endTime") > 0);
    assert_false(w->reply.retry_after);
}

static void orders_that_lack_something_are_refused_before_they_start(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "POST /backup", NULL), 400);
    assert_int_equal(ask(w, "POST /backup", "{}"), 400);
    assert_int_equal(ask(w, "POST /backup", "{\"storageResourceUri\":1}"), 400);
    assert_int_equal(ask(w, "POST /backup", SAS_BODY(",\"useManagedIdentity\":true")), 400);
    assert_int_equal(ask(w, "PUT /restore", SAS_BODY("")), 400);
    assert_int_equal(ask(w, "PUT /restore", "{\"sasTokenParameters\":" SAS_BODY("") "}"), 400);
    assert_int_equal(ask(w, "PUT /keys/k/restore", RESTORE_BODY("folderToRestore")), 400);
    assert_int_equal(ask(w, "POST /coffer/verify", SAS_BODY("")), 400);
    assert_int_equal(ask(w, "POST /coffer/verify", RESTORE_BODY("folder")), 400);
    assert_int_equal(ask(w, "POST /coffer/verify",
                         "{\"sasTokenParameters\":" SAS_BODY(",\"x\":1") ",\"folderToRestore\":"
                                                                         "\"f\"}"),
                     400);
    assert_int_equal(w->order.kind, 0);
    w->refuse = CF_E_INPUT;
    assert_int_equal(ask(w, "POST /backup", SAS_BODY("")), 400);
    assert_string_equal(w->text, "{\"error\":{\"code\":\"BadRequest\",\"message\":\"refused in "
                                 "words\",\"innererror\":null}}");
    w->refuse = CF_OK;
    assert_int_equal(ask(w, "POST /prebackup", NULL), 202); /* all members are optional */
    assert_null(w->order.storage_uri);
    assert_int_equal(ask(w, "GET /backup/0123456789abcdef0123456789abcdef/pending", NULL), 404);
}

#define FOLDER_BODY(uri, folder)                                                                   \
    "{\"sasTokenParameters\":{\"storageResourceUri\":\"" uri "\"},\"folderToRestore\":\"" folder   \
    "\"}"

static void what_an_operator_chose_for_a_job_is_read_strictly(void **state)
{
    struct world *w = *state;
    static const char *const wrong[] = {
        ",\"coffer\":1",
        ",\"coffer\":{\"limit\":1}",
        ",\"coffer\":{\"limitRate\":\"10M\"}",
        ",\"coffer\":{\"limitRate\":65535}",
        ",\"coffer\":{\"limitRate\":0}",
        ",\"coffer\":{\"limitRate\":-1}",
        ",\"coffer\":{\"plan\":\"\"}",
        ",\"coffer\":{\"plan\":\"0123456789abcdef0123456789abcdeF\"}",
        ",\"coffer\":{\"plan\":\"0123456789abcdef0123456789abcdef0\"}",
        ",\"coffer\":{\"connections\":0}",
        ",\"coffer\":{\"connections\":65}",
        ",\"coffer\":{\"connections\":1.5}",
        ",\"coffer\":{\"connections\":2,\"connection\":2}",
    };
    char body[512];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(body, sizeof body, SAS_BODY("%s"), wrong[i]);
        assert_int_equal(ask(w, "POST /backup", body), 400);
        assert_int_equal(w->order.kind, 0);
    }
    assert_int_equal(
        ask(w, "POST /backup", SAS_BODY(",\"coffer\":{\"limitRate\":10485760,\"connections\":3}")),
        202);
    assert_int_equal(w->order.choices.limit_rate, 10485760);
    assert_int_equal(w->order.choices.connections, 3);
    struct jobs_end end = { .event = JOBS_EV_DONE };
    assert_int_equal(jobs_finish(w->jobs, answer_text(w, "jobId"), &end, NULL), CF_OK);
    assert_int_equal(
        ask(w, "PUT /keys/k1/restore",
            "{\"sasTokenParameters\":" SAS_BODY("") ",\"folder\":\"f\","
                                                    "\"coffer\":{\"limitRate\":65536}}"),
        202);
    assert_int_equal(w->order.choices.limit_rate, 65536);
    assert_int_equal(w->order.choices.connections, 0);
}

static void a_running_job_tells_how_far_it_is_and_can_be_canceled(void **state)
{
    struct world *w = *state;
    char path[128], id[JOBS_ID_SIZE];
    assert_int_equal(ask(w, "POST /backup", SAS_BODY("")), 202);
    snprintf(id, sizeof id, "%s", answer_text(w, "jobId"));
    jobs_set_phase(w->jobs, "partitions");
    jobs_set_progress(w->jobs, 1 << 20, 4 << 20);
    hal_sim_clock_step(w->clock, 1000);
    jobs_set_progress(w->jobs, 2 << 20, 4 << 20);
    snprintf(path, sizeof path, "GET /backup/%s/pending", id);
    assert_int_equal(ask(w, path, NULL), 200);
    assert_string_equal(answer_text(w, "statusDetails"), "2.0 MiB of 4.0 MiB, 2.0 MiB/s, 1 s left");
    assert_int_equal(answer_int(w, "coffer.doneBytes"), 2 << 20);
    assert_int_equal(answer_int(w, "coffer.totalBytes"), 4 << 20);
    assert_int_equal(answer_int(w, "coffer.bytesPerSecond"), 2 << 20);
    assert_int_equal(answer_int(w, "coffer.secondsLeft"), 1);
    assert_string_equal(answer_text(w, "coffer.phase"), "partitions");
    snprintf(path, sizeof path, "GET /backup/%s/pending?api-version=7.2-preview", id);
    assert_int_equal(ask(w, path, NULL), 200); /* of clients that take any details for a failure */
    assert_int_equal(json_type_of(answer_at(w, "statusDetails")), JSON_NULL);
    assert_int_equal(answer_int(w, "coffer.doneBytes"), 2 << 20);
    hal_sim_clock_step(w->clock, 20000);
    assert_int_equal(ask(w, path, NULL), 200);
    assert_null(answer_at(w, "coffer.bytesPerSecond"));
    assert_null(answer_at(w, "coffer.secondsLeft"));
    snprintf(path, sizeof path, "POST /coffer/jobs/%s/cancel", id);
    assert_int_equal(ask(w, path, NULL), 202);
    assert_string_equal(answer_text(w, "status"), "InProgress");
    assert_true(jobs_cancel_asked(w->jobs));
    struct jobs_end end = { .event = JOBS_EV_CANCEL, .details = "The job was canceled" };
    assert_int_equal(jobs_finish(w->jobs, id, &end, NULL), CF_OK);
    assert_int_equal(ask(w, path, NULL), 409);
    assert_string_equal(answer_text(w, "error.code"), "Conflict");
    snprintf(path, sizeof path, "GET /coffer/jobs/%s", id);
    assert_int_equal(ask(w, path, NULL), 200);
    assert_string_equal(answer_text(w, "status"), "Canceled");
    assert_int_equal(ask(w, "POST /coffer/jobs/0123456789abcdef0123456789abcdef/cancel", NULL),
                     404);
}

#define BACKER   "00000000-0000-4000-8000-00000000000b"
#define RESTORER "00000000-0000-4000-8000-00000000000c"

static void who_may_start_a_job_may_cancel_it_and_nobody_else(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *request, *body, *may, *may_not;
    } rows[] = {
        { "POST /backup", SAS_BODY(""), BACKER, RESTORER },
        { "PUT /restore", RESTORE_BODY("folderToRestore"), RESTORER, BACKER },
    };
    const char *unknown = "POST /coffer/jobs/0123456789abcdef0123456789abcdef/cancel";
    assert_int_equal(access_grant(w->access, BACKER, ACCESS_BACKUP, NULL), CF_OK);
    assert_int_equal(access_grant(w->access, RESTORER, ACCESS_RESTORE, NULL), CF_OK);
    for (size_t i = 0; i < 2; i++) {
        char cancel[128], status[128], id[JOBS_ID_SIZE];
        assert_int_equal(ask(w, rows[i].request, rows[i].body), 202);
        snprintf(id, sizeof id, "%s", answer_text(w, "jobId"));
        snprintf(cancel, sizeof cancel, "POST /coffer/jobs/%s/cancel", id);
        snprintf(status, sizeof status, "GET /coffer/jobs/%s", id);
        w->who = "99999999-0000-4000-8000-000000000009"; /* no role */
        assert_int_equal(ask(w, cancel, NULL), 403);
        assert_int_equal(ask(w, unknown, NULL), 403);
        w->who = rows[i].may_not;
        assert_int_equal(ask(w, cancel, NULL), 403);
        assert_int_equal(ask(w, status, NULL), 403);
        assert_int_equal(ask(w, unknown, NULL), 404);
        assert_false(jobs_cancel_asked(w->jobs));
        w->who = rows[i].may;
        assert_int_equal(ask(w, status, NULL), 200);
        assert_int_equal(ask(w, unknown, NULL), 404);
        assert_int_equal(ask(w, cancel, NULL), 202);
        assert_true(jobs_cancel_asked(w->jobs));
        struct jobs_end end = { .event = JOBS_EV_CANCEL };
        assert_int_equal(jobs_finish(w->jobs, id, &end, NULL), CF_OK);
        w->who = NULL;
    }
}

static void a_plan_starts_as_a_restore_does_and_is_told_by_its_job(void **state)
{
    struct world *w = *state;
    char path[128], id[JOBS_ID_SIZE];
    assert_int_equal(ask(w, "POST /coffer/restore/plan", RESTORE_BODY("folder")), 400);
    assert_int_equal(ask(w, "POST /coffer/restore/plan", SAS_BODY("")), 400);
    assert_int_equal(ask(w, "POST /coffer/restore/plan", RESTORE_BODY("folderToRestore")), 202);
    assert_int_equal(w->order.kind, JOBS_PLAN);
    assert_string_equal(w->folder, "mhsm-hsm1-20270115080000");
    snprintf(id, sizeof id, "%s", answer_text(w, "jobId"));
    snprintf(path, sizeof path, "/restore/%s/pending", id);
    assert_string_equal(w->reply.async_path, path);
    struct jobs_end end = { .event = JOBS_EV_DONE };
    assert_int_equal(jobs_finish(w->jobs, id, &end, NULL), CF_OK);
    snprintf(path, sizeof path, "GET /coffer/restore/plan/%s", id);
    assert_int_equal(ask(w, path, NULL), 200);
    assert_int_equal(answer_int(w, "counts.0.removed"), 32);
    assert_int_equal(json_count(answer_at(w, "counts")), 5);
    assert_string_equal(answer_text(w, "items.0.name"), "one");
    assert_null(answer_at(w, "items.0.note"));
    assert_string_equal(answer_text(w, "items.1.note"), "made after the backup");
    assert_int_equal(answer_int(w, "versionsLost"), 2);
    assert_int_equal(answer_int(w, "backupTime"), START_S);
    w->refuse = CF_E_ABSENT;
    assert_int_equal(ask(w, path, NULL), 404);
    w->refuse = CF_OK;
    assert_int_equal(ask(w, "POST /coffer/restore/plan/keys/k1", RESTORE_BODY("folderToRestore")),
                     202);
}

static void an_undo_says_what_it_would_do_and_starts_as_a_restore_does(void **state)
{
    struct world *w = *state;
    char poll[128];
    assert_int_equal(ask(w, "GET /coffer/restore/undo", NULL), 200);
    assert_string_equal(answer_text(w, "folder"), "mhsm-hsm1-20270115080000");
    assert_int_equal(answer_int(w, "changesSince"), 3);
    assert_int_equal(answer_int(w, "partitions"), 2);
    assert_int_equal(answer_int(w, "partitionsWritten"), 1);
    assert_int_equal(answer_int(w, "time"), START_S);
    w->refuse = CF_E_STATE;
    assert_int_equal(ask(w, "GET /coffer/restore/undo", NULL), 409);
    w->refuse = CF_OK;
    assert_int_equal(ask(w, "POST /coffer/restore/undo", NULL), 202);
    assert_int_equal(w->order.kind, JOBS_UNDO);
    assert_string_equal(answer_text(w, "coffer.kind"), "undo of the restore");
    assert_null(strstr(w->text, "azureStorageBlobContainerUri"));
    snprintf(poll, sizeof poll, "GET /restore/%s/pending", answer_text(w, "jobId"));
    assert_int_equal(ask(w, poll, NULL), 200);
}

static void all_but_the_last_segment_of_a_folder_belongs_to_the_place(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *body, *uri, *folder;
    } rows[] = {
        { FOLDER_BODY("https://a.b/cont", "f"), "https://a.b/cont", "f" },
        { FOLDER_BODY("https://a.b/cont/", "/f"), "https://a.b/cont", "/f" },
        { FOLDER_BODY("https://a.b/cont", "x/y/f"), "https://a.b/cont/x/y", "f" },
        { FOLDER_BODY("http://127.0.0.1:1/account", "cont/f"), "http://127.0.0.1:1/account/cont",
          "f" },
        { FOLDER_BODY("dir:///mnt", "x/f/"), "dir:///mnt/x", "f/" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ask(w, "PUT /prerestore", rows[i].body), 202);
        assert_string_equal(w->uri, rows[i].uri);
        assert_string_equal(w->folder, rows[i].folder);
        struct jobs_end end = { .event = JOBS_EV_DONE };
        assert_int_equal(jobs_finish(w->jobs, answer_text(w, "jobId"), &end, NULL), CF_OK);
    }
}

static void a_managed_identity_needs_no_token(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "POST /backup",
                         "{\"storageResourceUri\":\"https://a.b/c\",\"useManagedIdentity\":true}"),
                     202);
    assert_true(w->order.managed_identity);
    assert_null(w->order.sas);
}

#define DEF "/providers/Microsoft.Authorization/roleDefinitions"
#define ASG "/providers/Microsoft.Authorization/roleAssignments"
#define G1  "11111111-2222-4333-8444-555555555555"
#define BOB "99999999-0000-4000-8000-000000000009"

static void role_definitions_are_made_listed_and_deleted(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "GET " DEF, NULL), 200);
    assert_int_equal(json_count(answer_at(w, "value")), ACCESS_BUILTINS);
    assert_string_equal(answer_text(w, "value.0.id"),
                        "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"
                        "a290e904-7015-4bba-90c8-60543313cdb4");
    assert_string_equal(answer_text(w, "value.0.properties.roleName"), "Managed HSM Administrator");
    assert_string_equal(answer_text(w, "value.0.properties.type"), "AKVBuiltInRole");
    assert_string_equal(answer_text(w, "value.0.type"), "Microsoft.Authorization/roleDefinitions");
    assert_int_equal(ask(w, "GET /keys/k" DEF "?api-version=7.4&$filter=atScopeAndBelow()", NULL),
                     200);
    assert_int_equal(json_count(answer_at(w, "value")), ACCESS_BUILTINS);
    assert_int_equal(ask(w, "PUT " DEF "/" G1,
                         "{\"properties\":{\"roleName\":\"My role\",\"permissions\":[{"
                         "\"dataActions\":[\"Microsoft.KeyVault/managedHsm/keys/READ/action\"]}],"
                         "\"assignableScopes\":[\"/\"],\"type\":\"CustomRole\"}}"),
                     201);
    assert_string_equal(answer_text(w, "name"), G1);
    assert_string_equal(answer_text(w, "properties.permissions.0.dataActions.0"),
                        "Microsoft.KeyVault/managedHsm/keys/read/action");
    assert_int_equal(json_count(answer_at(w, "properties.permissions.0.actions")), 0);
    assert_string_equal(answer_text(w, "properties.description"), "");
    assert_int_equal(ask(w, "PUT " DEF "/" G1, "{\"properties\":{\"permissions\":[{}]}}"), 201);
    assert_int_equal(ask(w, "GET //" DEF "/" G1, NULL), 200);
    assert_int_equal(ask(w, "PUT /keys" DEF "/" G1, "{\"properties\":{}}"), 400);
    assert_int_equal(ask(w, "PUT " DEF "/x", "{\"properties\":{}}"), 400);
    assert_string_equal(answer_text(w, "error.code"), "BadParameter");
    assert_int_equal(
        ask(w, "PUT " DEF "/a290e904-7015-4bba-90c8-60543313cdb4", "{\"properties\":{}}"), 400);
    assert_non_null(
        strstr(w->text, "Cannot re-use the name/GUID matching that of a built-in role."));
    assert_int_equal(ask(w, "PUT " DEF "/" G1,
                         "{\"properties\":{\"permissions\":[{\"dataActions\":"
                         "[\"Microsoft.KeyVault/managedHsm/fly\"]}]}}"),
                     400);
    assert_int_equal(ask(w, "DELETE " DEF "/" G1, NULL), 200);
    assert_string_equal(answer_text(w, "name"), G1);
    assert_int_equal(ask(w, "DELETE " DEF "/" G1, NULL), 404);
    assert_string_equal(answer_text(w, "error.code"), "RoleDefinitionNotFound");
}

static void role_assignments_are_made_listed_and_deleted(void **state)
{
    struct world *w = *state;
    static const char body[] =
        "{\"properties\":{\"roleDefinitionId\":\"/Microsoft.KeyVault/providers/"
        "Microsoft.Authorization/roleDefinitions/21dbd100-6940-42c2-9190-5d6cb909625b\","
        "\"principalId\":\"" BOB "\"}}";
    assert_int_equal(ask(w, "PUT /keys/k1" ASG "/" G1, body), 201);
    assert_string_equal(answer_text(w, "id"),
                        "/keys/k1/providers/Microsoft.Authorization/roleAssignments/" G1);
    assert_string_equal(answer_text(w, "properties.scope"), "/keys/k1");
    assert_string_equal(answer_text(w, "properties.principalId"), BOB);
    assert_string_equal(answer_text(w, "properties.roleDefinitionId"),
                        "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"
                        "21dbd100-6940-42c2-9190-5d6cb909625b");
    assert_int_equal(ask(w, "PUT /keys/k1" ASG "/" G1, body), 409);
    assert_string_equal(answer_text(w, "error.code"), "RoleAssignmentExists");
    assert_int_equal(ask(w, "GET /keys/k1" ASG, NULL), 200);
    assert_int_equal(json_count(answer_at(w, "value")), 1);
    assert_int_equal(ask(w, "GET ///" ASG, NULL), 200);
    assert_int_equal(json_count(answer_at(w, "value")), 3); /* those of the world, at "/" */
    assert_string_equal(answer_text(w, "value.0.properties.scope"), "/");
    assert_int_equal(ask(w, "GET " ASG "?api-version=7.4&$filter=principalId+eq+" BOB, NULL), 200);
    assert_int_equal(json_count(answer_at(w, "value")), 1);
    assert_int_equal(ask(w, "GET " ASG "?api-version=7.4&$filter=nonsense", NULL), 400);
    assert_int_equal(ask(w, "GET /keys/k1" ASG "/" G1, NULL), 200);
    assert_int_equal(ask(w, "GET " ASG "/" G1, NULL), 404);
    assert_string_equal(answer_text(w, "error.code"), "RoleAssignmentNotFound");
    assert_int_equal(ask(w, "DELETE /keys/k1" ASG "/" G1, NULL), 200);
    assert_string_equal(answer_text(w, "name"), G1);
    assert_int_equal(ask(w, "PUT " ASG "/" G1, "{\"properties\":{\"principalId\":\"x\"}}"), 400);
    assert_int_equal(ask(w, "PUT " ASG "/" G1,
                         "{\"properties\":{\"principalId\":\"" BOB "\",\"roleDefinitionId\":\"" G1
                         "\"}}"),
                     404);
}

static void settings_are_text_in_lower_case(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "GET /settings", NULL), 200);
    assert_string_equal(w->text, "{\"settings\":[{\"name\":\"AllowKeyManagementOperationsThroughARM"
                                 "\",\"value\":\"false\",\"type\":\"boolean\"}]}");
    assert_int_equal(
        ask(w, "PATCH /settings/AllowKeyManagementOperationsThroughARM", "{\"value\":\"True\"}"),
        200);
    assert_string_equal(answer_text(w, "value"), "true");
    assert_int_equal(ask(w, "GET /settings/AllowKeyManagementOperationsThroughARM", NULL), 200);
    assert_string_equal(answer_text(w, "value"), "true");
    assert_int_equal(
        ask(w, "PATCH /settings/AllowKeyManagementOperationsThroughARM", "{\"value\":\"maybe\"}"),
        400);
    assert_int_equal(ask(w, "GET /settings/None", NULL), 404);
}

/* One officer's entry as az sends it: no kid, the certificate in one line. */
static void officer(char *out, size_t size, const struct cf_buf *der)
{
    struct crypto_cert c;
    char x5c[4096], n[1024], x5t[64];
    assert_int_equal(crypto_cert_parse(crypto_bytes_of(der->data, der->len), &c, NULL), CF_OK);
    cf_base64(der->data, der->len, x5c);
    cf_base64url(c.pub.n, c.pub.n_len, n);
    cf_base64url(c.sha256, 32, x5t);
    snprintf(out, size,
             "{\"kty\":\"RSA\",\"key_ops\":[\"verify\",\"encrypt\",\"wrapKey\"],"
             "\"n\":\"%s\",\"e\":\"AQAB\",\"x5c\":[\"%s\"],\"x5t#S256\":\"%s\","
             "\"alg\":\"RSA-OAEP-256\"}",
             n, x5c, x5t);
}

#define OFFICERS 3

static void make_officers(char entry[OFFICERS][8192])
{
    for (size_t i = 0; i < OFFICERS; i++) {
        struct crypto_cert_order o = {
            .kind = CRYPTO_CERT_OFFICER, .common_name = "officer", .now = START_S, .days = 10
        };
        struct crypto_cert_pair pair = { 0 };
        struct cf_buf der = { 0 };
        assert_int_equal(crypto_cert_make(&o, NULL, &pair, NULL), CF_OK);
        assert_int_equal(crypto_cert_from_pem(
                             crypto_bytes_of(pair.cert_pem.data, pair.cert_pem.len), &der, NULL),
                         CF_OK);
        officer(entry[i], 8192, &der);
        cf_buf_clear(&der);
        crypto_cert_pair_clear(&pair);
    }
}

static void a_download_gives_the_document_as_a_string(void **state)
{
    struct world *w = *state;
    static char entry[OFFICERS][8192];
    static char body[4 * 8192];
    make_officers(entry);
    w->state = API_PROVISIONED;
    snprintf(body, sizeof body, "{\"certificates\":[%s,{\"value\":%s},%s],\"required\":2}",
             entry[0], entry[1], entry[2]); /* both shapes of an entry */
    assert_int_equal(ask(w, "POST /securitydomain/download?api-version=7.2", body), 202);
    assert_string_equal(answer_text(w, "value"), "{\"SharedKeys\":\"\\n\"}");
    assert_string_equal(w->reply.async_path, "/securitydomain/download/pending");
    assert_int_equal(w->officer_count, 3);
    assert_int_equal(w->required, 2);
    assert_int_equal(ask(w, "GET /securitydomain/download/pending?", NULL), 200);
    assert_string_equal(w->text, "{\"status\":\"Success\",\"status_details\":\"\"}");
    assert_int_equal(ask(w, "GET /securitydomain/upload/pending?", NULL), 200);
    assert_string_equal(answer_text(w, "status"), "Success");

    snprintf(body, sizeof body, "{\"certificates\":[%s,%s,%s]}", entry[0], entry[1], entry[1]);
    assert_int_equal(ask(w, "POST /securitydomain/download", body), 400); /* one twice */
    snprintf(body, sizeof body, "{\"certificates\":[%s,%s]}", entry[0], entry[1]);
    assert_int_equal(ask(w, "POST /securitydomain/download", body), 400); /* too few */
    snprintf(body, sizeof body, "{\"certificates\":[%s,%s,%s],\"required\":4}", entry[0], entry[1],
             entry[2]);
    assert_int_equal(ask(w, "POST /securitydomain/download", body), 400);
    snprintf(body, sizeof body, "{\"certificates\":[%s,%s,%s],\"required\":1}", entry[0], entry[1],
             entry[2]);
    assert_int_equal(ask(w, "POST /securitydomain/download", body), 400);
    strstr(entry[0], "\"n\":\"")[5] ^= 3; /* another modulus than the certificate's */
    snprintf(body, sizeof body, "{\"certificates\":[%s,%s,%s]}", entry[0], entry[1], entry[2]);
    assert_int_equal(ask(w, "POST /securitydomain/download", body), 400);
}

static void the_transfer_key_is_json_in_a_string_and_the_blob_comes_either_way(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "GET /securitydomain/upload", NULL), 409); /* activated already */
    w->state = API_RECOVERING;
    assert_int_equal(ask(w, "GET /securitydomain/upload", NULL), 200);
    assert_string_equal(w->text,
                        "{\"key_format\":\"jwk\",\"transfer_key\":\"{\\\"kty\\\":\\\"RSA\\\"}\"}");
    w->status = (struct api_domain_status){ .state = API_DOMAIN_IN_PROGRESS, .details = "d" };
    assert_int_equal(ask(w, "POST /securitydomain/upload", "{\"value\":\"{\\\"a\\\": 1}\"}"), 202);
    assert_string_equal(w->blob, "{\"a\": 1}");
    assert_string_equal(w->text, "{\"status\":\"InProgress\",\"status_details\":\"d\"}");
    assert_string_equal(w->reply.async_path, "/securitydomain/upload/pending");
    assert_int_equal(ask(w, "POST /securitydomain/upload", "{\"value\":\"eyJhIjogMX0\"}"), 202);
    assert_string_equal(w->blob, "{\"a\": 1}");
    assert_int_equal(ask(w, "POST /securitydomain/upload", "{\"value\":\"!\"}"), 400);
    assert_int_equal(ask(w, "POST /securitydomain/upload", "{\"value\":{}}"), 400);
    w->refuse = CF_E_AUTH;
    assert_int_equal(ask(w, "POST /securitydomain/upload", "{\"value\":\"{}\"}"), 400);
    assert_string_equal(answer_text(w, "error.code"), "BadParameter");
}

static void health_says_alive_and_state_and_no_more(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "GET /health", NULL), 200);
    assert_string_equal(w->text, "{\"status\":\"alive\",\"state\":\"active\"}");
    w->state = API_RESTORING;
    assert_int_equal(ask(w, "GET /health", NULL), 200);
    assert_string_equal(answer_text(w, "state"), "restoring");
}

static void the_authority_gives_tokens_for_its_forms_only(void **state)
{
    struct world *w = *state;
    struct access_client client;
    struct cf_secret *secret = NULL;
    char form[512];
    assert_int_equal(access_client_make(w->authority, "admin", &client, &secret, NULL), CF_OK);
    int len = snprintf(form, sizeof form,
                       "grant_type=client_credentials&client_id=%s&client_secret=%.*s&scope="
                       "https%%3A%%2F%%2Fcoffer.test%%3A8443%%2F.default",
                       client.client_id, (int)cf_secret_len(secret),
                       (const char *)cf_secret_view(secret));
    cf_secret_free(secret);
    assert_int_equal(ask_form(w, "POST /adfs/oauth2/token", form), 200);
    assert_string_equal(answer_text(w, "token_type"), "Bearer");
    assert_int_equal(answer_int(w, "expires_in"), ACCESS_LIFETIME_S);
    assert_true(strlen(answer_text(w, "access_token")) > 100);
    assert_true(w->reply.no_store);
    assert_int_equal(ask_form(w, "POST /" TENANT "/oauth2/v2.0/token", form), 200);
    assert_int_equal(ask(w, "POST /adfs/oauth2/token", "{}"), 415);
    assert_int_equal(ask_form(w, "POST /adfs/oauth2/token", NULL), 400);
    assert_string_equal(answer_text(w, "error"), "invalid_request");
    snprintf(form + len, sizeof form - (size_t)len, "&client_id=x");
    assert_int_equal(ask_form(w, "POST /adfs/oauth2/token", form), 400); /* one field twice */
    assert_string_equal(answer_text(w, "error"), "invalid_request");
    form[len] = 0;
    strstr(form, "client_secret=")[20] ^= 1;
    assert_int_equal(ask_form(w, "POST /adfs/oauth2/token", form), 401);
    assert_string_equal(answer_text(w, "error"), "invalid_client");
    assert_false(w->reply.challenge); /* that is for the data plane */
}

static void the_authority_publishes_itself(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "GET /adfs/.well-known/openid-configuration", NULL), 200);
    assert_string_equal(answer_text(w, "token_endpoint"), BASE "/adfs/oauth2/token");
    assert_string_equal(answer_text(w, "jwks_uri"), BASE "/adfs/discovery/keys");
    assert_int_equal(ask(w, "GET /" TENANT "/v2.0/.well-known/openid-configuration", NULL), 200);
    assert_string_equal(answer_text(w, "token_endpoint"), BASE "/" TENANT "/oauth2/v2.0/token");
    assert_int_equal(ask(w, "GET /other/v2.0/.well-known/openid-configuration", NULL), 404);
    assert_int_equal(ask(w, "GET /adfs/discovery/keys", NULL), 200);
    assert_string_equal(answer_text(w, "keys.0.kty"), "RSA");
    assert_int_equal(ask(w, "GET /common/discovery/instance", NULL), 200);
    assert_string_equal(answer_text(w, "tenant_discovery_endpoint"),
                        BASE "/adfs/.well-known/openid-configuration");
    w->api.cfg.authority = NULL;
    assert_int_equal(ask(w, "GET /adfs/discovery/keys", NULL), 404);
}

static enum cf_rc create(void *ctx, const struct json *body, struct cf_buf *reply, struct cf_err *e)
{
    const char *name = NULL;
    (void)ctx;
    if (!body)
        return CF_FAIL(e, CF_E_INPUT, "a body is expected");
    enum cf_rc rc = json_get_text(body, "name", &name, e);
    return rc == CF_OK ? cf_buf_printf(reply, e, "{\"made\":\"%s\"}", name) : rc;
}

static enum cf_rc undo(void *ctx, const struct json *body, struct cf_buf *reply, struct cf_err *e)
{
    (void)ctx;
    (void)body;
    (void)reply;
    (void)e;
    return CF_OK;
}

static void local_commands_reach_the_application(void **state)
{
    struct world *w = *state;
    const struct api_local_ops ops = { .ctx = w, .create = create, .undo = undo };
    w->api.cfg.local = &ops;
    w->state = API_FACTORY;
    assert_int_equal(ask(w, "POST /local/create?", "{\"name\":\"hsm1\"}"), 200);
    assert_string_equal(w->text, "{\"made\":\"hsm1\"}");
    assert_int_equal(ask(w, "POST /local/create?", "{}"), 400);
    assert_int_equal(ask(w, "POST /local/create?", NULL), 400);
    assert_int_equal(ask(w, "POST /local/undo?", NULL), 200);
    assert_string_equal(w->text, "{}");
    assert_int_equal(ask(w, "POST /local/pin?", "{\"pin\":\"1\"}"), 404); /* not offered */
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, world_up, world_down)
    const struct CMUnitTest tests[] = {
        TEST(a_started_job_answers_what_every_client_waits_for),
        TEST(a_failed_job_says_why_in_its_body),
        TEST(orders_that_lack_something_are_refused_before_they_start),
        TEST(what_an_operator_chose_for_a_job_is_read_strictly),
        TEST(a_running_job_tells_how_far_it_is_and_can_be_canceled),
        TEST(who_may_start_a_job_may_cancel_it_and_nobody_else),
        TEST(a_plan_starts_as_a_restore_does_and_is_told_by_its_job),
        TEST(an_undo_says_what_it_would_do_and_starts_as_a_restore_does),
        TEST(all_but_the_last_segment_of_a_folder_belongs_to_the_place),
        TEST(a_managed_identity_needs_no_token),
        TEST(role_definitions_are_made_listed_and_deleted),
        TEST(role_assignments_are_made_listed_and_deleted),
        TEST(settings_are_text_in_lower_case),
        TEST(a_download_gives_the_document_as_a_string),
        TEST(the_transfer_key_is_json_in_a_string_and_the_blob_comes_either_way),
        TEST(health_says_alive_and_state_and_no_more),
        TEST(the_authority_gives_tokens_for_its_forms_only),
        TEST(the_authority_publishes_itself),
        TEST(local_commands_reach_the_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
