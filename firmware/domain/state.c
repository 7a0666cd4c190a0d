#include "domain/domain.h"

#define EVENTS 4

/* 0: the event has no place. Rows and columns as the enums. */
static const enum domain_state table[DOMAIN_ACTIVE + 1][EVENTS] = {
    [DOMAIN_PROVISIONED] = { [DOMAIN_BEGIN] = DOMAIN_ACTIVATING },
    [DOMAIN_ACTIVATING] = { [DOMAIN_COMMIT] = DOMAIN_ACTIVE, [DOMAIN_ABORT] = DOMAIN_PROVISIONED },
    [DOMAIN_ACTIVE] = { [DOMAIN_RESHARE] = DOMAIN_ACTIVE },
};

const char *domain_state_name(enum domain_state s)
{
    switch (s) {
    case DOMAIN_PROVISIONED:
        return "provisioned";
    case DOMAIN_ACTIVATING:
        return "activating";
    case DOMAIN_ACTIVE:
        return "active";
    }
    return NULL;
}

bool domain_next(enum domain_state s, enum domain_event ev, enum domain_state *next)
{
    if (!domain_state_name(s) || (unsigned)ev >= EVENTS || !table[s][ev])
        return false;
    *next = table[s][ev];
    return true;
}
