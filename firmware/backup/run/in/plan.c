/* What a restore would change: the backup's records and the store's side by side, in one pass over
 * both, for both come sorted by name. */
#include "plan_priv.h"
#include "run_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/policy.h"

struct planning {
    struct job *j;
    struct backup_in b;
    struct source_records *src;
    enum flow_kind kind;
    struct cf_buf here; /* the store's record that is not compared yet */
    bool more;          /* there is one */
    struct plan_report *p;
};

/* --- one thing --- */

static enum run_thing thing_of(enum flow_kind kind, struct cf_rd name)
{
    if (kind == FLOW_KEYS)
        return RUN_KEY;
    return name.left && name.p[0] == 'a'   ? RUN_ROLE_ASSIGNMENT
           : name.left && name.p[0] == 'r' ? RUN_ROLE_DEFINITION
                                           : RUN_SETTING;
}

static size_t append(char *out, size_t size, size_t at, uint64_t n, const char *what)
{
    if (n == 0)
        return at;
    int len = snprintf(out + at, size - at, "%s%llu version%s %s", at ? ", " : "",
                       (unsigned long long)n, n == 1 ? "" : "s", what);
    return at + (size_t)len;
}

static void key_note(const struct planning *g, enum run_change change,
                     const struct keystore_difference *d, char out[160])
{
    size_t at = 0;
    out[0] = 0;
    if (change == RUN_REPLACED && d->deleted_now != d->deleted_then)
        at = (size_t)snprintf(out, 160, "%s",
                              d->deleted_now ? "is deleted here and comes back"
                                             : "is deleted in the backup");
    if (change == RUN_REMOVED)
        at = (size_t)snprintf(out, 160, "%s",
                              (int64_t)d->created > g->p->plan.backup_s ? "made after the backup"
                                                                        : "not in the backup");
    if (change == RUN_REMOVED && d->deleted_now)
        at += (size_t)snprintf(out + at, 160 - at, ", deleted here already");
    if (change == RUN_ADDED && d->deleted_then)
        at = (size_t)snprintf(out, 160, "comes back deleted");
    at = append(out, 160, at, d->lost, "lost");
    at = append(out, 160, at, change == RUN_REPLACED ? d->back : 0, "back");
    if (at == 0 && change == RUN_REPLACED)
        snprintf(out, 160, "attributes, tags or policies differ");
}

static enum cf_rc parse_key(const struct planning *g, struct crypto_bytes record,
                            struct keystore_record **out, struct cf_err *e)
{
    *out = NULL;
    return record.len == 0
               ? CF_OK
               : keystore_record_parse(g->j->r->o.keystore, record.p, record.len, out, e);
}

static enum cf_rc add_key(struct planning *g, enum run_change change, struct crypto_bytes now,
                          struct crypto_bytes then, struct cf_err *e)
{
    struct keystore_record *a = NULL, *b = NULL;
    struct keystore_difference d = { 0 };
    char note[160];
    enum cf_rc rc = parse_key(g, now, &a, e);
    if (rc == CF_OK)
        rc = parse_key(g, then, &b, e);
    if (rc == CF_OK) {
        keystore_record_compare(a, b, &d);
        g->p->plan.versions_lost += d.lost;
        g->p->plan.versions_back += d.back;
        key_note(g, change, &d, note);
        const struct run_plan_item item = { .thing = RUN_KEY,
                                            .change = change,
                                            .name = keystore_record_name(a ? a : b),
                                            .note = note };
        rc = plan_add(g->p, &item, e);
    }
    keystore_record_free(a);
    keystore_record_free(b);
    return rc;
}

static enum cf_rc add_policy(struct planning *g, enum run_thing thing, enum run_change change,
                             struct crypto_bytes record, struct cf_err *e)
{
    char words[ACCESS_WORDS_SIZE];
    enum cf_rc rc = access_policy_words(record.p, record.len, words, e);
    const struct run_plan_item item = {
        .thing = thing, .change = change, .name = words, .note = ""
    };
    return rc == CF_OK ? plan_add(g->p, &item, e) : rc;
}

/* Either of the two may be empty. */
static enum cf_rc compare(struct planning *g, struct crypto_bytes now, struct crypto_bytes then,
                          struct cf_err *e)
{
    struct cf_rd name;
    const struct crypto_bytes *named = now.len ? &now : &then;
    enum run_change change = now.len == 0    ? RUN_ADDED
                             : then.len == 0 ? RUN_REMOVED
                             : now.len == then.len && cf_equal(now.p, then.p, now.len)
                                 ? RUN_SAME
                                 : RUN_REPLACED;
    enum cf_rc rc = chunk_record_name(named->p, named->len, &name, e);
    if (rc != CF_OK)
        return rc;
    enum run_thing thing = thing_of(g->kind, name);
    const struct run_plan_item same = { .thing = thing, .change = RUN_SAME };
    if (change == RUN_SAME)
        return plan_add(g->p, &same, e);
    return thing == RUN_KEY ? add_key(g, change, now, then, e)
                            : add_policy(g, thing, change, then.len ? then : now, e);
}

/* --- both streams --- */

static enum cf_rc next_here(struct planning *g, struct cf_err *e)
{
    return source_records_next(g->src, g->kind, &g->here, &g->more, e);
}

static struct crypto_bytes here(const struct planning *g)
{
    return crypto_bytes_of(g->here.data, g->here.len);
}

/* Where the store stands, seen from `name`; past its end it stands behind all names. */
static enum cf_rc order_of_here(const struct planning *g, struct cf_rd name, int *order,
                                struct cf_err *e)
{
    struct cf_rd mine;
    *order = 1;
    if (!g->more)
        return CF_OK;
    enum cf_rc rc = chunk_record_name(g->here.data, g->here.len, &mine, e);
    if (rc == CF_OK)
        *order = chunk_name_order(mine, name);
    return rc;
}

static enum cf_rc take(void *ctx, struct cf_rd name, const void *record, size_t len, bool *stop,
                       struct cf_err *e)
{
    struct planning *g = ctx;
    const struct crypto_bytes none = { 0 }, then = crypto_bytes_of(record, len);
    int order = 0;
    (void)stop;
    if (job_canceled(g->j))
        return CF_FAIL(e, CF_E_CANCEL, "canceled");
    enum cf_rc rc = source_records_check(g->src, e);
    if (rc == CF_OK)
        rc = order_of_here(g, name, &order, e);
    while (rc == CF_OK && order < 0) {
        rc = compare(g, here(g), none, e);
        if (rc == CF_OK)
            rc = next_here(g, e);
        if (rc == CF_OK)
            rc = order_of_here(g, name, &order, e);
    }
    if (rc == CF_OK)
        rc = compare(g, order == 0 ? here(g) : none, then, e);
    return rc == CF_OK && order == 0 ? next_here(g, e) : rc;
}

static enum cf_rc plan_stream(struct planning *g, uint32_t stream, struct cf_err *e)
{
    const struct chunk_taker taker = { .take = take, .ctx = g };
    const struct crypto_bytes none = { 0 };
    g->kind = stream == 0 ? FLOW_KEYS : FLOW_POLICY;
    enum cf_rc rc = next_here(g, e);
    if (rc == CF_OK)
        rc = backup_in_records(&g->b, stream, taker, e);
    while (rc == CF_OK && g->more) { /* behind the backup's last name */
        rc = compare(g, here(g), none, e);
        if (rc == CF_OK)
            rc = next_here(g, e);
    }
    return rc;
}

/* --- partitions --- */

static enum cf_rc plan_partition(struct planning *g, const struct manifest_stream *s,
                                 const struct run_partition *p, struct cf_err *e)
{
    struct run *r = g->j->r;
    struct store_selector sel;
    struct hal_partition *live = NULL;
    char text[160];
    uint64_t changes = 0;
    store_live_selector(r->o.live, &sel);
    enum cf_rc rc = p->open_live(p->ctx, sel.side[p->index], &live, e);
    if (rc == CF_OK)
        rc = hal_partition_changes(live, &changes, e);
    bool fits = rc == CF_OK && live->size == s->plain;
    hal_partition_close(live);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "partition %s", p->name);
    snprintf(text, sizeof text, "a restore would be refused: partition %s has another size here",
             p->name);
    if (!fits)
        job_warn(g->j, text);
    bool ours = cf_equal(g->b.m.appliance, r->o.appliance_id, sizeof g->b.m.appliance);
    const struct run_plan_item item = {
        .thing = RUN_PARTITION,
        .change = ours && changes == s->changes ? RUN_SAME : RUN_REPLACED,
        .name = p->name,
        .note = ours ? "may have been written since the backup" : "of another appliance"
    };
    return plan_add(g->p, &item, e);
}

static enum cf_rc plan_partitions(struct planning *g, struct cf_err *e)
{
    const struct run_options *o = &g->j->r->o;
    enum cf_rc rc = CF_OK;
    for (size_t i = 2; rc == CF_OK && i < g->b.m.stream_count; i++) {
        const struct manifest_stream *s = &g->b.m.streams[i];
        const struct run_partition *p = NULL;
        char text[160];
        for (size_t k = 0; k < o->partition_count; k++)
            if (strcmp(o->partitions[k].name, s->name) == 0)
                p = &o->partitions[k];
        snprintf(text, sizeof text,
                 "a restore would be refused: this appliance has no partition %s", s->name);
        if (p)
            rc = plan_partition(g, s, p, e);
        else
            job_warn(g->j, text);
    }
    return rc;
}

/* --- the job --- */

/* What the plan finds in the way of the restore itself is told beside it. */
static void note_refusals(struct planning *g)
{
    struct cf_err err = { 0 };
    const struct run_options *o = &g->j->r->o;
    char text[JOBS_TEXT_SIZE];
    if (g->b.m.left_out_count) {
        snprintf(text, sizeof text,
                 "a restore would be refused: %s is not in the backup; --allow-incomplete restores "
                 "the rest",
                 g->b.m.left_out[0]);
        job_warn(g->j, text);
    }
    if (jobs_restore_allowed(o->jobs, o->min_backup_age_s, &err) != CF_OK)
        job_warn(g->j, err.text);
    backup_in_note_age(g->j, &g->b.m);
}

static void say_what_was_found(struct planning *g)
{
    const struct run_plan *p = &g->p->plan;
    const uint64_t *k = p->count[RUN_KEY];
    uint64_t roles = 0, partitions = p->count[RUN_PARTITION][RUN_REPLACED];
    for (int t = RUN_ROLE_ASSIGNMENT; t <= RUN_SETTING; t++)
        for (int c = RUN_ADDED; c < RUN_CHANGES; c++)
            roles += p->count[t][c];
    snprintf(g->j->details, sizeof g->j->details,
             "Keys: %llu added, %llu replaced, %llu removed, %llu the same; %llu versions lost; "
             "%llu roles and settings change; %llu partitions are replaced",
             (unsigned long long)k[RUN_ADDED], (unsigned long long)k[RUN_REPLACED],
             (unsigned long long)k[RUN_REMOVED], (unsigned long long)k[RUN_SAME],
             (unsigned long long)p->versions_lost, (unsigned long long)roles,
             (unsigned long long)partitions);
}

static enum cf_rc plan_all(struct planning *g, struct cf_err *e)
{
    job_phase(g->j, "comparing");
    enum cf_rc rc = backup_in_meta(&g->b, e);
    atomic_store(&g->j->total_bytes, g->b.m.streams[0].plain + g->b.m.streams[1].plain);
    if (rc == CF_OK)
        rc = source_records_open(g->j->r->o.keystore, &g->src, e);
    for (uint32_t stream = 0; rc == CF_OK && stream < 2; stream++)
        rc = plan_stream(g, stream, e);
    source_records_close(g->src);
    if (rc == CF_OK)
        rc = plan_partitions(g, e);
    if (rc == CF_OK) {
        note_refusals(g);
        say_what_was_found(g);
    }
    return rc;
}

/* A live key stays, a deleted one stops the restore: so there is nothing to compare. */
static enum cf_rc plan_one(struct planning *g, struct cf_err *e)
{
    struct job *j = g->j;
    struct keystore *ks = j->r->o.keystore;
    struct keystore_bundle found = { 0 };
    struct cf_buf record = { 0 };
    const struct crypto_bytes none = { 0 };
    enum cf_rc rc = backup_in_find(&g->b, j->key, &record, e);
    if (rc == CF_OK)
        rc = add_key(g, RUN_ADDED, none, crypto_bytes_of(record.data, record.len), e);
    bool live = rc == CF_OK && keystore_get(ks, j->key, NULL, &found, NULL) == CF_OK;
    keystore_bundle_clear(&found);
    found = (struct keystore_bundle){ 0 };
    bool deleted = rc == CF_OK && keystore_get_deleted(ks, j->key, &found, NULL) == CF_OK;
    keystore_bundle_clear(&found);
    unsigned long long versions = g->p->plan.versions_back;
    if (rc == CF_OK && live)
        snprintf(j->details, sizeof j->details,
                 "Key %s is there and would be left as it is; the backup holds %llu versions of it",
                 j->key, versions);
    else if (rc == CF_OK && deleted)
        snprintf(j->details, sizeof j->details,
                 "Key %s is deleted here, which would fail the restore: recover or purge it first",
                 j->key);
    else if (rc == CF_OK)
        snprintf(j->details, sizeof j->details, "Key %s would come back with %llu versions", j->key,
                 versions);
    if (live || deleted) {
        g->p->plan.count[RUN_KEY][RUN_ADDED] = g->p->plan.items = g->p->plan.versions_back = 0;
        cf_buf_clear(&g->p->items);
    }
    cf_buf_clear(&record);
    return rc;
}

enum cf_rc plan_main(struct job *j, struct cf_err *e)
{
    struct planning g = { .j = j, .p = calloc(1, sizeof *g.p) };
    if (!g.p)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    memcpy(g.p->plan.job, j->record.id, sizeof g.p->plan.job);
    snprintf(g.p->plan.folder, sizeof g.p->plan.folder, "%s", j->record.folder);
    snprintf(g.p->plan.key, sizeof g.p->plan.key, "%s", j->key);
    job_phase(j, "preparing");
    enum cf_rc rc = backup_in_open(j, &g.b, e);
    struct store_selector sel;
    store_live_selector(j->r->o.live, &sel);
    g.p->plan.backup_s = (int64_t)g.b.m.snapshot_s;
    memcpy(g.p->plan.mac, g.b.m.mac, sizeof g.p->plan.mac);
    g.p->plan.flips = sel.flips;
    g.p->plan.counter = undo_store_counter(j->r);
    if (rc == CF_OK)
        rc = j->key[0] ? plan_one(&g, e) : plan_all(&g, e);
    if (rc == CF_OK)
        rc = plan_keep(j, g.p, e);
    plan_free(g.p);
    cf_buf_clear(&g.here);
    backup_in_clear(&g.b);
    return rc;
}
