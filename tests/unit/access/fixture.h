/* A live store in a directory of its own, and access over it. */
#ifndef ACCESS_FIXTURE_H
#define ACCESS_FIXTURE_H

#include "support/test.h"

#include <stdbool.h>

#include "access/access.h"
#include "access/policy.h"
#include "access/settings.h"
#include "hal_sim/hal_sim.h"
#include "store/live.h"

#define START_S INT64_C(1700000000)

#define ALICE "aaaaaaaa-0000-4000-8000-000000000001"
#define BOB   "bbbbbbbb-0000-4000-8000-000000000002"
#define GROUP "cccccccc-0000-4000-8000-000000000003"
#define ROLE  "dddddddd-0000-4000-8000-000000000004"
#define NAME1 "eeeeeeee-0000-4000-8000-000000000011"
#define NAME2 "eeeeeeee-0000-4000-8000-000000000012"
#define NAME3 "eeeeeeee-0000-4000-8000-000000000013"

struct fixture {
    char dir[64];
    struct store_live_options options;
    struct store_live *live;
    struct hal_clock *clock;
    struct access *a;
};

int fixture_up(void **state);
int fixture_down(void **state);
void fixture_restart(struct fixture *f);

/* A principal as a verified token would give it. */
struct access_principal fixture_principal(const char *oid);

struct access_scope fixture_scope(const char *text);
bool fixture_may(struct fixture *f, const char *oid, enum access_action action, const char *scope);

/* Assigns a role by its GUID. */
enum cf_rc fixture_assign(struct fixture *f, const char *name, const char *scope, const char *role,
                          const char *principal, struct cf_err *e);

#endif
