#include "client/client_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER_FD      3
#define WORKER_FD_TEXT "3"

extern char **environ;

static int put_actions(posix_spawn_file_actions_t *a, int fd)
{
    int r = posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0);
    r = r ? r : posix_spawn_file_actions_addopen(a, 1, "/dev/null", O_WRONLY, 0);
    r = r ? r : posix_spawn_file_actions_adddup2(a, fd, WORKER_FD);
    return r ? r : posix_spawn_file_actions_addclosefrom_np(a, WORKER_FD + 1);
}

/* A process group of its own, so that a signal to the daemon's terminal does not take the worker
 * first. Not a session: a kernel with autogroups would share the cores out between daemon and
 * worker, and a worker that wakes for each signature waits there for tenths of a second while the
 * daemon's transfer threads run. No blocked or ignored signals are handed down. */
static int put_attributes(posix_spawnattr_t *a)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int r = posix_spawnattr_setpgroup(a, 0);
    r = r ? r : posix_spawnattr_setsigmask(a, &none);
    r = r ? r : posix_spawnattr_setsigdefault(a, &all);
    return r ? r
             : posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETSIGDEF);
}

static int spawn(const char *path, int fd, pid_t *pid)
{
    char name[] = P11_WORKER_NAME;
    char arg[] = P11_WORKER_ARG;
    char number[] = WORKER_FD_TEXT;
    char *argv[] = { name, arg, number, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attrs;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attrs);
    int r = put_actions(&actions, fd);
    r = r ? r : put_attributes(&attrs);
    r = r ? r : posix_spawn(pid, path, &actions, &attrs, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attrs);
    return r;
}

/* Both ends must hold the largest message; the kernel gives at most twice net.core.wmem_max. */
static int make_pair(int ends[2])
{
    const int room = 2 * P11_PACKET_MAX;
    int r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
    for (int i = 0; r == 0 && i < 2; i++)
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    return r;
}

enum cf_rc p11_worker_spawn(struct p11_worker *w, const char *path, struct cf_err *e)
{
    int ends[2];
    if (make_pair(ends) != 0)
        return CF_FAIL_ERRNO(e, CF_E_TOKEN, "no socket for the token worker");
    int r = spawn(path, ends[1], &w->pid);
    close(ends[1]);
    w->fd = ends[0];
    w->gone_fd = r == 0 ? pidfd_open(w->pid, 0) : -1;
    if (r == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        return CF_OK;
    if (r == 0) {
        (void)p11_worker_stop(w, 0);
    } else {
        close(ends[0]);
    }
    w->pid = 0;
    errno = r ? r : errno;
    return CF_FAIL_ERRNO(e, CF_E_TOKEN, "cannot start the token worker %s", path);
}

/* The group's number is not free before its leader is reaped, so nobody else is hit. */
static void wait_for_end(const struct p11_worker *w, int grace_ms)
{
    struct pollfd p = { .fd = w->gone_fd, .events = POLLIN };
    if (w->gone_fd < 0 || grace_ms == 0 || poll(&p, 1, grace_ms) != 1)
        (void)kill(w->pid, SIGKILL);
    (void)kill(-w->pid, SIGKILL);
}

int p11_worker_stop(struct p11_worker *w, int grace_ms)
{
    int status = -1;
    if (w->pid <= 0)
        return status;
    close(w->fd);
    wait_for_end(w, grace_ms);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (w->gone_fd >= 0)
        close(w->gone_fd);
    w->pid = 0;
    w->fd = w->gone_fd = -1;
    return status;
}
