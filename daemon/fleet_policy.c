// SPDX-License-Identifier: GPL-2.0
/* The policy of the manager: where it comes from, what it is fed, and what is done on its decisions. */
#include "fleet_internal.h"

#include "clock.h"
#include "log.h"
#include "report.h"

#define FLEET		0		/* the ID that stands for all ATRs */
#define OWN_EVENT	0		/* sequence number of a record of our own, before it is stored */

/* ---- doing what it says ---- */

struct deciding {
	struct fleet *fleet;
	struct fleet_atr *atr;		/* NULL: the fleet as a whole */
};

static uint32_t id_of(const struct deciding *in)
{
	return in->atr ? in->atr->def.id : FLEET;
}

static void put_where(const struct deciding *in, char ret[AKM_NAME_LEN + 32])
{
	if (in->atr)
		snprintf(ret, AKM_NAME_LEN + 32, " on #%u %s", in->atr->def.id, in->atr->def.label);
	else
		ret[0] = '\0';
}

static void put_what(const struct policy_decision *d, char ret[160])
{
	if (d->owed)
		snprintf(ret, 160, "%s of before", policy_kind_name(d->kind));
	else
		snprintf(ret, 160, "%llu %s within %u s%s%s", (unsigned long long)d->count, policy_kind_name(d->kind),
			 d->rule->seconds, d->subject[0] ? ", last at " : "", d->subject);
}

static void alert(const struct deciding *in, const struct policy_decision *d)
{
	bool follows = d->action == POLICY_DO_REKEY && d->outcome != POLICY_DUE;
	char where[AKM_NAME_LEN + 32], what[160];

	put_where(in, where);
	put_what(d, what);
	evidence_add(in->fleet->c.evidence,
		     EVIDENCE_NOTE("alert", SEV_ALERT, .atr_id = id_of(in), .count = d->count),
		     "Breach attempt%s: %s%s", where, what, !follows ? "" : d->outcome == POLICY_HELD ?
		     "; a rekey follows when the hold-down ends" : "; a rekey follows when the budget allows it");
}

static int rekey(const struct deciding *in, const struct policy_decision *d, struct akm_error *err)
{
	const char *what = policy_kind_name(d->kind);
	struct fleet_atr *a = in->atr;
	uint32_t number;
	int r = fleet_rekey(a, what, &number);

	if (r < 0) {
		akm_error_set(err, r, "database", "%s", strerror(-r));
		evidence_add(in->fleet->c.evidence, EVIDENCE_NOTE("rekey-failed", SEV_ALERT, .atr_id = a->def.id),
			     "#%u could not be rekeyed: %s", a->def.id, strerror(-r));
		return r;
	}
	evidence_add(in->fleet->c.evidence, EVIDENCE_NOTE("rekey", SEV_INFO, .atr_id = a->def.id),
		     "#%u %s moves to generation %u by policy (%s)", a->def.id, a->def.label, number, what);
	return 0;
}

static int roll(const struct deciding *in, const struct policy_decision *d, struct akm_error *err)
{
	return fleet_roll(in->atr, policy_kind_name(d->kind), err);
}

static int lockdown(const struct deciding *in, const struct policy_decision *d, struct akm_error *err)
{
	return fleet_lockdown(in->fleet, in->atr, policy_kind_name(d->kind), err);
}

static int named(const struct fleet *f, const char *name, struct store_node *ret, struct akm_error *err)
{
	int r = name[0] ? store_node_by_name(f->c.store, name, ret) : -ENOENT;

	if (r < 0)
		return akm_error_set(err, r, "node", "%s", r == -ENOENT ? "there is no such node" : strerror(-r));
	if (ret->state == NODE_PROVISIONED)
		return 0;
	return akm_error_set(err, -EINVAL, "node", "%s is not provisioned any more", name);
}

/* As soon as it is there; the record of its end is that of any rotation. */
static int rotate(const struct deciding *in, const struct policy_decision *d, struct akm_error *err)
{
	_cleanup_(store_node_free) struct store_node n = {};
	int r = named(in->fleet, d->subject, &n, err);

	return r ?: peers_rotate(in->fleet->peers, n.id, policy_kind_name(d->kind), err);
}

/* It stays provisioned, and a person brings it back. */
static int quarantine(const struct deciding *in, const struct policy_decision *d, struct akm_error *err)
{
	_cleanup_(store_node_free) struct store_node n = {};
	int r = named(in->fleet, d->subject, &n, err);

	return r ?: fleet_quarantine(in->atr, &n, d->rule->into, policy_kind_name(d->kind), err);
}

static int evict(const struct deciding *in, const struct policy_decision *d, struct akm_error *err)
{
	_cleanup_(store_node_free) struct store_node n = {};
	int r = named(in->fleet, d->subject, &n, err) ?: fleet_evict(in->fleet, &n, err);

	if (!r)
		evidence_add(in->fleet->c.evidence, EVIDENCE_NOTE("evict", SEV_WARNING),
			     "%s was evicted by policy (%s)", n.name, policy_kind_name(d->kind));
	return r;
}

static int act(const struct deciding *in, const struct policy_decision *d, struct akm_error *err)
{
	switch (d->action) {
	case POLICY_NOTHING:
	case POLICY_DO_ALERT:
		return 0;
	case POLICY_DO_ROLL:
		return roll(in, d, err);
	case POLICY_DO_FALLBACK:
		break;				/* refused when the policy was loaded */
	case POLICY_DO_REKEY:
		return rekey(in, d, err);
	case POLICY_DO_ROTATE:
		return rotate(in, d, err);
	case POLICY_DO_LOCKDOWN:
		return lockdown(in, d, err);
	case POLICY_DO_QUARANTINE:
		return quarantine(in, d, err);
	case POLICY_DO_EVICT:
		return evict(in, d, err);
	}
	return -EINVAL;
}

static void put_outcome(const struct policy_decision *d, int r, const struct akm_error *err, char ret[256])
{
	if (d->outcome != POLICY_DUE)
		snprintf(ret, 256, "%s for %llu s", policy_outcome_name(d->outcome),
			 (unsigned long long)(d->wait_ms + 999) / 1000);
	else if (r < 0)
		snprintf(ret, 256, "failed: %s", err->reason[0] ? err->reason : strerror(-r));
	else
		snprintf(ret, 256, "%s", policy_outcome_name(d->outcome));
}

static void write_down(const struct deciding *in, const struct policy_decision *d, int r, const struct akm_error *err)
{
	char where[AKM_NAME_LEN + 32], what[160], outcome[256];
	bool into = d->action == POLICY_DO_QUARANTINE && d->rule->into[0];

	put_where(in, where);
	put_what(d, what);
	put_outcome(d, r, err, outcome);
	evidence_add(in->fleet->c.evidence,
		     EVIDENCE_NOTE("policy", r < 0 ? SEV_ALERT : SEV_INFO, .atr_id = id_of(in), .count = d->count),
		     "Rule %s%s: %s: %s%s%s%s: %s", d->rule->name, where, what, policy_action_name(d->action),
		     into ? " into " : "", into ? d->rule->into : "", d->escalated ? " (escalated)" : "", outcome);
}

static void on_decision(const struct policy_decision *d, void *ctx)
{
	const struct deciding *in = ctx;
	struct akm_error err = {};
	int r = 0;

	if (d->alert)
		alert(in, d);
	if (d->outcome == POLICY_DUE)
		r = act(in, d, &err);
	if (d->first)
		write_down(in, d, r, &err);
	fleet_hook_run(in->fleet, in->atr, d);
}

static struct policy_time now(void)
{
	return (struct policy_time){ now_ms(), (uint32_t)(wall_ms() / 60000 % 1440) };
}

/* ---- what heartbeats count ---- */

void fleet_policy_count(struct fleet_atr *a, size_t m, enum policy_kind kind, uint64_t count, uint64_t span_ms)
{
	struct deciding in = { a->fleet, a };
	char name[AKM_NAME_LEN];		/* a rekey loads the members again */
	struct policy_evidence e = { kind, policy_kind_severity(kind), name, count, span_ms };

	memcpy(name, a->members[m].name, sizeof(name));
	policy_feed(a->policy, &e, now(), on_decision, &in);
}

void fleet_policy_due(struct fleet_atr *a)
{
	struct deciding in = { a->fleet, a };

	policy_due(a->policy, now(), on_decision, &in);
}

/* ---- what records tell ---- */

/* Whom a record names, if it may: a node speaks of itself alone, we ourselves of members. */
static const char *subject_of(const struct fleet_atr *a, enum policy_kind kind, const struct msg_event *ev)
{
	if (!policy_kind_index(kind))
		return ev->seq == OWN_EVENT ? "" : ev->source;
	for (size_t i = 0; a && i < a->plan.n_members; i++)
		if (a->members[i].index == ev->member)
			return a->members[i].name;
	return "";
}

static bool has_member(const struct fleet_atr *a, const char *name)
{
	for (size_t i = 0; i < a->plan.n_members; i++)
		if (!strcmp(a->members[i].name, name))
			return true;
	return false;
}

static struct fleet_told *told_slot(struct fleet *f, const struct fleet_told *t)
{
	for (size_t i = 0; i < f->n_told; i++)
		if (f->told[i].kind == t->kind && f->told[i].severity == t->severity && f->told[i].atr_id == t->atr_id &&
		    !strcmp(f->told[i].subject, t->subject))
			return &f->told[i];
	if (f->n_told == ARRAY_SIZE(f->told))
		return NULL;
	f->told[f->n_told] = *t;
	f->told[f->n_told].count = 0;
	return &f->told[f->n_told++];
}

/* In the middle of whatever noticed it: what it leads to comes from the event loop. */
static void on_record(const struct msg_event *ev, void *ctx)
{
	struct fleet *f = ctx;
	struct fleet_told t = { .severity = (enum policy_severity)ev->severity }, *slot;
	const struct fleet_atr *a = NULL;

	if (!policy_kind_parse(ev->kind, &t.kind) || policy_kind_counted(t.kind))
		return;
	if (policy_kind_index(t.kind) && ev->seq != OWN_EVENT)
		return;				/* a node's word about another one */
	if (policy_kind_of_atr(t.kind)) {
		a = fleet_find(f, ev->atr_id);
		if (!a || (ev->seq != OWN_EVENT && !has_member(a, ev->source)))
			return;
		t.atr_id = a->def.id;
	}
	snprintf(t.subject, sizeof(t.subject), "%s", subject_of(a, t.kind, ev));
	slot = told_slot(f, &t);
	if (!slot) {
		f->told_lost += ev->count;
		return;
	}
	slot->count += ev->count;
	timer_set(f->policy_timer, 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct fleet *f = arg;
	struct fleet_told told[ARRAY_SIZE(f->told)];
	size_t n = f->n_told;

	(void)fd, (void)what;
	memcpy(told, f->told, n * sizeof(*told));
	f->n_told = 0;				/* deciding may notice more */
	if (f->told_lost)
		log_warning("evidence came faster than the policy could judge it lost=%llu",
			    (unsigned long long)f->told_lost);
	f->told_lost = 0;
	for (size_t i = 0; i < n; i++) {
		struct policy_evidence e = { told[i].kind, told[i].severity, told[i].subject, told[i].count, 0 };
		struct deciding in = { f, told[i].atr_id ? fleet_find(f, told[i].atr_id) : NULL };

		/* Judging what was told of another ATR may have put it out of this one. */
		if (in.atr && policy_kind_index(told[i].kind) && told[i].subject[0] && !has_member(in.atr, told[i].subject))
			continue;
		if (!told[i].atr_id || in.atr)
			policy_feed(in.atr ? in.atr->policy : f->policy_whole, &e, now(), on_decision, &in);
	}
}

/* ---- show and reload ---- */

/* The rules of one ATR, or of the fleet: those that evidence of its kind can concern */
static bool can_concern(const struct policy_rule *r, bool atr)
{
	for (int k = 0; k < POLICY_KINDS; k++)
		if ((r->kinds & 1ull << k) && policy_kind_of_atr((enum policy_kind)k) == atr)
			return true;
	return false;
}

static struct json_object *report_rule(const struct policy_rule *r, const struct policy_counters *c, uint32_t atr_id)
{
	struct json_object *o = json_object_new_object();
	char text[POLICY_TEXT_MAX], *when = text + strlen("when "), *then;

	policy_rule_text(r, text);
	then = strchr(text, '\n');
	*then++ = '\0';
	for (char *p = then; (p = strchr(p, '\n'));)
		*p = ' ';
	if (atr_id != FLEET)
		report_put_int(o, "atr", atr_id);
	report_put_text(o, "rule", r->name);
	report_put_text(o, "when", when);
	report_put_text(o, "then", then + strlen("then "));
	report_put_text(o, "from", policy_from_name(r));
	if (r->line)
		report_put_int(o, "line", r->line);
	report_put_int(o, "fired", c->fired);
	report_put_int(o, "held", c->held);
	report_put_int(o, "over_budget", c->over_budget);
	if (r->hook[0]) {
		report_put_int(o, "hooked", c->hooked);
		report_put_int(o, "hook_held", c->hook_held);
	}
	return o;
}

static void report_state(const struct policy_state *s, uint32_t atr_id, struct json_object *rules)
{
	struct policy_counters c;
	const struct policy_rule *r;

	for (size_t i = 0; (r = policy_state_rule(s, i, &c)); i++)
		if (can_concern(r, atr_id != FLEET))
			json_object_array_add(rules, report_rule(r, &c, atr_id));
}

static void report_put_limits(struct json_object *o, const struct policy_limits *l)
{
	char text[POLICY_LIMITS_TEXT];

	policy_limits_text(l, text);
	if (text[0])
		report_put_text(o, "limits", text);
}

static void report_put_left_out(struct json_object *o, const struct akm_error *why)
{
	char text[sizeof(why->field) + sizeof(why->reason) + 16];

	snprintf(text, sizeof(text), "left out: %s: %s", why->field, why->reason);
	report_put_text(o, "local", text);
}

void fleet_ctl_policy_show(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct json_object *o = json_object_new_object(), *rules = json_object_new_array();

	(void)args;
	report_put_text(o, "file", f->c.config->policy_file ?: f->root_policy.number ? "none: the root's alone" :
									 "none: [policy] of akmd.conf");
	if (f->root_policy.number)
		report_put_int(o, "root", (int64_t)f->root_policy.number);
	if (f->root_policy.number && f->root_policy.rules.limits.line)
		report_put_limits(o, &f->root_policy.rules.limits);
	if (f->root_policy.left_out.reason[0])
		report_put_left_out(o, &f->root_policy.left_out);
	json_object_object_add(o, "since", report_time(f->policy_ms));
	report_put_int(o, "budget", f->policy.budget);
	report_state(f->policy_whole, FLEET, rules);
	for (struct fleet_atr *a = f->first; a; a = a->next)
		report_state(a->policy, a->def.id, rules);
	json_object_object_add(o, "rules", rules);
	ctl_ok(req, o);
}

/* All or nothing is not needed here: a state that has no memory for the new rules keeps its old ones, and that is said. */
int fleet_policy_adopt(struct fleet *f, struct policy *next)
{
	int r = policy_state_reload(f->policy_whole, next);

	for (struct fleet_atr *a = f->first; !r && a; a = a->next)
		r = policy_state_reload(a->policy, next);
	policy_free(&f->policy);
	f->policy = *next;
	memset(next, 0, sizeof(*next));
	f->policy_ms = wall_ms();
	fleet_hook_check(f);
	return r;
}

void fleet_ctl_policy_reload(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct json_object *o;
	struct policy next = {};
	struct akm_error err = {};
	int r = fleet_root_policy_reload(f, &next, &err) ?: fleet_quarantine_check(f, &next, &err);

	(void)args;
	if (r < 0) {
		policy_free(&next);
	} else {
		r = fleet_policy_adopt(f, &next);
		if (r < 0)
			(void)akm_error_set(&err, r, "policy", "no memory: some rules are the old ones, try again");
	}
	if (r < 0) {
		ctl_fail(req, r, err.reason[0] ? &err : NULL);
		return;
	}
	fleet_root_policy_reloaded(f);
	evidence_add(f->c.evidence, EVIDENCE_NOTE("policy-reload", SEV_INFO), "The policy was loaded again: %zu rules, "
		     "%zu ATRs with their own", f->policy.n, f->policy.n_atrs);
	o = json_object_new_object();
	report_put_int(o, "rules", f->policy.n);
	report_put_int(o, "atrs", f->policy.n_atrs);
	ctl_ok(req, o);
}

/* ---- begin and end ---- */

int fleet_policy_new(struct fleet *f, struct akm_error *err)
{
	int r = fleet_root_policy_begin(f, &f->policy, err);

	if (r < 0)
		return r;
	f->policy_ms = wall_ms();
	f->policy_whole = policy_state_new(&f->policy, FLEET);
	f->policy_timer = evtimer_new(f->c.base, on_timer, f);
	if (!f->policy_whole || !f->policy_timer)
		return -ENOMEM;
	evidence_on_record(f->c.evidence, on_record, f);
	fleet_hook_check(f);
	return 0;
}

void fleet_policy_free(struct fleet *f)
{
	evidence_on_record(f->c.evidence, NULL, NULL);
	if (f->policy_timer)
		event_free(f->policy_timer);
	policy_state_free(f->policy_whole);
	policy_free(&f->policy);
	fleet_root_policy_free(f);
}
