// SPDX-License-Identifier: GPL-2.0
/* What a kernel state may have held is never said to be unused again. P3 */
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "durable.h"
#include "shown.h"
#include "support_dir.h"

static uint32_t raise_to(uint32_t atr_id, uint32_t number)
{
	uint32_t before = 12345;

	assert_int_equal(shown_raise(scratch_path("store"), atr_id, number, &before), 0);
	return before;
}

static void test_only_grows(void **state)
{
	(void)state;
	assert_int_equal(raise_to(1, 7), 0);
	assert_int_equal(raise_to(1, 8), 7);
	assert_int_equal(raise_to(1, 3), 8);
	assert_int_equal(raise_to(1, 8), 8);
	assert_int_equal(raise_to(1, UINT32_MAX - 1), 8);
	assert_int_equal(raise_to(2, 1), 0);	/* another ATR */
	assert_int_equal(raise_to(1, 9), UINT32_MAX - 1);
}

/* It may have been anything. */
static void test_unreadable(void **state)
{
	static const char *const bad[] = { "", "\n", "x\n", "7", "7 8\n", "4294967296\n", "77777777777777777777777\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(durable_write(scratch_path("store-shown-9"), bad[i], strlen(bad[i])), 0);
		assert_int_equal(raise_to(9, 10), UINT32_MAX);
		assert_int_equal(raise_to(9, 11), UINT32_MAX);
	}
}

static void test_not_writable(void **state)
{
	uint32_t before = 12345;

	(void)state;
	assert_int_equal(shown_raise("/nowhere/at/all", 1, 1, &before), -ENOENT);
	assert_int_equal(before, 12345);
}

#define shown_test(t) cmocka_unit_test_setup_teardown(t, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		shown_test(test_only_grows),
		shown_test(test_unreadable),
		shown_test(test_not_writable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
