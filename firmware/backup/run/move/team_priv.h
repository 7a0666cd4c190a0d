/* A few threads that share out the items of one piece of work. Private to run. */
#ifndef RUN_TEAM_PRIV_H
#define RUN_TEAM_PRIV_H

#include <stddef.h>

#include "base/err.h"

/* Items 0 .. items-1, each once, by a few threads and the caller; waits for all. The first failure
 * is returned, and nothing is begun after it. */
struct team;
struct team_work {
    enum cf_rc (*each)(void *ctx, size_t item, struct cf_err *e);
    void *ctx;
    size_t items;
};
CF_CHECK enum cf_rc team_new(struct team **out, struct cf_err *e);
void team_free(struct team *t); /* NULL is a no-op */
CF_CHECK enum cf_rc team_run(struct team *t, const struct team_work *w, struct cf_err *e);

#endif
