/* Writes a security-domain document for the certificates given, twice: as activated, and re-shared
 * in another order. Usage: sd_document OUT1 OUT2 QUORUM CERT.. (PEM). For sd_check.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/file.h"
#include "crypto/cert.h"
#include "domain/domain.h"
#include "support/fake_token.h"

#define CERTS_MAX 10

static struct cf_buf record;

static enum cf_rc load(void *arg, struct cf_buf *out, struct cf_err *e)
{
    (void)arg;
    return record.len ? cf_buf_put(out, record.data, record.len, e)
                      : CF_FAIL(e, CF_E_ABSENT, "no record");
}

static enum cf_rc save(void *arg, const void *p, size_t len, struct cf_err *e)
{
    (void)arg;
    cf_buf_clear(&record);
    return cf_buf_put(&record, p, len, e);
}

static enum cf_rc fill(struct hal_entropy *r, void *dst, size_t len, struct cf_err *e)
{
    (void)r;
    return getrandom(dst, len, 0) == (ssize_t)len ? CF_OK : CF_FAIL(e, CF_E_IO, "getrandom");
}

static int64_t unix_ms(struct hal_clock *c)
{
    (void)c;
    return (int64_t)time(NULL) * 1000;
}

static void must(enum cf_rc rc, const struct cf_err *e)
{
    if (rc == CF_OK)
        return;
    fprintf(stderr, "%s: %s\n", cf_rc_name(rc), e->text);
    exit(1);
}

static void write_document(struct domain *d, const struct domain_officers *o, const char *path)
{
    struct cf_err e = { 0 };
    struct cf_buf text = { 0 };
    must(domain_download(d, o, &text, &e), &e);
    must(cf_file_write(path, 0600, text.data, text.len, &e), &e);
    cf_buf_clear(&text);
}

int main(int argc, char **argv)
{
    static const struct hal_entropy_ops entropy_ops = { .fill = fill };
    static const struct hal_clock_ops clock_ops = { .unix_ms = unix_ms };
    struct hal_entropy entropy = { &entropy_ops };
    struct hal_clock clock = { &clock_ops };
    struct hal_key_name store = { .role = HAL_ROLE_STORE }, id = { .role = HAL_ROLE_IDENTITY };
    struct cf_err e = { 0 };
    struct cf_buf der[CERTS_MAX] = { { 0 } };
    struct crypto_bytes one[CERTS_MAX], two[CERTS_MAX];
    struct domain *d = NULL;
    size_t n = argc > 4 ? (size_t)argc - 4 : 0;
    if (n == 0 || n > CERTS_MAX)
        return 2;
    for (size_t i = 0; i < n; i++) {
        struct cf_buf pem = { 0 };
        must(cf_file_read(argv[4 + i], 65536, &pem, &e), &e);
        must(crypto_cert_from_pem(crypto_bytes_of(pem.data, pem.len), &der[i], &e), &e);
        one[i] = crypto_bytes_of(der[i].data, der[i].len);
        two[n - 1 - i] = one[i];
        cf_buf_clear(&pem);
    }
    struct hal_token *token = fake_token_new();
    must(hal_token_key_make(token, &store, &e), &e);
    must(hal_token_key_make(token, &id, &e), &e);
    struct domain_options o = { .token = token,
                                .entropy = &entropy,
                                .clock = &clock,
                                .keep = { load, save, NULL },
                                .hsm_name = "check" };
    must(domain_open(&o, &d, &e), &e);
    struct domain_officers officers = { one, n, (unsigned)atol(argv[3]) };
    write_document(d, &officers, argv[1]);
    officers.der = two;
    write_document(d, &officers, argv[2]);
    domain_close(d);
    hal_token_close(token);
    for (size_t i = 0; i < n; i++)
        cf_buf_clear(&der[i]);
    cf_buf_clear(&record);
    return 0;
}
