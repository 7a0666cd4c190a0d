/* The faults that are more than bytes on the wire: what they do, and what they answer. */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void call_fault_answer(struct call *c)
{
    int status = (int)c->fault.value;
    const char *code = c->fault.code;
    if (code[0] == '\0')
        code = status == 503   ? "ServerBusy"
               : status == 500 ? "InternalError"
               : status == 403 ? "AuthenticationFailed"
                               : "ScriptedFault";
    if (c->fault.action == FAULT_REDIRECT)
        code = "";
    call_refuse_status(c, status, code, "As the scenario asks.");
    if (c->fault.action == FAULT_REDIRECT)
        text_add(&c->reply.head, "Location: /elsewhere\r\n");
}

/* A blob of another writer in the folder of this one. */
static void plant(const struct call *c, const struct shared *sh)
{
    static const char foreign[] = "another writer was here";
    char name[STORE_NAME_MAX + 65];
    const char *slash = strchr(c->blob, '/');
    int folder = slash == NULL ? 0 : (int)(slash - c->blob) + 1;
    uint8_t *data = malloc(sizeof foreign);
    if (data == NULL)
        abort();
    memcpy(data, foreign, sizeof foreign);
    snprintf(name, sizeof name, "%.*s%s", folder, c->blob, c->fault.as);
    struct store_target t = { c->account, c->container, name };
    (void)store_put_blob(sh->store, &t, (struct store_condition){ .create_only = true }, data,
                         sizeof foreign);
}

enum bs_error call_fault_before(struct call *c, const struct shared *sh)
{
    switch ((int)c->fault.action) {
    case FAULT_FLIP:
        if (c->body != NULL && c->fault.value < c->body_len)
            c->body[c->fault.value] ^= 0xff;
        return BS_OK;
    case FAULT_EXPIRED:
        return BS_AUTH_TIME;
    case FAULT_DELETE_CONTAINER:
        (void)store_container_delete(sh->store, &c->target);
        return BS_OK;
    case FAULT_PLANT:
        plant(c, sh);
        return BS_OK;
    case FAULT_STEAL:
        store_steal(sh->store, &c->target);
        return BS_OK;
    case FAULT_FORGET:
        store_forget(sh->store, &c->target);
        return BS_OK;
    default:
        return BS_OK;
    }
}
