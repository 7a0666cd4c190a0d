/*
 * coffer, the operator's tool: what its files share. A verb is a row of the table in verbs.c: its
 * words, the options it takes, and the function that does it. Options are one table too
 * (options.c), so a flag means the same with every verb. Verbs return an exit code (cli_exit);
 * failures are printed once, by main.
 */
#ifndef COFFER_CLI_H
#define COFFER_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "json/json.h"

/* Documented in --help and README.md: scripts rely on them. */
enum cli_exit {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,        /* anything not named below */
    EXIT_USAGE = 2,         /* the command line is wrong; nothing was asked */
    EXIT_DENIED = 3,        /* the appliance refuses this principal */
    EXIT_ABSENT = 4,        /* no such key, job, role, folder */
    EXIT_CONFLICT = 5,      /* the state does not allow it now */
    EXIT_UNREACHABLE = 6,   /* no answer from the appliance */
    EXIT_JOB_FAILED = 7,    /* the job was accepted and then failed */
    EXIT_PARTIAL = 8,       /* the job succeeded but changed nothing or not all */
    EXIT_NOT_VALID = 9,     /* a signature does not verify */
    EXIT_STALE = 10,        /* the newest backup is too old, or there is none */
    EXIT_INTERRUPTED = 130, /* at the keyboard, while a job was followed: it goes on */
};

/* Every option there is. */
enum cli_option {
    OPT_ADMINISTRATOR,
    OPT_ADMINISTRATORS,
    OPT_AFTER,
    OPT_ALGORITHM,
    OPT_ALLOW_INCOMPLETE,
    OPT_AS_PLANNED,
    OPT_AS,
    OPT_ASSIGNEE,
    OPT_AUDIENCE,
    OPT_BACKUP_FOLDER,
    OPT_BLOB_CONTAINER,
    OPT_CACERT,
    OPT_CONNECTIONS,
    OPT_CURVE,
    OPT_DIGEST,
    OPT_DIR,
    OPT_DISABLED,
    OPT_DRY_RUN,
    OPT_ENABLED,
    OPT_EXPIRES,
    OPT_EXPIRES_IN,
    OPT_FILE,
    OPT_FRESH,
    OPT_HSM_NAME,
    OPT_ID,
    OPT_JOB,
    OPT_JSON,
    OPT_KEEP_DAILY,
    OPT_KEEP_LAST,
    OPT_KEEP_MONTHLY,
    OPT_KEEP_WEEKLY,
    OPT_KEY_NAME,
    OPT_KTY,
    OPT_LIMIT,
    OPT_LIMIT_RATE,
    OPT_MANAGED_IDENTITY,
    OPT_MAX_AGE,
    OPT_MAX_VERIFIED_AGE,
    OPT_MIN_AGE,
    OPT_MODULE,
    OPT_NAME,
    OPT_NO_ACTIVATE,
    OPT_NO_WAIT,
    OPT_NOT_BEFORE,
    OPT_OPS,
    OPT_PARTITION,
    OPT_PEM_FILE,
    OPT_PIN_FILE,
    OPT_PLAN,
    OPT_PORT,
    OPT_RECEIPT,
    OPT_REQUIRE_COMPLETE,
    OPT_RETENTION,
    OPT_ROLE,
    OPT_SAMPLE,
    OPT_SAS,
    OPT_SCOPE,
    OPT_SD_FILE,
    OPT_SD_QUORUM,
    OPT_SD_WRAPPING_KEYS,
    OPT_SET,
    OPT_SIGNATURE,
    OPT_SIZE,
    OPT_SOCKET,
    OPT_STORAGE_ACCOUNT,
    OPT_STORAGE_CA,
    OPT_STORAGE_URI,
    OPT_TAGS,
    OPT_TOKEN_FILE,
    OPT_TOKEN_URI,
    OPT_UNFINISHED,
    OPT_VALUE,
    OPT_VERSION,
    OPT_COUNT
};

#define CLI_LIST_MAX 64

struct cli_list {
    const char *item[CLI_LIST_MAX];
    size_t count;
};

/* What was given; texts are the program's own argv, lists where the option collects. */
struct cli_args {
    const struct cli_verb *verb;
    const char *text[OPT_COUNT]; /* NULL: not given; a flag that was given is "" */
    struct cli_list *list[OPT_COUNT];
    struct cli_list word; /* what stands there without an option */
};

struct cli_verb {
    const char *words;              /* "backup start" */
    const char *summary;            /* one line */
    const char *more;               /* for --help: what happens, and an example */
    const enum cli_option *options; /* ends with OPT_COUNT */
    const enum cli_option *needed;  /* the ones that must be there; ends with OPT_COUNT */
    const char *operand;            /* name of the word it takes, or NULL */
    int (*run)(const struct cli_args *a, struct cf_err *e);
};

extern const struct cli_verb cli_verbs[];
extern const size_t cli_verb_count;

/* Parses argv[1..] for the verb. Says on standard error what is wrong with a command line and gives
 * EXIT_USAGE; ends the process where it asks for help. cli_args_clear frees. */
int cli_parse(const struct cli_verb *v, int argc, char **argv, struct cli_args *out);
void cli_args_clear(struct cli_args *a);

/* Its name without the dashes. */
const char *cli_option_name(enum cli_option o);

/* --- where and who (target.c) --- */

struct cli_target;

/* The appliance named by --dir, or by --hsm-name or --id with --cacert, and the bearer token of
 * --as (bench) or
 * --token-file. Failures are explained in `e`. */
CF_CHECK enum cf_rc cli_target_open(const struct cli_args *a, struct cli_target **out,
                                    struct cf_err *e);
void cli_target_close(struct cli_target *t);
const char *cli_target_url(const struct cli_target *t);

/* --- calls (call.c) --- */

struct cli_answer {
    int status;
    struct json *json; /* NULL: no JSON body */
    struct cf_buf body;
    char operation[512]; /* Azure-AsyncOperation, or "" */
};
void cli_answer_clear(struct cli_answer *r);

/* One request; `path` begins with '/', `body` NULL: none. Asks with api-version unless the path has
 * a query of its own. CF_OK: a 2xx answer. Else the class says what kind of refusal: DENIED,
 * ABSENT, STATE, INPUT, IO. */
CF_CHECK enum cf_rc cli_call(struct cli_target *t, const char *method, const char *path,
                             const struct cf_buf *body, struct cli_answer *out, struct cf_err *e);

/* The same over the local socket of an appliance. */
CF_CHECK enum cf_rc cli_local_call(const char *socket_path, const char *method, const char *path,
                                   const struct cf_buf *body, struct cli_answer *out,
                                   struct cf_err *e);

/* A PIN file's content without its line end, in locked memory; the caller frees it. */
CF_CHECK enum cf_rc cli_read_pin(const char *path, struct cf_secret **out, struct cf_err *e);

/* The exit code for a failed call. */
int cli_exit_of(const struct cf_err *e);

/* --- output (output.c) --- */

/* Indented JSON on stdout. */
void cli_print_json(const struct json *v);
/* Aligned columns; rows are tab-separated lines of `text`. */
void cli_print_table(const struct cf_buf *text);
/* A bar and the appliance's own words on a terminal, a line every ten seconds elsewhere; `total` 0:
 * not known yet. */
struct cli_progress {
    char what[40]; /* a copy: what names it goes with the answer that did */
    uint64_t shown_ms;
    bool quiet, terminal, drawn;
};
void cli_progress_start(struct cli_progress *p, const char *what, bool quiet);
void cli_progress_show(struct cli_progress *p, uint64_t done, uint64_t total, const char *text);
void cli_progress_end(struct cli_progress *p);

/* --- verbs --- */

int verb_bench_up(const struct cli_args *a, struct cf_err *e);
int verb_bench_down(const struct cli_args *a, struct cf_err *e);
int verb_bench_token(const struct cli_args *a, struct cf_err *e);
int verb_backup_start(const struct cli_args *a, struct cf_err *e);
int verb_backup_status(const struct cli_args *a, struct cf_err *e);
int verb_backup_verify(const struct cli_args *a, struct cf_err *e);
int verb_backup_freshness(const struct cli_args *a, struct cf_err *e);
int verb_backup_prune(const struct cli_args *a, struct cf_err *e);
int verb_backup_list(const struct cli_args *a, struct cf_err *e);
int verb_job_list(const struct cli_args *a, struct cf_err *e);
int verb_restore_start(const struct cli_args *a, struct cf_err *e);
int verb_restore_undo(const struct cli_args *a, struct cf_err *e);
int verb_restore_status(const struct cli_args *a, struct cf_err *e);
int verb_job_receipt(const struct cli_args *a, struct cf_err *e);
int verb_job_cancel(const struct cli_args *a, struct cf_err *e);
int verb_job_status(const struct cli_args *a, struct cf_err *e);
int verb_job_wait(const struct cli_args *a, struct cf_err *e);
int verb_key_create(const struct cli_args *a, struct cf_err *e);
int verb_key_import(const struct cli_args *a, struct cf_err *e);
int verb_key_show(const struct cli_args *a, struct cf_err *e);
int verb_key_list(const struct cli_args *a, struct cf_err *e);
int verb_key_list_versions(const struct cli_args *a, struct cf_err *e);
int verb_key_list_deleted(const struct cli_args *a, struct cf_err *e);
int verb_key_set_attributes(const struct cli_args *a, struct cf_err *e);
int verb_key_delete(const struct cli_args *a, struct cf_err *e);
int verb_key_recover(const struct cli_args *a, struct cf_err *e);
int verb_key_purge(const struct cli_args *a, struct cf_err *e);
int verb_key_sign(const struct cli_args *a, struct cf_err *e);
int verb_key_verify(const struct cli_args *a, struct cf_err *e);
int verb_key_encrypt(const struct cli_args *a, struct cf_err *e);
int verb_key_decrypt(const struct cli_args *a, struct cf_err *e);
int verb_role_definition_list(const struct cli_args *a, struct cf_err *e);
int verb_role_assignment_create(const struct cli_args *a, struct cf_err *e);
int verb_role_assignment_list(const struct cli_args *a, struct cf_err *e);
int verb_role_assignment_delete(const struct cli_args *a, struct cf_err *e);
int verb_sd_download(const struct cli_args *a, struct cf_err *e);
int verb_create(const struct cli_args *a, struct cf_err *e);
int verb_owner_add(const struct cli_args *a, struct cf_err *e);
int verb_status(const struct cli_args *a, struct cf_err *e);
int verb_token_login(const struct cli_args *a, struct cf_err *e);
int verb_token_probe(const struct cli_args *a, struct cf_err *e);

#endif
