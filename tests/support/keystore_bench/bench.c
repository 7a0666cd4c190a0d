#include "support/keystore_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "hal_sim/hal_sim.h"
#include "support/fake_token.h"
#include "support/scratch.h"

static const uint8_t domain[HAL_DOMAIN_ID_SIZE] = "a test's domain";

static void must(enum cf_rc rc, const struct cf_err *e)
{
    if (rc == CF_OK)
        return;
    fprintf(stderr, "key store bench: %s\n", e->text);
    abort();
}

/* FORMAT.md 4, with an appliance id of zeros. */
static enum cf_rc derive_one(struct hal_token *t, const char *label, const uint8_t *epoch,
                             struct cf_secret **out, struct cf_err *e)
{
    struct hal_key_name mk = { .role = HAL_ROLE_MK, .generation = 1 };
    uint8_t ctx[16 + STORE_EPOCH_SIZE] = { 0 };
    struct cf_buf msg = { 0 };
    memcpy(mk.domain_id, domain, sizeof domain);
    memcpy(ctx + 16, epoch, STORE_EPOCH_SIZE);
    enum cf_rc rc = cf_secret_new(HAL_MAC_SIZE, out, e);
    if (rc == CF_OK)
        rc = crypto_kdf_message(label, ctx, sizeof ctx, &msg, e);
    if (rc == CF_OK)
        rc = hal_token_mac(t, &mk, msg.data, msg.len, cf_secret_data(*out), e);
    cf_buf_clear(&msg);
    return rc;
}

enum cf_rc keystore_bench_derive(void *arg, const uint8_t epoch[STORE_EPOCH_SIZE], unsigned try_,
                                 struct store_keys *out, struct cf_err *e)
{
    if (try_)
        return CF_FAIL(e, CF_E_ABSENT, "one generation only");
    enum cf_rc rc = derive_one(arg, "coffer.v1.page", epoch, &out->page, e);
    return rc == CF_OK ? derive_one(arg, "coffer.v1.row", epoch, &out->row, e) : rc;
}

static void open_all(struct keystore_bench *b)
{
    struct cf_err e = { 0 };
    struct store_live_options lo = { .dir = b->dir,
                                     .derive = keystore_bench_derive,
                                     .derive_arg = b->token,
                                     .log_max = b->log_max };
    enum cf_rc rc = store_live_open(&lo, &b->live, &e);
    if (rc == CF_E_ABSENT) {
        e = (struct cf_err){ 0 };
        rc = store_live_create(&lo, &b->live, &e);
    }
    must(rc, &e);
    b->options.live = b->live;
    must(keystore_open(&b->options, &b->ks, &e), &e);
}

static void set_up(struct keystore_bench *b)
{
    b->token = fake_token_in_domain(domain, 1, 7);
    b->clock = hal_sim_clock_new((int64_t)KEYSTORE_BENCH_START_S * 1000);
    b->options = (struct keystore_options){ .token = b->token,
                                            .clock = b->clock,
                                            .generation = { 1 },
                                            .generations = 1,
                                            .retention_days = 7 };
    memcpy(b->options.domain_id, domain, sizeof domain);
    open_all(b);
}

void keystore_bench_open(struct keystore_bench *b)
{
    *b = (struct keystore_bench){ 0 };
    scratch_make(b->dir);
    b->dir_is_ours = true;
    set_up(b);
}

void keystore_bench_open_at(struct keystore_bench *b, const char *dir)
{
    *b = (struct keystore_bench){ 0 };
    snprintf(b->dir, sizeof b->dir, "%s", dir);
    set_up(b);
}

static void close_all(struct keystore_bench *b)
{
    keystore_close(b->ks);
    store_live_close(b->live);
}

void keystore_bench_reopen(struct keystore_bench *b)
{
    close_all(b);
    open_all(b);
}

void keystore_bench_close(struct keystore_bench *b)
{
    close_all(b);
    hal_token_close(b->token);
    hal_sim_clock_free(b->clock);
    if (b->dir_is_ours)
        scratch_remove(b->dir);
}

enum cf_rc keystore_bench_make(struct keystore_bench *b, const char *name,
                               const struct hal_key_spec *spec, struct keystore_bundle *out,
                               struct cf_err *e)
{
    struct keystore_new n = { .spec = *spec };
    return keystore_create(b->ks, name, &n, out, e);
}
