/*
 * Random identifiers.
 */
#ifndef API_IDS_PRIV_H
#define API_IDS_PRIV_H

#include "base/err.h"
#include "hal/entropy.h"

/* A random GUID (RFC 9562, version 4) in lower case. */
CF_CHECK enum cf_rc api_ids_guid(struct hal_entropy *r, char out[37], struct cf_err *e);

#endif
