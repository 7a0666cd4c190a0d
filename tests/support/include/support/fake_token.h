/*
 * A token in this process, for tests: every call of hal/token.h, by OpenSSL, with keys in plain
 * memory. Answers as a real one does, and fails when told to.
 * Threads: any.
 */
#ifndef SUPPORT_FAKE_TOKEN_H
#define SUPPORT_FAKE_TOKEN_H

#include "hal/token.h"

/* An empty token; hal_token_close frees it. Aborts without memory. */
struct hal_token *fake_token_new(void);

/* With BK, KEK and MK of that domain and generation, made from `seed`: two tokens with one seed
 * open each other's blobs, and so does one after kill -9. STORE comes from the seed as well;
 * IDENTITY, AUTHORITY, EXCHANGE are made by key_make. */
struct hal_token *fake_token_in_domain(const uint8_t domain_id[HAL_DOMAIN_ID_SIZE],
                                       uint32_t generation, unsigned seed);

/* The next `times` calls fail with that class. 0 ends it. */
void fake_token_fail(struct hal_token *t, enum cf_rc rc, unsigned times);

/* Calls answered so far, failed ones too. */
unsigned long fake_token_calls(const struct hal_token *t);

/* The material of a wrapped key, for tests that search for it where it must not be. Appends. */
CF_CHECK enum cf_rc fake_token_unwrap(struct hal_token *t, const struct hal_key_name *kek,
                                      const uint8_t *wrapped, size_t len, struct cf_buf *out,
                                      struct cf_err *e);

#endif
