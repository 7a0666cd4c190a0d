/* What the target's parser lets through has no byte, segment or parameter that it promises to
 * refuse; a form is read as a query is. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "api/uri.h"

static void check_params(const struct api_params *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!*p->item[i].name || api_param(p, p->item[i].name) != p->item[i].value)
            abort();
        for (const char *c = p->item[i].value; *c; c++)
            if (*c < 0x20 || *c > 0x7e)
                abort();
    }
}

static void check_path(const struct api_path *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const char *s = p->segment[i];
        if (!*s || strcmp(s, "..") == 0 || strcmp(s, ".") == 0 || strpbrk(s, "/%?#\\ "))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_path path;
    struct api_params params;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (api_uri_parse(text, &path, &params, NULL) == CF_OK) {
        check_path(&path);
        check_params(&params);
    }
    memcpy(text, data, size);
    text[size] = 0;
    if (api_params_parse(text, &params, NULL) == CF_OK)
        check_params(&params);
    free(text);
    return 0;
}
