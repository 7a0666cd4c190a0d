/* The key blob (FORMAT.md 3.1): built here, taken apart here, MACed by the token. */
#include "keystore_priv.h"

#include <string.h>

#include "base/text.h"
#include "crypto/pkey.h"

#define MAGIC         "CFRK"
#define HEAD          80
#define CLASS_SECRET  4 /* PKCS#11's CKO numbers */
#define CLASS_PRIVATE 3
#define MATERIAL_MAX  16000
#define SPKI_MAX      4096
#define FLAGS         (KEYBLOB_EXPORTABLE | KEYBLOB_IMPORTED)

struct hal_key_name domain_key(const struct keystore *ks, enum hal_role role, uint32_t generation)
{
    struct hal_key_name k = { .role = role, .generation = generation };
    memcpy(k.domain_id, ks->o.domain_id, sizeof k.domain_id);
    return k;
}

/* --- reading
 * ----------------------------------------------------------------------------------------- */

static bool spec_of(uint8_t type, uint16_t size, uint32_t material, struct hal_key_spec *out)
{
    *out = (struct hal_key_spec){ 0 };
    switch (type) {
    case HAL_RSA:
        *out = (struct hal_key_spec){ .type = HAL_RSA, .bits = size };
        return size >= 1024 && size <= 8192 && size % 8 == 0;
    case HAL_EC:
        *out = (struct hal_key_spec){ .type = HAL_EC, .curve = (enum hal_curve)size };
        return size >= HAL_P256 && size <= HAL_P256K;
    case HAL_OCT:
        *out = (struct hal_key_spec){ .type = HAL_OCT, .bits = size };
        return material <= 64 && size == 8 * material;
    default:
        return false;
    }
}

struct head {
    uint8_t class, type;
    uint16_t size;
    uint16_t spki_len, name_len;
    uint32_t wrapped_len, reserved;
};

static void read_head(struct cf_rd *r, struct head *h, struct keyblob *out)
{
    h->class = cf_rd_u8(r);
    h->type = cf_rd_u8(r);
    h->size = cf_rd_le16(r);
    out->flags = cf_rd_le16(r);
    out->material_len = cf_rd_le32(r);
    memcpy(out->domain_id, cf_rd_bytes(r, HAL_DOMAIN_ID_SIZE), HAL_DOMAIN_ID_SIZE);
    out->generation = cf_rd_le32(r);
    h->wrapped_len = cf_rd_le32(r);
    h->spki_len = cf_rd_le16(r);
    h->name_len = cf_rd_le16(r);
    h->reserved = cf_rd_le32(r);
    memcpy(out->version_id, cf_rd_bytes(r, KEYSTORE_ID_SIZE), KEYSTORE_ID_SIZE);
    out->created = cf_rd_le64(r);
    memcpy(out->kcv, cf_rd_bytes(r, HAL_KCV_SIZE), HAL_KCV_SIZE);
}

static bool head_valid(const struct head *h, struct keyblob *b)
{
    bool oct = h->type == HAL_OCT;
    return spec_of(h->type, h->size, b->material_len, &b->spec) &&
           h->class == (oct ? CLASS_SECRET : CLASS_PRIVATE) && !(b->flags & ~(unsigned)FLAGS) &&
           b->material_len >= 1 && b->material_len <= MATERIAL_MAX &&
           h->wrapped_len == 8 + (b->material_len + 7) / 8 * 8 && !h->reserved &&
           (oct || cf_all_bytes(b->kcv, sizeof b->kcv, 0)) &&
           (oct ? h->spki_len == 0 : h->spki_len >= 1 && h->spki_len <= SPKI_MAX) &&
           h->name_len >= 1 && h->name_len <= KEYSTORE_NAME_MAX;
}

enum cf_rc keyblob_parse(struct crypto_bytes in, struct keyblob *out, struct cf_err *e)
{
    struct head h;
    struct keyblob b = { 0 };
    struct cf_rd r = cf_rd_of(in.p, in.len);
    if (in.len > KEYBLOB_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "key blob of %zu bytes", in.len);
    if (in.len < HEAD + HAL_MAC_SIZE || !cf_equal(cf_rd_bytes(&r, 4), MAGIC, 4))
        return CF_FAIL(e, CF_E_CORRUPT, "not a key blob");
    uint8_t version = cf_rd_u8(&r), suite = cf_rd_u8(&r);
    if (version != 1 || suite != 1)
        return CF_FAIL(e, CF_E_CORRUPT, "key blob of a newer format");
    read_head(&r, &h, &b);
    if (!head_valid(&h, &b))
        return CF_FAIL(e, CF_E_CORRUPT, "key blob with a head that none can have");
    b.name = crypto_bytes_of(cf_rd_bytes(&r, h.name_len), h.name_len);
    b.spki = crypto_bytes_of(cf_rd_bytes(&r, h.spki_len), h.spki_len);
    b.wrapped = crypto_bytes_of(cf_rd_bytes(&r, h.wrapped_len), h.wrapped_len);
    b.mac = cf_rd_bytes(&r, HAL_MAC_SIZE);
    b.maced = crypto_bytes_of(in.p, in.len - HAL_MAC_SIZE);
    if (!cf_rd_done(&r) || !name_is_lower(b.name.p, b.name.len))
        return CF_FAIL(e, CF_E_CORRUPT, "key blob whose parts do not fill it");
    *out = b;
    return CF_OK;
}

enum cf_rc keyblob_ours(const struct keystore *ks, const struct keyblob *b, struct cf_err *e)
{
    if (!cf_equal(b->domain_id, ks->o.domain_id, sizeof b->domain_id))
        return CF_FAIL(e, CF_E_DENIED, "key of another security domain");
    for (size_t i = 0; i < ks->o.generations; i++)
        if (ks->o.generation[i] == b->generation)
            return CF_OK;
    return CF_FAIL(e, CF_E_DENIED, "key needs generation %u of the domain", b->generation);
}

enum cf_rc keyblob_belongs(const struct keyblob *b, const char *lower,
                           const struct keystore_version *v, struct cf_err *e)
{
    uint8_t id[KEYSTORE_ID_SIZE];
    size_t len = strlen(lower);
    bool exportable = (b->flags & KEYBLOB_EXPORTABLE) != 0;
    if (b->name.len != len || !cf_equal(b->name.p, lower, len) || !version_id_parse(v->id, id) ||
        !cf_equal(id, b->version_id, sizeof id) || b->created != v->created ||
        exportable != v->exportable)
        return CF_FAIL(e, CF_E_AUTH, "a key blob stands in another key's row");
    return CF_OK;
}

/* In full, with the point on its curve: for what a token has just made or was given. */
static bool pub_fits(struct crypto_bytes spki, const struct hal_key_spec *spec)
{
    struct crypto_pub pub;
    if (spec->type == HAL_OCT)
        return spki.len == 0;
    if (crypto_pub_from_spki(spki, &pub, NULL) != CF_OK || pub.type != spec->type)
        return false;
    return spec->type == HAL_RSA ? pub.bits == spec->bits : pub.curve == spec->curve;
}

enum cf_rc keyblob_spki_fits(const struct keyblob *b, struct cf_err *e)
{
    return spki_fits(b->spki, &b->spec)
               ? CF_OK
               : CF_FAIL(e, CF_E_CORRUPT, "a key blob's public half is of another kind");
}

enum cf_rc keyblob_describe(const struct keyblob *b, struct keystore_version *v, struct cf_err *e)
{
    v->spec = b->spec;
    v->imported = (b->flags & KEYBLOB_IMPORTED) != 0;
    return cf_buf_put(&v->spki, b->spki.p, b->spki.len, e);
}

enum cf_rc keyblob_bound(const struct keyblob *b, struct cf_buf *out, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put(out, KEYBLOB_LABEL, sizeof KEYBLOB_LABEL, e);
    return rc == CF_OK ? cf_buf_put(out, b->maced.p, b->maced.len, e) : rc;
}

void keyblob_user_key(const struct keyblob *b, const struct cf_buf *bound, struct hal_user_key *out)
{
    *out = (struct hal_user_key){
        .kek = { .role = HAL_ROLE_KEK, .generation = b->generation },
        .mac_key = { .role = HAL_ROLE_MK, .generation = b->generation },
        .spec = b->spec,
        .wrapped = b->wrapped.p,
        .wrapped_len = b->wrapped.len,
        .spki = b->spki.len ? b->spki.p : NULL,
        .spki_len = b->spki.len,
        .material_len = b->material_len,
        .bound = bound->data,
        .bound_len = bound->len,
    };
    memcpy(out->kek.domain_id, b->domain_id, sizeof b->domain_id);
    memcpy(out->mac_key.domain_id, b->domain_id, sizeof b->domain_id);
    memcpy(out->kcv, b->kcv, sizeof b->kcv);
    memcpy(out->bound_mac, b->mac, sizeof out->bound_mac);
}

/* --- writing
 * ------------------------------------------------------------------------------------------ */

static void write_head(const struct keystore *ks, const char *lower,
                       const struct keystore_version *v, const struct hal_wrapped *w,
                       uint8_t out[HEAD])
{
    bool oct = v->spec.type == HAL_OCT;
    unsigned flags =
        (v->exportable ? KEYBLOB_EXPORTABLE : 0U) | (v->imported ? KEYBLOB_IMPORTED : 0U);
    memset(out, 0, HEAD);
    memcpy(out, MAGIC, 4);
    out[4] = 1;
    out[5] = 1;
    out[6] = oct ? CLASS_SECRET : CLASS_PRIVATE;
    out[7] = (uint8_t)v->spec.type;
    cf_le16(out + 8, (uint16_t)(v->spec.type == HAL_EC ? (uint32_t)v->spec.curve : v->spec.bits));
    cf_le16(out + 10, (uint16_t)flags);
    cf_le32(out + 12, w->material_len);
    memcpy(out + 16, ks->o.domain_id, HAL_DOMAIN_ID_SIZE);
    cf_le32(out + 32, ks->o.generation[0]);
    cf_le32(out + 36, (uint32_t)w->wrapped.len);
    cf_le16(out + 40, (uint16_t)w->spki.len);
    cf_le16(out + 42, (uint16_t)strlen(lower));
    if (!version_id_parse(v->id, out + 48))
        memset(out + 48, 0, KEYSTORE_ID_SIZE);
    cf_le64(out + 64, v->created);
    memcpy(out + 72, w->kcv, HAL_KCV_SIZE);
}

/* Label, head, name, SPKI, wrapped: the message under the MAC. */
static enum cf_rc build(const struct keystore *ks, const char *lower,
                        const struct keystore_version *v, const struct hal_wrapped *w,
                        struct cf_buf *msg, struct cf_err *e)
{
    uint8_t head[HEAD];
    write_head(ks, lower, v, w, head);
    enum cf_rc rc = cf_buf_put(msg, KEYBLOB_LABEL, sizeof KEYBLOB_LABEL, e);
    if (rc == CF_OK)
        rc = cf_buf_put(msg, head, sizeof head, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(msg, lower, e);
    if (rc == CF_OK)
        rc = cf_buf_put(msg, w->spki.data, w->spki.len, e);
    if (rc == CF_OK)
        rc = cf_buf_put(msg, w->wrapped.data, w->wrapped.len, e);
    return rc;
}

enum cf_rc keyblob_make(struct keystore *ks, const char *lower, const struct keystore_version *v,
                        const struct hal_wrapped *w, struct cf_buf *out, struct cf_err *e)
{
    struct cf_buf msg = { 0 };
    struct keyblob check;
    uint8_t mac[HAL_MAC_SIZE];
    struct hal_key_name mk = domain_key(ks, HAL_ROLE_MK, ks->o.generation[0]);
    enum cf_rc rc = CF_OK;
    if (!pub_fits(bytes_of(&w->spki), &v->spec))
        return CF_FAIL(e, CF_E_TOKEN, "the token made a key of another kind than asked for");
    rc = build(ks, lower, v, w, &msg, e);
    if (rc == CF_OK)
        rc = hal_token_mac(ks->o.token, &mk, msg.data, msg.len, mac, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, msg.data + sizeof KEYBLOB_LABEL, msg.len - sizeof KEYBLOB_LABEL, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, mac, sizeof mac, e);
    /* What a reader would refuse must not be written: lengths are the token's word. */
    if (rc == CF_OK && keyblob_parse(bytes_of(out), &check, NULL) != CF_OK)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token wrapped %u bytes into %zu", w->material_len,
                     w->wrapped.len);
    cf_buf_clear(&msg);
    return rc;
}
