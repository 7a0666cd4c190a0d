/* The table of options, and its way through argp. */
#include "cli.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum takes { NOTHING, TEXT, LIST };

#define KEY(option) ((int)(option) + 1000)

static const struct option_row {
    const char *name;
    enum takes takes;
    const char *arg;
    const char *help;
} rows[OPT_COUNT] = {
    [OPT_ADMINISTRATOR] = { "administrator", TEXT, "OBJECT-ID",
                            "principal to make an administrator" },
    [OPT_ADMINISTRATORS] = { "administrators", LIST, "OBJECT-ID",
                             "the first administrators, one or more" },
    [OPT_AFTER] = { "after", TEXT, "FOLDER", "list the folders behind this one" },
    [OPT_ALGORITHM] = { "algorithm", TEXT, "ALG", "such as RS256, ES256, RSA-OAEP-256, A256KW" },
    [OPT_AS_PLANNED] = { "as-planned", TEXT, "JOB",
                         "only what that plan (--plan) told: fails where backup or store changed since" },
    [OPT_ALLOW_INCOMPLETE] = { "allow-incomplete", NOTHING, NULL,
                               "restore what there is of a backup that is not complete" },
    [OPT_AS] = { "as", TEXT, "PRINCIPAL",
                 "bench principal to act as: admin (default), backup-user, crypto-user, auditor, nobody" },
    [OPT_ASSIGNEE] = { "assignee", TEXT, "OBJECT-ID",
                       "principal or group; on a bench also a principal's name" },
    [OPT_AUDIENCE] = { "audience", TEXT, "URL",
                       "audience of the token instead of the appliance's own" },
    [OPT_BACKUP_FOLDER] = { "backup-folder", TEXT, "FOLDER",
                            "folder of the backup in the container, or all that backup start printed" },
    [OPT_BLOB_CONTAINER] = { "blob-container-name", TEXT, "NAME",
                             "container, with --storage-account-name" },
    [OPT_CACERT] = { "cacert", TEXT, "FILE",
                     "PEM file of the authority that signed the appliance's certificate" },
    [OPT_CONNECTIONS] = { "connections", TEXT, "N",
                          "connections to storage at one time, 1 to 64, beside one for small requests" },
    [OPT_CURVE] = { "curve", TEXT, "CURVE", "P-256, P-256K, P-384 or P-521" },
    [OPT_DIGEST] = { "digest", TEXT, "BASE64", "digest to sign or verify" },
    [OPT_DIR] = { "dir", TEXT, "DIR", "folder of a bench appliance" },
    [OPT_DISABLED] = { "disabled", TEXT, "true|false", "create the key disabled" },
    [OPT_DRY_RUN] = { "dry-run", NOTHING, NULL, "only say what would be deleted" },
    [OPT_ENABLED] = { "enabled", TEXT, "true|false", "enable or disable the key" },
    [OPT_EXPIRES] = { "expires", TEXT, "UNIX-S", "end of the key's validity, Unix seconds" },
    [OPT_EXPIRES_IN] = { "expires-in", TEXT, "S",
                         "seconds the token lives; negative: expired already" },
    [OPT_FILE] = { "file", TEXT, "FILE", "file to write or read" },
    [OPT_FRESH] = { "fresh", NOTHING, NULL, "wipe the bench appliance first" },
    [OPT_HSM_NAME] = { "hsm-name", TEXT, "NAME", "name of the HSM" },
    [OPT_ID] = { "id", TEXT, "URL", "URL of the HSM, https://host[:port]" },
    [OPT_JOB] = { "job-id", TEXT, "ID", "job that start printed; default: the last one" },
    [OPT_JSON] = { "json", NOTHING, NULL, "print the appliance's answer as JSON" },
    [OPT_KEEP_DAILY] = { "keep-daily", TEXT, "N",
                         "the newest backup of each of the last N days (UTC) that have one" },
    [OPT_KEEP_LAST] = { "keep-last", TEXT, "N", "the newest N backups" },
    [OPT_KEEP_MONTHLY] = { "keep-monthly", TEXT, "N",
                           "the newest backup of each of the last N months that have one" },
    [OPT_KEEP_WEEKLY] = { "keep-weekly", TEXT, "N",
                          "the newest backup of each of the last N ISO weeks that have one" },
    [OPT_KEY_NAME] = { "key-name", TEXT, "NAME", "restore this one key, with all its versions" },
    [OPT_KTY] = { "kty", TEXT, "TYPE", "RSA-HSM, EC-HSM or oct-HSM" },
    [OPT_LIMIT] = { "limit", TEXT, "N", "folders to list at most, 1 to 1000 (100)" },
    [OPT_LIMIT_RATE] = { "limit-rate", TEXT, "RATE",
                         "bytes a second that the job may take of the way to storage, such as 10M; K, M and G are 2^10, 2^20 and 2^30" },
    [OPT_MANAGED_IDENTITY] = { "use-managed-identity", TEXT, "true|false",
                               "use the appliance's identity instead of a SAS" },
    [OPT_MAX_AGE] = { "max-age", TEXT, "AGE", "exit code 10 where no backup is so young: 26h, 8d" },
    [OPT_MAX_VERIFIED_AGE] = { "max-verified-age", TEXT, "AGE",
                               "exit code 10 where no verified backup is so young" },
    [OPT_MIN_AGE] = { "min-age", TEXT, "AGE",
                      "delete no backup younger than this: 90m, 26h, 30d (default: 1d)" },
    [OPT_MODULE] = { "module", TEXT, "PATH", "PKCS#11 module" },
    [OPT_NAME] = { "name", TEXT, "NAME", "name of the key, or of the bench appliance" },
    [OPT_NO_ACTIVATE] = { "no-activate", NOTHING, NULL,
                          "leave the appliance waiting for its security domain" },
    [OPT_NO_WAIT] = { "no-wait", NOTHING, NULL, "print the job's id and return" },
    [OPT_NOT_BEFORE] = { "not-before", TEXT, "UNIX-S",
                         "start of the key's validity, Unix seconds" },
    [OPT_OPS] = { "ops", LIST, "OP",
                  "permitted operations: sign verify encrypt decrypt wrapKey unwrapKey" },
    [OPT_PARTITION] = { "partition", LIST, "NAME=FILE", "raw partition that a backup carries" },
    [OPT_PEM_FILE] = { "pem-file", TEXT, "FILE", "private key to import, unencrypted PEM" },
    [OPT_PIN_FILE] = { "pin-file", TEXT, "FILE", "file that holds the token's user PIN" },
    [OPT_PLAN] = { "plan", NOTHING, NULL, "say what would change, and change nothing" },
    [OPT_PORT] = { "port", TEXT, "PORT", "port of the bench appliance (8443)" },
    [OPT_RECEIPT] = { "receipt", TEXT, "FILE", "where the signed receipt is written" },
    [OPT_REQUIRE_COMPLETE] = { "require-complete", NOTHING, NULL,
                               "fail where something that is marked for backup would be left out" },
    [OPT_RETENTION] = { "retention-days", TEXT, "DAYS",
                        "days a deleted key can be recovered, 7 to 90" },
    [OPT_ROLE] = { "role", TEXT, "NAME|ID", "role, by name or id" },
    [OPT_SAMPLE] = { "sample", TEXT, "N%",
                     "read this share of the blocks, chosen at random, instead of all" },
    [OPT_SAS] = { "storage-container-SAS-token", TEXT, "SAS",
                  "shared access signature; @FILE reads it from a file" },
    [OPT_SCOPE] = { "scope", TEXT, "SCOPE", "/, /keys or /keys/NAME" },
    [OPT_SD_FILE] = { "security-domain-file", TEXT, "FILE",
                      "where the security domain is written" },
    [OPT_SD_QUORUM] = { "sd-quorum", TEXT, "M",
                        "officers needed to open the security domain, 2 to 10" },
    [OPT_SD_WRAPPING_KEYS] = { "sd-wrapping-keys", LIST, "CERT",
                               "certificates of the officers, 3 to 10" },
    [OPT_SET] = { "set", LIST, "SECTION.KEY=VALUE", "setting of cofferd" },
    [OPT_SIGNATURE] = { "signature", TEXT, "BASE64", "signature to verify" },
    [OPT_SIZE] = { "size", TEXT, "BITS", "size of an RSA or oct key" },
    [OPT_SOCKET] = { "socket", TEXT, "PATH", "local socket of the appliance (/run/cofferd.sock)" },
    [OPT_STORAGE_ACCOUNT] = { "storage-account-name", TEXT, "NAME",
                              "storage account, with --blob-container-name" },
    [OPT_STORAGE_CA] = { "storage-ca", TEXT, "FILE",
                         "PEM file of the authority of the storage server" },
    [OPT_STORAGE_URI] = { "storage-resource-uri", TEXT, "URI",
                          "container: https://account.blob…/container, or dir:/path on a bench" },
    [OPT_TAGS] = { "tags", LIST, "NAME=VALUE", "tags of the key" },
    [OPT_TOKEN_FILE] = { "token-file", TEXT, "FILE", "file that holds a bearer token for the HSM" },
    [OPT_TOKEN_URI] = { "token-uri", TEXT, "URI", "which token of the module, RFC 7512" },
    [OPT_UNFINISHED] = { "unfinished-older-than", TEXT, "AGE",
                         "delete this HSM's unfinished folders older than this, 8d or more" },
    [OPT_VALUE] = { "value", TEXT, "BASE64", "bytes to encrypt or decrypt" },
    [OPT_VERSION] = { "version", TEXT, "VERSION", "version of the key; default: the current one" },
};

struct parsing {
    const struct cli_verb *verb;
    struct cli_args *args;
    int collecting; /* the list option that takes the next words, or -1 */
};

static bool add(struct cli_list *l, const char *text)
{
    if (l->count == CLI_LIST_MAX)
        return false;
    l->item[l->count++] = text;
    return true;
}

static error_t wrong(struct argp_state *state, const char *how, const char *option)
{
    argp_error(state, "--%s %s", option, how);
    return EINVAL;
}

static error_t take_option(struct parsing *p, enum cli_option o, char *arg,
                           struct argp_state *state)
{
    p->collecting = -1;
    if (rows[o].takes != LIST) {
        if (p->args->text[o])
            return wrong(state, "is given twice", rows[o].name);
        p->args->text[o] = arg ? arg : "";
        return 0;
    }
    if (!p->args->list[o])
        p->args->list[o] = calloc(1, sizeof *p->args->list[o]);
    if (!p->args->list[o] || !add(p->args->list[o], arg))
        return wrong(state, "has too many values", rows[o].name);
    p->args->text[o] = arg;
    p->collecting = (int)o;
    return 0;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct parsing *p = state->input;
    if (key >= KEY(0) && key < KEY(OPT_COUNT))
        return take_option(p, (enum cli_option)(key - 1000), arg, state);
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (p->collecting >= 0) {
        return add(p->args->list[p->collecting], arg)
                   ? 0
                   : wrong(state, "has too many values", rows[p->collecting].name);
    }
    if (!p->verb->operand || p->args->word.count) {
        argp_error(state, "unexpected word: %s", arg);
        return EINVAL;
    }
    add(&p->args->word, arg);
    return 0;
}

static size_t fill_options(const struct cli_verb *v, struct argp_option *out)
{
    size_t n = 0;
    for (const enum cli_option *o = v->options; *o != OPT_COUNT; o++)
        out[n++] = (struct argp_option){
            .name = rows[*o].name, .key = KEY(*o), .arg = rows[*o].arg, .doc = rows[*o].help
        };
    return n;
}

static int missing(const struct cli_verb *v, const struct cli_args *a)
{
    for (const enum cli_option *o = v->needed; *o != OPT_COUNT; o++)
        if (!a->text[*o]) {
            fprintf(stderr, "coffer %s: --%s is needed\n", v->words, rows[*o].name);
            return EXIT_USAGE;
        }
    if (v->operand && a->word.count == 0) {
        fprintf(stderr, "coffer %s: %s is needed\n", v->words, v->operand);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static bool asks_for_help(int argc, char **argv)
{
    static const char *const words[] = { "--help", "-?", "--usage" };
    for (int i = 1; i < argc; i++)
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
            if (strcmp(argv[i], words[k]) == 0)
                return true;
    return false;
}

int cli_parse(const struct cli_verb *v, int argc, char **argv, struct cli_args *out)
{
    struct argp_option options[OPT_COUNT + 1] = { { 0 } };
    char name[64], doc[4096];
    struct parsing p = { .verb = v, .args = out, .collecting = -1 };
    *out = (struct cli_args){ .verb = v };
    fill_options(v, options);
    snprintf(name, sizeof name, "coffer %s", v->words);
    snprintf(doc, sizeof doc, "%s\v%s", v->summary, v->more ? v->more : "");
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    const struct argp argp = {
        .options = options, .parser = take, .args_doc = v->operand, .doc = doc
    };
    /* Without exits of argp's own, main can answer in JSON where that was asked for. */
    unsigned flags = ARGP_IN_ORDER | (asks_for_help(argc, argv) ? 0 : ARGP_NO_EXIT);
    if (argp_parse(&argp, argc, argv, flags, NULL, &p) != 0)
        return EXIT_USAGE;
    return missing(v, out);
}

const char *cli_option_name(enum cli_option o)
{
    return rows[o].name;
}

void cli_args_clear(struct cli_args *a)
{
    for (size_t i = 0; i < OPT_COUNT; i++)
        free(a->list[i]);
    *a = (struct cli_args){ 0 };
}
