/* bench up, down, token: a whole appliance in a folder. */
#include "bench.h"
#include "sd_download.h"
#include "simple.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/authority.h"
#include "base/file.h"
#include "base/text.h"

#define RETENTION_DAYS 90

/* Who exists on every bench appliance, and the role at "/" each gets once it is activated. */
static const struct {
    const char *name;
    const char *role; /* built-in role's id, or NULL */
} principals[] = {
    { "admin", "515eb02d-2335-4d2d-92f2-b1cbdf9c3778" }, /* Crypto Officer, besides Administrator */
    { "backup-user", "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8" }, /* Managed HSM Backup */
    { "crypto-user", "21dbd100-6940-42c2-9190-5d6cb909625b" }, /* Managed HSM Crypto User */
    { "auditor", "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3" },     /* Managed HSM Crypto Auditor */
    { "nobody", NULL },
};
#define PRINCIPALS (sizeof principals / sizeof principals[0])

/* --- what is asked for --------------------------------------------------------------------------
 */

static enum cf_rc take_path(const char *given, char *out, struct cf_err *e)
{
    char full[PATH_MAX];
    if (!given)
        return CF_OK;
    if (!realpath(given, full) || strlen(full) >= BENCH_PATH)
        return CF_FAIL_ERRNO(e, CF_E_INPUT, "%s", given);
    memcpy(out, full, strlen(full) + 1);
    return CF_OK;
}

/* The selector knows a partition by its place in the table: a name that is there keeps its place, a
 * new one is put behind, and none is taken away. */
static char *place_of(struct bench *b, const char *name, size_t len)
{
    for (size_t i = 0; i < b->partitions; i++)
        if (strncmp(b->partition[i], name, len) == 0 && b->partition[i][len] == '=')
            return b->partition[i];
    return b->partitions < BENCH_PARTITIONS_MAX ? b->partition[b->partitions++] : NULL;
}

static enum cf_rc take_partition(const char *given, struct bench *b, struct cf_err *e)
{
    char full[PATH_MAX];
    const char *equals = strchr(given, '=');
    size_t len = equals ? (size_t)(equals - given) : 0;
    if (len == 0 || len > 32)
        return CF_FAIL(e, CF_E_INPUT, "--partition %s: NAME=FILE is wanted", given);
    if (!realpath(equals + 1, full))
        return CF_FAIL_ERRNO(e, CF_E_INPUT, "--partition %s", given);
    if (len + 1 + strlen(full) >= BENCH_PATH)
        return CF_FAIL(e, CF_E_INPUT, "--partition %s: the path is too long", given);
    char *place = place_of(b, given, len);
    if (!place)
        return CF_FAIL(e, CF_E_LIMIT, "at most %d partitions", BENCH_PARTITIONS_MAX);
    snprintf(place, BENCH_PATH, "%.*s=%s", (int)len, given, full);
    return CF_OK;
}

static enum cf_rc take_partitions(const struct cli_list *given, struct bench *b, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; given && rc == CF_OK && i < given->count; i++)
        rc = take_partition(given->item[i], b, e);
    return rc;
}

static enum cf_rc take_sets(const struct cli_list *given, struct bench *b, struct cf_err *e)
{
    if (!given)
        return CF_OK;
    if (given->count > BENCH_SETS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "at most %d settings", BENCH_SETS_MAX);
    b->sets = 0;
    for (size_t i = 0; i < given->count; i++)
        snprintf(b->set[b->sets++], sizeof b->set[0], "%s", given->item[i]);
    return CF_OK;
}

static enum cf_rc take_name(const struct cli_args *a, struct bench *b, struct cf_err *e)
{
    const char *name = a->text[OPT_NAME];
    if (!name)
        return b->name[0] ? CF_OK
                          : CF_FAIL(e, CF_E_INPUT, "--name is needed for a new bench appliance");
    size_t len = strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz-");
    if (name[len] || len < 3 || len > 24 || name[0] < 'a')
        return CF_FAIL(e, CF_E_INPUT,
                       "--name must be 3 to 24 of a-z, 0-9 and -, beginning with a letter");
    if (b->created && strcmp(b->name, name) != 0)
        return CF_FAIL(e, CF_E_STATE, "the appliance in %s is named %s; --fresh makes a new one",
                       b->dir, b->name);
    memcpy(b->name, name, len + 1);
    return CF_OK;
}

static enum cf_rc take_options(const struct cli_args *a, struct bench *b, struct cf_err *e)
{
    enum cf_rc rc = take_name(a, b, e);
    if (b->port == 0)
        b->port = BENCH_PORT;
    if (rc == CF_OK && a->text[OPT_PORT])
        rc = cf_err_ctx(e, cf_parse_u64(a->text[OPT_PORT], 65535, &b->port, e), "--port");
    if (rc == CF_OK && b->port == 0) /* its URL, and so its name, must stay */
        rc = CF_FAIL(e, CF_E_INPUT, "--port must be 1 to 65535");
    if (rc == CF_OK)
        rc = take_path(a->text[OPT_MODULE], b->module, e);
    if (rc == CF_OK)
        rc = take_path(a->text[OPT_PIN_FILE], b->pin_file, e);
    if (rc == CF_OK)
        rc = take_path(a->text[OPT_STORAGE_CA], b->storage_ca, e);
    if (a->text[OPT_TOKEN_URI])
        snprintf(b->token_uri, sizeof b->token_uri, "%s", a->text[OPT_TOKEN_URI]);
    if (rc == CF_OK && b->module[0] && (!b->token_uri[0] || !b->pin_file[0]))
        rc = CF_FAIL(e, CF_E_INPUT, "--module goes with --token-uri and --pin-file");
    if (rc == CF_OK)
        rc = take_partitions(a->list[OPT_PARTITION], b, e);
    if (rc == CF_OK)
        rc = take_sets(a->list[OPT_SET], b, e);
    bench_name(b);
    return rc;
}

/* --- wiping
 * ---------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* Only what bench up made: other files of the folder stay. */
static void wipe(const struct bench *b)
{
    static const char *const made[] = { "bench.json",   "config",
                                        "keystore",     "audit.img",
                                        "tls",          "token",
                                        "officers",     "principals",
                                        "blobs",        "cofferd.conf",
                                        "cofferd.sock", "cofferd.pid",
                                        "cofferd.log",  "security-domain.json" };
    char path[BENCH_PATH];
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        bench_path(b, made[i], path);
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

/* What another appliance left beside the partitions' files must not be taken for this one's. */
static void forget_slots(const struct bench *b)
{
    char path[BENCH_PATH + 8];
    for (size_t i = 0; i < b->partitions; i++) {
        snprintf(path, sizeof path, "%s.slot", strchr(b->partition[i], '=') + 1);
        unlink(path);
    }
}

/* --- provisioning
 * ---------------------------------------------------------------------------------- */

static enum cf_rc create(const struct bench *b, struct cf_err *e)
{
    char client[ACCESS_GUID_SIZE], oid[ACCESS_GUID_SIZE];
    struct body body;
    struct cli_answer r = { 0 };
    access_client_ids("admin", client, oid);
    body_begin(&body, e);
    json_put_text(&body.w, "name", b->name);
    json_put_int(&body.w, "retention", RETENTION_DAYS);
    json_put_array(&body.w, "administrators");
    json_put_text(&body.w, NULL, oid);
    json_close(&body.w);
    enum cf_rc rc = body_end(&body);
    if (rc == CF_OK)
        rc = bench_local(b, "POST", "/local/create", &body.text, &r, e);
    cf_buf_clear(&body.text);
    cli_answer_clear(&r);
    return rc;
}

static enum cf_rc make_principal(const struct bench *b, const char *name, struct cf_err *e)
{
    char path[BENCH_PATH], file[64];
    struct body body, out = { 0 };
    struct cli_answer r = { 0 };
    body_begin(&body, e);
    json_put_text(&body.w, "name", name);
    enum cf_rc rc = body_end(&body);
    if (rc == CF_OK)
        rc = bench_local(b, "POST", "/local/client", &body.text, &r, e);
    if (rc == CF_OK) {
        body_begin(&out, e);
        json_put_text(&out.w, "name", name);
        json_put_text(&out.w, "client_id", simple_text(r.json, "client_id"));
        json_put_text(&out.w, "client_secret", simple_text(r.json, "client_secret"));
        json_put_text(&out.w, "object_id", simple_text(r.json, "object_id"));
        json_put_text(&out.w, "tenant_id", BENCH_TENANT);
        json_put_text(&out.w, "authority", b->url);
        rc = body_end(&out);
    }
    snprintf(file, sizeof file, "principals/%s.json", name);
    bench_path(b, file, path);
    if (rc == CF_OK)
        rc = cf_file_write(path, 0600, out.text.data, out.text.len, e);
    cf_buf_clear(&body.text);
    cf_buf_clear(&out.text);
    cli_answer_clear(&r);
    return rc;
}

static enum cf_rc provision(struct bench *b, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    struct cf_err first = { 0 };
    if (b->created)
        return CF_OK;
    rc = create(b, &first);
    if (rc == CF_E_STATE)
        rc = CF_OK; /* a bench up that was cut short came this far */
    else if (rc != CF_OK)
        *e = first;
    for (size_t i = 0; rc == CF_OK && i < PRINCIPALS; i++)
        rc = make_principal(b, principals[i].name, e);
    b->created = rc == CF_OK;
    return rc == CF_OK ? bench_write(b, e) : rc;
}

static enum cf_rc assign(struct cli_target *t, const char *name, const char *role, struct cf_err *e)
{
    char client[ACCESS_GUID_SIZE], oid[ACCESS_GUID_SIZE], path[160], id[128];
    struct body body;
    struct cli_answer r = { 0 };
    struct cf_err err = { 0 };
    access_client_ids(name, client, oid);
    /* The principal's own id serves as the assignment's name, so that repeating it meets itself. */
    snprintf(path, sizeof path, "/providers/Microsoft.Authorization/roleAssignments/%s", oid);
    snprintf(id, sizeof id,
             "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/%s", role);
    body_begin(&body, &err);
    json_put_object(&body.w, "properties");
    json_put_text(&body.w, "roleDefinitionId", id);
    json_put_text(&body.w, "principalId", oid);
    json_close(&body.w);
    enum cf_rc rc = body_end(&body);
    if (rc == CF_OK)
        rc = cli_call(t, "PUT", path, &body.text, &r, &err);
    cf_buf_clear(&body.text);
    cli_answer_clear(&r);
    if (rc == CF_E_STATE)
        return CF_OK;
    if (rc != CF_OK)
        *e = err;
    return rc;
}

static enum cf_rc activate(const struct cli_args *a, struct bench *b, struct cf_err *e)
{
    char sd[BENCH_PATH], cert[3][BENCH_PATH];
    struct cli_list certificates = { .count = 3 };
    struct cli_target *t = NULL;
    if (b->activated || a->text[OPT_NO_ACTIVATE])
        return CF_OK;
    bench_path(b, "security-domain.json", sd);
    unlink(sd); /* of an activation that was cut short: the next one shares the same domain anew */
    for (unsigned i = 0; i < 3; i++) {
        char file[40];
        snprintf(file, sizeof file, "officers/officer%u.cer", i + 1);
        bench_path(b, file, cert[i]);
        certificates.item[i] = cert[i];
    }
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = sd_download(t, &certificates, "2", sd, e);
    for (size_t i = 0; rc == CF_OK && i < PRINCIPALS; i++)
        if (principals[i].role)
            rc = assign(t, principals[i].name, principals[i].role, e);
    cli_target_close(t);
    b->activated = rc == CF_OK;
    return rc == CF_OK ? bench_write(b, e) : rc;
}

/* --- verbs
 * ------------------------------------------------------------------------------------------- */

static enum cf_rc report(const struct cli_args *a, const struct bench *b, struct cf_err *e)
{
    char ca[BENCH_PATH];
    struct cli_answer r = { 0 };
    int64_t pid = 0, worker = 0;
    enum cf_rc rc = bench_local(b, "GET", "/local/status", NULL, &r, e);
    bench_path(b, "tls/ca.pem", ca);
    json_int(json_member(r.json, "pid"), &pid);
    json_int(json_member(r.json, "worker_pid"), &worker);
    if (rc == CF_OK && a->text[OPT_JSON])
        cli_print_json(r.json);
    else if (rc == CF_OK)
        printf(
            "HSM_URL=%s\nHSM_CA=%s\nHSM_NAME=%s\nHSM_AUTHORITY=%s\nHSM_TENANT=%s\nHSM_PID=%lld\nHSM_WORKER_PID=%lld\n",
            b->url, ca, b->name, b->url, BENCH_TENANT, (long long)pid, (long long)worker);
    cli_answer_clear(&r);
    return rc;
}

/* The folder, made if need be, and what bench.json there says. */
static enum cf_rc open_folder(const struct cli_args *a, struct bench *b, struct cf_err *e)
{
    char full[PATH_MAX];
    struct cf_err err = { 0 };
    if (mkdir(a->text[OPT_DIR], 0700) != 0 && errno != EEXIST)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot make %s", a->text[OPT_DIR]);
    enum cf_rc rc = bench_read(a->text[OPT_DIR], b, &err);
    if (rc == CF_OK && a->text[OPT_FRESH]) {
        rc = bench_stop(b, e);
        if (rc != CF_OK)
            return rc;
        wipe(b);
        *b = (struct bench){ 0 };
        rc = CF_E_ABSENT;
    }
    if (rc == CF_E_ABSENT) {
        if (!realpath(a->text[OPT_DIR], full) || strlen(full) > BENCH_DIR_MAX)
            return CF_FAIL(e, CF_E_INPUT,
                           "the path of %s is longer than %d bytes; its local socket would not fit",
                           a->text[OPT_DIR], BENCH_DIR_MAX);
        memcpy(b->dir, full, strlen(full) + 1);
        return CF_OK;
    }
    if (rc != CF_OK)
        *e = err;
    return rc;
}

/* True when nothing is asked but "be up". */
static bool no_change(const struct cli_args *a)
{
    static const enum cli_option changes[] = { OPT_PORT,     OPT_MODULE,    OPT_TOKEN_URI,
                                               OPT_PIN_FILE, OPT_PARTITION, OPT_STORAGE_CA,
                                               OPT_SET };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (a->text[changes[i]])
            return false;
    return true;
}

int verb_bench_up(const struct cli_args *a, struct cf_err *e)
{
    struct bench *b = calloc(1, sizeof *b);
    pid_t pid = 0;
    enum cf_rc rc = b ? open_folder(a, b, e) : CF_FAIL(e, CF_E_LIMIT, "no memory");
    if (rc == CF_OK)
        rc = take_options(a, b, e);
    bool up = rc == CF_OK && no_change(a) && bench_running(b);
    if (rc == CF_OK && !up)
        rc = bench_stop(b, e);
    if (rc == CF_OK && !b->created)
        forget_slots(b);
    if (rc == CF_OK && !up)
        rc = bench_make(b, e);
    if (rc == CF_OK && !up)
        rc = bench_configure(b, e);
    /* What an appliance in use is asked to change is kept once it has come up with it. */
    if (rc == CF_OK && !b->created)
        rc = bench_write(b, e);
    if (rc == CF_OK && !up)
        rc = bench_start(b, &pid, e);
    if (rc == CF_OK && b->created)
        rc = bench_write(b, e);
    if (rc == CF_OK)
        rc = provision(b, e);
    if (rc == CF_OK)
        rc = activate(a, b, e);
    if (rc == CF_OK)
        rc = report(a, b, e);
    free(b);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

int verb_bench_down(const struct cli_args *a, struct cf_err *e)
{
    struct bench *b = calloc(1, sizeof *b);
    enum cf_rc rc = b ? bench_read(a->text[OPT_DIR], b, e) : CF_FAIL(e, CF_E_LIMIT, "no memory");
    if (rc == CF_OK)
        rc = bench_stop(b, e);
    if (rc == CF_OK && a->text[OPT_JSON])
        printf("{}\n");
    free(b);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

static enum cf_rc lifetime_of(const struct cli_args *a, int64_t *out, struct cf_err *e)
{
    const char *text = a->text[OPT_EXPIRES_IN];
    uint64_t n = 0;
    *out = ACCESS_LIFETIME_S;
    if (!text)
        return CF_OK;
    bool negative = text[0] == '-';
    enum cf_rc rc = cf_parse_u64(text + negative, ACCESS_LIFETIME_MAX_S, &n, e);
    *out = negative ? -(int64_t)n : (int64_t)n;
    return cf_err_ctx(e, rc, "--expires-in");
}

int verb_bench_token(const struct cli_args *a, struct cf_err *e)
{
    struct bench *b = calloc(1, sizeof *b);
    struct cf_buf token = { 0 };
    const char *text = NULL;
    int64_t lifetime_s = 0;
    enum cf_rc rc = b ? bench_read(a->text[OPT_DIR], b, e) : CF_FAIL(e, CF_E_LIMIT, "no memory");
    if (rc == CF_OK)
        rc = lifetime_of(a, &lifetime_s, e);
    if (rc == CF_OK)
        rc = bench_token(b, a->word.item[0], a->text[OPT_AUDIENCE], lifetime_s, &token, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&token, &text, e);
    if (rc == CF_OK)
        printf(a->text[OPT_JSON] ? "{\"access_token\": \"%s\"}\n" : "%s\n", text);
    cf_buf_clear(&token);
    free(b);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}
