#include "fault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "store_priv.h"

#define RULES_MAX 256
#define LINE_MAX_ 512

struct rule {
    bool any_op;
    enum bs_op op;
    char blob[128]; /* "" fits every name */
    uint64_t nth, every, times;
    uint64_t seen, fired;
    struct fault fault;
};

struct faults {
    pthread_mutex_t lock;
    size_t count;
    struct rule rules[RULES_MAX];
};

static const struct {
    const char *name;
    enum fault_action action;
    bool wants_value;
} actions[] = {
    { "status", FAULT_STATUS, true },
    { "early-status", FAULT_EARLY_STATUS, true },
    { "reset", FAULT_RESET, true },
    { "hang", FAULT_HANG, false },
    { "commit-status", FAULT_COMMIT_STATUS, true },
    { "commit-reset", FAULT_COMMIT_RESET, false },
    { "delay", FAULT_DELAY, true },
    { "drip", FAULT_DRIP, true },
    { "truncate", FAULT_TRUNCATE, true },
    { "unsized", FAULT_UNSIZED, true },
    { "flip", FAULT_FLIP, true },
    { "etag", FAULT_ETAG, false },
    { "length", FAULT_LENGTH, true },
    { "redirect", FAULT_REDIRECT, true },
    { "date", FAULT_DATE, true },
    { "expired", FAULT_EXPIRED, false },
    { "shift", FAULT_SHIFT, true },
    { "displace", FAULT_DISPLACE, true },
    { "whole", FAULT_WHOLE, false },
    { "delete-container", FAULT_DELETE_CONTAINER, false },
    { "plant", FAULT_PLANT, false },
    { "steal", FAULT_STEAL, false },
    { "forget", FAULT_FORGET, false },
    { "late", FAULT_LATE, false },
};

struct faults *faults_new(void)
{
    struct faults *f = store_alloc(sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void faults_free(struct faults *f)
{
    if (f == NULL)
        return;
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void faults_clear(struct faults *f)
{
    pthread_mutex_lock(&f->lock);
    f->count = 0;
    pthread_mutex_unlock(&f->lock);
}

static bool copy_text(char *out, size_t cap, const char *in)
{
    size_t len = strlen(in);
    if (len >= cap)
        return false;
    memcpy(out, in, len + 1);
    return true;
}

static bool parse_op(struct rule *r, const char *name)
{
    r->any_op = strcmp(name, "*") == 0;
    for (size_t i = 0; i < OP_COUNT; i++) {
        if (strcmp(name, bs_op_name((enum bs_op)i)) == 0) {
            r->op = (enum bs_op)i;
            return true;
        }
    }
    return r->any_op;
}

static bool parse_action(struct fault *f, char *text)
{
    char *value = strchr(text, ':');
    if (value != NULL)
        *value++ = '\0';
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(text, actions[i].name) != 0)
            continue;
        f->action = actions[i].action;
        if (actions[i].wants_value != (value != NULL))
            return false;
        if (value == NULL)
            return true;
        if (f->action == FAULT_RESET && strcmp(value, "head") == 0)
            return true; /* 0 bytes of body */
        if (f->action == FAULT_RESET && strcmp(value, "end") == 0) {
            f->value = FAULT_AT_END;
            return true;
        }
        return http_u64(value, &f->value);
    }
    return false;
}

static bool parse_word(struct rule *r, char *word)
{
    char *value = strchr(word, '=');
    if (value == NULL)
        return false;
    *value++ = '\0';
    if (strcmp(word, "op") == 0)
        return parse_op(r, value);
    if (strcmp(word, "blob") == 0)
        return copy_text(r->blob, sizeof r->blob, value);
    if (strcmp(word, "nth") == 0)
        return http_u64(value, &r->nth) && r->nth > 0;
    if (strcmp(word, "from") == 0) {
        r->times = UINT64_MAX;
        return http_u64(value, &r->nth) && r->nth > 0;
    }
    if (strcmp(word, "as") == 0)
        return copy_text(r->fault.as, sizeof r->fault.as, value);
    if (strcmp(word, "every") == 0)
        return http_u64(value, &r->every) && r->every > 0;
    if (strcmp(word, "times") == 0)
        return http_u64(value, &r->times);
    if (strcmp(word, "action") == 0)
        return parse_action(&r->fault, value);
    if (strcmp(word, "code") == 0)
        return copy_text(r->fault.code, sizeof r->fault.code, value);
    if (strcmp(word, "retry-after") == 0) {
        uint64_t s;
        if (!http_u64(value, &s) || s > 86400)
            return false;
        r->fault.retry_after_s = (int)s;
        return true;
    }
    return false;
}

/* 1: a rule, 0: nothing on this line, -1: not understood. */
static int parse_line(struct rule *r, char *line)
{
    char *save = NULL;
    bool any = false;
    *r = (struct rule){ .any_op = true, .fault = { .retry_after_s = -1 } };
    line[strcspn(line, "#")] = '\0';
    for (char *w = strtok_r(line, " \t\r", &save); w != NULL; w = strtok_r(NULL, " \t\r", &save)) {
        any = true;
        if (!parse_word(r, w))
            return -1;
    }
    if (!any)
        return 0;
    if (r->fault.action == FAULT_NONE || (r->nth != 0 && r->every != 0))
        return -1;
    if (r->every == 0 && r->nth == 0)
        r->nth = 1;
    if (r->times == 0)
        r->times = r->every != 0 ? UINT64_MAX : 1;
    return 1;
}

bool faults_add(struct faults *f, const char *text, unsigned *line)
{
    bool ok = true;
    pthread_mutex_lock(&f->lock);
    size_t before = f->count;
    *line = 0;
    while (ok && *text != '\0') {
        char one[LINE_MAX_];
        size_t len = strcspn(text, "\n");
        (*line)++;
        ok = len < sizeof one && f->count < RULES_MAX;
        if (!ok)
            break;
        memcpy(one, text, len);
        one[len] = '\0';
        int got = parse_line(&f->rules[f->count], one);
        ok = got >= 0;
        if (got == 1)
            f->count++;
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    if (!ok)
        f->count = before;
    pthread_mutex_unlock(&f->lock);
    return ok;
}

/* An nth rule with times=N fires at the nth fitting request and the N-1 that follow. */
static bool due(const struct rule *r)
{
    if (r->fired >= r->times)
        return false;
    return r->every != 0 ? r->seen % r->every == 0 : r->seen >= r->nth;
}

struct fault faults_take(struct faults *f, enum bs_op op, const char *blob)
{
    struct fault out = { .action = FAULT_NONE, .retry_after_s = -1 };
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->count; i++) {
        struct rule *r = &f->rules[i];
        if ((!r->any_op && r->op != op) || strstr(blob, r->blob) == NULL)
            continue;
        r->seen++;
        if (out.action == FAULT_NONE && due(r)) {
            r->fired++;
            out = r->fault;
        }
    }
    pthread_mutex_unlock(&f->lock);
    return out;
}
