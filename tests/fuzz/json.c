/* What the JSON reader accepts can be written and read again, and means the same. */
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cf_err err = { 0 };
    struct json *j = NULL, *k = NULL;
    struct cf_buf one = { 0 }, two = { 0 };
    struct json_wr w;
    if (json_parse(data, size, NULL, &j, &err) != CF_OK)
        return 0;
    json_wr_init(&w, &one, &err);
    json_put_value(&w, NULL, j);
    if (json_wr_end(&w) != CF_OK || json_parse(one.data, one.len, NULL, &k, &err) != CF_OK)
        abort();
    json_wr_init(&w, &two, &err);
    json_put_value(&w, NULL, k);
    if (json_wr_end(&w) != CF_OK || two.len != one.len || memcmp(one.data, two.data, one.len) != 0)
        abort();
    json_free(j);
    json_free(k);
    cf_buf_clear(&one);
    cf_buf_clear(&two);
    return 0;
}
