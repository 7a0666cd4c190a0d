#include "options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

enum {
    KEY_DISCARD = 256,
    KEY_WORM,
    KEY_SAS,
    KEY_PARENT,
    KEY_LATENCY,
    KEY_RATE,
    KEY_ACCOUNT,
    KEY_ACCOUNT_KEY,
    KEY_BEARER,
    KEY_CERT,
    KEY_KEY,
    KEY_SCENARIO,
    KEY_MAKE_SAS,
    KEY_MINUTES,
    KEY_ACCOUNT_SAS,
    KEY_ARC_KEY,
    KEY_LIFE,
    KEY_POLICY,
    KEY_OLD,
    KEY_TREE,
    KEY_PAGE,
};

static const struct argp_option table[] = {
    { "port", 'p', "N", 0, "Port on 127.0.0.1; 0, the default, takes a free one", 0 },
    { "threads", 't', "N", 0, "Threads that serve connections (default 1)", 0 },
    { "container", 'c', "NAME", 0, "A container that exists at the start (default: coffer)", 0 },
    { "account", KEY_ACCOUNT, "NAME", 0, "Account of these (default: devstoreaccount1)", 0 },
    { "account-key", KEY_ACCOUNT_KEY, "BASE64", 0, "Check SAS signatures with this key", 0 },
    { "require-sas", KEY_SAS, 0, 0, "Refuse requests without a fitting SAS", 0 },
    { "bearer", KEY_BEARER, "TOKEN", 0, "Accept this bearer token instead of a SAS", 0 },
    { "token-life", KEY_LIFE, "S", 0, "Life that /_identity tells of that token (default 86400)",
      0 },
    { "arc-key", KEY_ARC_KEY, "FILE", 0, "Key file that /_identity asks for as Azure Arc does", 0 },
    { "worm", KEY_WORM, 0, 0, "Refuse to overwrite or delete anything committed", 0 },
    { "policy", KEY_POLICY, "WHAT", 0,
      "What is forbidden: no-blocks (Put Block and Put Block List: 403), no-lists (Put Block List: "
      "409), locked (any new blob: 409)",
      0 },
    { "tree", KEY_TREE, 0, 0,
      "Have directories, as an account with hierarchical namespace has: they lie in lists among the "
      "blobs, stay when they are empty, and are deleted only then",
      0 },
    { "page", KEY_PAGE, "N", 0,
      "End a page of a list behind N blobs looked at, so that a page may be empty and a group come "
      "again on the next",
      0 },
    { "discard", KEY_DISCARD, 0, 0, "Drop block bodies in the kernel; they read as zeros", 0 },
    { "latency-ms", KEY_LATENCY, "N", 0, "Wait this long before each answer", 0 },
    { "rate-bytes", KEY_RATE, "N", 0, "Bytes a second of one connection, each way", 0 },
    { "tls-cert", KEY_CERT, "FILE", 0, "Serve TLS with this certificate chain (PEM)", 0 },
    { "tls-key", KEY_KEY, "FILE", 0, "and this key (PEM)", 0 },
    { "tls-old", KEY_OLD, 0, 0, "Speak TLS 1.0 alone", 0 },
    { "scenario", KEY_SCENARIO, "FILE", 0, "Faults to play from the start", 0 },
    { "with-parent", KEY_PARENT, 0, 0, "Stop when standard input closes", 0 },
    { "make-sas", KEY_MAKE_SAS, "SP", 0, "Print a SAS for the first container and exit", 0 },
    { "account-sas", KEY_ACCOUNT_SAS, 0, 0, "Make it an account SAS (ss=b, srt=sco)", 0 },
    { "minutes", KEY_MINUTES, "N", 0, "Its life from now (default 60; may be negative)", 0 },
    { 0 },
};

static uint64_t number(struct argp_state *state, const char *arg, uint64_t max)
{
    uint64_t v = 0;
    if (!http_u64(arg, &v) || v > max)
        argp_error(state, "not a number up to %llu: %s", (unsigned long long)max, arg);
    return v;
}

static enum options_policy policy(struct argp_state *state, const char *arg)
{
    static const char *const names[] = { "none", "no-blocks", "no-lists", "locked" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(arg, names[i]) == 0)
            return (enum options_policy)i;
    argp_error(state, "not a policy: %s", arg);
    return POLICY_NONE;
}

static error_t parse_text(int key, char *arg, struct argp_state *state, struct options *o)
{
    switch (key) {
    case 'c':
        if (o->ncontainers == OPTIONS_CONTAINERS_MAX)
            argp_error(state, "at most %d containers", OPTIONS_CONTAINERS_MAX);
        o->containers[o->ncontainers++] = arg;
        return 0;
    case KEY_ACCOUNT:
        o->account = arg;
        return 0;
    case KEY_ACCOUNT_KEY:
        o->account_key = arg;
        return 0;
    case KEY_BEARER:
        o->bearer = arg;
        return 0;
    case KEY_ARC_KEY:
        o->arc_key = arg;
        return 0;
    case KEY_CERT:
        o->tls_cert = arg;
        return 0;
    case KEY_KEY:
        o->tls_key = arg;
        return 0;
    case KEY_POLICY:
        o->policy = policy(state, arg);
        return 0;
    case KEY_SCENARIO:
        o->scenario = arg;
        return 0;
    case KEY_MAKE_SAS:
        o->sas_permissions = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'p':
        o->port = (uint16_t)number(state, arg, UINT16_MAX);
        return 0;
    case 't':
        o->threads = (unsigned)number(state, arg, 64);
        return 0;
    case KEY_SAS:
        o->require_sas = true;
        return 0;
    case KEY_WORM:
        o->worm = true;
        return 0;
    case KEY_TREE:
        o->tree = true;
        return 0;
    case KEY_PAGE:
        o->page = number(state, arg, 5000);
        return 0;
    case KEY_OLD:
        o->tls_old = true;
        return 0;
    case KEY_ACCOUNT_SAS:
        o->sas_account = true;
        return 0;
    case KEY_DISCARD:
        o->discard = true;
        return 0;
    case KEY_PARENT:
        o->with_parent = true;
        return 0;
    case KEY_LATENCY:
        o->latency_ms = number(state, arg, 60000);
        return 0;
    case KEY_RATE:
        o->rate_bytes = number(state, arg, UINT32_MAX);
        return 0;
    case KEY_LIFE:
        o->token_life_s = number(state, arg, UINT32_MAX);
        return 0;
    case KEY_MINUTES:
        o->sas_minutes = arg[0] == '-' ? -(long)number(state, arg + 1, 1u << 24)
                                       : (long)number(state, arg, 1u << 24);
        return 0;
    case ARGP_KEY_END:
        if ((o->tls_cert == NULL) != (o->tls_key == NULL))
            argp_error(state, "--tls-cert and --tls-key go together");
        return 0;
    default:
        return parse_text(key, arg, state, o);
    }
}

void options_parse(struct options *o, int argc, char **argv)
{
    static const struct argp argp = { .options = table,
                                      .parser = parse,
                                      .doc = "A blob server on loopback for tests and "
                                             "benchmarks, with scripted faults." };
    *o = (struct options){
        .threads = 1, .account = "devstoreaccount1", .sas_minutes = 60, .token_life_s = 86400
    };
    if (argp_parse(&argp, argc, argv, 0, NULL, o) != 0)
        exit(2);
    if (o->threads == 0)
        o->threads = 1;
    if (o->ncontainers == 0)
        o->containers[o->ncontainers++] = "coffer";
}
