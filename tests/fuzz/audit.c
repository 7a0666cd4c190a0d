/* An audit partition that holds anything at all: it opens or is refused, and goes on if it opens.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "hal_sim/hal_sim.h"

#define SIZE 16384

static enum cf_rc look(void *ctx, const struct audit_record *r, struct cf_err *e)
{
    (void)ctx;
    (void)e;
    if (strlen(r->resource) > AUDIT_RESOURCE_MAX)
        abort();
    return CF_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hal_partition *p = hal_partition_sim_new(SIZE, 64);
    struct hal_clock *c = hal_sim_clock_new(1);
    struct audit_record r = { .operation = "x" };
    struct audit *a = NULL;

    if (size > SIZE)
        size = SIZE;
    memcpy(hal_partition_sim_bytes(p), data, size);
    if (audit_open(p, c, &a, NULL) == CF_OK) {
        uint64_t head = audit_head(a).sequence;
        (void)!audit_read(a, 0, look, NULL, NULL);
        if (audit_append(a, &r, NULL) != CF_OK || audit_head(a).sequence != head + 1)
            abort();
    }
    audit_close(a);
    hal_partition_close(p);
    hal_sim_clock_free(c);
    return 0;
}
