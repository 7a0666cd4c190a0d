/* The journal's file: what is torn ends it, what is foreign makes it useless, what is whole comes
 * back; and what is written next begins where the last whole record ended. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run_priv.h"

struct fixture {
    char dir[64];
    char path[128];
    struct journal_file file;
    struct cf_secret *key;
    struct manifest_envelope env;
    uint8_t row[FLOW_ROW_SIZE], salt[FLOW_SALT_SIZE];
};

static const char id[] = "00112233445566778899aabbccddeeff";

static int set_up(void **state)
{
    static const uint8_t key[32] = { 3 };
    struct fixture *f = calloc(1, sizeof *f);
    struct cf_err err = { 0 };
    EXPECT_OK(cf_secret_copy(key, sizeof key, &f->key, &err));
    snprintf(f->dir, sizeof f->dir, "/dev/shm/coffer-journal-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/%s", f->dir, JOURNAL_OUT);
    f->file = (struct journal_file){ .dir = f->dir, .name = JOURNAL_OUT, .key = f->key };
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
    cf_secret_free(f->key);
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
    EXPECT_OK(journal_out_begin(&f->file, &b, &j, &err));
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
    EXPECT_OK(journal_past_read(&f->file, &p, &err));
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
    assert_int_equal(p.kept.at, (uint64_t)size_of(f));
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
        write_life(f);
        assert_int_equal(truncate(f->path, cut), 0);
        EXPECT_OK(journal_past_read(&f->file, &p, &err));
        assert_true(p.kept.at <= (uint64_t)cut);
        assert_true(p.job_id[0] == 0 || strcmp(p.job_id, id) == 0);
        EXPECT_OK(journal_go_on(&f->file, &p.kept, &j, &err));
        EXPECT_OK(journal_out_life(j, 4, &err));
        journal_close(j);
        journal_past_clear(&p);
        EXPECT_OK(journal_past_read(&f->file, &p, &err));
        assert_int_equal(p.lives, 4);
        assert_int_equal(p.kept.at, (uint64_t)size_of(f));
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
        EXPECT_OK(journal_past_read(&f->file, &p, &err));
        assert_true(p.kept.at <= (uint64_t)at);
        journal_past_clear(&p);
        c ^= 0x40;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        close(fd);
    }
}

/* --- who writes to the medium, without the token --- */

/* Where records begin, and behind the last one its end. */
static size_t records_of(const struct cf_buf *all, size_t at[16])
{
    size_t n = 0;
    for (at[0] = 0; n < 15 && at[n] < all->len; n++) {
        struct cf_rd rd = cf_rd_of(all->data + at[n], 4);
        at[n + 1] = at[n] + 4 + 1 + cf_rd_le32(&rd) + JOURNAL_CHECK;
    }
    return n;
}

static uint64_t read_of(struct fixture *f, const struct cf_buf *bytes, struct journal_past *p)
{
    struct cf_err err = { 0 };
    FILE *out = fopen(f->path, "we");
    assert_int_equal(fwrite(bytes->data, 1, bytes->len, out), bytes->len);
    fclose(out);
    EXPECT_OK(journal_past_read(&f->file, p, &err));
    return p->kept.at;
}

static void put(struct cf_buf *to, const struct cf_buf *from, size_t begin, size_t end)
{
    struct cf_err err = { 0 };
    EXPECT_OK(cf_buf_put(to, from->data + begin, end - begin, &err));
}

static void no_record_can_be_left_out_moved_or_doubled(void **state)
{
    struct fixture *f = *state;
    struct journal_past p;
    struct cf_buf all = { 0 };
    struct cf_err err = { 0 };
    size_t at[16];
    write_life(f);
    EXPECT_OK(cf_file_read(f->path, 65536, &all, &err));
    size_t n = records_of(&all, at);
    assert_int_equal(n, 9);
    for (size_t i = 0; i + 1 < n; i++)
        for (int how = 0; how < 3; how++) {
            struct cf_buf forged = { 0 };
            put(&forged, &all, 0, at[i]);
            if (how != 1) /* 0: the next one in front of it; 1: without it; 2: twice */
                put(&forged, &all, how ? at[i] : at[i + 1], how ? at[i + 1] : at[i + 2]);
            if (how != 1)
                put(&forged, &all, at[i], at[i + 1]);
            put(&forged, &all, how ? at[i + 1] : at[i + 2], all.len);
            assert_int_equal(read_of(f, &forged, &p), how == 2 ? at[i + 1] : at[i]);
            journal_past_clear(&p);
            cf_buf_clear(&forged);
        }
    cf_buf_clear(&all);
}

/* Another data key, other salts: whatever a record without the key says is not believed. */
static void a_record_made_without_the_key_is_none(void **state)
{
    struct fixture *f = *state;
    struct journal_past p;
    struct cf_buf all = { 0 }, forged = { 0 };
    struct cf_err err = { 0 };
    uint8_t begin[JOBS_ID_SIZE + MANIFEST_ENVELOPE_SIZE + 1] = { 0 },
                                                          row[12 + FLOW_ROW_SIZE] = { 2 };
    size_t at[16];
    write_life(f);
    EXPECT_OK(cf_file_read(f->path, 65536, &all, &err));
    (void)records_of(&all, at);
    memcpy(begin, id, sizeof id);
    begin[sizeof begin - 1] = 2;
    EXPECT_OK(journal_frame(&forged, &(struct journal_record){ 1, begin, sizeof begin }, &err));
    assert_int_equal(read_of(f, &forged, &p), 0);
    assert_string_equal(p.job_id, "");
    journal_past_clear(&p);
    EXPECT_OK(journal_frame(&all, &(struct journal_record){ 2, row, sizeof row }, &err));
    assert_int_equal(read_of(f, &all, &p), at[9]);
    journal_past_clear(&p);
    cf_buf_clear(&forged);
    cf_buf_clear(&all);
}

static void another_token_s_or_another_file_s_journal_is_none(void **state)
{
    struct fixture *f = *state;
    static const uint8_t other[32] = { 4 };
    struct journal_past p;
    struct journal_mark kept;
    struct journal_aim a = { .flips = 1 };
    struct cf_secret *key = NULL;
    struct cf_err err = { 0 };
    char moved[128];
    EXPECT_OK(cf_secret_copy(other, sizeof other, &key, &err));
    write_life(f);
    struct journal_file elsewhere = { .dir = f->dir, .name = JOURNAL_OUT, .key = key };
    EXPECT_OK(journal_past_read(&elsewhere, &p, &err));
    assert_string_equal(p.job_id, "");
    journal_past_clear(&p);
    cf_secret_free(key);
    snprintf(moved, sizeof moved, "%s/%s", f->dir, JOURNAL_IN);
    assert_int_equal(rename(f->path, moved), 0);
    elsewhere.name = JOURNAL_IN;
    elsewhere.key = f->key;
    EXPECT_RC(CF_E_ABSENT, journal_in_read(&elsewhere, &a, NULL, &kept, &err));
    assert_int_equal(kept.at, 0);
    assert_int_equal(rename(moved, f->path), 0);
}

static void a_newer_firmware_s_is_of_no_use(void **state)
{
    struct fixture *f = *state;
    struct cf_err err = { 0 };
    struct journal *j = NULL;
    struct journal_past p;
    write_life(f);
    EXPECT_OK(journal_past_read(&f->file, &p, &err));
    EXPECT_OK(journal_go_on(&f->file, &p.kept, &j, &err));
    journal_past_clear(&p);
    EXPECT_OK(journal_put(j, &(struct journal_record){ 200, "?", 1 }, &err));
    journal_close(j);
    EXPECT_OK(journal_past_read(&f->file, &p, &err));
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
        T(no_record_can_be_left_out_moved_or_doubled),
        T(a_record_made_without_the_key_is_none),
        T(another_token_s_or_another_file_s_journal_is_none),
        T(a_newer_firmware_s_is_of_no_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
