#include "fixture.h"

#include "support/scratch.h"

static enum cf_rc derive(void *arg, const uint8_t epoch[STORE_EPOCH_SIZE], unsigned attempt,
                         struct store_keys *out, struct cf_err *e)
{
    uint8_t key[32] = { 0 };
    (void)arg;
    if (attempt > 0)
        return CF_FAIL(e, CF_E_ABSENT, "no older generation");
    memcpy(key, epoch, STORE_EPOCH_SIZE);
    enum cf_rc rc = cf_secret_copy(key, 32, &out->page, e);
    return rc == CF_OK ? cf_secret_copy(key, 32, &out->row, e) : rc;
}

int fixture_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    scratch_make(f.dir);
    f.options = (struct store_live_options){ .dir = f.dir, .derive = derive };
    f.clock = hal_sim_clock_new(START_S * 1000);
    assert_int_equal(store_live_create(&f.options, &f.live, NULL), CF_OK);
    assert_int_equal(access_open(f.live, f.clock, &f.a, NULL), CF_OK);
    *state = &f;
    return 0;
}

int fixture_down(void **state)
{
    struct fixture *f = *state;
    access_close(f->a);
    store_live_close(f->live);
    hal_sim_clock_free(f->clock);
    scratch_remove(f->dir);
    return 0;
}

void fixture_restart(struct fixture *f)
{
    access_close(f->a);
    store_live_close(f->live);
    assert_int_equal(store_live_open(&f->options, &f->live, NULL), CF_OK);
    assert_int_equal(access_open(f->live, f->clock, &f->a, NULL), CF_OK);
}

struct access_principal fixture_principal(const char *oid)
{
    struct access_principal p = { .verified = cf_verdict_of(true) };
    snprintf(p.oid, sizeof p.oid, "%s", oid);
    return p;
}

struct access_scope fixture_scope(const char *text)
{
    struct access_scope s = { .text = "" };
    assert_int_equal(access_scope_parse(text, &s, NULL), CF_OK);
    return s;
}

bool fixture_may(struct fixture *f, const char *oid, enum access_action action, const char *scope)
{
    struct access_principal p = fixture_principal(oid);
    struct access_scope s = fixture_scope(scope);
    struct cf_verdict v = access_decide(f->a, &p, action, &s);
    return cf_granted(&v);
}

enum cf_rc fixture_assign(struct fixture *f, const char *name, const char *scope, const char *role,
                          const char *principal, struct cf_err *e)
{
    struct access_assignment s = { .scope = fixture_scope(scope) };
    snprintf(s.name, sizeof s.name, "%s", name);
    snprintf(s.role, sizeof s.role, "%s", role);
    snprintf(s.principal, sizeof s.principal, "%s", principal);
    return access_assignment_create(f->a, &s, &s, e);
}
