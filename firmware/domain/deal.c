/* The dealer: keyring and officers in, document out. FORMAT.md 6, steps 2 to 4. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "domain_priv.h"

/* What is made on the way. */
struct work {
    const struct domain_deal *in;
    struct domain_map map;
    struct cf_secret *master;
    struct cf_secret *shares;
    struct cf_buf enc_key[DOMAIN_HOLDERS_MAX]; /* JWE texts */
    struct cf_buf item;
    struct cf_buf map_bytes;
    struct cf_buf signature;
};

static enum cf_rc draw_master(struct work *w, struct cf_err *e)
{
    struct domain_sharing *s = &w->map.sharing;
    memcpy(s->domain_id, w->in->keyring->domain_id, sizeof s->domain_id);
    s->quorum = (uint8_t)w->in->panel->required;
    s->count = (uint8_t)w->in->panel->count;
    w->map.made_s = w->in->now_s;
    struct domain_sources sources = *w->in->sources;
    enum cf_rc rc = domain_draw(&sources, s->sharing_id, sizeof s->sharing_id, e);
    if (rc == CF_OK)
        rc = cf_secret_new(DOMAIN_MASTER_SIZE, &w->master, e);
    if (rc == CF_OK)
        rc = domain_draw_key(&sources, "MASTER", 0, cf_secret_data(w->master), e);
    if (rc == CF_OK)
        rc = domain_split(s, w->master, domain_draw, &sources, &w->shares, e);
    if (rc == CF_OK)
        rc = domain_master_check(s, w->master, w->map.master_check, e);
    return rc;
}

static enum cf_rc deal_share(struct work *w, size_t i, struct cf_err *e)
{
    uint8_t random[JOSE_RSA_RANDOM_SIZE];
    struct domain_map_holder *h = &w->map.holder[i];
    const struct domain_officer *o = &w->in->panel->officer[i];
    struct domain_sources sources = *w->in->sources;
    const uint8_t *share = cf_secret_view(w->shares) + i * DOMAIN_SHARE_SIZE;
    h->pub.x = (uint8_t)(i + 1);
    h->pub.kind = DOMAIN_CERTIFICATE;
    memcpy(h->pub.x5t, o->cert.sha256, sizeof h->pub.x5t);
    memcpy(h->pub.name, o->cert.common_name, sizeof h->pub.name);
    enum cf_rc rc = domain_share_check(&w->map.sharing, share, h->pub.check, e);
    if (rc == CF_OK)
        rc = domain_draw(&sources, random, sizeof random, e);
    if (rc == CF_OK)
        rc = jose_jwe_seal_rsa(o->key, HAL_SHA256, random,
                               crypto_bytes_of(share, DOMAIN_SHARE_SIZE), &w->enc_key[i], e);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, w->enc_key[i].data, w->enc_key[i].len, h->enc_key_digest, e);
    cf_wipe(random, sizeof random);
    return rc;
}

static enum cf_rc seal_keyring(struct work *w, struct cf_err *e)
{
    uint8_t cek[CRYPTO_CBCHS_KEY_SIZE], iv[CRYPTO_IV_SIZE];
    struct cf_buf plain = { 0 };
    struct jose_dir how = { .cek = cek, .kid = DOMAIN_TAG };
    struct domain_sources sources = *w->in->sources;
    enum cf_rc rc = domain_keyring_write(w->in->keyring, &plain, e);
    if (rc == CF_OK)
        rc = crypto_kdf512(crypto_bytes_of(cf_secret_view(w->master), DOMAIN_MASTER_SIZE),
                           DOMAIN_TAG, crypto_bytes_of("", 0), cek, sizeof cek, e);
    if (rc == CF_OK)
        rc = domain_draw(&sources, iv, sizeof iv, e);
    if (rc == CF_OK)
        rc = jose_jwe_seal_dir(&how, crypto_bytes_of(plain.data, plain.len), iv, &w->item, e);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, w->item.data, w->item.len, w->map.item[0].digest, e);
    memcpy(w->map.item[0].tag, DOMAIN_TAG, sizeof DOMAIN_TAG);
    w->map.items = 1;
    cf_wipe(cek, sizeof cek);
    cf_buf_clear(&plain);
    return rc;
}

static enum cf_rc fingerprints(struct work *w, struct cf_err *e)
{
    const struct domain_keyring *k = w->in->keyring;
    enum cf_rc rc = CF_OK;
    w->map.generations = k->count;
    for (size_t i = 0; i < k->count && rc == CF_OK; i++) {
        w->map.generation[i].number = k->gen[i].generation;
        rc = domain_fingerprint(domain_keyring_key(k, i, HAL_ROLE_BK), k->domain_id,
                                k->gen[i].generation, w->map.generation[i].fp, e);
    }
    return rc;
}

/* --- identity and its signature --- */

static enum cf_rc describe_identity(const struct domain_deal *d, struct domain_identity *id,
                                    struct cf_err *e)
{
    struct hal_key_name name = { .role = HAL_ROLE_IDENTITY };
    const struct domain_keyring *k = d->keyring;
    struct cf_buf spki = { 0 };
    enum cf_rc rc = hal_token_key_public(d->token, &name, &spki, e);
    if (rc == CF_OK && (spki.len == 0 || spki.len > sizeof id->spki))
        rc = CF_FAIL(e, CF_E_TOKEN, "identity key of %zu bytes", spki.len);
    if (rc == CF_OK) {
        memcpy(id->spki, spki.data, spki.len);
        id->spki_len = spki.len;
        id->since_s = d->identity_since_s;
        rc = domain_endorse(domain_keyring_key(k, k->count - 1, HAL_ROLE_MK), d->appliance_id, id,
                            id->endorsement, e);
    }
    cf_buf_clear(&spki);
    return rc;
}

/* The token signs; the outcome is brought to low s and verified before anyone sees it. */
static enum cf_rc sign(struct work *w, struct domain_signature *s, struct cf_err *e)
{
    uint8_t digest[32];
    struct hal_key_name name = { .role = HAL_ROLE_IDENTITY };
    struct hal_op op = { .use = HAL_SIGN,
                         .mech = HAL_ECDSA,
                         .hash = HAL_SHA256,
                         .in = digest,
                         .in_len = sizeof digest };
    struct hal_result out = { 0 };
    struct crypto_bytes map = { w->map_bytes.data, w->map_bytes.len };
    enum cf_rc rc = domain_signature_digest(&s->identity, map, digest, e);
    if (rc == CF_OK)
        rc = hal_token_key_use(w->in->token, &name, &op, &out, e);
    if (rc == CF_OK && out.out.len != sizeof s->sig)
        rc = CF_FAIL(e, CF_E_TOKEN, "signature of %zu bytes", out.out.len);
    if (rc == CF_OK) {
        memcpy(s->sig, out.out.data, sizeof s->sig);
        rc = crypto_p256_low_s(s->sig, e);
    }
    if (rc == CF_OK)
        rc = crypto_verify(CRYPTO_ES256, crypto_bytes_of(s->identity.spki, s->identity.spki_len),
                           crypto_bytes_of(digest, sizeof digest),
                           crypto_bytes_of(s->sig, sizeof s->sig), e);
    hal_result_clear(&out);
    return rc;
}

static enum cf_rc sign_map(struct work *w, struct domain_dealt *out, struct cf_err *e)
{
    struct domain_signature s = { .identity = out->identity };
    memcpy(s.appliance_id, w->in->appliance_id, sizeof s.appliance_id);
    enum cf_rc rc = domain_map_write(&w->map, &w->map_bytes, e);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, w->map_bytes.data, w->map_bytes.len, out->document_id, e);
    if (rc == CF_OK)
        rc = sign(w, &s, e);
    return rc == CF_OK ? domain_signature_write(&s, &w->signature, e) : rc;
}

/* --- JSON, members in ASCII order (FORMAT.md 3.1) --- */

static void put_shares(struct json_wr *j, const struct work *w)
{
    json_put_array(j, "enc_shares");
    for (size_t i = 0; i < w->map.sharing.count; i++) {
        json_put_object(j, NULL);
        json_put_text_n(j, "enc_key", w->enc_key[i].data, w->enc_key[i].len);
        json_put_base64url(j, "x5t_256", w->map.holder[i].pub.x5t, 32);
        json_close(j);
    }
    json_close(j);
}

static enum cf_rc put_text(const struct work *w, struct cf_buf *out, struct cf_err *e)
{
    struct json_wr j;
    json_wr_init(&j, out, e);
    json_put_object(&j, NULL);
    json_put_object(&j, "EncData");
    json_put_array(&j, "data");
    json_put_object(&j, NULL);
    json_put_text_n(&j, "compact_jwe", w->item.data, w->item.len);
    json_put_text(&j, "tag", DOMAIN_TAG);
    json_close(&j);
    json_close(&j);
    json_put_text(&j, "kdf", "sp108_kdf");
    json_close(&j);
    json_put_object(&j, "SharedKeys");
    json_put_base64url(&j, "coffer", w->map_bytes.data, w->map_bytes.len);
    json_put_base64url(&j, "coffer_sig", w->signature.data, w->signature.len);
    put_shares(&j, w);
    json_put_text(&j, "key_algorithm", "shamir_share");
    json_put_int(&j, "required", w->map.sharing.quorum);
    json_close(&j);
    json_put_int(&j, "version", 2);
    json_close(&j);
    return json_wr_end(&j);
}

static void work_free(struct work *w)
{
    if (!w)
        return;
    cf_secret_free(w->master);
    cf_secret_free(w->shares);
    for (size_t i = 0; i < DOMAIN_HOLDERS_MAX; i++)
        cf_buf_clear(&w->enc_key[i]);
    cf_buf_clear(&w->item);
    cf_buf_clear(&w->map_bytes);
    cf_buf_clear(&w->signature);
    free(w);
}

/* Our own reader judges what is handed out. */
static enum cf_rc read_back(const struct domain_dealt *out, struct cf_err *e)
{
    struct domain_document *d = NULL;
    enum cf_rc rc = domain_document_parse((const char *)out->text.data, out->text.len, &d, e);
    domain_document_free(d);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "the document made does not read");
}

enum cf_rc domain_deal(const struct domain_deal *d, struct domain_dealt *out, struct cf_err *e)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a document");
    w->in = d;
    enum cf_rc rc = describe_identity(d, &out->identity, e);
    if (rc == CF_OK)
        rc = draw_master(w, e);
    for (size_t i = 0; i < d->panel->count && rc == CF_OK; i++)
        rc = deal_share(w, i, e);
    if (rc == CF_OK)
        rc = seal_keyring(w, e);
    if (rc == CF_OK)
        rc = fingerprints(w, e);
    if (rc == CF_OK)
        rc = sign_map(w, out, e);
    if (rc == CF_OK)
        rc = put_text(w, &out->text, e);
    if (rc == CF_OK)
        rc = read_back(out, e);
    work_free(w);
    return rc;
}
