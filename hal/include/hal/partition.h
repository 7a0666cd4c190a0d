/*
 * One raw partition: bytes that survive power loss.
 * Implementers: hal/linux (file or block device), hal/sim (RAM with scripted power cuts);
 * tests/contract/partition_contract.c states what each must do.
 * Threads: read from any number of threads; write, erase and sync from one.
 */
#ifndef HAL_PARTITION_H
#define HAL_PARTITION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hal_partition;

/* All set unless marked optional. The calls below check range and alignment
 * before they come here, so an implementer may rely on both. */
struct hal_partition_ops {
    enum cf_rc (*read)(struct hal_partition *p, uint64_t off, void *dst, size_t len,
                       struct cf_err *e);
    enum cf_rc (*write)(struct hal_partition *p, uint64_t off, const void *src, size_t len,
                        struct cf_err *e);
    /* Optional: NULL where the medium needs no erase before a write. */
    enum cf_rc (*erase)(struct hal_partition *p, uint64_t off, uint64_t len, struct cf_err *e);
    /* Optional: NULL where filling costs no less than writing. */
    enum cf_rc (*fill)(struct hal_partition *p, uint64_t off, uint64_t len, uint8_t value,
                       struct cf_err *e);
    enum cf_rc (*changes)(struct hal_partition *p, uint64_t *out, struct cf_err *e);
    enum cf_rc (*sync)(struct hal_partition *p, struct cf_err *e);
    void (*close)(struct hal_partition *p);
};

/* Implementers embed this as their first member. */
struct hal_partition {
    const struct hal_partition_ops *ops;
    uint64_t size;
    uint32_t write_unit; /* offset and length of a write are multiples of it; a power of two */
    uint32_t erase_unit; /* 0 where erase is NULL */
};

/* Fills all of `dst`, or fails and leaves it undefined. */
CF_CHECK enum cf_rc hal_partition_read(struct hal_partition *p, uint64_t off, void *dst, size_t len,
                                       struct cf_err *e);

/* After a power cut each write unit is old or new, never torn.
 * CF_E_ARG: outside the partition, or not whole write units (a last short unit that ends at the
 * partition's size is whole). */
CF_CHECK enum cf_rc hal_partition_write(struct hal_partition *p, uint64_t off, const void *src,
                                        size_t len, struct cf_err *e);

/* Makes the range readable as 0xFF and writable. Where the medium needs no erase: a no-op that
 * leaves the bytes. CF_E_ARG: not whole erase units. */
CF_CHECK enum cf_rc hal_partition_erase(struct hal_partition *p, uint64_t off, uint64_t len,
                                        struct cf_err *e);

/* Writes `value` over the range; as cheap as the medium allows (a hole, an erase, or writes). */
CF_CHECK enum cf_rc hal_partition_fill(struct hal_partition *p, uint64_t off, uint64_t len,
                                       uint8_t value, struct cf_err *e);

/* A durable number that differs whenever the content may have changed since it was last asked:
 * two equal answers mean nobody wrote in between, also across a restart. */
CF_CHECK enum cf_rc hal_partition_changes(struct hal_partition *p, uint64_t *out, struct cf_err *e);

/* Returns once every earlier write is on the medium. */
CF_CHECK enum cf_rc hal_partition_sync(struct hal_partition *p, struct cf_err *e);

void hal_partition_close(struct hal_partition *p); /* closes and frees; NULL is a no-op */

#endif
