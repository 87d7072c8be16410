// SPDX-License-Identifier: GPL-2.0
/*
 * A manager's own policy on top of the root's: what is in force, what the root's limits refuse with its place, and that
 * nothing else holds back a rule that is locked.
 */
#include "../../include/akm-policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RULE(name, then)	"rule " name "\nwhen auth-fail rate 1/1\nthen " then "\n"

static struct policy parsed(const char *text)
{
	struct policy_error err = {};
	struct policy p = {};

	if (policy_parse(text, strlen(text), &p, &err))
		fail_msg("%u:%u: %s: %s\n%s", err.line, err.column, err.field, err.reason, text);
	return p;
}

static struct policy merged(const char *root_text, const char *own_text)
{
	struct policy root = parsed(root_text), own = {}, p = {};
	struct policy_error err = {};

	if (own_text && policy_parse_over(own_text, strlen(own_text), &root, &own, &err))
		fail_msg("%u:%u: %s: %s\n%s", err.line, err.column, err.field, err.reason, own_text);
	assert_int_equal(policy_merge(&root, own_text ? &own : NULL, &p), 0);
	policy_free(&root);
	policy_free(&own);
	return p;
}

/* ---- what is in force ---- */

/* "NAME:FROM:ACTION …" of the rules that are in force for @atr_id, and the budget */
static const char *in_force(const struct policy *p, uint32_t atr_id)
{
	static char text[1024];
	struct policy_state *s = policy_state_new(p, atr_id);
	struct policy_counters c;
	const struct policy_rule *r;
	size_t n = 0;

	assert_non_null(s);
	for (size_t i = 0; (r = policy_state_rule(s, i, &c)); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s:%s:%s ", r->name, policy_from_name(r),
				      policy_action_name((enum policy_action)r->action));
	snprintf(text + n, sizeof(text) - n, "%u", policy_state_budget(s));
	policy_state_free(s);
	return text;
}

#define ROOT	"budget 6\n" RULE("a", "alert") RULE("b", "rekey") "atr 7\nbudget 3\n" RULE("a", "rekey") RULE("c", "alert")
#define OWN	RULE("b", "alert") RULE("d", "rekey") "atr 7\n" RULE("c", "rekey") "rule a off\natr 8\nbudget 2\n" RULE("a", "rekey")

static void test_merge(void **state)
{
	struct policy p = merged(ROOT, NULL);

	(void)state;
	assert_string_equal(in_force(&p, 1), "a:root:alert b:root:rekey 6");
	assert_string_equal(in_force(&p, 7), "a:root-atr:rekey b:root:rekey c:root-atr:alert 3");
	policy_free(&p);
	p = merged(ROOT, "");
	assert_string_equal(in_force(&p, 1), "a:root:alert b:root:rekey 6");
	policy_free(&p);
	p = merged(ROOT, OWN);
	assert_string_equal(in_force(&p, 1), "a:root:alert b:local:alert d:local:rekey 6");
	assert_string_equal(in_force(&p, 7), "b:local:alert d:local:rekey c:local-atr:rekey 3");
	assert_string_equal(in_force(&p, 8), "a:local-atr:rekey b:local:alert d:local:rekey 2");
	policy_free(&p);
	p = merged(ROOT, "budget 9\nrule a off\natr 7\nbudget 4\n");
	assert_string_equal(in_force(&p, 1), "b:root:rekey 9");
	assert_string_equal(in_force(&p, 7), "a:root-atr:rekey b:root:rekey c:root-atr:alert 4");
	policy_free(&p);
}

/* Somebody looks after the programs of both, once each, and the root's where the own file says nothing. */
static void test_hooks(void **state)
{
	struct policy p = merged(RULE("a", "alert\nhook page") RULE("b", "alert\nhook mail"),
				 RULE("a", "alert\nhook mail") "atr 7\n" RULE("c", "alert\nhook horn"));

	(void)state;
	assert_int_equal(p.n_hooks, 3);
	assert_string_equal(p.hooks[0], "page");
	assert_string_equal(p.hooks[1], "mail");
	assert_string_equal(p.hooks[2], "horn");
	assert_string_equal(p.rules[0].hook, "mail");
	assert_int_equal(p.root->n_hooks, 2);
	assert_string_equal(p.root->rules[0].hook, "page");
	policy_free(&p);
}

/* A file may say what it says before the root has spoken. */
static void test_root_unknown(void **state)
{
	const char *text = "rule a off\n" RULE("b", "rekey") "atr 7\nrule c off\n";
	struct policy_error err = {};
	struct policy p = {};

	(void)state;
	assert_int_equal(policy_parse_over(text, strlen(text), NULL, &p, &err), 0);
	assert_string_equal(in_force(&p, 7), "b:local:rekey 12");
	policy_free(&p);
}

/* Where the root lets it speak of some ATRs alone, the rest is the root's, whatever is common in it. */
static void test_some_atrs(void **state)
{
	struct policy p = merged("limit atr 7,9\n" ROOT, RULE("b", "alert") "budget 1\natr 7\nrule c off\n");

	(void)state;
	assert_string_equal(in_force(&p, 0), "a:root:alert b:root:rekey 6");
	assert_string_equal(in_force(&p, 1), "a:root:alert b:root:rekey 6");
	assert_string_equal(in_force(&p, 7), "a:root-atr:rekey b:local:alert 3");
	assert_string_equal(in_force(&p, 9), "a:root:alert b:local:alert 1");
	policy_free(&p);
}

/* What is left out is not more than what may be said. */
static void test_defaults_are_within(void **state)
{
	struct policy p = merged("limit budget 3\nlimit hold-down 300\n", RULE("a", "rekey") RULE("b", "alert")
				 RULE("c", "alert\nescalate 2/60 rekey") RULE("d", "rekey hold-down 301 budget 2")
				 RULE("e", "alert hold-down 0 budget 60"));

	(void)state;
	assert_true(p.rules[0].budget == 3 && p.rules[0].hold_s == 300);
	assert_true(p.rules[1].budget == POLICY_BUDGET_MAX && p.rules[1].alert_hold_s == 1);
	assert_true(p.rules[2].budget == 3 && p.rules[2].hold_s == 300 && p.rules[2].alert_hold_s == 1);
	assert_true(p.rules[3].budget == 2 && p.rules[3].hold_s == 301);
	assert_true(p.rules[4].budget == 60 && p.rules[4].alert_hold_s == 0);
	policy_free(&p);
}

static void test_text(void **state)
{
	static const struct { const char *file, *text; } list[] = {
		{ "", "" }, { "limit atr none\n", "atr none" }, { "limit budget 3\n", "budget 3" },
		{ "limit hold-down 60\nlimit atr 7, 9\nlimit action rekey\nlimit budget 6 # so many\n",
		  "action rekey, budget 6, hold-down 60, atr 7,9" },
	};
	char text[POLICY_LIMITS_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct policy p = parsed(list[i].file);

		policy_limits_text(&p.limits, text);
		assert_string_equal(text, list[i].text);
		assert_int_equal(p.limits.line, list[i].file[0] ? 1 : 0);
		policy_free(&p);
	}
}

/* ---- refusals ---- */

struct refusal {
	const char *root, *text;	/* root NULL: a root's file itself */
	unsigned int line, column;
	const char *field, *reason;
};

#define NO_WORD_ALONE	"is for the root's policy, which managers get from it"
#define NO_WORD		" " NO_WORD_ALONE

static const struct refusal refusals[] = {
	{ "", "limit atr none\n", 1, 1, "limit", NO_WORD_ALONE },
	{ "", "rule a locked\n", 1, 8, "rule", "locked" NO_WORD },
	{ "", "rule a off\n", 1, 6, "rule", "there is no rule a of the root's, or above, that could be off here" },
	{ "atr 7\n" RULE("a", "alert"), "rule a off\n", 1, 6, "rule",
	  "there is no rule a of the root's, or above, that could be off here" },
	{ "atr 7\n" RULE("a", "alert"), "atr 8\nrule a off\n", 2, 6, "rule",
	  "there is no rule a of the root's, or above, that could be off here" },
	/* locked */
	{ RULE("a locked", "alert"), RULE("b", "alert") RULE("a", "rekey"), 4, 6, "rule",
	  "a is locked by the root, in line 1 of its policy" },
	{ RULE("a locked", "alert"), "rule a off\n", 1, 6, "rule", "a is locked by the root, in line 1 of its policy" },
	{ RULE("a locked", "alert"), "atr 7\nrule a off\n", 2, 6, "rule", "a is locked by the root, in line 1 of its policy" },
	{ RULE("a locked", "alert"), "atr 7\n" RULE("a", "rekey"), 2, 6, "rule",
	  "a is locked by the root, in line 1 of its policy" },
	{ "atr 7\n" RULE("a locked", "alert"), "atr 7\nrule a off\n", 2, 6, "rule",
	  "a is locked by the root, in line 2 of its policy" },
	/* action */
	{ "limit action alert\n", RULE("a", "rekey"), 3, 6, "then",
	  "rekey is more than the root allows: limit action alert, in line 1 of its policy" },
	{ "limit action alert\n", RULE("a", "alert\nescalate 3/60 rekey"), 4, 15, "escalate",
	  "rekey is more than the root allows: limit action alert, in line 1 of its policy" },
	{ "limit action roll\n", RULE("a", "rekey"), 3, 6, "then",
	  "rekey is more than the root allows: limit action roll, in line 1 of its policy" },
	{ "limit action alert\n", RULE("a", "roll"), 3, 6, "then",
	  "roll is more than the root allows: limit action alert, in line 1 of its policy" },
	{ "\nlimit action rekey\n", "atr 3\nrule a\nwhen exhausted rate 1/1 scope member\nthen evict\n", 4, 6, "then",
	  "evict is more than the root allows: limit action rekey, in line 2 of its policy" },
	/* budget and hold-down */
	{ "limit budget 3\n", "budget 4\n", 1, 8, "budget",
	  "4 is more than the root allows: limit budget 3, in line 1 of its policy" },
	{ "limit budget 3\n", "atr 7\nbudget 4\n", 2, 8, "budget",
	  "4 is more than the root allows: limit budget 3, in line 1 of its policy" },
	{ "limit budget 3\n", RULE("a", "rekey budget 4"), 3, 19, "budget",
	  "4 is more than the root allows: limit budget 3, in line 1 of its policy" },
	{ "limit budget 3\n", RULE("a", "alert budget 4\nescalate 1/1 rekey"), 3, 19, "budget",
	  "4 is more than the root allows: limit budget 3, in line 1 of its policy" },
	{ "limit hold-down 60\n", RULE("a", "rekey hold-down 59"), 3, 22, "hold-down",
	  "59 is less than the root allows: limit hold-down 60, in line 1 of its policy" },
	/* atr */
	{ "limit atr 7\n", "atr 7\natr 8\n", 2, 5, "atr",
	  "8 is none that the root lets a manager's own policy speak of: limit atr, in line 1 of its policy" },
	{ "limit atr none\n", RULE("a", "alert"), 1, 6, "rule",
	  "the root lets no manager's own policy say anything: limit atr none, in line 1 of its policy" },
	{ "limit atr none\n", "budget 1\n", 1, 1, "budget",
	  "the root lets no manager's own policy say anything: limit atr none, in line 1 of its policy" },
	{ "limit atr none\n", "atr 1\n", 1, 5, "atr",
	  "1 is none that the root lets a manager's own policy speak of: limit atr, in line 1 of its policy" },
	/* the root's own file */
	{ NULL, "limit\n", 1, 6, "limit", "action, budget, hold-down or atr must follow" },
	{ NULL, "limit rate 3\n", 1, 7, "limit", "\"rate\" is none of action, budget, hold-down, atr" },
	{ NULL, "limit action\n", 1, 13, "action", "alert, roll, fallback, rekey, rotate, lockdown, quarantine or evict must follow" },
	{ NULL, "limit action none\n", 1, 14, "action", "\"none\" is none of alert, roll, fallback, rekey, rotate, lockdown, quarantine, evict" },
	{ NULL, "limit budget 0\n", 1, 14, "budget", "0 is not within 1 … 60" },
	{ NULL, "limit hold-down 86401\n", 1, 17, "hold-down", "86401 is not within 0 … 86400" },
	{ NULL, "limit atr\n", 1, 10, "atr", "the number of an ATR, or none, must follow" },
	{ NULL, "limit atr 7,\n", 1, 13, "atr", "the number of an ATR must follow" },
	{ NULL, "limit atr 7,none\n", 1, 13, "atr", "\"none\" is not a whole number" },
	{ NULL, "limit atr none,7\n", 1, 15, "limit", "\",\" is not expected here" },
	{ NULL, "limit atr 7,8,7\n", 1, 15, "atr", "7 is given twice" },
	{ NULL, "limit atr 7 8\n", 1, 13, "limit", "\"8\" is not expected here" },
	{ NULL, "limit budget 3\nlimit budget 3\n", 2, 1, "limit", "budget given before, in line 1" },
	{ NULL, "atr 7\nlimit budget 3\n", 2, 1, "limit", "stands before the first atr: it is for all" },
	{ NULL, "rule a locked off\n", 1, 15, "rule", "\"off\" is not expected here" },
	{ NULL, "rule a locked\nlimit budget 3\n", 1, 6, "rule", "a has no when" },
};

static void check(const struct refusal *r)
{
	struct policy root = parsed(r->root ? r->root : ""), p = {};
	struct policy_error err = {};
	int e = r->root ? policy_parse_over(r->text, strlen(r->text), &root, &p, &err) :
			  policy_parse(r->text, strlen(r->text), &p, &err);

	if (e != -22 || err.line != r->line || err.column != r->column || strcmp(err.field, r->field) ||
	    strcmp(err.reason, r->reason))
		fail_msg("%s\n%d %u:%u: %s: %s\nnot  %u:%u: %s: %s", r->text, e, err.line, err.column, err.field, err.reason,
			 r->line, r->column, r->field, r->reason);
	policy_free(&root);
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		check(&refusals[i]);
}

static void test_too_many_atrs(void **state)
{
	char text[POLICY_LINE_MAX] = "limit atr 1";
	struct refusal r = { NULL, text, 1, 0, "atr", "more than 64 ATRs" };
	struct policy p;

	(void)state;
	for (int i = 2; i <= POLICY_ATRS_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ",%d", i);
	p = parsed(text);
	assert_int_equal(p.limits.n_atrs, POLICY_ATRS_MAX);
	policy_free(&p);
	r.column = (unsigned int)strlen(text) + 2;
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ",65");
	check(&r);
}

/* ---- locked rules at work ---- */

struct seen { unsigned int locked, own, alerts; };

static void on_decision(const struct policy_decision *d, void *ctx)
{
	struct seen *seen = ctx;

	if (d->outcome != POLICY_DUE)
		return;
	seen->locked += !strcmp(d->rule->name, "mine") && d->action == POLICY_DO_REKEY;
	seen->own += !strcmp(d->rule->name, "theirs") && d->action == POLICY_DO_REKEY;
	seen->alerts += d->action == POLICY_DO_ALERT;
}

static void feed(struct policy_state *s, enum policy_kind kind, uint64_t ms, struct seen *seen)
{
	struct policy_evidence e = { kind, POLICY_ALERT, "A", 1, 0 };

	policy_feed(s, &e, (struct policy_time){ ms, 0 }, on_decision, seen);
}

#define LOCKED	"budget 2\nrule mine locked\nwhen clone rate 1/1\nthen rekey hold-down 60 budget 60\n"
#define THEIRS	"budget 1\nrule theirs\nwhen replay,clone rate 1/1\nthen rekey hold-down 86400 budget 60\n"

/* The others' hold-downs, budgets and what they are owed are not its own: it acts as if it were alone. */
static void test_locked_is_not_starved(void **state)
{
	struct policy p = merged(LOCKED, THEIRS);
	struct policy_state *s = policy_state_new(&p, 1);
	struct seen seen = {};

	(void)state;
	feed(s, POLICY_REPLAY, 1000, &seen);
	assert_true(seen.own == 1 && !seen.locked);
	feed(s, POLICY_CLONE, 2000, &seen);
	assert_true(seen.own == 1 && seen.locked == 1);
	/* 60 s later again, then the root's budget is used up, and the rekey is owed an hour after the first. */
	feed(s, POLICY_CLONE, 70000, &seen);
	assert_true(seen.own == 1 && seen.locked == 2);
	feed(s, POLICY_CLONE, 600000, &seen);
	assert_true(seen.own == 1 && seen.locked == 2);
	assert_true(policy_due_ms(s, 600000) == 2000 + 3600000);
	policy_due(s, (struct policy_time){ 2000 + 3600000, 0 }, on_decision, &seen);
	assert_true(seen.own == 1 && seen.locked == 3);
	/* One rekey was what both wanted. */
	assert_true(policy_due_ms(s, 2000 + 3600000) == UINT64_MAX);
	policy_state_free(s);
	policy_free(&p);
}

/* The budget is the root's where that has one for the ATR; and a reload keeps what is owed, whoever owes it. */
static void test_locked_and_reload(void **state)
{
	struct policy p = merged(LOCKED "atr 1\nbudget 1\n", "atr 1\nbudget 60\n"), plain = merged(LOCKED "atr 1\nbudget 1\n", NULL);
	struct policy_state *s = policy_state_new(&p, 1);
	struct seen seen = {};

	(void)state;
	assert_int_equal(policy_state_budget(s), 60);
	feed(s, POLICY_CLONE, 1000, &seen);
	feed(s, POLICY_CLONE, 200000, &seen);
	assert_int_equal(seen.locked, 1);
	assert_true(policy_due_ms(s, 200000) == 1000 + 3600000);
	assert_int_equal(policy_state_reload(s, &plain), 0);
	assert_int_equal(policy_state_budget(s), 1);
	assert_true(policy_due_ms(s, 200000) == 1000 + 3600000);
	policy_due(s, (struct policy_time){ 1000 + 3600000, 0 }, on_decision, &seen);
	assert_int_equal(seen.locked, 2);
	policy_state_free(s);
	policy_free(&p);
	policy_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_root_unknown),
		cmocka_unit_test(test_some_atrs),
		cmocka_unit_test(test_defaults_are_within),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many_atrs),
		cmocka_unit_test(test_locked_is_not_starved),
		cmocka_unit_test(test_locked_and_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
