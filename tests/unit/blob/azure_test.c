/* The parts of azure/ that need no server: refusals, lists, times, URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "azure/azure_priv.h"

static struct blob_result judge(enum blob_verb verb, int status, const char *code, bool late)
{
    struct blob_result r = { 0 };
    struct azure_answer a = {
        .verb = verb, .name = "f/s0.0", .status = status, .code = code, .out_of_time = late
    };
    blob_azure_judge(&a, &r);
    assert_int_not_equal(r.err.rc, CF_OK);
    assert_int_equal(r.err.src, CF_SRC_HTTP);
    assert_int_equal(r.err.native, status);
    assert_non_null(strstr(r.err.text, "f/s0.0"));
    assert_non_null(strstr(r.err.text, code));
    return r;
}

static void each_refusal_has_its_class_and_a_text(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *code;
        enum blob_why why;
        bool mend;
    } cases[] = {
        { 503, "ServerBusy", BLOB_TRANSIENT, false },
        { 500, "InternalError", BLOB_TRANSIENT, false },
        { 500, "OperationTimedOut", BLOB_TRANSIENT, false },
        { 400, "Md5Mismatch", BLOB_TRANSIENT, false },
        { 408, "", BLOB_TRANSIENT, false },
        { 429, "", BLOB_TRANSIENT, false },
        { 502, "", BLOB_TRANSIENT, false },
        { 504, "SomethingNew", BLOB_TRANSIENT, false },
        { 403, "AuthenticationFailed", BLOB_CREDENTIAL, true },
        { 403, "AuthorizationFailure", BLOB_CREDENTIAL, true },
        { 401, "NoAuthenticationInformation", BLOB_CREDENTIAL, true },
        { 403, "AuthorizationPermissionMismatch", BLOB_PERMISSION, true },
        { 403, "SomethingNew", BLOB_PERMISSION, true },
        { 404, "ContainerNotFound", BLOB_NO_PLACE, true },
        { 404, "BlobNotFound", BLOB_ABSENT, false },
        { 404, "", BLOB_ABSENT, false },
        { 409, "BlobAlreadyExists", BLOB_EXISTS, false },
        { 409, "BlobImmutableDueToPolicy", BLOB_IMMUTABLE, true },
        { 409, "BlobImmutableDueToLegalHold", BLOB_IMMUTABLE, true },
        { 400, "InvalidBlockList", BLOB_BLOCK_LOST, false },
        { 412, "ConditionNotMet", BLOB_CHANGED, false },
        { 416, "InvalidRange", BLOB_RANGE, false },
        { 413, "RequestBodyTooLarge", BLOB_FULL, false },
        { 400, "InvalidHeaderValue", BLOB_REFUSED, false },
        { 302, "", BLOB_REFUSED, false },
        { 418, "", BLOB_REFUSED, false },
        { 409, "BlobArchived", BLOB_UNREADABLE, true },
        { 409, "BlobBeingRehydrated", BLOB_UNREADABLE, true },
        { 405, "", BLOB_REFUSED, false },
        { 501, "NotImplemented", BLOB_REFUSED, false },
        { 409, "InvalidBlobType", BLOB_REFUSED, false },
        { 409, "PathAlreadyExists", BLOB_EXISTS, false },
        { 403, "UnauthorizedBlobOverwrite", BLOB_EXISTS, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blob_result r = judge(BLOB_DO_GET, cases[i].status, cases[i].code, false);
        print_message("  %s\n", r.err.text);
        assert_int_equal(r.why, cases[i].why);
        assert_int_equal(blob_worth_retry(r.why), r.err.rc == CF_E_IO);
        assert_int_equal(r.err.code != NULL, cases[i].mend);
    }
}

static void a_redirect_is_named_with_its_cure(void **state)
{
    (void)state;
    assert_non_null(strstr(judge(BLOB_DO_GET, 307, "", false).err.text, "storageResourceUri"));
}

static void a_refused_credential_past_its_time_is_an_ended_one(void **state)
{
    (void)state;
    assert_int_equal(judge(BLOB_DO_GET, 403, "AuthenticationFailed", true).why, BLOB_EXPIRED);
    assert_int_equal(judge(BLOB_DO_GET, 403, "AuthorizationFailure", true).why, BLOB_EXPIRED);
    assert_int_equal(judge(BLOB_DO_GET, 401, "", true).why, BLOB_EXPIRED);
    assert_int_equal(judge(BLOB_DO_GET, 404, "BlobNotFound", true).why, BLOB_ABSENT);
    assert_int_equal(judge(BLOB_DO_GET, 503, "ServerBusy", true).why, BLOB_TRANSIENT);
}

static enum cf_rc count(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    uint64_t *taken = ctx;
    (void)data, (void)e;
    *taken += len;
    return CF_OK;
}

static void no_byte_behind_the_range_is_handed_on(void **state)
{
    (void)state;
    static const char *const want[] = { "Content-Range" };
    static const uint8_t bytes[64];
    uint64_t taken = 0;
    struct azure_op o = {
        .op = { .verb = BLOB_DO_GET, .first = 10, .count = 50, .push = count, .ctx = &taken }
    };
    struct net_result r = { .status = 206, .want = want, .nwant = 1, .present = { true } };
    struct cf_err e = { 0 };
    snprintf(r.values[0], sizeof r.values[0], "bytes 10-59/500");
    assert_int_equal(blob_azure_on_head(&o, &r, &e), CF_OK);
    assert_int_equal(blob_azure_on_push(&o, bytes, 40, &e), CF_OK);
    assert_int_equal(blob_azure_on_push(&o, bytes, 11, &e), CF_E_REMOTE);
    assert_int_equal(o.own_why, BLOB_REFUSED);
    assert_int_equal(taken, 40);
}

static void a_failed_condition_of_a_create_means_that_it_exists(void **state)
{
    (void)state;
    assert_int_equal(judge(BLOB_DO_PUT, 412, "ConditionNotMet", false).why, BLOB_EXISTS);
    assert_int_equal(judge(BLOB_DO_COMMIT, 412, "", false).why, BLOB_EXISTS);
    assert_int_equal(judge(BLOB_DO_PUT, 409, "", false).why, BLOB_EXISTS);
    assert_int_equal(judge(BLOB_DO_PUT, 409, "SnapshotsPresent", false).why, BLOB_REFUSED);
}

static void a_lease_or_snapshots_keep_a_blob_as_a_policy_does(void **state)
{
    (void)state;
    assert_int_equal(judge(BLOB_DO_ERASE, 409, "SnapshotsPresent", false).why, BLOB_IMMUTABLE);
    assert_int_equal(judge(BLOB_DO_ERASE, 412, "LeaseIdMissing", false).why, BLOB_IMMUTABLE);
    assert_int_equal(judge(BLOB_DO_PUT, 412, "LeaseIdMissing", false).why, BLOB_REFUSED);
}

static void a_write_that_finds_nothing_misses_its_container(void **state)
{
    (void)state;
    static const enum blob_verb verbs[] = { BLOB_DO_PUT, BLOB_DO_PUT_BLOCK, BLOB_DO_COMMIT,
                                            BLOB_DO_LIST };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        assert_int_equal(judge(verbs[i], 404, "", false).why, BLOB_NO_PLACE);
    assert_int_equal(judge(BLOB_DO_ERASE, 404, "", false).why, BLOB_ABSENT);
    assert_int_equal(judge(BLOB_DO_LIST_BLOCKS, 404, "", false).why, BLOB_ABSENT);
}

static void a_success_of_another_kind_is_none(void **state)
{
    (void)state;
    static const char *const length[] = { "Content-Length" };
    static const struct {
        enum blob_verb verb;
        int good, other;
    } cases[] = {
        { BLOB_DO_PUT_BLOCK, 201, 200 },   { BLOB_DO_COMMIT, 201, 200 }, { BLOB_DO_PUT, 201, 204 },
        { BLOB_DO_ERASE, 202, 200 },       { BLOB_DO_HEAD, 200, 204 },   { BLOB_DO_LIST, 200, 203 },
        { BLOB_DO_LIST_BLOCKS, 200, 202 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct azure_op o = { .op = { .verb = cases[i].verb } };
        struct net_result r = {
            .status = cases[i].good, .want = length, .nwant = 1, .present = { true }
        };
        struct cf_err e = { 0 };
        assert_int_equal(blob_azure_on_head(&o, &r, &e), CF_OK);
        r.status = cases[i].other;
        assert_int_equal(blob_azure_on_head(&o, &r, &e), CF_E_REMOTE);
        assert_int_equal(o.own_why, BLOB_REFUSED);
    }
}

static void a_firewall_is_not_taken_for_a_role_that_is_missing(void **state)
{
    (void)state;
    struct azure_answer a = { .verb = BLOB_DO_GET,
                              .name = "f/s0.0",
                              .status = 403,
                              .code = "AuthorizationFailure",
                              .identity = true };
    struct blob_result r = { 0 };
    blob_azure_judge(&a, &r);
    assert_non_null(strstr(r.err.text, "firewall"));
    r = (struct blob_result){ 0 };
    a.code = "AuthorizationPermissionMismatch";
    blob_azure_judge(&a, &r);
    assert_non_null(strstr(r.err.text, "Storage Blob Data Contributor"));
}

static void a_look_that_tells_no_length_is_not_one_at_an_empty_blob(void **state)
{
    (void)state;
    struct azure_op o = { .op = { .verb = BLOB_DO_HEAD } };
    struct net_result r = { .status = 200 };
    struct cf_err e = { 0 };
    assert_int_equal(blob_azure_on_head(&o, &r, &e), CF_E_REMOTE);
    assert_int_equal(o.own_why, BLOB_REFUSED);
}

/* ---- lists ---- */

struct seen {
    char text[512];
    uint64_t bytes;
    unsigned committed, staged;
    bool fail;
};

static enum cf_rc on_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    struct seen *s = ctx;
    if (s->fail)
        return CF_FAIL(e, CF_E_LIMIT, "enough");
    strncat(s->text, name, sizeof s->text - strlen(s->text) - 1);
    strncat(s->text, " ", 2);
    s->bytes += size;
    return CF_OK;
}

static enum cf_rc on_block(void *ctx, bool committed, const struct blob_block_id *id, uint64_t size,
                           struct cf_err *e)
{
    struct seen *s = ctx;
    (void)e;
    assert_int_equal(id->bytes[0], 'a');
    s->committed += committed;
    s->staged += !committed;
    s->bytes += size;
    return CF_OK;
}

/* Feeds a document in pieces of `step` bytes. */
static enum cf_rc read_list(const char *xml, bool blocks, size_t step, struct seen *s,
                            char marker[64])
{
    char prefix[] = "pre/";
    struct azure_store store = { .prefix = prefix };
    struct azure_list l = {
        .store = &store, .each_name = on_name, .each_block = blocks ? on_block : NULL, .ctx = s
    };
    struct cf_err e = { 0 };
    size_t len = strlen(xml);
    enum cf_rc rc = blob_azure_list_start(&l, &e);
    for (size_t at = 0; rc == CF_OK && at < len; at += step)
        rc = blob_azure_xml_feed(l.xml, xml + at, len - at < step ? len - at : step, &e);
    if (rc == CF_OK)
        rc = blob_azure_xml_end(l.xml, &e);
    if (marker != NULL)
        snprintf(marker, 64, "%.60s", l.marker);
    assert_int_equal(rc, e.rc);
    assert_int_equal(l.failed, s->fail && rc != CF_OK);
    blob_azure_list_clear(&l);
    return rc;
}

#define BLOBS(inner, marker)                                                                       \
    "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults "                   \
    "ServiceEndpoint=\"x\" ContainerName=\"c\"><Prefix>pre/</Prefix><Blobs>" inner                 \
    "</Blobs><NextMarker>" marker "</NextMarker></EnumerationResults>"
#define BLOB(name, size)                                                                           \
    "<Blob><Name>" name "</Name><Properties><Etag>0x1</Etag><Content-Length>" size                 \
    "</Content-Length><Tags/></Properties></Blob>"

static void a_list_of_blobs_is_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const char xml[] = BLOBS(
        BLOB("pre/a&amp;b", "10") "<BlobPrefix><Name>pre/dir/</Name></BlobPrefix>" BLOB(
            "other", "1") "<Blob><Name Encoded=\"true\">pre/%01</Name></Blob>" BLOB("pre/z", "5"),
        "next!1");
    for (size_t step = 1; step < sizeof xml; step += 7) {
        struct seen s = { .bytes = 0 };
        char marker[64];
        assert_int_equal(read_list(xml, false, step, &s, marker), CF_OK);
        assert_string_equal(s.text, "a&b dir/ z ");
        assert_int_equal(s.bytes, 15);
        assert_string_equal(marker, "next!1");
    }
    struct seen s = { .bytes = 0 };
    char marker[64];
    assert_int_equal(read_list(BLOBS("", ""), false, 1000, &s, marker), CF_OK);
    assert_string_equal(marker, "");
}

static void a_list_of_blocks_passes_over_ids_of_another_length(void **state)
{
    (void)state;
    /* 48 bytes 'a' */
    static const char xml[] =
        "<?xml version=\"1.0\"?><BlockList><CommittedBlocks><Block><Name>"
        "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh</Name><Size>7</Size>"
        "</Block></CommittedBlocks><UncommittedBlocks><Block><Name>YWE=</Name><Size>1</Size>"
        "</Block><Block><Name>"
        "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh</Name><Size>9</Size>"
        "</Block><Block><Name>!!</Name><Size>1</Size></Block></UncommittedBlocks></BlockList>";
    for (size_t step = 1; step < sizeof xml; step += 13) {
        struct seen s = { .bytes = 0 };
        assert_int_equal(read_list(xml, true, step, &s, NULL), CF_OK);
        assert_int_equal(s.committed, 1);
        assert_int_equal(s.staged, 1);
        assert_int_equal(s.bytes, 16);
    }
}

static void damaged_lists_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *xml;
        bool blocks;
    } cases[] = {
        { "", false },
        { "not XML", false },
        { "<EnumerationResults>", false },
        { "<Other></Other>", false },
        { "<BlockList></BlockList>", false },
        { "<EnumerationResults/>", true },
        { BLOBS("", "") "<a/>", false },
        { BLOBS(BLOB("pre/a", "-1"), ""), false },
        { BLOBS(BLOB("pre/a", "99999999999999999999"), ""), false },
        { BLOBS("<a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a>", ""), false },
        { "<!DOCTYPE a [<!ENTITY e \"eeeeeeeeee\">]><EnumerationResults/>", false },
        { "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><EnumerationResults/>", false },
        { "<EnumerationResults><NextMarker>&e;</NextMarker></EnumerationResults>", false },
        { "<BlockList><CommittedBlocks><Block><Name>YQ==</Name></Block></CommittedBlocks>"
          "</BlockList>",
          true },
        { "<BlockList><CommittedBlocks><Block><Size>1</Size></Block></CommittedBlocks></BlockList>",
          true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen s = { .bytes = 0 };
        print_message("  %.70s\n", cases[i].xml);
        assert_int_equal(read_list(cases[i].xml, cases[i].blocks, 1000, &s, NULL), CF_E_REMOTE);
    }
    char *long_text = malloc(20000);
    memset(long_text, 'x', 20000);
    memcpy(long_text, "<EnumerationResults><A>", 23);
    memcpy(long_text + 19000, "</A></EnumerationResults>", 26);
    struct seen s = { .bytes = 0 };
    assert_int_equal(read_list(long_text, false, 100, &s, NULL), CF_E_REMOTE);
    free(long_text);
}

static void a_taker_that_fails_stops_the_list(void **state)
{
    (void)state;
    struct seen s = { .fail = true };
    assert_int_equal(read_list(BLOBS(BLOB("pre/a", "1"), ""), false, 1000, &s, NULL), CF_E_LIMIT);
}

static void the_code_of_a_refusal_is_read_from_its_body(void **state)
{
    (void)state;
    char code[64], message[256];
    static const char body[] =
        "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed"
        "</Code><Message>No.\nTime:1</Message><AuthenticationErrorDetail>Signature not valid in "
        "the specified time frame</AuthenticationErrorDetail></Error>";
    blob_azure_error_body(body, sizeof body - 1, code, message);
    assert_string_equal(code, "AuthenticationFailed");
    assert_non_null(strstr(message, "time frame"));
    blob_azure_error_body("<html>busy", 10, code, message);
    assert_string_equal(code, "");
    blob_azure_error_body("<Error><Code>a%n\x01</Code></Error>", 32, code, message);
    assert_null(strchr(code, '%'));
    blob_azure_error_body(NULL, 0, code, message);
    assert_string_equal(code, "");
}

static void times_are_those_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_s; /* -1: none */
    } cases[] = {
        { "1970-01-01", 0 },
        { "2000-02-29T12:34:56Z", 951827696 },
        { "2000-03-01", 951868800 },
        { "2024-12-31T23:59Z", 1735689540 },
        { "2100-01-01", 4102444800 },
        { "2030-01-01T00:00:00.0000001Z", 1893456000 },
        { "2030-01-01T00:00:00", -1 },
        { "2030-01-01T00:00:00+00:00", -1 },
        { "2030-01-01T24:00Z", -1 },
        { "2030-01-01T00:60Z", -1 },
        { "2030-1-1", -1 },
        { "2030-01-32", -1 },
        { "2030-00-01", -1 },
        { "2030-01-01Z", -1 },
        { "2030-01-01T00:00:00.Z", -1 },
        { "1969-12-31", -1 },
        { "", -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t = -1;
        bool ok = blob_azure_time(cases[i].text, &t);
        print_message("  %s\n", cases[i].text);
        assert_int_equal(ok, cases[i].unix_s != -1);
        assert_int_equal(t, cases[i].unix_s);
    }
}

static void a_pasted_token_goes_out_as_it_was_signed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "si=a+b&sig=x%2By%3D&sp=r \n", "si=a+b&sig=x%2By%3D&sp=r" },
        { "sv=1&sig=x+y/z=&si=a+b", "sv=1&sig=x%2By/z=&si=a+b" },
        { "sig=+&sr=c", "sig=%2B&sr=c" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cf_secret *s = NULL;
        size_t len = strlen(cases[i][1]);
        assert_int_equal(blob_azure_token(cases[i][0], &s, NULL), CF_OK);
        assert_int_equal(cf_secret_len(s), len);
        assert_memory_equal(cf_secret_view(s), cases[i][1], len);
        cf_secret_free(s);
    }
}

static void what_is_not_plain_is_percent_encoded(void **state)
{
    (void)state;
    struct cf_buf b = { 0 };
    const char *text;
    assert_int_equal(blob_azure_put_path(&b, "a b/c?d#%&+~", NULL), CF_OK);
    assert_int_equal(cf_buf_text(&b, &text, NULL), CF_OK);
    assert_string_equal(text, "a%20b/c%3Fd%23%25%26%2B~");
    cf_buf_clear(&b);
    assert_int_equal(blob_azure_put_query(&b, "a/b+c==", NULL), CF_OK);
    assert_int_equal(cf_buf_text(&b, &text, NULL), CF_OK);
    assert_string_equal(text, "a%2Fb%2Bc%3D%3D");
    cf_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_has_its_class_and_a_text),
        cmocka_unit_test(a_refused_credential_past_its_time_is_an_ended_one),
        cmocka_unit_test(a_redirect_is_named_with_its_cure),
        cmocka_unit_test(no_byte_behind_the_range_is_handed_on),
        cmocka_unit_test(a_failed_condition_of_a_create_means_that_it_exists),
        cmocka_unit_test(a_lease_or_snapshots_keep_a_blob_as_a_policy_does),
        cmocka_unit_test(a_write_that_finds_nothing_misses_its_container),
        cmocka_unit_test(a_success_of_another_kind_is_none),
        cmocka_unit_test(a_look_that_tells_no_length_is_not_one_at_an_empty_blob),
        cmocka_unit_test(a_firewall_is_not_taken_for_a_role_that_is_missing),
        cmocka_unit_test(a_list_of_blobs_is_read_in_pieces_of_any_size),
        cmocka_unit_test(a_list_of_blocks_passes_over_ids_of_another_length),
        cmocka_unit_test(damaged_lists_are_refused),
        cmocka_unit_test(a_taker_that_fails_stops_the_list),
        cmocka_unit_test(the_code_of_a_refusal_is_read_from_its_body),
        cmocka_unit_test(times_are_those_of_the_calendar),
        cmocka_unit_test(a_pasted_token_goes_out_as_it_was_signed),
        cmocka_unit_test(what_is_not_plain_is_percent_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
