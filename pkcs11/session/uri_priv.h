/*
 * Token URIs. Both sides of the socket judge them: the client, so that a bad setting is refused
 * before anything is started, and the worker, which has to find the token. Threads: any.
 */
#ifndef P11_URI_PRIV_H
#define P11_URI_PRIV_H

#include "module/cryptoki.h"

#include <p11-kit/uri.h>

#include "base/err.h"

/* RFC 7512: "pkcs11:", only parts that name a token, slot or library, none twice, no PIN.
 * CF_E_INPUT otherwise. The caller frees `*out` with p11_kit_uri_free, after a failure too. */
CF_CHECK enum cf_rc p11_uri_parse(const char *text, P11KitUri **out, struct cf_err *e);

CF_CHECK enum cf_rc p11_uri_check(const char *text, struct cf_err *e);

#endif
