/* What every test needs: cmocka in its wanted order, hex, and a result check that prints the
 * error's text. */
#ifndef SUPPORT_TEST_H
#define SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* Expects class `want` from `call`, which fills the record `err` in scope; prints the text when it
 * differs. */
#define EXPECT_RC(want, call)                                                                      \
    do {                                                                                           \
        memset(&err, 0, sizeof err);                                                               \
        enum cf_rc got_ = (call);                                                                  \
        if (got_ != (want))                                                                        \
            print_message("%s: %s at %s\n", cf_rc_name(got_), err.text,                            \
                          err.where ? err.where : "?");                                            \
        assert_int_equal(got_, (want));                                                            \
    } while (0)

#define EXPECT_OK(call) EXPECT_RC(CF_OK, call)

#endif
