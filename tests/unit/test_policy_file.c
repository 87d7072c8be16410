// SPDX-License-Identifier: GPL-2.0
/* The policy's file: every refusal with its place, what is left out, and the way back to text. */
#include "../../include/akm-policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RULE		"rule r\n\twhen auth-fail rate 1/1\n\tthen alert\n"
#define WHEN(x)		"rule r\n\twhen " x "\n\tthen alert\n"
#define THEN(kinds, x)	"rule r\n\twhen " kinds " rate 1/1 scope member\n\tthen " x "\n"
#define WIRE		" can be caused by anybody on the wire: it must not cost a member its place"
#define LOCK		" can be caused by anybody on the wire: it must not lock what only a person unlocks"
#define FORGED		" can be forged by one member in the name of another: it must not cost a member its place"
#define NO_ATR		" concerns no single ATR: alert, rotate, lockdown and evict are all there is to do"
#define WORD		"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"	/* 63 bytes */

static const struct refusal {
	const char *text;
	unsigned int line, column;
	const char *field, *reason;
} refusals[] = {
	{ "hello\n", 1, 1, "text", "\"hello\" is none of rule, when, then, escalate, hook, budget, atr, limit" },
	{ "\n  hello\n", 2, 3, "text", "\"hello\" is none of rule, when, then, escalate, hook, budget, atr, limit" },
	{ RULE "b\303\244r\n", 4, 2, "text", "a byte that is not printable ASCII" },
	{ "rule r\r\n", 1, 7, "text", "a byte that is not printable ASCII" },
	{ "rule " WORD "x\n", 1, 6, "text", "a word of more than 63 bytes" },
	/* Never to cost a member its place */
	{ THEN("auth-fail", "evict"), 3, 7, "then", "auth-fail" WIRE },
	{ THEN("auth-fail", "quarantine"), 3, 7, "then", "auth-fail" WIRE },
	{ THEN("replay", "evict"), 3, 7, "then", "replay" WIRE },
	{ THEN("unknown-key", "evict"), 3, 7, "then", "unknown-key" WIRE },
	{ THEN("malformed", "evict"), 3, 7, "then", "malformed" WIRE },
	{ THEN("epoch-refused", "evict"), 3, 7, "then", "epoch-refused" WIRE },
	{ THEN("epoch-stale", "evict"), 3, 7, "then", "epoch-stale" WIRE },
	{ THEN("link-psk", "evict"), 3, 7, "then", "link-psk" WIRE },
	{ THEN("link-unknown", "evict"), 3, 7, "then", "link-unknown" WIRE },
	{ THEN("link-stale", "evict"), 3, 7, "then", "link-stale" WIRE },
	{ THEN("link-protocol", "evict"), 3, 7, "then", "link-protocol" WIRE },
	{ THEN("link-limit", "evict"), 3, 7, "then", "link-limit" WIRE },
	{ THEN("heartbeat-missed", "evict"), 3, 7, "then", "heartbeat-missed" WIRE },
	{ THEN("clone", "evict"), 3, 7, "then", "clone" FORGED },
	{ THEN("prefix", "quarantine"), 3, 7, "then", "prefix" FORGED },
	{ THEN("node-refused,auth-fail", "evict"), 3, 7, "then", "auth-fail" WIRE },
	{ THEN("auth-fail", "rekey\n  escalate 3/60 evict"), 4, 17, "escalate", "auth-fail" WIRE },
	{ THEN("clone", "rekey\n  escalate 3/60 quarantine"), 4, 17, "escalate", "clone" FORGED },
	{ THEN("auth-fail", "lockdown"), 3, 7, "then", "auth-fail" LOCK },
	{ THEN("link-unknown", "lockdown"), 3, 7, "then", "link-unknown" LOCK },
	{ THEN("clone,epoch-stale", "rekey\n  escalate 3/60 lockdown"), 4, 17, "escalate", "epoch-stale" LOCK },
	/* Into which ATR */
	{ THEN("clone", "rekey into 7"), 3, 18, "into", "goes with quarantine, not with rekey" },
	{ THEN("node-refused", "quarantine into"), 3, 22, "into", "the number or label of an ATR must follow" },
	{ THEN("node-refused", "quarantine into 0"), 3, 23, "into", "0 is not within 1 … 4294967295" },
	{ THEN("node-refused", "quarantine into 99999999999"), 3, 23, "into", "99999999999 is not within 1 … 4294967295" },
	{ THEN("node-refused", "quarantine into a/b"), 3, 23, "into", "\"a/b\" is neither the number nor the label of an ATR" },
	{ THEN("node-refused", "quarantine into 7 into 8"), 3, 25, "into", "is given twice" },
	{ THEN("node-refused", "alert\n  escalate 3/60 quarantine into 7 7"), 4, 35, "escalate", "\"7\" is not expected here" },
	{ THEN("node-refused", "alert\n  escalate 3/60 evict into 7"), 4, 23, "escalate", "\"into\" is not expected here" },
	{ "atr 7\n" THEN("node-refused", "quarantine into 7"), 4, 23, "into", "#7 is where it comes from" },
	{ THEN("link-psk", "roll"), 3, 7, "then", "link-psk" NO_ATR },
	{ THEN("link-psk", "rekey"), 3, 7, "then", "link-psk" NO_ATR },
	{ THEN("hardware-mismatch", "quarantine"), 3, 7, "then", "hardware-mismatch" NO_ATR },
	{ "rule r\nwhen node-refused rate 1/1\nthen evict\n", 3, 6, "then",
	  "evict concerns one member: when … scope member must say which one is meant" },
	/* A rule */
	{ "rule\n", 1, 5, "rule", "a name must follow" },
	{ "rule # r\n", 1, 6, "rule", "a name must follow" },
	{ "rule a/b\n", 1, 6, "rule", "a name is 1 … 31 of A-Z a-z 0-9 . _ -" },
	{ "rule abcdefghijklmnopqrstuvwxyz012345\n", 1, 6, "rule", "a name is 1 … 31 of A-Z a-z 0-9 . _ -" },
	{ RULE RULE, 4, 6, "rule", "r was given before, in line 1" },
	{ "rule r s\n", 1, 8, "rule", "\"s\" is not expected here" },
	{ RULE "rule s off\n", 4, 8, "rule", "off is for an ATR's section: leave the rule out" },
	{ RULE "atr 1\nrule s off\n", 5, 6, "rule", "there is no rule s above that could be off here" },
	{ RULE "atr 1\nrule r off now\n", 5, 12, "rule", "\"now\" is not expected here" },
	{ RULE "atr 1\nrule r off\nthen alert\n", 6, 1, "then", "stands outside of a rule" },
	{ "rule r\nthen alert\n", 1, 6, "rule", "r has no when" },
	{ "rule r\nwhen auth-fail rate 1/1\n", 1, 6, "rule", "r has no then" },
	{ "rule r\nwhen auth-fail rate 1/1\nrule s\n", 1, 6, "rule", "r has no then" },
	{ "rule r\nwhen auth-fail rate 1/1\nbudget 3\n", 1, 6, "rule", "r has no then" },
	{ "rule r\nwhen auth-fail rate 1/1\natr 3\n", 1, 6, "rule", "r has no then" },
	{ "rule r\nwhen auth-fail\nthen alert\n", 2, 1, "when", "rate COUNT/SECONDS is missing" },
	{ "when auth-fail rate 1/1\n", 1, 1, "when", "stands outside of a rule" },
	{ "then alert\n", 1, 1, "then", "stands outside of a rule" },
	{ "escalate 1/1 evict\n", 1, 1, "escalate", "stands outside of a rule" },
	{ "rule r\nwhen auth-fail rate 1/1\nwhen auth-fail rate 1/1\n", 3, 1, "when", "given before, in line 2" },
	{ RULE "\tthen alert\n", 4, 2, "then", "given before, in line 3" },
	{ RULE "escalate 1/1 rekey\nescalate 1/1 rekey\n", 5, 1, "escalate", "given before, in line 4" },
	/* when */
	{ WHEN(""), 2, 7, "when", "a kind of evidence must follow" },
	{ WHEN("auth-fail, rate 1/1"), 2, 18, "when", "\"rate\" is no kind of evidence: akm-policy(5) lists them" },
	{ WHEN("auth-fail,,replay rate 1/1"), 2, 17, "when", "a kind of evidence must follow" },
	{ WHEN("auth_fail rate 1/1"), 2, 7, "when", "\"auth_fail\" is no kind of evidence: akm-policy(5) lists them" },
	{ WHEN("replay,replay rate 1/1"), 2, 14, "when", "replay is given twice" },
	{ WHEN("replay often"), 2, 14, "when", "\"often\" is none of rate, scope, severity, between" },
	{ WHEN("replay rate 1/1 rate 1/1"), 2, 23, "rate", "is given twice" },
	{ WHEN("replay rate"), 2, 18, "rate", "COUNT/SECONDS must follow" },
	{ WHEN("replay rate 1"), 2, 19, "rate", "\"1\" is not COUNT/SECONDS, as 100/10" },
	{ WHEN("replay rate /1"), 2, 19, "rate", "\"/1\" is not COUNT/SECONDS, as 100/10" },
	{ WHEN("replay rate 1/"), 2, 19, "rate", "\"1/\" is not COUNT/SECONDS, as 100/10" },
	{ WHEN("replay rate 1/2s"), 2, 19, "rate", "\"1/2s\" is not COUNT/SECONDS, as 100/10" },
	{ WHEN("replay rate -1/2"), 2, 19, "rate", "\"-1/2\" is not COUNT/SECONDS, as 100/10" },
	{ WHEN("replay rate 0/2"), 2, 19, "rate", "0/2 is not within 1 … 1000000 times in 1 … 86400 s" },
	{ WHEN("replay rate 1/0"), 2, 19, "rate", "1/0 is not within 1 … 1000000 times in 1 … 86400 s" },
	{ WHEN("replay rate 1000001/1"), 2, 19, "rate", "1000001/1 is not within 1 … 1000000 times in 1 … 86400 s" },
	{ WHEN("replay rate 1/86401"), 2, 19, "rate", "1/86401 is not within 1 … 1000000 times in 1 … 86400 s" },
	{ WHEN("replay rate 4294967297/1"), 2, 19, "rate",
	  "4294967297/1 is not within 1 … 1000000 times in 1 … 86400 s" },
	{ WHEN("replay scope node"), 2, 20, "scope", "\"node\" is neither atr nor member" },
	{ WHEN("replay scope"), 2, 19, "scope", "atr or member must follow" },
	{ WHEN("replay severity bad"), 2, 23, "severity", "\"bad\" is none of info, warning, alert" },
	{ WHEN("replay severity"), 2, 22, "severity", "info, warning or alert must follow" },
	{ WHEN("replay between 8-9"), 2, 22, "between", "\"8-9\" is not HH:MM-HH:MM, as 22:00-06:00 (UTC)" },
	{ WHEN("replay between 08:00"), 2, 22, "between", "\"08:00\" is not HH:MM-HH:MM, as 22:00-06:00 (UTC)" },
	{ WHEN("replay between 24:00-06:00"), 2, 22, "between", "\"24:00-06:00\" is not HH:MM-HH:MM, as 22:00-06:00 (UTC)" },
	{ WHEN("replay between 08:60-09:00"), 2, 22, "between", "\"08:60-09:00\" is not HH:MM-HH:MM, as 22:00-06:00 (UTC)" },
	{ WHEN("replay between 08:00-08:00"), 2, 22, "between", "08:00-08:00 is no time at all: leave it out for the whole day" },
	{ WHEN("replay between"), 2, 21, "between", "HH:MM-HH:MM must follow" },
	/* then and escalate */
	{ THEN("replay", ""), 3, 7, "then", "alert, roll, fallback, rekey, rotate, lockdown, quarantine or evict must follow" },
	{ THEN("replay", "reboot"), 3, 7, "then", "\"reboot\" is none of alert, roll, fallback, rekey, rotate, lockdown, quarantine, evict" },
	{ THEN("replay", "nothing"), 3, 7, "then", "\"nothing\" is none of alert, roll, fallback, rekey, rotate, lockdown, quarantine, evict" },
	{ THEN("auth-fail", "fallback"), 3, 7, "then",
	  "auth-fail can be caused by anybody on the wire: it must not use up the fallback" },
	{ THEN("clone,epoch-stale", "fallback"), 3, 7, "then",
	  "epoch-stale can be caused by anybody on the wire: it must not use up the fallback" },
	{ THEN("clone,replay", "fallback"), 3, 7, "then",
	  "replay can be caused by anybody on the wire: it must not use up the fallback" },
	{ THEN("hardware-mismatch", "fallback"), 3, 7, "then",
	  "hardware-mismatch concerns no single ATR: alert, rotate, lockdown and evict are all there is to do" },
	{ THEN("replay", "alert now"), 3, 13, "then", "\"now\" is none of into, hold-down, budget" },
	{ THEN("replay", "alert hold-down"), 3, 22, "hold-down", "a number of seconds must follow" },
	{ THEN("replay", "alert hold-down x"), 3, 23, "hold-down", "\"x\" is not a whole number" },
	{ THEN("replay", "alert hold-down 86401"), 3, 23, "hold-down", "86401 is not within 0 … 86400" },
	{ THEN("replay", "alert hold-down 1 hold-down 1"), 3, 25, "hold-down", "is given twice" },
	{ THEN("replay", "alert budget"), 3, 19, "budget", "how many in an hour must follow" },
	{ THEN("replay", "alert budget 0"), 3, 20, "budget", "0 is not within 1 … 60" },
	{ THEN("replay", "alert budget 61"), 3, 20, "budget", "61 is not within 1 … 60" },
	{ RULE "escalate\n", 4, 9, "escalate", "COUNT/SECONDS must follow" },
	{ RULE "escalate 17/60 rekey\n", 4, 10, "escalate", "17/60 is not within 1 … 16 times in 1 … 86400 s" },
	{ RULE "escalate 3/60\n", 4, 14, "escalate", "roll, fallback, rekey, rotate, lockdown, quarantine or evict must follow" },
	{ RULE "escalate 3/60 reboot\n", 4, 15, "escalate", "\"reboot\" is none of alert, roll, fallback, rekey, rotate, lockdown, quarantine, evict" },
	{ RULE "escalate 3/60 alert\n", 4, 15, "escalate", "alert is not stronger than alert" },
	{ RULE "escalate 3/60 rekey now\n", 4, 21, "escalate", "\"now\" is not expected here" },
	/* hook */
	{ "hook page\n", 1, 1, "hook", "stands outside of a rule" },
	{ RULE "hook\n", 4, 5, "hook", "the name of a program must follow" },
	{ RULE "hook a/b\n", 4, 6, "hook", "a program's name is 1 … 31 of A-Z a-z 0-9 . _ -, and no dot first" },
	{ RULE "hook ..\n", 4, 6, "hook", "a program's name is 1 … 31 of A-Z a-z 0-9 . _ -, and no dot first" },
	{ RULE "hook .page\n", 4, 6, "hook", "a program's name is 1 … 31 of A-Z a-z 0-9 . _ -, and no dot first" },
	{ RULE "hook abcdefghijklmnopqrstuvwxyz012345\n", 4, 6, "hook",
	  "a program's name is 1 … 31 of A-Z a-z 0-9 . _ -, and no dot first" },
	{ RULE "hook page now\n", 4, 11, "hook", "\"now\" is none of hold-down, budget" },
	{ RULE "hook page hold-down 86401\n", 4, 21, "hold-down", "86401 is not within 0 … 86400" },
	{ RULE "hook page budget 0\n", 4, 18, "budget", "0 is not within 1 … 60" },
	{ RULE "hook page\nhook page\n", 5, 1, "hook", "given before, in line 4" },
	{ RULE "atr 1\nrule r off\nhook page\n", 6, 1, "hook", "stands outside of a rule" },
	/* budget and atr */
	{ "budget\n", 1, 7, "budget", "how many in an hour must follow" },
	{ "budget many\n", 1, 8, "budget", "\"many\" is not a whole number" },
	{ "budget 61\n", 1, 8, "budget", "61 is not within 1 … 60" },
	{ "budget 6 7\n", 1, 10, "budget", "\"7\" is not expected here" },
	{ "budget 6\nbudget 7\n", 2, 1, "budget", "given before, in line 1" },
	{ "atr\n", 1, 4, "atr", "the number of an ATR must follow" },
	{ "atr plant\n", 1, 5, "atr", "\"plant\" is not a whole number" },
	{ "atr 0\n", 1, 5, "atr", "0 is not within 1 … 4294967295" },
	{ "atr 1 2\n", 1, 7, "atr", "\"2\" is not expected here" },
	{ "atr 1\natr 2\natr 1\n", 3, 5, "atr", "1 was given before: one section for each ATR" },
	{ "atr 1\nbudget 6\nbudget 7\n", 3, 1, "budget", "given before, in line 2" },
};

static void check(const char *text, size_t len, const struct refusal *r)
{
	struct policy_error err = {};
	struct policy p = {};
	int e = policy_parse(text, len, &p, &err);

	if (e != -22 || err.line != r->line || err.column != r->column || strcmp(err.field, r->field) ||
	    strcmp(err.reason, r->reason))
		fail_msg("%.60s\n%d %u:%u: %s: %s\nnot  %u:%u: %s: %s", text, e, err.line, err.column, err.field,
			 err.reason, r->line, r->column, r->field, r->reason);
	assert_int_equal(p.n, 0);
	assert_null(p.rules);
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		check(refusals[i].text, strlen(refusals[i].text), &refusals[i]);
}

static char *repeat(const char *fmt, unsigned int n)
{
	char *text = calloc(n + 1, 80);
	size_t len = 0;

	assert_non_null(text);
	for (unsigned int i = 0; i < n; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		len += (size_t)snprintf(text + len, 80, fmt, i + 1);
#pragma GCC diagnostic pop
	}
	return text;
}

static void test_too_much(void **state)
{
	static const struct refusal rules = { "", 193, 6, "rule", "more than 64 rules for one ATR" };
	static const struct refusal programs = { "", 68, 6, "hook", "more than 16 programs" };
	static const struct refusal atrs = { "", 65, 5, "atr", "more than 64 ATRs" };
	static const struct refusal lines = { "", 4097, 1, "text", "more than 4096 lines" };
	static const struct refusal bytes = { "", 1, 513, "text", "a line of more than 512 bytes" };
	static const struct refusal nul = { "", 2, 3, "text", "a byte that is not printable ASCII" };
	char *text;

	(void)state;
	text = repeat("rule r%u\nwhen replay rate 1/1\nthen alert\n", 65);
	check(text, strlen(text), &rules);
	free(text);
	text = repeat("rule r%u\nwhen replay rate 1/1\nthen alert\nhook h%1$u\n", 17);
	check(text, strlen(text), &programs);
	free(text);
	text = repeat("atr %u\n", 65);
	check(text, strlen(text), &atrs);
	free(text);
	text = repeat("# %u\n", 4097);
	check(text, strlen(text), &lines);
	free(text);
	text = calloc(1, 514);
	assert_non_null(text);
	memset(text, '#', 513);
	check(text, 513, &bytes);
	free(text);
	check("\nru\0le r\n", 9, &nul);
}

static void parse(const char *text, struct policy *ret)
{
	struct policy_error err = {};

	memset(ret, 0, sizeof(*ret));
	if (policy_parse(text, strlen(text), ret, &err))
		fail_msg("%u:%u: %s: %s", err.line, err.column, err.field, err.reason);
}

static void test_defaults(void **state)
{
	struct policy p;

	(void)state;
	parse("", &p);
	assert_int_equal(p.n, 0);
	assert_int_equal(p.budget, POLICY_BUDGET_DEFAULT);
	policy_free(&p);
	parse("rule a\nwhen replay rate 3/7\nthen alert\nrule b # comment\nwhen replay rate 3/7 # comment\nthen rekey", &p);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.rules[0].alert_hold_s, 7);
	assert_int_equal(p.rules[0].budget, POLICY_BUDGET_MAX);
	assert_int_equal(p.rules[0].severity, POLICY_INFO);
	assert_int_equal(p.rules[0].by_member, 0);
	assert_int_equal(p.rules[1].line, 4);
	assert_int_equal(p.rules[1].hold_s, POLICY_HOLD_DEFAULT);
	assert_int_equal(p.rules[1].alert_hold_s, 7);
	assert_int_equal(p.rules[1].budget, POLICY_BUDGET_DEFAULT);
	policy_free(&p);
}

static void same_again(const struct policy_rule *r)
{
	char body[POLICY_TEXT_MAX], text[POLICY_TEXT_MAX + 64];
	struct policy p;

	policy_rule_text(r, body);
	snprintf(text, sizeof(text), "rule %s\n%s\n", r->name, body);
	parse(text, &p);
	assert_int_equal(p.n, 1);
	assert_memory_equal(&p.rules[0], r, offsetof(struct policy_rule, line));
	policy_free(&p);
}

static void test_everything_said(void **state)
{
	struct policy p;

	(void)state;
	parse("rule a\nwhen node-refused rate 1/1 scope member\nthen quarantine into 07 hold-down 9\n"
	      "rule b\nwhen node-refused rate 1/1 scope member\nthen alert\nescalate 3/60 quarantine into sick.bay-1\n", &p);
	assert_string_equal(p.rules[0].into, "07");
	assert_int_equal(p.rules[0].into_line, 3);
	assert_int_equal(p.rules[0].into_column, 22);
	assert_int_equal(p.rules[0].hold_s, 9);
	assert_string_equal(p.rules[1].into, "sick.bay-1");
	same_again(&p.rules[0]);
	same_again(&p.rules[1]);
	policy_free(&p);
	parse("budget 7\nrule a\nwhen node-refused , exhausted rate 3/7 scope member severity warning between 22:00-06:30\n"
	      "then alert hold-down 5 budget 9\nescalate 4/99 evict\natr 12\nbudget 3\nrule a off\n", &p);
	assert_int_equal(p.budget, 7);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.rules[0].kinds, 1ull << POLICY_NODE_REFUSED | 1ull << POLICY_EXHAUSTED);
	assert_int_equal(p.rules[0].count, 3);
	assert_int_equal(p.rules[0].seconds, 7);
	assert_int_equal(p.rules[0].by_member, 1);
	assert_int_equal(p.rules[0].severity, POLICY_WARNING);
	assert_int_equal(p.rules[0].from, 22 * 60);
	assert_int_equal(p.rules[0].to, 6 * 60 + 30);
	assert_int_equal(p.rules[0].action, POLICY_DO_ALERT);
	assert_int_equal(p.rules[0].alert_hold_s, 5);
	assert_int_equal(p.rules[0].budget, 9);
	assert_int_equal(p.rules[0].escalate_count, 4);
	assert_int_equal(p.rules[0].escalate_s, 99);
	assert_int_equal(p.rules[0].escalate_action, POLICY_DO_EVICT);
	assert_int_equal(p.n_atrs, 1);
	assert_int_equal(p.atrs[0].atr_id, 12);
	assert_int_equal(p.atrs[0].budget, 3);
	assert_int_equal(p.atrs[0].n, 1);
	assert_int_equal(p.atrs[0].rules[0].off, 1);
	policy_free(&p);
}

static void test_hook(void **state)
{
	struct policy p;

	(void)state;
	parse("rule a\nwhen replay rate 1/7\nthen rekey\nhook page\nrule b\nhook mail hold-down 0 budget 3\n"
	      "when replay rate 1/7\nthen alert\nrule c\nwhen replay rate 1/1\nthen alert\n"
	      "atr 3\nrule a\nwhen replay rate 1/1\nthen alert\nhook page\nrule c off\n", &p);
	assert_string_equal(p.rules[0].hook, "page");
	assert_int_equal(p.rules[0].hook_hold_s, POLICY_HOLD_DEFAULT);
	assert_int_equal(p.rules[0].hook_budget, POLICY_BUDGET_DEFAULT);
	assert_string_equal(p.rules[1].hook, "mail");
	assert_int_equal(p.rules[1].hook_hold_s, 0);
	assert_int_equal(p.rules[1].hook_budget, 3);
	assert_string_equal(p.rules[2].hook, "");
	assert_string_equal(p.atrs[0].rules[0].hook, "page");
	/* Each once, in the order of the file */
	assert_int_equal(p.n_hooks, 2);
	assert_string_equal(p.hooks[0], "page");
	assert_string_equal(p.hooks[1], "mail");
	for (size_t i = 0; i < p.n; i++)
		same_again(&p.rules[i]);
	policy_free(&p);
}

/* Every kind may be alerted on, and only a node's own word may cost its place. */
static void test_what_evidence_may_cost(void **state)
{
	(void)state;
	for (int k = 0; k < POLICY_KINDS; k++) {
		enum policy_kind kind = (enum policy_kind)k, back;
		bool self = policy_kind_origin(kind) == POLICY_SELF;

		assert_true(policy_kind_parse(policy_kind_name(kind), &back) && back == kind);
		assert_null(policy_forbids(kind, POLICY_DO_ALERT));
		assert_int_equal(!policy_forbids(kind, POLICY_DO_EVICT), self);
		assert_int_equal(!policy_forbids(kind, POLICY_DO_REKEY), policy_kind_of_atr(kind));
		assert_int_equal(!policy_forbids(kind, POLICY_DO_ROLL), policy_kind_of_atr(kind));
		assert_int_equal(!policy_forbids(kind, POLICY_DO_ROTATE), policy_kind_origin(kind) != POLICY_WIRE);
		assert_int_equal(!policy_forbids(kind, POLICY_DO_LOCKDOWN), policy_kind_origin(kind) != POLICY_WIRE);
		assert_int_equal(!policy_forbids(kind, POLICY_DO_FALLBACK),
				 policy_kind_origin(kind) != POLICY_WIRE && policy_kind_of_atr(kind));
		assert_int_equal(!policy_forbids(kind, POLICY_DO_QUARANTINE), self && policy_kind_of_atr(kind));
	}
}

static void test_words(void **state)
{
	enum policy_severity s;
	enum policy_action a;
	enum policy_kind k;

	(void)state;
	assert_false(policy_kind_parse("", &k) || policy_action_parse("nothing", &a) || policy_severity_parse("", &s));
	for (int i = POLICY_DO_ALERT; i < POLICY_ACTIONS; i++)
		assert_true(policy_action_parse(policy_action_name((enum policy_action)i), &a) && (int)a == i);
	for (int i = POLICY_INFO; i <= POLICY_ALERT; i++)
		assert_true(policy_severity_parse(policy_severity_name((enum policy_severity)i), &s) && (int)s == i);
}

static char *slurp(const char *name)
{
	const char *dir = getenv("AKM_SRCDIR");
	char path[512], *text = calloc(1, 1 << 16);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : ".", name);
	f = fopen(path, "r");
	if (!f || !text)
		fail_msg("%s cannot be read", path);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	return text;
}

/* The example that people copy is accepted, and means what it says: its rules survive the way to text and back. */
static void test_example(void **state)
{
	char *text = slurp("Documentation/policy.example");
	struct policy p;

	(void)state;
	parse(text, &p);
	assert_true(p.n >= 5);
	assert_int_equal(p.n_atrs, 1);
	for (size_t i = 0; i < p.n; i++)
		same_again(&p.rules[i]);
	policy_free(&p);
	free(text);
}

/* akm-policy(5) has every kind, and no other. */
static void test_manual(void **state)
{
	char *page = slurp("Documentation/man/akm-policy.5"), item[64];
	size_t items = 0;

	(void)state;
	for (int k = 0; k < POLICY_KINDS; k++) {
		snprintf(item, sizeof(item), "\n.It Cm %s\n", policy_kind_name((enum policy_kind)k));
		if (!strstr(page, item))
			fail_msg("akm-policy(5) does not have %s", policy_kind_name((enum policy_kind)k));
	}
	for (const char *p = strstr(page, ".Sh EVIDENCE"); p && (p = strstr(p, "\n.It Cm ")); p++)
		items++;
	assert_int_equal(items, POLICY_KINDS);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_hook), cmocka_unit_test(test_everything_said),
		cmocka_unit_test(test_what_evidence_may_cost),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
