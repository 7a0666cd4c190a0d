/* Old backups of this HSM in a place: what is there, and what of it goes. Private to run. */
#ifndef RUN_PRUNE_PRIV_H
#define RUN_PRUNE_PRIV_H

#include "base/verdict.h"
#include "run/retain.h"
#include "run_priv.h"

/* The blobs of a folder, or the folders of a place. Zero-initialise. */
struct survey_blob {
    char *name; /* within what was listed */
    uint64_t size;
};
struct survey_names {
    struct survey_blob *item;
    size_t count, cap;
    size_t bytes; /* of all names */
};
void survey_names_clear(struct survey_names *n);
/* Names below "FOLDER/", without it. */
CF_CHECK enum cf_rc survey_blobs(struct job *j, const char *folder, struct survey_names *out,
                                 struct cf_err *e);

/* Folders ("NAME/") and blobs of the place whose names begin so. */
CF_CHECK enum cf_rc survey_place(struct job *j, const char *prefix, struct survey_names *out,
                                 struct cf_err *e);
/* The blobs that the manifest names, as long as it says; where each block is a blob of its own,
 * their sum. */
bool survey_all_there(const struct manifest *m, const struct survey_names *blobs);

/* Looked at once more right before the deed, apart from the plan; `blobs` is the folder as it is
 * now. A manifest that was committed since stands against it, and one that went since, too. */
struct cf_verdict prune_still_goes(const struct retain_folder *f, const struct survey_names *blobs);

/* Every folder of the place whose name begins like those of this HSM, judged; `*out` is the
 * caller's to free. A manifest counts as ours when it is authentic, of our domain and of an HSM of
 * our name; a backup as whole when its blobs are there, as long as its manifest says. An answer
 * that may have been wrong (storage, token) fails the call. */
CF_CHECK enum cf_rc survey_folders(struct job *j, struct retain_folder **out, size_t *count,
                                   struct cf_err *e);

/* For run_prune_report; where that fails, the job says so. */
void prune_report_keep(struct job *j, const struct retain_folder *folders, size_t count);

#endif
