// SPDX-License-Identifier: GPL-2.0
/*
 * The fallback of an ATR: made and armed by the manager, kept by the nodes, entered without the manager, and
 * superseded by it. All the while the members hear each other (world_watch()).
 */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "support_dir.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)

static int begin(void **state)
{
	(void)state;
	world_begin(3);
	M->config.fallback = true;
	world_provision();
	return 0;
}

static int end(void **state)
{
	B->config.policy_file = NULL;
	return world_teardown(state);
}

static void turn(unsigned int n)
{
	while (n--)
		world_turn();
}

static void wait_ms(uint64_t ms)
{
	for (uint64_t end_ms = now_ms() + ms; now_ms() < end_ms;)
		world_turn();
}

/* Everybody sends something to everybody. */
static void talk(void)
{
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 3; j++)
			if (i != j)
				fake_kernel_talk(world.nodes[i].kernel, world.nodes[j].kernel, "akm1");
}

static bool fallback_is(const char *fallback_state, int64_t generation)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	bool is = !strcmp(text_at(answer, "fallback_state"), fallback_state) &&
		  number_at(answer, "fallback_generation") == generation;

	json_object_put(answer);
	return is;
}

static int64_t armed_at(struct actor *a)
{
	struct json_object *answer = ask(a, "status", "{}");
	int64_t number = number_at(answer, "atrs.0.fallback_generation");

	json_object_put(answer);
	return number;
}

static bool holds(struct actor *a, uint32_t generation)
{
	return fake_kernel_holds(a->kernel, "akm1", generation);
}

static uint32_t active_at(struct actor *a)
{
	return fake_kernel_active(a->kernel, "akm1");
}

/* All on @generation, with the next one armed beside it */
static bool is_armed(size_t n, uint32_t generation)
{
	if (!all_only_on(n, generation) || !fallback_is("armed", generation + 1))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!holds(&world.nodes[i], generation + 1) || armed_at(&world.nodes[i]) != generation + 1)
			return false;
	return true;
}

static void create_armed(void)
{
	create_abc();
	until(is_armed(3, 1));
	world_watch("akm1", 3);
}

static void notice(struct actor *a, uint32_t type, uint32_t suppressed)
{
	struct nl_event e = { .type = type, .atr_id = 1, .member = 2, .generation = active_at(a), .suppressed = suppressed };

	fake_kernel_event(a->kernel, &e);
}

static void test_armed_everywhere(void **state)
{
	(void)state;
	create_armed();
	wait_ms(300);
	assert_true(is_armed(3, 1));
	/* An ATR that wants none has none, and neither has one with a single member. */
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\"],\"label\":\"second\",\"fallback\":\"off\"}");
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"third\"}");
	ask_refused(M, "EINVAL", "fallback", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"fallback\":\"maybe\"}");
	wait_ms(300);
	assert_false(fake_kernel_holds(A->kernel, "akm2", 2));
	assert_false(fake_kernel_holds(A->kernel, "akm3", 2));
	ask_refused(M, "EINVAL", "reason", "atr-rekey", "{\"atr\":\"1\",\"reason\":\"fallback\"}");
}

/* Sealed at the nodes, in the journal of the manager */
static void test_it_survives_restarts(void **state)
{
	(void)state;
	create_armed();
	actor_stop(M);
	world_watch(NULL, 0);
	for (size_t i = 0; i < 3; i++) {
		actor_reboot(&world.nodes[i]);
		until(world.nodes[i].ready);
		assert_int_equal(active_at(&world.nodes[i]), 1);
		assert_true(holds(&world.nodes[i], 2));
		assert_int_equal(armed_at(&world.nodes[i]), 2);
	}
	assert_int_equal(actor_start(M), 0);
	until(M->ready && is_armed(3, 1));
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && is_armed(3, 1));
	assert_true(hears_all(3));
}

static void test_entered_with_the_manager_away(void **state)
{
	(void)state;
	create_armed();
	actor_stop(M);
	notice(B, AKM_EVENT_CLONE, 0);
	assert_int_equal(active_at(B), 1);	/* it may be restarting only */
	until(active_at(B) == 2);
	until((talk(), all_on(3, 2)));
	assert_int_equal(events_of(B, "fallback"), 1);
	assert_int_equal(events_of(C, "fallback"), 1);
	assert_true(fake_kernel_announces(B->kernel) >= 1 && fake_kernel_announces(C->kernel) >= 1);
	assert_int_equal(armed_at(A), 0);

	/* What it replaced is received for a while, and sealed no more. P4 */
	assert_true(holds(A, 1));
	turn(50);
	world_watch(NULL, 0);
	actor_reboot(A);
	until(A->ready);
	assert_int_equal(active_at(A), 2);
	assert_false(holds(A, 1));
	assert_true(hears_all(3));
	world_watch("akm1", 3);

	/* The manager learns of it, does not fight it, and arms anew. */
	assert_int_equal(actor_start(M), 0);
	until(M->ready && is_armed(3, 3));
	assert_int_equal(events_of(M, "fallback-entered"), 1);
	assert_int_equal(events_of(M, "rekey"), 1);
	for (size_t i = 0; i < 3; i++)
		assert_false(holds(&world.nodes[i], 1) || holds(&world.nodes[i], 2));
	wait_ms(300);
	assert_true(is_armed(3, 3));
}

/* A manager that goes in the middle of a change has not told everybody; one that stays does. */
static void test_a_change_without_its_end(void **state)
{
	(void)state;
	create_armed();
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(is_armed(3, 3));
	wait_ms(1200);
	assert_int_equal(fake_kernel_announces(B->kernel), 0);
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	actor_stop(M);
	until(fake_kernel_announces(B->kernel) >= 1);
	assert_int_equal(active_at(B), 5);
}

/* Whoever slept through it hears of it when it is back. */
static void test_a_sleeper_follows(void **state)
{
	(void)state;
	create_armed();
	actor_stop(M);
	actor_stop(C);
	notice(B, AKM_EVENT_EXHAUSTED, 0);
	until(active_at(B) == 2);
	until((talk(), active_at(A) == 2));
	assert_int_equal(active_at(C), 1);
	assert_int_equal(actor_start(C), 0);
	until(C->ready);
	assert_int_equal(active_at(C), 1);
	until((talk(), all_on(3, 2)));
}

/* With the manager there the decision is its own; if it goes before it has made one, it is the node's. */
static void test_not_while_the_manager_is_there(void **state)
{
	(void)state;
	create_armed();
	notice(B, AKM_EVENT_CLONE, 0);
	wait_ms(500);
	assert_int_equal(active_at(B), 1);
	actor_stop(M);
	until(active_at(B) == 2);
	until((talk(), all_on(3, 2)));
}

/* What spoke against a generation says nothing of the next one. */
static void test_evidence_is_of_a_generation(void **state)
{
	(void)state;
	create_armed();
	notice(B, AKM_EVENT_CLONE, 0);
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(is_armed(3, 3));
	actor_stop(M);
	wait_ms(500);
	assert_true(all_on(3, 3));
}

/* At any rate, and whatever is suppressed of it: what anybody can send does not use up the fallback. P11 */
static void test_garbage_enters_nothing(void **state)
{
	static const uint32_t garbage[] = { AKM_EVENT_AUTH_FAIL, AKM_EVENT_REPLAY, AKM_EVENT_UNKNOWN_KEY,
					    AKM_EVENT_MALFORMED, AKM_EVENT_EPOCH_REFUSED, AKM_EVENT_NO_KEY,
				    AKM_EVENT_EPOCH_STALE };

	(void)state;
	create_armed();
	actor_stop(M);
	wait_ms(300);
	for (int i = 0; i < 1000; i++)
		for (size_t k = 0; k < ARRAY_SIZE(garbage); k++)
			notice(B, garbage[k], 1000000);
	wait_ms(500);
	assert_true(all_on(3, 1));
	assert_int_equal(armed_at(B), 2);
	assert_int_equal(events_of(B, "fallback"), 0);
}

static int start_with(const char *policy)
{
	static char path[256];

	actor_stop(B);
	scratch_write("policy", policy, strlen(policy));
	snprintf(path, sizeof(path), "%s/policy", scratch_dir());
	B->config.policy_file = path;
	return actor_start(B);
}

static void test_a_policy_of_the_nodes_own(void **state)
{
	(void)state;
	create_armed();
	assert_int_equal(start_with("rule r\nwhen auth-fail rate 100/10\nthen fallback\n"), -EINVAL);
	assert_int_equal(start_with("rule r\nwhen clone rate 1/10\nthen rekey\n"), -EINVAL);
	assert_int_equal(start_with("atr 1\nrule r\nwhen clone rate 1/10\nthen alert\nescalate 1/60 rekey\n"), -EINVAL);
	assert_int_equal(start_with("rule r\nwhen prefix rate 3/60\nthen alert\nescalate 1/600 fallback\n"), 0);
	until(B->ready);
	actor_stop(M);
	notice(B, AKM_EVENT_CLONE, 0);
	notice(B, AKM_EVENT_PREFIX, 2);
	wait_ms(500);
	assert_int_equal(active_at(B), 1);
	assert_int_equal(events_of(B, "alert"), 1);
	notice(B, AKM_EVENT_PREFIX, 2);
	until(active_at(B) == 2);
	until((talk(), all_on(3, 2)));

	/* A manager has something better. */
	scratch_write("policy", "rule r\nwhen clone rate 1/10\nthen fallback\n", 41);
	M->config.policy_file = B->config.policy_file;
	assert_int_equal(actor_start(M), -EINVAL);
	M->config.policy_file = NULL;
}

/* P5: neither the new generation nor the new fallback is one that it holds. */
static void test_an_evicted_member_lacks_it(void **state)
{
	(void)state;
	create_armed();
	world_watch("akm1", 2);
	actor_stop(C);
	ask_ok(M, "node-evict", "{\"node\":\"EdgeNodeC\"}");
	until(is_armed(2, 3));
	assert_true(holds(C, 1) && holds(C, 2));
	assert_false(fake_kernel_shares_key(C->kernel, A->kernel, "akm1"));
	assert_false(fake_kernel_shares_key(C->kernel, B->kernel, "akm1"));
	actor_stop(M);
	notice(B, AKM_EVENT_CLONE, 0);
	until(active_at(B) == 4);
	until((talk(), all_on(2, 4)));
	assert_false(fake_kernel_shares_key(C->kernel, A->kernel, "akm1"));
}

static void test_a_joiner_gets_nothing_older(void **state)
{
	(void)state;
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\"]}");
	until(is_armed(2, 1));
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	until(is_armed(3, 3));
	for (uint32_t g = 1; g <= 2; g++)
		for (size_t i = 0; i < 3; i++)
			assert_false(holds(&world.nodes[i], g));
}

/* The manager dies at every turn of making, giving and arming it, and while members enter it. */
static void test_manager_killed(void **state)
{
	uint32_t generation = 1;

	(void)state;
	create_abc();
	for (unsigned int turns = 0; turns < 24; turns++) {
		struct asked *q;
		uint32_t now;

		until(is_armed(3, generation));
		world_watch("akm1", 3);
		q = ask_begin(M, "atr-rekey", "{\"atr\":\"1\"}");
		turn(turns);
		actor_stop(M);
		notice(B, AKM_EVENT_CLONE, 0);
		for (uint64_t end_ms = now_ms() + 350; now_ms() < end_ms;) {
			talk();
			world_turn();
		}
		now = active_at(A);
		assert_true(now >= generation && all_on(3, now));
		assert_int_equal(actor_start(M), 0);
		ask_drop(q);
		until(M->ready && fallback_is("armed", active_at(A) + 1) && is_armed(3, active_at(A)));
		generation = active_at(A);
		world_watch(NULL, 0);
	}
	assert_true(generation > 24);
}

/* A node's power goes at every call to its TPM, or request to its kernel, while it enters the fallback. P10 */
static bool cut_once(bool tpm, unsigned int n, uint32_t *generation)
{
	bool came;

	until(is_armed(3, *generation));
	actor_stop(M);
	if (tpm)
		fake_tpm_cut_after(B->tpm, n);
	else
		fake_kernel_cut_after(B->kernel, n);
	notice(B, AKM_EVENT_CLONE, 0);
	for (uint64_t end_ms = now_ms() + 350; now_ms() < end_ms;) {
		talk();
		world_turn();
	}
	came = tpm ? fake_tpm_is_cut(B->tpm) : fake_kernel_is_cut(B->kernel);
	actor_stop(B);
	fake_tpm_mend(B->tpm);
	fake_kernel_mend(B->kernel);
	fake_kernel_reboot(B->kernel);
	assert_int_equal(actor_start(B), 0);
	until(B->ready);
	assert_in_range(active_at(B), *generation, *generation + 1);
	until((talk(), all_on(3, active_at(A))));
	if (active_at(A) != *generation)
		*generation += 2;
	assert_int_equal(actor_start(M), 0);
	until(M->ready && is_armed(3, *generation));
	return came;
}

static void cut_everywhere(bool tpm)
{
	uint32_t generation = 1;
	unsigned int n = 0;

	create_abc();
	while (cut_once(tpm, n, &generation))
		assert_true(++n < 50);
	print_message("%u cuts, %u times entered\n", n, generation / 2);
	assert_true(n >= 2 && generation / 2 >= 2);
}

static void test_power_at_the_tpm(void **state)
{
	(void)state;
	cut_everywhere(true);
}

static void test_power_at_the_kernel(void **state)
{
	(void)state;
	cut_everywhere(false);
}

#define story(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		story(test_armed_everywhere),
		story(test_it_survives_restarts),
		story(test_entered_with_the_manager_away),
		story(test_a_change_without_its_end),
		story(test_a_sleeper_follows),
		story(test_not_while_the_manager_is_there),
		story(test_evidence_is_of_a_generation),
		story(test_garbage_enters_nothing),
		story(test_a_policy_of_the_nodes_own),
		story(test_an_evicted_member_lacks_it),
		story(test_a_joiner_gets_nothing_older),
		story(test_manager_killed),
		story(test_power_at_the_tpm),
		story(test_power_at_the_kernel),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
