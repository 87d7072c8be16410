// SPDX-License-Identifier: GPL-2.0
/*
 * A manager that stood still, suspended or starved, heard nobody meanwhile: it says so, and accuses nobody of silence.
 * (Must fail with one that counts that time: mutants.txt.)
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

#define STEP_MS		200		/* less than what links live without a heartbeat */

static bool all_there(void)
{
	return !is_down(M) && !is_down(B) && !is_down(C);
}

/* Time passes in which everybody does what is due. */
static void live(uint64_t ms)
{
	for (uint64_t end = now_ms() + ms; now_ms() < end;) {
		clock_wind(STEP_MS);
		for (int i = 0; i < 5; i++)
			world_turn();
	}
}

static void begin(uint32_t missed)
{
	actor_stop(M);
	M->config.heartbeat_missed = missed;
	assert_int_equal(actor_start(M), 0);
	until(M->ready && all_there() && !is_down(A));
	/* Longer than those who come back have for it: from here on silence counts. */
	live(12000);
	assert_int_equal(events_of(M, "heartbeat-missed"), 0);
}

/* All processes of this world stood still, so links have ended as well. */
static void nobody_is_accused_of_our_silence(void **state)
{
	(void)state;
	begin(40);
	clock_wind(60000);
	until(events_of(M, "monitor-stalled") == 1 && events_of(R, "monitor-stalled") == 2);
	until(all_there() && !is_down(A));
	live(15000);
	assert_int_equal(events_of(M, "heartbeat-missed"), 0);
	assert_int_equal(events_of(R, "heartbeat-missed"), 0);
	/* Who is silent from now on is noticed. */
	actor_stop(A);
	live(3000);
	until(events_of(M, "heartbeat-missed") == 1);
	assert_int_equal(events_of(M, "monitor-stalled"), 1);
}

/* That excuses nobody: the silence before and after it counts. */
static void silence_adds_up(void **state)
{
	(void)state;
	begin(200);			/* 10 s */
	actor_stop(A);
	live(3000);
	clock_wind(8000);
	until(events_of(M, "monitor-stalled") == 1);
	until(all_there());
	live(4000);
	assert_int_equal(events_of(M, "heartbeat-missed"), 0);
	live(6000);
	assert_int_equal(events_of(M, "heartbeat-missed"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_is_accused_of_our_silence, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(silence_adds_up, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
