/* Finds the verb, parses its options, runs it, prints its failure once. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/privkey.h"
#include "p11/p11.h"

/* Scripts rely on them: enum cli_exit in words. */
static const struct {
    enum cli_exit code;
    const char *means;
} exits[] = {
    { EXIT_DONE, "done" },
    { EXIT_FAILED, "failed, for a reason that none of these names" },
    { EXIT_USAGE, "wrong command line or value; nothing was asked of the appliance" },
    { EXIT_DENIED, "the appliance refuses this principal" },
    { EXIT_ABSENT, "no such key, job, role, folder" },
    { EXIT_CONFLICT, "not possible now: the state of the appliance does not allow it" },
    { EXIT_UNREACHABLE, "no answer from the appliance" },
    { EXIT_JOB_FAILED, "the job was accepted, and failed or was canceled" },
    { EXIT_PARTIAL, "the job succeeded, but changed nothing or not all" },
    { EXIT_NOT_VALID, "the signature is not valid" },
    { EXIT_STALE, "the newest backup, or verified backup, is too old" },
    { EXIT_INTERRUPTED, "interrupted at the keyboard; the job goes on" },
};

/* The verbs that begin with `first`; "": all. How many there are. */
static size_t list_verbs(FILE *to, const char *first)
{
    size_t n = 0, len = strlen(first);
    for (size_t i = 0; i < cli_verb_count; i++) {
        const char *words = cli_verbs[i].words;
        if (len && (strncmp(words, first, len) != 0 || words[len] != ' '))
            continue;
        n++;
        if (to)
            fprintf(to, "  %-26s %s\n", words, cli_verbs[i].summary);
    }
    return n;
}

static void usage(FILE *to)
{
    fprintf(to, "usage: coffer VERB [options]      (coffer VERB --help explains one)\n\n");
    (void)list_verbs(to, "");
    fprintf(to,
            "\nAgainst a bench appliance: --dir DIR [--as PRINCIPAL]. Elsewhere: --hsm-name NAME "
            "or --id URL,\n--cacert FILE and --token-file FILE.\n\nExit codes:\n");
    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++)
        fprintf(to, "  %3d  %s\n", (int)exits[i].code, exits[i].means);
}

/* How many words of argv the verb's name takes; 0: it is another verb. */
static int matches(const struct cli_verb *v, int argc, char **argv)
{
    const char *rest = v->words;
    int n = 0;
    while (*rest) {
        size_t len = strcspn(rest, " ");
        if (n + 1 >= argc || strlen(argv[n + 1]) != len || strncmp(argv[n + 1], rest, len) != 0)
            return 0;
        n++;
        rest += len + (rest[len] == ' ');
    }
    return n;
}

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

static const struct cli_verb *find_verb(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < cli_verb_count; i++) {
        *words = matches(&cli_verbs[i], argc, argv);
        if (*words)
            return &cli_verbs[i];
    }
    return NULL;
}

static void print_error(const char *code, const char *message)
{
    struct cf_buf text = { 0 };
    struct json_wr w;
    const char *s = NULL;
    json_wr_init(&w, &text, NULL);
    json_put_object(&w, NULL);
    json_put_object(&w, "error");
    json_put_text(&w, "code", code);
    json_put_text(&w, "message", message);
    json_close(&w);
    json_close(&w);
    if (json_wr_end(&w) == CF_OK && cf_buf_text(&text, &s, NULL) == CF_OK)
        printf("%s\n", s);
    cf_buf_clear(&text);
}

/* What to do about it, where the words of others do not say: a line, or "". */
static const char *hint_of(const struct cf_err *e)
{
    if (e->rc == CF_E_STATE && strstr(e->text, "operation is in progress"))
        return "One job runs at a time: coffer job list tells which, coffer job wait JOB waits for it\n";
    if (e->src == CF_SRC_HTTP && e->native == 401)
        return "The token may have expired, or be for another audience or tenant: fetch a new one. The "
               "appliance's log has the reason\n";
    if (e->src == CF_SRC_CURL && e->rc == CF_E_AUTH)
        return "--cacert FILE names the authority that signed the appliance's certificate\n";
    return "";
}

static void print_failure(const struct cli_verb *v, const struct cli_args *a,
                          const struct cf_err *e)
{
    if (!a->text[OPT_JSON]) {
        fprintf(stderr, "coffer %s: %s\n", v->words, e->text);
        fputs(hint_of(e), stderr);
        return;
    }
    char text[sizeof e->text];
    (void)cf_utf8_clean(e->text, text, sizeof text);
    char *close = e->src == CF_SRC_HTTP && text[0] == '(' ? strstr(text, ") ") : NULL;
    if (close) { /* the appliance's own words: (code) message */
        *close = 0;
        print_error(text + 1, close + 2);
    } else {
        print_error(e->code ? e->code : cf_rc_name(e->rc), text);
    }
}

/* `coffer backup` and `coffer backup --help` list the verbs of that name. */
static int list_group(const char *first, bool help, bool in_json)
{
    if (help) {
        printf("usage: coffer %s VERB [options]      (coffer %s VERB --help explains one)\n\n",
               first, first);
        (void)list_verbs(stdout, first);
        return EXIT_DONE;
    }
    fprintf(stderr, "coffer: %s takes one of these:\n", first);
    (void)list_verbs(stderr, first);
    if (in_json)
        print_error("usage", "the verb is not complete; standard error lists those there are");
    return EXIT_USAGE;
}

/* No verb was found: says so by name, and what there is. */
static int no_verb(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "", *second = argc > 2 ? argv[2] : "";
    bool in_json = has_word(argc, argv, "--json");
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(first, "--version") == 0) {
        printf("coffer %s\n", COFFER_VERSION);
        return EXIT_DONE;
    }
    if (*first == 0 || *first == '-') {
        usage(stderr);
        if (in_json)
            print_error("usage", "a verb is needed; coffer --help lists them");
        return EXIT_USAGE;
    }
    bool help = strcmp(second, "--help") == 0;
    if (list_verbs(NULL, first) && (*second == 0 || *second == '-'))
        return list_group(first, help, in_json);
    fprintf(stderr, "coffer: there is no verb '%s%s%s'; coffer --help lists them\n", first,
            *second && *second != '-' ? " " : "", *second != '-' ? second : "");
    if (in_json)
        print_error("usage", "there is no such verb; coffer --help lists them");
    return EXIT_USAGE;
}

/* `coffer help backup start` is `coffer backup start --help`. */
static void help_in_front(int argc, char **argv)
{
    static char help[] = "--help";
    if (argc < 3 || strcmp(argv[1], "help") != 0)
        return;
    for (int i = 1; i + 1 < argc; i++)
        argv[i] = argv[i + 1];
    argv[argc - 1] = help;
}

int main(int argc, char **argv)
{
    int worker_fd = -1;
    (void)crypto_wipe_freed();
    if (p11_worker_asked(argc, argv, &worker_fd))
        _exit(p11_worker_main(worker_fd));
    cf_secret_harden_process();
    cf_log_setup(CF_LOG_ERROR, 2);

    help_in_front(argc, argv);
    int words = 0;
    const struct cli_verb *v = find_verb(argc, argv, &words);
    if (!v)
        return no_verb(argc, argv);
    struct cli_args args;
    struct cf_err err = { 0 };
    int code = cli_parse(v, argc - words, argv + words, &args);
    if (code == EXIT_DONE)
        code = v->run(&args, &err);
    else if (has_word(argc, argv, "--json"))
        print_error("usage", "the command line is wrong; standard error says where");
    if (err.rc != CF_OK)
        print_failure(v, &args, &err);
    cli_args_clear(&args);
    return code;
}
