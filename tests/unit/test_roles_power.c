// SPDX-License-Identifier: GPL-2.0
/*
 * A node's power goes, or its daemon dies, at every call to its TPM and every request to its kernel while an
 * epoch is sealed and a new generation comes: between seal and install, between kernel and seal, inside each. And
 * while it is told of other settings, and while it makes its interface anew.
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

struct change {
	const char *cmd;
	void (*put_args)(unsigned int n, char ret[128]);	/* for the @n-th time */
	bool makes_generation, interrupts;
};

static void put_rekey(unsigned int n, char ret[128])
{
	(void)n;
	snprintf(ret, 128, "{\"atr\":\"1\"}");
}

static void put_set(unsigned int n, char ret[128])
{
	snprintf(ret, 128, "{\"atr\":\"1\",\"epoch_interval\":%u}", 3600000 + n);
}

static void put_remake(unsigned int n, char ret[128])
{
	snprintf(ret, 128, "{\"atr\":\"1\",\"port\":%u,\"interrupt\":true}", 7000 + n);
}

static const struct change rekey = { "atr-rekey", put_rekey, true, false };
static const struct change set = { "atr-set", put_set, false, false };
static const struct change remake = { "atr-set", put_remake, true, true };

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
static void check_alone(const struct change *c, uint32_t generation, uint64_t epoch)
{
	uint32_t active = fake_kernel_active(B->kernel, "akm1");

	if (c->interrupts && !active)
		return;				/* the new one is not to be used yet, and the old one is gone */
	assert_true(active == generation || active == generation + 1);
	if (active == generation)
		assert_in_range(fake_kernel_epoch(B->kernel, "akm1"), epoch - 1, epoch);
	for (uint32_t g = 1; g < generation; g++)
		assert_false(fake_kernel_holds(B->kernel, "akm1", g));
}

/* Is everybody's kernel as the manager says, after the @n-th? */
static bool is_done(const struct change *c, unsigned int n, uint32_t generation)
{
	bool done = all_only_on(3, generation) && atr_is("stable");

	for (size_t i = 0; done && i < 3; i++) {
		const struct nl_dev *d = fake_kernel_dev(world.nodes[i].kernel, "akm1");

		done = c == &set ? d->epoch_interval_ms == 3600000 + n : c == &remake ? d->port == 7000 + n : true;
	}
	return done;
}

/* Return: was there anything left to cut? */
static bool cut_once(const struct change *c, enum device d, unsigned int n, bool power, uint32_t generation)
{
	uint32_t then = generation + c->makes_generation;
	char args[128];
	uint64_t epoch;
	struct asked *q;
	bool came;

	settle(generation);
	roll_all();
	epoch = fake_kernel_epoch(B->kernel, "akm1");
	cut_after(d, n);
	c->put_args(n, args);
	q = ask_begin(M, c->cmd, "%s", args);
	/* The cut itself takes a turn to be felt; a rekey that got through was not cut. */
	until(is_cut(d) || (ask_done(q) && is_done(c, n, then)));
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
	check_alone(c, generation, epoch);
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	until(is_done(c, n, then));
	return came;
}

/* At every @step-th place, from the @n-th on */
static void cut_at(const struct change *c, enum device d, bool power, unsigned int n, unsigned int step)
{
	uint32_t generation = 1;

	while (cut_once(c, d, n, power, generation)) {
		generation += c->makes_generation;
		n += step;
		assert_true(n < CUTS_MAX);
	}
	print_message("%u places, every %u\n", n, step);
	assert_true(n >= (c == &set && d == TPM ? 1 : 3));
}

static void cut_everywhere(const struct change *c, enum device d, bool power)
{
	cut_at(c, d, power, 0, 1);
}

static void test_power_at_the_tpm(void **state)
{
	(void)state;
	cut_everywhere(&rekey, TPM, true);
}

static void test_power_at_the_kernel(void **state)
{
	(void)state;
	cut_everywhere(&rekey, KERNEL, true);
}

/* The kernel lives, and A and C must not lose B for a moment. */
static void test_killed_at_the_tpm(void **state)
{
	(void)state;
	world_watch("akm1", 3);
	cut_everywhere(&rekey, TPM, false);
}

static void test_killed_at_the_kernel(void **state)
{
	(void)state;
	world_watch("akm1", 3);
	cut_everywhere(&rekey, KERNEL, false);
}

/* A definition is sealed as well, and nobody is lost for it. */
static void test_settings_killed_at_the_kernel(void **state)
{
	(void)state;
	world_watch("akm1", 3);
	cut_everywhere(&set, KERNEL, false);
}

static void test_settings_without_power_at_the_tpm(void **state)
{
	(void)state;
	cut_everywhere(&set, TPM, true);
}

static void test_remake_killed_at_the_kernel(void **state)
{
	(void)state;
	cut_at(&remake, KERNEL, false, 0, 4);
}

static void test_remake_without_power_at_the_kernel(void **state)
{
	(void)state;
	cut_at(&remake, KERNEL, true, 2, 4);
}

static void test_remake_without_power_at_the_tpm(void **state)
{
	(void)state;
	cut_everywhere(&remake, TPM, true);
}

#define story(t) cmocka_unit_test_setup_teardown(t, begin, world_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		story(test_power_at_the_tpm),
		story(test_power_at_the_kernel),
		story(test_killed_at_the_tpm),
		story(test_killed_at_the_kernel),
		story(test_settings_killed_at_the_kernel),
		story(test_settings_without_power_at_the_tpm),
		story(test_remake_killed_at_the_kernel),
		story(test_remake_without_power_at_the_kernel),
		story(test_remake_without_power_at_the_tpm),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
