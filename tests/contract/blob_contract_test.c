/*
 * What every blob store promises (firmware/blob/include/blob/blob.h), run over one of them:
 *   dir      a fresh directory          azure    coffer-blobserver with SAS signatures checked
 *   azurite  Microsoft's emulator; AZURITE names its program, without it the test is skipped
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "blob/place.h"
#include "hal_linux/hal_linux.h"
#include "support/azurite.h"
#include "support/blobserver.h"
#include "support/scratch.h"

#define MIB (1u << 20)

static struct {
    const char *kind;
    struct test_blobserver server;
    struct test_azurite azurite;
    char dir[64], uri[256], token[512];
    unsigned next_container;
} world;

struct fixture {
    struct hal_clock *clock;
    struct blob_store *store;
    struct blob_lane *lane;
    struct blob_writer *writer;
};

static struct blob_options options(const char *const *roots)
{
    return (struct blob_options){ .dir_roots = roots, .ndir_roots = 1, .allow_http = true };
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *roots[] = { world.dir };
    struct blob_options o = options(roots);
    struct blob_place p = { .uri = world.uri, .token = world.token };
    struct cf_err e = { 0 };
    char prefixed[300];
    assert_non_null(f);
    f->clock = hal_linux_clock();
    if (strcmp(world.kind, "dir") == 0) {
        scratch_shell("mkdir %s/%u", world.dir, ++world.next_container);
    } else {
        ++world.next_container;
    }
    /* each test has a place of its own: a directory, or a prefix below the container */
    snprintf(prefixed, sizeof prefixed, "%s/%u", world.uri, world.next_container);
    p.uri = prefixed;
    if (blob_store_open(&p, BLOB_TO_WRITE, &o, f->clock, &f->store, &e) != CF_OK)
        fail_msg("%s", e.text);
    assert_int_equal(blob_lane_new(f->store, &f->lane, NULL), CF_OK);
    assert_int_equal(blob_writer_new(f->lane, &f->writer, NULL), CF_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    blob_writer_free(f->writer);
    blob_lane_free(f->lane);
    blob_store_free(f->store);
    free(f);
    return 0;
}

/* ---- helpers ---- */

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 131 >> 5);
}

struct source {
    uint64_t start, given, fail_at;
};

static enum cf_rc pull(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e)
{
    struct source *s = ctx;
    if (s->fail_at != 0 && s->given >= s->fail_at)
        return CF_FAIL(e, CF_E_AUTH, "source broken");
    assert_in_range(cap, 1, BLOB_PIECE_BYTES);
    *len = cap > 1000 ? cap - 7 : cap; /* less than asked for is fine */
    for (size_t i = 0; i < *len; i++)
        ((uint8_t *)buf)[i] = byte_at(s->start + s->given + i);
    s->given += *len;
    return CF_OK;
}

struct sink {
    uint64_t start, taken, fail_at;
};

static enum cf_rc push(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    struct sink *s = ctx;
    if (s->fail_at != 0 && s->taken >= s->fail_at)
        return CF_FAIL(e, CF_E_AUTH, "taker broken");
    for (size_t i = 0; i < len; i++)
        assert_int_equal(((const uint8_t *)data)[i], byte_at(s->start + s->taken + i));
    s->taken += len;
    return CF_OK;
}

static void id_of(unsigned n, struct blob_block_id *id)
{
    uint8_t salt[32];
    memset(salt, (int)(n * 37 + 1), sizeof salt);
    blob_block_id_make(1, n, salt, id);
}

/* Ends an operation and returns why. */
static enum blob_why ended(struct fixture *f, enum cf_rc started, struct blob_wait *w)
{
    assert_int_equal(started, CF_OK);
    assert_false(w->over);
    enum cf_rc rc = blob_wait(f->lane, w, NULL);
    assert_int_equal(rc, w->r.err.rc);
    assert_int_equal(rc == CF_OK, w->r.why == BLOB_OK);
    if (rc != CF_OK)
        assert_true(w->r.err.text[0] != '\0');
    assert_null(strstr(w->r.err.text, "sig="));
    return w->r.why;
}

static enum blob_why put_block(struct fixture *f, const char *name, unsigned n, uint64_t start,
                               uint64_t len)
{
    struct blob_wait w;
    struct source s = { .start = start };
    struct blob_body body = { .len = len, .pull = pull, .pull_ctx = &s };
    struct blob_block_id id;
    id_of(n, &id);
    return ended(f, blob_put_block(f->writer, name, &id, &body, blob_wait_end(&w), NULL), &w);
}

static enum blob_why commit(struct fixture *f, const char *name, const unsigned *ns, size_t count)
{
    struct blob_wait w;
    struct blob_block_id ids[8];
    for (size_t i = 0; i < count; i++)
        id_of(ns[i], &ids[i]);
    return ended(f, blob_commit(f->writer, name, ids, count, blob_wait_end(&w), NULL), &w);
}

static enum blob_why put(struct fixture *f, const char *name, const char *text)
{
    struct blob_wait w;
    struct blob_body body = { .len = strlen(text), .data = text };
    return ended(f, blob_put(f->writer, name, &body, blob_wait_end(&w), NULL), &w);
}

static enum blob_why get(struct fixture *f, const struct blob_range *r, struct sink *s,
                         struct blob_wait *w)
{
    s->start = r->first;
    return ended(f, blob_get(f->lane, r, push, s, blob_wait_end(w), NULL), w);
}

static void expect_text(struct fixture *f, const char *name, const char *text)
{
    struct cf_buf b = { 0 };
    assert_int_equal(blob_read(f->lane, name, 100, &b, NULL, NULL), CF_OK);
    assert_int_equal(b.len, strlen(text));
    assert_memory_equal(b.data, text, b.len);
    cf_buf_clear(&b);
}

/* ---- writing ---- */

static void blocks_become_a_blob_in_the_order_of_the_commit(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct sink s = { 0 };
    assert_int_equal(put_block(f, "d/s0.0", 2, 3 * MIB, 100), BLOB_OK);
    assert_int_equal(put_block(f, "d/s0.0", 1, MIB, 2 * MIB), BLOB_OK);
    assert_int_equal(put_block(f, "d/s0.0", 9, 77, 1000), BLOB_OK); /* never committed */
    assert_int_equal(put_block(f, "d/s0.0", 0, 0, MIB), BLOB_OK);
    assert_int_equal(ended(f, blob_head(f->lane, "d/s0.0", blob_wait_end(&w), NULL), &w),
                     BLOB_ABSENT);
    assert_int_equal(commit(f, "d/s0.0", (const unsigned[]){ 0, 1, 2 }, 3), BLOB_OK);
    assert_int_equal(ended(f, blob_head(f->lane, "d/s0.0", blob_wait_end(&w), NULL), &w), BLOB_OK);
    assert_int_equal(w.r.size, 3 * MIB + 100);
    assert_int_equal(get(f, &(struct blob_range){ .name = "d/s0.0" }, &s, &w), BLOB_OK);
    assert_int_equal(s.taken, 3 * MIB + 100);
    assert_int_equal(w.r.size, 3 * MIB + 100);
}

static void a_block_sent_again_under_its_id_replaces_the_first(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct sink s = { 0 };
    assert_int_equal(put_block(f, "b", 0, 5000, 300), BLOB_OK);
    assert_int_equal(put_block(f, "b", 0, 0, 200), BLOB_OK);
    assert_int_equal(commit(f, "b", (const unsigned[]){ 0 }, 1), BLOB_OK);
    assert_int_equal(get(f, &(struct blob_range){ .name = "b" }, &s, &w), BLOB_OK);
    assert_int_equal(s.taken, 200);
}

static void nothing_is_ever_overwritten(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "m", "first"), BLOB_OK);
    assert_int_equal(put(f, "m", "second"), BLOB_EXISTS);
    expect_text(f, "m", "first");
    (void)put_block(f, "m", 0, 0, 10); /* some services take it, some refuse it already here */
    assert_int_not_equal(commit(f, "m", (const unsigned[]){ 0 }, 1), BLOB_OK);
    expect_text(f, "m", "first");

    assert_int_equal(put_block(f, "n", 0, 0, 10), BLOB_OK);
    assert_int_equal(commit(f, "n", (const unsigned[]){ 0 }, 1), BLOB_OK);
    assert_int_equal(put(f, "n", "other"), BLOB_EXISTS);
}

static void a_commit_of_a_block_that_is_not_there_makes_nothing(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    assert_int_equal(commit(f, "x", (const unsigned[]){ 4 }, 1), BLOB_BLOCK_LOST);
    assert_int_equal(put_block(f, "x", 0, 0, 10), BLOB_OK);
    assert_int_equal(commit(f, "x", (const unsigned[]){ 0, 4 }, 2), BLOB_BLOCK_LOST);
    assert_int_equal(ended(f, blob_head(f->lane, "x", blob_wait_end(&w), NULL), &w), BLOB_ABSENT);
    assert_int_equal(commit(f, "x", (const unsigned[]){ 0 }, 1), BLOB_OK);
}

static void an_empty_blob_can_be_put_and_read(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct sink s = { 0 };
    assert_int_equal(put(f, "empty", ""), BLOB_OK);
    assert_int_equal(get(f, &(struct blob_range){ .name = "empty" }, &s, &w), BLOB_OK);
    assert_int_equal(w.r.size, 0);
    assert_int_equal(s.taken, 0);
}

static void a_source_that_fails_leaves_nothing_and_says_why(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct source s = { .fail_at = 100000 };
    struct blob_body body = { .len = MIB, .pull = pull, .pull_ctx = &s };
    struct blob_block_id id;
    id_of(0, &id);
    assert_int_equal(ended(f, blob_put(f->writer, "p", &body, blob_wait_end(&w), NULL), &w),
                     BLOB_CALLER);
    assert_int_equal(w.r.err.rc, CF_E_AUTH);
    assert_false(w.r.maybe_done);
    s.given = 0;
    assert_int_equal(
        ended(f, blob_put_block(f->writer, "p", &id, &body, blob_wait_end(&w), NULL), &w),
        BLOB_CALLER);
    assert_int_equal(put(f, "p", "now"), BLOB_OK);
    expect_text(f, "p", "now");
}

/* ---- reading ---- */

static void a_range_is_exact_or_refused(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    assert_int_equal(put_block(f, "r", 0, 0, 700000), BLOB_OK);
    assert_int_equal(put_block(f, "r", 1, 700000, 300000), BLOB_OK);
    assert_int_equal(commit(f, "r", (const unsigned[]){ 0, 1 }, 2), BLOB_OK);
    const struct {
        uint64_t first, count, taken;
        enum blob_why why;
    } cases[] = {
        { 0, 1, 1, BLOB_OK },
        { 699999, 2, 2, BLOB_OK },
        { 0, 1000000, 1000000, BLOB_OK },
        { 999999, 1, 1, BLOB_OK },
        { 999000, 0, 1000, BLOB_OK },
        { 999999, 2, 0, BLOB_RANGE },
        { 1000000, 1, 0, BLOB_RANGE },
        { 1000000, 0, 0, BLOB_RANGE },
        { 0, 1000001, 0, BLOB_RANGE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blob_range r = { .name = "r", .first = cases[i].first, .count = cases[i].count };
        struct sink s = { 0 };
        print_message("  %u bytes from %u\n", (unsigned)r.count, (unsigned)r.first);
        enum blob_why why = get(f, &r, &s, &w);
        if (why != cases[i].why)
            fail_msg("%s", w.r.err.text);
        assert_int_equal(s.taken, cases[i].taken);
    }
}

static void a_version_is_named_by_its_etag(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct sink s = { 0 };
    char etag[BLOB_ETAG_MAX + 1];
    assert_int_equal(put_block(f, "v", 0, 0, 10), BLOB_OK);
    assert_int_equal(commit(f, "v", (const unsigned[]){ 0 }, 1), BLOB_OK);
    assert_int_equal(ended(f, blob_head(f->lane, "v", blob_wait_end(&w), NULL), &w), BLOB_OK);
    assert_true(w.r.etag[0] != '\0');
    memcpy(etag, w.r.etag, sizeof etag);
    struct blob_range r = { .name = "v", .count = 10, .etag = etag };
    assert_int_equal(get(f, &r, &s, &w), BLOB_OK);
    assert_string_equal(w.r.etag, etag);
    r.etag = "\"0x1234\"";
    s.taken = 0;
    assert_int_equal(get(f, &r, &s, &w), BLOB_CHANGED);
    assert_int_equal(s.taken, 0);
}

static void what_is_not_there_is_absent(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct sink s = { 0 };
    assert_int_equal(put(f, "dir/blob", "x"), BLOB_OK);
    assert_int_equal(get(f, &(struct blob_range){ .name = "none" }, &s, &w), BLOB_ABSENT);
    assert_int_equal(w.r.err.rc, CF_E_ABSENT);
    assert_int_equal(get(f, &(struct blob_range){ .name = "dir" }, &s, &w), BLOB_ABSENT);
    assert_int_equal(get(f, &(struct blob_range){ .name = "no/such/dir" }, &s, &w), BLOB_ABSENT);
}

static void a_taker_that_fails_ends_the_operation(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct sink s = { .fail_at = 1 };
    assert_int_equal(put_block(f, "t", 0, 0, MIB), BLOB_OK);
    assert_int_equal(commit(f, "t", (const unsigned[]){ 0 }, 1), BLOB_OK);
    assert_int_equal(get(f, &(struct blob_range){ .name = "t" }, &s, &w), BLOB_CALLER);
    assert_int_equal(w.r.err.rc, CF_E_AUTH);
}

static void a_blob_longer_than_wanted_is_not_read(void **state)
{
    struct fixture *f = *state;
    struct cf_buf b = { 0 };
    assert_int_equal(put(f, "long", "0123456789"), BLOB_OK);
    assert_int_equal(cf_buf_put(&b, "ab", 2, NULL), CF_OK);
    assert_int_equal(blob_read(f->lane, "long", 9, &b, NULL, NULL), CF_E_LIMIT);
    assert_int_equal(b.len, 2);
    assert_int_equal(blob_read(f->lane, "long", 10, &b, NULL, NULL), CF_OK);
    assert_int_equal(b.len, 12);
    cf_buf_clear(&b);
}

/* ---- lists ---- */

struct blocks {
    unsigned committed, staged;
    uint64_t bytes;
};

static enum cf_rc on_block(void *ctx, bool committed, const struct blob_block_id *id, uint64_t size,
                           struct cf_err *e)
{
    struct blocks *b = ctx;
    struct blob_block_id want;
    (void)e;
    bool known = false;
    for (unsigned i = 0; i < 4; i++) {
        id_of(i, &want);
        known = known || memcmp(want.bytes, id->bytes, sizeof want.bytes) == 0;
    }
    assert_true(known);
    b->committed += committed;
    b->staged += !committed;
    b->bytes += size;
    return CF_OK;
}

static void the_blocks_of_a_blob_can_be_told_apart(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct blocks b = { 0 };
    assert_int_equal(
        ended(f, blob_list_blocks(f->lane, "k", on_block, &b, blob_wait_end(&w), NULL), &w),
        BLOB_ABSENT);
    assert_int_equal(put_block(f, "k", 0, 0, 100), BLOB_OK);
    assert_int_equal(put_block(f, "k", 1, 0, 20), BLOB_OK);
    assert_int_equal(
        ended(f, blob_list_blocks(f->lane, "k", on_block, &b, blob_wait_end(&w), NULL), &w),
        BLOB_OK);
    assert_int_equal(b.committed, 0);
    assert_int_equal(b.staged, 2);
    assert_int_equal(b.bytes, 120);
    assert_int_equal(commit(f, "k", (const unsigned[]){ 1, 0 }, 2), BLOB_OK);
    b = (struct blocks){ 0 };
    assert_int_equal(
        ended(f, blob_list_blocks(f->lane, "k", on_block, &b, blob_wait_end(&w), NULL), &w),
        BLOB_OK);
    assert_int_equal(b.committed, 2);
    assert_int_equal(b.staged, 0);
    assert_int_equal(b.bytes, 120);
}

struct names {
    char all[1024], groups[1024];
};

static enum cf_rc on_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    struct names *n = ctx;
    bool group = name[strlen(name) - 1] == '/';
    char *to = group ? n->groups : n->all;
    (void)e;
    assert_int_equal(size, group ? 0 : 5);
    strncat(to, name, sizeof n->all - strlen(to) - 2);
    strncat(to, " ", 2);
    return CF_OK;
}

static void list(struct fixture *f, const char *prefix, bool grouped, struct names *n)
{
    struct blob_wait w;
    struct blob_listing what = { prefix, grouped };
    *n = (struct names){ 0 };
    assert_int_equal(ended(f, blob_list(f->lane, &what, on_name, n, blob_wait_end(&w), NULL), &w),
                     BLOB_OK);
}

static void expect_list(struct fixture *f, const char *prefix, const char *want)
{
    struct names n;
    list(f, prefix, false, &n);
    assert_string_equal(n.all, want);
    assert_string_equal(n.groups, "");
}

static void expect_groups(struct fixture *f, const char *prefix, const char *want,
                          const char *groups)
{
    struct names n;
    list(f, prefix, true, &n);
    assert_string_equal(n.all, want);
    assert_string_equal(n.groups, groups);
}

static void names_are_listed_in_byte_order_and_grouped(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {
        "f2/manifest", "f1/s0.0", "f1/manifest", "f1-x", "f1.y", "f1/s1/00-a", "top", "a b&<c>+%41"
    };
    expect_list(f, "", "");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(put(f, names[i], "12345"), BLOB_OK);
    assert_int_equal(put_block(f, "f1/unfinished", 0, 0, 10), BLOB_OK);
    expect_list(f, "", "a b&<c>+%41 f1-x f1.y f1/manifest f1/s0.0 f1/s1/00-a f2/manifest top ");
    expect_list(f, "f1/", "f1/manifest f1/s0.0 f1/s1/00-a ");
    expect_groups(f, "", "a b&<c>+%41 f1-x f1.y top ", "f1/ f2/ ");
    expect_groups(f, "f1/", "f1/manifest f1/s0.0 ", "f1/s1/ ");
    expect_groups(f, "f1/s1/", "f1/s1/00-a ", "");
    expect_list(f, "f1/s", "f1/s0.0 f1/s1/00-a ");
    expect_list(f, "g", "");
    expect_text(f, "a b&<c>+%41", "12345");
}

/* ---- lanes and rights ---- */

static void bad_names_are_refused(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    char long_name[BLOB_NAME_MAX + 2], long_segment[BLOB_SEGMENT_MAX + 2];
    memset(long_name, 'a', sizeof long_name);
    for (size_t i = 50; i < sizeof long_name; i += 50)
        long_name[i] = '/';
    long_name[sizeof long_name - 1] = '\0';
    memset(long_segment, 'a', sizeof long_segment);
    long_segment[sizeof long_segment - 1] = '\0';
    const char *const bad[] = { "",       "/a",        "a/",   "a//b",    "..",
                                "a/../b", ".a",        "a/.b", "a\\b",    "a\nb",
                                "a\x7f",  "a\xc3\xa4", "./a",  long_name, long_segment };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(blob_head(f->lane, bad[i], blob_wait_end(&w), NULL), CF_E_INPUT);
}

struct counter {
    struct fixture *f;
    unsigned done, failed, follow;
};

static void on_put(void *ctx, const struct blob_result *r)
{
    struct counter *c = ctx;
    c->done++;
    c->failed += r->why != BLOB_OK;
    if (c->follow > 0) { /* an end may start the next */
        static const struct blob_body body = { .len = 1, .data = "x" };
        char name[32];
        snprintf(name, sizeof name, "follow/%u", c->follow--);
        assert_int_equal(blob_put(c->f->writer, name, &body, (struct blob_end){ on_put, c }, NULL),
                         CF_OK);
    }
}

static void many_operations_share_a_lane_and_ends_may_start_more(void **state)
{
    struct fixture *f = *state;
    struct counter c = { .f = f, .follow = 10 };
    struct source sources[20] = { { 0 } };
    unsigned open = 1;
    for (unsigned i = 0; i < 20; i++) {
        struct blob_body body = { .len = 300000, .pull = pull, .pull_ctx = &sources[i] };
        struct blob_block_id id;
        id_of(i, &id);
        assert_int_equal(
            blob_put_block(f->writer, "many", &id, &body, (struct blob_end){ on_put, &c }, NULL),
            CF_OK);
        assert_int_equal(c.done, 0);
    }
    while (open > 0)
        assert_int_equal(blob_lane_run(f->lane, 1000, &open, NULL), CF_OK);
    assert_int_equal(c.done, 30);
    assert_int_equal(c.failed, 0);
}

static void on_canceled(void *ctx, const struct blob_result *r)
{
    unsigned *count = ctx;
    assert_int_equal(r->why, BLOB_CALLER);
    assert_int_equal(r->err.rc, CF_E_CANCEL);
    (*count)++;
}

static void a_canceled_lane_ends_everything_and_works_again(void **state)
{
    struct fixture *f = *state;
    struct source sources[3] = { { 0 } };
    unsigned canceled = 0, open = 1;
    for (unsigned i = 0; i < 3; i++) {
        struct blob_body body = { .len = 64 * MIB, .pull = pull, .pull_ctx = &sources[i] };
        struct blob_block_id id;
        id_of(i, &id);
        assert_int_equal(blob_put_block(f->writer, "c", &id, &body,
                                        (struct blob_end){ on_canceled, &canceled }, NULL),
                         CF_OK);
    }
    blob_lane_cancel(f->lane);
    while (open > 0)
        assert_int_equal(blob_lane_run(f->lane, 1000, &open, NULL), CF_OK);
    assert_int_equal(canceled, 3);
    assert_int_equal(put(f, "after", "x"), BLOB_OK);
}

static void a_lane_can_be_freed_with_operations_open(void **state)
{
    struct fixture *f = *state;
    unsigned canceled = 0;
    struct blob_lane *lane;
    assert_int_equal(blob_lane_new(f->store, &lane, NULL), CF_OK);
    assert_int_equal(blob_head(lane, "a", (struct blob_end){ on_canceled, &canceled }, NULL),
                     CF_OK);
    blob_lane_free(lane);
    assert_int_equal(canceled, 0);
}

static void a_store_opened_for_reading_gives_no_writer(void **state)
{
    (void)state;
    const char *roots[] = { world.dir };
    struct blob_options o = options(roots);
    struct blob_place p = { .uri = world.uri, .token = world.token };
    struct blob_store *s;
    struct blob_lane *lane;
    struct blob_writer *w;
    assert_int_equal(blob_store_open(&p, BLOB_TO_READ, &o, hal_linux_clock(), &s, NULL), CF_OK);
    assert_null(strstr(blob_store_shown(s), "sig"));
    assert_int_equal(blob_lane_new(s, &lane, NULL), CF_OK);
    assert_int_equal(blob_writer_new(lane, &w, NULL), CF_E_DENIED);
    assert_null(w);
    blob_lane_free(lane);
    blob_store_free(s);
}

/* ---- the three worlds ---- */

static int start_dir(void)
{
    snprintf(world.dir, sizeof world.dir, "/tmp/coffer-blob-XXXXXX");
    if (mkdtemp(world.dir) == NULL)
        return 1;
    snprintf(world.uri, sizeof world.uri, "dir:%s", world.dir);
    return 0;
}

static int start_azure(void)
{
    static const char *const args[] = { "--require-sas", "--account-key", TEST_ACCOUNT_KEY, NULL };
    test_blobserver_start(&world.server, args);
    snprintf(world.uri, sizeof world.uri, "%s/", world.server.url);
    test_blobserver_sas("rcwl", "60", TEST_ACCOUNT_KEY, world.token);
    world.uri[strlen(world.uri) - 1] = '\0';
    return 0;
}

static int start_world(void)
{
    if (strcmp(world.kind, "dir") == 0)
        return start_dir();
    if (strcmp(world.kind, "azure") == 0)
        return start_azure();
    int rc = test_azurite_start(&world.azurite);
    if (rc != 0)
        return rc;
    snprintf(world.uri, sizeof world.uri, "%s", world.azurite.url);
    test_blobserver_sas("rcwl", "60", TEST_ACCOUNT_KEY, world.token);
    return 0;
}

static void stop_world(void)
{
    if (world.dir[0] != '\0')
        scratch_shell("rm -r %s", world.dir);
    test_blobserver_stop(&world.server);
    test_azurite_stop(&world.azurite);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define IN_A_PLACE(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
        IN_A_PLACE(blocks_become_a_blob_in_the_order_of_the_commit),
        IN_A_PLACE(a_block_sent_again_under_its_id_replaces_the_first),
        IN_A_PLACE(nothing_is_ever_overwritten),
        IN_A_PLACE(a_commit_of_a_block_that_is_not_there_makes_nothing),
        IN_A_PLACE(an_empty_blob_can_be_put_and_read),
        IN_A_PLACE(a_source_that_fails_leaves_nothing_and_says_why),
        IN_A_PLACE(a_range_is_exact_or_refused),
        IN_A_PLACE(a_version_is_named_by_its_etag),
        IN_A_PLACE(what_is_not_there_is_absent),
        IN_A_PLACE(a_taker_that_fails_ends_the_operation),
        IN_A_PLACE(a_blob_longer_than_wanted_is_not_read),
        IN_A_PLACE(the_blocks_of_a_blob_can_be_told_apart),
        IN_A_PLACE(names_are_listed_in_byte_order_and_grouped),
        IN_A_PLACE(bad_names_are_refused),
        IN_A_PLACE(many_operations_share_a_lane_and_ends_may_start_more),
        IN_A_PLACE(a_canceled_lane_ends_everything_and_works_again),
        IN_A_PLACE(a_lane_can_be_freed_with_operations_open),
        cmocka_unit_test(a_store_opened_for_reading_gives_no_writer),
    };
    world.kind = argc > 1 ? argv[1] : "dir";
    int rc = start_world();
    if (rc == 0) {
        rc = cmocka_run_group_tests(tests, NULL, NULL);
        stop_world();
    }
    return rc;
}
