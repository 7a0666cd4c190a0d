/* What is around a scenario: certificates, and far sides that are no blob servers. */
#include "scenario.h"

#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- certificates
 * ------------------------------------------------------------------------------ */

struct issue {
    const char *name, *alt; /* alt NULL: an authority */
    long from_s, to_s;      /* from now */
};

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static void set_name(X509 *x, const char *cn)
{
    X509_NAME *name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_subject_name(x, name);
    X509_NAME_free(name);
}

static X509 *make(const struct issue *i, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), i->from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), i->to_s);
    X509_set_pubkey(x, key);
    set_name(x, i->name);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    add_extension(x, issuer ? issuer : x, NID_basic_constraints,
                  i->alt ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (i->alt)
        add_extension(x, issuer, NID_subject_alt_name, i->alt);
    assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
    return x;
}

static FILE *open_file(const char *dir, const char *name, const char *suffix)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    return f;
}

static void save(const char *dir, const char *name, X509 *x, EVP_PKEY *key)
{
    FILE *f = open_file(dir, name, ".pem");
    PEM_write_X509(f, x);
    fclose(f);
    f = open_file(dir, name, ".key");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

void scenario_certificates(const char *dir)
{
    static const struct issue ca = { "ca", NULL, -86400, 86400 };
    static const struct issue unknown = { "unknown", NULL, -86400, 86400 };
    static const struct issue leaves[] = {
        { "good", "IP:127.0.0.1", -3600, 3600 },
        { "expired", "IP:127.0.0.1", -7200, -3600 },
        { "other", "DNS:somebody.else.test", -3600, 3600 },
    };
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *root = make(&ca, ca_key, NULL, ca_key);
    X509 *stranger = make(&unknown, key, NULL, key);
    save(dir, "ca", root, ca_key);
    save(dir, "unknown", stranger, key);
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        X509 *x = make(&leaves[i], key, root, ca_key);
        save(dir, leaves[i].name, x, key);
        X509_free(x);
    }
    X509_free(root);
    X509_free(stranger);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

/* --- rude far sides
 * ---------------------------------------------------------------------------- */

struct rude {
    enum scenario_rude how;
    int fd;
};

static void *be_rude(void *arg)
{
    struct rude *r = arg;
    static const char babble[] = "220 mail.example ESMTP at your service\r\n";
    for (;;) {
        int fd = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC);
        struct linger now = { 1, 0 };
        if (fd < 0)
            continue;
        char first; /* it is a client that speaks first */
        (void)!recv(fd, &first, 1, 0);
        if (r->how == BABBLES)
            (void)!write(fd, babble, sizeof babble - 1);
        if (r->how == RESETS)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
    }
    return NULL;
}

unsigned scenario_rude(enum scenario_rude how)
{
    static struct rude r;
    pthread_t thread;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    r = (struct rude){ .how = how, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    assert_int_equal(bind(r.fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(r.fd, (struct sockaddr *)&a, &len), 0);
    if (how == NOBODY) /* bound, so that nobody else begins to listen there */
        return ntohs(a.sin_port);
    assert_int_equal(listen(r.fd, 64), 0);
    if (how != SILENT) /* the kernel says hello, and that is all */
        assert_int_equal(pthread_create(&thread, NULL, be_rude, &r), 0);
    return ntohs(a.sin_port);
}
