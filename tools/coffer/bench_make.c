/* What a bench appliance has before it first starts. */
#include "bench.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/cert.h"
#include "hal_linux/hal_linux.h"
#include "p11/p11.h"

#define SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define DAYS_VALID     3650
#define PIN_BYTES      12

static enum cf_rc make_folder(const struct bench *b, const char *name, struct cf_err *e)
{
    char path[BENCH_PATH];
    bench_path(b, name, path);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot make %s", path);
    return CF_OK;
}

static bool there(const struct bench *b, const char *file)
{
    char path[BENCH_PATH];
    bench_path(b, file, path);
    return access(path, F_OK) == 0;
}

static enum cf_rc write_file(const struct bench *b, const char *file, const struct cf_buf *text,
                             struct cf_err *e)
{
    char path[BENCH_PATH];
    bench_path(b, file, path);
    return cf_file_write(path, 0600, text->data, text->len, e);
}

static enum cf_rc write_pair(const struct bench *b, const char *stem, const char *cert_suffix,
                             const struct crypto_cert_pair *p, struct cf_err *e)
{
    char file[64];
    snprintf(file, sizeof file, "%s.key", stem);
    enum cf_rc rc = write_file(b, file, &p->key_pem, e);
    snprintf(file, sizeof file, "%s.%s", stem, cert_suffix);
    return rc == CF_OK ? write_file(b, file, &p->cert_pem, e) : rc;
}

/* The authority and the server's certificate; kept once made, so that clients' trust lasts. */
static enum cf_rc make_tls(const struct bench *b, struct cf_err *e)
{
    struct crypto_cert_pair ca = { 0 }, server = { 0 };
    const char *const names[] = { b->host, "localhost", "127.0.0.1" };
    struct crypto_cert_order order = { .kind = CRYPTO_CERT_CA,
                                       .common_name = "Coffer bench authority",
                                       .now = (int64_t)time(NULL),
                                       .days = DAYS_VALID };
    if (there(b, "tls/server.pem"))
        return CF_OK;
    if (b->created)
        return CF_FAIL(e, CF_E_STATE,
                       "the certificate that clients trust is gone: put %s/tls back as it was",
                       b->dir);
    enum cf_rc rc = crypto_cert_make(&order, NULL, &ca, e);
    order.kind = CRYPTO_CERT_SERVER;
    order.common_name = b->host;
    order.names = names;
    order.names_len = 3;
    if (rc == CF_OK)
        rc = crypto_cert_make(&order, &ca, &server, e);
    if (rc == CF_OK)
        rc = write_pair(b, "tls/ca", "pem", &ca, e);
    if (rc == CF_OK)
        rc = write_pair(b, "tls/server", "pem", &server, e);
    crypto_cert_pair_clear(&ca);
    crypto_cert_pair_clear(&server);
    return rc;
}

static enum cf_rc make_officer(const struct bench *b, unsigned number, struct cf_err *e)
{
    struct crypto_cert_pair pair = { 0 };
    char stem[32], name[32], cert[40];
    snprintf(stem, sizeof stem, "officers/officer%u", number);
    snprintf(name, sizeof name, "Officer %u", number);
    snprintf(cert, sizeof cert, "%s.cer", stem);
    if (there(b, cert))
        return CF_OK;
    struct crypto_cert_order order = { .kind = CRYPTO_CERT_OFFICER,
                                       .common_name = name,
                                       .now = (int64_t)time(NULL),
                                       .days = DAYS_VALID };
    enum cf_rc rc = crypto_cert_make(&order, NULL, &pair, e);
    if (rc == CF_OK)
        rc = write_pair(b, stem, "cer", &pair, e);
    crypto_cert_pair_clear(&pair);
    return rc;
}

/* A fresh PIN of hex digits, straight into a file. */
static enum cf_rc write_pin(const char *path, struct cf_err *e)
{
    uint8_t raw[PIN_BYTES];
    struct cf_secret *digits = NULL;
    enum cf_rc rc = hal_entropy_fill(hal_linux_entropy(), raw, sizeof raw, e);
    if (rc == CF_OK)
        rc = cf_secret_new(CF_HEX_SIZE(PIN_BYTES), &digits, e);
    if (rc == CF_OK) {
        cf_hex(raw, sizeof raw, (char *)cf_secret_data(digits));
        rc = cf_file_write(path, 0600, cf_secret_view(digits), CF_HEX_SIZE(PIN_BYTES) - 1, e);
    }
    cf_wipe(raw, sizeof raw);
    cf_secret_free(digits);
    return rc;
}

static enum cf_rc init_token(const char *conf, const char *pin_file, struct cf_err *e)
{
    struct cf_secret *pin = NULL;
    enum cf_rc rc =
        setenv("SOFTHSM2_CONF", conf, 1) == 0 ? CF_OK : CF_FAIL_ERRNO(e, CF_E_IO, "setenv");
    if (rc == CF_OK)
        rc = cli_read_pin(pin_file, &pin, e);
    if (rc == CF_OK)
        rc = p11_token_init(SOFTHSM_MODULE, "coffer", pin, e);
    cf_secret_free(pin);
    return rc;
}

/* SoftHSMv2 keeps its configuration in the environment of the process, so the token is made by a
 * child; which reads the PIN itself, since locked memory does not survive a fork. */
static enum cf_rc init_in_child(const char *conf, const char *pin_file, struct cf_err *e)
{
    pid_t child = fork();
    if (child < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "fork");
    if (child == 0) {
        struct cf_err err = { 0 };
        enum cf_rc rc = init_token(conf, pin_file, &err);
        if (rc != CF_OK)
            fprintf(stderr, "coffer bench up: %s\n", err.text);
        _exit(rc == CF_OK ? 0 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? CF_OK
               : CF_FAIL(e, CF_E_TOKEN,
                         "no SoftHSMv2 token could be made (Debian package softhsm2)");
}

/* token/pin gets its name last: with it there the token is whole. */
static enum cf_rc make_token(const struct bench *b, struct cf_err *e)
{
    char conf[BENCH_PATH], pin[BENCH_PATH], fresh[BENCH_PATH];
    struct cf_buf text = { 0 };
    if (b->module[0] || there(b, "token/pin"))
        return CF_OK;
    if (b->created) /* another token would be no help, and stand in the way of the right one */
        return CF_FAIL(e, CF_E_STATE,
                       "the PIN of this appliance's token is gone: put %s/token back as it was, or "
                       "make a new appliance with --fresh",
                       b->dir);
    bench_path(b, "token/softhsm2.conf", conf);
    bench_path(b, "token/pin", pin);
    bench_path(b, "token/pin.new", fresh);
    enum cf_rc rc = make_folder(b, "token/tokens", e);
    if (rc == CF_OK)
        rc = cf_buf_printf(&text, e,
                           "directories.tokendir = %s/token/tokens\nobjectstore.backend = file\n"
                           "log.level = ERROR\nslots.removable = false\n",
                           b->dir);
    if (rc == CF_OK)
        rc = write_file(b, "token/softhsm2.conf", &text, e);
    if (rc == CF_OK)
        rc = write_pin(fresh, e);
    if (rc == CF_OK)
        rc = init_in_child(conf, fresh, e);
    if (rc == CF_OK && rename(fresh, pin) != 0)
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot name %s", pin);
    cf_buf_clear(&text);
    return rc;
}

enum cf_rc bench_make(const struct bench *b, struct cf_err *e)
{
    static const char *const folders[] = { "config",   "keystore",   "tls",  "token",
                                           "officers", "principals", "blobs" };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < sizeof folders / sizeof folders[0]; i++)
        rc = make_folder(b, folders[i], e);
    if (rc == CF_OK)
        rc = make_tls(b, e);
    for (unsigned i = 1; rc == CF_OK && i <= 3; i++)
        rc = make_officer(b, i, e);
    return rc == CF_OK ? make_token(b, e) : rc;
}

/* A text of libconfig: quotes and backslashes escaped. */
static enum cf_rc put_quoted(struct cf_buf *out, const char *text, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put_text(out, "\"", e);
    for (; rc == CF_OK && *text; text++) {
        if (*text == '"' || *text == '\\')
            rc = cf_buf_put_text(out, "\\", e);
        if (rc == CF_OK)
            rc = cf_buf_put(out, text, 1, e);
    }
    return rc == CF_OK ? cf_buf_put_text(out, "\"", e) : rc;
}

static enum cf_rc put_setting(struct cf_buf *out, const char *key, const char *value,
                              struct cf_err *e)
{
    enum cf_rc rc = cf_buf_printf(out, e, "    %s = ", key);
    if (rc == CF_OK)
        rc = put_quoted(out, value, e);
    return rc == CF_OK ? cf_buf_put_text(out, ";\n", e) : rc;
}

struct row {
    const char *key, *value;
};

static enum cf_rc put_section(struct cf_buf *out, const char *name, const struct row *rows,
                              struct cf_err *e)
{
    enum cf_rc rc = cf_buf_printf(out, e, "%s: {\n", name);
    for (; rc == CF_OK && rows->key; rows++)
        rc = put_setting(out, rows->key, rows->value, e);
    return rc == CF_OK ? cf_buf_put_text(out, "};\n", e) : rc;
}

static enum cf_rc put_partitions(struct cf_buf *out, const struct bench *b, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put_text(out, "raw = (", e);
    for (size_t i = 0; rc == CF_OK && i < b->partitions; i++) {
        const char *equals = strchr(b->partition[i], '=');
        rc = cf_buf_printf(out, e, "%s\n  { name = \"%.*s\"; file = ", i ? "," : "",
                           (int)(equals - b->partition[i]), b->partition[i]);
        if (rc == CF_OK)
            rc = put_quoted(out, equals + 1, e);
        if (rc == CF_OK)
            rc = cf_buf_put_text(out, "; }", e);
    }
    return rc == CF_OK ? cf_buf_put_text(out, ");\n", e) : rc;
}

enum cf_rc bench_configure(const struct bench *b, struct cf_err *e)
{
    char path[10][BENCH_PATH], port[24];
    static const char *const files[] = { "tls/server.pem", "tls/server.key", "cofferd.sock",
                                         "token/pin",      "config",         "keystore",
                                         "audit.img",      "blobs" };
    struct cf_buf text = { 0 };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        bench_path(b, files[i], path[i]);
    snprintf(port, sizeof port, "%llu", (unsigned long long)b->port);
    const struct row server[] = { { "address", "127.0.0.1" },
                                  { "port", port },
                                  { "domain", BENCH_DOMAIN },
                                  { "certificate", path[0] },
                                  { "key", path[1] },
                                  { "socket", path[2] },
                                  { 0 } };
    const struct row token[] = { { "module", b->module[0] ? b->module : SOFTHSM_MODULE },
                                 { "uri", b->module[0] ? b->token_uri : "pkcs11:token=coffer" },
                                 { "pin_file", b->module[0] ? b->pin_file : path[3] },
                                 { 0 } };
    const struct row partition[] = {
        { "config", path[4] }, { "keystore", path[5] }, { "audit", path[6] }, { 0 }
    };
    const struct row identity[] = { { "tenant", BENCH_TENANT }, { 0 } };
    enum cf_rc rc = put_section(&text, "server", server, e);
    if (rc == CF_OK)
        rc = put_section(&text, "token", token, e);
    if (rc == CF_OK)
        rc = put_section(&text, "partition", partition, e);
    if (rc == CF_OK)
        rc = put_section(&text, "identity", identity, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(&text, "storage: {\n    dir_roots = [\"/\"];\n", e);
    if (rc == CF_OK)
        rc = put_setting(&text, "ca_file", b->storage_ca, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(&text, "};\n", e);
    if (rc == CF_OK)
        rc = put_partitions(&text, b, e);
    if (rc == CF_OK)
        rc = write_file(b, "cofferd.conf", &text, e);
    cf_buf_clear(&text);
    return rc;
}
