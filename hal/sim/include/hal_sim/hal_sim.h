/*
 * HAL drivers in RAM, scripted by tests: partitions whose power can be cut after any write unit, a
 * clock that is set and stepped, a random source that can repeat itself.
 */
#ifndef HAL_SIM_H
#define HAL_SIM_H

#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/partition.h"

/* A partition of `size` bytes, all 0xFF, with this write unit and no erase. NULL without memory.
 * Every write counts a change. Close with hal_partition_close. */
struct hal_partition *hal_partition_sim_new(uint64_t size, uint32_t write_unit);

/* A partition of flash: writes only clear bits, so a unit must be erased first (CF_E_IO when not).
 */
struct hal_partition *hal_partition_sim_flash_new(uint64_t size, uint32_t write_unit,
                                                  uint32_t erase_unit);

/* The power goes after `units` more written or erased units: that unit is still whole, the next
 * call and all later writes, erases and syncs fail with CF_E_IO. UINT64_MAX: power is back. */
void hal_partition_sim_cut_after(struct hal_partition *p, uint64_t units);

/* The bytes, for a test to compare or damage. */
uint8_t *hal_partition_sim_bytes(struct hal_partition *p);

/* Starts at `unix_ms`, monotonic 0; both stand still until stepped. Free with hal_sim_clock_free.
 */
struct hal_clock *hal_sim_clock_new(int64_t unix_ms);
void hal_sim_clock_step(struct hal_clock *c, int64_t ms);
/* The wall clock alone: somebody has set it. */
void hal_sim_clock_jump(struct hal_clock *c, int64_t ms);
void hal_sim_clock_free(struct hal_clock *c);

/* A counter stream from `seed`, the same at each run; `stuck`: the same 32 bytes over and over. */
struct hal_entropy *hal_sim_entropy_new(uint64_t seed, int stuck);
void hal_sim_entropy_free(struct hal_entropy *r);

#endif
