/* The worker as a process: what it inherits, what it shows, when it goes, what crosses the socket.
 */
#include "support/test.h"
#include "support/token_bench.h"
#include "support/token_keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct test_token bench;
static struct hal_token *tok;
static struct cf_err err;

static const struct hal_key_spec p256 = { .type = HAL_EC, .curve = HAL_P256 };

static int worker_pid(void)
{
    struct hal_token_info i;
    EXPECT_OK(hal_token_info(tok, &i, &err));
    return i.worker_pid;
}

static uint32_t restarts(void)
{
    struct hal_token_info i;
    EXPECT_OK(hal_token_info(tok, &i, &err));
    return i.worker_restarts;
}

static int close_token(void **state)
{
    (void)state;
    hal_token_close(tok);
    tok = NULL;
    return 0;
}

static void open_token(uint32_t cached, uint32_t recycle)
{
    struct p11_config cfg = test_token_config(&bench);
    cfg.cached_keys = cached;
    cfg.recycle_after = recycle;
    EXPECT_OK(p11_token_open(&cfg, &tok, &err));
    test_domain(tok);
}

static size_t read_proc(int pid, const char *name, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

static void command_line_carries_no_setting_and_no_pin(void **state)
{
    (void)state;
    static const char want[] = P11_WORKER_NAME "\0" P11_WORKER_ARG "\0003";
    char got[256];
    open_token(0, 0);
    assert_int_equal(read_proc(worker_pid(), "cmdline", got, sizeof got), sizeof want);
    assert_memory_equal(got, want, sizeof want);
}

static void worker_has_none_of_the_daemons_files(void **state)
{
    (void)state;
    char mark[128], path[64], target[256];
    snprintf(mark, sizeof mark, "%s/mark", bench.dir);
    int fd = open(mark, O_CREAT | O_RDWR, 0600); /* without O_CLOEXEC */
    assert_true(fd >= 0);
    open_token(0, 0);
    snprintf(path, sizeof path, "/proc/%d/fd", worker_pid());
    DIR *d = opendir(path);
    if (!d) { /* only root looks into a process that cannot be dumped */
        print_message("  cannot look: %s\n", strerror(errno));
        close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        assert_null(strstr(target, "/mark"));
    }
    closedir(d);
    close(fd);
}

static void worker_is_gone_after_close(void **state)
{
    (void)state;
    open_token(0, 0);
    int pid = worker_pid();
    (void)close_token(NULL);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* Gone, or dead and only waiting for somebody to reap it. */
static bool is_dead(int pid)
{
    char stat[256];
    if (kill(pid, 0) != 0)
        return true;
    read_proc(pid, "stat", stat, sizeof stat);
    const char *end = strrchr(stat, ')');
    return !end || end[2] == 'Z';
}

/* A daemon of its own, in a process that can be killed. */
static int daemon_main(int out)
{
    struct p11_config cfg = test_token_config(&bench);
    struct hal_token_info i;
    struct cf_secret *pin = NULL; /* the parent's was wiped by the fork, as secrets are */
    if (cf_secret_copy(TEST_PIN, strlen(TEST_PIN), &pin, NULL) != CF_OK)
        return 1;
    cfg.pin = pin;
    if (p11_token_open(&cfg, &tok, NULL) != CF_OK || hal_token_info(tok, &i, NULL) != CF_OK ||
        write(out, &i.worker_pid, sizeof i.worker_pid) != sizeof i.worker_pid)
        return 1;
    for (;;)
        pause();
}

static void worker_dies_with_its_daemon(void **state)
{
    (void)state;
    int ends[2], pid = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t daemon = fork();
    if (daemon == 0)
        _exit(daemon_main(ends[1]));
    close(ends[1]);
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    close(ends[0]);
    assert_int_equal(kill(daemon, SIGKILL), 0);
    assert_int_equal(waitpid(daemon, NULL, 0), daemon);
    bool dead = false;
    for (int i = 0; i < 400 && !dead; i++) {
        dead = is_dead(pid);
        usleep(10000);
    }
    assert_true(dead);
}

static void worker_is_replaced_before_its_leak_grows(void **state)
{
    (void)state;
    struct test_key keys[6];
    uint8_t digest[32] = { 1 };
    open_token(2, 60);
    for (size_t i = 0; i < 6; i++)
        EXPECT_OK(test_key_make(tok, &p256, &keys[i], &err));
    int first = worker_pid();
    for (int i = 0; i < 300; i++) { /* six keys through two places: each use is an unwrap */
        struct hal_result r = { 0 };
        struct hal_op op = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
        EXPECT_OK(hal_token_user_use(tok, &keys[i % 6].key, &op, &r, &err));
        hal_result_clear(&r);
    }
    assert_true(restarts() >= 4);
    assert_int_not_equal(worker_pid(), first);
    for (size_t i = 0; i < 6; i++)
        test_key_clear(&keys[i]);
}

static void cached_keys_are_not_unwrapped_again(void **state)
{
    (void)state;
    struct test_key k;
    uint8_t digest[32] = { 1 };
    open_token(0, 0);
    EXPECT_OK(test_key_make(tok, &p256, &k, &err));
    test_token_no_rules(&bench);
    for (int i = 0; i < 20; i++) {
        struct hal_result r = { 0 };
        struct hal_op op = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
        EXPECT_OK(hal_token_user_use(tok, &k.key, &op, &r, &err));
        hal_result_clear(&r);
    }
    assert_int_equal(test_token_calls(&bench, "C_UnwrapKey"), 1);
    test_key_clear(&k);
}

static void blob_with_a_bad_mac_never_reaches_the_unwrapping(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r = { 0 };
    struct hal_op op = {
        .use = HAL_SIGN, .mech = HAL_ECDSA, .in = (const uint8_t[32]){ 0 }, .in_len = 32
    };
    open_token(0, 0);
    EXPECT_OK(test_key_make(tok, &p256, &k, &err));
    k.key.bound_mac[5] ^= 1;
    test_token_no_rules(&bench);
    EXPECT_RC(CF_E_AUTH, hal_token_user_use(tok, &k.key, &op, &r, &err));
    EXPECT_RC(CF_E_AUTH, hal_token_user_check(tok, &k.key, &err));
    assert_int_equal(test_token_calls(&bench, "C_UnwrapKey"), 0);
    test_key_clear(&k);
}

#if CF_DEBUG_RECORDERS
static struct cf_buf seen;

static void record(void *arg, const void *p, size_t n)
{
    (void)arg;
    assert_int_equal(cf_buf_put(&seen, p, n, NULL), CF_OK);
}

/* No eight bytes in a row of the material came back. */
static void expect_unseen(const uint8_t *material, size_t len)
{
    for (size_t i = 0; i + 8 <= len; i++)
        assert_null(memmem(seen.data, seen.len, material + i, 8));
}

static void use_in_every_way(const struct test_key *k)
{
    static const struct hal_op ops[] = {
        { .use = HAL_ENCRYPT,
          .mech = HAL_AES_GCM,
          .in = (const uint8_t *)"0123456789abcdef",
          .in_len = 16 },
        { .use = HAL_WRAP,
          .mech = HAL_AES_KW,
          .in = (const uint8_t *)"0123456789abcdef",
          .in_len = 16 },
        { .use = HAL_SIGN,
          .mech = HAL_HMAC,
          .hash = HAL_SHA256,
          .in = (const uint8_t *)"m",
          .in_len = 1 },
        { .use = HAL_SIGN,
          .mech = HAL_ECDSA,
          .in = (const uint8_t *)"0123456789abcdef0123456789abcdef",
          .in_len = 32 },
    };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct hal_result r = { 0 };
        (void)!hal_token_user_use(tok, &k->key, &ops[i], &r, NULL);
        hal_result_clear(&r);
    }
    EXPECT_OK(hal_token_user_check(tok, &k->key, &err));
}

/* The private scalar lies behind the version of ECPrivateKey: 02 01 01 04 20. */
static const uint8_t *scalar_of(const struct cf_buf *der)
{
    static const uint8_t head[] = { 0x02, 0x01, 0x01, 0x04, 0x20 };
    const uint8_t *p = memmem(der->data, der->len, head, sizeof head);
    assert_non_null(p);
    return p + sizeof head;
}

static void no_key_material_ever_comes_back_from_the_worker(void **state)
{
    (void)state;
    uint8_t material[32];
    struct cf_buf der = { 0 };
    struct test_key k;
    for (size_t i = 0; i < sizeof material; i++)
        material[i] = (uint8_t)(31 * i + 17);
    open_token(0, 0);
    p11_token_record_answers(tok, record, NULL);
    const struct hal_key_spec aes256 = { .type = HAL_OCT, .bits = 256 };
    EXPECT_OK(test_key_import(tok, &aes256, crypto_bytes_of(material, 32), &k, &err));
    use_in_every_way(&k);
    test_key_clear(&k);
    test_pkcs8(&p256, &der);
    EXPECT_OK(test_key_import(tok, &p256, crypto_bytes_of(der.data, der.len), &k, &err));
    use_in_every_way(&k);
    test_key_clear(&k);
    test_domain(tok);
    p11_token_record_answers(tok, NULL, NULL);
    assert_true(seen.len > 500);
    expect_unseen(material, sizeof material);
    expect_unseen(scalar_of(&der), 32);
    expect_unseen(test_kek, sizeof test_kek);
    expect_unseen(test_mk, sizeof test_mk);
    expect_unseen(test_bk, sizeof test_bk);
    cf_buf_clear(&seen);
    cf_buf_clear(&der);
}
#endif

int main(int argc, char **argv)
{
    test_token_begin(&bench, argc, argv);
    test_token_use_shim(&bench);
#define TEST(f) cmocka_unit_test_teardown(f, close_token)
    const struct CMUnitTest tests[] = {
        TEST(command_line_carries_no_setting_and_no_pin),
        TEST(worker_has_none_of_the_daemons_files),
        TEST(worker_is_gone_after_close),
        TEST(worker_dies_with_its_daemon),
        TEST(worker_is_replaced_before_its_leak_grows),
        TEST(cached_keys_are_not_unwrapped_again),
        TEST(blob_with_a_bad_mac_never_reaches_the_unwrapping),
#if CF_DEBUG_RECORDERS
        TEST(no_key_material_ever_comes_back_from_the_worker),
#endif
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_token_end(&bench);
    return failed;
}
