/*
 * What a manifest says, in memory: ../../FORMAT.md, 3.4 and 3.5. Data only.
 */
#ifndef MANIFEST_MODEL_H
#define MANIFEST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "flow/flow.h"

#define MANIFEST_HEAD_SIZE     96 /* suffices to refuse another domain */
#define MANIFEST_ENVELOPE_SIZE 176
#define MANIFEST_MAC_SIZE      32
#define MANIFEST_MIN           259
#define MANIFEST_MAX           1114112
#define MANIFEST_SIGNERS_MAX   8
#define MANIFEST_NAME_SIZE     65
#define MANIFEST_META_MAX      ((uint64_t)1 << 30)

#define MANIFEST_ES256 1 /* alg: ECDSA P-256 with SHA-256, low s */

/* How blocks become blobs. */
enum manifest_layout {
    MANIFEST_LISTS = 0, /* Put Block a block, Put Block List a blob */
    MANIFEST_WHOLE = 1, /* a blob a block: where block lists are forbidden */
};

struct manifest_blob {
    char name[MANIFEST_NAME_SIZE];
    uint64_t first; /* block */
    uint64_t blocks;
    uint64_t bytes;
};

/* A run of index entries; places count in `meta`. */
struct manifest_segment {
    char name[FLOW_NAME_MAX + 1];
    uint64_t offset;
    uint64_t len;
    uint64_t chunk;
};

struct manifest_stream {
    char name[MANIFEST_NAME_SIZE];
    enum flow_kind kind;
    uint8_t chunk_log2;
    uint64_t plain, blocks, wire;
    uint64_t records; /* record streams */
    uint64_t changes; /* raw streams: the partition's change counter */
    struct manifest_blob *blobs;
    size_t blob_count;
    uint64_t table_offset, table_len; /* in `meta` */
    uint64_t index_offset, index_len;
    struct manifest_segment *root;
    size_t root_count;
};

struct manifest_meta {
    char blob[MANIFEST_NAME_SIZE]; /* "" when empty */
    uint8_t chunk_log2;
    uint64_t plain;
    struct flow_receipt *blocks;
    size_t count;
};

struct manifest_signer {
    uint64_t alg;
    uint8_t key_id[32]; /* SHA-256 of its SPKI */
};

/* A line of the coverage statement. Values stand in manifests: never renumber. */
enum manifest_covered {
    MANIFEST_INSIDE = 1,  /* it is in the backup */
    MANIFEST_OUTSIDE = 2, /* it is not, and was not to be */
    MANIFEST_MISSING = 3, /* it was to be, and could not */
};
#define MANIFEST_COVERS_MAX 512
struct manifest_cover {
    char what[97];
    enum manifest_covered state;
    char why[193]; /* or how much; may be "" */
};

/* Zero-initialise; free with manifest_clear. */
struct manifest {
    /* public */
    char folder[256];
    char hsm[128];
    uint64_t created_s, completed_s;
    uint64_t wire; /* of all blocks, `meta` too */
    char writer[65];
    /* sealed */
    uint64_t seq;
    uint8_t prev[MANIFEST_MAC_SIZE];
    uint8_t appliance[FLOW_ID_SIZE];
    uint64_t audit_record;
    uint8_t audit_hash[32];
    uint8_t store_epoch[16];
    uint64_t store_changes;
    uint64_t snapshot_s;
    struct manifest_stream *streams;
    size_t stream_count;
    struct manifest_meta meta;
    uint64_t layout;    /* enum manifest_layout */
    struct cf_buf spki; /* identity of the writer, DER */
    uint64_t since;
    uint8_t endorsement[32];
    uint64_t keys, versions, deleted, assignments;
    char (*left_out)[MANIFEST_NAME_SIZE]; /* anything here: the backup is incomplete */
    size_t left_out_count;
    struct manifest_cover *cover; /* what is in it and what is not; older backups have none */
    size_t cover_count;
    struct manifest_signer signers[MANIFEST_SIGNERS_MAX];
    size_t signer_count;
    /* of the file itself, set by build and open */
    uint8_t mac[MANIFEST_MAC_SIZE];
    uint8_t backup_id[FLOW_ID_SIZE];
    uint32_t generation;
    /* set by open alone */
    uint8_t fp[32];
    uint8_t file_sha256[32];
    uint64_t file_bytes;
};

void manifest_clear(struct manifest *m); /* zeroed input is fine */

/* One more line at the end. CF_E_LIMIT: too many. */
CF_CHECK enum cf_rc manifest_cover_add(struct manifest *m, const struct manifest_cover *c,
                                       struct cf_err *e);

/* Makes room for `n` streams, zeroed. */
CF_CHECK enum cf_rc manifest_set_streams(struct manifest *m, size_t n, struct cf_err *e);

#endif
