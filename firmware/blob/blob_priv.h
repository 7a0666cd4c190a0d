/* Between the dispatcher (store.c), azure/ and dir/. */
#ifndef BLOB_BLOB_PRIV_H
#define BLOB_BLOB_PRIV_H

#include "blob/blob.h"
#include "blob/place.h"

#define BLOB_SHOWN_MAX 255

enum blob_verb {
    BLOB_DO_PUT_BLOCK,
    BLOB_DO_COMMIT,
    BLOB_DO_PUT,
    BLOB_DO_HEAD,
    BLOB_DO_GET,
    BLOB_DO_LIST_BLOCKS,
    BLOB_DO_LIST,
    BLOB_DO_ERASE
};

/* One operation as asked for. Everything is checked before it comes to an implementer, who copies
 * what it needs later; bodies and callbacks' contexts stay valid until done. */
struct blob_op {
    enum blob_verb verb;
    const char *name; /* BLOB_DO_LIST: the prefix */
    const struct blob_block_id *ids;
    size_t nids;
    struct blob_body body;
    uint64_t first, count;
    const char *etag;
    bool grouped;
    blob_push_fn *push;
    blob_block_fn *each_block;
    blob_name_fn *each_name;
    void *ctx; /* of these three */
    struct blob_end end;
};

struct blob_lane_ops {
    enum cf_rc (*start)(struct blob_lane *lane, const struct blob_op *op, struct cf_err *e);
    enum cf_rc (*run)(struct blob_lane *lane, int timeout_ms, unsigned *open, struct cf_err *e);
    void (*wake)(struct blob_lane *lane);
    void (*cancel)(struct blob_lane *lane);
    void (*free)(struct blob_lane *lane);
};

/* Implementers embed these two as their first member. */
struct blob_lane {
    const struct blob_lane_ops *ops;
    struct blob_store *store;
};

struct blob_store {
    enum cf_rc (*lane_new)(struct blob_store *s, struct blob_lane **out, struct cf_err *e);
    void (*free)(struct blob_store *s);
    enum blob_need need;
    char shown[BLOB_SHOWN_MAX + 1];
};

/* A storage URI taken apart. Texts point into `text`. */
struct blob_uri {
    enum { BLOB_URI_DIR, BLOB_URI_HTTP, BLOB_URI_HTTPS } kind;
    const char *origin;    /* "https://host:port"; dir: "" */
    const char *account;   /* path style: percent-decoded account; else "" */
    const char *container; /* dir: the absolute path */
    const char *prefix;    /* "" or "a/b", no slash at either end */
    char text[BLOB_URI_MAX + 8];
};
/* Is the host one of a list as in blob_options? */
bool blob_host_listed(const char *list, const char *host, size_t len);
CF_CHECK enum cf_rc blob_uri_parse(const char *uri, const struct blob_options *o,
                                   struct blob_uri *out, struct cf_err *e);

/* azure/ and dir/ */
CF_CHECK enum cf_rc blob_azure_check(const struct blob_uri *u, const char *token,
                                     enum blob_need need, int64_t now_unix_s,
                                     struct blob_report *report, struct cf_err *e);
struct blob_azure_setup {
    const struct blob_uri *uri;
    const char *token; /* NULL: the managed identity of the options */
    const struct blob_options *options;
    struct hal_clock *clock;
    int64_t ends_unix_s;
};
CF_CHECK enum cf_rc blob_azure_open(const struct blob_azure_setup *setup, struct blob_store **out,
                                    struct cf_err *e);
CF_CHECK enum cf_rc blob_dir_open(const char *path, const struct blob_options *o,
                                  struct blob_store **out, struct cf_err *e);

#endif
