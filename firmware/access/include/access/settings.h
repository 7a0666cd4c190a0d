/*
 * The settings of the HSM (API document 2.6), in table 5 of the live store.
 * Threads: any.
 */
#ifndef ACCESS_SETTINGS_H
#define ACCESS_SETTINGS_H

#include "access/access.h"

#define ACCESS_SETTING_NAME_SIZE 65

/* Each is a boolean so far. */
struct access_setting {
    char name[ACCESS_SETTING_NAME_SIZE]; /* as the API document spells it */
    bool value;                          /* "true" or "false" on the wire */
    int64_t updated_s;                   /* 0: never set, the default holds */
};

/* All known settings in the order of their table. `each` as for access_definitions. */
CF_CHECK enum cf_rc access_settings(struct access *a,
                                    enum cf_rc (*each)(void *ctx, const struct access_setting *s,
                                                       struct cf_err *e),
                                    void *ctx, struct cf_err *e);

/* `name` in any letter case. CF_E_ABSENT "NotFound": no such setting. */
CF_CHECK enum cf_rc access_setting_get(struct access *a, const char *name,
                                       struct access_setting *out, struct cf_err *e);

/* `value` is the text of the request, "true" or "false" in any letter case.
 * CF_E_INPUT "BadParameter": another value. `out` is the setting as it stands now. */
CF_CHECK enum cf_rc access_setting_put(struct access *a, const char *name, const char *value,
                                       struct access_setting *out, struct cf_err *e);

#endif
