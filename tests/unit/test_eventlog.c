// SPDX-License-Identifier: GPL-2.0
/* A node's record of evidence: what a power cut, damage and overflow leave of it. */
#include "eventlog.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "support_dir.h"

static int setup(void **state)
{
	static bool secrets;

	(void)state;
	if (!secrets && akm_secret_init(1 << 20) < 0)
		return -1;
	secrets = true;
	scratch_make();
	return 0;
}

static struct eventlog *reopen(bool want_damaged)
{
	struct akm_error err = {};
	struct eventlog *l;
	bool damaged;

	if (eventlog_open(scratch_path("events"), &l, &damaged, &err) < 0)
		fail_msg("%s: %s", err.field, err.reason);
	assert_int_equal(damaged, want_damaged);
	return l;
}

static uint64_t add(struct eventlog *l, const char *text)
{
	struct msg_event e = { .time_ms = 1, .source = "EdgeNodeA", .kind = "test", .severity = SEV_INFO, .member = -1,
			       .count = 1 };
	uint64_t seq = 0;

	snprintf(e.text, sizeof(e.text), "%s", text);
	assert_int_equal(eventlog_add(l, &e, &seq), 0);
	return seq;
}

struct seen { size_t n; uint64_t first, last; char text[TEXT_MAX]; };

static int see(uint64_t seq, const struct msg_event *e, void *ctx)
{
	struct seen *s = ctx;

	assert_int_equal(seq, e->seq);
	assert_true(!s->n || seq > s->last);
	if (!s->n++)
		s->first = seq;
	s->last = seq;
	memcpy(s->text, e->text, sizeof(s->text));
	return 0;
}

static struct seen outbox(struct eventlog *l)
{
	struct seen s = {};

	assert_int_equal(eventlog_outbox(l, SIZE_MAX, see, &s), 0);
	return s;
}

static struct seen all(struct eventlog *l, uint64_t since, size_t limit)
{
	struct seen s = {};

	assert_int_equal(eventlog_each(l, since, limit, see, &s), 0);
	return s;
}

static void test_survives(void **state)
{
	struct eventlog *l = reopen(false);

	(void)state;
	assert_int_equal(add(l, "one"), 1);
	assert_int_equal(add(l, "two"), 2);
	assert_int_equal(add(l, "three"), 3);
	assert_int_equal(eventlog_acked(l, 2), 0);
	eventlog_close(l);
	l = reopen(false);
	assert_int_equal(outbox(l).n, 1);
	assert_string_equal(outbox(l).text, "three");
	assert_int_equal(all(l, 0, SIZE_MAX).n, 3);
	assert_int_equal(all(l, 1, 1).last, 2);
	assert_int_equal(add(l, "four"), 4);
	eventlog_close(l);
}

static void test_acks(void **state)
{
	struct eventlog *l = reopen(false);

	(void)state;
	add(l, "one");
	assert_int_equal(eventlog_acked(l, 2), -EINVAL);
	assert_int_equal(eventlog_acked(l, 1), 0);
	assert_int_equal(eventlog_acked(l, 0), 0);
	assert_int_equal(outbox(l).n, 0);
	eventlog_close(l);
}

static void test_overflow_keeps_the_newest(void **state)
{
	struct eventlog *l = reopen(false);
	struct stat st;

	(void)state;
	for (int i = 0; i < 6 * EVENTLOG_MAX; i++)
		add(l, "flood");
	assert_int_equal(outbox(l).n, EVENTLOG_MAX);
	assert_int_equal(outbox(l).last, 6 * EVENTLOG_MAX);
	eventlog_close(l);
	assert_int_equal(stat(scratch_path("events"), &st), 0);
	assert_true(st.st_size < 5 * EVENTLOG_MAX * 200);
	l = reopen(false);
	assert_int_equal(outbox(l).first, 5 * EVENTLOG_MAX + 1);
	assert_int_equal(outbox(l).last, 6 * EVENTLOG_MAX);
	eventlog_close(l);
}

/* Power goes while the third event is written: after any number of its bytes. */
static void test_cut_anywhere(void **state)
{
	static uint8_t before[65536], after[65536];
	size_t n_before, n_after;
	struct eventlog *l = reopen(false);

	(void)state;
	add(l, "one");
	add(l, "two");
	n_before = scratch_read("events", before, sizeof(before));
	add(l, "three");
	n_after = scratch_read("events", after, sizeof(after));
	eventlog_close(l);
	for (size_t n = n_before; n < n_after; n++) {
		uint64_t floor = wall_ms(), seq;

		scratch_write("events", after, n);
		l = reopen(n != n_before);
		assert_int_equal(all(l, 0, SIZE_MAX).n, 2);
		seq = add(l, "next");
		/* The third may have been sent: its number must not come again for something else. */
		assert_true(n == n_before ? seq == 3 : seq > floor);
		eventlog_close(l);
		l = reopen(false);
		assert_int_equal(all(l, 0, SIZE_MAX).n, 3);
		eventlog_close(l);
	}
}

static void test_damage(void **state)
{
	static uint8_t good[65536], bad[65536];
	struct eventlog *l = reopen(false);
	size_t n;

	(void)state;
	add(l, "one");
	add(l, "two");
	eventlog_close(l);
	n = scratch_read("events", good, sizeof(good));
	for (size_t i = 0; i < n; i++) {
		uint64_t floor = wall_ms();

		memcpy(bad, good, n);
		bad[i] ^= 0x40;
		scratch_write("events", bad, n);
		l = reopen(true);
		assert_true(all(l, 0, SIZE_MAX).n < 2);
		assert_true(add(l, "next") > floor);
		eventlog_close(l);
	}
}

static void test_not_a_file(void **state)
{
	struct akm_error err = {};
	struct eventlog *l = NULL;
	bool damaged;

	(void)state;
	assert_int_equal(mkdir(scratch_path("events"), 0700), 0);
	assert_true(eventlog_open(scratch_path("events"), &l, &damaged, &err) < 0);
	assert_null(l);
	assert_true(err.reason[0]);
}

#define log_test(t) cmocka_unit_test_setup_teardown(t, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(test_survives),
		log_test(test_acks),
		log_test(test_overflow_keeps_the_newest),
		log_test(test_cut_anywhere),
		log_test(test_damage),
		log_test(test_not_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
