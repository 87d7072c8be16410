// SPDX-License-Identifier: GPL-2.0
/*
 * By policy a node leaves an ATR, and goes into another one if its rule says so. Both are one change, durable as a
 * whole or not at all; whatever keeps it from the other, it leaves, and people are told.
 */
#include "fleet_internal.h"

#include "policy_load.h"

/* ---- doing it ---- */

static int move(struct fleet_atr *from, struct fleet_atr *to, const struct store_node *n, const char *what,
		struct akm_error *err)
{
	_cleanup_change_ struct fleet_change c = {};
	int r = fleet_plan_move(from, to, n, &c, err) ?: fleet_apply(&c, err);

	if (!r)
		evidence_add(from->fleet->c.evidence, EVIDENCE_NOTE("node-move", SEV_WARNING, .atr_id = from->def.id),
			     "%s was moved from #%u %s to #%u %s by policy (%s)", n->name, from->def.id, from->def.label,
			     to->def.id, to->def.label, what);
	return r;
}

static int take_out(struct fleet_atr *a, const struct store_node *n, const char *what, struct akm_error *err)
{
	uint32_t number;
	int r = fleet_remove(a, n, &number, err);

	if (!r)
		evidence_add(a->fleet->c.evidence, EVIDENCE_NOTE("atr-remove", SEV_WARNING, .atr_id = a->def.id),
			     "%s was removed from #%u %s by policy (%s)", n->name, a->def.id, a->def.label, what);
	return r;
}

static void complain(struct fleet_atr *a, const struct store_node *n, const char *into, int r, const struct akm_error *why)
{
	evidence_add(a->fleet->c.evidence,
		     EVIDENCE_NOTE("quarantine-failed", SEV_ALERT, .atr_id = a->def.id, .limit = n->name),
		     "%s left #%u %s, but could not be put into %s: %s: %s", n->name, a->def.id, a->def.label, into,
		     why->field, why->reason[0] ? why->reason : strerror(-r));
}

int fleet_quarantine(struct fleet_atr *a, const struct store_node *n, const char *into, const char *what,
		     struct akm_error *err)
{
	struct akm_error why = {};
	struct fleet_atr *to;
	int r, out;

	if (!into[0])
		return take_out(a, n, what, err);
	r = fleet_find_named(a->fleet, into, "into", &to, &why);
	if (!r && to == a)
		return 0;			/* it is where it is to be */
	r = r ?: move(a, to, n, what, &why);
	if (!r)
		return 0;
	out = take_out(a, n, what, err);
	/* Because of what was told of another ATR it may be there already. */
	if (!out && r != -EEXIST)
		complain(a, n, into, r, &why);
	return out;
}

/* ---- is there such an ATR? ---- */

/* @atr_id 0: a common rule, which says of its own ATR that who is there stays there. Return: 0, or negative with @err. */
static int check_rule(struct fleet *f, const struct policy_rule *r, struct akm_error *err)
{
	struct fleet_atr *to;
	int e = r->into[0] ? fleet_find_named(f, r->into, "into", &to, err) : 0;

	if (!e && r->into[0] && r->of_atr == to->def.id)
		e = akm_error_set(err, -EINVAL, "into", "#%u is where it comes from", to->def.id);
	return e;
}

typedef int (*rule_fn)(struct fleet *f, const struct policy_rule *r, void *ctx);

static int each_rule(struct fleet *f, const struct policy *p, rule_fn fn, void *ctx)
{
	int r = 0;

	for (size_t i = 0; !r && i < p->n; i++)
		r = fn(f, &p->rules[i], ctx);
	for (size_t k = 0; k < p->n_atrs; k++)
		for (size_t i = 0; !r && i < p->atrs[k].n; i++)
			r = fn(f, &p->atrs[k].rules[i], ctx);
	return r;
}

static int refuse(struct fleet *f, const struct policy_rule *r, void *ctx)
{
	struct policy_error why = { .line = r->into_line, .column = r->into_column, .field = "into" };
	struct akm_error e = {};

	if (r->origin != POLICY_FROM_FILE || r->off || check_rule(f, r, &e) >= 0)
		return 0;
	snprintf(why.reason, sizeof(why.reason), "%.160s", e.reason);
	return policy_explain(f->c.config->policy_file, &why, ctx);
}

int fleet_quarantine_check(struct fleet *f, const struct policy *p, struct akm_error *err)
{
	return each_rule(f, p, refuse, err);
}

static int find(struct fleet *f, const struct policy_rule *r, void *ctx)
{
	struct akm_error e = {};

	if (!r->off && check_rule(f, r, &e) < 0)
		health_find(ctx, HEALTH_FINDING("quarantine", SEV_WARNING, .subject = r->name,
						.remedy = "Create that ATR (akmctl atr create), or correct the policy: until then who is "
							  "quarantined is in no ATR in its place."),
			    "quarantine into %s: %s", r->into, e.reason);
	return 0;
}

void fleet_quarantine_health(struct fleet *f, struct health *h)
{
	each_rule(f, &f->policy, find, h);
}
