// SPDX-License-Identifier: GPL-2.0
/*
 * Which secret reaches whom, and with which numbers it is used. A pairwise secret is with the two that it is for (P6); a
 * generation is independent of the ones before, so that who was there before can do
 * nothing with the next one, and who comes can do nothing with the last one (P5). The
 * incarnation is the TPM's, and where its 24 bits end a node stays silent (P1).
 * Seen failing with the faults that mutants.txt plants for P1, P5 and P6.
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
#define D (&world.nodes[3])
#define M (&world.manager)

#define NODES	4
#define STEPS	16			/* of the ratchet, that an attacker tries */

static int begin(void **state)
{
	(void)state;
	world_begin(NODES);
	world_provision();
	create_abc();
	return 0;
}

static const struct fake_generation *held(const struct actor *a, uint32_t number)
{
	struct fake_device *d = find(a->kernel, "akm1");
	const struct fake_generation *g = d ? generation(d, number) : NULL;

	assert_non_null(g);
	return g;
}

static uint16_t index_of(const struct actor *a)
{
	struct fake_device *d = find(a->kernel, "akm1");

	assert_non_null(d);
	return d->d.self;
}

static const uint8_t *pair_of(const struct actor *a, const struct actor *with, uint32_t number)
{
	const uint8_t *chain = pair(held(a, number), index_of(with));

	assert_non_null(chain);
	return chain;
}

static bool knows(const struct fake_generation *g, const uint8_t chain[AKM_CHAIN_LEN])
{
	for (size_t i = 0; i < g->n_pairs; i++)
		if (!memcmp(g->pair_chain[i], chain, AKM_CHAIN_LEN))
			return true;
	return !memcmp(g->chain, chain, AKM_CHAIN_LEN);
}

static void test_pairs_are_for_two(void **state)
{
	(void)state;
	assert_memory_equal(pair_of(A, B, 1), pair_of(B, A, 1), AKM_CHAIN_LEN);
	assert_memory_equal(pair_of(A, C, 1), pair_of(C, A, 1), AKM_CHAIN_LEN);
	assert_memory_equal(pair_of(B, C, 1), pair_of(C, B, 1), AKM_CHAIN_LEN);
	assert_false(knows(held(C, 1), pair_of(A, B, 1)));
	assert_false(knows(held(B, 1), pair_of(A, C, 1)));
	assert_false(knows(held(A, 1), pair_of(B, C, 1)));
	assert_int_equal(held(A, 1)->n_pairs, 2);
	assert_memory_equal(held(A, 1)->chain, held(B, 1)->chain, AKM_CHAIN_LEN);
}

/* Everything that @from holds, stepped forward under @to's context as well as its own, is not in @to. */
static void assert_independent(const struct fake_generation *from, const struct fake_generation *to)
{
	const struct fake_generation *context[] = { from, to };

	for (size_t c = 0; c < ARRAY_SIZE(context); c++) {
		struct kdf_ctx ctx = { 1, context[c]->number, context[c]->key_id };

		for (size_t i = 0; i <= from->n_pairs; i++) {
			uint8_t chain[AKM_CHAIN_LEN];

			memcpy(chain, i < from->n_pairs ? from->pair_chain[i] : from->chain, sizeof(chain));
			for (unsigned int step = 0; step < STEPS; step++) {
				assert_false(knows(to, chain));
				assert_int_equal(kdf_next(&ctx, chain, chain), 0);
			}
		}
	}
}

static void test_generations_are_independent(void **state)
{
	struct fake_generation old = *held(A, 1);

	(void)state;
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	settle(2);
	assert_independent(&old, held(A, 2));
	assert_independent(held(A, 2), &old);
	assert_int_not_equal(old.key_id, held(A, 2)->key_id);
}

static void test_who_comes_gets_nothing_older(void **state)
{
	struct fake_generation old = *held(A, 1);

	(void)state;
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeD\"}");
	until(all_on(NODES, 2));
	assert_false(fake_kernel_holds(D->kernel, "akm1", 1));
	assert_independent(held(D, 2), &old);
}

static void test_who_is_evicted_gets_nothing_newer(void **state)
{
	struct fake_generation old = *held(C, 1);
	uint16_t evicted = index_of(C);

	(void)state;
	ask_ok(M, "node-evict", "{\"node\":\"EdgeNodeC\"}");
	until(all_only_on(2, 2));
	assert_independent(&old, held(A, 2));
	assert_false(fake_kernel_holds(C->kernel, "akm1", 2));
	assert_null(pair(held(A, 2), evicted));
	assert_null(pair(held(B, 2), evicted));
}

/* The last number that fits is used; the first that does not would be an old one in the packet number. */
static void test_incarnations_run_out(void **state)
{
	(void)state;
	A->tpm->counter[KEYSTORE_INCARNATION] = AKM_INCARNATION_MAX - 1;
	actor_reboot(A);
	until(A->ready);
	until(hears_all(3));
	assert_int_equal(fake_kernel_incarnation(A->kernel, "akm1"), AKM_INCARNATION_MAX);
	A->tpm->counter[KEYSTORE_INCARNATION] = AKM_INCARNATION_MAX + 7;	/* 24 bits of it would be 8 */
	actor_reboot(A);
	until(events_of(M, "kernel") > 0);
	assert_int_equal(fake_kernel_active(A->kernel, "akm1"), 0);
	assert_int_equal(fake_kernel_incarnation(A->kernel, "akm1"), 0);
}

#define story(t) cmocka_unit_test_setup_teardown(t, begin, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		story(test_pairs_are_for_two),
		story(test_generations_are_independent),
		story(test_who_comes_gets_nothing_older),
		story(test_who_is_evicted_gets_nothing_newer),
		story(test_incarnations_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
