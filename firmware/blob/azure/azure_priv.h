/* What the .c files of azure/ share. */
#ifndef BLOB_AZURE_PRIV_H
#define BLOB_AZURE_PRIV_H

#include "../blob_priv.h"
#include "net/net.h"

/* Known everywhere and new enough for 4000 MiB blocks (azure-api.md, 7.1 and 7.3). */
#define BLOB_AZURE_VERSION "2021-12-02"

struct azure_store {
    struct blob_store base;
    char *container_url;     /* https://host[/account]/container, no query */
    char *prefix;            /* "" or "a/b/" */
    struct cf_secret *token; /* SAS without '?', not NUL-terminated; NULL: */
    struct azure_identity *identity;
    char version[32];
    struct hal_clock *clock;
    int64_t ends_unix_s; /* of the token; 0: not told */
    char *ca_file, *proxy;
    unsigned connections;
    uint32_t connect_timeout_ms, stall_timeout_ms;
};

/* sas.c: seconds since 1970 of a UTC time as a SAS writes it. */
bool blob_azure_time(const char *s, int64_t *unix_s);
/* The token as it goes into URLs: a '+' of a signature that somebody decoded is encoded again. */
CF_CHECK enum cf_rc blob_azure_token(const char *token, struct cf_secret **out, struct cf_err *e);

/* identity.c: bearer tokens for the storage service, fetched and kept for all lanes of a store.
 * Threads: any. */
CF_CHECK enum cf_rc blob_azure_identity_new(const struct blob_identity *i, struct hal_clock *clock,
                                            struct azure_identity **out, struct cf_err *e);
void blob_azure_identity_free(struct azure_identity *id);
/* Appends "Authorization: Bearer ..." to `header`. On failure `*why` is BLOB_TRANSIENT or
 * BLOB_CREDENTIAL. May wait for the identity's endpoint, at most half a minute. */
CF_CHECK enum cf_rc blob_azure_bearer(struct azure_identity *id, struct cf_buf *header,
                                      enum blob_why *why, struct cf_err *e);
/* The service refused the token: forgets it. True when it was an old one, so that a new one may
 * do. */
bool blob_azure_bearer_refused(struct azure_identity *id);

/* errors.c: what an answer that is not 2xx means. */
struct azure_answer {
    enum blob_verb verb;
    const char *name;
    int status;
    const char *code; /* x-ms-error-code, or "" */
    bool out_of_time; /* the token's time is over, or the service says so */
    bool identity;    /* asked with a managed identity, not with a SAS */
    bool web_page;    /* a page for people, and no code: somebody in between answers */
    int64_t ahead_s;  /* of the clock there, before ours; 0: not told */
};
void blob_azure_judge(const struct azure_answer *a, struct blob_result *r);

/* xml.c: a strict reader of small documents. Depth and text are bounded; a document type, an
 * entity of its own and anything after the end are refused. */
struct azure_xml;
/* `path` is "Root/Child/Leaf"; called at each end tag with the text of that element. */
typedef enum cf_rc azure_xml_fn(void *ctx, const char *path, const char *text, bool encoded,
                                struct cf_err *e);
CF_CHECK enum cf_rc blob_azure_xml_new(azure_xml_fn *fn, void *ctx, struct azure_xml **out,
                                       struct cf_err *e);
CF_CHECK enum cf_rc blob_azure_xml_feed(struct azure_xml *x, const void *data, size_t len,
                                        struct cf_err *e);
CF_CHECK enum cf_rc blob_azure_xml_end(struct azure_xml *x, struct cf_err *e);
void blob_azure_xml_free(struct azure_xml *x);

/* lists.c: readers of the two lists. `failed` tells whether a callback of the caller did. */
struct azure_list {
    struct azure_xml *xml;
    const struct azure_store *store;
    blob_block_fn *each_block;
    blob_name_fn *each_name;
    void *ctx;
    bool failed;
    char *name; /* of the entry being read, BLOB_NAME_MAX + prefix */
    uint64_t size;
    bool has_size, named, directory;
    char marker[4096]; /* of the next page, "" at the end */
};
CF_CHECK enum cf_rc blob_azure_list_start(struct azure_list *l, struct cf_err *e);
void blob_azure_list_clear(struct azure_list *l);
/* The error's code and message of a refusal's body; "" where there is none. */
void blob_azure_error_body(const void *data, size_t len, char code[64], char message[256]);

/* url.c: appends percent-encoded text; '/' stays in paths. */
CF_CHECK enum cf_rc blob_azure_put_path(struct cf_buf *b, const char *s, struct cf_err *e);
CF_CHECK enum cf_rc blob_azure_put_query(struct cf_buf *b, const char *s, struct cf_err *e);
/* The whole URL, SAS included, NUL-terminated: wipe it with cf_buf_clear. */
CF_CHECK enum cf_rc blob_azure_url(const struct azure_store *s, const struct blob_op *op,
                                   const char *marker, struct cf_buf *url, struct cf_err *e);

/* One operation on its way. */
struct azure_op {
    struct azure_op *next, *prev; /* next alone in the spare list */
    struct azure_lane *lane;
    struct blob_op op;
    char name[BLOB_NAME_MAX + 1], etag[BLOB_ETAG_MAX + 1];
    struct net_transfer *transfer;
    struct cf_buf url, body;
    struct azure_list list;
    char last_marker[sizeof((struct azure_list *)0)->marker];
    enum blob_why own_why; /* of a refusal found here, BLOB_OK: none */
    uint64_t left;         /* bytes of the range that are still to come */
    bool caller_failed;
    bool stillborn; /* no request was made: its result waits for the next run */
    struct blob_result result;
};

struct azure_lane {
    struct blob_lane base;
    struct net_lane *net;
    struct azure_op *open, *spare;
    unsigned nstillborn;
};

static inline struct azure_store *azure_store_of(const struct azure_op *o)
{
    return (struct azure_store *)(void *)o->lane->base.store;
}

static inline bool azure_is_write(enum blob_verb v)
{
    return v == BLOB_DO_PUT_BLOCK || v == BLOB_DO_COMMIT || v == BLOB_DO_PUT;
}

static inline bool azure_is_change(enum blob_verb v)
{
    return azure_is_write(v) || v == BLOB_DO_ERASE;
}

static inline bool azure_is_list(enum blob_verb v)
{
    return v == BLOB_DO_LIST || v == BLOB_DO_LIST_BLOCKS;
}

/* request.c: makes the request and hands it to net; `done` is called with the operation. */
CF_CHECK enum cf_rc blob_azure_submit(struct azure_op *o, net_done_fn *done, struct cf_err *e);
/* The body of a commit. */
CF_CHECK enum cf_rc blob_azure_commit_body(struct azure_op *o, struct cf_err *e);

/* answer.c: callbacks of the request, and what its end means for o->result. */
enum cf_rc blob_azure_on_head(void *ctx, const struct net_result *r, struct cf_err *e);
enum cf_rc blob_azure_on_push(void *ctx, const void *data, size_t len, struct cf_err *e);
void blob_azure_conclude(struct azure_op *o, const struct net_result *r);

/* lane.c */
CF_CHECK enum cf_rc blob_azure_lane_new(struct blob_store *s, struct blob_lane **out,
                                        struct cf_err *e);

#endif
