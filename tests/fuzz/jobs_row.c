/* A row of the table of jobs: refused as corrupt, or its texts end where they should. */
#include <stdlib.h>
#include <string.h>

#include "jobs_priv.h"

#define ENDS(field) (memchr(field, 0, sizeof field) != NULL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char id[] = "00112233445566778899aabbccddeeff";
    static struct jobs_record r;
    struct cf_err err = { 0 };
    memset(&r, 0x55, sizeof r);
    enum cf_rc rc = jobs_row_parse(crypto_bytes_of(id, 32), crypto_bytes_of(data, size), &r, &err);
    if (rc == CF_OK && !(ENDS(r.id) && ENDS(r.who) && ENDS(r.uri) && ENDS(r.key) &&
                         ENDS(r.folder) && ENDS(r.details) && ENDS(r.error) && ENDS(r.warning)))
        abort();
    return 0;
}
