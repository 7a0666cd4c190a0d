/* What is asked over the local socket: create, owner add-administrator, token login, status. */
#include "bench.h"
#include "simple.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target_priv.h"

#define PIN_TRIES  600 /* of PIN_TRY_US */
#define PIN_TRY_US 200000

#define SOCKET_DEFAULT "/run/cofferd.sock"

enum cf_rc cli_local_call(const char *socket_path, const char *method, const char *path,
                          const struct cf_buf *body, struct cli_answer *out, struct cf_err *e)
{
    char url[256];
    struct net_lane *lane = NULL;
    const struct net_options o = { .unix_socket = socket_path, .connections = 1 };
    const struct cli_request q = { .method = method, .url = url, .body = body };
    *out = (struct cli_answer){ 0 };
    snprintf(url, sizeof url, "http://localhost%s", path);
    enum cf_rc rc = net_lane_new(&o, &lane, e);
    if (rc == CF_OK)
        rc = cli_exchange(lane, &q, out, e);
    net_lane_free(lane);
    if (rc != CF_E_IO || out->status != 0 || !e)
        return rc;
    /* The library speaks of a host and a port that are none. */
    struct cf_err cause = *e;
    *e = (struct cf_err){ 0 };
    return cf_err_set(e, rc, cause.src, cause.native, CF_HERE,
                      "no cofferd answers at %s: it is not running (bench up and the service "
                      "start it), or you are not root",
                      socket_path);
}

static enum cf_rc socket_of(const struct cli_args *a, char out[BENCH_PATH], struct cf_err *e)
{
    struct bench b;
    if (!a->text[OPT_DIR]) {
        snprintf(out, BENCH_PATH, "%s", a->text[OPT_SOCKET] ? a->text[OPT_SOCKET] : SOCKET_DEFAULT);
        return CF_OK;
    }
    enum cf_rc rc = bench_read(a->text[OPT_DIR], &b, e);
    if (rc == CF_OK)
        bench_path(&b, "cofferd.sock", out);
    return rc;
}

static int local_verb(const struct cli_args *a, const char *method, const char *path,
                      struct body *b, struct cf_err *e)
{
    char socket_path[BENCH_PATH];
    struct cli_answer r = { 0 };
    enum cf_rc rc = socket_of(a, socket_path, e);
    if (rc == CF_OK)
        rc = cli_local_call(socket_path, method, path, b ? &b->text : NULL, &r, e);
    if (rc == CF_OK && r.json && (json_count(r.json) || a->text[OPT_JSON]))
        cli_print_json(r.json);
    if (b)
        cf_buf_clear(&b->text);
    cli_answer_clear(&r);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

int verb_create(const struct cli_args *a, struct cf_err *e)
{
    struct body b;
    enum cf_rc rc = CF_OK;
    body_begin(&b, e);
    json_put_text(&b.w, "name", a->text[OPT_HSM_NAME]);
    if (a->text[OPT_RETENTION])
        rc = body_put_number(&b, "retention", "--retention-days", a->text[OPT_RETENTION], e);
    json_put_array(&b.w, "administrators");
    for (size_t i = 0; i < a->list[OPT_ADMINISTRATORS]->count; i++)
        json_put_text(&b.w, NULL, a->list[OPT_ADMINISTRATORS]->item[i]);
    json_close(&b.w);
    if (rc == CF_OK)
        rc = body_end(&b);
    if (rc == CF_OK)
        return local_verb(a, "POST", "/local/create", &b, e);
    cf_buf_clear(&b.text);
    return EXIT_USAGE;
}

int verb_owner_add(const struct cli_args *a, struct cf_err *e)
{
    struct body b;
    body_begin(&b, e);
    json_put_text(&b.w, "principal", a->text[OPT_ADMINISTRATOR]);
    if (body_end(&b) == CF_OK)
        return local_verb(a, "POST", "/local/owner/administrators", &b, e);
    cf_buf_clear(&b.text);
    return EXIT_USAGE;
}

static enum cf_rc send_pin(const struct cli_args *a, const char *socket_path, struct cf_err *e)
{
    struct cf_secret *pin = NULL;
    struct body b = { 0 };
    struct cli_answer r = { 0 };
    enum cf_rc rc = cli_read_pin(a->text[OPT_PIN_FILE], &pin, e);
    if (rc == CF_OK) {
        body_begin(&b, e);
        json_put_text_n(&b.w, "pin", cf_secret_view(pin), cf_secret_len(pin));
        rc = body_end(&b);
    }
    cf_secret_free(pin);
    if (rc == CF_OK)
        rc = cli_local_call(socket_path, "POST", "/local/pin", &b.text, &r, e);
    cf_buf_clear(&b.text);
    cli_answer_clear(&r);
    return rc;
}

/* The PIN is tried behind the answer; status tells how it went. */
static enum cf_rc wait_open(const char *socket_path, struct cli_answer *r, struct cf_err *e)
{
    for (unsigned i = 0; i < PIN_TRIES; i++) {
        cli_answer_clear(r);
        enum cf_rc rc = cli_local_call(socket_path, "GET", "/local/status", NULL, r, e);
        const char *refused = simple_text(r->json, "pin_refused");
        if (rc == CF_OK && *refused)
            rc = CF_FAIL(e, CF_E_DENIED, "the token is not open: %s", refused);
        const char *state = simple_text(r->json, "state");
        if (rc != CF_OK || (strcmp(state, "locked") != 0 && strcmp(state, "opening") != 0))
            return rc;
        usleep(PIN_TRY_US);
    }
    return CF_FAIL(e, CF_E_STATE, "the token is still being opened; see coffer status");
}

int verb_token_login(const struct cli_args *a, struct cf_err *e)
{
    char socket_path[BENCH_PATH];
    struct cli_answer r = { 0 };
    enum cf_rc rc = socket_of(a, socket_path, e);
    if (rc == CF_OK)
        rc = send_pin(a, socket_path, e);
    if (rc == CF_OK)
        rc = wait_open(socket_path, &r, e);
    if (rc == CF_OK && a->text[OPT_JSON])
        cli_print_json(r.json);
    cli_answer_clear(&r);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

int verb_status(const struct cli_args *a, struct cf_err *e)
{
    return local_verb(a, "GET", "/local/status", NULL, e);
}
