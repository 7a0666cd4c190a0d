/*
 * HAL drivers on Linux interfaces: clock, random source, raw partitions on files or block devices,
 * and pairs of files that trade places after a restore.
 */
#ifndef HAL_LINUX_H
#define HAL_LINUX_H

#include <stdbool.h>

#include "base/err.h"
#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/partition.h"

/* clock_gettime(2) and getrandom(2); static, never freed, any thread. */
struct hal_clock *hal_linux_clock(void);
struct hal_entropy *hal_linux_entropy(void);

/* A raw partition on a file or block device; its size is the file's when it is opened.
 * Write unit 4096. `changes` is made of inode, size and modification time to the nanosecond, so a
 * write by any program counts; two writes within one tick of the kernel's clock (at most 10 ms)
 * look like one. CF_E_ABSENT: no such file. CF_E_STATE: a writer holds it already. The caller
 * closes it. */
CF_CHECK enum cf_rc hal_linux_partition_open(const char *path, bool writable,
                                             struct hal_partition **out, struct cf_err *e);

/* --- pairs: PATH is the live partition, PATH.next its twin, PATH.slot remembers which is which ---
 */

/* The twin for writing, made or resized to PATH's size; one of that size is as it was. */
CF_CHECK enum cf_rc hal_linux_pair_open_twin(const char *path, struct hal_partition **out,
                                             struct cf_err *e);

/* Makes PATH name the slot (0 or 1) that the store's selector calls live: trades the two names
 * when it does not. Safe to repeat after a power cut at any moment. Call at start and after each
 * flip, while neither file is open here. */
CF_CHECK enum cf_rc hal_linux_pair_settle(const char *path, unsigned live_slot, struct cf_err *e);

#endif
