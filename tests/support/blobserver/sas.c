#include "sas.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http.h"

#define FIELD_MAX 1024

/* The names in string-to-sign order; NULL stands for the resource or the account. */
static const char *const service_fields[] = { "sp",   "st",   "se",   NULL,       "si",  "sip",
                                              "spr",  "sv",   "sr",   "snapshot", "ses", "rscc",
                                              "rscd", "rsce", "rscl", "rsct" };
static const char *const account_fields[] = { NULL, "sp",  "ss",  "srt", "st",
                                              "se", "sip", "spr", "sv",  "ses" };

static size_t append(char *out, size_t cap, size_t at, const char *s)
{
    int n = at < cap ? snprintf(out + at, cap - at, "%s", s) : 0;
    return at + (n < 0 ? 0 : (size_t)n);
}

static bool string_to_sign(const char *query, const struct store_target *t, char *out, size_t cap)
{
    char value[FIELD_MAX], resource[2 * FIELD_MAX], sr[8];
    bool account = !http_query(query, "sr", sr, sizeof sr);
    const char *const *names = account ? account_fields : service_fields;
    size_t count = account ? sizeof account_fields / sizeof account_fields[0]
                           : sizeof service_fields / sizeof service_fields[0];
    bool on_blob = !account && strcmp(sr, "b") == 0;
    int n = snprintf(resource, sizeof resource, "/blob/%s/%s%s%s", t->account, t->container,
                     on_blob ? "/" : "", on_blob ? t->blob : "");
    if (n < 0 || (size_t)n >= sizeof resource)
        return false;

    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (names[i] == NULL)
            at = append(out, cap, at, account ? t->account : resource);
        else if (http_query(query, names[i], value, sizeof value))
            at = append(out, cap, at, value);
        if (i + 1 < count || account)
            at = append(out, cap, at, "\n");
    }
    return at < cap;
}

static bool sign(const char *query, const struct store_target *t, const char *key_base64,
                 char out[64])
{
    unsigned char key[256], mac[EVP_MAX_MD_SIZE];
    char text[8192];
    unsigned mac_len = 0;
    size_t len = strlen(key_base64);
    if (len % 4 != 0 || len > sizeof key || !string_to_sign(query, t, text, sizeof text))
        return false;
    int n = EVP_DecodeBlock(key, (const unsigned char *)key_base64, (int)len);
    for (size_t i = len; n > 0 && i > 0 && key_base64[i - 1] == '='; i--)
        n--;
    if (n <= 0 || HMAC(EVP_sha256(), key, n, (const unsigned char *)text, strlen(text), mac,
                       &mac_len) == NULL)
        return false;
    EVP_EncodeBlock((unsigned char *)out, mac, (int)mac_len);
    return true;
}

/* Seconds since 1970 of "YYYY-MM-DD[Thh:mm[:ss[.fff]]Z]"; -1 when it is none of these. */
static time_t parse_time(const char *s)
{
    static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = { 0 };
        const char *rest = strptime(s, forms[i], &tm);
        if (rest == NULL)
            continue;
        if (*rest == '.')
            rest += 1 + strspn(rest + 1, "0123456789");
        if (strcmp(rest, i == 2 ? "" : "Z") == 0)
            return timegm(&tm);
    }
    return -1;
}

static bool in_time(const char *query)
{
    char value[64];
    time_t now = time(NULL);
    if (!http_query(query, "se", value, sizeof value) || parse_time(value) <= now)
        return false;
    if (http_query(query, "st", value, sizeof value))
        return parse_time(value) != -1 && parse_time(value) <= now;
    return true;
}

/* Any one of these letters suffices. */
static const char *wanted_permission(enum bs_op op)
{
    static const char *const letters[OP_COUNT] = {
        [OP_PUT_BLOB] = "cw",         [OP_PUT_BLOCK] = "cw", [OP_PUT_BLOCK_LIST] = "cw",
        [OP_GET_BLOCK_LIST] = "r",    [OP_GET_BLOB] = "r",   [OP_HEAD_BLOB] = "r",
        [OP_DELETE_BLOB] = "d",       [OP_LIST_BLOBS] = "l", [OP_GET_CONTAINER] = "r",
        [OP_CREATE_CONTAINER] = "cw", [OP_IDENTITY] = "",    [OP_OTHER] = "",
    };
    return letters[op];
}

static enum bs_error judge_scope(const char *query, enum bs_op op)
{
    char value[64];
    bool on_container = op == OP_GET_CONTAINER || op == OP_CREATE_CONTAINER;
    if (http_query(query, "sr", value, sizeof value)) {
        /* no service SAS reaches the container's own properties */
        if (on_container)
            return BS_AUTH_PERMISSION;
        if (strcmp(value, "c") != 0 && !(strcmp(value, "b") == 0 && op != OP_LIST_BLOBS))
            return BS_AUTH_FAILED;
        return BS_OK;
    }
    if (!http_query(query, "ss", value, sizeof value) || strchr(value, 'b') == NULL)
        return BS_AUTH_FAILED;
    if (!http_query(query, "srt", value, sizeof value))
        return BS_AUTH_FAILED;
    bool wants_c = on_container || op == OP_LIST_BLOBS;
    return strchr(value, wants_c ? 'c' : 'o') != NULL ? BS_OK : BS_AUTH_RESOURCE;
}

enum bs_error sas_judge(const char *query, enum bs_op op, const struct store_target *t,
                        const char *key_base64, bool tls)
{
    char sig[128], value[128], expected[64];
    if (!http_query(query, "sig", sig, sizeof sig) || sig[0] == '\0')
        return BS_NO_AUTH;
    if (!http_query(query, "sv", value, sizeof value))
        return BS_AUTH_FAILED;
    if (key_base64 != NULL && (!sign(query, t, key_base64, expected) || strcmp(sig, expected) != 0))
        return BS_AUTH_FAILED;
    if (!in_time(query))
        return BS_AUTH_TIME;
    if (!tls && http_query(query, "spr", value, sizeof value) && strcmp(value, "https") == 0)
        return BS_AUTH_PROTOCOL;
    enum bs_error e = judge_scope(query, op);
    if (e != BS_OK)
        return e;
    if (!http_query(query, "sp", value, sizeof value) ||
        strpbrk(value, wanted_permission(op)) == NULL)
        return BS_AUTH_PERMISSION;
    return BS_OK;
}

bool sas_make(const struct store_target *t, const struct sas_wish *w, const char *key_base64,
              char *out, size_t cap)
{
    char se[64] = "", sig[64] = "bWFkZS11cC1zaWduYXR1cmU=", query[512];
    time_t end = time(NULL) + 60 * w->minutes;
    struct tm tm;
    if (strftime(se, sizeof se, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &tm)) == 0)
        return false;
    int n = snprintf(query, sizeof query, "sv=2021-12-02&%s&sp=%s&se=%s",
                     w->account ? "ss=b&srt=sco" : "sr=c", w->permissions, se);
    if (n < 0 || (size_t)n >= sizeof query)
        return false;
    if (key_base64 != NULL && !sign(query, t, key_base64, sig))
        return false;
    size_t at = append(out, cap, append(out, cap, 0, query), "&sig=");
    for (const char *p = sig; *p != '\0'; p++) {
        char one[4] = { *p, '\0' };
        const char *escape = *p == '+' ? "%2B" : *p == '/' ? "%2F" : *p == '=' ? "%3D" : one;
        at = append(out, cap, at, escape);
    }
    return at < cap;
}
