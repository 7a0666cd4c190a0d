/*
 * What lies in a place: one line a folder, newest first. Reads names, sizes and manifests, no block
 * of data, and starts no job: it may be asked while one runs. A backup is called whole when its
 * manifest is authentic and the storage lists its blobs with the sizes that the manifest says;
 * that their bytes are right too is what run_verify_start proves.
 * Threads: any number at once; each call holds a connection of its own.
 */
#ifndef RUN_LIST_H
#define RUN_LIST_H

#include "run/run.h"

enum run_backup_state {
    RUN_BACKUP_WHOLE,
    RUN_BACKUP_UNFINISHED,   /* no manifest: never a backup, or not yet */
    RUN_BACKUP_DAMAGED,      /* a manifest that does not verify, or blobs that are not there */
    RUN_BACKUP_FOREIGN,      /* of another domain: what is told of it is only its own claim */
    RUN_BACKUP_GENERATION,   /* of our domain, but of a generation that the keyring lacks */
    RUN_BACKUP_NEWER_FORMAT, /* of a version that this one does not read */
    RUN_BACKUP_UNREADABLE,   /* its manifest cannot be read as it lies: archived */
    RUN_BACKUP_STATES
};

/* Texts are borrowed for the call. */
struct run_backup {
    const char *folder;
    enum run_backup_state state;
    const char *why; /* for people; "" when whole */
    const char *hsm; /* "" unknown */
    int64_t made_s;  /* Unix seconds; 0 unknown */
    uint64_t bytes;  /* of all blobs, as listed */
    uint64_t seq;    /* 0 unknown */
    uint32_t generation;
    bool proven;              /* the manifest is authentic */
    bool ours;                /* written by this appliance */
    int64_t verified_s;       /* this appliance has a receipt of this very backup; 0: none */
    bool verified_whole;      /* and it says that all was read */
    const struct manifest *m; /* proven: what it says, with its coverage; else NULL */
};
typedef enum cf_rc run_backup_fn(void *ctx, const struct run_backup *b, struct cf_err *e);

#define RUN_LIST_MAX 1000

struct run_listing {
    size_t limit;      /* folders told of, 1..RUN_LIST_MAX */
    const char *after; /* go on behind this folder; NULL: from the newest */
    /* answered */
    size_t folders; /* there are in all */
    bool more;      /* the limit ended it */
};

/* Uses of `q` the place alone. CF_E_INPUT BadRequest: place or token; the token must allow to read
 * and to list. CF_E_IO, CF_E_REMOTE: the storage; a few attempts are made. */
CF_CHECK enum cf_rc run_list(struct run *r, const struct run_request *q, struct run_listing *l,
                             run_backup_fn *each, void *ctx, struct cf_err *e);

#endif
