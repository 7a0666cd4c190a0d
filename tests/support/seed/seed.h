/* coffer-seed: many keys into the store of a stopped bench appliance. */
#ifndef SEED_H
#define SEED_H

#include "appliance.h"
#include "keystore_priv.h"

#define SEED_KINDS     3
#define SEED_MATERIALS 16

struct seed_options {
    const char *dir;
    uint64_t keys, first, versions, tags, deleted; /* deleted: every so many; 0: none */
    bool kind[SEED_KINDS];                         /* ec, oct, rsa */
};

/* What all keys of a kind are made of. */
struct seed_kind {
    struct hal_key_spec spec;
    struct hal_wrapped material[SEED_MATERIALS];
};

struct seed {
    struct seed_options o;
    struct appliance a;
    struct seed_kind kind[SEED_KINDS];
    size_t kinds;
    uint64_t now_s;
};

/* --- appliance.c -------------------------------------------------------------------------------
 */

/* Token, domain, store and key store of o.dir. CF_E_STATE: its daemon runs, or it is not active. */
CF_CHECK enum cf_rc seed_open(struct seed *s, struct cf_err *e);
void seed_close(struct seed *s);

/* --- make.c ------------------------------------------------------------------------------------
 */

/* The materials, in the token. */
CF_CHECK enum cf_rc seed_make_kinds(struct seed *s, struct cf_err *e);
void seed_clear_kinds(struct seed *s);
void seed_name(uint64_t n, char out[KEYSTORE_NAME_MAX + 1]);
/* Key number `n` with all versions; `r` starts zeroed. A MAC of the token for each version. */
CF_CHECK enum cf_rc seed_make_key(struct seed *s, uint64_t n, struct keystore_record *r,
                                  struct cf_err *e);

/* --- fill.c ------------------------------------------------------------------------------------
 */

/* All keys into the store. CF_E_STATE: one of the names is there. */
CF_CHECK enum cf_rc seed_fill(struct seed *s, struct cf_err *e);

#endif
