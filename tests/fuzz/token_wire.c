/* Whatever the other end of the token's socket sends is read without a fault; a request that reads
 * well is written again as the same bytes. The first byte picks the reader. */
#include <stdlib.h>
#include <string.h>

#include "hal/token.h"
#include "worker/wire_priv.h"

static void request(struct cf_rd r)
{
    struct cf_buf b = { 0 };
    struct p11_wr w = { .b = &b };
    struct hal_user_key k = { .wrapped = NULL };
    struct hal_op op;
    const struct cf_rd whole = r;
    p11_get_user_key(&r, &k);
    p11_get_op(&r, &op);
    if (!cf_rd_done(&r))
        return;
    p11_put_user_key(&w, &k);
    p11_put_op(&w, &op);
    if (w.rc != CF_OK || b.len != whole.left || memcmp(b.data, whole.p, b.len) != 0)
        abort();
    cf_buf_clear(&b);
}

static void answer(struct cf_rd r, unsigned kind)
{
    struct cf_err err = { 0 };
    struct hal_result result = { 0 };
    struct hal_wrapped wrapped = { 0 };
    struct hal_token_info info;
    if (kind == 0 && p11_get_result(&r, &result, &err) == CF_OK && result.iv_len > sizeof result.iv)
        abort();
    if (kind == 1 && p11_get_wrapped(&r, &wrapped, &err) == CF_OK &&
        wrapped.wrapped.len > HAL_WRAPPED_MAX)
        abort();
    if (kind == 2)
        p11_get_info(&r, &info);
    if (kind == 3 && p11_get_failure(&r, CF_E_INPUT, &err) == CF_OK)
        abort();
    hal_result_clear(&result);
    hal_wrapped_clear(&wrapped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p11_header h;
    if (size == 0)
        return 0;
    struct cf_rd r = cf_rd_of(data + 1, size - 1);
    if (size > P11_HEADER_SIZE)
        (void)!p11_header_get(data + 1, &h, NULL);
    if (data[0] % 5 == 4)
        request(r);
    else
        answer(r, data[0] % 5);
    return 0;
}
