/* Shared access signatures, judged before a job starts (azure-api.md, 7.5). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "azure_priv.h"
#include "base/secret.h"

#define SKEW_S      INT64_C(900)
#define GOOD_LIFE_S INT64_C(86400)

/* What of a SAS is looked at; "" where a field is absent. Nothing here is secret. */
struct sas {
    char se[40], st[40], sp[32], sr[8], ss[8], srt[8], spr[16], si[80];
    bool has_sig, damaged, asks;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX of one value. False: badly encoded or too long. */
static bool decode(const char *in, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = in[i];
        if (c == '%') {
            int hi = len - i > 2 ? hex_digit(in[i + 1]) : -1;
            int lo = len - i > 2 ? hex_digit(in[i + 2]) : -1;
            if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
                return false;
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        if (n + 1 >= cap)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

/* What requests say themselves; from the address of a list, say. */
static bool is_of_requests(const char *name, size_t len)
{
    static const char *const names[] = { "comp",       "restype",  "prefix",   "delimiter",
                                         "marker",     "include",  "blockid",  "blocklisttype",
                                         "maxresults", "snapshot", "versionid" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == len && strncmp(name, names[i], len) == 0)
            return true;
    return false;
}

static void take_field(struct sas *s, const char *name, size_t name_len, const char *value,
                       size_t len)
{
    const struct {
        const char *name;
        char *out;
        size_t cap;
    } fields[] = { { "se", s->se, sizeof s->se },    { "st", s->st, sizeof s->st },
                   { "sp", s->sp, sizeof s->sp },    { "sr", s->sr, sizeof s->sr },
                   { "ss", s->ss, sizeof s->ss },    { "srt", s->srt, sizeof s->srt },
                   { "spr", s->spr, sizeof s->spr }, { "si", s->si, sizeof s->si } };
    s->asks = s->asks || is_of_requests(name, name_len);
    if (name_len == 3 && strncmp(name, "sig", 3) == 0) {
        s->damaged = s->damaged || s->has_sig;
        s->has_sig = len > 0;
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strlen(fields[i].name) != name_len || strncmp(name, fields[i].name, name_len) != 0)
            continue;
        bool twice = fields[i].out[0] != '\0';
        if (twice || !decode(value, len, fields[i].out, fields[i].cap))
            s->damaged = true;
    }
}

static void parse(const char *token, struct sas *s)
{
    *s = (struct sas){ 0 };
    for (const char *c = token; *c != '\0'; c++)
        if (*c <= 0x20 || *c > 0x7e || *c == '#' || *c == '?')
            s->damaged = true;
    for (const char *at = token; *at != '\0';) {
        size_t len = strcspn(at, "&"), name = strcspn(at, "=&");
        if (name < len)
            take_field(s, at, name, at + name + 1, len - name - 1);
        at += len;
        at += *at == '&' ? 1 : 0;
    }
}

/* Two or four digits at s. */
static int digits(const char *s, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = 10 * v + (s[i] - '0');
    }
    return v;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (March-based years; the usual civil
 * calendar arithmetic). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t shifted = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * shifted + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static bool clock_time(const char *s, int64_t *seconds)
{
    size_t len = strlen(s);
    if (len < 7 || s[0] != 'T' || s[3] != ':' || s[len - 1] != 'Z')
        return false;
    int h = digits(s + 1, 2), m = digits(s + 4, 2), sec = 0;
    if (len > 7) {
        if (len < 10 || s[6] != ':')
            return false;
        sec = digits(s + 7, 2);
        if (len > 10 && (s[9] != '.' || strspn(s + 10, "0123456789") != len - 11 || len == 11))
            return false;
    }
    if (h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 59)
        return false;
    *seconds = h * 3600 + m * 60 + sec;
    return true;
}

bool blob_azure_time(const char *s, int64_t *unix_s)
{
    static const int month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t seconds = 0;
    size_t len = strlen(s);
    if (len < 10 || s[4] != '-' || s[7] != '-')
        return false;
    int year = digits(s, 4), month = digits(s + 5, 2), day = digits(s + 8, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > month_days[month - 1])
        return false;
    if (len > 10 && !clock_time(s + 10, &seconds))
        return false;
    *unix_s = days_of(year, month, day) * 86400 + seconds;
    return true;
}

#define MALFORMED "The customer provided SAS token is malformed. The SAS token "

static enum cf_rc check_shape(const struct sas *s, struct cf_err *e)
{
    if (s->se[0] == '\0' && s->si[0] == '\0')
        return CF_FAIL(e, CF_E_INPUT, MALFORMED "does not contain the expiry field");
    if (!s->has_sig)
        return CF_FAIL(e, CF_E_INPUT, MALFORMED "does not contain the signature field");
    if (s->damaged)
        return CF_FAIL(e, CF_E_INPUT, MALFORMED "has a field twice, or characters that no SAS has");
    if (s->asks)
        return CF_FAIL(e, CF_E_INPUT,
                       MALFORMED "has a parameter of a request, such as comp or restype; give the "
                                 "SAS alone");
    if (s->sr[0] == '\0' && s->ss[0] == '\0')
        return CF_FAIL(e, CF_E_INPUT, MALFORMED "does not contain the resource field (sr)");
    if (s->sp[0] == '\0' && s->si[0] == '\0')
        return CF_FAIL(e, CF_E_INPUT, MALFORMED "does not contain the permissions field (sp)");
    return CF_OK;
}

/* A wrong clock here is as likely a cause as a wrong token. */
static void show_time(int64_t unix_s, char out[32])
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
        out[0] = '\0';
}

static enum cf_rc check_time(const struct sas *s, int64_t now, int64_t *ends, struct cf_err *e)
{
    int64_t t;
    char here[32];
    *ends = 0;
    show_time(now, here);
    if (s->se[0] != '\0') {
        if (!blob_azure_time(s->se, &t))
            return CF_FAIL(e, CF_E_INPUT, MALFORMED "has an expiry (se) that is no UTC time: %s",
                           s->se);
        if (t <= now)
            return CF_FAIL(
                e, CF_E_INPUT,
                "The customer provided SAS token has expired: it ended at %s, and the clock "
                "here says %s",
                s->se, here);
        *ends = t;
    }
    if (s->st[0] != '\0') {
        if (!blob_azure_time(s->st, &t))
            return CF_FAIL(e, CF_E_INPUT, MALFORMED "has a start (st) that is no UTC time: %s",
                           s->st);
        if (t > now + SKEW_S)
            return CF_FAIL(
                e, CF_E_INPUT,
                "The customer provided SAS token is not valid yet: it begins at %s, and the "
                "clock here says %s",
                s->st, here);
    }
    return CF_OK;
}

static enum cf_rc check_scope(const struct sas *s, const struct blob_uri *u, struct cf_err *e)
{
    if (u->kind == BLOB_URI_HTTP && strcmp(s->spr, "https") == 0)
        return CF_FAIL(e, CF_E_INPUT,
                       "The customer provided SAS token allows https only, but "
                       "storageResourceUri says http");
    if (s->sr[0] != '\0') {
        if (strcmp(s->sr, "c") == 0 || strcmp(s->sr, "d") == 0)
            return CF_OK;
        return CF_FAIL(e, CF_E_INPUT,
                       "The customer provided SAS token is for a single blob (sr=%s); one for the "
                       "container '%s' is needed (sr=c)",
                       s->sr, u->container);
    }
    if (strchr(s->ss, 'b') == NULL)
        return CF_FAIL(e, CF_E_INPUT,
                       "The customer provided SAS token is not for the blob service (ss=%s)",
                       s->ss);
    if (strchr(s->srt, 'o') == NULL)
        return CF_FAIL(e, CF_E_INPUT,
                       "The customer provided SAS token does not reach blobs (srt=%s); srt=co is "
                       "needed",
                       s->srt);
    return CF_OK;
}

static void warn(struct blob_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void warn(struct blob_report *r, const char *fmt, ...)
{
    if (r->nwarnings == BLOB_WARNINGS_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->warnings[r->nwarnings++], sizeof r->warnings[0], fmt, ap);
    va_end(ap);
}

static void fill_report(const struct sas *s, struct blob_report *r)
{
    bool told = s->sp[0] != '\0';
    bool reach_container = s->ss[0] == '\0' || strchr(s->srt, 'c') != NULL;
    r->can_read = !told || strchr(s->sp, 'r') != NULL;
    r->can_list = (!told || strchr(s->sp, 'l') != NULL) && reach_container;
    r->can_create = !told || strchr(s->sp, 'c') != NULL;
    r->can_write = !told || strchr(s->sp, 'w') != NULL;
    r->can_delete = !told || strchr(s->sp, 'd') != NULL;
    if (!told)
        warn(r, "the SAS names a stored access policy (si): its permissions show only in use");
    if (strcmp(s->sr, "d") == 0)
        warn(r, "the SAS is for a directory (sr=d): it must hold all of the backup's folder");
}

static enum cf_rc check_erasing(const struct sas *s, const struct blob_report *r, struct cf_err *e)
{
    if (r->can_read && r->can_list && r->can_delete)
        return CF_OK;
    return CF_FAIL(
        e, CF_E_INPUT,
        "The customer provided SAS token does not allow to read, list and delete (sp=%s); "
        "deleting old backups needs sp=rdl",
        s->sp);
}

static enum cf_rc check_permissions(const struct sas *s, enum blob_need need, struct blob_report *r,
                                    struct cf_err *e)
{
    fill_report(s, r);
    if (need == BLOB_TO_ERASE)
        return check_erasing(s, r, e);
    if (need == BLOB_TO_READ) {
        if (!r->can_read)
            return CF_FAIL(e, CF_E_INPUT,
                           "The customer provided SAS token does not allow to read (sp=%s); a "
                           "restore needs sp=rl",
                           s->sp);
        if (!r->can_list)
            warn(r, "the SAS does not allow to list: foreign blobs in the folder go unreported");
        return CF_OK;
    }
    if (!r->can_create && !r->can_write)
        return CF_FAIL(e, CF_E_INPUT,
                       "The customer provided SAS token does not allow to create or write blobs "
                       "(sp=%s); a backup needs sp=crdw",
                       s->sp);
    if (!r->can_write)
        warn(r,
             "the SAS allows to create but not to write: a service that refuses blocks then gets "
             "each as a blob");
    if (!r->can_read)
        warn(r, "the SAS does not allow to read: sizes are not verified, and an interrupted "
                "upload or a lost answer cannot be sorted out");
    return CF_OK;
}

/* Without the white space behind it, which a paste or a file brings. */
static size_t token_length(const char *token)
{
    size_t len = strnlen(token, BLOB_TOKEN_MAX + 64);
    while (len > 0 && strchr(" \t\r\n", token[len - 1]) != NULL)
        len--;
    return len;
}

enum cf_rc blob_azure_token(const char *token, struct cf_secret **out, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    bool in_sig = strncmp(token, "sig=", 4) == 0;
    size_t len = token_length(token);
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < len; i++) {
        if (token[i] == '&')
            in_sig = strncmp(token + i + 1, "sig=", 4) == 0;
        bool decoded = in_sig && token[i] == '+';
        rc = cf_buf_put(&text, decoded ? "%2B" : token + i, decoded ? 3 : 1, e);
    }
    if (rc == CF_OK)
        rc = cf_secret_copy(text.data, text.len, out, e);
    cf_buf_clear(&text);
    return rc;
}

enum cf_rc blob_azure_check(const struct blob_uri *u, const char *token, enum blob_need need,
                            int64_t now_unix_s, struct blob_report *report, struct cf_err *e)
{
    struct sas s;
    char text[BLOB_TOKEN_MAX + 1];
    size_t len = token_length(token);
    if (len > BLOB_TOKEN_MAX)
        return CF_FAIL(e, CF_E_INPUT, MALFORMED "is longer than %d characters", BLOB_TOKEN_MAX);
    if (token[0] == '\0')
        return CF_FAIL(e, CF_E_INPUT,
                       "This storage needs a SAS token, and none was given: give one that allows "
                       "%s, or useManagedIdentity",
                       need == BLOB_TO_WRITE  ? "crdw"
                       : need == BLOB_TO_READ ? "rl"
                                              : "rdl");
    memcpy(text, token, len);
    text[len] = '\0';
    parse(text, &s);
    cf_wipe(text, sizeof text);
    enum cf_rc rc = check_shape(&s, e);
    if (rc == CF_OK)
        rc = check_time(&s, now_unix_s, &report->ends_unix_s, e);
    if (rc == CF_OK)
        rc = check_scope(&s, u, e);
    if (rc == CF_OK)
        rc = check_permissions(&s, need, report, e);
    if (rc == CF_OK && report->ends_unix_s != 0 && report->ends_unix_s - now_unix_s < GOOD_LIFE_S)
        warn(report, "the SAS ends in %lld minutes: a job that lasts longer fails",
             (long long)((report->ends_unix_s - now_unix_s) / 60));
    return rc;
}
