/*
 * What the files of the mbedtls provider share. Private to the folder.
 */
#ifndef CRYPTO_MBED_PRIV_H
#define CRYPTO_MBED_PRIV_H

#include <mbedtls/md.h>

#include "crypto/crypto.h"

mbedtls_md_type_t mbed_md_type(enum hal_hash h); /* MBEDTLS_MD_NONE: none */

#endif
