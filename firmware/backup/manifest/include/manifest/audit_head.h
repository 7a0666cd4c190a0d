/*
 * The signed head of the audit log: who keeps it elsewhere can tell later whether any record up to
 * it was changed, left out or added. Bytes: firmware/audit/FORMAT.md, 12. Threads: any.
 */
#ifndef MANIFEST_AUDIT_HEAD_H
#define MANIFEST_AUDIT_HEAD_H

#include "manifest/manifest.h"

struct manifest_audit_head {
    uint64_t sequence; /* of the last record; 0: none yet */
    uint8_t hash[32];  /* its own */
    uint64_t made_s;
    uint8_t appliance[FLOW_ID_SIZE];
    uint64_t since_s; /* when the domain took the appliance in */
    const char *hsm;
};

/* Appends the file, signed by the token's identity key; what the token signed is verified before.
 */
CF_CHECK enum cf_rc manifest_audit_head_build(const struct manifest_domain *d,
                                              const struct manifest_audit_head *h,
                                              struct cf_buf *out, struct cf_err *e);

#endif
