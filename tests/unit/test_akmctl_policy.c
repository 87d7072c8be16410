// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE			/* open_memstream() */
/* akmctl policy check and test: what is said, line by line, without a daemon and without a clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "support_akmctl.h"

static char dir[64], policy[96], events[96];
static char *out, *err;

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%.40s/akm-policy-XXXXXX", tmp && strlen(tmp) <= 40 ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	snprintf(policy, sizeof(policy), "%s/p", dir);
	snprintf(events, sizeof(events), "%s/e", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(out);
	free(err);
	out = err = NULL;
	remove(policy);
	remove(events);
	return rmdir(dir);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int run(const char *line, bool json)
{
	struct akm_ctx ctx = { .json = json };
	struct akm_error e;
	size_t n;
	int r;

	free(out);
	free(err);
	ctx.out = open_memstream(&out, &n);
	ctx.err = open_memstream(&err, &n);
	assert_true(ctx.out && ctx.err);
	r = run_line(&ctx, line, &e);
	fclose(ctx.out);
	fclose(ctx.err);
	return r;
}

static int check(const char *text, bool json)
{
	char line[128];

	put(policy, text);
	snprintf(line, sizeof(line), "policy check %s", policy);
	return run(line, json);
}

static int test(const char *rules, const char *records, bool json)
{
	char line[256];

	put(policy, rules);
	put(events, records);
	snprintf(line, sizeof(line), "policy test %s --events %s", policy, events);
	return run(line, json);
}

static void test_check(void **state)
{
	char wanted[256];

	(void)state;
	assert_int_equal(check("rule r\nwhen replay rate 1/1\nthen alert\natr 3\n", false), 0);
	snprintf(wanted, sizeof(wanted), "%s: ok: 1 rules, 1 ATRs with their own\n", policy);
	assert_string_equal(out, wanted);
	assert_int_equal(check("rule r\nwhen replay rate 1/1\n\tthen evict\n", false), -22);
	snprintf(wanted, sizeof(wanted), "%s:3:7: then: replay can be caused by anybody on the wire: it must not cost a "
		 "member its place\n", policy);
	assert_string_equal(err, wanted);
	assert_string_equal(out, "");
}

/* With a directory, its programs are looked at as the runner does: this one belongs to nobody who may. */
static void test_check_hooks(void **state)
{
	static const char text[] = "rule r\nwhen replay rate 1/1\nthen alert\nhook page\n";
	struct json_object *o, *list;
	char line[256], wanted[256];

	(void)state;
	assert_int_equal(check(text, false), 0);
	snprintf(line, sizeof(line), "policy check %s hooks %s", policy, dir);
	assert_int_equal(run(line, false), -13);
	assert_string_equal(out, "");
	if (geteuid() == 0) {
		snprintf(wanted, sizeof(wanted), "hook page: %s/page: No such file or directory\n", dir);
		assert_string_equal(err, wanted);
	}
	assert_int_equal(run(line, true), -13);
	o = json_tokener_parse(out);
	list = json_object_object_get(o, "hooks");
	assert_int_equal(json_object_array_length(list), 1);
	assert_non_null(json_object_object_get(json_object_array_get_idx(list, 0), "reason"));
	json_object_put(o);
	snprintf(line, sizeof(line), "policy check %s hooks /nowhere", policy);
	assert_int_equal(run(line, false), -13);
	assert_string_equal(err, "hook page: /nowhere: No such file or directory\n");
	put(policy, "");
	assert_int_equal(run(line, false), 0);
}

static void test_check_json(void **state)
{
	struct json_object *o, *error;

	(void)state;
	assert_int_equal(check("rule r\n  then hello\n", true), -22);
	o = json_tokener_parse(out);
	assert_true(json_object_object_get_ex(o, "error", &error));
	assert_int_equal(json_object_get_int(json_object_object_get(error, "line")), 2);
	assert_int_equal(json_object_get_int(json_object_object_get(error, "column")), 8);
	assert_string_equal(json_object_get_string(json_object_object_get(error, "file")), policy);
	assert_string_equal(json_object_get_string(json_object_object_get(error, "field")), "then");
	json_object_put(o);
	assert_int_equal(check("", true), 0);
	o = json_tokener_parse(out);
	assert_int_equal(json_object_get_int(json_object_object_get(o, "rules")), 0);
	json_object_put(o);
}

/* A manager's file on top of the root's: the limits are said where they are overstepped. */
static void test_check_over_root(void **state)
{
	char line[256], wanted[256];

	(void)state;
	put(policy, "rule r off\nrule s\nwhen replay rate 1/1\nthen rekey\n");
	put(events, "limit action alert\nrule r\nwhen replay rate 1/1\nthen alert\n");	/* the root's */
	snprintf(line, sizeof(line), "policy check %s --root %s", policy, events);
	assert_int_equal(run(line, false), -22);
	snprintf(wanted, sizeof(wanted), "%s:4:6: then: rekey is more than the root allows: limit action alert, in line 1 of "
		 "its policy\n", policy);
	assert_string_equal(err, wanted);
	put(events, "rule r\nwhen replay rate 1/1\nthen alert\nrule t\nwhen replay rate 1/1\nthen alert\n");
	assert_int_equal(run(line, false), 0);
	snprintf(wanted, sizeof(wanted), "%s: ok: 2 rules, 0 ATRs with their own\n", policy);
	assert_string_equal(out, wanted);
	/* Whose fault it is */
	put(events, "rule r\n");
	assert_int_equal(run(line, false), -22);
	snprintf(wanted, sizeof(wanted), "%s:1:6: rule: r has no when\n", events);
	assert_string_equal(err, wanted);
}

static void test_no_file(void **state)
{
	(void)state;
	assert_int_equal(run("policy check /nonexistent/policy", false), -2);
	assert_string_equal(err, "akmctl: policy check: file /nonexistent/policy: No such file or directory\n");
	put(policy, "");
	assert_true(test("", "", false) == 0);
	assert_string_equal(out, "0 records, 0 of them evidence, 0 decisions\n");
	remove(events);
}

#define RECORD(kind, source, at, count, more) \
	"{\"seq\":1,\"source\":\"" source "\",\"severity\":\"warning\",\"kind\":\"" kind "\"" more \
	",\"data\":{\"count\":" #count ",\"time_ms\":" at "}}\n"
#define ATR1	",\"atr\":1"
#define RULES	"rule noise\nwhen auth-fail,replay rate 100/10\nthen rekey hold-down 60 budget 2\n" \
		"rule failing\nwhen node-refused rate 1/60 scope member\nthen alert hold-down 1\nescalate 2/600 quarantine\n" \
		"rule door\nwhen link-psk rate 2/60\nthen alert\n"

/* When, by which rule, on what; held down until, and what is owed comes at that moment. */
static void test_says_what_would_happen(void **state)
{
	(void)state;
	assert_int_equal(test(RULES,
		RECORD("auth-fail", "B", "1700000000000", 99, ATR1)
		RECORD("auth-fail", "B", "1700000001000", 1, ATR1)
		RECORD("rekey", "M", "1700000001001", 1, ATR1)
		RECORD("replay", "C", "1700000011000", 100, ATR1)
		RECORD("replay", "C", "1700000012000", 100, ATR1)
		RECORD("auth-fail", "C", "1700000012000", 100, ",\"atr\":2"), false), 0);
	assert_string_equal(out,
		"2023-11-14T22:13:21.000000Z #1 rule noise (line 1): 100 auth-fail within 10 s, last at B: rekey\n"
		"2023-11-14T22:13:31.000000Z #1 rule noise (line 1): 100 replay within 10 s, last at C: rekey: held down for "
		"50 s; an alert instead\n"
		"2023-11-14T22:13:32.000000Z #2 rule noise (line 1): 100 auth-fail within 10 s, last at C: rekey\n"
		"2023-11-14T22:14:21.000000Z #1 rule noise (line 1): replay of before: rekey\n"
		"6 records, 5 of them evidence, 4 decisions\n");
}

static void test_budget_and_escalation(void **state)
{
	(void)state;
	assert_int_equal(test(RULES,
		RECORD("auth-fail", "B", "1700000000000", 100, ATR1)
		RECORD("auth-fail", "B", "1700001000000", 100, ATR1)
		RECORD("auth-fail", "B", "1700003000000", 100, ATR1)
		RECORD("node-refused", "M", "1700003001000", 1, ATR1 ",\"member\":4")
		RECORD("node-refused", "M", "1700003101000", 1, ATR1 ",\"member\":4")
		RECORD("node-refused", "M", "1700003102000", 1, ATR1 ",\"member\":5")
		RECORD("node-refused", "M", "1700003201000", 1, ATR1 ",\"member\":4")
		/* told late: judged when it is heard, and no clock goes back */
		RECORD("link-psk", "M", "1700000000000", 2, ""), false), 0);
	assert_string_equal(out,
		"2023-11-14T22:13:20.000000Z #1 rule noise (line 1): 100 auth-fail within 10 s, last at B: rekey\n"
		"2023-11-14T22:30:00.000000Z #1 rule noise (line 1): 100 auth-fail within 10 s, last at B: rekey\n"
		"2023-11-14T23:03:20.000000Z #1 rule noise (line 1): 100 auth-fail within 10 s, last at B: rekey: over the rule's "
		"budget for 600 s; an alert instead\n"
		"2023-11-14T23:03:21.000000Z #1 rule failing (line 4): 1 node-refused within 60 s, last at member 4: alert\n"
		"2023-11-14T23:05:01.000000Z #1 rule failing (line 4): 1 node-refused within 60 s, last at member 4: alert\n"
		"2023-11-14T23:05:02.000000Z #1 rule failing (line 4): 1 node-refused within 60 s, last at member 5: alert\n"
		"2023-11-14T23:06:41.000000Z #1 rule failing (line 4): 1 node-refused within 60 s, last at member 4: quarantine "
		"(escalated)\n"
		"2023-11-14T23:06:41.000000Z rule door (line 8): 2 link-psk within 60 s, last at M: alert\n"
		"2023-11-14T23:13:20.000000Z #1 rule noise (line 1): auth-fail of before: rekey\n"
		"8 records, 8 of them evidence, 9 decisions\n");
}

static void test_json(void **state)
{
	struct json_object *o;

	(void)state;
	assert_int_equal(test(RULES, RECORD("auth-fail", "B", "1700000000000", 120, ATR1), true), 0);
	o = json_tokener_parse(out);
	assert_non_null(o);
	assert_string_equal(json_object_get_string(json_object_object_get(o, "rule")), "noise");
	assert_string_equal(json_object_get_string(json_object_object_get(o, "action")), "rekey");
	assert_string_equal(json_object_get_string(json_object_object_get(o, "outcome")), "done");
	assert_int_equal(json_object_get_int(json_object_object_get(o, "count")), 120);
	assert_int_equal(json_object_get_int(json_object_object_get(o, "atr")), 1);
	json_object_put(o);
}

static void refused(const char *records, const char *wanted)
{
	assert_int_equal(test(RULES, records, false), -22);
	if (!strstr(err, wanted))
		fail_msg("%s is not said: %s", wanted, err);
}

static void test_records_that_are_none(void **state)
{
	(void)state;
	refused("hello\n", "line 1 is no JSON object");
	refused("\n[]\n", "line 2 is no JSON object");
	refused("{}\n", "line 1 has no kind");
	refused("{\"kind\":\"auth-fail\",\"atr\":1}\n", "line 1 has no severity, source, data.time_ms or data.count");
	refused(RECORD("rekey", "M", "1", 1, "") RECORD("auth-fail", "M", "0", 1, ATR1),
		"line 2 has no severity, source, data.time_ms or data.count");
	/* What concerns an ATR and names none is passed over, as the manager does it. */
	assert_int_equal(test(RULES, RECORD("auth-fail", "M", "1700000000000", 1000, ""), false), 0);
	assert_string_equal(out, "1 records, 0 of them evidence, 0 decisions\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_hooks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_over_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_says_what_would_happen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget_and_escalation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records_that_are_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
