/* What an operator chooses for one job: the member `coffer` of the bodies that start one. */
#include "handlers_priv.h"

enum cf_rc api_read_choices(const struct json *body, struct jobs_choices *out, struct cf_err *e)
{
    static const char *const known[] = { "limitRate", "connections", "requireComplete",
                                         "allowIncomplete" };
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
    out->limit_rate = (uint64_t)rate;
    out->connections = (unsigned)connections;
    return rc;
}
