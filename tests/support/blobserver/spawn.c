/* The test's side: include/support/blobserver.h. */
#include "support/blobserver.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ARGS_MAX 32

extern char **environ;

static const char program[] = CF_BUILD_BIN "/coffer-blobserver";

/* Starts the program with its output in a pipe; the two ends that stay here are returned. */
static pid_t start(const char *const *args, int *to, int *from)
{
    int in[2], out[2];
    pid_t pid = -1;
    char *argv[ARGS_MAX + 1] = { strdup(program) };
    size_t n = 1;
    for (; args != NULL && *args != NULL && n < ARGS_MAX; args++)
        argv[n++] = strdup(*args);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_t acts;
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_adddup2(&acts, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&acts, out[1], STDOUT_FILENO);
    int rc = posix_spawn(&pid, program, &acts, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&acts);
    close(in[0]);
    close(out[1]);
    while (n > 0)
        free(argv[--n]);
    *to = in[1];
    *from = out[0];
    assert_int_equal(rc, 0);
    return pid;
}

/* One line of its output, without the line feed. */
static void read_line(int fd, char *line, size_t cap)
{
    size_t n = 0;
    char c = 0;
    while (n + 1 < cap && read(fd, &c, 1) == 1 && c != '\n')
        line[n++] = c;
    line[n] = '\0';
    close(fd);
}

void test_blobserver_start(struct test_blobserver *s, const char *const *args)
{
    const char *all[ARGS_MAX] = { "--with-parent" };
    bool tls = false;
    size_t n = 1;
    for (; args != NULL && *args != NULL && n + 1 < ARGS_MAX; args++) {
        tls = tls || strncmp(*args, "--tls", 5) == 0;
        all[n++] = *args;
    }
    int from;
    char line[64];
    *s = (struct test_blobserver){ 0 };
    s->pid = start(all, &s->lifeline, &from);
    read_line(from, line, sizeof line);
    assert_int_equal(strncmp(line, "PORT=", 5), 0);
    s->port = (unsigned)strtoul(line + 5, NULL, 10);
    snprintf(s->root, sizeof s->root, "%s://127.0.0.1:%u", tls ? "https" : "http", s->port);
    snprintf(s->url, sizeof s->url, "%s/devstoreaccount1/coffer", s->root);
}

void test_blobserver_stop(struct test_blobserver *s)
{
    int status = -1;
    if (s->pid <= 0)
        return;
    close(s->lifeline);
    kill(s->pid, SIGTERM);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(status, 0);
    s->pid = 0;
}

/* A bare HTTP exchange, so that a fault of the client under test cannot hide here. */
static void exchange(const struct test_blobserver *s, const char *method, const char *path,
                     const char *body, char *answer, size_t cap)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)s->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char head[256];
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    int n =
        snprintf(head, sizeof head,
                 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                 method, path, strlen(body));
    assert_int_equal(write(fd, head, (size_t)n), n);
    assert_int_equal(write(fd, body, strlen(body)), strlen(body));
    for (ssize_t got = 1; got > 0 && len + 1 < cap; len += got > 0 ? (size_t)got : 0)
        got = read(fd, answer + len, cap - 1 - len);
    answer[len] = '\0';
    close(fd);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
}

void test_blobserver_fault(const struct test_blobserver *s, const char *rules)
{
    char answer[1024];
    exchange(s, "POST", "/_fault", rules, answer, sizeof answer);
}

void test_blobserver_no_faults(const struct test_blobserver *s)
{
    char answer[1024];
    exchange(s, "DELETE", "/_fault", "", answer, sizeof answer);
}

uint64_t test_blobserver_stat(const struct test_blobserver *s, const char *name)
{
    char answer[16384], key[64];
    exchange(s, "GET", "/_stats", "", answer, sizeof answer);
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(answer, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

void test_blobserver_no_stats(const struct test_blobserver *s)
{
    char answer[1024];
    exchange(s, "DELETE", "/_stats", "", answer, sizeof answer);
}

static void make_sas(const char *const *args, char out[512])
{
    int to, from, status;
    pid_t pid = start(args, &to, &from);
    read_line(from, out, 512);
    close(to);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

void test_blobserver_sas(const char *sp, const char *minutes, const char *key, char out[512])
{
    const char *const args[] = {
        "--make-sas", sp, "--minutes", minutes, key != NULL ? "--account-key" : NULL, key, NULL
    };
    make_sas(args, out);
}

void test_blobserver_account_sas(const char *sp, const char *minutes, const char *key,
                                 char out[512])
{
    const char *const args[] = { "--account-sas",
                                 "--make-sas",
                                 sp,
                                 "--minutes",
                                 minutes,
                                 key != NULL ? "--account-key" : NULL,
                                 key,
                                 NULL };
    make_sas(args, out);
}
