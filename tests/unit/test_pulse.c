// SPDX-License-Identifier: GPL-2.0
/* The event loop's own watch, with a clock that the test sets. */
#include <sys/socket.h>
#include <sys/un.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "clock.h"
#include "log.h"
#include "support_dir.h"

static uint64_t fake_now;
#define now_ms() fake_now
#include "pulse.c"			/* instead of the archive's */
#undef now_ms

static struct event_base *base;

static int setup(void **state)
{
	(void)state;
	akm_log_init("test", AKM_LOG_ERR);
	scratch_make();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	fake_now = 1000000;
	base = event_base_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	event_base_free(base);
	scratch_remove();
	return 0;
}

static const char *state_of(const struct pulse *p)
{
	struct json_object *o = json_object_new_object();
	static char text[16];
	struct health h;

	health_init(&h);
	pulse_health(p, &h);
	health_end(&h, o);
	snprintf(text, sizeof(text), "%s",
		 json_object_get_string(json_object_object_get(json_object_object_get(o, "health"), "state")));
	json_object_put(o);
	return text;
}

static void beat(struct pulse *p, uint64_t after)
{
	fake_now += after;
	on_beat(-1, 0, p);
}

static void test_stall(void **state)
{
	struct pulse *p;

	(void)state;
	assert_int_equal(pulse_new(base, &p), 0);
	assert_string_equal(state_of(NULL), "healthy");
	for (int i = 0; i < 10; i++)
		beat(p, PULSE_MS + PULSE_LATE_MS);	/* a busy machine */
	assert_string_equal(state_of(p), "healthy");
	beat(p, PULSE_MS + PULSE_LATE_MS + 1);
	assert_string_equal(state_of(p), "warning");
	/* It is no longer late, and told for an hour. */
	beat(p, PULSE_MS);
	fake_now += PULSE_REMEMBERED_MS - PULSE_MS;
	assert_string_equal(state_of(p), "warning");
	fake_now++;
	assert_string_equal(state_of(p), "healthy");
	pulse_free(p);
}

/* What the service manager's socket got, "" for nothing */
static const char *fed(int fd)
{
	static char buf[64];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void test_watchdog(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pulse *p;
	char pid[16];

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", scratch_path("notify"));
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
	setenv("WATCHDOG_USEC", "1500000", 1);
	/* Another process is meant. */
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(pulse_new(base, &p), 0);
	beat(p, PULSE_MS);
	assert_string_equal(fed(fd), "");
	pulse_free(p);

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(pulse_new(base, &p), 0);
	assert_int_equal(p->interval_ms, 500);	/* three times in the time that is allowed */
	beat(p, p->interval_ms);
	assert_string_equal(fed(fd), "WATCHDOG=1");
	pulse_free(p);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stall, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watchdog, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
