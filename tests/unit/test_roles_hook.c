// SPDX-License-Identifier: GPL-2.0
/* Programs of the policy, as the manager has them run: what they are told, how often, and what becomes of a bad runner. */
#include "support_world.h"

#include <err.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "clock.h"
#include "support_clock.h"
#include "hooks.h"
#include "policy_load.h"
#include "runner.h"
#include "support_dir.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)

#define NOISE	"rule noise\nwhen auth-fail rate 1/1\nthen alert\n"

static char hooks[256];
static int end = -1;			/* the runner's, which this test plays */
static char real_hooks[256];		/* of a real one, which has to be there before secrets are: main() makes it */
static int real = -1;			/* the daemon's end of that */

static void start_with(int daemon_fd, char *directory, const char *policy)
{
	actor_stop(M);
	world_set_policy(policy);
	M->config.hooks = directory;
	M->hooked = true;
	M->hooks_fd = daemon_fd;
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
}

static void begin_with(const char *policy)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	end = fds[1];
	snprintf(hooks, sizeof(hooks), "%s/hooks", scratch_dir());
	assert_int_equal(mkdir(hooks, 0700) ?: chmod(hooks, 0755), 0);
	start_with(fds[0], hooks, policy);
	create_abc();
	world_watch("akm1", 3);
}

static int end_without(void **state)
{
	closep(&end);
	end = -1;
	M->config.policy_file = NULL;
	M->config.hooks = NULL;
	return world_teardown(state);
}

static void noise(uint64_t n)
{
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, n);
}

/* ---- the runner's end ---- */

static bool take(struct runner_order *ret)
{
	memset(ret, 0, sizeof(*ret));
	return recv(end, ret, sizeof(*ret), MSG_DONTWAIT) > (ssize_t)RUNNER_ORDER_MIN;
}

/* ---- what is asked of the manager ---- */

/* There is an event of kind hook with this severity that begins so. */
static bool said(const char *severity, const char *text)
{
	struct json_object *answer = ask(M, "events", "{}"), *items = json_object_object_get(answer, "items");
	bool is = false;

	for (size_t i = 0; items && i < json_object_array_length(items); i++) {
		struct json_object *o = json_object_array_get_idx(items, i);

		is |= !strcmp(json_object_get_string(json_object_object_get(o, "kind")), "hook") &&
		      !strcmp(json_object_get_string(json_object_object_get(o, "severity")), severity) &&
		      !strncmp(json_object_get_string(json_object_object_get(o, "text")), text, strlen(text));
	}
	json_object_put(answer);
	return is;
}

static bool finding(const char *check)
{
	struct json_object *answer = ask(M, "status", "{}"), *list = at(answer, "health.findings");
	bool found = false;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		found |= !strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(list, i), "check")),
				 check);
	json_object_put(answer);
	return found;
}

static int64_t shown(const char *what)
{
	struct json_object *answer = ask(M, "policy-show", "{}"), *v;
	int64_t n = -1;

	if (json_object_object_get_ex(at(answer, "rules.0"), what, &v))
		n = json_object_get_int64(v);
	json_object_put(answer);
	return n;
}

static void must_have(struct json_object *o, const char *key, const char *value)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, key, &v) || strcmp(json_object_get_string(v), value))
		fail_msg("%s is not %s in %s", key, value, json_object_to_json_string(o));
}

/* ---- orders ---- */

/* One record is one line of JSON, whatever else the rule does. */
static void test_record(void **state)
{
	static const char *const keys[] = { "time", "manager", "atr", "label", "rule", "kind", "count", "seconds", "subject",
					    "action", "escalated", "outcome" };
	struct runner_order o;
	struct json_object *record;
	size_t n = 0;

	(void)state;
	begin_with("rule noise\nwhen auth-fail rate 100/10\nthen rekey\nhook page\n");
	noise(100);
	until(take(&o));
	assert_string_equal(o.name, "page");
	assert_ptr_equal(strchr(o.record, '\n'), o.record + strlen(o.record) - 1);
	record = json_tokener_parse(o.record);
	must_have(record, "manager", "MgmtMod");
	must_have(record, "atr", "1");
	must_have(record, "label", "EdgeNodeA-EdgeNodeB-EdgeNodeC");
	must_have(record, "rule", "noise");
	must_have(record, "kind", "auth-fail");
	must_have(record, "count", "100");
	must_have(record, "seconds", "10");
	must_have(record, "subject", "EdgeNodeB");
	must_have(record, "action", "rekey");
	must_have(record, "escalated", "false");
	must_have(record, "outcome", "done");
	/* And nothing else: security.rst says what there is. */
	json_object_object_foreach(record, key, value) {
		bool known = false;

		(void)value;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			known |= !strcmp(keys[i], key);
		assert_true(known);
		n++;
	}
	assert_int_equal(n, ARRAY_SIZE(keys));
	json_object_put(record);
	until(all_only_on(3, 2));
}

/* As often as alerts, and never more than the budget: what anybody can cause starts few programs. */
static void test_budget(void **state)
{
	unsigned int orders = 0;
	struct runner_order o;

	(void)state;
	begin_with("rule noise\nwhen auth-fail rate 1/1\nthen alert hold-down 0 budget 60\nhook page hold-down 0 budget 2\n");
	for (int i = 0; i < 5; i++) {
		unsigned int alerts = events_of(M, "alert");

		clock_wind(120000);		/* beyond every hold-down, and within the hour */
		noise(1);
		until(events_of(M, "alert") > alerts);
		orders += take(&o);
	}
	assert_int_equal(orders, 2);
	assert_int_equal(shown("fired"), 5);
	assert_int_equal(shown("hooked"), 2);
	assert_int_equal(shown("hook_held"), 3);
}

/* Files are looked at when a policy is loaded, and whenever somebody asks how things are. */
static void test_bad_file(void **state)
{
	const char *file;

	(void)state;
	if (geteuid() != 0)
		skip();
	begin_with(NOISE "hook page\n");
	assert_true(said("warning", "Program page cannot be run: "));
	assert_true(finding("hook-file"));
	scratch_write("hooks/page", "#!/bin/true\n", strlen("#!/bin/true\n"));
	file = scratch_path("hooks/page");
	assert_int_equal(chmod(scratch_dir(), 0711) ?: chmod(file, 0755), 0);
	assert_false(finding("hook-file"));
	assert_int_equal(chmod(file, 0757), 0);
	assert_true(finding("hook-file"));
	assert_false(finding("hooks"));
}

/* A dead runner is an alarm and stays one, and the policy goes on. */
static void test_runner_dies(void **state)
{
	(void)state;
	begin_with("rule noise\nwhen auth-fail rate 100/10\nthen rekey\nhook page\n");
	close(end);
	end = -1;
	until(said("alert", "The runner of programs is gone (it ended)"));
	assert_true(finding("hooks"));
	noise(100);
	until(all_only_on(3, 2));
	assert_true(said("warning", "Program page was not started: the runner is gone"));
}

/* Without a directory nothing is run, and a rule that wants it is refused at once. */
static void test_no_directory(void **state)
{
	struct policy p = {};
	struct akm_error err = {};

	(void)state;
	actor_stop(M);
	world_set_policy(NOISE "hook page\n");
	assert_int_equal(policy_load(&M->config, &p, &err), -EINVAL);
	assert_non_null(strstr(err.reason, "rule noise: hook needs [policy] hooks in akmd.conf"));
	assert_int_equal(actor_start(M), -EINVAL);
	B->config.policy_file = M->config.policy_file;
	assert_int_equal(policy_load(&B->config, &p, &err), -EINVAL);
	assert_non_null(strstr(err.reason, "rule noise: hook is not for a node"));
	B->config.policy_file = NULL;
}

/* ---- and a real one ---- */

static const char program[] = "#!/bin/sh\ngrep -o '\"rule\":\"noise\"'\n";

static void test_real(void **state)
{
	(void)state;
	if (real < 0)
		skip();
	start_with(TAKE_FD(real), real_hooks, NOISE "hook page\n");
	create_abc();
	world_watch("akm1", 3);
	noise(1);
	until(said("info", "Program page ended well after "));
	assert_int_equal(events_of(M, "hook"), 1);
	assert_false(finding("hooks") || finding("hook-file"));
}

static void make_real(void)
{
	const struct runner_config c = { .directory = real_hooks, .user = "nobody", .timeout_ms = RUNNER_TIMEOUT_MS };
	const char *tmp = getenv("TMPDIR");
	struct akm_error err = {};
	char file[300];
	FILE *f;

	snprintf(real_hooks, sizeof(real_hooks), "%.200s/akm-hooks-XXXXXX", tmp ? tmp : "/tmp");
	if (geteuid() != 0 || !mkdtemp(real_hooks))
		return;
	snprintf(file, sizeof(file), "%s/page", real_hooks);
	f = fopen(file, "w");
	if (!f || fputs(program, f) < 0 || fclose(f) || chmod(real_hooks, 0755) || chmod(file, 0755) ||
	    runner_start(&c, &real, &err) < 0)
		errx(1, "no runner: %s %s", err.field, err.reason);
}

static void drop_real(void)
{
	char file[300];

	snprintf(file, sizeof(file), "%s/page", real_hooks);
	if (geteuid() == 0 && (unlink(file) < 0 || rmdir(real_hooks) < 0))
		err(1, "remove %s", real_hooks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_record, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_budget, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_bad_file, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_runner_dies, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_no_directory, world_setup, end_without),
		cmocka_unit_test_setup_teardown(test_real, world_setup, end_without),
	};
	int failed;

	make_real();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	drop_real();
	return failed;
}
