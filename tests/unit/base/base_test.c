#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/verdict.h"

static struct cf_err err;

static void the_first_failure_stays_and_context_goes_in_front(void **state)
{
    (void)state;
    struct cf_err e = { 0 };
    assert_int_equal(CF_FAIL(&e, CF_E_IO, "disk %d", 7), CF_E_IO);
    assert_int_equal(CF_FAIL(&e, CF_E_AUTH, "cleanup"), CF_E_AUTH);
    cf_err_ctx(&e, CF_E_IO, "sealing %s", "x");
    assert_string_equal(e.text, "sealing x: disk 7");
    assert_int_equal(e.rc, CF_E_IO);
    cf_err_code(&e, CF_E_IO, "Disk");
    cf_err_code(&e, CF_E_IO, "Other");
    assert_string_equal(e.code, "Disk");
    assert_int_equal(CF_FAIL(NULL, CF_E_ARG, "nobody listens"), CF_E_ARG);
}

static void a_text_longer_than_the_record_is_cut_not_overrun(void **state)
{
    (void)state;
    struct cf_err e = { 0 };
    char big[600];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = 0;
    (void)CF_FAIL(&e, CF_E_IO, "%s", big);
    cf_err_ctx(&e, CF_E_IO, "%s", big);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void a_buffer_grows_shrinks_and_refuses_the_limit(void **state)
{
    (void)state;
    struct cf_buf b = { 0 };
    const char *text;
    EXPECT_OK(cf_buf_put_text(&b, "abc", &err));
    EXPECT_OK(cf_buf_printf(&b, &err, "-%d", 42));
    EXPECT_OK(cf_buf_text(&b, &text, &err));
    assert_string_equal(text, "abc-42");
    EXPECT_OK(cf_buf_resize(&b, 2, &err));
    EXPECT_OK(cf_buf_resize(&b, 5, &err));
    assert_memory_equal(b.data, "ab\0\0\0", 5);
    EXPECT_RC(CF_E_LIMIT, cf_buf_resize(&b, CF_BUF_MAX + 1, &err));
    assert_int_equal(b.len, 5);
    cf_buf_clear(&b);
    cf_buf_clear(&b);
}

static void a_reader_never_passes_its_end(void **state)
{
    (void)state;
    static const uint8_t in[] = { 1, 2, 3, 4, 5, 6, 7 };
    struct cf_rd r = cf_rd_of(in, sizeof in);
    assert_int_equal(cf_rd_le16(&r), 0x0201);
    assert_int_equal(cf_rd_be32(&r), 0x03040506);
    assert_false(cf_rd_done(&r));
    assert_int_equal(cf_rd_be16(&r), 0);
    assert_true(r.bad);
    assert_int_equal(cf_rd_u8(&r), 0); /* once bad, always bad */
    assert_false(cf_rd_done(&r));
    r = cf_rd_of(in, 0);
    assert_true(cf_rd_done(&r));
    assert_null(cf_rd_bytes(&r, SIZE_MAX));
}

static void integers_are_written_in_both_orders(void **state)
{
    (void)state;
    uint8_t out[8];
    cf_le32(out, 0x01020304);
    assert_memory_equal(out, "\4\3\2\1", 4);
    cf_be64(out, 0x0102030405060708);
    assert_memory_equal(out, "\1\2\3\4\5\6\7\10", 8);
}

static void runs_of_one_byte_are_found_and_broken_runs_are_not(void **state)
{
    (void)state;
    uint8_t p[4096];
    memset(p, 0xff, sizeof p);
    assert_true(cf_all_bytes(p, sizeof p, 0xff));
    assert_false(cf_all_bytes(p, sizeof p, 0));
    for (size_t at = 0; at < sizeof p; at += 455) {
        p[at] ^= 1;
        assert_false(cf_all_bytes(p, sizeof p, 0xff));
        p[at] ^= 1;
    }
    assert_true(cf_all_bytes(p, 0, 3));
}

static void base64_matches_rfc_4648_and_refuses_what_is_not(void **state)
{
    (void)state;
    static const char *const pairs[][2] = { { "", "" },           { "f", "Zg" },
                                            { "fo", "Zm8" },      { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" } };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[CF_BASE64_SIZE(8)];
        struct cf_buf back = { 0 };
        cf_base64url(pairs[i][0], strlen(pairs[i][0]), out);
        assert_string_equal(out, pairs[i][1]);
        EXPECT_OK(cf_unbase64(out, strlen(out), &back, &err));
        assert_int_equal(back.len, strlen(pairs[i][0]));
        cf_base64(pairs[i][0], strlen(pairs[i][0]), out);
        assert_int_equal(strlen(out) % 4, 0);
        EXPECT_OK(cf_unbase64(out, strlen(out), &back, &err));
        assert_int_equal(back.len, 2 * strlen(pairs[i][0]));
        cf_buf_clear(&back);
    }
    static const char *const bad[] = { "A",   "Zg=",  "Zm9v=",    "Z===", "Zh",
                                       "Zm9", "Zm 9", "Zg==Zg==", "=" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_buf out = { 0 };
        print_message("  %s\n", bad[i]);
        EXPECT_RC(CF_E_INPUT, cf_unbase64(bad[i], strlen(bad[i]), &out, &err));
        assert_int_equal(out.len, 0);
        cf_buf_clear(&out);
    }
}

static void numbers_hex_and_guids_are_parsed_strictly(void **state)
{
    (void)state;
    uint64_t n = 0;
    uint8_t raw[2];
    char guid[37];
    EXPECT_OK(cf_parse_u64("18446744073709551615", UINT64_MAX, &n, &err));
    assert_true(n == UINT64_MAX);
    static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_RC(CF_E_INPUT, cf_parse_u64(bad[i], UINT64_MAX, &n, &err));
    EXPECT_RC(CF_E_INPUT, cf_parse_u64("26", 25, &n, &err));
    EXPECT_OK(cf_parse_u64("25", 25, &n, &err));
    EXPECT_OK(cf_unhex("aBff", raw, 2, &err));
    assert_memory_equal(raw, "\xab\xff", 2);
    EXPECT_RC(CF_E_INPUT, cf_unhex("abf", raw, 2, &err));
    EXPECT_RC(CF_E_INPUT, cf_unhex("abgf", raw, 2, &err));
    EXPECT_OK(cf_parse_guid("A290E904-7015-4bba-90c8-60543313cdb4", guid, &err));
    assert_string_equal(guid, "a290e904-7015-4bba-90c8-60543313cdb4");
    EXPECT_RC(CF_E_INPUT, cf_parse_guid("a290e904-7015-4bba-90c8-60543313cdb", guid, &err));
    EXPECT_RC(CF_E_INPUT, cf_parse_guid("a290e904x7015-4bba-90c8-60543313cdb4", guid, &err));
}

static void memory_that_wipes_itself_grows_as_realloc_would(void **state)
{
    (void)state;
    char *p = cf_wipe_realloc(NULL, 8);
    assert_non_null(p);
    memcpy(p, "0123456", 8);
    p = cf_wipe_realloc(p, 100000);
    assert_non_null(p);
    assert_string_equal(p, "0123456");
    p = cf_wipe_realloc(p, 4);
    assert_memory_equal(p, "0123", 4);
    assert_null(cf_wipe_realloc(p, 0));
    cf_wipe_free(NULL);
}

static void a_secret_ends_at_a_guard_page(void **state)
{
    (void)state;
    struct cf_secret *s = NULL;
    EXPECT_OK(cf_secret_copy("0123456789abcdef", 16, &s, &err));
    assert_true(cf_equal(cf_secret_view(s), "0123456789abcdef", 16));
    assert_false(cf_equal(cf_secret_view(s), "0123456789abcdeF", 16));
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        volatile uint8_t *past = cf_secret_data(s) + 16;
        *past = 1;
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cf_secret_free(s);
    EXPECT_RC(CF_E_ARG, cf_secret_new(0, &s, &err));
    assert_null(s);
}

static void a_verdict_opens_only_when_both_halves_say_so(void **state)
{
    (void)state;
    struct cf_verdict v = cf_verdict_of(true);
    assert_true(cf_granted(&v));
    for (unsigned bit = 0; bit < 32; bit++) {
        struct cf_verdict w = v;
        w.value ^= 1u << bit;
        assert_false(cf_granted(&w));
        w = v;
        w.mirror ^= 1u << bit;
        assert_false(cf_granted(&w));
    }
    v = cf_verdict_of(false);
    assert_false(cf_granted(&v));
    struct cf_verdict none = { 0 };
    assert_false(cf_granted(&none));
}

static void a_file_is_replaced_whole_with_its_mode(void **state)
{
    (void)state;
    char dir[] = "/tmp/coffer-base-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char path[64];
    snprintf(path, sizeof path, "%s/f", dir);
    struct cf_buf b = { 0 };
    struct stat st;
    EXPECT_RC(CF_E_ABSENT, cf_file_read(path, 10, &b, &err));
    EXPECT_OK(cf_file_write(path, 0600, "one", 3, &err));
    EXPECT_OK(cf_file_write(path, 0600, "second", 6, &err));
    EXPECT_OK(cf_file_read(path, 6, &b, &err));
    assert_memory_equal(b.data, "second", 6);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    EXPECT_RC(CF_E_LIMIT, cf_file_read(path, 5, &b, &err));
    cf_buf_clear(&b);
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* nothing else was left there */
}

static void a_value_cannot_forge_a_log_line(void **state)
{
    (void)state;
    int pipe_fd[2];
    char line[2048];
    assert_int_equal(pipe(pipe_fd), 0);
    cf_log_setup(CF_LOG_INFO, pipe_fd[1]);
    cf_log(CF_LOG_DEBUG, "base", "hidden", "%s", "");
    cf_log(CF_LOG_INFO, "base", "shown", "value=%s", "a\nerror forged");
    cf_log_setup(CF_LOG_INFO, STDERR_FILENO);
    ssize_t n = read(pipe_fd[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = 0;
    assert_non_null(strstr(line, "info base shown value=a?error forged\n"));
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

static void a_text_is_made_fit_without_cutting_a_character(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        size_t size;
        bool cut;
    } cases[] = {
        { "", "", 1, false },
        { "a", "", 1, true },
        { "abc", "abc", 4, false },
        { "abc", "ab", 3, true },
        { "a\nb\x7f\x01", "a?b??", 9, false },
        { "\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9", 5, false },
        { "\xc3\xa9\xc3\xa9", "\xc3\xa9", 4, true },
        { "\xc3", "?", 9, false },
        { "\xc0\x80x", "??x", 9, false },
        { "\xf0\x9f\x94\x91\xed\xa0\x80", "\xf0\x9f\x94\x91???", 9, false },
        { "\xf0\x9f\x94\x91", "", 4, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[16];
        memset(out, 'z', sizeof out);
        assert_int_equal(cf_utf8_clean(cases[i].in, out, cases[i].size), cases[i].cut);
        assert_string_equal(out, cases[i].out);
    }
}

static void utf8_is_taken_in_its_one_form(void **state)
{
    (void)state;
    static const char *const good[] = { "",
                                        "a",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf" };
    static const char *const bad[] = { "\x80",
                                       "\xbf",
                                       "\xc0\x80",
                                       "\xc1\xbf",
                                       "\xc2",
                                       "\xc2\x41",
                                       "\xe0\x9f\x80",
                                       "\xed\xa0\x80",
                                       "\xe2\x82",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "a\xfe" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(cf_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cf_utf8_valid(bad[i], strlen(bad[i])));
    assert_true(cf_utf8_valid("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_stays_and_context_goes_in_front),
        cmocka_unit_test(a_text_longer_than_the_record_is_cut_not_overrun),
        cmocka_unit_test(a_buffer_grows_shrinks_and_refuses_the_limit),
        cmocka_unit_test(a_reader_never_passes_its_end),
        cmocka_unit_test(integers_are_written_in_both_orders),
        cmocka_unit_test(runs_of_one_byte_are_found_and_broken_runs_are_not),
        cmocka_unit_test(base64_matches_rfc_4648_and_refuses_what_is_not),
        cmocka_unit_test(numbers_hex_and_guids_are_parsed_strictly),
        cmocka_unit_test(memory_that_wipes_itself_grows_as_realloc_would),
        cmocka_unit_test(a_secret_ends_at_a_guard_page),
        cmocka_unit_test(a_verdict_opens_only_when_both_halves_say_so),
        cmocka_unit_test(a_file_is_replaced_whole_with_its_mode),
        cmocka_unit_test(a_value_cannot_forge_a_log_line),
        cmocka_unit_test(a_text_is_made_fit_without_cutting_a_character),
        cmocka_unit_test(utf8_is_taken_in_its_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
