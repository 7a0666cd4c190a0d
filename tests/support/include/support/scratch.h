/* A directory of a test's own under /tmp, and the few file tricks fault tests play. */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

struct cf_buf;

/* Makes it; the path stands in `out` (64 bytes). Aborts on failure. */
void scratch_make(char out[64]);
/* Removes it with all that lies in it; what cannot be removed stays. */
void scratch_remove(const char *dir);

/* Every file of the directory has none of these bytes in a row. */
bool scratch_lacks(const char *dir, const void *bytes, size_t len);
void scratch_copy(const char *from, const char *to);
/* "dir/name" in a buffer that the next call but three overwrites. */
const char *scratch_path(const char *dir, const char *name);

/* Runs a command of the shell; fails the test unless it ends with 0. */
void scratch_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
