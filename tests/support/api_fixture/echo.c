/*
 * A table of routes in place of the product's, for tests of the server alone: each row answers with
 * the key's name and the number of bytes that came. An object, so that it is there before the api
 * library is searched.
 */
#include "route_priv.h"
#include "server_priv.h"

static enum cf_rc echo(struct api *a, struct api_request *rq, struct api_reply *rp,
                       struct cf_err *e)
{
    struct json_wr w;
    (void)a;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "key", rq->key);
    json_put_int(&w, "bytes", (int64_t)rq->body.len);
    json_close(&w);
    return json_wr_end(&w);
}

static const struct api_route rows[] = {
    { API_GET, "/health", API_PUBLIC, ACCESS_ACTIONS, API_SCOPE_NONE, API_ANY_STATE, 0, echo, "H" },
    { API_GET, "/keys/{key}", 0, ACCESS_KEYS_READ, API_SCOPE_KEY, API_ACTIVE, 0, echo, "G" },
    { API_POST, "/keys/{key}/create", API_RECORD, ACCESS_KEYS_CREATE, API_SCOPE_KEY, API_ACTIVE,
      API_BODY_MAX, echo, "C" },
    { API_GET, "/local/status", API_LOCAL, ACCESS_ACTIONS, API_SCOPE_NONE, API_ANY_STATE, 0, echo,
      "L" },
};

const struct api_route *api_routes(size_t *count)
{
    *count = sizeof rows / sizeof rows[0];
    return rows;
}
