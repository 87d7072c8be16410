// SPDX-License-Identifier: GPL-2.0
/* A root's policy and a manager's own: what they make together. */
#include "../include/akm-policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct policy_rule *named(const struct policy_rule *rules, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rules[i].name, name))
			return &rules[i];
	return NULL;
}

struct rules { struct policy_rule *rules; size_t n; };

static void add(struct rules *to, const struct policy_rule *r, enum policy_from from)
{
	to->rules[to->n] = *r;
	if (r->line)
		to->rules[to->n].origin = from;
	to->n++;
}

/* The root's, or the manager's of the same name in their place; then its others. */
static int merge_rules(const struct rules *root, const struct rules *own, struct rules *ret)
{
	struct rules to = { calloc(root->n + own->n + 1, sizeof(*to.rules)), 0 };

	if (!to.rules)
		return -ENOMEM;
	for (size_t i = 0; i < root->n; i++) {
		const struct policy_rule *instead = named(own->rules, own->n, root->rules[i].name);

		add(&to, instead ? instead : &root->rules[i], instead ? POLICY_FROM_FILE : POLICY_FROM_ROOT);
	}
	for (size_t i = 0; i < own->n; i++)
		if (!named(root->rules, root->n, own->rules[i].name))
			add(&to, &own->rules[i], POLICY_FROM_FILE);
	*ret = to;
	return 0;
}

static const struct policy_section none;

static const struct policy_section *section_of(const struct policy *p, uint32_t atr_id)
{
	for (size_t i = 0; p && i < p->n_atrs; i++)
		if (p->atrs[i].atr_id == atr_id)
			return &p->atrs[i];
	return &none;
}

static int add_section(struct policy *to, uint32_t atr_id, const struct policy_section *root,
		       const struct policy_section *own)
{
	struct policy_section *s = &to->atrs[to->n_atrs];
	struct rules merged;
	int r = merge_rules(&(struct rules){ root->rules, root->n }, &(struct rules){ own->rules, own->n }, &merged);

	if (r < 0)
		return r;
	*s = (struct policy_section){ atr_id, own->budget ? own->budget : root->budget, merged.n, merged.rules };
	to->n_atrs++;
	return 0;
}

static int merge_sections(const struct policy *root, const struct policy *own, struct policy *to)
{
	int r = 0;

	to->atrs = calloc(root->n_atrs + own->n_atrs + 1, sizeof(*to->atrs));
	if (!to->atrs)
		return -ENOMEM;
	for (size_t i = 0; !r && i < root->n_atrs; i++)
		r = add_section(to, root->atrs[i].atr_id, &root->atrs[i], section_of(own, root->atrs[i].atr_id));
	for (size_t i = 0; !r && i < own->n_atrs; i++)
		if (section_of(root, own->atrs[i].atr_id) == &none)
			r = add_section(to, own->atrs[i].atr_id, &none, &own->atrs[i]);
	return r;
}

/* Those of the root's and of the manager's file, also of rules that are not in force here: at most twice as many. */
static void add_hooks(const struct policy *from, struct policy *to)
{
	for (size_t i = 0; i < from->n_hooks; i++) {
		size_t k = 0;

		while (k < to->n_hooks && strcmp(to->hooks[k], from->hooks[i]))
			k++;
		if (k < to->n_hooks || k == sizeof(to->hooks) / sizeof(to->hooks[0]))
			continue;
		memcpy(to->hooks[to->n_hooks++], from->hooks[i], POLICY_NAME_LEN);
	}
}

static int merge(const struct policy *root, const struct policy *own, struct policy *ret)
{
	struct policy to = {};
	struct rules merged;
	int r;

	r = merge_rules(&(struct rules){ root->rules, root->n }, &(struct rules){ own->rules, own->n }, &merged);
	if (r < 0)
		return r;
	to = (struct policy){ .budget = own->budget ? own->budget : root->budget, .n = merged.n, .rules = merged.rules,
			      .limits = root->limits };
	add_hooks(root, &to);
	add_hooks(own, &to);
	r = merge_sections(root, own, &to);
	if (r < 0)
		policy_free(&to);
	else
		*ret = to;
	return r;
}

static const struct policy nothing;

int policy_merge(const struct policy *root, const struct policy *own, struct policy *ret)
{
	struct policy to = {};
	int r = merge(root, own ? own : &nothing, &to);

	if (!r && own) {
		to.root = calloc(1, sizeof(*to.root));
		r = to.root ? merge(root, &nothing, to.root) : -ENOMEM;
	}
	if (r < 0)
		policy_free(&to);
	else
		*ret = to;
	return r;
}

const char *policy_from_name(const struct policy_rule *r)
{
	switch ((enum policy_from)r->origin) {
	case POLICY_FROM_FILE:
		return r->of_atr ? "local-atr" : "local";
	case POLICY_FROM_ROOT:
		if (r->locked)
			return r->of_atr ? "root-atr-locked" : "root-locked";
		return r->of_atr ? "root-atr" : "root";
	case POLICY_FROM_DEFAULT:
		return "default";
	}
	return "?";
}
