// SPDX-License-Identifier: GPL-2.0
/* Lockdown: who is in stays in, nobody comes in, until a person says so; by policy, by command, over a restart. */
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

static void begin_with(const char *text)
{
	world_start_with(text);
	create_abc();
}

static int end_without(void **state)
{
	M->config.policy_file = NULL;
	return world_teardown(state);
}

static bool locked(const char *why)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	bool is = !strcmp(text_at(answer, "locked"), why) && !*why == !text_at(answer, "locked_since")[0];

	json_object_put(answer);
	return is;
}

static size_t findings(void)
{
	struct json_object *answer = ask(M, "status", "{}"), *list = at(answer, "health.findings");
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		n += !strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(list, i), "check")),
			     "locked");
	json_object_put(answer);
	return n;
}

static void come_anew(struct actor *a)
{
	actor_stop(a);
	actor_forget(a);
	fake_kernel_reboot(a->kernel);
	assert_int_equal(actor_start(a), 0);
	until(a->ready);
}

/* By command: a new generation for who is in; adding is refused, removing and evicting go on; and so after a restart. */
static void test_atr(void **state)
{
	(void)state;
	create_abc();
	ask_ok(M, "atr-remove", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	until(all_only_on(2, 2));
	world_watch("akm1", 2);
	assert_true(locked(""));
	assert_int_equal(findings(), 0);
	ask_refused(M, "ENOENT", "atr", "atr-lock", "{\"atr\":\"7\"}");
	ask_refused(M, "EALREADY", "atr", "atr-unlock", "{\"atr\":\"1\"}");
	ask_ok(M, "atr-lock", "{\"atr\":\"1\"}");
	until(all_only_on(2, 3));
	assert_true(locked("command"));
	assert_int_equal(findings(), 1);
	assert_int_equal(events_of(M, "lockdown"), 1);
	ask_refused(M, "EPERM", "atr", "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	ask_refused(M, "EPERM", "atr", "atr-set", "{\"atr\":\"1\",\"label\":\"other\"}");
	world_watch(NULL, 0);
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A) && !is_down(B));
	assert_true(locked("command"));
	ask_refused(M, "EPERM", "atr", "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(all_only_on(2, 4));
	/* Another ATR is free. */
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeC\"],\"label\":\"second\"}");
	ask_ok(M, "atr-unlock", "{\"atr\":\"1\"}");
	assert_true(locked(""));
	assert_int_equal(findings(), 0);
	assert_int_equal(events_of(M, "unlocked"), 1);
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	until(all_only_on(3, 5));
	until(events_of(R, "lockdown") == 1 && events_of(R, "unlocked") == 1);
}

static void test_evict_while_locked(void **state)
{
	(void)state;
	create_abc();
	ask_ok(M, "atr-lock", "{\"atr\":\"1\"}");
	ask_ok(M, "node-evict", "{\"node\":\"EdgeNodeC\"}");
	until(all_only_on(2, 3));
	ask_ok(M, "atr-remove", "{\"atr\":\"1\",\"node\":\"EdgeNodeB\"}");
	until(all_only_on(1, 4));
	assert_true(locked("command"));
	ask_ok(M, "atr-delete", "{\"atr\":\"1\"}");
}

/* Who comes with the same TPM and nothing else is provisioned, and is no member: that is for a person to say. */
static void test_comes_back_anew(void **state)
{
	struct json_object *answer;

	(void)state;
	create_abc();
	ask_ok(M, "atr-lock", "{\"atr\":\"1\"}");
	until(all_only_on(3, 2));
	come_anew(C);
	ask_ok(M, "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	until(all_only_on(2, 3));
	assert_int_equal(events_of(M, "atr-remove"), 1);
	answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	assert_int_equal(json_object_array_length(at(answer, "members")), 2);
	json_object_put(answer);
	until(!is_down(C));
	assert_int_equal(fake_kernel_active(C->kernel, "akm1"), 0);
	ask_ok(M, "atr-unlock", "{\"atr\":\"1\"}");
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	until(all_only_on(3, 4));
}

/* Of the fleet: nobody is taken on, each ATR is locked, and one unlock undoes it. */
static void test_fleet(void **state)
{
	(void)state;
	create_abc();
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"second\"}");
	ask_ok(M, "lock", "{}");
	until(all_only_on(3, 2));
	assert_int_equal(findings(), 3);
	come_anew(C);
	ask_refused(M, "EPERM", "fleet", "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	ask_refused(M, "EPERM", "fleet", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"third\"}");
	ask_refused(M, "EPERM", "atr", "atr-add", "{\"atr\":\"second\",\"node\":\"EdgeNodeB\"}");
	ask_ok(M, "atr-unlock", "{\"atr\":\"second\"}");
	ask_ok(M, "atr-add", "{\"atr\":\"second\",\"node\":\"EdgeNodeB\"}");
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A) && !is_down(B));
	assert_int_equal(findings(), 2);
	ask_refused(M, "EPERM", "fleet", "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	ask_ok(M, "unlock", "{}");
	assert_int_equal(findings(), 0);
	ask_ok(M, "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	until(member_is("EdgeNodeC", "current"));
}

/* A member's evidence may lock, each time with a new generation; what it was first locked for stays. */
static void test_by_policy(void **state)
{
	(void)state;
	begin_with("rule clone\nwhen clone rate 1/1\nthen lockdown hold-down 1\n");
	world_watch("akm1", 3);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_CLONE, 1);
	until(all_only_on(3, 2));
	assert_true(locked("clone"));
	assert_int_equal(events_of(M, "lockdown"), 1);
	assert_int_equal(events_of(M, "rekey"), 0);
	ask_ok(M, "atr-lock", "{\"atr\":\"1\"}");
	until(all_only_on(3, 3));
	assert_true(locked("clone"));
}

/* What concerns no ATR locks the fleet. */
static void test_fleet_by_policy(void **state)
{
	struct json_object *answer;

	(void)state;
	begin_with("rule moved\nwhen hardware-mismatch rate 1/60\nthen lockdown\n");
	actor_stop(C);
	actor_set_hardware(C, "another board");
	assert_int_equal(actor_start(C), 0);
	until(events_of(C, "hardware-mismatch") == 1);
	actor_stop(C);
	actor_set_hardware(C, "EdgeNodeC");
	assert_int_equal(actor_start(C), 0);
	until(events_of(M, "hardware-mismatch") >= 1);
	until(all_on(3, 2));
	assert_true(locked("hardware-mismatch"));
	answer = ask(M, "status", "{}");
	json_object_put(answer);
	assert_int_equal(findings(), 2);
	ask_refused(M, "EPERM", "fleet", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"third\"}");
}

static struct actor old;

static void replace_manager(const char *before, const char *after)
{
	for (int t = 0; t < 50; t++)		/* the root is told */
		world_turn();
	actor_stop(M);
	world_new_manager(&old, after);
	ask_ok(R, "manager-replace", "{\"replaces\":\"%s\",\"name\":\"%s\",\"via\":\"unix:%s\"}", before, after, M->via);
}

/* The root knows, and a manager that takes over does. */
static void test_replaced_manager(void **state)
{
	(void)state;
	create_abc();
	ask_ok(M, "atr-lock", "{\"atr\":\"1\"}");
	until(all_only_on(3, 2));
	replace_manager("MgmtMod", "MgmtMod2");
	until(all_only_on(3, 3) && atr_is("stable"));
	assert_true(locked("command"));
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"second\"}");	/* of the fleet it is no lock */
	actor_drop(&old);
}

/* So it is with the fleet, which has no ATR yet; and that a person has unlocked it stays so when the takeover is told again. */
static void test_replaced_manager_of_a_locked_fleet(void **state)
{
	(void)state;
	ask_ok(M, "lock", "{}");
	replace_manager("MgmtMod", "MgmtMod2");
	until(M->ready && events_of(M, "takeover") == 1);
	assert_int_equal(events_of(M, "lockdown"), 1);
	assert_int_equal(findings(), 1);
	ask_refused(M, "EPERM", "fleet", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"second\"}");
	ask_refused(M, "EPERM", "fleet", "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A));
	assert_int_equal(findings(), 1);
	ask_ok(M, "unlock", "{}");
	assert_int_equal(findings(), 0);
	actor_drop(&old);
	/* Unlocked is what the next one takes over. */
	replace_manager("MgmtMod2", "MgmtMod3");
	until(M->ready && events_of(M, "takeover") == 1);
	assert_int_equal(findings(), 0);
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"second\"}");
	actor_drop(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_atr, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_evict_while_locked, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_comes_back_anew, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_fleet, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_by_policy, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_fleet_by_policy, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_replaced_manager, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_replaced_manager_of_a_locked_fleet, world_setup, end_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
