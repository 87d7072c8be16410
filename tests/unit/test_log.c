// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <setjmp.h>
#include <cmocka.h>

#include "support_dir.h"
#include "util.h"

static int saved_stderr;
static char got[16384];

/* What one call writes to stderr, as a string in got[] */
static void capture_start(void)
{
	int fd = open(scratch_path("stderr"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
}

static void capture_end(void)
{
	assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
	close(saved_stderr);
	got[scratch_read("stderr", got, sizeof(got) - 1)] = '\0';
}

#define CAPTURE(call) do { capture_start(); call; capture_end(); } while (0)

static int setup(void **state)
{
	(void)state;
	scratch_make();
	unsetenv("JOURNAL_STREAM");
	akm_log_init("akmd", AKM_LOG_INFO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	akm_log_exit();
	scratch_remove();
	return 0;
}

static void test_line(void **state)
{
	(void)state;
	CAPTURE(log_info("node is up node=%s n=%d", "EdgeNodeA", 7));
	assert_string_equal(got, "akmd: node is up node=EdgeNodeA n=7\n");
	CAPTURE(log_err("no TPM"));
	assert_string_equal(got, "akmd: error: no TPM\n");
	CAPTURE(akm_log_id(AKM_LOG_NOTICE, "0123", "ready name=%s", "A"));
	assert_string_equal(got, "akmd: ready name=A\n");
	CAPTURE(akm_log_id(AKM_LOG_DEBUG, "0123", "detail"));
	assert_string_equal(got, "");
	CAPTURE(log_warning("slow"));
	assert_string_equal(got, "akmd: warning: slow\n");
}

static void test_level(void **state)
{
	(void)state;
	CAPTURE(log_debug("detail"));
	assert_string_equal(got, "");
	akm_log_init("akmd", AKM_LOG_DEBUG);
	CAPTURE(log_debug("detail"));
	assert_string_equal(got, "akmd: debug: detail\n");
	akm_log_init("akmd", AKM_LOG_ERR);
	CAPTURE(log_notice("detail"));
	assert_string_equal(got, "");
}

static void test_injection(void **state)
{
	(void)state;
	CAPTURE(log_info("hello from name=%s", "a\nakmd: provisioned\x1b[2J\r\t\x7f"));
	assert_string_equal(got, "akmd: hello from name=a\\x0aakmd: provisioned\\x1b[2J\\x0d\\x09\\x7f\n");
	/* U+0085 is a control, C0 80 and E0 80 80 are overlong, ED A0 80 is a surrogate, F4 90 … lies beyond Unicode */
	CAPTURE(log_info("%s", "\xc2\x85|\xc0\x80|\xe0\x80\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xff"));
	assert_string_equal(got, "akmd: \\xc2\\x85|\\xc0\\x80|\\xe0\\x80\\x80|\\xed\\xa0\\x80|\\xf4\\x90\\x80\\x80|\\xff\n");
	CAPTURE(log_info("%s", "größe → 𝄞 \xe2\x86"));
	assert_string_equal(got, "akmd: größe → 𝄞 \\xe2\\x86\n");
}

static void test_long(void **state)
{
	char text[5000];

	(void)state;
	memset(text, '\n', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	CAPTURE(log_info("%s", text));
	assert_int_equal(strlen(got), strlen("akmd: ") + 1023 * 4 + 1);
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
}

static void test_errno(void **state)
{
	(void)state;
	errno = ENOKEY;
	CAPTURE(errno = ENOKEY; log_info("x"); assert_int_equal(errno, ENOKEY));
}

static int journal_listen(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", scratch_path("journal"));
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	return fd;
}

static void test_journal(void **state)
{
	int fd = journal_listen();
	ssize_t n;

	(void)state;
	assert_int_equal(akm_log_journal(scratch_path("journal")), 0);
	CAPTURE(log_warning("replay seen  atr=#1 member=3 Upper=1 =2 x key-id=0xab text=a\nMESSAGE=forged"));
	assert_string_equal(got, "");
	n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "PRIORITY=4\nSYSLOG_IDENTIFIER=akmd\n"
			    "MESSAGE=replay seen  atr=#1 member=3 Upper=1 =2 x key-id=0xab text=a\\x0aMESSAGE=forged\n"
			    "AKM_ATR=#1\nAKM_MEMBER=3\nAKM_KEY_ID=0xab\nAKM_TEXT=a\\x0aMESSAGE=forged\n");
	/* The ID is a field of its own, in front of what a peer may have a hand in. */
	CAPTURE(akm_log_id(AKM_LOG_NOTICE, "0123", "event: x\nMESSAGE_ID=ab kind=replay"));
	assert_string_equal(got, "");
	n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "PRIORITY=5\nSYSLOG_IDENTIFIER=akmd\nMESSAGE_ID=0123\n"
			    "MESSAGE=event: x\\x0aMESSAGE_ID=ab kind=replay\nAKM_KIND=replay\n");
	close(fd);
	/* The journal went away: the line is not lost. */
	CAPTURE(log_info("still here"));
	assert_string_equal(got, "akmd: still here\n");
}

static void test_journal_absent(void **state)
{
	char path[200];

	(void)state;
	assert_int_equal(akm_log_journal(scratch_path("none")), -ENOENT);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(akm_log_journal(path), -ENAMETOOLONG);
	CAPTURE(log_info("x"));
	assert_string_equal(got, "akmd: x\n");
}

static void test_journal_stream(void **state)
{
	char id[64];
	struct stat st;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	/* Another stream's number: stderr was redirected, and it is what counts. */
	snprintf(id, sizeof(id), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + 1);
	assert_int_equal(setenv("JOURNAL_STREAM", id, 1), 0);
	CAPTURE(akm_log_init("akmd", AKM_LOG_INFO); log_info("x"));
	assert_string_equal(got, "akmd: x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level, setup, teardown),
		cmocka_unit_test_setup_teardown(test_injection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errno, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_stream, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
