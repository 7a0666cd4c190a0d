/* Answers that no blob service gives, from whatever stands in its place or in between: none is
 * taken for the service's word, and the words name cause and cure. */
#include "support/test.h"

#include <stdlib.h>

#include "blob/place.h"
#include "hal_sim/hal_sim.h"
#include "support/wire.h"

#define NOW 1234567890 /* Fri, 13 Feb 2009 23:31:30 GMT */

enum deed { READ, PART, LOOK, LIST, BLOCKS, WRITE };

static struct {
    struct hal_clock *clock;
    struct blob_store *store;
    struct blob_lane *lane;
    struct blob_writer *writer;
} on;

static enum cf_rc take(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    (void)data;
    (void)e;
    *(size_t *)ctx += len;
    return CF_OK;
}

static enum cf_rc take_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    (void)name;
    (void)size;
    (void)e;
    ++*(size_t *)ctx;
    return CF_OK;
}

static enum cf_rc take_block(void *ctx, bool committed, const struct blob_block_id *id,
                             uint64_t size, struct cf_err *e)
{
    (void)committed;
    (void)id;
    (void)size;
    (void)e;
    ++*(size_t *)ctx;
    return CF_OK;
}

static enum cf_rc begin(enum deed deed, size_t *taken, struct blob_end end, struct cf_err *e)
{
    const struct blob_range all = { .name = "b" }, part = { .name = "b", .first = 4, .count = 3 };
    const struct blob_listing listing = { .prefix = "" };
    const struct blob_body body = { .len = 4, .data = "body" };
    switch (deed) {
    case READ:
        return blob_get(on.lane, &all, take, taken, end, e);
    case PART:
        return blob_get(on.lane, &part, take, taken, end, e);
    case LOOK:
        return blob_head(on.lane, "b", end, e);
    case LIST:
        return blob_list(on.lane, &listing, take_name, taken, end, e);
    case BLOCKS:
        return blob_list_blocks(on.lane, "b", take_block, taken, end, e);
    case WRITE:
    default:
        return blob_put(on.writer, "b", &body, end, e);
    }
}

#define H(status, headers)         "HTTP/1.1 " status "\r\n" headers "\r\n"
#define WITH(status, headers, len) H(status, headers "Content-Length: " #len "\r\n")
#define XML(text)                  "<?xml version=\"1.0\" encoding=\"utf-8\"?>" text
#define CLOSED(status, text)       H(status, "Connection: close\r\n") text
#define NAMES(text)                                                                                \
    CLOSED("200 OK", XML("<EnumerationResults><Blobs>" text "</Blobs><NextMarker/>"                \
                         "</EnumerationResults>"))
#define PAGE                                                                                       \
    "\r\n<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\"><html><head><title>Blocked</title>"   \
    "</head><body><p>Ask your administrator"
#define LATER   "Date: Sat, 14 Feb 2009 01:31:30 GMT\r\n"
#define EARLIER "Date: Fri, 13 Feb 2009 23:01:30 GMT\r\n"

static const struct row {
    const char *name;
    enum deed deed;
    enum blob_why why;
    const char *text, *again;
    const char *words;
    size_t taken;
} rows[] = {
    /* --- bodies and lengths --- */
    { .name = "a range in chunks",
      .deed = PART,
      .taken = 3,
      .text = H(
          "206 OK",
          "Content-Range: bytes 4-6/9\r\nTransfer-Encoding: chunked\r\n") "3\r\nabc\r\n0\r\n\r\n" },
    { .name = "a range in chunks, and more",
      .deed = PART,
      .why = BLOB_REFUSED,
      .text = H(
          "206 OK",
          "Content-Range: bytes 4-6/9\r\nTransfer-Encoding: chunked\r\n") "4\r\nabcd\r\n0\r\n\r\n",
      .words = "more than was asked for" },
    { .name = "a range in chunks, and less",
      .deed = PART,
      .why = BLOB_TRANSIENT,
      .taken = 2,
      .text =
          H("206 OK",
            "Content-Range: bytes 4-6/9\r\nTransfer-Encoding: chunked\r\n") "2\r\nab\r\n0\r\n\r\n",
      .words = "cut short" },
    { .name = "all of it in chunks",
      .deed = READ,
      .why = BLOB_REFUSED,
      .text = H("200 OK", "Transfer-Encoding: chunked\r\n") "3\r\nabc\r\n0\r\n\r\n",
      .words = "without Content-Length" },
    { .name = "from HTTP/1.0",
      .deed = READ,
      .taken = 3,
      .text = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc" },
    { .name = "a compressed range",
      .deed = PART,
      .why = BLOB_REFUSED,
      .text = WITH("206 OK", "Content-Range: bytes 4-6/9\r\nContent-Encoding: gzip\r\n", 3) "abc",
      .words = "a compressed answer, which was not asked for" },
    { .name = "a compressed list",
      .deed = LIST,
      .why = BLOB_REFUSED,
      .text = WITH("200 OK", "Content-Encoding: br\r\n", 3) "abc",
      .words = "a compressed answer, which was not asked for" },
    { .name = "a coding that changes nothing",
      .deed = PART,
      .taken = 3,
      .text =
          WITH("206 OK", "Content-Range: bytes 4-6/9\r\nContent-Encoding: identity\r\n", 3) "abc" },
    { .name = "headers without end",
      .deed = WRITE,
      .why = BLOB_REFUSED,
      .text = "HTTP/1.1 201 Created\r\n",
      .again = "X-A: bcdefghijklmnop\r\n",
      .words = "headers do not end" },
    { .name = "an error without end",
      .deed = WRITE,
      .why = BLOB_TRANSIENT,
      .text = H("503 No", ""),
      .again = "busy busy busy ",
      .words = "busy" },
    { .name = "a list without end",
      .deed = LIST,
      .why = BLOB_REFUSED,
      .text = H("200 OK", "") XML("<EnumerationResults><Blobs>"),
      .again = "<!-- and so on -->",
      .words = "answer longer than" },
    { .name = "one name without end",
      .deed = LIST,
      .why = BLOB_REFUSED,
      .text = H("200 OK", "") XML("<EnumerationResults><Blobs><Blob><Name>"),
      .again = "abcdefgh",
      .words = "too long" },

    /* --- XML --- */
    { .name = "a list with a mark of its order",
      .deed = LIST,
      .taken = 1,
      .text = CLOSED("200 OK", "\xEF\xBB\xBF") XML(
          "<EnumerationResults><Blobs><Blob><Name>n</Name></Blob></Blobs></EnumerationResults>") },
    { .name = "a list in a name space",
      .deed = LIST,
      .taken = 1,
      .text = CLOSED("200 OK", XML("<a:EnumerationResults xmlns:a=\"urn:a\"><a:Blobs><a:Blob>"
                                   "<a:Name>n</a:Name></a:Blob></a:Blobs>"
                                   "</a:EnumerationResults>")) },
    { .name = "names as data and as references",
      .deed = LIST,
      .taken = 2,
      .text =
          NAMES("<Blob><Name><![CDATA[a]]></Name></Blob><Blob><Name>b&amp;&#x63;</Name></Blob>") },
    { .name = "references of its own",
      .deed = LIST,
      .why = BLOB_REFUSED,
      .text = CLOSED("200 OK", "<!DOCTYPE a [<!ENTITY b \"c\">]><EnumerationResults>&b;"),
      .words = "document type" },
    { .name = "references to nothing",
      .deed = LIST,
      .why = BLOB_REFUSED,
      .text = NAMES("<Blob><Name>&b;</Name></Blob>"),
      .words = "XML answer" },
    { .name = "blocks behind their list",
      .deed = BLOCKS,
      .why = BLOB_REFUSED,
      .text = CLOSED("200 OK", XML("<BlockList></BlockList><BlockList/>")),
      .words = "XML answer" },

    /* --- refusals --- */
    { .name = "a code in the body alone",
      .deed = WRITE,
      .why = BLOB_EXISTS,
      .text = CLOSED("409 No", "\xEF\xBB\xBF" XML("<Error>\n <Code>\n  BlobAlreadyExists\n </Code>"
                                                  "</Error>")),
      .words = "exists" },
    { .name = "a code as data, in a name space",
      .deed = WRITE,
      .why = BLOB_NO_PLACE,
      .text = CLOSED("404 No", XML("<m:Error xmlns:m=\"urn:m\"><m:Code><![CDATA[ContainerNotFound"
                                   "]]></m:Code></m:Error>")),
      .words = "create it first" },
    { .name = "a proxy's page, 403",
      .deed = WRITE,
      .why = BLOB_REFUSED,
      .text = CLOSED("403 Forbidden", PAGE),
      .words = "a web page instead of" },
    { .name = "a proxy's page, 404",
      .deed = READ,
      .why = BLOB_REFUSED,
      .text = H("404 Not Found",
                "Content-Type: text/html; charset=utf-8\r\nConnection: close\r\n") "gone",
      .words = "a web page instead of" },
    { .name = "a proxy's page, 502",
      .deed = READ,
      .why = BLOB_TRANSIENT,
      .text = CLOSED("502 Bad Gateway", PAGE),
      .words = "a gateway before the storage" },
    { .name = "a page for logging in",
      .deed = WRITE,
      .why = BLOB_REFUSED,
      .text = CLOSED("200 OK", PAGE),
      .words = "gateway or proxy" },
    { .name = "a page for logging in, as a list",
      .deed = LIST,
      .why = BLOB_REFUSED,
      .text = CLOSED("200 OK", PAGE),
      .words = "gateway or proxy" },
    { .name = "a proxy that wants a credential",
      .deed = WRITE,
      .why = BLOB_REFUSED,
      .text = WITH("407 Proxy Authentication Required", "", 0),
      .words = "a proxy on the way" },
    { .name = "a network that wants a log-in",
      .deed = WRITE,
      .why = BLOB_REFUSED,
      .text = CLOSED("511 Network Authentication Required", PAGE),
      .words = "log-in first" },
    { .name = "a page, but with the service's code",
      .deed = WRITE,
      .why = BLOB_PERMISSION,
      .text = WITH(
          "403 No",
          "Content-Type: text/html\r\nx-ms-error-code: AuthorizationPermissionMismatch\r\n", 0),
      .words = "does not allow this operation" },

    /* --- clocks --- */
    { .name = "a refusal two hours ahead",
      .deed = WRITE,
      .why = BLOB_CREDENTIAL,
      .text = WITH("403 No", LATER "x-ms-error-code: AuthenticationFailed\r\n", 0),
      .words = "the clock there is 120 min ahead of this one: set the clock" },
    { .name = "a refusal half an hour behind",
      .deed = WRITE,
      .why = BLOB_CREDENTIAL,
      .text = WITH("403 No", EARLIER "x-ms-error-code: AuthenticationFailed\r\n", 0),
      .words = "the clock there is 30 min behind this one" },
    { .name = "another refusal two hours ahead",
      .deed = WRITE,
      .why = BLOB_EXISTS,
      .text = WITH("409 No", LATER "x-ms-error-code: BlobAlreadyExists\r\n", 0),
      .words = "exists" },
};

static void judge(const struct row *x)
{
    const struct test_wire_answer a = { .text = x->text, .again = x->again, .times = 1u << 30 };
    struct blob_wait w;
    struct cf_err err = { 0 };
    size_t taken = 0;
    test_wire_answer(&a);
    EXPECT_OK(blob_lane_new(on.store, &on.lane, &err)); /* no connection of the row before */
    EXPECT_OK(blob_writer_new(on.lane, &on.writer, &err));
    EXPECT_OK(begin(x->deed, &taken, blob_wait_end(&w), &err));
    (void)!blob_wait(on.lane, &w, &err);
    blob_writer_free(on.writer);
    blob_lane_free(on.lane);
    print_message("  %s: %s\n", x->name, w.r.err.text);
    assert_int_equal(w.r.why, x->why);
    assert_int_equal(taken, x->taken);
    if (x->words)
        assert_non_null(strstr(w.r.err.text, x->words));
    else
        assert_int_equal(w.r.err.rc, CF_OK);
    assert_null(strstr(w.r.err.text, "sig="));
    if (x->why != BLOB_CREDENTIAL)
        assert_null(strstr(w.r.err.text, "clock there"));
}

static void each_answer_is_judged_and_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        judge(&rows[i]);
}

int main(void)
{
    static const struct blob_options o = { .allow_http = true, .stall_timeout_ms = 60000 };
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_answer_is_judged_and_told) };
    char uri[96];
    struct blob_place p = { .uri = uri,
                            .token =
                                "sv=2021-12-02&sr=c&sp=racwdl&se=2009-02-15T00:00:00Z&sig=eA==" };
    struct cf_err e = { 0 };
    snprintf(uri, sizeof uri, "http://127.0.0.1:%u/devstoreaccount1/coffer", test_wire_start());
    on.clock = hal_sim_clock_new((int64_t)NOW * 1000);
    if (blob_store_open(&p, BLOB_TO_WRITE, &o, on.clock, &on.store, &e) != CF_OK) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    blob_store_free(on.store);
    hal_sim_clock_free(on.clock);
    return failed;
}
