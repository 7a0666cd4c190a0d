/*
 * What was asked and what was done: hash-chained records on the raw `audit` partition
 * (audit/FORMAT.md). A record is on the medium before audit_append returns; where it fails, the
 * caller lets the action fail.
 * Threads: any; appends exclude each other.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "hal/clock.h"
#include "hal/partition.h"

struct audit;

#define AUDIT_HASH_SIZE      32
#define AUDIT_OPERATION_MAX  64
#define AUDIT_PRINCIPAL_MAX  128
#define AUDIT_RESOURCE_MAX   1024
#define AUDIT_REQUEST_ID_MAX 64
#define AUDIT_DETAIL_MAX     512

/* One record; texts are borrowed and NUL-terminated, NULL is "". No secret and no SAS. */
struct audit_record {
    const char *operation;  /* "KeyCreate", "BackupStart" (API document 5.7) */
    const char *principal;  /* oid; "" before a token was accepted */
    const char *resource;   /* path without query, or the job's id */
    const char *request_id; /* x-ms-request-id */
    const char *detail;     /* why it was refused, caller's address, app id; free text */
    uint32_t status;        /* HTTP status, or 0 for what no request asked for */
    uint64_t sequence;      /* set by audit: from 1, no gaps */
    int64_t unix_ms;        /* set by audit */
};

struct audit_head {
    uint64_t sequence; /* of the last record; 0: none yet */
    uint8_t hash[AUDIT_HASH_SIZE];
};

/* Finds the head: reads the newest segment, so it costs the same whatever the size; audit_read
 * checks everything kept. A blank partition begins a new log. Partition and clock are borrowed.
 * CF_E_CORRUPT: a committed record is damaged, the text says which. CF_E_LIMIT: too small. */
CF_CHECK enum cf_rc audit_open(struct hal_partition *p, struct hal_clock *clock, struct audit **out,
                               struct cf_err *e);
void audit_close(struct audit *a); /* NULL is a no-op; the partition stays open */

/* Appends and syncs. Texts past their limits are cut, with a mark. CF_E_IO: not recorded. */
CF_CHECK enum cf_rc audit_append(struct audit *a, const struct audit_record *r, struct cf_err *e);

/* For the manifest of a backup (sealed map, key 4). */
struct audit_head audit_head(struct audit *a);

/* Oldest kept first, from sequence `from` (0: all), checking the whole chain on the way; appends
 * wait meanwhile. CF_E_AUTH: it does not chain, the text says where. `each` borrows; anything but
 * CF_OK stops and is returned. It must not call audit. */
CF_CHECK enum cf_rc audit_read(struct audit *a, uint64_t from,
                               enum cf_rc (*each)(void *ctx, const struct audit_record *r,
                                                  struct cf_err *e),
                               void *ctx, struct cf_err *e);

#endif
