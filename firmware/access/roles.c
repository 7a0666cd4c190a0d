#include "access/roles.h"

#include <string.h>
#include <strings.h>

#define PREFIX   "Microsoft.KeyVault/managedHsm/"
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* API document 3.1; three key actions and three of the domain have no "/action" tail. */
static const char *const names[ACCESS_ACTIONS] = {
    [ACCESS_KEYS_READ] = PREFIX "keys/read/action",
    [ACCESS_KEYS_WRITE] = PREFIX "keys/write/action",
    [ACCESS_KEYS_DELETED_READ] = PREFIX "keys/deletedKeys/read/action",
    [ACCESS_KEYS_DELETED_RECOVER] = PREFIX "keys/deletedKeys/recover/action",
    [ACCESS_KEYS_DELETED_DELETE] = PREFIX "keys/deletedKeys/delete",
    [ACCESS_KEYS_BACKUP] = PREFIX "keys/backup/action",
    [ACCESS_KEYS_RESTORE] = PREFIX "keys/restore/action",
    [ACCESS_KEYS_CREATE] = PREFIX "keys/create",
    [ACCESS_KEYS_DELETE] = PREFIX "keys/delete",
    [ACCESS_KEYS_IMPORT] = PREFIX "keys/import/action",
    [ACCESS_KEYS_EXPORT] = PREFIX "keys/export/action",
    [ACCESS_KEYS_RELEASE] = PREFIX "keys/release/action",
    [ACCESS_KEYS_ROTATE] = PREFIX "keys/rotate/action",
    [ACCESS_KEYS_ENCRYPT] = PREFIX "keys/encrypt/action",
    [ACCESS_KEYS_DECRYPT] = PREFIX "keys/decrypt/action",
    [ACCESS_KEYS_WRAP] = PREFIX "keys/wrap/action",
    [ACCESS_KEYS_UNWRAP] = PREFIX "keys/unwrap/action",
    [ACCESS_KEYS_SIGN] = PREFIX "keys/sign/action",
    [ACCESS_KEYS_VERIFY] = PREFIX "keys/verify/action",
    [ACCESS_KEYS_DERIVE] = PREFIX "keys/derive/action",
    [ACCESS_RNG] = PREFIX "rng/action",
    [ACCESS_ASSIGNMENTS_READ] = PREFIX "roleAssignments/read/action",
    [ACCESS_ASSIGNMENTS_WRITE] = PREFIX "roleAssignments/write/action",
    [ACCESS_ASSIGNMENTS_DELETE] = PREFIX "roleAssignments/delete/action",
    [ACCESS_DEFINITIONS_READ] = PREFIX "roleDefinitions/read/action",
    [ACCESS_DEFINITIONS_WRITE] = PREFIX "roleDefinitions/write/action",
    [ACCESS_DEFINITIONS_DELETE] = PREFIX "roleDefinitions/delete/action",
    [ACCESS_DOMAIN_DOWNLOAD] = PREFIX "securitydomain/download/action",
    [ACCESS_DOMAIN_DOWNLOAD_READ] = PREFIX "securitydomain/download/read",
    [ACCESS_DOMAIN_UPLOAD] = PREFIX "securitydomain/upload/action",
    [ACCESS_DOMAIN_UPLOAD_READ] = PREFIX "securitydomain/upload/read",
    [ACCESS_DOMAIN_TRANSFER_KEY] = PREFIX "securitydomain/transferkey/read",
    [ACCESS_BACKUP_START] = PREFIX "backup/start/action",
    [ACCESS_BACKUP_STATUS] = PREFIX "backup/status/action",
    [ACCESS_RESTORE_START] = PREFIX "restore/start/action",
    [ACCESS_RESTORE_STATUS] = PREFIX "restore/status/action",
    [ACCESS_SETTINGS_READ] = PREFIX "settings/read/action",
    [ACCESS_SETTINGS_WRITE] = PREFIX "settings/write/action",
};
_Static_assert(ACCESS_ACTIONS <= 64, "a role's actions are the bits of one word");

#define BIT(action) (UINT64_C(1) << (action))

#define POLICY_READ (BIT(ACCESS_ASSIGNMENTS_READ) | BIT(ACCESS_DEFINITIONS_READ))
#define POLICY_WRITE                                                                               \
    (BIT(ACCESS_ASSIGNMENTS_WRITE) | BIT(ACCESS_ASSIGNMENTS_DELETE) |                              \
     BIT(ACCESS_DEFINITIONS_WRITE) | BIT(ACCESS_DEFINITIONS_DELETE))

#define DOMAIN                                                                                     \
    (BIT(ACCESS_DOMAIN_DOWNLOAD) | BIT(ACCESS_DOMAIN_DOWNLOAD_READ) | BIT(ACCESS_DOMAIN_UPLOAD) |  \
     BIT(ACCESS_DOMAIN_UPLOAD_READ) | BIT(ACCESS_DOMAIN_TRANSFER_KEY))

#define BACKUP_START_AND_STATUS  (BIT(ACCESS_BACKUP_START) | BIT(ACCESS_BACKUP_STATUS))
#define RESTORE_START_AND_STATUS (BIT(ACCESS_RESTORE_START) | BIT(ACCESS_RESTORE_STATUS))

/* API document 3.2: ids and names of the documentation, actions as recorded from the service. */
static const struct access_builtin_role roles[ACCESS_BUILTINS] = {
    [ACCESS_ADMINISTRATOR] = { "a290e904-7015-4bba-90c8-60543313cdb4", "Managed HSM Administrator",
                               POLICY_READ | POLICY_WRITE | DOMAIN | BACKUP_START_AND_STATUS |
                                   RESTORE_START_AND_STATUS | BIT(ACCESS_SETTINGS_READ) |
                                   BIT(ACCESS_SETTINGS_WRITE) },
    [ACCESS_CRYPTO_OFFICER] = { "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
                                "Managed HSM Crypto Officer",
                                POLICY_READ | POLICY_WRITE | BIT(ACCESS_KEYS_DELETED_READ) |
                                    BIT(ACCESS_KEYS_DELETED_DELETE) |
                                    BIT(ACCESS_KEYS_DELETED_RECOVER) | BIT(ACCESS_KEYS_EXPORT) },
    [ACCESS_CRYPTO_USER] = { "21dbd100-6940-42c2-9190-5d6cb909625b", "Managed HSM Crypto User",
                             POLICY_READ | BIT(ACCESS_KEYS_READ) | BIT(ACCESS_KEYS_WRITE) |
                                 BIT(ACCESS_KEYS_DELETE) | BIT(ACCESS_KEYS_CREATE) |
                                 BIT(ACCESS_KEYS_ROTATE) | BIT(ACCESS_KEYS_IMPORT) |
                                 BIT(ACCESS_KEYS_RELEASE) | BIT(ACCESS_KEYS_BACKUP) |
                                 BIT(ACCESS_KEYS_RESTORE) | BIT(ACCESS_KEYS_ENCRYPT) |
                                 BIT(ACCESS_KEYS_DECRYPT) | BIT(ACCESS_KEYS_WRAP) |
                                 BIT(ACCESS_KEYS_UNWRAP) | BIT(ACCESS_KEYS_SIGN) |
                                 BIT(ACCESS_KEYS_VERIFY) | BIT(ACCESS_KEYS_DERIVE) |
                                 BIT(ACCESS_RNG) },
    [ACCESS_POLICY_ADMINISTRATOR] = { "4bd23610-cdcf-4971-bdee-bdc562cc28e4",
                                      "Managed HSM Policy Administrator",
                                      POLICY_READ | POLICY_WRITE },
    [ACCESS_CRYPTO_AUDITOR] = { "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
                                "Managed HSM Crypto Auditor",
                                POLICY_READ | BIT(ACCESS_KEYS_READ) |
                                    BIT(ACCESS_KEYS_DELETED_READ) },
    [ACCESS_SERVICE_ENCRYPTION_USER] = { "33413926-3206-4cdd-b39a-83574fe37a17",
                                         "Managed HSM Crypto Service Encryption User",
                                         BIT(ACCESS_KEYS_READ) | BIT(ACCESS_KEYS_WRAP) |
                                             BIT(ACCESS_KEYS_UNWRAP) },
    [ACCESS_SERVICE_RELEASE_USER] = { "21dbd100-6940-42c2-9190-5d6cb909625c",
                                      "Managed HSM Crypto Service Release User",
                                      BIT(ACCESS_KEYS_RELEASE) },
    [ACCESS_BACKUP] = { "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8", "Managed HSM Backup",
                        BACKUP_START_AND_STATUS | BIT(ACCESS_KEYS_BACKUP) },
    [ACCESS_RESTORE] = { "6efe6056-5259-49d2-8b3d-d3d73544b20b", "Managed HSM Restore",
                         RESTORE_START_AND_STATUS | BIT(ACCESS_KEYS_RESTORE) },
};

const char *access_action_name(enum access_action action)
{
    return (unsigned)action < ACCESS_ACTIONS ? names[action] : "unknown";
}

enum cf_rc access_action_parse(const char *name, enum access_action *out, struct cf_err *e)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcasecmp(name, names[i]) == 0) {
            *out = (enum access_action)i;
            return CF_OK;
        }
    }
    return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "%.100s is not a data action", name),
                       "BadParameter");
}

const struct access_builtin_role *access_builtin(enum access_builtin role)
{
    return &roles[(unsigned)role < ACCESS_BUILTINS ? role : ACCESS_CRYPTO_AUDITOR];
}

const struct access_builtin_role *access_builtin_find(const char *id)
{
    for (size_t i = 0; i < COUNT(roles); i++)
        if (strcmp(id, roles[i].id) == 0)
            return &roles[i];
    return NULL;
}
