/* Backup and restore of a whole appliance, in this process, on a directory as storage. */
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "hal_sim/hal_sim.h"
#include "support/fake_token.h"
#include "support/run_expect.h"
#include "support/seals.h"

static void spoil(struct run_bench *b)
{
    struct cf_err err;
    EXPECT_OK(keystore_delete(b->kb.ks, "alpha", NULL, &err));
    EXPECT_OK(keystore_purge(b->kb.ks, "alpha", &err));
    EXPECT_OK(keystore_recover(b->kb.ks, "delta", NULL, &err));
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    EXPECT_OK(keystore_bench_make(&b->kb, "later", &aes, NULL, &err));
    run_bench_write(b, 0, "spoilt", 20000);
}

static void a_full_restore_brings_everything_back_and_takes_later_things_away(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    uint8_t before[32], after[32];
    run_bench_state(b, before);
    run_bench_backup(b, &r);
    expect_done(&r);
    assert_string_equal(r.folder, "mhsm-bench-20231114221320");
    assert_true(r.bytes > 50000);
    spoil(b);
    run_bench_state(b, after);
    assert_memory_not_equal(before, after, 32);
    char folder[JOBS_FOLDER_SIZE];
    memcpy(folder, r.folder, sizeof folder);
    run_bench_restore(b, folder, &r);
    expect_done(&r);
    assert_false(jobs_restore_mode(b->jobs));
    expect_same(b, before);
    run_bench_restart(b);
    expect_same(b, before);
    run_bench_restore(b, folder, &r); /* and again, from the other side */
    expect_done(&r);
    expect_same(b, before);
}

/* A request that was let in before the restore began: it is refused, or what it made stays. */
static void a_key_made_while_a_restore_runs_is_refused_or_stays(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    struct keystore_new n = { .spec = { .type = HAL_EC, .curve = HAL_P256 } };
    char made[256][8];
    size_t count = 0;
    run_bench_backup(b, &r);
    struct run_request q = run_bench_request(b, r.folder, NULL);
    EXPECT_OK(run_restore_start(b->run, &q, &r, &err));
    for (size_t i = 0; i < 256 && jobs_restore_mode(b->jobs); i++) {
        snprintf(made[count], sizeof made[count], "new%zu", i);
        struct cf_err why = { 0 };
        enum cf_rc rc = keystore_create(b->kb.ks, made[count], &n, NULL, &why);
        assert_true(rc == CF_OK || rc == CF_E_STATE);
        if (rc == CF_OK)
            count++;
        else
            assert_string_equal(why.code, "Conflict");
    }
    run_wait(b->run);
    for (size_t i = 0; i < count; i++) {
        struct keystore_bundle k = { 0 };
        EXPECT_OK(keystore_get(b->kb.ks, made[i], NULL, &k, &err));
        keystore_bundle_clear(&k);
    }
}

static void a_second_backup_in_the_same_second_takes_a_folder_of_its_own(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    run_bench_backup(b, &r);
    expect_done(&r);
    run_bench_backup(b, &r); /* the bench's clock stands */
    expect_done(&r);
    assert_string_equal(r.folder, "mhsm-bench-2023111422132000");
}

static void an_empty_appliance_is_backed_up_and_restored(void **state)
{
    struct run_bench b;
    struct jobs_record r;
    uint8_t before[32];
    struct run_bench_options o = run_bench_small;
    (void)state;
    o.partitions = 0;
    run_bench_open(&b, &o);
    run_bench_state(&b, before);
    run_bench_backup(&b, &r);
    expect_done(&r);
    run_bench_restore(&b, r.folder, &r);
    expect_done(&r);
    expect_same(&b, before);
    run_bench_close(&b);
}

/* --- what is refused at once --------------------------------------------------------------------
 */

static void only_one_job_runs_at_a_time(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record running = { .kind = JOBS_BACKUP }, r;
    struct cf_err err;
    struct run_request q = run_bench_request(b, "mhsm-x", NULL);
    EXPECT_OK(jobs_start(b->jobs, &running, &running, &err));
    EXPECT_RC(CF_E_STATE, run_backup_start(b->run, &q, &r, &err));
    assert_string_equal(err.text, "Another backup operation is in progress");
    assert_string_equal(err.code, "Conflict");
    EXPECT_RC(CF_E_STATE, run_restore_start(b->run, &q, &r, &err));
    assert_false(jobs_restore_mode(b->jobs));
}

static void a_restore_asks_for_a_backup_that_is_old_enough(void **state)
{
    struct run_bench b;
    struct jobs_record r;
    struct cf_err err;
    struct run_bench_options o = run_bench_small;
    (void)state;
    o.run.min_backup_age_s = 1800;
    run_bench_open(&b, &o);
    struct run_request q = run_bench_request(&b, "mhsm-bench-20231114221320", NULL);
    EXPECT_RC(CF_E_STATE, run_restore_start(b.run, &q, &r, &err));
    run_bench_backup(&b, &r);
    EXPECT_RC(CF_E_STATE, run_restore_start(b.run, &q, &r, &err));
    assert_string_equal(err.code, "Conflict");
    print_message("  %s\n", err.text);
    hal_sim_clock_step(b.kb.clock, 1800 * 1000);
    run_bench_restore(&b, r.folder, &r);
    expect_done(&r);
    run_bench_close(&b);
}

static void a_place_that_cannot_be_is_refused_before_there_is_a_job(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    struct run_request q = run_bench_request(b, NULL, NULL);
    q.place.uri = "https://account.blob.example/container";
    q.place.token = "sv=2020-10-02&sig=x"; /* without an end */
    EXPECT_RC(CF_E_INPUT, run_backup_start(b->run, &q, &r, &err));
    assert_string_equal(err.code, "BadRequest");
    q.place.uri = "dir:/etc";
    q.place.token = NULL;
    EXPECT_RC(CF_E_INPUT, run_backup_start(b->run, &q, &r, &err));
    q = run_bench_request(b, NULL, NULL);
    EXPECT_RC(CF_E_INPUT, run_restore_start(b->run, &q, &r, &err));
    EXPECT_RC(CF_E_ABSENT, jobs_last(b->jobs, JOBS_BACKUP, &r, &err));
}

/* --- what is refused of a folder
 * ------------------------------------------------------------------ */

static void a_folder_that_is_no_backup_of_ours_is_refused_in_words(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE], other[JOBS_FOLDER_SIZE + 2];
    run_bench_backup(b, &r);
    memcpy(folder, r.folder, sizeof folder);
    run_bench_flip(b, folder, "manifest", 8, 2);
    run_bench_restore(b, folder, &r);
    expect_failure(&r, "BackupNotAuthentic", "newer format");
    run_bench_flip(b, folder, "manifest", 8, 2);
    run_bench_flip(b, folder, "manifest", 16, 1);
    run_bench_restore(b, folder, &r);
    expect_failure(&r, "Forbidden", "another security domain");
    run_bench_flip(b, folder, "manifest", 16, 1);
    run_bench_flip(b, folder, "manifest", 12, 2);
    run_bench_restore(b, folder, &r);
    expect_failure(&r, "Forbidden", "needs generation 3");
    run_bench_flip(b, folder, "manifest", 12, 2);
    run_bench_restore(b, "mhsm-nothing-here", &r);
    expect_failure(&r, "BadRequest", "holds no manifest");
    snprintf(other, sizeof other, "%sx", folder);
    char from[1024];
    snprintf(from, sizeof from, "%s", run_bench_blob(b, folder, ""));
    assert_int_equal(rename(from, run_bench_blob(b, other, "")), 0);
    run_bench_restore(b, other, &r);
    expect_failure(&r, "BackupNotAuthentic", "does not verify");
    assert_int_equal(rename(run_bench_blob(b, other, ""), from), 0);
    assert_int_equal(unlink(run_bench_blob(b, folder, "manifest")), 0);
    run_bench_restore(b, folder, &r);
    expect_failure(&r, "BadRequest", "no finished backup");
}

static void other_blobs_in_the_folder_do_not_matter(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    run_bench_backup(b, &r);
    run_bench_flip(b, r.folder, "manifest.copy", 300, 1);
    run_bench_flip(b, r.folder, "probe", 3, 1);
    assert_int_equal(cf_file_write(run_bench_blob(b, r.folder, "s9.0"), 0600, "x", 1, NULL), CF_OK);
    run_bench_restore(b, r.folder, &r);
    expect_done(&r);
}

static void a_prerestore_verifies_all_of_a_backup_and_changes_nothing(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    uint8_t before[32];
    char folder[JOBS_FOLDER_SIZE];
    run_bench_backup(b, &r);
    memcpy(folder, r.folder, sizeof folder);
    spoil(b);
    run_bench_state(b, before);
    struct run_request q = run_bench_request(b, folder, NULL);
    EXPECT_OK(run_prerestore_start(b->run, &q, &r, &err));
    run_wait(b->run);
    EXPECT_OK(jobs_get(b->jobs, r.id, &r, &err));
    expect_done(&r);
    assert_true(r.bytes > 50000);
    run_bench_flip(b, folder, "s3.0", 4000, 1);
    EXPECT_OK(run_prerestore_start(b->run, &q, &r, &err));
    run_wait(b->run);
    EXPECT_OK(jobs_get(b->jobs, r.id, &r, &err));
    expect_failure(&r, "BackupNotAuthentic", "does not verify");
    expect_same(b, before);
}

static void a_prebackup_looks_at_the_storage_and_writes_nothing(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    struct run_request q = run_bench_request(b, NULL, NULL);
    EXPECT_OK(run_prebackup_start(b->run, &q, &r, &err));
    run_wait(b->run);
    EXPECT_OK(jobs_get(b->jobs, r.id, &r, &err));
    expect_done(&r);
    DIR *d = opendir(run_bench_blob(b, "", ""));
    struct dirent *entry;
    while ((entry = readdir(d)))
        assert_int_equal(entry->d_name[0], '.');
    closedir(d);
}

static void a_partition_that_this_appliance_lacks_stops_the_restore_before_it_begins(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    uint8_t before[32];
    run_bench_backup(b, &r);
    run_bench_state(b, before);
    snprintf(b->names[1], sizeof b->names[1], "other");
    run_bench_restore(b, r.folder, &r);
    expect_failure(&r, "Conflict", "part1");
    expect_same(b, before);
}

/* --- selective restore
 * ------------------------------------------------------------------------------- */

static void a_partition_that_the_backup_lacks_stays_and_is_named(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE];
    b->o.partitions = 1;
    run_bench_restart(b);
    run_bench_backup(b, &r);
    memcpy(folder, r.folder, sizeof folder);
    b->o.partitions = 2;
    run_bench_restart(b);
    run_bench_restore(b, folder, &r);
    expect_done(&r);
    assert_non_null(strstr(r.warning, "partition part1 is not in the backup and stays as it is"));
    assert_null(strstr(r.warning, "part0"));
}

static void one_key_comes_back_with_its_versions_and_nothing_else_does(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    struct keystore_bundle k = { 0 };
    char folder[JOBS_FOLDER_SIZE];
    run_bench_backup(b, &r);
    memcpy(folder, r.folder, sizeof folder);
    spoil(b);
    run_bench_selective(b, folder, "Alpha", &r);
    expect_done(&r);
    assert_string_equal(r.details, "Number of successful key versions restored: 2, "
                                   "Number of key versions could not overwrite: 0");
    assert_true(r.bytes < 32768);
    EXPECT_OK(keystore_get(b->kb.ks, "alpha", NULL, &k, &err));
    keystore_bundle_clear(&k);
    EXPECT_OK(keystore_get(b->kb.ks, "later", NULL, &k, &err)); /* made after the backup */
    keystore_bundle_clear(&k);
    EXPECT_OK(keystore_get(b->kb.ks, "delta", NULL, &k, &err)); /* recovered after it */
    keystore_bundle_clear(&k);
    run_bench_selective(b, folder, "alpha", &r);
    expect_done(&r);
    assert_string_equal(r.details, "Number of successful key versions restored: 0, "
                                   "Number of key versions could not overwrite: 2");
}

static void a_soft_deleted_or_absent_key_fails_the_job_in_words(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    char folder[JOBS_FOLDER_SIZE];
    static const char *const absent[] = { "a", "alphabet", "bravo2", "zz", "c" };
    run_bench_backup(b, &r);
    memcpy(folder, r.folder, sizeof folder);
    EXPECT_OK(keystore_delete(b->kb.ks, "bravo", NULL, &err));
    run_bench_selective(b, folder, "bravo", &r);
    assert_int_equal(r.state, JOBS_FAILED);
    print_message("  %s: %s\n", r.error_code, r.error);
    for (size_t i = 0; i < 5; i++) {
        run_bench_selective(b, folder, absent[i], &r);
        expect_failure(&r, "KeyNotFound", "no key");
    }
}

static void every_key_of_many_is_found_through_the_index(void **state)
{
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    char folder[JOBS_FOLDER_SIZE], name[32];
    for (unsigned i = 0; i < 90; i++) {
        snprintf(name, sizeof name, "many-%03u", i);
        EXPECT_OK(keystore_bench_make(&b->kb, name, &aes, NULL, &err));
    }
    run_bench_backup(b, &r);
    memcpy(folder, r.folder, sizeof folder);
    for (unsigned i = 0; i < 90; i += 7) {
        snprintf(name, sizeof name, "many-%03u", i);
        EXPECT_OK(keystore_delete(b->kb.ks, name, NULL, &err));
        EXPECT_OK(keystore_purge(b->kb.ks, name, &err));
        run_bench_selective(b, folder, name, &r);
        expect_done(&r);
    }
}

/* --- secrecy and freshness
 * ----------------------------------------------------------------------------- */

static void no_name_is_readable_in_any_blob(void **state)
{
    static const char *const secrets[] = { "alpha", "bravo", "Bravo",   "charlie-7",
                                           "zulu",  "part0", "6f6f6f6f" };
    struct run_bench *b = *state;
    struct jobs_record r;
    run_bench_backup(b, &r);
    DIR *d = opendir(run_bench_blob(b, r.folder, ""));
    struct dirent *entry;
    assert_non_null(d);
    while ((entry = readdir(d))) {
        struct cf_buf bytes = { 0 };
        if (entry->d_name[0] == '.')
            continue;
        const char *path = run_bench_blob(b, r.folder, entry->d_name);
        assert_int_equal(cf_file_read(path, 1 << 20, &bytes, NULL), CF_OK);
        for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
            assert_null(memmem(bytes.data, bytes.len, secrets[i], strlen(secrets[i])));
        cf_buf_clear(&bytes);
    }
    closedir(d);
}

static void no_key_meets_a_nonce_twice_though_the_random_source_is_stuck(void **state)
{
    struct run_bench b;
    struct jobs_record r;
    struct seals seals;
    struct run_bench_options o = run_bench_small;
    (void)state;
    seals_open(&seals);
    o.run.domain.recorder = &seals.recorder;
    o.run.entropy = hal_sim_entropy_new(1, 1);
    run_bench_open(&b, &o);
    run_bench_fill(&b);
    run_bench_backup(&b, &r);
    expect_done(&r);
    size_t one = seals_count(&seals);
    run_bench_backup(&b, &r);
    expect_done(&r);
    assert_true((seals_count(&seals) > one && one > 10) || !CF_DEBUG_RECORDERS);
    seals_expect_no_pair_twice(&seals);
    run_bench_close(&b);
    hal_sim_entropy_free((struct hal_entropy *)(uintptr_t)o.run.entropy);
    seals_close(&seals);
}

/* --- a source that changes
 * ------------------------------------------------------------------------------- */

/* A partition whose change counter moves, as if somebody wrote during the backup. */
struct restless {
    struct hal_partition base;
    struct hal_partition *inner;
    uint64_t changes;
};

static enum cf_rc restless_read(struct hal_partition *p, uint64_t off, void *dst, size_t len,
                                struct cf_err *e)
{
    return hal_partition_read(((struct restless *)p)->inner, off, dst, len, e);
}

static enum cf_rc restless_changes(struct hal_partition *p, uint64_t *out, struct cf_err *e)
{
    (void)e;
    *out = ++((struct restless *)p)->changes;
    return CF_OK;
}

static void restless_close(struct hal_partition *p)
{
    hal_partition_close(((struct restless *)p)->inner);
    free(p);
}

static enum cf_rc (*open_quiet)(void *, unsigned, struct hal_partition **, struct cf_err *);

static enum cf_rc open_restless(void *ctx, unsigned side, struct hal_partition **out,
                                struct cf_err *e)
{
    static const struct hal_partition_ops ops = { .read = restless_read,
                                                  .changes = restless_changes,
                                                  .close = restless_close };
    struct restless *p = calloc(1, sizeof *p);
    enum cf_rc rc = open_quiet(ctx, side, &p->inner, e);
    p->base = (struct hal_partition){ .ops = &ops, .size = p->inner->size, .write_unit = 4096 };
    *out = &p->base;
    return rc;
}

static void a_partition_written_during_the_backup_fails_it_by_name(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    open_quiet = b->parts[1].open_live;
    b->parts[1].open_live = open_restless;
    run_bench_backup(b, &r);
    expect_failure(&r, "Conflict", "partition part1 was written to");
    EXPECT_OK(jobs_get(b->jobs, r.id, &r, &err));
    char folder[JOBS_FOLDER_SIZE];
    memcpy(folder, r.folder, sizeof folder);
    run_bench_restore(b, folder, &r);
    expect_failure(&r, "BadRequest", "holds no manifest");
    b->parts[1].open_live = open_quiet;
    run_bench_backup(b, &r);
    expect_done(&r);
}

/* --- a twin that finds no room
 * --------------------------------------------------------------------------- */

struct cramped {
    struct hal_partition base;
    struct hal_partition *inner;
};

static enum cf_rc cramped_write(struct hal_partition *p, uint64_t off, const void *src, size_t len,
                                struct cf_err *e)
{
    if (off < 20000)
        return hal_partition_write(((struct cramped *)p)->inner, off, src, len, e);
    return cf_err_set(e, CF_E_IO, CF_SRC_ERRNO, ENOSPC, CF_HERE, "no room");
}

static enum cf_rc cramped_fill(struct hal_partition *p, uint64_t off, uint64_t len, uint8_t value,
                               struct cf_err *e)
{
    return hal_partition_fill(((struct cramped *)p)->inner, off, len, value, e);
}

static void cramped_close(struct hal_partition *p)
{
    hal_partition_close(((struct cramped *)p)->inner);
    free(p);
}

static enum cf_rc open_cramped(void *ctx, unsigned side, struct hal_partition **out,
                               struct cf_err *e)
{
    static const struct hal_partition_ops ops = { .write = cramped_write,
                                                  .fill = cramped_fill,
                                                  .close = cramped_close };
    struct cramped *p = calloc(1, sizeof *p);
    enum cf_rc rc = open_quiet(ctx, side, &p->inner, e);
    p->base = (struct hal_partition){ .ops = &ops, .size = p->inner->size, .write_unit = 4096 };
    *out = &p->base;
    return rc;
}

static void a_twin_without_room_gives_back_what_it_took(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct stat st;
    uint8_t before[32];
    char folder[JOBS_FOLDER_SIZE], twin[160];
    run_bench_backup(b, &r);
    memcpy(folder, r.folder, sizeof folder);
    run_bench_state(b, before);
    open_quiet = b->parts[1].open_other;
    b->parts[1].open_other = open_cramped;
    run_bench_restore(b, folder, &r);
    expect_failure(&r, "ServiceUnavailable", "no room");
    expect_same(b, before);
    for (size_t i = 0; i < 2; i++) {
        snprintf(twin, sizeof twin, "%s.next", run_bench_part(b, i));
        assert_int_equal(stat(twin, &st), 0);
        assert_in_range(st.st_blocks, 0, 8); /* the page that the end lies in may stay */
    }
    b->parts[1].open_other = open_quiet;
    run_bench_restore(b, folder, &r);
    expect_done(&r);
}

static void a_token_that_fails_leaves_all_as_it_was(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    uint8_t before[32];
    char folder[JOBS_FOLDER_SIZE];
    run_bench_state(b, before);
    run_bench_backup(b, &r);
    memcpy(folder, r.folder, sizeof folder);
    fake_token_fail(b->kb.token, CF_E_TOKEN, 1000);
    run_bench_restore(b, folder, &r);
    fake_token_fail(b->kb.token, CF_E_TOKEN, 0);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_string_equal(r.error_code, "ServiceUnavailable");
    expect_same(b, before);
    fake_token_fail(b->kb.token, CF_E_TOKEN, 1); /* a worker that is replaced */
    run_bench_restore(b, folder, &r);
    expect_done(&r);
    expect_same(b, before);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, run_bench_set_up, run_bench_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_full_restore_brings_everything_back_and_takes_later_things_away),
        T(a_key_made_while_a_restore_runs_is_refused_or_stays),
        T(a_second_backup_in_the_same_second_takes_a_folder_of_its_own),
        cmocka_unit_test(an_empty_appliance_is_backed_up_and_restored),
        T(only_one_job_runs_at_a_time),
        cmocka_unit_test(a_restore_asks_for_a_backup_that_is_old_enough),
        T(a_place_that_cannot_be_is_refused_before_there_is_a_job),
        T(a_folder_that_is_no_backup_of_ours_is_refused_in_words),
        T(other_blobs_in_the_folder_do_not_matter),
        T(a_prerestore_verifies_all_of_a_backup_and_changes_nothing),
        T(a_prebackup_looks_at_the_storage_and_writes_nothing),
        T(a_partition_that_this_appliance_lacks_stops_the_restore_before_it_begins),
        T(a_partition_that_the_backup_lacks_stays_and_is_named),
        T(one_key_comes_back_with_its_versions_and_nothing_else_does),
        T(a_soft_deleted_or_absent_key_fails_the_job_in_words),
        T(every_key_of_many_is_found_through_the_index),
        T(no_name_is_readable_in_any_blob),
        cmocka_unit_test(no_key_meets_a_nonce_twice_though_the_random_source_is_stuck),
        T(a_partition_written_during_the_backup_fails_it_by_name),
        T(a_twin_without_room_gives_back_what_it_took),
        T(a_token_that_fails_leaves_all_as_it_was),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
