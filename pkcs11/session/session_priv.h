/*
 * The open token inside the worker: slot, login, the anchor session that owns cached keys, and
 * what each serving thread holds of it. There is no re-opening here: nothing less than a new
 * process ever helped (tokens document 1.4), so a lost token is reported and the client replaces
 * the worker.
 * Threads: struct p11_core is shared, its changing parts are behind the named locks;
 * struct p11_ctx belongs to one thread.
 */
#ifndef P11_SESSION_PRIV_H
#define P11_SESSION_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/crypto.h"
#include "hal/token_types.h"
#include "module/module_priv.h"

#define P11_SESSIONS_MAX 64
#define P11_ID_SIZE      16 /* CKA_ID of our objects */
#define P11_PROBE_BLOB   64 /* room for the wrapped probe key */

/* What the worker is told when it starts; the texts are borrowed for p11_core_open. */
struct p11_setup {
    const char *module;
    const char *token_uri;
    struct crypto_bytes pin; /* in locked memory */
    uint32_t max_sessions;
    uint32_t cached_keys;
    uint32_t recycle_after;
};

enum p11_oaep_way { P11_OAEP_NONE, P11_OAEP_NATIVE, P11_OAEP_RAW };
enum p11_gcm_way { P11_GCM_NONE, P11_GCM_V240, P11_GCM_OLD };
enum p11_kw_way { P11_KW_NONE, P11_KW_ENCRYPT, P11_KW_WRAP };

/* How this token does what tokens do differently; found by known answers when it is opened. */
struct p11_ways {
    CK_MECHANISM_TYPE kwp; /* the RFC 5649 mechanism */
    bool kwp_pads_exactly; /* wraps lengths that are no multiple of 8 as the RFC says */
    bool create;           /* C_CreateObject takes secret keys */
    enum p11_oaep_way oaep[HAL_SHA512 + 1];
    enum p11_gcm_way gcm;
    enum p11_kw_way user_kw, user_kwp;
    uint32_t hmac_min_bytes;
    atomic_int rung_secret, rung_rsa, rung_ec; /* template that was accepted last */
};

#define P11_KEYS_MAX 64

/* Handles of the appliance's keys, found once. */
struct p11_named {
    struct hal_key_name name;
    CK_OBJECT_HANDLE key;
    CK_OBJECT_HANDLE pub; /* CK_INVALID_HANDLE for secrets */
};

/* An AES key in the token of which the worker knows the value (object/bring.c). */
struct p11_ferry {
    CK_OBJECT_HANDLE h;
    struct cf_secret *value;
};

struct p11_cache;

struct p11_core {
    struct p11_module module;
    const CK_FUNCTION_LIST *fn;
    CK_SLOT_ID slot;
    CK_TOKEN_INFO token;
    const struct p11_quirk *quirk;
    struct p11_ways ways;
    CK_MECHANISM_TYPE *mechs;
    CK_ULONG mechs_len;

    pthread_mutex_t anchor_lock; /* one call at a time in the anchor session */
    CK_SESSION_HANDLE anchor;
    pthread_mutex_t objects_lock; /* token objects are made and destroyed one at a time */

    struct {
        pthread_mutex_t lock;
        struct p11_named list[P11_KEYS_MAX];
        size_t len;
    } keys;

    pthread_mutex_t ferry_lock;
    struct p11_ferry ferry; /* only where C_CreateObject is refused */

    struct p11_cache *cache;
    atomic_uint made; /* objects: each leaks a little in one common module */
    uint32_t recycle_after;

    /* Liveness: this blob under this key holds an AES key with this check value. */
    CK_OBJECT_HANDLE probe_kek;
    uint8_t probe_blob[P11_PROBE_BLOB];
    CK_ULONG probe_blob_len;
    uint8_t probe_kcv[HAL_KCV_SIZE];

    CK_SESSION_HANDLE sessions[P11_SESSIONS_MAX];
    uint32_t sessions_len;
};

/* One serving thread's view. */
struct p11_ctx {
    struct p11_core *core;
    const CK_FUNCTION_LIST *fn;
    CK_SESSION_HANDLE s;
    enum p11_class worst; /* of this request's failures */
    /* What a P11_DEVICE failure means when the token is found alive: whose fault it then is, and
     * the one thing said of it, so that texts are no oracle. CF_E_TOKEN: nobody's. */
    enum cf_rc blame;
    const char *blame_text;
};

static inline void p11_blame(struct p11_ctx *c, enum cf_rc rc, const char *text)
{
    c->blame = rc;
    c->blame_text = text;
}

/* Records a failed call in the context and in `e`. */
enum cf_rc p11_ctx_fail(struct p11_ctx *c, struct cf_err *e, const char *where, const char *call,
                        CK_RV rv);
#define P11_FAIL(c, e, call, rv) p11_ctx_fail((c), (e), CF_HERE, (call), (rv))

/* Module, slot, login, anchor and serving sessions; the ways are found by p11_probe after it.
 * Exactly one C_Login at most. */
CF_CHECK enum cf_rc p11_core_open(struct p11_core *core, const struct p11_setup *s,
                                  struct cf_err *e);
void p11_core_close(struct p11_core *core);

/* Finds the one initialised token that the URI names. */
CF_CHECK enum cf_rc p11_slot_find(struct p11_core *core, const char *uri, struct cf_err *e);

/* Before each request: clears the record, and opens a new session where the last request failed. */
CF_CHECK enum cf_rc p11_ctx_ready(struct p11_ctx *c, struct cf_err *e);

bool p11_has_mech(const struct p11_core *core, CK_MECHANISM_TYPE m, CK_FLAGS need);

#endif
