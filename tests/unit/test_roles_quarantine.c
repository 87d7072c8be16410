// SPDX-License-Identifier: GPL-2.0
/* Quarantine into another ATR: one change, which survives the manager's death; what keeps a node from there keeps it nowhere. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "support_dir.h"
#include "support_disk.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)

#define RULE		"rule by-hand\nwhen manual rate 1/60 scope member\nthen quarantine into "
#define EVERY		17		/* of the manager's writes: there it dies */
#define SICKBAY		"{\"members\":[\"EdgeNodeA\"],\"label\":\"sickbay\"}"
#define ABOUT_B(atr)	"{\"atr\":\"" atr "\",\"node\":\"EdgeNodeB\"}"

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

static bool has_member(const char *atr, const char *name)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"%s\"}", atr), *members = at(answer, "members");
	bool found = false;

	for (size_t i = 0; members && i < json_object_array_length(members); i++)
		found |= !strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(members, i), "node")),
				 name);
	json_object_put(answer);
	return found;
}

static bool is_stable(const char *atr)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"%s\"}", atr);
	bool is = !strcmp(text_at(answer, "state"), "stable");

	json_object_put(answer);
	return is;
}

static bool hear_each_other(struct actor *one, struct actor *other, const char *ifname)
{
	const char *why;

	return fake_kernel_hears(one->kernel, other->kernel, ifname, &why) &&
	       fake_kernel_hears(other->kernel, one->kernel, ifname, &why);
}

/* The last record of @kind at the manager; empty: there is none. json_object_put() the answer. */
static const char *last_of(const char *kind, struct json_object **ret_answer)
{
	struct json_object *answer = ask(M, "events", "{}"), *list = json_object_object_get(answer, "items");
	const char *text = "";

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (!strcmp(json_object_get_string(json_object_object_get(o, "kind")), kind))
			text = json_object_get_string(json_object_object_get(o, "text"));
	}
	*ret_answer = answer;
	return text;
}

static void assert_last(const char *kind, const char *part)
{
	struct json_object *answer;
	const char *text = last_of(kind, &answer);

	if (!strstr(text, part))
		fail_msg("%s: \"%s\" does not say \"%s\"", kind, text, part);
	json_object_put(answer);
}

static size_t findings(void)
{
	struct json_object *answer = ask(M, "status", "{}"), *list = at(answer, "health.findings");
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		n += !strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(list, i), "check")),
			     "quarantine");
	json_object_put(answer);
	return n;
}

/* B is out, there is nothing of the ATR left with it, and the others have keys that it never had. */
static void assert_out(void)
{
	until(!fake_kernel_active(B->kernel, "akm1"));
	until(fake_kernel_active(A->kernel, "akm1") == 2 && fake_kernel_active(C->kernel, "akm1") == 2 && is_stable("1"));
	assert_true(hear_each_other(A, C, "akm1"));
	assert_false(fake_kernel_shares_key(B->kernel, A->kernel, "akm1"));
	assert_false(has_member("1", "EdgeNodeB"));
}

static void test_into(void **state)
{
	(void)state;
	begin_with(RULE "sickbay\n");
	assert_int_equal(findings(), 1);
	ask_ok(M, "atr-create", SICKBAY);
	assert_int_equal(findings(), 0);
	ask_ok(M, "policy-trigger", ABOUT_B("1"));
	until(events_of(M, "node-move") == 1);
	assert_out();
	until(hear_each_other(A, B, "akm2"));
	assert_true(has_member("sickbay", "EdgeNodeB"));
	assert_int_equal(events_of(M, "atr-remove"), 0);
	assert_int_equal(events_of(M, "quarantine-failed"), 0);
	assert_last("node-move", "EdgeNodeB was moved from #1 EdgeNodeA-EdgeNodeB-EdgeNodeC to #2 sickbay by policy (manual)");
	assert_last("policy", "quarantine into sickbay: done");
	/* Back, when it is well again */
	ask_ok(M, "node-move", "{\"node\":\"EdgeNodeB\",\"from\":\"sickbay\",\"to\":\"1\"}");
	until(hears_all(3) && !fake_kernel_active(B->kernel, "akm2"));
}

/* Of the ATR where it is to be it may tell what it likes: there it stays. And who is in both is taken out of one. */
static void test_there_already(void **state)
{
	(void)state;
	begin_with("rule by-hand\nwhen manual rate 1/60 scope member\nthen quarantine into 2 hold-down 0\n");
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\"],\"label\":\"sickbay\"}");
	ask_ok(M, "policy-trigger", ABOUT_B("2"));
	until(events_of(M, "policy") == 1);
	assert_true(has_member("2", "EdgeNodeB"));
	ask_ok(M, "policy-trigger", ABOUT_B("1"));
	until(events_of(M, "atr-remove") == 1);
	assert_out();
	assert_true(has_member("2", "EdgeNodeB"));
	assert_int_equal(events_of(M, "quarantine-failed"), 0);
}

/* Each of what can keep it from there: it is out all the same, and people are told why. */
static void refused_there(const char *create, const char *command, const char *why)
{
	begin_with(RULE "sickbay\n");
	if (create)
		ask_ok(M, "atr-create", "%s", create);
	if (command)
		ask_ok(M, command, "{\"atr\":\"sickbay\"}");
	ask_ok(M, "policy-trigger", ABOUT_B("1"));
	until(events_of(M, "quarantine-failed") == 1);
	assert_out();
	assert_int_equal(events_of(M, "atr-remove"), 1);
	assert_int_equal(events_of(M, "node-move"), 0);
	assert_last("quarantine-failed", why);
	if (create)
		assert_false(has_member("sickbay", "EdgeNodeB"));
}

static void test_no_such_atr(void **state)
{
	(void)state;
	refused_there(NULL, NULL, "could not be put into sickbay: into: there is no ATR sickbay");
}

static void test_locked_there(void **state)
{
	(void)state;
	refused_there(SICKBAY, "atr-lock", "#2 sickbay is locked");
}

static void test_no_address_there(void **state)
{
	(void)state;
	refused_there("{\"members\":[\"EdgeNodeA\",\"EdgeNodeC\"],\"label\":\"sickbay\",\"subnet4\":\"10.9.0.0/30\"}", NULL,
		      "subnet4: has no address left: 2 members fit");
}

static void test_deleted_meanwhile(void **state)
{
	(void)state;
	refused_there(NULL, NULL, "there is no ATR");
	ask_ok(M, "atr-create", SICKBAY);
	ask_ok(M, "atr-delete", "{\"atr\":\"sickbay\"}");
	assert_int_equal(findings(), 1);
}

/* A file that names what is not there is refused as a whole, with its place. */
static void test_reload(void **state)
{
	static const struct { const char *text, *place; } bad[] = {
		{ "\n" RULE "nowhere\n", "4:22" },
		{ "rule r\nwhen manual rate 1/60 scope member\nthen alert\nescalate 3/60 quarantine into nowhere\n", "4:31" },
		{ "atr 1\n" RULE "EdgeNodeA-EdgeNodeB-EdgeNodeC\n", "4:22" },
	};
	char place[300];

	(void)state;
	begin_with("");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		scratch_write("policy", bad[i].text, strlen(bad[i].text));
		snprintf(place, sizeof(place), "%s:%s", strlen(M->config.policy_file) > 32 ? "policy" : M->config.policy_file, bad[i].place);
		ask_refused(M, "EINVAL", place, "policy-reload", "{}");
	}
	assert_int_equal(events_of(M, "policy-reload"), 0);
	ask_ok(M, "atr-create", SICKBAY);
	scratch_write("policy", RULE "sickbay\n", strlen(RULE "sickbay\n"));
	ask_ok(M, "policy-reload", "{}");
	ask_ok(M, "policy-trigger", ABOUT_B("1"));
	until(events_of(M, "node-move") == 1);
}

/* The manager dies at any write: then B is in one of the two, and that is what its kernel and the others have. */
static void test_manager_dies(void **state)
{
	unsigned int place = 0, moved = 0;
	bool came;

	(void)state;
	begin_with(RULE "sickbay\n");
	ask_ok(M, "atr-create", SICKBAY);
	do {
		bool there;

		disk_cut_after(M->dir, place);
		ask_drop(ask_begin(M, "policy-trigger", ABOUT_B("1")));
		until(disk_is_cut() || (has_member("2", "EdgeNodeB") && is_stable("1") && is_stable("2")));
		came = disk_is_cut();
		actor_stop(M);
		disk_mend(place & 1 ? DISK_POWER : DISK_KILLED, place);
		assert_int_equal(actor_start(M), 0);
		until(M->ready && is_stable("1") && is_stable("2") && !is_down(A) && !is_down(B) && !is_down(C));
		there = has_member("2", "EdgeNodeB");
		assert_int_equal(has_member("1", "EdgeNodeB"), !there);
		until(hear_each_other(A, B, there ? "akm2" : "akm1"));
		until(!fake_kernel_active(B->kernel, there ? "akm1" : "akm2"));
		assert_true(hear_each_other(A, C, "akm1"));
		assert_false(fake_kernel_shares_key(B->kernel, A->kernel, there ? "akm1" : "akm2"));
		if (there)
			ask_ok(M, "node-move", "{\"node\":\"EdgeNodeB\",\"from\":\"2\",\"to\":\"1\"}");
		until(hears_all(3) && is_stable("1") && is_stable("2"));
		moved += there;
		place += EVERY;
		assert_true(place < 500);
	} while (came);
	assert_true(moved && moved * EVERY < place);	/* died on both sides of it */
}

static int begin_on_disk(void **state)
{
	disk_begin();
	return world_setup(state);
}

static int end_on_disk(void **state)
{
	int r = end_without(state);

	disk_end();
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_into, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_there_already, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_no_such_atr, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_locked_there, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_no_address_there, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_deleted_meanwhile, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_reload, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_manager_dies, begin_on_disk, end_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
