/* The journal's file: what is torn ends it, what is foreign makes it useless, what is whole comes
 * back; and what is written next begins where the last whole record ended. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run_priv.h"

struct fixture {
    char dir[64];
    char path[128];
    struct manifest_envelope env;
    uint8_t row[FLOW_ROW_SIZE], salt[FLOW_SALT_SIZE];
};

static const char id[] = "00112233445566778899aabbccddeeff";

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/dev/shm/coffer-journal-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/%s", f->dir, JOURNAL_OUT);
    memset(f->env.bytes, 7, sizeof f->env.bytes);
    memset(f->salt, 9, sizeof f->salt);
    flow_row_put(&(struct flow_receipt){ .salt = { 5 }, .place = 8, .covered = 16, .wire = 99 },
                 f->row);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

/* A life up to the end of stream 1: three blocks of stream 2, the middle one twice. */
static void write_life(struct fixture *f)
{
    struct journal *j = NULL;
    struct cf_err err = { 0 };
    struct cf_buf closing = { 0 };
    struct journal_begin b = { .job_id = id, .env = &f->env };
    struct journal_stream s = { .name = "data", .size = 24 << 20, .changes = 77, .chunk_log2 = 18 };
    EXPECT_OK(journal_out_begin(f->dir, &b, &j, &err));
    EXPECT_OK(journal_out_folder(j, "mhsm-x-20260101000000", f->salt, &err));
    EXPECT_OK(journal_out_claimed(j, 1, &err));
    EXPECT_OK(journal_out_stream(j, 2, &s, &err));
    EXPECT_OK(journal_out_row(j, 2, 9, f->row, &err)); /* void: the stream begins again */
    EXPECT_OK(journal_out_stream(j, 2, &s, &err));
    EXPECT_OK(journal_out_row(j, 2, 2, f->row, &err));
    EXPECT_OK(journal_out_row(j, 2, 0, f->row, &err));
    EXPECT_OK(cf_buf_put_text(&closing, "end", &err));
    EXPECT_OK(journal_out_done(j, 1, &closing, &err));
    EXPECT_OK(journal_flush(j, &err));
    cf_buf_clear(&closing);
    journal_close(j);
}

static off_t size_of(struct fixture *f)
{
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    return st.st_size;
}

static void what_was_written_comes_back(void **state)
{
    struct fixture *f = *state;
    struct journal_past p;
    struct cf_err err = { 0 };
    write_life(f);
    EXPECT_OK(journal_past_read(f->dir, &p, &err));
    assert_string_equal(p.job_id, id);
    assert_memory_equal(p.env.bytes, f->env.bytes, sizeof f->env.bytes);
    assert_string_equal(p.folder, "mhsm-x-20260101000000");
    assert_memory_equal(p.probe_salt, f->salt, sizeof f->salt);
    assert_true(p.claimed);
    assert_int_equal(p.layout, 1);
    assert_int_equal(p.stream_count, 3);
    assert_true(p.streams[1].done);
    assert_memory_equal(p.streams[1].closing.data, "end", 3);
    struct journal_stream *s = &p.streams[2];
    assert_string_equal(s->name, "data");
    assert_int_equal(s->changes, 77);
    assert_int_equal(s->rows.len, 3 * FLOW_ROW_SIZE); /* block 9 is void, block 1 never came */
    assert_memory_equal(s->rows.data, f->row, FLOW_ROW_SIZE);
    assert_true(cf_all_bytes(s->rows.data + FLOW_ROW_SIZE, FLOW_ROW_SIZE, 0));
    assert_int_equal(p.kept, (uint64_t)size_of(f));
    journal_past_clear(&p);
}

static void a_tear_at_any_byte_ends_it_there_and_the_next_life_goes_on_behind(void **state)
{
    struct fixture *f = *state;
    struct cf_err err = { 0 };
    struct journal_past p;
    write_life(f);
    off_t all = size_of(f);
    for (off_t cut = 0; cut < all; cut++) {
        struct journal *j = NULL;
        struct journal_file file = { .dir = f->dir, .name = JOURNAL_OUT };
        write_life(f);
        assert_int_equal(truncate(f->path, cut), 0);
        EXPECT_OK(journal_past_read(f->dir, &p, &err));
        assert_true(p.kept <= (uint64_t)cut);
        assert_true(p.job_id[0] == 0 || strcmp(p.job_id, id) == 0);
        EXPECT_OK(journal_go_on(&file, p.kept, &j, &err));
        EXPECT_OK(journal_out_life(j, 4, &err));
        journal_close(j);
        journal_past_clear(&p);
        EXPECT_OK(journal_past_read(f->dir, &p, &err));
        assert_int_equal(p.lives, 4);
        assert_int_equal(p.kept, (uint64_t)size_of(f));
        journal_past_clear(&p);
    }
}

static void a_flipped_byte_ends_it(void **state)
{
    struct fixture *f = *state;
    struct cf_err err = { 0 };
    struct journal_past p;
    write_life(f);
    off_t all = size_of(f);
    for (off_t at = 0; at < all; at++) {
        uint8_t c;
        int fd = open(f->path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, &c, 1, at), 1);
        c ^= 0x40;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        EXPECT_OK(journal_past_read(f->dir, &p, &err));
        assert_true(p.kept <= (uint64_t)at);
        journal_past_clear(&p);
        c ^= 0x40;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        close(fd);
    }
}

static void append(struct fixture *f, const struct journal_record *r)
{
    struct cf_buf frame = { 0 };
    struct cf_err err = { 0 };
    EXPECT_OK(journal_frame(&frame, r, &err));
    int fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, frame.data, frame.len), frame.len);
    close(fd);
    cf_buf_clear(&frame);
}

static void an_older_or_a_newer_firmware_s_is_of_no_use_but_its_number_counts(void **state)
{
    struct fixture *f = *state;
    struct cf_err err = { 0 };
    struct journal_past p;
    uint8_t old[JOBS_ID_SIZE + MANIFEST_ENVELOPE_SIZE] = { 'x' };
    uint8_t manifest[8 + MANIFEST_MAC_SIZE + 3] = { 42 };
    append(f, &(struct journal_record){ 1, old, sizeof old });
    append(f, &(struct journal_record){ 4, manifest, sizeof manifest });
    EXPECT_OK(journal_past_read(f->dir, &p, &err));
    assert_string_equal(p.job_id, "");
    assert_int_equal(p.it.seq, 42);
    assert_int_equal(p.manifest.len, 3);
    journal_past_clear(&p);
    write_life(f);
    append(f, &(struct journal_record){ 200, "?", 1 });
    EXPECT_OK(journal_past_read(f->dir, &p, &err));
    assert_string_equal(p.job_id, "");
    journal_past_clear(&p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_was_written_comes_back),
        T(a_tear_at_any_byte_ends_it_there_and_the_next_life_goes_on_behind),
        T(a_flipped_byte_ends_it),
        T(an_older_or_a_newer_firmware_s_is_of_no_use_but_its_number_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
