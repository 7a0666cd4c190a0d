#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/api_fixture.h"

#define WAIT_MS 10000

struct tls_client {
    int fd;
    gnutls_session_t tls;
    gnutls_certificate_credentials_t cred;
};

static int dial(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval wait = { .tv_sec = WAIT_MS / 1000 };
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    }
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct tls_client *tls_client_open(uint16_t port, const char *priorities)
{
    struct tls_client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fd = dial(port);
    int rc = c->fd < 0 ? -1 : gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    if (rc == 0)
        rc = gnutls_certificate_allocate_credentials(&c->cred);
    if (rc == 0)
        rc = gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->cred);
    if (rc == 0)
        rc = gnutls_priority_set_direct(c->tls, priorities ? priorities : "NORMAL", NULL);
    if (rc == 0) {
        gnutls_transport_set_int(c->tls, c->fd);
        gnutls_handshake_set_timeout(c->tls, WAIT_MS);
        do
            rc = gnutls_handshake(c->tls);
        while (rc < 0 && !gnutls_error_is_fatal(rc));
    }
    if (rc == 0)
        return c;
    tls_client_close(c);
    return NULL;
}

void tls_client_close(struct tls_client *c)
{
    if (!c)
        return;
    if (c->tls)
        gnutls_deinit(c->tls);
    if (c->cred)
        gnutls_certificate_free_credentials(c->cred);
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}

bool tls_client_send(struct tls_client *c, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = gnutls_record_send(c->tls, p, len);
        if (n == GNUTLS_E_INTERRUPTED)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Bytes read, 0 at the end (orderly or not), -1 when nothing came in time. */
static ssize_t receive(struct tls_client *c, void *out, size_t len)
{
    for (;;) {
        ssize_t n = gnutls_record_recv(c->tls, out, len);
        if (n == GNUTLS_E_AGAIN)
            return -1;
        if (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_REHANDSHAKE)
            continue;
        return n < 0 ? 0 : n;
    }
}

static size_t body_length(const char *head)
{
    const char *p = strcasestr(head, "\r\ncontent-length:");
    return p ? strtoul(p + 17, NULL, 10) : 0;
}

int tls_client_answer(struct tls_client *c, struct cf_buf *out)
{
    const char *text = NULL;
    const char *end = NULL;
    char byte;
    cf_buf_clear(out);
    while (!end) {
        ssize_t n = receive(c, &byte, 1);
        if (n <= 0)
            return n < 0 ? -1 : 0;
        if (cf_buf_put(out, &byte, 1, NULL) != CF_OK || cf_buf_text(out, &text, NULL) != CF_OK)
            return -1;
        end = strstr(text, "\r\n\r\n");
    }
    int status = (int)strtol(text + 9, NULL, 10);
    for (size_t left = body_length(text); left && status != 204; left--) {
        if (receive(c, &byte, 1) != 1 || cf_buf_put(out, &byte, 1, NULL) != CF_OK)
            return -1;
    }
    return cf_buf_text(out, &text, NULL) == CF_OK ? status : -1;
}

bool tls_client_closed(struct tls_client *c)
{
    char byte;
    return receive(c, &byte, 1) == 0;
}

int tls_client_once(uint16_t port, const char *request, struct cf_buf *out)
{
    struct tls_client *c = tls_client_open(port, NULL);
    int status = -1;
    if (c && tls_client_send(c, request, strlen(request)))
        status = tls_client_answer(c, out);
    tls_client_close(c);
    return status;
}
