/* The coverage statement: an extension of the sealed map, and a part of receipts. */
#include <stdlib.h>
#include <string.h>

#include "manifest_priv.h"

enum cf_rc manifest_cover_add(struct manifest *m, const struct manifest_cover *c, struct cf_err *e)
{
    if (m->cover_count == MANIFEST_COVERS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a coverage statement of too many lines");
    struct manifest_cover *more = reallocarray(m->cover, m->cover_count + 1, sizeof *more);
    if (!more)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    m->cover = more;
    m->cover[m->cover_count++] = *c;
    return CF_OK;
}

void manifest_cover_write(struct cbor_wr *w, const struct manifest *m)
{
    cbor_wr_array(w, m->cover_count);
    for (size_t i = 0; i < m->cover_count; i++) {
        cbor_wr_array(w, 3);
        cbor_wr_text(w, m->cover[i].what);
        cbor_wr_uint(w, m->cover[i].state);
        cbor_wr_text(w, m->cover[i].why);
    }
}

static void read_line(struct cbor_rd *r, struct manifest *m)
{
    struct manifest_cover c = { .state = MANIFEST_INSIDE };
    if (cbor_rd_array(r, 3) != 3)
        cbor_rd_refuse(r, "a line of the coverage statement is not whole");
    manifest_text(r, c.what, sizeof c.what);
    c.state = (enum manifest_covered)cbor_rd_uint(r, MANIFEST_MISSING);
    cbor_rd_string(r, c.why, sizeof c.why);
    for (const unsigned char *p = (const unsigned char *)c.why; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            cbor_rd_refuse(r, "control characters in a text");
    if (!c.state || (cbor_rd_ok(r) && manifest_cover_add(m, &c, NULL) != CF_OK))
        cbor_rd_refuse(r, "a line of the coverage statement");
}

void manifest_cover_read(struct cbor_rd *r, struct manifest *m)
{
    size_t lines = cbor_rd_array(r, MANIFEST_COVERS_MAX);
    for (size_t k = 0; k < lines && cbor_rd_ok(r); k++)
        read_line(r, m);
}

/* Extensions never make a backup unreadable (FORMAT 3.5): what does not read is not there. */
void manifest_extensions_read(struct crypto_bytes map, struct manifest *m)
{
    struct cf_err ignored = { 0 };
    struct cbor_rd r;
    cbor_rd_init(&r, map.p, map.len, &ignored);
    size_t pairs = cbor_rd_map(&r, SIZE_MAX);
    for (size_t i = 0; i < pairs && cbor_rd_ok(&r); i++) {
        if (cbor_rd_key(&r) != 1) {
            cbor_rd_skip(&r);
            continue;
        }
        manifest_cover_read(&r, m);
    }
    if (cbor_rd_end(&r) == CF_OK)
        return;
    free(m->cover);
    m->cover = NULL;
    m->cover_count = 0;
}
