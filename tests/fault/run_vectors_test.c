/* Full restores of the independent writer's folders (tests/vectors/backup-v1): the golden ones come
 * back byte for byte, and each negative case is refused with its class and changes nothing. */
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "support/fake_token.h"
#include "support/run_expect.h"
#include "support/scratch.h"
#include "support/vectors.h"

static const char *const part_names[] = { "boot", "data", "spare" };

struct fixture {
    struct run_bench b;
    struct cf_buf second;
    uint64_t sizes[3];
    int log;
};

static void import(struct fixture *f, struct vectors *v, enum hal_role role, const char *name,
                   uint32_t g)
{
    struct hal_key_name k = { .role = role, .generation = g };
    char line[32];
    uint8_t bytes[32];
    struct cf_secret *value = NULL;
    memcpy(k.domain_id, f->b.kb.options.domain_id, sizeof k.domain_id);
    snprintf(line, sizeof line, "%s.%u", name, g);
    vectors_fixed(v, line, bytes, sizeof bytes);
    assert_int_equal(cf_secret_copy(bytes, sizeof bytes, &value, NULL), CF_OK);
    assert_int_equal(hal_token_key_import(f->b.kb.token, &k, value, NULL), CF_OK);
    cf_secret_free(value);
}

/* The bench's appliance joins the vectors' domain. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct vectors v;
    char path[256];
    vectors_read(&v, "backup-v1/domain.txt");
    vectors_bytes(&v, "second_spki", &f->second);
    for (size_t i = 0; i < 3; i++) {
        struct stat st;
        snprintf(path, sizeof path, "%s/backup-v1/partitions/%s.img", CF_VECTORS, part_names[i]);
        assert_int_equal(stat(path, &st), 0);
        f->sizes[i] = (uint64_t)st.st_size;
    }
    struct run_bench_options o = { .partitions = 3,
                                   .names = part_names,
                                   .sizes = f->sizes,
                                   .run = { .threads = 1,
                                            .connections = 2,
                                            .attempts = 1,
                                            .signers = &f->second,
                                            .signer_count = 1 } };
    run_bench_open(&f->b, &o);
    vectors_fixed(&v, "domain_id", f->b.kb.options.domain_id, HAL_DOMAIN_ID_SIZE);
    for (uint32_t g = 1; g <= 2; g++) {
        import(f, &v, HAL_ROLE_BK, "bk", g);
        import(f, &v, HAL_ROLE_KEK, "kek", g);
        import(f, &v, HAL_ROLE_MK, "mk", g);
    }
    f->b.kb.options.generation[0] = 2;
    f->b.kb.options.generation[1] = 1;
    f->b.kb.options.generations = 2;
    vectors_clear(&v);
    run_bench_restart(&f->b);
    snprintf(path, sizeof path, "%s/log", f->b.dir);
    f->log = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cf_log_setup(CF_LOG_INFO, f->log);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cf_log_setup(CF_LOG_INFO, STDERR_FILENO);
    close(f->log);
    run_bench_close(&f->b);
    cf_buf_clear(&f->second);
    free(f);
    return 0;
}

/* The class of the last job's end, as the log has it: "ok", "auth", .. */
static void last_class(struct fixture *f, char out[32], char text[512])
{
    static char log[65536];
    ssize_t n = pread(f->log, log, sizeof log - 1, 0);
    assert_true(n > 0);
    log[n] = 0;
    char *at = NULL;
    for (char *p = log; (p = strstr(p, "job-end")); p++)
        at = p;
    assert_non_null(at);
    at = strstr(at, "rc=") + 3;
    snprintf(out, 32, "%.*s", (int)strcspn(at, " "), at);
    at = strstr(at, "where=");
    snprintf(text, 512, "%.*s", (int)strcspn(at, "\n"), at);
    assert_int_equal(ftruncate(f->log, 0), 0);
    assert_int_equal(lseek(f->log, 0, SEEK_SET), 0);
}

static void take_folder(struct fixture *f, const char *name, const char *folder)
{
    struct vectors v;
    char path[128];
    snprintf(path, sizeof path, "backup-v1/%s/values.txt", name);
    vectors_read(&v, path);
    scratch_shell("rm -rf '%s/blobs'/* && cp -r '%s/backup-v1/%s/%s' '%s/blobs/%s'", f->b.dir,
                  CF_VECTORS, name, vectors_text(&v, "folder"), f->b.dir,
                  folder ? folder : vectors_text(&v, "folder"));
    vectors_clear(&v);
}

static void folder_of(const char *name, char out[64])
{
    struct vectors v;
    char path[128];
    snprintf(path, sizeof path, "backup-v1/%s/values.txt", name);
    vectors_read(&v, path);
    snprintf(out, 64, "%s", vectors_text(&v, "folder"));
    vectors_clear(&v);
}

static void golden_folders_come_back_byte_for_byte(void **state)
{
    static const char *const names[] = { "layout0", "layout1", "empty", "hundred", "generations" };
    struct fixture *f = *state;
    for (size_t i = 0; i < 5; i++) {
        struct jobs_record r;
        char folder[64], rc[32], text[512];
        folder_of(names[i], folder);
        take_folder(f, names[i], NULL);
        run_bench_verify(&f->b, folder, &r);
        expect_done(&r);
        run_bench_restore(&f->b, folder, &r);
        last_class(f, rc, text);
        print_message("  %s: %s %s\n", names[i], rc, text);
        expect_done(&r);
        for (size_t p = 0; i < 2 && p < 3; p++)
            scratch_shell("cmp '%s' '%s/backup-v1/partitions/%s.img'", run_bench_part(&f->b, p),
                          CF_VECTORS, part_names[p]);
    }
}

/* --- negative cases
 * -------------------------------------------------------------------------------- */

struct change {
    struct fixture *f;
    const char *folder;
};

static void apply(void *ctx, const char *name, const char *value)
{
    const struct change *c = ctx;
    char verb[16], blob[256], path[512];
    unsigned long offset = 0;
    int n = sscanf(name, "%15s %255s %lu", verb, blob, &offset);
    if (n < 2)
        return;
    size_t len = strlen(value) / 2;
    uint8_t *bytes = malloc(len + 1);
    snprintf(path, sizeof path, "%s", run_bench_blob(&c->f->b, c->folder, blob));
    if (strcmp(verb, "del") == 0) {
        assert_int_equal(unlink(path), 0);
    } else if (strcmp(verb, "cut") == 0) {
        assert_int_equal(truncate(path, strtol(value, NULL, 10)), 0);
    } else {
        bool put = strcmp(verb, "put") == 0;
        assert_int_equal(cf_unhex(value, bytes, len, NULL), CF_OK);
        int fd = open(path, O_WRONLY | (put ? O_CREAT | O_TRUNC : 0), 0600);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), (ssize_t)len);
        close(fd);
    }
    free(bytes);
}

static bool class_fits(const char *want, const char *got)
{
    if (strcmp(want, "missing") == 0)
        return strcmp(got, "absent") == 0;
    return strcmp(want, got) == 0;
}

static bool refused(struct fixture *f, const char *file)
{
    struct vectors v;
    struct jobs_record r;
    char path[256], folder[64], rc[32], text[512];
    snprintf(path, sizeof path, "backup-v1/negative/%s", file);
    vectors_read(&v, path);
    const char *base = vectors_text(&v, "base");
    folder_of(base, folder);
    if (vectors_has(&v, "folder"))
        snprintf(folder, sizeof folder, "%s", vectors_text(&v, "folder"));
    take_folder(f, base, folder);
    struct change c = { .f = f, .folder = folder };
    vectors_each(&v, apply, &c);
    bool good = true;
    for (int restore = 0; good && restore < 2; restore++) {
        if (restore)
            run_bench_restore(&f->b, folder, &r);
        else
            run_bench_verify(&f->b, folder, &r);
        last_class(f, rc, text);
        good = r.state == JOBS_FAILED && class_fits(vectors_text(&v, "expect"), rc);
    }
    if (!good)
        print_message("  %s: wanted %s, got %s %s\n", file, vectors_text(&v, "expect"), rc, text);
    vectors_clear(&v);
    return good;
}

static void every_negative_case_is_refused_with_its_class_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t before[32];
    char path[256];
    size_t bad = 0, all = 0;
    run_bench_state(&f->b, before);
    snprintf(path, sizeof path, "%s/backup-v1/negative", CF_VECTORS);
    struct dirent **list = NULL;
    int n = scandir(path, &list, NULL, alphasort);
    assert_true(n > 100);
    for (int i = 0; i < n; i++) {
        if (strstr(list[i]->d_name, ".txt")) {
            all++;
            bad += !refused(f, list[i]->d_name);
        }
        free(list[i]);
    }
    free(list);
    expect_same(&f->b, before);
    print_message("  %zu cases, %zu with another class\n", all, bad);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(golden_folders_come_back_byte_for_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            every_negative_case_is_refused_with_its_class_and_changes_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
