#include "live_priv.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define MAGIC   "CFRSEL01"
#define SUMMED  96
#define SIDE_AT 64

void selector_encode(const struct store_selector *s, uint8_t out[SELECTOR_SIZE])
{
    memcpy(out, MAGIC, 8);
    cf_le64(out + 8, s->flips);
    cf_le64(out + 16, s->number);
    memcpy(out + 24, s->epoch, STORE_EPOCH_SIZE);
    cf_le64(out + 40, s->former);
    memcpy(out + 48, s->former_epoch, STORE_EPOCH_SIZE);
    memcpy(out + SIDE_AT, s->side, STORE_SIDES);
}

static bool sides_valid(const uint8_t side[STORE_SIDES])
{
    for (size_t i = 0; i < STORE_SIDES; i++)
        if (side[i] > 1)
            return false;
    return true;
}

enum cf_rc selector_decode(const uint8_t *in, size_t len, struct store_selector *out,
                           struct cf_err *e)
{
    uint8_t sum[32];
    struct store_selector s = { 0 };
    if (len != SELECTOR_SIZE || !cf_equal(in, MAGIC, 8))
        return CF_FAIL(e, CF_E_CORRUPT, "not a selector");
    enum cf_rc rc = crypto_digest(HAL_SHA256, in, SUMMED, sum, e);
    if (rc != CF_OK)
        return rc;
    struct cf_rd r = cf_rd_of(in + 8, SUMMED - 8);
    s.flips = cf_rd_le64(&r);
    s.number = cf_rd_le64(&r);
    memcpy(s.epoch, cf_rd_bytes(&r, STORE_EPOCH_SIZE), STORE_EPOCH_SIZE);
    s.former = cf_rd_le64(&r);
    memcpy(s.former_epoch, cf_rd_bytes(&r, STORE_EPOCH_SIZE), STORE_EPOCH_SIZE);
    memcpy(s.side, cf_rd_bytes(&r, STORE_SIDES), STORE_SIDES);
    if (!cf_equal(sum, in + SUMMED, sizeof sum) || !s.number || s.number == s.former ||
        !sides_valid(s.side))
        return CF_FAIL(e, CF_E_CORRUPT, "the selector is torn");
    *out = s;
    return CF_OK;
}

static enum cf_rc path_of(const char *dir, char out[PATH_MAX], struct cf_err *e)
{
    int n = snprintf(out, PATH_MAX, "%s/selector", dir);
    return n > 0 && n < PATH_MAX ? CF_OK : CF_FAIL(e, CF_E_ARG, "path too long");
}

enum cf_rc selector_read(const char *dir, struct store_selector *out, struct cf_err *e)
{
    char path[PATH_MAX];
    struct cf_buf b = { 0 };
    enum cf_rc rc = path_of(dir, path, e);
    if (rc == CF_OK)
        rc = cf_file_read(path, SELECTOR_SIZE, &b, e);
    if (rc == CF_E_LIMIT)
        rc = CF_E_CORRUPT;
    if (rc == CF_OK)
        rc = selector_decode(b.data, b.len, out, e);
    cf_buf_clear(&b);
    return rc;
}

enum cf_rc selector_write(const char *dir, const struct store_selector *s, struct cf_err *e)
{
    char path[PATH_MAX];
    uint8_t bytes[SELECTOR_SIZE];
    enum cf_rc rc = path_of(dir, path, e);
    if (rc != CF_OK)
        return rc;
    selector_encode(s, bytes);
    rc = crypto_digest(HAL_SHA256, bytes, SUMMED, bytes + SUMMED, e);
    return rc == CF_OK ? cf_file_write(path, 0600, bytes, sizeof bytes, e) : rc;
}
