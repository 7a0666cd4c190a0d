/*
 * The security domain of this appliance: made once, wrapped for officers as often as asked.
 * firmware/domain/FORMAT.md gives every byte; README.md says why a second download needs no
 * officers. Error codes (cf_err.code) are those of the API document 1.6. Threads: any; calls that
 * change exclude each other, and reading waits for them.
 */
#ifndef DOMAIN_DOMAIN_H
#define DOMAIN_DOMAIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/crypto.h"
#include "domain/document.h"
#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/token.h"

/* Values stand in the kept state: never renumber. */
enum domain_state {
    DOMAIN_PROVISIONED = 1, /* no domain */
    DOMAIN_ACTIVATING = 2,  /* keys of a new domain may be in the token; a start takes them out */
    DOMAIN_ACTIVE = 3,
};

enum domain_event {
    DOMAIN_BEGIN,   /* a download on an appliance without domain */
    DOMAIN_COMMIT,  /* keys are in the token and the document is kept */
    DOMAIN_ABORT,   /* a step failed, or a start found a half-made domain */
    DOMAIN_RESHARE, /* a download for other officers */
};

const char *domain_state_name(enum domain_state s); /* "provisioned", ...; NULL: no such state */

/* The state table. False: the event has no place in that state. */
bool domain_next(enum domain_state s, enum domain_event ev, enum domain_state *next);

/* Where the state lies: one record, up to DOMAIN_KEPT_MAX bytes, sealed parts inside. */
#define DOMAIN_KEPT_MAX 65536
struct domain_keep {
    /* Appends the record. CF_E_ABSENT: none was saved yet. */
    enum cf_rc (*load)(void *arg, struct cf_buf *out, struct cf_err *e);
    /* Replaces the record, all or nothing, lasting over a power cut before it returns. On failure
     * the old record or the new one is there. */
    enum cf_rc (*save)(void *arg, const void *record, size_t len, struct cf_err *e);
    void *arg;
};

/* Borrowed for the object's life. */
struct domain_options {
    struct hal_token *token; /* with STORE and IDENTITY keys in it */
    struct hal_entropy *entropy;
    struct hal_clock *clock;
    struct domain_keep keep;
    const char *hsm_name;
    uint8_t appliance_id[16];
};

struct domain;

/* Loads the state; takes a half-made domain back; on an active one proves that the token's BK is
 * the fingerprint's. CF_E_DENIED: the token holds other keys. CF_E_CORRUPT, CF_E_AUTH: the record.
 */
CF_CHECK enum cf_rc domain_open(const struct domain_options *o, struct domain **out,
                                struct cf_err *e);
void domain_close(struct domain *d); /* no call may be running; NULL is a no-op */

#define DOMAIN_WORDS_SIZE 48 /* eight words, with the NUL */

struct domain_generation {
    uint32_t number;
    uint8_t fp[32]; /* KDF(BK, "coffer.v1.fp", domain id | le32 generation) */
    int64_t made_s; /* Unix seconds */
};

struct domain_facts {
    enum domain_state state;
    /* The rest only when active. */
    uint8_t id[HAL_DOMAIN_ID_SIZE];
    struct domain_generation
        generation[DOMAIN_GENERATIONS_MAX]; /* ascending; the last is current */
    size_t generations;
    uint8_t document_id[32];
    unsigned quorum, officers;
    char fp_words[DOMAIN_WORDS_SIZE];       /* of the current generation */
    char document_words[DOMAIN_WORDS_SIZE]; /* of the document id: read aloud, printed */
};
void domain_facts(struct domain *d, struct domain_facts *out);

struct domain_officers {
    const struct crypto_bytes *der; /* certificates, N of 3..10 */
    size_t count;
    unsigned required; /* M, 2..N */
};

/* Activates a provisioned appliance, or wraps the domain of an active one for these officers: the
 * same keys under a new master key. The same officers and quorum again get the same document, so a
 * lost answer can be asked for again. Appends the document's text, complete.
 * CF_E_INPUT "BadParameter": officers or quorum not allowed; the text says which.
 * CF_E_STATE "Conflict": half-made; restart. Whatever fails, the old state stays. */
CF_CHECK enum cf_rc domain_download(struct domain *d, const struct domain_officers *o,
                                    struct cf_buf *document, struct cf_err *e);

/* What a manifest says of who signs it (backup/FORMAT.md 3.5, key 10). */
struct domain_identity {
    uint8_t spki[128];
    size_t spki_len;
    int64_t since_s;
    uint8_t endorsement[32];
};

/* CF_E_STATE: not active. */
CF_CHECK enum cf_rc domain_identity(struct domain *d, struct domain_identity *out,
                                    struct cf_err *e);

#endif
