// SPDX-License-Identifier: GPL-2.0
#include "policy_load.h"

#include "durable.h"

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
int policy_explain(const char *path, const struct policy_error *why, struct akm_error *err)
{
	char field[sizeof_field(struct akm_error, field)];
	const char *slash = strrchr(path, '/');

	if (strlen(path) > sizeof(field) / 2 && slash)
		path = slash + 1;
	snprintf(field, sizeof(field), "%.40s:%u:%u", path, why->line, why->column);
	return akm_error_set(err, -EINVAL, field, "%.40s: %.148s", why->field, why->reason);
}

/* A node can enter the fallback and nothing more; a manager, and a root for it, has better. */
static bool may(enum msg_role role, uint32_t action)
{
	return action <= POLICY_DO_ALERT || (role == ROLE_NODE) == (action == POLICY_DO_FALLBACK);
}

static int check_rules(enum msg_role role, const char *path, const struct policy_rule *rules, size_t n,
		       struct akm_error *err)
{
	struct policy_error why = { .column = 1 };

	for (size_t i = 0; i < n; i++) {
		uint32_t bad = may(role, rules[i].action) ? rules[i].escalate_action : rules[i].action;

		if (may(role, bad))
			continue;
		why.line = rules[i].line;
		snprintf(why.field, sizeof(why.field), "rule %s", rules[i].name);
		snprintf(why.reason, sizeof(why.reason), "%s is not for a %s", policy_action_name((enum policy_action)bad),
			 role == ROLE_NODE ? "node: alert and fallback are" : "manager, which makes a new generation (rekey)");
		return policy_explain(path, &why, err);
	}
	return 0;
}

static int check_limits(enum msg_role role, const char *path, const struct policy *p, struct akm_error *err)
{
	struct policy_error why = { .line = p->limits.line, .column = 1, .field = "limit",
				    .reason = "limit and locked are for the root's policy" };

	return role == ROLE_NODE && p->limits.line ? policy_explain(path, &why, err) : 0;
}

static int check_role(enum msg_role role, const char *path, const struct policy *p, struct akm_error *err)
{
	int r = check_limits(role, path, p, err) ?: check_rules(role, path, p->rules, p->n, err);

	for (size_t i = 0; !r && i < p->n_atrs; i++)
		r = check_rules(role, path, p->atrs[i].rules, p->atrs[i].n, err);
	return r;
}

int policy_read(const struct config *c, struct akm_blob *ret, struct akm_error *err)
{
	int r = durable_read(c->policy_file, POLICY_FILE_MAX, ret);

	return r < 0 ? akm_error_set(err, r, "policy", "%.100s: %s", c->policy_file, strerror(-r)) : 0;
}

int policy_of_root(const struct akm_blob *text, const char *path, struct policy *ret, struct akm_error *err)
{
	struct policy_error why = {};
	struct policy p = {};
	int r = policy_parse((const char *)text->data, text->len, &p, &why);

	r = r == -EINVAL ? policy_explain(path, &why, err) : r ?: check_role(ROLE_MANAGER, path, &p, err);
	if (r < 0)
		policy_free(&p);
	else
		*ret = p;
	return r;
}

static const struct policy_rule *hooking(const struct policy_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rules[i].hook[0])
			return &rules[i];
	return NULL;
}

/* Of a file of its own, which can say it better; the root's may name what some managers do not have. */
static int check_hooks(const struct config *c, const struct policy *p, struct akm_error *err)
{
	const struct policy_rule *rule = hooking(p->rules, p->n);
	struct policy_error why = { .column = 1 };

	for (size_t i = 0; !rule && i < p->n_atrs; i++)
		rule = hooking(p->atrs[i].rules, p->atrs[i].n);
	if (!rule || (c->role == ROLE_MANAGER && c->hooks))
		return 0;
	why.line = rule->line;
	snprintf(why.field, sizeof(why.field), "rule %s", rule->name);
	snprintf(why.reason, sizeof(why.reason), "hook %s", c->role == ROLE_NODE ?
		 "is not for a node: its manager hears of it" :
		 "needs [policy] hooks in akmd.conf, the directory of the programs");
	return policy_explain(c->policy_file, &why, err);
}

/* @root NULL: there is none, or none yet */
static int read_own(const struct config *c, const struct policy *root, struct policy *ret, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob text = {};
	struct policy_error why = {};
	const char *data;
	int r = policy_read(c, &text, err);

	if (r < 0)
		return r;
	data = (const char *)text.data;
	r = c->role == ROLE_MANAGER ? policy_parse_over(data, text.len, root, ret, &why) :
				      policy_parse(data, text.len, ret, &why);
	return r == -EINVAL ? policy_explain(c->policy_file, &why, err) :
	       r ?: check_role(c->role, c->policy_file, ret, err) ?: check_hooks(c, ret, err);
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
		r = read_own(c, NULL, &p, err);
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

int policy_load_root_alone(const struct config *c, const struct policy *root, struct policy *ret)
{
	struct policy p = {};
	int r = policy_merge(root, NULL, &p) ?: add_unsaid(c, &p);

	if (r < 0)
		policy_free(&p);
	else
		*ret = p;
	return r;
}

int policy_load_over(const struct config *c, const struct policy *root, struct policy *ret, struct akm_error *err)
{
	struct policy own = {}, p = {};
	int r;

	if (!c->policy_file)
		return policy_load_root_alone(c, root, ret);
	r = read_own(c, root, &own, err) ?: policy_merge(root, &own, &p) ?: add_unsaid(c, &p) ?: add_unsaid(c, p.root);
	policy_free(&own);
	if (r < 0)
		policy_free(&p);
	else
		*ret = p;
	return r;
}
