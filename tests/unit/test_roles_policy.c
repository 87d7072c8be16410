// SPDX-License-Identifier: GPL-2.0
/* The policy at work in the manager: what it is fed, what it does, and whom it must not believe. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "eventlog.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)

/* A manager that has it, and #1 with all three nodes */
static void begin_with(const char *text)
{
	world_start_with(text);
	create_abc();
	world_watch("akm1", 3);
}

static void turn(unsigned int n)
{
	while (n--)
		world_turn();
}

static bool node_is(const char *name, const char *wanted)
{
	struct json_object *answer = ask(M, "node-show", "{\"node\":\"%s\"}", name);
	bool is = !strcmp(text_at(answer, "state"), wanted);

	json_object_put(answer);
	return is;
}

static size_t members(void)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	size_t n = json_object_array_length(at(answer, "members"));

	json_object_put(answer);
	return n;
}

static int64_t shown(const char *rule, const char *what)
{
	struct json_object *answer = ask(M, "policy-show", "{}"), *rules = at(answer, "rules");
	int64_t n = -1;

	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		struct json_object *o = json_object_array_get_idx(rules, i), *v;

		if (strcmp(json_object_get_string(json_object_object_get(o, "rule")), rule))
			continue;
		assert_true(json_object_object_get_ex(o, what, &v));
		n = json_object_get_int64(v);
	}
	json_object_put(answer);
	return n;
}

/* Done, and then not done: each is written down, the second one once. */
static void test_decisions_are_recorded(void **state)
{
	(void)state;
	begin_with("rule noise\nwhen auth-fail rate 100/10\nthen rekey hold-down 3600\n");
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 100);
	until(all_only_on(3, 2));
	assert_int_equal(events_of(M, "policy"), 1);
	for (int i = 0; i < 5; i++) {
		int64_t held = shown("noise", "held");

		fake_kernel_count(C->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 1000);
		until(shown("noise", "held") > held);
	}
	assert_int_equal(events_of(M, "policy"), 2);
	assert_int_equal(shown("noise", "fired"), 1);
	assert_int_equal(shown("noise", "over_budget"), 0);
	assert_true(all_only_on(3, 2));
}

/* [policy] of akmd.conf is a policy of the same engine. */
static void test_built_in(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 3);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_REPLAY, 100);
	until(all_only_on(3, 2));
	assert_int_equal(shown("replay", "fired"), 1);
	assert_int_equal(shown("auth-fail", "fired"), 0);
}

/* A member that slept says much before it is told: somebody is told of more, and nothing else is done. */
static void test_who_is_behind_costs_nothing(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 3);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_EPOCH_STALE, 999);
	for (int t = 0; t < 100; t++)
		world_turn();
	assert_int_equal(events_of(M, "alert"), 0);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_EPOCH_STALE, 1);
	until(events_of(M, "alert") == 1);
	assert_int_equal(shown("epoch-stale", "fired"), 1);
	for (int t = 0; t < 100; t++)
		world_turn();
	assert_true(all_only_on(3, 1));
}

/* B says that C has used up its numbers: what it can know is that it has itself. */
static void test_a_node_speaks_of_itself(void **state)
{
	struct nl_event e = { .type = AKM_EVENT_EXHAUSTED, .atr_id = 1, .member = 2 };

	(void)state;
	begin_with("rule used-up\nwhen exhausted rate 1/60 scope member\nthen evict\n");
	world_watch(NULL, 0);
	fake_kernel_event(B->kernel, &e);
	until(events_of(M, "evict") == 1);
	assert_true(node_is("EdgeNodeB", "evicted"));
	assert_true(node_is("EdgeNodeC", "provisioned"));
	assert_int_equal(members(), 2);
	assert_int_equal(events_of(M, "policy"), 1);
	until(fake_kernel_active(A->kernel, "akm1") == 2 && fake_kernel_active(C->kernel, "akm1") == 2);
	/* Its last order may be lost with the link that is closed behind it; what it does does not matter any more. */
	until(!fake_kernel_active(B->kernel, "akm1") || is_down(B));
}

/* A node that does not do what it is told leaves the ATR, and can be brought back. */
static void test_quarantine(void **state)
{
	(void)state;
	begin_with("rule failing\nwhen node-refused rate 1/60 scope member\nthen quarantine\n");
	world_watch(NULL, 0);
	fake_tpm_fail_after(B->tpm, 0, -EIO);
	json_object_put(ask(M, "atr-rekey", "{\"atr\":\"1\"}"));
	until(events_of(M, "atr-remove") == 1);
	assert_int_equal(members(), 2);
	assert_true(node_is("EdgeNodeB", "provisioned"));
	fake_tpm_fail_after(B->tpm, 0, 0);
	until(!fake_kernel_active(B->kernel, "akm1"));
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeB\"}");
	until(hears_all(3));
}

static void test_rotate(void **state)
{
	(void)state;
	begin_with("rule failing\nwhen node-refused rate 1/60 scope member\nthen rotate\n");
	world_watch(NULL, 0);
	fake_tpm_fail_after(B->tpm, 0, -EIO);
	json_object_put(ask(M, "atr-rekey", "{\"atr\":\"1\"}"));
	until(events_of(M, "rotated") == 2);		/* there is another key, and the old one is gone */
	assert_int_equal(members(), 3);
	until(hears_all(3));
}

static void test_by_hand(void **state)
{
	(void)state;
	begin_with("rule by-hand\nwhen manual rate 1/60 scope member\nthen quarantine\n");
	world_watch(NULL, 0);
	ask_refused(M, "ENOENT", "node", "policy-trigger", "{\"atr\":\"1\",\"node\":\"EdgeNodeX\"}");
	ask_refused(M, "ENOENT", "atr", "policy-trigger", "{\"atr\":\"7\"}");
	ask_ok(M, "policy-trigger", "{\"atr\":\"1\"}");			/* about nobody: the rule is about members */
	turn(50);
	assert_int_equal(members(), 3);
	ask_ok(M, "policy-trigger", "{\"atr\":\"1\",\"node\":\"EdgeNodeB\",\"reason\":\"found open\"}");
	until(events_of(M, "atr-remove") == 1);
	assert_int_equal(members(), 2);
	assert_int_equal(events_of(M, "manual"), 2);
	until(!fake_kernel_active(B->kernel, "akm1"));
}

static void forge(struct actor *a, const char *kind, int32_t member)
{
	struct msg_event e = { .time_ms = wall_ms(), .severity = SEV_ALERT, .atr_id = 1, .member = member, .count = 1000 };
	char file[256];
	struct eventlog *log;
	struct akm_error err;
	bool damaged;
	uint64_t seq;

	snprintf(file, sizeof(file), "%s/events", a->dir);
	snprintf(e.source, sizeof(e.source), "%s", a->name);
	snprintf(e.kind, sizeof(e.kind), "%s", kind);
	snprintf(e.text, sizeof(e.text), "forged");
	assert_int_equal(eventlog_open(file, &log, &damaged, &err), 0);
	assert_int_equal(eventlog_add(log, &e, &seq), 0);
	eventlog_close(log);
}

/* What only the manager can know about a member is not taken from another one. */
static void test_an_accusation_is_not_believed(void **state)
{
	(void)state;
	begin_with("rule a\nwhen node-refused,generation-ahead rate 1/60 scope member\nthen evict\n"
		   "rule b\nwhen node-refused rate 1/60\nthen rekey\n");
	world_watch(NULL, 0);
	actor_stop(B);
	forge(B, "node-refused", 2);
	forge(B, "generation-ahead", 2);
	assert_int_equal(actor_start(B), 0);
	until(events_of(M, "generation-ahead") == 1 && events_of(M, "node-refused") == 1);
	turn(50);
	assert_int_equal(events_of(M, "policy"), 0);
	assert_int_equal(members(), 3);
	assert_true(node_is("EdgeNodeC", "provisioned"));
	assert_true(all_on(3, 1));
}

/* Nor what a node says about an ATR that it is no member of. */
static void test_a_stranger_to_the_atr(void **state)
{
	(void)state;
	begin_with("rule a\nwhen exhausted,epoch-refused rate 1/60\nthen rekey\n");
	world_watch(NULL, 0);
	ask_ok(M, "atr-remove", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	actor_stop(C);
	forge(C, "exhausted", -1);
	forge(C, "epoch-refused", -1);
	assert_int_equal(actor_start(C), 0);
	until(events_of(M, "exhausted") == 1 && events_of(M, "epoch-refused") == 1);
	turn(50);
	assert_int_equal(events_of(M, "policy"), 0);
	assert_true(all_on(2, 2));
}

/* ---- reload ---- */

#define KEPT	"rule kept\nwhen auth-fail rate 100/3600\nthen rekey\n"

static void test_reload(void **state)
{
	(void)state;
	begin_with(KEPT);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 60);
	turn(60);
	world_set_policy("# comes first now\nrule new\nwhen replay rate 1/60\nthen alert\n" KEPT);
	ask_ok(M, "policy-reload", "{}");
	assert_int_equal(shown("new", "fired"), 0);
	fake_kernel_count(C->kernel, "akm1", AKM_A_STATS_RX_REPLAY, 1);
	until(events_of(M, "alert") == 1);
	assert_int_equal(shown("new", "fired"), 1);
	/* Of the 100, 60 had come before. */
	assert_true(all_on(3, 1));
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 40);
	until(all_only_on(3, 2));
	assert_int_equal(events_of(M, "policy-reload"), 1);
}

static void test_a_bad_file_changes_nothing(void **state)
{
	char place[300];

	(void)state;
	begin_with(KEPT);
	world_set_policy(KEPT "rule bad\nwhen auth-fail rate 1/1 scope member\nthen evict\n");
	/* a long path, as some scratch directories have, gives way to its last part */
	snprintf(place, sizeof(place), "%s:6:6", strlen(M->config.policy_file) > 32 ? "policy" : M->config.policy_file);
	ask_refused(M, "EINVAL", place, "policy-reload", "{}");
	assert_int_equal(shown("bad", "fired"), -1);
	assert_int_equal(shown("kept", "fired"), 0);
	assert_int_equal(events_of(M, "policy-reload"), 0);
	assert_int_equal(remove(M->config.policy_file), 0);
	ask_refused(M, "ENOENT", "policy", "policy-reload", "{}");
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 100);
	until(all_only_on(3, 2));
}

static void test_a_bad_file_at_the_start(void **state)
{
	(void)state;
	actor_stop(M);
	world_set_policy("rule r\nwhen\n");
	assert_int_equal(actor_start(M), -EINVAL);
}

static int end_with_built_in(void **state)
{
	M->config.policy_file = NULL;
	return world_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_decisions_are_recorded, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_built_in, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_who_is_behind_costs_nothing, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_a_node_speaks_of_itself, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_quarantine, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_rotate, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_by_hand, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_an_accusation_is_not_believed, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_a_stranger_to_the_atr, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_reload, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_a_bad_file_changes_nothing, world_setup, end_with_built_in),
		cmocka_unit_test_setup_teardown(test_a_bad_file_at_the_start, world_setup, end_with_built_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
