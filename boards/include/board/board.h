/*
 * A board: which drivers an appliance uses, and its numbers. Data and constructors, no logic.
 * Implementers: boards/<one>; exactly one is linked (CF_BOARD). Only firmware/app includes this.
 * Threads: constructors are called at start from one thread; partition calls from any.
 */
#ifndef BOARD_BOARD_H
#define BOARD_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/partition.h"
#include "hal/token.h"

/* Bytes of a partition's name, [a-z0-9-]: what the sealed map of a backup calls it. */
#define BOARD_NAME_MAX 32
/* Raw partitions of one appliance. */
#define BOARD_RAW_MAX 32

/* What the operator's configuration says about hardware; texts are borrowed and outlive the board.
 */
struct board_settings {
    struct {
        const char *name;
        const char *file;
    } raw[BOARD_RAW_MAX];
    size_t raw_count;
    const char *config_dir;
    const char *keystore_dir;
    const char *audit_file;
    const char *token_module; /* path of the PKCS#11 module */
    const char *token_uri;    /* RFC 7512 */
    uint32_t token_deadline_ms;
    const char *token_pin_state; /* file of the persistent failure counter */
    bool
        set_up; /* the appliance holds state: a medium that is not there was lost, and is not new */
};

/* A raw partition marked for backup: two slots, one of them live. */
struct board_raw {
    char name[BOARD_NAME_MAX + 1];
    void *ctx;
    /* The live slot, for reading. */
    enum cf_rc (*open_live)(void *ctx, struct hal_partition **out, struct cf_err *e);
    /* The other slot, of the same size, for writing; its content is undefined. */
    enum cf_rc (*open_twin)(void *ctx, struct hal_partition **out, struct cf_err *e);
    /* Tells the medium which slot (0 or 1) is live now; repeated at each start. */
    enum cf_rc (*settle)(void *ctx, unsigned live_slot, struct cf_err *e);
};

/* What the constructor gives; freed by `close`. */
struct board_parts {
    struct hal_clock *clock;
    struct hal_entropy *entropy;
    struct hal_partition *audit;
    struct board_raw raw[BOARD_RAW_MAX];
    size_t raw_count;
    void *priv;
};

struct board {
    const char *name;
    const char *platform; /* hsmPlatform of keys */
    bool bench;           /* http: storage allowed, no earlier backup asked for before a restore */
    enum cf_rc (*open)(const struct board_settings *s, struct board_parts *out, struct cf_err *e);
    /* Opens the token with the PIN, which is borrowed for the call. `confirmed`: an operator has
     * just given it, so it is tried even after an earlier one failed. */
    enum cf_rc (*token_open)(const struct board_settings *s, const struct cf_secret *pin,
                             bool confirmed, struct hal_token **out, struct cf_err *e);
    void (*close)(struct board_parts *p); /* NULL-safe, zeroed input is fine */
};

/* The one board of this program. */
const struct board *board_get(void);

#endif
