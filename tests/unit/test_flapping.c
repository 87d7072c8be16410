// SPDX-License-Identifier: GPL-2.0
/* Who goes back and forth, and who only moves. */
#include "flapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct flapping f;

static int clear(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	return 0;
}

static struct msg_endpoint place(unsigned int port)
{
	return (struct msg_endpoint){ .addr = { 192, 0, 2, 1 }, .addr_len = 4, .port = (uint16_t)port };
}

static bool moves(uint32_t atr_id, int32_t member, unsigned int port, uint64_t now_ms)
{
	const struct flapping_member *m = NULL;
	struct msg_endpoint at = place(port);
	bool is = flapping_moved(&f, atr_id, member, &at, now_ms, &m);

	if (is) {
		assert_int_equal(m->member, member);
		assert_int_equal(m->atr_id, atr_id);
		assert_int_equal(m->places[0].port, port);
		assert_int_equal(flapping_count(m, now_ms), FLAPPING_RETURNS);
	}
	return is;
}

/* The ports that it comes from, a second between them, and after which of them it flaps first: 0 never */
static const struct { const char *ports; size_t first; } walks[] = {
	{ "abcdefghijklmnop", 0 },		/* a NAT that binds anew */
	{ "aaaaaaaaaaaaaaaa", 0 },		/* the module lost its memory of where it is */
	{ "abcdeabcdeabcdea", 0 },		/* more places than are remembered */
	{ "ababababab", 8 },			/* a, b, then six times back */
	{ "aabbaabbaabbaabb", 15 },
	{ "abcabcabc", 9 },			/* three of them */
	{ "abcdabcdabcd", 10 },
	{ "abcababab", 9 },
	{ "abababa", 0 },			/* five times */
};

static void test_walks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(walks); i++) {
		size_t first = 0;

		memset(&f, 0, sizeof(f));
		for (size_t n = 0; walks[i].ports[n]; n++) {
			bool is = moves(1, 2, (uint8_t)walks[i].ports[n], 1000000 + 1000 * n);

			if (is && !first)
				first = n + 1;
		}
		if (first != walks[i].first)
			fail_msg("%s: after %zu, not after %zu", walks[i].ports, first, walks[i].first);
	}
}

/* @n returns, @ms between two of them */
static unsigned int returns(unsigned int n, uint64_t ms)
{
	unsigned int told = 0;

	memset(&f, 0, sizeof(f));
	moves(1, 2, 1, 1000000);
	for (unsigned int i = 0; i <= n; i++)
		told += moves(1, 2, i % 2 ? 1 : 2, 1000000 + (i + 1) * ms);
	return told;
}

/* Six within the window: five lie between them. */
static void test_window(void **state)
{
	uint64_t edge = FLAPPING_WINDOW_MS / (FLAPPING_RETURNS - 1);

	(void)state;
	assert_int_equal(returns(100, edge), 0);
	assert_int_equal(returns(100, edge - 1), 100 - FLAPPING_RETURNS + 1);
	assert_int_equal(returns(100, FLAPPING_WINDOW_MS), 0);
	assert_int_equal(returns(100, 0), 100 - FLAPPING_RETURNS + 1);
}

/* Somebody who travels between two networks once in a while: each time it left that place long ago. */
static void test_long_ago(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		assert_false(moves(1, 2, i % 2, 1000000 + i * FLAPPING_WINDOW_MS));
	for (size_t i = 0; i < FLAPPING_MEMBERS; i++)
		assert_int_equal(f.members[i].backs, 0);
}

/* Members, and ATRs, are told apart. */
static void test_apart(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 40; i++)
		assert_false(moves(1 + i % 2, (int32_t)(i / 2 % 5), i % 4 < 2, 1000000 + i));
	assert_false(moves(0, 2, 1, 1000000));		/* of no ATR, of no member, from nowhere */
	assert_false(moves(1, -1, 1, 1000000));
}

/* A crowd leaves no room for one more, and takes none from who moves just now. */
static void test_a_crowd(void **state)
{
	uint64_t now = 1000000;
	unsigned int told = 0;

	(void)state;
	for (int32_t m = 0; m < 10 * FLAPPING_MEMBERS; m++)
		moves(7, m, 1, now++);
	for (int round = 0; round < FLAPPING_RETURNS + 2; round++)
		for (int32_t m = 0; m < FLAPPING_MEMBERS; m++)
			told += moves(8, m, 1 + round % 2, now++);
	assert_int_equal(told, FLAPPING_MEMBERS);
}

static void test_from_nowhere(void **state)
{
	const struct flapping_member *m = NULL;
	struct msg_endpoint none = {};

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_false(flapping_moved(&f, 1, 2, &none, 1000000, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_walks, clear),
		cmocka_unit_test_setup(test_window, clear),
		cmocka_unit_test_setup(test_long_ago, clear),
		cmocka_unit_test_setup(test_apart, clear),
		cmocka_unit_test_setup(test_a_crowd, clear),
		cmocka_unit_test_setup(test_from_nowhere, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
