/* A backup holds the store at one moment, and with it the store's log: not at any price. */
#include "support/test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "support/run_bench.h"

#define KEYS       150
#define WRITES_MAX 20000

/* So slow a storage that the third block of records waits for seconds. */
static const struct run_bench_options slow = { .own_clock = true,
                                               .run = { .chunk_log2 = 12,
                                                        .record_block = 131072,
                                                        .attempts = 3,
                                                        .threads = 1,
                                                        .connections = 1,
                                                        .limit_rate = 65536 } };

/* About four kilobytes each. */
static void make_large_keys(struct run_bench *b)
{
    struct keystore_tags tags = { 0 };
    char value[KEYSTORE_TAG_CHARS + 1];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    for (char name[] = "a"; name[0] < 'a' + KEYSTORE_TAGS_MAX; name[0]++)
        assert_int_equal(keystore_tags_add(&tags, name, value, NULL), CF_OK);
    for (unsigned i = 0; i < KEYS; i++) {
        char name[32];
        struct keystore_new n = { .spec = { .type = HAL_OCT, .bits = 128 },
                                  .attrs = { .given = KEYSTORE_GIVEN_TAGS, .tags = &tags } };
        snprintf(name, sizeof name, "large-%u", i);
        assert_int_equal(keystore_create(b->kb.ks, name, &n, NULL, NULL), CF_OK);
    }
    keystore_tags_clear(&tags);
}

/* A large row, over and over; false: refused. */
static bool write_row(struct run_bench *b)
{
    static uint8_t value[STORE_VALUE_MAX];
    struct store_txn *t = NULL;
    struct store_put p = { .key = crypto_bytes_of("noise", 5),
                           .value = crypto_bytes_of(value, sizeof value) };
    enum cf_rc rc = store_live_write(b->kb.live, &t, NULL);
    if (rc == CF_OK)
        rc = store_put(t, STORE_SETTING, &p, NULL);
    if (rc == CF_OK)
        rc = store_commit(t, NULL);
    store_end(t);
    return rc == CF_OK;
}

static void a_backup_gives_way_when_too_much_is_written_meanwhile(void **state)
{
    struct run_bench bench, *b = &bench;
    struct jobs_record r, seen;
    struct cf_err err;
    (void)state;
    run_bench_open(b, &slow);
    make_large_keys(b);
    b->kb.log_max = 1 << 20;
    run_bench_restart(b);
    struct run_request q = run_bench_request(b, NULL, NULL);
    EXPECT_OK(run_backup_start(b->run, &q, &r, &err));
    seen = r;
    for (unsigned i = 0; i < WRITES_MAX && seen.state == JOBS_IN_PROGRESS; i++) {
        assert_true(write_row(b)); /* writers go on, whatever becomes of the backup */
        usleep(1000);
        EXPECT_OK(jobs_get(b->jobs, r.id, &seen, &err));
    }
    run_wait(b->run);
    assert_int_equal(seen.state, JOBS_FAILED);
    assert_string_equal(seen.error_code, "Conflict");
    assert_non_null(strstr(seen.error, "keys change faster than the storage takes them"));
    run_bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_gives_way_when_too_much_is_written_meanwhile),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
