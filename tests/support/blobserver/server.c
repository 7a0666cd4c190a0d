#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "store_priv.h"

#define EVENTS_MAX 64

struct worker {
    struct server *server;
    pthread_t thread;
    int epoll;
    uint8_t *scratch;
    pthread_mutex_t lock; /* of the list: the acceptor puts connections in */
    struct conn *first;
};

struct server {
    const struct shared *sh;
    SSL_CTX *tls;
    int listener, stop; /* `stop` is an eventfd that every worker watches */
    atomic_bool stopping;
    unsigned count, next;
    struct worker workers[];
};

static uint32_t events_for(enum conn_wait wait)
{
    switch (wait) {
    case CONN_READ:
        return EPOLLIN;
    case CONN_WRITE:
        return EPOLLOUT;
    case CONN_HUNG:
        return EPOLLRDHUP;
    case CONN_TIME:
    case CONN_GONE:
    default:
        return 0;
    }
}

static void drop(struct worker *w, struct conn *c)
{
    pthread_mutex_lock(&w->lock);
    if (c->next != NULL)
        c->next->prev = c->prev;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        w->first = c->next;
    pthread_mutex_unlock(&w->lock);
    conn_free(c);
}

static void run_one(struct worker *w, struct conn *c)
{
    enum conn_wait wait = conn_run(c);
    if (wait == CONN_GONE) {
        drop(w, c);
        return;
    }
    if (wait != c->wait) {
        struct epoll_event ev = { .events = events_for(wait), .data.ptr = c };
        epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &ev);
        c->wait = wait;
    }
}

static void accept_all(struct server *s)
{
    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct worker *w = &s->workers[s->next++ % s->count];
        struct conn *c = conn_new(s->sh, fd, s->tls, w->scratch);
        pthread_mutex_lock(&w->lock);
        c->next = w->first;
        if (w->first != NULL)
            w->first->prev = c;
        w->first = c;
        pthread_mutex_unlock(&w->lock);
        struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev); /* from here on the worker owns it */
    }
}

/* Runs connections whose time has come; returns how long epoll may sleep. */
static int run_timers(struct worker *w)
{
    uint64_t soonest = UINT64_MAX;
    pthread_mutex_lock(&w->lock);
    struct conn *c = w->first;
    pthread_mutex_unlock(&w->lock);
    while (c != NULL) {
        struct conn *next = c->next;
        if (c->wait == CONN_TIME && c->wake_ns <= conn_now_ns())
            run_one(w, c); /* may free it, but no other */
        c = next;
    }
    uint64_t now = conn_now_ns();
    pthread_mutex_lock(&w->lock);
    for (c = w->first; c != NULL; c = c->next)
        if (c->wait == CONN_TIME && c->wake_ns < soonest)
            soonest = c->wake_ns;
    pthread_mutex_unlock(&w->lock);
    if (soonest == UINT64_MAX)
        return -1;
    return soonest <= now ? 0 : (int)((soonest - now + 999999) / 1000000);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct server *s = w->server;
    struct epoll_event events[EVENTS_MAX];
    int sleep_ms = -1;
    while (!atomic_load(&s->stopping)) {
        int n = epoll_wait(w->epoll, events, EVENTS_MAX, sleep_ms);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (events[i].data.ptr == &s->stop)
                continue;
            if (events[i].data.ptr == s)
                accept_all(s);
            else if (c->wait == CONN_HUNG || (events[i].events & (EPOLLERR | EPOLLHUP)) != 0)
                drop(w, c);
            else
                run_one(w, c);
        }
        sleep_ms = run_timers(w);
    }
    return NULL;
}

static int listen_on(uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(*port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 256) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(a.sin_port);
    return fd;
}

static bool start_worker(struct server *s, struct worker *w)
{
    struct epoll_event stop = { .events = EPOLLIN, .data.ptr = &s->stop };
    w->server = s;
    w->scratch = store_alloc(CONN_SCRATCH);
    pthread_mutex_init(&w->lock, NULL);
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    return w->epoll >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, s->stop, &stop) == 0;
}

struct server *server_start(const struct shared *sh, SSL_CTX *tls, uint16_t *port)
{
    struct server *s = store_alloc(sizeof *s + sh->opt->threads * sizeof(struct worker));
    s->sh = sh;
    s->tls = tls;
    s->count = sh->opt->threads;
    s->listener = listen_on(port);
    s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->listener < 0 || s->stop < 0) {
        perror("coffer-blobserver: listen");
        free(s);
        return NULL;
    }
    for (unsigned i = 0; i < s->count; i++)
        if (!start_worker(s, &s->workers[i]))
            abort();
    struct epoll_event incoming = { .events = EPOLLIN, .data.ptr = s };
    epoll_ctl(s->workers[0].epoll, EPOLL_CTL_ADD, s->listener, &incoming);
    for (unsigned i = 0; i < s->count; i++)
        if (pthread_create(&s->workers[i].thread, NULL, work, &s->workers[i]) != 0)
            abort();
    return s;
}

void server_stop(struct server *s)
{
    uint64_t one = 1;
    atomic_store(&s->stopping, true);
    if (write(s->stop, &one, sizeof one) != (ssize_t)sizeof one)
        abort();
    for (unsigned i = 0; i < s->count; i++)
        pthread_join(s->workers[i].thread, NULL);
    for (unsigned i = 0; i < s->count; i++) {
        struct worker *w = &s->workers[i];
        while (w->first != NULL)
            drop(w, w->first);
        close(w->epoll);
        free(w->scratch);
        pthread_mutex_destroy(&w->lock);
    }
    close(s->listener);
    close(s->stop);
    free(s);
}
