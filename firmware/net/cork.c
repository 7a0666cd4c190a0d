/*
 * While more of a body is to come, its segments wait to be full. libcurl hands TLS records of
 * 16 KiB to the kernel one by one and switches Nagle's algorithm off: each would travel, and wake
 * the far side, by itself. (Nagle's algorithm would do it too, but holds the end of a body back
 * until the far side acknowledges, 40 ms.)
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_priv.h"

static int on_open(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    struct net_lane *lane = arg;
    if (purpose == CURLSOCKTYPE_IPCXN && lane->nsockets < NET_SOCKETS_MAX)
        lane->sockets[lane->nsockets++] = (struct net_socket){ .fd = fd };
    return CURL_SOCKOPT_OK;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct net_lane *lane = arg;
    for (unsigned i = 0; i < lane->nsockets; i++)
        if (lane->sockets[i].fd == fd)
            lane->sockets[i] = lane->sockets[--lane->nsockets];
    return close(fd);
}

bool net_cork_setup(CURL *easy, struct net_lane *lane)
{
    return curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, lane) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, lane) == CURLE_OK;
}

static long port_of(curl_socket_t fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = { .any = { .sa_family = AF_UNSPEC } };
    socklen_t len = sizeof at;
    if (getsockname(fd, &at.any, &len) != 0)
        return 0;
    return at.any.sa_family == AF_INET    ? ntohs(at.v4.sin_port)
           : at.any.sa_family == AF_INET6 ? ntohs(at.v6.sin6_port)
                                          : 0;
}

/* libcurl does not tell a running transfer's socket, but its local port. */
static struct net_socket *socket_of(struct net_transfer *t)
{
    struct net_lane *lane = t->lane;
    long port = 0;
    if (curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &port) != CURLE_OK || port <= 0)
        return NULL;
    for (unsigned i = 0; i < lane->nsockets; i++) {
        struct net_socket *s = &lane->sockets[i];
        if (s->port == 0)
            s->port = port_of(s->fd);
        if (s->port == port)
            return s;
    }
    return NULL;
}

void net_cork(struct net_transfer *t, bool on)
{
    int value = on;
    if (t->corked == on)
        return;
    t->corked = on;
    struct net_socket *s = socket_of(t);
    if (s != NULL) /* without it the bytes travel as well, only dearer */
        (void)setsockopt(s->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}
