/* A few threads for calls that wait: the token answers several at once. */
#include "run_priv.h"

#include <stdlib.h>

#define TEAM_THREADS 4

struct team {
    pthread_mutex_t lock;
    pthread_cond_t go, over;
    pthread_t threads[TEAM_THREADS];
    unsigned count;
    /* under the lock */
    struct team_work work;
    size_t next, open; /* items not begun; threads at work */
    bool stop;
    struct cf_err err; /* the first failure; nothing is begun after it */
    enum cf_rc rc;
};

/* Takes items until none is left; with the lock on both ends. */
static void work_locked(struct team *t)
{
    t->open++;
    while (t->rc == CF_OK && t->next < t->work.items) {
        struct cf_err err = { 0 };
        size_t i = t->next++;
        pthread_mutex_unlock(&t->lock);
        enum cf_rc rc = t->work.each(t->work.ctx, i, &err);
        pthread_mutex_lock(&t->lock);
        if (rc != CF_OK && t->rc == CF_OK) {
            t->rc = rc;
            t->err = err;
        }
    }
    t->open--;
    pthread_cond_broadcast(&t->over);
}

static void *member_main(void *arg)
{
    struct team *t = arg;
    run_step_back();
    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        if (t->rc == CF_OK && t->next < t->work.items)
            work_locked(t);
        else
            pthread_cond_wait(&t->go, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

enum cf_rc team_new(struct team **out, struct cf_err *e)
{
    struct team *t = calloc(1, sizeof *t);
    if (!t)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->go, NULL);
    pthread_cond_init(&t->over, NULL);
    while (t->count < TEAM_THREADS - 1 && /* the caller works too */
           pthread_create(&t->threads[t->count], NULL, member_main, t) == 0)
        t->count++;
    *out = t;
    return CF_OK;
}

void team_free(struct team *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_broadcast(&t->go);
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < t->count; i++)
        pthread_join(t->threads[i], NULL);
    pthread_cond_destroy(&t->over);
    pthread_cond_destroy(&t->go);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

enum cf_rc team_run(struct team *t, const struct team_work *w, struct cf_err *e)
{
    pthread_mutex_lock(&t->lock);
    t->work = *w;
    t->next = 0;
    t->rc = CF_OK;
    pthread_cond_broadcast(&t->go);
    work_locked(t);
    while (t->open > 0)
        pthread_cond_wait(&t->over, &t->lock);
    enum cf_rc rc = t->rc;
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = t->err;
    t->work.items = 0;
    t->rc = CF_OK;
    pthread_mutex_unlock(&t->lock);
    return rc;
}
