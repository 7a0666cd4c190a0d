#include "base/text.h"

#include <string.h>

static const char B64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char B64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void cf_hex(const void *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum cf_rc cf_unhex(const char *text, uint8_t *out, size_t len, struct cf_err *e)
{
    if (strnlen(text, 2 * len + 1) != 2 * len)
        return CF_FAIL(e, CF_E_INPUT, "%zu hex digits wanted", 2 * len);
    for (size_t i = 0; i < len; i++) {
        int hi = hex_digit(text[2 * i]);
        int lo = hex_digit(text[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return CF_FAIL(e, CF_E_INPUT, "not a hex digit at place %zu", 2 * i);
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return CF_OK;
}

static size_t encode(const char *alphabet, const uint8_t *p, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;
        if (i + 1 < len)
            v |= (uint32_t)p[i + 1] << 8;
        if (i + 2 < len)
            v |= p[i + 2];
        out[n++] = alphabet[v >> 18];
        out[n++] = alphabet[v >> 12 & 63];
        if (i + 1 < len)
            out[n++] = alphabet[v >> 6 & 63];
        if (i + 2 < len)
            out[n++] = alphabet[v & 63];
    }
    return n;
}

void cf_base64(const void *data, size_t len, char *out)
{
    size_t n = encode(B64, data, len, out);
    while (n % 4)
        out[n++] = '=';
    out[n] = 0;
}

void cf_base64url(const void *data, size_t len, char *out)
{
    out[encode(B64URL, data, len, out)] = 0;
}

static int b64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

enum cf_rc cf_unbase64(const char *text, size_t len, struct cf_buf *out, struct cf_err *e)
{
    if (len % 4 == 0 && len && text[len - 1] == '=')
        len -= text[len - 2] == '=' ? 2 : 1;
    if (len % 4 == 1)
        return CF_FAIL(e, CF_E_INPUT, "not base64: a digit is missing");
    size_t start = out->len;
    enum cf_rc rc = cf_buf_resize(out, start + len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0), e);
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t n = start;
    for (size_t i = 0; rc == CF_OK && i < len; i++) {
        int d = b64_digit(text[i]);
        if (d < 0) {
            rc = CF_FAIL(e, CF_E_INPUT, "not base64 at place %zu", i);
            break;
        }
        acc = (acc << 6 | (uint32_t)d) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out->data[n++] = (uint8_t)(acc >> bits);
        }
    }
    if (rc == CF_OK && (acc & ((1u << bits) - 1)))
        rc = CF_FAIL(e, CF_E_INPUT, "not base64: bits behind the last byte");
    if (rc != CF_OK && out->len >= start) {
        enum cf_rc undo = cf_buf_resize(out, start, NULL);
        (void)undo; /* shrinking cannot fail */
    }
    return rc;
}

/* Bytes of the character at `p`, or 0 where none is well-formed (RFC 3629, section 4). */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (n == 1)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool cf_utf8_valid(const void *text, size_t len)
{
    const uint8_t *p = text;
    while (len) {
        size_t n = utf8_len(p, len);
        if (n == 0)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

bool cf_utf8_clean(const char *text, char *out, size_t size)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t left = strlen(text), at = 0;
    while (left) {
        size_t n = utf8_len(p, left);
        bool shown = n > 1 || (n == 1 && *p >= 0x20 && *p != 0x7f);
        if (at + (shown ? n : 1) >= size)
            break;
        if (shown)
            memcpy(out + at, p, n);
        else
            out[at] = '?';
        at += shown ? n : 1;
        p += n ? n : 1;
        left -= n ? n : 1;
    }
    out[at] = 0;
    return left != 0;
}

enum cf_rc cf_parse_u64(const char *text, uint64_t max, uint64_t *out, struct cf_err *e)
{
    uint64_t v = 0;
    if (!*text)
        return CF_FAIL(e, CF_E_INPUT, "a number is wanted");
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return CF_FAIL(e, CF_E_INPUT, "not a number");
        uint64_t d = (uint64_t)(*p - '0');
        if (v > (max - d) / 10 || d > max)
            return CF_FAIL(e, CF_E_INPUT, "number over the limit of %llu", (unsigned long long)max);
        v = 10 * v + d;
    }
    *out = v;
    return CF_OK;
}

enum cf_rc cf_parse_guid(const char *text, char out[37], struct cf_err *e)
{
    if (strnlen(text, 37) != 36)
        return CF_FAIL(e, CF_E_INPUT, "not a GUID");
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : hex_digit(text[i]) < 0)
            return CF_FAIL(e, CF_E_INPUT, "not a GUID");
        out[i] = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + 32) : text[i];
    }
    out[36] = 0;
    return CF_OK;
}
