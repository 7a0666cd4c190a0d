#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void cf_wipe_free(void *p)
{
    if (p)
        cf_wipe(p, malloc_usable_size(p));
    free(p);
}

void *cf_wipe_realloc(void *p, size_t len)
{
    if (!p)
        return malloc(len);
    if (len == 0) {
        cf_wipe_free(p);
        return NULL;
    }
    size_t had = malloc_usable_size(p);
    if (len <= had)
        return p;
    void *grown = malloc(len);
    if (!grown)
        return NULL;
    memcpy(grown, p, had);
    cf_wipe_free(p);
    return grown;
}
