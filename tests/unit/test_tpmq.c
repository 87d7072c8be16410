// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "tpmq.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"

#define DEADLINE_S	60

/* In place of the TPM's: the queue only passes it on, and closes it once. */
struct keystore {
	unsigned int closed;
};

void keystore_close(struct keystore *ks)
{
	if (ks)
		ks->closed++;
}

static struct keystore fake;
static struct event_base *base;
static struct tpmq *queue;
static pthread_t loop_thread;

/* A gate that work can be kept behind. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open, reached;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void gate_set(bool *flag, bool value)
{
	pthread_mutex_lock(&gate.lock);
	*flag = value;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

/* Until @flag, or the end of the program: a test that waits for ever says nothing. */
static void gate_wait(const bool *flag)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_S;
	pthread_mutex_lock(&gate.lock);
	while (!*flag && !r)
		r = pthread_cond_timedwait(&gate.changed, &gate.lock, &until);
	pthread_mutex_unlock(&gate.lock);
	if (r)
		abort();
}

struct seen {
	unsigned int worked, done;
	int r;
	pthread_t worked_in, done_in;
	struct keystore *ks;
	unsigned int order;
};
static unsigned int next_order;

static int work(struct keystore *ks, void *arg)
{
	struct seen *s = arg;

	s->worked++;
	s->worked_in = pthread_self();
	s->ks = ks;
	return 42;
}

static int work_behind_gate(struct keystore *ks, void *arg)
{
	gate_set(&gate.reached, true);
	gate_wait(&gate.open);
	return work(ks, arg);
}

static void done(void *arg, int r)
{
	struct seen *s = arg;

	s->done++;
	s->r = r;
	s->done_in = pthread_self();
	s->order = next_order++;
}

static int setup(void **state)
{
	(void)state;
	fake = (struct keystore){};
	gate.open = gate.reached = false;
	next_order = 0;
	loop_thread = pthread_self();
	base = event_base_new();
	assert_non_null(base);
	assert_int_equal(tpmq_new(base, &fake, &queue), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tpmq_free(queue);
	queue = NULL;
	event_base_free(base);
	return fake.closed == 1 ? 0 : -1;
}

/* Runs the loop until @n jobs have come back. */
static void loop_until(const unsigned int *count, unsigned int n)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (*count < n) {
		struct timeval tick = { .tv_sec = 1 };

		event_base_loopexit(base, &tick);
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
		clock_gettime(CLOCK_MONOTONIC, &now);
		assert_true(now.tv_sec - start.tv_sec < DEADLINE_S);
	}
}

static void done_runs_on_the_loop(void **state)
{
	struct seen s = {};

	(void)state;
	assert_int_equal(tpmq_submit(queue, work, done, &s), 0);
	assert_int_equal(tpmq_depth(queue), 1);
	assert_int_equal(s.done, 0);		/* never before the loop ran */
	loop_until(&s.done, 1);
	assert_int_equal(s.r, 42);
	assert_ptr_equal(s.ks, &fake);
	assert_true(pthread_equal(s.done_in, loop_thread));
	assert_false(pthread_equal(s.worked_in, loop_thread));
	assert_int_equal(tpmq_depth(queue), 0);
}

static void order_is_kept(void **state)
{
	struct seen s[500] = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(s); i++)
		assert_int_equal(tpmq_submit(queue, work, done, &s[i]), 0);
	loop_until(&s[ARRAY_SIZE(s) - 1].done, 1);
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		assert_int_equal(s[i].worked, 1);
		assert_int_equal(s[i].done, 1);
		assert_int_equal(s[i].order, i);
	}
}

static void count_tick(evutil_socket_t fd, short what, void *arg)
{
	unsigned int *n = arg;

	(void)fd;
	(void)what;
	++*n;
}

/* A TPM may take 30 s for a command: meanwhile the loop goes on. */
static void a_slow_tpm_does_not_block_the_loop(void **state)
{
	struct timeval every = { .tv_usec = 1000 };
	struct seen slow = {}, after = {};
	unsigned int ticks = 0;
	struct event *timer;

	(void)state;
	timer = event_new(base, -1, EV_PERSIST, count_tick, &ticks);
	assert_non_null(timer);
	assert_int_equal(event_add(timer, &every), 0);
	assert_int_equal(tpmq_submit(queue, work_behind_gate, done, &slow), 0);
	assert_int_equal(tpmq_submit(queue, work, done, &after), 0);
	gate_wait(&gate.reached);
	loop_until(&ticks, 50);
	assert_int_equal(slow.done, 0);
	assert_int_equal(after.worked, 0);	/* one TPM, one command at a time */
	/* Submitting does not wait either. */
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(tpmq_submit(queue, work, done, &after), 0);
	assert_int_equal(tpmq_depth(queue), 12);
	gate_set(&gate.open, true);
	loop_until(&after.done, 11);
	assert_int_equal(slow.done, 1);
	event_free(timer);
}

static unsigned int chain_left;

static void done_then_again(void *arg, int r)
{
	done(arg, r);
	if (--chain_left)
		assert_int_equal(tpmq_submit(queue, work, done_then_again, arg), 0);
}

static void done_may_submit(void **state)
{
	struct seen s = {};

	(void)state;
	chain_left = 20;
	assert_int_equal(tpmq_submit(queue, work, done_then_again, &s), 0);
	loop_until(&s.done, 20);
	assert_int_equal(s.worked, 20);
}

static void the_queue_is_bounded(void **state)
{
	struct seen first = {}, s = {}, refused = {};

	(void)state;
	assert_int_equal(tpmq_submit(queue, work_behind_gate, done, &first), 0);
	for (size_t i = 1; i < TPMQ_MAX; i++)
		assert_int_equal(tpmq_submit(queue, work, done, &s), 0);
	assert_int_equal(tpmq_submit(queue, work, done, &refused), -EBUSY);
	assert_int_equal(tpmq_depth(queue), TPMQ_MAX);
	gate_set(&gate.open, true);
	loop_until(&s.done, TPMQ_MAX - 1);
	assert_int_equal(refused.worked, 0);
	assert_int_equal(refused.done, 0);
	/* Room again. */
	assert_int_equal(tpmq_submit(queue, work, done, &refused), 0);
	loop_until(&refused.done, 1);
}

static int work_that_fails(struct keystore *ks, void *arg)
{
	(void)ks, (void)arg;
	return -ENODEV;
}

static void what_it_did_is_counted(void **state)
{
	struct seen s = {}, failed = {};
	uint64_t from;

	(void)state;
	assert_int_equal(tpmq_waiting_ms(queue), 0);
	assert_int_equal(tpmq_submit(queue, work_behind_gate, done, &s), 0);
	gate_wait(&gate.reached);
	for (from = now_ms(); now_ms() - from < 30;)
		;				/* time has to pass */
	assert_in_range(tpmq_waiting_ms(queue), 29, 60000);
	gate_set(&gate.open, true);
	loop_until(&s.done, 1);
	assert_int_equal(tpmq_waiting_ms(queue), 0);
	assert_int_equal(tpmq_submit(queue, work_that_fails, done, &failed), 0);
	loop_until(&failed.done, 1);
	assert_int_equal(tpmq_stats(queue).jobs, 2);
	assert_int_equal(tpmq_stats(queue).failed, 1);
	assert_in_range(tpmq_stats(queue).max_us, 29000, 60000000);
	assert_in_range(tpmq_stats(queue).sum_us, tpmq_stats(queue).max_us, 60000000);
}

static bool thread_sleeps(pid_t tid)
{
	char path[64], stat[512] = {};
	const char *paren;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "re");
	if (!f || !fgets(stat, sizeof(stat), f))
		abort();
	fclose(f);
	paren = strrchr(stat, ')');
	return paren && paren[2] == 'S';
}

/* Opens the gate once the loop's thread sleeps: it can only be in tpmq_free() by then. */
static void *open_when_asleep(void *arg)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	pid_t tid = *(pid_t *)arg;

	for (int asleep = 0, i = 0; asleep < 20; i++) {
		asleep = thread_sleeps(tid) ? asleep + 1 : 0;
		if (i > DEADLINE_S * 1000)
			abort();
		nanosleep(&ms, NULL);
	}
	gate_set(&gate.open, true);
	return NULL;
}

static int submit_in_done = 1;

static void done_at_shutdown(void *arg, int r)
{
	struct seen refused = {};

	done(arg, r);
	submit_in_done = tpmq_submit(queue, work, done, &refused);
}

static void shutdown_cancels_what_waits(void **state)
{
	struct seen running = {}, waiting[3] = {};
	pid_t tid = gettid();
	pthread_t opener;

	(void)state;
	assert_int_equal(tpmq_submit(queue, work_behind_gate, done, &running), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(tpmq_submit(queue, work, done_at_shutdown, &waiting[i]), 0);
	gate_wait(&gate.reached);
	assert_int_equal(pthread_create(&opener, NULL, open_when_asleep, &tid), 0);
	tpmq_free(queue);
	queue = NULL;
	pthread_join(opener, NULL);

	/* The command under way has its result; the others were never sent. */
	assert_int_equal(running.done, 1);
	assert_int_equal(running.r, 42);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(waiting[i].worked, 0);
		assert_int_equal(waiting[i].done, 1);
		assert_int_equal(waiting[i].r, -ECANCELED);
		assert_true(pthread_equal(waiting[i].done_in, loop_thread));
	}
	assert_int_equal(submit_in_done, -ESHUTDOWN);
	assert_int_equal(fake.closed, 1);
}

/* Finished, but the loop had no turn any more. */
static void shutdown_delivers_what_is_finished(void **state)
{
	struct seen a = {}, b = {};

	(void)state;
	assert_int_equal(tpmq_submit(queue, work, done, &a), 0);
	assert_int_equal(tpmq_submit(queue, work_behind_gate, done, &b), 0);
	gate_wait(&gate.reached);		/* so a is finished */
	gate_set(&gate.open, true);
	tpmq_free(queue);
	queue = NULL;
	assert_int_equal(a.done, 1);
	assert_int_equal(a.r, 42);
	assert_int_equal(b.done, 1);
}

static int work_looks_at_signals(struct keystore *ks, void *arg)
{
	sigset_t mask;

	(void)ks;
	(void)arg;
	if (pthread_sigmask(SIG_SETMASK, NULL, &mask))
		return -EIO;
	return sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP) && sigismember(&mask, SIGINT);
}

static void signals_are_the_loops(void **state)
{
	struct seen s = {};
	sigset_t mask;

	(void)state;
	assert_int_equal(tpmq_submit(queue, work_looks_at_signals, done, &s), 0);
	loop_until(&s.done, 1);
	assert_int_equal(s.r, 1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	assert_false(sigismember(&mask, SIGTERM));
}

static void free_of_nothing(void **state)
{
	(void)state;
	tpmq_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(done_runs_on_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(order_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_tpm_does_not_block_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(done_may_submit, setup, teardown),
		cmocka_unit_test_setup_teardown(the_queue_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(what_it_did_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(shutdown_cancels_what_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(shutdown_delivers_what_is_finished, setup, teardown),
		cmocka_unit_test_setup_teardown(signals_are_the_loops, setup, teardown),
		cmocka_unit_test(free_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
