/* Apart from the rest: a program that is no cmocka test may use that. */
#include "support/scratch.h"

#include <stdlib.h>

#include "support/test.h"

void scratch_shell(const char *fmt, ...)
{
    char cmd[4096];
    va_list ap;
    va_start(ap, fmt);
    assert_true(vsnprintf(cmd, sizeof cmd, fmt, ap) < (int)sizeof cmd);
    va_end(ap);
    if (system(cmd) != 0)
        fail_msg("%s", cmd);
}
