/*
 * The handlers that the table names, one file a subject.
 */
#ifndef API_HANDLERS_PRIV_H
#define API_HANDLERS_PRIV_H

#include "server_priv.h"

/* public.c: no token */
api_handler api_get_health, api_get_openid, api_get_openid_adfs, api_get_jwks, api_get_instances,
    api_post_token;

/* keys.c, import.c, lists.c */
api_handler api_post_key_create, api_put_key, api_patch_key, api_get_key, api_delete_key,
    api_get_deleted_key, api_delete_deleted_key, api_post_key_recover, api_post_key_backup,
    api_post_key_restore, api_post_key_release, api_get_keys, api_get_deleted_keys,
    api_get_versions;

/* rotate.c */
api_handler api_post_key_rotate, api_get_rotation, api_put_rotation;

/* use.c */
api_handler api_post_sign, api_post_verify, api_post_encrypt, api_post_decrypt, api_post_wrapkey,
    api_post_unwrapkey, api_post_rng;

/* backups.c */
api_handler api_post_backup, api_post_prebackup, api_put_restore, api_put_prerestore,
    api_put_key_restore, api_get_backup_pending, api_get_restore_pending, api_get_restore,
    api_get_key_restore, api_post_verify_backup;

/* status.c: jobs as clients see them */
api_handler api_get_jobs, api_get_job, api_post_job_cancel;
/* Whether the rights of restores go with that kind of job, instead of those of backups. */
bool api_job_restores(enum jobs_kind k);
CF_CHECK enum cf_rc api_put_status(struct api *a, const struct jobs_record *j, struct api_reply *rp,
                                   struct cf_err *e);

/* freshness.c */
api_handler api_get_freshness, api_get_metrics;

/* prune.c */
api_handler api_post_prune, api_get_prune;
/* The policy of a body that starts a pruning; every unknown member of the body is refused. */
CF_CHECK enum cf_rc api_read_keep(const struct json *body, struct api_keep *out, struct cf_err *e);

/* choices.c: the member `coffer`; absent leaves `out` as it was. Unknown members are refused. */
CF_CHECK enum cf_rc api_read_choices(const struct json *body, struct jobs_choices *out,
                                     struct cf_err *e);

/* listing.c */
api_handler api_post_backups;
/* Members of a place; `uri` holds its bytes. */
CF_CHECK enum cf_rc api_read_storage(const struct json *v, struct cf_buf *uri,
                                     struct api_job_order *o, struct cf_err *e);

/* receipts.c */
/* Member `coverage`: what a finished backup holds and what not; nothing where it is not known. */
void api_put_cover(struct api *a, struct json_wr *w, const char *job);
struct jobs_verified;
api_handler api_get_receipt, api_get_verified, api_get_audit_head;

/* plan.c; the start is in backups.c */
api_handler api_post_plan, api_get_plan;

/* undo.c */
api_handler api_get_undo, api_post_undo;
/* backups.c: answers 202 with the place to ask after the job (2.4) */
CF_CHECK enum cf_rc api_accepted(struct api *a, const struct jobs_record *j, struct api_reply *rp,
                                 struct cf_err *e);

/* roles.c, assignments.c, settings.c */
api_handler api_get_definitions, api_get_definition, api_put_definition, api_delete_definition,
    api_get_assignments, api_get_assignment, api_put_assignment, api_delete_assignment,
    api_get_settings, api_get_setting, api_patch_setting;

/* domains.c */
api_handler api_post_domain_download, api_get_domain_upload, api_post_domain_upload,
    api_get_domain_pending;

/* local.c */
api_handler api_local_status, api_local_create, api_local_update, api_local_pin,
    api_local_add_administrator, api_local_recovery, api_local_token, api_local_client,
    api_local_undo, api_local_cancel, api_local_audit;

#endif
