/* What a client asked for, kept while its job runs: the next start needs it to go on. The SAS in it
 * is a secret: the file is sealed under a key that the token derives for it alone, and is wiped
 * when the job ends. */
#include "run_priv.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cbor/cbor.h"
#include "crypto/crypto.h"

/* As ../../keystore/FORMAT.md, 3.6, keeps a small secret: version | salt 32 | sealed map | tag 16,
 * the purpose being this file and the job's id. */
#define VERSION   1
#define HEAD_SIZE 33
#define FILE_MAX  16384
#define FILE_NAME "job.request"

/* Members of the map; a newer firmware may write more, which an older one refuses. */
enum {
    KEY_URI = 1,
    KEY_TOKEN = 2,
    KEY_IDENTITY = 3,
    KEY_FOLDER = 4,
    KEY_ACCEPTED = 5, /* optional */
    KEY_RATE = 6,
    KEY_CONNECTIONS = 7,
    KEY_COMPLETE = 8,
    KEY_INCOMPLETE = 9,
    KEY_PLAN = 10
};

static enum cf_rc path_of(const struct run *r, char out[PATH_MAX], struct cf_err *e)
{
    int n = snprintf(out, PATH_MAX, "%s/" FILE_NAME, r->o.dir);
    return n > 0 && n < PATH_MAX ? CF_OK : CF_FAIL(e, CF_E_ARG, "path too long");
}

/* --- sealing -------------------------------------------------------------------------------------
 */

static enum cf_rc derive(const struct run *r, const uint8_t salt[32], uint8_t key[CRYPTO_KEY_SIZE],
                         struct cf_err *e)
{
    const struct hal_key_name root = { .role = HAL_ROLE_STORE };
    struct cf_buf msg = { 0 };
    enum cf_rc rc = hal_token_key_make(r->o.domain.token, &root, e);
    if (rc == CF_OK)
        rc = crypto_kdf_message("coffer.v1.seal", salt, 32, &msg, e);
    if (rc == CF_OK)
        rc = hal_token_mac(r->o.domain.token, &root, msg.data, msg.len, key, e);
    cf_buf_clear(&msg);
    return rc;
}

/* In place: `text` is what is between head and tag. */
struct sealing {
    const uint8_t *head;
    const char *job_id;
    uint8_t *text;
    size_t len;
    uint8_t *tag;
    bool seal;
};

static enum cf_rc apply(const struct run *r, const struct sealing *s, struct cf_err *e)
{
    static const uint8_t nonce[CRYPTO_NONCE_SIZE];
    char purpose[sizeof FILE_NAME + JOBS_ID_SIZE] = "";
    uint8_t key[CRYPTO_KEY_SIZE];
    struct crypto_gcm *g = NULL;
    struct crypto_gcm_op op = { .nonce = nonce,
                                .aad = crypto_bytes_of(purpose, 0),
                                .in = s->text,
                                .len = s->len,
                                .out = s->text };
    op.aad.len = (size_t)snprintf(purpose, sizeof purpose, FILE_NAME " %.32s", s->job_id);
    enum cf_rc rc = derive(r, s->head + 1, key, e);
    if (rc == CF_OK)
        rc = crypto_gcm_new(&g, e);
    if (rc == CF_OK)
        rc = crypto_gcm_set_key(g, key, e);
    if (rc == CF_OK && s->seal) {
        flow_record(r->o.domain.recorder, key, nonce);
        rc = crypto_gcm_seal(g, &op, s->tag, e);
    } else if (rc == CF_OK) {
        rc = crypto_gcm_open(g, &op, s->tag, e);
    }
    crypto_gcm_free(g);
    cf_wipe(key, sizeof key);
    return rc;
}

/* --- saving --------------------------------------------------------------------------------------
 */

static enum cf_rc encode(const struct run_request *q, struct cf_buf *out, struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, 7u + (q->accepted_writer != NULL) + q->choices.allow_incomplete +
                        (q->choices.plan[0] != 0));
    cbor_wr_key(&w, KEY_URI);
    cbor_wr_text(&w, q->place.uri ? q->place.uri : "");
    cbor_wr_key(&w, KEY_TOKEN);
    cbor_wr_text(&w, q->place.token ? q->place.token : "");
    cbor_wr_key(&w, KEY_IDENTITY);
    cbor_wr_bool(&w, q->place.use_identity);
    cbor_wr_key(&w, KEY_FOLDER);
    cbor_wr_text(&w, q->folder ? q->folder : "");
    if (q->accepted_writer) {
        cbor_wr_key(&w, KEY_ACCEPTED);
        cbor_wr_bytes(&w, q->accepted_writer, 32);
    }
    cbor_wr_key(&w, KEY_RATE);
    cbor_wr_uint(&w, q->choices.limit_rate);
    cbor_wr_key(&w, KEY_CONNECTIONS);
    cbor_wr_uint(&w, q->choices.connections);
    cbor_wr_key(&w, KEY_COMPLETE);
    cbor_wr_bool(&w, q->choices.require_complete);
    if (q->choices.allow_incomplete) {
        cbor_wr_key(&w, KEY_INCOMPLETE);
        cbor_wr_bool(&w, true);
    }
    if (q->choices.plan[0]) {
        cbor_wr_key(&w, KEY_PLAN);
        cbor_wr_text(&w, q->choices.plan);
    }
    return cbor_wr_end(&w);
}

static enum cf_rc draw_salt(const struct run *r, uint8_t salt[32], struct cf_err *e)
{
    uint8_t other[32] = { 0 };
    enum cf_rc rc = hal_entropy_fill(r->o.entropy, salt, 32, e);
    if (rc == CF_OK)
        rc = hal_token_random(r->o.domain.token, other, sizeof other, e);
    for (size_t i = 0; i < sizeof other; i++)
        salt[i] ^= other[i];
    return rc;
}

enum cf_rc request_save(const struct run *r, const char *job_id, const struct run_request *q,
                        struct cf_err *e)
{
    static const uint8_t tag[CRYPTO_TAG_SIZE], version = VERSION;
    char path[PATH_MAX];
    uint8_t salt[32];
    struct cf_buf file = { 0 };
    enum cf_rc rc = path_of(r, path, e);
    if (rc == CF_OK)
        rc = draw_salt(r, salt, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&file, &version, 1, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&file, salt, sizeof salt, e);
    if (rc == CF_OK)
        rc = encode(q, &file, e);
    size_t end = file.len;
    if (rc == CF_OK)
        rc = cf_buf_put(&file, tag, sizeof tag, e);
    if (rc == CF_OK) {
        struct sealing s = { .head = file.data,
                             .job_id = job_id,
                             .text = file.data + HEAD_SIZE,
                             .len = end - HEAD_SIZE,
                             .tag = file.data + end,
                             .seal = true };
        rc = apply(r, &s, e);
    }
    if (rc == CF_OK)
        rc = cf_file_write(path, 0600, file.data, file.len, e);
    cf_buf_clear(&file);
    return cf_err_ctx(e, rc, "keeping the request");
}

/* --- and back ------------------------------------------------------------------------------------
 */

static enum cf_rc decode(const uint8_t *text, size_t len, struct request_kept *k, struct cf_err *e)
{
    struct cbor_rd rd;
    cbor_rd_init(&rd, text, len, e);
    size_t members = cbor_rd_map(&rd, KEY_PLAN);
    for (size_t i = 0; i < members && cbor_rd_ok(&rd); i++) {
        switch (cbor_rd_key(&rd)) {
        case KEY_URI:
            cbor_rd_string(&rd, k->uri, sizeof k->uri);
            break;
        case KEY_TOKEN:
            cbor_rd_string(&rd, (char *)cf_secret_data(k->token), BLOB_TOKEN_MAX + 1);
            break;
        case KEY_IDENTITY:
            k->q.place.use_identity = cbor_rd_bool(&rd);
            break;
        case KEY_FOLDER:
            cbor_rd_string(&rd, k->folder, sizeof k->folder);
            break;
        case KEY_ACCEPTED:
            cbor_rd_fixed(&rd, k->accepted, sizeof k->accepted);
            k->q.accepted_writer = k->accepted;
            break;
        case KEY_RATE:
            k->q.choices.limit_rate = cbor_rd_uint(&rd, UINT64_MAX);
            break;
        case KEY_CONNECTIONS:
            k->q.choices.connections = (unsigned)cbor_rd_uint(&rd, JOBS_CONNECTIONS_MAX);
            break;
        case KEY_COMPLETE:
            k->q.choices.require_complete = cbor_rd_bool(&rd);
            break;
        case KEY_INCOMPLETE:
            k->q.choices.allow_incomplete = cbor_rd_bool(&rd);
            break;
        case KEY_PLAN:
            cbor_rd_string(&rd, k->q.choices.plan, sizeof k->q.choices.plan);
            break;
        default:
            cbor_rd_refuse(&rd, "a request of a newer firmware");
        }
    }
    return cbor_rd_end(&rd);
}

static enum cf_rc unseal(const struct run *r, const char *job_id, struct cf_buf *file,
                         struct request_kept *k, struct cf_err *e)
{
    if (file->len < HEAD_SIZE + CRYPTO_TAG_SIZE || file->data[0] != VERSION)
        return CF_FAIL(e, CF_E_CORRUPT, "the kept request is damaged");
    struct sealing s = { .head = file->data,
                         .job_id = job_id,
                         .text = file->data + HEAD_SIZE,
                         .len = file->len - HEAD_SIZE - CRYPTO_TAG_SIZE,
                         .tag = file->data + file->len - CRYPTO_TAG_SIZE };
    enum cf_rc rc = apply(r, &s, e);
    return rc == CF_OK ? decode(s.text, s.len, k, e) : rc;
}

enum cf_rc request_load(const struct run *r, const char *job_id, struct request_kept *k,
                        struct cf_err *e)
{
    char path[PATH_MAX];
    struct cf_buf file = { 0 };
    *k = (struct request_kept){ 0 };
    enum cf_rc rc = path_of(r, path, e);
    if (rc == CF_OK)
        rc = cf_secret_new(BLOB_TOKEN_MAX + 1, &k->token, e);
    if (rc == CF_OK)
        rc = cf_file_read(path, FILE_MAX, &file, e);
    if (rc == CF_OK)
        rc = unseal(r, job_id, &file, k, e);
    cf_buf_clear(&file);
    if (rc != CF_OK) {
        request_clear(k);
        return cf_err_ctx(e, rc, "the kept request");
    }
    k->q.place.uri = k->uri;
    k->q.place.token = (const char *)cf_secret_view(k->token);
    k->q.folder = k->folder[0] ? k->folder : NULL;
    return CF_OK;
}

void request_clear(struct request_kept *k)
{
    cf_secret_free(k->token);
    *k = (struct request_kept){ 0 };
}

void request_wipe(const struct run *r)
{
    static const uint8_t zeros[FILE_MAX];
    char path[PATH_MAX];
    struct stat st;
    if (path_of(r, path, NULL) != CF_OK)
        return;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size <= FILE_MAX) {
        (void)!write(fd, zeros, (size_t)st.st_size); /* the medium may keep it; it is sealed */
        (void)!fdatasync(fd);
    }
    close(fd);
    unlink(path);
}
