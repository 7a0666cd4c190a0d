/* Rotation: the policy's rules, when it asks for a new version, and its routes on the real key
 * store. */
#include "world.h"

#include "api/rotation.h"

#define POLICY(action, attributes)                                                                 \
    "{\"lifetimeActions\":[" action "],\"attributes\":{" attributes "}}"
#define ROTATE(trigger) "{\"trigger\":{" trigger "},\"action\":{\"type\":\"rotate\"}}"
#define AFTER(d)        "\"timeAfterCreate\":\"" d "\""
#define BEFORE(d)       "\"timeBeforeExpiry\":\"" d "\""
#define EXPIRY(d)       "\"expiryTime\":\"" d "\""

static enum cf_rc read_policy(const char *text, struct api_rotation *out, struct cf_err *e)
{
    struct json *j = NULL;
    *e = (struct cf_err){ 0 };
    assert_int_equal(json_parse(text, strlen(text), NULL, &j, NULL), CF_OK);
    enum cf_rc rc = api_rotation_read(j, out, e);
    json_free(j);
    return rc;
}

static void policies_that_a_managed_hsm_has_are_taken(void **state)
{
    (void)state;
    struct cf_err err;
    struct api_rotation p;
    EXPECT_OK(read_policy(POLICY(ROTATE(AFTER("P28D")), ""), &p, &err));
    EXPECT_OK(read_policy(POLICY(ROTATE(AFTER("P1Y2M10D")), EXPIRY("P2Y")), &p, &err));
    assert_int_equal(p.when, API_ROTATE_AFTER_CREATE);
    EXPECT_OK(read_policy(POLICY(ROTATE(BEFORE("P30D")), EXPIRY("P58D")), &p, &err));
    assert_int_equal(p.when, API_ROTATE_BEFORE_EXPIRY);
    EXPECT_OK(read_policy(POLICY("", EXPIRY("P90D")), &p, &err));
    assert_false(api_rotation_blank(&p));
    EXPECT_OK(read_policy(POLICY("", ""), &p, &err));
    assert_true(api_rotation_blank(&p));
    EXPECT_OK(read_policy("{}", &p, &err));
    assert_true(api_rotation_blank(&p));
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        POLICY(ROTATE(AFTER("P27D")), ""),
        POLICY(ROTATE(AFTER("P0D")), ""),
        POLICY(ROTATE(AFTER("90D")), ""),
        POLICY(ROTATE(AFTER("P90")), ""),
        POLICY(ROTATE(AFTER("P")), ""),
        POLICY(ROTATE(AFTER("P4W")), ""),
        POLICY(ROTATE(AFTER("P1D2M")), ""),
        POLICY(ROTATE(AFTER("PT90H")), ""),
        POLICY(ROTATE(AFTER("P-90D")), ""),
        POLICY(ROTATE(AFTER("P99999999999999999999Y")), ""),
        POLICY(ROTATE(""), ""),
        POLICY(ROTATE(AFTER("P90D") "," BEFORE("P90D")), EXPIRY("P2Y")),
        POLICY(ROTATE(BEFORE("P30D")), ""),
        POLICY(ROTATE(BEFORE("P30D")), EXPIRY("P57D")),
        POLICY(ROTATE(AFTER("P90D")) "," ROTATE(AFTER("P91D")), ""),
        POLICY("{\"trigger\":{" BEFORE("P30D") "},\"action\":{\"type\":\"Notify\"}}",
               EXPIRY("P2Y")),
        POLICY("{\"trigger\":{" AFTER("P30D") "},\"action\":{\"type\":\"Dance\"}}", ""),
        POLICY("", EXPIRY("P27D")),
        POLICY("1", ""),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_err err;
        struct api_rotation p;
        print_message("  %s\n", bad[i]);
        EXPECT_RC(CF_E_INPUT, read_policy(bad[i], &p, &err));
    }
}

#define DAY INT64_C(86400)

static void a_version_is_due_when_its_time_has_come(void **state)
{
    (void)state;
    struct cf_err err;
    struct api_rotation p;
    const int64_t made = 1704067200; /* 2024-01-01 */
    EXPECT_OK(read_policy(POLICY(ROTATE(AFTER("P3M")), EXPIRY("P1Y")), &p, &err));
    assert_false(
        api_rotation_due(&p, (uint64_t)made, 0, made + 91 * DAY - 1)); /* April 1st: a leap year */
    assert_true(api_rotation_due(&p, (uint64_t)made, 0, made + 91 * DAY));
    assert_int_equal(api_rotation_expiry(&p, made), made + 366 * DAY);
    EXPECT_OK(read_policy(POLICY(ROTATE(BEFORE("P30D")), EXPIRY("P1Y")), &p, &err));
    uint64_t exp = (uint64_t)(made + 100 * DAY);
    assert_false(api_rotation_due(&p, (uint64_t)made, exp, made + 70 * DAY - 1));
    assert_true(api_rotation_due(&p, (uint64_t)made, exp, made + 70 * DAY));
    assert_false(api_rotation_due(&p, (uint64_t)made, 0, made + 10000 * DAY)); /* never expires */
    EXPECT_OK(read_policy("{}", &p, &err));
    assert_false(api_rotation_due(&p, (uint64_t)made, exp, made + 10000 * DAY));
    assert_int_equal(api_rotation_expiry(&p, made), 0);
}

static void a_policy_is_set_shown_and_removed(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "GET /keys/none/rotationpolicy", NULL), 404);
    assert_int_equal(ask(w, "PUT /keys/none/rotationpolicy", POLICY("", EXPIRY("P90D"))), 404);
    assert_int_equal(ask(w, "POST /keys/k/create", "{\"kty\":\"EC\"}"), 200);
    assert_int_equal(ask(w, "GET /keys/k/rotationpolicy", NULL), 200);
    assert_string_equal(w->text,
                        "{\"id\":\"" BASE "/keys/k/rotationpolicy\",\"lifetimeActions\":[],"
                        "\"attributes\":{}}");
    assert_int_equal(
        ask(w, "PUT /keys/k/rotationpolicy", POLICY(ROTATE(AFTER("P90D")), EXPIRY("P2Y"))), 200);
    assert_string_equal(answer_text(w, "lifetimeActions.0.action.type"), "Rotate");
    assert_string_equal(answer_text(w, "lifetimeActions.0.trigger.timeAfterCreate"), "P90D");
    assert_string_equal(answer_text(w, "attributes.expiryTime"), "P2Y");
    assert_int_equal(answer_int(w, "attributes.created"), START_S);
    hal_sim_clock_step(w->clock, 5000);
    assert_int_equal(ask(w, "PUT /keys/K/rotationpolicy", POLICY(ROTATE(AFTER("P91D")), "")), 200);
    assert_int_equal(answer_int(w, "attributes.created"), START_S);
    assert_int_equal(answer_int(w, "attributes.updated"), START_S + 5);
    assert_int_equal(ask(w, "PUT /keys/k/rotationpolicy", POLICY(ROTATE(AFTER("P1D")), "")), 400);
    assert_string_equal(answer_text(w, "error.code"), "BadParameter");
    assert_int_equal(ask(w, "GET /keys/k/rotationpolicy", NULL), 200);
    assert_string_equal(answer_text(w, "lifetimeActions.0.trigger.timeAfterCreate"), "P91D");
    assert_int_equal(
        ask(w, "PUT /keys/k/rotationpolicy", "{\"lifetimeActions\":[],\"attributes\":{}}"), 200);
    assert_int_equal(ask(w, "POST /keys/k/rotate", NULL), 409);
}

static void rotation_makes_a_version_that_expires_as_the_policy_says(void **state)
{
    struct world *w = *state;
    char first[256];
    assert_int_equal(
        ask(w, "POST /keys/k/create", "{\"kty\":\"EC\",\"crv\":\"P-384\",\"tags\":{\"a\":\"b\"}}"),
        200);
    snprintf(first, sizeof first, "%s", answer_text(w, "key.kid"));
    assert_int_equal(ask(w, "POST /keys/k/rotate", NULL), 409); /* a policy must be there */
    assert_int_equal(ask(w, "PUT /keys/k/rotationpolicy", POLICY("", EXPIRY("P90D"))), 200);
    assert_int_equal(ask(w, "POST /keys/k/rotate", NULL), 200);
    assert_string_not_equal(answer_text(w, "key.kid"), first);
    assert_string_equal(answer_text(w, "key.crv"), "P-384");
    assert_string_equal(answer_text(w, "tags.a"), "b");
    assert_int_equal(answer_int(w, "attributes.exp"), START_S + 90 * DAY);
    assert_int_equal(ask(w, "POST /keys/none/rotate", NULL), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_that_a_managed_hsm_has_are_taken),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(a_version_is_due_when_its_time_has_come),
        cmocka_unit_test_setup_teardown(a_policy_is_set_shown_and_removed, world_up, world_down),
        cmocka_unit_test_setup_teardown(rotation_makes_a_version_that_expires_as_the_policy_says,
                                        world_up, world_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
