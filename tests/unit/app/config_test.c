#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "config.h"

static struct cf_err err;
static char path[64];
static struct app_config config;

#define WHOLE                                                                                      \
    "server: { certificate = \"/c\"; key = \"/k\"; socket = \"/s\"; port = 9443; };\n"             \
    "token: { module = \"/m.so\"; uri = \"pkcs11:token=t\"; };\n"                                  \
    "partition: { config = \"/cfg\"; keystore = \"/ks\"; audit = \"/a\"; };\n"

static enum cf_rc load(const char *text, const char *set)
{
    memset(&err, 0, sizeof err);
    enum cf_rc rc = cf_file_write(path, 0600, text, strlen(text), &err);
    return rc == CF_OK ? app_config_load(path, &set, set ? 1 : 0, &config, &err) : rc;
}

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/coffer-config-%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void a_whole_file_gives_its_values_and_the_defaults(void **state)
{
    (void)state;
    EXPECT_OK(load(
        WHOLE "storage: { dir_roots = [\"/media\"]; };\n"
              "raw = ( { name = \"data\"; file = \"/d\"; }, { name = \"x2\"; file = \"/e\"; } );\n",
        NULL));
    assert_int_equal(config.port, 9443);
    assert_string_equal(config.token_module, "/m.so");
    assert_string_equal(config.domain, "coffer.test");
    assert_int_equal(config.raw_count, 2);
    assert_string_equal(config.raw[1].name, "x2");
    assert_string_equal(config.dir_root[0], "/media");
    assert_true(config.min_backup_age_s == CONFIG_AGE_OF_BOARD);
}

static void the_environment_and_then_set_override_the_file(void **state)
{
    (void)state;
    assert_int_equal(setenv("COFFER_SERVER_PORT", "10443", 1), 0);
    EXPECT_OK(load(WHOLE, NULL));
    assert_int_equal(config.port, 10443);
    EXPECT_OK(load(WHOLE, "server.port=11443"));
    assert_int_equal(config.port, 11443);
    EXPECT_OK(load(WHOLE, "restore.min_backup_age=1800"));
    assert_int_equal(config.min_backup_age_s, 1800);
    unsetenv("COFFER_SERVER_PORT");
}

static void whatever_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *set, *says;
    } bad[] = {
        { WHOLE "server2: { port = 1; };", NULL, "server2.port" },
        { WHOLE "log: { levle = \"info\"; };", NULL, "log.levle" },
        { WHOLE "log: { level = \"loud\"; };", NULL, "log.level" },
        { WHOLE, "server.port=65536", "server.port" },
        { WHOLE, "server.port=-1", "server.port" },
        { WHOLE, "server.nothing=1", "server.nothing=1" },
        { WHOLE, "serverport", "serverport" },
        { WHOLE "identity: { tenant = \"me\"; };", NULL, "identity.tenant" },
        { WHOLE "raw = ( { name = \"UPPER\"; file = \"/d\"; } );", NULL, "line 4" },
        { WHOLE "raw = ( { name = \"d\"; file = \"/d\"; }, { name = \"d\"; file = \"/e\"; } );",
          NULL, "twice" },
        { WHOLE "storage: { dir_roots = [\"relative\"]; };", NULL, "absolute" },
        { "token: { module = \"/m\"; };", NULL, "server.certificate is not set" },
        { "server: { port = ", NULL, "line 1" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enum cf_rc rc = load(bad[i].text, bad[i].set);
        print_message("  %s\n", err.text);
        assert_int_equal(rc, CF_E_INPUT);
        assert_non_null(strstr(err.text, bad[i].says));
    }
    assert_int_equal(app_config_load("/nonexistent/f", NULL, 0, &config, NULL), CF_E_IO);
}

static void an_identity_is_judged_whole(void **state)
{
    static const struct {
        const char *set, *word;
    } bad[] = {
        { "storage: { managed_identity = \"azure\"; };\n", "imds" },
        { "storage: { proxy = \"proxy.example:3128\"; };\n", "http://HOST:PORT" },
        { "storage: { proxy = \"http://user:x@proxy.example:3128\"; };\n", "without user" },
        { "storage: { service_version = \"2019-07-07\"; };\n", "2019-12-12 or later" },
        { "storage: { service_version = \"2020-10-2\"; };\n", "a date" },
        { "storage: { service_version = \"2020-10-02x\"; };\n", "a date" },
        { "storage: { managed_identity = \"app-service\"; };\n", "identity_header_file" },
        { "storage: { managed_identity = \"imds\"; identity_client_id = \"a\"; "
          "identity_resource_id = \"b\"; };\n",
          "give one" },
        { "storage: { managed_identity = \"arc\"; identity_client_id = \"a\"; };\n", "Arc" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", WHOLE, bad[i].set);
        EXPECT_RC(CF_E_INPUT, load(text, NULL));
        assert_non_null(strstr(err.text, bad[i].word));
    }
    EXPECT_OK(load(WHOLE "storage: { managed_identity = \"arc\"; };\n", NULL));
    assert_string_equal(config.managed_identity, "arc");
    EXPECT_OK(load(WHOLE "storage: { proxy = \"http://proxy.example:3128\"; };\n", NULL));
    EXPECT_OK(load(WHOLE "storage: { service_version = \"2020-10-02\"; };\n", NULL));
}

static void a_schedule_is_judged_with_what_it_needs(void **state)
{
    (void)state;
    static const struct {
        const char *backup, *why; /* NULL: fine */
    } cases[] = {
        { "schedule = \"\";", NULL },
        { "schedule = \"daily 02:30\"; storage = \"https://a.b/c\"; keep_last = 3;", NULL },
        { "schedule = \"every 6h\"; storage = \"dir:/media/b\"; jitter_s = 3600;", NULL },
        { "schedule = \"hourly\"; storage = \"dir:/media/b\";", "backup.schedule" },
        { "schedule = \"daily 02:30\";", "backup.storage" },
        { "schedule = \"daily 02:30\"; storage = \"/media/b\";", "backup.storage" },
        { "schedule = \"daily 02:30\"; storage = \"https://a.b/c?sig=x\";", "backup.sas_file" },
        { "schedule = \"every 5m\"; storage = \"dir:/media/b\"; jitter_s = 200;", "jitter_s" },
        { "verify = 2;", "backup.verify" },
        { "keep_hourly = 2;", "backup.keep_hourly" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%sbackup: { %s };\n", WHOLE, cases[i].backup);
        assert_int_equal(load(text, NULL), cases[i].why ? CF_E_INPUT : CF_OK);
        assert_non_null(strstr(err.text, cases[i].why ? cases[i].why : ""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_gives_its_values_and_the_defaults),
        cmocka_unit_test(the_environment_and_then_set_override_the_file),
        cmocka_unit_test(whatever_is_wrong_is_named),
        cmocka_unit_test(an_identity_is_judged_whole),
        cmocka_unit_test(a_schedule_is_judged_with_what_it_needs),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
