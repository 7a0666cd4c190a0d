/* What the .c files of dir/ share. */
#ifndef BLOB_DIR_PRIV_H
#define BLOB_DIR_PRIV_H

#include "../blob_priv.h"

/* Below the root, and hidden: names of blobs never begin with a dot. */
#define DIR_STAGING     ".coffer-staging"
#define DIR_PIECE_BYTES BLOB_PIECE_BYTES

struct dir_store {
    struct blob_store base;
    int root;
};

/* One queued operation, with its own copy of what is borrowed only until start. */
struct dir_op {
    struct dir_op *next;
    struct blob_op op;
    char name[BLOB_NAME_MAX + 1], etag[BLOB_ETAG_MAX + 1];
    struct cf_buf ids; /* BLOB_BLOCK_ID_LEN each */
    struct blob_result result;
};

struct dir_lane {
    struct blob_lane base;
    struct dir_op *first, *last;
    unsigned count;
    bool canceled;
    uint8_t *piece; /* DIR_PIECE_BYTES */
};

/* What an operation works with. */
struct dir_job {
    int root;
    struct dir_op *o;
    uint8_t *piece;
};

/* walk.c. Never through a symbolic link, never upwards. -1 and errno on failure. */
int dir_open_parent(int base, const char *name, bool create, char leaf[BLOB_SEGMENT_MAX + 1]);
/* The directory that holds the blocks of a blob to be. */
int dir_open_staging(int root, const char *name, bool create);
/* Takes it away with all its files, and the empty directories above it; what cannot go stays. */
void dir_drop_staging(int root, const char *name);
/* Renames and refuses to replace: 0, or -1 with EEXIST. */
int dir_rename_new(int from_dir, const char *from, int to_dir, const char *to);
void dir_block_file(const uint8_t *id, char out[2 * BLOB_BLOCK_ID_LEN + 4]);

/* Fills the result from errno; returns false, so that steps chain. */
bool dir_fail(struct dir_op *o, const char *doing);
bool dir_refuse(struct dir_op *o, enum blob_why why, enum cf_rc rc, const char *text);

/* write.c, commit.c, read.c, list.c, erase.c: one for each verb */
bool dir_put_block(struct dir_job *j);
bool dir_put(struct dir_job *j);
bool dir_commit(struct dir_job *j);
bool dir_head(struct dir_job *j);
bool dir_get(struct dir_job *j);
bool dir_list_blocks(struct dir_job *j);
bool dir_list(struct dir_job *j);
bool dir_erase(struct dir_job *j);

/* write.c, for commit.c */
bool dir_write_all(struct dir_op *o, int fd, const void *data, size_t len);
/* The blob must not be there yet. */
bool dir_absent(struct dir_job *j);
/* Gives a finished file its name and makes that last. */
bool dir_publish(struct dir_job *j, int from_dir, const char *from);

/* commit.c: the file beside the blocks that remembers what was committed. */
#define DIR_COMMITTED_FILE  ".committed"
#define DIR_COMMITTED_ENTRY (8 + BLOB_BLOCK_ID_LEN)

#endif
