// SPDX-License-Identifier: GPL-2.0
/* Orders to the runner and its answers, with this test as the runner, and evidence as it would be written. */
#include "hooks.h"

#include <setjmp.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "clock.h"
#include "runner.h"

static struct event_base *base;
static struct hooks *hooks;
static int end;				/* the runner's */
static unsigned int records;
static struct msg_event last;

/* In place of evidence.c */
void evidence_add(struct evidence *e, const struct evidence_note *note, const char *fmt, ...)
{
	va_list ap;

	(void)e;
	last = (struct msg_event){ .severity = note->severity, .atr_id = note->atr_id };
	snprintf(last.kind, sizeof(last.kind), "%s", note->kind);
	va_start(ap, fmt);
	vsnprintf(last.text, sizeof(last.text), fmt, ap);
	va_end(ap);
	records++;
}

static int setup(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	base = event_base_new();
	assert_non_null(base);
	assert_int_equal(hooks_new(base, NULL, "/nowhere", fds[0], &hooks), 0);
	end = fds[1];
	records = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hooks_free(hooks);
	event_base_free(base);
	closep(&end);
	return 0;
}

static void run(const char *text)
{
	struct json_object *o = json_object_new_string(text);

	hooks_run(hooks, "page", 7, o);
	json_object_put(o);
}

static bool take(struct runner_order *ret, size_t *ret_len)
{
	ssize_t n = recv(end, ret, sizeof(*ret), MSG_DONTWAIT);

	*ret_len = n < 0 ? 0 : (size_t)n - RUNNER_ORDER_MIN;
	return n > 0;
}

static uint64_t taken(void)
{
	struct runner_order o;
	size_t len;

	assert_true(take(&o, &len));
	return o.id;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void answer(struct runner_result r)
{
	assert_int_equal(send(end, &r, sizeof(r), 0), sizeof(r));
	turn();
}

static void recorded(unsigned int n, enum msg_severity severity, uint32_t atr_id, const char *text)
{
	assert_int_equal(records, n);
	assert_string_equal(last.kind, "hook");
	assert_string_equal(last.text, text);
	assert_int_equal(last.severity, severity);
	assert_int_equal(last.atr_id, atr_id);
}

static void test_order(void **state)
{
	struct runner_order o;
	size_t len;

	(void)state;
	run("a/b");
	assert_true(take(&o, &len));
	assert_string_equal(o.name, "page");
	assert_int_equal(len, strlen("\"a/b\"\n"));
	assert_memory_equal(o.record, "\"a/b\"\n", len);
	assert_false(take(&o, &len));
	assert_int_equal(records, 0);
	hooks_run(NULL, "page", 7, NULL);	/* no runner: nothing */
}

static void test_ends(void **state)
{
	static const struct { enum runner_end end; int code; const char *said; enum msg_severity severity; const char *text; }
	ends[] = {
		{ RUNNER_EXITED, 0, "sent", SEV_INFO, "Program page ended well after 12 ms: sent" },
		{ RUNNER_EXITED, 0, "", SEV_INFO, "Program page ended well after 12 ms" },
		{ RUNNER_EXITED, 3, "", SEV_WARNING, "Program page failed with status 3 after 12 ms" },
		{ RUNNER_KILLED, 11, "", SEV_WARNING, "Program page was killed by signal 11 after 12 ms" },
		{ RUNNER_TIMED_OUT, 9, "", SEV_WARNING, "Program page was killed: it took too long after 12 ms" },
		{ RUNNER_REFUSED, 0, "why", SEV_WARNING, "Program page was not started after 12 ms: why" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct runner_result r = { .end = ends[i].end, .code = ends[i].code, .ms = 12 };

		run("x");
		r.id = taken();
		snprintf(r.said, sizeof(r.said), "%s", ends[i].said);
		answer(r);
		recorded((unsigned int)i + 1, ends[i].severity, 7, ends[i].text);
	}
}

/* Orders that wait have an end, and an answer makes room for one. */
static void test_full(void **state)
{
	struct runner_result r = { .end = RUNNER_EXITED };

	(void)state;
	for (int i = 0; i < HOOKS_OPEN_MAX; i++)
		run("x");
	assert_int_equal(records, 0);
	run("x");
	recorded(1, SEV_WARNING, 7, "Program page was not started: too many wait for their turn");
	r.id = taken();
	answer(r);
	run("x");
	assert_int_equal(records, 2);
	run("x");
	assert_int_equal(records, 3);
	for (int i = 0; i < HOOKS_OPEN_MAX; i++)
		taken();
	assert_int_equal(recv(end, &r, sizeof(r), MSG_DONTWAIT), -1);
}

static void test_too_long(void **state)
{
	static char text[RUNNER_RECORD_MAX];
	struct runner_order o;
	size_t len;

	(void)state;
	memset(text, 'x', RUNNER_RECORD_MAX - 3);	/* and quotes, and a newline */
	run(text);
	assert_true(take(&o, &len));
	assert_int_equal(len, RUNNER_RECORD_MAX);
	assert_int_equal(records, 0);
	text[RUNNER_RECORD_MAX - 3] = 'x';
	run(text);
	recorded(1, SEV_WARNING, 7, "Program page was not started: its record is too long");
}

static bool is_gone(void)
{
	struct json_object *status = json_object_new_object(), *o;
	struct health h;
	bool gone;

	health_init(&h);
	hooks_health(hooks, NULL, 0, &h);
	health_end(&h, status);
	gone = json_object_object_get_ex(status, "health", &o) &&
	       !strcmp(json_object_get_string(json_object_object_get(o, "state")), "alert");
	json_object_put(status);
	return gone;
}

static void test_gone(void **state)
{
	(void)state;
	run("x");
	assert_false(is_gone());
	close(end);
	end = -1;
	turn();
	recorded(1, SEV_ALERT, 0,
		 "The runner of programs is gone (it ended): none is run until akmd is started again");
	assert_true(is_gone());
	run("x");
	recorded(2, SEV_WARNING, 7, "Program page was not started: the runner is gone");
}

/* It has fewer rights than the daemon: what it says is looked at, and it is not asked again. */
static void test_nonsense(void **state)
{
	static const char said[] = "The runner of programs is gone (it said what it should not): none is run until akmd is "
				   "started again";
	struct runner_result bad[6] = {
		{ .id = 0, .end = RUNNER_EXITED }, { .id = 2, .end = RUNNER_EXITED }, { .id = 1, .end = RUNNER_READY },
		{ .id = 1, .end = RUNNER_REFUSED + 1 }, { .id = 1, .end = UINT32_MAX }, { .id = 1, .end = RUNNER_EXITED },
	};

	memset(bad[5].said, 'x', sizeof(bad[5].said));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		run("x");
		answer(bad[i]);
		recorded(1, SEV_ALERT, 0, said);
		assert_true(is_gone());
		teardown(state);
		setup(state);
	}
	run("x");
	assert_int_equal(send(end, bad, sizeof(bad[0]) - 1, 0), sizeof(bad[0]) - 1);
	turn();
	recorded(1, SEV_ALERT, 0, said);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_order), T(test_ends), T(test_full), T(test_too_long), T(test_gone), T(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
