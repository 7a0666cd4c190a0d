#include "support/token_bench.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "support/scratch.h"

extern char **environ;

static void die(const char *what)
{
    fprintf(stderr, "token bench: %s\n", what);
    abort();
}

static void make_path(char *out, size_t size, const char *dir, const char *name)
{
    if (snprintf(out, size, "%s/%s", dir, name) >= (int)size)
        die("path too long");
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        die(path);
}

static void run(const char *const *argv)
{
    pid_t pid;
    int status;
    posix_spawn_file_actions_t quiet;
    char *args[16] = { NULL };
    for (size_t i = 0; i < 15 && argv[i]; i++)
        args[i] = strdup(argv[i]);
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, args[0], &quiet, NULL, args, environ) != 0 ||
        waitpid(pid, &status, 0) != pid || status != 0)
        die(argv[0]);
    posix_spawn_file_actions_destroy(&quiet);
    for (size_t i = 0; args[i]; i++)
        free(args[i]);
}

static void make_softhsm(struct test_token *t)
{
    char conf[128];
    char store[128];
    char text[256];
    make_path(store, sizeof store, t->dir, "tokens");
    make_path(conf, sizeof conf, t->dir, "softhsm2.conf");
    if (mkdir(store, 0700) != 0)
        die("cannot make the token store");
    snprintf(text, sizeof text,
             "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", store);
    write_text(conf, text);
    setenv("SOFTHSM2_CONF", conf, 1);
    const char *const init[] = {
        "softhsm2-util", "--init-token", "--free",   "--label",      "coffer-test",
        "--pin",         TEST_PIN,       "--so-pin", "so-" TEST_PIN, NULL
    };
    run(init);
    snprintf(t->module, sizeof t->module, "%s", TEST_SOFTHSM);
    snprintf(t->uri, sizeof t->uri, "pkcs11:token=coffer-test");
    if (cf_secret_copy(TEST_PIN, strlen(TEST_PIN), &t->pin, NULL) != CF_OK)
        die("no memory for the PIN");
}

static void make_nss(struct test_token *t)
{
    char db[128];
    void *softokn = dlopen("libsoftokn3.so", RTLD_NOW | RTLD_LOCAL);
    if (!softokn) {
        printf("skipped: %s\n", dlerror());
        exit(77);
    }
    dlclose(softokn);
    make_path(db, sizeof db, t->dir, "nss");
    if (mkdir(db, 0700) != 0)
        die("cannot make the NSS database");
    setenv("COFFER_NSS_DIR", db, 1);
    setenv("COFFER_NSS_PIN", TEST_PIN, 1);
    make_path(t->module, sizeof t->module, CF_BUILD_BIN, "../tests/libcoffer_nss.so");
    snprintf(t->uri, sizeof t->uri, "pkcs11:token=NSS%%20Certificate%%20DB");
    if (cf_secret_copy(TEST_PIN, strlen(TEST_PIN), &t->pin, NULL) != CF_OK)
        die("no memory for the PIN");
}

static void read_pin(struct test_token *t, const char *path)
{
    struct cf_buf b = { 0 };
    if (cf_file_read(path, 256, &b, NULL) != CF_OK)
        die("cannot read the PIN file");
    while (b.len && (b.data[b.len - 1] == '\n' || b.data[b.len - 1] == '\r'))
        b.len--;
    if (b.len && cf_secret_copy(b.data, b.len, &t->pin, NULL) != CF_OK)
        die("no memory for the PIN");
    cf_buf_clear(&b);
}

static void make_place(struct test_token *t)
{
    *t = (struct test_token){ .dir = "" };
    scratch_make(t->dir);
    make_path(t->counter, sizeof t->counter, t->dir, "pin-counter");
}

void test_token_softhsm(struct test_token *t)
{
    make_place(t);
    make_softhsm(t);
}

void test_token_nss(struct test_token *t)
{
    make_place(t);
    make_nss(t);
}

void test_token_begin(struct test_token *t, int argc, char **argv)
{
    int fd;
    if (p11_worker_asked(argc, argv, &fd))
        _exit(p11_worker_main(fd));
    make_place(t);
    if (argc == 2 && strcmp(argv[1], "--nss") == 0)
        make_nss(t);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--module") == 0)
            snprintf(t->module, sizeof t->module, "%s", argv[i + 1]);
        else if (strcmp(argv[i], "--token-uri") == 0)
            snprintf(t->uri, sizeof t->uri, "%s", argv[i + 1]);
        else if (strcmp(argv[i], "--pin-file") == 0)
            read_pin(t, argv[i + 1]);
        else
            die("arguments are --nss or --module PATH --token-uri URI --pin-file FILE");
    }
    if (!t->module[0])
        make_softhsm(t);
}

void test_token_end(struct test_token *t)
{
    scratch_remove(t->dir);
    cf_secret_free(t->pin);
    *t = (struct test_token){ .dir = "" };
}

struct p11_config test_token_config(const struct test_token *t)
{
    return (struct p11_config){
        .module = t->module, .token_uri = t->uri, .pin = t->pin, .pin_counter = t->counter
    };
}

void test_token_use_shim(struct test_token *t)
{
    char rules[128];
    char log[128];
    make_path(rules, sizeof rules, t->dir, "rules");
    make_path(log, sizeof log, t->dir, "calls");
    if (mkdir(rules, 0700) != 0)
        die("cannot make the rules' directory");
    write_text(log, "");
    setenv("COFFER_SHIM_RULES", rules, 1);
    setenv("COFFER_SHIM_LOG", log, 1);
    setenv("COFFER_SHIM_MODULE", t->module, 1);
    make_path(t->module, sizeof t->module, CF_BUILD_BIN, "../tests/libcoffer_shim.so");
}

void test_token_rule(const struct test_token *t, const char *name, const char *text)
{
    char path[256];
    char next[256];
    snprintf(path, sizeof path, "%s/rules/%s", t->dir, name);
    if (!text) {
        (void)unlink(path);
        return;
    }
    snprintf(next, sizeof next, "%s/next-rule", t->dir);
    write_text(next, text);
    if (rename(next, path) != 0)
        die("cannot set the rule");
}

unsigned test_token_calls(const struct test_token *t, const char *function)
{
    char path[128];
    char line[128];
    unsigned n = 0;
    make_path(path, sizeof path, t->dir, "calls");
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        n += strcmp(line, function) == 0;
    }
    if (f)
        fclose(f);
    return n;
}

void test_token_no_rules(const struct test_token *t)
{
    char path[512];
    char log[128];
    make_path(path, sizeof path, t->dir, "rules");
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            test_token_rule(t, e->d_name, NULL);
    if (d)
        closedir(d);
    make_path(log, sizeof log, t->dir, "calls");
    write_text(log, "");
}
