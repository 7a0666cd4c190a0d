/* A directory of a test's own under /tmp, and the few file tricks fault tests play. */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

struct cf_buf;

/* Makes it; the path stands in `out` (64 bytes). Aborts on failure. */
void scratch_make(char out[64]);
/* Removes it with what lies in it (one level). */
void scratch_remove(const char *dir);

/* Every file of the directory has none of these bytes in a row. */
bool scratch_lacks(const char *dir, const void *bytes, size_t len);
void scratch_copy(const char *from, const char *to);
/* "dir/name" in a buffer that the next call but three overwrites. */
const char *scratch_path(const char *dir, const char *name);

#endif
