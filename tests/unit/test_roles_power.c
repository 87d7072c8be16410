// SPDX-License-Identifier: GPL-2.0
/*
 * A node's power goes, or its daemon dies, at every call to its TPM and every request to its kernel while an
 * epoch is sealed and a new generation comes: between seal and install, between kernel and seal, inside each.
 * It starts again in the old state or the new one, alone if it must, and in the end agrees with the others.
 * P10, P9. (Seen failing when a heartbeat told of a generation whose pairs were not all installed, and when
 * node_kernel_sync() did not install them.)
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

#define CUTS_MAX 200

static int begin(void **state)
{
	(void)state;
	world_begin(3);
	world_provision();
	create_abc();
	return 0;
}

enum device { TPM, KERNEL };

static void cut_after(enum device d, unsigned int n)
{
	if (d == TPM)
		fake_tpm_cut_after(B->tpm, n);
	else
		fake_kernel_cut_after(B->kernel, n);
}

static bool is_cut(enum device d)
{
	return d == TPM ? fake_tpm_is_cut(B->tpm) : fake_kernel_is_cut(B->kernel);
}

static void mend(void)
{
	fake_tpm_mend(B->tpm);
	fake_kernel_mend(B->kernel);
}

static void roll_all(void)
{
	for (size_t i = 0; i < 3; i++)
		fake_kernel_roll(world.nodes[i].kernel, "akm1");
}

/* Started without the manager it has what it had, or what was under way: nothing else, nothing older. */
static void check_alone(uint32_t generation, uint64_t epoch)
{
	uint32_t active = fake_kernel_active(B->kernel, "akm1");

	assert_true(active == generation || active == generation + 1);
	if (active == generation)
		assert_in_range(fake_kernel_epoch(B->kernel, "akm1"), epoch - 1, epoch);
	for (uint32_t g = 1; g < generation; g++)
		assert_false(fake_kernel_holds(B->kernel, "akm1", g));
}

/* Return: was there anything left to cut? */
static bool cut_once(enum device d, unsigned int n, bool power, uint32_t generation)
{
	uint64_t epoch;
	struct asked *q;
	bool came;

	settle(generation);
	roll_all();
	epoch = fake_kernel_epoch(B->kernel, "akm1");
	cut_after(d, n);
	q = ask_begin(M, "atr-rekey", "{\"atr\":\"1\"}");
	/* The cut itself takes a turn to be felt; a rekey that got through was not cut. */
	until(is_cut(d) || (ask_done(q) && all_only_on(3, generation + 1) && atr_is("stable")));
	came = is_cut(d);
	for (int i = 0; came && i < 3; i++)
		world_turn();
	actor_stop(M);
	actor_stop(B);
	mend();
	if (power)
		fake_kernel_reboot(B->kernel);
	ask_drop(q);
	assert_int_equal(actor_start(B), 0);
	until(B->ready);
	check_alone(generation, epoch);
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	settle(generation + 1);
	return came;
}

static void cut_everywhere(enum device d, bool power)
{
	uint32_t generation = 1;
	unsigned int n = 0;

	while (cut_once(d, n, power, generation)) {
		generation++;
		assert_true(++n < CUTS_MAX);
	}
	print_message("%u cuts\n", n);
	assert_true(n >= 3);
}

static void test_power_at_the_tpm(void **state)
{
	(void)state;
	cut_everywhere(TPM, true);
}

static void test_power_at_the_kernel(void **state)
{
	(void)state;
	cut_everywhere(KERNEL, true);
}

/* The kernel lives, and A and C must not lose B for a moment. */
static void test_killed_at_the_tpm(void **state)
{
	(void)state;
	world_watch("akm1", 3);
	cut_everywhere(TPM, false);
}

static void test_killed_at_the_kernel(void **state)
{
	(void)state;
	world_watch("akm1", 3);
	cut_everywhere(KERNEL, false);
}

#define story(t) cmocka_unit_test_setup_teardown(t, begin, world_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		story(test_power_at_the_tpm),
		story(test_power_at_the_kernel),
		story(test_killed_at_the_tpm),
		story(test_killed_at_the_kernel),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
