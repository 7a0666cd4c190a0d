/*
 * The receipt of a verified backup: what was read of it, when, by whom, signed by the identity key
 * in the token, with a SHA-256 tree over the wire bytes, so that who holds the receipt can later
 * tell without any key whether the backup is still the one that was verified.
 * Bytes: ../../FORMAT.md, 12. No I/O but with the token.
 * Threads: any; an object belongs to one at a time.
 */
#ifndef MANIFEST_RECEIPT_H
#define MANIFEST_RECEIPT_H

#include "manifest/manifest.h"

#define MANIFEST_RECEIPT_MAX 60000
#define MANIFEST_JOB_ID      32 /* characters of a job's id */

/* Values stand in receipts: never renumber. */
enum manifest_scope {
    MANIFEST_PROVES_ALL = 1,    /* every byte was authenticated, every key opened in the token */
    MANIFEST_PROVES_SAMPLE = 2, /* manifest, tables and indexes whole; some of the blocks */
    MANIFEST_PROVES_PART = 3,   /* what the restore of one key reads */
};

/* What was read of one stream. */
struct manifest_read {
    uint32_t stream; /* FLOW_META for `meta` */
    uint64_t blocks, wire;
    uint64_t read;                  /* blocks that were read whole; all: `root` counts */
    uint8_t root[FLOW_DIGEST_SIZE]; /* of the tree over the blocks as sent */
};

/* All borrowed for the call. */
struct manifest_receipt {
    enum manifest_scope scope;
    unsigned percent; /* of the blocks, as asked for; all: 100, part: 0 */
    uint64_t started_s, ended_s;
    const char *job; /* MANIFEST_JOB_ID hex digits */
    uint8_t verifier[FLOW_ID_SIZE];
    uint64_t since_s;         /* when the domain took the verifier in */
    const struct manifest *m; /* as manifest_open gave it */
    const struct manifest_read *reads;
    size_t read_count;              /* ascending by stream; `meta` last */
    uint64_t keys, versions, bytes; /* opened in the token; read from the storage */
};

/* Appends the receipt. CF_E_LIMIT: longer than MANIFEST_RECEIPT_MAX. CF_E_ARG: a scope that the
 * reads do not bear out. */
CF_CHECK enum cf_rc manifest_receipt_build(const struct manifest_domain *d,
                                           const struct manifest_receipt *r, struct cf_buf *out,
                                           struct cf_err *e);

/* What a receipt says, as far as an appliance asks. */
struct manifest_proven {
    enum manifest_scope scope;
    unsigned percent;
    uint64_t started_s, ended_s;
    char job[MANIFEST_JOB_ID + 1];
    uint8_t verifier[FLOW_ID_SIZE];
    char folder[256], hsm[128];
    uint64_t seq;
    uint8_t backup_id[FLOW_ID_SIZE], domain_id[FLOW_ID_SIZE];
    uint32_t generation;
    uint8_t file_sha256[32], mac[MANIFEST_MAC_SIZE];
    uint64_t keys, versions; /* opened in the token */
    uint64_t blocks, read;   /* of all streams */
    uint8_t key_id[32];      /* of the signer */
};

/* Every check that the page knows without the backup: CF_E_LIMIT, CF_E_CORRUPT, CF_E_AUTH. `d`
 * NULL: the signature is by the key inside, and whose that is is not judged; else it is this
 * appliance's, or one that the domain vouches for, and the receipt is of the domain (token calls).
 */
CF_CHECK enum cf_rc manifest_receipt_read(const struct manifest_domain *d, const void *file,
                                          size_t len, struct manifest_proven *out,
                                          struct cf_err *e);

/* Root of the tree of RFC 9162, 2.1.1, over `n` digests: leaf = SHA-256(00 | digest), node =
 * SHA-256(01 | left | right), none: SHA-256 of nothing. */
CF_CHECK enum cf_rc manifest_tree_root(const uint8_t (*digests)[FLOW_DIGEST_SIZE], uint64_t n,
                                       uint8_t root[FLOW_DIGEST_SIZE], struct cf_err *e);

#endif
