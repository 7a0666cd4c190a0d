/*
 * A bench appliance's folder. bench.json, written last when it is made, describes the rest:
 *   config/ keystore/ audit.img   partitions          tls/         authority and server certificate
 *   token/                        SoftHSMv2's store    officers/    keys and certificates of three
 * officers principals/NAME.json          client credentials   blobs/       a place for dir: backups
 *   cofferd.conf  cofferd.sock  cofferd.pid  cofferd.log  security-domain.json
 */
#ifndef COFFER_BENCH_H
#define COFFER_BENCH_H

#include <sys/types.h>

#include "cli.h"

#define BENCH_PATH           1024
#define BENCH_DIR_MAX        90 /* the local socket lies in it, and its path has 107 bytes at most */
#define BENCH_PARTITIONS_MAX 32
#define BENCH_SETS_MAX       64
#define BENCH_DOMAIN         "coffer.test"
#define BENCH_TENANT         "7a2c5c3e-6f0d-4b47-9d53-c0ffe2000001"
#define BENCH_PORT           8443

/* What bench.json holds, and what follows from it. Options given to a later `bench up` replace what
 * is kept here. */
struct bench {
    char dir[BENCH_PATH]; /* absolute */
    char name[32];
    char host[64]; /* NAME.coffer.test */
    char url[96];  /* https://NAME.coffer.test:PORT */
    uint64_t port;
    bool created; /* provisioned, principals made */
    bool activated;
    char module[BENCH_PATH]; /* "": a SoftHSMv2 token below DIR/token */
    char token_uri[BENCH_PATH];
    char pin_file[BENCH_PATH];
    char storage_ca[BENCH_PATH];
    char partition[BENCH_PARTITIONS_MAX][BENCH_PATH]; /* NAME=FILE, absolute */
    size_t partitions;
    char set[BENCH_SETS_MAX][256];
    size_t sets;
};

/* `file` below the bench folder, into `out` of BENCH_PATH bytes. */
void bench_path(const struct bench *b, const char *file, char *out);

/* The host name and URL that follow from name and port. */
void bench_name(struct bench *b);

/* Reads DIR/bench.json. CF_E_ABSENT: no bench appliance there. */
CF_CHECK enum cf_rc bench_read(const char *dir, struct bench *out, struct cf_err *e);
CF_CHECK enum cf_rc bench_write(const struct bench *b, struct cf_err *e);

/* Everything that is made once: folders, token, certificates, officers (bench_make.c). Repeating it
 * is harmless: what is there stays. */
CF_CHECK enum cf_rc bench_make(const struct bench *b, struct cf_err *e);

/* cofferd.conf from `b`; written anew at each start. */
CF_CHECK enum cf_rc bench_configure(const struct bench *b, struct cf_err *e);

/* The process (bench_daemon.c): started in the background with its log in cofferd.log. CF_OK once
 * it answers on its local socket; else the text quotes the log's last line. */
CF_CHECK enum cf_rc bench_start(const struct bench *b, pid_t *pid, struct cf_err *e);
/* SIGTERM, then SIGKILL; fine when it is dead already. */
CF_CHECK enum cf_rc bench_stop(const struct bench *b, struct cf_err *e);
/* 0: not running. */
pid_t bench_running(const struct bench *b);

/* One call over the bench appliance's local socket. */
CF_CHECK enum cf_rc bench_local(const struct bench *b, const char *method, const char *path,
                                const struct cf_buf *body, struct cli_answer *out,
                                struct cf_err *e);

/* Appends a token for a bench principal; audience NULL: the appliance's own. */
CF_CHECK enum cf_rc bench_token(const struct bench *b, const char *principal, const char *audience,
                                int64_t lifetime_s, struct cf_buf *out, struct cf_err *e);

#endif
