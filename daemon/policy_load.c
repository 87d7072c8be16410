// SPDX-License-Identifier: GPL-2.0
#include "policy_load.h"

#include "durable.h"

#define FILE_MAX	(256U << 10)

static int built_in(const struct config *c, struct policy *ret)
{
	const struct { enum policy_kind kind; const struct config_rule *rule; } rules[] = {
		{ POLICY_AUTH_FAIL, &c->auth_fail }, { POLICY_REPLAY, &c->replay },
		{ POLICY_CLONE, &c->clone }, { POLICY_UNKNOWN_KEY, &c->unknown_key },
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

int policy_load(const struct config *c, struct policy *ret, struct akm_error *err)
{
	return c->policy_file ? read_file(c->policy_file, ret, err) : built_in(c, ret);
}
