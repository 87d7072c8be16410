// SPDX-License-Identifier: GPL-2.0
/* How far a manager's own policy may go beyond the root's. */
#include "../include/akm-policy.h"

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
