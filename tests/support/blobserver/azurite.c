/* include/support/azurite.h */
#include "support/azurite.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blobserver.h"

/* A port that was free a moment ago. */
static unsigned free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        a.sin_port = 0;
    if (fd >= 0)
        close(fd);
    return ntohs(a.sin_port);
}

static void become_azurite(const char *program, const char *dir, unsigned port)
{
    char number[16];
    snprintf(number, sizeof number, "%u", port);
    if (freopen("/dev/null", "w", stdout) == NULL)
        _exit(127);
    execlp(program, program, "--silent", "--skipApiVersionCheck", "--disableTelemetry",
           "--blobHost", "127.0.0.1", "--blobPort", number, "--location", dir, (char *)NULL);
    _exit(127);
}

/* Makes the container with the account key's own SAS; tries until the emulator listens. */
static bool make_container(struct test_azurite *a, unsigned port)
{
    char command[1024], sas[512];
    test_blobserver_account_sas("rwdlacup", "60", TEST_ACCOUNT_KEY, sas);
    snprintf(a->url, sizeof a->url, "http://127.0.0.1:%u/devstoreaccount1/coffer", port);
    snprintf(command, sizeof command,
             "curl -s -f -o /dev/null -X PUT -H 'Content-Length: 0' '%s?restype=container&%s'",
             a->url, sas);
    for (int i = 0; i < 600; i++) {
        if (system(command) == 0)
            return true;
        if (waitpid(a->pid, NULL, WNOHANG) == a->pid) { /* somebody else has the port by now */
            a->pid = 0;
            return false;
        }
        usleep(100000);
    }
    return false;
}

static bool start_at(struct test_azurite *a, const char *program, unsigned port)
{
    a->pid = fork();
    if (a->pid == 0)
        become_azurite(program, a->dir, port);
    return a->pid > 0 && make_container(a, port);
}

int test_azurite_start(struct test_azurite *a)
{
    const char *program = getenv("AZURITE");
    *a = (struct test_azurite){ .dir = "/tmp/coffer-azurite-XXXXXX" };
    if (program == NULL || program[0] == '\0' || access(program, X_OK) != 0) {
        fprintf(stderr, "SKIPPED: AZURITE names no program (npm package azurite, azurite-blob)\n");
        return TEST_SKIPPED;
    }
    if (mkdtemp(a->dir) == NULL)
        return 1;
    for (int tries = 0; tries < 3; tries++) {
        unsigned port = free_port();
        if (port != 0 && start_at(a, program, port))
            return 0;
        if (a->pid > 0)
            break;
    }
    fprintf(stderr, "azurite does not answer\n");
    test_azurite_stop(a);
    return 1;
}

void test_azurite_stop(struct test_azurite *a)
{
    char command[128];
    if (a->pid <= 0)
        return;
    kill(a->pid, SIGTERM);
    waitpid(a->pid, NULL, 0);
    a->pid = 0;
    snprintf(command, sizeof command, "rm -rf %s", a->dir);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", a->dir);
}
