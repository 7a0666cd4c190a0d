/*
 * What the key store takes and gives. Data only; what ends in _clear frees.
 */
#ifndef KEYSTORE_TYPES_H
#define KEYSTORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "hal/token_types.h"

#define KEYSTORE_NAME_MAX     127
#define KEYSTORE_ID_SIZE      16 /* version id */
#define KEYSTORE_ID_HEX       32
#define KEYSTORE_VERSIONS_MAX 100
#define KEYSTORE_TAGS_MAX     15
#define KEYSTORE_TAG_CHARS    256 /* characters, up to four bytes each */
#define KEYSTORE_PAGE_MAX     25
#define KEYSTORE_LOOKS        10000 /* keys that one page looks at, wanted or not */
#define KEYSTORE_POLICY_MAX   16384 /* bytes of a release policy's data */
#define KEYSTORE_ROTATION_MAX 8192

/* Bits of key_ops, as they stand in rows. */
enum keystore_op {
    KEYSTORE_ENCRYPT = 1,
    KEYSTORE_DECRYPT = 2,
    KEYSTORE_SIGN = 4,
    KEYSTORE_VERIFY = 8,
    KEYSTORE_WRAP = 16,
    KEYSTORE_UNWRAP = 32,
    KEYSTORE_IMPORT = 64,
    KEYSTORE_EXPORT = 128,
};

/* Names ascend by bytes and are unique; texts are UTF-8 without control characters.
 * Zero-initialise. */
struct keystore_tags {
    size_t count;
    struct keystore_tag {
        char *name;
        char *value;
    } tag[KEYSTORE_TAGS_MAX];
};

/* Adds a copy in its place. CF_E_INPUT BadParameter: too many, too long, twice, or not text. */
CF_CHECK enum cf_rc keystore_tags_add(struct keystore_tags *t, const char *name, const char *value,
                                      struct cf_err *e);
void keystore_tags_clear(struct keystore_tags *t);

struct keystore_policy {
    char content_type[256]; /* "" = no policy */
    struct cf_buf data;     /* decoded */
    bool immutable;
};
void keystore_policy_clear(struct keystore_policy *p);

/* Which members of keystore_attrs the client gave. */
enum keystore_given {
    KEYSTORE_GIVEN_ENABLED = 1,
    KEYSTORE_GIVEN_NBF = 2,
    KEYSTORE_GIVEN_EXP = 4,
    KEYSTORE_GIVEN_OPS = 8,
    KEYSTORE_GIVEN_TAGS = 16,
    KEYSTORE_GIVEN_POLICY = 32,
    KEYSTORE_GIVEN_EXPORTABLE = 64,
};

/* Borrowed for a call. */
struct keystore_attrs {
    unsigned given; /* of keystore_given; the others below are ignored, defaults rule or stay */
    bool enabled;
    uint64_t nbf; /* Unix s */
    uint64_t exp;
    unsigned ops; /* of keystore_op; default by type (API document 2.1) */
    bool exportable;
    const struct keystore_tags *tags;
    const struct keystore_policy *policy;
};

struct keystore_new {
    struct hal_key_spec spec;
    struct keystore_attrs attrs;
};

struct keystore_version {
    char id[KEYSTORE_ID_HEX + 1];
    uint64_t created; /* Unix s */
    uint64_t updated;
    bool enabled;
    bool exportable;
    bool imported;
    unsigned ops;
    bool has_nbf;
    bool has_exp;
    uint64_t nbf;
    uint64_t exp;
    struct hal_key_spec spec;
    struct cf_buf spki; /* DER, empty for oct; keystore_public gives its parts */
    struct keystore_tags tags;
    struct keystore_policy policy;
};

struct keystore_key {
    char name[KEYSTORE_NAME_MAX + 1]; /* as first spelt */
    uint64_t created;
    uint64_t updated;
    uint64_t deleted;  /* 0 = live */
    uint64_t purge_at; /* Unix s; 0 = live */
};

/* One version and the key it belongs to. Zero-initialise. */
struct keystore_bundle {
    struct keystore_key key;
    struct keystore_version version;
};
void keystore_bundle_clear(struct keystore_bundle *b);

enum keystore_which {
    KEYSTORE_LIVE,
    KEYSTORE_DELETED,
    KEYSTORE_ROTATING, /* live, with a rotation policy */
};

struct keystore_page {
    struct keystore_bundle *item; /* count of them */
    size_t count;
    bool more; /* of keys: the next page begins after `last`; of versions: after the last item */
    char last[KEYSTORE_NAME_MAX + 1]; /* the last key looked at, which need not be an item */
};
void keystore_page_clear(struct keystore_page *p);

struct keystore_counts {
    uint64_t keys; /* deleted ones too */
    uint64_t versions;
    uint64_t deleted;
};

#endif
