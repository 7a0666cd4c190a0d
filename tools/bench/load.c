/*
 * Clients of the data plane, as light as they can be: each a thread with one kept TLS connection, a
 * fixed request and a blocking read of the answer. With --rate the requests are due at fixed times
 * and an answer's time counts from when its request was due, so that a stall is not left out. The
 * clients stand for other machines, so they take a core at once when they are due (SCHED_FIFO,
 * where they may): what is measured is the appliance, not their own wait for a core. Prints
 * {"requests":…,"errors":…,"seconds":…,"cpu_seconds":…,"p50_us":…,"p99_us":…,"max_us":…}.
 */
#include <argp.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define HEAD_MAX    16384
#define TIMES_MAX   2000000
#define NS          1000000000ull

struct run {
    char *host; /* OpenSSL takes it without const */
    const char *cacert, *method, *path, *body;
    uint16_t port;
    unsigned clients, ms, rate;
    SSL_CTX *tls;
    char request[HEAD_MAX];
    size_t request_len;
    pthread_barrier_t step; /* all are connected; then the start is set */
    uint64_t start_ns, end_ns;
};

struct client {
    struct run *run;
    unsigned number;
    pthread_t thread;
    uint32_t *us; /* time of each answer */
    size_t count, errors;
};

static void die(const char *what)
{
    fprintf(stderr, "coffer-load: %s\n", what);
    exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static SSL *open_connection(const struct run *r)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(r->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL *ssl = SSL_new(r->tls);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_set1_host(ssl, r->host) != 1 ||
        SSL_set_tlsext_host_name(ssl, r->host) != 1 || SSL_connect(ssl) != 1)
        die("no TLS connection");
    return ssl;
}

/* Reads one answer with a Content-Length; its status, or 0 when the connection is of no more use.
 */
static int read_answer(SSL *ssl)
{
    static const char length_field[] = "\r\nContent-Length: ";
    char buf[HEAD_MAX + 1];
    size_t have = 0;
    char *end = NULL;
    while (!end) {
        int n = have < HEAD_MAX ? SSL_read(ssl, buf + have, (int)(HEAD_MAX - have)) : 0;
        if (n <= 0)
            return 0;
        have += (size_t)n;
        buf[have] = 0;
        end = strstr(buf, "\r\n\r\n");
    }
    int status = (int)strtol(buf + sizeof "HTTP/1.1", NULL, 10);
    const char *field = strcasestr(buf, length_field);
    size_t want = (size_t)(end + 4 - buf);
    if (field && field < end)
        want += strtoul(field + sizeof length_field - 1, NULL, 10);
    while (have < want) {
        int n = SSL_read(ssl, buf, HEAD_MAX);
        if (n <= 0)
            return 0;
        have += (size_t)n;
    }
    return status;
}

static void sleep_until(uint64_t at_ns)
{
    struct timespec t = { .tv_sec = (time_t)(at_ns / NS), .tv_nsec = (long)(at_ns % NS) };
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void *serve_client(void *arg)
{
    struct client *c = arg;
    struct run *r = c->run;
    SSL *ssl = open_connection(r);
    pthread_barrier_wait(&r->step);
    pthread_barrier_wait(&r->step);
    uint64_t every = r->rate ? NS * r->clients / r->rate : 0;
    uint64_t due = r->start_ns + every * c->number / r->clients;
    sleep_until(due);
    while (due < r->end_ns && c->count < TIMES_MAX / r->clients) {
        int status = SSL_write(ssl, r->request, (int)r->request_len) > 0 ? read_answer(ssl) : 0;
        uint64_t now = now_ns(CLOCK_MONOTONIC);
        if (status < 200 || status > 299)
            c->errors++;
        if (!status)
            break;
        c->us[c->count++] = (uint32_t)((now - due) / 1000);
        due = every ? due + every : now;
        if (every && due > now)
            sleep_until(due);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(struct client *clients, unsigned n, double seconds, double cpu)
{
    size_t total = 0, errors = 0;
    for (unsigned i = 0; i < n; i++) {
        total += clients[i].count;
        errors += clients[i].errors;
    }
    uint32_t *all = malloc((total + 1) * sizeof *all);
    if (!all || !total)
        die("no answer at all");
    size_t at = 0;
    for (unsigned i = 0; i < n; i++) {
        memcpy(all + at, clients[i].us, clients[i].count * sizeof *all);
        at += clients[i].count;
    }
    qsort(all, total, sizeof *all, by_value);
    printf("{\"requests\":%zu,\"errors\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"p50_us\":%u,"
           "\"p99_us\":%u,\"max_us\":%u}\n",
           total, errors, seconds, cpu, all[total / 2], all[total * 99 / 100], all[total - 1]);
    free(all);
}

static const struct argp_option options[] = {
    { "host", 'h', "NAME", 0, "Name of the appliance, at 127.0.0.1", 0 },
    { "port", 'p', "N", 0, "and its port", 0 },
    { "cacert", 'a', "FILE", 0, "Authority of its certificate", 0 },
    { "method", 'm', "METHOD", 0, "GET unless said", 0 },
    { "path", 'u', "PATH", 0, "Target, with its query", 0 },
    { "body", 'd', "JSON", 0, "Body", 0 },
    { "clients", 'c', "N", 0, "Connections, each a thread (1)", 0 },
    { "ms", 't', "N", 0, "How long, in milliseconds (1000)", 0 },
    { "rate", 'r', "N", 0, "Requests a second of all clients together; without it, as many as go",
      0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run *r = state->input;
    switch (key) {
    case 'h':
        r->host = arg;
        return 0;
    case 'p':
        r->port = (uint16_t)strtoul(arg, NULL, 10);
        return 0;
    case 'a':
        r->cacert = arg;
        return 0;
    case 'm':
        r->method = arg;
        return 0;
    case 'u':
        r->path = arg;
        return 0;
    case 'd':
        r->body = arg;
        return 0;
    case 'c':
        r->clients = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    case 't':
        r->ms = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    case 'r':
        r->rate = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    case ARGP_KEY_END:
        if (!r->host || !r->port || !r->cacert || !r->path || !r->clients ||
            r->clients > CLIENTS_MAX)
            argp_error(state, "--host, --port, --cacert and --path are needed; see --help");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void prepare(struct run *r)
{
    char token[HEAD_MAX / 2];
    if (!fgets(token, sizeof token, stdin))
        die("no bearer token on standard input");
    token[strcspn(token, "\r\n")] = 0;
    int n =
        snprintf(r->request, sizeof r->request,
                 "%s %s HTTP/1.1\r\nHost: %s:%u\r\nAuthorization: Bearer %s\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 r->method, r->path, r->host, (unsigned)r->port, token, strlen(r->body), r->body);
    if (n < 0 || (size_t)n >= sizeof r->request)
        die("the request is too long");
    r->request_len = (size_t)n;
    r->tls = SSL_CTX_new(TLS_client_method());
    if (!r->tls || SSL_CTX_load_verify_locations(r->tls, r->cacert, NULL) != 1)
        die("the authority's certificate cannot be read");
    SSL_CTX_set_verify(r->tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(r->tls, 1); /* one read an answer, not two a record */
}

int main(int argc, char **argv)
{
    static const struct argp argp = { .options = options,
                                      .parser = parse,
                                      .doc = "Load on the data plane over kept connections. The "
                                             "bearer token comes on standard input." };
    static struct run r = { .method = "GET", .body = "", .clients = 1, .ms = 1000 };
    static struct client clients[CLIENTS_MAX];
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    prepare(&r);
    const struct sched_param first = { .sched_priority = 1 };
    if (r.rate)
        (void)sched_setscheduler(0, SCHED_FIFO, &first);
    pthread_barrier_init(&r.step, NULL, r.clients + 1);
    for (unsigned i = 0; i < r.clients; i++) {
        clients[i] = (struct client){ .run = &r, .number = i };
        clients[i].us = calloc(TIMES_MAX / r.clients, sizeof(uint32_t));
        if (!clients[i].us || pthread_create(&clients[i].thread, NULL, serve_client, &clients[i]))
            die("no memory or no thread");
    }
    pthread_barrier_wait(&r.step);
    r.start_ns = now_ns(CLOCK_MONOTONIC) + NS / 100;
    r.end_ns = r.start_ns + (uint64_t)r.ms * 1000000;
    pthread_barrier_wait(&r.step);
    sleep_until(r.start_ns);
    uint64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < r.clients; i++)
        pthread_join(clients[i].thread, NULL);
    double seconds = (double)(now_ns(CLOCK_MONOTONIC) - r.start_ns) / (double)NS;
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    report(clients, r.clients, seconds, (double)cpu / (double)NS);
    return 0;
}
