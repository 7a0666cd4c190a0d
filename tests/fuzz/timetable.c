/* What the grammar lets through has moments a period apart, the newest of them not after now. */
#include <stdlib.h>
#include <string.h>

#include "jobs/timetable.h"

#define NOW INT64_C(1800000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jobs_timetable t;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (jobs_timetable_parse(text, &t, NULL) == CF_OK && t.period_s != 0) {
        int64_t last = jobs_timetable_last(&t, NOW);
        if (t.period_s < 300 || t.offset_s < 0 || t.offset_s >= t.period_s || last > NOW ||
            last <= NOW - t.period_s || (last - t.offset_s) % t.period_s != 0)
            abort();
    }
    free(text);
    return 0;
}
