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

static void say_what_was_read(struct job *j, const struct manifest *m)
{
    uint64_t blocks = m->meta.count;
    for (size_t i = 0; i < m->stream_count; i++)
        blocks += m->streams[i].blocks;
    snprintf(j->details, sizeof j->details,
             "Verified: %llu blocks, %llu bytes; %llu keys with %llu versions, each one opened in "
             "the token; %llu role assignments; %zu partitions",
             (unsigned long long)blocks, (unsigned long long)atomic_load(&j->wire_bytes),
             (unsigned long long)m->keys, (unsigned long long)m->versions,
             (unsigned long long)m->assignments, m->stream_count - 2);
}

enum cf_rc verify_main(struct job *j, struct cf_err *e)
{
    struct backup_in b = { .thorough = true };
    enum cf_rc rc = backup_in_open(j, &b, e);
    if (rc == CF_OK) {
        backup_in_note_age(j, &b.m);
        note_obstacles(j, &b.m);
        rc = backup_in_walk(&b, e);
    }
    if (rc == CF_OK)
        say_what_was_read(j, &b.m);
    backup_in_clear(&b);
    return rc;
}
