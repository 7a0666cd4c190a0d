/* What lies in a place, from backup/run to the REST interface. */
#include "appliance.h"

#include <stdlib.h>
#include <string.h>

#include "run/list.h"

static const enum api_backup_state states[RUN_BACKUP_STATES] = {
    [RUN_BACKUP_WHOLE] = API_BACKUP_WHOLE,
    [RUN_BACKUP_UNFINISHED] = API_BACKUP_UNFINISHED,
    [RUN_BACKUP_DAMAGED] = API_BACKUP_DAMAGED,
    [RUN_BACKUP_FOREIGN] = API_BACKUP_FOREIGN,
    [RUN_BACKUP_GENERATION] = API_BACKUP_GENERATION,
    [RUN_BACKUP_NEWER_FORMAT] = API_BACKUP_NEWER_FORMAT,
    [RUN_BACKUP_UNREADABLE] = API_BACKUP_UNREADABLE,
};

struct passing {
    api_backup_fn *each;
    void *ctx;
};

static enum cf_rc pass(void *ctx, const struct run_backup *b, struct cf_err *e)
{
    const struct passing *p = ctx;
    struct api_cover cover[MANIFEST_COVERS_MAX];
    struct api_backup out = { .folder = b->folder,
                              .why = b->why,
                              .hsm = b->hsm,
                              .state = states[b->state],
                              .made_s = b->made_s,
                              .verified_s = b->verified_s,
                              .bytes = b->bytes,
                              .seq = b->seq,
                              .generation = b->generation,
                              .proven = b->proven,
                              .ours = b->ours,
                              .complete = b->m && b->m->left_out_count == 0,
                              .verified_whole = b->verified_whole,
                              .cover = cover };
    for (size_t i = 0; b->m && i < b->m->cover_count; i++)
        cover[out.cover_count++] = (struct api_cover){ .what = b->m->cover[i].what,
                                                       .why = b->m->cover[i].why,
                                                       .state = b->m->cover[i].state };
    return p->each(p->ctx, &out, e);
}

enum cf_rc app_list_backups(void *ctx, const struct api_job_order *o, struct api_listing *l,
                            api_backup_fn *each, void *each_ctx, struct cf_err *e)
{
    struct appliance *a = ctx;
    struct passing p = { .each = each, .ctx = each_ctx };
    struct run_listing r = { .limit = l->limit, .after = l->after };
    const struct run_request q = {
        .who = o->who,
        .place = { .uri = o->storage_uri, .token = o->sas, .use_identity = o->managed_identity },
    };
    enum cf_rc rc = run_list(a->run, &q, &r, pass, &p, e);
    l->folders = r.folders;
    l->more = r.more;
    return rc;
}
