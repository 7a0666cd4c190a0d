/* role definition and role assignment. */
#include "bench.h"
#include "simple.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "access/authority.h"
#include "base/text.h"

#define AUTHORIZATION "/providers/Microsoft.Authorization/"

static enum cf_rc definition_row(const struct json *d, struct cf_buf *table, struct cf_err *e)
{
    const struct json *p = json_member(d, "properties");
    const struct json *permission = json_first(json_member(p, "permissions"));
    return cf_buf_printf(table, e, "%s\t%s\t%s\t%zu\n", simple_text(p, "roleName"),
                         simple_text(d, "name"), simple_text(p, "type"),
                         json_count(json_member(permission, "dataActions")));
}

int verb_role_definition_list(const struct cli_args *a, struct cf_err *e)
{
    return simple_list(a, AUTHORIZATION "roleDefinitions", "ROLE\tID\tTYPE\tDATA ACTIONS\n",
                       definition_row, e);
}

/* "", "/keys" or "/keys/NAME": what goes in front of the provider's path. */
static enum cf_rc scope_of(const struct cli_args *a, char *out, size_t size, struct cf_err *e)
{
    const char *scope = a->text[OPT_SCOPE] ? a->text[OPT_SCOPE] : "/";
    while (*scope == '/')
        scope++;
    bool keys = strncmp(scope, "keys", 4) == 0 && (scope[4] == 0 || scope[4] == '/');
    if (*scope && !keys)
        return CF_FAIL(e, CF_E_INPUT, "a scope is /, /keys or /keys/NAME");
    if (keys && scope[4] == '/' && body_check_name(scope + 5, e) != CF_OK)
        return CF_E_INPUT;
    snprintf(out, size, "%s%s", *scope ? "/" : "", scope);
    return CF_OK;
}

static enum cf_rc assignment_row(const struct json *r, struct cf_buf *table, struct cf_err *e)
{
    const struct json *p = json_member(r, "properties");
    const char *role = strrchr(simple_text(p, "roleDefinitionId"), '/');
    return cf_buf_printf(table, e, "%s\t%s\t%s\t%s\n", simple_text(p, "scope"),
                         simple_text(p, "principalId"), role ? role + 1 : "",
                         simple_text(r, "name"));
}

int verb_role_assignment_list(const struct cli_args *a, struct cf_err *e)
{
    char scope[160], path[256];
    if (scope_of(a, scope, sizeof scope, e) != CF_OK)
        return EXIT_USAGE;
    snprintf(path, sizeof path, "%s" AUTHORIZATION "roleAssignments", scope);
    return simple_list(a, path, "SCOPE\tPRINCIPAL\tROLE\tNAME\n", assignment_row, e);
}

/* A role by name or GUID, as the definition's id on the wire. */
static enum cf_rc find_role(struct cli_target *t, const char *role, char *out, size_t size,
                            struct cf_err *e)
{
    struct cli_answer r = { 0 };
    enum cf_rc rc = cli_call(t, "GET", AUTHORIZATION "roleDefinitions", NULL, &r, e);
    out[0] = 0;
    const struct json *d = rc == CF_OK ? json_first(json_member(r.json, "value")) : NULL;
    for (; d && !out[0]; d = json_next(d))
        if (strcasecmp(simple_text(json_member(d, "properties"), "roleName"), role) == 0 ||
            strcasecmp(simple_text(d, "name"), role) == 0)
            snprintf(out, size, "%s", simple_text(d, "id"));
    if (rc == CF_OK && !out[0])
        rc =
            CF_FAIL(e, CF_E_ABSENT, "there is no role '%s'; see coffer role definition list", role);
    cli_answer_clear(&r);
    return rc;
}

/* An object id as it is; on a bench also the name of a principal. */
static enum cf_rc find_principal(const struct cli_args *a, char out[ACCESS_GUID_SIZE],
                                 struct cf_err *e)
{
    char client[ACCESS_GUID_SIZE];
    if (cf_parse_guid(a->text[OPT_ASSIGNEE], out, NULL) == CF_OK)
        return CF_OK;
    if (!a->text[OPT_DIR])
        return CF_FAIL(e, CF_E_INPUT, "--assignee must be an object id (a GUID)");
    /* A name that is nobody's would make an id all the same, and the role would go to no one. */
    struct bench b;
    char file[128], path[BENCH_PATH];
    access_client_ids(a->text[OPT_ASSIGNEE], client, out);
    snprintf(file, sizeof file, "principals/%.64s.json", a->text[OPT_ASSIGNEE]);
    enum cf_rc rc = bench_read(a->text[OPT_DIR], &b, e);
    if (rc != CF_OK)
        return rc;
    bench_path(&b, file, path);
    return *out && access(path, F_OK) == 0
               ? CF_OK
               : CF_FAIL(e, CF_E_INPUT,
                         "--assignee %.64s is no object id (GUID), and no principal of this bench",
                         a->text[OPT_ASSIGNEE]);
}

static void random_guid(char out[37])
{
    uint8_t r[16] = { 0 };
    char hex[33];
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
        memset(r, 0x5a, sizeof r); /* the appliance refuses a name that is taken */
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
    cf_hex(r, sizeof r, hex);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static enum cf_rc create_assignment(struct cli_target *t, const struct cli_args *a,
                                    struct cli_answer *r, struct cf_err *e)
{
    char scope[160], path[320], role[256], principal[ACCESS_GUID_SIZE], name[37];
    struct body b;
    enum cf_rc rc = scope_of(a, scope, sizeof scope, e);
    if (rc == CF_OK)
        rc = find_principal(a, principal, e);
    if (rc == CF_OK)
        rc = find_role(t, a->text[OPT_ROLE], role, sizeof role, e);
    if (rc != CF_OK)
        return rc;
    random_guid(name);
    snprintf(path, sizeof path, "%s" AUTHORIZATION "roleAssignments/%.64s", scope,
             a->text[OPT_NAME] ? a->text[OPT_NAME] : name);
    body_begin(&b, e);
    json_put_object(&b.w, "properties");
    json_put_text(&b.w, "roleDefinitionId", role);
    json_put_text(&b.w, "principalId", principal);
    json_close(&b.w);
    rc = body_end(&b);
    if (rc == CF_OK)
        rc = cli_call(t, "PUT", path, &b.text, r, e);
    cf_buf_clear(&b.text);
    return rc;
}

int verb_role_assignment_create(const struct cli_args *a, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = create_assignment(t, a, &r, e);
    if (rc == CF_OK && a->text[OPT_JSON])
        cli_print_json(r.json);
    else if (rc == CF_OK)
        printf("%s\n", simple_text(r.json, "name"));
    cli_answer_clear(&r);
    cli_target_close(t);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

/* The name of the one assignment of that role and principal made at the scope. */
static enum cf_rc find_assignment(struct cli_target *t, const struct cli_args *a, const char *scope,
                                  char *name, size_t size, struct cf_err *e)
{
    char path[256], role[256] = "", principal[ACCESS_GUID_SIZE];
    struct cli_answer r = { 0 };
    enum cf_rc rc = find_principal(a, principal, e);
    if (rc == CF_OK)
        rc = find_role(t, a->text[OPT_ROLE], role, sizeof role, e);
    snprintf(path, sizeof path, "%s" AUTHORIZATION "roleAssignments", scope);
    if (rc == CF_OK)
        rc = cli_call(t, "GET", path, NULL, &r, e);
    name[0] = 0;
    const struct json *s = rc == CF_OK ? json_first(json_member(r.json, "value")) : NULL;
    for (; s && !name[0]; s = json_next(s)) {
        const struct json *p = json_member(s, "properties");
        if (strcmp(simple_text(p, "principalId"), principal) == 0 &&
            strcmp(simple_text(p, "roleDefinitionId"), role) == 0 &&
            strcmp(simple_text(p, "scope"), *scope ? scope : "/") == 0)
            snprintf(name, size, "%s", simple_text(s, "name"));
    }
    if (rc == CF_OK && !name[0])
        rc = CF_FAIL(e, CF_E_ABSENT, "that principal does not have that role at that scope");
    cli_answer_clear(&r);
    return rc;
}

int verb_role_assignment_delete(const struct cli_args *a, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    char scope[160], path[320], name[64] = "";
    if (!a->text[OPT_NAME] && !(a->text[OPT_ROLE] && a->text[OPT_ASSIGNEE])) {
        (void)CF_FAIL(e, CF_E_INPUT, "name the assignment: --name, or --role and --assignee");
        return EXIT_USAGE;
    }
    enum cf_rc rc = scope_of(a, scope, sizeof scope, e);
    if (rc == CF_OK)
        rc = cli_target_open(a, &t, e);
    if (rc == CF_OK && a->text[OPT_NAME])
        snprintf(name, sizeof name, "%.40s", a->text[OPT_NAME]);
    else if (rc == CF_OK)
        rc = find_assignment(t, a, scope, name, sizeof name, e);
    snprintf(path, sizeof path, "%s" AUTHORIZATION "roleAssignments/%s", scope, name);
    if (rc == CF_OK)
        rc = cli_call(t, "DELETE", path, NULL, &r, e);
    if (rc == CF_OK && a->text[OPT_JSON])
        cli_print_json(r.json);
    cli_answer_clear(&r);
    cli_target_close(t);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}
