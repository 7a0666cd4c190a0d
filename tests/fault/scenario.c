#include "scenario.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "support/fake_token.h"

#define AT_ONCE   10    /* most of a scenario is waiting */
#define SECONDS   60    /* of one deed: bounded time */
#define SETTLE_MS 20000 /* the far side has its own threads to end */
#define SKIPPED   77

/* --- the stage
 * --------------------------------------------------------------------------------- */

static const char *certificate_of(enum scenario_tls tls)
{
    static const char *const names[] = { NULL, "good", "expired", "other", "good", "good" };
    return names[tls];
}

static void start_server(struct stage *st)
{
    const char *args[12] = { 0 };
    char cert[160], key[160];
    size_t n = 0;
    for (; n < 6 && st->s->args[n]; n++)
        args[n] = st->s->args[n];
    if (st->s->tls) {
        snprintf(cert, sizeof cert, "%s/%s.pem", st->certs, certificate_of(st->s->tls));
        snprintf(key, sizeof key, "%s/%s.key", st->certs, certificate_of(st->s->tls));
        args[n++] = "--tls-cert";
        args[n++] = cert;
        args[n++] = "--tls-key";
        args[n++] = key;
        if (st->s->tls == TLS_OLD)
            args[n++] = "--tls-old";
    }
    test_blobserver_start(&st->server, args);
    test_blobserver_sas(st->s->sp ? st->s->sp : "rcwdl", "60", NULL, st->sas);
}

static void name_far_side(struct stage *st)
{
    const struct scenario *s = st->s;
    if (s->rude == NO_NAME)
        snprintf(st->uri, sizeof st->uri, "http://nobody.storage.invalid/coffer");
    else if (s->rude)
        snprintf(st->uri, sizeof st->uri, "%s://127.0.0.1:%u/devstoreaccount1/coffer",
                 s->https_to_plain ? "https" : "http", scenario_rude(s->rude));
    else if (s->way.gate || s->way.named)
        snprintf(st->uri, sizeof st->uri, "%s://%s:%u/devstoreaccount1/coffer",
                 s->way.tls ? "https" : "http", s->way.named ? "storage" : s->way.gate,
                 s->way.gate ? st->gate.port : st->server.port);
    else if (s->https_to_plain)
        snprintf(st->uri, sizeof st->uri, "https%s", st->server.url + 4);
    else
        snprintf(st->uri, sizeof st->uri, "%s", st->server.url);
}

/* Before there are threads: a network is left alone, and a gate forks. */
static void enter_network(const struct scenario *s)
{
    if (!s->way.named)
        return;
    bool v6 = s->way.names.aaaa != NULL;
    if (!names_enter() || (v6 && !names_ipv6()))
        _exit(SKIPPED);
}

static void open_way(struct stage *st)
{
    const struct scenario_way *w = &st->s->way;
    if (w->gate) {
        st->gate = (struct gate){
            .address = w->gate, .tls = w->tls, .certs = st->certs, .to = st->server.port
        };
        gate_start(&st->gate);
        gate_set(&st->gate, w->mode);
    }
    if (w->dead)
        gate_dead(w->dead, w->gate ? st->gate.port : st->server.port);
    if (w->named)
        names_serve(&w->names, w->silent);
}

static void mend_way(struct stage *st)
{
    if (st->s->way.gate)
        gate_set(&st->gate, GATE_RELAYS);
    names_silent(false);
}

/* What fails for ever is waited for; what passes must, also where the machine is busy. */
static uint64_t patience_of(const struct scenario *s)
{
    return s->verdict == FAILS ? 4000 : 30000;
}

static void open_stage(struct stage *st)
{
    static char ca[160];
    struct run_bench_options o = {
        .partitions = 1,
        .bytes = 17 << 20,
        .own_clock = true,
        .uri = st->server.url,
        .token = st->sas,
        .run = { .threads = 2, .connections = 4, .patience_ms = patience_of(st->s) }
    };
    snprintf(st->certs, sizeof st->certs, "/dev/shm/coffer-scenario-XXXXXX");
    assert_non_null(mkdtemp(st->certs));
    scenario_certificates(st->certs);
    start_server(st);
    open_way(st);
    snprintf(ca, sizeof ca, "%s/%s.pem", st->certs, st->s->tls == TLS_UNKNOWN ? "unknown" : "ca");
    o.run.storage.ca_file = ca;
    o.run.attempts = st->s->attempts ? st->s->attempts : 3;
    o.run.storage.stall_timeout_ms = 1000;
    o.run.storage.connect_timeout_ms = st->s->connect_ms;
    run_bench_open(&st->b, &o);
    run_bench_fill(&st->b);
    run_bench_state(&st->b, st->full);
}

static void close_stage(struct stage *st)
{
    static const char *const names[] = { "ca", "unknown", "good", "expired", "other" };
    char path[160];
    run_bench_close(&st->b);
    gate_stop(&st->gate); /* first: it holds what the server waits to see closed */
    test_blobserver_stop(&st->server);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s.pem", st->certs, names[i]);
        unlink(path);
        snprintf(path, sizeof path, "%s/%s.key", st->certs, names[i]);
        unlink(path);
    }
    rmdir(st->certs);
}

/* --- nothing left running
 * ---------------------------------------------------------------------- */

static unsigned entries(const char *dir)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Behind one job of no consequence: a sanitizer's own thread comes with the first one. */
static void note_idle(struct stage *st)
{
    struct run_request q = { .who = "nobody" };
    struct jobs_record r;
    struct cf_err err;
    EXPECT_OK(run_prebackup_start(st->b.run, &q, &r, &err));
    run_wait(st->b.run);
    st->threads = entries("/proc/self/task");
    st->descriptors = entries("/proc/self/fd");
}

static bool idle(struct stage *st)
{
    bool drains = st->s->rules && strstr(st->s->rules, "drip"); /* what was sent, by and by */
    return entries("/proc/self/task") <= st->threads &&
           entries("/proc/self/fd") <= st->descriptors &&
           (st->s->tls || st->s->rude || st->s->way.gate || drains ||
            test_blobserver_stat(&st->server, "connections_now") <= 1); /* the one that asks */
}

static void expect_idle(struct stage *st)
{
    char path[128];
    for (int ms = 0; ms < SETTLE_MS && !idle(st); ms += 10)
        usleep(10000);
    assert_true(entries("/proc/self/task") <= st->threads);
    assert_true(entries("/proc/self/fd") <= st->descriptors);
    assert_true(idle(st));
    assert_false(jobs_restore_mode(st->b.jobs));
    snprintf(path, sizeof path, "%s/backup.journal", st->b.dir);
    assert_int_equal(access(path, F_OK), -1);
}

/* --- deeds
 * ------------------------------------------------------------------------------------- */

static enum cf_rc start_deed(struct stage *st, struct jobs_record *r, struct cf_err *e)
{
    enum scenario_deed deed = st->s->deed;
    const char *folder = deed == BACKUP ? NULL : st->folder;
    struct run_request q = run_bench_request(&st->b, folder, deed == KEY ? "bravo" : NULL);
    switch (deed) {
    case BACKUP:
        return run_backup_start(st->b.run, &q, r, e);
    case RESTORE:
        return run_restore_start(st->b.run, &q, r, e);
    case KEY:
        return run_selective_start(st->b.run, &q, r, e);
    case VERIFY:
        return run_verify_start(st->b.run, &q, r, e);
    case PRERESTORE:
    default:
        return run_prerestore_start(st->b.run, &q, r, e);
    }
}

/* Takes away what a restore shall bring back. */
static void spoil(struct stage *st)
{
    struct cf_err err = { 0 };
    if (keystore_delete(st->b.kb.ks, "bravo", NULL, &err) == CF_OK) /* it may be gone already */
        EXPECT_OK(keystore_purge(st->b.kb.ks, "bravo", &err));
    int fd = open(run_bench_part(&st->b, 0), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "later", 5, 15 << 20), 5);
    close(fd);
    run_bench_state(&st->b, st->spoilt);
}

static void expect_state(struct stage *st, const uint8_t want[32])
{
    uint8_t now[32];
    run_bench_state(&st->b, now);
    assert_memory_equal(now, want, 32);
}

static void expect_success(const struct jobs_record *r)
{
    if (r->state != JOBS_SUCCEEDED)
        print_message("    %s: %s: %s\n", jobs_state_name(r->state), r->error_code, r->error);
    assert_int_equal(r->state, JOBS_SUCCEEDED);
}

/* A backup made now brings all back. */
static void expect_restorable(struct stage *st, const char *folder)
{
    struct jobs_record r;
    char name[JOBS_FOLDER_SIZE];
    snprintf(name, sizeof name, "%s", folder);
    spoil(st);
    run_bench_restore(&st->b, name, &r);
    expect_success(&r);
    expect_state(st, st->full);
}

static void expect_words(struct stage *st, const char *text, const char *code)
{
    const struct scenario *s = st->s;
    print_message("    %s: %s\n", code, text);
    if (!strstr(text, s->words))
        print_message("    wanted: %s: ..%s..\n", s->code, s->words);
    assert_non_null(strstr(text, s->words));
    assert_string_equal(code, s->code);
    assert_null(strstr(text, "sig="));
}

/* A class that a client can act on, and words. */
static void expect_some_words(const struct jobs_record *r)
{
    static const char *const codes[] = { "ServiceUnavailable", "BadRequest", "Conflict",
                                         "BackupNotAuthentic" };
    bool known = false;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        known |= strcmp(r->error_code, codes[i]) == 0;
    print_message("    %s: %s: %s\n", jobs_state_name(r->state), r->error_code, r->error);
    assert_int_equal(r->state, JOBS_FAILED);
    assert_true(known && strlen(r->error) > 20);
    assert_null(strstr(r->error, "sig="));
}

static void judge_backup(struct stage *st, const struct jobs_record *r)
{
    struct jobs_record again;
    expect_state(st, st->full);
    if (r->state == JOBS_SUCCEEDED && !st->s->still_broken)
        expect_restorable(st, r->folder);
    if (r->state == JOBS_SUCCEEDED || st->s->still_broken || !r->folder[0])
        return;
    char folder[JOBS_FOLDER_SIZE];
    memcpy(folder, r->folder, sizeof folder);
    if (st->s->committed) {
        expect_restorable(st, folder);
        return;
    }
    run_bench_restore(&st->b, folder, &again);
    if (st->s->verdict != EITHER) /* nothing that failed is a backup, but for a commit unheard */
        assert_int_equal(again.state, JOBS_FAILED);
    expect_state(st, st->full);
}

static void judge(struct stage *st, const struct jobs_record *r)
{
    const struct scenario *s = st->s;
    if (s->verdict == FAILS) {
        if (r->state == JOBS_SUCCEEDED)
            print_message("    succeeded: %s\n", r->warning);
        assert_int_equal(r->state, JOBS_FAILED);
        expect_words(st, r->error, r->error_code);
    } else if (s->verdict == CANCELED) {
        assert_int_equal(r->state, JOBS_CANCELED);
    } else if (s->verdict == EITHER && r->state != JOBS_SUCCEEDED) {
        expect_some_words(r);
    } else {
        expect_success(r);
    }
    bool failed = r->state != JOBS_SUCCEEDED;
    if (s->warning)
        assert_non_null(strstr(r->warning, s->warning));
    if (s->deed == RESTORE)
        expect_state(st, failed ? st->spoilt : st->full);
    if (s->deed == PRERESTORE || s->deed == VERIFY || (s->deed == KEY && failed))
        expect_state(st, st->spoilt);
}

/* The storage is itself again, or another one: the next jobs go on as if nothing had been. */
static void expect_next_works(struct stage *st)
{
    struct jobs_record r;
    st->b.o.uri = st->s->still_broken ? NULL : st->server.url;
    st->b.o.token = st->s->still_broken ? NULL : st->sas;
    if (st->s->deed != BACKUP && !st->s->still_broken) {
        run_bench_restore(&st->b, st->folder, &r);
        expect_success(&r);
        expect_state(st, st->full);
        return;
    }
    if (st->s->deed != BACKUP)
        run_bench_state(&st->b, st->full); /* the backup is gone for good */
    run_bench_backup(&st->b, &r);
    expect_success(&r);
    if (st->s->verdict != GETS_THROUGH) /* else one was restored just now */
        expect_restorable(st, r.folder);
}

static void do_deed(struct stage *st, struct jobs_record *r)
{
    struct cf_err e = { 0 };
    enum cf_rc rc = start_deed(st, r, &e);
    if (st->s->verdict == REFUSED) {
        assert_int_not_equal(rc, CF_OK);
        expect_words(st, e.text, e.code ? e.code : "");
        return;
    }
    if (rc != CF_OK)
        fail_msg("%s", e.text);
    memcpy(st->job, r->id, sizeof st->job);
    if (st->s->meanwhile)
        st->s->meanwhile(st);
    run_wait(st->b.run);
    assert_int_equal(jobs_get(st->b.jobs, r->id, r, &e), CF_OK);
}

void scenario_play(void **row)
{
    struct stage *st = calloc(1, sizeof *st);
    struct jobs_record r = { 0 };
    const struct scenario *s = st->s = *row;
    bool talks = !s->tls && !s->rude;
    enter_network(s);
    open_stage(st);
    if (s->deed != BACKUP) {
        run_bench_backup(&st->b, &r);
        expect_success(&r);
        memcpy(st->folder, r.folder, sizeof st->folder);
        spoil(st);
    }
    name_far_side(st);
    st->b.o.uri = st->uri;
    note_idle(st);
    if (s->before)
        s->before(st);
    if (s->rules)
        test_blobserver_fault(&st->server, s->rules);
    if (talks)
        test_blobserver_no_stats(&st->server);
    time_t begun = time(NULL);
    do_deed(st, &r);
    assert_true(time(NULL) - begun < SECONDS);
    mend_way(st);
    if (talks) {
        uint64_t requests = test_blobserver_stat(&st->server, "requests");
        assert_true(!s->rules || s->verdict == REFUSED || s->verdict == EITHER ||
                    test_blobserver_stat(&st->server, "faults") > 0);
        assert_int_equal(test_blobserver_stat(&st->server, "Other"), 0); /* a redirect's place */
        print_message("    %u requests\n", (unsigned)requests);
        assert_true(!s->most || requests <= s->most);
        test_blobserver_no_faults(&st->server);
    }
    expect_idle(st);
    test_blobserver_sas("rcwdl", "60", NULL, st->sas);
    if (s->verdict != REFUSED)
        judge(st, &r);
    if (s->deed == BACKUP && s->verdict != REFUSED && talks)
        judge_backup(st, &r);
    expect_next_works(st);
    expect_idle(st);
    close_stage(st);
    free(st);
}

/* --- all of them
 * ------------------------------------------------------------------------------- */

struct player {
    pid_t pid;
    int out; /* what it printed */
    int status;
};

static struct {
    const struct scenario *rows;
    struct player *players;
} all;

static void begin(size_t i)
{
    struct player *p = &all.players[i];
    p->out = memfd_create("scenario", MFD_CLOEXEC);
    assert_true(p->out >= 0);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid > 0)
        return;
    dup2(p->out, STDOUT_FILENO);
    dup2(p->out, STDERR_FILENO);
    const struct CMUnitTest one[] = {
        { all.rows[i].name, scenario_play, NULL, NULL, (void *)(uintptr_t)&all.rows[i] },
    };
    alarm(120);
    int failed = cmocka_run_group_tests(one, NULL, NULL);
    free(all.players);
    exit(failed ? 1 : 0); /* leaks are looked for there */
}

static void wait_one(size_t begun)
{
    int status;
    pid_t pid = wait(&status);
    for (size_t i = 0; i < begun; i++)
        if (all.players[i].pid == pid)
            all.players[i].status = status;
}

/* As a test of the parent: how its process ended, and what it said where that matters. */
static void tell(void **state)
{
    const struct scenario *row = *state;
    struct player *p = &all.players[row - all.rows];
    char text[4096];
    ssize_t n;
    lseek(p->out, 0, SEEK_SET);
    while (p->status != 0 && (n = read(p->out, text, sizeof text - 1)) > 0) {
        text[n] = '\0';
        print_message("%s", text);
    }
    close(p->out);
    if (WIFEXITED(p->status) && WEXITSTATUS(p->status) == SKIPPED) {
        print_message("    no network of its own is allowed here, or no IPv6\n");
        skip();
    }
    assert_int_equal(p->status, 0);
}

int scenario_run_all(const struct scenario *rows, size_t count)
{
    struct CMUnitTest *tests = calloc(count, sizeof *tests);
    all.rows = rows;
    all.players = calloc(count, sizeof *all.players);
    fflush(NULL);
    for (size_t i = 0; i < count; i++) {
        if (i >= AT_ONCE)
            wait_one(i);
        begin(i);
        tests[i] =
            (struct CMUnitTest){ rows[i].name, tell, NULL, NULL, (void *)(uintptr_t)&rows[i] };
    }
    for (size_t i = 0; i < AT_ONCE && i < count; i++)
        wait_one(count);
    int failed = _cmocka_run_group_tests("scenarios", tests, count, NULL, NULL);
    free(all.players);
    free(tests);
    return failed;
}
