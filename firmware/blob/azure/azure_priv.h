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
    struct cf_secret *token; /* SAS without '?', not NUL-terminated */
    char version[32];
    struct hal_clock *clock;
    int64_t ends_unix_s; /* of the token; 0: not told */
    char *ca_file, *proxy;
    unsigned connections;
    uint32_t stall_timeout_ms;
};

/* sas.c: seconds since 1970 of a UTC time as a SAS writes it. */
bool blob_azure_time(const char *s, int64_t *unix_s);

/* errors.c: what an answer that is not 2xx means. */
struct azure_answer {
    enum blob_verb verb;
    const char *name;
    int status;
    const char *code; /* x-ms-error-code, or "" */
    bool out_of_time; /* the token's time is over, or the service says so */
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
    bool has_size, named;
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

/* lane.c */
CF_CHECK enum cf_rc blob_azure_lane_new(struct blob_store *s, struct blob_lane **out,
                                        struct cf_err *e);

#endif
