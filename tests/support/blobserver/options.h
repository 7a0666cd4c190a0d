/* The command line. */
#ifndef BLOBSERVER_OPTIONS_H
#define BLOBSERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_CONTAINERS_MAX 16

/* What the container's policy, or something between, forbids for good. */
enum options_policy {
    POLICY_NONE,
    POLICY_NO_BLOCKS, /* Put Block and Put Block List: 403 */
    POLICY_NO_LISTS,  /* Put Block List: 409, immutable */
    POLICY_LOCKED,    /* any new blob: 409, immutable */
};

struct options {
    uint16_t port;
    unsigned threads;
    bool discard, worm, tree, require_sas, with_parent, tls_old;
    enum options_policy policy;
    uint64_t latency_ms, rate_bytes;
    uint64_t page; /* blobs looked at for one page of a list; 0: as many as asked for */
    const char *account, *account_key, *bearer;
    const char *arc_key;
    uint64_t token_life_s;
    const char *tls_cert, *tls_key;
    const char *scenario;
    const char *containers[OPTIONS_CONTAINERS_MAX];
    unsigned ncontainers;
    const char *sas_permissions; /* --make-sas: print one and exit */
    long sas_minutes;
    bool sas_account;
};

/* Fills `o`; prints the usage and ends the program when it must. */
void options_parse(struct options *o, int argc, char **argv);

#endif
