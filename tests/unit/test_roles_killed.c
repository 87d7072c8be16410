// SPDX-License-Identifier: GPL-2.0
/*
 * A party is killed at every turn of the event loop in which a rekey makes progress.
 * Those that run go on hearing each other at every turn, and in the end all agree.
 */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)
#define R (&world.root)

#define TURNS 30			/* a rekey is through by then */

static void kill_at_every_turn(struct actor *victim, bool reboot)
{
	uint32_t generation = 1;

	create_abc();
	for (unsigned int turns = 0; turns < TURNS; turns++) {
		struct asked *q;

		settle(generation);
		if (!reboot)
			world_watch("akm1", 3);
		q = ask_begin(M, "atr-rekey", "{\"atr\":\"1\"}");
		for (unsigned int i = 0; i < turns; i++)
			world_turn();
		if (reboot) {
			actor_reboot(victim);
		} else {
			actor_stop(victim);
			for (unsigned int i = 0; i < 10; i++)
				world_turn();
			assert_int_equal(actor_start(victim), 0);
		}
		ask_drop(q);
		until(victim->ready);
		until(fake_kernel_active(A->kernel, "akm1") == generation ||
		      fake_kernel_active(A->kernel, "akm1") == generation + 1);
		/* Killed before it took the command: then nothing happened. */
		until(atr_is("stable") && (all_only_on(3, generation) || all_only_on(3, generation + 1)));
		generation = fake_kernel_active(A->kernel, "akm1");
		world_watch(NULL, 0);
	}
	assert_true(generation > TURNS / 2);
}

static void test_manager_killed(void **state)
{
	(void)state;
	kill_at_every_turn(M, false);
}

static void test_node_killed(void **state)
{
	(void)state;
	kill_at_every_turn(B, false);
}

static void test_node_rebooted(void **state)
{
	(void)state;
	kill_at_every_turn(C, true);
}

static void test_root_killed(void **state)
{
	(void)state;
	kill_at_every_turn(R, false);
}

#define story(t) cmocka_unit_test_setup_teardown(t, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		story(test_manager_killed),
		story(test_node_killed),
		story(test_node_rebooted),
		story(test_root_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
