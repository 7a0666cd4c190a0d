/*
 * Names, shapes and operations of keys, as hal/token.h passes them. Data only.
 */
#ifndef HAL_TOKEN_TYPES_H
#define HAL_TOKEN_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define HAL_MAC_SIZE       32
#define HAL_SECRET_SIZE    32
#define HAL_KCV_SIZE       8
#define HAL_RANDOM_MAX     65536
#define HAL_IN_MAX         65536 /* bytes into one operation */
#define HAL_WRAPPED_MAX    8192  /* RSA-8192 in RFC 5649 fits (tokens document 2.1) */
#define HAL_DOMAIN_ID_SIZE 16

/* What a key of the appliance is for. Each role has one fixed template; nothing else may be done
 * with the key. The values are stored in the token's object ids: never renumber. */
enum hal_role {
    HAL_ROLE_BK = 1,        /* domain wrapping key: SIGN (HMAC) only */
    HAL_ROLE_KEK = 2,       /* key-store key: WRAP and UNWRAP only, AES-256 */
    HAL_ROLE_MK = 3,        /* key-store MAC key: SIGN and VERIFY only */
    HAL_ROLE_STORE = 4,     /* this appliance's storage root: SIGN only */
    HAL_ROLE_IDENTITY = 5,  /* P-256, SIGN only */
    HAL_ROLE_AUTHORITY = 6, /* RSA-2048, SIGN only */
    HAL_ROLE_EXCHANGE = 7,  /* RSA-3072, DECRYPT only; lives during a recovery */
};

/* Domain keys carry domain id and generation; the appliance's own have zeros there. */
struct hal_key_name {
    enum hal_role role;
    uint32_t generation;
    uint8_t domain_id[HAL_DOMAIN_ID_SIZE];
};

/* Values stand in key blobs (keystore/FORMAT.md): never renumber. */
enum hal_key_type { HAL_RSA = 1, HAL_EC = 2, HAL_OCT = 3 };
enum hal_curve { HAL_P256 = 1, HAL_P384 = 2, HAL_P521 = 3, HAL_P256K = 4 };

struct hal_key_spec {
    enum hal_key_type type;
    uint32_t bits;         /* RSA: 2048, 3072, 4096; oct: 128, 192, 256, imports up to 512; EC: 0 */
    enum hal_curve curve;  /* EC only */
    uint32_t rsa_exponent; /* RSA generation only; 65537 unless asked otherwise */
};

/* A user key's material as it leaves the token. */
struct hal_wrapped {
    struct cf_buf wrapped;     /* RFC 5649 under the KEK */
    struct cf_buf spki;        /* DER; empty for oct */
    uint32_t material_len;     /* exact length before the token's zero padding */
    uint8_t kcv[HAL_KCV_SIZE]; /* oct: first bytes of AES-ECB(K, "coffer.v1.kc" 00000000), or of
                                  HMAC-SHA-256(K, "coffer.v1.kc") for other lengths; else zeros */
};

/* A stored user key, borrowed for one call. */
struct hal_user_key {
    struct hal_key_name kek;
    struct hal_key_name mac_key;
    struct hal_key_spec spec;
    const uint8_t *wrapped;
    size_t wrapped_len;
    const uint8_t *spki; /* NULL for oct */
    size_t spki_len;
    uint32_t material_len;
    uint8_t kcv[HAL_KCV_SIZE];
    const uint8_t *bound; /* the whole message under the blob's MAC, label included; wrapped and
                             spki are part of it, which the token checks */
    size_t bound_len;
    uint8_t bound_mac[HAL_MAC_SIZE];
};

enum hal_use { HAL_SIGN, HAL_VERIFY, HAL_ENCRYPT, HAL_DECRYPT, HAL_WRAP, HAL_UNWRAP };

/* Wrap and unwrap act on bytes that the caller brings or gets, as the REST interface has it. */
enum hal_mech {
    HAL_RSA_PKCS1_SIGN, /* in: digest of `hash`; the DigestInfo is made here (RFC 8017 9.2) */
    HAL_RSA_PSS,       /* in: digest of `hash`; MGF1 of the same hash, salt as long as the digest */
    HAL_RSA_RAW_PKCS1, /* RSNULL: type-1 padding of the bytes given, no DigestInfo */
    HAL_ECDSA,         /* in: digest; out: r || s, each as wide as the curve's order */
    HAL_RSA_OAEP,      /* `hash` for label (empty) and MGF1 */
    HAL_RSA_PKCS1,     /* encryption padding, RFC 8017 7.2 */
    HAL_AES_KW,        /* RFC 3394 */
    HAL_AES_KWP,       /* RFC 5649 */
    HAL_AES_GCM,       /* 12-byte iv, 16-byte tag; on encrypt the token makes the iv */
    HAL_AES_CBC,       /* whole blocks; iv given */
    HAL_AES_CBC_PAD,   /* PKCS#7; iv given */
    HAL_HMAC,          /* in: message; out: full-length MAC of `hash` */
};

enum hal_hash { HAL_NO_HASH, HAL_SHA1, HAL_SHA256, HAL_SHA384, HAL_SHA512 };

/* One operation; all pointers borrowed for the call. */
struct hal_op {
    enum hal_use use;
    enum hal_mech mech;
    enum hal_hash hash;
    const uint8_t *in;
    size_t in_len;
    const uint8_t *iv; /* GCM decrypt, CBC */
    size_t iv_len;
    const uint8_t *aad;
    size_t aad_len;
    const uint8_t *tag; /* GCM decrypt: the tag. HMAC verify: the MAC to compare */
    size_t tag_len;
};

struct hal_result {
    struct cf_buf out;
    uint8_t iv[16];
    size_t iv_len; /* 0 unless the token made one */
    uint8_t tag[16];
    size_t tag_len;
};

/* For `coffer token probe`, the log and start-up refusals. Texts are NUL-terminated. */
struct hal_token_info {
    char label[33];
    char manufacturer[33];
    char model[17];
    char serial[17];
    char module[256];       /* path, library description and version */
    char kwp_mechanism[48]; /* the RFC 5649 mechanism that passed its known answer, or why none did
                             */
    char oaep256[48];       /* "CKM_RSA_PKCS_OAEP", "CKM_RSA_X_509 and own unpadding", or why not */
    char template_rung[48]; /* which template the token accepted */
    uint32_t sessions;      /* in the pool */
    uint32_t hmac_min_bytes; /* shortest HMAC-SHA-256 key the token takes */
    int worker_pid;
    uint32_t worker_restarts;
};

#endif
