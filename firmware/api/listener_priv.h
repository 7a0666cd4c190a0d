/*
 * One listening socket and the HTTP library behind it. Owner of libmicrohttpd and GnuTLS.
 */
#ifndef API_LISTENER_PRIV_H
#define API_LISTENER_PRIV_H

#include "server_priv.h"

struct api_listener;

/* The library says nothing of why it does not start: are these a certificate chain and its key?
 * Logs a warning where the certificate does not hold now. CF_E_INPUT: they are not, in words. */
CF_CHECK enum cf_rc api_certificate_check(const char *cert_pem, const char *key_pem, int64_t now_s,
                                          struct cf_err *e);

/* The TLS listener of the configuration; sets a->port. */
CF_CHECK enum cf_rc api_listen_tls(struct api *a, struct api_listener **out, struct cf_err *e);

/* The local socket of the configuration; a stale one at its path is replaced. */
CF_CHECK enum cf_rc api_listen_local(struct api *a, struct api_listener **out, struct cf_err *e);

/* Stops accepting, ends connections, waits for running handlers, frees. NULL is a no-op. */
void api_listener_close(struct api_listener *l);

#endif
