#include "damages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct blob *any(struct world *w, struct folder *f)
{
    return &f->blob[below(w, f->count)];
}

/* A range of a buffer, short or long alike. */
static size_t range(struct world *w, size_t len, size_t *at)
{
    size_t most = (size_t)1 << below(w, 15);
    size_t n = 1 + below(w, most < len ? most : len);
    *at = below(w, len - n + 1);
    return n;
}

static void say(char *what, size_t cap, const struct blob *b, size_t at, size_t n)
{
    size_t used = strlen(what);
    snprintf(what + used, cap - used, " %.40s of %zu bytes at %zu, %zu", b->name, b->data.len, at,
             n);
}

static void drop(struct folder *f, size_t i)
{
    cf_buf_clear(&f->blob[i].data);
    f->blob[i] = f->blob[--f->count];
    f->blob[f->count] = (struct blob){ .name = "" };
}

static void put_whole(struct cf_buf *to, const struct cf_buf *from)
{
    struct cf_err e = { 0 };
    must(cf_buf_resize(to, 0, &e), &e);
    must(cf_buf_put(to, from->data, from->len, &e), &e);
}

/* --- bytes of one blob ------------------------------------------------------------------------ */

static bool harm_bytes(struct world *w, struct folder *f, enum damage kind, char *what, size_t cap)
{
    struct blob *b = any(w, f);
    struct cf_err e = { 0 };
    size_t at = 0, n = 1, len = b->data.len;
    if (len == 0)
        return false;
    if (kind == DAMAGE_FLIP)
        at = below(w, len);
    else
        n = range(w, len, &at);
    say(what, cap, b, at, n);
    switch (kind) {
    case DAMAGE_FLIP:
        b->data.data[at] ^= (uint8_t)(1u << below(w, 8));
        break;
    case DAMAGE_OVERWRITE:
        for (size_t i = 0; i < n; i++)
            b->data.data[at + i] = (uint8_t)chance(w);
        break;
    case DAMAGE_ZERO:
        memset(b->data.data + at, 0, n);
        break;
    case DAMAGE_CUT:
        must(cf_buf_resize(&b->data, len - n, &e), &e);
        break;
    case DAMAGE_APPEND:
        for (size_t i = 0; i < n; i++) {
            uint8_t byte = below(w, 2) ? (uint8_t)chance(w) : 0;
            must(cf_buf_put(&b->data, &byte, 1, &e), &e);
        }
        break;
    case DAMAGE_SHIFT:
        memmove(b->data.data, b->data.data + n, len - n);
        must(cf_buf_resize(&b->data, len - n, &e), &e);
        break;
    default:
        return false;
    }
    return true;
}

/* Chunks and blocks have equal lengths, so equal ranges hit their borders often. */
static bool swap_ranges(struct world *w, struct folder *f, char *what, size_t cap)
{
    static const size_t units[] = { 4112, 4096, 16, 80, 1024 };
    struct blob *b = any(w, f);
    size_t n = units[below(w, 5)], header = below(w, 2) ? 96 : 0;
    if (b->data.len < header + 2 * n)
        return false;
    size_t slots = (b->data.len - header) / n, i = below(w, slots), k = below(w, slots);
    uint8_t *x = b->data.data + header + i * n, *y = b->data.data + header + k * n;
    if (i == k)
        return false;
    say(what, cap, b, header + i * n, n);
    for (size_t at = 0; at < n; at++) {
        uint8_t byte = x[at];
        x[at] = y[at];
        y[at] = byte;
    }
    return true;
}

/* --- whole blobs ------------------------------------------------------------------------------ */

static bool harm_names(struct world *w, struct folder *f, enum damage kind, char *what, size_t cap)
{
    size_t i = below(w, f->count), k = below(w, f->count);
    struct blob *b = &f->blob[i], *other = &f->blob[k];
    say(what, cap, b, k, 0);
    switch (kind) {
    case DAMAGE_DROP:
        drop(f, i);
        return true;
    case DAMAGE_RENAME:
        snprintf(b->name + strlen(b->name), sizeof b->name - strlen(b->name), "%s",
                 below(w, 2) ? "0" : ".old");
        return true;
    case DAMAGE_FOLDER: /* another second, or another HSM */
        if (below(w, 2))
            f->name[strlen(f->name) - 1] ^= 1;
        else
            snprintf(f->name, sizeof f->name, "mhsm-other-20300101000000");
        return true;
    case DAMAGE_SWAP: {
        struct cf_buf data = b->data;
        b->data = other->data;
        other->data = data;
        return i != k;
    }
    case DAMAGE_COPY:
        if (i == k)
            return false;
        put_whole(&b->data, &other->data);
        return true;
    default:
        return false;
    }
}

/* --- another backup of the same appliance ------------------------------------------------------
 */

/* Its like: the same name, or both `meta` (whose names hold salts), or both of the same stream. */
static const struct blob *like(const struct folder *other, const struct blob *b)
{
    for (size_t i = 0; i < other->count; i++)
        if (strcmp(other->blob[i].name, b->name) == 0)
            return &other->blob[i];
    for (size_t i = 0; i < other->count; i++)
        if (strncmp(other->blob[i].name, b->name, 3) == 0 &&
            (b->name[0] != 'm' || strcmp(other->blob[i].name, "manifest") != 0))
            return &other->blob[i];
    return NULL;
}

static bool replay(struct world *w, struct folder *f, const struct folder *other, enum damage kind,
                   char *what, size_t cap)
{
    struct blob *b = any(w, f);
    const struct blob *from = like(other, b);
    if (!from || from->data.len == 0 || b->data.len == 0)
        return false;
    if (kind == DAMAGE_REPLAY) {
        put_whole(&b->data, &from->data);
        say(what, cap, b, 0, from->data.len);
        return true;
    }
    size_t least = b->data.len < from->data.len ? b->data.len : from->data.len, at = 0;
    size_t n = range(w, least, &at);
    memcpy(b->data.data + at, from->data.data + at, n);
    say(what, cap, b, at, n);
    return true;
}

/* Under the first one's name, each blob of one or of the other; and at times the other's manifest
 * with both `meta`s. */
static bool mix(struct world *w, struct folder *f, const struct folder *other)
{
    size_t own = f->count, taken = 0;
    for (size_t i = 0; i < own; i++) {
        const struct blob *from = like(other, &f->blob[i]);
        if (!from || below(w, 2))
            continue;
        put_whole(&f->blob[i].data, &from->data);
        if (below(w, 2))
            memcpy(f->blob[i].name, from->name, sizeof f->blob[i].name);
        taken++;
    }
    return taken > 0 && taken < own;
}

bool damage_do(struct world *w, struct folder *f, size_t i, enum damage kind, char *what,
               size_t cap)
{
    const struct folder *other = &w->pool[below(w, POOL)];
    switch (kind) {
    case DAMAGE_SWAP_RANGES:
        return swap_ranges(w, f, what, cap);
    case DAMAGE_REPLAY:
    case DAMAGE_REPLAY_RANGE:
        return other != &w->pool[i] && replay(w, f, other, kind, what, cap);
    case DAMAGE_MIX:
        return other != &w->pool[i] && mix(w, f, other);
    case DAMAGE_ATTEMPT:
        return damage_attempt(w, f, what, cap);
    case DAMAGE_DROP:
    case DAMAGE_RENAME:
    case DAMAGE_FOLDER:
    case DAMAGE_SWAP:
    case DAMAGE_COPY:
        return harm_names(w, f, kind, what, cap);
    default:
        return harm_bytes(w, f, kind, what, cap);
    }
}
