#include <string.h>

#include "domain_priv.h"

#define WORDS      32
#define VALUE_BITS 9
#define VALUE_MASK 0x1ffu
#define VALUE_MAX  256u
/* 255 * 257: 16-bit numbers below it are uniform modulo 257. */
#define FAIR_LIMIT 65535u

_Static_assert(DOMAIN_SHARE_SIZE == 2 * WORDS && DOMAIN_MASTER_SIZE == WORDS, "a word a byte");

static uint16_t word_at(const uint8_t *share, size_t i)
{
    return (uint16_t)(share[2 * i] | share[2 * i + 1] << 8);
}

enum cf_rc domain_share_x(const uint8_t *share, size_t len, uint8_t *x, struct cf_err *e)
{
    uint32_t differ = 0, over = 0;
    if (len != DOMAIN_SHARE_SIZE)
        return CF_FAIL(e, CF_E_CORRUPT, "not a share: %zu bytes", len);
    uint32_t first = (uint32_t)word_at(share, 0) >> VALUE_BITS;
    for (size_t i = 0; i < WORDS; i++) {
        uint32_t w = word_at(share, i);
        differ |= (w >> VALUE_BITS) ^ first;
        over |= (VALUE_MAX - (w & VALUE_MASK)) >> 31; /* the borrow of a value over 256 */
    }
    if (differ || over || first == 0 || first > DOMAIN_X_MAX)
        return CF_FAIL(e, CF_E_CORRUPT, "not a share");
    *x = (uint8_t)first;
    return CF_OK;
}

/* --- splitting --- */

/* Uniform numbers modulo 257 from a source of bytes. */
struct dice {
    domain_random_fn *random;
    void *ctx;
    uint8_t pool[512];
    size_t left;
};

static enum cf_rc roll(struct dice *d, uint16_t *out, struct cf_err *e)
{
    for (;;) {
        if (d->left == 0) {
            enum cf_rc rc = d->random(d->ctx, d->pool, sizeof d->pool, e);
            if (rc != CF_OK)
                return rc;
            d->left = sizeof d->pool;
        }
        d->left -= 2;
        uint32_t v = (uint32_t)d->pool[d->left] << 8 | d->pool[d->left + 1];
        if (v < FAIR_LIMIT) {
            *out = (uint16_t)(v % 257);
            return CF_OK;
        }
    }
}

static enum cf_rc deal_column(const struct domain_sharing *s, size_t column, uint8_t secret,
                              struct dice *d, uint8_t *shares, struct cf_err *e)
{
    uint16_t a[DOMAIN_HOLDERS_MAX - 1];
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; i + 1 < s->quorum && rc == CF_OK; i++)
        rc = roll(d, &a[i], e);
    for (uint32_t x = 1; x <= s->count && rc == CF_OK; x++) {
        uint32_t v = domain_gf_eval(secret, a, (size_t)s->quorum - 1, x);
        uint8_t *to = shares + (size_t)(x - 1) * DOMAIN_SHARE_SIZE + 2 * column;
        cf_le16(to, (uint16_t)(x << VALUE_BITS | v));
    }
    cf_wipe(a, sizeof a);
    return rc;
}

/* Shares M+1..N must lie on the polynomials of the first M, in every column. */
static enum cf_rc prove_columns(const struct domain_sharing *s, const uint8_t *shares,
                                struct cf_err *e)
{
    uint8_t x[DOMAIN_HOLDERS_MAX];
    uint32_t weight[DOMAIN_HOLDERS_MAX], wrong = 0;
    uint16_t value[DOMAIN_HOLDERS_MAX];
    for (uint8_t i = 0; i < s->quorum; i++)
        x[i] = (uint8_t)(i + 1);
    for (uint32_t place = s->quorum + 1u; place <= s->count; place++) {
        domain_gf_weights(x, s->quorum, place, weight);
        for (size_t column = 0; column < WORDS; column++) {
            for (size_t i = 0; i < s->quorum; i++)
                value[i] = word_at(shares + i * DOMAIN_SHARE_SIZE, column) & VALUE_MASK;
            uint32_t v =
                word_at(shares + (size_t)(place - 1) * DOMAIN_SHARE_SIZE, column) & VALUE_MASK;
            wrong |= v ^ domain_gf_sum(weight, value, s->quorum);
        }
    }
    cf_wipe(value, sizeof value);
    return wrong ? CF_FAIL(e, CF_E_STATE, "the shares dealt are not consistent") : CF_OK;
}

/* The first M of a random order of the N shares must give the master key. */
static enum cf_rc prove_master(const struct domain_sharing *s, const struct cf_secret *shares,
                               const struct cf_secret *master, struct dice *d, struct cf_err *e)
{
    struct cf_secret *some = NULL, *again = NULL;
    uint8_t order[DOMAIN_HOLDERS_MAX];
    enum cf_rc rc = cf_secret_new((size_t)s->quorum * DOMAIN_SHARE_SIZE, &some, e);
    for (uint8_t i = 0; i < s->count; i++)
        order[i] = i;
    for (uint8_t i = 0; i < s->quorum && i < s->count && rc == CF_OK; i++) {
        uint16_t r = 0;
        rc = roll(d, &r, e);
        uint8_t j = (uint8_t)(i + r % (s->count - i)), t = order[i];
        order[i] = order[j];
        order[j] = t;
        if (rc == CF_OK)
            memcpy(cf_secret_data(some) + (size_t)i * DOMAIN_SHARE_SIZE,
                   cf_secret_view(shares) + (size_t)order[i] * DOMAIN_SHARE_SIZE,
                   DOMAIN_SHARE_SIZE);
    }
    if (rc == CF_OK)
        rc = domain_combine(some, s->quorum, &again, e);
    if (rc == CF_OK && !cf_equal(cf_secret_view(again), cf_secret_view(master), DOMAIN_MASTER_SIZE))
        rc = CF_FAIL(e, CF_E_STATE, "the shares dealt do not give the master key");
    cf_secret_free(again);
    cf_secret_free(some);
    return rc;
}

enum cf_rc domain_split(const struct domain_sharing *s, const struct cf_secret *master,
                        domain_random_fn *random, void *ctx, struct cf_secret **shares,
                        struct cf_err *e)
{
    struct dice d = { .random = random, .ctx = ctx };
    *shares = NULL;
    if (s->quorum < DOMAIN_QUORUM_MIN || s->quorum > s->count || s->count > DOMAIN_HOLDERS_MAX ||
        s->count < DOMAIN_HOLDERS_MIN || cf_secret_len(master) != DOMAIN_MASTER_SIZE)
        return CF_FAIL(e, CF_E_ARG, "bad sharing");
    enum cf_rc rc = cf_secret_new((size_t)s->count * DOMAIN_SHARE_SIZE, shares, e);
    for (size_t i = 0; i < WORDS && rc == CF_OK; i++)
        rc = deal_column(s, i, cf_secret_view(master)[i], &d, cf_secret_data(*shares), e);
    if (rc == CF_OK)
        rc = prove_columns(s, cf_secret_view(*shares), e);
    if (rc == CF_OK)
        rc = prove_master(s, *shares, master, &d, e);
    cf_wipe(&d, sizeof d);
    if (rc != CF_OK) {
        cf_secret_free(*shares);
        *shares = NULL;
    }
    return rc;
}

/* --- combining --- */

static enum cf_rc places(const uint8_t *shares, size_t n, uint8_t *x, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; i < n && rc == CF_OK; i++) {
        rc = domain_share_x(shares + i * DOMAIN_SHARE_SIZE, DOMAIN_SHARE_SIZE, &x[i], e);
        for (size_t j = 0; j < i && rc == CF_OK; j++)
            if (x[j] == x[i])
                rc = CF_FAIL(e, CF_E_CORRUPT, "share of officer %u given twice", x[i]);
    }
    return rc;
}

enum cf_rc domain_combine(const struct cf_secret *shares, size_t n, struct cf_secret **master,
                          struct cf_err *e)
{
    uint8_t x[DOMAIN_HOLDERS_MAX];
    uint32_t weight[DOMAIN_HOLDERS_MAX], over = 0;
    uint16_t value[DOMAIN_HOLDERS_MAX];
    *master = NULL;
    if (n < DOMAIN_QUORUM_MIN || n > DOMAIN_HOLDERS_MAX ||
        cf_secret_len(shares) != n * DOMAIN_SHARE_SIZE)
        return CF_FAIL(e, CF_E_ARG, "bad number of shares");
    const uint8_t *all = cf_secret_view(shares);
    enum cf_rc rc = places(all, n, x, e);
    if (rc == CF_OK)
        rc = cf_secret_new(DOMAIN_MASTER_SIZE, master, e);
    if (rc != CF_OK)
        return rc;
    domain_gf_weights(x, n, 0, weight);
    for (size_t column = 0; column < WORDS; column++) {
        for (size_t i = 0; i < n; i++)
            value[i] = word_at(all + i * DOMAIN_SHARE_SIZE, column) & VALUE_MASK;
        uint32_t v = domain_gf_sum(weight, value, n);
        over |= v >> 8;
        cf_secret_data(*master)[column] = (uint8_t)v;
    }
    cf_wipe(value, sizeof value);
    if (!over)
        return CF_OK;
    cf_secret_free(*master);
    *master = NULL;
    return CF_FAIL(e, CF_E_AUTH, "shares do not combine");
}

/* --- checks --- */

#define CONTEXT_MAX 35

static size_t context(const struct domain_sharing *s, uint8_t out[CONTEXT_MAX])
{
    memcpy(out, s->domain_id, 16);
    memcpy(out + 16, s->sharing_id, 16);
    out[32] = s->quorum;
    out[33] = s->count;
    return 34;
}

enum cf_rc domain_share_check(const struct domain_sharing *s,
                              const uint8_t share[DOMAIN_SHARE_SIZE],
                              uint8_t out[CRYPTO_P256_POINT_SIZE], struct cf_err *e)
{
    uint8_t ctx[CONTEXT_MAX], z[64], d[32], x = 0;
    size_t len = context(s, ctx);
    enum cf_rc rc = domain_share_x(share, DOMAIN_SHARE_SIZE, &x, e);
    ctx[len++] = x;
    if (rc == CF_OK)
        rc = crypto_kdf512(crypto_bytes_of(share, DOMAIN_SHARE_SIZE), "coffer.v1.share",
                           crypto_bytes_of(ctx, len), z, sizeof z, e);
    if (rc == CF_OK)
        rc = crypto_p256_scalar(z, d, e);
    if (rc == CF_OK)
        rc = crypto_p256_point(d, out, e);
    cf_wipe(z, sizeof z);
    cf_wipe(d, sizeof d);
    return rc;
}

enum cf_rc domain_master_check(const struct domain_sharing *s, const struct cf_secret *master,
                               uint8_t out[32], struct cf_err *e)
{
    uint8_t ctx[CONTEXT_MAX], z[64];
    size_t len = context(s, ctx);
    enum cf_rc rc = crypto_kdf512(crypto_bytes_of(cf_secret_view(master), cf_secret_len(master)),
                                  "coffer.v1.master", crypto_bytes_of(ctx, len), z, sizeof z, e);
    if (rc == CF_OK)
        memcpy(out, z, 32);
    cf_wipe(z, sizeof z);
    return rc;
}
