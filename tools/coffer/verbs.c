/* The table of verbs: what `coffer --help` shows and main walks. */
#include "cli.h"

#define LIST_OF(...)                                                                               \
    (const enum cli_option[])                                                                      \
    {                                                                                              \
        __VA_ARGS__, OPT_COUNT                                                                     \
    }
#define NONE                                                                                       \
    (const enum cli_option[])                                                                      \
    {                                                                                              \
        OPT_COUNT                                                                                  \
    }
#define WHERE OPT_DIR, OPT_AS, OPT_HSM_NAME, OPT_ID, OPT_CACERT, OPT_TOKEN_FILE, OPT_JSON
#define STORAGE                                                                                    \
    OPT_STORAGE_URI, OPT_STORAGE_ACCOUNT, OPT_BLOB_CONTAINER, OPT_SAS, OPT_MANAGED_IDENTITY

#define CHOICES OPT_LIMIT_RATE, OPT_CONNECTIONS

#define CHOICES_HELP                                                                                \
    "--limit-rate holds for all connections of the job together and for both ways; a limit leaves " \
    "no more connections than can have 64 KiB a second each.\n\n"
#define INTERRUPT_HELP                                                                             \
    "Ctrl-C leaves the job running (exit code 130): coffer job wait follows it again, coffer job " \
    "cancel ends it."

#define STORAGE_HELP                                                                               \
    "The container is named by --storage-resource-uri, or by --storage-account-name and "          \
    "--blob-container-name; it must exist. The SAS needs create and write for a backup, read for " \
    "a restore; crdw and rl use everything, with less the status names what was left out. "        \
    "--storage-container-SAS-token @FILE keeps it out of the process list.\n\n"

const struct cli_verb cli_verbs[] = {
    { "bench up", "Start a bench appliance in DIR, made first if it is not there",
      "Makes a SoftHSMv2 token (unless a module is given), a TLS authority and server certificate, principals "
      "with roles, and a security domain with three officers and quorum two; starts cofferd, waits until it "
      "serves, and prints HSM_URL=, HSM_CA=, HSM_NAME=, HSM_AUTHORITY=, HSM_TENANT=, HSM_PID= and "
      "HSM_WORKER_PID=. On an existing DIR it starts that appliance again with its state.\n\n"
      "Example:\n  coffer bench up --dir /tmp/hsm --name hsm1 --partition data=/tmp/data.img",
      LIST_OF(OPT_DIR, OPT_NAME, OPT_PORT, OPT_MODULE, OPT_TOKEN_URI, OPT_PIN_FILE, OPT_PARTITION,
              OPT_STORAGE_CA, OPT_SET, OPT_NO_ACTIVATE, OPT_FRESH, OPT_JSON),
      LIST_OF(OPT_DIR), NULL, verb_bench_up },
    { "bench down", "Stop the bench appliance in DIR; succeeds when it is dead already",
      "A full backup or restore that runs goes on at the next bench up, under the same job id."
      "\n\nExample:\n  coffer bench down --dir /tmp/hsm",
      LIST_OF(OPT_DIR, OPT_JSON), LIST_OF(OPT_DIR), NULL, verb_bench_down },
    { "bench token", "Print a bearer token for a bench principal",
      "Principals: admin (Managed HSM Administrator and Crypto Officer), backup-user (Managed HSM Backup), "
      "crypto-user (Crypto User), auditor (Crypto Auditor), nobody (no role)."
      "\n\nExample:\n  coffer bench token --dir /tmp/hsm backup-user --expires-in 600",
      LIST_OF(OPT_DIR, OPT_EXPIRES_IN, OPT_AUDIENCE, OPT_JSON), LIST_OF(OPT_DIR), "PRINCIPAL",
      verb_bench_token },
    { "backup start", "Back up the whole HSM to a folder of a blob container",
      STORAGE_HELP CHOICES_HELP
      "Prints the folder when the job has succeeded; the manifest is written last, so a folder without "
      "one is no backup. --json tells what it covers and what it leaves out, as verify and list do later. A partition "
      "that is marked for backup and cannot be read when the backup begins is left out, by name: the exit code is 8, "
      "the backup counts neither for freshness nor for retention, and a restore of it wants --allow-incomplete. With "
      "--require-complete such a backup fails before anything is sent. " INTERRUPT_HELP
      "\n\nExamples:\n  coffer backup start --dir /tmp/hsm --storage-resource-uri dir:/tmp/hsm/blobs\n"
      "  coffer backup start --hsm-name hsm1 --cacert ca.pem --token-file token \\\n      --storage-account-name acct --blob-container-name backups \\\n      --storage-container-SAS-token @sas",
      LIST_OF(WHERE, STORAGE, CHOICES, OPT_REQUIRE_COMPLETE, OPT_NO_WAIT), NONE, NULL,
      verb_backup_start },
    { "backup status", "Show a backup job", "Example:\n  coffer backup status --dir /tmp/hsm",
      LIST_OF(WHERE, OPT_JOB), NONE, NULL, verb_backup_status },
    { "backup verify", "Prove that a backup can be restored, without restoring it",
      STORAGE_HELP CHOICES_HELP
      "The appliance reads the backup back, authenticates every byte of it and opens every version of every "
      "key in its token; it writes nothing and goes on serving. A backup that does not verify is exit code 7.\n\n"
      "It leaves a receipt, signed by the appliance's identity key: --receipt FILE writes it, `job receipt` does so "
      "later, and tools/inspect/inspect receipt FILE --folder DIR tells without any key whether a copy of the backup "
      "is still what was verified.\n\n"
      "--sample N% is for slow links: it reads manifest, tables and indexes whole, and of each stream the first block, "
      "the last, and N% of those between, chosen at random and rounded up. One damaged block among many is then "
      "found with a chance of only N in 100; one of ten with 1 - (1 - N/100)^10, which is 65 in 100 at 10%. Keys "
      "outside the sample are not opened; status and receipt say what was read. " INTERRUPT_HELP
      "\n\nExample:\n  coffer backup verify --dir /tmp/hsm --receipt receipt.bin \\\n      --storage-resource-uri dir:/tmp/hsm/blobs \\\n      --backup-folder mhsm-hsm1-20261121225837",
      LIST_OF(WHERE, STORAGE, CHOICES, OPT_BACKUP_FOLDER, OPT_SAMPLE, OPT_RECEIPT, OPT_NO_WAIT),
      LIST_OF(OPT_BACKUP_FOLDER), NULL, verb_backup_verify },
    { "backup freshness", "Tell how old the newest backup is, and the newest verified one",
      "For cron and monitors: with --max-age or --max-verified-age the exit code is 10 where that is too old. On the "
      "appliance itself --socket asks without a token; Prometheus reads /coffer/metrics, or /local/metrics over the socket.\n\n"
      "Example:\n  coffer backup freshness --socket /run/cofferd.sock --max-age 26h \\\n      --max-verified-age 8d",
      LIST_OF(WHERE, OPT_SOCKET, OPT_MAX_AGE, OPT_MAX_VERIFIED_AGE), NONE, NULL,
      verb_backup_freshness },
    { "backup prune", "Delete old backups of this HSM, by rules",
      STORAGE_HELP
      "Rules add up, as in restic: at least one is needed. The SAS needs read, list and delete (rdl). Never deleted, "
      "whatever the rules: the newest backup, the newest one that was verified, backups younger than --min-age, folders "
      "that do not verify or are not whole, folders of other HSMs and domains, and names that are no backup's. What the "
      "storage keeps under an immutability policy, a lease or snapshots is named and left. --dry-run needs no right to delete.\n\n"
      "Example:\n  coffer backup prune --dir /tmp/hsm \\\n      --storage-resource-uri dir:/tmp/hsm/blobs \\\n      --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run",
      LIST_OF(WHERE, STORAGE, CHOICES, OPT_KEEP_LAST, OPT_KEEP_DAILY, OPT_KEEP_WEEKLY,
              OPT_KEEP_MONTHLY, OPT_MIN_AGE, OPT_UNFINISHED, OPT_DRY_RUN, OPT_NO_WAIT),
      NONE, NULL, verb_backup_prune },
    { "backup list", "List what lies in a container: whole backups and others, newest first",
      STORAGE_HELP
      "The SAS needs read and list (rl). A backup is whole when its manifest verifies in this appliance and its blobs "
      "are there with the sizes that the manifest says; that their bytes are right is what `backup verify` proves, and "
      "VERIFIED says when this appliance last did so for this very backup. Other states: unfinished (no manifest), "
      "damaged, incomplete (a marked partition could not be read), other domain and needs generation (another "
      "security domain, or an older document of it, is loaded here: HSM and time are the folder's own claim), newer "
      "format, unreadable (its manifest is archived, say: --json tells why). Reads no data, and may run beside a job. --json tells what each backup covers.\n\n"
      "Example:\n  coffer backup list --dir /tmp/hsm --storage-resource-uri dir:/tmp/hsm/blobs",
      LIST_OF(WHERE, STORAGE, OPT_LIMIT, OPT_AFTER), NONE, NULL, verb_backup_list },
    { "restore start", "Restore the whole HSM from a backup, or one key with --key-name",
      STORAGE_HELP CHOICES_HELP
      "A full restore replaces every key, role assignment and raw partition by the backup's; until "
      "everything is verified nothing is changed. With --key-name only that key comes back, with all "
      "versions; it must have been purged. Where a live key of that name is left as it is, the exit code is 8. --allow-incomplete "
      "restores what there is of a backup that a partition was left out of, and leaves that partition as it is. --plan "
      "compares the backup with what is here and says what would be added, replaced, removed and lost; it changes "
      "nothing, and the HSM goes on serving. --as-planned JOB then restores what that plan told of, or fails. " INTERRUPT_HELP
      "\n\nExample:\n  coffer restore start --dir /tmp/hsm --plan \\\n      --storage-resource-uri dir:/tmp/hsm/blobs \\\n      --backup-folder mhsm-hsm1-20261121225837",
      LIST_OF(WHERE, STORAGE, CHOICES, OPT_BACKUP_FOLDER, OPT_KEY_NAME, OPT_ALLOW_INCOMPLETE,
              OPT_AS_PLANNED, OPT_PLAN, OPT_NO_WAIT),
      LIST_OF(OPT_BACKUP_FOLDER), NULL, verb_restore_start },
    { "restore undo", "Go back to the state before the last restore",
      "Keys, roles, settings and raw partitions become what they were when the restore began; what is there now is "
      "set aside in their place, so a second undo brings it back. Refused (exit code 5) where there was no restore, "
      "or a later one has begun to overwrite what the last one left. --plan says what would be set aside."
      "\n\nExample:\n  coffer restore undo --dir /tmp/hsm --plan",
      LIST_OF(WHERE, OPT_PLAN, OPT_NO_WAIT), NONE, NULL, verb_restore_undo },
    { "restore status", "Show a restore job", "Example:\n  coffer restore status --dir /tmp/hsm",
      LIST_OF(WHERE, OPT_JOB), NONE, NULL, verb_restore_status },
    { "job list", "List the jobs this appliance knows, newest first",
      "Example:\n  coffer job list --dir /tmp/hsm", LIST_OF(WHERE), NONE, NULL, verb_job_list },
    { "job status", "Show a job, whatever it does",
      "Example:\n  coffer job status --dir /tmp/hsm 15c9d844d422a0a97ffbe3c18558edd7",
      LIST_OF(WHERE), NONE, "JOB", verb_job_status },
    { "job wait", "Follow a job to its end, whatever it does",
      INTERRUPT_HELP
      "\n\nExample:\n  coffer job wait --dir /tmp/hsm 15c9d844d422a0a97ffbe3c18558edd7",
      LIST_OF(WHERE), NONE, "JOB", verb_job_wait },
    { "job receipt", "Write the signed receipt of a backup verify to a file",
      "Example:\n  coffer job receipt --dir /tmp/hsm --receipt receipt.bin \\\n      15c9d844d422a0a97ffbe3c18558edd7",
      LIST_OF(WHERE, OPT_RECEIPT), LIST_OF(OPT_RECEIPT), "JOB", verb_job_receipt },
    { "job cancel", "End a running job",
      "Whoever may start a job of that kind may end it. What a canceled backup has written stays and is no backup; a "
      "canceled restore has changed nothing. Exit code 5: the job has ended, or has reached the point where it takes "
      "effect."
      "\n\nExample:\n  coffer job cancel --dir /tmp/hsm 15c9d844d422a0a97ffbe3c18558edd7",
      LIST_OF(WHERE), NONE, "JOB", verb_job_cancel },
    { "key create", "Create a key, or a new version of one",
      "Example:\n  coffer key create --dir /tmp/hsm --name sign --kty EC-HSM --curve P-256 \\\n      --ops sign verify --tags env=test",
      LIST_OF(WHERE, OPT_NAME, OPT_KTY, OPT_SIZE, OPT_CURVE, OPT_OPS, OPT_TAGS, OPT_EXPIRES,
              OPT_NOT_BEFORE, OPT_DISABLED),
      LIST_OF(OPT_NAME, OPT_KTY), NULL, verb_key_create },
    { "key import", "Import a private key",
      "The key travels to the appliance over TLS and straight into the token; --pem-file holds PKCS#8, unencrypted."
      "\n\nExample:\n  coffer key import --dir /tmp/hsm --name legacy --pem-file key.pem",
      LIST_OF(WHERE, OPT_NAME, OPT_PEM_FILE, OPT_OPS, OPT_TAGS, OPT_EXPIRES, OPT_NOT_BEFORE,
              OPT_DISABLED),
      LIST_OF(OPT_NAME, OPT_PEM_FILE), NULL, verb_key_import },
    { "key show", "Show a key: attributes, tags, public half",
      "Example:\n  coffer key show --dir /tmp/hsm --name sign",
      LIST_OF(WHERE, OPT_NAME, OPT_VERSION), LIST_OF(OPT_NAME), NULL, verb_key_show },
    { "key list", "List the keys", "Example:\n  coffer key list --dir /tmp/hsm", LIST_OF(WHERE),
      NONE, NULL, verb_key_list },
    { "key list-versions", "List the versions of a key",
      "Example:\n  coffer key list-versions --dir /tmp/hsm --name sign", LIST_OF(WHERE, OPT_NAME),
      LIST_OF(OPT_NAME), NULL, verb_key_list_versions },
    { "key list-deleted", "List the deleted keys that can still be recovered",
      "Example:\n  coffer key list-deleted --dir /tmp/hsm", LIST_OF(WHERE), NONE, NULL,
      verb_key_list_deleted },
    { "key set-attributes", "Change attributes, operations or tags of a key",
      "--tags replaces the whole set."
      "\n\nExample:\n  coffer key set-attributes --dir /tmp/hsm --name sign --enabled false",
      LIST_OF(WHERE, OPT_NAME, OPT_VERSION, OPT_ENABLED, OPT_EXPIRES, OPT_NOT_BEFORE, OPT_OPS,
              OPT_TAGS),
      LIST_OF(OPT_NAME), NULL, verb_key_set_attributes },
    { "key delete", "Delete a key; it can be recovered until its retention is over",
      "Example:\n  coffer key delete --dir /tmp/hsm --name sign", LIST_OF(WHERE, OPT_NAME),
      LIST_OF(OPT_NAME), NULL, verb_key_delete },
    { "key recover", "Recover a deleted key",
      "Example:\n  coffer key recover --dir /tmp/hsm --name sign", LIST_OF(WHERE, OPT_NAME),
      LIST_OF(OPT_NAME), NULL, verb_key_recover },
    { "key purge", "Destroy a deleted key for good",
      "Backups made before still hold it: `coffer restore start --key-name` brings it back."
      "\n\nExample:\n  coffer key purge --dir /tmp/hsm --name sign",
      LIST_OF(WHERE, OPT_NAME), LIST_OF(OPT_NAME), NULL, verb_key_purge },
    { "key sign", "Sign a digest",
      "Example:\n  coffer key sign --dir /tmp/hsm --name sign --algorithm ES256 \\\n      --digest \"$(openssl dgst -sha256 -binary FILE | base64)\"",
      LIST_OF(WHERE, OPT_NAME, OPT_VERSION, OPT_ALGORITHM, OPT_DIGEST),
      LIST_OF(OPT_NAME, OPT_ALGORITHM, OPT_DIGEST), NULL, verb_key_sign },
    { "key verify", "Verify a signature; exit code 9 when it is not valid",
      "Example:\n  coffer key verify --dir /tmp/hsm --name sign --algorithm ES256 \\\n      --digest \"$(openssl dgst -sha256 -binary FILE | base64)\" \\\n      --signature \"$(cat FILE.sig)\"",
      LIST_OF(WHERE, OPT_NAME, OPT_VERSION, OPT_ALGORITHM, OPT_DIGEST, OPT_SIGNATURE),
      LIST_OF(OPT_NAME, OPT_ALGORITHM, OPT_DIGEST, OPT_SIGNATURE), NULL, verb_key_verify },
    { "key encrypt", "Encrypt bytes",
      "Example:\n  coffer key encrypt --dir /tmp/hsm --name seal --algorithm RSA-OAEP-256 \\\n      --value \"$(base64 -w0 FILE)\"",
      LIST_OF(WHERE, OPT_NAME, OPT_VERSION, OPT_ALGORITHM, OPT_VALUE),
      LIST_OF(OPT_NAME, OPT_ALGORITHM, OPT_VALUE), NULL, verb_key_encrypt },
    { "key decrypt", "Decrypt bytes",
      "Example:\n  coffer key decrypt --dir /tmp/hsm --name seal --algorithm RSA-OAEP-256 \\\n      --value \"$(cat FILE.enc)\"",
      LIST_OF(WHERE, OPT_NAME, OPT_VERSION, OPT_ALGORITHM, OPT_VALUE),
      LIST_OF(OPT_NAME, OPT_ALGORITHM, OPT_VALUE), NULL, verb_key_decrypt },
    { "role definition list", "List the roles and what they allow",
      "Example:\n  coffer role definition list --dir /tmp/hsm", LIST_OF(WHERE), NONE, NULL,
      verb_role_definition_list },
    { "role assignment create", "Give a role to a principal",
      "Example:\n  coffer role assignment create --dir /tmp/hsm \\\n      --role 'Managed HSM Crypto User' --assignee crypto-user --scope /keys",
      LIST_OF(WHERE, OPT_ROLE, OPT_ASSIGNEE, OPT_SCOPE, OPT_NAME), LIST_OF(OPT_ROLE, OPT_ASSIGNEE),
      NULL, verb_role_assignment_create },
    { "role assignment list", "List the role assignments made at a scope",
      "Example:\n  coffer role assignment list --dir /tmp/hsm --scope /keys",
      LIST_OF(WHERE, OPT_SCOPE), NONE, NULL, verb_role_assignment_list },
    { "role assignment delete", "Take a role away",
      "Names one assignment by --name, or by --role and --assignee."
      "\n\nExample:\n  coffer role assignment delete --dir /tmp/hsm \\\n      --role 'Managed HSM Crypto User' --assignee crypto-user --scope /keys",
      LIST_OF(WHERE, OPT_ROLE, OPT_ASSIGNEE, OPT_SCOPE, OPT_NAME), NONE, NULL,
      verb_role_assignment_delete },
    { "security-domain download", "Activate the HSM and hand its security domain to the officers",
      "Writes the document that any M of the officers can open. Keep it apart from the backups. Downloading again "
      "shares the same domain anew among the certificates given."
      "\n\nExample:\n  coffer security-domain download --dir /tmp/hsm --sd-quorum 2 \\\n      --sd-wrapping-keys officer1.cer officer2.cer officer3.cer \\\n      --security-domain-file security-domain.json",
      LIST_OF(WHERE, OPT_SD_WRAPPING_KEYS, OPT_SD_QUORUM, OPT_SD_FILE),
      LIST_OF(OPT_SD_WRAPPING_KEYS, OPT_SD_QUORUM, OPT_SD_FILE), NULL, verb_sd_download },
    { "create",
      "Provision this appliance: its name, retention and first administrators (local, root)",
      "Example:\n  coffer create --hsm-name hsm1 --retention-days 90 \\\n      --administrators 5e0a5c3e-6f0d-4b47-9d53-0123456789ab",
      LIST_OF(OPT_HSM_NAME, OPT_RETENTION, OPT_ADMINISTRATORS, OPT_SOCKET, OPT_DIR, OPT_JSON),
      LIST_OF(OPT_HSM_NAME, OPT_ADMINISTRATORS), NULL, verb_create },
    { "owner add-administrator",
      "Make a principal an administrator from the appliance itself (local, root, audited)",
      "Example:\n  coffer owner add-administrator \\\n      --administrator 5e0a5c3e-6f0d-4b47-9d53-0123456789ab",
      LIST_OF(OPT_ADMINISTRATOR, OPT_SOCKET, OPT_DIR, OPT_JSON), LIST_OF(OPT_ADMINISTRATOR), NULL,
      verb_owner_add },
    { "status", "Show the appliance's state (local, root)",
      "Example:\n  coffer status --socket /run/cofferd.sock",
      LIST_OF(OPT_SOCKET, OPT_DIR, OPT_JSON), NONE, NULL, verb_status },
    { "token login", "Give the appliance its token's PIN (local, root)",
      "For an appliance whose configuration names no PIN file: it waits, locked, until the PIN comes over its local "
      "socket. A PIN is tried once; one that the token refuses is exit code 3, and another may be given."
      "\n\nExample:\n  coffer token login --pin-file /run/pin --socket /run/cofferd.sock",
      LIST_OF(OPT_PIN_FILE, OPT_SOCKET, OPT_DIR, OPT_JSON), LIST_OF(OPT_PIN_FILE), NULL,
      verb_token_login },
    { "token probe", "Show what a PKCS#11 module can do and how it would be used",
      "Opens the token in a worker process, as cofferd does, and refuses by name what is missing."
      "\n\nExample:\n  coffer token probe --module /usr/lib/softhsm/libsofthsm2.so \\\n      --token-uri pkcs11:token=coffer --pin-file pin",
      LIST_OF(OPT_MODULE, OPT_TOKEN_URI, OPT_PIN_FILE, OPT_JSON),
      LIST_OF(OPT_MODULE, OPT_TOKEN_URI, OPT_PIN_FILE), NULL, verb_token_probe },
};
const size_t cli_verb_count = sizeof cli_verbs / sizeof cli_verbs[0];
