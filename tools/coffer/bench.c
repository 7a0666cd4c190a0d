/* bench.json, and calls to a bench appliance by the way it knows. */
#include "bench.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "body.h"

#define BENCH_JSON_MAX 16384

void bench_path(const struct bench *b, const char *file, char *out)
{
    int n = snprintf(out, BENCH_PATH, "%s/%s", b->dir, file);
    if (n < 0 || n >= BENCH_PATH)
        out[0] = 0; /* opening "" fails with a clear errno */
}

void bench_name(struct bench *b)
{
    snprintf(b->host, sizeof b->host, "%s." BENCH_DOMAIN, b->name);
    snprintf(b->url, sizeof b->url, b->port == 443 ? "https://%s" : "https://%s:%llu", b->host,
             (unsigned long long)b->port);
}

/* The texts of bench.json, by name. */
static const struct text_row {
    const char *name;
    size_t offset, size;
} text_rows[] = {
    { "name", offsetof(struct bench, name), sizeof(((struct bench *)0)->name) },
    { "module", offsetof(struct bench, module), BENCH_PATH },
    { "token_uri", offsetof(struct bench, token_uri), BENCH_PATH },
    { "pin_file", offsetof(struct bench, pin_file), BENCH_PATH },
    { "storage_ca", offsetof(struct bench, storage_ca), BENCH_PATH },
};
#define TEXT_ROWS (sizeof text_rows / sizeof text_rows[0])

static void fill_lists(struct bench *b, const struct json *root)
{
    const struct json *i = json_first(json_member(root, "partitions"));
    for (; i && b->partitions < BENCH_PARTITIONS_MAX; i = json_next(i))
        snprintf(b->partition[b->partitions++], BENCH_PATH, "%s", json_text(i) ? json_text(i) : "");
    for (i = json_first(json_member(root, "sets")); i && b->sets < BENCH_SETS_MAX; i = json_next(i))
        snprintf(b->set[b->sets++], sizeof b->set[0], "%s", json_text(i) ? json_text(i) : "");
}

static enum cf_rc fill(struct bench *b, const struct json *root, struct cf_err *e)
{
    int64_t port = 0;
    enum cf_rc rc = json_get_int(root, "port", (struct json_range){ 1, 65535 }, &port, e);
    for (size_t i = 0; rc == CF_OK && i < TEXT_ROWS; i++) {
        const char *text = "";
        rc = json_get_text(root, text_rows[i].name, &text, e);
        if (rc == CF_OK)
            snprintf((char *)b + text_rows[i].offset, text_rows[i].size, "%s", text);
    }
    if (rc == CF_OK)
        rc = json_get_bool(root, "created", &b->created, e);
    if (rc == CF_OK)
        rc = json_get_bool(root, "activated", &b->activated, e);
    if (rc != CF_OK)
        return rc;
    fill_lists(b, root);
    b->port = (uint64_t)port;
    bench_name(b);
    return CF_OK;
}

enum cf_rc bench_read(const char *dir, struct bench *out, struct cf_err *e)
{
    char path[BENCH_PATH], full[PATH_MAX];
    struct cf_buf file = { 0 };
    struct json *root = NULL;
    *out = (struct bench){ 0 };
    if (!realpath(dir, full) || strlen(full) >= sizeof out->dir - 64)
        return CF_FAIL(e, CF_E_ABSENT,
                       "there is no bench appliance in %s; coffer bench up makes one", dir);
    memcpy(out->dir, full, strlen(full) + 1);
    bench_path(out, "bench.json", path);
    enum cf_rc rc = cf_file_read(path, BENCH_JSON_MAX, &file, e);
    if (rc == CF_E_ABSENT && e) {
        *e = (struct cf_err){ 0 };
        (void)CF_FAIL(e, rc, "there is no bench appliance in %s; coffer bench up makes one", dir);
    }
    if (rc == CF_OK)
        rc = json_parse(file.data, file.len, NULL, &root, e);
    if (rc == CF_OK)
        rc = cf_err_ctx(e, fill(out, root, e), "%s", path);
    json_free(root);
    cf_buf_clear(&file);
    return rc;
}

enum cf_rc bench_write(const struct bench *b, struct cf_err *e)
{
    char path[BENCH_PATH];
    struct body body;
    bench_path(b, "bench.json", path);
    body_begin(&body, e);
    for (size_t i = 0; i < TEXT_ROWS; i++)
        json_put_text(&body.w, text_rows[i].name, (const char *)b + text_rows[i].offset);
    json_put_int(&body.w, "port", (int64_t)b->port);
    json_put_bool(&body.w, "created", b->created);
    json_put_bool(&body.w, "activated", b->activated);
    json_put_array(&body.w, "partitions");
    for (size_t i = 0; i < b->partitions; i++)
        json_put_text(&body.w, NULL, b->partition[i]);
    json_close(&body.w);
    json_put_array(&body.w, "sets");
    for (size_t i = 0; i < b->sets; i++)
        json_put_text(&body.w, NULL, b->set[i]);
    json_close(&body.w);
    enum cf_rc rc = body_end(&body);
    if (rc == CF_OK)
        rc = cf_file_write(path, 0600, body.text.data, body.text.len, e);
    cf_buf_clear(&body.text);
    return rc;
}

enum cf_rc bench_local(const struct bench *b, const char *method, const char *path,
                       const struct cf_buf *body, struct cli_answer *out, struct cf_err *e)
{
    char socket_path[BENCH_PATH];
    bench_path(b, "cofferd.sock", socket_path);
    return cli_local_call(socket_path, method, path, body, out, e);
}

enum cf_rc bench_token(const struct bench *b, const char *principal, const char *audience,
                       int64_t lifetime_s, struct cf_buf *out, struct cf_err *e)
{
    struct body body;
    struct cli_answer r = { 0 };
    const char *token = NULL;
    body_begin(&body, e);
    json_put_text(&body.w, "name", principal);
    if (audience)
        json_put_text(&body.w, "audience", audience);
    json_put_int(&body.w, "lifetime", lifetime_s);
    enum cf_rc rc = body_end(&body);
    if (rc == CF_OK)
        rc = bench_local(b, "POST", "/local/token", &body.text, &r, e);
    if (rc == CF_OK)
        rc = json_get_text(r.json, "access_token", &token, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(out, token, e);
    cf_buf_clear(&body.text);
    cli_answer_clear(&r);
    return rc;
}
