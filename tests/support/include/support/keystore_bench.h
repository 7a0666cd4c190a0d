/*
 * A key store on a fresh directory with a fake token and a stepped clock, for tests of what stands
 * on it. Aborts where setting up fails.
 */
#ifndef SUPPORT_KEYSTORE_BENCH_H
#define SUPPORT_KEYSTORE_BENCH_H

#include "hal/clock.h"
#include "keystore/keystore.h"
#include "store/live.h"

#define KEYSTORE_BENCH_START_S 1700000000

struct keystore_bench {
    char dir[64];
    bool dir_is_ours;
    struct hal_token *token;
    struct hal_clock *clock; /* hal_sim's; at KEYSTORE_BENCH_START_S */
    struct store_live *live;
    struct keystore *ks;
    struct keystore_options options; /* change and keystore_bench_reopen */
    uint64_t log_max;                /* of the store; the same */
};

/* An empty store in a directory of its own. */
void keystore_bench_open(struct keystore_bench *b);
/* The same in the caller's directory, on what lies there; it stays. */
void keystore_bench_open_at(struct keystore_bench *b, const char *dir);
/* Closes and opens everything but the token and the clock; the store is verified again. */
void keystore_bench_reopen(struct keystore_bench *b);
/* Closes; removes the directory if keystore_bench_open made it. */
void keystore_bench_close(struct keystore_bench *b);

/* How the bench derives a store's keys from its token, for those who open the live store alone;
 * `arg` is the token. */
store_derive_fn keystore_bench_derive;

/* A key with default attributes; 0 bits or curve as the type wants. */
enum cf_rc keystore_bench_make(struct keystore_bench *b, const char *name,
                               const struct hal_key_spec *spec, struct keystore_bundle *out,
                               struct cf_err *e);

#endif
