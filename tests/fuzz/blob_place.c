/* A storage URI and a token from a client, judged without a crash. Input: URI, line feed, token. */
#include <stdlib.h>
#include <string.h>

#include "blob/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const roots[] = { "/nonexistent" };
    static const struct blob_options o = { .allow_http = true,
                                           .dir_roots = roots,
                                           .ndir_roots = 1 };
    char *text = malloc(size + 2);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    char *token = text + strcspn(text, "\n");
    if (*token == '\n')
        *token++ = '\0';
    for (int need = BLOB_TO_READ; need <= BLOB_TO_ERASE; need++) {
        struct blob_place p = { .uri = text, .token = token };
        struct blob_report r;
        struct cf_err e = { 0 };
        enum cf_rc rc = blob_place_check(&p, (enum blob_need)need, &o, 1893456000, &r, &e);
        if (rc != e.rc || r.nwarnings > BLOB_WARNINGS_MAX)
            abort();
    }
    char out[BLOB_NAME_MAX + 1];
    if (blob_folder_name(text, out, NULL) == CF_OK && blob_check_name(out, NULL) != CF_OK)
        abort();
    free(text);
    return 0;
}
