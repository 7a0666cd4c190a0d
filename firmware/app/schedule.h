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

/* Reads the timetable from the configuration, which was checked. */
void app_schedule_init(struct appliance *a);

/* Starts what is due and looks after what runs. The milliseconds until it wants to be called again,
 * at most `most`. Main thread. */
int app_schedule_tick(struct appliance *a, int most);

#endif
