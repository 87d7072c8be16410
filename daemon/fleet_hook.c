// SPDX-License-Identifier: GPL-2.0
/* What the programs of the policy are told, and what is wrong with them. */
#include "fleet_internal.h"

#include "clock.h"
#include "report.h"

/* Our own words and numbers, and names that a manager checks when they are given: nothing else that anybody sent. */
void fleet_hook_run(struct fleet *f, const struct fleet_atr *a, const struct policy_decision *d)
{
	struct json_object *o;

	if (!d->hook || !f->c.hooks)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "time", report_time(wall_ms()));
	report_put_text(o, "manager", f->c.config->name);
	if (a) {
		report_put_int(o, "atr", a->def.id);
		report_put_text(o, "label", a->def.label);
	}
	report_put_text(o, "rule", d->rule->name);
	report_put_text(o, "kind", policy_kind_name(d->kind));
	report_put_int(o, "count", d->count > INT64_MAX ? INT64_MAX : (int64_t)d->count);
	report_put_int(o, "seconds", d->rule->seconds);
	if (d->subject[0])
		report_put_text(o, "subject", d->subject);
	report_put_text(o, "action", policy_action_name(d->action));
	if (d->action == POLICY_DO_QUARANTINE && d->rule->into[0])
		report_put_text(o, "into", d->rule->into);
	json_object_object_add(o, "escalated", json_object_new_boolean(d->escalated));
	report_put_text(o, "outcome", policy_outcome_name(d->outcome));
	hooks_run(f->c.hooks, d->rule->hook, a ? a->def.id : 0, o);
	json_object_put(o);
}

void fleet_hook_check(struct fleet *f)
{
	hooks_check(f->c.hooks, f->policy.hooks, f->policy.n_hooks);
}

void fleet_hook_health(const struct fleet *f, struct health *h)
{
	if (f->policy.n_hooks && !f->c.hooks)
		health_find(h, HEALTH_FINDING("hooks", SEV_WARNING, .subject = f->policy.hooks[0],
					      .remedy = "Give this manager [policy] hooks in akmd.conf, and the programs; or leave them out "
							"of the root's policy."),
			    "the root's policy names programs, and this manager runs none");
	hooks_health(f->c.hooks, f->policy.hooks, f->policy.n_hooks, h);
}
