/* What the service's refusals mean (azure-api.md, 7.6), as a table. */
#include <stdio.h>
#include <string.h>

#include "azure_priv.h"

#define REDIRECT                                                                                   \
    "it answers with a redirect, which is not followed: name the storage service itself in "       \
    "storageResourceUri"
#define NO_SUCH_SIZE                                                                               \
    "the storage service takes no body of this size; what stands in between must let 8 MiB pass"
#define EXISTS "a blob of that name exists"
#define NO_SERVICE                                                                                 \
    "whatever answers there does not know this operation; is storageResourceUri one of the blob "  \
    "service?"
#define ASK_SAS "ask for a new SAS (backup sp=crdw, restore sp=rl)"

#define SKEW_S                                                                                     \
    300 /* clocks that differ by less refuse nothing that a minute's margin would not              \
         */

static const struct row {
    const char *code;
    enum blob_why why;
    const char *text;
} rows[] = {
    { "ServerBusy", BLOB_TRANSIENT, "the storage service is busy" },
    { "InternalError", BLOB_TRANSIENT, "the storage service failed" },
    { "OperationTimedOut", BLOB_TRANSIENT, "the storage service ran out of time" },
    { "Md5Mismatch", BLOB_TRANSIENT, "the bytes were damaged on the way" },
    { "Crc64Mismatch", BLOB_TRANSIENT, "the bytes were damaged on the way" },
    { "AuthenticationFailed", BLOB_CREDENTIAL,
      "the storage service does not accept the SAS; is it whole, and of this container?" },
    { "AuthorizationFailure", BLOB_CREDENTIAL,
      "the storage service refuses the SAS or this network; check SAS and firewall" },
    { "InvalidAuthenticationInfo", BLOB_CREDENTIAL,
      "the storage service does not accept the credential; " ASK_SAS },
    { "NoAuthenticationInformation", BLOB_CREDENTIAL,
      "the storage service sees no credential; " ASK_SAS },
    { "KeyBasedAuthenticationNotPermitted", BLOB_CREDENTIAL,
      "the storage account accepts no SAS; allow it there or use a managed identity" },
    { "AccountIsDisabled", BLOB_CREDENTIAL, "the storage account is disabled" },
    { "AccountRequiresHttps", BLOB_CREDENTIAL, "the storage account wants https" },
    { "AuthorizationPermissionMismatch", BLOB_PERMISSION,
      "the SAS does not allow this operation; " ASK_SAS },
    { "AuthorizationResourceTypeMismatch", BLOB_PERMISSION,
      "the SAS does not reach this; it needs srt=co" },
    { "AuthorizationServiceMismatch", BLOB_PERMISSION,
      "the SAS is not for the blob service; it needs ss=b" },
    { "AuthorizationProtocolMismatch", BLOB_PERMISSION,
      "the SAS allows https only; use an https URI" },
    { "AuthorizationSourceIPMismatch", BLOB_PERMISSION,
      "the SAS is limited to other addresses (sip)" },
    { "InsufficientAccountPermissions", BLOB_PERMISSION,
      "the storage account does not allow this now, reading or writing may be switched off; have it "
      "switched on" },
    { "PublicAccessNotPermitted", BLOB_PERMISSION, "the storage service saw no credential" },
    { "ContainerNotFound", BLOB_NO_PLACE, "the container does not exist; create it first" },
    { "ContainerBeingDeleted", BLOB_NO_PLACE, "the container is being deleted" },
    { "ContainerDisabled", BLOB_NO_PLACE, "the container is disabled" },
    { "ResourceNotFound", BLOB_NO_PLACE,
      "the container does not exist, or the SAS does not reach it" },
    { "AccountBeingCreated", BLOB_NO_PLACE, "the storage account is not ready yet" },
    { "BlobNotFound", BLOB_ABSENT, "no such blob" },
    { "BlobAlreadyExists", BLOB_EXISTS, EXISTS },
    { "UnauthorizedBlobOverwrite", BLOB_EXISTS, EXISTS }, /* judged before If-None-Match */
    { "ResourceAlreadyExists", BLOB_EXISTS, EXISTS },
    { "PathAlreadyExists", BLOB_EXISTS, EXISTS },
    { "InvalidBlobType", BLOB_REFUSED, "an append or page blob has that name" },
    { "ResourceTypeMismatch", BLOB_REFUSED, "a directory has that name" },
    { "BlobOverwritten", BLOB_CHANGED, "somebody else wrote the blob meanwhile" },
    { "BlobImmutableDueToPolicy", BLOB_IMMUTABLE,
      "an immutability policy of the container forbids it; use a container whose policy allows "
      "new blobs" },
    { "BlobImmutableDueToLegalHold", BLOB_IMMUTABLE,
      "a legal hold on the container forbids it; lift it or use another container" },
    { "SnapshotsPresent", BLOB_REFUSED,
      "somebody took snapshots of the blob; whoever did must delete them first" },
    { "BlobArchived", BLOB_UNREADABLE, "the blob is in the archive tier; rehydrate it first" },
    { "BlobBeingRehydrated", BLOB_UNREADABLE,
      "the blob is still being rehydrated, which takes hours; come back then" },
    { "BlobUsesCustomerSpecifiedEncryption", BLOB_UNREADABLE,
      "somebody encrypted the blob with a key of theirs" },
    { "InvalidBlockList", BLOB_BLOCK_LOST,
      "a block of the list is not there any more, it has expired or somebody dropped it; start the "
      "backup again" },
    { "InvalidBlobOrBlock", BLOB_REFUSED,
      "the blob already has blocks with ids of another length, from another program" },
    { "BlockCountExceedsLimit", BLOB_FULL,
      "too many uncommitted blocks lie there; start the backup again, in a new folder" },
    { "BlockListTooLong", BLOB_FULL, "too many blocks in one blob" },
    { "RequestBodyTooLarge", BLOB_FULL, NO_SUCH_SIZE },
    { "RequestEntityTooLarge", BLOB_FULL, NO_SUCH_SIZE },
    { "ConditionNotMet", BLOB_CHANGED, "the blob is not the version that was asked for" },
    { "InvalidRange", BLOB_RANGE, "the range lies outside the blob" },
    { "LeaseIdMissing", BLOB_REFUSED, "somebody holds a lease on the blob; break it" },
    { "LeaseAlreadyPresent", BLOB_REFUSED, "somebody holds a lease on the blob; break it" },
    { "InvalidHeaderValue", BLOB_REFUSED,
      "the storage service refuses a header; it may not know this x-ms-version" },
    { "FeatureNotSupported", BLOB_REFUSED,
      "the storage service does not know this operation, or a header of it" },
    { "UnsupportedHeader", BLOB_REFUSED, "the storage service does not know a header" },
    { "InvalidUri", BLOB_REFUSED, "the storage service refuses the URI; check storageResourceUri" },
    { "InvalidResourceName", BLOB_REFUSED, "the storage service refuses the container's name" },
    { "OutOfRangeInput", BLOB_REFUSED, "the storage service refuses the container's name" },
};

static const struct row *by_status(int status)
{
    static const struct {
        int status;
        struct row row;
    } table[] = {
        { 300, { "", BLOB_REFUSED, REDIRECT } },
        { 301, { "", BLOB_REFUSED, REDIRECT } },
        { 302, { "", BLOB_REFUSED, REDIRECT } },
        { 303, { "", BLOB_REFUSED, REDIRECT } },
        { 307, { "", BLOB_REFUSED, REDIRECT } },
        { 308, { "", BLOB_REFUSED, REDIRECT } },
        { 401, { "", BLOB_CREDENTIAL, "the storage service does not accept the credential" } },
        { 403, { "", BLOB_PERMISSION, "the storage service does not allow this operation" } },
        { 404, { "", BLOB_ABSENT, "no such blob" } },
        { 405, { "", BLOB_REFUSED, NO_SERVICE } },
        { 407,
          { "", BLOB_REFUSED,
            "a proxy on the way asks for a credential, and takes none from here; let this host pass" } },
        { 408, { "", BLOB_TRANSIENT, "the storage service ran out of time" } },
        { 412, { "", BLOB_CHANGED, "the blob is not the version that was asked for" } },
        { 413, { "", BLOB_FULL, NO_SUCH_SIZE } },
        { 416, { "", BLOB_RANGE, "the range lies outside the blob" } },
        { 429, { "", BLOB_TRANSIENT, "the storage service asks to slow down" } },
        { 500, { "", BLOB_TRANSIENT, "the storage service failed" } },
        { 501, { "", BLOB_REFUSED, NO_SERVICE } },
        { 502, { "", BLOB_TRANSIENT, "a gateway before the storage service failed" } },
        { 503, { "", BLOB_TRANSIENT, "the storage service is busy" } },
        { 511, { "", BLOB_REFUSED, "the network here wants a log-in first" } },
        { 507, { "", BLOB_FULL, "the storage has no room left; make some, or name another" } },
        { 504, { "", BLOB_TRANSIENT, "a gateway before the storage service gave up" } },
    };
    static const struct row other = { "", BLOB_REFUSED, "the storage service refuses" };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].status == status)
            return &table[i].row;
    return &other;
}

static bool is_redirect(int status)
{
    return status >= 300 && status <= 399;
}

static const struct row *find(const struct azure_answer *a)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].code, a->code) == 0)
            return &rows[i];
    return by_status(a->status);
}

static enum cf_rc class_of(enum blob_why why)
{
    static const enum cf_rc classes[] = {
        [BLOB_OK] = CF_OK,
        [BLOB_TRANSIENT] = CF_E_IO,
        [BLOB_ABSENT] = CF_E_ABSENT,
        [BLOB_EXISTS] = CF_E_STATE,
        [BLOB_BLOCK_LOST] = CF_E_STATE,
        [BLOB_CHANGED] = CF_E_STATE,
        [BLOB_RANGE] = CF_E_REMOTE,
        [BLOB_UNREADABLE] = CF_E_REMOTE,
        [BLOB_IMMUTABLE] = CF_E_DENIED,
        [BLOB_NO_PLACE] = CF_E_DENIED,
        [BLOB_EXPIRED] = CF_E_DENIED,
        [BLOB_CREDENTIAL] = CF_E_DENIED,
        [BLOB_PERMISSION] = CF_E_DENIED,
        [BLOB_FULL] = CF_E_LIMIT,
        [BLOB_CALLER] = CF_E_ARG,
        [BLOB_REFUSED] = CF_E_REMOTE,
    };
    return classes[why];
}

/* The ones the client can mend: its job fails with code BadRequest (azure-api.md, 5.5). */
static bool clients_to_mend(enum blob_why why)
{
    return why == BLOB_IMMUTABLE || why == BLOB_NO_PLACE || why == BLOB_EXPIRED ||
           why == BLOB_CREDENTIAL || why == BLOB_PERMISSION || why == BLOB_UNREADABLE;
}

/* A refusal of the credential by a service whose clock is another one. */
static void tell_clocks(const struct azure_answer *a, enum blob_why why, char out[96])
{
    bool ahead = a->ahead_s > 0;
    int64_t s = ahead ? a->ahead_s : -a->ahead_s;
    out[0] = '\0';
    if ((why == BLOB_EXPIRED || why == BLOB_CREDENTIAL || why == BLOB_PERMISSION) && s >= SKEW_S)
        snprintf(out, 96, "; the clock there is %lld min %s this one: set the clock",
                 (long long)(s / 60), ahead ? "ahead of" : "behind");
}

void blob_azure_judge(const struct azure_answer *a, struct blob_result *r)
{
    static const char *const doing[] = { "writing", "committing",        "writing", "looking at",
                                         "reading", "listing blocks of", "listing", "deleting" };
    const struct row *row = find(a);
    const char *text = row->text;
    bool creates = a->verb == BLOB_DO_PUT || a->verb == BLOB_DO_COMMIT;
    r->why = row->why;
    if ((r->why == BLOB_CREDENTIAL || r->why == BLOB_PERMISSION) && a->out_of_time) {
        r->why = BLOB_EXPIRED;
        text = "the SAS has ended or is not valid yet; " ASK_SAS;
    }
    if (a->web_page && a->status < 500 && r->why != BLOB_TRANSIENT && !is_redirect(a->status)) {
        r->why = BLOB_REFUSED;
        text = "a web page instead of the storage service's answer; a proxy or firewall in between "
               "refuses, let it pass";
    }
    if (a->identity && (r->why == BLOB_CREDENTIAL || r->why == BLOB_PERMISSION))
        text = strcmp(a->code, "AuthorizationFailure") == 0
                   ? "the storage service refuses this network or the managed identity; check the "
                     "account's firewall first"
                   : "the managed identity may not; give it the role Storage Blob Data Contributor "
                     "on the account (it counts after up to ten minutes), and see that the "
                     "container exists";
    if (a->verb == BLOB_DO_ERASE &&
        (strcmp(a->code, "SnapshotsPresent") == 0 || strcmp(a->code, "LeaseIdMissing") == 0))
        r->why = BLOB_IMMUTABLE;
    if (r->why == BLOB_ABSENT &&
        (creates || a->verb == BLOB_DO_PUT_BLOCK || a->verb == BLOB_DO_LIST)) {
        r->why = BLOB_NO_PLACE;
        text = "there is no such container; check storageResourceUri";
    }
    /* create-only writes carry If-None-Match: *, and services differ in what they answer */
    if (creates && (r->why == BLOB_CHANGED ||
                    (a->status == 409 && r->why == BLOB_REFUSED && a->code[0] == '\0'))) {
        r->why = BLOB_EXISTS;
        text = EXISTS;
    }
    char clocks[96];
    tell_clocks(a, r->why, clocks);
    enum cf_rc rc = class_of(r->why);
    rc = cf_err_set(&r->err, rc, CF_SRC_HTTP, (uint64_t)a->status, CF_HERE,
                    "%s %.80s: %s%s (%s%sHTTP %d)", doing[a->verb], a->name, text, clocks, a->code,
                    a->code[0] != '\0' ? ", " : "", a->status);
    if (clients_to_mend(r->why))
        cf_err_code(&r->err, rc, "BadRequest");
}
