// SPDX-License-Identifier: GPL-2.0
#include "../include/akm-policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS		3600000ull
#define RING_MAX	POLICY_BUDGET_MAX

struct window {
	uint64_t last;			/* number of the newest slot */
	uint64_t slot[POLICY_SLOTS];
};

/* Allows one in @base << streak ms */
struct hold {
	uint64_t until_ms;
	unsigned int streak;
	bool used;
};

struct ring {				/* when the last ones were */
	uint64_t at[RING_MAX];
	size_t n;			/* all so far; the newest lies at (n - 1) % RING_MAX */
};

struct subject {			/* what a rule has seen: of all, or of one member */
	struct subject *next;
	char name[POLICY_SUBJECT_LEN];	/* empty: all together */
	struct window window;
	struct hold alert, hook;
	struct ring fired;		/* for escalation */
	uint64_t unreported;
	uint64_t told_ms;		/* of which hold, by its end, it was said that it holds an alert back */
};

struct rule_state {
	struct policy_rule rule;
	struct subject *subjects;
	struct ring done;		/* for the budget */
	struct ring hooked;		/* for that of its program */
	struct policy_counters counters;
	uint64_t told_ms[POLICY_OVER_ATR_BUDGET + 1];	/* the same, of what holds back more than an alert; of budgets */
};

struct owed { struct rule_state *rule; enum policy_kind kind; };	/* a rekey; NULL: none */

/* What the rules of an ATR have together, of what is more than an alert */
struct account {
	uint32_t budget;
	struct hold hold[POLICY_ACTIONS];
	struct ring done;
	struct owed owed;
};

struct policy_state {
	uint32_t atr_id;
	size_t n;
	struct rule_state *rules;
	struct account own, locked;	/* what the others do holds back none that the root has locked */
};

static struct account *account_of(struct policy_state *s, const struct rule_state *r)
{
	return r->rule.locked ? &s->locked : &s->own;
}

/* ---- windows, holds, budgets ---- */

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The window is between 15/16 of the rule's seconds and all of them long. Return: its sum with @count. */
static uint64_t window_add(struct window *w, uint32_t seconds, uint64_t count, uint64_t now_ms)
{
	uint64_t len = (uint64_t)seconds * 1000 / POLICY_SLOTS, number, sum = 0;

	number = now_ms / (len ? len : 1);
	if (number >= w->last + POLICY_SLOTS) {
		memset(w->slot, 0, sizeof(w->slot));
		w->last = number;
	}
	while (w->last < number)
		w->slot[++w->last % POLICY_SLOTS] = 0;
	w->slot[w->last % POLICY_SLOTS] = add_saturated(w->slot[w->last % POLICY_SLOTS], count);
	for (size_t i = 0; i < POLICY_SLOTS; i++)
		sum = add_saturated(sum, w->slot[i]);
	return sum;
}

static bool held(const struct hold *h, uint64_t now_ms)
{
	return h->used && now_ms < h->until_ms;
}

static void hold_take(struct hold *h, uint64_t base_ms, uint64_t now_ms)
{
	if (base_ms < POLICY_HOLD_MIN_MS)
		base_ms = POLICY_HOLD_MIN_MS;
	/* A pause as long as the last hold was: it is over, start from the bottom. */
	if (h->streak && now_ms - h->until_ms >= base_ms << (h->streak - 1))
		h->streak = 0;
	h->until_ms = now_ms + (base_ms << h->streak);
	if (h->streak < POLICY_STREAK_MAX)
		h->streak++;
	h->used = true;
}

static void ring_add(struct ring *r, uint64_t now_ms)
{
	r->at[r->n++ % RING_MAX] = now_ms;
}

static size_t ring_count(const struct ring *r, uint64_t within_ms, uint64_t now_ms)
{
	size_t kept = r->n < RING_MAX ? r->n : RING_MAX, n = 0;

	while (n < kept && now_ms - r->at[(r->n - 1 - n) % RING_MAX] < within_ms)
		n++;
	return n;
}

/* When fewer than @budget of them are younger than an hour: now, or later. */
static uint64_t ring_free_ms(const struct ring *r, uint32_t budget, uint64_t now_ms)
{
	if (ring_count(r, HOUR_MS, now_ms) < budget)
		return now_ms;
	return r->at[(r->n - budget) % RING_MAX] + HOUR_MS;
}

/* ---- one rule ---- */

static struct subject *subject_of(struct rule_state *r, const char *name)
{
	struct subject *s;

	if (!r->rule.by_member)
		name = "";
	for (s = r->subjects; s; s = s->next)
		if (!strcmp(s->name, name))
			return s;
	s = calloc(1, sizeof(*s));
	/* No memory: with somebody else's, who may act too early, but never too often. Nobody is evicted for another. */
	if (!s)
		return policy_action_of_member((enum policy_action)r->rule.action) ||
		       policy_action_of_member((enum policy_action)r->rule.escalate_action) ? NULL : r->subjects;
	memcpy(s->name, name, strnlen(name, sizeof(s->name) - 1));
	s->next = r->subjects;
	r->subjects = s;
	return s;
}

static bool in_hours(const struct policy_rule *r, uint32_t minute)
{
	if (r->from == r->to)
		return true;
	if (r->from < r->to)
		return minute >= r->from && minute < r->to;
	return minute >= r->from || minute < r->to;
}

static bool concerns(const struct policy_rule *r, const struct policy_evidence *e, struct policy_time now)
{
	return (r->kinds & 1ull << e->kind) && (uint32_t)e->severity >= r->severity && in_hours(r, now.minute) &&
	       (!r->by_member || e->subject[0]) && r->count && r->seconds && r->action != POLICY_NOTHING && e->count;
}

/* Checked when the file was read, and here again: whatever a rule says, evidence costs no more than it may. */
static enum policy_action allowed(enum policy_kind kind, enum policy_action wanted)
{
	return policy_forbids(kind, wanted) ? POLICY_DO_ALERT : wanted;
}

static uint64_t hold_ms(const struct policy_rule *r, enum policy_action action)
{
	return (uint64_t)(action == POLICY_DO_ALERT ? r->alert_hold_s : r->hold_s) * 1000;
}

/* What stands in the way, and until when */
static enum policy_outcome hindrance(const struct account *a, const struct rule_state *r, const struct hold *h,
				     enum policy_action action, uint64_t now_ms, uint64_t *ret_until_ms)
{
	*ret_until_ms = h->until_ms;
	if (held(h, now_ms))
		return POLICY_HELD;
	*ret_until_ms = ring_free_ms(&r->done, r->rule.budget, now_ms);
	if (*ret_until_ms > now_ms)
		return POLICY_OVER_BUDGET;
	*ret_until_ms = action > POLICY_DO_ALERT ? ring_free_ms(&a->done, a->budget, now_ms) : now_ms;
	return *ret_until_ms > now_ms ? POLICY_OVER_ATR_BUDGET : POLICY_DUE;
}

static void take(struct policy_state *s, struct rule_state *r, struct hold *h, enum policy_action action,
		 uint64_t now_ms)
{
	hold_take(h, hold_ms(&r->rule, action), now_ms);
	ring_add(&r->done, now_ms);
	if (action > POLICY_DO_ALERT)
		ring_add(&account_of(s, r)->done, now_ms);
	if (action == POLICY_DO_REKEY)
		s->own.owed.rule = s->locked.owed.rule = NULL;	/* whoever wanted one has it */
	r->counters.fired++;
}

static void refuse(struct policy_state *s, struct rule_state *r, struct subject *sub, struct policy_decision *d,
		   uint64_t until_ms, uint64_t now_ms)
{
	uint64_t *told = d->action == POLICY_DO_ALERT && d->outcome == POLICY_HELD ? &sub->told_ms :
			 &r->told_ms[d->outcome];

	if (d->outcome == POLICY_HELD)
		r->counters.held++;
	else
		r->counters.over_budget++;
	d->wait_ms = until_ms - now_ms;
	d->first = *told != until_ms;
	*told = until_ms;
	if (d->action == POLICY_DO_REKEY)
		account_of(s, r)->owed = (struct owed){ r, d->kind };
	if (d->action == POLICY_DO_ALERT || held(&sub->alert, now_ms))
		return;
	hold_take(&sub->alert, hold_ms(&r->rule, POLICY_DO_ALERT), now_ms);
	d->alert = true;
}

static void decide(struct policy_state *s, struct rule_state *r, struct subject *sub, struct policy_decision *d,
		   uint64_t now_ms)
{
	struct account *a = account_of(s, r);
	struct hold *h = d->action == POLICY_DO_ALERT ? &sub->alert : &a->hold[d->action];
	uint64_t until_ms;

	d->outcome = hindrance(a, r, h, d->action, now_ms, &until_ms);
	if (d->outcome == POLICY_DUE) {
		take(s, r, h, d->action, now_ms);
		ring_add(&sub->fired, now_ms);
		d->alert = d->first = true;
	} else {
		refuse(s, r, sub, d, until_ms, now_ms);
	}
}

/* Whoever makes a rule alert often must not start a program each time. Return: whether to run it now. */
static bool take_hook(struct rule_state *r, struct subject *sub, uint64_t now_ms)
{
	const struct policy_rule *rule = &r->rule;

	if (!rule->hook[0])
		return false;
	if (held(&sub->hook, now_ms) || ring_free_ms(&r->hooked, rule->hook_budget, now_ms) > now_ms) {
		r->counters.hook_held++;
		return false;
	}
	hold_take(&sub->hook, (uint64_t)rule->hook_hold_s * 1000, now_ms);
	ring_add(&r->hooked, now_ms);
	r->counters.hooked++;
	return true;
}

/*
 * How much of @e falls into a window of @seconds. Who was silent for long tells all of that time at once: what comes of
 * itself on every network, as duplicates do, must not look like a flood then. What a member proves counts whole.
 */
static uint64_t within_window(const struct policy_evidence *e, uint32_t seconds)
{
	uint64_t window_ms = (uint64_t)seconds * 1000, rest;

	if (e->span_ms <= window_ms || policy_kind_origin(e->kind) != POLICY_WIRE)
		return e->count;
	rest = e->count % e->span_ms * window_ms;	/* rounded up: one that came is one */
	return e->count / e->span_ms * window_ms + rest / e->span_ms + (rest % e->span_ms != 0);
}

static void feed_rule(struct policy_state *s, struct rule_state *r, const struct policy_evidence *e,
		      struct policy_time now, policy_fn fn, void *ctx)
{
	const struct policy_rule *rule = &r->rule;
	struct subject *sub = subject_of(r, e->subject);
	struct policy_decision d = { .rule = rule, .kind = e->kind, .subject = e->subject };

	if (!sub)
		return;
	sub->unreported = add_saturated(sub->unreported, e->count);
	if (window_add(&sub->window, rule->seconds, within_window(e, rule->seconds), now.ms) < rule->count)
		return;
	d.count = sub->unreported;
	d.action = (enum policy_action)rule->action;
	if (rule->escalate_count &&
	    ring_count(&sub->fired, (uint64_t)rule->escalate_s * 1000, now.ms) >= rule->escalate_count) {
		d.action = (enum policy_action)rule->escalate_action;
		d.escalated = true;
	}
	d.action = allowed(e->kind, d.action);
	decide(s, r, sub, &d, now.ms);
	if (d.alert) {
		d.hook = take_hook(r, sub, now.ms);
		sub->unreported = 0;
		memset(sub->window.slot, 0, sizeof(sub->window.slot));
	}
	if (d.alert || d.first)
		fn(&d, ctx);
}

/* ---- one ATR ---- */

void policy_feed(struct policy_state *s, const struct policy_evidence *e, struct policy_time now, policy_fn fn,
		 void *ctx)
{
	for (size_t i = 0; i < s->n; i++)
		if (concerns(&s->rules[i].rule, e, now))
			feed_rule(s, &s->rules[i], e, now, fn, ctx);
}

static void account_due(struct policy_state *s, struct account *a, struct policy_time now, policy_fn fn, void *ctx)
{
	struct rule_state *r = a->owed.rule;
	struct policy_decision d = { .action = POLICY_DO_REKEY, .outcome = POLICY_DUE, .owed = true, .first = true,
				     .kind = a->owed.kind, .subject = "" };
	uint64_t until_ms;

	if (!r || hindrance(a, r, &a->hold[POLICY_DO_REKEY], POLICY_DO_REKEY, now.ms, &until_ms) != POLICY_DUE)
		return;
	d.rule = &r->rule;
	take(s, r, &a->hold[POLICY_DO_REKEY], POLICY_DO_REKEY, now.ms);
	fn(&d, ctx);
}

void policy_due(struct policy_state *s, struct policy_time now, policy_fn fn, void *ctx)
{
	account_due(s, &s->locked, now, fn, ctx);
	account_due(s, &s->own, now, fn, ctx);
}

static uint64_t account_due_ms(const struct account *a, uint64_t now_ms)
{
	const struct rule_state *r = a->owed.rule;
	uint64_t at = now_ms, until_ms;

	if (!r)
		return UINT64_MAX;
	while (hindrance(a, r, &a->hold[POLICY_DO_REKEY], POLICY_DO_REKEY, at, &until_ms) != POLICY_DUE)
		at = until_ms;
	return at;
}

uint64_t policy_due_ms(const struct policy_state *s, uint64_t now_ms)
{
	uint64_t own = account_due_ms(&s->own, now_ms), locked = account_due_ms(&s->locked, now_ms);

	return own < locked ? own : locked;
}

uint64_t policy_delta(uint64_t before, uint64_t now)
{
	return now < before ? now : now - before;
}

/* ---- which rules are in force ---- */

static const struct policy_section *section_of(const struct policy *p, uint32_t atr_id)
{
	for (size_t i = 0; i < p->n_atrs; i++)
		if (p->atrs[i].atr_id == atr_id)
			return &p->atrs[i];
	return NULL;
}

static const struct policy_rule *own_rule(const struct policy_section *own, const char *name)
{
	for (size_t i = 0; own && i < own->n; i++)
		if (!strcmp(own->rules[i].name, name))
			return &own->rules[i];
	return NULL;
}

static bool is_common(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->rules[i].name, name))
			return true;
	return false;
}

static void add_rule(struct rule_state *rules, size_t *n, const struct policy_rule *rule)
{
	if (!rule->off)
		rules[(*n)++].rule = *rule;
}

/* The common ones, or the ATR's own of the same name in their place; then its others. */
static size_t choose(const struct policy *p, const struct policy_section *own, struct rule_state *rules)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		add_rule(rules, &n, own_rule(own, p->rules[i].name) ?: &p->rules[i]);
	for (size_t i = 0; own && i < own->n; i++)
		if (!is_common(p, own->rules[i].name))
			add_rule(rules, &n, &own->rules[i]);
	return n;
}

static void subjects_free(struct rule_state *r)
{
	struct subject *s;

	while ((s = r->subjects)) {
		r->subjects = s->next;
		free(s);
	}
}

/* Where a rule stands in the file is not what it says. */
static bool same_rule(const struct policy_rule *a, const struct policy_rule *b)
{
	return !memcmp(a, b, offsetof(struct policy_rule, line));
}

static void inherit_owed(const struct owed *before, const struct rule_state *from, struct rule_state *to, struct owed *ret)
{
	if (before->rule == from)
		*ret = (struct owed){ to, before->kind };
}

/* @to goes on where the same rule of @s stopped. */
static void inherit(struct policy_state *s, struct rule_state *to, struct owed *owed)
{
	for (size_t i = 0; i < s->n; i++) {
		struct policy_rule rule = to->rule;

		if (!same_rule(&s->rules[i].rule, &rule))
			continue;
		*to = s->rules[i];
		to->rule = rule;
		s->rules[i].subjects = NULL;
		inherit_owed(&s->own.owed, &s->rules[i], to, owed);
		inherit_owed(&s->locked.owed, &s->rules[i], to, owed);
		return;
	}
}

static uint32_t budget_of(const struct policy *p, uint32_t atr_id)
{
	const struct policy_section *own = section_of(p, atr_id);

	return own && own->budget ? own->budget : p->budget;
}

int policy_state_reload(struct policy_state *s, const struct policy *p)
{
	const struct policy *roots = p->root ? p->root : p;
	const struct policy *here = policy_may_override(&roots->limits, s->atr_id) ? p : roots;
	const struct policy_section *own = section_of(here, s->atr_id);
	struct rule_state *rules = calloc(here->n + (own ? own->n : 0) + 1, sizeof(*rules));
	struct owed owed[2] = {};
	size_t n;

	if (!rules)
		return -ENOMEM;
	n = choose(here, own, rules);
	for (size_t i = 0; i < n; i++)
		inherit(s, &rules[i], &owed[rules[i].rule.locked]);
	for (size_t i = 0; i < s->n; i++)
		subjects_free(&s->rules[i]);
	free(s->rules);
	s->rules = rules;
	s->n = n;
	s->own.owed = owed[false];
	s->locked.owed = owed[true];
	s->own.budget = budget_of(here, s->atr_id);
	s->locked.budget = budget_of(roots, s->atr_id);
	return 0;
}

struct policy_state *policy_state_new(const struct policy *p, uint32_t atr_id)
{
	struct policy_state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->atr_id = atr_id;
	if (policy_state_reload(s, p) < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void policy_state_free(struct policy_state *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		subjects_free(&s->rules[i]);
	free(s->rules);
	free(s);
}

const struct policy_rule *policy_state_rule(const struct policy_state *s, size_t i, struct policy_counters *ret)
{
	if (i >= s->n)
		return NULL;
	*ret = s->rules[i].counters;
	return &s->rules[i].rule;
}

uint32_t policy_state_budget(const struct policy_state *s)
{
	return s->own.budget;
}
