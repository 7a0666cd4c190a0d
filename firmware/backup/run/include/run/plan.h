/*
 * What a restore would change, found by comparing the backup's records with the store's, name by
 * name; nothing is written. Partitions are compared by their change counters alone: a backup keeps
 * no digest of their bytes.
 */
#ifndef RUN_PLAN_H
#define RUN_PLAN_H

#include "run/run.h"

enum run_thing {
    RUN_KEY,
    RUN_ROLE_ASSIGNMENT,
    RUN_ROLE_DEFINITION,
    RUN_SETTING,
    RUN_PARTITION,
    RUN_THINGS
};

enum run_change {
    RUN_SAME,
    RUN_ADDED,    /* the backup has it, this appliance does not */
    RUN_REPLACED, /* both do, and they differ */
    RUN_REMOVED,  /* this appliance has it, the backup does not */
    RUN_CHANGES
};

struct run_plan {
    char job[JOBS_ID_SIZE];
    char folder[JOBS_FOLDER_SIZE];
    char key[JOBS_KEY_SIZE]; /* of one key alone; "" of all */
    int64_t backup_s;        /* the moment that the backup holds, Unix seconds */
    uint64_t count[RUN_THINGS][RUN_CHANGES];
    uint64_t versions_lost; /* of keys here: neither they nor their like are in the backup */
    uint64_t versions_back;
    uint64_t items;  /* listed; what is the same is only counted */
    bool cut;        /* there are more than are listed */
    uint8_t mac[32]; /* of the backup's manifest: names its content */
    uint64_t flips,
        counter; /* of the selector and of the store's changes, before it was compared */
};

struct run_plan_item {
    enum run_thing thing;
    enum run_change change;
    const char *name, *note; /* "": nothing to remark */
};
typedef enum cf_rc run_plan_fn(void *ctx, const struct run_plan_item *item, struct cf_err *e);

/* Plans a full restore, or that of one key where `key` is set. Works while the HSM serves; the
 * request is judged as a restore's. */
CF_CHECK enum cf_rc run_plan_start(struct run *r, const struct run_request *q,
                                   struct jobs_record *out, struct cf_err *e);

/* The last plan, keys by name, then roles, settings, partitions. CF_E_ABSENT "NotFound": that job
 * is not the last plan that came to its end, or has not succeeded. `each` may be NULL. */
CF_CHECK enum cf_rc run_plan_report(struct run *r, const char *job_id, struct run_plan *out,
                                    run_plan_fn *each, void *ctx, struct cf_err *e);

#endif
