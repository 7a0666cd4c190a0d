#include "hal_sim/hal_sim.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct sim_partition {
    struct hal_partition base;
    uint8_t *bytes;
    uint64_t changes;
    uint64_t units_left; /* until the power goes */
};

static struct sim_partition *of(struct hal_partition *p)
{
    return (struct sim_partition *)p;
}

static enum cf_rc spend_unit(struct sim_partition *s, struct cf_err *e)
{
    if (s->units_left == 0)
        return CF_FAIL(e, CF_E_IO, "the power is cut");
    if (s->units_left != UINT64_MAX)
        s->units_left--;
    s->changes++;
    return CF_OK;
}

static enum cf_rc sim_read(struct hal_partition *p, uint64_t off, void *dst, size_t len,
                           struct cf_err *e)
{
    (void)e;
    memcpy(dst, of(p)->bytes + off, len);
    return CF_OK;
}

static enum cf_rc program(struct sim_partition *s, uint64_t off, const uint8_t *src, size_t len,
                          struct cf_err *e)
{
    if (s->base.erase_unit && !cf_all_bytes(s->bytes + off, len, 0xff))
        return CF_FAIL(e, CF_E_IO, "flash unit written twice without an erase");
    memcpy(s->bytes + off, src, len);
    return CF_OK;
}

static enum cf_rc sim_write(struct hal_partition *p, uint64_t off, const void *src, size_t len,
                            struct cf_err *e)
{
    struct sim_partition *s = of(p);
    const uint8_t *at = src;
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && len) {
        size_t n = len < p->write_unit ? len : p->write_unit;
        rc = spend_unit(s, e);
        if (rc == CF_OK)
            rc = program(s, off, at, n, e);
        at += n;
        off += n;
        len -= n;
    }
    return rc;
}

static enum cf_rc sim_erase(struct hal_partition *p, uint64_t off, uint64_t len, struct cf_err *e)
{
    struct sim_partition *s = of(p);
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && len) {
        uint64_t n = len < p->erase_unit ? len : p->erase_unit;
        rc = spend_unit(s, e);
        if (rc == CF_OK)
            memset(s->bytes + off, 0xff, (size_t)n);
        off += n;
        len -= n;
    }
    return rc;
}

static enum cf_rc sim_changes(struct hal_partition *p, uint64_t *out, struct cf_err *e)
{
    (void)e;
    *out = of(p)->changes;
    return CF_OK;
}

static enum cf_rc sim_sync(struct hal_partition *p, struct cf_err *e)
{
    return of(p)->units_left == 0 ? CF_FAIL(e, CF_E_IO, "the power is cut") : CF_OK;
}

static void sim_close(struct hal_partition *p)
{
    free(of(p)->bytes);
    free(p);
}

static const struct hal_partition_ops ram_ops = {
    .read = sim_read,
    .write = sim_write,
    .changes = sim_changes,
    .sync = sim_sync,
    .close = sim_close,
};

static const struct hal_partition_ops flash_ops = {
    .read = sim_read,
    .write = sim_write,
    .erase = sim_erase,
    .changes = sim_changes,
    .sync = sim_sync,
    .close = sim_close,
};

static struct hal_partition *sim_new(const struct hal_partition_ops *ops, uint64_t size,
                                     uint32_t write_unit, uint32_t erase_unit)
{
    struct sim_partition *s = calloc(1, sizeof *s);
    uint8_t *bytes = malloc(size ? (size_t)size : 1);
    if (!s || !bytes) {
        free(s);
        free(bytes);
        return NULL;
    }
    memset(bytes, 0xff, (size_t)size);
    s->base = (struct hal_partition){
        .ops = ops, .size = size, .write_unit = write_unit, .erase_unit = erase_unit
    };
    s->bytes = bytes;
    s->units_left = UINT64_MAX;
    return &s->base;
}

struct hal_partition *hal_partition_sim_new(uint64_t size, uint32_t write_unit)
{
    return sim_new(&ram_ops, size, write_unit, 0);
}

struct hal_partition *hal_partition_sim_flash_new(uint64_t size, uint32_t write_unit,
                                                  uint32_t erase_unit)
{
    return sim_new(&flash_ops, size, write_unit, erase_unit);
}

void hal_partition_sim_cut_after(struct hal_partition *p, uint64_t units)
{
    of(p)->units_left = units;
}

uint8_t *hal_partition_sim_bytes(struct hal_partition *p)
{
    return of(p)->bytes;
}
