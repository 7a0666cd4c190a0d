#include "jobs/jobs.h"

#include <stddef.h>

/* State x event -> next state. 0: the event does not belong there. */
#define STATES (JOBS_CANCELED + 1)
static const enum jobs_state next_state[STATES][JOBS_EVENTS] = {
    [JOBS_IN_PROGRESS] = { [JOBS_EV_DONE] = JOBS_SUCCEEDED,
                           [JOBS_EV_ERROR] = JOBS_FAILED,
                           [JOBS_EV_CANCEL] = JOBS_CANCELED,
                           [JOBS_EV_INTERRUPTED] = JOBS_FAILED },
    /* The other three are ends. */
};

static const char *const state_names[STATES] = { [JOBS_IN_PROGRESS] = "InProgress",
                                                 [JOBS_SUCCEEDED] = "Succeeded",
                                                 [JOBS_FAILED] = "Failed",
                                                 [JOBS_CANCELED] = "Canceled" };

static const char *const kind_names[] = { [JOBS_BACKUP] = "backup",
                                          [JOBS_RESTORE] = "restore",
                                          [JOBS_SELECTIVE] = "selective restore",
                                          [JOBS_PRE_BACKUP] = "backup check",
                                          [JOBS_PRE_RESTORE] = "restore check",
                                          [JOBS_VERIFY] = "verification",
                                          [JOBS_PLAN] = "restore plan",
                                          [JOBS_UNDO] = "undo of the restore",
                                          [JOBS_RETENTION] = "retention" };

const char *jobs_state_name(enum jobs_state s)
{
    if ((unsigned)s >= STATES || state_names[s] == NULL)
        return "unknown";
    return state_names[s];
}

const char *jobs_kind_name(enum jobs_kind k)
{
    if ((unsigned)k >= sizeof kind_names / sizeof kind_names[0] || kind_names[k] == NULL)
        return "unknown";
    return kind_names[k];
}

enum cf_rc jobs_next_state(enum jobs_state s, enum jobs_event event, enum jobs_state *out,
                           struct cf_err *e)
{
    if ((unsigned)s >= STATES || (unsigned)event >= JOBS_EVENTS)
        return CF_FAIL(e, CF_E_ARG, "no such job state or event");
    if (next_state[s][event] == 0)
        return CF_FAIL(e, CF_E_STATE, "the job has ended already as %s", jobs_state_name(s));
    *out = next_state[s][event];
    return CF_OK;
}
