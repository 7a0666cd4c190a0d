#include "support/wire.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define PIECE    65536

static struct {
    int fd;
    _Atomic(const struct test_wire_answer *) answer;
    atomic_uint requests;
    atomic_ullong sent;
} wire;

/* Its head up to the empty line; false: the client has gone. Bytes of the body that came with it in
 * `*more`. */
static bool read_head(int fd, char head[HEAD_MAX], size_t *more)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, head + len, HEAD_MAX - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        head[len] = '\0';
        const char *end = strstr(head, "\r\n\r\n");
        if (end) {
            *more = len - (size_t)(end + 4 - head);
            return true;
        }
    }
}

static void read_body(int fd, const char *head, size_t have)
{
    char piece[65536];
    const char *length = strcasestr(head, "\r\nContent-Length:");
    size_t left = length ? (size_t)strtoul(length + 17, NULL, 10) : 0;
    while (have < left) {
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0)
            return;
        have += (size_t)n;
    }
}

static bool send_text(int fd, const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, text + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
        atomic_fetch_add(&wire.sent, (unsigned long long)n);
    }
    return true;
}

/* In pieces of some size, so that what is long is long soon. */
static bool send_again(int fd, const struct test_wire_answer *a)
{
    char piece[PIECE + 1];
    size_t len = a->again ? strlen(a->again) : 0;
    unsigned long in_one = 0, sent = 0;
    bool open = true;
    for (; len > 0 && (in_one + 1) * len <= PIECE; in_one++)
        memcpy(piece + in_one * len, a->again, len);
    piece[in_one * len] = '\0';
    for (; open && in_one > 0 && sent < a->times; sent += in_one)
        open = send_text(fd, piece);
    return open;
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char head[HEAD_MAX];
    size_t more = 0;
    bool open = true;
    while (open && read_head(fd, head, &more)) {
        /* a client that has enough goes on, and its answer goes, while this one still sends */
        const struct test_wire_answer a = *atomic_load(&wire.answer);
        atomic_store(&wire.sent, 0);
        if (!a.early)
            read_body(fd, head, more);
        open = send_text(fd, a.text) && send_again(fd, &a);
        atomic_fetch_add(&wire.requests, 1);
        open = open && a.keep;
    }
    shutdown(fd, SHUT_WR);
    while (recv(fd, head, sizeof head, 0) > 0) /* a reset would take back what was sent */
        ;
    close(fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_t thread;
        int fd = accept4(wire.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

unsigned test_wire_start(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    pthread_t thread;
    wire.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire.fd < 0 || bind(wire.fd, (struct sockaddr *)(void *)&at, len) != 0 ||
        listen(wire.fd, 64) != 0 ||
        getsockname(wire.fd, (struct sockaddr *)(void *)&at, &len) != 0 ||
        pthread_create(&thread, NULL, accept_all, NULL) != 0)
        abort();
    pthread_detach(thread);
    return ntohs(at.sin_port);
}

void test_wire_answer(const struct test_wire_answer *a)
{
    atomic_store(&wire.answer, a);
}

unsigned test_wire_requests(void)
{
    return atomic_load(&wire.requests);
}

unsigned long long test_wire_sent(void)
{
    return atomic_load(&wire.sent);
}
