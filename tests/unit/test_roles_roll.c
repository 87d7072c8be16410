// SPDX-License-Identifier: GPL-2.0
/* Steps by policy: all members at once, nobody is lost by it, and never further than who is away would believe. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "node_kernel.h"
#include "support_clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)

#define ROLL	"rule noise\nwhen auth-fail rate 100/1\nthen roll hold-down 0 budget 60\n"

static void begin_with(const char *text)
{
	M->config.epoch_grace_ms = 200;
	world_start_with(text);
	create_abc();
	until(atr_is("stable"));	/* with a generation under way, there is nothing to step */
}

static int end_without(void **state)
{
	M->config.policy_file = NULL;
	return world_teardown(state);
}

static uint64_t epoch(struct actor *a)
{
	return fake_kernel_epoch(a->kernel, "akm1");
}

static bool all_in(uint64_t e)
{
	return epoch(A) == e && epoch(B) == e && epoch(C) == e;
}

/* The manager has heard it. */
static bool known_in(int64_t e)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	bool is = number_at(answer, "epoch") == e;

	json_object_put(answer);
	return is;
}

static void noise(struct actor *a)
{
	fake_kernel_count(a->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 100);
}

static int64_t shown(const char *what)
{
	struct json_object *answer = ask(M, "policy-show", "{}");
	int64_t n;
	char at_path[32];

	snprintf(at_path, sizeof(at_path), "rules.0.%s", what);
	n = number_at(answer, at_path);
	json_object_put(answer);
	return n;
}

/* Noise, as often as it takes for the rule to act once more */
static void fire(struct actor *a)
{
	int64_t fired = shown("fired");

	while (shown("fired") == fired) {
		clock_wind(400);		/* hold-downs go by; no link is lost for it */
		noise(a);
		for (int t = 0; t < 20; t++)
			world_turn();
	}
}

/* The last record of @kind at the manager */
static void last_of(const char *kind, char ret[512])
{
	struct json_object *answer = ask(M, "events", "{}"), *list = json_object_object_get(answer, "items");

	ret[0] = '\0';
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (!strcmp(json_object_get_string(json_object_object_get(o, "kind")), kind))
			snprintf(ret, 512, "%s", json_object_get_string(json_object_object_get(o, "text")));
	}
	json_object_put(answer);
}

/* One step, of all, in the same generation; it is sealed, and nobody is unheard meanwhile. */
static void test_all_step(void **state)
{
	char text[512];

	(void)state;
	begin_with(ROLL);
	world_watch("akm1", 3);
	noise(B);
	until(all_in(1));
	assert_true(all_only_on(3, 1));
	assert_int_equal(events_of(M, "roll"), 1);
	assert_int_equal(events_of(M, "alert"), 1);
	assert_int_equal(events_of(M, "rekey"), 0);
	last_of("roll", text);
	assert_string_equal(text, "#1 EdgeNodeA-EdgeNodeB-EdgeNodeC steps to epoch 1 of generation 1 by policy (auth-fail): 3 of 3 members were told");
	for (int t = 0; t < 100; t++)
		world_turn();
	assert_true(all_in(1));
	world_watch(NULL, 0);
	/* What is sealed has stepped, too: this one has nothing else. */
	actor_reboot(C);
	until(C->ready && hears_all(3));
	assert_int_equal(epoch(C), 1);
}

/* Who is away is not waited for, and does not hold the others back. */
static void test_one_is_away(void **state)
{
	(void)state;
	begin_with(ROLL);
	actor_stop(C);
	until(member_is("EdgeNodeC", "absent"));
	world_watch("akm1", 3);
	noise(B);
	until(epoch(A) == 1 && epoch(B) == 1);
	assert_int_equal(epoch(C), 0);
	assert_int_equal(actor_start(C), 0);
	until(C->ready && !is_down(C));
}

/* After a step the next one waits for the grace period of what is under way. P9 */
static void test_not_within_a_grace_period(void **state)
{
	uint64_t began;

	(void)state;
	begin_with(ROLL);
	world_watch("akm1", 3);
	for (size_t i = 0; i < 3; i++)
		fake_kernel_roll(world.nodes[i].kernel, "akm1");
	until(known_in(1));
	began = now_ms();
	noise(B);
	until(all_in(2));
	assert_true(now_ms() - began >= 150);	/* it was known for a moment */
}

/* Most of them say where the ATR is: one that is, or says that it is, far ahead drives nobody on. */
static void test_one_that_is_ahead(void **state)
{
	(void)state;
	begin_with(ROLL);
	for (int i = 0; i < 40; i++)
		fake_kernel_roll(C->kernel, "akm1");
	for (int t = 0; t < 50; t++)
		world_turn();
	noise(B);
	until(epoch(A) == 1 && epoch(B) == 1);
	for (int t = 0; t < 50; t++)
		world_turn();
	assert_int_equal(epoch(C), 40);
}

static void on_nothing(void *ctx, const struct nl_event *e)
{
	(void)ctx, (void)e;
}

static void on_no_change(void *ctx, enum nl_change change)
{
	(void)ctx, (void)change;
}

/* A member takes one step and no more for an order, which may come twice, or late. */
static void test_an_order_is_one_step(void **state)
{
	struct node_atr atr = { .def.atr_id = 1 };
	struct akm_error err = {};
	struct nl *nl = NULL;

	(void)state;
	begin_with(ROLL);
	fake_kernel_use(B->kernel);
	assert_int_equal(nl_open(world.base, on_nothing, on_no_change, NULL, &nl, &err), 0);
	assert_int_equal(node_kernel_step(nl, &atr, 1, 2, &err), -ERANGE);
	assert_string_equal(err.field, "epoch");
	assert_int_equal(epoch(B), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(node_kernel_step(nl, &atr, 1, 1, &err), 0);
		assert_int_equal(epoch(B), 1);
	}
	assert_int_equal(node_kernel_step(nl, &atr, 7, 2, &err), -ENOENT);
	assert_int_equal(epoch(B), 1);
	nl_free(nl);
}

/* Who slept is brought near by the manager, and there by whom it hears; it is no evidence against it. */
static void test_one_that_is_behind(void **state)
{
	(void)state;
	begin_with(ROLL);
	for (int i = 0; i < 2; i++) {
		fake_kernel_roll(A->kernel, "akm1");
		fake_kernel_roll(C->kernel, "akm1");
	}
	until(known_in(2));
	fire(B);
	until(epoch(A) == 3 && epoch(C) == 3 && epoch(B) >= 2);	/* one behind is heard, and pulled along */
	assert_int_equal(events_of(M, "node-refused"), 0);
}

/*
 * The generation has made three steps that we do not remember: they are taken for ours. So one more is ordered, and
 * then none; what nobody would believe is not made up for later. A new generation begins anew.
 */
static void test_pace(void **state)
{
	char text[512];

	(void)state;
	begin_with(ROLL);
	for (int n = 0; n < 3; n++)
		for (size_t i = 0; i < 3; i++)
			fake_kernel_roll(world.nodes[i].kernel, "akm1");
	until(known_in(3));
	fire(B);
	until(all_in(4));
	fire(B);
	last_of("policy", text);
	assert_non_null(strstr(text, "roll: failed: who is away would not believe"));
	for (int t = 0; t < 50; t++)
		world_turn();
	assert_true(all_in(4));
	assert_int_equal(events_of(M, "roll"), 1);
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(all_only_on(3, 2) && atr_is("stable"));
	fire(B);
	until(all_in(1));
	assert_int_equal(events_of(M, "roll"), 2);
}

/* Four at once, if nobody has stepped before. */
static void test_burst(void **state)
{
	(void)state;
	begin_with(ROLL);
	world_watch("akm1", 3);
	for (uint64_t e = 1; e <= 4; e++) {
		fire(B);
		until(all_in(e));
	}
	fire(B);
	for (int t = 0; t < 50; t++)
		world_turn();
	assert_true(all_in(4));
}

/* Then it is more than a step that is needed. */
static void test_escalates(void **state)
{
	(void)state;
	begin_with(ROLL "escalate 1/3600 rekey\n");
	world_watch("akm1", 3);
	fire(B);
	until(all_in(1));
	fire(B);
	until(all_only_on(3, 2));
	assert_int_equal(events_of(M, "roll"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_step, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_one_is_away, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_not_within_a_grace_period, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_one_that_is_ahead, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_an_order_is_one_step, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_one_that_is_behind, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_pace, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_burst, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_escalates, world_setup, end_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
