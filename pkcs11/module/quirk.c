#include "module/module_priv.h"

#include <string.h>

/* One row a token, for what no probe can find; sources in the tokens document, section 3. */
static const struct p11_quirk quirks[] = {
    { .manufacturer = "Cavium", .model = "", .gcm_iv_written = true, .max_data = 16384 },
    { .manufacturer = "Marvell", .model = "", .gcm_iv_written = true, .max_data = 16384 },
    { .manufacturer = "CloudHSM", .model = "", .gcm_iv_written = true, .max_data = 16384 },
};

static const struct p11_quirk ordinary = { .manufacturer = "", .model = "" };

const struct p11_quirk *p11_quirk_find(const CK_TOKEN_INFO *info)
{
    for (size_t i = 0; i < sizeof quirks / sizeof quirks[0]; i++) {
        const struct p11_quirk *q = &quirks[i];
        if (strncmp((const char *)info->manufacturerID, q->manufacturer, strlen(q->manufacturer)) ==
                0 &&
            strncmp((const char *)info->model, q->model, strlen(q->model)) == 0)
            return q;
    }
    return &ordinary;
}
