/*
 * Where a job's blobs shall go, as the client named it: a storage URI and a token. What can be
 * judged before the first request is judged here, by pure functions; then the store is opened.
 * URIs: https://HOST/CONTAINER[/PREFIX], https://HOST/ACCOUNT/CONTAINER[/PREFIX] (path style),
 * http the same where allowed, dir:/ABSOLUTE/PATH. A token is a shared access signature
 * (SAS); the appliance's managed identity may stand in for it.
 * Threads: any.
 */
#ifndef BLOB_PLACE_H
#define BLOB_PLACE_H

#include "base/secret.h"
#include "blob/blob.h"
#include "hal/clock.h"

#define BLOB_URI_MAX      2048
#define BLOB_TOKEN_MAX    4096
#define BLOB_WARNINGS_MAX 6

/* The managed identity of this appliance, for places named without a SAS (API document, 7.9).
 * IMDS: a virtual machine in the cloud. ARC: a machine anywhere that runs the Azure Arc agent.
 * APP_SERVICE: a host that hands out IDENTITY_ENDPOINT and IDENTITY_HEADER. */
enum blob_identity_kind {
    BLOB_IDENTITY_NONE,
    BLOB_IDENTITY_IMDS,
    BLOB_IDENTITY_ARC,
    BLOB_IDENTITY_APP_SERVICE
};

struct blob_identity {
    enum blob_identity_kind kind;
    const char *endpoint; /* URL without query; NULL: the usual one of IMDS and ARC */
    const char *secret;   /* APP_SERVICE: what IDENTITY_HEADER holds */
    const char *client_id, *object_id, *resource_id; /* at most one; none with ARC */
    const char *key_dir; /* ARC, where the agent puts its keys; NULL: /var/opt/azcmagent/tokens */
};

/* What the appliance's configuration says about storage. Strings are borrowed until open returns.
 */
struct blob_options {
    const char *const *dir_roots; /* absolute, trusted; dir: places lie beneath one of them */
    size_t ndir_roots;
    bool allow_http; /* bench only */
    /* Lists of host names, divided by spaces or commas; ".a.b" stands for all that end so. */
    const char *path_style_hosts; /* beside IP addresses, localhost and one-label names */
    const char *identity_hosts;   /* may see the managed identity's token, over https or, where
                                     http is allowed at all, over both; NULL: the public ones of
                                     the blob service */
    const char *ca_file;          /* PEM; NULL: the system's */
    const char *proxy;            /* NULL: none */
    const char *service_version;  /* x-ms-version; NULL: the built-in one */
    unsigned connections;         /* of one lane; 0: 16 */
    uint32_t connect_timeout_ms;  /* name, TCP and TLS; 0: 10,000 */
    uint32_t stall_timeout_ms;    /* 0: 60,000 */
    int64_t not_before_s;         /* Unix time: a clock that is behind it was not set yet */
    struct blob_identity identity;
};

/* What a client's request says. */
struct blob_place {
    const char *uri;
    const char *token; /* may begin with '?'; NULL or "": none */
    bool use_identity; /* the appliance's managed identity instead of a token */
};

/* BLOB_TO_ERASE reads, lists and deletes, and writes nothing. */
enum blob_need { BLOB_TO_READ, BLOB_TO_WRITE, BLOB_TO_ERASE };

/* What a token allows, and what will not be possible with it. */
struct blob_report {
    bool can_read, can_list, can_create, can_write, can_delete;
    int64_t ends_unix_s; /* 0: not told */
    size_t nwarnings;
    char warnings[BLOB_WARNINGS_MAX][160];
};

/* Judges a place for a job. CF_E_INPUT with code BadRequest: the text tells the client what is
 * wrong. `report` may be NULL. */
CF_CHECK enum cf_rc blob_place_check(const struct blob_place *p, enum blob_need need,
                                     const struct blob_options *o, int64_t now_unix_s,
                                     struct blob_report *report, struct cf_err *e);

/* As above, then opens it. Asks nothing of the far side. `clock` is borrowed until the store is
 * freed, `p` and `o` until this returns. Only a store opened BLOB_TO_WRITE
 * gives writers, only one opened BLOB_TO_ERASE erasers. */
CF_CHECK enum cf_rc blob_store_open(const struct blob_place *p, enum blob_need need,
                                    const struct blob_options *o, struct hal_clock *clock,
                                    struct blob_store **out, struct cf_err *e);

/* After its lanes. Wipes the token. NULL is a no-op. */
void blob_store_free(struct blob_store *s);

/* The place for people and receipts: scheme, host, container and prefix, never the token. */
const char *blob_store_shown(const struct blob_store *s);

/* The folder of a backup as clients send it (perhaps "a/b/", "/a") as a name relative to the store
 * that its URI opens ("a/b", "a"). CF_E_INPUT with code BadRequest: not a folder name. */
CF_CHECK enum cf_rc blob_folder_name(const char *folder, char out[BLOB_NAME_MAX + 1],
                                     struct cf_err *e);

#endif
