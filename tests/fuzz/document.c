/* No document crashes the reader; what it accepts is whole. */
#include <stdlib.h>

#include "domain/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct domain_document *d = NULL;
    const struct domain_holder *h = NULL;
    struct cf_err err = { 0 };
    if (domain_document_parse((const char *)data, size, &d, &err) == CF_OK) {
        const struct domain_sharing *s = domain_document_sharing(d);
        if (domain_document_holders(d, &h) != s->count || s->quorum > s->count)
            abort();
    } else if (d || err.rc == CF_OK) {
        abort();
    }
    domain_document_free(d);
    return 0;
}
