/* A head, cut as the HTTP library cuts it: what passes has a host and no byte that a log or an
 * answer could not hold. */
#include <stdlib.h>
#include <string.h>

#include "head_priv.h"

struct cut {
    char raw[4096];
    char target[4096];
    struct api_head head;
};

static bool cut_line(struct cut *c, char *line)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return true;
    if (c->head.count == API_FIELDS_MAX)
        return false;
    *colon++ = 0;
    colon += strspn(colon, " \t");
    c->head.field[c->head.count++] = (struct api_field){
        .name = line, .name_len = strlen(line), .value = colon, .value_len = strlen(colon)
    };
    return true;
}

/* False: nothing that the library would hand over. */
static bool cut(struct cut *c, const uint8_t *data, size_t size)
{
    memset(c, 0, sizeof *c);
    if (size >= sizeof c->raw)
        return false;
    memcpy(c->raw, data, size);
    c->head.raw_len = size;
    for (size_t i = 0; i < size; i++)
        if (c->raw[i] == '\r' || c->raw[i] == '\n')
            c->raw[i] = 0;
    char *target = strchr(c->raw, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version)
        return false;
    *target++ = *version++ = 0;
    memcpy(c->target, target, strlen(target));
    c->head.method = c->raw;
    c->head.target = c->target;
    c->head.version = version;
    for (char *p = version + strlen(version); p < c->raw + size; p++)
        if (*p) {
            size_t n = strlen(p);
            if (!cut_line(c, p))
                return false;
            p += n;
        }
    return true;
}

static void expect_clean(const char *text)
{
    for (const char *p = text; p && *p; p++)
        if ((*p < 0x20 && *p != '\t') || *p > 0x7e)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cut c;
    struct api_head_facts f = { 0 };
    if (!cut(&c, data, size) || api_head_check(&c.head, &f, NULL) != CF_OK)
        return 0;
    if (!f.host || !*f.host)
        abort();
    expect_clean(f.host);
    expect_clean(f.authorization);
    expect_clean(f.content_type);
    expect_clean(f.client_request_id);
    expect_clean(f.user_agent);
    return 0;
}
