/*
 * One scenario: a storage that misbehaves as its row says, a job, and what must come of it. Each is
 * played in a process of its own, with a server and an appliance of its own, several at once.
 */
#ifndef FAULT_SCENARIO_H
#define FAULT_SCENARIO_H

#include "support/test.h"

#include "scenario_gate.h"
#include "scenario_names.h"
#include "support/blobserver.h"
#include "support/run_bench.h"

enum scenario_deed { BACKUP, RESTORE, KEY, PRERESTORE, VERIFY };

enum scenario_verdict {
    GETS_THROUGH,
    FAILS,   /* the job, with `code` and `words` */
    REFUSED, /* at once: there is no job */
    EITHER,  /* got through, or failed in words; never something in between */
    CANCELED,
};

/* Which authority the appliance trusts, and what the server shows (https). */
enum scenario_tls { NO_TLS, TLS_GOOD, TLS_EXPIRED, TLS_OTHER_NAME, TLS_UNKNOWN, TLS_OLD };

/* A far side that is no blob server at all. */
enum scenario_rude { POLITE, NOBODY, SILENT, HANGS_UP, RESETS, BABBLES, NO_NAME };

/* What lies between appliance and storage. All of it is mended when the deed is done. */
struct scenario_way {
    const char *gate; /* address of one, on the storage's port or on its own; NULL: none */
    bool tls;
    enum gate_mode mode;
    bool named; /* the URI has a name, which `names` says, in a network of the scenario's own */
    struct names names;
    bool silent;      /* at first nobody answers for names */
    const char *dead; /* an address that answers nothing, on the gate's port */
};

struct stage;

struct scenario {
    const char *name;
    enum scenario_deed deed;
    const char *rules;   /* of the server, while the deed runs */
    const char *args[6]; /* of the server */
    const char *sp;      /* of the token; NULL: all */
    enum scenario_tls tls;
    enum scenario_rude rude;
    bool https_to_plain; /* the URI says https, the server speaks plain HTTP */
    struct scenario_way way;
    uint32_t connect_ms; /* 0: as the appliance has it */
    unsigned attempts;   /* 0: 3 */
    void (*before)(struct stage *st);
    void (*meanwhile)(struct stage *st); /* while the job runs */
    enum scenario_verdict verdict;
    const char *code, *words;
    const char *warning; /* of a job that gets through */
    unsigned most;       /* requests of the deed; 0: not looked at */
    bool still_broken;   /* the next job too would fail there: it goes elsewhere */
    bool committed;      /* a backup that failed is whole all the same */
};

struct stage {
    const struct scenario *s;
    struct test_blobserver server;
    struct gate gate;
    char sas[512], uri[160], folder[JOBS_FOLDER_SIZE];
    char job[JOBS_ID_SIZE];
    char certs[64]; /* directory */
    struct run_bench b;
    uint8_t full[32], spoilt[32];
    unsigned threads, descriptors; /* when nothing runs */
};

/* Plays one; a failed assertion ends the process. Called in a process of its own. */
void scenario_play(void **row);

/* Plays `count` rows, a few at a time, as cmocka tests of those names. Returns how many failed. */
int scenario_run_all(const struct scenario *rows, size_t count);

/* Certificates for 127.0.0.1 in `dir`: ca.pem; chain and key NAME.pem, NAME.key for good, expired,
 * other (another name); unknown.pem is of another authority. */
void scenario_certificates(const char *dir);

/* A port on loopback where somebody behaves so; ends with the process. */
unsigned scenario_rude(enum scenario_rude how);

#endif
