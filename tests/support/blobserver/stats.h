/* Counters since the start or the last reset. Threads: any, without a lock. */
#ifndef BLOBSERVER_STATS_H
#define BLOBSERVER_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "ops.h"

struct stats;

struct stats *stats_new(void);
void stats_free(struct stats *s);
void stats_reset(struct stats *s);

void stats_connection(struct stats *s, int step); /* +1 opened, -1 closed */
void stats_request(struct stats *s, enum bs_op op);
void stats_response(struct stats *s, enum bs_op op, int status);
void stats_fault(struct stats *s);
/* A write of a blob that would have replaced one. */
void stats_unconditional(struct stats *s);
void stats_body_in(struct stats *s, uint64_t n);
void stats_body_out(struct stats *s, uint64_t n);

/* A JSON object, one member a line. Returns its length; `cap` 8192 is enough. */
size_t stats_print(const struct stats *s, char *out, size_t cap);

#endif
