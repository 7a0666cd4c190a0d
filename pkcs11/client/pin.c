#include "client/client_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "module/cryptoki.h"

#include "base/file.h"
#include "base/text.h"

#define HEAD        "coffer-pin-counter 1"
#define TEXT_MAX    128
#define UNKNOWN_MAX 2 /* tries without an answer before an operator is asked */

/* Fixed width, so that a reader finds the numbers by place. */
static int render(char text[TEXT_MAX], const struct p11_pin_file *f)
{
    return snprintf(text, TEXT_MAX, HEAD " refused %010" PRIu32 " unknown %010" PRIu32 "\n",
                    f->refused, f->unknown);
}

static bool read_number(const struct cf_buf *b, size_t at, uint32_t *out)
{
    char digits[11] = "";
    uint64_t v = 0;
    if (b->len < at + 10)
        return false;
    memcpy(digits, b->data + at, 10);
    if (cf_parse_u64(digits, UINT32_MAX, &v, NULL) != CF_OK)
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool parse(const struct cf_buf *b, struct p11_pin_file *f)
{
    char again[TEXT_MAX];
    size_t refused = strlen(HEAD " refused ");
    size_t unknown = refused + 10 + strlen(" unknown ");
    return read_number(b, refused, &f->refused) && read_number(b, unknown, &f->unknown) &&
           render(again, f) == (int)b->len && cf_equal(again, b->data, b->len);
}

static enum cf_rc load(const char *path, struct p11_pin_file *f, struct cf_err *e)
{
    struct cf_buf b = { 0 };
    struct cf_err why = { 0 };
    *f = (struct p11_pin_file){ 0 };
    if (!path)
        return CF_OK;
    enum cf_rc rc = cf_file_read(path, TEXT_MAX, &b, &why);
    if (rc == CF_E_ABSENT)
        rc = CF_OK;
    else if (rc != CF_OK)
        *e = why;
    else if (!parse(&b, f))
        rc = CF_FAIL(e, CF_E_CORRUPT, "%s is damaged; make sure of the PIN, then remove it", path);
    cf_buf_clear(&b);
    return rc;
}

static enum cf_rc save(const char *path, const struct p11_pin_file *f, struct cf_err *e)
{
    char text[TEXT_MAX];
    if (!path)
        return CF_OK;
    int n = render(text, f);
    return cf_file_write(path, 0600, text, (size_t)n, e);
}

enum cf_rc p11_pin_begin(struct p11_token *t, struct cf_err *e)
{
    struct p11_pin_file *f = &t->own.pins;
    enum cf_rc rc = load(t->pin_counter, f, e);
    if (rc != CF_OK)
        return rc;
    if (f->refused && !t->own.pin_confirmed)
        return CF_FAIL(e, CF_E_DENIED,
                       "the token refused this PIN before and it is not tried "
                       "again by itself; give the right PIN");
    if (f->unknown >= UNKNOWN_MAX && !t->own.pin_confirmed)
        return CF_FAIL(e, CF_E_DENIED,
                       "%u logins ended without an answer and the PIN is not "
                       "risked; give the PIN again",
                       f->unknown);
    t->own.pin_confirmed = false;
    if (t->own.pin_good)
        return CF_OK; /* a PIN known to be good costs no try */
    struct p11_pin_file next = *f;
    next.unknown++;
    return save(t->pin_counter, &next, e);
}

static bool is_pin_refusal(const struct cf_err *why)
{
    return why->src == CF_SRC_CKR &&
           (why->native == CKR_PIN_INCORRECT || why->native == CKR_PIN_INVALID ||
            why->native == CKR_PIN_LEN_RANGE || why->native == CKR_PIN_EXPIRED ||
            why->native == CKR_PIN_LOCKED);
}

enum cf_rc p11_pin_end(struct p11_token *t, const struct cf_err *why, struct cf_err *e)
{
    struct p11_pin_file *f = &t->own.pins;
    if (!why) {
        bool clean = t->own.pin_good;
        t->own.pin_good = true;
        *f = (struct p11_pin_file){ 0 };
        return clean ? CF_OK : save(t->pin_counter, f, e);
    }
    if (is_pin_refusal(why)) {
        t->own.pin_good = false;
        f->refused++;
    } else if (t->own.pin_good) {
        return CF_OK;
    }
    return save(t->pin_counter, f, e);
}
