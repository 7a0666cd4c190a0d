#include <string.h>

#include "base/text.h"
#include "cbor_priv.h"

void cbor_rd_init(struct cbor_rd *r, const void *data, size_t len, struct cf_err *e)
{
    *r = (struct cbor_rd){ .in = cf_rd_of(data, len), .e = e };
}

static struct cbor_place place(struct cbor_rd *r)
{
    return (struct cbor_place){ .level = r->level, .depth = &r->depth, .done = &r->done };
}

void cbor_rd_refuse(struct cbor_rd *r, const char *what)
{
    if (r->rc == CF_OK)
        r->rc = CF_FAIL(r->e, CF_E_CORRUPT, "CBOR: %s", what);
}

bool cbor_rd_ok(const struct cbor_rd *r)
{
    return r->rc == CF_OK;
}

/* True while all is well; keeps the first thing that is not. */
static bool good(struct cbor_rd *r, const char *wrong)
{
    if (wrong)
        cbor_rd_refuse(r, wrong);
    return r->rc == CF_OK;
}

/* The argument behind an initial byte; refused unless it is in its shortest form. */
static uint64_t argument(struct cbor_rd *r, unsigned info)
{
    uint64_t v = 0, least = 0;
    switch (info) {
    case 24:
        v = cf_rd_u8(&r->in);
        least = 24;
        break;
    case 25:
        v = cf_rd_be16(&r->in);
        least = (uint64_t)UINT8_MAX + 1;
        break;
    case 26:
        v = cf_rd_be32(&r->in);
        least = (uint64_t)UINT16_MAX + 1;
        break;
    case 27:
        v = cf_rd_be64(&r->in);
        least = (uint64_t)UINT32_MAX + 1;
        break;
    default:
        v = info;
        good(r, info < 24 ? NULL : "indefinite length or reserved form");
        break;
    }
    good(r, r->in.bad ? "cut short" : v < least ? "not the shortest form" : NULL);
    return cbor_rd_ok(r) ? v : 0;
}

/* Initial byte of the major type wanted, and its argument. */
static uint64_t head(struct cbor_rd *r, unsigned major)
{
    if (!cbor_rd_ok(r))
        return 0;
    uint8_t byte = cf_rd_u8(&r->in);
    if (!good(r, r->in.bad ? "cut short" : byte >> 5 != major ? "another type is due" : NULL))
        return 0;
    return argument(r, byte & 31);
}

static bool start(struct cbor_rd *r)
{
    struct cbor_place at = place(r);
    return cbor_rd_ok(r) && good(r, cbor_place_item(&at));
}

static void ended(struct cbor_rd *r)
{
    struct cbor_place at = place(r);
    if (cbor_rd_ok(r))
        cbor_place_ended(&at);
}

bool cbor_rd_peek(struct cbor_rd *r, enum cbor_type *out)
{
    if (!cbor_rd_ok(r) || !good(r, r->done ? "more than one item" : NULL) ||
        !good(r, r->in.left ? NULL : "cut short"))
        return false;
    switch (r->in.p[0] >> 5) {
    case MAJOR_UINT:
        *out = CBOR_UINT;
        return true;
    case MAJOR_BYTES:
        *out = CBOR_BYTES;
        return true;
    case MAJOR_TEXT:
        *out = CBOR_TEXT;
        return true;
    case MAJOR_ARRAY:
        *out = CBOR_ARRAY;
        return true;
    case MAJOR_MAP:
        *out = CBOR_MAP;
        return true;
    default:
        *out = CBOR_BOOL;
        return good(r, r->in.p[0] == SIMPLE_FALSE || r->in.p[0] == SIMPLE_TRUE
                           ? NULL
                           : "a type that is not used here");
    }
}

uint64_t cbor_rd_uint(struct cbor_rd *r, uint64_t max)
{
    if (!start(r))
        return 0;
    uint64_t v = head(r, MAJOR_UINT);
    if (!good(r, v <= max ? NULL : "number over its limit"))
        return 0;
    ended(r);
    return v;
}

bool cbor_rd_bool(struct cbor_rd *r)
{
    if (!start(r))
        return false;
    uint8_t byte = cf_rd_u8(&r->in);
    if (!good(r, r->in.bad                                     ? "cut short"
                 : byte == SIMPLE_FALSE || byte == SIMPLE_TRUE ? NULL
                                                               : "another type is due"))
        return false;
    ended(r);
    return byte == SIMPLE_TRUE;
}

static const uint8_t *string(struct cbor_rd *r, unsigned major, size_t max, size_t *len)
{
    *len = 0;
    if (!start(r))
        return NULL;
    uint64_t n = head(r, major);
    if (!good(r, n > max ? "string over its limit" : n > r->in.left ? "cut short" : NULL))
        return NULL;
    const uint8_t *p = cf_rd_bytes(&r->in, (size_t)n);
    if (major == MAJOR_TEXT && !good(r, cf_utf8_valid(p, (size_t)n) ? NULL : "text is not UTF-8"))
        return NULL;
    ended(r);
    *len = (size_t)n;
    return p;
}

const uint8_t *cbor_rd_bytes(struct cbor_rd *r, size_t max, size_t *len)
{
    return string(r, MAJOR_BYTES, max, len);
}

const char *cbor_rd_text(struct cbor_rd *r, size_t max, size_t *len)
{
    return (const char *)string(r, MAJOR_TEXT, max, len);
}

void cbor_rd_fixed(struct cbor_rd *r, void *out, size_t len)
{
    size_t n = 0;
    const uint8_t *p = cbor_rd_bytes(r, len, &n);
    if (good(r, n == len ? NULL : "bytes of another length") && len)
        memcpy(out, p, len);
    else
        memset(out, 0, len);
}

void cbor_rd_string(struct cbor_rd *r, char *out, size_t size)
{
    size_t n = 0;
    const char *p = cbor_rd_text(r, size - 1, &n);
    out[0] = 0;
    if (!cbor_rd_ok(r) || n == 0 || !good(r, memchr(p, 0, n) ? "NUL in a text" : NULL))
        return;
    memcpy(out, p, n);
    out[n] = 0;
}

/* `least` is the fewest bytes that an item, or a pair, takes. */
static size_t open_container(struct cbor_rd *r, bool map, size_t max)
{
    struct cbor_place at = place(r);
    size_t least = map ? 2 : 1;
    uint64_t n = head(r, map ? MAJOR_MAP : MAJOR_ARRAY);
    if (!cbor_rd_ok(r) || !good(r, n > max                  ? "too many items"
                                   : n > r->in.left / least ? "cut short"
                                                            : NULL))
        return 0;
    return good(r, cbor_place_open(&at, map, n)) ? (size_t)n : 0;
}

size_t cbor_rd_array(struct cbor_rd *r, size_t max)
{
    return open_container(r, false, max);
}

size_t cbor_rd_map(struct cbor_rd *r, size_t max)
{
    return open_container(r, true, max);
}

uint64_t cbor_rd_key(struct cbor_rd *r)
{
    struct cbor_place at = place(r);
    uint64_t key = head(r, MAJOR_UINT);
    if (!cbor_rd_ok(r) || !good(r, cbor_place_key(&at, key)))
        return 0;
    return key;
}

/* One key, or one item without what a container holds. */
static void skip_one(struct cbor_rd *r)
{
    enum cbor_type type;
    size_t len;
    if (r->depth && r->level[r->depth - 1].map && !r->level[r->depth - 1].value_due) {
        (void)cbor_rd_key(r);
        return;
    }
    if (!cbor_rd_peek(r, &type))
        return;
    switch (type) {
    case CBOR_UINT:
        (void)cbor_rd_uint(r, UINT64_MAX);
        break;
    case CBOR_BYTES:
        (void)cbor_rd_bytes(r, SIZE_MAX, &len);
        break;
    case CBOR_TEXT:
        (void)cbor_rd_text(r, SIZE_MAX, &len);
        break;
    case CBOR_ARRAY:
        (void)cbor_rd_array(r, SIZE_MAX);
        break;
    case CBOR_MAP:
        (void)cbor_rd_map(r, SIZE_MAX);
        break;
    case CBOR_BOOL:
        (void)cbor_rd_bool(r);
        break;
    }
}

void cbor_rd_skip(struct cbor_rd *r)
{
    if (!start(r))
        return;
    unsigned depth = r->depth;
    uint64_t left = depth ? r->level[depth - 1].left : 0;
    /* Done when the level the item stands in has one less to come, or is gone. */
    do
        skip_one(r);
    while (cbor_rd_ok(r) && !r->done &&
           (r->depth > depth || (r->depth == depth && depth == 0) ||
            (r->depth == depth && r->level[depth - 1].left == left)));
}

enum cf_rc cbor_rd_end(struct cbor_rd *r)
{
    good(r, !r->done ? "items are missing" : r->in.left ? "bytes behind the item" : NULL);
    return r->rc;
}
