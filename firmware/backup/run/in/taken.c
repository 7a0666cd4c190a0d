/* What a restore has written to the twins already: noted, and found again by its next life. */
#include "taken_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* --- the sum -------------------------------------------------------------------------------------
 */

#define LANES 4
#define STEP  (8 * (size_t)LANES)
#define PRIME UINT64_C(0x9e3779b97f4a7c15)

static uint64_t stir(uint64_t h, uint64_t v)
{
    h = (h ^ v) * PRIME;
    return h ^ (h >> 29);
}

/* What the lanes came to, what is left behind them, and where all of it belongs. */
static uint64_t finish(uint64_t place, size_t len, const uint64_t lane[LANES], const uint8_t *rest)
{
    uint64_t h = stir(place, len);
    for (size_t i = 0; i < len % STEP; i++)
        h = stir(h, rest[i]);
    for (unsigned k = 0; k < LANES; k++)
        h = stir(h, lane[k]);
    return h;
}

uint64_t taken_sum(uint64_t place, const void *data, size_t len)
{
    uint64_t lane[LANES] = { 1, 2, 3, 4 };
    const uint8_t *p = data;
    size_t i = 0;
    for (; i + STEP <= len; i += STEP)
        for (unsigned k = 0; k < LANES; k++) {
            uint64_t v;
            memcpy(&v, p + i + 8 * (size_t)k, 8);
            lane[k] = stir(lane[k], v);
        }
    return finish(place, len, lane, p + i);
}

uint64_t taken_fill(uint64_t place, size_t len, uint8_t value, uint8_t chunk_log2)
{
    uint64_t lane[LANES], v = value * UINT64_C(0x0101010101010101), sum = 0;
    uint8_t rest[STEP];
    size_t lanes_of = 0; /* the length that `lane` is for; chunks but the last have one */
    memset(rest, value, sizeof rest);
    while (len) {
        size_t n = (size_t)1 << chunk_log2 < len ? (size_t)1 << chunk_log2 : len;
        for (unsigned k = 0; lanes_of != n && k < LANES; k++) {
            lane[k] = k + 1;
            for (size_t i = 0; i + STEP <= n; i += STEP)
                lane[k] = stir(lane[k], v);
        }
        lanes_of = n;
        sum += finish(place, n, lane, rest);
        place += n;
        len -= n;
    }
    return sum;
}

/* --- of one stream -------------------------------------------------------------------------------
 */

enum cf_rc taken_init(struct taken *t, uint64_t blocks, struct cf_err *e)
{
    t->here = calloc((size_t)blocks + 1, sizeof *t->here);
    t->sums = calloc((size_t)blocks + 1, sizeof *t->sums);
    t->blocks = blocks;
    return t->here && t->sums ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory");
}

void taken_clear(struct taken *t)
{
    free(t->here);
    free(t->sums);
    free(t->todo);
    *t = (struct taken){ 0 };
}

void taken_note(struct taken *t, uint64_t block, uint64_t sum)
{
    if (!t->here || block >= t->blocks)
        return;
    t->here[block] = true;
    t->sums[block] = sum;
}

static enum cf_rc sum_of(struct hal_partition *twin, const struct flow_block *b, uint8_t *chunk,
                         uint64_t *sum, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    *sum = 0;
    for (uint32_t i = 0; rc == CF_OK && i < flow_chunks(b); i++) {
        uint64_t place = b->place + ((uint64_t)i << b->chunk_log2);
        uint32_t len = flow_chunk_len(b, i);
        rc = hal_partition_read(twin, place, chunk, len, e);
        if (rc == CF_OK)
            *sum += taken_sum(place, chunk, len);
    }
    return rc;
}

/* A twin that was replaced, or a medium that forgot what it said it had, costs a download. */
static enum cf_rc check_blocks(struct taken *t, const struct taken_view *v, struct cf_err *e)
{
    struct flow_block b;
    struct flow_receipt r;
    uint8_t *chunk = malloc((size_t)1 << FLOW_LOG2_MAX);
    enum cf_rc rc = chunk ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (uint64_t i = 0; rc == CF_OK && i < t->blocks; i++) {
        uint64_t sum = 0;
        if (!t->here[i])
            continue;
        manifest_table_block(v->m, v->stream, v->rows, i, &b, &r);
        rc = sum_of(v->twin, &b, chunk, &sum, e);
        t->here[i] = rc == CF_OK && sum == t->sums[i];
        if (rc == CF_OK && job_canceled(v->j))
            rc = CF_FAIL(e, CF_E_CANCEL, "canceled");
    }
    free(chunk);
    return rc;
}

static enum cf_rc erase_rest(struct taken *t, const struct taken_view *v, struct cf_err *e)
{
    uint32_t unit = v->twin->erase_unit;
    enum cf_rc rc = CF_OK;
    for (uint64_t i = 0; rc == CF_OK && unit && i < t->blocks; i++) {
        struct flow_block b;
        struct flow_receipt r;
        if (t->here[i])
            continue;
        manifest_table_block(v->m, v->stream, v->rows, i, &b, &r);
        rc = hal_partition_erase(v->twin, b.place, b.covered, e);
    }
    return rc;
}

enum cf_rc taken_settle(struct taken *t, const struct taken_view *v, struct cf_err *e)
{
    struct flow_block b;
    struct flow_receipt r;
    enum cf_rc rc = check_blocks(t, v, e);
    if (rc == CF_OK)
        rc = erase_rest(t, v, e);
    t->todo = calloc((size_t)t->blocks + 1, sizeof *t->todo);
    if (rc == CF_OK && !t->todo)
        rc = CF_FAIL(e, CF_E_LIMIT, "no memory");
    t->left = 0;
    for (uint64_t i = 0; rc == CF_OK && i < t->blocks; i++) {
        if (!t->here[i]) {
            t->todo[t->left++] = i;
            continue;
        }
        manifest_table_block(v->m, v->stream, v->rows, i, &b, &r);
        job_advance(v->j, b.covered);
    }
    if (rc == CF_OK)
        cf_log(CF_LOG_INFO, "run", "stream-taken-up", "job=%s stream=%u kept=%llu left=%llu",
               v->j->record.id, v->stream, (unsigned long long)(t->blocks - t->left),
               (unsigned long long)t->left);
    return rc;
}

/* --- the journal ---------------------------------------------------------------------------------
 */

static struct journal_aim aim_of(const struct backup_in *b)
{
    struct store_selector sel;
    struct journal_aim a = { .flips = 0 };
    store_live_selector(b->j->r->o.live, &sel);
    a.flips = sel.flips;
    memcpy(a.job_id, b->j->record.id, sizeof a.job_id);
    memcpy(a.mac, b->m.mac, sizeof a.mac);
    return a;
}

static void pass_over(void *ctx, uint32_t stream, uint64_t block, uint64_t sum)
{
    (void)ctx, (void)stream, (void)block, (void)sum;
}

enum cf_rc taken_begin(const struct backup_in *b, struct cf_err *e)
{
    struct journal_aim a = aim_of(b);
    const struct journal_file f = run_journal(b->j->r, JOURNAL_IN);
    struct journal *journal = NULL;
    struct journal_mark kept;
    if (b->j->taken_up && journal_in_read(&f, &a, pass_over, &kept, NULL) == CF_OK)
        return CF_OK;
    enum cf_rc rc = journal_in_begin(&f, &a, &journal, e);
    journal_close(journal);
    return rc;
}

enum cf_rc taken_read(const struct backup_in *b,
                      void (*each)(void *ctx, uint32_t stream, uint64_t block, uint64_t sum),
                      struct journal_file *f, struct journal **out, struct cf_err *e)
{
    struct journal_aim a = aim_of(b);
    struct journal_mark kept;
    const struct journal_file ours = run_journal(b->j->r, JOURNAL_IN);
    f->dir = ours.dir;
    f->name = ours.name;
    f->key = ours.key;
    enum cf_rc rc = journal_in_read(f, &a, each, &kept, e);
    return rc == CF_OK ? journal_go_on(f, &kept, out, e) : rc;
}
