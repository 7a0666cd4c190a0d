/* Bytes of a record and of a segment's header (FORMAT.md 3). */
#include "audit_priv.h"

#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "crypto/crypto.h"

#define RECORD_MAGIC "CFAR"
#define HEADER_MAGIC "CFRAUD01"
#define FIXED        48
#define HASHES       ((size_t)2 * AUDIT_HASH_SIZE)
#define LENGTHS      ((size_t)2 * AUDIT_TEXTS)
#define RECORD_MIN   (FIXED + HASHES)

static const size_t text_max[AUDIT_TEXTS] = { AUDIT_OPERATION_MAX, AUDIT_PRINCIPAL_MAX,
                                              AUDIT_RESOURCE_MAX, AUDIT_REQUEST_ID_MAX,
                                              AUDIT_DETAIL_MAX };

_Static_assert(RECORD_MIN + AUDIT_OPERATION_MAX + AUDIT_PRINCIPAL_MAX + AUDIT_RESOURCE_MAX +
                       AUDIT_REQUEST_ID_MAX + AUDIT_DETAIL_MAX + 7 <=
                   AUDIT_RECORD_MAX,
               "a record with the longest texts fits");
_Static_assert(AUDIT_BATCH_MAX + AUDIT_HEADER_SIZE <= AUDIT_SEGMENT_MIN, "a batch fits a segment");

static enum cf_rc hash_record(const uint8_t *record, size_t len, uint8_t out[AUDIT_HASH_SIZE],
                              struct cf_err *e)
{
    static const char label[] = "coffer.v1.audit"; /* its NUL is the 00 */
    uint8_t message[sizeof label + AUDIT_RECORD_MAX];

    memcpy(message, label, sizeof label);
    memcpy(message + sizeof label, record, len);
    return crypto_digest(HAL_SHA256, message, sizeof label + len, out, e);
}

/* --- out ------------------------------------------------------------------------------------- */

/* Puts at most `max` bytes and a NUL behind them, which the next text overwrites. */
static size_t cut_text(const char *text, size_t max, char *out)
{
    if (text == NULL)
        return 0;
    if (cf_utf8_clean(text, out, max + 1)) {
        cf_utf8_clean(text, out, max - 1);
        memcpy(out + strlen(out), "..", 3);
    }
    return strlen(out);
}

enum cf_rc audit_record_put(const struct audit_record *r, uint32_t place, struct audit_head *head,
                            struct cf_buf *out, struct cf_err *e)
{
    const char *texts[AUDIT_TEXTS] = { r->operation, r->principal, r->resource, r->request_id,
                                       r->detail };
    uint8_t b[AUDIT_RECORD_MAX] = { 0 };
    size_t len = FIXED;

    for (size_t i = 0; i < AUDIT_TEXTS; i++) {
        size_t n = cut_text(texts[i], text_max[i], (char *)b + len);
        cf_le16(b + 32 + 2 * i, (uint16_t)n);
        len += n;
    }
    len = (len + 7) / 8 * 8 + HASHES;
    memcpy(b, RECORD_MAGIC, 4);
    cf_le32(b + 4, (uint32_t)len);
    cf_le64(b + 8, head->sequence + 1);
    cf_le64(b + 16, (uint64_t)r->unix_ms);
    cf_le32(b + 24, r->status);
    cf_le32(b + 28, place);
    memcpy(b + len - HASHES, head->hash, AUDIT_HASH_SIZE);

    struct audit_head next = { .sequence = head->sequence + 1 };
    enum cf_rc rc = hash_record(b, len - AUDIT_HASH_SIZE, next.hash, e);
    if (rc != CF_OK)
        return rc;
    memcpy(b + len - AUDIT_HASH_SIZE, next.hash, AUDIT_HASH_SIZE);
    rc = cf_buf_put(out, b, len, e);
    if (rc == CF_OK)
        *head = next;
    return rc;
}

/* --- back ------------------------------------------------------------------------------------ */

static bool texts_get(struct cf_rd *lengths, struct cf_rd *body, struct audit_found *out)
{
    for (size_t i = 0; i < AUDIT_TEXTS; i++) {
        size_t n = cf_rd_le16(lengths);
        if (n > text_max[i])
            return false;
        const uint8_t *p = cf_rd_bytes(body, n);
        if (p == NULL || memchr(p, 0, n) != NULL)
            return false;
        memcpy(out->text[i], p, n);
        out->text[i][n] = '\0';
    }
    return body->left < 8 && cf_all_bytes(body->p, body->left, 0);
}

static bool own_hash_good(const uint8_t *data, size_t len)
{
    uint8_t hash[AUDIT_HASH_SIZE];

    return hash_record(data, len - AUDIT_HASH_SIZE, hash, NULL) == CF_OK &&
           cf_equal(hash, data + len - AUDIT_HASH_SIZE, AUDIT_HASH_SIZE);
}

bool audit_record_get(const uint8_t *data, size_t len, struct audit_found *out)
{
    struct cf_rd r = cf_rd_of(data, len);
    const uint8_t *magic = cf_rd_bytes(&r, 4);

    if (magic == NULL || !cf_equal(magic, RECORD_MAGIC, 4))
        return false;
    out->length = cf_rd_le32(&r);
    if (out->length < RECORD_MIN || out->length > AUDIT_RECORD_MAX || out->length % 8 != 0 ||
        out->length > len)
        return false;
    out->record = (struct audit_record){ .sequence = cf_rd_le64(&r) };
    out->record.unix_ms = (int64_t)cf_rd_le64(&r);
    out->record.status = cf_rd_le32(&r);
    out->place = cf_rd_le32(&r);
    struct cf_rd lengths = cf_rd_of(cf_rd_bytes(&r, LENGTHS), LENGTHS);
    const uint8_t *reserved = cf_rd_bytes(&r, 6);
    struct cf_rd body = cf_rd_of(data + FIXED, out->length - FIXED - HASHES);
    if (!cf_all_bytes(reserved, 6, 0) || !texts_get(&lengths, &body, out))
        return false;
    if (out->record.sequence == 0 || out->place >= out->record.sequence ||
        !own_hash_good(data, out->length))
        return false;
    memcpy(out->prev, data + out->length - HASHES, AUDIT_HASH_SIZE);
    memcpy(out->hash, data + out->length - AUDIT_HASH_SIZE, AUDIT_HASH_SIZE);
    out->record.operation = out->text[0];
    out->record.principal = out->text[1];
    out->record.resource = out->text[2];
    out->record.request_id = out->text[3];
    out->record.detail = out->text[4];
    return true;
}

/* --- segment header -------------------------------------------------------------------------- */

#define HEADER_HASHED 64

/* With SHA-256 of up to RECORD_MAX bytes there is nothing to fail but a broken provider: then the
 * header is not valid, and the write that follows reports. */
static bool hash_header(const uint8_t *data, uint8_t out[AUDIT_HASH_SIZE])
{
    return crypto_digest(HAL_SHA256, data, HEADER_HASHED, out, NULL) == CF_OK;
}

void audit_header_put(const struct audit_geometry *g, const struct audit_segment *s,
                      uint8_t out[AUDIT_HEADER_SIZE])
{
    memset(out, 0, AUDIT_HEADER_SIZE);
    memcpy(out, HEADER_MAGIC, 8);
    cf_le32(out + 8, g->segment);
    cf_le64(out + 16, s->number);
    cf_le64(out + 24, s->first);
    memcpy(out + 32, s->prev, AUDIT_HASH_SIZE);
    if (!hash_header(out, out + HEADER_HASHED))
        memset(out, 0, AUDIT_HEADER_SIZE);
}

bool audit_header_get(const struct audit_geometry *g, const uint8_t data[AUDIT_HEADER_SIZE],
                      struct audit_segment *out)
{
    struct cf_rd r = cf_rd_of(data, AUDIT_HEADER_SIZE);
    uint8_t hash[AUDIT_HASH_SIZE];

    if (!cf_equal(cf_rd_bytes(&r, 8), HEADER_MAGIC, 8) || cf_rd_le32(&r) != g->segment ||
        cf_rd_le32(&r) != 0)
        return false;
    out->number = cf_rd_le64(&r);
    out->first = cf_rd_le64(&r);
    memcpy(out->prev, cf_rd_bytes(&r, AUDIT_HASH_SIZE), AUDIT_HASH_SIZE);
    return out->first >= 1 && hash_header(data, hash) &&
           cf_equal(hash, data + HEADER_HASHED, AUDIT_HASH_SIZE);
}
