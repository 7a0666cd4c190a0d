/* The token endpoints of managed identities, at /_identity: a virtual machine's (2018-02-01), Azure
 * Arc's (2020-06-01, with its key file) and an App Service's (2019-08-01). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "call.h"

static void refuse(struct call *c, int status, const char *error)
{
    c->reply.status = status;
    text_add(&c->reply.head, "Content-Type: application/json\r\n");
    text_add(&c->reply.text, "{\"error\":\"%s\",\"error_description\":\"as asked\"}", error);
}

/* Arc proves that the asker may read a file. */
static bool shows_key(const struct call *c, const char *file)
{
    char key[256] = "Basic ";
    const char *auth = http_header(c->req, "Authorization");
    FILE *in = fopen(file, "re");
    if (in == NULL)
        return false;
    size_t n = fread(key + 6, 1, sizeof key - 7, in);
    fclose(in);
    key[6 + n] = '\0';
    key[6 + strcspn(key + 6, "\r\n")] = '\0';
    return auth != NULL && strcmp(auth, key) == 0;
}

void call_identity(struct call *c, const struct shared *sh)
{
    char version[32] = "", resource[128] = "";
    const struct options *o = sh->opt;
    const char *metadata = http_header(c->req, "Metadata");
    const char *secret = http_header(c->req, "X-IDENTITY-HEADER");
    http_query(c->req->query, "api-version", version, sizeof version);
    http_query(c->req->query, "resource", resource, sizeof resource);
    bool arc = strcmp(version, "2020-06-01") == 0, app = strcmp(version, "2019-08-01") == 0;
    if (o->bearer == NULL || strcmp(resource, "https://storage.azure.com/") != 0 ||
        metadata == NULL || (!arc && !app && strcmp(version, "2018-02-01") != 0)) {
        refuse(c, 400, "invalid_request");
    } else if (app && (secret == NULL || strcmp(secret, "identity-secret") != 0)) {
        refuse(c, 401, "unauthorized");
    } else if (arc && (o->arc_key == NULL || !shows_key(c, o->arc_key))) {
        refuse(c, 401, "unauthorized");
        text_add(&c->reply.head, "WWW-Authenticate: Basic realm=%s\r\n",
                 o->arc_key != NULL ? o->arc_key : "");
    } else {
        c->reply.status = 200;
        text_add(&c->reply.head, "Content-Type: application/json\r\n");
        text_add(&c->reply.text,
                 "{\"access_token\":\"%s\",\"client_id\":\"00000000-0000-0000-0000-000000000000\","
                 "\"expires_in\":\"%" PRIu64 "\",\"resource\":\"%s\",\"token_type\":\"Bearer\"}",
                 o->bearer, o->token_life_s, resource);
    }
}
