#include "board/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "hal_linux/hal_linux.h"
#include "p11/p11.h"

#define AUDIT_SIZE    ((off_t)16 << 20)
#define LOCK_TRIES    40
#define LOCK_PAUSE_NS 50000000

struct bench {
    char *raw_file[BOARD_RAW_MAX];
};

static enum cf_rc open_live(void *ctx, struct hal_partition **out, struct cf_err *e)
{
    return hal_linux_partition_open(ctx, false, out, e);
}

static enum cf_rc open_twin(void *ctx, struct hal_partition **out, struct cf_err *e)
{
    return hal_linux_pair_open_twin(ctx, out, e);
}

static enum cf_rc settle(void *ctx, unsigned live_slot, struct cf_err *e)
{
    return hal_linux_pair_settle(ctx, live_slot, e);
}

/* A cofferd that was killed a moment ago holds its lock until the last of its threads has ended. */
static enum cf_rc open_when_free(const char *path, struct hal_partition **out, struct cf_err *e)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
    for (unsigned i = 0;; i++) {
        struct cf_err err = { 0 };
        enum cf_rc rc = hal_linux_partition_open(path, true, out, &err);
        if (rc != CF_E_STATE || i == LOCK_TRIES) {
            if (rc != CF_OK)
                *e = err;
            return rc;
        }
        nanosleep(&pause, NULL);
    }
}

/* New where nothing is: on a first start, or an empty file that an operator put there. A log that
 * is gone is never replaced in silence. */
static enum cf_rc make_audit(const struct board_settings *s, bool *fresh, struct cf_err *e)
{
    struct stat st;
    int fd = open(s->audit_file, O_RDWR | O_CLOEXEC | (s->set_up ? 0 : O_CREAT), 0600);
    if (fd < 0 && errno == ENOENT)
        return CF_FAIL(e, CF_E_ABSENT,
                       "the audit partition %.80s is missing, and the audit log with it; put the "
                       "file back, or put an empty one there to begin a new log",
                       s->audit_file);
    if (fd < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot open the audit partition %s", s->audit_file);
    enum cf_rc rc = CF_OK;
    if (fstat(fd, &st) != 0)
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "the audit partition %s", s->audit_file);
    *fresh = rc == CF_OK && S_ISREG(st.st_mode) && st.st_size == 0;
    if (*fresh && ftruncate(fd, AUDIT_SIZE) != 0)
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot size the audit partition %s", s->audit_file);
    close(fd);
    return rc;
}

static enum cf_rc open_audit(const struct board_settings *s, struct hal_partition **out,
                             struct cf_err *e)
{
    bool fresh = false;
    enum cf_rc rc = make_audit(s, &fresh, e);
    if (rc == CF_OK)
        rc = open_when_free(s->audit_file, out, e);
    if (rc == CF_OK && fresh)
        rc = hal_partition_fill(*out, 0, (*out)->size, 0xff, e);
    if (rc == CF_OK && fresh && s->set_up)
        cf_log(CF_LOG_WARN, "board", "audit-log-begun-anew", "file=%s", s->audit_file);
    return rc;
}

static void bench_close(struct board_parts *p)
{
    if (!p)
        return;
    struct bench *b = p->priv;
    for (size_t i = 0; b && i < BOARD_RAW_MAX; i++)
        free(b->raw_file[i]);
    free(b);
    hal_partition_close(p->audit);
    *p = (struct board_parts){ 0 };
}

static enum cf_rc fill_raw(const struct board_settings *s, struct board_parts *out,
                           struct cf_err *e)
{
    struct bench *b = out->priv;
    for (size_t i = 0; i < s->raw_count; i++) {
        struct board_raw *r = &out->raw[i];
        if (strlen(s->raw[i].name) > BOARD_NAME_MAX)
            return CF_FAIL(e, CF_E_INPUT, "partition name %s is too long", s->raw[i].name);
        b->raw_file[i] = strdup(s->raw[i].file);
        if (!b->raw_file[i])
            return CF_FAIL(e, CF_E_LIMIT, "no memory for the partition table");
        memcpy(r->name, s->raw[i].name, strlen(s->raw[i].name) + 1);
        r->ctx = b->raw_file[i];
        r->open_live = open_live;
        r->open_twin = open_twin;
        r->settle = settle;
        out->raw_count++;
    }
    return CF_OK;
}

static enum cf_rc bench_open(const struct board_settings *s, struct board_parts *out,
                             struct cf_err *e)
{
    *out = (struct board_parts){ .clock = hal_linux_clock(), .entropy = hal_linux_entropy() };
    out->priv = calloc(1, sizeof(struct bench));
    enum cf_rc rc = out->priv ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory for the board");
    if (rc == CF_OK)
        rc = fill_raw(s, out, e);
    if (rc == CF_OK)
        rc = open_audit(s, &out->audit, e);
    if (rc != CF_OK)
        bench_close(out);
    return rc;
}

static enum cf_rc bench_token_open(const struct board_settings *s, const struct cf_secret *pin,
                                   bool confirmed, struct hal_token **out, struct cf_err *e)
{
    const struct p11_config config = {
        .module = s->token_module,
        .token_uri = s->token_uri,
        .pin = pin,
        .pin_confirmed = confirmed,
        .deadline_ms = s->token_deadline_ms,
        .pin_counter = s->token_pin_state,
    };
    return p11_token_open(&config, out, e);
}

const struct board *board_get(void)
{
    static const struct board board = {
        .name = "bench",
        .platform = "Coffer bench",
        .bench = true,
        .open = bench_open,
        .token_open = bench_token_open,
        .close = bench_close,
    };
    return &board;
}
