// SPDX-License-Identifier: GPL-2.0
/*
 * Root and manager are gone for three weeks, on a clock that the test winds: nodes roll epochs every hour, meet
 * attacks, restart, and try to reach the manager. Nothing grows, the sealed chains follow, and in the end all is
 * caught up. P12, P4. (Must fail with epochs that are not sealed, and with an event log that is never rewritten:
 * mutants.txt.)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support_world.h"

#include <dirent.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "eventlog.h"
#include "support_clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)
#define R (&world.root)

#define HOURS (3 * 7 * 24)

static int begin(void **state)
{
	(void)state;
	world_begin(3);
	world_provision();
	create_abc();
	return 0;
}

/* ---- what must not grow ---- */

static size_t entries(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static size_t heap(void)
{
	/* Under the address sanitizer malloc is not libc's. */
	extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : mallinfo2().uordblks;
}

static off_t size_of(const struct actor *a, const char *name)
{
	char path[192];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", a->dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

struct size { size_t heap, secrets, fds, files; };

static struct size measure(void)
{
	char sealed[192];

	for (int i = 0; i < 50; i++)		/* writes under way come to their end */
		world_turn();
	snprintf(sealed, sizeof(sealed), "%s/sealed", B->dir);
	return (struct size){ heap(), CRYPTO_secure_used(), entries("/proc/self/fd"), entries(sealed) + entries(B->dir) };
}

/* ---- an hour ---- */

/* From six addresses, each of which is evidence of its own; and again, which is not. */
static void attack(struct actor *a, unsigned int n)
{
	for (unsigned int i = 0; i < 12; i++) {
		struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000200 + i % 6) };
		struct nl_event e = { .type = AKM_EVENT_AUTH_FAIL + n % 4, .atr_id = 1, .member = (int32_t)(n % 3),
				      .suppressed = 1000 };

		memcpy(&e.source, &from, sizeof(from));
		fake_kernel_event(a->kernel, &e);
	}
}

static void hour_passes(unsigned int hour)
{
	unsigned int before[3];

	for (int i = 0; i < 3; i++) {
		clock_wind(20 * 60 * 1000);
		attack(B, 3 * hour + (unsigned int)i);
		world_turn();
	}
	for (size_t i = 0; i < 3; i++) {
		before[i] = fake_tpm_calls(world.nodes[i].tpm);
		fake_kernel_roll(world.nodes[i].kernel, "akm1");
	}
	/* One count seals an epoch. Then the write ends, and nothing else comes. */
	for (size_t i = 0; i < 3; i++)
		until(fake_tpm_calls(world.nodes[i].tpm) > before[i]);
	until(!tpmq_depth(A->env.q) && !tpmq_depth(B->env.q) && !tpmq_depth(C->env.q));
	assert_true(hears_all(3));
}

static void test_weeks_without_manager(void **state)
{
	unsigned int before;
	struct size start = {}, now;

	(void)state;
	actor_stop(M);
	actor_stop(R);
	for (unsigned int hour = 0; hour < HOURS; hour++) {
		if (hour == HOURS / 3)		/* the event log is full by then */
			start = measure();
		before = fake_tpm_calls(B->tpm);
		hour_passes(hour);
		/* Attacks cost none. P11. (A start does: its link key.) */
		if (hour % 100 != 51)
			assert_int_equal(fake_tpm_calls(B->tpm), before + 1);
		if (hour % 100 == 50) {
			actor_reboot(B);
			until(B->ready);
			assert_int_equal(fake_kernel_epoch(B->kernel, "akm1"), hour + 1);
		}
	}
	now = measure();
	print_message("heap %zu -> %zu, secrets %zu -> %zu, fds %zu -> %zu, events %lld bytes\n", start.heap, now.heap,
		      start.secrets, now.secrets, start.fds, now.fds, (long long)size_of(B, "events"));
	assert_in_range(now.heap, 0, start.heap + 256 * 1024);
	assert_int_equal(now.secrets, start.secrets);
	assert_int_equal(now.fds, start.fds);
	assert_int_equal(now.files, start.files);
	assert_in_range(size_of(B, "events"), 1, 5 * EVENTLOG_MAX * 256);

	/* All are back. */
	assert_int_equal(actor_start(R), 0);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && R->ready);
	until(!is_down(A) && !is_down(B) && !is_down(C));
	assert_true(all_on(3, 1));
	until(events_of(R, "auth-fail") > 100);
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	settle(2);
}

/* Every few seconds, not more often, and with jitter: a manager that comes back is not run over. */
static void test_attempts_back_off(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	unsigned int attempts = 0;
	int fd, conn, one = 1;

	(void)state;
	a.sin_port = htons(actor_port(M));
	actor_stop(M);
	actor_stop(B);
	actor_stop(C);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 16), 0);
	/* Twenty minutes; what takes no time takes a turn or two. */
	for (int s = 0; s < 4 * 20 * 60; s++) {
		clock_wind(250);
		world_turn();
		while ((conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
			attempts++;
			close(conn);
		}
	}
	close(fd);
	print_message("%u attempts in 20 minutes\n", attempts);
	assert_in_range(attempts, 20 * 60 / 10, 20 * 60 / 3);
}

#define story(t) cmocka_unit_test_setup_teardown(t, begin, world_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		story(test_weeks_without_manager),
		story(test_attempts_back_off),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
