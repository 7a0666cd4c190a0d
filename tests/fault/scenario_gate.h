/*
 * A gate before the storage: one address on loopback, plain or TLS, that passes everything on, or
 * does not. It runs in a process of its own; what it is to do is told while jobs run.
 */
#ifndef FAULT_SCENARIO_GATE_H
#define FAULT_SCENARIO_GATE_H

#include <stdbool.h>
#include <sys/types.h>

enum gate_mode {
    GATE_RELAYS,
    GATE_SWALLOWS, /* takes the connection, and never says anything */
    GATE_STALLS,   /* begins the handshake and leaves it there */
    GATE_CLOSES,   /* behind the handshake */
    GATE_EXPIRED,  /* relays, under a certificate that has ended */
    GATE_UNKNOWN,  /* ... of an authority that nobody here knows */
};

struct gate_shared;

struct gate {
    const char *address; /* "127.0.0.1", "::1", "::" (both families) */
    bool tls;
    const char *certs; /* scenario_certificates() */
    unsigned to;       /* port on 127.0.0.1 */
    unsigned port;     /* set by gate_start */
    struct gate_shared *shared;
    pid_t pid;
};

/* Forks: before there are threads. Ends with this process. Begins with GATE_RELAYS. */
void gate_start(struct gate *g);
void gate_stop(struct gate *g);

/* From now on; the connections there are end. */
void gate_set(struct gate *g, enum gate_mode mode);

/* Connections that came since. */
unsigned gate_met(const struct gate *g);

/* A place where nobody answers a connection attempt: its queue is full. For ever. */
void gate_dead(const char *address, unsigned port);

#endif
