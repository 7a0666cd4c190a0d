/* What a client may name as storage, and what it is told when it may not. Pure functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "blob/place.h"
#include "hal_sim/hal_sim.h"
#include "support/scratch.h"

/* 2030-01-01T00:00:00Z, so that every date here is a date of a calendar */
#define NOW INT64_C(1893456000)

static const struct blob_options https_only = { .path_style_hosts = "x.example, Blob.lab.example" };
static const struct blob_options bench = { .allow_http = true };

static const char good_uri[] = "https://acct.blob.core.windows.net/backups";

static enum cf_rc check(const char *uri, const char *token, enum blob_need need,
                        struct blob_report *r, struct cf_err *e)
{
    struct blob_place p = { .uri = uri, .token = token };
    return blob_place_check(&p, need, &bench, NOW, r, e);
}

static void a_token_without_expiry_gets_the_services_own_words(void **state)
{
    (void)state;
    static const char *const tokens[] = {
        "invalid",
        "?invalid.sas.token",
        "sv=2020-08-04&sr=c&sp=crdw&sig=abc",
        "se=&sv=2020-08-04&sr=c&sp=crdw&sig=abc",
        "a b#c",
        "&&&&",
        "se",
    };
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        struct cf_err e = { 0 };
        assert_int_equal(check(good_uri, tokens[i], BLOB_TO_WRITE, NULL, &e), CF_E_INPUT);
        assert_string_equal(e.text, "The customer provided SAS token is malformed. The SAS token "
                                    "does not contain the expiry field");
        assert_string_equal(e.code, "BadRequest");
    }
}

static void a_missing_token_is_told_as_such(void **state)
{
    (void)state;
    static const char *const missing[] = { NULL, "", "?" };
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        struct cf_err e = { 0 };
        assert_int_equal(check(good_uri, missing[i], BLOB_TO_READ, NULL, &e), CF_E_INPUT);
        assert_non_null(strstr(e.text, "none was given: give one that allows rl, or"));
        assert_string_equal(e.code, "BadRequest");
    }
}

static void every_field_of_a_token_is_judged(void **state)
{
    (void)state;
#define SIGNED "&sv=2021-12-02&sig=a%2Bb%3D"
    static const struct {
        const char *token;
        enum blob_need need;
        const char *text; /* NULL: good */
    } cases[] = {
        { "se=2031-01-01&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, NULL },
        { "?sp=rl&se=2031-01-01T00:00Z&sr=c" SIGNED, BLOB_TO_READ, NULL },
        { "se=2031-01-01T00%3A00%3A00Z&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, NULL },
        { "se=2031-01-01T00:00:00.1234567Z&sr=c&sp=w" SIGNED, BLOB_TO_WRITE, NULL },
        { "se=2031-01-01&ss=bqtf&srt=sco&sp=rwdlac" SIGNED, BLOB_TO_WRITE, NULL },
        { "si=policy&sr=c" SIGNED, BLOB_TO_WRITE, NULL },
        { "se=2031-01-01&sr=c&sp=crdw&x-new=1" SIGNED, BLOB_TO_WRITE, NULL },
        { " ?se=2031-01-01&sr=c" SIGNED "&sp=crdw\r\n", BLOB_TO_WRITE, NULL },
        { "se=2031-01-01&sr=c&sp=crdw&comp=list" SIGNED, BLOB_TO_WRITE, "SAS alone" },
        { "restype=container&se=2031-01-01&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, "SAS alone" },
        { "se=2031-01-01&sr=c&sp=crdw", BLOB_TO_WRITE, "signature field" },
        { "se=2031-01-01&sr=c&sp=crdw&sig=", BLOB_TO_WRITE, "signature field" },
        { "se=2031-01-01&sr=c&sp=rl&sp=crdw" SIGNED, BLOB_TO_WRITE, "twice" },
        { "se=2031-01-01&sr=c&sp=r&sig=x" SIGNED, BLOB_TO_READ, "twice" },
        { "se=2031-01-01&sr=c&sp=cr\ndw" SIGNED, BLOB_TO_WRITE, "characters" },
        { "se=2031-01-01&sr=c&sp=crdw#" SIGNED, BLOB_TO_WRITE, "characters" },
        { "se=2031-01-01&sr=c&sp=%zz" SIGNED, BLOB_TO_WRITE, "characters" },
        { "se=2031-01-01&sp=crdw" SIGNED, BLOB_TO_WRITE, "resource field" },
        { "se=2031-01-01&sr=c" SIGNED, BLOB_TO_WRITE, "permissions field" },
        { "se=2031-13-01&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, "no UTC time" },
        { "se=tomorrow&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, "no UTC time" },
        { "se=2029-12-31T23:59:59Z&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, "has expired" },
        { "se=2030-01-01T00:00:00Z&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, "has expired" },
        { "se=2030-01-01T00:00:01Z&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, NULL },
        { "st=2030-01-01T00:15:00Z&se=2031-01-01&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, NULL },
        { "st=2030-01-01T00:15:01Z&se=2031-01-01&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE,
          "not valid yet" },
        { "st=x&se=2031-01-01&sr=c&sp=crdw" SIGNED, BLOB_TO_WRITE, "no UTC time" },
        { "se=2031-01-01&sr=b&sp=crdw" SIGNED, BLOB_TO_WRITE, "container 'backups'" },
        { "se=2031-01-01&ss=q&srt=co&sp=crdw" SIGNED, BLOB_TO_WRITE, "blob service" },
        { "se=2031-01-01&ss=b&srt=c&sp=crdw" SIGNED, BLOB_TO_WRITE, "srt=co" },
        { "se=2031-01-01&sr=c&sp=rl" SIGNED, BLOB_TO_WRITE, "sp=crdw" },
        { "se=2031-01-01&sr=c&sp=cwdl" SIGNED, BLOB_TO_READ, "sp=rl" },
        { "se=2031-01-01&sr=c&sp=rdl" SIGNED, BLOB_TO_ERASE, NULL },
        { "se=2031-01-01&sr=c&sp=crwl" SIGNED, BLOB_TO_ERASE, "sp=rdl" },
        { "se=2031-01-01&sr=c&sp=crdw" SIGNED, BLOB_TO_ERASE, "sp=rdl" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cf_err e = { 0 };
        print_message("  %s\n", cases[i].token);
        enum cf_rc rc = check(good_uri, cases[i].token, cases[i].need, NULL, &e);
        assert_int_equal(rc, cases[i].text == NULL ? CF_OK : CF_E_INPUT);
        assert_non_null(strstr(e.text, cases[i].text == NULL ? "" : cases[i].text));
        assert_null(strstr(e.text, "a+b"));
        if (cases[i].text != NULL)
            assert_string_equal(e.code, "BadRequest");
    }
}

static void a_token_for_https_is_not_sent_over_http(void **state)
{
    (void)state;
    static const char token[] = "se=2031-01-01&sr=c&sp=crdw&spr=https&sv=1&sig=x";
    struct cf_err e = { 0 };
    assert_int_equal(check(good_uri, token, BLOB_TO_WRITE, NULL, NULL), CF_OK);
    assert_int_equal(check("http://127.0.0.1/a/bcd", token, BLOB_TO_WRITE, NULL, &e), CF_E_INPUT);
    assert_non_null(strstr(e.text, "https only"));
}

static bool warned(const struct blob_report *r, const char *word)
{
    for (size_t i = 0; i < r->nwarnings; i++)
        if (strstr(r->warnings[i], word) != NULL)
            return true;
    return false;
}

static void what_will_not_be_possible_is_reported(void **state)
{
    (void)state;
    struct blob_report r;
    assert_int_equal(
        check(good_uri, "se=2031-01-01&sr=c&sp=crdw&sv=1&sig=x", BLOB_TO_WRITE, &r, NULL), CF_OK);
    assert_int_equal(r.nwarnings, 0);
    assert_true(r.can_read && r.can_create && r.can_write && !r.can_list);
    assert_int_equal(r.ends_unix_s, NOW + INT64_C(365) * 86400);

    assert_int_equal(
        check(good_uri, "se=2030-01-01T01:00Z&sr=c&sp=c&sv=1&sig=x", BLOB_TO_WRITE, &r, NULL),
        CF_OK);
    assert_true(warned(&r, "refuses blocks") && warned(&r, "not allow to read"));
    assert_true(warned(&r, "ends in 60 minutes"));

    assert_int_equal(check(good_uri, "se=2031-01-01&sr=c&sp=rl&sv=1&sig=x", BLOB_TO_READ, &r, NULL),
                     CF_OK);
    assert_int_equal(r.nwarnings, 0);
    assert_int_equal(check(good_uri, "se=2031-01-01&sr=c&sp=r&sv=1&sig=x", BLOB_TO_READ, &r, NULL),
                     CF_OK);
    assert_true(warned(&r, "to list"));
    assert_int_equal(
        check(good_uri, "se=2031-01-01&ss=b&srt=o&sp=rl&sv=1&sig=x", BLOB_TO_READ, &r, NULL),
        CF_OK);
    assert_false(r.can_list);
    assert_int_equal(check(good_uri, "si=p&sr=c&sv=1&sig=x", BLOB_TO_WRITE, &r, NULL), CF_OK);
    assert_true(warned(&r, "stored access policy"));
    assert_int_equal(r.ends_unix_s, 0);
}

static void an_identity_stands_in_for_a_token_where_there_is_one(void **state)
{
    (void)state;
    static const struct blob_options with = { .identity = { .kind = BLOB_IDENTITY_IMDS } };
    struct blob_place p = { .uri = good_uri, .use_identity = true };
    struct blob_report r;
    struct cf_err e = { 0 };
    assert_int_equal(blob_place_check(&p, BLOB_TO_WRITE, &with, NOW, &r, NULL), CF_OK);
    assert_true(r.can_read && r.can_list && r.can_create && r.can_write);
    assert_int_equal(blob_place_check(&p, BLOB_TO_WRITE, &bench, NOW, NULL, &e), CF_E_INPUT);
    assert_non_null(strstr(e.text, "no managed identity"));
    p.token = "se=2031-01-01&sr=c&sp=crdw&sv=1&sig=x";
    assert_int_equal(blob_place_check(&p, BLOB_TO_WRITE, &with, NOW, NULL, NULL), CF_E_INPUT);
}

static void an_identity_is_shown_to_no_host_but_the_services(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *hosts;
        bool good;
    } cases[] = {
        { "https://acct.blob.core.windows.net/backups", NULL, true },
        { "https://ACCT.Blob.core.windows.net:443/backups", NULL, true },
        { "https://acct.z12.blob.storage.azure.net/backups", NULL, true },
        { "https://blob.core.windows.net/backups", NULL, false },
        { "https://evil.example/backups", NULL, false },
        { "https://acct.blob.core.windows.net.evil.example/backups", NULL, false },
        { "https://evilblob.core.windows.net/backups", NULL, false },
        { "https://127.0.0.1/acct/backups", NULL, false },
        { "https://[::1]/acct/backups", "[::1]", true },
        { "https://acct.blob.core.windows.net/backups", "blob.lab.example", false },
        { "https://blob.lab.example/backups", "a.example blob.lab.example", true },
        { "https://x.blob.lab.example/backups", "blob.lab.example", false },
        { "https://x.blob.lab.example/backups", ".lab.example", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blob_options with = { .identity = { .kind = BLOB_IDENTITY_IMDS },
                                     .identity_hosts = cases[i].hosts };
        struct blob_place p = { .uri = cases[i].uri, .use_identity = true };
        struct cf_err e = { 0 };
        print_message("  %s\n", cases[i].uri);
        assert_int_equal(blob_place_check(&p, BLOB_TO_WRITE, &with, NOW, NULL, &e),
                         cases[i].good ? CF_OK : CF_E_INPUT);
        assert_non_null(strstr(e.text, cases[i].good ? "" : "storage.identity_hosts"));
    }
}

static void a_storage_uri_names_host_container_and_prefix(void **state)
{
    (void)state;
    static const char token[] = "se=2031-01-01&sr=c&sp=crdw&sv=1&sig=x";
    static const struct {
        const char *uri;
        bool good, https;
    } cases[] = {
        { "https://acct.blob.core.windows.net/backups", true, true },
        { "https://acct.blob.core.windows.net/backups/", true, true },
        { "https://acct.blob.core.windows.net/backups/a/b/", true, true },
        { "https://acct.blob.core.windows.net:8443/backups", true, true },
        { "https://localhost:10000/devstoreaccount1/coffer", true, true },
        { "https://blob.lab.example/account/coffer", true, true },
        { "http://127.0.0.1:10000/devstoreaccount1/coffer/x", true, false },
        { "http://[::1]:10000/devstoreaccount1/coffer", true, false },
        { "https://acct.blob.core.windows.net", false, true },
        { "https://acct.blob.core.windows.net/", false, true },
        { "https://acct.blob.core.windows.net/ab", false, true },
        { "https://acct.blob.core.windows.net/Upper", false, true },
        { "https://acct.blob.core.windows.net/a--b", false, true },
        { "https://acct.blob.core.windows.net/-abc", false, true },
        { "https://acct.blob.core.windows.net/abc/../def", false, true },
        { "https://acct.blob.core.windows.net/abc//def", false, true },
        { "https://acct.blob.core.windows.net/abc/%2e%2e", false, true },
        { "https://acct.blob.core.windows.net/abc/v1.2/x", true, true },
        { "https://acct.blob.core.windows.net/abc/v1./x", false, true },
        { "https://acct.blob.core.windows.net/abc/v1.", false, true },
        { "https://acct.dfs.core.windows.net/backups", false, true },
        { "https://acct.File.core.windows.net/backups", false, true },
        { "https://acct.blob.core.windows.net/a.dfs.core.", false, true },
        { "https://acct.blob.core.windows.net/abc/a.dfs.core.x", true, true },
        { "https://acct.blob.core.windows.net/abc?sv=1&sig=x", false, true },
        { "https://user@host.example/abc", false, true },
        { "https://host.example/abc#f", false, true },
        { "https:///abc", false, true },
        { "https://ho st/abc", false, true },
        { "https://host.example\\abc", false, true },
        { "https://localhost/coffer", false, true },
        { "https://localhost/Acc/coffer", false, true },
        { "ftp://host.example/abc", false, true },
        { "dir:relative/path", false, true },
        { "dir:/nowhere/allowed", false, true },
        { "", false, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blob_place p = { .uri = cases[i].uri, .token = token };
        print_message("  %s\n", cases[i].uri);
        struct cf_err e = { 0 };
        enum cf_rc rc = blob_place_check(&p, BLOB_TO_WRITE, &bench, NOW, NULL, &e);
        struct cf_err e2 = { 0 };
        enum cf_rc strict = blob_place_check(&p, BLOB_TO_WRITE, &https_only, NOW, NULL, &e2);
        if (strcmp(cases[i].uri, "https://blob.lab.example/account/coffer") != 0)
            assert_int_equal(rc, cases[i].good ? CF_OK : CF_E_INPUT);
        assert_int_equal(strict, cases[i].good && cases[i].https ? CF_OK : CF_E_INPUT);
        assert_null(strstr(e.text, "sig="));
    }
    char uri[BLOB_URI_MAX + 100];
    memset(uri, 'a', sizeof uri);
    uri[sizeof uri - 1] = '\0';
    assert_int_equal(check(uri, token, BLOB_TO_WRITE, NULL, NULL), CF_E_INPUT);
    assert_int_equal(check(NULL, token, BLOB_TO_WRITE, NULL, NULL), CF_E_INPUT);
}

/* Receipts and running jobs are found by the place's address: two spellings would be two places. */
static void one_place_has_one_address(void **state)
{
    (void)state;
    static const char token[] = "se=2031-01-01&sr=c&sp=crdw&sv=1&sig=x";
    static const char *const cases[][2] = {
        { "https://ACCT.Blob.core.windows.net/backups/a",
          "https://acct.blob.core.windows.net/backups/a" },
        { "https://acct.blob.core.windows.net:443/backups",
          "https://acct.blob.core.windows.net/backups" },
        { "http://127.0.0.1:80/devstoreaccount1/coffer",
          "http://127.0.0.1/devstoreaccount1/coffer" },
        { "http://LocalHost:443/devstoreaccount1/coffer",
          "http://localhost:443/devstoreaccount1/coffer" },
    };
    struct hal_clock *clock = hal_sim_clock_new(NOW * 1000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blob_place p = { .uri = cases[i][0], .token = token };
        struct blob_store *s = NULL;
        struct cf_err err = { 0 };
        assert_int_equal(blob_store_open(&p, BLOB_TO_WRITE, &bench, clock, &s, &err), CF_OK);
        assert_string_equal(blob_store_shown(s), cases[i][1]);
        blob_store_free(s);
    }
    hal_sim_clock_free(clock);
}

static void a_folder_comes_with_or_without_slashes(void **state)
{
    (void)state;
    char out[BLOB_NAME_MAX + 1];
    assert_int_equal(blob_folder_name("/a/b//", out, NULL), CF_OK);
    assert_string_equal(out, "a/b");
    assert_int_equal(blob_folder_name("mhsm-x-20300101000000", out, NULL), CF_OK);
    assert_string_equal(out, "mhsm-x-20300101000000");
    static const char *const bad[] = { "", "/", "..", "a/../b", "a//b", ".hidden", "a\nb" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_err e = { 0 };
        assert_int_equal(blob_folder_name(bad[i], out, &e), CF_E_INPUT);
        assert_string_equal(e.code, "BadRequest");
    }
}

static int64_t now_ms(struct hal_clock *c)
{
    (void)c;
    return NOW * 1000;
}

static void directories_open_only_below_the_roots_and_through_no_link(void **state)
{
    (void)state;
    static const struct hal_clock_ops ops = { .unix_ms = now_ms };
    struct hal_clock clock = { &ops };
    char base[] = "/tmp/coffer-place-XXXXXX", root[64], path[160], uri[200];
    assert_non_null(mkdtemp(base));
    snprintf(root, sizeof root, "%s/root", base);
    static const char *const dirs[] = { "root", "root/in", "root/in/deep", "rootless", "outside" };
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", base, dirs[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof path, "%s/root/link", base);
    assert_int_equal(symlink("../outside", path), 0);
    snprintf(path, sizeof path, "%s/root/in/up", base);
    assert_int_equal(symlink("..", path), 0);
    static const struct {
        const char *path;
        enum cf_rc rc;
    } cases[] = {
        { "root", CF_OK },
        { "root/", CF_OK },
        { "root/in", CF_OK },
        { "root/in/deep", CF_OK },
        { "rootless", CF_E_INPUT },
        { "outside", CF_E_INPUT },
        { "root/..", CF_E_INPUT },
        { "root/in/..", CF_E_INPUT },
        { "root/../outside", CF_E_INPUT },
        { "root/link", CF_E_INPUT },
        { "root/link/x", CF_E_INPUT },
        { "root/in/up", CF_E_INPUT },
        { "root/in/up/in", CF_E_INPUT },
        { "root/none", CF_E_INPUT },
        { "root/.in", CF_E_INPUT },
    };
    const char *const roots[] = { "/nonexistent/somewhere", root };
    struct blob_options o = { .dir_roots = roots, .ndir_roots = 2 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blob_store *s = NULL;
        struct cf_err e = { 0 };
        snprintf(uri, sizeof uri, "dir:%s/%s", base, cases[i].path);
        struct blob_place p = { .uri = uri, .token = "" };
        print_message("  %s\n", cases[i].path);
        assert_int_equal(blob_store_open(&p, BLOB_TO_WRITE, &o, &clock, &s, &e), cases[i].rc);
        blob_store_free(s);
        if (cases[i].rc != CF_OK)
            assert_string_equal(e.code, "BadRequest");
    }
    struct blob_store *s = NULL;
    snprintf(uri, sizeof uri, "dir:%s", root);
    struct blob_place with_token = { .uri = uri, .token = "se=1" };
    assert_int_equal(blob_store_open(&with_token, BLOB_TO_WRITE, &o, &clock, &s, NULL), CF_E_INPUT);
    scratch_shell("rm -r %s", base);
}

static void delays_grow_are_random_and_honour_the_far_side(void **state)
{
    (void)state;
    uint32_t last = 0;
    for (unsigned attempt = 1; attempt < 20; attempt++) {
        uint32_t least = blob_retry_delay_ms(attempt, 0, 0);
        uint32_t most = blob_retry_delay_ms(attempt, 0, UINT32_MAX);
        assert_in_range(least, 125, 15000);
        assert_int_equal(most, 2 * least);
        assert_true(least >= last);
        last = least;
    }
    assert_int_equal(last, 15000);
    assert_int_equal(blob_retry_delay_ms(0, 0, 0), 125);
    assert_int_equal(blob_retry_delay_ms(1, 7000, 0), 7000);
    assert_int_equal(blob_retry_delay_ms(1, 3600000, 0), 120000);
    assert_int_equal(blob_retry_delay_ms(30, 1000, UINT32_MAX), 30000);
}

static void a_block_id_is_stream_block_zero_and_salt(void **state)
{
    (void)state;
    uint8_t salt[32];
    struct blob_block_id id;
    memset(salt, 0xa5, sizeof salt);
    blob_block_id_make(0x01020304, 0x1112131415161718, salt, &id);
    static const uint8_t head[16] = { 1,    2,    3,    4,    0x11, 0x12, 0x13, 0x14,
                                      0x15, 0x16, 0x17, 0x18, 0,    0,    0,    0 };
    assert_memory_equal(id.bytes, head, sizeof head);
    assert_memory_equal(id.bytes + 16, salt, sizeof salt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_without_expiry_gets_the_services_own_words),
        cmocka_unit_test(a_missing_token_is_told_as_such),
        cmocka_unit_test(every_field_of_a_token_is_judged),
        cmocka_unit_test(a_token_for_https_is_not_sent_over_http),
        cmocka_unit_test(what_will_not_be_possible_is_reported),
        cmocka_unit_test(an_identity_stands_in_for_a_token_where_there_is_one),
        cmocka_unit_test(an_identity_is_shown_to_no_host_but_the_services),
        cmocka_unit_test(a_storage_uri_names_host_container_and_prefix),
        cmocka_unit_test(one_place_has_one_address),
        cmocka_unit_test(a_folder_comes_with_or_without_slashes),
        cmocka_unit_test(directories_open_only_below_the_roots_and_through_no_link),
        cmocka_unit_test(delays_grow_are_random_and_honour_the_far_side),
        cmocka_unit_test(a_block_id_is_stream_block_zero_and_salt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
