#include "access/roles.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum cf_rc refuse_scope(const char *text, struct cf_err *e)
{
    return cf_err_code(
        e, CF_FAIL(e, CF_E_INPUT, "%.100s is not a scope: /, /keys or /keys/{name}", text),
        "BadParameter");
}

struct access_scope access_scope_all(void)
{
    return (struct access_scope){ .level = ACCESS_AT_ALL, .text = "/" };
}

struct access_scope access_scope_keys(void)
{
    return (struct access_scope){ .level = ACCESS_AT_KEYS, .text = "/keys" };
}

/* Key names are ASCII letters, digits and '-'; they are compared without regard to case. */
static bool put_key_name(const char *name, size_t len, struct access_scope *out)
{
    if (len == 0 || len > ACCESS_KEY_NAME_MAX)
        return false;
    struct access_scope s = { .level = ACCESS_AT_KEY, .text = "/keys/" };
    char *to = s.text + strlen(s.text);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c > 0x7f || !(isalnum(c) || c == '-'))
            return false;
        *to++ = (char)tolower(c);
    }
    *out = s;
    return true;
}

enum cf_rc access_scope_key(const char *name, struct access_scope *out, struct cf_err *e)
{
    return put_key_name(name, strlen(name), out) ? CF_OK : refuse_scope(name, e);
}

enum cf_rc access_scope_parse(const char *text, struct access_scope *out, struct cf_err *e)
{
    struct access_scope s = access_scope_all();
    unsigned segment = 0;

    for (const char *p = text + strspn(text, "/"); *p != '\0'; p += strspn(p, "/")) {
        size_t len = strcspn(p, "/");
        segment++;
        if (segment == 1 && len == 4 && strncasecmp(p, "keys", 4) == 0)
            s = access_scope_keys();
        else if (segment != 2 || !put_key_name(p, len, &s))
            return refuse_scope(text, e);
        p += len;
    }
    *out = s;
    return CF_OK;
}

/* What concerns the whole HSM, or would make a new name, cannot be granted lower down. */
static enum access_level highest_needed(enum access_action action)
{
    switch (action) {
    case ACCESS_KEYS_CREATE:
    case ACCESS_KEYS_IMPORT:
    case ACCESS_KEYS_RESTORE:
        return ACCESS_AT_KEYS;
    case ACCESS_KEYS_READ:
    case ACCESS_KEYS_WRITE:
    case ACCESS_KEYS_DELETED_READ:
    case ACCESS_KEYS_DELETED_RECOVER:
    case ACCESS_KEYS_DELETED_DELETE:
    case ACCESS_KEYS_BACKUP:
    case ACCESS_KEYS_DELETE:
    case ACCESS_KEYS_EXPORT:
    case ACCESS_KEYS_RELEASE:
    case ACCESS_KEYS_ROTATE:
    case ACCESS_KEYS_ENCRYPT:
    case ACCESS_KEYS_DECRYPT:
    case ACCESS_KEYS_WRAP:
    case ACCESS_KEYS_UNWRAP:
    case ACCESS_KEYS_SIGN:
    case ACCESS_KEYS_VERIFY:
    case ACCESS_KEYS_DERIVE:
    case ACCESS_ASSIGNMENTS_READ:
    case ACCESS_ASSIGNMENTS_WRITE:
    case ACCESS_ASSIGNMENTS_DELETE:
    case ACCESS_DEFINITIONS_READ:
        return ACCESS_AT_KEY;
    case ACCESS_RNG:
    case ACCESS_DEFINITIONS_WRITE:
    case ACCESS_DEFINITIONS_DELETE:
    case ACCESS_DOMAIN_DOWNLOAD:
    case ACCESS_DOMAIN_DOWNLOAD_READ:
    case ACCESS_DOMAIN_UPLOAD:
    case ACCESS_DOMAIN_UPLOAD_READ:
    case ACCESS_DOMAIN_TRANSFER_KEY:
    case ACCESS_BACKUP_START:
    case ACCESS_BACKUP_STATUS:
    case ACCESS_RESTORE_START:
    case ACCESS_RESTORE_STATUS:
    case ACCESS_SETTINGS_READ:
    case ACCESS_SETTINGS_WRITE:
    case ACCESS_ACTIONS:
        break;
    }
    return ACCESS_AT_ALL;
}

struct access_scope access_scope_judged(enum access_action action, const struct access_scope *asked)
{
    enum access_level highest = highest_needed(action);

    if (asked->level <= highest)
        return *asked;
    return highest == ACCESS_AT_KEYS ? access_scope_keys() : access_scope_all();
}

bool access_scope_covers(const struct access_scope *wide, const struct access_scope *narrow)
{
    return wide->level < narrow->level ||
           (wide->level == narrow->level && strcmp(wide->text, narrow->text) == 0);
}
