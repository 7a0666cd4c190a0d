/* From provisioned to active: the domain's keys, the key store, the jobs; and what the API asks of
 * them. */
#include "appliance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "run/plan.h"

#define WRITER "cofferd " APP_VERSION

/* --- partitions ----------------------------------------------------------------------------------
 */

/* The board's slots follow the selector by name, so the side is told to settle alone. */
static enum cf_rc open_live(void *ctx, unsigned side, struct hal_partition **out, struct cf_err *e)
{
    const struct board_raw *r = ctx;
    (void)side;
    return r->open_live(r->ctx, out, e);
}

static enum cf_rc open_other(void *ctx, unsigned side, struct hal_partition **out, struct cf_err *e)
{
    const struct board_raw *r = ctx;
    (void)side;
    return r->open_twin(r->ctx, out, e);
}

static enum cf_rc settle(void *ctx, unsigned side, struct cf_err *e)
{
    const struct board_raw *r = ctx;
    return r->settle(r->ctx, side, e);
}

static void fill_partitions(struct appliance *a)
{
    for (size_t i = 0; i < a->parts.raw_count; i++)
        a->partitions[i] = (struct run_partition){
            .name = a->parts.raw[i].name,
            .index = (unsigned)i,
            .open_live = open_live,
            .open_other = open_other,
            .settle = settle,
            .ctx = &a->parts.raw[i],
        };
}

/* --- key store and jobs
 * ---------------------------------------------------------------------------- */

static enum cf_rc open_keystore(struct appliance *a, const struct app_keyring *ring,
                                struct cf_err *e)
{
    struct keystore_options o = {
        .live = a->live,
        .token = a->token,
        .clock = a->parts.clock,
        .generations = ring->count,
        .retention_days = a->hsm.retention_days,
        .purge_protection = a->hsm.purge_protection,
    };
    memcpy(o.domain_id, ring->domain_id, sizeof o.domain_id);
    memcpy(o.generation, ring->generation, sizeof o.generation);
    return keystore_open(&o, &a->keystore, e);
}

static enum cf_rc open_run(struct appliance *a, const struct app_keyring *ring, struct cf_err *e)
{
    const struct app_config *c = &a->config;
    struct domain_identity identity;
    struct blob_options storage;
    a->generations = *ring;
    fill_partitions(a);
    enum cf_rc rc = domain_identity(a->domain, &identity, e);
    if (rc == CF_OK)
        rc = app_storage(a, &storage, e);
    if (rc != CF_OK)
        return rc;
    bool of_board = c->min_backup_age_s == CONFIG_AGE_OF_BOARD;
    struct run_options o = {
        .dir = c->config_dir,
        .hsm_name = a->hsm.name,
        .writer = WRITER,
        .entropy = a->parts.entropy,
        .clock = a->parts.clock,
        .member_since_s = (uint64_t)identity.since_s,
        .live = a->live,
        .keystore = a->keystore,
        .access = a->access,
        .audit = a->audit,
        .jobs = a->jobs,
        .domain = { .token = a->token,
                    .generations = a->generations.generation,
                    .count = ring->count },
        .storage = storage,
        .partitions = a->partitions,
        .partition_count = a->parts.raw_count,
        .connections = (unsigned)c->connections,
        .limit_rate = c->limit_rate,
        .attempts = (unsigned)c->attempts,
        .patience_ms = c->patience_s * 1000,
        .min_backup_age_s =
            of_board ? (a->board->bench ? 0 : APP_MIN_BACKUP_AGE_S) : (int64_t)c->min_backup_age_s,
    };
    memcpy(o.domain.domain_id, ring->domain_id, sizeof o.domain.domain_id);
    memcpy(o.appliance_id, a->id, sizeof o.appliance_id);
    return run_open(&o, &a->run, e);
}

enum cf_rc app_open_active(struct appliance *a, struct cf_err *e)
{
    struct app_keyring ring;
    app_keyring(a, &ring);
    if (ring.count == 0 || a->run)
        return CF_OK;
    enum cf_rc rc = a->keystore ? CF_OK : open_keystore(a, &ring, e);
    if (rc == CF_OK)
        rc = open_run(a, &ring, e);
    if (rc != CF_OK)
        return rc;
    if (a->api)
        api_set_keystore(a->api, a->keystore);
    atomic_store(&a->state, API_ACTIVE);
    app_wake(a); /* a backup may be due */
    cf_log(CF_LOG_INFO, "app", "active", "hsm=%s generations=%zu", a->hsm.name, ring.count);
    return CF_OK;
}

/* --- what the API asks
 * -------------------------------------------------------------------------------- */

static void facts(void *ctx, struct api_hsm_facts *out)
{
    struct appliance *a = ctx;
    *out = (struct api_hsm_facts){ .retention_days = a->hsm.retention_days,
                                   .purge_protection = a->hsm.purge_protection };
    snprintf(out->platform, sizeof out->platform, "%s", a->board->platform);
}

typedef enum cf_rc start_fn(struct run *r, const struct run_request *q, struct jobs_record *out,
                            struct cf_err *e);

static start_fn *const starts[JOBS_KIND_MAX + 1] = {
    [JOBS_BACKUP] = run_backup_start,
    [JOBS_RESTORE] = run_restore_start,
    [JOBS_SELECTIVE] = run_selective_start,
    [JOBS_PRE_BACKUP] = run_prebackup_start,
    [JOBS_PRE_RESTORE] = run_prerestore_start,
    [JOBS_VERIFY] = run_verify_start,
    [JOBS_RETENTION] = run_prune_start,
    [JOBS_UNDO] = run_undo_start,
    [JOBS_PLAN] = run_plan_start,
};

static struct run_prune of_keep(const struct api_keep *k)
{
    if (!k)
        return (struct run_prune){ .dry_run = true };
    return (struct run_prune){ .policy = { .last = k->last,
                                           .daily = k->daily,
                                           .weekly = k->weekly,
                                           .monthly = k->monthly,
                                           .min_age_s = k->min_age_s,
                                           .unfinished_age_s = k->unfinished_age_s },
                               .dry_run = k->dry_run };
}

static enum cf_rc pruned(void *ctx, const char *job, api_pruned_fn *each, void *each_ctx,
                         struct cf_err *e)
{
    struct appliance *a = ctx;
    struct retain_folder *all = NULL;
    size_t count = 0;
    char reason[RETAIN_REASON_MAX];
    enum cf_rc rc = run_prune_report(a->run, job, &all, &count, e);
    for (size_t i = 0; rc == CF_OK && i < count; i++) {
        retain_reason(&all[i], reason);
        const struct api_pruned p = { .folder = all[i].name,
                                      .reason = reason,
                                      .fate = all[i].fate == RETAIN_TO_GO  ? API_WOULD_GO
                                              : all[i].fate == RETAIN_GONE ? API_GONE
                                              : all[i].fate == RETAIN_HELD ? API_HELD
                                                                           : API_KEPT,
                                      .made_s = all[i].made_s,
                                      .verified = all[i].verified,
                                      .bytes = all[i].bytes };
        rc = each(each_ctx, &p, e);
    }
    free(all);
    return rc;
}

static enum cf_rc undo(void *ctx, struct api_undo *out, struct cf_err *e)
{
    struct appliance *a = ctx;
    struct run_undo u;
    enum cf_rc rc = run_undo_look(a->run, &u, e);
    if (rc != CF_OK)
        return rc;
    *out = (struct api_undo){ .redo = u.redo,
                              .switched_s = u.switched_s,
                              .counted = u.counted,
                              .changes = u.changes,
                              .partitions = u.partitions,
                              .written = u.written };
    memcpy(out->job, u.job, sizeof out->job);
    memcpy(out->folder, u.folder, sizeof out->folder);
    return CF_OK;
}

static enum cf_rc signed_head(void *ctx, struct cf_buf *out, struct cf_err *e)
{
    return run_audit_head(((struct appliance *)ctx)->run, out, e);
}

static enum cf_rc start(void *ctx, const struct api_job_order *o, struct jobs_record *out,
                        struct cf_err *e)
{
    struct appliance *a = ctx;
    const struct run_prune prune = of_keep(o->keep);
    const struct run_request q = {
        .who = o->who,
        .place = { .uri = o->storage_uri, .token = o->sas, .use_identity = o->managed_identity },
        .folder = o->folder,
        .key = o->key,
        .choices = o->choices,
        .prune = o->keep ? &prune : NULL,
    };
    if ((unsigned)o->kind > JOBS_KIND_MAX || !starts[o->kind])
        return CF_FAIL(e, CF_E_ARG, "no such job");
    return starts[o->kind](a->run, &q, out, e);
}

static enum cf_rc download(void *ctx, const struct api_officers *o, struct cf_buf *document,
                           struct cf_err *e)
{
    struct appliance *a = ctx;
    pthread_mutex_lock(&a->lock);
    enum cf_rc rc = app_share_domain(a, o, document, e);
    if (rc == CF_OK)
        rc = app_open_active(a, e);
    pthread_mutex_unlock(&a->lock);
    return rc;
}

static enum cf_rc no_recovery(struct cf_err *e)
{
    return cf_err_code(
        e, CF_FAIL(e, CF_E_STATE, "This version cannot recover an HSM from a security domain yet"),
        "Conflict");
}

static enum cf_rc transfer_key(void *ctx, struct cf_buf *jwk, struct cf_err *e)
{
    (void)ctx;
    (void)jwk;
    return no_recovery(e);
}

static enum cf_rc upload(void *ctx, const char *blob, size_t len, struct cf_err *e)
{
    (void)ctx;
    (void)blob;
    (void)len;
    return no_recovery(e);
}

/* A download is complete in its answer, so there is never one under way (API document 6.7). */
static void domain_status(void *ctx, struct api_domain_status *out)
{
    (void)ctx;
    *out = (struct api_domain_status){ .state = API_DOMAIN_SUCCESS };
}

void app_services(struct appliance *a)
{
    a->services = (struct api_services){
        .ctx = a,
        .facts = facts,
        .start = start,
        .planned = app_planned,
        .undo = undo,
        .audit_head = signed_head,
        .pruned = pruned,
        .backups = app_list_backups,
        .freshness = app_freshness,
        .domain_download = download,
        .domain_transfer_key = transfer_key,
        .domain_upload = upload,
        .domain_status = domain_status,
    };
}
