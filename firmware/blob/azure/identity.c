/* Managed identities (azure-api.md, 7.9 and 7.10): one token for the storage service, kept until
 * half of its life is over. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "azure_priv.h"
#include "base/secret.h"
#include "base/text.h"
#include "json/json.h"

#define RESOURCE      "https%3A%2F%2Fstorage.azure.com%2F"
#define ARC_KEY_DIR   "/var/opt/azcmagent/tokens"
#define ARC_KEY_MAX   4096
#define ANSWER_MAX    ((size_t)64 * 1024)
#define LEAST_LEFT_S  300  /* a token with less is not used */
#define LONG_LIFE_S   7200 /* from here on, renewed at half of it */
#define LIFE_UNTOLD_S 3600
#define FRESH_S       60 /* one refused so soon will not be better next time */

static const struct kind {
    const char *endpoint, *version, *resource_id_name;
} kinds[] = {
    [BLOB_IDENTITY_IMDS] = { "http://169.254.169.254/metadata/identity/oauth2/token", "2018-02-01",
                             "msi_res_id" },
    [BLOB_IDENTITY_ARC] = { "http://localhost:40342/metadata/identity/oauth2/token", "2020-06-01",
                            NULL },
    [BLOB_IDENTITY_APP_SERVICE] = { NULL, "2019-08-01", "mi_res_id" },
};

struct azure_identity {
    enum blob_identity_kind kind;
    struct hal_clock *clock;
    struct cf_buf url, secret_header;
    char *key_dir;
    pthread_mutex_t lock;
    struct {
        struct cf_secret *token; /* NULL: none */
        int64_t got_s, renew_s, ends_s;
    } locked;
};

static enum cf_rc put_selector(struct azure_identity *id, const struct blob_identity *i,
                               struct cf_err *e)
{
    const char *const pairs[][2] = { { "client_id", i->client_id },
                                     { "object_id", i->object_id },
                                     { kinds[i->kind].resource_id_name, i->resource_id } };
    enum cf_rc rc = CF_OK;
    unsigned count = 0;
    for (size_t n = 0; n < 3 && rc == CF_OK; n++) {
        if (pairs[n][1] == NULL)
            continue;
        if (++count > 1 || i->kind == BLOB_IDENTITY_ARC)
            return CF_FAIL(e, CF_E_INPUT,
                           "managed identity: at most one of client, object and "
                           "resource id, and none with Azure Arc");
        rc = cf_buf_printf(&id->url, e, "&%s=", pairs[n][0]);
        if (rc == CF_OK)
            rc = blob_azure_put_query(&id->url, pairs[n][1], e);
    }
    return rc;
}

static enum cf_rc set_up(struct azure_identity *id, const struct blob_identity *i, struct cf_err *e)
{
    const char *endpoint = i->endpoint != NULL ? i->endpoint : kinds[i->kind].endpoint;
    const char *text;
    if (endpoint == NULL)
        return CF_FAIL(e, CF_E_INPUT, "managed identity: this kind needs an endpoint");
    if (i->kind == BLOB_IDENTITY_APP_SERVICE && i->secret == NULL)
        return CF_FAIL(e, CF_E_INPUT, "managed identity: this kind needs its secret");
    id->key_dir = strdup(i->key_dir != NULL ? i->key_dir : ARC_KEY_DIR);
    if (id->key_dir == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for an identity");
    enum cf_rc rc = cf_buf_printf(&id->url, e, "%s?api-version=%s&resource=%s", endpoint,
                                  kinds[i->kind].version, RESOURCE);
    if (rc == CF_OK)
        rc = put_selector(id, i, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&id->url, &text, e);
    if (rc == CF_OK && i->secret != NULL) {
        rc = cf_buf_put_text(&id->secret_header, "X-IDENTITY-HEADER: ", e);
        if (rc == CF_OK)
            rc = cf_buf_put_text(&id->secret_header, i->secret, e);
        if (rc == CF_OK)
            rc = cf_buf_text(&id->secret_header, &text, e);
    }
    return rc;
}

enum cf_rc blob_azure_identity_new(const struct blob_identity *i, struct hal_clock *clock,
                                   struct azure_identity **out, struct cf_err *e)
{
    struct azure_identity *id = calloc(1, sizeof *id);
    *out = NULL;
    if (id == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for an identity");
    id->kind = i->kind;
    id->clock = clock;
    pthread_mutex_init(&id->lock, NULL);
    enum cf_rc rc = set_up(id, i, e);
    if (rc != CF_OK) {
        blob_azure_identity_free(id);
        return rc;
    }
    *out = id;
    return CF_OK;
}

void blob_azure_identity_free(struct azure_identity *id)
{
    if (id == NULL)
        return;
    cf_secret_free(id->locked.token);
    cf_buf_clear(&id->url);
    cf_buf_clear(&id->secret_header);
    pthread_mutex_destroy(&id->lock);
    free(id->key_dir);
    free(id);
}

static enum cf_rc ask(struct azure_identity *id, struct net_lane *net, const char *authorization,
                      struct net_result *r, struct cf_err *e)
{
    static const char *const want[] = { "WWW-Authenticate" };
    const char *headers[3] = { "Metadata: true" };
    size_t n = 1;
    if (id->secret_header.len > 0)
        headers[n++] = (const char *)id->secret_header.data;
    if (authorization != NULL)
        headers[n++] = authorization;
    struct net_request req = { .method = NET_GET,
                               .url = (const char *)id->url.data,
                               .headers = headers,
                               .nheaders = n,
                               .max_answer = ANSWER_MAX,
                               .want = want,
                               .nwant = 1,
                               .total_timeout_ms = 15000 };
    return net_fetch(net, &req, r, e);
}

/* The agent names a file that only those may read who may have the token. It must be a key file of
 * the agent's own directory, or anybody on that port could have us send him any file. */
static enum cf_rc read_arc_key(struct azure_identity *id, const char *challenge,
                               struct cf_buf *header, struct cf_err *e)
{
    static const char realm[] = "Basic realm=";
    char path[512];
    const char *name = challenge == NULL ? NULL : strrchr(challenge, '/');
    size_t dir = strlen(id->key_dir), len = name == NULL ? 0 : strlen(name);
    if (name == NULL || strncasecmp(challenge, realm, sizeof realm - 1) != 0 ||
        (size_t)(name - challenge) != sizeof realm - 1 + dir ||
        strncmp(challenge + sizeof realm - 1, id->key_dir, dir) != 0 || len < 6 ||
        strcmp(name + len - 4, ".key") != 0)
        return CF_FAIL(e, CF_E_REMOTE, "the Azure Arc agent names no key of its own directory");
    snprintf(path, sizeof path, "%s%s", id->key_dir, name);

    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    char key[ARC_KEY_MAX];
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > ARC_KEY_MAX) {
        if (fd >= 0)
            close(fd);
        return CF_FAIL(e, CF_E_DENIED,
                       "the Azure Arc agent's key cannot be read; put the "
                       "appliance's user into the group himds");
    }
    ssize_t n = read(fd, key, sizeof key);
    close(fd);
    while (n > 0 && strchr("\r\n", key[n - 1]) != NULL)
        n--;
    enum cf_rc rc = n > 0 ? cf_buf_put_text(header, "Authorization: Basic ", e)
                          : CF_FAIL(e, CF_E_REMOTE, "the Azure Arc agent's key is empty");
    if (rc == CF_OK)
        rc = cf_buf_put(header, key, (size_t)n, e);
    cf_wipe(key, sizeof key);
    return rc;
}

static enum cf_rc ask_arc(struct azure_identity *id, struct net_lane *net, struct net_result *r,
                          struct cf_err *e)
{
    struct cf_buf header = { 0 };
    const char *line;
    enum cf_rc rc = ask(id, net, NULL, r, e);
    if (rc != CF_OK || r->status != 401)
        return rc;
    rc = read_arc_key(id, net_result_header(r, "WWW-Authenticate"), &header, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&header, &line, e);
    if (rc == CF_OK) {
        net_result_clear(r);
        rc = ask(id, net, line, r, e);
    }
    cf_buf_clear(&header);
    return rc;
}

/* A number, or a text of digits: services differ. -1: neither. */
static int64_t number_of(const struct json *answer, const char *name)
{
    const struct json *v = json_member(answer, name);
    const char *text = json_text(v);
    int64_t n = -1;
    uint64_t u;
    if (text != NULL && cf_parse_u64(text, INT32_MAX * (uint64_t)1024, &u, NULL) == CF_OK)
        return (int64_t)u;
    return v != NULL && json_int(v, &n) ? n : -1;
}

static enum cf_rc keep(struct azure_identity *id, const struct json *answer, struct cf_err *e)
{
    const char *token;
    int64_t now = hal_clock_unix_ms(id->clock) / 1000, life = number_of(answer, "expires_in");
    enum cf_rc rc = json_get_text(answer, "access_token", &token, e);
    if (rc != CF_OK)
        return rc;
    if (life < 0 && number_of(answer, "expires_on") >= 0)
        life = number_of(answer, "expires_on") - now;
    if (life < 0)
        life = LIFE_UNTOLD_S;
    if (token[0] == '\0' || strpbrk(token, " \r\n\t") != NULL)
        return CF_FAIL(e, CF_E_REMOTE, "an access token with characters that none has");
    struct cf_secret *copy = NULL;
    rc = cf_secret_copy(token, strlen(token), &copy, e);
    if (rc != CF_OK)
        return rc;
    cf_secret_free(id->locked.token);
    id->locked.token = copy;
    id->locked.got_s = now;
    id->locked.ends_s = now + life;
    id->locked.renew_s = now + (life >= LONG_LIFE_S ? life / 2 : life - LEAST_LEFT_S);
    return CF_OK;
}

static enum cf_rc judge(const struct net_result *r, enum blob_why *why, struct cf_err *e)
{
    /* 404 and 410 say that the endpoint is being updated */
    bool later = r->status == 404 || r->status == 410 || r->status == 429 || r->status >= 500;
    *why = later ? BLOB_TRANSIENT : BLOB_CREDENTIAL;
    enum cf_rc rc =
        cf_err_set(e, later ? CF_E_IO : CF_E_DENIED, CF_SRC_HTTP, (uint64_t)r->status, CF_HERE,
                   "no token for the managed identity (HTTP %d); is it assigned to "
                   "this machine?",
                   r->status);
    return later ? rc : cf_err_code(e, rc, "BadRequest");
}

static enum cf_rc fetch_locked(struct azure_identity *id, enum blob_why *why, struct cf_err *e)
{
    struct net_options o = { .connections = 1, .connect_timeout_ms = 3000 };
    struct net_lane *net = NULL;
    struct net_result r = { 0 };
    struct json *answer = NULL;
    enum cf_rc rc = net_lane_new(&o, &net, e);
    *why = BLOB_REFUSED;
    if (rc != CF_OK)
        goto out;
    rc = id->kind == BLOB_IDENTITY_ARC ? ask_arc(id, net, &r, e) : ask(id, net, NULL, &r, e);
    if (rc != CF_OK) {
        *why = rc == CF_E_IO ? BLOB_TRANSIENT : BLOB_CREDENTIAL;
        goto out;
    }
    if (r.status != 200) {
        rc = judge(&r, why, e);
        goto out;
    }
    rc = json_parse(r.body.data, r.body.len, NULL, &answer, e);
    if (rc == CF_OK)
        rc = keep(id, answer, e);
out:
    json_free(answer);
    net_result_clear(&r);
    net_lane_free(net);
    return cf_err_ctx(e, rc, "managed identity");
}

enum cf_rc blob_azure_bearer(struct azure_identity *id, struct cf_buf *header, enum blob_why *why,
                             struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    struct cf_err own = { 0 };
    pthread_mutex_lock(&id->lock);
    int64_t now = hal_clock_unix_ms(id->clock) / 1000;
    bool usable = id->locked.token != NULL && now + LEAST_LEFT_S < id->locked.ends_s;
    if (!usable || now >= id->locked.renew_s) {
        rc = fetch_locked(id, why, &own);
        if (rc != CF_OK && usable)
            rc = CF_OK; /* the old one still serves */
        else if (rc != CF_OK && e != NULL && e->rc == CF_OK)
            *e = own;
    }
    if (rc == CF_OK) {
        *why = BLOB_OK;
        rc = cf_buf_put_text(header, "Authorization: Bearer ", e);
        if (rc == CF_OK)
            rc = cf_buf_put(header, cf_secret_view(id->locked.token),
                            cf_secret_len(id->locked.token), e);
    }
    pthread_mutex_unlock(&id->lock);
    return rc;
}

bool blob_azure_bearer_refused(struct azure_identity *id)
{
    pthread_mutex_lock(&id->lock);
    int64_t now = hal_clock_unix_ms(id->clock) / 1000;
    bool old = id->locked.token != NULL && now - id->locked.got_s >= FRESH_S;
    if (old) {
        cf_secret_free(id->locked.token);
        id->locked.token = NULL;
    }
    pthread_mutex_unlock(&id->lock);
    return old;
}
