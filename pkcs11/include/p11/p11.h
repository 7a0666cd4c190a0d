/*
 * The PKCS#11 token: the constructor of hal/token.h's implementer, and the entry of its worker.
 * The vendor's module is loaded by a child process alone, which is this program started once more
 * with P11_WORKER_ARG; a hung or crashed module costs that process, not the appliance.
 * Threads: p11_token_open from any; the handle as hal/token.h says.
 */
#ifndef P11_P11_H
#define P11_P11_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "hal/token.h"

/* argv[1] of the worker; argv[2] is its end of the socketpair. argv[0] is P11_WORKER_NAME. */
#define P11_WORKER_ARG  "--token-worker"
#define P11_WORKER_NAME "cofferd-worker"

/* Zero in a number means the default in brackets. Everything is copied. */
struct p11_config {
    const char *module;    /* path of the PKCS#11 library */
    const char *token_uri; /* RFC 7512; names one token and nothing below it; carries no PIN */
    const struct cf_secret *pin;
    /* An operator has just given this PIN: it is tried once even if the counter says no. */
    bool pin_confirmed;
    /* File that counts failed logins over restarts, so that a wrong PIN is never tried again by
     * itself; its directory exists and is private to the daemon. NULL: nothing is counted. */
    const char *pin_counter;
    const char *worker_path; /* program to start; NULL: /proc/self/exe */
    uint32_t deadline_ms;    /* one call in the worker; four times that to make a key [30,000] */
    uint32_t cached_keys;    /* opened user keys kept in the token [1,024] */
    uint32_t recycle_after;  /* objects made before the worker is replaced [200,000] */
    uint32_t max_sessions;   /* threads in the worker [8], at most 64 */
};

/* Starts the worker, logs in, finds out what the token can do. CF_E_INPUT: the URI or a setting is
 * wrong. CF_E_DENIED: PIN refused or no longer tried; the text says which and the cure.
 * CF_E_LIMIT: the token lacks what is named. CF_E_TOKEN: no such module or token, or it hangs.
 * The caller frees `*out` with hal_token_close. */
CF_CHECK enum cf_rc p11_token_open(const struct p11_config *cfg, struct hal_token **out,
                                   struct cf_err *e);

/* Makes a token out of the module's first blank one: label, SO PIN and user PIN both `pin`. For a
 * bench; loads the module into this process, so a caller does it in a child of its own.
 * CF_E_TOKEN: no module, or no blank token in it. */
CF_CHECK enum cf_rc p11_token_init(const char *module, const char *label,
                                   const struct cf_secret *pin, struct cf_err *e);

/* True when this process was started to be a worker: main() then returns p11_worker_main(*fd)
 * before it does anything else. */
bool p11_worker_asked(int argc, char **argv, int *fd);

/* The worker's whole life: serves requests from `fd` until the other end closes. Returns the exit
 * status; the caller leaves with _exit (modules crash in exit handlers). */
int p11_worker_main(int fd);

#if CF_DEBUG_RECORDERS
/* Calls `fn` with every byte that comes from the worker. NULL stops it. Debug builds only. */
void p11_token_record_answers(struct hal_token *t, void (*fn)(void *arg, const void *p, size_t n),
                              void *arg);
#endif

#endif
