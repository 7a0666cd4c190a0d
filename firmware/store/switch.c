/* From one store file to the next: nothing changes before the selector's one write. */
#include "live_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

static enum cf_rc stage_begin(struct store_live *l, uint64_t *number, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    pthread_mutex_lock(&l->lock);
    const struct store_selector *sel = &l->locked.sel;
    if (l->locked.staged)
        rc = CF_FAIL(e, CF_E_STATE, "another store is being built");
    else
        l->locked.staged = true;
    *number = (sel->number > sel->former ? sel->number : sel->former) + 1;
    pthread_mutex_unlock(&l->lock);
    return rc;
}

static void stage_ended(struct store_live *l)
{
    pthread_mutex_lock(&l->lock);
    l->locked.staged = false;
    pthread_mutex_unlock(&l->lock);
}

enum cf_rc store_live_stage(struct store_live *l, struct store_stage **out, struct cf_err *e)
{
    struct store_stage *st = calloc(1, sizeof *st);
    if (!st)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a stage");
    enum cf_rc rc = stage_begin(l, &st->number, e);
    if (rc != CF_OK) {
        free(st);
        return rc;
    }
    st->live = l;
    live_remove(l, st->number); /* half built before a crash */
    if (getrandom(st->epoch, sizeof st->epoch, 0) != (ssize_t)sizeof st->epoch)
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "no random bytes");
    struct live_file f = { .number = st->number, .epoch = st->epoch, .fresh = true };
    if (rc == CF_OK)
        rc = live_open_file(l, &f, &st->store, e);
    if (rc == CF_OK)
        *out = st;
    else
        store_stage_drop(st);
    return rc;
}

struct store *store_stage_store(struct store_stage *st)
{
    return st->store;
}

void store_stage_drop(struct store_stage *st)
{
    if (!st)
        return;
    store_close(st->store);
    live_remove(st->live, st->number);
    stage_ended(st->live);
    free(st);
}

/* Nobody is inside any more, and who comes waits until gate_open. */
static void gate_close(struct store_live *l)
{
    pthread_mutex_lock(&l->lock);
    while (l->locked.switching)
        pthread_cond_wait(&l->drained, &l->lock);
    l->locked.switching = true;
    while (l->locked.users)
        pthread_cond_wait(&l->drained, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

static void gate_open(struct store_live *l, struct store *s, const struct store_selector *sel)
{
    pthread_mutex_lock(&l->lock);
    l->locked.store = s;
    l->locked.sel = *sel;
    l->locked.switching = false;
    pthread_cond_broadcast(&l->drained);
    pthread_mutex_unlock(&l->lock);
}

/* A write that failed may have reached the medium all the same: what lies there decides. */
static enum cf_rc flip(struct store_live *l, const struct store_selector *next, bool *flipped,
                       struct cf_err *e)
{
    struct store_selector found = { 0 };
    struct cf_err first = { 0 };
    enum cf_rc rc = selector_write(l->dir, next, &first);
    *flipped = rc == CF_OK;
    if (rc == CF_OK)
        return rc;
    if (selector_read(l->dir, &found, NULL) == CF_OK && found.flips == next->flips &&
        selector_write(l->dir, next, NULL) == CF_OK) {
        *flipped = true;
        return CF_OK;
    }
    return cf_err_set(e, rc, first.src, first.native, first.where, "flipping the selector: %s",
                      first.text);
}

/* Takes `next` in any case; `sel` names it. Runs between gate_close and gate_open. */
static enum cf_rc replace(struct store_live *l, struct store *next, struct store_selector *sel,
                          struct cf_err *e)
{
    bool flipped = false;
    struct store *old = l->locked.store;
    enum cf_rc rc = l->anchor ? store_adopt_anchor(next, e) : CF_OK;
    sel->flips++;
    if (rc == CF_OK)
        rc = flip(l, sel, &flipped, e);
    if (!flipped) {
        store_close(next);
        struct store_selector now = l->locked.sel;
        gate_open(l, old, &now);
        return rc;
    }
    store_close(old);
    /* The new store is one ahead of the board, as its reader accepts; the old one is now behind. */
    if (l->anchor && l->anchor->step(l->anchor->arg, NULL) != CF_OK)
        cf_log(CF_LOG_WARN, "store", "anchor-not-stepped", "the next start steps it");
    gate_open(l, next, sel);
    return rc;
}

enum cf_rc store_live_switch(struct store_live *l, struct store_stage *st,
                             const uint8_t side[STORE_SIDES], struct cf_err *e)
{
    struct store *next = NULL;
    struct live_file f = { .number = st->number, .epoch = st->epoch };
    store_close(st->store); /* folds its log in: what follows reads what lies on the medium */
    st->store = NULL;
    enum cf_rc rc = live_open_file(l, &f, &next, e);
    if (rc != CF_OK) {
        store_stage_drop(st);
        return cf_err_ctx(e, rc, "the store built");
    }
    gate_close(l);
    struct store_selector sel = l->locked.sel;
    uint64_t oldest = sel.former;
    sel.former = sel.number;
    memcpy(sel.former_epoch, sel.epoch, sizeof sel.epoch);
    sel.number = st->number;
    memcpy(sel.epoch, st->epoch, sizeof sel.epoch);
    memcpy(sel.side, side, STORE_SIDES);
    rc = replace(l, next, &sel, e);
    if (rc != CF_OK) {
        store_stage_drop(st);
        return rc;
    }
    if (oldest)
        live_remove(l, oldest);
    stage_ended(l);
    free(st);
    return CF_OK;
}

/* The former store is read whole before anybody has to wait: with a million keys for seconds. */
enum cf_rc store_live_undo(struct store_live *l, const uint8_t side[STORE_SIDES], struct cf_err *e)
{
    struct store *next = NULL;
    struct store_selector now, sel;
    store_live_selector(l, &sel);
    struct live_file f = { .number = sel.former, .epoch = sel.former_epoch };
    enum cf_rc rc = sel.former ? live_open_file(l, &f, &next, e)
                               : CF_FAIL(e, CF_E_STATE, "no former store is kept");
    if (rc != CF_OK)
        return rc;
    gate_close(l);
    now = l->locked.sel;
    if (now.flips != sel.flips) {
        gate_open(l, l->locked.store, &now);
        store_close(next);
        return CF_FAIL(e, CF_E_STATE, "the store was switched meanwhile");
    }
    sel.number = now.former;
    memcpy(sel.epoch, now.former_epoch, sizeof sel.epoch);
    sel.former = now.number;
    memcpy(sel.former_epoch, now.epoch, sizeof sel.epoch);
    memcpy(sel.side, side, STORE_SIDES);
    return replace(l, next, &sel, e);
}
