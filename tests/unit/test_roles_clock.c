// SPDX-License-Identifier: GPL-2.0
/*
 * Nobody's wall clock is right: whoever reads it gets another time, from 1970 (a node without a clock) over years ago
 * to hours and years ahead. Only records for people are stamped with it: nothing that the fleet does waits for it,
 * expires by it, or is ordered by it. (Must fail with a rekey that counts by that clock: mutants.txt.)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "support_clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)
#define R (&world.root)

#define HOUR 3600LL

static void confuse(struct timespec *t)
{
	static const time_t off[] = { -7 * HOUR, 5 * HOUR, 0, -3 * 365 * 24 * HOUR, 10 * 365 * 24 * HOUR };
	static _Atomic unsigned int readings;		/* the TPM's thread reads it as well */
	unsigned int n = sizeof(off) / sizeof(*off), i = readings++ % (n + 1);

	t->tv_sec = i < n ? t->tv_sec + off[i] : t->tv_sec % HOUR;
}

static void test_life_of_a_fleet(void **state)
{
	struct json_object *answer;
	uint64_t decided;

	(void)state;
	create_abc();
	world_watch("akm1", 3);
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	settle(2);
	for (size_t i = 0; i < 3; i++)
		fake_kernel_roll(world.nodes[i].kernel, "akm1");
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	settle(3);
	world_watch(NULL, 0);
	actor_reboot(B);
	until(B->ready && all_on(3, 3));
	world_watch("akm1", 2);
	decided = now_ms();
	answer = ask(M, "node-evict", "{\"node\":\"EdgeNodeC\",\"reason\":\"stolen\"}");
	assert_true(json_object_get_boolean(at(answer, "plans.0.done")));
	json_object_put(answer);
	assert_true(now_ms() < decided + 2000);
	assert_true(all_only_on(2, 4));
	until(is_down(C));
}

static void test_parties_away(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 3);
	actor_stop(M);
	fake_kernel_roll(A->kernel, "akm1");
	for (int i = 0; i < 100; i++)
		world_turn();
	assert_int_equal(actor_start(M), 0);
	until(M->ready && member_is("EdgeNodeA", "current") && member_is("EdgeNodeB", "current") &&
	      member_is("EdgeNodeC", "current"));
	actor_stop(R);
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	settle(2);
	assert_int_equal(actor_start(R), 0);
	until(R->ready && events_of(R, "atr-create") == 1 && events_of(R, "rekey") == 1);
}

/* What was noticed arrives whole and once, in the order in which it was noticed, and policy answers it. */
static void test_evidence(void **state)
{
	struct json_object *answer, *items;
	int64_t last = 0, seq;

	(void)state;
	create_abc();
	world_watch("akm1", 3);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 100);
	until(all_only_on(3, 2));
	until(events_of(R, "alert") == 1 && events_of(R, "rekey") == 1);
	assert_int_equal(events_of(M, "alert"), 1);
	answer = ask(R, "events", "{}");
	items = json_object_object_get(answer, "items");
	assert_true(json_object_array_length(items) > 3);
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		seq = json_object_get_int64(json_object_object_get(json_object_array_get_idx(items, i), "seq"));
		assert_true(seq > last);
		last = seq;
	}
	json_object_put(answer);
}

#define story(t) cmocka_unit_test_setup_teardown(t, world_setup, world_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		story(test_life_of_a_fleet),
		story(test_parties_away),
		story(test_evidence),
	};

	clock_distort(confuse);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
