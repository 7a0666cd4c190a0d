#include <stdarg.h>
#include <stdio.h>

#include "server_priv.h"

enum cf_rc api_body(const struct api_request *rq, struct json **out, struct cf_err *e)
{
    *out = NULL;
    if (!rq->body.len)
        return API_BAD(e, "A JSON body is expected");
    enum cf_rc rc = json_parse(rq->body.data, rq->body.len, NULL, out, e);
    if (rc == CF_OK && json_type_of(*out) != JSON_OBJECT) {
        json_free(*out);
        *out = NULL;
        return API_BAD(e, "The body must be a JSON object");
    }
    return rc;
}

void api_put_url(struct json_wr *w, const struct api_request *rq, const char *name, const char *fmt,
                 ...)
{
    char path[API_URI_MAX];
    struct cf_buf url = { 0 };
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    enum cf_rc rc = n < 0 || (size_t)n >= sizeof path
                        ? CF_FAIL(w->e, CF_E_LIMIT, "a URL over %zu bytes", sizeof path)
                        : cf_buf_printf(&url, w->e, "https://%s%s", rq->host, path);
    if (rc == CF_OK)
        json_put_text_n(w, name, url.data, url.len);
    else if (w->rc == CF_OK)
        w->rc = rc;
    cf_buf_clear(&url);
}

enum cf_rc api_keystore(struct api *a, struct keystore **out, struct cf_err *e)
{
    *out = atomic_load(&a->keystore);
    if (*out)
        return CF_OK;
    return cf_err_code(e, CF_FAIL(e, CF_E_TOKEN, "The key store is not open yet"),
                       "ServiceUnavailable");
}
