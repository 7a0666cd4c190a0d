/*
 * The messages between client and worker, one a packet of a SOCK_SEQPACKET pair: a fixed header, a
 * body of fields in fixed order, and for three requests a secret behind it.
 *
 *   off | len | field
 *   0   | 4   | bytes of body, up to P11_BODY_MAX
 *   4   | 4   | bytes of secret behind the body; 0 in answers
 *   8   | 2   | request: enum p11_msg; answer: the same number
 *   10  | 2   | flags: requests 0; answers P11_FLAG_*
 *   12  | 4   | zero
 *   16  | 8   | request id, repeated in the answer
 *
 * Integers little-endian; byte strings and texts as le32 length and bytes. A message with a secret
 * has at most P11_FRONT_SIZE bytes in all, so that it never leaves locked memory on either side. An
 * answer's body is u8 enum cf_rc, then the result's fields, or for a failure u8 enum cf_src, le64
 * native, text. Both sides read what the other sent as outside input.
 * Threads: plain functions over own data.
 */
#ifndef P11_WIRE_PRIV_H
#define P11_WIRE_PRIV_H

#include "base/buf.h"
#include "base/secret.h"
#include "hal/token_types.h"

#define P11_HEADER_SIZE 24
#define P11_BODY_MAX    ((uint32_t)256 << 10)
#define P11_FRONT_SIZE  ((uint32_t)16 << 10)
#define P11_PACKET_MAX  (P11_HEADER_SIZE + P11_BODY_MAX)

enum p11_msg {
    P11_MSG_OPEN = 1, /* secret: the PIN */
    P11_MSG_RANDOM,
    P11_MSG_KEY_PRESENT,
    P11_MSG_KEY_IMPORT, /* secret: the key */
    P11_MSG_KEY_MAKE,
    P11_MSG_KEY_PUBLIC,
    P11_MSG_KEY_DESTROY,
    P11_MSG_MAC,
    P11_MSG_KEY_USE,
    P11_MSG_USER_MAKE,
    P11_MSG_USER_IMPORT, /* secret: the material */
    P11_MSG_USER_USE,
    P11_MSG_USER_CHECK,
    P11_MSG_END,
};

/* In an answer: replace this worker when what is under way has finished. With CF_E_TOKEN the
 * request may be tried once more after it. */
#define P11_FLAG_RESTART 1

struct p11_header {
    uint32_t body_len;
    uint32_t secret_len;
    uint16_t msg;
    uint16_t flags;
    uint64_t id;
};

void p11_header_put(const struct p11_header *h, uint8_t out[P11_HEADER_SIZE]);
/* CF_E_CORRUPT: a length, number or reserved byte is not allowed. */
CF_CHECK enum cf_rc p11_header_get(const uint8_t in[P11_HEADER_SIZE], struct p11_header *h,
                                   struct cf_err *e);

/* Writes fields; after a failure the rest is skipped and rc says why. */
struct p11_wr {
    struct cf_buf *b;
    enum cf_rc rc;
    struct cf_err *e;
};
void p11_put_u8(struct p11_wr *w, uint8_t v);
void p11_put_u32(struct p11_wr *w, uint32_t v);
void p11_put_u64(struct p11_wr *w, uint64_t v);
void p11_put_bytes(struct p11_wr *w, const void *p, size_t len);
void p11_put_text(struct p11_wr *w, const char *text);
void p11_put_name(struct p11_wr *w, const struct hal_key_name *k);
void p11_put_spec(struct p11_wr *w, const struct hal_key_spec *s);
void p11_put_op(struct p11_wr *w, const struct hal_op *op);
void p11_put_user_key(struct p11_wr *w, const struct hal_user_key *k);
void p11_put_result(struct p11_wr *w, const struct hal_result *r);
void p11_put_wrapped(struct p11_wr *w, const struct hal_wrapped *x);
void p11_put_info(struct p11_wr *w, const struct hal_token_info *i);

/* Read fields; byte strings are borrowed from the reader's memory. Values out of range set bad. */
const uint8_t *p11_get_bytes(struct cf_rd *r, size_t max, size_t *len);
void p11_get_text(struct cf_rd *r, char *out, size_t size); /* cut to fit, printable ASCII only */
void p11_get_name(struct cf_rd *r, struct hal_key_name *k);
void p11_get_spec(struct cf_rd *r, struct hal_key_spec *s);
void p11_get_op(struct cf_rd *r, struct hal_op *op);
void p11_get_user_key(struct cf_rd *r, struct hal_user_key *k);
void p11_get_info(struct cf_rd *r, struct hal_token_info *i);
/* These copy. */
CF_CHECK enum cf_rc p11_get_result(struct cf_rd *r, struct hal_result *out, struct cf_err *e);
CF_CHECK enum cf_rc p11_get_wrapped(struct cf_rd *r, struct hal_wrapped *out, struct cf_err *e);

/* A failure as an answer's body, and back. Returns the class; CF_E_TOKEN where it makes no sense.
 */
void p11_put_failure(struct p11_wr *w, enum cf_rc rc, const struct cf_err *why);
enum cf_rc p11_get_failure(struct cf_rd *r, enum cf_rc rc, struct cf_err *e);

#endif
