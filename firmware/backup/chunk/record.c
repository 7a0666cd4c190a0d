#include "chunk/chunk.h"

#include "cbor/cbor.h"

enum cf_rc chunk_record_name(const void *record, size_t len, struct cf_rd *name, struct cf_err *e)
{
    struct cbor_rd r;
    size_t n = 0;
    const char *text = NULL;
    cbor_rd_init(&r, record, len, e);
    if (cbor_rd_map(&r, 16) >= 1 && cbor_rd_key(&r) == 1)
        text = cbor_rd_text(&r, FLOW_NAME_MAX, &n);
    if (!cbor_rd_ok(&r) || !text || n == 0)
        return CF_FAIL(e, CF_E_CORRUPT, "a record does not begin with its name");
    *name = cf_rd_of(text, n);
    return CF_OK;
}
