#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "server_priv.h"

#define MAC_SIZE 16 /* a forged token would only skip: 128 bits are plenty */

static enum cf_rc mac(const struct api *a, const char *kind, const void *last, size_t len,
                      uint8_t out[MAC_SIZE], struct cf_err *e)
{
    uint8_t full[32];
    struct cf_buf msg = { 0 };
    enum cf_rc rc = cf_buf_put(&msg, kind, strlen(kind) + 1, e); /* the NUL parts the two */
    if (rc == CF_OK)
        rc = cf_buf_put(&msg, last, len, e);
    if (rc == CF_OK)
        rc = crypto_hmac(HAL_SHA256, crypto_bytes_of(a->skip_key, sizeof a->skip_key),
                         crypto_bytes_of(msg.data, msg.len), full, e);
    if (rc == CF_OK)
        memcpy(out, full, MAC_SIZE);
    cf_buf_clear(&msg);
    return rc;
}

enum cf_rc api_skip_make(const struct api *a, const char *kind, const char *last,
                         struct cf_buf *out, struct cf_err *e)
{
    uint8_t token[MAC_SIZE + 256];
    char text[CF_BASE64_SIZE(sizeof token)];
    size_t len = strlen(last);
    if (len > sizeof token - MAC_SIZE)
        return CF_FAIL(e, CF_E_ARG, "a page's last name of %zu bytes", len);
    memcpy(token + MAC_SIZE, last, len);
    enum cf_rc rc = mac(a, kind, last, len, token, e);
    if (rc != CF_OK)
        return rc;
    cf_base64url(token, MAC_SIZE + len, text);
    return cf_buf_put_text(out, text, e);
}

enum cf_rc api_skip_read(const struct api *a, const char *kind, const char *token,
                         struct cf_buf *last, struct cf_err *e)
{
    struct cf_buf raw = { 0 };
    uint8_t want[MAC_SIZE];
    enum cf_rc rc = cf_unbase64(token, strlen(token), &raw, NULL);
    if (rc == CF_OK && raw.len <= MAC_SIZE)
        rc = CF_E_INPUT;
    if (rc == CF_OK)
        rc = mac(a, kind, raw.data + MAC_SIZE, raw.len - MAC_SIZE, want, e);
    if (rc == CF_OK && !cf_equal(want, raw.data, MAC_SIZE))
        rc = CF_E_INPUT;
    if (rc == CF_OK)
        rc = cf_buf_put(last, raw.data + MAC_SIZE, raw.len - MAC_SIZE, e);
    else if (rc == CF_E_INPUT)
        rc = API_BAD(e, "The $skiptoken was not made by this appliance for this list");
    cf_buf_clear(&raw);
    return rc;
}
