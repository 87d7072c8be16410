// SPDX-License-Identifier: GPL-2.0
/* The policy's file: refused with a place, or rules that survive the way to text and back and garbage cannot abuse. */
#include "fuzz.h"
#include "../../include/akm-policy.h"

#include <stdio.h>
#include <string.h>

static void same_again(const struct policy_rule *r)
{
	char body[POLICY_TEXT_MAX], text[POLICY_TEXT_MAX + 64];
	struct policy_error err = {};
	struct policy p = {};

	policy_rule_text(r, body);
	snprintf(text, sizeof(text), "rule %s\n%s\n", r->name, body);
	must(!policy_parse(text, strlen(text), &p, &err) && p.n == 1);
	must(!memcmp(&p.rules[0], r, offsetof(struct policy_rule, line)));
	policy_free(&p);
}

/* Read as what a manager adds to @root, or to what is not known yet: whatever comes of it keeps what is locked. */
static void over(const uint8_t *data, size_t len, const struct policy *root)
{
	struct policy own = {}, both = {};
	struct policy_error err = {};
	int r = policy_parse_over((const char *)data, len, root, &own, &err);

	must(r == 0 || (err.line && err.column && err.field[0] && err.reason[0]));
	if (r || !root) {
		policy_free(&own);
		return;
	}
	must(!policy_merge(root, &own, &both));
	for (size_t i = 0; i < root->n; i++)
		must(!root->rules[i].locked || !memcmp(&both.rules[i], &root->rules[i], offsetof(struct policy_rule, origin)));
	for (size_t i = 0; i < both.n; i++)
		must(both.rules[i].origin == POLICY_FROM_ROOT || !policy_over_action(&root->limits, both.rules[i].action));
	policy_free(&own);
	policy_free(&both);
}

static void on_decision(const struct policy_decision *d, void *ctx)
{
	(void)ctx;
	must(d->action != POLICY_DO_LOCKDOWN || d->outcome != POLICY_DUE || policy_kind_origin(d->kind) != POLICY_WIRE);
	must(d->action < POLICY_DO_QUARANTINE || d->outcome != POLICY_DUE || policy_kind_origin(d->kind) == POLICY_SELF);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct policy_error err = {};
	struct policy p = {};
	struct policy_state *s;
	const uint8_t *own = memchr(data, '|', len);	/* ends the root's part, if there are two */
	size_t n = own ? (size_t)(own - data) : len;
	int r = policy_parse((const char *)data, n, &p, &err);

	over(data, n, NULL);
	if (!r && own)
		over(own + 1, len - n - 1, &p);
	if (r < 0) {
		must(err.line && err.column && err.field[0] && err.reason[0]);
		return 0;
	}
	for (size_t i = 0; i < p.n; i++)
		same_again(&p.rules[i]);
	s = policy_state_new(&p, p.n_atrs ? p.atrs[0].atr_id : 1);
	for (int k = 0; s && k < POLICY_KINDS; k++)
		for (uint64_t t = 0; t < 5; t++) {
			struct policy_evidence e = { (enum policy_kind)k, POLICY_ALERT, "B", 1000000, 0 };

			policy_feed(s, &e, (struct policy_time){ t * 4000000, (uint32_t)t * 300 }, on_decision, NULL);
			policy_due(s, (struct policy_time){ t * 4000000, 0 }, on_decision, NULL);
		}
	policy_state_free(s);
	policy_free(&p);
	return 0;
}
