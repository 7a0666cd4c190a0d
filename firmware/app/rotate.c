/* Rotation by policy: some keys a tick, so that a store of a million holds up nothing. Policies
 * count in days; a walk takes a tick for each 400,000 keys or each thousand that have a policy. */
#include "appliance.h"

#include <string.h>

#include "api/rotation.h"
#include "base/log.h"

#define PAGES_A_TICK   40 /* of KEYSTORE_PAGE_MAX keys that have a policy */
#define ROTATED_A_TICK 4  /* an RSA key takes seconds */

static enum cf_rc is_due(struct appliance *a, const struct keystore_bundle *k, int64_t now_s,
                         uint64_t *exp, bool *due, struct cf_err *e)
{
    struct cf_buf json = { 0 };
    struct api_rotation p;
    *due = false;
    enum cf_rc rc = keystore_rotation_get(a->keystore, k->key.name, &json, e);
    if (rc == CF_OK)
        rc = api_rotation_load(json.data, json.len, &p, e);
    if (rc == CF_OK) {
        *due = k->version.enabled && /* a key that was switched off gets no version that is on */
               api_rotation_due(&p, k->version.created, k->version.has_exp ? k->version.exp : 0,
                                now_s);
        *exp = api_rotation_expiry(&p, now_s);
    }
    cf_buf_clear(&json);
    return rc;
}

static enum cf_rc rotate(struct appliance *a, const char *name, uint64_t exp, struct cf_err *e)
{
    char path[sizeof "/keys/" + KEYSTORE_NAME_MAX];
    enum cf_rc rc = keystore_rotate(a->keystore, name, exp, NULL, e);
    snprintf(path, sizeof path, "/keys/%s", name);
    const struct audit_record r = { .operation = "KeyRotate",
                                    .principal = "rotation-policy",
                                    .resource = path,
                                    .detail = rc == CF_OK ? "" : e->text,
                                    .status = rc == CF_OK ? 200 : 500 };
    struct cf_err why = { 0 };
    if (a->audit && audit_append(a->audit, &r, &why) != CF_OK)
        cf_log(CF_LOG_ERROR, "app", "audit-failed", "operation=KeyRotate");
    return rc;
}

/* One key; a failure is logged without its name and holds up no other. */
static bool rotated(struct appliance *a, const struct keystore_bundle *k, int64_t now_s)
{
    struct cf_err err = { 0 };
    uint64_t exp = 0;
    bool due = false;
    enum cf_rc rc = is_due(a, k, now_s, &exp, &due, &err);
    if (rc == CF_OK && due)
        rc = rotate(a, k->key.name, exp, &err);
    if (rc != CF_OK && rc != CF_E_ABSENT) /* absent: deleted since it was listed */
        cf_log(CF_LOG_WARN, "app", "rotation-failed", "class=%s; the audit log names the key",
               cf_rc_name(rc));
    return rc == CF_OK && due;
}

size_t app_rotate_some(struct appliance *a)
{
    size_t done = 0;
    int64_t now_s = hal_clock_unix_ms(a->parts.clock) / 1000;
    bool more = true;
    for (unsigned i = 0; i < PAGES_A_TICK && more && done < ROTATED_A_TICK; i++) {
        struct keystore_page page = { 0 };
        char *after = a->rotate_walk.after;
        struct cf_err err = { 0 };
        if (keystore_list(a->keystore, KEYSTORE_ROTATING, *after ? after : NULL, KEYSTORE_PAGE_MAX,
                          &page, &err) != CF_OK) {
            cf_log(CF_LOG_WARN, "app", "rotation-failed", "reason=\"%s\"", err.text);
            break;
        }
        for (size_t k = 0; k < page.count && done < ROTATED_A_TICK; k++) {
            done += rotated(a, &page.item[k], now_s);
            memcpy(after, page.item[k].key.name, sizeof a->rotate_walk.after);
        }
        more = page.more;
        if (done < ROTATED_A_TICK) /* all of the page is done, and what it passed over */
            memcpy(after, page.last, sizeof page.last);
        keystore_page_clear(&page);
    }
    if (!more && done < ROTATED_A_TICK)
        a->rotate_walk.after[0] = 0;
    return done;
}
