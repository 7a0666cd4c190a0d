/* coffer-blobserver: see README.md. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "options.h"
#include "sas.h"
#include "server.h"

static SSL_CTX *tls_context(const struct options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_use_certificate_chain_file(ctx, o->tls_cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, o->tls_key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(ctx);
        return NULL;
    }
    if (o->tls_old) {
        SSL_CTX_set_security_level(ctx, 0);
        (void)SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
        (void)SSL_CTX_set_max_proto_version(ctx, TLS1_VERSION);
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, 128 * 1024);
    return ctx;
}

static bool load_scenario(struct faults *f, const char *path)
{
    char text[65536];
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        fprintf(stderr, "coffer-blobserver: %s: %s\n", path, strerror(errno));
        return false;
    }
    size_t len = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[len] = '\0';
    unsigned line = 0;
    if (len == sizeof text - 1 || !faults_add(f, text, &line)) {
        fprintf(stderr, "coffer-blobserver: %s:%u: not understood\n", path, line);
        return false;
    }
    return true;
}

/* Returns when a signal asks for it, or the parent has gone. */
static void wait_for_end(const struct options *o, const sigset_t *signals)
{
    struct pollfd fds[2] = { { .fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN },
                             { .fd = o->with_parent ? STDIN_FILENO : -1, .events = POLLIN } };
    for (;;) {
        char sink[64];
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents != 0)
            break;
        if (fds[1].revents != 0 && read(STDIN_FILENO, sink, sizeof sink) <= 0)
            break;
    }
    close(fds[0].fd);
}

static int print_sas(const struct options *o)
{
    char sas[1024];
    struct store_target t = { o->account, o->containers[0], "" };
    struct sas_wish w = { o->sas_permissions, o->sas_minutes, o->sas_account };
    if (!sas_make(&t, &w, o->account_key, sas, sizeof sas))
        return 1;
    puts(sas);
    return 0;
}

static int serve(const struct options *o, const sigset_t *signals, SSL_CTX *tls)
{
    struct shared sh = { o, store_new(o->worm, o->tree), faults_new(), stats_new() };
    uint16_t port = o->port;
    struct server *s = NULL;
    int code = 1;
    for (unsigned i = 0; i < o->ncontainers; i++) {
        struct store_target t = { o->account, o->containers[i], "" };
        (void)store_container_create(sh.store, &t); /* twice the same name is harmless */
    }
    if (o->scenario != NULL && !load_scenario(sh.faults, o->scenario))
        goto out;
    s = server_start(&sh, tls, &port);
    if (s == NULL)
        goto out;
    printf("PORT=%u\n", port);
    fflush(stdout);
    wait_for_end(o, signals);
    server_stop(s);
    code = 0;
out:
    store_free(sh.store);
    faults_free(sh.faults);
    stats_free(sh.stats);
    return code;
}

int main(int argc, char **argv)
{
    struct options o;
    sigset_t signals;
    SSL_CTX *tls = NULL;
    options_parse(&o, argc, argv);
    if (o.sas_permissions != NULL)
        return print_sas(&o);

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread is made */
    signal(SIGPIPE, SIG_IGN);
    if (o.tls_cert != NULL && (tls = tls_context(&o)) == NULL)
        return 1;
    int code = serve(&o, &signals, tls);
    SSL_CTX_free(tls);
    return code;
}
