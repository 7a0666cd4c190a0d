/*
 * The algorithms of the REST interface (API document 4.3): what a name means to the token.
 */
#ifndef API_ALG_PRIV_H
#define API_ALG_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "hal/token_types.h"

enum api_alg_use { API_ALG_SIGN = 1, API_ALG_ENCRYPT = 2, API_ALG_WRAP = 4 };

enum api_iv_rule { API_IV_NONE, API_IV_GIVEN /* 16 bytes */, API_IV_MADE /* 12, by the token */ };

struct api_alg {
    const char *name;
    unsigned uses; /* of api_alg_use; sign is verify too, and so on */
    enum hal_mech mech;
    enum hal_hash hash;
    size_t digest_len;         /* what is signed has just this length; 0: any */
    struct hal_key_spec wants; /* type always; bits or curve where the name fixes them */
    enum api_iv_rule iv;
};

const struct api_alg *api_algs(size_t *count);

/* NULL: not an algorithm of that use. Names are compared exactly. */
const struct api_alg *api_alg_find(const char *name, enum api_alg_use use);

#endif
