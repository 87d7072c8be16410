// SPDX-License-Identifier: GPL-2.0
/*
 * The root's policy on its way to the managers: in force, kept, never older, and never none. (Seen failing: with the
 * number not compared in fleet_root_policy.c, with set_back() that only notes, and with nothing kept.)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "store.h"
#include "support_dir.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define B (&world.nodes[1])
#define M (&world.manager)
#define R (&world.root)

#define NOISE(then)	"rule noise\nwhen auth-fail rate 100/10\nthen " then "\n"

static char root_file[256], own_file[256];
static struct actor old;

static void write_root(const char *text)
{
	scratch_write("root-policy", text, strlen(text));
	snprintf(root_file, sizeof(root_file), "%s/root-policy", scratch_dir());
	R->config.policy_file = root_file;
}

static void write_own(const char *text)
{
	scratch_write("own-policy", text, strlen(text));
	snprintf(own_file, sizeof(own_file), "%s/own-policy", scratch_dir());
	M->config.policy_file = own_file;
}

static void start(struct actor *a)
{
	assert_int_equal(actor_start(a), 0);
	until(a->ready);
}

static void restart(struct actor *a)
{
	actor_stop(a);
	start(a);
}

static int end(void **state)
{
	(void)state;
	R->config.policy_file = M->config.policy_file = NULL;
	if (old.tpm) {
		old.config.policy_file = NULL;
		actor_drop(&old);
	}
	memset(&old, 0, sizeof(old));
	world_end();
	return 0;
}

/* The root's policy that @a has or is in force at it; 0: none */
static int64_t number(struct actor *a)
{
	struct json_object *answer = ask(a, "policy-show", "{}");
	int64_t n = number_at(answer, a == R ? "number" : "root");

	json_object_put(answer);
	return n < 0 ? 0 : n;
}

/* "from: when / then" of a rule of M's, of #1 or of the fleet; "" if there is none */
static const char *rule(const char *name)
{
	static char text[1024];
	struct json_object *answer = ask(M, "policy-show", "{}"), *rules = at(answer, "rules");

	text[0] = '\0';
	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		struct json_object *o = json_object_array_get_idx(rules, i);

		if (!strcmp(json_object_get_string(json_object_object_get(o, "rule")), name))
			snprintf(text, sizeof(text), "%s: %s", json_object_get_string(json_object_object_get(o, "from")),
				 json_object_get_string(json_object_object_get(o, "then")));
	}
	json_object_put(answer);
	return text;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool finds(struct actor *a, const char *check)
{
	struct json_object *answer = ask(a, "status", "{}"), *findings = at(answer, "health.findings");
	bool found = false;

	for (size_t i = 0; i < json_object_array_length(findings); i++)
		found |= !strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(findings, i), "check")),
				 check);
	json_object_put(answer);
	return found;
}

/* What the root says of its one manager */
static bool manager_is(const char *state)
{
	struct json_object *answer = ask(R, "policy-show", "{}");
	bool is = !strcmp(text_at(answer, "holders.0.state"), state);

	json_object_put(answer);
	return is;
}

static void turn(int n)
{
	while (n--)
		world_turn();
}

/* A root that has it, a manager that was sent it, and #1 */
static void begin_with(const char *text)
{
	actor_stop(R);
	write_root(text);
	start(R);
	until(number(M) == 1);
	create_abc();
}

/* ---- on its way ---- */

static void test_in_force(void **state)
{
	(void)state;
	assert_true(!number(R) && !number(M));
	begin_with(NOISE("rekey hold-down 3600"));
	assert_string_equal(rule("noise"), "root: rekey hold-down 3600 budget 12");
	assert_true(begins(rule("fallback-entered"), "default: rekey"));
	assert_string_equal(rule("replay"), "");		/* that of akmd.conf is not */
	world_watch("akm1", 3);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 100);
	until(all_only_on(3, 2));
	until(manager_is("in force"));
	assert_int_equal(events_of(M, "policy-pushed"), 1);
	until(events_of(R, "policy-pushed") == 2);		/* the manager's own record comes up as well */
	/* Nothing new comes of connecting again, nor of asking again. */
	restart(M);
	until(manager_is("in force"));
	restart(R);
	until(manager_is("in force"));
	ask_ok(R, "policy-reload", "{}");
	assert_int_equal(number(R), 1);
	assert_int_equal(events_of(M, "policy-pushed"), 1);
}

static void test_reload(void **state)
{
	struct json_object *answer;
	char place[300];

	(void)state;
	begin_with(NOISE("rekey"));
	write_root("# another\n" NOISE("alert hold-down 7"));
	answer = ask(R, "policy-reload", "{}");
	assert_int_equal(number_at(answer, "number"), 2);
	assert_int_equal(number_at(answer, "rules"), 1);
	assert_string_equal(text_at(answer, "holders.0.state"), "in force");
	json_object_put(answer);
	assert_string_equal(rule("noise"), "root: alert hold-down 7 budget 60");

	write_root("rule noise\nwhen auth-fail rate 1/1 scope member\nthen evict\n");
	snprintf(place, sizeof(place), "%s:3:6", strlen(root_file) > 32 ? "root-policy" : root_file);
	ask_refused(R, "EINVAL", place, "policy-reload", "{}");
	write_root("rule noise\nwhen clone rate 1/1\nthen fallback\n");
	snprintf(place, sizeof(place), "%s:1:1", strlen(root_file) > 32 ? "root-policy" : root_file);
	ask_refused(R, "EINVAL", place, "policy-reload", "{}");
	assert_int_equal(remove(root_file), 0);
	ask_refused(R, "ENOENT", "policy", "policy-reload", "{}");
	assert_true(number(R) == 2 && number(M) == 2);
	actor_stop(R);
	assert_int_equal(actor_start(R), -ENOENT);
	write_root("rule noise\nwhen\n");
	assert_int_equal(actor_start(R), -EINVAL);
	/* Without a file there is nothing to load, and the last one is still sent. */
	R->config.policy_file = NULL;
	start(R);
	ask_refused(R, "ENOENT", "policy", "policy-reload", "{}");
	until(manager_is("in force"));
}

static void test_weeks_without_the_root(void **state)
{
	(void)state;
	begin_with(NOISE("rekey hold-down 3600"));
	actor_stop(R);
	for (int i = 0; i < 3; i++) {
		restart(M);
		assert_int_equal(number(M), 1);
		assert_string_equal(rule("noise"), "root: rekey hold-down 3600 budget 12");
		ask_ok(M, "policy-reload", "{}");
		assert_string_equal(rule("noise"), "root: rekey hold-down 3600 budget 12");
	}
	/* What came before it looks again is not judged, and after one rekey there is none for an hour. */
	for (int i = 0; i < 100 && !all_only_on(3, 2); i++) {
		fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 100);
		turn(50);
	}
	assert_true(all_only_on(3, 2));
	/* A change while it was away */
	write_root(NOISE("alert"));
	start(R);
	until(number(M) == 2);
	until(manager_is("in force"));
}

static void test_replacement(void **state)
{
	(void)state;
	begin_with(NOISE("rekey hold-down 3600"));
	actor_stop(M);
	world_new_manager(&old, "MgmtMod2");
	ask_ok(R, "manager-replace", "{\"replaces\":\"MgmtMod\",\"name\":\"MgmtMod2\",\"via\":\"unix:%s\"}", M->via);
	until(number(M) == 1);
	until(manager_is("in force"));
	assert_string_equal(rule("noise"), "root: rekey hold-down 3600 budget 12");
	settle(2);
}

/* ---- never older ---- */

static void copy_state(const char *from, const char *to)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
	assert_int_equal(system(cmd), 0);
}

/* As if its database were a backup as well, and damaged */
static void forget_policy(struct actor *a)
{
	struct akm_error err = {};
	char path[256];
	struct store *s;

	snprintf(path, sizeof(path), "%s/akm.db", a->dir);
	assert_int_equal(store_open(path, &s, &err), 0);
	assert_int_equal(store_set(s, "policy", "", 0), 0);
	store_close(s);
}

static void test_root_set_back(void **state)
{
	char backup[sizeof(R->dir) + 8];

	(void)state;
	snprintf(backup, sizeof(backup), "%s.backup", R->dir);
	begin_with(NOISE("rekey"));
	actor_stop(R);
	copy_state(R->dir, backup);
	write_root(NOISE("alert"));
	start(R);
	until(number(M) == 2);
	write_root(NOISE("alert hold-down 9"));
	ask_ok(R, "policy-reload", "{}");
	assert_int_equal(number(M), 3);

	/* The old database with the old file, and then with one that is numbered there like one of ours */
	actor_stop(R);
	copy_state(backup, R->dir);
	write_root(NOISE("rekey"));
	start(R);
	until(events_of(R, "policy-stale") == 1);
	assert_true(finds(R, "policy-stale"));
	assert_true(manager_is("ahead"));
	write_root(NOISE("alert hold-down 10"));
	restart(R);
	until(finds(R, "policy-stale"));
	turn(50);
	assert_int_equal(number(M), 3);
	assert_string_equal(rule("noise"), "root: alert hold-down 9 budget 60");

	/* Nor is what is old sent to who has nothing. */
	actor_stop(M);
	forget_policy(M);
	start(M);
	until(!is_down(M));
	turn(50);
	assert_int_equal(number(M), 0);

	/* Somebody looked. */
	write_root(NOISE("alert hold-down 9"));
	ask_ok(R, "policy-reload", "{}");
	assert_true(number(R) == 4 && number(M) == 4);
	assert_false(finds(R, "policy-stale"));
	assert_true(manager_is("in force"));
}

/* The same number, another text */
static void test_two_of_one_number(void **state)
{
	char backup[sizeof(R->dir) + 8];

	(void)state;
	snprintf(backup, sizeof(backup), "%s.backup", R->dir);
	begin_with(NOISE("rekey"));
	actor_stop(R);
	copy_state(R->dir, backup);
	write_root(NOISE("alert"));
	start(R);
	until(number(M) == 2);
	actor_stop(R);
	copy_state(backup, R->dir);
	write_root(NOISE("rekey hold-down 1"));
	start(R);
	until(events_of(R, "policy-stale") == 1);
	assert_int_equal(number(R), 2);
	assert_true(begins(rule("noise"), "root: alert"));
	/* Not even if nothing was changed, a person who says so is obeyed. */
	ask_ok(R, "policy-reload", "{}");
	assert_true(number(R) == 3 && number(M) == 3);
	assert_true(begins(rule("noise"), "root: rekey"));
}

/* ---- what a manager cannot take ---- */

static void put_policy(struct actor *a, uint64_t n, const char *text)
{
	_cleanup_secret_ struct akm_secret encoded = {};
	struct msg m = { .type = MSG_POLICY, .policy = { n, { (uint8_t *)text, strlen(text) } } };
	struct akm_error err = {};
	char path[256];
	struct store *s;

	snprintf(path, sizeof(path), "%s/akm.db", a->dir);
	assert_int_equal(msg_encode(&m, &encoded), 0);
	assert_int_equal(store_open(path, &s, &err), 0);
	assert_int_equal(store_set(s, "policy", encoded.data, encoded.len), 0);
	store_close(s);
}

#define FUTURE	"rule noise\nwhen of-next-year rate 1/1\nthen alert\n"

/* A root of a later version */
static void test_refused(void **state)
{
	struct json_object *answer;

	(void)state;
	begin_with(NOISE("rekey"));
	actor_stop(R);
	put_policy(R, 2, FUTURE);
	R->config.policy_file = NULL;
	start(R);
	until(manager_is("refused"));
	assert_true(finds(R, "policy-refused"));
	until(events_of(R, "policy-refused") == 2);		/* the manager's own record as well */
	answer = ask(R, "policy-show", "{}");
	assert_int_equal(number_at(answer, "holders.0.policy"), 1);
	assert_true(begins(text_at(answer, "holders.0.reason"), "root policy:2:6: when: \"of-next-year\" is no kind"));
	json_object_put(answer);
	assert_int_equal(number(M), 1);
	assert_true(begins(rule("noise"), "root: rekey"));
	restart(M);
	until(events_of(R, "policy-refused") == 3);		/* it says so again, and the root knew */
	assert_true(manager_is("refused"));
	write_root(NOISE("alert"));
	ask_ok(R, "policy-reload", "{}");
	assert_int_equal(number(M), 3);
	assert_false(finds(R, "policy-refused"));
}

/* A manager of an earlier version was put back: it knows neither rules nor limits, and does not take what is older. */
static void test_kept_but_not_understood(void **state)
{
	(void)state;
	begin_with(NOISE("rekey"));
	actor_stop(R);
	actor_stop(M);
	put_policy(M, 5, FUTURE);
	write_own("rule mine\nwhen replay rate 1/1\nthen rekey\n");
	start(M);
	assert_true(begins(rule("auth-fail"), "default: rekey"));
	assert_string_equal(rule("mine"), "");
	assert_true(finds(M, "policy-local"));
	ask_refused(M, "EBADMSG", "policy", "policy-reload", "{}");
	start(R);
	until(events_of(M, "policy-stale") == 1 && events_of(R, "policy-stale") == 2);
	assert_true(manager_is("refused"));
	assert_true(begins(rule("auth-fail"), "default: rekey"));
	actor_stop(R);
	put_policy(R, 5, NOISE("alert"));
	write_root(NOISE("alert hold-down 5"));
	start(R);
	until(number(M) == 6);
	assert_string_equal(rule("noise"), "root: alert hold-down 5 budget 60");
	assert_true(begins(rule("mine"), "local: rekey"));
	assert_false(finds(M, "policy-local"));
}

/* ---- the manager's own on top ---- */

static void test_own_on_top(void **state)
{
	char place[300];

	(void)state;
	begin_with("budget 6\n" NOISE("rekey") "rule quiet\nwhen replay rate 1/1\nthen alert\n"
		   "rule kept\nwhen clone rate 1/1\nthen alert\n");
	write_own("rule noise\nwhen auth-fail rate 50/10\nthen alert\nrule quiet off\nrule mine\nwhen malformed rate 1/1\nthen alert\n"
		  "atr 1\nrule kept\nwhen clone rate 1/1\nthen rekey\n");
	ask_ok(M, "policy-reload", "{}");
	assert_true(begins(rule("noise"), "local: alert"));
	assert_string_equal(rule("quiet"), "");
	assert_true(begins(rule("mine"), "local: alert"));
	assert_true(begins(rule("kept"), "local-atr: rekey"));
	write_own("rule nose off\n");
	snprintf(place, sizeof(place), "%s:1:6", strlen(own_file) > 32 ? "own-policy" : own_file);
	ask_refused(M, "EINVAL", place, "policy-reload", "{}");
	assert_true(begins(rule("noise"), "local: alert"));
	/* The root's changes show where the own file says nothing. */
	write_own("rule quiet off\n");
	write_root("rule quiet\nwhen replay rate 1/1\nthen alert\n" NOISE("alert hold-down 5"));
	ask_ok(R, "policy-reload", "{}");
	assert_true(begins(rule("noise"), "root: alert hold-down 5"));
	assert_string_equal(rule("quiet"), "");
}

/* What was an own file that fits does not fit any more: the root's is in force, whatever the own one says. */
static void test_own_left_out(void **state)
{
	(void)state;
	begin_with(NOISE("rekey") "rule quiet\nwhen replay rate 1/1\nthen alert\n");
	write_own("rule quiet off\nrule mine\nwhen malformed rate 1/1\nthen alert\n");
	ask_ok(M, "policy-reload", "{}");
	assert_true(begins(rule("mine"), "local"));
	write_root(NOISE("alert"));
	ask_ok(R, "policy-reload", "{}");
	assert_int_equal(number(M), 2);
	assert_true(begins(rule("noise"), "root: alert"));
	assert_string_equal(rule("mine"), "");
	assert_true(finds(M, "policy-local"));
	assert_int_equal(events_of(M, "policy-local"), 1);
	until(events_of(R, "policy-local") == 1);
	/* It starts so, and without a file that it could read as well. */
	restart(M);
	assert_true(begins(rule("noise"), "root: alert") && finds(M, "policy-local"));
	assert_int_equal(remove(own_file), 0);
	restart(M);
	assert_true(begins(rule("noise"), "root: alert") && finds(M, "policy-local"));
	write_own("rule mine\nwhen malformed rate 1/1\nthen alert\n");
	ask_ok(M, "policy-reload", "{}");
	assert_true(begins(rule("mine"), "local") && !finds(M, "policy-local"));
}

/* A manager that the root has not spoken to yet may have a file that is meant for when it has. */
static void test_own_comes_first(void **state)
{
	(void)state;
	actor_stop(M);
	write_own("rule noise off\nrule mine\nwhen link-psk rate 1/1\nthen alert\natr 1\nrule quiet off\n");
	start(M);
	assert_true(begins(rule("mine"), "local"));
	begin_with(NOISE("rekey") "rule quiet\nwhen replay rate 1/1\nthen alert\n");
	assert_true(begins(rule("mine"), "local"));
	assert_string_equal(rule("noise"), "");
	assert_string_equal(rule("quiet"), "");
}

/* ---- within limits ---- */

static void refused_at(const char *place)
{
	char field[300];

	snprintf(field, sizeof(field), "%s:%s", strlen(own_file) > 32 ? "own-policy" : own_file, place);
	ask_refused(M, "EINVAL", field, "policy-reload", "{}");
}

static void test_limits(void **state)
{
	struct json_object *answer;

	(void)state;
	begin_with("limit action rekey\nlimit budget 3\nlimit hold-down 30\nlimit atr 1\n"
		   "rule noise locked\nwhen auth-fail rate 100/10\nthen rekey hold-down 3600\n");
	write_own("rule noise off\n");
	refused_at("1:6");
	write_own("atr 1\n" NOISE("alert"));
	refused_at("2:6");
	write_own("rule mine\nwhen exhausted rate 1/1 scope member\nthen evict\n");
	refused_at("3:6");
	write_own("rule mine\nwhen replay rate 1/1\nthen rekey budget 4\n");
	refused_at("3:19");
	write_own("rule mine\nwhen replay rate 1/1\nthen rekey hold-down 29\n");
	refused_at("3:22");
	write_own("atr 2\n");
	refused_at("1:5");
	assert_string_equal(rule("noise"), "root-locked: rekey hold-down 3600 budget 12");

	write_own("budget 1\nrule mine\nwhen replay rate 1/1\nthen rekey hold-down 86400\n");
	ask_ok(M, "policy-reload", "{}");
	assert_string_equal(rule("mine"), "local: rekey hold-down 86400 budget 3");
	answer = ask(M, "policy-show", "{}");
	assert_string_equal(text_at(answer, "limits"), "action rekey, budget 3, hold-down 30, atr 1");
	json_object_put(answer);

	/* What it may do does not keep the root's from being done. */
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_REPLAY, 1);
	until(all_only_on(3, 2));
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 100);
	until(all_only_on(3, 3));
}

static void test_limits_that_come_later(void **state)
{
	(void)state;
	begin_with(NOISE("rekey"));
	write_own(NOISE("alert") "rule mine\nwhen replay rate 1/1\nthen rekey\n");
	ask_ok(M, "policy-reload", "{}");
	assert_true(begins(rule("noise"), "local: alert"));
	write_root("limit action alert\n" NOISE("rekey"));
	ask_ok(R, "policy-reload", "{}");
	assert_true(begins(rule("noise"), "root: rekey"));
	assert_string_equal(rule("mine"), "");
	assert_true(finds(M, "policy-local"));
	refused_at("6:6");
	/* The root lets go again: at the next thing that it sends the own file counts. */
	write_root(NOISE("rekey"));
	ask_ok(R, "policy-reload", "{}");
	assert_true(begins(rule("noise"), "local: alert") && begins(rule("mine"), "local: rekey"));
	assert_false(finds(M, "policy-local"));
	/* Not even the word that it may say something is the manager's own. */
	write_own("limit action evict\n");
	refused_at("1:1");
	write_own("rule mine locked\n");
	refused_at("1:11");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_force, world_setup, end),
		cmocka_unit_test_setup_teardown(test_reload, world_setup, end),
		cmocka_unit_test_setup_teardown(test_weeks_without_the_root, world_setup, end),
		cmocka_unit_test_setup_teardown(test_replacement, world_setup, end),
		cmocka_unit_test_setup_teardown(test_root_set_back, world_setup, end),
		cmocka_unit_test_setup_teardown(test_two_of_one_number, world_setup, end),
		cmocka_unit_test_setup_teardown(test_refused, world_setup, end),
		cmocka_unit_test_setup_teardown(test_kept_but_not_understood, world_setup, end),
		cmocka_unit_test_setup_teardown(test_own_on_top, world_setup, end),
		cmocka_unit_test_setup_teardown(test_own_left_out, world_setup, end),
		cmocka_unit_test_setup_teardown(test_own_comes_first, world_setup, end),
		cmocka_unit_test_setup_teardown(test_limits, world_setup, end),
		cmocka_unit_test_setup_teardown(test_limits_that_come_later, world_setup, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
