#include "source/source.h"

enum cf_rc source_raw_begin(struct source_raw *s, struct hal_partition *p, const char *name,
                            struct cf_err *e)
{
    *s = (struct source_raw){ .partition = p, .name = name };
    enum cf_rc rc = hal_partition_changes(p, &s->changes, e);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "partition %s", name);
}

static enum cf_rc read_partition(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e)
{
    struct source_raw *s = ctx;
    enum cf_rc rc = hal_partition_read(s->partition, place, dst, len, e);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "partition %s", s->name);
}

struct flow_reader source_raw_reader(struct source_raw *s)
{
    return (struct flow_reader){ .read = read_partition, .ctx = s };
}

enum cf_rc source_raw_end(const struct source_raw *s, struct cf_err *e)
{
    uint64_t now = 0;
    enum cf_rc rc = hal_partition_changes(s->partition, &now, e);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "partition %s", s->name);
    if (now != s->changes)
        return CF_FAIL(e, CF_E_STATE,
                       "partition %s was written to during the backup; start it again", s->name);
    return CF_OK;
}
