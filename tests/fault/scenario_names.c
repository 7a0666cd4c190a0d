#include "scenario_names.h"

#include "support/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT   53
#define HEAD   12
#define TYPE_A 1
#define AAAA   28

static struct {
    const struct names *n;
    int fd;
    atomic_bool silent;
    atomic_uint unanswered;
} server;

/* --- moving
 * ------------------------------------------------------------------------------------ */

static bool put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return good;
}

/* Who is not root is root in a user namespace of its own. */
static bool unshare_all(void)
{
    char uid[32], gid[32];
    if (geteuid() == 0)
        return unshare(CLONE_NEWNS | CLONE_NEWNET) == 0;
    snprintf(uid, sizeof uid, "0 %u 1", (unsigned)geteuid());
    snprintf(gid, sizeof gid, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) == 0 &&
           put_file("/proc/self/setgroups", "deny") && put_file("/proc/self/uid_map", uid) &&
           put_file("/proc/self/gid_map", gid);
}

/* In the place of a system's file, for this process alone. */
static bool replace(const char *path, const char *text)
{
    char own[] = "/dev/shm/coffer-names-XXXXXX";
    int fd = mkstemp(own);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
                mount(own, path, NULL, MS_BIND, NULL) == 0;
    close(fd);
    unlink(own);
    return good;
}

static bool raise_loopback(void)
{
    struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = ioctl(fd, SIOCSIFFLAGS, &r) == 0;
    close(fd);
    return good;
}

bool names_enter(void)
{
    return unshare_all() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           replace("/etc/resolv.conf",
                   "nameserver 127.0.0.1\nsearch .\noptions timeout:1 attempts:1\n") &&
           replace("/etc/nsswitch.conf", "hosts: dns\n") && raise_loopback();
}

bool names_ipv6(void)
{
    struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = fd >= 0 && bind(fd, (struct sockaddr *)(void *)&at, sizeof at) == 0;
    close(fd);
    return there;
}

/* --- answering (RFC 1035, 4)
 * ------------------------------------------------------------------- */

static size_t add_record(uint8_t *out, unsigned type, int family, const char *address)
{
    static const uint8_t head[] = { 0xc0, HEAD, 0, 0, 0, 1, 0, 0, 0, 60, 0 };
    size_t len = family == AF_INET ? 4 : 16;
    memcpy(out, head, sizeof head);
    out[3] = (uint8_t)type;
    out[sizeof head] = (uint8_t)len;
    inet_pton(family, address, out + sizeof head + 1);
    return sizeof head + 1 + len;
}

/* The question as it came, with whatever there is of its type. Its length. */
static size_t answer(uint8_t *m, size_t len)
{
    const struct names *n = server.n;
    size_t at = HEAD;
    while (at < len && m[at])
        at += m[at] + 1u;
    at += 5;
    if (at > len)
        return 0;
    unsigned type = m[at - 3];
    m[2] |= 0x84; /* an answer, with authority */
    m[3] = 0x80;
    memset(m + 6, 0, 6);
    for (size_t i = 0; type == TYPE_A && i < 2 && n->a[i]; i++, m[7]++)
        at += add_record(m + at, TYPE_A, AF_INET, n->a[i]);
    if (type == AAAA && n->aaaa) {
        at += add_record(m + at, AAAA, AF_INET6, n->aaaa);
        m[7]++;
    }
    return at;
}

static void *answer_all(void *arg)
{
    (void)arg;
    for (;;) {
        uint8_t m[1024];
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(server.fd, m, 512, 0, (struct sockaddr *)(void *)&from, &len);
        if (n < HEAD)
            continue;
        if (atomic_load(&server.silent)) {
            atomic_fetch_add(&server.unanswered, 1);
            continue;
        }
        size_t out = answer(m, (size_t)n);
        (void)!sendto(server.fd, m, out, 0, (struct sockaddr *)(void *)&from, len);
    }
    return NULL;
}

void names_serve(const struct names *n, bool silent)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(PORT),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    pthread_t thread;
    server.n = n;
    atomic_store(&server.silent, silent);
    server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.fd, (struct sockaddr *)(void *)&at, sizeof at), 0);
    assert_int_equal(pthread_create(&thread, NULL, answer_all, NULL), 0);
    pthread_detach(thread);
}

void names_silent(bool silent)
{
    atomic_store(&server.unanswered, 0);
    atomic_store(&server.silent, silent);
}

unsigned names_unanswered(void)
{
    return atomic_load(&server.unanswered);
}
