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

static void on_decision(const struct policy_decision *d, void *ctx)
{
	(void)ctx;
	must(d->action < POLICY_DO_QUARANTINE || d->outcome != POLICY_DUE || policy_kind_origin(d->kind) == POLICY_SELF);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct policy_error err = {};
	struct policy p = {};
	struct policy_state *s;
	int r = policy_parse((const char *)data, len, &p, &err);

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
