#include <string.h>

#include "server_priv.h"

/* API document 1.1. All are answered in the newest shape: clients ignore members they do not know.
 */
static const char *const versions[] = {
    "7.0",
    "7.1",
    "7.2",
    "7.3",
    "7.4",
    "7.5",
    "7.6",
    "2025-07-01",
    "7.2-preview",
    "7.3-preview",
    "7.4-preview.1",
    "7.5-preview.1",
    "7.6-preview.1",
    "7.6-preview.2",
    "2025-06-01-preview",
    "2025-07-01-preview",
    "2026-01-01-preview",
};

/* Tools scrape the last "N.N" out of this text, so a dotted version ends it. */
#define USE_INSTEAD "Consider using the latest supported version (7.6)."

enum cf_rc api_version_check(const char *version, struct cf_err *e)
{
    if (!version)
        return API_BAD(e, "api-version must be specified as a query parameter. " USE_INSTEAD);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (strcmp(versions[i], version) == 0)
            return CF_OK;
    return API_BAD(e, "The specified version (%.40s) is not recognized. " USE_INSTEAD, version);
}
