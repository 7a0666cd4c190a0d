/* A private key file as the JWK of an import request. */
#ifndef COFFER_IMPORT_H
#define COFFER_IMPORT_H

#include "body.h"

/* Puts "Hsm" and "key" into the body. `ops` may be NULL. */
CF_CHECK enum cf_rc import_put_jwk(struct body *b, const struct cf_buf *pem,
                                   const struct cli_list *ops, struct cf_err *e);

#endif
