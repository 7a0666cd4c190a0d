#include "client/client_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "session/uri_priv.h"

#define DEADLINE_MS   30000
#define CACHED_KEYS   1024 /* 8-11 MB on SoftHSM (tokens document 2.1) */
#define RECYCLE_AFTER 200000
#define SESSIONS      8
#define SESSIONS_MAX  64
#define PATH_LEN_MAX  4000

void p11_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(c, &a);
    pthread_condattr_destroy(&a);
}

static enum cf_rc check(const struct p11_config *cfg, struct cf_err *e)
{
    if (!cfg->module || !cfg->token_uri || cfg->max_sessions > SESSIONS_MAX ||
        cfg->cached_keys > 1 << 20)
        return CF_FAIL(e, CF_E_ARG, "token configuration is incomplete or out of range");
    if (cfg->module[0] != '/' || strlen(cfg->module) > PATH_LEN_MAX)
        return CF_FAIL(e, CF_E_INPUT, "the module must be an absolute path");
    if (strlen(cfg->token_uri) > PATH_LEN_MAX)
        return CF_FAIL(e, CF_E_INPUT, "the token URI is too long");
    return p11_uri_check(cfg->token_uri, e);
}

static bool copy(char **out, const char *text)
{
    *out = strdup(text);
    return *out;
}

static enum cf_rc copy_all(struct p11_token *t, const struct p11_config *cfg, struct cf_err *e)
{
    if (!copy(&t->module, cfg->module) || !copy(&t->token_uri, cfg->token_uri) ||
        (cfg->pin_counter && !copy(&t->pin_counter, cfg->pin_counter)) ||
        !copy(&t->worker_path, cfg->worker_path ? cfg->worker_path : "/proc/self/exe"))
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the token");
    t->own.inbox.room = malloc(P11_PACKET_MAX);
    if (!t->own.inbox.room)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the token");
    t->deadline_ms = cfg->deadline_ms ? cfg->deadline_ms : DEADLINE_MS;
    t->cached_keys = cfg->cached_keys ? cfg->cached_keys : CACHED_KEYS;
    t->recycle_after = cfg->recycle_after ? cfg->recycle_after : RECYCLE_AFTER;
    t->max_sessions = cfg->max_sessions ? cfg->max_sessions : SESSIONS;
    t->own.pin_confirmed = cfg->pin_confirmed;
    if (!cf_secret_len(cfg->pin))
        return CF_OK;
    return cf_secret_copy(cf_secret_view(cfg->pin), cf_secret_len(cfg->pin), &t->pin, e);
}

static void release(struct p11_token *t)
{
    if (t->wake >= 0)
        close(t->wake);
    pthread_mutex_destroy(&t->locked.lock);
    pthread_cond_destroy(&t->locked.changed);
    free(t->own.inbox.room);
    cf_secret_free(t->pin);
    free(t->module);
    free(t->token_uri);
    free(t->pin_counter);
    free(t->worker_path);
    free(t);
}

void p11_close(struct hal_token *h)
{
    struct p11_token *t = (struct p11_token *)h;
    pthread_mutex_lock(&t->locked.lock);
    t->locked.stop = true;
    pthread_cond_broadcast(&t->locked.changed);
    pthread_mutex_unlock(&t->locked.lock);
    p11_poke(t);
    pthread_join(t->manager, NULL);
    release(t);
}

/* Has the manager start the first worker, and waits for what comes of it. */
static enum cf_rc first_start(struct p11_token *t, struct cf_err *e)
{
    pthread_mutex_lock(&t->locked.lock);
    t->locked.wanted = true;
    p11_poke(t);
    while (t->locked.attempts == 0)
        pthread_cond_wait(&t->locked.changed, &t->locked.lock);
    enum cf_rc rc = t->locked.starts ? CF_OK : t->locked.last.rc;
    if (rc != CF_OK && e)
        *e = t->locked.last;
    pthread_mutex_unlock(&t->locked.lock);
    return rc;
}

enum cf_rc p11_token_open(const struct p11_config *cfg, struct hal_token **out, struct cf_err *e)
{
    *out = NULL;
    enum cf_rc rc = check(cfg, e);
    if (rc != CF_OK)
        return rc;
    struct p11_token *t = calloc(1, sizeof *t);
    if (!t)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the token");
    t->base.ops = &p11_token_ops;
    t->own.worker.fd = t->own.worker.gone_fd = t->locked.fd = -1;
    pthread_mutex_init(&t->locked.lock, NULL);
    p11_cond_init(&t->locked.changed);
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = copy_all(t, cfg, e);
    if (rc == CF_OK && t->wake < 0)
        rc = CF_FAIL_ERRNO(e, CF_E_LIMIT, "no eventfd");
    if (rc == CF_OK && pthread_create(&t->manager, NULL, p11_manage, t) != 0)
        rc = CF_FAIL(e, CF_E_LIMIT, "no thread for the token");
    if (rc != CF_OK) {
        release(t);
        return rc;
    }
    rc = first_start(t, e);
    if (rc == CF_OK)
        *out = &t->base;
    else
        p11_close(&t->base);
    return rc;
}

#if CF_DEBUG_RECORDERS
void p11_token_record_answers(struct hal_token *h, void (*fn)(void *arg, const void *p, size_t n),
                              void *arg)
{
    struct p11_token *t = (struct p11_token *)h;
    t->record_arg = arg;
    t->record = fn;
}
#endif
