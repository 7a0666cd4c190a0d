/* The coverage statement: what is in a backup, what is not, and why. */
#include "out_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What never travels, whatever the board: said in each backup, so that nobody finds out later. */
static const struct {
    const char *what, *why;
} outside[] = {
    { "configuration", "of this host; an appliance that restores has its own" },
    { "TLS key", "of this host" },
    { "principals and jobs", "clients of the built-in authority and records of jobs stay here" },
    { "token", "its PIN and the keys of this appliance alone, identity and authority, stay in it" },
    { "security domain", "kept by its officers, never beside the backups" },
};

static __attribute__((format(printf, 4, 5))) enum cf_rc add(struct manifest *m, const char *what,
                                                            enum manifest_covered state,
                                                            const char *fmt, ...)
{
    struct manifest_cover c = { .state = state };
    va_list ap;
    snprintf(c.what, sizeof c.what, "%s", what);
    va_start(ap, fmt);
    vsnprintf(c.why, sizeof c.why, fmt, ap);
    va_end(ap);
    return manifest_cover_add(m, &c, NULL);
}

/* What is missing comes first: who keeps a few lines alone keeps these. */
static enum cf_rc add_partitions(struct backup *b)
{
    struct manifest *m = &b->m;
    char what[MANIFEST_NAME_SIZE + 16];
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < m->left_out_count; i++) {
        snprintf(what, sizeof what, "partition %s", m->left_out[i]);
        rc = add(m, what, MANIFEST_MISSING, "%s", b->left_why[i]);
    }
    for (size_t i = 2; rc == CF_OK && i < m->stream_count; i++) {
        snprintf(what, sizeof what, "partition %s", m->streams[i].name);
        rc = add(m, what, MANIFEST_INSIDE, "%llu bytes", (unsigned long long)m->streams[i].plain);
    }
    return rc;
}

enum cf_rc backup_cover(struct backup *b, struct cf_err *e)
{
    struct manifest *m = &b->m;
    enum cf_rc rc = add(m, "keys", MANIFEST_INSIDE,
                        "%llu with %llu versions, wrapped; %llu of them deleted and recoverable",
                        (unsigned long long)m->keys, (unsigned long long)m->versions,
                        (unsigned long long)m->deleted);
    if (rc == CF_OK)
        rc = add(m, "roles and settings", MANIFEST_INSIDE, "%llu role assignments",
                 (unsigned long long)m->assignments);
    if (rc == CF_OK)
        rc = add_partitions(b);
    if (rc == CF_OK)
        rc = add(m, "audit log", MANIFEST_OUTSIDE, "stays here; the manifest names record %llu",
                 (unsigned long long)m->audit_record);
    for (size_t i = 0; rc == CF_OK && i < sizeof outside / sizeof outside[0]; i++)
        rc = add(m, outside[i].what, MANIFEST_OUTSIDE, "%s", outside[i].why);
    return rc == CF_OK ? backup_complete(b->j, m, e) : CF_FAIL(e, CF_E_LIMIT, "no memory");
}

enum cf_rc backup_complete(const struct job *j, const struct manifest *m, struct cf_err *e)
{
    for (size_t i = 0; j->choices.require_complete && i < m->cover_count; i++)
        if (m->cover[i].state == MANIFEST_MISSING)
            return cf_err_code(e,
                               CF_FAIL(e, CF_E_STATE, "a complete backup was asked for: %s is %s",
                                       m->cover[i].what, m->cover[i].why),
                               "Conflict");
    return CF_OK;
}

void job_keep_cover(struct job *j, const struct manifest *m)
{
    size_t n = m->cover_count < JOBS_COVERS_MAX ? m->cover_count : JOBS_COVERS_MAX;
    j->cover = n ? calloc(n, sizeof *j->cover) : NULL;
    j->cover_count = j->cover ? n : 0;
    if (j->cover)
        memcpy(j->cover, m->cover, n * sizeof *j->cover);
}

size_t job_tell_cover(const struct job *j, struct jobs_cover out[JOBS_COVERS_MAX])
{
    for (size_t i = 0; i < j->cover_count; i++)
        out[i] = (struct jobs_cover){ .what = j->cover[i].what,
                                      .why = j->cover[i].why,
                                      .state = j->cover[i].state };
    return j->cover_count;
}
