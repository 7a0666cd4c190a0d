/* Jobs: the state table, records that last, what a restart finds, the rule about an earlier backup.
 */
#include "support/test.h"

#include <stdbool.h>

#include "base/secret.h"
#include "hal_sim/hal_sim.h"
#include "jobs/receipts.h"
#include "store/store.h"
#include "support/scratch.h"

#define START_S INT64_C(1700000000)

struct fixture {
    char dir[64];
    struct cf_secret *key;
    struct store_options options;
    struct store *store;
    struct hal_clock *clock;
    struct hal_entropy *entropy;
    struct jobs *j;
};

static int set_up(void **state)
{
    static struct fixture f;
    static const uint8_t key[32] = { 1 };
    memset(&f, 0, sizeof f);
    scratch_make(f.dir);
    assert_int_equal(cf_secret_copy(key, sizeof key, &f.key, NULL), CF_OK);
    f.options = (struct store_options){ .path = scratch_path(f.dir, "appliance.db"),
                                        .page_key = f.key,
                                        .row_key = f.key };
    assert_int_equal(store_create(&f.options, &f.store, NULL), CF_OK);
    f.clock = hal_sim_clock_new(START_S * 1000);
    f.entropy = hal_sim_entropy_new(7, 0);
    assert_int_equal(jobs_open(f.store, f.clock, f.entropy, &f.j, NULL), CF_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    jobs_close(f->j);
    store_close(f->store);
    cf_secret_free(f->key);
    hal_sim_clock_free(f->clock);
    hal_sim_entropy_free(f->entropy);
    scratch_remove(f->dir);
    return 0;
}

static void restart(struct fixture *f)
{
    jobs_close(f->j);
    store_close(f->store);
    f->options.path = scratch_path(f->dir, "appliance.db");
    assert_int_equal(store_open(&f->options, &f->store, NULL), CF_OK);
    assert_int_equal(jobs_open(f->store, f->clock, f->entropy, &f->j, NULL), CF_OK);
}

static struct jobs_record start(struct fixture *f, enum jobs_kind kind)
{
    struct jobs_record r = { .kind = kind, .who = "oid", .uri = "https://a/c", .folder = "mhsm-x" };
    struct cf_err err;
    EXPECT_OK(jobs_start(f->j, &r, &r, &err));
    return r;
}

static void finish(struct fixture *f, const char *id, enum jobs_event event)
{
    struct jobs_end end = { .event = event, .bytes = 10 };
    struct cf_err err;
    EXPECT_OK(jobs_finish(f->j, id, &end, &err));
}

static void the_state_table_has_one_beginning_and_three_ends(void **state)
{
    (void)state;
    static const enum jobs_state after[JOBS_EVENTS] = { [JOBS_EV_DONE] = JOBS_SUCCEEDED,
                                                        [JOBS_EV_ERROR] = JOBS_FAILED,
                                                        [JOBS_EV_CANCEL] = JOBS_CANCELED,
                                                        [JOBS_EV_INTERRUPTED] = JOBS_FAILED };
    struct cf_err err;
    for (int s = JOBS_IN_PROGRESS; s <= JOBS_CANCELED; s++) {
        for (int ev = 0; ev < JOBS_EVENTS; ev++) {
            enum jobs_state next = (enum jobs_state)99;
            if (s == JOBS_IN_PROGRESS) {
                EXPECT_OK(jobs_next_state((enum jobs_state)s, (enum jobs_event)ev, &next, &err));
                assert_int_equal(next, after[ev]);
            } else {
                EXPECT_RC(CF_E_STATE,
                          jobs_next_state((enum jobs_state)s, (enum jobs_event)ev, &next, &err));
                assert_int_equal(next, 99);
            }
        }
    }
    assert_string_equal(jobs_state_name(JOBS_IN_PROGRESS), "InProgress");
    assert_string_equal(jobs_state_name(JOBS_SUCCEEDED), "Succeeded");
    assert_string_equal(jobs_state_name(JOBS_FAILED), "Failed");
    assert_string_equal(jobs_state_name(JOBS_CANCELED), "Canceled");
}

static void a_record_lasts_over_a_restart(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r = start(f, JOBS_BACKUP), again;
    assert_int_equal(strlen(r.id), 32);
    assert_int_equal(r.start_s, START_S);
    EXPECT_OK(jobs_note(f->j, r.id, "mhsm-y", NULL, &err));
    hal_sim_clock_step(f->clock, 8000);
    struct jobs_end end = {
        .event = JOBS_EV_DONE, .warning = "slow", .bytes = 77, .elapsed_ms = 8
    };
    EXPECT_OK(jobs_finish(f->j, r.id, &end, &err));
    restart(f);
    EXPECT_OK(jobs_get(f->j, r.id, &again, &err));
    assert_int_equal(again.kind, JOBS_BACKUP);
    assert_int_equal(again.state, JOBS_SUCCEEDED);
    assert_int_equal(again.end_s, START_S + 8);
    assert_string_equal(again.folder, "mhsm-y");
    assert_string_equal(again.who, "oid");
    assert_string_equal(again.uri, "https://a/c");
    assert_string_equal(again.warning, "slow");
    assert_int_equal(again.bytes, 77);
    assert_int_equal(jobs_backups(f->j).last_s, START_S + 8);
    assert_int_equal(jobs_backups(f->j).count, 1);
}

static void a_backup_or_restore_found_running_goes_on_under_its_id(void **state)
{
    static const enum jobs_kind kinds[] = { JOBS_BACKUP, JOBS_RESTORE };
    struct fixture *f = *state;
    struct cf_err err;
    for (size_t i = 0; i < 2; i++) {
        struct jobs_record r = start(f, kinds[i]), again, other = { .kind = JOBS_VERIFY };
        restart(f);
        EXPECT_OK(jobs_running(f->j, &again, &err));
        assert_string_equal(again.id, r.id);
        assert_int_equal(again.state, JOBS_IN_PROGRESS);
        EXPECT_RC(CF_E_STATE, jobs_start(f->j, &other, &other, &err)); /* never two */
        EXPECT_OK(jobs_interrupt(f->j, &again, "no luck", &err));
        EXPECT_OK(jobs_get(f->j, r.id, &again, &err));
        assert_int_equal(again.state, JOBS_FAILED);
        assert_string_equal(again.error_code, "Interrupted");
        assert_non_null(strstr(again.error, "no luck"));
        EXPECT_RC(CF_E_ABSENT, jobs_running(f->j, &again, &err));
    }
}

static void any_other_job_found_running_has_failed(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r = start(f, JOBS_SELECTIVE), again;
    EXPECT_OK(jobs_set_restore_mode(f->j, true, &err));
    hal_sim_clock_step(f->clock, 3000);
    restart(f);
    EXPECT_OK(jobs_get(f->j, r.id, &again, &err));
    assert_int_equal(again.state, JOBS_FAILED);
    assert_string_equal(again.error_code, "Interrupted");
    assert_int_equal(again.end_s, START_S + 3);
    assert_true(jobs_restore_mode(f->j)); /* whoever settles the restore sets it back */
    EXPECT_OK(jobs_set_restore_mode(f->j, false, &err));
    restart(f);
    assert_false(jobs_restore_mode(f->j));
    start(f, JOBS_BACKUP);
}

static void one_runs_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r = { .kind = JOBS_BACKUP }, first = start(f, JOBS_BACKUP);
    EXPECT_RC(CF_E_STATE, jobs_start(f->j, &r, &r, &err));
    assert_string_equal(err.code, "Conflict");
    assert_string_equal(err.text, "Another backup operation is in progress");
    finish(f, first.id, JOBS_EV_ERROR);
    first = start(f, JOBS_RESTORE);
    EXPECT_RC(CF_E_STATE, jobs_start(f->j, &r, &r, &err));
    assert_non_null(strstr(err.text, "User triggered Restore operation is in progress"));
}

static void an_ended_job_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r = start(f, JOBS_SELECTIVE);
    struct jobs_end end = { .event = JOBS_EV_DONE };
    finish(f, r.id, JOBS_EV_ERROR);
    EXPECT_RC(CF_E_STATE, jobs_finish(f->j, r.id, &end, &err));
    EXPECT_RC(CF_E_STATE, jobs_note(f->j, r.id, "x", NULL, &err));
    EXPECT_RC(CF_E_STATE, jobs_cancel(f->j, r.id, &err));
    EXPECT_OK(jobs_get(f->j, r.id, &r, &err));
    assert_int_equal(r.state, JOBS_FAILED);
}

static void an_unknown_id_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r;
    EXPECT_RC(CF_E_ABSENT, jobs_get(f->j, "0123456789abcdef0123456789abcdef", &r, &err));
    assert_string_equal(err.code, "NotFound");
    assert_string_equal(err.text, "The given jobId is not found");
    EXPECT_RC(CF_E_ABSENT, jobs_get(f->j, "", &r, &err));
    EXPECT_RC(CF_E_ABSENT, jobs_last(f->j, JOBS_RESTORE, &r, &err));
}

static void an_ugly_error_text_does_not_keep_a_job_from_ending(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    char text[JOBS_TEXT_SIZE + 10];
    struct jobs_record r = start(f, JOBS_BACKUP);
    memset(text, 0xff, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    struct jobs_end end = { .event = JOBS_EV_ERROR, .error_code = "BadRequest", .error = text };
    EXPECT_OK(jobs_note(f->j, r.id, "a\xffz", NULL, &err));
    EXPECT_OK(jobs_finish(f->j, r.id, &end, &err));
    EXPECT_OK(jobs_get(f->j, r.id, &r, &err));
    assert_string_equal(r.folder, "a?z");
    assert_int_equal(r.error[0], '?');
    assert_int_equal(strlen(r.error), JOBS_TEXT_SIZE - 2); /* no half character */
}

static void a_uri_with_a_query_is_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r = { .kind = JOBS_BACKUP, .uri = "https://a/c?sig=secret" };
    EXPECT_RC(CF_E_ARG, jobs_start(f->j, &r, &r, &err));
}

static void a_restore_waits_for_a_backup_that_is_old_enough(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    EXPECT_OK(jobs_restore_allowed(f->j, 0, &err));
    EXPECT_RC(CF_E_STATE, jobs_restore_allowed(f->j, 1800, &err));
    assert_string_equal(err.code, "Conflict");
    assert_non_null(strstr(err.text, "There is none yet"));

    struct jobs_record r = start(f, JOBS_BACKUP);
    finish(f, r.id, JOBS_EV_ERROR); /* a failed one does not count */
    EXPECT_RC(CF_E_STATE, jobs_restore_allowed(f->j, 1800, &err));
    r = start(f, JOBS_PRE_BACKUP); /* nor does a check */
    finish(f, r.id, JOBS_EV_DONE);
    EXPECT_RC(CF_E_STATE, jobs_restore_allowed(f->j, 1800, &err));
    r = start(f, JOBS_BACKUP);
    finish(f, r.id, JOBS_EV_DONE);

    hal_sim_clock_step(f->clock, 1799 * 1000);
    EXPECT_RC(CF_E_STATE, jobs_restore_allowed(f->j, 1800, &err));
    assert_non_null(strstr(err.text, "2023-11-14T22:43:20Z")); /* START_S + 1800 */
    r = start(f, JOBS_BACKUP); /* a newer one does not start the wait again */
    finish(f, r.id, JOBS_EV_DONE);
    hal_sim_clock_step(f->clock, 1000);
    EXPECT_OK(jobs_restore_allowed(f->j, 1800, &err));
    restart(f);
    EXPECT_OK(jobs_restore_allowed(f->j, 1800, &err));
}

static enum cf_rc note_start(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    int64_t *last = ctx;
    (void)e;
    assert_true(*last == 0 || r->start_s <= *last);
    *last = r->start_s;
    return CF_OK;
}

static enum cf_rc count_job(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    (void)r, (void)e;
    ++*(size_t *)ctx;
    return CF_OK;
}

static void jobs_of_one_second_are_listed_in_the_order_of_their_starts(void **state)
{
    struct fixture *f = *state;
    struct jobs_record newest;
    struct cf_err err;
    for (int i = 0; i < 20; i++) { /* ids are random: their order would do by chance */
        struct jobs_record r = start(f, JOBS_BACKUP);
        finish(f, r.id, JOBS_EV_DONE);
        EXPECT_OK(jobs_last(f->j, JOBS_BACKUP, &newest, &err));
        assert_string_equal(newest.id, r.id);
    }
    restart(f);
    struct jobs_record again;
    EXPECT_OK(jobs_last(f->j, JOBS_BACKUP, &again, &err));
    assert_string_equal(again.id, newest.id);
}

/* The row that a release wrote which did not order the jobs of one second. */
static void a_row_without_milliseconds_is_read(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct store_view *v = NULL;
    struct store_txn *t = NULL;
    struct store_row row = { 0 };
    struct jobs_record r = start(f, JOBS_BACKUP), old;
    const struct crypto_bytes key = crypto_bytes_of(r.id, strlen(r.id));
    finish(f, r.id, JOBS_EV_DONE);
    EXPECT_OK(store_read(f->store, &v, &err));
    EXPECT_OK(store_get(v, STORE_JOB, key, &row, &err));
    store_view_end(v);
    assert_int_equal(row.value.data[0], 0xa0 + 15);
    row.value.data[0]--;
    struct store_put put = { .key = key,
                             .value = crypto_bytes_of(row.value.data, row.value.len - 10) };
    EXPECT_OK(store_write(f->store, &t, &err));
    EXPECT_OK(store_put(t, STORE_JOB, &put, &err));
    EXPECT_OK(store_commit(t, &err));
    store_end(t);
    store_row_clear(&row);
    EXPECT_OK(jobs_get(f->j, r.id, &old, &err));
    assert_int_equal(old.start_s, START_S);
    assert_int_equal(old.start_ms, 0);
}

static void records_are_listed_newest_first_and_kept_for_thirty_days(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record oldest = start(f, JOBS_BACKUP), r = oldest;
    finish(f, r.id, JOBS_EV_DONE);
    for (int i = 0; i < 5; i++) {
        hal_sim_clock_step(f->clock, INT64_C(5) * 86400 * 1000);
        r = start(f, JOBS_BACKUP);
        finish(f, r.id, JOBS_EV_DONE);
    }
    int64_t last = 0;
    EXPECT_OK(jobs_list(f->j, note_start, &last, &err));
    assert_int_equal(last, START_S);
    struct jobs_record newest;
    EXPECT_OK(jobs_last(f->j, JOBS_BACKUP, &newest, &err));
    assert_string_equal(newest.id, r.id);

    hal_sim_clock_step(f->clock, INT64_C(5) * 86400 * 1000); /* day 30: to the second */
    r = start(f, JOBS_BACKUP);
    finish(f, r.id, JOBS_EV_DONE);
    EXPECT_OK(jobs_get(f->j, oldest.id, &newest, &err));
    hal_sim_clock_step(f->clock, 1000);
    r = start(f, JOBS_BACKUP);
    EXPECT_RC(CF_E_ABSENT, jobs_get(f->j, oldest.id, &newest, &err));
    assert_int_equal(jobs_backups(f->j).first_s, START_S);
}

/* More than one look at all records remembers; and clocks go back. */
static void old_records_go_in_the_end_however_many(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record first = { .id = "" }, r, seen;
    for (int i = 0; i < 150; i++) {
        r = start(f, JOBS_BACKUP);
        finish(f, r.id, JOBS_EV_DONE);
        hal_sim_clock_step(f->clock, i % 10 == 9 ? -5000 : 1000);
        if (i == 0)
            first = r;
    }
    EXPECT_OK(jobs_get(f->j, first.id, &seen, &err));
    hal_sim_clock_step(f->clock, (JOBS_KEEP_S + 1000) * 1000);
    for (int i = 0; i < 160; i++) {
        r = start(f, JOBS_BACKUP);
        finish(f, r.id, JOBS_EV_DONE);
    }
    EXPECT_RC(CF_E_ABSENT, jobs_get(f->j, first.id, &seen, &err));
    size_t left = 0;
    EXPECT_OK(jobs_list(f->j, count_job, &left, &err));
    assert_int_equal(left, 160);
}

static void progress_and_cancel_reach_the_running_job(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r = start(f, JOBS_BACKUP);
    jobs_set_progress(f->j, 5, 9);
    assert_int_equal(jobs_get_progress(f->j).done_bytes, 5);
    assert_int_equal(jobs_get_progress(f->j).total_bytes, 9);
    assert_false(jobs_cancel_asked(f->j));
    EXPECT_RC(CF_E_ABSENT, jobs_cancel(f->j, "0123456789abcdef0123456789abcdef", &err));
    EXPECT_OK(jobs_cancel(f->j, r.id, &err));
    assert_true(jobs_cancel_asked(f->j));
    finish(f, r.id, JOBS_EV_CANCEL);
    start(f, JOBS_BACKUP);
    assert_false(jobs_cancel_asked(f->j));
    assert_int_equal(jobs_get_progress(f->j).done_bytes, 0);
}

/* A verify of the backup made at `created_s`, ended; its id. */
static void verified_in(struct fixture *f, const char *uri, uint64_t created_s, bool whole,
                        enum jobs_event event, char id[JOBS_ID_SIZE])
{
    struct cf_err err;
    struct jobs_record in = { .kind = JOBS_VERIFY }, r;
    struct jobs_receipt p = { .bytes = "receipt", .len = 7 };
    struct jobs_end end = { .event = event, .receipt = &p };
    p.facts = (struct jobs_verified){ .whole = whole, .created_s = created_s, .seq = 9 };
    p.facts.mac[31] = 5;
    snprintf(in.uri, sizeof in.uri, "%s", uri);
    snprintf(in.folder, sizeof in.folder, "mhsm-%u", (unsigned)created_s);
    EXPECT_OK(jobs_start(f->j, &in, &r, &err));
    EXPECT_OK(jobs_finish(f->j, r.id, &end, &err));
    memcpy(id, r.id, JOBS_ID_SIZE);
}

static void verified(struct fixture *f, uint64_t created_s, bool whole, enum jobs_event event,
                     char id[JOBS_ID_SIZE])
{
    verified_in(f, "dir:/b", created_s, whole, event, id);
}

static void a_receipt_is_kept_with_its_job_and_only_success_leaves_one(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct cf_buf out = { 0 };
    char good[JOBS_ID_SIZE], failed[JOBS_ID_SIZE];
    verified(f, 50, true, JOBS_EV_DONE, good);
    verified(f, 60, true, JOBS_EV_ERROR, failed);
    restart(f);
    EXPECT_OK(jobs_receipt_get(f->j, good, &out, &err));
    assert_int_equal(out.len, 7);
    assert_memory_equal(out.data, "receipt", 7);
    EXPECT_RC(CF_E_ABSENT, jobs_receipt_get(f->j, failed, &out, &err));
    assert_string_equal(err.code, "NotFound");
    EXPECT_RC(CF_E_ABSENT, jobs_receipt_get(f->j, "0123456789abcdef0123456789abcdef", &out, &err));
    struct jobs_record r = start(f, JOBS_BACKUP);
    finish(f, r.id, JOBS_EV_DONE);
    EXPECT_RC(CF_E_ABSENT, jobs_receipt_get(f->j, r.id, &out, &err));
    cf_buf_clear(&out);
}

static void the_newest_backup_verified_whole_is_known_and_outlives_its_time(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_verified v;
    char newest[JOBS_ID_SIZE], other[JOBS_ID_SIZE];
    EXPECT_RC(CF_E_ABSENT, jobs_newest_verified(f->j, NULL, &v, &err));
    verified(f, 50, false, JOBS_EV_DONE, other); /* a sample proves no whole */
    EXPECT_RC(CF_E_ABSENT, jobs_newest_verified(f->j, NULL, &v, &err));
    verified(f, 40, true, JOBS_EV_DONE, newest);
    verified(f, 30, true, JOBS_EV_DONE, other);
    EXPECT_OK(jobs_newest_verified(f->j, NULL, &v, &err));
    assert_string_equal(v.job, newest);
    assert_string_equal(v.folder, "mhsm-40");
    assert_int_equal(v.created_s, 40);
    assert_int_equal(v.at_s, START_S);
    assert_int_equal(v.seq, 9);
    assert_int_equal(v.mac[31], 5);
    EXPECT_OK(jobs_newest_verified(f->j, "dir:/b", &v, &err));
    EXPECT_RC(CF_E_ABSENT, jobs_newest_verified(f->j, "dir:/other", &v, &err));
    hal_sim_clock_step(f->clock, (JOBS_KEEP_S + 1) * 1000);
    for (int i = 0; i < 6; i++) { /* one record goes at each start */
        struct jobs_record r = start(f, JOBS_BACKUP);
        finish(f, r.id, JOBS_EV_DONE);
    }
    struct cf_buf out = { 0 };
    EXPECT_RC(CF_E_ABSENT, jobs_get(f->j, other, &(struct jobs_record){ 0 }, &err));
    EXPECT_OK(jobs_receipt_get(f->j, newest, &out, &err));
    EXPECT_OK(jobs_newest_verified(f->j, NULL, &v, &err));
    assert_string_equal(v.job, newest);
    cf_buf_clear(&out);
}

/* A pruning of one place asks for the newest verified backup of that place, not of all. */
static void each_place_keeps_its_newest_verified_backup(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_verified v;
    char here[JOBS_ID_SIZE], older[JOBS_ID_SIZE], other[JOBS_ID_SIZE];
    verified_in(f, "dir:/b", 40, true, JOBS_EV_DONE, here);
    verified_in(f, "dir:/b", 30, true, JOBS_EV_DONE, older);
    verified_in(f, "dir:/c", 50, true, JOBS_EV_DONE, other);
    hal_sim_clock_step(f->clock, (JOBS_KEEP_S + 1) * 1000);
    for (int i = 0; i < 8; i++) {
        struct jobs_record r = start(f, JOBS_BACKUP);
        finish(f, r.id, JOBS_EV_DONE);
    }
    EXPECT_OK(jobs_newest_verified(f->j, "dir:/b", &v, &err));
    assert_string_equal(v.job, here);
    EXPECT_OK(jobs_newest_verified(f->j, "dir:/c", &v, &err));
    assert_string_equal(v.job, other);
    EXPECT_RC(CF_E_ABSENT, jobs_get(f->j, older, &(struct jobs_record){ 0 }, &err));
}

static void who_asks_to_cancel_too_late_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r = start(f, JOBS_RESTORE);
    EXPECT_OK(jobs_past_cancel(f->j, &err));
    EXPECT_RC(CF_E_STATE, jobs_cancel(f->j, r.id, &err));
    assert_string_equal(err.code, "Conflict");
    assert_non_null(strstr(err.text, "too late"));
    assert_false(jobs_cancel_asked(f->j));
    finish(f, r.id, JOBS_EV_DONE);
    EXPECT_RC(CF_E_STATE, jobs_cancel(f->j, r.id, &err));
    assert_non_null(strstr(err.text, "ended"));
    r = start(f, JOBS_RESTORE); /* and the next one may be canceled again */
    EXPECT_OK(jobs_cancel(f->j, r.id, &err));
    EXPECT_RC(CF_E_CANCEL, jobs_past_cancel(f->j, &err));
    EXPECT_OK(jobs_cancel(f->j, r.id, &err));
}

/* Power is lost before the job notices. */
static void a_cancel_outlives_a_power_cut(void **state)
{
    static const enum jobs_kind kinds[] = { JOBS_BACKUP, JOBS_RESTORE, JOBS_UNDO, JOBS_VERIFY };
    struct fixture *f = *state;
    struct cf_err err;
    struct jobs_record r;
    for (size_t i = 0; i < 4; i++) {
        r = start(f, kinds[i]);
        EXPECT_OK(jobs_cancel(f->j, r.id, &err));
        restart(f);
        if (jobs_outlives_a_stop(kinds[i])) { /* whoever runs it ends it */
            assert_true(jobs_cancel_asked(f->j));
            EXPECT_RC(CF_E_CANCEL, jobs_past_cancel(f->j, &err));
            EXPECT_OK(jobs_interrupt(f->j, &r, "a remark", &err));
        }
        EXPECT_OK(jobs_get(f->j, r.id, &r, &err));
        assert_int_equal(r.state, JOBS_CANCELED);
        assert_string_equal(r.error_code, "Canceled");
        assert_string_equal(r.warning, jobs_outlives_a_stop(kinds[i]) ? "a remark" : "");
    }
    r = start(f, JOBS_BACKUP); /* another one is not meant */
    restart(f);
    assert_false(jobs_cancel_asked(f->j));
}

/* More than one row's worth, and less behind it. */
static void the_last_report_of_a_kind_is_kept_whole(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct cf_buf in = { 0 }, out = { 0 };
    struct jobs_record plan = start(f, JOBS_PLAN), again, r;
    EXPECT_OK(cf_buf_resize(&in, 150001, &err));
    in.data[0] = 1;
    in.data[150000] = 2;
    EXPECT_RC(CF_E_ABSENT, jobs_report_get(f->j, plan.id, &r, &out, &err));
    assert_string_equal(err.code, "NotFound");
    EXPECT_OK(jobs_report_keep(f->j, &plan, &in, &err));
    finish(f, plan.id, JOBS_EV_DONE);
    again = start(f, JOBS_RETENTION); /* of another kind */
    EXPECT_OK(jobs_report_keep(f->j, &again, &in, &err));
    finish(f, again.id, JOBS_EV_DONE);
    restart(f);
    EXPECT_OK(jobs_report_get(f->j, plan.id, &r, &out, &err));
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    assert_int_equal(out.len, in.len);
    assert_memory_equal(out.data, in.data, in.len);
    again = start(f, JOBS_PLAN);
    EXPECT_OK(cf_buf_resize(&in, 3, &err));
    EXPECT_OK(jobs_report_keep(f->j, &again, &in, &err));
    cf_buf_clear(&out);
    EXPECT_OK(jobs_report_get(f->j, again.id, &r, &out, &err));
    assert_int_equal(out.len, 3); /* nothing of the longer one */
    cf_buf_clear(&out);
    EXPECT_RC(CF_E_ABSENT, jobs_report_get(f->j, plan.id, &r, &out, &err));
    EXPECT_OK(cf_buf_resize(&in, JOBS_REPORT_MAX + 1, &err));
    EXPECT_RC(CF_E_LIMIT, jobs_report_keep(f->j, &again, &in, &err));
    cf_buf_clear(&in);
}

#define MIB (UINT64_C(1) << 20)

static void the_rate_is_that_of_the_last_seconds(void **state)
{
    struct fixture *f = *state;
    struct jobs_progress p;
    char text[JOBS_PROGRESS_SIZE];
    uint64_t done = 0;
    start(f, JOBS_BACKUP);
    p = jobs_get_progress(f->j);
    jobs_progress_text(&p, text);
    assert_string_equal(text, "");
    jobs_set_phase(f->j, "keys");
    for (int i = 0; i < 600; i++) { /* a minute at 1 MiB/s, then ten seconds at ten times that */
        hal_sim_clock_step(f->clock, 100);
        jobs_set_progress(f->j, done += MIB / 10, 0);
    }
    p = jobs_get_progress(f->j);
    assert_in_range(p.bytes_s, MIB - 100, MIB);
    assert_int_equal(p.left_s, 0);
    jobs_progress_text(&p, text);
    assert_string_equal(text, "keys: 60.0 MiB, 1.0 MiB/s");
    for (int i = 0; i < 100; i++) {
        hal_sim_clock_step(f->clock, 100);
        jobs_set_progress(f->j, done += MIB, 400 * MIB);
    }
    p = jobs_get_progress(f->j);
    assert_in_range(p.bytes_s, 10 * MIB - 100, 10 * MIB);
    assert_int_equal(p.left_s, 25);
    jobs_progress_text(&p, text);
    assert_string_equal(text, "160 MiB of 400 MiB, 10.0 MiB/s, 25 s left");
    hal_sim_clock_step(f->clock, 4000); /* nothing moves */
    assert_in_range(jobs_get_progress(f->j).bytes_s, 4 * MIB, 6 * MIB);
    hal_sim_clock_step(f->clock, 9000);
    p = jobs_get_progress(f->j);
    assert_int_equal(p.bytes_s, 0);
    jobs_progress_text(&p, text);
    assert_string_equal(text, "160 MiB of 400 MiB");
    jobs_set_progress(f->j, done - 50 * MIB, 400 * MIB); /* an attempt was lost */
    hal_sim_clock_step(f->clock, 2000);
    assert_int_equal(jobs_get_progress(f->j).bytes_s, 0);
}

static void times_and_sizes_are_told_in_units_that_people_read(void **state)
{
    (void)state;
    static const struct {
        struct jobs_progress p;
        const char *want;
    } rows[] = {
        { { .phase = "preparing" }, "preparing" },
        { { .phase = "", .done_bytes = 1 }, "1 bytes" },
        { { .phase = "x", .done_bytes = 999, .total_bytes = 1023 }, "999 bytes of 1.0 KiB" },
        { { .phase = "x",
            .done_bytes = UINT64_C(1288490189),
            .total_bytes = UINT64_C(8) << 30,
            .bytes_s = 230 * MIB,
            .left_s = 30 },
          "1.2 GiB of 8.0 GiB, 230 MiB/s, 30 s left" },
        { { .phase = "x", .done_bytes = 1, .total_bytes = 2, .bytes_s = 1, .left_s = 91 },
          "1 bytes of 2 bytes, 1 bytes/s, 2 min left" },
        { { .phase = "x", .done_bytes = 1, .total_bytes = 2, .left_s = 7260 },
          "1 bytes of 2 bytes, 2 h 1 min left" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[JOBS_PROGRESS_SIZE];
        jobs_progress_text(&rows[i].p, text);
        assert_string_equal(text, rows[i].want);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_table_has_one_beginning_and_three_ends),
        TEST(a_record_lasts_over_a_restart),
        TEST(a_backup_or_restore_found_running_goes_on_under_its_id),
        TEST(any_other_job_found_running_has_failed),
        TEST(one_runs_at_a_time),
        TEST(an_ended_job_stays_as_it_is),
        TEST(an_unknown_id_is_not_found),
        TEST(an_ugly_error_text_does_not_keep_a_job_from_ending),
        TEST(a_uri_with_a_query_is_refused),
        TEST(a_restore_waits_for_a_backup_that_is_old_enough),
        TEST(jobs_of_one_second_are_listed_in_the_order_of_their_starts),
        TEST(a_row_without_milliseconds_is_read),
        TEST(records_are_listed_newest_first_and_kept_for_thirty_days),
        TEST(old_records_go_in_the_end_however_many),
        TEST(who_asks_to_cancel_too_late_is_told_so),
        TEST(a_cancel_outlives_a_power_cut),
        TEST(the_last_report_of_a_kind_is_kept_whole),
        TEST(the_rate_is_that_of_the_last_seconds),
        cmocka_unit_test(times_and_sizes_are_told_in_units_that_people_read),
        TEST(progress_and_cancel_reach_the_running_job),
        TEST(a_receipt_is_kept_with_its_job_and_only_success_leaves_one),
        TEST(the_newest_backup_verified_whole_is_known_and_outlives_its_time),
        TEST(each_place_keeps_its_newest_verified_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
