/* The appliance of a folder, opened by cofferd's own functions as far as its keys need it. */
#include "seed.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"

#define PIN_MAX 256

/* False: no such process, or another one has got the number. */
static bool daemon_runs(const char *dir)
{
    char path[CONFIG_PATH_MAX], cmdline[64], conf[CONFIG_PATH_MAX];
    struct cf_buf text = { 0 };
    bool runs = false;
    snprintf(path, sizeof path, "%s/cofferd.pid", dir);
    snprintf(conf, sizeof conf, "%s/cofferd.conf", dir);
    if (cf_file_read(path, 32, &text, NULL) == CF_OK && cf_buf_put(&text, "", 1, NULL) == CF_OK) {
        snprintf(cmdline, sizeof cmdline, "/proc/%ld/cmdline",
                 strtol((const char *)text.data, NULL, 10));
        cf_buf_clear(&text);
        runs = cf_file_read(cmdline, 65536, &text, NULL) == CF_OK && text.len &&
               memmem(text.data, text.len, conf, strlen(conf));
    }
    cf_buf_clear(&text);
    return runs;
}

static enum cf_rc read_pin(const char *path, struct cf_secret **out, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    enum cf_rc rc = cf_file_read(path, PIN_MAX, &text, e);
    size_t len = text.len;
    while (len && isspace(text.data[len - 1]))
        len--;
    if (rc == CF_OK)
        rc = cf_secret_copy(text.data, len, out, e);
    cf_buf_clear(&text);
    return rc;
}

static enum cf_rc load_config(struct seed *s, struct cf_err *e)
{
    char conf[CONFIG_PATH_MAX], softhsm[CONFIG_PATH_MAX], dir[CONFIG_PATH_MAX - 64];
    struct stat st;
    char *full = realpath(s->o.dir, NULL);
    int n = full ? snprintf(dir, sizeof dir, "%s", full) : -1;
    free(full);
    if (n < 0 || n >= (int)sizeof dir)
        return CF_FAIL_ERRNO(e, CF_E_ABSENT, "%s", s->o.dir);
    snprintf(conf, sizeof conf, "%s/cofferd.conf", dir);
    snprintf(softhsm, sizeof softhsm, "%s/token/softhsm2.conf", dir);
    if (daemon_runs(dir))
        return CF_FAIL(e, CF_E_STATE, "cofferd of %s runs: coffer bench down first", dir);
    if (stat(softhsm, &st) == 0 && setenv("SOFTHSM2_CONF", softhsm, 1) != 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "setenv");
    return app_config_load(conf, NULL, 0, &s->a.config, e);
}

static enum cf_rc open_token(struct appliance *a, struct cf_err *e)
{
    struct cf_secret *pin = NULL;
    a->board = board_get();
    struct app_config *c = &a->config;
    struct board_settings *b = &a->settings;
    b->config_dir = c->config_dir;
    b->keystore_dir = c->keystore_dir;
    b->audit_file = c->audit_file;
    b->set_up = true;
    b->token_module = c->token_module;
    b->token_uri = c->token_uri;
    b->token_deadline_ms = (uint32_t)c->token_deadline_ms;
    snprintf(a->pin_counter, sizeof a->pin_counter, "%s/" APP_PIN_COUNTER, c->config_dir);
    b->token_pin_state = a->pin_counter;
    enum cf_rc rc = a->board->open(b, &a->parts, e);
    if (rc == CF_OK)
        rc = read_pin(c->pin_file, &pin, e);
    if (rc == CF_OK)
        rc = a->board->token_open(b, pin, false, &a->token, e);
    cf_secret_free(pin);
    return rc;
}

static enum cf_rc open_db(struct appliance *a, struct cf_err *e)
{
    char path[CONFIG_PATH_MAX + 16];
    struct store_keys keys = { 0 };
    enum cf_rc rc = app_root_keys(a, &keys, e);
    snprintf(path, sizeof path, "%s/appliance.db", a->config.config_dir);
    const struct store_options o = { .path = path, .page_key = keys.page, .row_key = keys.row };
    if (rc == CF_OK)
        rc = store_open(&o, &a->db, e);
    cf_secret_free(keys.page);
    cf_secret_free(keys.row);
    return rc;
}

static enum cf_rc open_keys(struct appliance *a, struct cf_err *e)
{
    struct app_keyring ring;
    const struct store_live_options lo = { .dir = a->config.keystore_dir,
                                           .derive = app_store_keys,
                                           .derive_arg = a };
    enum cf_rc rc = app_hsm_load(a->db, &a->hsm, e);
    if (rc == CF_OK)
        rc = app_open_domain(a, e);
    app_keyring(a, &ring);
    if (rc == CF_OK && !ring.count)
        rc = CF_FAIL(e, CF_E_STATE, "the appliance is not active yet");
    if (rc == CF_OK)
        rc = store_live_open(&lo, &a->live, e);
    if (rc != CF_OK)
        return rc;
    struct keystore_options o = { .live = a->live,
                                  .token = a->token,
                                  .clock = a->parts.clock,
                                  .generations = ring.count,
                                  .retention_days = a->hsm.retention_days,
                                  .purge_protection = a->hsm.purge_protection };
    memcpy(o.domain_id, ring.domain_id, sizeof o.domain_id);
    memcpy(o.generation, ring.generation, sizeof o.generation);
    return keystore_open(&o, &a->keystore, e);
}

enum cf_rc seed_open(struct seed *s, struct cf_err *e)
{
    enum cf_rc rc = load_config(s, e);
    if (rc == CF_OK)
        rc = open_token(&s->a, e);
    if (rc == CF_OK)
        rc = open_db(&s->a, e);
    if (rc == CF_OK)
        rc = open_keys(&s->a, e);
    if (rc == CF_OK)
        s->now_s = (uint64_t)(hal_clock_unix_ms(s->a.parts.clock) / 1000);
    return rc;
}

void seed_close(struct seed *s)
{
    struct appliance *a = &s->a;
    keystore_close(a->keystore);
    store_live_close(a->live);
    domain_close(a->domain);
    store_close(a->db);
    hal_token_close(a->token);
    if (a->board)
        a->board->close(&a->parts);
}
