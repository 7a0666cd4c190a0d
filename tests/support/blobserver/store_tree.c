/* Directories, as an account with hierarchical namespace has them. */
#include "store_priv.h"

#include <stdlib.h>
#include <string.h>

void store_add_parents(struct store *s, struct container *c, const char *name)
{
    char path[STORE_NAME_MAX + 1];
    if (!s->tree)
        return;
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - name);
        memcpy(path, name, len);
        path[len] = '\0';
        struct blob *b = store_add_blob(c, path);
        if (b->content != NULL)
            continue;
        b->content = store_content_new(s, 0);
        b->content->directory = true;
    }
}

bool store_is_parent(const struct container *c, size_t at)
{
    const char *name = c->blobs[at]->name;
    size_t len = strlen(name);
    for (size_t i = at + 1; i < c->count && strncmp(c->blobs[i]->name, name, len) == 0; i++)
        if (c->blobs[i]->name[len] == '/' && c->blobs[i]->content != NULL)
            return true;
    return false;
}
