#include "fake_priv.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum cf_rc fake_enter(struct hal_token *t, struct cf_err *e)
{
    struct fake_token *f = (struct fake_token *)t;
    atomic_fetch_add(&f->calls, 1);
    unsigned left = atomic_load(&f->fail_times);
    while (left && !atomic_compare_exchange_weak(&f->fail_times, &left, left - 1))
        ;
    return left ? CF_FAIL(e, (enum cf_rc)atomic_load(&f->fail_rc), "the token was told to fail")
                : CF_OK;
}

static bool same_name(const struct hal_key_name *a, const struct hal_key_name *b)
{
    return a->role == b->role && a->generation == b->generation &&
           memcmp(a->domain_id, b->domain_id, sizeof a->domain_id) == 0;
}

static struct fake_key *find(struct fake_token *f, const struct hal_key_name *k)
{
    for (size_t i = 0; i < FAKE_KEYS; i++)
        if (f->key[i].used && same_name(&f->key[i].name, k))
            return &f->key[i];
    return NULL;
}

static struct fake_key *add(struct fake_token *f, const struct hal_key_name *k)
{
    for (size_t i = 0; i < FAKE_KEYS; i++)
        if (!f->key[i].used) {
            f->key[i] = (struct fake_key){ .used = true, .name = *k };
            return &f->key[i];
        }
    abort();
}

enum cf_rc fake_secret(struct hal_token *t, const struct hal_key_name *k,
                       uint8_t out[HAL_SECRET_SIZE], struct cf_err *e)
{
    struct fake_token *f = (struct fake_token *)t;
    pthread_rwlock_rdlock(&f->lock);
    const struct fake_key *key = find(f, k);
    if (key)
        memcpy(out, key->secret, HAL_SECRET_SIZE);
    pthread_rwlock_unlock(&f->lock);
    return key ? CF_OK : CF_FAIL(e, CF_E_ABSENT, "role %d is not in the token", (int)k->role);
}

static enum cf_rc info(struct hal_token *t, struct hal_token_info *out, struct cf_err *e)
{
    enum cf_rc rc = fake_enter(t, e);
    *out = (struct hal_token_info){ .label = "fake",
                                    .manufacturer = "tests",
                                    .module = "in this process",
                                    .kwp_mechanism = "OpenSSL",
                                    .oaep256 = "OpenSSL",
                                    .template_rung = "none",
                                    .sessions = 1,
                                    .hmac_min_bytes = 1,
                                    .worker_pid = getpid() };
    return rc;
}

static enum cf_rc random_bytes(struct hal_token *t, void *dst, size_t len, struct cf_err *e)
{
    enum cf_rc rc = fake_enter(t, e);
    if (rc == CF_OK && RAND_bytes(dst, (int)len) != 1)
        rc = CF_FAIL(e, CF_E_TOKEN, "no random bytes");
    return rc;
}

static enum cf_rc key_present(struct hal_token *t, const struct hal_key_name *k, bool *out,
                              struct cf_err *e)
{
    struct fake_token *f = (struct fake_token *)t;
    enum cf_rc rc = fake_enter(t, e);
    pthread_rwlock_rdlock(&f->lock);
    *out = rc == CF_OK && find(f, k);
    pthread_rwlock_unlock(&f->lock);
    return rc;
}

static enum cf_rc key_import(struct hal_token *t, const struct hal_key_name *k,
                             const struct cf_secret *value, struct cf_err *e)
{
    struct fake_token *f = (struct fake_token *)t;
    enum cf_rc rc = fake_enter(t, e);
    if (rc != CF_OK)
        return rc;
    pthread_rwlock_wrlock(&f->lock);
    struct fake_key *key = find(f, k);
    if (!key)
        memcpy(add(f, k)->secret, cf_secret_view(value), HAL_SECRET_SIZE);
    else if (!cf_equal(key->secret, cf_secret_view(value), HAL_SECRET_SIZE))
        rc = CF_FAIL(e, CF_E_STATE, "another key has that name");
    pthread_rwlock_unlock(&f->lock);
    return rc;
}

static enum cf_rc key_make(struct hal_token *t, const struct hal_key_name *k, struct cf_err *e)
{
    static const struct hal_key_spec spec[] = {
        [HAL_ROLE_IDENTITY] = { .type = HAL_EC, .curve = HAL_P256 },
        [HAL_ROLE_AUTHORITY] = { .type = HAL_RSA, .bits = 2048 },
        [HAL_ROLE_EXCHANGE] = { .type = HAL_RSA, .bits = 3072 },
    };
    struct fake_token *f = (struct fake_token *)t;
    enum cf_rc rc = fake_enter(t, e);
    if (rc != CF_OK)
        return rc;
    pthread_rwlock_wrlock(&f->lock);
    if (!find(f, k)) {
        struct fake_key *key = add(f, k);
        if (k->role == HAL_ROLE_STORE)
            RAND_bytes(key->secret, HAL_SECRET_SIZE);
        else
            key->pkey = fake_generate(&spec[k->role]);
    }
    pthread_rwlock_unlock(&f->lock);
    return CF_OK;
}

static enum cf_rc key_public(struct hal_token *t, const struct hal_key_name *k, struct cf_buf *spki,
                             struct cf_err *e)
{
    struct fake_token *f = (struct fake_token *)t;
    enum cf_rc rc = fake_enter(t, e);
    if (rc != CF_OK)
        return rc;
    pthread_rwlock_rdlock(&f->lock);
    struct fake_key *key = find(f, k);
    rc = key ? fake_spki(key->pkey, spki, e) : CF_FAIL(e, CF_E_ABSENT, "no such key");
    pthread_rwlock_unlock(&f->lock);
    return rc;
}

static enum cf_rc key_destroy(struct hal_token *t, const struct hal_key_name *k, struct cf_err *e)
{
    struct fake_token *f = (struct fake_token *)t;
    enum cf_rc rc = fake_enter(t, e);
    if (rc != CF_OK)
        return rc;
    pthread_rwlock_wrlock(&f->lock);
    struct fake_key *key = find(f, k);
    if (key) {
        EVP_PKEY_free(key->pkey);
        *key = (struct fake_key){ 0 };
    }
    pthread_rwlock_unlock(&f->lock);
    return CF_OK;
}

static enum cf_rc mac(struct hal_token *t, const struct hal_key_name *k, const void *msg,
                      size_t len, uint8_t out[HAL_MAC_SIZE], struct cf_err *e)
{
    uint8_t key[HAL_SECRET_SIZE], full[64];
    enum cf_rc rc = fake_enter(t, e);
    if (rc == CF_OK)
        rc = fake_secret(t, k, key, e);
    if (rc == CF_OK) {
        rc = fake_hmac(key, sizeof key, HAL_SHA256, msg, len, full);
        memcpy(out, full, HAL_MAC_SIZE);
    }
    return rc;
}

static enum cf_rc key_use(struct hal_token *t, const struct hal_key_name *k,
                          const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    struct fake_token *f = (struct fake_token *)t;
    enum cf_rc rc = fake_enter(t, e);
    if (rc != CF_OK)
        return rc;
    pthread_rwlock_rdlock(&f->lock);
    struct fake_key *key = find(f, k);
    EVP_PKEY *pkey = key ? key->pkey : NULL;
    if (pkey)
        EVP_PKEY_up_ref(pkey);
    pthread_rwlock_unlock(&f->lock);
    if (!pkey)
        return CF_FAIL(e, CF_E_ABSENT, "no such key");
    rc = fake_pkey_op(pkey, op, out, e);
    EVP_PKEY_free(pkey);
    return rc;
}

static void close_token(struct hal_token *t)
{
    struct fake_token *f = (struct fake_token *)t;
    for (size_t i = 0; i < FAKE_KEYS; i++)
        EVP_PKEY_free(f->key[i].pkey);
    pthread_rwlock_destroy(&f->lock);
    free(f);
}

static const struct hal_token_ops ops = {
    .info = info,
    .random = random_bytes,
    .key_present = key_present,
    .key_import = key_import,
    .key_make = key_make,
    .key_public = key_public,
    .key_destroy = key_destroy,
    .mac = mac,
    .key_use = key_use,
    .user_make = fake_user_make,
    .user_import = fake_user_import,
    .user_use = fake_user_use,
    .user_check = fake_user_check,
    .close = close_token,
};

struct hal_token *fake_token_new(void)
{
    struct fake_token *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->base.ops = &ops;
    pthread_rwlock_init(&f->lock, NULL);
    return &f->base;
}

struct hal_token *fake_token_in_domain(const uint8_t domain_id[HAL_DOMAIN_ID_SIZE],
                                       uint32_t generation, unsigned seed)
{
    struct hal_token *t = fake_token_new();
    for (int role = HAL_ROLE_BK; role <= HAL_ROLE_STORE; role++) {
        struct hal_key_name name = { .role = (enum hal_role)role };
        uint8_t source[] = { (uint8_t)role, (uint8_t)generation, (uint8_t)seed,
                             (uint8_t)(seed >> 8) };
        if (role != HAL_ROLE_STORE) {
            name.generation = generation;
            memcpy(name.domain_id, domain_id, HAL_DOMAIN_ID_SIZE);
        }
        SHA256(source, sizeof source, add((struct fake_token *)t, &name)->secret);
    }
    return t;
}

void fake_token_fail(struct hal_token *t, enum cf_rc rc, unsigned times)
{
    struct fake_token *f = (struct fake_token *)t;
    atomic_store(&f->fail_rc, (int)rc);
    atomic_store(&f->fail_times, times);
}

unsigned long fake_token_calls(const struct hal_token *t)
{
    const struct fake_token *f = (const struct fake_token *)t;
    return atomic_load(&f->calls);
}
