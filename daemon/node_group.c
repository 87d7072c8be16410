// SPDX-License-Identifier: GPL-2.0
#include "node_group.h"

#include "log.h"
#include "node_kernel.h"

void node_group_bring(struct nl *nl, struct node_atr *a, struct evidence *evidence)
{
	struct akm_error err = {};
	char word[32];
	int before = a->group_r, r = node_kernel_group(nl, a, &err);

	if (r < 0 && !a->def.group.addr_len) {
		log_warning("a group that is none of the ATR's is not left atr=%u field=%s reason=%s", a->def.atr_id, err.field,
			    err.reason);
		return;
	}
	if (r < 0)
		snprintf(a->group_why, sizeof(a->group_why), "%.40s: %.50s", err.field,
			 err.reason[0] ? err.reason : strerror(-r));
	a->group_r = r;
	snprintf(word, sizeof(word), "%u %s", a->def.atr_id, r < 0 ? "out" : "in");
	if (r < 0 && r != before)
		evidence_add(evidence, EVIDENCE_NOTE("group", SEV_WARNING, .atr_id = a->def.atr_id, .limit = word),
			     "ATR #%u is not in its multicast group: it sends copies, and does not hear what others send to the "
			     "group: %s", a->def.atr_id, a->group_why);
	if (!r && before < 0)
		evidence_add(evidence, EVIDENCE_NOTE("group", SEV_INFO, .atr_id = a->def.atr_id, .limit = word),
			     "ATR #%u is in its multicast group again", a->def.atr_id);
}

void node_group_leave(struct nl *nl, const struct node_atr *a)
{
	struct akm_error err = {};

	/* What it is then is seen and told by node_group_bring(). */
	if (a->def.group.addr_len && node_kernel_no_group(nl, a, &err) < 0)
		log_warning("the group is not left atr=%u field=%s reason=%s", a->def.atr_id, err.field, err.reason);
}

void node_group_health(const struct node_atr *a, struct health *h)
{
	char subject[AKM_NAME_LEN + 16];

	if (!a->in_kernel || !a->group_r)
		return;
	snprintf(subject, sizeof(subject), "#%u %s", a->def.atr_id, a->def.label);
	health_find(h, HEALTH_FINDING("group", SEV_WARNING, .subject = subject,
				      .remedy = "Bring the link of [link] group_link in akmd.conf: it is joined by itself."),
		    "not in its multicast group, broadcasts of others are not heard: %s", a->group_why);
}
