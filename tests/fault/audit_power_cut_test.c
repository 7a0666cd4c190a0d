/* Power cut after each write unit of a run of appends: what was answered is there, the chain holds,
 * and the log goes on. */
#include "support/test.h"

#include <stdbool.h>

#include "audit/audit.h"
#include "hal_sim/hal_sim.h"

#define RECORDS 90 /* enough to enter several segments and lap the ring */

static enum cf_rc count(void *ctx, const struct audit_record *r, struct cf_err *e)
{
    (void)e;
    *(uint64_t *)ctx = r->sequence;
    return CF_OK;
}

static enum cf_rc say(struct audit *a, int i)
{
    char resource[64];
    snprintf(resource, sizeof resource, "/keys/number-%d", i);
    struct audit_record r = { .operation = "KeySign", .resource = resource, .status = 200 };
    return audit_append(a, &r, NULL);
}

/* Appends until the power goes; how many were answered. */
static uint64_t append_until_cut(struct hal_partition *p, struct hal_clock *c)
{
    struct audit *a = NULL;
    uint64_t answered = 0;
    assert_int_equal(audit_open(p, c, &a, NULL), CF_OK);
    while (answered < RECORDS && say(a, (int)answered) == CF_OK)
        answered++;
    audit_close(a);
    return answered;
}

static bool cut_once(struct hal_partition *p, struct hal_clock *c, uint64_t cut)
{
    struct audit *a = NULL;
    struct cf_err err;
    uint64_t last = 0;

    hal_partition_sim_cut_after(p, cut);
    uint64_t answered = append_until_cut(p, c);
    hal_partition_sim_cut_after(p, UINT64_MAX);

    EXPECT_OK(audit_open(p, c, &a, &err));
    uint64_t head = audit_head(a).sequence;
    assert_in_range(head, answered, answered + 1); /* one may be there though nobody was told */
    EXPECT_OK(audit_read(a, 0, count, &last, &err));
    assert_int_equal(last, head);
    for (int i = 0; i < 3; i++)
        assert_int_equal(say(a, 1000 + i), CF_OK);
    audit_close(a);

    EXPECT_OK(audit_open(p, c, &a, &err));
    assert_int_equal(audit_head(a).sequence, head + 3);
    EXPECT_OK(audit_read(a, 0, count, &last, &err));
    audit_close(a);
    return answered == RECORDS;
}

static void every_cut_keeps_what_was_answered(void **state)
{
    (void)state;
    static const uint32_t units[] = { 64, 512, 4096 };
    struct hal_clock *c = hal_sim_clock_new(1);
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        bool through = false;
        for (uint64_t cut = 0; !through; cut++) {
            struct hal_partition *p = hal_partition_sim_new(20000, units[u]);
            through = cut_once(p, c, cut);
            hal_partition_close(p);
        }
    }
    hal_sim_clock_free(c);
}

static void every_cut_keeps_what_was_answered_on_flash(void **state)
{
    (void)state;
    struct hal_clock *c = hal_sim_clock_new(1);
    bool through = false;
    for (uint64_t cut = 0; !through; cut++) {
        struct hal_partition *p = hal_partition_sim_flash_new(32768, 256, 4096);
        through = cut_once(p, c, cut);
        hal_partition_close(p);
    }
    hal_sim_clock_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_keeps_what_was_answered),
        cmocka_unit_test(every_cut_keeps_what_was_answered_on_flash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
