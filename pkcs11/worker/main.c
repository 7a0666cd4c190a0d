#include "p11/p11.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/ops_priv.h"
#include "worker/cache_priv.h"
#include "worker/frame_priv.h"
#include "worker/start_priv.h"

#define FD_MAX 1048576

bool p11_worker_asked(int argc, char **argv, int *fd)
{
    uint64_t v = 0;
    if (argc != 3 || strcmp(argv[1], P11_WORKER_ARG) != 0 ||
        cf_parse_u64(argv[2], FD_MAX, &v, NULL) != CF_OK)
        return false;
    *fd = (int)v;
    return true;
}

/* Nothing of the daemon's but standard error, for the log, and the socket. */
static void shed(int fd)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    cf_secret_harden_process();
    if (fd > 3)
        (void)close_range(3, (unsigned)fd - 1, 0);
    (void)close_range((unsigned)fd + 1, ~0U, 0);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Texts in the token's info are padded with blanks and may hold anything. */
static void trim(const unsigned char *in, size_t len, char *out)
{
    while (len && (in[len - 1] == ' ' || in[len - 1] == 0))
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] = in[i] >= 0x20 && in[i] < 0x7f ? (char)in[i] : '?';
    out[len] = 0;
}

static const char *oaep_text(enum p11_oaep_way way)
{
    switch (way) {
    case P11_OAEP_NATIVE:
        return "CKM_RSA_PKCS_OAEP";
    case P11_OAEP_RAW:
        return "CKM_RSA_X_509 and own unpadding";
    case P11_OAEP_NONE:
        break;
    }
    return "none passes its known answer";
}

static const char *kwp_name(CK_MECHANISM_TYPE m)
{
    static const struct {
        CK_MECHANISM_TYPE mech;
        const char *name;
    } names[] = { { P11_CKM_AES_KWP_V3, "CKM_AES_KEY_WRAP_KWP" },
                  { P11_CKM_LUNA_AES_KWP, "Luna CKM_AES_KWP" },
                  { P11_CKM_CLOUDHSM_ZERO_PAD, "CloudHSM ZERO_PAD" },
                  { CKM_AES_KEY_WRAP_PAD, "CKM_AES_KEY_WRAP_PAD" } };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].mech == m)
            return names[i].name;
    return "unknown";
}

static void describe(struct p11_core *core, const char *path, struct hal_token_info *i)
{
    CK_INFO lib = { .flags = 0 };
    char what[33];
    (void)core->fn->C_GetInfo(&lib);
    trim(core->token.label, sizeof core->token.label, i->label);
    trim(core->token.manufacturerID, sizeof core->token.manufacturerID, i->manufacturer);
    trim(core->token.model, sizeof core->token.model, i->model);
    trim(core->token.serialNumber, sizeof core->token.serialNumber, i->serial);
    trim(lib.libraryDescription, sizeof lib.libraryDescription, what);
    snprintf(i->module, sizeof i->module, "%s (%s %u.%u, Cryptoki %u.%u)", path, what,
             lib.libraryVersion.major, lib.libraryVersion.minor, lib.cryptokiVersion.major,
             lib.cryptokiVersion.minor);
    snprintf(i->kwp_mechanism, sizeof i->kwp_mechanism, "%s (0x%lx)", kwp_name(core->ways.kwp),
             core->ways.kwp);
    snprintf(i->oaep256, sizeof i->oaep256, "%s", oaep_text(core->ways.oaep[HAL_SHA256]));
    snprintf(i->template_rung, sizeof i->template_rung, "%s",
             p11_rung_name(atomic_load(&core->ways.rung_secret)));
    i->sessions = core->sessions_len;
    i->hmac_min_bytes = core->ways.hmac_min_bytes;
}

struct opening {
    char module[4096];
    char uri[4096];
    struct p11_setup setup;
};

static enum cf_rc read_opening(const struct p11_frame *f, struct opening *o, struct cf_err *e)
{
    struct cf_rd r = cf_rd_of(f->body.p, f->body.len);
    p11_get_text(&r, o->module, sizeof o->module);
    p11_get_text(&r, o->uri, sizeof o->uri);
    o->setup = (struct p11_setup){ .module = o->module, .token_uri = o->uri, .pin = f->secret };
    o->setup.max_sessions = cf_rd_le32(&r);
    o->setup.cached_keys = cf_rd_le32(&r);
    o->setup.recycle_after = cf_rd_le32(&r);
    if (!cf_rd_done(&r) || f->h.msg != P11_MSG_OPEN || o->setup.max_sessions == 0 ||
        o->setup.max_sessions > P11_SESSIONS_MAX || o->setup.cached_keys == 0 ||
        o->setup.cached_keys > 1 << 20)
        return CF_FAIL(e, CF_E_ARG, "bad opening request");
    return CF_OK;
}

/* The probe uses a session of its own and gives it back: known answers leave scars. */
static enum cf_rc probe(struct p11_core *core, struct cf_err *e)
{
    struct p11_ctx c = { .core = core, .fn = core->fn, .s = core->sessions[0] };
    enum cf_rc rc = p11_probe(&c, e);
    core->sessions[0] = c.s;
    return rc;
}

static enum cf_rc open_token(struct p11_core *core, struct p11_frame *f, struct cf_buf *body,
                             struct cf_err *e)
{
    struct opening o = { .module = "" };
    struct hal_token_info info = { .label = "" };
    struct p11_wr w = { .b = body, .e = e };
    enum cf_rc rc = read_opening(f, &o, e);
    if (rc == CF_OK)
        rc = p11_cache_new(o.setup.cached_keys, &core->cache, e);
    if (rc == CF_OK)
        rc = p11_core_open(core, &o.setup, e);
    if (rc == CF_OK)
        rc = probe(core, e);
    if (rc != CF_OK)
        return rc;
    describe(core, o.module, &info);
    p11_put_u8(&w, CF_OK);
    p11_put_info(&w, &info);
    return w.rc;
}

/* The first message opens the token; then the threads serve until the client closes. */
static int live(int fd, struct p11_core *core, struct p11_frame *f)
{
    struct cf_buf body = { 0 };
    struct cf_err why = { 0 };
    if (p11_frame_read(fd, f, NULL) != CF_OK)
        return EXIT_FAILURE;
    enum cf_rc rc = open_token(core, f, &body, &why);
    struct p11_header h = { .msg = P11_MSG_OPEN, .id = f->h.id };
    p11_frame_wipe(f); /* and the PIN with it */
    if (rc != CF_OK) {
        struct p11_wr w = { .b = &body, .e = NULL };
        cf_buf_clear(&body);
        p11_put_failure(&w, rc, &why);
    }
    if (p11_frame_write(fd, &h, &body, NULL) == CF_OK && rc == CF_OK)
        p11_serve(fd, core);
    cf_buf_clear(&body);
    p11_core_close(core);
    return rc == CF_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int p11_worker_main(int fd)
{
    struct p11_core *core = calloc(1, sizeof *core);
    struct p11_frame f;
    shed(fd);
    int status = EXIT_FAILURE;
    if (core && p11_frame_new(&f, NULL) == CF_OK) {
        status = live(fd, core, &f);
        p11_cache_free(core->cache);
    }
    if (core)
        p11_frame_clear(&f);
    free(core);
    return status;
}
