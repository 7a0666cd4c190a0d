#include "stats.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store_priv.h"

struct stats {
    atomic_uint_fast64_t requests[OP_COUNT], ok[OP_COUNT], refused[OP_COUNT];
    atomic_uint_fast64_t bytes_in, bytes_out, faults, unconditional, opened;
    atomic_int_fast64_t open, most_open;
    atomic_uint_fast64_t first_us, last_us; /* Unix time; 0: none yet */
};

const char *bs_op_name(enum bs_op op)
{
    static const char *const names[OP_COUNT] = {
        "PutBlob",    "PutBlock",  "PutBlockList", "GetBlockList",    "GetBlob",  "HeadBlob",
        "DeleteBlob", "ListBlobs", "GetContainer", "CreateContainer", "Identity", "Other",
    };
    return names[op];
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct stats *stats_new(void)
{
    return store_alloc(sizeof(struct stats));
}

void stats_free(struct stats *s)
{
    free(s);
}

void stats_reset(struct stats *s)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        atomic_store(&s->requests[i], 0);
        atomic_store(&s->ok[i], 0);
        atomic_store(&s->refused[i], 0);
    }
    atomic_store(&s->bytes_in, 0);
    atomic_store(&s->bytes_out, 0);
    atomic_store(&s->faults, 0);
    atomic_store(&s->unconditional, 0);
    atomic_store(&s->opened, 0);
    atomic_store(&s->most_open, atomic_load(&s->open));
    atomic_store(&s->first_us, 0);
    atomic_store(&s->last_us, 0);
}

void stats_connection(struct stats *s, int step)
{
    int_fast64_t now = atomic_fetch_add(&s->open, step) + step;
    if (step > 0) {
        atomic_fetch_add(&s->opened, 1);
        int_fast64_t most = atomic_load(&s->most_open);
        while (now > most && !atomic_compare_exchange_weak(&s->most_open, &most, now))
            ;
    }
}

void stats_request(struct stats *s, enum bs_op op)
{
    uint_fast64_t none = 0;
    atomic_fetch_add(&s->requests[op], 1);
    if (atomic_load(&s->first_us) == 0)
        atomic_compare_exchange_strong(&s->first_us, &none, now_us());
}

void stats_response(struct stats *s, enum bs_op op, int status)
{
    atomic_fetch_add(status < 400 ? &s->ok[op] : &s->refused[op], 1);
    atomic_store(&s->last_us, now_us());
}

void stats_fault(struct stats *s)
{
    atomic_fetch_add(&s->faults, 1);
}

void stats_unconditional(struct stats *s)
{
    atomic_fetch_add(&s->unconditional, 1);
}

void stats_body_in(struct stats *s, uint64_t n)
{
    atomic_fetch_add(&s->bytes_in, n);
}

void stats_body_out(struct stats *s, uint64_t n)
{
    atomic_fetch_add(&s->bytes_out, n);
}

size_t stats_print(const struct stats *s, char *out, size_t cap)
{
    uint64_t first = atomic_load(&s->first_us), last = atomic_load(&s->last_us);
    uint64_t all = 0;
    for (size_t i = 0; i < OP_COUNT; i++)
        all += atomic_load(&s->requests[i]);
    size_t n = (size_t)snprintf(out, cap, "{\n\"requests\": %" PRIu64 ",\n", all);
    for (size_t i = 0; i < OP_COUNT; i++)
        n += (size_t)snprintf(out + n, cap - n,
                              "\"%s\": %" PRIu64 ",\n\"%s.ok\": %" PRIu64
                              ",\n\"%s.refused\": %" PRIu64 ",\n",
                              bs_op_name((enum bs_op)i), (uint64_t)atomic_load(&s->requests[i]),
                              bs_op_name((enum bs_op)i), (uint64_t)atomic_load(&s->ok[i]),
                              bs_op_name((enum bs_op)i), (uint64_t)atomic_load(&s->refused[i]));
    n += (size_t)snprintf(out + n, cap - n,
                          "\"bytes_in\": %" PRIu64 ",\n\"bytes_out\": %" PRIu64
                          ",\n\"faults\": %" PRIu64 ",\n\"unconditional\": %" PRIu64
                          ",\n\"connections\": %" PRIu64 ",\n\"connections_now\": %" PRIdFAST64
                          ",\n\"connections_most\": %" PRIdFAST64 ",\n\"first_us\": %" PRIu64
                          ",\n\"last_us\": %" PRIu64 ",\n\"elapsed_us\": %" PRIu64 "\n}\n",
                          (uint64_t)atomic_load(&s->bytes_in), (uint64_t)atomic_load(&s->bytes_out),
                          (uint64_t)atomic_load(&s->faults),
                          (uint64_t)atomic_load(&s->unconditional),
                          (uint64_t)atomic_load(&s->opened), atomic_load(&s->open),
                          atomic_load(&s->most_open), first, last, last > first ? last - first : 0);
    return n;
}
