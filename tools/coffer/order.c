/* The body of a request that starts a job. */
#include "job.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"

/* As the appliance has them (firmware/api/EXTENSIONS.md); it judges again. */
#define RATE_MIN        UINT64_C(65536)
#define CONNECTIONS_MAX 64

/* The container's URI from either way of naming it. */
static enum cf_rc storage_uri(const struct cli_args *a, char *out, size_t size, struct cf_err *e)
{
    const char *uri = a->text[OPT_STORAGE_URI];
    const char *account = a->text[OPT_STORAGE_ACCOUNT];
    const char *container = a->text[OPT_BLOB_CONTAINER];
    if (uri ? account || container : !account || !container)
        return CF_FAIL(e, CF_E_INPUT,
                       "name the container: --storage-resource-uri, or "
                       "--storage-account-name and --blob-container-name");
    int n = uri ? snprintf(out, size, "%s", uri)
                : snprintf(out, size, "https://%s.blob.core.windows.net/%s", account, container);
    return n > 0 && (size_t)n < size ? CF_OK
                                     : CF_FAIL(e, CF_E_INPUT, "the container's URI is too long");
}

static enum cf_rc put_sas(const struct cli_args *a, struct body *b, struct cf_err *e)
{
    const char *sas = a->text[OPT_SAS];
    struct cf_buf file = { 0 };
    const char *text = sas;
    enum cf_rc rc = CF_OK;
    if (a->text[OPT_MANAGED_IDENTITY]) {
        bool yes = false;
        rc = body_read_bool("--use-managed-identity", a->text[OPT_MANAGED_IDENTITY], &yes, e);
        json_put_bool(&b->w, "useManagedIdentity", yes);
        if (rc != CF_OK || !sas)
            return rc;
    }
    if (!sas)
        return CF_OK;
    if (sas[0] == '@') {
        rc = cf_file_read(sas + 1, 8192, &file, e);
        while (rc == CF_OK && file.len &&
               (file.data[file.len - 1] == '\n' || file.data[file.len - 1] == '\r'))
            rc = cf_buf_resize(&file, file.len - 1, e);
        if (rc == CF_OK)
            rc = cf_buf_text(&file, &text, e);
    }
    if (rc == CF_OK)
        json_put_text(&b->w, "token", text);
    cf_buf_clear(&file);
    return rc;
}

/* `backup start` prints container and folder as one: taken here as well, for the container named
 * beside it. */
static const char *folder_of(const char *given, const char *uri)
{
    size_t len = strlen(uri);
    while (len && uri[len - 1] == '/')
        len--;
    return strncmp(given, uri, len) == 0 && given[len] == '/' ? given + len + 1 : given;
}

/* "10M": bytes a second; K, M and G are binary, as with curl and wget. */
static enum cf_rc read_rate(const char *text, uint64_t *out, struct cf_err *e)
{
    static const char units[] = "KMG";
    char number[24];
    size_t len = strlen(text);
    const char *unit = len > 1 ? strchr(units, text[len - 1]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    snprintf(number, sizeof number, "%.*s", (int)(unit ? len - 1 : len), text);
    enum cf_rc rc = cf_parse_u64(number, (uint64_t)JSON_INT_MAX >> shift, out, NULL);
    *out <<= shift;
    if (rc != CF_OK || len >= sizeof number)
        return CF_FAIL(e, CF_E_INPUT,
                       "--limit-rate %s: bytes a second are wanted, as in 500K, 10M or 1G", text);
    return *out >= RATE_MIN
               ? CF_OK
               : CF_FAIL(e, CF_E_INPUT, "--limit-rate %s: no less than 64K a second is possible",
                         text);
}

static enum cf_rc put_connections(const char *text, struct body *b, struct cf_err *e)
{
    uint64_t n = 0;
    if (cf_parse_u64(text, CONNECTIONS_MAX, &n, NULL) != CF_OK || n == 0)
        return CF_FAIL(e, CF_E_INPUT, "--connections %s: 1 to %d are wanted", text,
                       CONNECTIONS_MAX);
    json_put_int(&b->w, "connections", (int64_t)n);
    return CF_OK;
}

static enum cf_rc put_choices(const struct cli_args *a, struct body *b, struct cf_err *e)
{
    const char *rate = a->text[OPT_LIMIT_RATE], *connections = a->text[OPT_CONNECTIONS];
    uint64_t bytes = 0;
    enum cf_rc rc = CF_OK;
    bool complete = a->text[OPT_REQUIRE_COMPLETE] != NULL;
    bool incomplete = a->text[OPT_ALLOW_INCOMPLETE] != NULL;
    const char *plan = a->text[OPT_AS_PLANNED];
    if (!rate && !connections && !complete && !incomplete && !plan)
        return CF_OK;
    json_put_object(&b->w, "coffer");
    if (rate)
        rc = read_rate(rate, &bytes, e);
    if (rc == CF_OK && rate)
        json_put_int(&b->w, "limitRate", (int64_t)bytes);
    if (rc == CF_OK && connections)
        rc = put_connections(connections, b, e);
    if (complete)
        json_put_bool(&b->w, "requireComplete", true);
    if (incomplete)
        json_put_bool(&b->w, "allowIncomplete", true);
    if (plan)
        json_put_text(&b->w, "plan", plan);
    json_close(&b->w);
    return rc;
}

/* "10%" or "10". */
static enum cf_rc put_sample(const char *given, struct body *b, struct cf_err *e)
{
    char digits[8];
    uint64_t percent = 0;
    size_t len = strlen(given);
    if (len && given[len - 1] == '%')
        len--;
    snprintf(digits, sizeof digits, "%.*s", (int)(len < sizeof digits ? len : sizeof digits),
             given);
    if (len >= sizeof digits || cf_parse_u64(digits, 100, &percent, NULL) != CF_OK || percent == 0)
        return CF_FAIL(e, CF_E_INPUT, "--sample %s: a share from 1%% to 100%% is wanted", given);
    json_put_int(&b->w, "sample", (int64_t)percent);
    return CF_OK;
}

enum cf_rc job_order_begin(const struct cli_args *a, const char *folder_member, struct body *b,
                           struct cf_err *e)
{
    char uri[1024];
    enum cf_rc rc = storage_uri(a, uri, sizeof uri, e);
    body_begin(b, e);
    if (rc != CF_OK)
        return rc;
    if (folder_member)
        json_put_object(&b->w, "sasTokenParameters");
    json_put_text(&b->w, "storageResourceUri", uri);
    rc = put_sas(a, b, e);
    if (folder_member) {
        json_close(&b->w);
        json_put_text(&b->w, folder_member, folder_of(a->text[OPT_BACKUP_FOLDER], uri));
    }
    if (rc == CF_OK && a->text[OPT_SAMPLE])
        rc = put_sample(a->text[OPT_SAMPLE], b, e);
    if (rc == CF_OK)
        rc = put_choices(a, b, e);
    return rc;
}

enum cf_rc job_order_body(const struct cli_args *a, const char *folder_member, struct body *b,
                          struct cf_err *e)
{
    enum cf_rc rc = job_order_begin(a, folder_member, b, e);
    return rc == CF_OK ? body_end(b) : rc;
}
