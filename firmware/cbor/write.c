#include <string.h>

#include "base/text.h"
#include "cbor_priv.h"

void cbor_wr_init(struct cbor_wr *w, struct cf_buf *out, struct cf_err *e)
{
    *w = (struct cbor_wr){ .out = out, .e = e };
}

static struct cbor_place place(struct cbor_wr *w)
{
    return (struct cbor_place){ .level = w->level, .depth = &w->depth, .done = &w->done };
}

/* True while all is well; keeps the first thing that is not. */
static bool good(struct cbor_wr *w, const char *wrong)
{
    if (w->rc == CF_OK && wrong)
        w->rc = CF_FAIL(w->e, CF_E_ARG, "CBOR: %s", wrong);
    return w->rc == CF_OK;
}

static void put(struct cbor_wr *w, const void *p, size_t len)
{
    if (w->rc == CF_OK)
        w->rc = cf_buf_put(w->out, p, len, w->e);
}

/* Initial byte and argument in the shortest form (RFC 8949 4.2.1). */
static void put_head(struct cbor_wr *w, unsigned major, uint64_t v)
{
    uint8_t head[9] = { 0 };
    size_t len = 1;
    uint8_t info;
    if (v < 24) {
        info = (uint8_t)v;
    } else if (v <= UINT8_MAX) {
        info = 24;
        head[1] = (uint8_t)v;
        len = 2;
    } else if (v <= UINT16_MAX) {
        info = 25;
        cf_be16(head + 1, (uint16_t)v);
        len = 3;
    } else if (v <= UINT32_MAX) {
        info = 26;
        cf_be32(head + 1, (uint32_t)v);
        len = 5;
    } else {
        info = 27;
        cf_be64(head + 1, v);
        len = 9;
    }
    head[0] = (uint8_t)(major << 5 | info);
    put(w, head, len);
}

static bool start(struct cbor_wr *w)
{
    struct cbor_place at = place(w);
    return w->rc == CF_OK && good(w, cbor_place_item(&at));
}

static void ended(struct cbor_wr *w)
{
    struct cbor_place at = place(w);
    cbor_place_ended(&at);
}

void cbor_wr_uint(struct cbor_wr *w, uint64_t v)
{
    if (!start(w))
        return;
    put_head(w, MAJOR_UINT, v);
    ended(w);
}

void cbor_wr_bytes(struct cbor_wr *w, const void *p, size_t len)
{
    if (!start(w))
        return;
    put_head(w, MAJOR_BYTES, len);
    put(w, p, len);
    ended(w);
}

void cbor_wr_text_n(struct cbor_wr *w, const void *p, size_t len)
{
    if (!start(w) || !good(w, cf_utf8_valid(p, len) ? NULL : "text is not UTF-8"))
        return;
    put_head(w, MAJOR_TEXT, len);
    put(w, p, len);
    ended(w);
}

void cbor_wr_text(struct cbor_wr *w, const char *text)
{
    cbor_wr_text_n(w, text, strlen(text));
}

void cbor_wr_bool(struct cbor_wr *w, bool v)
{
    uint8_t byte = v ? SIMPLE_TRUE : SIMPLE_FALSE;
    if (!start(w))
        return;
    put(w, &byte, 1);
    ended(w);
}

static void open_container(struct cbor_wr *w, bool map, size_t n)
{
    struct cbor_place at = place(w);
    if (w->rc == CF_OK && good(w, cbor_place_open(&at, map, n)))
        put_head(w, map ? MAJOR_MAP : MAJOR_ARRAY, n);
}

void cbor_wr_array(struct cbor_wr *w, size_t n)
{
    open_container(w, false, n);
}

void cbor_wr_map(struct cbor_wr *w, size_t n)
{
    open_container(w, true, n);
}

void cbor_wr_key(struct cbor_wr *w, uint64_t key)
{
    struct cbor_place at = place(w);
    if (w->rc == CF_OK && good(w, cbor_place_key(&at, key)))
        put_head(w, MAJOR_UINT, key);
}

enum cf_rc cbor_wr_end(struct cbor_wr *w)
{
    good(w, w->done ? NULL : "items are missing");
    return w->rc;
}
