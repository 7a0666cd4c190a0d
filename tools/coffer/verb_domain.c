/* security-domain download: the request az makes, the document written as az writes it. */
#include "sd_download.h"
#include "simple.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "crypto/cert.h"

#define CERT_FILE_MAX 32768
#define WAIT_TRIES    60

static enum cf_rc read_certificate(const char *path, struct cf_buf *der, struct cf_err *e)
{
    struct cf_buf file = { 0 };
    enum cf_rc rc = cf_file_read(path, CERT_FILE_MAX, &file, e);
    if (rc == CF_OK && file.len && file.data[0] == 0x30)
        rc = cf_buf_put(der, file.data, file.len, e);
    else if (rc == CF_OK)
        rc = cf_err_ctx(e, crypto_cert_from_pem(crypto_bytes_of(file.data, file.len), der, e), "%s",
                        path);
    cf_buf_clear(&file);
    return rc;
}

/* One JWK as az sends it (API document 6.2). */
static enum cf_rc put_certificate(struct body *b, const char *path, struct cf_err *e)
{
    struct cf_buf der = { 0 }, x5c = { 0 };
    struct crypto_cert cert;
    const char *text = NULL;
    enum cf_rc rc = read_certificate(path, &der, e);
    if (rc == CF_OK)
        rc = cf_err_ctx(e, crypto_cert_parse(crypto_bytes_of(der.data, der.len), &cert, e), "%s",
                        path);
    if (rc == CF_OK && cert.pub.type != HAL_RSA)
        rc = CF_FAIL(e, CF_E_INPUT, "%s: an officer's certificate must hold an RSA key", path);
    if (rc == CF_OK)
        rc = cf_buf_resize(&x5c, CF_BASE64_SIZE(der.len), e);
    if (rc == CF_OK) {
        cf_base64(der.data, der.len, (char *)x5c.data);
        text = (const char *)x5c.data;
        json_put_object(&b->w, NULL);
        json_put_text(&b->w, "kty", "RSA");
        json_put_array(&b->w, "key_ops");
        json_put_text(&b->w, NULL, "verify");
        json_put_text(&b->w, NULL, "encrypt");
        json_put_text(&b->w, NULL, "wrapKey");
        json_close(&b->w);
        json_put_base64url(&b->w, "n", cert.pub.n, cert.pub.n_len);
        json_put_base64url(&b->w, "e", cert.pub.e, cert.pub.e_len);
        json_put_array(&b->w, "x5c");
        json_put_text(&b->w, NULL, text);
        json_close(&b->w);
        json_put_base64url(&b->w, "x5t", cert.sha1, sizeof cert.sha1);
        json_put_base64url(&b->w, "x5t#S256", cert.sha256, sizeof cert.sha256);
        json_put_text(&b->w, "alg", "RSA-OAEP-256");
        json_close(&b->w);
    }
    cf_buf_clear(&der);
    cf_buf_clear(&x5c);
    return rc;
}

static enum cf_rc request_body(const struct cli_list *certificates, const char *quorum,
                               struct body *b, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    body_begin(b, e);
    json_put_array(&b->w, "certificates");
    for (size_t i = 0; rc == CF_OK && i < certificates->count; i++)
        rc = put_certificate(b, certificates->item[i], e);
    json_close(&b->w);
    if (rc == CF_OK)
        rc = body_put_number(b, "required", "--sd-quorum", quorum, e);
    return rc == CF_OK ? body_end(b) : rc;
}

static enum cf_rc wait_done(struct cli_target *t, struct cf_err *e)
{
    for (unsigned i = 0; i < WAIT_TRIES; i++) {
        struct cli_answer r = { 0 };
        char status[32];
        enum cf_rc rc = cli_call(t, "GET", "/securitydomain/download/pending", NULL, &r, e);
        snprintf(status, sizeof status, "%s", simple_text(r.json, "status"));
        if (rc == CF_OK && strcmp(status, "Failed") == 0)
            rc = CF_FAIL(e, CF_E_REMOTE, "the appliance failed: %s",
                         simple_text(r.json, "status_details"));
        cli_answer_clear(&r);
        if (rc != CF_OK || strcmp(status, "Success") == 0)
            return rc;
        sleep(1);
    }
    return CF_FAIL(e, CF_E_IO,
                   "the appliance is still busy with the security domain; download it again later");
}

/* The file's place is taken before anything is asked: an activation whose document cannot be
 * written would leave an HSM that nobody can recover. */
static enum cf_rc claim(const char *file, struct cf_err *e)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return CF_FAIL(e, CF_E_INPUT, "%s exists already; it is not overwritten", file);
    if (fd < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot create %s", file);
    close(fd);
    return CF_OK;
}

static enum cf_rc print_made(const struct cli_args *a, struct cf_err *e)
{
    struct body b;
    struct json *made = NULL;
    size_t officers = a->list[OPT_SD_WRAPPING_KEYS]->count;
    if (!a->text[OPT_JSON]) {
        printf("%s\nKeep it apart from the backups; any %s of the %zu officers open it.\n",
               a->text[OPT_SD_FILE], a->text[OPT_SD_QUORUM], officers);
        return CF_OK;
    }
    body_begin(&b, e);
    json_put_text(&b.w, "file", a->text[OPT_SD_FILE]);
    json_put_int(&b.w, "officers", (int64_t)officers);
    enum cf_rc rc = body_put_number(&b, "required", "--sd-quorum", a->text[OPT_SD_QUORUM], e);
    if (rc == CF_OK)
        rc = body_end(&b);
    if (rc == CF_OK)
        rc = json_parse(b.text.data, b.text.len, NULL, &made, e);
    if (rc == CF_OK)
        cli_print_json(made);
    json_free(made);
    cf_buf_clear(&b.text);
    return rc;
}

enum cf_rc sd_download(struct cli_target *t, const struct cli_list *certificates,
                       const char *quorum, const char *file, struct cf_err *e)
{
    struct body b = { 0 };
    struct cli_answer r = { 0 };
    enum cf_rc rc = request_body(certificates, quorum, &b, e);
    if (rc == CF_OK)
        rc = claim(file, e);
    bool claimed = rc == CF_OK;
    if (rc == CF_OK)
        rc = cli_call(t, "POST", "/securitydomain/download", &b.text, &r, e);
    const char *value = rc == CF_OK ? simple_text(r.json, "value") : "";
    if (rc == CF_OK && !*value)
        rc = CF_FAIL(e, CF_E_REMOTE, "the answer holds no security domain");
    /* On disk first: the document is complete in this answer, and waiting may fail. */
    bool written = false;
    if (rc == CF_OK) {
        rc = cf_err_ctx(
            e, cf_file_write(file, 0600, value, strlen(value), e),
            "the HSM is activated but its security domain is not kept; download it again");
        written = rc == CF_OK;
    }
    if (claimed && !written)
        unlink(file);
    if (rc == CF_OK)
        rc = wait_done(t, e);
    cf_buf_clear(&b.text);
    cli_answer_clear(&r);
    return rc;
}

int verb_sd_download(const struct cli_args *a, struct cf_err *e)
{
    struct cli_target *t = NULL;
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = sd_download(t, a->list[OPT_SD_WRAPPING_KEYS], a->text[OPT_SD_QUORUM],
                         a->text[OPT_SD_FILE], e);
    if (rc == CF_OK)
        rc = print_made(a, e);
    cli_target_close(t);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}
