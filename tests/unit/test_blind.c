// SPDX-License-Identifier: GPL-2.0
/* A node that does not hear its kernel says so; one that does is never accused. */
#include "blind.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static struct blind b;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	b = (struct blind){};
	now = 1000000;
	return 0;
}

/* The look after a full interval. Return: whether @b changed its mind. */
static bool look(uint64_t counted)
{
	now += BLIND_LOOK_MS;
	return blind_look(&b, counted, now);
}

static void test_quiet(void **state)
{
	(void)state;
	/* What had been counted before the start was told to others. */
	for (int i = 0; i < 100; i++)
		assert_false(look(5000));
	assert_false(b.blind);
}

static void test_hears(void **state)
{
	(void)state;
	assert_false(look(0));
	for (uint64_t n = 1; n < 1000; n++) {
		blind_heard(&b);
		assert_false(look(n * 100000));
	}
	assert_false(b.blind);
}

/* A packet that is counted just before a look, and told just after it */
static void test_in_between(void **state)
{
	(void)state;
	look(0);
	for (uint64_t n = 1; n < 100; n++) {
		assert_false(look(n));
		blind_heard(&b);
		assert_false(look(n));
	}
	assert_false(b.blind);
}

static void test_blind(void **state)
{
	(void)state;
	look(7);
	assert_false(look(8));
	assert_false(b.blind);
	assert_true(look(8));		/* one look later, not before */
	assert_true(b.blind);
	/* It stays so while nothing proves the contrary, … */
	for (int i = 0; i < 10; i++)
		assert_false(look(8));
	assert_true(b.blind);
	/* … and an event does. */
	blind_heard(&b);
	assert_true(look(9));
	assert_false(b.blind);
}

/* A device that was made anew counts from zero. */
static void test_reset(void **state)
{
	(void)state;
	look(100000);
	assert_false(look(0));
	assert_false(look(0));
	assert_false(look(0));
	/* and what it counts then is seen */
	look(1);
	assert_true(look(1));
}

/* Looks that come too soon are none. */
static void test_interval(void **state)
{
	(void)state;
	look(0);
	for (uint64_t i = 1; i < BLIND_LOOK_MS; i += 100)
		assert_false(blind_look(&b, i, now + i));
	assert_false(b.grew);
	assert_false(b.blind);
}

#define TEST(t) cmocka_unit_test_setup(t, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_quiet), TEST(test_hears), TEST(test_in_between), TEST(test_blind), TEST(test_reset),
		TEST(test_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
