// SPDX-License-Identifier: GPL-2.0
/* The policy's engine: windows, hold-down, budgets, escalation, reload, and what garbage can make it do. */
#include "../../include/akm-policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SEEN_MAX	32
#define HOUR_MS		3600000ull

/* What one call led to */
struct seen { size_t n; struct policy_decision d[SEEN_MAX]; };

static void on_decision(const struct policy_decision *d, void *ctx)
{
	struct seen *s = ctx;

	assert_true(s->n < SEEN_MAX);
	s->d[s->n++] = *d;
}

static void parse(const char *text, struct policy *ret)
{
	struct policy_error err = {};

	memset(ret, 0, sizeof(*ret));
	if (policy_parse(text, strlen(text), ret, &err))
		fail_msg("%u:%u: %s: %s", err.line, err.column, err.field, err.reason);
}

static struct policy_state *state_for(const char *text, uint32_t atr)
{
	struct policy p;
	struct policy_state *s;

	parse(text, &p);
	s = policy_state_new(&p, atr);
	assert_non_null(s);
	policy_free(&p);
	return s;
}

/* Every state of a test, freed behind it */
static struct policy_state *made[8];
static size_t n_made;

static struct policy_state *state_of(const char *text)
{
	assert_true(n_made < sizeof(made) / sizeof(made[0]));
	return made[n_made++] = state_for(text, 1);
}

static int teardown(void **state)
{
	(void)state;
	while (n_made)
		policy_state_free(made[--n_made]);
	return 0;
}

static struct seen feed_of(struct policy_state *s, enum policy_kind kind, const char *subject, uint64_t count,
			   uint64_t ms)
{
	struct policy_evidence e = { kind, policy_kind_severity(kind), subject, count, 0 };
	struct seen seen = {};

	policy_feed(s, &e, (struct policy_time){ ms, 0 }, on_decision, &seen);
	return seen;
}

/* What is done on it: the strongest */
static enum policy_action done(const struct seen *seen)
{
	enum policy_action a = POLICY_NOTHING;

	for (size_t i = 0; i < seen->n; i++) {
		if (seen->d[i].alert && a < POLICY_DO_ALERT)
			a = POLICY_DO_ALERT;
		if (seen->d[i].outcome == POLICY_DUE && a < seen->d[i].action)
			a = seen->d[i].action;
	}
	return a;
}

static enum policy_action feed_kind(struct policy_state *s, enum policy_kind kind, uint64_t count, uint64_t ms)
{
	struct seen seen = feed_of(s, kind, "B", count, ms);

	return done(&seen);
}

static enum policy_action feed(struct policy_state *s, uint64_t count, uint64_t ms)
{
	return feed_kind(s, POLICY_AUTH_FAIL, count, ms);
}

static bool due(struct policy_state *s, uint64_t ms, enum policy_kind *ret_kind)
{
	struct seen seen = {};

	policy_due(s, (struct policy_time){ ms, 0 }, on_decision, &seen);
	if (!seen.n)
		return false;
	assert_int_equal(seen.n, 1);
	assert_true(seen.d[0].owed);
	assert_int_equal(seen.d[0].action, POLICY_DO_REKEY);
	assert_int_equal(seen.d[0].outcome, POLICY_DUE);
	*ret_kind = seen.d[0].kind;
	return true;
}

#define REKEY(rate, hold) \
	"budget 60\nrule r\nwhen auth-fail,replay,unknown-key,clone rate " rate "\nthen rekey hold-down " hold " budget 60\n"
/* A rule for each kind, as akmd.conf's own are */
#define REKEYS(rate, hold) "budget 60\n" \
	"rule a\nwhen auth-fail rate " rate "\nthen rekey hold-down " hold " budget 60\n" \
	"rule b\nwhen replay rate " rate "\nthen rekey hold-down " hold " budget 60\n"

/* ---- windows ---- */

static void test_below_the_rate(void **state)
{
	struct policy_state *s = state_of(REKEY("100/10", "60"));

	(void)state;
	assert_int_equal(feed(s, 0, 0), POLICY_NOTHING);
	/* 99 in every 10 s, for an hour */
	for (uint64_t now = 0; now < HOUR_MS; now += 10000)
		assert_int_equal(feed(s, 99, now), POLICY_NOTHING);
}

static void test_at_the_rate(void **state)
{
	struct policy_state *s = state_of(REKEY("100/10", "60"));
	struct seen seen;

	(void)state;
	for (uint64_t i = 0; i < 9; i++)
		assert_int_equal(feed(s, 11, i * 1000), POLICY_NOTHING);
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 9000);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.d[0].action, POLICY_DO_REKEY);
	assert_int_equal(seen.d[0].outcome, POLICY_DUE);
	assert_int_equal(seen.d[0].count, 100);
	assert_true(seen.d[0].alert && seen.d[0].first);
	assert_false(seen.d[0].owed || seen.d[0].escalated);
	assert_string_equal(seen.d[0].subject, "B");
	assert_string_equal(seen.d[0].rule->name, "r");
}

static void test_the_window_slides(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen auth-fail rate 100/16\nthen alert\n");

	(void)state;
	assert_int_equal(feed(s, 60, 500), POLICY_NOTHING);
	/* 15 slots later the first one still counts, 16 later it does not. */
	assert_int_equal(feed(s, 39, 15500), POLICY_NOTHING);
	assert_int_equal(feed(s, 60, 16500), POLICY_NOTHING);
	assert_int_equal(feed(s, 1, 16600), POLICY_DO_ALERT);
}

static enum policy_action feed_span(const char *text, enum policy_kind kind, uint64_t count, uint64_t span_ms)
{
	struct policy_evidence e = { kind, POLICY_ALERT, "B", count, span_ms };
	struct policy_state *s = state_for(text, 1);
	struct seen seen = {};

	policy_feed(s, &e, (struct policy_time){ 1000000, 0 }, on_decision, &seen);
	policy_state_free(s);
	return done(&seen);
}

/* A member that was silent for a minute tells what came in all of it. */
static void test_the_window_of_what_was_told_late(void **state)
{
	static const char replay[] = "rule r\nwhen replay rate 50/10 severity info\nthen rekey\n";
	static const char clone[] = "rule r\nwhen clone rate 3/10 severity info\nthen rekey\n";

	(void)state;
	assert_int_equal(feed_span(replay, POLICY_REPLAY, 50, 0), POLICY_DO_REKEY);
	assert_int_equal(feed_span(replay, POLICY_REPLAY, 50, 10000), POLICY_DO_REKEY);
	assert_int_equal(feed_span(replay, POLICY_REPLAY, 294, 60000), POLICY_NOTHING);
	assert_int_equal(feed_span(replay, POLICY_REPLAY, 295, 60000), POLICY_DO_REKEY);
	assert_int_equal(feed_span(replay, POLICY_REPLAY, UINT64_MAX, 60000), POLICY_DO_REKEY);
	assert_int_equal(feed_span(replay, POLICY_REPLAY, 49, UINT64_MAX), POLICY_NOTHING);
	assert_int_equal(feed_span(clone, POLICY_CLONE, 3, 60000), POLICY_DO_REKEY);
}

static void test_rules_are_apart(void **state)
{
	struct policy_state *s = state_of(REKEYS("100/10", "60"));

	(void)state;
	assert_int_equal(feed(s, 99, 1000), POLICY_NOTHING);
	assert_int_equal(feed_kind(s, POLICY_REPLAY, 99, 1000), POLICY_NOTHING);
	assert_int_equal(feed_kind(s, POLICY_UNKNOWN_KEY, 1000, 1000), POLICY_NOTHING);
	assert_int_equal(feed_kind(s, POLICY_REPLAY, 1, 1001), POLICY_DO_REKEY);
}

static void test_members_are_apart(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen auth-fail rate 10/10 scope member\nthen alert\n");
	struct seen seen;

	(void)state;
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 9, 0);
	assert_int_equal(seen.n, 0);
	seen = feed_of(s, POLICY_AUTH_FAIL, "C", 9, 0);
	assert_int_equal(seen.n, 0);
	seen = feed_of(s, POLICY_AUTH_FAIL, "C", 1, 0);
	assert_int_equal(done(&seen), POLICY_DO_ALERT);
	assert_string_equal(seen.d[0].subject, "C");
	/* That alert holds back none about B. */
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 1);
	assert_int_equal(done(&seen), POLICY_DO_ALERT);
	/* Who is named by nobody is no member. */
	seen = feed_of(s, POLICY_AUTH_FAIL, "", 1000, 1);
	assert_int_equal(seen.n, 0);
}

static void test_severity(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen generation-ahead rate 1/10 severity alert\nthen alert\n");
	struct policy_evidence e = { POLICY_GENERATION_AHEAD, POLICY_WARNING, "B", 1, 0 };
	struct seen seen = {};

	(void)state;
	policy_feed(s, &e, (struct policy_time){}, on_decision, &seen);
	assert_int_equal(seen.n, 0);
	e.severity = POLICY_ALERT;
	policy_feed(s, &e, (struct policy_time){}, on_decision, &seen);
	assert_int_equal(seen.n, 1);
}

static bool fires_at(const char *hours, uint32_t minute)
{
	struct policy_evidence e = { POLICY_REPLAY, POLICY_WARNING, "B", 1, 0 };
	struct seen seen = {};
	struct policy_state *s;
	char text[128];

	snprintf(text, sizeof(text), "rule r\nwhen replay rate 1/1 between %s\nthen alert\n", hours);
	s = state_for(text, 1);
	policy_feed(s, &e, (struct policy_time){ 0, minute }, on_decision, &seen);
	policy_state_free(s);
	return seen.n;
}

static void test_time_of_day(void **state)
{
	(void)state;
	assert_false(fires_at("08:00-18:00", 479));
	assert_true(fires_at("08:00-18:00", 480));
	assert_true(fires_at("08:00-18:00", 1079));
	assert_false(fires_at("08:00-18:00", 1080));
	assert_true(fires_at("22:00-06:00", 1320));
	assert_true(fires_at("22:00-06:00", 0));
	assert_true(fires_at("22:00-06:00", 359));
	assert_false(fires_at("22:00-06:00", 360));
	assert_false(fires_at("22:00-06:00", 1319));
}

static void test_saturates(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen auth-fail rate 1000000/86400\nthen alert\n");

	(void)state;
	assert_int_equal(feed(s, 999999, UINT64_MAX / 4), POLICY_NOTHING);
	assert_int_equal(feed(s, UINT64_MAX, UINT64_MAX / 4), POLICY_DO_ALERT);
}

static void test_delta(void **state)
{
	(void)state;
	assert_int_equal(policy_delta(0, 0), 0);
	assert_int_equal(policy_delta(5, 9), 4);
	assert_int_equal(policy_delta(9, 5), 5);	/* a fresh device counts from 0 */
	assert_int_equal(policy_delta(UINT64_MAX, UINT64_MAX), 0);
}

/* ---- hold-down ---- */

static void test_hold_down(void **state)
{
	struct policy_state *s = state_of(REKEY("10/1", "60"));
	struct seen seen;

	(void)state;
	assert_int_equal(feed(s, 10, 0), POLICY_DO_REKEY);
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 10, 5000);
	assert_int_equal(done(&seen), POLICY_DO_ALERT);
	assert_int_equal(seen.d[0].outcome, POLICY_HELD);
	assert_int_equal(seen.d[0].wait_ms, 55000);
	assert_int_equal(feed(s, 10, 60000), POLICY_DO_REKEY);
	/* The second hold is twice as long. */
	assert_int_not_equal(feed(s, 10, 60000 + 119999), POLICY_DO_REKEY);
	assert_int_equal(feed(s, 10, 60000 + 120000), POLICY_DO_REKEY);
}

static void test_hold_down_of_another_rule(void **state)
{
	struct policy_state *s = state_of(REKEYS("10/1", "60"));
	struct seen seen;

	(void)state;
	assert_int_equal(feed(s, 10, 0), POLICY_DO_REKEY);
	seen = feed_of(s, POLICY_REPLAY, "B", 10, 1);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.d[0].outcome, POLICY_HELD);
}

/* That nothing is done is told once in each hold, however much comes. */
static void test_held_is_told_once(void **state)
{
	struct policy_state *s = state_of(REKEY("10/1", "600"));
	const struct policy_rule *r;
	struct policy_counters c;
	unsigned int first = 0;

	(void)state;
	assert_int_equal(feed(s, 10, 0), POLICY_DO_REKEY);
	for (uint64_t now = 1; now < 600000; now += 100) {
		struct seen seen = feed_of(s, POLICY_AUTH_FAIL, "B", 10, now);

		for (size_t i = 0; i < seen.n; i++)
			first += seen.d[i].first;
	}
	assert_int_equal(first, 1);
	r = policy_state_rule(s, 0, &c);
	assert_non_null(r);
	assert_int_equal(c.fired, 1);
	assert_true(c.held > 100);
	assert_int_equal(c.over_budget, 0);
	assert_null(policy_state_rule(s, 1, &c));
}

/* Evidence during the hold is not forgotten: the rekey comes when it ends, once. */
static void test_owed(void **state)
{
	struct policy_state *s = state_of(REKEYS("10/1", "60")), *t = state_of(REKEYS("10/1", "60"));
	enum policy_kind kind = POLICY_AUTH_FAIL;

	(void)state;
	assert_false(due(s, 0, &kind));
	assert_int_equal(policy_due_ms(s, 0), UINT64_MAX);
	assert_int_equal(feed(s, 10, 0), POLICY_DO_REKEY);
	assert_false(due(s, 100000, &kind));
	assert_int_equal(feed_kind(s, POLICY_REPLAY, 10, 5000), POLICY_DO_ALERT);
	assert_int_equal(policy_due_ms(s, 5000), 60000);
	assert_false(due(s, 59999, &kind));
	assert_true(due(s, 60000, &kind));
	assert_int_equal(kind, POLICY_REPLAY);
	assert_false(due(s, 1000000, &kind));
	/* It counted: the next hold is longer. */
	assert_int_equal(feed(t, 10, 0), POLICY_DO_REKEY);
	(void)feed(t, 10, 1000);
	assert_true(due(t, 60000, &kind));
	(void)feed(t, 10, 61000);
	assert_false(due(t, 179999, &kind));
	/* A rekey made meanwhile by new evidence settles it. */
	assert_int_equal(feed(t, 10, 180000), POLICY_DO_REKEY);
	assert_false(due(t, 10000000, &kind));
}

static void test_an_alert_owes_nothing(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen auth-fail rate 10/1\nthen alert\n");
	enum policy_kind kind;

	(void)state;
	for (uint64_t now = 0; now < 100000; now += 1000)
		(void)feed(s, 100, now);
	assert_false(due(s, 10000000, &kind));
}

static void test_a_pause_forgives(void **state)
{
	struct policy_state *s = state_of(REKEY("10/1", "60"));

	(void)state;
	assert_int_equal(feed(s, 10, 0), POLICY_DO_REKEY);
	assert_int_equal(feed(s, 10, 60000), POLICY_DO_REKEY);
	/* The hold ends at 180 s; 120 s of quiet after it. */
	assert_int_equal(feed(s, 10, 300000), POLICY_DO_REKEY);
	assert_int_equal(feed(s, 10, 360000), POLICY_DO_REKEY);
}

/* An attacker who never stops: what does a week of garbage cost? */
static void test_a_week_of_garbage(void **state)
{
	struct policy_state *s = state_of(REKEY("100/10", "60"));
	const uint64_t week = 7ull * 86400 * 1000;
	unsigned int rekeys = 0, alerts = 0, first_day = 0;

	(void)state;
	for (uint64_t now = 0; now < week; now += 1000) {
		enum policy_action action = feed(s, 1000000, now);

		rekeys += action == POLICY_DO_REKEY;
		alerts += action == POLICY_DO_ALERT;
		if (now == 86400000)
			first_day = rekeys;
	}
	/* 1 + 2 + 4 … 32 minutes, then one each 64 */
	assert_in_range(first_day, 20, 30);
	assert_in_range(rekeys, 150, 170);
	/* 10, 20 … 640 s */
	assert_in_range(alerts, 500, 1200);
}

static void test_reports_what_was_held_back(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen replay rate 10/1\nthen alert hold-down 0\n");
	uint64_t reported = 0, fed = 0, now;
	struct seen seen;

	(void)state;
	for (now = 0; now < 100000; now += 100, fed += 10) {
		seen = feed_of(s, POLICY_REPLAY, "B", 10, now);
		for (size_t i = 0; i < seen.n; i++)
			reported += seen.d[i].alert ? seen.d[i].count : 0;
	}
	seen = feed_of(s, POLICY_REPLAY, "B", 10, now + 10 * HOUR_MS);
	assert_int_equal(seen.n, 1);
	assert_int_equal(reported + seen.d[0].count, fed + 10);
}

/* ---- budgets ---- */

static void test_budget_of_a_rule(void **state)
{
	struct policy_state *s = state_of("budget 60\nrule r\nwhen auth-fail rate 1/1\nthen rekey hold-down 1 budget 2\n");
	enum policy_kind kind;
	struct policy_counters c;
	struct seen seen;

	(void)state;
	assert_int_equal(feed(s, 1, 0), POLICY_DO_REKEY);
	assert_int_equal(feed(s, 1, 10000), POLICY_DO_REKEY);
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 100000);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.d[0].outcome, POLICY_OVER_BUDGET);
	assert_int_equal(seen.d[0].wait_ms, HOUR_MS - 100000);
	assert_true(seen.d[0].first);
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 200000);
	assert_true(seen.n == 0 || !seen.d[0].first);
	(void)policy_state_rule(s, 0, &c);
	assert_int_equal(c.fired, 2);
	assert_int_equal(c.over_budget, 2);
	/* Owed, until the budget allows it: one hour after the first. */
	assert_int_equal(policy_due_ms(s, 200000), HOUR_MS);
	assert_false(due(s, HOUR_MS - 1, &kind));
	assert_true(due(s, HOUR_MS, &kind));
	assert_int_equal(feed(s, 1, HOUR_MS + 9000), POLICY_DO_ALERT);
}

static void test_budget_of_an_atr(void **state)
{
	struct policy_state *s = state_of("budget 2\n"
		"rule a\nwhen auth-fail rate 1/1\nthen rekey hold-down 1\n"
		"rule b\nwhen replay rate 1/1\nthen rekey hold-down 1\n"
		"rule c\nwhen malformed rate 1/1\nthen alert hold-down 1\n");
	struct seen seen;

	(void)state;
	assert_int_equal(policy_state_budget(s), 2);
	assert_int_equal(feed(s, 1, 0), POLICY_DO_REKEY);
	assert_int_equal(feed_kind(s, POLICY_REPLAY, 1, 10000), POLICY_DO_REKEY);
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 100000);
	assert_int_equal(seen.d[0].outcome, POLICY_OVER_ATR_BUDGET);
	/* Alerts cost an ATR nothing. */
	assert_int_equal(feed_kind(s, POLICY_MALFORMED, 1, 100000), POLICY_DO_ALERT);
	assert_int_equal(feed_kind(s, POLICY_REPLAY, 1, HOUR_MS), POLICY_DO_REKEY);
}

static void test_budget_of_alerts(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen auth-fail rate 1/1\nthen alert hold-down 1 budget 3\n");
	unsigned int alerts = 0;

	(void)state;
	for (uint64_t now = 0; now < HOUR_MS; now += 500)
		alerts += feed(s, 1, now) == POLICY_DO_ALERT;
	assert_int_equal(alerts, 3);
}

/* ---- escalation ---- */

#define ESCALATING \
	"rule r\nwhen node-refused rate 1/1 scope member\nthen alert hold-down 1\nescalate 3/600 quarantine\n"

static void test_escalation(void **state)
{
	struct policy_state *s = state_of(ESCALATING);
	struct seen seen;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		seen = feed_of(s, POLICY_NODE_REFUSED, "B", 1, i * 100000);
		assert_int_equal(done(&seen), POLICY_DO_ALERT);
		assert_false(seen.d[0].escalated);
	}
	/* That B was told of three times costs C nothing. */
	seen = feed_of(s, POLICY_NODE_REFUSED, "C", 1, 250000);
	assert_int_equal(done(&seen), POLICY_DO_ALERT);
	seen = feed_of(s, POLICY_NODE_REFUSED, "B", 1, 300000);
	assert_int_equal(done(&seen), POLICY_DO_QUARANTINE);
	assert_true(seen.d[0].escalated);
	assert_string_equal(seen.d[0].subject, "B");
}

static void test_escalation_has_a_window(void **state)
{
	struct policy_state *s = state_of(ESCALATING);
	struct seen seen;

	(void)state;
	for (uint64_t i = 0; i < 20; i++) {
		seen = feed_of(s, POLICY_NODE_REFUSED, "B", 1, i * 300000);	/* two in any 600 s */
		assert_int_equal(done(&seen), POLICY_DO_ALERT);
	}
}

/* ---- which rules are in force ---- */

#define OVERRIDES \
	"budget 5\n" \
	"rule a\nwhen auth-fail rate 1/1\nthen rekey\n" \
	"rule b\nwhen replay rate 1/1\nthen alert\n" \
	"atr 7\nbudget 2\nrule a\nwhen auth-fail rate 1/1\nthen alert\nrule b off\n" \
	"rule c\nwhen malformed rate 1/1\nthen alert\n" \
	"atr 8\nrule b\nwhen replay rate 1/1\nthen rekey\n"

static enum policy_action first_of(uint32_t atr, enum policy_kind kind)
{
	struct policy_state *s = state_for(OVERRIDES, atr);
	enum policy_action action = feed_kind(s, kind, 1, 0);

	policy_state_free(s);
	return action;
}

static void test_overrides(void **state)
{
	struct policy_state *s = state_for(OVERRIDES, 7);

	(void)state;
	assert_int_equal(policy_state_budget(s), 2);
	policy_state_free(s);
	s = state_for(OVERRIDES, 8);
	assert_int_equal(policy_state_budget(s), 5);
	policy_state_free(s);
	assert_int_equal(first_of(1, POLICY_AUTH_FAIL), POLICY_DO_REKEY);
	assert_int_equal(first_of(1, POLICY_REPLAY), POLICY_DO_ALERT);
	assert_int_equal(first_of(1, POLICY_MALFORMED), POLICY_NOTHING);
	assert_int_equal(first_of(7, POLICY_AUTH_FAIL), POLICY_DO_ALERT);
	assert_int_equal(first_of(7, POLICY_REPLAY), POLICY_NOTHING);
	assert_int_equal(first_of(7, POLICY_MALFORMED), POLICY_DO_ALERT);
	assert_int_equal(first_of(8, POLICY_AUTH_FAIL), POLICY_DO_REKEY);
	assert_int_equal(first_of(8, POLICY_REPLAY), POLICY_DO_REKEY);
}

static void reload(struct policy_state *s, const char *text)
{
	struct policy p;

	parse(text, &p);
	assert_int_equal(policy_state_reload(s, &p), 0);
	policy_free(&p);
}

#define KEPT	"rule kept\nwhen auth-fail rate 10/10\nthen rekey hold-down 1 budget 1\n"

static void test_reload_keeps_what_is_the_same(void **state)
{
	struct policy_state *s = state_of("rule other\nwhen replay rate 10/10\nthen alert\n" KEPT);
	struct policy_counters c;
	struct seen seen;

	(void)state;
	assert_int_equal(feed(s, 9, 0), POLICY_NOTHING);
	/* The window goes on, wherever the rule stands in the file. */
	reload(s, "# more\n\n" KEPT "rule new\nwhen malformed rate 1/1\nthen alert\n");
	assert_int_equal(feed(s, 1, 1), POLICY_DO_REKEY);
	assert_int_equal(feed_kind(s, POLICY_MALFORMED, 1, 1), POLICY_DO_ALERT);
	assert_int_equal(feed_kind(s, POLICY_REPLAY, 1000, 1), POLICY_NOTHING);
	/* The budget is spent still. */
	reload(s, KEPT);
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 10, 100000);
	assert_int_equal(seen.d[0].outcome, POLICY_OVER_BUDGET);
	assert_string_equal(policy_state_rule(s, 0, &c)->name, "kept");
	assert_int_equal(c.fired, 1);
	/* Owed, too: one that changed owes nothing any more. */
	assert_int_not_equal(policy_due_ms(s, 100000), UINT64_MAX);
	reload(s, KEPT);
	assert_int_not_equal(policy_due_ms(s, 100000), UINT64_MAX);
	reload(s, "rule kept\nwhen auth-fail rate 10/10\nthen rekey hold-down 1 budget 2\n");
	assert_int_equal(policy_due_ms(s, 100000), UINT64_MAX);
	(void)policy_state_rule(s, 0, &c);
	assert_int_equal(c.fired, 0);
}

/* Loading again and again is no way around hold-down and budget of the ATR. */
static void test_reload_gives_nothing_away(void **state)
{
	struct policy_state *s = state_of("budget 1\nrule a\nwhen auth-fail rate 1/1\nthen rekey hold-down 60\n");
	struct seen seen;

	(void)state;
	assert_int_equal(feed(s, 1, 0), POLICY_DO_REKEY);
	reload(s, "budget 1\nrule b\nwhen auth-fail rate 1/1\nthen rekey hold-down 1\n");
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 59999);
	assert_int_equal(seen.d[0].outcome, POLICY_HELD);
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 60000);
	assert_int_equal(seen.d[0].outcome, POLICY_OVER_ATR_BUDGET);
}

/* ---- promises ---- */

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

struct log { size_t n; uint64_t at[200000]; };

/* Never more than @budget of them in any hour */
static void check_log(const struct log *l, size_t budget)
{
	for (size_t i = budget; i < l->n; i++)
		if (l->at[i] - l->at[i - budget] < HOUR_MS)
			fail_msg("%zu within an hour, at %llu", budget + 1, (unsigned long long)l->at[i]);
}

#define RULES 6

struct stream { uint64_t now; struct log *whole, *rule[RULES]; size_t acts; };

static void judge(const struct policy_decision *d, void *ctx)
{
	struct stream *s = ctx;
	struct log *l = s->rule[d->rule->name[0] - 'a'];

	if (d->outcome != POLICY_DUE)
		return;
	s->acts++;
	l->at[l->n++] = s->now;
	if (d->action > POLICY_DO_ALERT)
		s->whole->at[s->whole->n++] = s->now;
	/* What is not the node's own word costs nobody its place, whatever the rule says. */
	if (d->action >= POLICY_DO_QUARANTINE)
		assert_int_equal(policy_kind_origin(d->kind), POLICY_SELF);
}

/* Rules that no file could have: the engine itself must not evict for garbage. */
static void random_rule(struct policy_rule *r, size_t i)
{
	memset(r, 0, sizeof(*r));
	r->name[0] = (char)('a' + i);
	r->kinds = (uint64_t)rnd(1u << POLICY_KINDS) | 1ull << rnd(POLICY_KINDS);
	r->count = 1 + rnd(20);
	r->seconds = 1 + rnd(100);
	r->by_member = rnd(2);
	r->severity = POLICY_INFO;
	r->action = POLICY_DO_ALERT + rnd(4);
	r->hold_s = rnd(120);
	r->alert_hold_s = rnd(120);
	r->budget = 1 + rnd(POLICY_BUDGET_MAX);
	r->escalate_count = rnd(4);
	r->escalate_s = 1 + rnd(7200);
	r->escalate_action = POLICY_DO_ALERT + rnd(4);
}

static void random_stream(struct policy *p, struct stream *s)
{
	static const char *const names[] = { "A", "B", "C", "" };
	struct policy_state *state = policy_state_new(p, 1);

	assert_non_null(state);
	for (unsigned int i = 0; i < 20000; i++) {
		enum policy_kind kind = (enum policy_kind)rnd(POLICY_KINDS);
		struct policy_evidence e = { kind, policy_kind_severity(kind), names[rnd(4)], 1 + rnd(30), 0 };
		struct policy_time t = { s->now += rnd(2) ? rnd(1000) : rnd(60000), rnd(1440) };

		policy_feed(state, &e, t, judge, s);
		policy_due(state, t, judge, s);
		if (!rnd(500))
			assert_int_equal(policy_state_reload(state, p), 0);
	}
	policy_state_free(state);
}

static void test_never_too_often_and_nobody_for_garbage(void **state)
{
	struct log *logs = calloc(RULES + 1, sizeof(*logs));
	struct policy_rule rules[RULES];

	(void)state;
	assert_non_null(logs);
	for (seed = 1; seed < 40;) {
		uint64_t this = seed;
		struct policy p = { .n = RULES, .rules = rules };
		struct stream s = { .whole = &logs[RULES] };

		memset(logs, 0, (RULES + 1) * sizeof(*logs));
		p.budget = 1 + rnd(20);
		for (size_t i = 0; i < RULES; i++) {
			random_rule(&rules[i], i);
			s.rule[i] = &logs[i];
		}
		random_stream(&p, &s);
		assert_true(s.acts > 10);	/* a stream that leads to nothing shows nothing */
		check_log(s.whole, p.budget);
		for (size_t i = 0; i < RULES; i++)
			check_log(s.rule[i], rules[i].budget);
		seed = this + 1;
	}
	free(logs);
}

/* ---- programs ---- */

static bool hooked(struct policy_state *s, const char *subject, uint64_t ms)
{
	struct seen seen = feed_of(s, POLICY_AUTH_FAIL, subject, 1, ms);
	bool run = false;

	for (size_t i = 0; i < seen.n; i++) {
		assert_true(seen.d[i].alert || !seen.d[i].hook);
		run |= seen.d[i].hook;
	}
	return run;
}

/* With an alert or not at all, its own hold-down between two, which grows as an alert's does. */
static void test_hook_hold(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen auth-fail rate 1/1\nthen alert hold-down 0 budget 60\nhook h hold-down 10\n");
	struct policy_counters c;

	(void)state;
	assert_true(hooked(s, "B", 1000));
	assert_false(hooked(s, "B", 1001));	/* the alert is held down */
	assert_false(hooked(s, "B", 10999));	/* the hook is */
	assert_true(hooked(s, "B", 15000));
	assert_false(hooked(s, "B", 34000));	/* twice as long */
	assert_true(hooked(s, "B", 35001));
	policy_state_rule(s, 0, &c);
	assert_int_equal(c.hooked, 3);
	assert_int_equal(c.hook_held, 2);
	assert_int_equal(c.fired, 5);
}

/* Whatever names what: a rule starts no more programs in an hour than its budget, and a rule without one none. */
static void test_hook_budget(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen auth-fail rate 1/1 scope member\nthen rekey hold-down 0\n"
					  "hook h hold-down 0 budget 5\n");
	struct policy_state *none = state_of("rule r\nwhen auth-fail rate 1/1\nthen alert hold-down 0\n");
	unsigned int n = 0;
	char name[16];

	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		n += hooked(s, name, 1000 + i * 3000);
		assert_false(hooked(none, name, 1000 + i * 3000));
	}
	assert_int_equal(n, 5);
	assert_true(hooked(s, "late", 1000 + HOUR_MS));
}

/* A rule that is not done because of a hold-down or a budget tells people, and their program; what is owed does neither. */
static void test_hook_of_what_is_held(void **state)
{
	struct policy_state *s = state_of("rule r\nwhen auth-fail rate 1/1\nthen rekey hold-down 100 budget 60\nhook h hold-down 0\n");
	struct seen seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 1000);
	enum policy_kind kind;

	(void)state;
	assert_true(seen.n == 1 && seen.d[0].hook && seen.d[0].outcome == POLICY_DUE);
	seen = feed_of(s, POLICY_AUTH_FAIL, "B", 1, 5000);
	assert_true(seen.n == 1 && seen.d[0].hook && seen.d[0].outcome == POLICY_HELD);
	assert_true(due(s, 101000, &kind));
}

/* A rule that says the same goes on with what its program has used up; with another program it is another rule. */
static void test_hook_reload(void **state)
{
	static const char text[] = "rule r\nwhen auth-fail rate 1/1\nthen alert hold-down 0\nhook h hold-down 3600\n";
	struct policy_state *s = state_of(text);
	struct policy p;

	(void)state;
	assert_true(hooked(s, "B", 1000));
	parse(text, &p);
	assert_int_equal(policy_state_reload(s, &p), 0);
	policy_free(&p);
	assert_false(hooked(s, "B", 9000));
	parse("rule r\nwhen auth-fail rate 1/1\nthen alert hold-down 0\nhook other hold-down 3600\n", &p);
	assert_int_equal(policy_state_reload(s, &p), 0);
	policy_free(&p);
	assert_true(hooked(s, "B", 20000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_below_the_rate, teardown),
		cmocka_unit_test_teardown(test_at_the_rate, teardown),
		cmocka_unit_test_teardown(test_the_window_slides, teardown),
		cmocka_unit_test(test_the_window_of_what_was_told_late),
		cmocka_unit_test_teardown(test_rules_are_apart, teardown),
		cmocka_unit_test_teardown(test_members_are_apart, teardown),
		cmocka_unit_test_teardown(test_severity, teardown),
		cmocka_unit_test_teardown(test_time_of_day, teardown),
		cmocka_unit_test_teardown(test_saturates, teardown),
		cmocka_unit_test_teardown(test_delta, teardown),
		cmocka_unit_test_teardown(test_hold_down, teardown),
		cmocka_unit_test_teardown(test_hold_down_of_another_rule, teardown),
		cmocka_unit_test_teardown(test_held_is_told_once, teardown),
		cmocka_unit_test_teardown(test_owed, teardown),
		cmocka_unit_test_teardown(test_an_alert_owes_nothing, teardown),
		cmocka_unit_test_teardown(test_a_pause_forgives, teardown),
		cmocka_unit_test_teardown(test_a_week_of_garbage, teardown),
		cmocka_unit_test_teardown(test_reports_what_was_held_back, teardown),
		cmocka_unit_test_teardown(test_budget_of_a_rule, teardown),
		cmocka_unit_test_teardown(test_budget_of_an_atr, teardown),
		cmocka_unit_test_teardown(test_budget_of_alerts, teardown),
		cmocka_unit_test_teardown(test_escalation, teardown),
		cmocka_unit_test_teardown(test_escalation_has_a_window, teardown),
		cmocka_unit_test_teardown(test_overrides, teardown),
		cmocka_unit_test_teardown(test_reload_keeps_what_is_the_same, teardown),
		cmocka_unit_test_teardown(test_reload_gives_nothing_away, teardown),
		cmocka_unit_test_teardown(test_never_too_often_and_nobody_for_garbage, teardown),
		cmocka_unit_test_teardown(test_hook_hold, teardown), cmocka_unit_test_teardown(test_hook_budget, teardown),
		cmocka_unit_test_teardown(test_hook_of_what_is_held, teardown),
		cmocka_unit_test_teardown(test_hook_reload, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
