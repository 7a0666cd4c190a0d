/* The report of a restore plan as it grows: counts, and names up to a bound. Private to run. */
#ifndef RUN_PLAN_PRIV_H
#define RUN_PLAN_PRIV_H

#include "base/buf.h"
#include "manifest/manifest.h"
#include "run/plan.h"

#define PLAN_ITEMS_MAX 5000
#define PLAN_BYTES_MAX ((size_t)512 * 1024)

struct plan_report {
    struct run_plan plan;
    struct cf_buf items; /* packed: u8 thing | u8 change | u8 name length | name | u8 .. | note */
};

struct job;

/* Counts, and notes the name while there is room. */
CF_CHECK enum cf_rc plan_add(struct plan_report *p, const struct run_plan_item *item,
                             struct cf_err *e);

/* What run_plan_report tells once the job has succeeded. */
CF_CHECK enum cf_rc plan_keep(struct job *j, const struct plan_report *p, struct cf_err *e);
/* CF_E_STATE "Conflict": the job is bound to a plan (choices.plan), and that was made of another
 * backup or key or, for a full restore, of a store that has changed since. */
CF_CHECK enum cf_rc plan_holds(struct job *j, const struct manifest *m, struct cf_err *e);
void plan_free(struct plan_report *p); /* NULL is a no-op */

#endif
