/*
 * Scripted misbehaviour. One rule a line, words in any order, '#' starts a comment:
 *
 *   op=NAME|*  [blob=PART] [nth=N | from=N | every=N] [times=N]  action=WHAT[:VALUE]  [code=C]
 * [retry-after=S] [as=NAME]
 *
 * A rule counts the requests that fit op and blob, and fires at the nth (default the first), at the
 * Nth and all that follow (from), or at every Nth of them, at most `times` times (default once for
 * nth, without end for the others). Where several rules would fire, the first one does. Actions:
 *
 *   status:N         read the body, do nothing, answer N (code= and retry-after= go into it)
 *   early-status:N   answer N before the body is read and close
 *   reset:head       reset the connection before the body
 *   reset:N          reset it after N bytes of the body
 *   reset:end        read the body, do nothing, reset
 *   hang             read the body, never answer
 *   commit-status:N  do it, then answer N
 *   commit-reset     do it, then reset
 *   delay:MS         answer later
 *   drip:BYTES       this exchange at so many bytes a second, both ways
 *   truncate:N       send N bytes of the answer's body, then close
 *   unsized:N        tell no length, send N bytes of the answer's body, then close: a whole answer
 *   flip:N           change the bits of byte N: of the answer's body, or of the body stored
 *   etag             answer with an ETag that fits nothing
 *   length:N         say that the blob has N bytes (HEAD, and the total of Content-Range)
 *   redirect:N       read the body, do nothing, answer N with a Location on this server
 *   date:N           answer with a Date N seconds ahead
 *   expired          answer as to a token whose time is over
 *   shift:N          send the range N bytes further on, and say so
 *   displace:N       send the range N bytes further on, and say that it is the one asked for
 *   whole            send all of the blob with 200, whatever range was asked for
 *   delete-container delete the container, then go on
 *   plant            put a foreign blob NAME (as=) beside this one if there is none, then go on
 *   steal            make the blob of the uncommitted blocks but the last, then go on
 *   forget           drop the uncommitted blocks of the blob, then go on
 *   late             Put Block: reset, and do it behind the next Put Block of this blob
 */
#ifndef BLOBSERVER_FAULT_H
#define BLOBSERVER_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ops.h"

enum fault_action {
    FAULT_NONE,
    FAULT_STATUS,
    FAULT_EARLY_STATUS,
    FAULT_RESET, /* value: body bytes before it; FAULT_AT_END */
    FAULT_HANG,
    FAULT_COMMIT_STATUS,
    FAULT_COMMIT_RESET,
    FAULT_DELAY,
    FAULT_DRIP,
    FAULT_TRUNCATE,
    FAULT_UNSIZED,
    FAULT_FLIP,
    FAULT_ETAG,
    FAULT_LENGTH,
    FAULT_REDIRECT,
    FAULT_DATE,
    FAULT_EXPIRED,
    FAULT_SHIFT,
    FAULT_DISPLACE,
    FAULT_WHOLE,
    FAULT_DELETE_CONTAINER,
    FAULT_PLANT,
    FAULT_STEAL,
    FAULT_FORGET,
    FAULT_LATE
};

#define FAULT_AT_END UINT64_MAX

struct fault {
    enum fault_action action;
    uint64_t value;
    int retry_after_s; /* -1: none */
    char code[64];
    char as[64];
};

struct faults;

struct faults *faults_new(void);
void faults_free(struct faults *f);
void faults_clear(struct faults *f);

/* Adds the rules of `text`; all or none. On failure `line` is the number of the bad line. */
bool faults_add(struct faults *f, const char *text, unsigned *line);

/* Counts this request against every rule and returns what shall happen to it. */
struct fault faults_take(struct faults *f, enum bs_op op, const char *blob);

#endif
