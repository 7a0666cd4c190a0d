/*
 * Small files: read whole with a limit, written whole or not at all.
 * Threads: any; two writers of one path race, the later rename wins.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends the whole file to `out`. CF_E_ABSENT: no such file; CF_E_LIMIT: longer than `max`. */
CF_CHECK enum cf_rc cf_file_read(const char *path, size_t max, struct cf_buf *out,
                                 struct cf_err *e);

/* Writes beside the path, syncs, renames over it and syncs the directory: after a power cut the
 * old file or the new one is there. `mode` as in open(2). */
CF_CHECK enum cf_rc cf_file_write(const char *path, unsigned mode, const void *data, size_t len,
                                  struct cf_err *e);

/* fsync of the directory that holds `path`, so that a name made or renamed there lasts. */
CF_CHECK enum cf_rc cf_file_sync_dir(const char *path, struct cf_err *e);

#endif
