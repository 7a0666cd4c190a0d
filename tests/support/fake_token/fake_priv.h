#ifndef FAKE_PRIV_H
#define FAKE_PRIV_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/fake_token.h"

#define FAKE_KEYS 32

struct fake_key {
    bool used;
    struct hal_key_name name;
    uint8_t secret[HAL_SECRET_SIZE]; /* BK, KEK, MK, STORE */
    EVP_PKEY *pkey;                  /* the others */
};

struct fake_token {
    struct hal_token base;
    pthread_rwlock_t lock;
    struct fake_key key[FAKE_KEYS];
    atomic_ulong calls;
    atomic_uint fail_times;
    atomic_int fail_rc;
};

/* Counts the call, and fails when the test wants it. */
enum cf_rc fake_enter(struct hal_token *t, struct cf_err *e);

/* A copy of a 32-byte key. CF_E_ABSENT: not in the token. */
enum cf_rc fake_secret(struct hal_token *t, const struct hal_key_name *k,
                       uint8_t out[HAL_SECRET_SIZE], struct cf_err *e);

enum cf_rc fake_pkey_op(EVP_PKEY *key, const struct hal_op *op, struct hal_result *out,
                        struct cf_err *e);
enum cf_rc fake_secret_op(const uint8_t *key, size_t key_len, const struct hal_op *op,
                          struct hal_result *out, struct cf_err *e);

/* AES key wrap with or without padding; `unwrap` undoes it. Appends. */
struct fake_wrap {
    const uint8_t *key;
    size_t key_len;
    bool pad;
    bool unwrap;
};
enum cf_rc fake_wrap(const struct fake_wrap *w, const uint8_t *in, size_t len, struct cf_buf *out,
                     struct cf_err *e);
enum cf_rc fake_hmac(const uint8_t *key, size_t key_len, enum hal_hash h, const void *msg,
                     size_t len, uint8_t out[64]);

const EVP_MD *fake_md(enum hal_hash h);
enum cf_rc fake_spki(EVP_PKEY *key, struct cf_buf *out, struct cf_err *e);
EVP_PKEY *fake_generate(const struct hal_key_spec *spec);

enum cf_rc fake_user_make(struct hal_token *t, const struct hal_key_name *kek,
                          const struct hal_key_spec *spec, struct hal_wrapped *out,
                          struct cf_err *e);
enum cf_rc fake_user_import(struct hal_token *t, const struct hal_key_name *kek,
                            const struct hal_key_spec *spec, const struct cf_secret *material,
                            struct hal_wrapped *out, struct cf_err *e);
enum cf_rc fake_user_use(struct hal_token *t, const struct hal_user_key *key,
                         const struct hal_op *op, struct hal_result *out, struct cf_err *e);
enum cf_rc fake_user_check(struct hal_token *t, const struct hal_user_key *key, struct cf_err *e);

#endif
