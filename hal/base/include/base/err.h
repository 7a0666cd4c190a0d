/*
 * Why a call failed: one record, owned and zeroed by the caller, filled at the first failure.
 * Threads: belongs to the calling thread. Allocates nothing, so it works without memory.
 * `text` may reach the audit log and the client: never put key, PIN, SAS or plaintext bytes in it.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdint.h>

#define CF_CHECK   __attribute__((warn_unused_result))
#define CF_STR_(x) #x
#define CF_STR(x)  CF_STR_(x)
#define CF_HERE    __FILE__ ":" CF_STR(__LINE__)

/* Classes, not causes: each one answers "what may the caller do now?" */
enum cf_rc {
    CF_OK = 0,
    CF_E_ARG,     /* contract broken by the caller: a bug, never retry */
    CF_E_INPUT,   /* what came from outside is malformed or not allowed: tell the sender */
    CF_E_STATE,   /* valid call at the wrong time, or in conflict with what is there */
    CF_E_ABSENT,  /* the thing asked for is not there */
    CF_E_LIMIT,   /* a documented maximum or a budget would be passed */
    CF_E_IO,      /* flash, file or socket; retry may help */
    CF_E_REMOTE,  /* the far side answered "no"; see `native` */
    CF_E_TOKEN,   /* token or session unusable; reopen, then retry */
    CF_E_DENIED,  /* PIN, role or key policy refuses; never retry */
    CF_E_AUTH,    /* a tag or signature does not verify: alarm, never retry */
    CF_E_CORRUPT, /* bytes do not fit their format page */
    CF_E_CANCEL,  /* stopped because somebody asked for it */
};

/* Which numbering `native` is in. */
enum cf_src { CF_SRC_NONE, CF_SRC_ERRNO, CF_SRC_CKR, CF_SRC_HTTP, CF_SRC_SQLITE, CF_SRC_CURL };

struct cf_err {
    enum cf_rc rc;
    enum cf_src src;
    uint64_t native;   /* errno, CK_RV, HTTP status, ... */
    const char *where; /* file:line of the first detection */
    const char *code;  /* static name of the cause for machines, as the API document's section 1.6
                          spells it ("KeyDisabled"); NULL where the class says enough */
    char text[256];    /* outermost context first, then the cause, then the cure */
};

/* Records a failure and returns `rc`. The first record wins: a failure during
 * cleanup changes nothing. `e` may be NULL. */
enum cf_rc cf_err_set(struct cf_err *e, enum cf_rc rc, enum cf_src src, uint64_t native,
                      const char *where, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Puts "context: " in front of the text; returns `rc` so that callers can chain. */
enum cf_rc cf_err_ctx(struct cf_err *e, enum cf_rc rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Names the cause for machines; `code` is a literal. Returns `rc`. */
static inline enum cf_rc cf_err_code(struct cf_err *e, enum cf_rc rc, const char *code)
{
    if (e && e->rc == rc && !e->code)
        e->code = code;
    return rc;
}

/* The class's name for logs: "CF_E_IO" is "io". Never NULL. */
const char *cf_rc_name(enum cf_rc rc);

/* What was recorded as a failure never reads as success. In the header, so that analysers see it
 * too. */
static inline enum cf_rc cf_err_failed(enum cf_rc rc)
{
    return rc == CF_OK ? CF_E_ARG : rc;
}

#define CF_FAIL(e, rc, ...)                                                                        \
    cf_err_failed(cf_err_set((e), (rc), CF_SRC_NONE, 0, CF_HERE, __VA_ARGS__))

/* For a failed system call: keeps errno and appends its text. */
#define CF_FAIL_ERRNO(e, rc, ...) cf_err_failed(cf_err_set_errno((e), (rc), CF_HERE, __VA_ARGS__))
enum cf_rc cf_err_set_errno(struct cf_err *e, enum cf_rc rc, const char *where, const char *fmt,
                            ...) __attribute__((format(printf, 4, 5)));

#endif
