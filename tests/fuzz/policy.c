/* A record of the policy stream that is taken must come back the same through the rows. */
#include <stdlib.h>
#include <string.h>

#include "access/policy.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char key[ACCESS_RECORD_KEY_SIZE];
    struct cf_err err = { 0 };

    enum cf_rc rc = access_policy_check(data, size, key, &err);
    if (rc == CF_OK && (key[0] == '\0' || strlen(key) >= sizeof key))
        abort();
    if (rc != CF_OK && rc != CF_E_CORRUPT && rc != CF_E_LIMIT)
        abort();
    return 0;
}
