#include "keystore_priv.h"

enum cf_rc fail_not_found(const char *name, struct cf_err *e)
{
    enum cf_rc rc =
        CF_FAIL(e, CF_E_ABSENT, "A key with (name/id) %s was not found in this HSM.", name);
    return cf_err_code(e, rc, "KeyNotFound");
}

enum cf_rc fail_deleted_not_found(const char *name, struct cf_err *e)
{
    enum cf_rc rc = CF_FAIL(e, CF_E_ABSENT, "Deleted Key not found: %s", name);
    return cf_err_code(e, rc, "KeyNotFound");
}

enum cf_rc fail_is_deleted(const char *name, struct cf_err *e)
{
    enum cf_rc rc = CF_FAIL(e, CF_E_STATE,
                            "Key %s is currently in a deleted but recoverable state, and its name "
                            "cannot be reused; in this state, the key can only be recovered or "
                            "purged.",
                            name);
    return cf_err_code(e, rc, "ObjectIsDeletedButRecoverable");
}

enum cf_rc fail_exists(const char *name, struct cf_err *e)
{
    enum cf_rc rc = CF_FAIL(e, CF_E_STATE, "A key with the name %s exists already.", name);
    return cf_err_code(e, rc, "Conflict");
}
