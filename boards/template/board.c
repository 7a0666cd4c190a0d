/*
 * A board to copy: each constructor says what it must give. Every build compiles it, none links it
 * until a port names it with -DCF_BOARD.
 */
#include "board/board.h"

/* Fill `out` from drivers: clock, entropy, the audit partition, and each raw partition with its
 * twin. Everything opened here is closed by template_close. */
static enum cf_rc template_open(const struct board_settings *s, struct board_parts *out,
                                struct cf_err *e)
{
    (void)s;
    *out = (struct board_parts){ 0 };
    return CF_FAIL(e, CF_E_STATE, "this board has no drivers yet: fill boards/template/board.c");
}

/* Open the token through the constructor of the pkcs11 module, or of a driver of its own. */
static enum cf_rc template_token_open(const struct board_settings *s, const struct cf_secret *pin,
                                      bool confirmed, struct hal_token **out, struct cf_err *e)
{
    (void)s;
    (void)pin;
    (void)confirmed;
    *out = NULL;
    return CF_FAIL(e, CF_E_STATE, "this board has no token yet: fill boards/template/board.c");
}

static void template_close(struct board_parts *p)
{
    (void)p;
}

const struct board *board_get(void)
{
    static const struct board board = {
        .name = "template",
        .platform = "template",
        .bench = false,
        .open = template_open,
        .token_open = template_token_open,
        .close = template_close,
    };
    return &board;
}
