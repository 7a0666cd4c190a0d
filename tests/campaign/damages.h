/* Folders of backups in memory, and what may happen to them. */
#ifndef CAMPAIGN_DAMAGES_H
#define CAMPAIGN_DAMAGES_H

#include <inttypes.h>
#include <stdbool.h>

#include "base/buf.h"
#include "support/blobserver.h"
#include "support/run_bench.h"

#define POOL       6 /* whole backups, each of another state */
#define POOL_LISTS 4 /* of these made of block lists */
#define BLOBS_MAX  48

struct blob {
    char name[96];
    struct cf_buf data;
};

struct folder {
    char name[JOBS_FOLDER_SIZE];
    struct blob blob[BLOBS_MAX]; /* those that readers read */
    size_t count;
};

enum damage {
    DAMAGE_FLIP,      /* one bit */
    DAMAGE_OVERWRITE, /* a range by chance */
    DAMAGE_ZERO,      /* a range by zeros */
    DAMAGE_CUT,       /* at the end */
    DAMAGE_APPEND,
    DAMAGE_SHIFT,        /* bytes go at the beginning */
    DAMAGE_DROP,         /* a blob is gone */
    DAMAGE_RENAME,       /* a blob has another name */
    DAMAGE_FOLDER,       /* the folder has */
    DAMAGE_SWAP,         /* two blobs of a folder */
    DAMAGE_COPY,         /* one in the place of another */
    DAMAGE_SWAP_RANGES,  /* two ranges of a blob: blocks and chunks among them */
    DAMAGE_REPLAY,       /* a blob of another backup in the place of its like */
    DAMAGE_REPLAY_RANGE, /* a range of it */
    DAMAGE_MIX,          /* some blobs of one backup, the others of another */
    DAMAGE_ATTEMPT,      /* a block as an older attempt of the same backup may have sealed it */
    DAMAGES
};

struct world {
    struct run_bench b;
    struct folder pool[POOL];
    uint8_t state[32];
    uint64_t seed;
    unsigned keys_made, violations;
    uint64_t jobs, done[DAMAGES], by_verify, by_restore, clean;
    char said[JOBS_TEXT_SIZE]; /* by the last job */
};

uint64_t chance(struct world *w);
size_t below(struct world *w, size_t n);
void must(enum cf_rc rc, const struct cf_err *e);

/* folder.c */
void folder_clear(struct folder *f);
void folder_copy(struct folder *to, const struct folder *from);
void folder_load(struct folder *f, const char *dir, const char *name);
void folder_store(const struct folder *f, const char *dir);
/* A backup into a storage over HTTP, as it lies there. */
void folder_make_whole(struct world *w, const struct test_blobserver *s, struct folder *f);
/* The same name and the same blobs. */
bool folder_same(const struct folder *a, const struct folder *b);

/* harm.c: false where this kind does not fit here. `what` gets a few words more. `i`: which of the
 * pool `f` is a copy of. */
bool damage_do(struct world *w, struct folder *f, size_t i, enum damage kind, char *what,
               size_t cap);

/* attempt.c: the domain's secrets seal one block of `f` anew, under another salt. */
bool damage_attempt(struct world *w, struct folder *f, char *what, size_t cap);

#endif
