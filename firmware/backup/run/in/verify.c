/* The whole of a backup, read back and believed in nothing; every key opened in the token. */
#include "run_priv.h"

#include <stdio.h>
#include <string.h>

static bool is_here(const struct run *r, const char *partition)
{
    bool here = false;
    for (size_t i = 0; i < r->o.partition_count; i++)
        here |= strcmp(r->o.partitions[i].name, partition) == 0;
    return here;
}

/* What does not lessen the proof, but would stop a restore on this appliance. */
static void note_obstacles(struct job *j, const struct manifest *m)
{
    char text[160];
    for (size_t i = 0; i < m->left_out_count; i++) {
        snprintf(text, sizeof text, "the backup is incomplete: %s is not in it", m->left_out[i]);
        job_warn(j, text);
    }
    for (size_t i = 2; i < m->stream_count; i++) {
        snprintf(text, sizeof text, "partition %s of the backup does not exist on this appliance",
                 m->streams[i].name);
        if (!is_here(j->r, m->streams[i].name))
            job_warn(j, text);
    }
}

/* Chance, in percent, that one of `damaged` blocks is among the `k` of `n` that were read. */
static unsigned chance(uint64_t k, uint64_t n, unsigned damaged)
{
    double missed = 1;
    while (damaged-- > 0)
        missed *= (double)(n - k) / (double)n;
    return (unsigned)(100 * (1 - missed) + 0.5);
}

static void say_what_was_read(struct job *j, const struct manifest *m, const struct proof *p)
{
    struct proof_tally t = proof_tally(p);
    int n =
        snprintf(j->details, sizeof j->details,
                 "Verified: %llu of %llu blocks, %llu bytes read; %llu of %llu keys with %llu "
                 "versions, each one opened in the token; %zu partitions",
                 (unsigned long long)t.taken, (unsigned long long)t.blocks,
                 (unsigned long long)atomic_load(&j->wire_bytes), (unsigned long long)p->keys,
                 (unsigned long long)m->keys, (unsigned long long)p->versions, m->stream_count - 2);
    if (proof_samples(p) && n > 0 && (size_t)n < sizeof j->details)
        snprintf(
            j->details + n, sizeof j->details - (size_t)n,
            ". A sample of %u %%: one damaged block is found in it with a chance of %u %%, one "
            "of ten with %u %%",
            p->percent, chance(t.taken, t.blocks, 1), chance(t.taken, t.blocks, 10));
}

static void note_facts(struct job *j, const struct manifest *m, const struct proof *p)
{
    struct jobs_verified *v = &j->verified;
    v->whole = !proof_samples(p) && m->left_out_count == 0; /* counts for retention, freshness */
    v->created_s = m->created_s;
    v->seq = m->seq;
    memcpy(v->backup_id, m->backup_id, sizeof v->backup_id);
    memcpy(v->mac, m->mac, sizeof v->mac);
}

enum cf_rc verify_main(struct job *j, struct cf_err *e)
{
    unsigned percent = j->choices.sample_percent;
    struct proof p = { .percent = percent ? percent : 100 };
    struct backup_in b = { .proof = &p };
    enum cf_rc rc = backup_in_open(j, &b, e);
    if (rc == CF_OK) {
        backup_in_note_age(j, &b.m);
        note_obstacles(j, &b.m);
        rc = backup_in_walk(&b, e);
    }
    if (rc == CF_OK)
        rc = proof_receipt(&b, &j->receipt, e);
    if (rc == CF_OK) {
        note_facts(j, &b.m, &p);
        beside_note(&b);
        job_keep_cover(j, &b.m);
        say_what_was_read(j, &b.m, &p);
    }
    proof_clear(&p);
    backup_in_clear(&b);
    return rc;
}
