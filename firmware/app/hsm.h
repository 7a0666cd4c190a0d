/*
 * The HSM's record: what `coffer create` fixed. One row of appliance.db.
 */
#ifndef APP_HSM_H
#define APP_HSM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

#define APP_HSM_NAME_MAX 24

struct app_hsm {
    char name[APP_HSM_NAME_MAX + 1]; /* "": there is none yet */
    uint32_t retention_days;         /* 7..90 */
    bool purge_protection;
    uint64_t created_s; /* Unix seconds */
};

/* CF_E_INPUT: not 3..24 letters, digits and hyphens, beginning with a letter. */
CF_CHECK enum cf_rc app_hsm_check_name(const char *name, struct cf_err *e);

/* No row: CF_OK and an empty name. */
CF_CHECK enum cf_rc app_hsm_load(struct store *db, struct app_hsm *out, struct cf_err *e);
CF_CHECK enum cf_rc app_hsm_save(struct store *db, const struct app_hsm *h, struct cf_err *e);

#endif
