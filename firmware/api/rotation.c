#include "api/rotation.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "server_priv.h"

#define DAYS_MIN   28
#define NUMBER_MAX 9999

/* --- durations ----------------------------------------------------------------------------------
 */

/* One "[n]X" at `*p`; leaves `*p` where no such unit stands. */
static bool take_unit(const char **p, char unit, unsigned *out)
{
    unsigned n = 0;
    const char *at = *p;
    while (*at >= '0' && *at <= '9' && n <= NUMBER_MAX)
        n = n * 10 + (unsigned)(*at++ - '0');
    if (at == *p || *at != unit || n > NUMBER_MAX)
        return false;
    *out = n;
    *p = at + 1;
    return true;
}

static unsigned days_of(const struct api_duration *d)
{
    return 365 * d->years + 30 * d->months + d->days;
}

static enum cf_rc read_duration(const struct json *v, const char *name, struct api_duration *out,
                                struct cf_err *e)
{
    const char *text = NULL;
    *out = (struct api_duration){ .years = 0 };
    enum cf_rc rc = json_opt_text(v, name, &text, e);
    if (rc != CF_OK || !text)
        return rc;
    const char *p = text + (*text == 'P');
    bool any = take_unit(&p, 'Y', &out->years);
    any |= take_unit(&p, 'M', &out->months);
    any |= take_unit(&p, 'D', &out->days);
    if (*text != 'P' || !any || *p || strlen(text) >= sizeof out->text)
        return API_BAD(e, "%s must be a duration of years, months and days, such as P1Y or P90D",
                       name);
    if (days_of(out) < DAYS_MIN)
        return API_BAD(e, "%s must be %d days at least", name, DAYS_MIN);
    memcpy(out->text, text, strlen(text) + 1);
    return CF_OK;
}

/* Calendar years and months; the 31st of a month without one runs on into the next. */
static int64_t shift(int64_t t_s, const struct api_duration *d, int sign)
{
    time_t t = (time_t)t_s;
    struct tm tm;
    if (!gmtime_r(&t, &tm))
        return t_s;
    tm.tm_year += sign * (int)d->years;
    tm.tm_mon += sign * (int)d->months;
    tm.tm_mday += sign * (int)d->days;
    return (int64_t)timegm(&tm);
}

/* --- the policy ---------------------------------------------------------------------------------
 */

static enum cf_rc read_trigger(const struct json *action, struct api_rotation *out,
                               struct cf_err *e)
{
    struct api_duration after = { .years = 0 };
    struct api_duration before = { .years = 0 };
    const struct json *trigger = NULL;
    enum cf_rc rc = json_get_object(action, "trigger", &trigger, e);
    if (rc == CF_OK)
        rc = read_duration(trigger, "timeAfterCreate", &after, e);
    if (rc == CF_OK)
        rc = read_duration(trigger, "timeBeforeExpiry", &before, e);
    if (rc != CF_OK)
        return rc;
    if (!after.text[0] == !before.text[0])
        return API_BAD(e, "A trigger has one of timeAfterCreate and timeBeforeExpiry");
    out->when = after.text[0] ? API_ROTATE_AFTER_CREATE : API_ROTATE_BEFORE_EXPIRY;
    out->trigger = after.text[0] ? after : before;
    return CF_OK;
}

static enum cf_rc read_actions(const struct json *list, struct api_rotation *out, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (const struct json *a = list ? json_first(list) : NULL; rc == CF_OK && a;
         a = json_next(a)) {
        const struct json *action = NULL;
        const char *type = NULL;
        rc = json_get_object(a, "action", &action, e);
        if (rc == CF_OK)
            rc = json_get_text(action, "type", &type, e);
        if (rc != CF_OK)
            break;
        if (strcasecmp(type, "Notify") == 0)
            rc = API_BAD(e, "The action Notify is not supported by Managed HSM");
        else if (strcasecmp(type, "Rotate") != 0)
            rc = API_BAD(e, "action.type must be Rotate");
        else if (out->when != API_ROTATE_NEVER)
            rc = API_BAD(e, "A policy has one Rotate action");
        else
            rc = read_trigger(a, out, e);
    }
    return rc;
}

enum cf_rc api_rotation_read(const struct json *body, struct api_rotation *out, struct cf_err *e)
{
    const struct json *list = NULL;
    const struct json *attributes = NULL;
    struct json_range dates = { 0, (int64_t)1 << 40 };
    *out = (struct api_rotation){ .when = API_ROTATE_NEVER };
    enum cf_rc rc = json_opt_array(body, "lifetimeActions", &list, e);
    if (rc == CF_OK)
        rc = json_opt_object(body, "attributes", &attributes, e);
    if (rc == CF_OK && attributes)
        rc = read_duration(attributes, "expiryTime", &out->expiry, e);
    if (rc == CF_OK && attributes)
        rc = json_opt_int(attributes, "created", dates, &out->created_s, e);
    if (rc == CF_OK && attributes)
        rc = json_opt_int(attributes, "updated", dates, &out->updated_s, e);
    if (rc == CF_OK)
        rc = read_actions(list, out, e);
    if (rc == CF_OK && out->when == API_ROTATE_BEFORE_EXPIRY &&
        days_of(&out->trigger) + DAYS_MIN > days_of(&out->expiry))
        rc = API_BAD(e, "timeBeforeExpiry needs an expiryTime that is longer by %d days", DAYS_MIN);
    return rc;
}

bool api_rotation_blank(const struct api_rotation *p)
{
    return p->when == API_ROTATE_NEVER && !p->expiry.text[0];
}

enum cf_rc api_rotation_load(const void *json, size_t len, struct api_rotation *out,
                             struct cf_err *e)
{
    struct json *root = NULL;
    struct cf_err why = { 0 };
    *out = (struct api_rotation){ .when = API_ROTATE_NEVER };
    if (!len)
        return CF_OK;
    enum cf_rc rc = json_parse(json, len, NULL, &root, &why);
    if (rc == CF_OK)
        rc = api_rotation_read(root, out, &why);
    json_free(root);
    return rc == CF_OK ? rc : CF_FAIL(e, CF_E_CORRUPT, "a stored rotation policy: %s", why.text);
}

enum cf_rc api_rotation_store(const struct api_rotation *p, struct cf_buf *json, struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, json, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "lifetimeActions");
    if (p->when != API_ROTATE_NEVER) {
        json_put_object(&w, NULL);
        json_put_object(&w, "trigger");
        json_put_text(&w,
                      p->when == API_ROTATE_AFTER_CREATE ? "timeAfterCreate" : "timeBeforeExpiry",
                      p->trigger.text);
        json_close(&w);
        json_put_object(&w, "action");
        json_put_text(&w, "type", "Rotate");
        json_close(&w);
        json_close(&w);
    }
    json_close(&w);
    json_put_object(&w, "attributes");
    if (p->expiry.text[0])
        json_put_text(&w, "expiryTime", p->expiry.text);
    if (p->created_s)
        json_put_int(&w, "created", p->created_s);
    if (p->updated_s)
        json_put_int(&w, "updated", p->updated_s);
    json_close(&w);
    json_close(&w);
    return json_wr_end(&w);
}

uint64_t api_rotation_expiry(const struct api_rotation *p, int64_t now_s)
{
    return p->expiry.text[0] ? (uint64_t)shift(now_s, &p->expiry, 1) : 0;
}

bool api_rotation_due(const struct api_rotation *p, uint64_t created, uint64_t exp, int64_t now_s)
{
    if (p->when == API_ROTATE_AFTER_CREATE)
        return now_s >= shift((int64_t)created, &p->trigger, 1);
    return p->when == API_ROTATE_BEFORE_EXPIRY && exp &&
           now_s >= shift((int64_t)exp, &p->trigger, -1);
}
