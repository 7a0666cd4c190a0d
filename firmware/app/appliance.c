#include "appliance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

static void path_of_db(const struct appliance *a, char out[CONFIG_PATH_MAX + 16])
{
    snprintf(out, CONFIG_PATH_MAX + 16, "%s/appliance.db", a->config.config_dir);
}

static void fill_settings(struct appliance *a)
{
    char db[CONFIG_PATH_MAX + 16];
    struct app_config *c = &a->config;
    struct board_settings *s = &a->settings;
    s->config_dir = c->config_dir;
    s->keystore_dir = c->keystore_dir;
    s->audit_file = c->audit_file;
    s->token_module = c->token_module;
    s->token_uri = c->token_uri;
    s->token_deadline_ms = (uint32_t)c->token_deadline_ms;
    snprintf(a->pin_counter, sizeof a->pin_counter, "%s/" APP_PIN_COUNTER, c->config_dir);
    s->token_pin_state = a->pin_counter;
    for (size_t i = 0; i < c->raw_count; i++) {
        s->raw[i].name = c->raw[i].name;
        s->raw[i].file = c->raw[i].file;
    }
    s->raw_count = c->raw_count;
    path_of_db(a, db);
    s->set_up = access(db, F_OK) == 0;
}

enum cf_rc app_open(struct appliance *a, const struct app_config *config, struct cf_err *e)
{
    a->config = *config;
    a->board = board_get();
    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->wake_fd < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "eventfd");
    pthread_mutex_init(&a->lock, NULL);
    app_schedule_init(a);
    atomic_store(&a->state, API_FACTORY);
    fill_settings(a);
    enum cf_rc rc = a->board->open(&a->settings, &a->parts, e);
    if (rc == CF_OK && a->parts.audit)
        rc = cf_err_ctx(e, audit_open(a->parts.audit, a->parts.clock, &a->audit, e),
                        "audit partition");
    if (rc != CF_OK)
        return rc;
    app_services(a);
    app_local(a);
    return app_serve_local(a, e);
}

/* appliance.db is made once, with the token that will open it ever after. */
static enum cf_rc open_db(struct appliance *a, struct cf_err *e)
{
    char path[CONFIG_PATH_MAX + 16];
    struct store_keys keys = { 0 };
    enum cf_rc rc = app_root_keys(a, &keys, e);
    if (rc != CF_OK)
        return rc;
    path_of_db(a, path);
    const struct store_options o = { .path = path, .page_key = keys.page, .row_key = keys.row };
    struct cf_err first = { 0 };
    rc = store_open(&o, &a->db, &first);
    if (rc == CF_E_ABSENT)
        rc = store_create(&o, &a->db, e);
    else if (rc == CF_E_AUTH)
        rc = CF_FAIL(
            e, rc,
            "%s does not open: it was made with another token, or it was changed behind our back (%s)",
            path, first.text);
    else if (rc != CF_OK)
        rc = CF_FAIL(e, rc, "%s: %s", path, first.text);
    cf_secret_free(keys.page);
    cf_secret_free(keys.row);
    return rc;
}

static enum cf_rc open_all(struct appliance *a, const struct cf_secret *pin, bool confirmed,
                           struct cf_err *e)
{
    /* A second PIN may find the first steps done: the token open, and the database not. */
    enum cf_rc rc =
        a->token ? CF_OK : a->board->token_open(&a->settings, pin, confirmed, &a->token, e);
    if (rc == CF_OK && !a->db)
        rc = open_db(a, e);
    if (rc == CF_OK)
        rc = jobs_open(a->db, a->parts.clock, a->parts.entropy, &a->jobs, e);
    if (rc == CF_OK)
        rc = app_hsm_load(a->db, &a->hsm, e);
    if (rc != CF_OK || !a->hsm.name[0])
        return rc;
    return app_open_created(a, e);
}

enum cf_rc app_open_token(struct appliance *a, const struct cf_secret *pin, bool confirmed,
                          struct cf_err *e)
{
    atomic_store(&a->opening, true);
    enum cf_rc rc = open_all(a, pin, confirmed, e);
    atomic_store(&a->opening, false);
    return rc;
}

void app_wake(struct appliance *a)
{
    uint64_t one = 1;
    ssize_t ignored = write(a->wake_fd, &one, sizeof one);
    (void)ignored; /* full means that it is awake already */
}

void app_close(struct appliance *a)
{
    api_stop(a->api);
    api_stop(a->local_api);
    run_close(a->run);
    keystore_close(a->keystore);
    domain_close(a->domain);
    access_bearer_free(a->bearer);
    access_authority_close(a->authority);
    access_close(a->access);
    store_live_close(a->live);
    jobs_close(a->jobs);
    store_close(a->db);
    audit_close(a->audit);
    hal_token_close(a->token);
    if (a->board)
        a->board->close(&a->parts);
    cf_secret_free(a->pin);
    cf_secret_free(a->identity_header);
    if (a->wake_fd > 0)
        close(a->wake_fd);
}
