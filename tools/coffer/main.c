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

static void usage(FILE *to)
{
    fprintf(to, "usage: coffer VERB [options]      (coffer VERB --help explains one)\n\n");
    for (size_t i = 0; i < cli_verb_count; i++)
        fprintf(to, "  %-26s %s\n", cli_verbs[i].words, cli_verbs[i].summary);
    fprintf(
        to,
        "\nAgainst a bench appliance: --dir DIR [--as PRINCIPAL]. Elsewhere: --hsm-name NAME or --id URL, --cacert "
        "FILE and --token-file FILE.\n\n"
        "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 refused to this principal, 4 not found, "
        "5 not possible now,\n6 appliance unreachable, 7 job failed, 8 job changed nothing or not all, "
        "9 signature not valid, 130 interrupted while a job goes on.\n");
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

static void print_failure(const struct cli_verb *v, const struct cli_args *a,
                          const struct cf_err *e)
{
    if (!a->text[OPT_JSON]) {
        fprintf(stderr, "coffer %s: %s\n", v->words, e->text);
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

int main(int argc, char **argv)
{
    int worker_fd = -1;
    (void)crypto_wipe_freed();
    if (p11_worker_asked(argc, argv, &worker_fd))
        _exit(p11_worker_main(worker_fd));
    cf_secret_harden_process();
    cf_log_setup(CF_LOG_ERROR, 2);

    int words = 0;
    const struct cli_verb *v = find_verb(argc, argv, &words);
    if (!v) {
        bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
        usage(help ? stdout : stderr);
        if (!help && has_word(argc, argv, "--json"))
            print_error("usage", "there is no such verb; coffer --help lists them");
        return help ? EXIT_DONE : EXIT_USAGE;
    }
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
