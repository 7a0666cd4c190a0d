/* Listening socket and worker threads. The first worker accepts and deals connections out. */
#ifndef BLOBSERVER_SERVER_H
#define BLOBSERVER_SERVER_H

#include <openssl/ssl.h>

#include "call.h"

struct server;

/* Listens on 127.0.0.1; *port says where. NULL, with a message on stderr, when that fails. */
struct server *server_start(const struct shared *sh, SSL_CTX *tls, uint16_t *port);

/* Ends the threads, closes all connections, frees. */
void server_stop(struct server *s);

#endif
