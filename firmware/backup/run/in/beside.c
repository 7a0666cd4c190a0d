/* What lies in the folder beside the backup: told, never read (FORMAT.md, 1). */
#include "run_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folders/prune_priv.h"

static int by_name(const void *name, const void *blob)
{
    return strcmp(name, ((const struct survey_blob *)blob)->name);
}

static void take_out(struct survey_names *n, bool *known, const char *name)
{
    const struct survey_blob *at =
        n->count ? bsearch(name, n->item, n->count, sizeof *n->item, by_name) : NULL;
    if (at)
        known[at - n->item] = true;
}

static void take_blocks(const struct backup_in *b, size_t stream, struct survey_names *n,
                        bool *known)
{
    const struct manifest_stream *s = &b->m.streams[stream];
    char name[MANIFEST_NAME_SIZE];
    for (uint64_t i = 0; i < s->blocks; i++) {
        struct flow_receipt row;
        flow_row_get(b->meta.data + s->table_offset + i * FLOW_ROW_SIZE, &row);
        manifest_block_name((uint32_t)stream, i, row.salt, name);
        take_out(n, known, name);
    }
}

static void take_all(const struct backup_in *b, struct survey_names *n, bool *known)
{
    static const char *const fixed[] = { "manifest", "manifest.copy", "probe" };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        take_out(n, known, fixed[i]);
    take_out(n, known, b->m.meta.blob);
    for (size_t i = 0; i < b->m.stream_count; i++) {
        for (size_t k = 0; k < b->m.streams[i].blob_count; k++)
            take_out(n, known, b->m.streams[i].blobs[k].name);
        if (b->m.layout == MANIFEST_WHOLE)
            take_blocks(b, i, n, known);
    }
}

void beside_note(const struct backup_in *b)
{
    struct survey_names names = { 0 };
    struct cf_err err = { 0 };
    char text[160];
    size_t others = 0, first = 0;
    if (!b->j->report.can_list)
        return;
    b->j->tries = 1; /* no part of the proof, which does not wait for it */
    enum cf_rc rc = survey_blobs(b->j, b->j->folder, &names, &err);
    b->j->tries = 0;
    if (rc != CF_OK) { /* a role or policy may forbid it */
        survey_names_clear(&names);
        return;
    }
    bool *known = calloc(names.count + 1, sizeof *known);
    if (known)
        take_all(b, &names, known);
    for (size_t i = 0; known && i < names.count; i++)
        if (!known[i] && others++ == 0)
            first = i;
    if (others) {
        snprintf(text, sizeof text,
                 "%zu blobs in the folder are no part of the backup, the first is %.60s: of "
                 "attempts that failed, or somebody's",
                 others, names.item[first].name);
        job_warn(b->j, text);
    }
    free(known);
    survey_names_clear(&names);
}
