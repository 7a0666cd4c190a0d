/* The journal of a restore: which blocks are in the twins. */
#include "run_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"

/* AIM: job id | MAC of the manifest | le64 flips | version. TAKEN: le32 stream | le64 block | le64
 * sum. */
enum { REC_AIM = 1, REC_TAKEN = 2 };
#define VERSION  1
#define AIM_SIZE (JOBS_ID_SIZE + MANIFEST_MAC_SIZE + 8 + 1)

static void aim_bytes(const struct journal_aim *a, uint8_t out[AIM_SIZE])
{
    memset(out, 0, AIM_SIZE);
    snprintf((char *)out, JOBS_ID_SIZE, "%s", a->job_id);
    memcpy(out + JOBS_ID_SIZE, a->mac, MANIFEST_MAC_SIZE);
    cf_le64(out + JOBS_ID_SIZE + MANIFEST_MAC_SIZE, a->flips);
    out[AIM_SIZE - 1] = VERSION;
}

enum cf_rc journal_in_begin(const struct journal_file *f, const struct journal_aim *a,
                            struct journal **out, struct cf_err *e)
{
    uint8_t payload[AIM_SIZE];
    struct journal *j = NULL;
    aim_bytes(a, payload);
    enum cf_rc rc = journal_create(f, &j, e);
    if (rc == CF_OK)
        rc = journal_put(j, &(struct journal_record){ REC_AIM, payload, sizeof payload }, e);
    if (rc != CF_OK) {
        journal_close(j);
        return rc;
    }
    *out = j;
    return CF_OK;
}

enum cf_rc journal_in_row(struct journal *j, uint32_t stream, uint64_t block, uint64_t sum,
                          struct cf_err *e)
{
    uint8_t payload[20];
    cf_le32(payload, stream);
    cf_le64(payload + 4, block);
    cf_le64(payload + 12, sum);
    return journal_row(j, &(struct journal_record){ REC_TAKEN, payload, sizeof payload }, e);
}

struct in_reader {
    uint8_t want[AIM_SIZE];
    bool ours;
    journal_taken_fn *each;
    void *ctx;
};

static enum cf_rc read_in(void *ctx, const struct journal_record *r, struct cf_err *e)
{
    struct in_reader *in = ctx;
    struct cf_rd rd = cf_rd_of(r->payload, r->len);
    (void)e;
    if (r->type == REC_AIM) {
        in->ours = r->len == AIM_SIZE && cf_equal(r->payload, in->want, AIM_SIZE);
    } else if (r->type == REC_TAKEN && in->ours && r->len == 20) {
        uint32_t stream = cf_rd_le32(&rd);
        uint64_t block = cf_rd_le64(&rd);
        in->each(in->ctx, stream, block, cf_rd_le64(&rd));
    }
    return CF_OK;
}

enum cf_rc journal_in_read(const struct journal_file *f, const struct journal_aim *a,
                           journal_taken_fn *each, struct journal_mark *kept, struct cf_err *e)
{
    struct in_reader in = { .each = each, .ctx = f->ctx };
    aim_bytes(a, in.want);
    enum cf_rc rc = journal_read(f, read_in, &in, kept, e);
    if (rc == CF_OK && !in.ours)
        rc = CF_FAIL(e, CF_E_ABSENT, "no journal of this restore");
    return rc;
}
