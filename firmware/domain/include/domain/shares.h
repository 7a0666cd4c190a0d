/*
 * Secret sharing over GF(257) as az reads it, the public check of each share, and words for
 * reading aloud. FORMAT.md 3.5 to 3.7; API document 6.4.
 * Threads: any.
 */
#ifndef DOMAIN_SHARES_H
#define DOMAIN_SHARES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "crypto/pkey.h"
#include "hal/token_types.h"

#define DOMAIN_SHARE_SIZE  64
#define DOMAIN_MASTER_SIZE 32
#define DOMAIN_HOLDERS_MIN 3
#define DOMAIN_HOLDERS_MAX 10
#define DOMAIN_QUORUM_MIN  2
#define DOMAIN_X_MAX       126

/* What every check of one sharing is bound to. */
struct domain_sharing {
    uint8_t domain_id[HAL_DOMAIN_ID_SIZE];
    uint8_t sharing_id[16];
    uint8_t quorum; /* M */
    uint8_t count;  /* N */
};

/* Fills `dst` with uniform bytes, or fails. */
typedef enum cf_rc domain_random_fn(void *ctx, void *dst, size_t len, struct cf_err *e);

/* Splits `master` among officers 1..N, and proves before it returns that shares M+1..N lie on the
 * polynomials of the first M and that M shares chosen at random give the master key.
 * `shares`: N times DOMAIN_SHARE_SIZE, in order; the caller frees it. */
CF_CHECK enum cf_rc domain_split(const struct domain_sharing *s, const struct cf_secret *master,
                                 domain_random_fn *random, void *ctx, struct cf_secret **shares,
                                 struct cf_err *e);

/* The officer's number of a share. CF_E_CORRUPT "not a share": length, words that disagree, a
 * number out of 1..126, a value over 256. */
CF_CHECK enum cf_rc domain_share_x(const uint8_t *share, size_t len, uint8_t *x, struct cf_err *e);

/* `shares`: n of them, one behind the other, each with another x. CF_E_AUTH "shares do not
 * combine": a value of 256 came out. The caller frees `master`. */
CF_CHECK enum cf_rc domain_combine(const struct cf_secret *shares, size_t n,
                                   struct cf_secret **master, struct cf_err *e);

/* d*G, compressed, d from the whole share: tells nothing of the share, and names a wrong one. */
CF_CHECK enum cf_rc domain_share_check(const struct domain_sharing *s,
                                       const uint8_t share[DOMAIN_SHARE_SIZE],
                                       uint8_t out[CRYPTO_P256_POINT_SIZE], struct cf_err *e);

/* First 32 bytes of KDF512(master, "coffer.v1.master", context). */
CF_CHECK enum cf_rc domain_master_check(const struct domain_sharing *s,
                                        const struct cf_secret *master, uint8_t out[32],
                                        struct cf_err *e);

/* The first `words` times ten bits of `data` as words of five letters with single spaces between;
 * bits behind the data are zero. `out` holds 6 * words bytes. */
void domain_words(const uint8_t *data, size_t len, size_t words, char *out);

#endif
