#include "client/client_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "module/cryptoki.h"

#include "base/file.h"

#define HEAD        "coffer-pin-counter 1"
#define FILE_MAX    256
#define UNKNOWN_MAX 2 /* tries without an answer before an operator is asked */

static enum cf_rc load(const char *path, struct p11_pin_file *f, struct cf_err *e)
{
    struct cf_buf b = { 0 };
    struct cf_err why = { 0 };
    const char *text = NULL;
    int end = 0;
    *f = (struct p11_pin_file){ 0 };
    if (!path)
        return CF_OK;
    enum cf_rc rc = cf_file_read(path, FILE_MAX, &b, &why);
    if (rc == CF_E_ABSENT) {
        cf_buf_clear(&b);
        return CF_OK;
    }
    if (rc == CF_OK)
        rc = cf_buf_text(&b, &text, &why);
    if (rc != CF_OK)
        *e = why;
    else if (sscanf(text, HEAD " refused %" SCNu32 " unknown %" SCNu32 "\n%n", &f->refused,
                    &f->unknown, &end) != 2 ||
             (size_t)end != b.len)
        rc = CF_FAIL(e, CF_E_CORRUPT, "%s is damaged; make sure of the PIN, then remove it", path);
    cf_buf_clear(&b);
    return rc;
}

static enum cf_rc save(const char *path, const struct p11_pin_file *f, struct cf_err *e)
{
    char text[FILE_MAX];
    if (!path)
        return CF_OK;
    int n = snprintf(text, sizeof text, HEAD " refused %" PRIu32 " unknown %" PRIu32 "\n",
                     f->refused, f->unknown);
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
