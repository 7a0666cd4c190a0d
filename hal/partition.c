#include "hal/partition.h"

#include <stdbool.h>
#include <string.h>

#define FILL_PIECE 65536

static bool in_range(const struct hal_partition *p, uint64_t off, uint64_t len)
{
    return off <= p->size && len <= p->size - off;
}

static bool whole_units(const struct hal_partition *p, uint64_t off, uint64_t len, uint32_t unit)
{
    return off % unit == 0 && (len % unit == 0 || off + len == p->size);
}

enum cf_rc hal_partition_read(struct hal_partition *p, uint64_t off, void *dst, size_t len,
                              struct cf_err *e)
{
    if (!in_range(p, off, len))
        return CF_FAIL(e, CF_E_ARG, "read outside the partition");
    return len ? p->ops->read(p, off, dst, len, e) : CF_OK;
}

enum cf_rc hal_partition_write(struct hal_partition *p, uint64_t off, const void *src, size_t len,
                               struct cf_err *e)
{
    if (!in_range(p, off, len) || !whole_units(p, off, len, p->write_unit))
        return CF_FAIL(e, CF_E_ARG, "write outside the partition or not in whole units");
    return len ? p->ops->write(p, off, src, len, e) : CF_OK;
}

enum cf_rc hal_partition_erase(struct hal_partition *p, uint64_t off, uint64_t len,
                               struct cf_err *e)
{
    if (!in_range(p, off, len))
        return CF_FAIL(e, CF_E_ARG, "erase outside the partition");
    if (!p->ops->erase || len == 0)
        return CF_OK;
    if (!whole_units(p, off, len, p->erase_unit))
        return CF_FAIL(e, CF_E_ARG, "erase not in whole units");
    return p->ops->erase(p, off, len, e);
}

enum cf_rc hal_partition_fill(struct hal_partition *p, uint64_t off, uint64_t len, uint8_t value,
                              struct cf_err *e)
{
    if (!in_range(p, off, len) || !whole_units(p, off, len, p->write_unit))
        return CF_FAIL(e, CF_E_ARG, "fill outside the partition or not in whole units");
    if (p->ops->fill)
        return len ? p->ops->fill(p, off, len, value, e) : CF_OK;
    uint8_t piece[FILL_PIECE];
    memset(piece, value, sizeof piece);
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && len) {
        size_t n = len < sizeof piece ? (size_t)len : sizeof piece;
        rc = p->ops->write(p, off, piece, n, e);
        off += n;
        len -= n;
    }
    return rc;
}

enum cf_rc hal_partition_changes(struct hal_partition *p, uint64_t *out, struct cf_err *e)
{
    return p->ops->changes(p, out, e);
}

enum cf_rc hal_partition_sync(struct hal_partition *p, struct cf_err *e)
{
    return p->ops->sync(p, e);
}

void hal_partition_close(struct hal_partition *p)
{
    if (p)
        p->ops->close(p);
}
