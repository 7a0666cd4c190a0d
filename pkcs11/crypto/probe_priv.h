/*
 * Finding out what a token can do: one step a function, all of them run by p11_probe.
 * Known answers wherever the token lets a known key in (tokens document 2.1). Threads: main only.
 */
#ifndef P11_PROBE_PRIV_H
#define P11_PROBE_PRIV_H

#include "crypto/ops_priv.h"

/* The publicly known RSA-2048 key of the probe. */
struct crypto_bytes p11_probe_pkcs8(void);
struct crypto_bytes p11_probe_spki(void);

/* Is any mechanism there that may mean RFC 5649? */
bool p11_kwp_listed(const struct p11_core *core);

/* Each fills its part of core->ways. The first two refuse the token where nothing serves. */
CF_CHECK enum cf_rc p11_probe_kwp(struct p11_ctx *c, struct cf_err *e);
CF_CHECK enum cf_rc p11_probe_oaep(struct p11_ctx *c, struct cf_err *e);
void p11_probe_keywrap(struct p11_ctx *c); /* AES key wrap of caller's bytes */

#endif
