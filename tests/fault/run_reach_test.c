/* The way to the storage: names that nobody answers for, addresses that are dead, TLS that stops
 * half way, certificates that change. Each job gets through, or fails with cause and cure; a
 * cancellation and a stop of the appliance are heard wherever it stands. */
#include "scenario.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

#define UNAVAILABLE "ServiceUnavailable"
#define BAD         "BadRequest"
/* The storage holds the job there until the trouble has come. */
#define UNDER_WAY   "op=PutBlock blob=/s2 every=1 action=hang\n"
#define PROBING     "op=PutBlockList blob=/probe every=1 action=hang\n"
#define READING     "op=GetBlob blob=/s2 every=1 action=hang\n"
#define LOOKS       20000 /* of a millisecond each */
#define FOR_EVER_MS 3600000

static void wait_for_traffic(struct stage *st)
{
    for (int i = 0; i < LOOKS && test_blobserver_stat(&st->server, "faults") == 0; i++)
        usleep(1000);
}

static unsigned trouble(const struct stage *st)
{
    return st->s->way.gate ? gate_met(&st->gate) : names_unanswered();
}

/* Attempts that met nothing else. */
static void wait_for_trouble(struct stage *st, unsigned count)
{
    for (int i = 0; i < LOOKS && trouble(st) < count; i++)
        usleep(1000);
    assert_true(trouble(st) >= count);
}

static void turn_bad(struct stage *st, enum gate_mode mode)
{
    wait_for_traffic(st);
    gate_set(&st->gate, mode);
    test_blobserver_no_faults(&st->server);
}

static void turn_bad_and_good(struct stage *st, enum gate_mode mode)
{
    turn_bad(st, mode);
    wait_for_trouble(st, 2);
    gate_set(&st->gate, GATE_RELAYS);
}

static void swallow(struct stage *st)
{
    turn_bad(st, GATE_SWALLOWS);
}

static void swallow_for_a_while(struct stage *st)
{
    turn_bad_and_good(st, GATE_SWALLOWS);
}

static void stall_for_a_while(struct stage *st)
{
    turn_bad_and_good(st, GATE_STALLS);
}

static void close_for_a_while(struct stage *st)
{
    turn_bad_and_good(st, GATE_CLOSES);
}

static void show_an_expired_certificate(struct stage *st)
{
    turn_bad(st, GATE_EXPIRED);
}

static void show_a_foreign_certificate(struct stage *st)
{
    turn_bad(st, GATE_UNKNOWN);
}

/* While the probe of the folder is on its way: the transfer threads have asked for no name yet. */
static void fall_silent(struct stage *st)
{
    wait_for_traffic(st);
    names_silent(true);
    test_blobserver_no_faults(&st->server);
}

static void fall_silent_for_a_while(struct stage *st)
{
    fall_silent(st);
    wait_for_trouble(st, 1);
    names_silent(false);
}

/* The appliance is stopped and started while the job stands there; then the job is canceled. What
 * it waits for would take an hour. */
static void stop_and_cancel(struct stage *st)
{
    struct cf_err err;
    wait_for_trouble(st, 1);
    run_bench_restart(&st->b);
    wait_for_trouble(st, 2);
    EXPECT_OK(jobs_cancel(st->b.jobs, st->job, &err));
}

#define GATE(mode_)     .way = { .gate = "127.0.0.1", .tls = true, .mode = mode_ }, .connect_ms = 1500
#define GOOD_GATE       .way = { .gate = "127.0.0.1", .tls = true }, .connect_ms = 2000, .attempts = 12
#define V4              .a = { "127.0.0.1" }
#define STUCK           .connect_ms = FOR_EVER_MS, .meanwhile = stop_and_cancel, .verdict = CANCELED
#define STUCK_AT(mode_) .way = { .gate = "127.0.0.1", .tls = true, .mode = mode_ }, STUCK

static const struct scenario rows[] = {
    /* --- the ones that take their time, first ------------------------------------------------ */
    { "tls: the hello is swallowed", BACKUP, GATE(GATE_SWALLOWS), .verdict = FAILS,
      .code = UNAVAILABLE, .words = "the TLS handshake" },
    { "tls: the handshake stops half way", BACKUP, GATE(GATE_STALLS), .verdict = FAILS,
      .code = UNAVAILABLE, .words = "the TLS handshake" },
    { "tls: swallowed for good", BACKUP, UNDER_WAY, GOOD_GATE, .meanwhile = swallow,
      .verdict = FAILS, .code = UNAVAILABLE, .words = "check network and storage" },
    { "tls: stopped and canceled where the hello is swallowed", BACKUP, STUCK_AT(GATE_SWALLOWS) },
    { "name: the server for it dies under way for good", BACKUP, PROBING,
      .way = { .named = true, .names = { V4 } }, .connect_ms = 2000, .attempts = 12,
      .meanwhile = fall_silent, .verdict = FAILS, .code = UNAVAILABLE,
      .words = "check network and storage" },
    { "name: its first IPv4 address is dead, its second alive", BACKUP,
      .way = { .gate = "127.0.0.2",
               .named = true,
               .dead = "127.0.0.1",
               .names = { .a = { "127.0.0.1", "127.0.0.2" } } },
      .connect_ms = 2000, .attempts = 12 },

    /* --- TLS that stops half way -------------------------------------------------------------- */
    { "tls: through a gate", BACKUP, GOOD_GATE },
    { "tls: closed behind the handshake", BACKUP, GATE(GATE_CLOSES), .verdict = FAILS,
      .code = UNAVAILABLE, .words = "given up after 3 attempts" },
    { "tls: the hello is swallowed under way", BACKUP, UNDER_WAY, GOOD_GATE,
      .meanwhile = swallow_for_a_while },
    { "tls: the handshake stops under way", BACKUP, UNDER_WAY, GOOD_GATE,
      .meanwhile = stall_for_a_while },
    { "tls: closed behind the handshake under way", BACKUP, UNDER_WAY, GOOD_GATE,
      .meanwhile = close_for_a_while },
    { "tls: the certificate ends under way", BACKUP, UNDER_WAY, GOOD_GATE,
      .meanwhile = show_an_expired_certificate, .verdict = FAILS, .code = BAD,
      .words = "check the server's certificate" },
    { "tls: another authority's certificate under way", BACKUP, UNDER_WAY, GOOD_GATE,
      .meanwhile = show_a_foreign_certificate, .verdict = FAILS, .code = BAD,
      .words = "check the server's certificate" },
    { "tls: a restore, swallowed under way", RESTORE, READING, GOOD_GATE,
      .meanwhile = swallow_for_a_while },
    { "tls: a restore, the certificate ends under way", RESTORE, READING, GOOD_GATE,
      .meanwhile = show_an_expired_certificate, .verdict = FAILS, .code = BAD,
      .words = "check the server's certificate" },
    { "tls: stopped and canceled within the handshake", BACKUP, STUCK_AT(GATE_STALLS) },

    /* --- names and addresses ------------------------------------------------------------------ */
    { "name: nobody answers for it", BACKUP, .way = { .named = true, .silent = true },
      .connect_ms = 500, .verdict = FAILS, .code = UNAVAILABLE, .words = "name server" },
    { "name: nobody answers for it, in the end not even in vain", BACKUP,
      .way = { .named = true, .silent = true }, .connect_ms = 5000, .attempts = 2, .verdict = FAILS,
      .code = UNAVAILABLE, .words = "name server" },
    { "name: the server for it dies under way, and comes back", BACKUP, PROBING,
      .way = { .named = true, .names = { V4 } }, .connect_ms = 2000, .attempts = 12,
      .meanwhile = fall_silent_for_a_while },
    { "name: stopped and canceled while nobody answers for it", BACKUP,
      .way = { .named = true, .silent = true }, STUCK },
    { "name: its IPv6 address is dead, its IPv4 address alive", BACKUP,
      .way = { .named = true, .names = { V4, .aaaa = "::1" }, .dead = "::1" }, .connect_ms = 4000,
      .attempts = 12 },
    { "name: IPv6 alone", BACKUP,
      .way = { .gate = "::1", .named = true, .names = { .aaaa = "::1" } } },
    { "name: both families", RESTORE,
      .way = { .gate = "::", .named = true, .names = { V4, .aaaa = "::1" } } },
};

int main(void)
{
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return scenario_run_all(rows, sizeof rows / sizeof rows[0]);
}
