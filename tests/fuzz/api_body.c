/* Bodies of requests, each to a route of its first byte's choice, against a whole server in memory:
 * every answer has a status, and a body that is JSON. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define FRESH_EACH 200 /* inputs to one world: keys pile up */

static const char *const requests[] = {
    "POST /keys/k/create",
    "PUT /keys/imported",
    "PATCH /keys/k",
    "PUT /keys/k/rotationpolicy",
    "POST /keys/k/sign",
    "POST /keys/k/verify",
    "POST /keys/k/encrypt",
    "POST /keys/k/decrypt",
    "POST /keys/k/wrapkey",
    "POST /keys/k/unwrapkey",
    "POST /keys/k/release",
    "POST /keys/restore",
    "PUT /keys/k/restore",
    "POST /rng",
    "POST /backup",
    "PUT /restore",
    "POST /prebackup",
    "PUT /prerestore",
    "POST /coffer/backups",
    "POST /coffer/verify",
    "POST /coffer/prune",
    "POST /coffer/restore/plan",
    "POST /coffer/restore/plan/keys/k",
    "POST /coffer/restore/undo",
    "PUT /keys/providers/Microsoft.Authorization/roleDefinitions/"
    "00000000-0000-4000-8000-0000000000f1",
    "PUT /keys/providers/Microsoft.Authorization/roleAssignments/"
    "00000000-0000-4000-8000-0000000000f2",
    "PATCH /settings/AllowKeyManagementOperationsThroughARM",
    "POST /securitydomain/download",
    "POST /securitydomain/upload",
};

static struct world *w;
static unsigned inputs;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return freopen("/dev/null", "w", stdout) ? 0 : 1; /* the world tells of each refusal */
}

static void begin(void)
{
    if (w)
        world_down((void **)&w);
    world_up((void **)&w);
    if (ask(w, "POST /keys/k/create", "{\"kty\":\"EC\"}") != 200)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (inputs++ % FRESH_EACH == 0)
        begin();
    char *body = malloc(size);
    if (!body)
        return 0;
    memcpy(body, data + 1, size - 1);
    body[size - 1] = 0;
    int status = ask(w, requests[data[0] % (sizeof requests / sizeof requests[0])], body);
    if (status < 200 || status > 599 || status == 500)
        abort();
    free(body);
    return 0;
}
