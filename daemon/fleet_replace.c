// SPDX-License-Identifier: GPL-2.0
/* A node with a new identity: the same machine that is provisioned again, or another one in its place. */
#include "fleet_internal.h"

#include "log.h"
#include "report.h"

/* ---- the same machine: its keys are no secret to it ---- */

/* What it must not be given under the ID of before, neither under the new one. P5 */
static int keep_bars(struct fleet_atr *a, const struct store_node *n, const struct store_node *old)
{
	int m = fleet_member_of(a, old->id), r = 0;

	for (size_t g = 0; m >= 0 && !r && g < a->plan.n_generations; g++)
		if (a->plan.members[m].step[g] == STEP_RETIRED)
			r = store_step_set(a->fleet->c.store, a->def.id, a->generations[g].number, n->id, STEP_RETIRED);
	return r;
}

int fleet_renew_write(struct fleet *f, const struct store_node *n, const struct store_node *old)
{
	int r = 0;

	for (struct fleet_atr *a = f->first; !r && a; a = a->next) {
		struct store_atr def;
		bool concerned = false;

		if (a->def.locked_ms) {
			r = fleet_lock_leave_out(a, n, old);
			continue;
		}
		r = fleet_atr_copy(&a->def, &def);
		for (size_t i = 0; !r && i < def.n_members; i++) {
			if (memcmp(def.members[i].node, old->id, AKM_ID_LEN))
				continue;
			memcpy(def.members[i].node, n->id, AKM_ID_LEN);
			concerned = true;
		}
		if (!r && concerned)
			r = store_atr_put(f->c.store, &def) ?: keep_bars(a, n, old);
		store_atr_free(&def);
	}
	return r;
}

void fleet_renew_take(struct fleet *f, const struct store_node *n, const struct store_node *old)
{
	fleet_attest_forget(f, old->id);
	for (struct fleet_atr *a = f->first; a; a = a->next) {
		if (a->def.locked_ms) {
			fleet_lock_left_out(a, n);
			continue;
		}
		for (size_t i = 0; i < a->def.n_members; i++)
			if (!memcmp(a->def.members[i].node, old->id, AKM_ID_LEN))
				memcpy(a->def.members[i].node, n->id, AKM_ID_LEN);
		if (fleet_atr_reload(a) < 0)
			log_err("cannot reload an ATR atr=%u: restart akmd", a->def.id);
	}
}

/* ---- another machine ---- */

/*
 * It has the row of who it replaces, so addresses, networks behind it and what filters are made of stay. Everything
 * that the lost one knows is over with the new generation, which has other keys for this index as for all.
 */
static void put_in_place(struct fleet_change *c, struct fleet_step *s)
{
	const struct fleet_atr *a = fleet_find(c->fleet, s->atr_id);
	uint16_t index = a->members[fleet_member_of(a, c->node.id)].index;

	for (size_t i = 0; i < s->def.n_members; i++) {
		struct store_member *m = &s->def.members[i];

		if (m->index != index)
			continue;		/* another one's, or of an earlier membership */
		m->removed = false;
		memcpy(m->node, c->by.id, AKM_ID_LEN);
	}
	s->joins = true;
}

int fleet_plan_replace(struct fleet *f, const struct store_node *lost, const struct store_node *by, struct fleet_change *c,
		       struct akm_error *err)
{
	size_t first = c->n;
	int r = fleet_plan_evict(f, lost, c, err);

	c->by = *by;
	for (size_t i = first; !r && i < c->n; i++)
		if (!c->steps[i].def.locked_ms)
			put_in_place(c, &c->steps[i]);
	return r;
}

static int find_lost(struct fleet *f, const char *name, struct store_node *ret, struct akm_error *err)
{
	int r = store_node_by_name(f->c.store, name, ret);

	if (!r && ret->state == NODE_EVICTED)
		return akm_error_set(err, -ENOENT, "node", "%.63s is evicted; if somebody has its place whose exchange broke off: "
				     "akmctl node provision", name);
	if (r == -ENOENT || (!r && ret->state != NODE_PROVISIONED))
		return akm_error_set(err, -ENOENT, "node", "there is no node %.63s", name);
	return r < 0 ? akm_error_set(err, r, "database", "%s", store_strerror(f->c.store)) : 0;
}

/* Two names: what is recorded of both must be told apart. */
static int check_name(struct fleet *f, const char *lost, const char *name, struct akm_error *err)
{
	_cleanup_(store_node_free) struct store_node n = {};
	int r;

	if (!strcmp(lost, name))
		return akm_error_set(err, -EINVAL, "name", "must be another one: evidence of both must be told apart");
	r = store_node_by_name(f->c.store, name, &n);
	if (!r && n.state == NODE_PROVISIONED)
		return akm_error_set(err, -EEXIST, "name", "%.63s is a node already: it cannot be in two places", name);
	return r < 0 && r != -ENOENT ? akm_error_set(err, r, "database", "%s", store_strerror(f->c.store)) : 0;
}

static int show(struct fleet *f, struct ctl_request *req, const struct store_node *lost, const char *name,
		struct akm_error *err)
{
	_cleanup_change_ struct fleet_change c = {};
	struct store_node by = {};
	struct json_object *plan;
	int r;

	snprintf(by.name, sizeof(by.name), "%s", name);
	r = fleet_plan_replace(f, lost, &by, &c, err);
	plan = r ? NULL : fleet_plan_report(&c);
	if (!plan)
		return r ?: -ENOMEM;
	ctl_ok(req, plan);
	return 0;
}

bool fleet_ctl_node_replace(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	_cleanup_(store_node_free) struct store_node lost = {};
	const char *name = ctl_str(args, "name"), *replaces = ctl_str(args, "replaces");
	bool dry = ctl_bool(args, "dry_run");
	struct akm_error err = {};
	int r = find_lost(f, replaces, &lost, &err) ?: check_name(f, replaces, name, &err);

	if (!r && dry)
		r = show(f, req, &lost, name, &err);
	if (r < 0)
		ctl_fail(req, r, err.reason[0] ? &err : NULL);
	return !r && !dry;
}

/* Between the two halves of one. Its change has the blobs of both nodes. */
struct fleet_replacement {
	struct store_node lost, by;
	struct fleet_change change;
};

void fleet_replace_free(struct fleet *f)
{
	struct fleet_replacement *p = TAKE_PTR(f->replacement);

	if (!p)
		return;
	fleet_change_free(&p->change);
	store_node_free(&p->lost);
	store_node_free(&p->by);
	free(p);
}

int fleet_replace_write(struct fleet *f, const char *lost, const struct store_node *by)
{
	struct fleet_replacement *p = calloc(1, sizeof(*p));
	struct akm_error err = {};
	int r;

	if (!p)
		return -ENOMEM;
	fleet_replace_free(f);			/* of an exchange whose transaction failed */
	f->replacement = p;
	r = find_lost(f, lost, &p->lost, &err) ?: store_node_get(f->c.store, by->id, &p->by) ?:
	    fleet_plan_replace(f, &p->lost, &p->by, &p->change, &err) ?: fleet_change_write(&p->change);
	if (r < 0)
		log_err("cannot replace a node node=%s by=%s error=%s", lost, by->name,
			err.reason[0] ? err.reason : strerror(-r));
	return r;
}

static void tell_left_out(struct fleet *f, const struct fleet_change *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->steps[i].joins)
			evidence_add(f->c.evidence, EVIDENCE_NOTE("atr-remove", SEV_WARNING, .atr_id = c->steps[i].atr_id),
				     "%s is no member of #%u %s in place of %s: it is locked", c->by.name,
				     c->steps[i].atr_id, c->steps[i].def.label, c->node.name);
}

void fleet_replace_take(struct fleet *f)
{
	struct fleet_replacement *p = f->replacement;

	tell_left_out(f, &p->change);
	evidence_add(f->c.evidence, EVIDENCE_NOTE("node-replaced", SEV_WARNING),
		     "%s takes the place of %s, which is refused from now on", p->by.name, p->lost.name);
	fleet_change_take(&p->change);
	fleet_replace_free(f);
}
