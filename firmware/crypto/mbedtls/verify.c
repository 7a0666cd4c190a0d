#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "mbed_priv.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

/* Group and width that an EC algorithm asks for; MBEDTLS_ECP_DP_NONE for RSA. */
static mbedtls_ecp_group_id group_of(enum crypto_sig alg, size_t *width)
{
    *width = 32;
    switch (alg) {
    case CRYPTO_ES256:
        return MBEDTLS_ECP_DP_SECP256R1;
    case CRYPTO_ES256K:
        return MBEDTLS_ECP_DP_SECP256K1;
    case CRYPTO_ES384:
        *width = 48;
        return MBEDTLS_ECP_DP_SECP384R1;
    case CRYPTO_ES512:
        *width = 66;
        return MBEDTLS_ECP_DP_SECP521R1;
    case CRYPTO_RS256:
    case CRYPTO_RS384:
    case CRYPTO_RS512:
    case CRYPTO_PS256:
    case CRYPTO_PS384:
    case CRYPTO_PS512:
    case CRYPTO_RSNULL:
        break;
    }
    return MBEDTLS_ECP_DP_NONE;
}

static enum cf_rc refuse(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_AUTH, "the signature does not verify");
}

static enum cf_rc verify_ec(mbedtls_ecp_keypair *k, size_t width, struct crypto_bytes digest,
                            struct crypto_bytes sig, struct cf_err *e)
{
    if (sig.len != 2 * width)
        return refuse(e);
    const uint8_t *p = sig.p;
    mbedtls_mpi r, s;
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    enum cf_rc rc = CF_OK;
    if (mbedtls_mpi_read_binary(&r, p, width) != 0 ||
        mbedtls_mpi_read_binary(&s, p + width, width) != 0 ||
        mbedtls_ecdsa_verify(&k->grp, digest.p, digest.len, &k->Q, &r, &s) != 0)
        rc = refuse(e);
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    return rc;
}

static enum cf_rc verify_rsa(mbedtls_rsa_context *k, enum crypto_sig alg,
                             struct crypto_bytes digest, struct crypto_bytes sig, struct cf_err *e)
{
    mbedtls_md_type_t md = mbed_md_type(crypto_sig_hash(alg));
    bool pss = alg == CRYPTO_PS256 || alg == CRYPTO_PS384 || alg == CRYPTO_PS512;
    size_t bits = mbedtls_mpi_bitlen(&k->N), width = mbedtls_rsa_get_len(k);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX || mbedtls_mpi_get_bit(&k->E, 0) != 1 ||
        mbedtls_mpi_cmp_int(&k->E, 3) < 0 || mbedtls_mpi_bitlen(&k->E) > 64)
        return CF_FAIL(e, CF_E_INPUT, "RSA key of a size not served");
    if (digest.len == 0 || digest.len > width - 11)
        return CF_FAIL(e, CF_E_INPUT, "digest of %zu bytes does not fit the algorithm", digest.len);
    if (sig.len != width)
        return refuse(e);
    int made;
    if (pss) {
        mbedtls_rsa_set_padding(k, MBEDTLS_RSA_PKCS_V21, (int)md);
        made = mbedtls_rsa_rsassa_pss_verify_ext(k, NULL, NULL, MBEDTLS_RSA_PUBLIC, md,
                                                 (unsigned)digest.len, digest.p, md,
                                                 (int)digest.len, sig.p);
    } else {
        mbedtls_rsa_set_padding(k, MBEDTLS_RSA_PKCS_V15, 0);
        made = mbedtls_rsa_pkcs1_verify(k, NULL, NULL, MBEDTLS_RSA_PUBLIC, md, (unsigned)digest.len,
                                        digest.p, sig.p);
    }
    return made == 0 ? CF_OK : refuse(e);
}

static enum cf_rc verify_with(mbedtls_pk_context *pk, enum crypto_sig alg,
                              struct crypto_bytes digest, struct crypto_bytes sig, struct cf_err *e)
{
    size_t width = 0, want = crypto_digest_size(crypto_sig_hash(alg));
    mbedtls_ecp_group_id group = group_of(alg, &width);
    mbedtls_pk_type_t type = mbedtls_pk_get_type(pk);
    if (want && digest.len != want)
        return CF_FAIL(e, CF_E_INPUT, "digest of %zu bytes does not fit the algorithm", digest.len);
    if (group == MBEDTLS_ECP_DP_NONE && type == MBEDTLS_PK_RSA)
        return verify_rsa(mbedtls_pk_rsa(*pk), alg, digest, sig, e);
    if (group != MBEDTLS_ECP_DP_NONE && type == MBEDTLS_PK_ECKEY &&
        mbedtls_pk_ec(*pk)->grp.id == group)
        return verify_ec(mbedtls_pk_ec(*pk), width, digest, sig, e);
    return CF_FAIL(e, CF_E_INPUT, "the algorithm does not fit the key");
}

enum cf_rc crypto_verify(enum crypto_sig alg, struct crypto_bytes spki, struct crypto_bytes digest,
                         struct crypto_bytes sig, struct cf_err *e)
{
    mbedtls_pk_context pk;
    enum cf_rc rc;
    mbedtls_pk_init(&pk);
    /* The subtype parser moves the cursor over a writable pointer; the bytes are only read. */
    struct cf_buf copy = { 0 };
    rc = cf_buf_put(&copy, spki.p, spki.len, e);
    uint8_t *p = copy.data;
    if (rc == CF_OK && (spki.len == 0 || mbedtls_pk_parse_subpubkey(&p, p + spki.len, &pk) != 0 ||
                        p != copy.data + spki.len))
        rc = CF_FAIL(e, CF_E_INPUT, "malformed public key");
    if (rc == CF_OK)
        rc = verify_with(&pk, alg, digest, sig, e);
    cf_buf_clear(&copy);
    mbedtls_pk_free(&pk);
    return rc;
}
