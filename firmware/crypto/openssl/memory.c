#include <openssl/crypto.h>
#include <stdlib.h>

#include "crypto/privkey.h"

static void *take(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(len);
}

static void *grow(void *p, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return cf_wipe_realloc(p, len);
}

static void give_back(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    cf_wipe_free(p);
}

bool crypto_wipe_freed(void)
{
    return CRYPTO_set_mem_functions(take, grow, give_back) == 1;
}
