/* The audit log on a partition in RAM: order, restart, ring, damage, many callers. */
#include "support/test.h"

#include <pthread.h>

#include "audit/audit.h"
#include "base/file.h"
#include "hal_sim/hal_sim.h"

#define START_MS INT64_C(1700000000000)

struct fixture {
    struct hal_partition *p;
    struct hal_clock *clock;
    struct audit *a;
};

static void begin(struct fixture *f, uint64_t size, uint32_t unit)
{
    f->p = hal_partition_sim_new(size, unit);
    f->clock = hal_sim_clock_new(START_MS);
    f->a = NULL;
    assert_int_equal(audit_open(f->p, f->clock, &f->a, NULL), CF_OK);
}

static void end(struct fixture *f)
{
    audit_close(f->a);
    hal_partition_close(f->p);
    hal_sim_clock_free(f->clock);
}

static enum cf_rc reopen(struct fixture *f, struct cf_err *e)
{
    audit_close(f->a);
    f->a = NULL;
    return audit_open(f->p, f->clock, &f->a, e);
}

static enum cf_rc say(struct audit *a, const char *operation, const char *resource,
                      struct cf_err *e)
{
    struct audit_record r = { .operation = operation,
                              .principal = "11111111-2222-3333-4444-555555555555",
                              .resource = resource,
                              .request_id = "req",
                              .status = 200 };
    return audit_append(a, &r, e);
}

struct seen {
    uint64_t first, last, count;
    char operation[80];
    char resource[1100];
    char detail[600];
    int64_t unix_ms;
    uint32_t status;
};

static enum cf_rc look(void *ctx, const struct audit_record *r, struct cf_err *e)
{
    struct seen *s = ctx;
    (void)e;
    if (s->count++ == 0)
        s->first = r->sequence;
    else
        assert_int_equal(r->sequence, s->last + 1);
    s->last = r->sequence;
    s->unix_ms = r->unix_ms;
    s->status = r->status;
    snprintf(s->operation, sizeof s->operation, "%s", r->operation);
    snprintf(s->resource, sizeof s->resource, "%s", r->resource);
    snprintf(s->detail, sizeof s->detail, "%s", r->detail);
    return CF_OK;
}

static void what_was_appended_is_read_back_after_a_restart(void **state)
{
    (void)state;
    struct fixture f;
    struct cf_err err;
    struct seen s = { 0 };
    begin(&f, 1 << 20, 4096);
    assert_int_equal(audit_head(f.a).sequence, 0);
    EXPECT_OK(say(f.a, "KeyCreate", "/keys/one", &err));
    hal_sim_clock_step(f.clock, 5);
    EXPECT_OK(say(f.a, "KeyDelete", "/keys/one", &err));
    struct audit_head h = audit_head(f.a);
    assert_int_equal(h.sequence, 2);

    EXPECT_OK(reopen(&f, &err));
    struct audit_head again = audit_head(f.a);
    assert_int_equal(again.sequence, 2);
    assert_memory_equal(again.hash, h.hash, sizeof h.hash);
    EXPECT_OK(audit_read(f.a, 0, look, &s, &err));
    assert_int_equal(s.count, 2);
    assert_string_equal(s.operation, "KeyDelete");
    assert_string_equal(s.resource, "/keys/one");
    assert_int_equal(s.unix_ms, START_MS + 5);
    assert_int_equal(s.status, 200);

    memset(&s, 0, sizeof s);
    EXPECT_OK(audit_read(f.a, 2, look, &s, &err));
    assert_int_equal(s.count, 1);
    end(&f);
}

static void long_texts_are_cut_with_a_mark_and_not_inside_a_character(void **state)
{
    (void)state;
    struct fixture f;
    struct cf_err err;
    struct seen s = { 0 };
    char resource[AUDIT_RESOURCE_MAX + 100], detail[AUDIT_DETAIL_MAX + 2];
    begin(&f, 1 << 20, 512);
    memset(resource, 'r', sizeof resource - 1);
    resource[sizeof resource - 1] = '\0';
    for (size_t i = 0; i + 1 < sizeof detail; i++)
        detail[i] = (char)(i % 2 == 0 ? 0xc3 : 0xa9); /* e acute, two bytes each */
    detail[sizeof detail - 1] = '\0';
    struct audit_record r = { .operation = "x", .resource = resource, .detail = detail };
    EXPECT_OK(audit_append(f.a, &r, &err));
    EXPECT_OK(audit_read(f.a, 0, look, &s, &err));
    assert_int_equal(strlen(s.resource), AUDIT_RESOURCE_MAX);
    assert_string_equal(s.resource + AUDIT_RESOURCE_MAX - 3, "r..");
    size_t n = strlen(s.detail);
    assert_in_range(n, AUDIT_DETAIL_MAX - 1, AUDIT_DETAIL_MAX);
    assert_string_equal(s.detail + n - 3, "\xa9..");
    end(&f);
}

static void a_full_ring_drops_its_oldest_and_keeps_the_chain(void **state)
{
    (void)state;
    static const uint32_t units[] = { 8, 512, 4096 };
    for (size_t u = 0; u < 3; u++) {
        struct fixture f;
        struct cf_err err;
        begin(&f, 40000, units[u]);
        for (int i = 0; i < 600; i++) {
            EXPECT_OK(say(f.a, "KeySign", "/keys/a-key-of-some-name", &err));
            if (i % 97 == 0)
                EXPECT_OK(reopen(&f, &err));
        }
        EXPECT_OK(reopen(&f, &err));
        struct seen s = { 0 };
        EXPECT_OK(audit_read(f.a, 0, look, &s, &err));
        assert_int_equal(s.last, 600);
        assert_true(s.first > 1);
        assert_true(s.count > 50);
        end(&f);
    }
}

static void flash_that_must_be_erased_serves_as_well(void **state)
{
    (void)state;
    struct fixture f = { .p = hal_partition_sim_flash_new(128 * 1024, 256, 8192),
                         .clock = hal_sim_clock_new(START_MS) };
    struct cf_err err;
    struct seen s = { 0 };
    EXPECT_OK(audit_open(f.p, f.clock, &f.a, &err));
    for (int i = 0; i < 900; i++) {
        EXPECT_OK(say(f.a, "KeySign", "/keys/k", &err));
        if (i % 101 == 0)
            EXPECT_OK(reopen(&f, &err));
    }
    EXPECT_OK(audit_read(f.a, 0, look, &s, &err));
    assert_int_equal(s.last, 900);
    end(&f);
}

/* Every byte of the committed records, one after the other, but for the last record. */
static void a_changed_byte_of_a_committed_record_is_found(void **state)
{
    (void)state;
    struct fixture f;
    struct cf_err err;
    begin(&f, 32768, 512);
    for (int i = 0; i < 4; i++)
        EXPECT_OK(say(f.a, "KeyCreate", "/keys/one", &err));
    uint8_t *bytes = hal_partition_sim_bytes(f.p);
    size_t record = 48 + 9 + 36 + 9 + 3;
    record = (record + 7) / 8 * 8 + 64;
    for (size_t at = 96; at < 96 + 3 * record; at++) {
        struct seen s = { 0 };
        bytes[at] ^= 0x10;
        enum cf_rc rc = reopen(&f, &err);
        if (rc == CF_OK) /* where opening reads the newest segment only, reading all must see it */
            rc = audit_read(f.a, 0, look, &s, &err);
        assert_true(rc == CF_E_CORRUPT || rc == CF_E_AUTH);
        bytes[at] ^= 0x10;
    }
    EXPECT_OK(reopen(&f, &err));
    assert_int_equal(audit_head(f.a).sequence, 4);
    end(&f);
}

static void damage_in_an_older_segment_is_found_by_reading(void **state)
{
    (void)state;
    struct fixture f;
    struct cf_err err;
    struct seen s = { 0 };
    begin(&f, 32768, 512);
    for (int i = 0; i < 100; i++)
        EXPECT_OK(say(f.a, "KeyCreate", "/keys/one", &err));
    hal_partition_sim_bytes(f.p)[300] ^= 1;
    EXPECT_OK(reopen(&f, &err));
    EXPECT_RC(CF_E_AUTH, audit_read(f.a, 0, look, &s, &err));
    end(&f);
}

static void records_of_another_chain_do_not_fit(void **state)
{
    (void)state;
    struct fixture f, g;
    struct cf_err err;
    struct seen s = { 0 };
    begin(&f, 32768, 512);
    begin(&g, 32768, 512);
    for (int i = 0; i < 60; i++) {
        EXPECT_OK(say(f.a, "KeyCreate", "/keys/one", &err));
        EXPECT_OK(say(g.a, "KeyCreate", "/keys/two", &err));
    }
    memcpy(hal_partition_sim_bytes(f.p), hal_partition_sim_bytes(g.p), 8192);
    EXPECT_OK(reopen(&f, &err));
    EXPECT_RC(CF_E_AUTH, audit_read(f.a, 0, look, &s, &err));
    end(&f);
    end(&g);
}

/* tests/vectors/audit-v1: written from the format page by another program. */
static void a_segment_of_the_independent_writer_is_read_and_continued(void **state)
{
    (void)state;
    struct fixture f = { .p = hal_partition_sim_new(16384, 512),
                         .clock = hal_sim_clock_new(START_MS) };
    struct cf_buf golden = { 0 };
    struct cf_err err;
    struct seen s = { 0 };
    EXPECT_OK(cf_file_read(CF_VECTORS "/audit-v1/two.bin", 8192, &golden, &err));
    memcpy(hal_partition_sim_bytes(f.p), golden.data, golden.len);
    EXPECT_OK(audit_open(f.p, f.clock, &f.a, &err));
    EXPECT_OK(audit_read(f.a, 0, look, &s, &err));
    assert_int_equal(s.count, 2);
    assert_int_equal(s.status, 403);
    assert_string_equal(s.detail, "refused");
    EXPECT_OK(say(f.a, "KeyDelete", "/keys/a", &err));
    EXPECT_OK(reopen(&f, &err));
    assert_int_equal(audit_head(f.a).sequence, 3);
    assert_memory_equal(hal_partition_sim_bytes(f.p), golden.data, golden.len);
    cf_buf_clear(&golden);
    end(&f);
}

static void a_foreign_partition_is_not_written_over(void **state)
{
    (void)state;
    struct fixture f = { .p = hal_partition_sim_new(65536, 512),
                         .clock = hal_sim_clock_new(START_MS) };
    struct cf_err err;
    memset(hal_partition_sim_bytes(f.p), 0x5a, 65536);
    EXPECT_RC(CF_E_CORRUPT, audit_open(f.p, f.clock, &f.a, &err));
    memset(hal_partition_sim_bytes(f.p), 0, 65536);
    EXPECT_OK(audit_open(f.p, f.clock, &f.a, &err));
    end(&f);
}

static void a_partition_too_small_is_refused(void **state)
{
    (void)state;
    struct hal_partition *p = hal_partition_sim_new(8192, 512);
    struct hal_clock *clock = hal_sim_clock_new(0);
    struct audit *a = NULL;
    struct cf_err err;
    EXPECT_RC(CF_E_LIMIT, audit_open(p, clock, &a, &err));
    assert_null(a);
    hal_partition_close(p);
    hal_sim_clock_free(clock);
}

static void a_failed_write_fails_the_action_and_the_next_one_goes_on(void **state)
{
    (void)state;
    static const uint32_t units[] = { 8, 4096 };
    for (size_t u = 0; u < 2; u++) {
        struct fixture f;
        struct cf_err err;
        struct seen s = { 0 };
        begin(&f, 65536, units[u]);
        hal_partition_sim_cut_after(f.p, 0);
        EXPECT_RC(CF_E_IO, say(f.a, "first", "/", &err)); /* with the header of the segment */
        hal_partition_sim_cut_after(f.p, UINT64_MAX);
        EXPECT_OK(say(f.a, "one", "/", &err));
        hal_partition_sim_cut_after(f.p, 0);
        EXPECT_RC(CF_E_IO, say(f.a, "lost", "/", &err));
        assert_int_equal(audit_head(f.a).sequence, 1);
        hal_partition_sim_cut_after(f.p, UINT64_MAX);
        EXPECT_OK(say(f.a, "two", "/", &err));
        EXPECT_OK(reopen(&f, &err));
        EXPECT_OK(audit_read(f.a, 0, look, &s, &err));
        assert_int_equal(s.count, 2);
        assert_string_equal(s.operation, "two");
        end(&f);
    }
}

#define CALLERS 8
#define EACH    200

static void *call(void *arg)
{
    struct audit *a = arg;
    for (int i = 0; i < EACH; i++)
        assert_int_equal(say(a, "KeySign", "/keys/busy", NULL), CF_OK);
    return NULL;
}

static void many_callers_share_writes_and_none_is_lost(void **state)
{
    (void)state;
    struct fixture f;
    struct cf_err err;
    struct seen s = { 0 };
    pthread_t t[CALLERS];
    begin(&f, 4 << 20, 4096);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, call, f.a), 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(t[i], NULL);
    EXPECT_OK(reopen(&f, &err));
    EXPECT_OK(audit_read(f.a, 0, look, &s, &err));
    assert_int_equal(s.count, CALLERS * EACH);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_is_read_back_after_a_restart),
        cmocka_unit_test(long_texts_are_cut_with_a_mark_and_not_inside_a_character),
        cmocka_unit_test(a_full_ring_drops_its_oldest_and_keeps_the_chain),
        cmocka_unit_test(flash_that_must_be_erased_serves_as_well),
        cmocka_unit_test(a_changed_byte_of_a_committed_record_is_found),
        cmocka_unit_test(damage_in_an_older_segment_is_found_by_reading),
        cmocka_unit_test(records_of_another_chain_do_not_fit),
        cmocka_unit_test(a_segment_of_the_independent_writer_is_read_and_continued),
        cmocka_unit_test(a_foreign_partition_is_not_written_over),
        cmocka_unit_test(a_partition_too_small_is_refused),
        cmocka_unit_test(a_failed_write_fails_the_action_and_the_next_one_goes_on),
        cmocka_unit_test(many_callers_share_writes_and_none_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
