// SPDX-License-Identifier: GPL-2.0
/* Telling the service manager, and small files that are replaced as a whole. */
#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include "durable.h"
#include "support_dir.h"

static int teardown(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	scratch_remove();
	return 0;
}

static int listen_at(const char *path, bool abstract)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (abstract)
		a.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))), 0);
	return fd;
}

static void assert_hears(int fd, const char *text)
{
	char buf[64] = "";

	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), (ssize_t)strlen(text));
	assert_string_equal(buf, text);
	close(fd);
}

static void test_notify(void **state)
{
	char abstract[64];
	int fd;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_send("READY=1"), 0);

	fd = listen_at(scratch_path("notify"), false);
	setenv("NOTIFY_SOCKET", scratch_path("notify"), 1);
	assert_int_equal(notify_send("READY=1"), 0);
	assert_hears(fd, "READY=1");
	assert_int_equal(notify_send("READY=1"), -ECONNREFUSED);

	snprintf(abstract, sizeof(abstract), "@akm-test-%d", (int)getpid());
	fd = listen_at(abstract, true);
	setenv("NOTIFY_SOCKET", abstract, 1);
	assert_int_equal(notify_send("STOPPING=1"), 0);
	assert_hears(fd, "STOPPING=1");
}

static void test_notify_bad_paths(void **state)
{
	char longer[200];

	(void)state;
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_send("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_send("READY=1"), -EINVAL);
	memset(longer, '/', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longer, 1);
	assert_int_equal(notify_send("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", "/does/not/exist", 1);
	assert_int_equal(notify_send("READY=1"), -ENOENT);
}

static void test_durable(void **state)
{
	struct akm_blob b = {};
	struct stat st;

	(void)state;
	assert_int_equal(durable_read(scratch_path("f"), 10, &b), -ENOENT);
	assert_int_equal(durable_write(scratch_path("f"), "0123456789", 10), 0);
	assert_int_equal(durable_read(scratch_path("f"), 9, &b), -EFBIG);
	assert_int_equal(durable_read(scratch_path("f"), 10, &b), 0);
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.data, "0123456789", 10);
	akm_blob_free(&b);
	assert_int_equal(durable_write(scratch_path("f"), "x", 1), 0);
	assert_int_equal(stat(scratch_path("f"), &st), 0);
	assert_int_equal(st.st_size, 1);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(scratch_count(""), 1);		/* nothing of the replacing is left */
	assert_int_equal(durable_unlink(scratch_path("f")), 0);
	assert_int_equal(durable_unlink(scratch_path("f")), 0);
	assert_int_equal(durable_write(scratch_path("no/dir"), "x", 1), -ENOENT);
}

/* A link put in the way is not followed. */
static void test_durable_links(void **state)
{
	struct akm_blob b = {};

	(void)state;
	scratch_write("target", "precious", 8);
	assert_int_equal(symlink(scratch_path("target"), scratch_path("f.new")), 0);
	assert_int_equal(durable_write(scratch_path("f"), "x", 1), -ELOOP);
	assert_int_equal(symlink(scratch_path("target"), scratch_path("g")), 0);
	assert_int_equal(durable_read(scratch_path("g"), 10, &b), -ELOOP);
	assert_int_equal(durable_read(scratch_path("target"), 10, &b), 0);
	assert_memory_equal(b.data, "precious", 8);
	akm_blob_free(&b);
}

#define notify_test(t) cmocka_unit_test_setup_teardown(t, scratch_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		notify_test(test_notify),
		notify_test(test_notify_bad_paths),
		notify_test(test_durable),
		notify_test(test_durable_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
