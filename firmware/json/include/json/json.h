/*
 * JSON (RFC 8259), read strictly and written compactly. Owner of cJSON.
 * The reader refuses: text over the limits of size, depth and number, doubled members, bytes behind
 * the value, NUL (raw or \u0000), invalid UTF-8, lone surrogates, and whatever the grammar does not
 * allow. Members that nobody asks for are ignored; json_only lists and refuses them. Errors:
 * CF_E_INPUT, with the member's name in the text; CF_E_LIMIT no memory. Threads: a document may be
 * read by several; a writer belongs to one.
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 32
#define JSON_VALUES    32768
#define JSON_INT_MAX   ((int64_t)1 << 53) /* a double holds every integer up to here */

/* --- reading -------------------------------------------------------------------------------- */

struct json; /* a value; borrowed from its document, except the root */

struct json_limits {
    size_t bytes;   /* longest text */
    unsigned depth; /* arrays and objects inside each other, 1..JSON_DEPTH_MAX */
    size_t values;  /* of any kind, in all; 0: JSON_VALUES. One costs some 64 bytes once it is read,
                       so  a megabyte of "1," would become 32 */
};

/* What request bodies, tokens and security domains need: 1 MiB, 16 deep. */
struct json_limits json_default_limits(void);

/* `limits` NULL means the default ones. The caller frees `root` with json_free. */
CF_CHECK enum cf_rc json_parse(const void *text, size_t len, const struct json_limits *limits,
                               struct json **root, struct cf_err *e);
void json_free(struct json *root); /* wipes the strings; NULL is a no-op */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT };
enum json_type json_type_of(const struct json *v);

/* NULL: no such member (names match exactly), or `v` is no object. */
const struct json *json_member(const struct json *v, const char *name);

/* Required members. Failure names the member: missing, or of another type. */
CF_CHECK enum cf_rc json_get_text(const struct json *v, const char *name, const char **out,
                                  struct cf_err *e);
CF_CHECK enum cf_rc json_get_bool(const struct json *v, const char *name, bool *out,
                                  struct cf_err *e);
struct json_range {
    int64_t min, max; /* within +-JSON_INT_MAX */
};
CF_CHECK enum cf_rc json_get_int(const struct json *v, const char *name, struct json_range range,
                                 int64_t *out, struct cf_err *e);
CF_CHECK enum cf_rc json_get_object(const struct json *v, const char *name, const struct json **out,
                                    struct cf_err *e);
CF_CHECK enum cf_rc json_get_array(const struct json *v, const char *name, const struct json **out,
                                   struct cf_err *e);
/* Text in base64url (either alphabet, padding optional); appends the bytes, at most `max`. */
CF_CHECK enum cf_rc json_get_base64(const struct json *v, const char *name, size_t max,
                                    struct cf_buf *out, struct cf_err *e);

/* Optional members: absent or null leaves `*out` as it was and gives CF_OK; another type fails. */
CF_CHECK enum cf_rc json_opt_text(const struct json *v, const char *name, const char **out,
                                  struct cf_err *e);
CF_CHECK enum cf_rc json_opt_bool(const struct json *v, const char *name, bool *out,
                                  struct cf_err *e);
CF_CHECK enum cf_rc json_opt_int(const struct json *v, const char *name, struct json_range range,
                                 int64_t *out, struct cf_err *e);
CF_CHECK enum cf_rc json_opt_object(const struct json *v, const char *name, const struct json **out,
                                    struct cf_err *e);
CF_CHECK enum cf_rc json_opt_array(const struct json *v, const char *name, const struct json **out,
                                   struct cf_err *e);
CF_CHECK enum cf_rc json_opt_base64(const struct json *v, const char *name, size_t max,
                                    struct cf_buf *out, struct cf_err *e);

/* Elements and members in order: for (c = json_first(v); c; c = json_next(c)). */
const struct json *json_first(const struct json *v); /* NULL: empty, or neither array nor object */
const struct json *json_next(const struct json *v);
size_t json_count(const struct json *v);
const char *json_name(const struct json *v); /* of a member; NULL for an element */

/* The value itself; NULL or false where it is of another type. */
const char *json_text(const struct json *v);
bool json_bool(const struct json *v, bool *out);
bool json_int(const struct json *v,
              int64_t *out); /* false: not a whole number within JSON_INT_MAX */

/* CF_E_INPUT naming the first member of `v` that is not among the `n` known ones. */
CF_CHECK enum cf_rc json_only(const struct json *v, const char *const *known, size_t n,
                              struct cf_err *e);

/* --- writing -------------------------------------------------------------------------------- */

/* Private fields; lives on the caller's stack. Keeps its first failure: call on, ask at the end. */
struct json_wr {
    struct cf_buf *out;
    struct cf_err *e;
    enum cf_rc rc;
    unsigned depth;
    uint64_t objects; /* bit d: level d is an object */
    uint64_t filled;  /* bit d: level d has a value already */
    bool done;
};

/* One value will be appended to `out`; failures go to `e`. Both stay the caller's. */
void json_wr_init(struct json_wr *w, struct cf_buf *out, struct cf_err *e);

/* `name` is the member's name inside an object, NULL inside an array and for the root.
 * Text must be UTF-8; control characters, quotes and backslashes are escaped. */
void json_put_object(struct json_wr *w, const char *name);
void json_put_array(struct json_wr *w, const char *name);
void json_close(struct json_wr *w); /* the innermost object or array */
void json_put_text(struct json_wr *w, const char *name, const char *text); /* NULL writes null */
void json_put_text_n(struct json_wr *w, const char *name, const void *p, size_t len);
void json_put_int(struct json_wr *w, const char *name, int64_t v);
void json_put_bool(struct json_wr *w, const char *name, bool v);
void json_put_null(struct json_wr *w, const char *name);
void json_put_base64url(struct json_wr *w, const char *name, const void *p, size_t len);
/* `text` is JSON made elsewhere, put in as it is. */
void json_put_raw(struct json_wr *w, const char *name, const char *text);
/* A parsed value, written again compactly. */
void json_put_value(struct json_wr *w, const char *name, const struct json *v);

/* CF_OK: one whole value was written. CF_E_ARG: unbalanced, a name missing or too many, text that
 * is not UTF-8; CF_E_LIMIT: too deep or no memory. On failure cut `out` back. */
CF_CHECK enum cf_rc json_wr_end(struct json_wr *w);

#endif
