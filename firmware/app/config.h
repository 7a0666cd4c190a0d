/*
 * The configuration of cofferd: one struct, read once from a file, the environment and --set,
 * checked whole before anything is opened.
 */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define CONFIG_RATE_MIN  65536 /* bytes a second; as JOBS_RATE_MIN */
#define CONFIG_PATH_MAX  1024
#define CONFIG_TEXT_MAX  256
#define CONFIG_RAW_MAX   32
#define CONFIG_ROOTS_MAX 8

struct app_config {
    /* server */
    char address[64]; /* to listen on */
    uint64_t port;
    char domain[CONFIG_TEXT_MAX]; /* the HSM's host name is NAME.domain */
    char certificate[CONFIG_PATH_MAX];
    char key[CONFIG_PATH_MAX];
    char socket[CONFIG_PATH_MAX]; /* local, root-only */
    /* token */
    char token_module[CONFIG_PATH_MAX];
    char token_uri[CONFIG_PATH_MAX];
    char pin_file[CONFIG_PATH_MAX]; /* empty: the PIN comes over the local socket */
    uint64_t token_deadline_ms;
    /* partitions */
    char config_dir[CONFIG_PATH_MAX];
    char keystore_dir[CONFIG_PATH_MAX];
    char audit_file[CONFIG_PATH_MAX];
    struct app_raw {
        char name[33];
        char file[CONFIG_PATH_MAX];
    } raw[CONFIG_RAW_MAX];
    size_t raw_count;
    /* identity */
    char tenant[37]; /* GUID of the built-in authority's tenant */
    /* storage */
    char storage_ca[CONFIG_PATH_MAX]; /* empty: the system's */
    char dir_root[CONFIG_ROOTS_MAX][CONFIG_PATH_MAX];
    size_t dir_root_count;
    char proxy[CONFIG_TEXT_MAX];            /* empty: none */
    char path_style_hosts[CONFIG_PATH_MAX]; /* as blob/place.h has it */
    char service_version[16];               /* empty: the built-in one */
    uint64_t connections;
    uint64_t limit_rate; /* bytes a second of one job; 0: no limit */
    uint64_t attempts;   /* at one request, until the first has succeeded */
    uint64_t patience_s; /* then: without any success */
    uint64_t stall_ms;   /* without a byte, before an attempt is given up */
    /* storage, where a request names no SAS */
    char managed_identity[16];            /* none, imds, arc, app-service */
    char identity_hosts[CONFIG_PATH_MAX]; /* empty: the public ones */
    char identity_endpoint[CONFIG_PATH_MAX];
    char identity_client[CONFIG_TEXT_MAX];
    char identity_resource[CONFIG_PATH_MAX];
    char identity_header_file[CONFIG_PATH_MAX];
    /* backup: the schedule, and what stays after each one */
    char schedule[64]; /* jobs/timetable.h; empty: none */
    char backup_storage[CONFIG_PATH_MAX];
    char sas_file[CONFIG_PATH_MAX];       /* empty: the managed identity, or a directory */
    char prune_sas_file[CONFIG_PATH_MAX]; /* empty: sas_file */
    uint64_t jitter_s;
    uint64_t verify;                                           /* 1: read each backup back */
    uint64_t keep_last, keep_daily, keep_weekly, keep_monthly; /* all 0: nothing is pruned */
    uint64_t keep_min_age_s;
    /* restore, log */
    uint64_t min_backup_age_s; /* CONFIG_AGE_OF_BOARD: what the board says */
    char log_level[16];
};

#define CONFIG_AGE_OF_BOARD UINT64_MAX

/* Defaults, then the file, then COFFER_SECTION_KEY of the environment, then `sets` (each
 * "section.key=value"). CF_E_INPUT: unknown setting, wrong type or range; the text names file, line
 * and setting. */
CF_CHECK enum cf_rc app_config_load(const char *path, const char *const *sets, size_t set_count,
                                    struct app_config *out, struct cf_err *e);

/* Each setting with its value, for `cofferd --check`. */
void app_config_print(const struct app_config *c, FILE *to);

/* What can be set: name, default, meaning; for --help. */
void app_config_describe(FILE *to);

#endif
