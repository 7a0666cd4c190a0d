/* Backup, restore, restore of one key, verification, against every way in which a storage and the
 * way to it are known to fail: each succeeds in the end, or fails with the right error in bounded
 * time and requests; nothing is lost, nothing is left running, and the next job works. */
#include "scenario.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "support/fake_token.h"

/* The probe's, a record stream's, a partition's and the manifest's requests, each kind once. */
#define AT(op, blob, action) "op=" op " blob=" blob " action=" action "\n"
#define EVERY_BLOCK(a)                                                                             \
    AT("PutBlock", "/probe", a) AT("PutBlock", "/s0", a) "op=PutBlock blob=/s2 nth=2 action=" a "\n"
#define EVERY_LIST(a)                                                                              \
    AT("PutBlockList", "/probe", a)                                                                \
    AT("PutBlockList", "/s0", a) AT("PutBlockList", "/s2", a)
#define EVERY_LOOK(a)                                                                              \
    AT("HeadBlob", "/probe", a)                                                                    \
    AT("HeadBlob", "/s0", a) AT("HeadBlob", "/s2", a) AT("HeadBlob", "/meta", a)
#define EVERY_BLOB(a)  AT("PutBlob", "/meta", a) AT("PutBlob", "/manifest", a)
#define EVERY_WRITE(a) EVERY_BLOCK(a) EVERY_LIST(a) EVERY_BLOB(a)
#define EVERYWHERE(a)  EVERY_WRITE(a) EVERY_LOOK(a)
#define EVERY_READ(a)                                                                              \
    AT("GetBlob", "/manifest", a)                                                                  \
    "op=GetBlob blob=/manifest nth=3 action=" a "\n" AT("GetBlob", "/meta", a)                     \
        AT("GetBlob", "/s0", a) AT("GetBlob", "/s1", a) "op=GetBlob blob=/s2 nth=3 action=" a "\n"

#define UNAVAILABLE "ServiceUnavailable"
#define BAD         "BadRequest"
#define NOT_OURS    "BackupNotAuthentic"

/* --- things that happen beside the rules
 * -------------------------------------------------------------- */

static void refuse_the_token_from_now_on(struct stage *st)
{
    test_blobserver_sas("rcwdl", "-5", NULL, st->sas);
}

static void take_a_token_that_begins_tomorrow(struct stage *st)
{
    char sas[512], st_[32];
    time_t then = time(NULL) + 86400;
    struct tm tm;
    test_blobserver_sas("rcwdl", "2880", NULL, sas);
    strftime(st_, sizeof st_, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
    snprintf(st->sas, sizeof st->sas, "st=%s&%.400s", st_, sas);
}

/* The clock of the bench stands in 2023. */
static void fall_behind(struct stage *st)
{
    char st_[32];
    time_t then = time(NULL) - 60;
    char sas[512];
    struct tm tm;
    test_blobserver_sas("rcwdl", "60", NULL, sas);
    strftime(st_, sizeof st_, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
    snprintf(st->sas, sizeof st->sas, "st=%s&%.400s", st_, sas);
    st->b.o.own_clock = false;
    run_bench_restart(&st->b);
}

static void lose_the_token(struct stage *st)
{
    fake_token_fail(st->b.kb.token, CF_E_TOKEN, 1000000);
}

/* Taken out once bytes flow, put back when the job has noticed, or ended. */
static void take_the_token_out_and_put_it_back(struct stage *st)
{
    for (int i = 0; i < 2000 && test_blobserver_stat(&st->server, "faults") == 0; i++)
        usleep(1000);
    fake_token_fail(st->b.kb.token, CF_E_TOKEN, 1000000);
    usleep(800000);
    fake_token_fail(st->b.kb.token, CF_E_TOKEN, 0);
}

static void take_the_token_out(struct stage *st)
{
    for (int i = 0; i < 2000 && test_blobserver_stat(&st->server, "faults") == 0; i++)
        usleep(1000);
    fake_token_fail(st->b.kb.token, CF_E_TOKEN, 1000000);
    run_wait(st->b.run);
    fake_token_fail(st->b.kb.token, CF_E_TOKEN, 0);
}

static const struct scenario rows[] = {
    /* --- backups that get through ---------------------------------------------------------- */
    { "backup: nothing is wrong", BACKUP, .most = 22 },
    { "backup: 500 everywhere once", BACKUP, EVERYWHERE("status:500"), .most = 60 },
    { "backup: 503 everywhere once", BACKUP, EVERYWHERE("status:503"), .most = 60 },
    { "backup: 429 everywhere once", BACKUP, EVERYWHERE("status:429"), .most = 60 },
    { "backup: 502, 504, 408", BACKUP,
      AT("PutBlock", "/s0", "status:502") AT("PutBlock", "/s2", "status:504")
          AT("PutBlockList", "/s2", "status:408"),
      .most = 30 },
    { "backup: 503 with Retry-After", BACKUP,
      "op=PutBlock blob=/s2 action=status:503 retry-after=1\n"
      "op=PutBlockList blob=/s2 action=status:429 retry-after=1\n",
      .most = 30 },
    { "backup: 503 before the body", BACKUP, EVERY_WRITE("early-status:503"), .most = 60 },
    { "backup: reset behind the head", BACKUP, EVERYWHERE("reset:head"), .most = 60 },
    { "backup: reset within the body", BACKUP, EVERY_WRITE("reset:40"), .most = 60 },
    { "backup: reset instead of an answer", BACKUP, EVERYWHERE("reset:end"), .most = 60 },
    { "backup: done, and reset", BACKUP, EVERY_WRITE("commit-reset"), .most = 60 },
    { "backup: done, and 500", BACKUP, EVERY_WRITE("commit-status:500"), .most = 60 },
    { "backup: done, and 503", BACKUP, EVERY_WRITE("commit-status:503"), .most = 60 },
    { "backup: the list done and 500, then reset", BACKUP,
      AT("PutBlockList", "/s2", "commit-status:500") AT("PutBlockList", "/s2", "reset:head")
          AT("PutBlockList", "/s2", "commit-reset"),
      .most = 40 },
    { "backup: the manifest done and 500, then reset", BACKUP,
      AT("PutBlob", "/manifest", "commit-status:500") AT("PutBlob", "/manifest", "reset:head"),
      .most = 40 },
    { "backup: the manifest done and no answer, then no look at it", BACKUP,
      AT("PutBlob", "/manifest", "commit-reset") AT("GetBlob", "/manifest", "status:503"),
      .most = 40 },
    { "backup: the list done and no answer, then it is immutable", BACKUP,
      AT("PutBlockList", "/s2", "commit-reset")
          AT("PutBlockList", "/s2", "status:409 code=BlobImmutableDueToPolicy"),
      .most = 40 },
    { "backup: the manifest done and no answer, then it is immutable", BACKUP,
      AT("PutBlob", "/manifest", "commit-reset")
          AT("PutBlob", "/manifest", "status:409 code=BlobImmutableDueToLegalHold"),
      .most = 40 },
    { "backup: the list done and no answer, then a token that only creates", BACKUP,
      AT("PutBlockList", "/s2", "commit-reset")
          AT("PutBlockList", "/s2", "status:403 code=UnauthorizedBlobOverwrite"),
      .most = 40 },
    { "backup: a token that only creates finds the folder taken", BACKUP,
      AT("PutBlock", "/probe", "status:403 code=UnauthorizedBlobOverwrite"), .most = 40 },
    { "backup: a stored access policy that does not allow to read", BACKUP,
      "op=HeadBlob every=1 action=status:403 code=AuthorizationPermissionMismatch\n", .most = 22 },
    { "backup: no answer", BACKUP,
      AT("PutBlock", "/s2", "hang") AT("PutBlockList", "/s2", "hang")
          AT("PutBlob", "/manifest", "hang"),
      .most = 40 },
    { "backup: late answers", BACKUP, EVERYWHERE("delay:100"), .most = 60 },
    { "backup: a late first try lands behind the second", BACKUP,
      AT("PutBlock", "/s0", "late") AT("PutBlock", "/s2", "late"), .most = 30 },
    { "backup: a slow drip", BACKUP, AT("PutBlock", "/s2", "drip:3000000"), .most = 30 },
    { "backup: too slow a drip", BACKUP, "op=PutBlock blob=/s2 nth=2 action=drip:100\n",
      .most = 30 },
    { "backup: the storage's clock is an hour off", BACKUP, "every=1 action=date:3600\n",
      .most = 30 },
    { "backup: ETags that fit nothing", BACKUP, "every=1 action=etag\n", .most = 30 },
    { "backup: another writer took the folder", BACKUP,
      "op=PutBlockList blob=/probe action=plant as=probe\n", .most = 40 },
    { "backup: another writer wrote manifest.copy", BACKUP,
      "op=PutBlob blob=/meta action=plant as=manifest.copy\n", .warning = "second copy",
      .most = 40 },
    { "backup: the second copy is refused", BACKUP,
      "op=PutBlob blob=/manifest.copy action=status:403 code=AuthorizationPermissionMismatch\n",
      .warning = "second copy", .most = 40 },
    { "backup: the probe's blocks are forgotten", BACKUP, AT("PutBlockList", "/probe", "forget"),
      .most = 40 },
    { "backup: TLS", BACKUP, .tls = TLS_GOOD },

/* --- a blob a block ---------------------------------------------------------------------- */
#define WHOLE .args = { "--worm", "--policy", "no-blocks" }
#define EVERY_WHOLE(a)                                                                             \
    AT("PutBlob", "/probe", a)                                                                     \
    AT("PutBlob", "/s0/", a) "op=PutBlob blob=/s2/ nth=2 action=" a "\n" EVERY_BLOB(a)
    { "blobs: 503 everywhere once", BACKUP, EVERY_WHOLE("status:503"), WHOLE, .most = 60 },
    { "blobs: reset instead of an answer", BACKUP, EVERY_WHOLE("reset:end"), WHOLE, .most = 60 },
    { "blobs: done, and reset", BACKUP, EVERY_WHOLE("commit-reset"), WHOLE, .most = 60 },
    { "blobs: done, and 500", BACKUP, EVERY_WHOLE("commit-status:500"), WHOLE, .most = 60 },
    { "blobs: no look at them once", BACKUP,
      AT("HeadBlob", "/s0/", "status:500") AT("HeadBlob", "/s2/", "reset:end"), WHOLE, .most = 60 },
    { "blobs: a stored access policy that does not allow to read", BACKUP,
      "op=HeadBlob every=1 action=status:403 code=AuthorizationPermissionMismatch\n", WHOLE,
      .most = 60 },
    { "blobs: redirected", BACKUP, AT("PutBlob", "/s2/", "redirect:307"), WHOLE, .verdict = FAILS,
      .code = BAD, .words = "redirect", .most = 30 },
    { "blobs: the token ends", BACKUP, "op=PutBlob blob=/s2/ from=1 action=expired\n", WHOLE,
      .verdict = FAILS, .code = BAD, .words = "the SAS has ended", .most = 30 },
    { "blobs: a policy comes in between", BACKUP,
      "op=PutBlob blob=/s2/ from=1 action=status:409 code=BlobImmutableDueToPolicy\n", WHOLE,
      .verdict = FAILS, .code = BAD, .words = "use a container whose policy allows new blobs",
      .most = 30 },
    { "blobs: another writer wrote the manifest", BACKUP,
      "op=PutBlob blob=/s2/ action=plant as=manifest\n", WHOLE, .verdict = FAILS,
      .code = "Conflict", .words = "another writer", .most = 30 },
    { "blobs: another writer wrote beside us", BACKUP,
      "op=PutBlob blob=/s2/ action=plant as=s2/0-00000000000000000000000000000000\n", WHOLE,
      .most = 30 },
    { "blobs: a block that lies there shorter", BACKUP, AT("HeadBlob", "/s2/", "length:17"), WHOLE,
      .verdict = FAILS, .code = BAD, .words = "has 17 bytes in the storage instead of",
      .most = 30 },
    { "blobs: restored through 503, half answers and resets", RESTORE,
      AT("GetBlob", "/s0/", "truncate:50") AT("GetBlob", "/s2/", "status:503")
          AT("GetBlob", "/s2/", "reset:end"),
      WHOLE, .most = 30 },
    { "blobs: one of them is not there", RESTORE,
      "op=GetBlob blob=/s2/ from=1 action=status:404 code=BlobNotFound\n", WHOLE, .verdict = FAILS,
      .code = BAD, .words = "no such blob", .most = 30 },
    { "blobs: one key through 500 and half answers", KEY,
      AT("GetBlob", "/s0/", "truncate:50") AT("GetBlob", "/manifest", "status:500"), WHOLE,
      .most = 30 },

    /* --- and those that do not --------------------------------------------------------------- */
    { "backup: 500 from the first request on", BACKUP, "every=1 action=status:500\n",
      .verdict = FAILS, .code = UNAVAILABLE, .words = "given up after 3 attempts", .most = 3 },
    { "backup: 503 for one block for ever", BACKUP,
      "op=PutBlock blob=/s2 every=1 action=status:503\n", .verdict = FAILS, .code = UNAVAILABLE,
      .words = "the storage service is busy", .most = 80 },
    { "backup: 429 for ever", BACKUP, "op=PutBlockList blob=/s2 every=1 action=status:429\n",
      .verdict = FAILS, .code = UNAVAILABLE, .words = "asks to slow down", .most = 60 },
    { "backup: every answer is lost for ever", BACKUP,
      "op=PutBlob blob=/meta every=1 action=commit-reset\n", .verdict = FAILS, .code = UNAVAILABLE,
      .words = "check network and storage", .most = 60 },
    { "backup: the manifest's answer is lost for ever", BACKUP,
      "op=PutBlob blob=/manifest every=1 action=commit-status:500\n"
      "op=GetBlob every=1 action=status:503\n",
      .verdict = FAILS, .code = UNAVAILABLE, .words = "writing the manifest", .most = 60,
      .committed = true },
    { "backup: a page for logging in answers everything", BACKUP, "every=1 action=status:200\n",
      .sp = "cw", .verdict = FAILS, .code = BAD, .words = "does a gateway or proxy answer",
      .most = 4 },
    { "backup: a page for logging in comes in between", BACKUP,
      "op=PutBlock blob=/s2 from=2 action=status:200\n", .verdict = FAILS, .code = BAD,
      .words = "does a gateway or proxy answer", .most = 30 },
    { "backup: the list is immutable and not there", BACKUP,
      "op=PutBlockList blob=/s2 from=1 action=status:409 code=BlobImmutableDueToPolicy\n",
      .verdict = FAILS, .code = BAD, .words = "use a container whose policy allows new blobs",
      .most = 40 },
    { "backup: nothing listens", BACKUP, .rude = NOBODY, .verdict = FAILS, .code = UNAVAILABLE,
      .words = "given up after 3 attempts" },
    { "backup: nobody answers", BACKUP, .rude = SILENT, .verdict = FAILS, .code = UNAVAILABLE,
      .words = "given up after 3 attempts" },
    { "backup: hung up on", BACKUP, .rude = HANGS_UP, .verdict = FAILS, .code = UNAVAILABLE,
      .words = "given up after 3 attempts" },
    { "backup: reset at once", BACKUP, .rude = RESETS, .verdict = FAILS, .code = UNAVAILABLE,
      .words = "given up after 3 attempts" },
    { "backup: not HTTP", BACKUP, .rude = BABBLES, .verdict = FAILS, .code = BAD, .words = "HTTP" },
    { "backup: a name that is not there", BACKUP, .rude = NO_NAME, .verdict = FAILS,
      .code = UNAVAILABLE, .words = "nobody.storage.invalid" },
    { "backup: a certificate that has ended", BACKUP, .tls = TLS_EXPIRED, .verdict = FAILS,
      .code = BAD, .words = "certificate", .still_broken = true },
    { "backup: a certificate of another name", BACKUP, .tls = TLS_OTHER_NAME, .verdict = FAILS,
      .code = BAD, .words = "certificate", .still_broken = true },
    { "backup: a certificate of an unknown authority", BACKUP, .tls = TLS_UNKNOWN, .verdict = FAILS,
      .code = BAD, .words = "certificate", .still_broken = true },
    { "backup: TLS 1.0", BACKUP, .tls = TLS_OLD, .verdict = FAILS, .code = UNAVAILABLE,
      .words = "TLS", .still_broken = true },
    { "backup: no TLS where TLS is asked for", BACKUP, .rude = BABBLES, .https_to_plain = true,
      .verdict = FAILS, .code = UNAVAILABLE, .words = "TLS" },
    { "backup: reset within the handshake", BACKUP, .rude = RESETS, .https_to_plain = true,
      .verdict = FAILS, .code = UNAVAILABLE, .words = "TLS" },
#define REDIRECTED(op, blob, status)                                                               \
    {                                                                                              \
        "backup: " op " of " blob " redirected, " status, BACKUP,                                  \
            AT(op, blob, "redirect:" status), .verdict = FAILS, .code = BAD, .words = "redirect",  \
                                              .most = 30                                           \
    }
    { "backup: everything redirected", BACKUP, "every=1 action=redirect:307\n", .verdict = FAILS,
      .code = BAD, .words = "name the storage service itself", .most = 3 },
    REDIRECTED("PutBlock", "/s2", "301"),
    REDIRECTED("PutBlockList", "/s2", "302"),
    REDIRECTED("HeadBlob", "/s2", "303"),
    REDIRECTED("PutBlob", "/meta", "307"),
    REDIRECTED("PutBlob", "/manifest", "308"),
#define EXPIRES(op, blob)                                                                          \
    {                                                                                              \
        "backup: the token ends before " op " of " blob, BACKUP,                                   \
            "op=" op " blob=" blob " from=1 action=expired\n",                                     \
            .verdict = FAILS, .code = BAD, .words = "the SAS has ended", .most = 30                \
    }
    EXPIRES("PutBlock", "/probe"),
    EXPIRES("PutBlock", "/s2"),
    EXPIRES("PutBlockList", "/s2"),
    EXPIRES("PutBlob", "/meta"),
    EXPIRES("PutBlob", "/manifest"),
    { "backup: the token is withdrawn", BACKUP,
      "op=PutBlock blob=/s2 from=2 action=status:403 code=AuthenticationFailed\n", .verdict = FAILS,
      .code = BAD, .words = "does not accept the SAS", .most = 30 },
    { "backup: the firewall changes", BACKUP,
      "op=PutBlockList blob=/s2 from=1 action=status:403 code=AuthorizationFailure\n",
      .verdict = FAILS, .code = BAD, .words = "check SAS and firewall", .most = 30 },
    { "backup: the account is disabled", BACKUP,
      "op=PutBlock blob=/s2 from=1 action=status:403 code=AccountIsDisabled\n", .verdict = FAILS,
      .code = BAD, .words = "the storage account is disabled", .most = 30 },
    { "backup: a token that has ended", BACKUP, .before = refuse_the_token_from_now_on,
      .verdict = REFUSED, .code = BAD, .words = "has expired" },
    { "backup: a token that has not begun", BACKUP, .before = take_a_token_that_begins_tomorrow,
      .verdict = REFUSED, .code = BAD, .words = "not valid yet" },
    { "backup: our clock is behind", BACKUP, .before = fall_behind, .verdict = REFUSED, .code = BAD,
      .words = "the clock here says 2023-11-14", .still_broken = true },
#define FULL(name, status, code_, words_)                                                          \
    {                                                                                              \
        "backup: full, " name, BACKUP,                                                             \
            "op=PutBlock blob=/s2 from=2 action=status:" status " code=" code_ "\n",               \
            .verdict = FAILS, .code = BAD, .words = words_, .most = 30                             \
    }
    FULL("too many blocks", "409", "BlockCountExceedsLimit", "start the backup again"),
    FULL("writing is off", "403", "InsufficientAccountPermissions", "writing"),
    FULL("too large", "413", "RequestBodyTooLarge", "no body of this size"),
    FULL("no room", "507", "InsufficientStorage", "no room"),
    { "backup: full, too long a list", BACKUP,
      "op=PutBlockList blob=/s2 action=status:400 code=BlockListTooLong\n", .verdict = FAILS,
      .code = BAD, .words = "too many blocks in one blob", .most = 30 },
    { "backup: full, throttled for ever", BACKUP,
      "op=PutBlock blob=/s2 every=1 action=status:503 code=ServerBusy\n", .verdict = FAILS,
      .code = UNAVAILABLE, .words = "busy", .most = 80 },
#define GOES(op, blob)                                                                             \
    {                                                                                              \
        "backup: the container is deleted before " op " of " blob, BACKUP,                         \
            AT(op, blob, "delete-container"), .verdict = FAILS, .code = BAD,                       \
                                              .words = "the container does not exist", .most = 30, \
                                              .still_broken = true                                 \
    }
    GOES("PutBlock", "/probe"),
    GOES("PutBlock", "/s2"),
    GOES("PutBlockList", "/s2"),
    GOES("PutBlob", "/meta"),
    GOES("PutBlob", "/manifest"),
    { "backup: the container is being deleted", BACKUP,
      "op=PutBlock blob=/s2 from=1 action=status:409 code=ContainerBeingDeleted\n",
      .verdict = FAILS, .code = BAD, .words = "being deleted", .most = 30 },
    { "backup: the container is disabled", BACKUP,
      "op=PutBlock blob=/s2 from=1 action=status:409 code=ContainerDisabled\n", .verdict = FAILS,
      .code = BAD, .words = "the container is disabled", .most = 30 },
    { "backup: another writer wrote the manifest", BACKUP,
      "op=PutBlock blob=/s2 action=plant as=manifest\n", .verdict = FAILS, .code = "Conflict",
      .words = "another writer", .most = 30 },
    { "backup: another writer wrote the stream", BACKUP,
      "op=PutBlockList blob=/s2 action=plant as=s2.0\n", .verdict = FAILS, .code = "Conflict",
      .words = "this backup did not write", .most = 30 },
    { "backup: another writer made a blob of our blocks", BACKUP,
      AT("PutBlockList", "/s2", "steal"), .verdict = FAILS, .code = "Conflict",
      .words = "this backup did not write", .most = 30 },
    { "backup: the blocks are forgotten", BACKUP, AT("PutBlockList", "/s2", "forget"),
      .warning = "were sent again", .most = 40 },
    { "backup: the blocks are forgotten again and again", BACKUP,
      "op=PutBlockList blob=/s2 every=1 action=forget\n", .verdict = FAILS, .code = "Conflict",
      .words = "blocks vanished from the storage 5 times", .most = 90 },
    { "backup: somebody leases the blob", BACKUP,
      "op=PutBlockList blob=/s2 action=status:412 code=LeaseIdMissing\n", .verdict = FAILS,
      .code = BAD, .words = "lease", .most = 30 },
    { "backup: a lost answer that cannot be sorted out", BACKUP,
      AT("PutBlockList", "/s2", "commit-reset"), .sp = "cw", .verdict = FAILS, .code = "Conflict",
      .words = "does not allow to read", .most = 30 },
    { "backup: a lost manifest that cannot be sorted out", BACKUP,
      AT("PutBlob", "/manifest", "commit-reset"), .sp = "cw", .verdict = FAILS, .code = "Conflict",
      .words = "does not allow to read", .most = 30, .committed = true },
    { "backup: the stream lies there shorter", BACKUP, AT("HeadBlob", "/s2", "length:17"),
      .verdict = FAILS, .code = BAD, .words = "has 17 bytes in the storage instead of",
      .most = 30 },
    { "backup: the tables lie there shorter", BACKUP, AT("HeadBlob", "/meta", "length:17"),
      .verdict = FAILS, .code = BAD, .words = "has 17 bytes in the storage instead of",
      .most = 30 },
    { "backup: the token is out", BACKUP, .before = lose_the_token, .meanwhile = take_the_token_out,
      .verdict = FAILS, .code = UNAVAILABLE, .words = "token" },
    { "backup: the token is taken out for good", BACKUP, AT("PutBlock", "/s2", "delay:300"),
      .meanwhile = take_the_token_out, .verdict = FAILS, .code = UNAVAILABLE, .words = "token",
      .most = 30 },
    { "backup: the token is taken out and put back", BACKUP, AT("PutBlock", "/s2", "delay:300"),
      .meanwhile = take_the_token_out_and_put_it_back, .most = 30 },

    /* --- restores that get through ------------------------------------------------------------ */
    { "restore: nothing is wrong", RESTORE, .most = 10 },
    { "restore: 500 everywhere once", RESTORE, EVERY_READ("status:500"), .most = 30 },
    { "restore: 503 everywhere once", RESTORE, EVERY_READ("status:503"), .most = 30 },
    { "restore: 429 everywhere once", RESTORE, EVERY_READ("status:429"), .most = 30 },
    { "restore: 503 with Retry-After", RESTORE,
      "op=GetBlob blob=/s2 action=status:503 retry-after=1\n", .most = 20 },
    { "restore: reset behind the head", RESTORE, EVERY_READ("reset:head"), .most = 30 },
    { "restore: reset instead of an answer", RESTORE, EVERY_READ("reset:end"), .most = 30 },
    { "restore: half answers", RESTORE, EVERY_READ("truncate:50"), .most = 30 },
    { "restore: half answers without a length", RESTORE, EVERY_READ("unsized:50"), .most = 30 },
    { "restore: no answer", RESTORE,
      AT("GetBlob", "/manifest", "hang") AT("GetBlob", "/s2", "hang"), .most = 30 },
    { "restore: late answers", RESTORE, EVERY_READ("delay:100"), .most = 60 },
    { "restore: a slow drip", RESTORE, AT("GetBlob", "/s2", "drip:3000000"), .most = 30 },
    { "restore: too slow a drip", RESTORE, "op=GetBlob blob=/s2 nth=3 action=drip:100\n",
      .most = 30 },
    { "restore: the storage's clock is an hour off", RESTORE, "every=1 action=date:3600\n",
      .most = 30 },
    { "restore: ETags that fit nothing", RESTORE, "every=1 action=etag\n", .most = 30 },
    { "restore: TLS", RESTORE, .tls = TLS_GOOD },

    /* --- and those that do not --------------------------------------------------------------- */
    { "restore: 500 from the first request on", RESTORE, "every=1 action=status:500\n",
      .verdict = FAILS, .code = UNAVAILABLE, .words = "given up after 3 attempts", .most = 3 },
    { "restore: half answers for ever", RESTORE, "op=GetBlob blob=/s2 every=1 action=truncate:50\n",
      .verdict = FAILS, .code = UNAVAILABLE, .words = "check network and storage", .most = 80 },
    { "restore: nothing listens", RESTORE, .rude = NOBODY, .verdict = FAILS, .code = UNAVAILABLE,
      .words = "given up after 3 attempts" },
    { "restore: a name that is not there", RESTORE, .rude = NO_NAME, .verdict = FAILS,
      .code = UNAVAILABLE, .words = "nobody.storage.invalid" },
    { "restore: not HTTP", RESTORE, .rude = BABBLES, .verdict = FAILS, .code = BAD,
      .words = "HTTP" },
    { "restore: everything redirected", RESTORE, "every=1 action=redirect:302\n", .verdict = FAILS,
      .code = BAD, .words = "redirect", .most = 3 },
    { "restore: a stream redirected", RESTORE, AT("GetBlob", "/s2", "redirect:307"),
      .verdict = FAILS, .code = BAD, .words = "redirect", .most = 20 },
    { "restore: the token ends under way", RESTORE, "op=GetBlob blob=/s2 from=2 action=expired\n",
      .verdict = FAILS, .code = BAD, .words = "the SAS has ended", .most = 20 },
    { "restore: the container is deleted under way", RESTORE,
      AT("GetBlob", "/s2", "delete-container"), .verdict = FAILS, .code = BAD,
      .words = "the container does not exist", .most = 20, .still_broken = true },
    { "restore: a stream is not there", RESTORE,
      "op=GetBlob blob=/s2 from=1 action=status:404 code=BlobNotFound\n", .verdict = FAILS,
      .code = BAD, .words = "s2.0: no such blob", .most = 20 },
    { "restore: a stream is archived", RESTORE,
      "op=GetBlob blob=/s2 from=1 action=status:409 code=BlobArchived\n", .verdict = FAILS,
      .code = BAD, .words = "rehydrate it first", .most = 20 },
    { "restore: another length of the manifest", RESTORE, AT("GetBlob", "/manifest", "length:400"),
      .verdict = FAILS, .code = NOT_OURS, .words = "", .most = 20 },
    { "restore: another length of a stream", RESTORE, AT("GetBlob", "/s2", "length:17000000"),
      .verdict = FAILS, .code = NOT_OURS, .words = "", .most = 20 },
    { "restore: a bit of a stream", RESTORE, "op=GetBlob blob=/s2 nth=3 action=flip:70000\n",
      .verdict = FAILS, .code = NOT_OURS, .words = "the audit log says", .most = 20 },
    { "restore: another range, and told so", RESTORE, AT("GetBlob", "/s2", "shift:16"),
      .verdict = FAILS, .code = BAD, .words = "another range than was asked for", .most = 20 },
    { "restore: another range, and not told so", RESTORE, AT("GetBlob", "/s2", "displace:16"),
      .verdict = FAILS, .code = NOT_OURS, .words = "the audit log says", .most = 20 },
    { "restore: all instead of a range", RESTORE, AT("GetBlob", "/s2", "whole"), .verdict = FAILS,
      .code = BAD, .words = "than was asked for", .most = 20 },
    { "restore: the token is taken out for good", RESTORE, AT("GetBlob", "/s0", "delay:300"),
      .meanwhile = take_the_token_out, .verdict = FAILS, .code = UNAVAILABLE, .words = "token",
      .most = 20 },
    { "restore: the token is taken out and put back", RESTORE, AT("GetBlob", "/s0", "delay:300"),
      .meanwhile = take_the_token_out_and_put_it_back, .most = 20 },

    /* --- one key ----------------------------------------------------------------------------- */
    { "key: nothing is wrong", KEY, .most = 10 },
    { "key: 500, resets, half answers", KEY,
      AT("GetBlob", "/manifest", "status:500") AT("GetBlob", "/meta", "reset:end")
          AT("GetBlob", "/s0", "truncate:50"),
      .most = 20 },
    { "key: redirected", KEY, AT("GetBlob", "/s0", "redirect:301"), .verdict = FAILS, .code = BAD,
      .words = "redirect", .most = 10 },
    { "key: the token ends", KEY, "op=GetBlob blob=/s0 from=1 action=expired\n", .verdict = FAILS,
      .code = BAD, .words = "the SAS has ended", .most = 10 },
    { "key: a bit", KEY, AT("GetBlob", "/s0", "flip:100"), .verdict = FAILS, .code = NOT_OURS,
      .words = "the audit log says", .most = 10 },
    { "key: another range, and not told so", KEY, AT("GetBlob", "/meta", "displace:16"),
      .verdict = FAILS, .code = NOT_OURS, .words = "the audit log says", .most = 10 },
    { "key: the container is deleted", KEY, AT("GetBlob", "/meta", "delete-container"),
      .verdict = FAILS, .code = BAD, .words = "the container does not exist", .most = 10,
      .still_broken = true },

    /* --- looking ----------------------------------------------------------------------------- */
    { "prerestore: 503 everywhere once", PRERESTORE, EVERY_READ("status:503"), .most = 30 },
    { "prerestore: a bit", PRERESTORE, "op=GetBlob blob=/s2 nth=3 action=flip:70000\n",
      .verdict = FAILS, .code = NOT_OURS, .words = "the audit log says", .most = 20 },
    { "verify: 500, resets, half answers", VERIFY,
      AT("GetBlob", "/manifest", "status:500") AT("GetBlob", "/meta", "reset:end")
          AT("GetBlob", "/s0", "truncate:50") AT("GetBlob", "/s2", "unsized:50"),
      .most = 30 },
    { "verify: redirected", VERIFY, AT("GetBlob", "/s2", "redirect:301"), .verdict = FAILS,
      .code = BAD, .words = "redirect", .most = 20 },
    { "verify: the token ends", VERIFY, "op=GetBlob blob=/s2 from=1 action=expired\n",
      .verdict = FAILS, .code = BAD, .words = "the SAS has ended", .most = 20 },
    { "verify: a bit", VERIFY, "op=GetBlob blob=/s2 nth=3 action=flip:70000\n", .verdict = FAILS,
      .code = NOT_OURS, .words = "", .most = 20 },
};

int main(void)
{
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return scenario_run_all(rows, sizeof rows / sizeof rows[0]);
}
