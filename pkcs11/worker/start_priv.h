/*
 * The worker's start and its loop. Threads: p11_serve starts its own and returns when all ended.
 */
#ifndef P11_START_PRIV_H
#define P11_START_PRIV_H

#include "session/session_priv.h"

/* Serves until the other end closes: as many threads as sessions, each taking the next request
 * itself, so that nothing queues inside the worker. */
void p11_serve(int fd, struct p11_core *core);

#endif
