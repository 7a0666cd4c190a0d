/* The way back: a receipt is believed when its signature is good and it says no more than it lists.
 */
#include <string.h>

#include "manifest/receipt.h"
#include "manifest_priv.h"

/* What is read beyond what is told. */
struct reading {
    struct cbor_rd r;
    struct manifest_proven *p;
    struct manifest us;              /* the verifier, as manifests name a writer; coverage lines */
    uint64_t all_keys, all_versions; /* of the backup */
    bool whole, tables;              /* all blocks were read; those of `meta` */
};

static void expect_array(struct cbor_rd *r, size_t n)
{
    if (cbor_rd_array(r, n) != n)
        cbor_rd_refuse(r, "an array has the wrong length");
}

static uint64_t any_uint(struct cbor_rd *r)
{
    return cbor_rd_uint(r, UINT64_MAX);
}

static void get_fixed(struct cbor_rd *r, size_t len)
{
    size_t n = 0;
    const uint8_t *p = cbor_rd_bytes(r, len, &n);
    if (!p || n != len)
        cbor_rd_refuse(r, "bytes of the wrong length");
}

/* Keys 1 to 4. */
static void read_job(struct reading *g)
{
    struct cbor_rd *r = &g->r;
    manifest_expect_key(r, 1);
    g->p->scope = (enum manifest_scope)cbor_rd_uint(r, MANIFEST_PROVES_PART);
    if (!g->p->scope)
        cbor_rd_refuse(r, "scope 0");
    manifest_expect_key(r, 2);
    expect_array(r, 2);
    g->p->started_s = any_uint(r);
    g->p->ended_s = any_uint(r);
    manifest_expect_key(r, 3);
    cbor_rd_string(r, g->p->job, sizeof g->p->job);
    if (strspn(g->p->job, "0123456789abcdef") != MANIFEST_JOB_ID)
        cbor_rd_refuse(r, "the job's id");
    manifest_expect_key(r, 4);
    cbor_rd_fixed(r, g->p->verifier, sizeof g->p->verifier);
    memcpy(g->us.appliance, g->p->verifier, sizeof g->us.appliance);
}

static void read_meta_name(struct cbor_rd *r)
{
    char name[MANIFEST_NAME_SIZE];
    cbor_rd_string(r, name, sizeof name);
    bool fits = strncmp(name, "meta-", 5) == 0 && strlen(name) == 37 &&
                strspn(name + 5, "0123456789abcdef") == 32;
    if (name[0] && !fits)
        cbor_rd_refuse(r, "the name of meta");
}

/* Keys 5 to 7: which backup. */
static void read_backup(struct reading *g)
{
    struct cbor_rd *r = &g->r;
    manifest_expect_key(r, 5);
    expect_array(r, 6);
    manifest_text(r, g->p->folder, sizeof g->p->folder);
    manifest_text(r, g->p->hsm, sizeof g->p->hsm);
    (void)any_uint(r); /* created, completed */
    (void)any_uint(r);
    g->p->seq = any_uint(r);
    get_fixed(r, FLOW_ID_SIZE);
    manifest_expect_key(r, 6);
    expect_array(r, 4);
    cbor_rd_fixed(r, g->p->backup_id, sizeof g->p->backup_id);
    cbor_rd_fixed(r, g->p->domain_id, sizeof g->p->domain_id);
    g->p->generation = (uint32_t)cbor_rd_uint(r, UINT32_MAX);
    get_fixed(r, sizeof g->us.fp);
    manifest_expect_key(r, 7);
    expect_array(r, 4);
    (void)any_uint(r);
    cbor_rd_fixed(r, g->p->file_sha256, sizeof g->p->file_sha256);
    cbor_rd_fixed(r, g->p->mac, sizeof g->p->mac);
    read_meta_name(r);
}

/* Key 8. Streams 0 and 1 are always there, and `meta` is the last one. */
static void read_streams(struct reading *g)
{
    struct cbor_rd *r = &g->r;
    manifest_expect_key(r, 8);
    size_t n = cbor_rd_array(r, FLOW_STREAMS_MAX + 1), root = 0;
    if (n < 3)
        cbor_rd_refuse(r, "streams are missing");
    g->whole = true;
    for (size_t i = 0; i < n && cbor_rd_ok(r); i++) {
        expect_array(r, 5);
        uint64_t number = any_uint(r), blocks = any_uint(r);
        (void)any_uint(r);
        uint64_t read = any_uint(r);
        (void)cbor_rd_bytes(r, FLOW_DIGEST_SIZE, &root);
        bool all = read == blocks;
        if (number != (i + 1 == n ? FLOW_META : i) || read > blocks ||
            root != (all ? FLOW_DIGEST_SIZE : 0) || UINT64_MAX - g->p->blocks < blocks)
            cbor_rd_refuse(r, "a line of a stream");
        g->whole = g->whole && all;
        g->tables = all;
        g->p->blocks += blocks;
        g->p->read += read;
    }
}

/* Keys 9 to 14. */
static void read_rest(struct reading *g)
{
    struct cbor_rd *r = &g->r;
    size_t len = 0;
    manifest_expect_key(r, 9);
    expect_array(r, 4);
    g->all_keys = any_uint(r);
    g->all_versions = any_uint(r);
    (void)any_uint(r);
    (void)any_uint(r);
    manifest_expect_key(r, 10);
    expect_array(r, 2);
    g->p->keys = any_uint(r);
    g->p->versions = any_uint(r);
    manifest_expect_key(r, 11);
    (void)any_uint(r);
    manifest_expect_key(r, 12);
    g->p->percent = (unsigned)cbor_rd_uint(r, 100);
    manifest_expect_key(r, 13);
    manifest_cover_read(r, &g->us);
    manifest_expect_key(r, 14);
    expect_array(r, 3);
    const uint8_t *spki = cbor_rd_bytes(r, 4096, &len);
    if (!spki || len == 0 || cf_buf_put(&g->us.spki, spki, len, NULL) != CF_OK)
        cbor_rd_refuse(r, "the verifier's public key is missing");
    g->us.since = any_uint(r);
    cbor_rd_fixed(r, g->us.endorsement, sizeof g->us.endorsement);
    g->us.generation = g->p->generation;
}

static enum cf_rc check_scope(const struct reading *g, struct cf_err *e)
{
    const struct manifest_proven *p = g->p;
    bool all = g->whole && p->keys == g->all_keys && p->versions == g->all_versions;
    bool fits = p->scope == MANIFEST_PROVES_ALL ? all && p->percent == 100
                : p->scope == MANIFEST_PROVES_SAMPLE
                    ? g->tables && p->percent > 0 && p->percent < 100
                    : p->percent == 0;
    return fits ? CF_OK : CF_FAIL(e, CF_E_AUTH, "a receipt says more than it lists");
}

static enum cf_rc find_body(const uint8_t *file, size_t len, struct crypto_bytes *body,
                            struct cf_err *e)
{
    struct cf_rd rd = cf_rd_of(file, len);
    if (len > MANIFEST_RECEIPT_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a receipt of %zu bytes", len);
    const uint8_t *magic = cf_rd_bytes(&rd, sizeof RECEIPT_MAGIC - 1);
    uint32_t n = cf_rd_le32(&rd);
    if (rd.bad || !cf_equal(magic, RECEIPT_MAGIC, sizeof RECEIPT_MAGIC - 1))
        return CF_FAIL(e, CF_E_CORRUPT, "not a receipt");
    if (n == 0 || n > MANIFEST_RECEIPT_MAX - RECEIPT_HEAD - RECEIPT_SIG)
        return CF_FAIL(e, CF_E_LIMIT, "a receipt's body of %u bytes", n);
    if (rd.left != (size_t)n + RECEIPT_SIG)
        return CF_FAIL(e, CF_E_CORRUPT, "a receipt's lengths do not agree");
    *body = crypto_bytes_of(rd.p, n);
    return CF_OK;
}

static enum cf_rc read_body(struct reading *g, struct crypto_bytes body, struct cf_err *e)
{
    cbor_rd_init(&g->r, body.p, body.len, e);
    if (cbor_rd_map(&g->r, 14) != 14)
        cbor_rd_refuse(&g->r, "a receipt's body is not whole");
    read_job(g);
    read_backup(g);
    read_streams(g);
    read_rest(g);
    return cbor_rd_end(&g->r);
}

static enum cf_rc judge(const struct manifest_domain *d, const struct reading *g, struct cf_err *e)
{
    if (!cf_equal(g->p->domain_id, d->domain_id, sizeof g->p->domain_id))
        return CF_FAIL(e, CF_E_AUTH, "a receipt of another domain");
    return manifest_identity_judge(d, &g->us, NULL, g->p->key_id, e);
}

enum cf_rc manifest_receipt_read(const struct manifest_domain *d, const void *file, size_t len,
                                 struct manifest_proven *out, struct cf_err *e)
{
    struct manifest_proven p = { .percent = 0 };
    struct reading g = { .p = &p };
    struct crypto_bytes body = { 0 };
    const uint8_t *at = file;
    enum cf_rc rc = find_body(at, len, &body, e);
    if (rc == CF_OK)
        rc = read_body(&g, body, e);
    struct crypto_bytes spki = crypto_bytes_of(g.us.spki.data, g.us.spki.len);
    size_t end = RECEIPT_HEAD + body.len;
    if (rc == CF_OK)
        rc = manifest_check_labelled(RECEIPT_LABEL, spki, crypto_bytes_of(at, end),
                                     crypto_bytes_of(at + end, RECEIPT_SIG), e);
    if (rc == CF_OK)
        rc = manifest_key_id(spki, p.key_id, e);
    if (rc == CF_OK)
        rc = check_scope(&g, e);
    if (rc == CF_OK && d)
        rc = judge(d, &g, e);
    manifest_clear(&g.us);
    if (rc == CF_OK)
        *out = p;
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "the receipt");
}
