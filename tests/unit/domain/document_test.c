/* Documents read: golden ones open, each negative one ends in its class. tests/vectors/domain-v1.
 */
#include "values.h"

#include <dirent.h>

#include "base/text.h"
#include "domain/document.h"

static enum cf_rc decrypt(void *ctx, enum hal_mech mech, enum hal_hash h, struct crypto_bytes in,
                          struct cf_buf *cek, struct cf_err *e)
{
    return crypto_privkey_decrypt(ctx, mech, h, in, cek, e);
}

/* Opens with officers 1 and 2, as the negative cases want it; by whoever's key fits a holder. */
static enum cf_rc gather(const struct domain_document *d, struct domain_quorum *q, struct cf_err *e)
{
    const struct domain_holder *h = NULL;
    size_t n = domain_document_holders(d, &h);
    enum cf_rc rc = CF_OK;
    for (int officer = 1; officer <= 2 && rc == CF_OK; officer++) {
        struct crypto_privkey *k = vector_officer(officer);
        struct cf_secret *share = NULL;
        rc = CF_E_AUTH;
        for (size_t i = 0; i < n && rc == CF_E_AUTH; i++)
            if (h[i].kind == DOMAIN_CERTIFICATE) {
                *e = (struct cf_err){ 0 };
                rc = domain_document_share(d, i, decrypt, k, &share, e);
            }
        if (rc == CF_OK)
            rc = domain_quorum_offer(q, cf_secret_view(share), cf_secret_len(share), NULL, e);
        cf_secret_free(share);
        crypto_privkey_free(k);
    }
    return rc;
}

static enum cf_rc open_text(const struct cf_buf *text, struct domain_keyring *out, struct cf_err *e)
{
    struct domain_document *d = NULL;
    struct domain_quorum *q = NULL;
    struct cf_secret *master = NULL;
    enum cf_rc rc = domain_document_parse((const char *)text->data, text->len, &d, e);
    if (rc == CF_OK)
        rc = domain_quorum_new(d, &q, e);
    if (rc == CF_OK)
        rc = gather(d, q, e);
    if (rc == CF_OK)
        rc = domain_quorum_master(q, &master, e);
    if (rc == CF_OK)
        rc = domain_document_open(d, master, out, e);
    cf_secret_free(master);
    domain_quorum_free(q);
    domain_document_free(d);
    return rc;
}

static void golden_documents_open_to_their_keyring(void **state)
{
    (void)state;
    static const char *const names[] = { "2of3", "2of3-g1" };
    for (size_t i = 0; i < 2; i++) {
        struct cf_err err;
        char path[64];
        struct domain_keyring k = { 0 };
        snprintf(path, sizeof path, "domain-v1/%s.json", names[i]);
        struct cf_buf doc = vector_file(path);
        snprintf(path, sizeof path, "domain-v1/%s.txt", names[i]);
        struct cf_buf text = vector_file(path), id = vector_hex(&text, "domain_id");
        struct cf_buf keyring = vector_hex(&text, "keyring");
        EXPECT_OK(open_text(&doc, &k, &err));
        assert_int_equal(k.count, i ? 1 : 2);
        assert_memory_equal(k.domain_id, id.data, 16);
        for (size_t g = 0; g < k.count; g++)
            for (enum hal_role r = HAL_ROLE_BK; r <= HAL_ROLE_MK; r++)
                assert_non_null(
                    memmem(keyring.data, keyring.len, domain_keyring_key(&k, g, r), 32));
        domain_keyring_clear(&k);
        cf_buf_clear(&keyring);
        cf_buf_clear(&id);
        cf_buf_clear(&text);
        cf_buf_clear(&doc);
    }
}

static void a_document_with_paper_holders_takes_their_shares(void **state)
{
    (void)state;
    struct cf_err err;
    struct cf_buf doc = vector_file("domain-v1/5of10.json");
    struct cf_buf text = vector_file("domain-v1/5of10.txt"), id = vector_hex(&text, "document_id");
    struct domain_document *d = NULL;
    struct domain_quorum *q = NULL;
    struct cf_secret *master = NULL;
    struct domain_keyring k = { 0 };
    uint8_t x;
    EXPECT_OK(domain_document_parse((char *)doc.data, doc.len, &d, &err));
    assert_memory_equal(domain_document_id(d), id.data, 32);
    assert_int_equal(domain_document_sharing(d)->quorum, 5);
    EXPECT_OK(domain_quorum_new(d, &q, &err));
    for (int i = 10; i > 5; i--) {
        char name[16];
        snprintf(name, sizeof name, "share.%d", i);
        struct cf_buf share = vector_hex(&text, name);
        EXPECT_RC(CF_E_DENIED, domain_quorum_master(q, &master, &err));
        assert_int_equal(domain_quorum_missing(q), i - 5);
        EXPECT_OK(domain_quorum_offer(q, share.data, share.len, &x, &err));
        assert_int_equal(x, i);
        EXPECT_RC(CF_E_CORRUPT, domain_quorum_offer(q, share.data, share.len, &x, &err));
        cf_buf_clear(&share);
    }
    EXPECT_OK(domain_quorum_master(q, &master, &err));
    EXPECT_OK(domain_document_open(d, master, &k, &err));
    cf_secret_data(master)[0] ^= 1;
    domain_keyring_clear(&k);
    EXPECT_RC(CF_E_AUTH, domain_document_open(d, master, &k, &err));
    assert_null(k.keys);
    cf_secret_free(master);
    domain_quorum_free(q);
    domain_document_free(d);
    cf_buf_clear(&id);
    cf_buf_clear(&text);
    cf_buf_clear(&doc);
}

/* Shares 1, 2, .. of the case, offered to its document. */
static enum cf_rc offer_all(const struct cf_buf *text, struct cf_err *e)
{
    struct cf_buf name = vector_value(text, "document", 1), doc;
    struct domain_document *d = NULL;
    struct domain_quorum *q = NULL;
    struct cf_secret *master = NULL;
    char path[128];
    snprintf(path, sizeof path, "domain-v1/%s", (char *)name.data);
    doc = vector_file(path);
    assert_int_equal(domain_document_parse((char *)doc.data, doc.len, &d, e), CF_OK);
    enum cf_rc rc = domain_quorum_new(d, &q, e);
    for (int i = 1; i <= 10 && rc == CF_OK; i++) {
        snprintf(path, sizeof path, "share.%d", i);
        struct cf_buf hex = vector_value(text, path, 0);
        if (hex.len) {
            struct cf_buf share = vector_hex(text, path);
            rc = domain_quorum_offer(q, share.data, share.len, NULL, e);
            cf_buf_clear(&share);
        }
        cf_buf_clear(&hex);
    }
    if (rc == CF_OK)
        rc = domain_quorum_master(q, &master, e);
    cf_secret_free(master);
    domain_quorum_free(q);
    domain_document_free(d);
    cf_buf_clear(&doc);
    cf_buf_clear(&name);
    return rc;
}

static bool judge(const char *file)
{
    char path[300];
    struct cf_err err = { 0 };
    struct domain_keyring k = { 0 };
    snprintf(path, sizeof path, "domain-v1/negative/%s", file);
    struct cf_buf text = vector_file(path), kind = vector_value(&text, "kind", 1);
    bool document = strcmp((char *)kind.data, "document") == 0;
    bool share = strcmp((char *)kind.data, "share") == 0;
    if (document || share) {
        struct cf_buf doc = vector_value(&text, "document", 1);
        enum cf_rc want = vector_expect(&text);
        enum cf_rc rc = document ? open_text(&doc, &k, &err) : offer_all(&text, &err);
        print_message("  %s: %s\n", file, err.text);
        assert_int_equal(rc, want);
        assert_int_equal(err.rc, want);
        assert_null(k.keys);
        cf_buf_clear(&doc);
    }
    cf_buf_clear(&kind);
    cf_buf_clear(&text);
    return document || share;
}

static void each_negative_case_ends_in_its_class(void **state)
{
    (void)state;
    unsigned n = 0;
    DIR *dir = opendir(CF_VECTORS "/domain-v1/negative");
    assert_non_null(dir);
    for (struct dirent *f = readdir(dir); f; f = readdir(dir))
        if (strstr(f->d_name, ".txt"))
            n += judge(f->d_name);
    closedir(dir);
    assert_true(n >= 40);
}

static void a_document_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct cf_buf doc = vector_file("domain-v1/2of3.json");
    while (doc.len && doc.data[doc.len - 1] == '\n')
        doc.len--;
    for (size_t len = 0; len < doc.len; len += 11) {
        struct domain_document *d = NULL;
        assert_int_equal(domain_document_parse((char *)doc.data, len, &d, NULL), CF_E_CORRUPT);
        assert_null(d);
    }
    cf_buf_clear(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_documents_open_to_their_keyring),
        cmocka_unit_test(a_document_with_paper_holders_takes_their_shares),
        cmocka_unit_test(each_negative_case_ends_in_its_class),
        cmocka_unit_test(a_document_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
