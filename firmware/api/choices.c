/* What an operator chooses for one job: the member `coffer` of the bodies that start one. */
#include <string.h>

#include "handlers_priv.h"

static enum cf_rc read_plan(const struct json *v, char out[JOBS_ID_SIZE], struct cf_err *e)
{
    const char *id = NULL;
    enum cf_rc rc = json_opt_text(v, "plan", &id, e);
    if (rc != CF_OK || !id)
        return rc;
    if (strlen(id) != JOBS_ID_SIZE - 1 || strspn(id, "0123456789abcdef") != JOBS_ID_SIZE - 1)
        return API_BAD(e, "plan is not the id of a job");
    memcpy(out, id, JOBS_ID_SIZE);
    return CF_OK;
}

enum cf_rc api_read_choices(const struct json *body, struct jobs_choices *out, struct cf_err *e)
{
    static const char *const known[] = { "limitRate", "connections", "requireComplete",
                                         "allowIncomplete", "plan" };
    const struct json *v = NULL;
    int64_t rate = 0, connections = 0;
    enum cf_rc rc = json_opt_object(body, "coffer", &v, e);
    if (rc != CF_OK || !v)
        return rc;
    rc = json_only(v, known, sizeof known / sizeof known[0], e);
    if (rc == CF_OK)
        rc = json_opt_int(v, "limitRate", (struct json_range){ JOBS_RATE_MIN, JSON_INT_MAX }, &rate,
                          e);
    if (rc == CF_OK)
        rc = json_opt_int(v, "connections", (struct json_range){ 1, JOBS_CONNECTIONS_MAX },
                          &connections, e);
    if (rc == CF_OK)
        rc = json_opt_bool(v, "requireComplete", &out->require_complete, e);
    if (rc == CF_OK)
        rc = json_opt_bool(v, "allowIncomplete", &out->allow_incomplete, e);
    if (rc == CF_OK)
        rc = read_plan(v, out->plan, e);
    out->limit_rate = (uint64_t)rate;
    out->connections = (unsigned)connections;
    return rc;
}
