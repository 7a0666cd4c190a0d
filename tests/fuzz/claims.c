/* Claims of a token, behind a signature that holds: whatever they are, who is taken has an object
 * id, an audience of ours and time left. And key sets, which come from files and URLs. */
#include <stdlib.h>
#include <string.h>

#include "bearer_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char audiences[1][ACCESS_AUDIENCE_MAX + 1] = { "https://coffer.test" };
    static const struct access_expected want = { .issuer = "i",
                                                 .audiences = audiences,
                                                 .audience_count = 1 };
    struct access_principal p = { .group_count = 0 };
    struct access_keys keys = { .count = 0 };
    struct cf_err err = { 0 };
    int64_t nbf = 0;

    if (access_claims_judge(&want, crypto_bytes_of(data, size), 1700000000, &p, &nbf, &err) ==
            CF_OK &&
        (strlen(p.oid) != 36 || p.group_count > ACCESS_GROUPS_MAX ||
         p.expires_s + ACCESS_SKEW_S <= 1700000000))
        abort();
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (access_keys_parse(text, &keys, &err) == CF_OK && keys.count == 0)
        abort();
    access_keys_clear(&keys);
    free(text);
    return 0;
}
