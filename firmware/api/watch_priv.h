/*
 * Deadlines of connections: the library only knows idleness, so a client that sends a byte now and
 * then would hold a thread for ever. Each open connection has one deadline; who passes it is cut.
 * Threads: any.
 */
#ifndef API_WATCH_PRIV_H
#define API_WATCH_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "hal/clock.h"

struct api_watch;

/* One connection. `user` and the peer fields belong to the connection's own thread. */
struct api_conn {
    struct api_conn *prev, *next;
    int fd;
    uint64_t deadline_ms; /* 0: none, while a handler works */
    uid_t peer_uid;
    bool peer_known;
    void *user;
};

CF_CHECK enum cf_rc api_watch_new(struct hal_clock *clock, struct api_watch **out,
                                  struct cf_err *e);
void api_watch_free(struct api_watch *w); /* all connections are gone; NULL is a no-op */

/* `in_s` seconds from now; NULL: no memory. */
struct api_conn *api_watch_add(struct api_watch *w, int fd, unsigned in_s);
void api_watch_set(struct api_watch *w, struct api_conn *c, unsigned in_s); /* 0: no deadline */
void api_watch_drop(struct api_watch *w, struct api_conn *c); /* before the descriptor is closed */

#endif
