// SPDX-License-Identifier: GPL-2.0
/* How far a manager's own policy may go beyond the root's. */
#include "../include/akm-policy.h"

#include <stdarg.h>
#include <stdio.h>

bool policy_may_override(const struct policy_limits *l, uint32_t atr_id)
{
	for (size_t i = 0; i < l->n_atrs; i++)
		if (l->atrs[i] == atr_id)
			return true;
	return !l->atr_line;
}

bool policy_over_action(const struct policy_limits *l, uint32_t action)
{
	return l->action_line && action > l->action;
}

bool policy_over_budget(const struct policy_limits *l, uint32_t budget)
{
	return l->budget_line && budget > l->budget;
}

bool policy_under_hold(const struct policy_limits *l, uint32_t hold_s)
{
	return l->hold_line && hold_s < l->hold_s;
}

struct text { char *buf; size_t n; };

__attribute__((format(printf, 2, 3)))
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->n, POLICY_LIMITS_TEXT - t->n, fmt, ap);
	va_end(ap);
	if (n > 0 && (t->n += (size_t)n) >= POLICY_LIMITS_TEXT)
		t->n = POLICY_LIMITS_TEXT - 1;
}

void policy_limits_text(const struct policy_limits *l, char ret[POLICY_LIMITS_TEXT])
{
	struct text t = { .buf = ret };
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
