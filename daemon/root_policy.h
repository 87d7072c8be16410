/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The root's policy: [policy] file, checked, numbered, kept in the database, and sent to each manager that does not
 * have it. A number is given once and only grows; a manager that has a higher one shows that this root was set back to
 * a backup, and then nothing is sent before a person says that the file is good (akmctl policy reload).
 */
#ifndef AKM_ROOT_POLICY_H
#define AKM_ROOT_POLICY_H

#include "peers.h"

struct root_policy;

/* Reads the file if there is one; -EINVAL and @err if it is wrong. */
int root_policy_new(struct store *s, struct evidence *e, const struct config *c, struct root_policy **ret,
		    struct akm_error *err);
void root_policy_free(struct root_policy *p);	/* after the peers, whose calls end here; NULL is fine */

void root_policy_held(struct root_policy *p, struct peer *peer, const struct msg_policy_held *h);
void root_policy_forget(struct root_policy *p, const uint8_t id[AKM_ID_LEN]);	/* replaced, provisioned again */

void root_policy_report(const struct root_policy *p, const uint8_t id[AKM_ID_LEN], struct json_object *o);
void root_policy_health(const struct root_policy *p, struct health *h);

/* Commands of the control socket, whole. Reload answers when the managers that are up have. */
void root_policy_ctl_show(struct root_policy *p, struct ctl_request *req);
void root_policy_ctl_reload(struct root_policy *p, struct peers *peers, struct ctl_request *req);

#endif /* AKM_ROOT_POLICY_H */
