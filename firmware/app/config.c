#include "config.h"

#include <ctype.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "jobs/timetable.h"

#define CONFIG_KEEP_MAX 1000000

enum kind { TEXT, NUMBER };

/* One row a setting: the file, the environment, --set, --check and --help all walk this table. */
static const struct setting {
    const char *section, *key;
    enum kind kind;
    size_t offset, size;
    uint64_t max;
    const char *fallback; /* NULL: must be given */
    const char *meaning;
} settings[] = {
#define T(section, key, field, fallback, meaning)                                                  \
    {                                                                                              \
        section, key, TEXT, offsetof(struct app_config, field),                                    \
            sizeof(((struct app_config *)0)->field), 0, fallback, meaning                          \
    }
#define N(section, key, field, max, fallback, meaning)                                             \
    {                                                                                              \
        section, key, NUMBER, offsetof(struct app_config, field), sizeof(uint64_t), max, fallback, \
            meaning                                                                                \
    }
    T("server", "address", address, "127.0.0.1", "address to listen on"),
    N("server", "port", port, 65535, "8443", "port to listen on; 0 takes a free one"),
    T("server", "domain", domain, "coffer.test", "the HSM answers at NAME.domain"),
    T("server", "certificate", certificate, NULL, "PEM file of the server's certificate chain"),
    T("server", "key", key, NULL, "PEM file of its private key, mode 0600"),
    T("server", "socket", socket, NULL, "path of the local socket for provisioning"),
    T("token", "module", token_module, NULL, "path of the PKCS#11 module"),
    T("token", "uri", token_uri, NULL, "which token: an RFC 7512 URI such as pkcs11:token=coffer"),
    T("token", "pin_file", pin_file, "",
      "file that holds the user PIN; empty: it comes over the local socket"),
    N("token", "deadline_ms", token_deadline_ms, 600000, "30000",
      "longest a call into the module may take"),
    T("partition", "config", config_dir, NULL, "directory of the config partition"),
    T("partition", "keystore", keystore_dir, NULL, "directory of the keystore partition"),
    T("partition", "audit", audit_file, NULL, "file or device of the audit partition"),
    T("identity", "tenant", tenant, "7a2c5c3e-6f0d-4b47-9d53-c0ffe2000001",
      "tenant id of the built-in authority"),
    T("storage", "ca_file", storage_ca, "",
      "PEM file of the authorities that storage servers are checked against; empty: the system's"),
    T("storage", "proxy", proxy, "",
      "proxy on the way to storage, http://HOST:PORT; empty: none, whatever the environment says"),
    T("storage", "path_style_hosts", path_style_hosts, "",
      "hosts, divided by spaces, whose URIs name account and container (https://HOST/ACCOUNT/"
      "CONTAINER), beside addresses and names without a dot; .a.b: all that end so"),
    T("storage", "service_version", service_version, "",
      "x-ms-version for storage that does not know the usual one, such as 2020-10-02"),
    N("storage", "connections", connections, 64, "16",
      "connections to storage at one time, at most"),
    N("storage", "limit_rate", limit_rate, UINT64_C(1) << 40, "0",
      "bytes a second that a job may take of the way to storage, 65536 or more; 0: all of it"),
    N("storage", "attempts", attempts, 1000, "12",
      "attempts at one request to storage before the job fails, until the first has succeeded"),
    N("storage", "patience_s", patience_s, 2592000, "21600",
      "seconds without any success, once there was one, before the job fails"),
    N("storage", "stall_ms", stall_ms, 3600000, "60000",
      "milliseconds under 1 KiB a second before an attempt is given up; whole seconds count"),
    T("storage", "managed_identity", managed_identity, "none",
      "what useManagedIdentity asks for a token: none, imds, arc or app-service"),
    T("storage", "identity_hosts", identity_hosts, "",
      "storage hosts, divided by spaces, that may see its token; .a.b: all that end so; empty: the "
      "public ones of Azure"),
    T("storage", "identity_endpoint", identity_endpoint, "",
      "its URL without query; empty: the usual one of imds and arc"),
    T("storage", "identity_client_id", identity_client, "",
      "client id of a user-assigned identity; empty: the machine's own"),
    T("storage", "identity_resource_id", identity_resource, "",
      "the same by its ARM resource id; one of the two at most"),
    T("storage", "identity_header_file", identity_header_file, "",
      "app-service: file, mode 0600, that holds IDENTITY_HEADER"),
    T("backup", "schedule", schedule, "",
      "when to back up, UTC: daily HH:MM, weekly DAY HH:MM, every Nh or every Nm; empty: never"),
    T("backup", "storage", backup_storage, "", "URI of the container or directory for it"),
    T("backup", "sas_file", sas_file, "",
      "file, mode 0600, that holds its SAS, read anew for each job; empty: managed identity"),
    T("backup", "prune_sas_file", prune_sas_file, "",
      "the same for deleting old backups (sp=rdl); empty: sas_file"),
    N("backup", "jitter_s", jitter_s, 3600, "120",
      "seconds at most that a scheduled backup begins later, so that not all appliances come at once"),
    N("backup", "verify", verify, 1, "0", "1: read each scheduled backup back before pruning"),
    N("backup", "keep_last", keep_last, CONFIG_KEEP_MAX, "0",
      "after each: keep the newest N; all rules 0: nothing is ever deleted"),
    N("backup", "keep_daily", keep_daily, CONFIG_KEEP_MAX, "0",
      "keep the newest of each of the last N days that have one"),
    N("backup", "keep_weekly", keep_weekly, CONFIG_KEEP_MAX, "0", "the same for ISO weeks"),
    N("backup", "keep_monthly", keep_monthly, CONFIG_KEEP_MAX, "0", "the same for months"),
    N("backup", "keep_min_age_s", keep_min_age_s, 3153600000, "86400",
      "seconds for which no backup is deleted, whatever the rules"),
    N("restore", "min_backup_age", min_backup_age_s, 31536000, "board",
      "seconds a full backup must be old before a full restore; 0: none is asked for"),
    T("log", "level", log_level, "info", "error, warn, info or debug"),
#undef T
#undef N
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static const struct setting *find(const char *section, const char *key)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
            return &settings[i];
    return NULL;
}

static enum cf_rc assign(struct app_config *c, const struct setting *s, const char *value,
                         struct cf_err *e)
{
    void *at = (char *)c + s->offset;
    if (s->kind == TEXT) {
        if (strlen(value) >= s->size)
            return CF_FAIL(e, CF_E_INPUT, "%s.%s is longer than %zu bytes", s->section, s->key,
                           s->size - 1);
        memcpy(at, value, strlen(value) + 1);
        return CF_OK;
    }
    if (strcmp(value, "board") == 0 && s->fallback && strcmp(s->fallback, "board") == 0) {
        *(uint64_t *)at = CONFIG_AGE_OF_BOARD;
        return CF_OK;
    }
    enum cf_rc rc = cf_parse_u64(value, s->max, at, e);
    return cf_err_ctx(e, rc, "%s.%s", s->section, s->key);
}

static enum cf_rc from_node(struct app_config *c, const char *section, config_setting_t *node,
                            struct cf_err *e)
{
    const char *key = config_setting_name(node);
    const struct setting *s = find(section, key);
    int line = (int)config_setting_source_line(node);
    if (!s)
        return CF_FAIL(e, CF_E_INPUT, "line %d: there is no setting %s.%s", line, section, key);
    char number[32];
    const char *value = config_setting_get_string(node);
    int type = config_setting_type(node);
    if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        snprintf(number, sizeof number, "%lld", config_setting_get_int64(node));
        value = number;
    }
    if (!value)
        return CF_FAIL(e, CF_E_INPUT, "line %d: %s.%s must be a text or a number", line, section,
                       key);
    return cf_err_ctx(e, assign(c, s, value, e), "line %d", line);
}

static enum cf_rc read_raw(struct app_config *c, config_setting_t *list, struct cf_err *e)
{
    for (int i = 0; i < config_setting_length(list); i++) {
        config_setting_t *item = config_setting_get_elem(list, (unsigned)i);
        const char *name = NULL, *file = NULL;
        int line = (int)config_setting_source_line(item);
        if (!config_setting_lookup_string(item, "name", &name) ||
            !config_setting_lookup_string(item, "file", &file) || config_setting_length(item) != 2)
            return CF_FAIL(e, CF_E_INPUT, "line %d: a raw partition is { name = ..; file = ..; }",
                           line);
        if (c->raw_count == CONFIG_RAW_MAX || strlen(file) >= CONFIG_PATH_MAX)
            return CF_FAIL(e, CF_E_LIMIT, "line %d: too many raw partitions, or a path too long",
                           line);
        size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
        if (len == 0 || name[len] || len > 32)
            return CF_FAIL(e, CF_E_INPUT,
                           "line %d: a partition's name is 1 to 32 of a-z, 0-9 and -", line);
        for (size_t k = 0; k < c->raw_count; k++)
            if (strcmp(c->raw[k].name, name) == 0)
                return CF_FAIL(e, CF_E_INPUT, "line %d: partition %s stands twice", line, name);
        struct app_raw *r = &c->raw[c->raw_count++];
        memcpy(r->name, name, len + 1);
        memcpy(r->file, file, strlen(file) + 1);
    }
    return CF_OK;
}

static enum cf_rc read_roots(struct app_config *c, config_setting_t *list, struct cf_err *e)
{
    for (int i = 0; i < config_setting_length(list); i++) {
        const char *root = config_setting_get_string_elem(list, i);
        if (!root || root[0] != '/' || strlen(root) >= CONFIG_PATH_MAX ||
            c->dir_root_count == CONFIG_ROOTS_MAX)
            return CF_FAIL(e, CF_E_INPUT,
                           "line %d: dir_roots is a list of at most %d absolute paths",
                           (int)config_setting_source_line(list), CONFIG_ROOTS_MAX);
        memcpy(c->dir_root[c->dir_root_count++], root, strlen(root) + 1);
    }
    return CF_OK;
}

static enum cf_rc read_section(struct app_config *c, config_setting_t *section, struct cf_err *e)
{
    const char *name = config_setting_name(section);
    if (strcmp(name, "raw") == 0)
        return read_raw(c, section, e);
    if (!config_setting_is_group(section))
        return CF_FAIL(e, CF_E_INPUT, "line %d: there is no setting %s",
                       (int)config_setting_source_line(section), name);
    enum cf_rc rc = CF_OK;
    for (int i = 0; rc == CF_OK && i < config_setting_length(section); i++) {
        config_setting_t *node = config_setting_get_elem(section, (unsigned)i);
        bool roots =
            strcmp(name, "storage") == 0 && strcmp(config_setting_name(node), "dir_roots") == 0;
        rc = roots ? read_roots(c, node, e) : from_node(c, name, node, e);
    }
    return rc;
}

static enum cf_rc read_file(const char *path, struct app_config *c, struct cf_err *e)
{
    config_t file;
    config_init(&file);
    enum cf_rc rc = CF_OK;
    if (!config_read_file(&file, path)) {
        bool io = config_error_type(&file) == CONFIG_ERR_FILE_IO;
        rc = io ? CF_FAIL(e, CF_E_IO, "it cannot be read")
                : CF_FAIL(e, CF_E_INPUT, "line %d: %s", config_error_line(&file),
                          config_error_text(&file));
    }
    config_setting_t *root = config_root_setting(&file);
    for (int i = 0; rc == CF_OK && i < config_setting_length(root); i++)
        rc = read_section(c, config_setting_get_elem(root, (unsigned)i), e);
    config_destroy(&file);
    return cf_err_ctx(e, rc, "%s", path);
}

static enum cf_rc read_environment(struct app_config *c, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < SETTINGS; i++) {
        char name[80];
        snprintf(name, sizeof name, "COFFER_%s_%s", settings[i].section, settings[i].key);
        for (char *p = name; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        const char *value = getenv(name);
        if (value)
            rc = cf_err_ctx(e, assign(c, &settings[i], value, e), "%s of the environment", name);
    }
    return rc;
}

static enum cf_rc apply_set(struct app_config *c, const char *text, struct cf_err *e)
{
    char name[96];
    const char *equals = strchr(text, '=');
    if (!equals || (size_t)(equals - text) >= sizeof name)
        return CF_FAIL(e, CF_E_INPUT, "--set %s: section.key=value is wanted", text);
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = 0;
    char *dot = strchr(name, '.');
    const struct setting *s = NULL;
    if (dot) {
        *dot = 0;
        s = find(name, dot + 1);
    }
    if (!s)
        return CF_FAIL(e, CF_E_INPUT, "--set %s: there is no such setting", text);
    return cf_err_ctx(e, assign(c, s, equals + 1, e), "--set");
}

static bool one_of(const char *value, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], value) == 0)
            return true;
    return false;
}

static enum cf_rc check_identity(const struct app_config *c, struct cf_err *e)
{
    static const char *const kinds[] = { "none", "imds", "arc", "app-service" };
    bool service = strcmp(c->managed_identity, "app-service") == 0;
    if (!one_of(c->managed_identity, kinds, 4))
        return CF_FAIL(e, CF_E_INPUT,
                       "storage.managed_identity must be none, imds, arc or app-service");
    if (service && (!c->identity_endpoint[0] || !c->identity_header_file[0]))
        return CF_FAIL(e, CF_E_INPUT,
                       "storage.managed_identity app-service needs storage.identity_endpoint and "
                       "storage.identity_header_file");
    if (c->identity_client[0] && c->identity_resource[0])
        return CF_FAIL(e, CF_E_INPUT,
                       "storage.identity_client_id and storage.identity_resource_id name the same "
                       "thing; give one");
    if (strcmp(c->managed_identity, "arc") == 0 &&
        (c->identity_client[0] || c->identity_resource[0]))
        return CF_FAIL(e, CF_E_INPUT, "Azure Arc knows the machine's own identity only");
    return CF_OK;
}

/* A date, 2019-12-12 or later: blocks may be large from then on. */
static bool is_service_version(const char *s)
{
    static const char shape[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof shape; i++)
        if (shape[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
            return false;
    return strcmp(s, "2019-12-12") >= 0;
}

static bool is_proxy(const char *s)
{
    size_t scheme = strncmp(s, "http://", 7) == 0 ? 7 : strncmp(s, "https://", 8) == 0 ? 8 : 0;
    return scheme && s[scheme] && strpbrk(s + scheme, "/@?# ") == NULL;
}

static enum cf_rc check_schedule(const struct app_config *c, struct cf_err *e)
{
    struct jobs_timetable t = { 0 };
    enum cf_rc rc = jobs_timetable_parse(c->schedule, &t, e);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "backup.schedule");
    if (t.period_s == 0)
        return CF_OK;
    bool known = strncmp(c->backup_storage, "https://", 8) == 0 ||
                 strncmp(c->backup_storage, "http://", 7) == 0 ||
                 strncmp(c->backup_storage, "dir:/", 5) == 0;
    if (!known || strchr(c->backup_storage, '?'))
        return CF_FAIL(e, CF_E_INPUT,
                       "backup.storage must be the URI of a container (https://..) or directory "
                       "(dir:/..), without a SAS: that stands in backup.sas_file");
    if ((int64_t)c->jitter_s * 2 > t.period_s)
        return CF_FAIL(e, CF_E_INPUT,
                       "backup.jitter_s must be at most half of the schedule's period");
    return CF_OK;
}

static enum cf_rc check(const struct app_config *c, struct cf_err *e)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    char guid[37];
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *at = (const char *)c + settings[i].offset;
        if (!settings[i].fallback && settings[i].kind == TEXT && !*at)
            return CF_FAIL(e, CF_E_INPUT, "%s.%s is not set", settings[i].section, settings[i].key);
    }
    if (cf_parse_guid(c->tenant, guid, NULL) != CF_OK)
        return CF_FAIL(e, CF_E_INPUT, "identity.tenant must be a GUID");
    if (c->limit_rate && c->limit_rate < CONFIG_RATE_MIN)
        return CF_FAIL(e, CF_E_INPUT, "storage.limit_rate must be 0, or %d or more",
                       CONFIG_RATE_MIN);
    if (c->proxy[0] && !is_proxy(c->proxy))
        return CF_FAIL(e, CF_E_INPUT,
                       "storage.proxy must be http://HOST:PORT, without user and path");
    if (c->service_version[0] && !is_service_version(c->service_version))
        return CF_FAIL(e, CF_E_INPUT,
                       "storage.service_version must be a date such as 2020-10-02, 2019-12-12 or "
                       "later");
    if (!one_of(c->log_level, levels, 4))
        return CF_FAIL(e, CF_E_INPUT, "log.level must be error, warn, info or debug");
    enum cf_rc rc = check_identity(c, e);
    return rc == CF_OK ? check_schedule(c, e) : rc;
}

enum cf_rc app_config_load(const char *path, const char *const *sets, size_t set_count,
                           struct app_config *out, struct cf_err *e)
{
    *out = (struct app_config){ 0 };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < SETTINGS; i++)
        if (settings[i].fallback)
            rc = assign(out, &settings[i], settings[i].fallback, e);
    if (rc == CF_OK)
        rc = read_file(path, out, e);
    if (rc == CF_OK)
        rc = read_environment(out, e);
    for (size_t i = 0; rc == CF_OK && i < set_count; i++)
        rc = apply_set(out, sets[i], e);
    return rc == CF_OK ? check(out, e) : rc;
}

static void print_value(const struct app_config *c, const struct setting *s, FILE *to)
{
    const char *at = (const char *)c + s->offset;
    uint64_t n = 0;
    if (s->kind == NUMBER)
        memcpy(&n, at, sizeof n);
    if (s->kind == TEXT)
        fprintf(to, "%s.%s = \"%s\"\n", s->section, s->key, at);
    else if (n == CONFIG_AGE_OF_BOARD)
        fprintf(to, "%s.%s = board\n", s->section, s->key);
    else
        fprintf(to, "%s.%s = %llu\n", s->section, s->key, (unsigned long long)n);
}

void app_config_print(const struct app_config *c, FILE *to)
{
    for (size_t i = 0; i < SETTINGS; i++)
        print_value(c, &settings[i], to);
    for (size_t i = 0; i < c->dir_root_count; i++)
        fprintf(to, "storage.dir_roots = \"%s\"\n", c->dir_root[i]);
    for (size_t i = 0; i < c->raw_count; i++)
        fprintf(to, "raw = { name = \"%s\"; file = \"%s\"; }\n", c->raw[i].name, c->raw[i].file);
}

void app_config_describe(FILE *to)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        fprintf(to, "  %s.%-*s %s", s->section, (int)(26 - strlen(s->section)), s->key, s->meaning);
        if (s->fallback && *s->fallback)
            fprintf(to, " (default: %s)", s->fallback);
        fprintf(to, "\n");
    }
}
