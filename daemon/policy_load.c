// SPDX-License-Identifier: GPL-2.0
#include "policy_load.h"

#include "durable.h"

#define FILE_MAX	(256U << 10)

/* What a node can do by itself, and on what: evidence that the generation in use is not sound any more. */
static int built_in_node(struct policy *ret)
{
	struct policy p = { .budget = POLICY_BUDGET_DEFAULT };
	int r = policy_add(&p, POLICY_CLONE, 1, 60, POLICY_DO_FALLBACK, POLICY_HOLD_DEFAULT);

	r = r ?: policy_add(&p, POLICY_EXHAUSTED, 1, 60, POLICY_DO_FALLBACK, POLICY_HOLD_DEFAULT);
	if (r < 0)
		policy_free(&p);
	else
		*ret = p;
	return r;
}

static int built_in(const struct config *c, struct policy *ret)
{
	const struct { enum policy_kind kind; const struct config_rule *rule; } rules[] = {
		{ POLICY_AUTH_FAIL, &c->auth_fail }, { POLICY_REPLAY, &c->replay },
		{ POLICY_CLONE, &c->clone }, { POLICY_UNKNOWN_KEY, &c->unknown_key },
		{ POLICY_EPOCH_STALE, &c->epoch_stale },
	};
	struct policy p = { .budget = POLICY_BUDGET_DEFAULT };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(rules); i++)
		if (rules[i].rule->count && rules[i].rule->action != ACTION_NONE)
			r = policy_add(&p, rules[i].kind, rules[i].rule->count, rules[i].rule->seconds,
				       rules[i].rule->action == ACTION_REKEY ? POLICY_DO_REKEY : POLICY_DO_ALERT,
				       c->hold_down_s);
	if (r < 0)
		policy_free(&p);
	else
		*ret = p;
	return r;
}

/* FILE:LINE:COLUMN; a long path gives way to its last part. */
static int explain(const char *path, const struct policy_error *why, struct akm_error *err)
{
	char field[sizeof_field(struct akm_error, field)];
	const char *slash = strrchr(path, '/');

	if (strlen(path) > sizeof(field) / 2 && slash)
		path = slash + 1;
	snprintf(field, sizeof(field), "%.40s:%u:%u", path, why->line, why->column);
	return akm_error_set(err, -EINVAL, field, "%.40s: %.148s", why->field, why->reason);
}

static int read_file(const char *path, struct policy *ret, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob text = {};
	struct policy_error why = {};
	int r = durable_read(path, FILE_MAX, &text);

	if (r < 0)
		return akm_error_set(err, r, "policy", "%.100s: %s", path, strerror(-r));
	r = policy_parse((const char *)text.data, text.len, ret, &why);
	return r == -EINVAL ? explain(path, &why, err) : r;
}

static bool may(enum msg_role role, uint32_t action)
{
	return action <= POLICY_DO_ALERT || (role == ROLE_NODE) == (action == POLICY_DO_FALLBACK);
}

/* A node can enter the fallback and nothing more; a manager has better. */
static int check_rules(const struct config *c, const struct policy_rule *rules, size_t n, struct akm_error *err)
{
	struct policy_error why = { .column = 1 };

	for (size_t i = 0; i < n; i++) {
		uint32_t bad = may(c->role, rules[i].action) ? rules[i].escalate_action : rules[i].action;

		if (may(c->role, bad))
			continue;
		why.line = rules[i].line;
		snprintf(why.field, sizeof(why.field), "rule %s", rules[i].name);
		snprintf(why.reason, sizeof(why.reason), "%s is not for a %s", policy_action_name((enum policy_action)bad),
			 c->role == ROLE_NODE ? "node: alert and fallback are" : "manager, which makes a new generation (rekey)");
		return explain(c->policy_file, &why, err);
	}
	return 0;
}

static int check_role(const struct config *c, const struct policy *p, struct akm_error *err)
{
	int r = check_rules(c, p->rules, p->n, err);

	for (size_t i = 0; !r && i < p->n_atrs; i++)
		r = check_rules(c, p->atrs[i].rules, p->atrs[i].n, err);
	return r;
}

/* An ATR whose fallback was used gets a new generation, and a new fallback, unless the file says something else. */
static int add_unsaid(const struct config *c, struct policy *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->rules[i].kinds & 1ull << POLICY_FALLBACK_ENTERED)
			return 0;
	return policy_add(p, POLICY_FALLBACK_ENTERED, 1, 60, POLICY_DO_REKEY, c->hold_down_s);
}

int policy_load(const struct config *c, struct policy *ret, struct akm_error *err)
{
	struct policy p = {};
	int r;

	if (c->policy_file)
		r = read_file(c->policy_file, &p, err) ?: check_role(c, &p, err);
	else
		r = c->role == ROLE_NODE ? built_in_node(&p) : built_in(c, &p);
	if (!r && c->role == ROLE_MANAGER)
		r = add_unsaid(c, &p);
	if (r < 0)
		policy_free(&p);
	else
		*ret = p;
	return r;
}
