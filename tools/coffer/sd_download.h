/* Activation: certificates in, security domain out. Used by the verb and by bench up. */
#ifndef COFFER_SD_DOWNLOAD_H
#define COFFER_SD_DOWNLOAD_H

#include "cli.h"

/* Asks `t` for the security domain under the certificates (PEM or DER files) and quorum, waits for
 * success, and writes the document to `file` (mode 0600), which must not exist: CF_E_INPUT. Nothing
 * is asked where it cannot be made. */
CF_CHECK enum cf_rc sd_download(struct cli_target *t, const struct cli_list *certificates,
                                const char *quorum, const char *file, struct cf_err *e);

#endif
