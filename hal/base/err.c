#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static enum cf_rc record(struct cf_err *e,
                                                               const struct cf_err *head,
                                                               const char *fmt, va_list ap)
{
    if (!e || e->rc != CF_OK)
        return head->rc;
    e->rc = head->rc;
    e->src = head->src;
    e->native = head->native;
    e->where = head->where;
    e->code = NULL;
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    return head->rc;
}

enum cf_rc cf_err_set(struct cf_err *e, enum cf_rc rc, enum cf_src src, uint64_t native,
                      const char *where, const char *fmt, ...)
{
    struct cf_err head = { .rc = rc, .src = src, .native = native, .where = where };
    va_list ap;
    va_start(ap, fmt);
    record(e, &head, fmt, ap);
    va_end(ap);
    return rc;
}

enum cf_rc cf_err_set_errno(struct cf_err *e, enum cf_rc rc, const char *where, const char *fmt,
                            ...)
{
    int cause = errno;
    struct cf_err head = {
        .rc = rc, .src = CF_SRC_ERRNO, .native = (uint64_t)cause, .where = where
    };
    if (e && e->rc != CF_OK)
        return rc;
    va_list ap;
    va_start(ap, fmt);
    record(e, &head, fmt, ap);
    va_end(ap);
    if (e) {
        char cause_text[64];
        size_t used = strlen(e->text);
        const char *msg = strerror_r(cause, cause_text, sizeof cause_text);
        snprintf(e->text + used, sizeof e->text - used, ": %s", msg);
    }
    errno = cause;
    return rc;
}

enum cf_rc cf_err_ctx(struct cf_err *e, enum cf_rc rc, const char *fmt, ...)
{
    if (!e || rc == CF_OK)
        return rc;
    char inner[sizeof e->text];
    memcpy(inner, e->text, sizeof inner);
    va_list ap;
    va_start(ap, fmt);
    int used = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    if (used < 0)
        used = 0;
    if ((size_t)used < sizeof e->text)
        snprintf(e->text + used, sizeof e->text - (size_t)used, ": %s", inner);
    return rc;
}

const char *cf_rc_name(enum cf_rc rc)
{
    static const char *const names[] = {
        [CF_OK] = "ok",           [CF_E_ARG] = "arg",       [CF_E_INPUT] = "input",
        [CF_E_STATE] = "state",   [CF_E_ABSENT] = "absent", [CF_E_LIMIT] = "limit",
        [CF_E_IO] = "io",         [CF_E_REMOTE] = "remote", [CF_E_TOKEN] = "token",
        [CF_E_DENIED] = "denied", [CF_E_AUTH] = "auth",     [CF_E_CORRUPT] = "corrupt",
        [CF_E_CANCEL] = "cancel",
    };
    size_t i = (size_t)rc;
    return i < sizeof names / sizeof names[0] && names[i] ? names[i] : "unknown";
}
