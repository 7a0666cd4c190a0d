/* Inside the live store: selector, files, the switch. */
#ifndef STORE_LIVE_PRIV_H
#define STORE_LIVE_PRIV_H

#include "store/live.h"
#include "store_priv.h"

#define SELECTOR_SIZE 128 /* FORMAT.md 3.4 */

struct store_live {
    char *dir;
    store_derive_fn *derive;
    void *derive_arg;
    const struct store_anchor *anchor;
    unsigned readers;
    uint64_t log_max;
    pthread_mutex_t lock;
    pthread_cond_t drained;
    struct {
        struct store *store; /* NULL: a switch failed half way, only a restart helps */
        struct store_selector sel;
        unsigned users;
        unsigned writers; /* of the users */
        bool held;        /* no writer may enter */
        bool switching;
        bool staged;
    } locked;
};

struct store_stage {
    struct store_live *live;
    struct store *store;
    uint64_t number;
    uint8_t epoch[STORE_EPOCH_SIZE];
};

void selector_encode(const struct store_selector *s, uint8_t out[SELECTOR_SIZE]);
/* CF_E_CORRUPT: not a selector, or torn. */
CF_CHECK enum cf_rc selector_decode(const uint8_t *in, size_t len, struct store_selector *out,
                                    struct cf_err *e);
CF_CHECK enum cf_rc selector_read(const char *dir, struct store_selector *out, struct cf_err *e);
/* The commit point of a switch. On failure the record on the medium is the old or the new one. */
CF_CHECK enum cf_rc selector_write(const char *dir, const struct store_selector *s,
                                   struct cf_err *e);

/* Removes keys-<n>.db and its side files. */
void live_remove(const struct store_live *l, uint64_t number);

struct live_file {
    uint64_t number;
    const uint8_t *epoch;
    bool fresh;    /* create it */
    bool anchored; /* false: take any anchor */
};
CF_CHECK enum cf_rc live_open_file(struct store_live *l, const struct live_file *f,
                                   struct store **out, struct cf_err *e);

#endif
