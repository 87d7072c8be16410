// SPDX-License-Identifier: GPL-2.0
/* Each check runs in a child: what is dropped does not come back. */
#define _GNU_SOURCE
#include "priv.h"

#include <arpa/inet.h>
#include <cap-ng.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_dir.h"

#define KILLED 1000

/* The exit status of a child that runs @fn, or KILLED + signal */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

#define CHECK(what) do { if (!(what)) { print_error("line %d: %s (%s)\n", __LINE__, #what, strerror(errno)); return 1; } } while (0)

/* It does not know seccomp(2). */
static bool on_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

static bool is_root(void)
{
	return geteuid() == 0;
}

/* priv_harden() */

static int hardened(void)
{
	struct akm_error err = {};
	struct rlimit rl;
	struct stat st;
	char buf[8192];
	ssize_t n;
	int fd[2];
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	const struct rlimit few = { 256, 4096 };
	bool lockable = setrlimit(RLIMIT_MEMLOCK, &all) == 0;

	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK(priv_harden(&err) == !lockable);
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	CHECK(getrlimit(RLIMIT_CORE, &rl) == 0 && rl.rlim_cur == 0 && rl.rlim_max == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur == 4096 && rl.rlim_max == 4096);
	fd[0] = open(scratch_path("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
	CHECK(fd[0] >= 0 && fstat(fd[0], &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(pipe(fd) == 0 && close(fd[0]) == 0);
	CHECK(write(fd[1], "x", 1) == -1 && errno == EPIPE);
	fd[0] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	n = read(fd[0], buf, sizeof(buf) - 1);
	CHECK(n > 0);
	buf[n] = '\0';
	CHECK(!lockable || !strstr(buf, "VmLck:\t       0 kB"));
	return 0;
}

static void test_harden(void **state)
{
	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(in_child(hardened), 0);
}

static int harden_without_memlock(void)
{
	const struct rlimit none = {};
	struct akm_error err = {};

	CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	CHECK(!is_root() || setresuid(65534, 65534, 65534) == 0);
	CHECK(priv_harden(&err) == 1);
	CHECK(strcmp(err.field, "memory") == 0 && strstr(err.reason, "LimitMEMLOCK"));
	return 0;
}

static void test_harden_without_memlock(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden_without_memlock), 0);
}

static int crash(void)
{
	struct akm_error err = {};

	if (priv_harden(&err) < 0 || chdir(scratch_dir()) < 0)
		return 1;
	abort();
}

static void test_no_core(void **state)
{
	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(in_child(crash), KILLED + SIGABRT);
	assert_int_equal(scratch_count(""), 0);
}

/* priv_drop(): identity */

static int dropped(const char *user, bool net_admin)
{
	struct akm_error err = {};
	int r = priv_drop(user, net_admin, &err);

	if (r < 0)
		print_error("%s: %s\n", err.field, err.reason);
	return r;
}

static bool only(int cap)
{
	int i;

	if (capng_get_caps_process() < 0)
		return false;
	for (i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++) {
		if (prctl(PR_CAPBSET_READ, i) != 0)
			return false;
		if (capng_have_capability(CAPNG_EFFECTIVE, (unsigned int)i) != (i == cap) ||
		    capng_have_capability(CAPNG_PERMITTED, (unsigned int)i) != (i == cap) ||
		    capng_have_capability(CAPNG_INHERITABLE, (unsigned int)i))
			return false;
	}
	return i > 30;
}

static int drop_all(void)
{
	CHECK(dropped(NULL, false) == 0);
	CHECK(only(-1));
	CHECK(syscall(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
	return 0;
}

static int drop_keep_net_admin(void)
{
	CHECK(dropped(NULL, true) == 0);
	CHECK(only(CAP_NET_ADMIN));
	return 0;
}

static int drop_to_user(void)
{
	CHECK(dropped("nobody", true) == 0);
	CHECK(getuid() == 65534 && geteuid() == 65534 && getgid() == 65534);
	CHECK(getgroups(0, NULL) <= 1);
	CHECK(only(CAP_NET_ADMIN));
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	CHECK(open("/etc/shadow", O_RDONLY | O_CLOEXEC) == -1 && errno == EACCES);
	return 0;
}

static int drop_to_nobody_known(void)
{
	struct akm_error err = {};

	CHECK(priv_drop("no-such-user", false, &err) == -ENOENT);
	CHECK(strcmp(err.field, "user") == 0);
	return 0;
}

static int drop_without_net_admin(void)
{
	struct akm_error err = {};

	CHECK(setresuid(65534, 65534, 65534) == 0);
	CHECK(priv_drop(NULL, true, &err) == -EPERM);
	CHECK(strcmp(err.field, "capabilities") == 0 && strstr(err.reason, "CAP_NET_ADMIN is missing"));
	CHECK(dropped(NULL, false) == 0);
	return 0;
}

static void test_capabilities(void **state)
{
	(void)state;
	if (on_valgrind())
		skip();
	if (!is_root())
		skip();
	assert_int_equal(in_child(drop_all), 0);
	assert_int_equal(in_child(drop_keep_net_admin), 0);
	assert_int_equal(in_child(drop_to_user), 0);
	assert_int_equal(in_child(drop_to_nobody_known), 0);
	assert_int_equal(in_child(drop_without_net_admin), 0);
}

static void *wait_forever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static int drop_with_threads(void)
{
	struct akm_error err = {};
	pthread_t t;

	CHECK(pthread_create(&t, NULL, wait_forever, NULL) == 0);
	CHECK(priv_drop(NULL, false, &err) == -EBUSY);
	CHECK(strcmp(err.field, "threads") == 0);
	return 0;
}

static void test_threads_first(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_with_threads), 0);
}

/* priv_drop(): system calls. Every one of these must kill, and not by chance: drop_all() alone does not. */

static int try_exec(void)
{
	if (dropped(NULL, false) < 0)
		return 1;
	execl("/bin/true", "true", NULL);
	return 2;
}

static int try_fork(void)
{
	if (dropped(NULL, false) < 0)
		return 1;
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0 ? 0 : 2;
}

#define TRY(name, call) static int name(void) { if (dropped(NULL, false) < 0) return 1; (void)!(call); return 2; }
TRY(try_ptrace, syscall(SYS_ptrace, 0, 0, 0, 0))
TRY(try_mount, syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL))
TRY(try_setuid, syscall(SYS_setuid, 0))
TRY(try_kill, kill(1, 0))
TRY(try_keyctl, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
TRY(try_bpf, syscall(SYS_bpf, 0, NULL, 0))
TRY(try_module, syscall(SYS_init_module, NULL, 0, ""))
TRY(try_process_vm, syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0))
TRY(try_unshare, syscall(SYS_unshare, 0))
TRY(try_ioctl, ioctl(0, TIOCSTI, "x"))
TRY(try_dumpable, prctl(PR_SET_DUMPABLE, 1))
#ifdef __x86_64__
TRY(try_i386, ({ long r; __asm__ volatile("int $0x80" : "=a"(r) : "0"(20L) : "memory"); r; }))
#endif

static void test_killed(void **state)
{
	static int (*const tries[])(void) = {
		try_exec, try_fork, try_ptrace, try_mount, try_setuid, try_kill, try_keyctl, try_bpf, try_module, try_process_vm,
		try_unshare, try_ioctl, try_dumpable,
#ifdef __x86_64__
		try_i386,
#endif
	};
	size_t i;
	int r;

	(void)state;
	if (on_valgrind())
		skip();
	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		r = in_child(tries[i]);
		if (r != KILLED + SIGSYS)
			print_error("try %zu: %d\n", i, r);
		assert_int_equal(r, KILLED + SIGSYS);
	}
}

static int refused_softly(void)
{
	CHECK(dropped(NULL, false) == 0);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) == -1 && errno == EAFNOSUPPORT);
	CHECK(socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0) == -1 && errno == EAFNOSUPPORT);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EPERM);
	return 0;
}

static void test_refused_softly(void **state)
{
	(void)state;
	if (on_valgrind())
		skip();
	assert_int_equal(in_child(refused_softly), 0);
}

/* What akmd does must go on: a walk through its libraries under the filter. */

static void *in_thread(void *arg)
{
	char *p = malloc(1 << 20);

	*(int *)arg = p != NULL;
	free(p);
	return NULL;
}

static int use_threads(void)
{
	pthread_t t;
	int ok = 0;

	CHECK(pthread_create(&t, NULL, in_thread, &ok) == 0 && pthread_join(t, NULL) == 0);
	CHECK(ok);
	return 0;
}

static int use_sqlite(void)
{
	sqlite3 *db;

	CHECK(sqlite3_open(scratch_path("db"), &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(100000));"
			       "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_close(db) == SQLITE_OK);
	return 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	++*(int *)arg;
}

static int use_event_loop(void)
{
	const struct timeval ms = { 0, 1000 };
	struct event_base *base = event_base_new();
	struct event *sig, *timer;
	int n = 0;

	CHECK(base);
	sig = evsignal_new(base, SIGUSR1, on_timer, &n);
	timer = evtimer_new(base, on_timer, &n);
	CHECK(event_add(sig, NULL) == 0 && event_add(timer, &ms) == 0);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(event_base_loop(base, EVLOOP_ONCE) == 0 && (n == 2 || event_base_loop(base, EVLOOP_ONCE) == 0));
	CHECK(n == 2);
	event_free(sig);
	event_free(timer);
	event_base_free(base);
	return 0;
}

static int use_sockets(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct addrinfo *ai;
	char byte;
	int s;

	CHECK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind(l, (struct sockaddr *)&in, sizeof(in)) == 0 && listen(l, 1) == 0);
	CHECK(getsockname(l, (struct sockaddr *)&in, &len) == 0 && connect(c, (struct sockaddr *)&in, sizeof(in)) == 0);
	s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	CHECK(s >= 0 && send(c, "x", 1, MSG_NOSIGNAL) == 1 && recv(s, &byte, 1, 0) == 1);
	CHECK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 16) >= 0 && socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
	CHECK(getaddrinfo("127.0.0.1", "7646", NULL, &ai) == 0);
	freeaddrinfo(ai);
	/* Whether it resolves is the machine's affair; living through it is ours. */
	if (getaddrinfo("localhost", "7646", NULL, &ai) == 0)
		freeaddrinfo(ai);
	return 0;
}

static int use_crypto(void)
{
	unsigned char buf[32];
	unsigned int n;

	CHECK(RAND_priv_bytes(buf, sizeof(buf)) == 1 && EVP_Digest("x", 1, buf, &n, EVP_sha256(), NULL) == 1);
	return 0;
}

static int use_files(void)
{
	int fd = open(scratch_path("f"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && ftruncate(fd, 0) == 0 && close(fd) == 0);
	CHECK(rename(scratch_path("f"), scratch_path("g")) == 0 && unlink(scratch_path("g")) == 0);
	CHECK(mkdir(scratch_path("d"), 0700) == 0 && scratch_count("d") == 0 && rmdir(scratch_path("d")) == 0);
	return 0;
}

static int live(void)
{
	CHECK(dropped(NULL, false) == 0);
	return use_files() || use_threads() || use_crypto() || use_event_loop() || use_sockets() || use_sqlite();
}

static void test_daily_work(void **state)
{
	(void)state;
	if (on_valgrind())
		skip();
	assert_int_equal(in_child(live), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		T(test_harden), T(test_harden_without_memlock), T(test_no_core), T(test_capabilities), T(test_threads_first),
		T(test_killed), T(test_refused_softly), T(test_daily_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
