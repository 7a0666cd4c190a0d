/* The index: what each principal may do at each scope, sorted, so that a decision is a few binary
 * searches: one at each of three levels for the principal and for each of its groups. */
#include "access_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint8_t principal[16];
    enum access_level level;
    char *key; /* lower-case name at ACCESS_AT_KEY, else NULL */
    uint64_t actions;
};

struct access_index {
    struct entry *item;
    size_t count, cap;
    size_t assignments; /* rows read */
};

/* Custom roles while an index is built; sorted, as the rows come. */
struct role_actions {
    char id[ACCESS_GUID_SIZE];
    uint64_t actions;
};
struct roles {
    struct role_actions item[ACCESS_DEFINITIONS_MAX];
    size_t count;
};

static int compare_entries(const void *va, const void *vb)
{
    const struct entry *a = va, *b = vb;
    int c = memcmp(a->principal, b->principal, sizeof a->principal);
    if (c != 0)
        return c;
    if (a->level != b->level)
        return a->level < b->level ? -1 : 1;
    return a->level == ACCESS_AT_KEY ? strcmp(a->key, b->key) : 0;
}

static uint64_t actions_of(const struct roles *roles, const char *id)
{
    const struct access_builtin_role *b = access_builtin_find(id);
    if (b != NULL)
        return b->actions;
    for (size_t i = 0; i < roles->count; i++)
        if (strcmp(roles->item[i].id, id) == 0)
            return roles->item[i].actions;
    return 0; /* a deleted role's assignments stay, without effect */
}

static enum cf_rc read_roles(struct store_view *v, struct roles *out, struct cf_err *e)
{
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    struct access_definition d = { 0 };
    bool more = true;

    enum cf_rc rc = store_scan(v, STORE_ROLE, NULL, &c, e);
    while (rc == CF_OK) {
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        if (out->count == ACCESS_DEFINITIONS_MAX) {
            rc = CF_FAIL(e, CF_E_LIMIT, "more than %d custom roles", ACCESS_DEFINITIONS_MAX);
            break;
        }
        rc = access_row_to_definition(access_bytes(&row.key), access_bytes(&row.value), &d, e);
        if (rc != CF_OK)
            break;
        memcpy(out->item[out->count].id, d.id, sizeof d.id);
        out->item[out->count++].actions = access_definition_actions(&d);
        access_definition_clear(&d);
    }
    access_definition_clear(&d);
    store_row_clear(&row);
    store_cursor_end(c);
    return rc;
}

static enum cf_rc grow(struct access_index *x, struct cf_err *e)
{
    if (x->count < x->cap)
        return CF_OK;
    size_t cap = x->cap == 0 ? 64 : 2 * x->cap;
    struct entry *item = reallocarray(x->item, cap, sizeof *item);
    if (item == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for %zu role assignments", cap);
    x->item = item;
    x->cap = cap;
    return CF_OK;
}

static enum cf_rc add(struct access_index *x, const struct access_assignment *s, uint64_t actions,
                      struct cf_err *e)
{
    struct entry n = { .level = s->scope.level, .actions = actions };

    if (x->assignments == ACCESS_ASSIGNMENTS_MAX)
        return cf_err_code(
            e, CF_FAIL(e, CF_E_LIMIT, "more than %d role assignments", ACCESS_ASSIGNMENTS_MAX),
            "BadParameter");
    x->assignments++;
    if (actions == 0 || access_guid_bytes(s->principal, n.principal, NULL) != CF_OK)
        return CF_OK; /* nothing to find: no token has such a principal */
    enum cf_rc rc = grow(x, e);
    if (rc != CF_OK)
        return rc;
    if (n.level == ACCESS_AT_KEY) {
        n.key = strdup(s->scope.text + strlen("/keys/"));
        if (n.key == NULL)
            return CF_FAIL(e, CF_E_LIMIT, "no memory for a role assignment");
    }
    x->item[x->count++] = n;
    return CF_OK;
}

static enum cf_rc read_assignments(struct store_view *v, const struct roles *roles,
                                   struct access_index *x, struct cf_err *e)
{
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    struct access_assignment s;
    bool more = true;

    enum cf_rc rc = store_scan(v, STORE_ASSIGNMENT, NULL, &c, e);
    while (rc == CF_OK) {
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = access_row_to_assignment(access_bytes(&row.key), access_bytes(&row.value), &s, e);
        if (rc == CF_OK)
            rc = add(x, &s, actions_of(roles, s.role), e);
    }
    store_row_clear(&row);
    store_cursor_end(c);
    return rc;
}

/* One entry for each principal and scope: the actions of all its roles there. */
static void merge(struct access_index *x)
{
    size_t n = 0;

    if (x->count == 0)
        return;
    qsort(x->item, x->count, sizeof *x->item, compare_entries);
    for (size_t i = 1; i < x->count; i++) {
        if (compare_entries(&x->item[n], &x->item[i]) == 0) {
            x->item[n].actions |= x->item[i].actions;
            free(x->item[i].key);
        } else {
            x->item[++n] = x->item[i];
        }
    }
    x->count = n + 1;
}

enum cf_rc access_index_build(struct store_view *v, struct access_index **out, struct cf_err *e)
{
    struct access_index *x = calloc(1, sizeof *x);
    struct roles *roles = calloc(1, sizeof *roles);
    enum cf_rc rc = CF_OK;

    if (x == NULL || roles == NULL)
        rc = CF_FAIL(e, CF_E_LIMIT, "no memory for the access index");
    if (rc == CF_OK)
        rc = read_roles(v, roles, e);
    if (rc == CF_OK)
        rc = read_assignments(v, roles, x, e);
    free(roles);
    if (rc != CF_OK) {
        access_index_free(x);
        return rc;
    }
    merge(x);
    *out = x;
    return CF_OK;
}

void access_index_free(struct access_index *x)
{
    if (x == NULL)
        return;
    for (size_t i = 0; i < x->count; i++)
        free(x->item[i].key);
    free(x->item);
    free(x);
}

size_t access_index_writers(const struct access_index *x)
{
    size_t n = 0;

    for (size_t i = 0; i < x->count; i++)
        if (x->item[i].level == ACCESS_AT_ALL &&
            (x->item[i].actions >> ACCESS_ASSIGNMENTS_WRITE & 1) != 0)
            n++;
    return n;
}

size_t access_index_assignments(const struct access_index *x)
{
    return x->assignments;
}

/* The actions of one principal at one scope, bit by bit. */
static uint64_t actions_at(const struct access_index *x, struct entry *asked,
                           enum access_level level)
{
    if (x->count == 0)
        return 0;
    asked->level = level;
    const struct entry *found = bsearch(asked, x->item, x->count, sizeof *x->item, compare_entries);
    return found == NULL ? 0 : found->actions;
}

static bool one_allows(const struct access_index *x, struct entry *asked, enum access_action action,
                       enum access_level deepest)
{
    uint64_t actions = actions_at(x, asked, ACCESS_AT_ALL);

    if (deepest >= ACCESS_AT_KEYS)
        actions |= actions_at(x, asked, ACCESS_AT_KEYS);
    if (deepest >= ACCESS_AT_KEY)
        actions |= actions_at(x, asked, ACCESS_AT_KEY);
    return (actions >> action & 1) != 0;
}

bool access_index_allows(const struct access_index *x, const struct access_principal *who,
                         enum access_action action, const struct access_scope *judged)
{
    char key[ACCESS_KEY_NAME_MAX + 1] = "";
    struct entry asked = { .key = key };

    if (judged->level == ACCESS_AT_KEY)
        snprintf(key, sizeof key, "%s", judged->text + strlen("/keys/"));
    if (access_guid_bytes(who->oid, asked.principal, NULL) != CF_OK)
        return false;
    if (one_allows(x, &asked, action, judged->level))
        return true;
    for (uint32_t i = 0; i < who->group_count && i < ACCESS_GROUPS_MAX; i++) {
        memcpy(asked.principal, who->groups[i], sizeof asked.principal);
        if (one_allows(x, &asked, action, judged->level))
            return true;
    }
    return false;
}
