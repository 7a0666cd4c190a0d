/*
 * Rotation policies (API document 2.1): the JSON as it travels and as the key store keeps it, and
 * when it asks for a new version. Threads: pure functions over the caller's memory.
 */
#ifndef API_ROTATION_H
#define API_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define API_DURATION_SIZE 24

/* "P1Y2M10D" (ISO 8601: years, months, days); text "" is none. */
struct api_duration {
    char text[API_DURATION_SIZE];
    unsigned years, months, days;
};

enum api_rotation_when { API_ROTATE_NEVER, API_ROTATE_AFTER_CREATE, API_ROTATE_BEFORE_EXPIRY };

struct api_rotation {
    enum api_rotation_when when;
    struct api_duration trigger;
    struct api_duration expiry; /* of the versions that rotation makes */
    int64_t created_s, updated_s;
};

struct json;

/* Reads what a client sent. CF_E_INPUT "BadParameter": not a policy, or against the rules of a
 * Managed HSM: 28 days at least, rotation 28 days before the expiry at the latest, no Notify. */
CF_CHECK enum cf_rc api_rotation_read(const struct json *body, struct api_rotation *out,
                                      struct cf_err *e);
/* Nothing in it: such a policy removes the one that is there. */
bool api_rotation_blank(const struct api_rotation *p);

/* The stored text to the policy and back; an empty text is the blank policy. CF_E_CORRUPT: it is
 * none. */
CF_CHECK enum cf_rc api_rotation_load(const void *json, size_t len, struct api_rotation *out,
                                      struct cf_err *e);
CF_CHECK enum cf_rc api_rotation_store(const struct api_rotation *p, struct cf_buf *json,
                                       struct cf_err *e);

/* The `exp` of a version that rotation makes at `now_s`; 0: none. */
uint64_t api_rotation_expiry(const struct api_rotation *p, int64_t now_s);

/* True when the current version, with these dates (`exp` 0: none), is to be followed by a new one.
 */
bool api_rotation_due(const struct api_rotation *p, uint64_t created, uint64_t exp, int64_t now_s);

#endif
