/*
 * For tests of the REST server: a gate that does as it is told, a certificate, and a TLS client
 * that sends whatever bytes it is given.
 */
#ifndef SUPPORT_API_FIXTURE_H
#define SUPPORT_API_FIXTURE_H

#include <stdatomic.h>

#include "api/api.h"
#include "base/buf.h"

/* Set the fields between requests. Tokens: "good" is the principal below, "other" another one. */
struct fake_gate {
    struct api_gate gate;
    _Atomic int state;       /* enum api_state; starts API_ACTIVE */
    _Atomic uint64_t denied; /* bit 1 << action: refused */
    _Atomic int record_fails;
    _Atomic int record_waits;   /* a record is written only once this is 0 again */
    _Atomic unsigned recording; /* how many are being written */
    _Atomic unsigned records;
    _Atomic unsigned last_status; /* of the last record */
    char started_by[37];          /* oid that started every job; "" nobody */
};

#define FAKE_OID "00000000-0000-4000-8000-000000000001"

void fake_gate_init(struct fake_gate *g);

extern const char fixture_cert_pem[]; /* P-256, for hsm1.coffer.test, localhost, 127.0.0.1 */
extern const char fixture_key_pem[];

/* --- a client without manners ---------------------------------------------------------------- */

struct tls_client;

/* Connects to 127.0.0.1; `priorities` NULL: GnuTLS's normal ones. NULL when the handshake fails. */
struct tls_client *tls_client_open(uint16_t port, const char *priorities);
void tls_client_close(struct tls_client *c);

/* False when the far side has closed. */
bool tls_client_send(struct tls_client *c, const void *data, size_t len);

/* One answer, head and body (by its Content-Length), NUL-terminated in `out` (cleared first).
 * Returns the status; 0: closed without one; -1: nothing within ten seconds. */
int tls_client_answer(struct tls_client *c, struct cf_buf *out);

/* True when the far side closes within ten seconds without sending more. */
bool tls_client_closed(struct tls_client *c);

/* One request on a connection of its own. */
int tls_client_once(uint16_t port, const char *request, struct cf_buf *out);

#endif
