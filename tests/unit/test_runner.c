// SPDX-License-Identifier: GPL-2.0
/* The runner and real programs: good ones, bad ones, and files that must not be run. As root, or there is no runner. */
#define _GNU_SOURCE
#include "runner.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "../../include/akm-hook.h"
#include "clock.h"
#include "secret.h"
#include "support_dir.h"

#define WAIT_MS	20000
#define NOBODY	65534

static int sock = -1;
static uint64_t last_id;
static char hooks[300];

static bool is_root(void)
{
	return geteuid() == 0;
}

static struct runner_config config_of(uint32_t timeout_ms)
{
	return (struct runner_config){ .directory = hooks, .user = "nobody", .timeout_ms = timeout_ms };
}

static int begin(uint32_t timeout_ms)
{
	struct runner_config c = config_of(timeout_ms);
	struct akm_error err = {};
	int r = runner_start(&c, &sock, &err);

	if (r < 0)
		print_error("%s: %s\n", err.field, err.reason);
	return r;
}

static int setup(void **state)
{
	(void)state;
	scratch_make();
	snprintf(hooks, sizeof(hooks), "%s/hooks", scratch_dir());
	return chmod(scratch_dir(), 0711) ?: mkdir(hooks, 0755) ?: chmod(hooks, 0755);
}

static int teardown(void **state)
{
	(void)state;
	closep(&sock);
	sock = -1;
	scratch_remove();
	return 0;
}

static const char *file(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "hooks/%s", name);
	return scratch_path(path);
}

static void put(const char *name, const char *text, mode_t mode)
{
	char path[300];

	snprintf(path, sizeof(path), "hooks/%s", name);
	scratch_write(path, text, strlen(text));
	assert_int_equal(chmod(scratch_path(path), mode), 0);
}

static uint64_t order(const char *name, const char *record)
{
	struct runner_order o = { .id = ++last_id };
	size_t len = strlen(record);

	snprintf(o.name, sizeof(o.name), "%s", name);
	memcpy(o.record, record, len);
	assert_int_equal(send(sock, &o, RUNNER_ORDER_MIN + len, 0), RUNNER_ORDER_MIN + len);
	return o.id;
}

static struct runner_result answer(void)
{
	struct runner_result r = {};
	struct pollfd p = { .fd = sock, .events = POLLIN };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(recv(sock, &r, sizeof(r), 0), sizeof(r));
	return r;
}

static struct runner_result run(const char *name, const char *record)
{
	uint64_t id = order(name, record);
	struct runner_result r = answer();

	assert_int_equal(r.id, id);
	return r;
}

/* What the shell script @body says in its first line */
static struct runner_result script(const char *body)
{
	char text[512];

	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	put("script", text, 0755);
	return run("script", "{}\n");
}

static void says(const char *body, const char *wanted)
{
	struct runner_result r = script(body);

	assert_string_equal(r.said, wanted);
	assert_int_equal(r.end, RUNNER_EXITED);
	assert_int_equal(r.code, 0);
}

static bool gone(pid_t pid)
{
	char path[64], line[256] = "", *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return true;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	state = strrchr(line, ')');
	return !state || state[2] == 'Z' || state[2] == 'X';
}

#define until(what) do {						\
	uint64_t until_ = now_ms() + WAIT_MS;				\
	while (!(what)) {						\
		assert_true(now_ms() < until_);				\
		poll(NULL, 0, 2);					\
	}								\
} while (0)

/* ---- what it has, and what programs get ---- */

static void test_record(void **state)
{
	static char whole[RUNNER_RECORD_MAX + 1];
	struct runner_result r;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	put("hear", "#!/bin/sh\ncat\n", 0755);
	r = run("hear", "{\"rule\":\"noise\"}\nmore");
	assert_string_equal(r.said, "{\"rule\":\"noise\"}");
	assert_int_equal(r.end, RUNNER_EXITED);
	memset(whole, 'x', sizeof(whole) - 1);
	put("count", "#!/bin/sh\nwc -c\n", 0755);
	assert_string_equal(run("count", whole).said, "4096");
	assert_string_equal(run("count", "").said, "0");
	/* It cannot change what the next one reads, nor be kept waiting by one that does not read. */
	says("{ echo x >&0; } 2>/dev/null || echo refused", "refused");
}

static void test_surroundings(void **state)
{
	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	says("tr '\\0' ' ' </proc/$$/environ", "PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LANG=C.UTF-8 ");
	says("echo $# $0", "0 /dev/fd/3");
	says("pwd", "/");
	says("id -ru; ", "65534");
	says("id -G", "65534");
	says("umask", "0077");
	says("ulimit -c; ", "0");
	says("awk '/^(Cap|NoNewPrivs)/ {printf \"%s \", $2}' /proc/self/status",
	     "0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 1 ");
	/* 3 is the script itself, 4 the directory that is read */
	says("exec ls -m /proc/self/fd", "0, 1, 2, 3, 4");
}

/* The process itself: nothing locked, nothing of the daemon's but one socket, no rights. */
static size_t entries(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void status_has(pid_t pid, const char *line)
{
	char path[64], text[8192];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	if (!strstr(text, line))
		fail_msg("no \"%s\" in %s", line, text);
}

static pid_t runner_pid(void)
{
	return atoi(script("echo $PPID").said);
}

static void test_runner_has_nothing(void **state)
{
	char path[64];
	struct stat st;
	pid_t pid;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	pid = runner_pid();
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	assert_int_equal(entries(path), 4);
	/* Not dumpable: a program of the same user may neither look into its memory nor take its socket. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	status_has(pid, "Name:\takmd-hooks\n");
	status_has(pid, "Uid:\t65534\t65534\t65534\t65534\n");
	status_has(pid, "Gid:\t65534\t65534\t65534\t65534\n");
	status_has(pid, "Groups:\t \n");
	status_has(pid, "CapPrm:\t0000000000000000\n");
	status_has(pid, "CapBnd:\t0000000000000000\n");
	status_has(pid, "NoNewPrivs:\t1\n");
	status_has(pid, "VmLck:\t       0 kB\n");
}

/* ---- how programs end ---- */

static void test_ends(void **state)
{
	struct runner_result r;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	r = script("echo no route >&2; exit 3");
	assert_int_equal(r.end, RUNNER_EXITED);
	assert_int_equal(r.code, 3);
	assert_string_equal(r.said, "no route");
	r = script("kill -TERM $$");
	assert_int_equal(r.end, RUNNER_KILLED);
	assert_int_equal(r.code, SIGTERM);
	put("lost", "#!/nowhere/sh\n", 0755);
	r = run("lost", "{}");
	assert_int_equal(r.end, RUNNER_EXITED);
	assert_int_equal(r.code, 127);
	assert_string_equal(r.said, "cannot be executed: No such file or directory");
	put("mine", "#!/bin/sh\n", 0700);
	assert_string_equal(run("mine", "{}").said, "cannot be executed: Permission denied");
}

/* What hangs is killed, and what it started as well, also if it ended itself. */
static void test_hang(void **state)
{
	struct runner_result r;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(300), 0);
	r = script("trap '' TERM; sleep 1000 & echo $!; wait");
	assert_int_equal(r.end, RUNNER_TIMED_OUT);
	assert_true(r.ms >= 300 && atoi(r.said) > 0);
	until(gone(atoi(r.said)));
	close(sock);
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	r = script("sleep 1000 & echo $!");
	assert_int_equal(r.end, RUNNER_EXITED);
	until(gone(atoi(r.said)));
}

static void test_flood(void **state)
{
	struct runner_result r;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	r = script("exec yes flood");
	assert_int_equal(r.end, RUNNER_KILLED);
	assert_int_equal(r.code, SIGPIPE);
	assert_string_equal(r.said, "flood");
	r = script("head -c 100000 /dev/zero | tr '\\0' x");
	assert_int_equal(strlen(r.said), RUNNER_SAID_LEN - 1);
	says("true", "");
}

static size_t children(pid_t pid)
{
	char path[64];
	size_t n = 0;
	int child;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fscanf(f, "%d", &child) == 1)
		n++;
	fclose(f);
	return n;
}

static void test_at_once(void **state)
{
	uint64_t seen = 0;
	char text[400];
	pid_t pid;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	pid = runner_pid();
	snprintf(text, sizeof(text), "#!/bin/sh\nwhile [ ! -e %s/go ]; do sleep 0.01; done\n", scratch_dir());
	put("wait", text, 0755);
	for (int i = 0; i < RUNNER_AT_ONCE + 2; i++)
		order("wait", "{}");
	until(children(pid) == RUNNER_AT_ONCE);
	for (int i = 0; i < 50; i++) {
		poll(NULL, 0, 1);		/* it would need no longer than for the first ones */
		assert_int_equal(children(pid), RUNNER_AT_ONCE);
	}
	scratch_write("go", "", 0);
	for (int i = 0; i < RUNNER_AT_ONCE + 2; i++) {
		struct runner_result r = answer();

		assert_int_equal(r.end, RUNNER_EXITED);
		seen |= 1ULL << (last_id - r.id);
	}
	assert_int_equal(seen, (1U << (RUNNER_AT_ONCE + 2)) - 1);
}

static void test_hour(void **state)
{
	struct runner_result r;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	put("true", "#!/bin/true\n", 0755);
	for (int i = 0; i < RUNNER_HOUR_MAX; i++)
		assert_int_equal(run("true", "{}").end, RUNNER_EXITED);
	r = run("true", "{}");
	assert_int_equal(r.end, RUNNER_REFUSED);
	assert_string_equal(r.said, "120 programs were started within an hour");
}

/* ---- how it ends ---- */

static bool at_end(void)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char c;

	return poll(&p, 1, WAIT_MS) == 1 && recv(sock, &c, 1, 0) == 0;
}

static void test_ends_with_the_socket(void **state)
{
	char path[64];
	FILE *f;
	pid_t pid;
	int child = 0;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	pid = runner_pid();
	put("hang", "#!/bin/sh\nexec sleep 1000\n", 0755);
	order("hang", "{}");
	until(children(pid) == 1);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &child), 1);
	fclose(f);
	close(sock);
	sock = -1;
	until(gone(pid) && gone(child));
}

/* The daemon is killed, and somebody else still holds its socket: that does not keep the runner alive. */
static void test_ends_with_the_daemon(void **state)
{
	int status, pids[2] = {}, tell[2], keep[2];
	pid_t daemon;

	(void)state;
	if (!is_root())
		skip();
	put("hang", "#!/bin/sh\nexec sleep 1000\n", 0755);
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, keep), 0);
	signal(SIGCHLD, SIG_DFL);
	daemon = fork();
	if (!daemon) {
		char control[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
		struct iovec iov = { &byte, 1 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		if (begin(RUNNER_TIMEOUT_MS) < 0)
			_exit(1);
		pids[0] = runner_pid();
		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(c), &sock, sizeof(int));
		order("hang", "{}");
		until(children(pids[0]) == 1);
		if (sendmsg(keep[1], &m, 0) != 1 || write(tell[1], pids, sizeof(pids)) != sizeof(pids))
			_exit(1);
		pause();
	}
	assert_int_equal(read(tell[0], pids, sizeof(pids)), sizeof(pids));
	assert_false(gone(pids[0]));
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	until(gone(pids[0]));
	for (int i = 0; i < 2; i++) {
		close(tell[i]);
		close(keep[i]);
	}
}

static void test_no_order(void **state)
{
	static const char *const names[] = { "../script", ".script", "" };
	struct runner_order o = { .id = 1, .name = "script" };

	(void)state;
	if (!is_root())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
		order(names[i], "{}");
		assert_true(at_end());
		close(sock);
	}
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	assert_int_equal(send(sock, &o, RUNNER_ORDER_MIN - 1, 0), RUNNER_ORDER_MIN - 1);
	assert_true(at_end());
	close(sock);
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	memset(o.name, 'x', sizeof(o.name));
	assert_int_equal(send(sock, &o, RUNNER_ORDER_MIN, 0), RUNNER_ORDER_MIN);
	assert_true(at_end());
}

/* ---- files that are not run ---- */

/* The reason ends so; before that it has the path. */
static void refused(const char *name, int code, const char *reason)
{
	char got[HOOK_REASON_LEN] = "";
	int r = hookfile_open(hooks, name, got);

	assert_true(strlen(got) >= strlen(reason));
	assert_string_equal(got + strlen(got) - strlen(reason), reason);
	assert_int_equal(r, code);
}

static void fine(const char *name)
{
	char got[HOOK_REASON_LEN] = "";
	int fd = hookfile_open(hooks, name, got);

	assert_string_equal(got, "");
	assert_true(fd >= 0);
	close(fd);
}

static void test_files(void **state)
{
	(void)state;
	if (!is_root())
		skip();
	put("good", "#!/bin/sh\n", 0755);
	fine("good");
	refused("missing", -ENOENT, "/missing: No such file or directory");
	assert_int_equal(symlink("good", file("link")), 0);
	refused("link", -ELOOP, "/link is a symbolic link");
	assert_int_equal(mkdir(file("dir"), 0755), 0);
	refused("dir", -EACCES, "/dir is no regular file");
	put("plain", "#!/bin/sh\n", 0644);
	refused("plain", -EACCES, "/plain may be executed by nobody (mode 0644)");
	put("group", "#!/bin/sh\n", 0775);
	refused("group", -EPERM, "/group may be written by its group or by others (mode 0775)");
	put("others", "#!/bin/sh\n", 0757);
	refused("others", -EPERM, "/others may be written by its group or by others (mode 0757)");
	put("sticky", "#!/bin/sh\n", 01757);
	refused("sticky", -EPERM, "/sticky may be written by its group or by others (mode 1757)");
	put("theirs", "#!/bin/sh\n", 0755);
	assert_int_equal(chown(file("theirs"), NOBODY, 0), 0);
	refused("theirs", -EPERM, "/theirs belongs to user 65534, not to root");
	refused("", -EINVAL, "\"\" cannot be the name of a program");
	refused("..", -EINVAL, "\"..\" cannot be the name of a program");
	refused("a/b", -EINVAL, "\"a/b\" cannot be the name of a program");
}

static void test_directories(void **state)
{
	(void)state;
	if (!is_root())
		skip();
	put("good", "#!/bin/sh\n", 0755);
	assert_int_equal(chmod(hooks, 0775), 0);
	refused("good", -EPERM, " may be written by its group or by others (mode 0775)");
	assert_int_equal(chmod(hooks, 01777), 0);
	refused("good", -EPERM, " may be written by its group or by others (mode 1777)");
	assert_int_equal(chmod(hooks, 0755) ?: chown(hooks, NOBODY, 0), 0);
	refused("good", -EPERM, " belongs to user 65534, not to root");
	assert_int_equal(chown(hooks, 0, 0) ?: chmod(scratch_dir(), 0733), 0);
	snprintf(hooks, sizeof(hooks), "%s", scratch_dir());
	refused("good", -EPERM, " may be written by its group or by others (mode 0733)");
	snprintf(hooks, sizeof(hooks), "%s/hooks", scratch_dir());
	assert_int_equal(chmod(scratch_dir(), 01733), 0);
	fine("good");				/* above the last one, what is root's stays where it is */
	assert_int_equal(symlink("hooks", scratch_path("way")), 0);
	snprintf(hooks, sizeof(hooks), "%s/way/", scratch_dir());
	assert_int_equal(hookfile_open(hooks, "good", (char[HOOK_REASON_LEN]){}), -ELOOP);
	snprintf(hooks, sizeof(hooks), "%s//hooks///", scratch_dir());
	fine("good");
	assert_int_equal(hookfile_open("hooks", "good", (char[HOOK_REASON_LEN]){}), -EINVAL);
}

/* The runner looks each time, and what was replaced meanwhile is looked at again. */
static void test_not_run(void **state)
{
	struct runner_result r;

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(begin(RUNNER_TIMEOUT_MS), 0);
	says("echo one", "one");
	assert_int_equal(chmod(file("script"), 0777), 0);
	r = run("script", "{}");
	assert_int_equal(r.end, RUNNER_REFUSED);
	assert_non_null(strstr(r.said, "/script may be written by its group"));
	assert_int_equal(unlink(file("script")), 0);
	assert_int_equal(run("script", "{}").end, RUNNER_REFUSED);
	says("echo two", "two");
}

/* ---- where there is none ---- */

static void no_runner(struct runner_config c, int code, const char *field, const char *reason)
{
	struct akm_error err = {};
	int fd = -1;

	assert_int_equal(runner_start(&c, &fd, &err), code);
	assert_int_equal(fd, -1);
	assert_string_equal(err.field, field);
	if (!strstr(err.reason, reason))
		fail_msg("%s", err.reason);
}

static void test_no_runner(void **state)
{
	struct runner_config c = config_of(RUNNER_TIMEOUT_MS);

	(void)state;
	if (is_root()) {
		c.user = "root";
		no_runner(c, -EINVAL, "hooks_user", "root is root");
		c.user = "no such user";
		no_runner(c, -ENOENT, "hooks_user", "no such user");
		c.user = c.daemon_user = "nobody";
		no_runner(c, -EINVAL, "hooks_user", "nobody is who akmd is");
	} else {
		no_runner(c, -EPERM, "hooks", "start akmd as root");
	}
}

/* Last, it stays: a copy of the process would have a copy of its secrets. */
static void test_not_beside_secrets(void **state)
{
	(void)state;
	if (akm_secret_init(1U << 16) < 0)
		skip();
	no_runner(config_of(RUNNER_TIMEOUT_MS), -EBUSY, "hooks", "secrets");
	akm_secret_exit();
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_record), T(test_surroundings), T(test_runner_has_nothing), T(test_ends), T(test_hang),
		T(test_flood), T(test_at_once), T(test_hour), T(test_ends_with_the_socket),
		T(test_ends_with_the_daemon), T(test_no_order), T(test_files), T(test_directories), T(test_not_run),
		T(test_no_runner), T(test_not_beside_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
