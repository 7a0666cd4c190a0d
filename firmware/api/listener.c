#include "listener_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "exchange_priv.h"

/* TLS 1.2 and 1.3 with forward secrecy and AEAD only (RFC 9325 4). */
#define TLS_PRIORITIES                                                                             \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"                  \
    "-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD"
#define CONNECTION_MEMORY ((size_t)96 * 1024) /* a head of API_HEAD_MAX and room to work */
#define THREAD_STACK      ((size_t)1 << 20)
#define DRAIN_TRIES       6000 /* of DRAIN_TRY_US */
#define DRAIN_TRY_US      10000
#define DISCARD_MAX       ((uint64_t)65536) /* of a refused body, to keep the connection */

struct api_listener {
    struct api *api;
    struct MHD_Daemon *daemon;
    bool local;
    int fd; /* local: the socket that the daemon listens on */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static struct api_conn *conn_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

static void open_conn(struct api_listener *l, struct MHD_Connection *c, void **context)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!i)
        return;
    struct api_conn *conn = api_watch_add(l->api->watch, i->connect_fd, l->api->cfg.limits.idle_s);
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (conn && l->local && getsockopt(i->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        conn->peer_uid = peer.uid;
        conn->peer_known = true;
    }
    *context = conn;
}

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api_listener *l = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        open_conn(l, c, context);
        return;
    }
    struct api_conn *conn = *context;
    if (!conn)
        return;
    api_exchange_free(conn->user);
    api_watch_drop(l->api->watch, conn);
    *context = NULL;
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *c)
{
    struct api_listener *l = cls;
    struct api_conn *conn = conn_of(c);
    if (!conn)
        return NULL;
    api_exchange_free(conn->user);
    struct api_exchange *x = api_exchange_new(l->api, conn, target);
    if (x)
        x->rq.local = l->local;
    conn->user = x;
    return x;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct api_listener *l = cls;
    struct api_conn *conn = conn_of(c);
    (void)why;
    *con_cls = NULL;
    if (!conn)
        return;
    api_exchange_free(conn->user);
    conn->user = NULL;
    api_watch_set(l->api->watch, conn, l->api->cfg.limits.idle_s);
}

/* Keeps a body for its handler, or lets a refused one run past for a while so that the connection
 * can go on. MHD_NO ends the connection. */
static enum MHD_Result take_body(struct api_exchange *x, const char *data, size_t *size)
{
    if (x->answered) {
        x->discarded += *size;
        *size = 0;
        return x->discarded <= DISCARD_MAX ? MHD_YES : MHD_NO;
    }
    if (x->rq.body.len + *size > x->rq.route->body_max ||
        cf_buf_put(&x->rq.body, data, *size, NULL) != CF_OK)
        return MHD_NO;
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result begin(struct api_exchange *x, struct MHD_Connection *c, const char *method,
                             const char *version)
{
    api_exchange_head(x, c, method, version);
    api_watch_set(x->api->watch, x->conn, x->api->cfg.limits.request_s);
    bool now = x->answered && (x->rp.close || x->rq.head.content_length > DISCARD_MAX);
    if (!now)
        return MHD_YES;
    x->rp.close = true;
    api_watch_set(x->api->watch, x->conn, x->api->cfg.limits.reply_s);
    return api_exchange_send(x, c);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    struct api_exchange *x = *con_cls;
    (void)cls;
    (void)url; /* decoded by the library, a NUL and all; x->target is what came */
    if (!x)
        return MHD_NO;
    if (!x->admitted)
        return begin(x, c, method, version);
    if (*size)
        return take_body(x, data, size);
    api_watch_set(x->api->watch, x->conn, 0);
    if (!x->answered) {
        atomic_fetch_add(&x->api->busy, 1);
        x->counted = true;
        api_handle(x->api, &x->rq, &x->rp);
    }
    x->rp.close |= atomic_load(&x->api->closing);
    api_watch_set(x->api->watch, x->conn, x->api->cfg.limits.reply_s);
    return api_exchange_send(x, c);
}

static __attribute__((format(printf, 2, 0))) void on_log(void *cls, const char *fmt, va_list ap)
{
    char line[256];
    (void)cls;
    if (vsnprintf(line, sizeof line, fmt, ap) > 0)
        cf_log(CF_LOG_DEBUG, "api", "http", "text=\"%s\"", line);
}

static struct MHD_Daemon *start(struct api_listener *l, unsigned flags,
                                const struct MHD_OptionItem *more)
{
    const struct api_limits *lim = &l->api->cfg.limits;
    return MHD_start_daemon(
        flags | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_ERROR_LOG | MHD_USE_ITC,
        l->api->cfg.port, NULL, NULL, on_request, l, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed, l,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_CONNECTION_LIMIT, lim->connections, MHD_OPTION_CONNECTION_TIMEOUT,
        0, /* it would count a slow handler as idle; watch.c rules */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
        THREAD_STACK, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

static struct api_listener *listener_new(struct api *a, bool local)
{
    struct api_listener *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->api = a;
    l->local = local;
    l->fd = -1;
    return l;
}

static enum cf_rc address_of(const struct api_config *cfg, struct sockaddr_storage *out,
                             struct cf_err *e)
{
    const char *text = cfg->address ? cfg->address : "127.0.0.1";
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(cfg->port);
        return CF_OK;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(cfg->port);
        return CF_OK;
    }
    return CF_FAIL(e, CF_E_INPUT, "listen address %s is not numeric", text);
}

enum cf_rc api_listen_tls(struct api *a, struct api_listener **out, struct cf_err *e)
{
    struct sockaddr_storage addr;
    *out = NULL;
    enum cf_rc rc = address_of(&a->cfg, &addr, e);
    if (rc != CF_OK)
        return rc;
    rc = api_certificate_check(a->cfg.cert_pem, a->cfg.key_pem,
                               hal_clock_unix_ms(a->cfg.clock) / 1000, e);
    if (rc != CF_OK)
        return rc;
    struct api_listener *l = listener_new(a, false);
    if (!l)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the server");
    /* The library wants mutable pointers in its array and only reads them. */
    struct MHD_OptionItem more[] = {
        { MHD_OPTION_SOCK_ADDR, 0, &addr },
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)a->cfg.cert_pem },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)a->cfg.key_pem },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
        { MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)a->cfg.limits.connections_per_ip, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    unsigned v6 = addr.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0;
    /* Records it has decrypted hold the bodies of imports. */
    gnutls_free = cf_wipe_free;
    gnutls_realloc = cf_wipe_realloc;
    errno = 0;
    l->daemon = start(l, MHD_USE_TLS | v6, more);
    const union MHD_DaemonInfo *i =
        l->daemon ? MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!i) {
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot listen on port %u", (unsigned)a->cfg.port);
        api_listener_close(l);
        return rc;
    }
    a->port = i->port;
    *out = l;
    return CF_OK;
}

static enum cf_rc bind_local(struct api_listener *l, const char *path, struct cf_err *e)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof addr.sun_path)
        return CF_FAIL(e, CF_E_INPUT, "the local socket's path is over %zu bytes",
                       sizeof addr.sun_path - 1);
    memcpy(addr.sun_path, path, strlen(path));
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "no local socket");
    (void)unlink(path); /* left by a process that died; a running one holds the store's lock */
    mode_t old = umask(0177);
    int failed = bind(l->fd, (struct sockaddr *)&addr, sizeof addr);
    (void)umask(old);
    if (failed || listen(l->fd, 16) != 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot listen on %s", path);
    memcpy(l->path, path, strlen(path) + 1);
    return CF_OK;
}

enum cf_rc api_listen_local(struct api *a, struct api_listener **out, struct cf_err *e)
{
    *out = NULL;
    struct api_listener *l = listener_new(a, true);
    if (!l)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the server");
    enum cf_rc rc = bind_local(l, a->cfg.local_path, e);
    if (rc == CF_OK) {
        struct MHD_OptionItem more[] = {
            { MHD_OPTION_LISTEN_SOCKET, l->fd, NULL },
            { MHD_OPTION_END, 0, NULL },
        };
        l->daemon = start(l, 0, more);
        if (!l->daemon)
            rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot serve on %s", a->cfg.local_path);
        else
            l->fd = -1; /* the daemon's now */
    }
    if (rc != CF_OK) {
        api_listener_close(l);
        return rc;
    }
    *out = l;
    return CF_OK;
}

/* The library cuts every connection at once when it stops: a client would not learn that its key
 * was made. What a handler has begun is answered first; each answer has its own deadline. */
static void drain(struct api_listener *l)
{
    MHD_socket fd = MHD_quiesce_daemon(l->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    for (unsigned i = 0; i < DRAIN_TRIES && atomic_load(&l->api->busy); i++)
        usleep(DRAIN_TRY_US);
}

void api_listener_close(struct api_listener *l)
{
    if (!l)
        return;
    if (l->daemon) {
        drain(l);
        MHD_stop_daemon(l->daemon);
    }
    if (l->fd >= 0)
        close(l->fd);
    if (l->path[0])
        (void)unlink(l->path);
    free(l);
}
