/*
 * The root-only local socket: what `coffer create`, `coffer owner` and the PIN entry call.
 * The socket checks who calls (SO_PEERCRED: uid 0 or the daemon's own); what is done is the app's.
 */
#ifndef API_LOCAL_H
#define API_LOCAL_H

#include "base/buf.h"
#include "base/err.h"

struct json;

/* One command: `body` is the parsed request (NULL where none came), `reply` an empty buffer that
 * takes JSON text; left empty it means {}. Errors become HTTP statuses as everywhere. */
typedef enum cf_rc api_local_fn(void *ctx, const struct json *body, struct cf_buf *reply,
                                struct cf_err *e);

/* A NULL command answers 404. Threads: called from any number. */
struct api_local_ops {
    void *ctx;
    api_local_fn *status;            /* GET  /local/status */
    api_local_fn *create;            /* POST /local/create {name, retention, administrators, ...} */
    api_local_fn *update;            /* POST /local/update {…} */
    api_local_fn *pin;               /* POST /local/pin {pin} */
    api_local_fn *add_administrator; /* POST /local/owner/administrators {principal} */
    api_local_fn *recovery;          /* POST /local/recovery {on}: opens or ends recovery mode */
    api_local_fn *token;             /* POST /local/token {name, audience, lifetime} */
    api_local_fn *client;            /* POST /local/client {name}: a principal, with a new secret */
    api_local_fn *undo;              /* POST /local/undo: back to the state before the restore */
    api_local_fn *cancel;            /* POST /local/cancel {jobId} */
    api_local_fn *audit;             /* POST /local/audit {from, count} */
};

#endif
