#include "scenario_gate.h"

#include "support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 20 /* how often a connection looks whether it shall end */
#define PIECE   65536

struct gate_shared {
    atomic_uint mode, epoch, met;
};

struct passage {
    const struct gate *g;
    unsigned mode, epoch;
    int near, far;
    SSL *ssl; /* NULL: plain */
    char bytes[PIECE];
};

/* In the gate's process; NULL where its mode needs none. */
static SSL_CTX *contexts[GATE_UNKNOWN + 1];

/* --- addresses
 * --------------------------------------------------------------------------------- */

static socklen_t address_of(const char *text, unsigned port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof *v4;
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    return sizeof *v6;
}

static int listen_at(const char *address, unsigned *port, int queue)
{
    struct sockaddr_storage at;
    socklen_t len = address_of(address, *port, &at);
    int off = 0, fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (at.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&at, len), 0);
    assert_int_equal(listen(fd, queue), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&at, &len), 0);
    *port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&at)->sin6_port
                                           : ((struct sockaddr_in *)(void *)&at)->sin_port);
    return fd;
}

void gate_dead(const char *address, unsigned port)
{
    struct sockaddr_storage at;
    socklen_t len = address_of(address, port, &at);
    (void)listen_at(address, &port, 0);
    for (int i = 0; i < 4; i++) {
        int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fd, (struct sockaddr *)(void *)&at, len);
    }
}

/* --- the gate's own process
 * -------------------------------------------------------------------- */

static bool goes_on(const struct passage *p)
{
    return atomic_load(&p->g->shared->epoch) == p->epoch;
}

/* Until the client goes, or the gate is told something else. */
static void wait_idly(struct passage *p)
{
    struct pollfd f = { .fd = p->near, .events = POLLRDHUP };
    while (goes_on(p) && poll(&f, 1, LOOK_MS) == 0)
        ;
}

/* The first bytes of an answer to the client's hello, and no more. */
static void begin_handshake(struct passage *p)
{
    SSL *ssl = SSL_new(contexts[GATE_RELAYS]);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_accept_state(ssl);
    ssize_t n = recv(p->near, p->bytes, sizeof p->bytes, 0);
    if (n > 0 && BIO_write(in, p->bytes, (int)n) == n)
        (void)!SSL_do_handshake(ssl);
    int len = BIO_read(out, p->bytes, 60);
    if (len > 0)
        (void)!send(p->near, p->bytes, (size_t)len, MSG_NOSIGNAL);
    SSL_free(ssl);
    wait_idly(p);
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, bytes + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static bool pass_up(struct passage *p)
{
    ssize_t n = p->ssl ? SSL_read(p->ssl, p->bytes, PIECE) : recv(p->near, p->bytes, PIECE, 0);
    return n > 0 && send_all(p->far, p->bytes, (size_t)n);
}

static bool pass_down(struct passage *p)
{
    ssize_t n = recv(p->far, p->bytes, PIECE, 0);
    if (n <= 0)
        return false;
    return p->ssl ? SSL_write(p->ssl, p->bytes, (int)n) == n
                  : send_all(p->near, p->bytes, (size_t)n);
}

static void relay(struct passage *p)
{
    struct sockaddr_storage at;
    socklen_t len = address_of("127.0.0.1", p->g->to, &at);
    p->far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open = connect(p->far, (struct sockaddr *)(void *)&at, len) == 0;
    while (open && goes_on(p)) {
        struct pollfd f[2] = { { .fd = p->near, .events = POLLIN },
                               { .fd = p->far, .events = POLLIN } };
        bool ready = p->ssl && SSL_pending(p->ssl) > 0;
        (void)!poll(f, 2, ready ? 0 : LOOK_MS);
        if (ready || f[0].revents)
            open = pass_up(p);
        if (open && f[1].revents)
            open = pass_down(p);
    }
    close(p->far);
}

static void pass(struct passage *p)
{
    SSL_CTX *ctx = contexts[p->mode];
    if (ctx) {
        p->ssl = SSL_new(ctx);
        SSL_set_fd(p->ssl, p->near);
        if (SSL_accept(p->ssl) != 1)
            return;
    }
    if (p->mode != GATE_CLOSES)
        relay(p);
}

static void *serve_one(void *arg)
{
    struct passage *p = arg;
    if (p->mode == GATE_SWALLOWS)
        wait_idly(p);
    else if (p->mode == GATE_STALLS)
        begin_handshake(p);
    else
        pass(p);
    SSL_free(p->ssl);
    close(p->near);
    free(p);
    return NULL;
}

static SSL_CTX *context_of(const struct gate *g, const char *name)
{
    char cert[160], key[160];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    snprintf(cert, sizeof cert, "%s/%s.pem", g->certs, name);
    snprintf(key, sizeof key, "%s/%s.key", g->certs, name);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        abort();
    return ctx;
}

static void serve(const struct gate *g, int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (unsigned mode = 0; g->tls && mode <= GATE_UNKNOWN; mode++)
        contexts[mode] = context_of(g, mode == GATE_EXPIRED   ? "expired"
                                       : mode == GATE_UNKNOWN ? "unknown"
                                                              : "good");
    for (;;) {
        struct passage *p = calloc(1, sizeof *p);
        pthread_t thread;
        /* before the connection comes, so that one that ends an epoch is never taken for new */
        p->near = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        p->g = g;
        p->epoch = atomic_load(&g->shared->epoch);
        p->mode = atomic_load(&g->shared->mode);
        atomic_fetch_add(&g->shared->met, 1);
        if (p->near < 0 || pthread_create(&thread, NULL, serve_one, p) != 0)
            _exit(1);
        pthread_detach(thread);
    }
}

/* --- the test's side
 * --------------------------------------------------------------------------- */

void gate_start(struct gate *g)
{
    int fd = listen_at(g->address, &g->port, 64);
    g->shared =
        mmap(NULL, sizeof *g->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(g->shared != MAP_FAILED);
    g->pid = fork();
    assert_true(g->pid >= 0);
    if (g->pid == 0)
        serve(g, fd);
    close(fd);
}

void gate_stop(struct gate *g)
{
    if (g->pid <= 0)
        return;
    kill(g->pid, SIGKILL);
    waitpid(g->pid, NULL, 0);
    munmap(g->shared, sizeof *g->shared);
    g->pid = 0;
}

void gate_set(struct gate *g, enum gate_mode mode)
{
    atomic_store(&g->shared->mode, mode);
    atomic_store(&g->shared->met, 0);
    atomic_fetch_add(&g->shared->epoch, 1);
}

unsigned gate_met(const struct gate *g)
{
    return atomic_load(&g->shared->met);
}
