/* Which appliance, and as whom. */
#include "bench.h"
#include "target_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/secret.h"

#define TOKEN_FILE_MAX 16384
#define TOKEN_LIFE_S   3600
#define SUFFIX         "managedhsm.azure.net"

static enum cf_rc open_lane(struct cli_target *t, const char *ca, const char *resolve,
                            struct cf_err *e)
{
    const struct net_options o = {
        .ca_file = ca, .resolve = resolve, .connections = 1, .user_agent = "coffer/1"
    };
    return net_lane_new(&o, &t->lane, e);
}

static enum cf_rc keep_token(struct cli_target *t, const struct cf_buf *text, struct cf_err *e)
{
    size_t len = text->len;
    while (len && isspace(text->data[len - 1]))
        len--;
    t->token = calloc(1, len + 1);
    if (!t->token)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the token");
    memcpy(t->token, text->data, len);
    return CF_OK;
}

static enum cf_rc open_bench(const struct cli_args *a, struct cli_target *t, struct cf_err *e)
{
    struct bench b;
    char ca[BENCH_PATH], resolve[128];
    struct cf_buf token = { 0 };
    const char *as = a->text[OPT_AS] ? a->text[OPT_AS] : "admin";
    enum cf_rc rc = bench_read(a->text[OPT_DIR], &b, e);
    if (rc != CF_OK)
        return rc;
    snprintf(t->url, sizeof t->url, "%s", b.url);
    snprintf(resolve, sizeof resolve, "%s:%llu:127.0.0.1", b.host, (unsigned long long)b.port);
    bench_path(&b, "tls/ca.pem", ca);
    rc = open_lane(t, ca, resolve, e);
    if (rc == CF_OK)
        rc = bench_token(&b, as, NULL, TOKEN_LIFE_S, &token, e);
    if (rc == CF_OK)
        rc = keep_token(t, &token, e);
    cf_buf_clear(&token);
    return rc;
}

static enum cf_rc open_remote(const struct cli_args *a, struct cli_target *t, struct cf_err *e)
{
    struct cf_buf token = { 0 };
    const char *id = a->text[OPT_ID];
    const char *suffix = getenv("COFFER_DNS_SUFFIX");
    if (!a->text[OPT_TOKEN_FILE])
        return CF_FAIL(e, CF_E_INPUT,
                       "--token-file is needed: a file with a bearer token for the HSM "
                       "(against a bench appliance give --dir instead)");
    if (id && strncmp(id, "https://", 8) != 0)
        return CF_FAIL(e, CF_E_INPUT, "--id must be https://host[:port]");
    if (id)
        snprintf(t->url, sizeof t->url, "%s", id);
    else
        snprintf(t->url, sizeof t->url, "https://%s.%s", a->text[OPT_HSM_NAME],
                 suffix ? suffix : SUFFIX);
    size_t len = strlen(t->url);
    if (t->url[len - 1] == '/')
        t->url[len - 1] = 0;
    enum cf_rc rc = open_lane(t, a->text[OPT_CACERT], NULL, e);
    if (rc == CF_OK)
        rc = cf_file_read(a->text[OPT_TOKEN_FILE], TOKEN_FILE_MAX, &token, e);
    if (rc == CF_OK)
        rc = keep_token(t, &token, e);
    cf_buf_clear(&token);
    return rc;
}

enum cf_rc cli_target_open(const struct cli_args *a, struct cli_target **out, struct cf_err *e)
{
    *out = NULL;
    bool dir = a->text[OPT_DIR] != NULL;
    bool named = a->text[OPT_HSM_NAME] || a->text[OPT_ID];
    if (dir == named)
        return CF_FAIL(e, CF_E_INPUT,
                       "name the appliance: --dir DIR, or --hsm-name NAME, or --id URL");
    struct cli_target *t = calloc(1, sizeof *t);
    if (!t)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    enum cf_rc rc = dir ? open_bench(a, t, e) : open_remote(a, t, e);
    if (rc != CF_OK)
        cli_target_close(t);
    else
        *out = t;
    return rc;
}

void cli_target_close(struct cli_target *t)
{
    if (!t)
        return;
    if (t->token)
        cf_wipe(t->token, strlen(t->token));
    free(t->token);
    net_lane_free(t->lane);
    free(t);
}

const char *cli_target_url(const struct cli_target *t)
{
    return t->url;
}
