/*
 * Backups by the clock: when one is due, what follows it (reading it back, pruning), what went
 * wrong. Jobs of the principal "schedule", as any other in the log, the audit and the list of jobs.
 * What was done is known from the jobs' records, so nothing is lost or doubled by a restart.
 */
#ifndef APP_SCHEDULE_H
#define APP_SCHEDULE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "jobs/jobs.h"
#include "jobs/timetable.h"

#define APP_SCHEDULE_WHO "schedule"

struct appliance;

enum app_step { APP_STEP_NONE, APP_STEP_BACKUP, APP_STEP_VERIFY, APP_STEP_PRUNE };

struct app_schedule {
    struct jobs_timetable table;
    /* main thread only */
    enum app_step step; /* under way, or wanted next */
    bool running;       /* `job` is the step's */
    bool caught_up;     /* what an earlier life of the daemon left of a step's followers is known */
    char job[JOBS_ID_SIZE];
    char folder[JOBS_FOLDER_SIZE]; /* of the last backup */
    int64_t began_s;               /* of the last one that succeeded */
    int64_t passed_over_s;         /* the moment whose backup an operator canceled */
    uint64_t not_before_ms;        /* monotonic: no attempt earlier */
    /* read by others too */
    pthread_mutex_t lock;
    struct {
        int64_t next_s;               /* 0: none */
        unsigned failures;            /* in a row */
        char problem[JOBS_TEXT_SIZE]; /* of the last attempt; "": none */
    } locked;
};

/* What the jobs' records say of the schedule's own jobs. */
struct app_past {
    int64_t began_s;               /* of the newest backup that serves; 0: none does */
    char folder[JOBS_FOLDER_SIZE]; /* its */
    bool passed_over;              /* somebody canceled it */
    char running[JOBS_ID_SIZE];    /* one that a restart left under way */
};
/* `needed_s`: the moment to be served. */
CF_CHECK enum cf_rc app_past_backup(struct appliance *a, int64_t needed_s, struct app_past *out,
                                    struct cf_err *e);
/* The step that is still to follow that backup, because a stop of the daemon came between or cut
 * it; APP_STEP_NONE: all is done, or ended in a way that no repetition cures. */
CF_CHECK enum cf_rc app_past_step(struct appliance *a, const struct app_past *p, enum app_step *out,
                                  struct cf_err *e);
/* By the configuration: verification, pruning, nothing. */
enum app_step app_step_after(const struct appliance *a, enum app_step step);

/* Reads the timetable from the configuration, which was checked. */
void app_schedule_init(struct appliance *a);

/* Starts what is due and looks after what runs. The milliseconds until it wants to be called again,
 * at most `most`. Main thread. */
int app_schedule_tick(struct appliance *a, int most);

#endif
