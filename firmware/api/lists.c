#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "bundle_priv.h"
#include "handlers_priv.h"

/* Which list, as its URL and its skip tokens name it. */
struct listing {
    char kind[KEYSTORE_NAME_MAX + 16]; /* "keys", "deletedkeys", "versions:{name}" */
    char path[KEYSTORE_NAME_MAX + 32];
    bool versioned;
    size_t limit;
    struct cf_buf after; /* what the skip token says; empty: from the first */
};

static enum cf_rc read_page(struct api *a, const struct api_request *rq, struct listing *l,
                            struct cf_err *e)
{
    const char *max = api_param(&rq->query, "maxresults");
    const char *skip = api_param(&rq->query, "$skiptoken");
    uint64_t n = KEYSTORE_PAGE_MAX;
    if (max && (cf_parse_u64(max, KEYSTORE_PAGE_MAX, &n, NULL) != CF_OK || n == 0))
        return API_BAD(e, "maxresults must be 1 to %d", KEYSTORE_PAGE_MAX);
    l->limit = (size_t)n;
    return skip ? api_skip_read(a, l->kind, skip, &l->after, e) : CF_OK;
}

/* API document 1.7: same host, port and version, so that the client's token still serves. */
static enum cf_rc put_next(struct api *a, const struct api_request *rq, struct json_wr *w,
                           const struct listing *l, const char *last, struct cf_err *e)
{
    struct cf_buf skip = { 0 };
    enum cf_rc rc = api_skip_make(a, l->kind, last, &skip, e);
    if (rc == CF_OK)
        api_put_url(w, rq, "nextLink", "%s?api-version=%s&$skiptoken=%.*s&maxresults=%zu", l->path,
                    api_param(&rq->query, "api-version"), (int)skip.len, (const char *)skip.data,
                    l->limit);
    cf_buf_clear(&skip);
    return rc;
}

static enum cf_rc answer(struct api *a, const struct api_request *rq, const struct listing *l,
                         const struct keystore_page *page, struct api_reply *rp, struct cf_err *e)
{
    struct json_wr w;
    enum cf_rc rc = CF_OK;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "value");
    for (size_t i = 0; i < page->count; i++)
        api_put_item(a, rq, &w, &page->item[i], l->versioned);
    json_close(&w);
    if (page->more) /* a page of versions that has more is full */
        rc = put_next(a, rq, &w, l,
                      l->versioned ? page->item[page->count - 1].version.id : page->last, e);
    json_close(&w);
    enum cf_rc end = json_wr_end(&w);
    return rc != CF_OK ? rc : end;
}

static enum cf_rc list_keys(struct api *a, struct api_request *rq, enum keystore_which which,
                            struct api_reply *rp, struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct keystore_page page = { 0 };
    struct listing l = { .versioned = false };
    const char *after = NULL;
    snprintf(l.kind, sizeof l.kind, "%s", which == KEYSTORE_LIVE ? "keys" : "deletedkeys");
    snprintf(l.path, sizeof l.path, "/%s", l.kind);
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = read_page(a, rq, &l, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&l.after, &after, e);
    if (rc == CF_OK)
        rc = keystore_list(ks, which, l.after.len ? after : NULL, l.limit, &page, e);
    if (rc == CF_OK)
        rc = answer(a, rq, &l, &page, rp, e);
    keystore_page_clear(&page);
    cf_buf_clear(&l.after);
    return rc;
}

enum cf_rc api_get_keys(struct api *a, struct api_request *rq, struct api_reply *rp,
                        struct cf_err *e)
{
    return list_keys(a, rq, KEYSTORE_LIVE, rp, e);
}

enum cf_rc api_get_deleted_keys(struct api *a, struct api_request *rq, struct api_reply *rp,
                                struct cf_err *e)
{
    return list_keys(a, rq, KEYSTORE_DELETED, rp, e);
}

enum cf_rc api_get_versions(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct keystore_page page = { 0 };
    struct listing l = { .versioned = true };
    struct keystore_versions_from from = { .name = rq->key };
    const char *after = NULL;
    snprintf(l.kind, sizeof l.kind, "versions:%s", rq->key);
    snprintf(l.path, sizeof l.path, "/keys/%s/versions", rq->key);
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = read_page(a, rq, &l, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&l.after, &after, e);
    from.after = l.after.len ? after : NULL;
    if (rc == CF_OK)
        rc = keystore_list_versions(ks, &from, l.limit, &page, e);
    if (rc == CF_OK)
        rc = answer(a, rq, &l, &page, rp, e);
    keystore_page_clear(&page);
    cf_buf_clear(&l.after);
    return rc;
}
