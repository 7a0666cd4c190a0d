/* What a blob service answers in XML. First byte: which list, and in which pieces it comes; whole
 * and in pieces it must read the same. */
#include <stdlib.h>
#include <string.h>

#include "azure/azure_priv.h"

struct seen {
    unsigned count;
    uint64_t sum;
};

static enum cf_rc on_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    struct seen *s = ctx;
    (void)e;
    s->count++;
    s->sum = s->sum * 31 + size + strlen(name);
    return CF_OK;
}

static enum cf_rc on_block(void *ctx, bool committed, const struct blob_block_id *id, uint64_t size,
                           struct cf_err *e)
{
    struct seen *s = ctx;
    (void)e;
    s->count++;
    s->sum = s->sum * 31 + size + committed + id->bytes[0];
    return CF_OK;
}

static enum cf_rc read_list(const uint8_t *data, size_t size, bool blocks, size_t step,
                            struct seen *s)
{
    char prefix[] = "p/";
    struct azure_store store = { .prefix = prefix };
    struct azure_list l = {
        .store = &store, .each_name = on_name, .each_block = blocks ? on_block : NULL, .ctx = s
    };
    enum cf_rc rc = blob_azure_list_start(&l, NULL);
    for (size_t at = 0; rc == CF_OK && at < size; at += step)
        rc = blob_azure_xml_feed(l.xml, data + at, size - at < step ? size - at : step, NULL);
    if (rc == CF_OK)
        rc = blob_azure_xml_end(l.xml, NULL);
    blob_azure_list_clear(&l);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char code[64], message[256];
    struct seen whole = { 0 }, pieces = { 0 };
    if (size == 0)
        return 0;
    bool blocks = data[0] & 1;
    size_t step = 1 + (data[0] >> 1);
    enum cf_rc a = read_list(data + 1, size - 1, blocks, size, &whole);
    enum cf_rc b = read_list(data + 1, size - 1, blocks, step, &pieces);
    if (a != b || (a == CF_OK && (whole.count != pieces.count || whole.sum != pieces.sum)))
        abort();
    blob_azure_error_body(data + 1, size - 1, code, message);
    return 0;
}
