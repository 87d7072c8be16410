// SPDX-License-Identifier: GPL-2.0
/* The recovery policy: windows, hold-down, and what garbage can make it do. */
#include "policy.h"

#include <setjmp.h>
#include <cmocka.h>

static struct config config_with(uint32_t count, uint32_t seconds, enum config_action action, uint32_t hold_down_s)
{
	struct config c = { .hold_down_s = hold_down_s };

	c.auth_fail = c.replay = c.clone = c.unknown_key = (struct config_rule){ count, seconds, action };
	return c;
}

static enum config_action feed(struct policy_atr *a, const struct config *c, uint64_t count, uint64_t now)
{
	return policy_feed(a, c, POLICY_AUTH_FAIL, count, now).action;
}

static void test_nothing_without_a_rule(void **state)
{
	struct config c = config_with(0, 10, ACTION_REKEY, 60);
	struct policy_atr a = {};

	(void)state;
	assert_int_equal(feed(&a, &c, UINT64_MAX, 1000), ACTION_NONE);
	c = config_with(10, 0, ACTION_REKEY, 60);
	assert_int_equal(feed(&a, &c, 100, 1000), ACTION_NONE);
	c = config_with(10, 10, ACTION_NONE, 60);
	assert_int_equal(feed(&a, &c, 100, 1000), ACTION_NONE);
	c = config_with(10, 10, ACTION_REKEY, 60);
	assert_int_equal(feed(&a, &c, 0, 1000), ACTION_NONE);
}

static void test_below_the_rate(void **state)
{
	struct config c = config_with(100, 10, ACTION_REKEY, 60);
	struct policy_atr a = {};

	(void)state;
	/* 99 in every 10 s, for an hour */
	for (uint64_t now = 0; now < 3600000; now += 10000)
		assert_int_equal(feed(&a, &c, 99, now), ACTION_NONE);
}

static void test_at_the_rate(void **state)
{
	struct config c = config_with(100, 10, ACTION_REKEY, 60);
	struct policy_atr a = {};
	struct policy_verdict v;

	(void)state;
	for (uint64_t i = 0; i < 9; i++)
		assert_int_equal(feed(&a, &c, 11, i * 1000), ACTION_NONE);
	v = policy_feed(&a, &c, POLICY_AUTH_FAIL, 1, 9000);
	assert_int_equal(v.action, ACTION_REKEY);
	assert_int_equal(v.count, 100);
	assert_int_equal(v.seconds, 10);
	assert_false(v.held);
}

static void test_the_window_slides(void **state)
{
	struct config c = config_with(100, 16, ACTION_ALERT, 60);
	struct policy_atr a = {};

	(void)state;
	assert_int_equal(feed(&a, &c, 60, 500), ACTION_NONE);
	/* 15 slots later the first one still counts, 16 later it does not. */
	assert_int_equal(feed(&a, &c, 39, 15500), ACTION_NONE);
	assert_int_equal(feed(&a, &c, 60, 16500), ACTION_NONE);
	assert_int_equal(feed(&a, &c, 1, 16600), ACTION_ALERT);
}

static void test_kinds_are_apart(void **state)
{
	struct config c = config_with(100, 10, ACTION_REKEY, 60);
	struct policy_atr a = {};

	(void)state;
	for (int kind = 0; kind < POLICY_KINDS; kind++)
		assert_int_equal(policy_feed(&a, &c, (enum policy_kind)kind, 99, 1000).action, ACTION_NONE);
	assert_int_equal(policy_feed(&a, &c, POLICY_REPLAY, 1, 1001).action, ACTION_REKEY);
}

static void test_hold_down(void **state)
{
	struct config c = config_with(10, 1, ACTION_REKEY, 60);
	struct policy_atr a = {};
	struct policy_verdict v;

	(void)state;
	assert_int_equal(feed(&a, &c, 10, 0), ACTION_REKEY);
	v = policy_feed(&a, &c, POLICY_AUTH_FAIL, 10, 5000);
	assert_int_equal(v.action, ACTION_ALERT);
	assert_true(v.held);
	assert_int_equal(feed(&a, &c, 10, 60000), ACTION_REKEY);
	/* The second hold is twice as long. */
	assert_int_not_equal(feed(&a, &c, 10, 60000 + 119999), ACTION_REKEY);
	assert_int_equal(feed(&a, &c, 10, 60000 + 120000), ACTION_REKEY);
}

static void test_hold_down_of_another_kind(void **state)
{
	struct config c = config_with(10, 1, ACTION_REKEY, 60);
	struct policy_atr a = {};

	(void)state;
	assert_int_equal(policy_feed(&a, &c, POLICY_AUTH_FAIL, 10, 0).action, ACTION_REKEY);
	assert_true(policy_feed(&a, &c, POLICY_REPLAY, 10, 1).held);
}

/* Evidence during the hold is not forgotten: the rekey comes when it ends, once. */
static void test_owed(void **state)
{
	struct config c = config_with(10, 1, ACTION_REKEY, 60);
	enum policy_kind kind = POLICY_AUTH_FAIL;
	struct policy_atr a = {};

	(void)state;
	assert_false(policy_due(&a, &c, 0, &kind));
	assert_int_equal(feed(&a, &c, 10, 0), ACTION_REKEY);
	assert_false(policy_due(&a, &c, 100000, &kind));
	assert_true(policy_feed(&a, &c, POLICY_REPLAY, 10, 5000).held);
	assert_false(policy_due(&a, &c, 59999, &kind));
	assert_true(policy_due(&a, &c, 60000, &kind));
	assert_int_equal(kind, POLICY_REPLAY);
	assert_false(policy_due(&a, &c, 1000000, &kind));
	/* It counted: the next hold is longer. */
	memset(&a, 0, sizeof(a));
	assert_int_equal(feed(&a, &c, 10, 0), ACTION_REKEY);
	(void)feed(&a, &c, 10, 1000);
	assert_true(policy_due(&a, &c, 60000, &kind));
	(void)feed(&a, &c, 10, 61000);
	assert_false(policy_due(&a, &c, 179999, &kind));
	/* A rekey made meanwhile by new evidence settles it. */
	assert_int_equal(feed(&a, &c, 10, 180000), ACTION_REKEY);
	assert_false(policy_due(&a, &c, 10000000, &kind));
}

static void test_an_alert_owes_nothing(void **state)
{
	struct config c = config_with(10, 1, ACTION_ALERT, 60);
	enum policy_kind kind;
	struct policy_atr a = {};

	(void)state;
	for (uint64_t now = 0; now < 100000; now += 1000)
		(void)feed(&a, &c, 100, now);
	assert_false(policy_due(&a, &c, 10000000, &kind));
}

static void test_a_pause_forgives(void **state)
{
	struct config c = config_with(10, 1, ACTION_REKEY, 60);
	struct policy_atr a = {};

	(void)state;
	assert_int_equal(feed(&a, &c, 10, 0), ACTION_REKEY);
	assert_int_equal(feed(&a, &c, 10, 60000), ACTION_REKEY);
	/* The hold ends at 180 s; 120 s of quiet after it. */
	assert_int_equal(feed(&a, &c, 10, 300000), ACTION_REKEY);
	assert_int_equal(feed(&a, &c, 10, 360000), ACTION_REKEY);
}

/* An attacker who never stops: what does a week of garbage cost? */
static void test_a_week_of_garbage(void **state)
{
	struct config c = config_with(100, 10, ACTION_REKEY, 60);
	const uint64_t week = 7ull * 86400 * 1000;
	struct policy_atr a = {};
	unsigned int rekeys = 0, alerts = 0, first_day = 0;

	(void)state;
	for (uint64_t now = 0; now < week; now += 1000) {
		enum config_action action = feed(&a, &c, 1000000, now);

		rekeys += action == ACTION_REKEY;
		alerts += action == ACTION_ALERT;
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
	struct config c = config_with(10, 1, ACTION_ALERT, 0);
	struct policy_atr a = {};
	uint64_t reported = 0, fed = 0;

	(void)state;
	for (uint64_t now = 0; now < 100000; now += 100, fed += 10) {
		struct policy_verdict v = policy_feed(&a, &c, POLICY_REPLAY, 10, now);

		if (v.action == ACTION_ALERT)
			reported += v.count;
	}
	assert_int_equal(reported + a.unreported[POLICY_REPLAY], fed);
}

static void test_saturates(void **state)
{
	struct config c = config_with(UINT32_MAX, UINT32_MAX, ACTION_ALERT, 0);
	struct policy_atr a = {};

	(void)state;
	assert_int_equal(feed(&a, &c, UINT32_MAX - 1, UINT64_MAX / 4), ACTION_NONE);
	assert_int_equal(feed(&a, &c, UINT64_MAX, UINT64_MAX / 4), ACTION_ALERT);
}

static void test_delta(void **state)
{
	(void)state;
	assert_int_equal(policy_delta(0, 0), 0);
	assert_int_equal(policy_delta(5, 9), 4);
	assert_int_equal(policy_delta(9, 5), 5);	/* a fresh device counts from 0 */
	assert_int_equal(policy_delta(UINT64_MAX, UINT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_without_a_rule),
		cmocka_unit_test(test_below_the_rate),
		cmocka_unit_test(test_at_the_rate),
		cmocka_unit_test(test_the_window_slides),
		cmocka_unit_test(test_kinds_are_apart),
		cmocka_unit_test(test_hold_down),
		cmocka_unit_test(test_hold_down_of_another_kind),
		cmocka_unit_test(test_owed),
		cmocka_unit_test(test_an_alert_owes_nothing),
		cmocka_unit_test(test_a_pause_forgives),
		cmocka_unit_test(test_a_week_of_garbage),
		cmocka_unit_test(test_reports_what_was_held_back),
		cmocka_unit_test(test_saturates),
		cmocka_unit_test(test_delta),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
