/* How target.c and call.c see an appliance. */
#ifndef COFFER_TARGET_PRIV_H
#define COFFER_TARGET_PRIV_H

#include "cli.h"
#include "net/net.h"

struct cli_target {
    struct net_lane *lane;
    char url[320]; /* scheme, host and port, no slash behind */
    char *token;   /* bearer token; wiped when closed */
};

struct cli_request {
    const char *method;
    const char *url;
    const struct cf_buf *body;
    const char *token; /* NULL: none */
};

CF_CHECK enum cf_rc cli_exchange(struct net_lane *lane, const struct cli_request *q,
                                 struct cli_answer *out, struct cf_err *e);

#endif
