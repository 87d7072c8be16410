// SPDX-License-Identifier: GPL-2.0
/* Rules and limits as text, in the words of their file. */
#include "../include/akm-policy.h"

#include <stdarg.h>
#include <stdio.h>

struct text { char *buf; size_t n, size; };

__attribute__((format(printf, 2, 3)))
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->n, t->size - t->n, fmt, ap);
	va_end(ap);
	if (n > 0 && (t->n += (size_t)n) >= t->size)
		t->n = t->size - 1;
}

static void put_kinds(struct text *t, const struct policy_rule *r)
{
	const char *before = "";

	for (int k = 0; k < POLICY_KINDS; k++) {
		if (!(r->kinds & 1ull << k))
			continue;
		put(t, "%s%s", before, policy_kind_name((enum policy_kind)k));
		before = ",";
	}
}

static void put_hours(struct text *t, const struct policy_rule *r)
{
	if (r->from != r->to)
		put(t, " between %02u:%02u-%02u:%02u", r->from / 60, r->from % 60, r->to / 60, r->to % 60);
}

static void put_action(struct text *t, const struct policy_rule *r, uint32_t action)
{
	put(t, "%s", policy_action_name((enum policy_action)action));
	if (action == POLICY_DO_QUARANTINE && r->into[0])
		put(t, " into %s", r->into);
}

void policy_rule_text(const struct policy_rule *r, char ret[POLICY_TEXT_MAX])
{
	struct text t = { .buf = ret, .size = POLICY_TEXT_MAX };

	ret[0] = '\0';
	put(&t, "when ");
	put_kinds(&t, r);
	put(&t, " rate %u/%u scope %s severity %s", r->count, r->seconds, r->by_member ? "member" : "atr",
	    policy_severity_name((enum policy_severity)r->severity));
	put_hours(&t, r);
	put(&t, "\nthen ");
	put_action(&t, r, r->action);
	put(&t, " hold-down %u budget %u",
	    r->action == POLICY_DO_ALERT ? r->alert_hold_s : r->hold_s, r->budget);
	if (r->escalate_count) {
		put(&t, "\nescalate %u/%u ", r->escalate_count, r->escalate_s);
		put_action(&t, r, r->escalate_action);
	}
	if (r->hook[0])
		put(&t, "\nhook %s hold-down %u budget %u", r->hook, r->hook_hold_s, r->hook_budget);
}

void policy_limits_text(const struct policy_limits *l, char ret[POLICY_LIMITS_TEXT])
{
	struct text t = { .buf = ret, .size = POLICY_LIMITS_TEXT };
	const char *before = "";

	ret[0] = '\0';
	if (l->action_line) {
		put(&t, "action %s", policy_action_name((enum policy_action)l->action));
		before = ", ";
	}
	if (l->budget_line) {
		put(&t, "%sbudget %u", before, l->budget);
		before = ", ";
	}
	if (l->hold_line) {
		put(&t, "%shold-down %u", before, l->hold_s);
		before = ", ";
	}
	if (l->atr_line)
		put(&t, "%satr %s", before, l->n_atrs ? "" : "none");
	for (size_t i = 0; i < l->n_atrs; i++)
		put(&t, "%s%u", i ? "," : "", l->atrs[i]);
}
