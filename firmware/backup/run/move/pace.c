#include "pace_priv.h"

#define BURST_US 250000 /* what a pause too long for its share may make good */

void pace_init(struct pace *p, uint64_t bytes_s)
{
    p->bytes_s = bytes_s;
    atomic_init(&p->due_us, 0);
}

uint64_t pace_book(struct pace *p, uint64_t now_us, uint64_t bytes)
{
    if (p->bytes_s == 0)
        return 0;
    uint64_t earliest = now_us > BURST_US ? now_us - BURST_US : 0;
    uint64_t takes = (uint64_t)((double)bytes * 1e6 / (double)p->bytes_s);
    uint64_t due = atomic_load(&p->due_us), start;
    do
        start = due > earliest ? due : earliest;
    while (!atomic_compare_exchange_weak(&p->due_us, &due, start + takes));
    return start > now_us ? start - now_us : 0;
}
