/*
 * Inside access: rows, the index, and a change's frame. See access/access.h.
 */
#ifndef ACCESS_PRIV_H
#define ACCESS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "access/access.h"
#include "access/settings.h"
#include "base/buf.h"
#include "crypto/crypto.h"
#include "store/live.h"

#define ACCESS_TIME_MAX INT64_C(253402300799) /* the last second of the year 9999 */

/* Own limits, larger than the cloud's (API document 3.4): they bound memory and start time. */
#define ACCESS_DEFINITIONS_MAX 256   /* custom ones */
#define ACCESS_ASSIGNMENTS_MAX 65536 /* in all */
#define ACCESS_PER_SCOPE_MAX   1024  /* at one scope */
#define ACCESS_LIST_MAX        256   /* entries of one list of texts */
#define ACCESS_PERMISSIONS_MAX 16

struct access_index;

struct access {
    struct store_live *live;
    struct hal_clock *clock;
    pthread_mutex_t change; /* one change at a time: from its transaction to the new index */
    pthread_rwlock_t lock;
    atomic_bool stale; /* the index could not be rebuilt: nothing is granted until it can */
    struct {
        struct access_index *index;
    } locked;
};

int64_t access_now_s(struct access *a);

/* GUID text (lower case, checked) and its 16 bytes in text order. */
CF_CHECK enum cf_rc access_guid_bytes(const char *text, uint8_t out[16], struct cf_err *e);
void access_guid_text(const uint8_t bytes[16], char out[ACCESS_GUID_SIZE]);

/* UUID version 8 (RFC 9562 5.8): the first 16 bytes of a SHA-256, marked as such. */
void access_guid_of_digest(const uint8_t digest[32], char out[ACCESS_GUID_SIZE]);

/* CF_E_INPUT "BadParameter" with a text of ours. */
enum cf_rc access_bad(struct cf_err *e, const char *text);

/* --- rows (backup/FORMAT.md 3.8), parsed as strictly as it demands --------------------------- */

struct access_row {
    struct cf_buf key, value;
};
void access_row_clear(struct access_row *r);

CF_CHECK enum cf_rc access_row_of_assignment(const struct access_assignment *s,
                                             struct access_row *out, struct cf_err *e);
CF_CHECK enum cf_rc access_row_to_assignment(struct crypto_bytes key, struct crypto_bytes value,
                                             struct access_assignment *out, struct cf_err *e);
CF_CHECK enum cf_rc access_row_of_definition(const struct access_definition *d,
                                             struct access_row *out, struct cf_err *e);
CF_CHECK enum cf_rc access_row_to_definition(struct crypto_bytes key, struct crypto_bytes value,
                                             struct access_definition *out, struct cf_err *e);

struct access_setting_row {
    char name[ACCESS_SETTING_NAME_SIZE];
    char value[ACCESS_TEXT_MAX + 1];
    int64_t updated_s;
};
CF_CHECK enum cf_rc access_row_of_setting(const struct access_setting_row *s,
                                          struct access_row *out, struct cf_err *e);
CF_CHECK enum cf_rc access_row_to_setting(struct crypto_bytes key, struct crypto_bytes value,
                                          struct access_setting_row *out, struct cf_err *e);

/* Row key of an assignment of that name at that scope. `out` is replaced. */
CF_CHECK enum cf_rc access_assignment_key(const struct access_scope *scope, const char *name,
                                          struct cf_buf *out, struct cf_err *e);

/* False when a text holds control characters, which rows may not (backup/FORMAT.md 3.6). */
bool access_text_clean(const char *text);

/* --- definitions ---------------------------------------------------------------------------- */

/* Deep copies; `out` starts zeroed, the caller clears it on failure too. */
CF_CHECK enum cf_rc access_definition_copy(const struct access_definition *d,
                                           struct access_definition *out, struct cf_err *e);
CF_CHECK enum cf_rc access_definition_builtin(const struct access_builtin_role *r,
                                              struct access_definition *out, struct cf_err *e);

/* What a definition grants: over its permissions, data actions less the subtracted ones. */
uint64_t access_definition_actions(const struct access_definition *d);

/* Reads a custom definition. CF_E_ABSENT "RoleDefinitionNotFound". `out` starts zeroed. */
CF_CHECK enum cf_rc access_definition_read(struct store_view *v, const char *id,
                                           struct access_definition *out, struct cf_err *e);

/* --- index ---------------------------------------------------------------------------------- */

CF_CHECK enum cf_rc access_index_build(struct store_view *v, struct access_index **out,
                                       struct cf_err *e);
void access_index_free(struct access_index *x);

/* How many GUID principals can write role assignments at "/". */
size_t access_index_writers(const struct access_index *x);
size_t access_index_assignments(const struct access_index *x);

/* Does the principal or a group of it hold `action` at a scope that covers `judged`? */
bool access_index_allows(const struct access_index *x, const struct access_principal *who,
                         enum access_action action, const struct access_scope *judged);

/* --- a change: one transaction, then a new index -------------------------------------------- */

struct access_change {
    struct store_txn *txn;
    size_t writers;       /* before the change */
    size_t assignments;   /* before the change */
    bool may_lose_writer; /* set by who takes rights away: then the end asks for one to be left */
};

/* Takes the change lock and opens a transaction; access_change_end follows in any case. */
CF_CHECK enum cf_rc access_change_begin(struct access *a, struct access_change *c,
                                        struct cf_err *e);

/* Builds the new index from the transaction, commits and serves it; when `rc` is not CF_OK or
 * something fails, rolls back. Releases the lock. Returns what held. CF_E_STATE "Conflict": the
 * change took the last writer of assignments at "/" away. */
CF_CHECK enum cf_rc access_change_end(struct access *a, struct access_change *c, enum cf_rc rc,
                                      struct cf_err *e);

/* As store_put, with the row's key and value. */
CF_CHECK enum cf_rc access_row_put(struct store_txn *t, enum store_table tbl,
                                   const struct access_row *r, struct cf_err *e);

static inline struct crypto_bytes access_bytes(const struct cf_buf *b)
{
    return crypto_bytes_of(b->data, b->len);
}

#endif
