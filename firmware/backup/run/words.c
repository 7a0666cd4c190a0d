#include "run_priv.h"

#include <stdio.h>

/* What a client may learn: storage and state problems in full, so that they can be cured; of a
 * backup that fails a check, only that it does. */
struct verdict_words {
    enum cf_rc rc;
    const char *code;
    const char *text; /* NULL: the error's own */
};

static const char not_authentic[] =
    "The backup does not verify and was not used; the audit log says what is wrong with it";

static const char too_much[] =
    "The backup passes a limit and was not used; the audit log says which";

static const struct verdict_words table[] = {
    { CF_E_INPUT, "BadRequest", NULL },
    { CF_E_ABSENT, "BadRequest", NULL },
    { CF_E_REMOTE, "BadRequest", NULL },
    { CF_E_IO, "ServiceUnavailable", NULL },
    { CF_E_STATE, "Conflict", NULL },
    { CF_E_LIMIT, "BadRequest", too_much },
    { CF_E_DENIED, "Forbidden", NULL },
    { CF_E_TOKEN, "ServiceUnavailable", NULL },
    { CF_E_AUTH, "BackupNotAuthentic", not_authentic },
    { CF_E_CORRUPT, "BackupNotAuthentic", not_authentic },
    { CF_E_CANCEL, "Canceled", NULL },
};

void words_for(const struct job *j, const struct cf_err *err, char code[JOBS_CODE_SIZE],
               char text[JOBS_TEXT_SIZE])
{
    const struct verdict_words *w = NULL;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].rc == err->rc)
            w = &table[i];
    const char *why = err->text;
    if (err->rc == CF_E_CANCEL) /* wherever it was noticed */
        why = atomic_load(&j->r->closing)
                  ? "The appliance was stopped while the job ran; start the job again"
                  : JOBS_WAS_CANCELED;
    bool tell = !w || !w->text || !j->past_domain;
    snprintf(code, JOBS_CODE_SIZE, "%s", err->code ? err->code : w ? w->code : "InternalError");
    snprintf(text, JOBS_TEXT_SIZE, "%s", tell ? why : w->text);
}
