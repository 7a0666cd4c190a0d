/*
 * What can be asked for (data actions), where (scopes), and the roles that are built in.
 * Source: API document 3.1 (actions), 3.2 (roles), 3.4 (which scope an action is judged at).
 * Threads: any; constants and caller's memory only.
 */
#ifndef ACCESS_ROLES_H
#define ACCESS_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Not stored anywhere as numbers: rows hold the names. */
enum access_action {
    ACCESS_KEYS_READ,
    ACCESS_KEYS_WRITE,
    ACCESS_KEYS_DELETED_READ,
    ACCESS_KEYS_DELETED_RECOVER,
    ACCESS_KEYS_DELETED_DELETE, /* purge */
    ACCESS_KEYS_BACKUP,
    ACCESS_KEYS_RESTORE,
    ACCESS_KEYS_CREATE,
    ACCESS_KEYS_DELETE,
    ACCESS_KEYS_IMPORT,
    ACCESS_KEYS_EXPORT,
    ACCESS_KEYS_RELEASE,
    ACCESS_KEYS_ROTATE,
    ACCESS_KEYS_ENCRYPT,
    ACCESS_KEYS_DECRYPT,
    ACCESS_KEYS_WRAP,
    ACCESS_KEYS_UNWRAP,
    ACCESS_KEYS_SIGN,
    ACCESS_KEYS_VERIFY,
    ACCESS_KEYS_DERIVE,
    ACCESS_RNG,
    ACCESS_ASSIGNMENTS_READ,
    ACCESS_ASSIGNMENTS_WRITE,
    ACCESS_ASSIGNMENTS_DELETE,
    ACCESS_DEFINITIONS_READ,
    ACCESS_DEFINITIONS_WRITE,
    ACCESS_DEFINITIONS_DELETE,
    ACCESS_DOMAIN_DOWNLOAD,
    ACCESS_DOMAIN_DOWNLOAD_READ,
    ACCESS_DOMAIN_UPLOAD,
    ACCESS_DOMAIN_UPLOAD_READ,
    ACCESS_DOMAIN_TRANSFER_KEY,
    ACCESS_BACKUP_START,
    ACCESS_BACKUP_STATUS,
    ACCESS_RESTORE_START,
    ACCESS_RESTORE_STATUS,
    ACCESS_SETTINGS_READ,
    ACCESS_SETTINGS_WRITE,
    ACCESS_ACTIONS /* how many there are */
};

/* "Microsoft.KeyVault/managedHsm/keys/read/action". Never NULL for an action of the list. */
const char *access_action_name(enum access_action action);

/* The same backwards, in any letter case. CF_E_INPUT "BadParameter": not of the list. */
CF_CHECK enum cf_rc access_action_parse(const char *name, enum access_action *out,
                                        struct cf_err *e);

enum access_level { ACCESS_AT_ALL, ACCESS_AT_KEYS, ACCESS_AT_KEY };

#define ACCESS_KEY_NAME_MAX 127
#define ACCESS_SCOPE_SIZE   (sizeof "/keys/" + ACCESS_KEY_NAME_MAX)

/* "/", "/keys" or "/keys/{lower-case name}": one leading slash, none behind. */
struct access_scope {
    enum access_level level;
    char text[ACCESS_SCOPE_SIZE];
};

/* Collapses slashes, adds the leading one, lower-cases the key's name; "" is "/".
 * CF_E_INPUT "BadParameter": anything else. */
CF_CHECK enum cf_rc access_scope_parse(const char *text, struct access_scope *out,
                                       struct cf_err *e);

struct access_scope access_scope_all(void);  /* "/" */
struct access_scope access_scope_keys(void); /* "/keys" */

/* The scope of one key; `name` in any letter case. CF_E_INPUT: not a key name. */
CF_CHECK enum cf_rc access_scope_key(const char *name, struct access_scope *out, struct cf_err *e);

/* Where an action on something at `asked` is judged (3.4): at "/" for what concerns the whole HSM,
 * at "/keys" for what makes a new name (create, import, restore of one key), else where asked. */
struct access_scope access_scope_judged(enum access_action action,
                                        const struct access_scope *asked);

/* True when an assignment at `wide` reaches `narrow`. */
bool access_scope_covers(const struct access_scope *wide, const struct access_scope *narrow);

enum access_builtin {
    ACCESS_ADMINISTRATOR,
    ACCESS_CRYPTO_OFFICER,
    ACCESS_CRYPTO_USER,
    ACCESS_POLICY_ADMINISTRATOR,
    ACCESS_CRYPTO_AUDITOR,
    ACCESS_SERVICE_ENCRYPTION_USER,
    ACCESS_SERVICE_RELEASE_USER,
    ACCESS_BACKUP,
    ACCESS_RESTORE,
    ACCESS_BUILTINS
};

struct access_builtin_role {
    const char *id; /* GUID, lower case */
    const char *name;
    uint64_t actions; /* bit 1 << enum access_action */
};

/* The role's row; never NULL for a role of the list. */
const struct access_builtin_role *access_builtin(enum access_builtin role);

/* By lower-case GUID; NULL when it is not a built-in one. */
const struct access_builtin_role *access_builtin_find(const char *id);

#endif
