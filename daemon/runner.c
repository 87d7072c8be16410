// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "runner.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../include/akm-hook.h"
#include "clock.h"

#define SOCKET_FD	3		/* the runner's only one beside 0 … 2, which are /dev/null */
#define PROGRAM_FD	3		/* a program's own file: a script's interpreter opens it as /dev/fd/3 */
#define READY_MS	10000		/* it asks for a user; that may be a directory service */
#define HOUR_MS		3600000ULL
#define EXEC_FAILED	127		/* as shells have it */

struct run {
	uint64_t id, started_ms;
	pid_t pid;			/* of the program, and of its process group */
	int pidfd, out;
	bool timed_out;
	size_t printed;
	bool line_ended;
	size_t said_len;
	char said[RUNNER_SAID_LEN];
};

struct runner {
	const char *directory;
	uint32_t timeout_ms;
	struct run runs[RUNNER_AT_ONCE];
	size_t n;
	uint64_t started_ms[RUNNER_HOUR_MAX];	/* when the last ones were; the newest at (started - 1) % … */
	uint64_t started;
};

/* ---- giving up ---- */

static int limit(int resource, rlim_t max)
{
	const struct rlimit rl = { max, max };

	return setrlimit(resource, &rl) < 0 ? -errno : 0;
}

/* Its own, which the programs inherit */
static int limits(void)
{
	return limit(RLIMIT_CORE, 0) ?: limit(RLIMIT_NOFILE, 64) ?: limit(RLIMIT_MEMLOCK, 0) ?:
	       limit(RLIMIT_MSGQUEUE, 0) ?: limit(RLIMIT_RTPRIO, 0);
}

static int only_socket(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	/* The socket may lie below: out of the way first. */
	fd = fcntl(fd, F_DUPFD_CLOEXEC, SOCKET_FD + 1);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < SOCKET_FD; i++)
		if (dup2(null, i) < 0)
			return -errno;
	if (dup3(fd, SOCKET_FD, O_CLOEXEC) < 0 || close_range(SOCKET_FD + 1, ~0U, 0) < 0)
		return -errno;
	return 0;
}

static int become(uid_t uid, gid_t gid)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_change_id((int)uid, (int)gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) < 0)
		return -EPERM;
	if (capng_get_caps_process() < 0 || capng_have_capabilities(CAPNG_SELECT_ALL) > CAPNG_NONE)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* After become(): the kernel forgets both with every change of identity. */
static int bind_to(pid_t parent)
{
	/* Its memory is a copy of the daemon's, and shows where that has what: not for programs of the same user. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

/* A stop of the service reaches us as well, but it is the daemon that ends, and we end with it. */
static void ignore_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

/* ---- a program ---- */

static int program_limits(void)
{
	return limit(RLIMIT_CPU, RUNNER_TIMEOUT_MS / 1000) ?: limit(RLIMIT_DATA, 256U << 20) ?:
	       limit(RLIMIT_FSIZE, 16U << 20) ?: limit(RLIMIT_NPROC, 64);
}

static void default_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);		/* fails for two, which are default */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: the program, or exit. */
__attribute__((noreturn))
static void become_program(const char *name, int program, int in, int out, pid_t runner)
{
	char argv0[POLICY_NAME_LEN], path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", home[] = "HOME=/", lang[] = "LANG=C.UTF-8";
	char *argv[] = { argv0, NULL }, *envp[] = { path, home, lang, NULL };
	int r = 0;

	snprintf(argv0, sizeof(argv0), "%s", name);
	/* In this order none is overwritten before it was taken: all three lie above. */
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
	    dup2(program, PROGRAM_FD) < 0 || close_range(PROGRAM_FD + 1, ~0U, 0) < 0 || setsid() < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || chdir("/") < 0)
		r = -errno;
	if (getppid() != runner)
		_exit(EXEC_FAILED);
	default_signals();
	r = r ?: program_limits();
	if (!r) {
		execveat(PROGRAM_FD, "", argv, envp, AT_EMPTY_PATH);
		r = -errno;
	}
	dprintf(STDERR_FILENO, "cannot be executed: %s\n", strerror(-r));
	_exit(EXEC_FAILED);
}

/* A file, not a pipe: nobody waits for a program that does not read. */
static int make_input(const char *record, size_t len)
{
	_cleanup_close_ int fd = memfd_create("record", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, record, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return errno ? -errno : -EIO;
	return TAKE_FD(fd);
}

/* Return: 0; or a negative errno, and nothing runs. */
static int start(struct runner *r, const struct runner_order *o, int program, int in)
{
	struct run *run = &r->runs[r->n];
	pid_t self = getpid(), pid;
	int out[2], error;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		become_program(o->name, program, in, out[1], self);
	error = -errno;
	close(out[1]);
	if (pid > 0) {
		*run = (struct run){ .id = o->id, .started_ms = now_ms(), .pid = pid, .out = out[0],
				     .pidfd = pidfd_open(pid, 0) };
		error = -errno;
		if (run->pidfd >= 0 && fcntl(out[0], F_SETFL, O_NONBLOCK) >= 0) {
			r->n++;
			return 0;
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		closep(&run->pidfd);
	}
	close(out[0]);
	return error;
}

/* ---- how it ended ---- */

/* The daemon has room for as many answers as it gives orders: what does not fit nobody waits for. */
static void tell(struct runner_result *result, const char *said)
{
	snprintf(result->said, sizeof(result->said), "%s", said);
	(void)send(SOCKET_FD, result, sizeof(*result), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void take_output(struct run *run, const char *buf, size_t n)
{
	run->printed += n;
	for (size_t i = 0; i < n && !run->line_ended; i++) {
		run->line_ended = buf[i] == '\n' || !buf[i];
		if (!run->line_ended && run->said_len < sizeof(run->said) - 1)
			run->said[run->said_len++] = buf[i];
	}
}

static void close_output(struct run *run)
{
	closep(&run->out);
	run->out = -1;
}

/* Who prints without end gets SIGPIPE for it. */
static void read_output(struct run *run)
{
	char buf[4096];
	ssize_t n = 0;

	while (run->out >= 0 && (n = read(run->out, buf, sizeof(buf))) > 0) {
		take_output(run, buf, (size_t)n);
		if (run->printed > RUNNER_OUTPUT_MAX)
			close_output(run);
	}
	if (run->out >= 0 && (!n || errno != EAGAIN))
		close_output(run);
}

/* What it left behind ends with it: its group is its own until it is waited for. */
static void end(struct runner *r, size_t i)
{
	struct run *run = &r->runs[i];
	struct runner_result result = { .id = run->id, .ms = (uint32_t)(now_ms() - run->started_ms) };
	siginfo_t info = {};

	kill(-run->pid, SIGKILL);
	read_output(run);
	if (waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED) < 0)
		info.si_code = CLD_KILLED;
	result.end = run->timed_out ? RUNNER_TIMED_OUT : info.si_code == CLD_EXITED ? RUNNER_EXITED : RUNNER_KILLED;
	result.code = info.si_status;
	close_output(run);
	close(run->pidfd);
	tell(&result, run->said);
	*run = r->runs[--r->n];
}

static void refuse(uint64_t id, const char *why)
{
	struct runner_result result = { .id = id, .end = RUNNER_REFUSED };

	tell(&result, why);
}

static void stop_all(struct runner *r)
{
	for (size_t i = 0; i < r->n; i++) {
		kill(-r->runs[i].pid, SIGKILL);
		kill(r->runs[i].pid, SIGKILL);	/* it may have no group yet */
	}
	_exit(0);
}

/* ---- orders ---- */

static bool within_hour(struct runner *r)
{
	uint64_t now = now_ms(), *slot = &r->started_ms[r->started % RUNNER_HOUR_MAX];

	if (r->started >= RUNNER_HOUR_MAX && now - *slot < HOUR_MS)
		return false;
	*slot = now;
	r->started++;
	return true;
}

static void carry_out(struct runner *r, const struct runner_order *o, size_t record_len)
{
	_cleanup_close_ int program = -1, in = -1;
	char reason[HOOK_REASON_LEN];
	int error;

	if (!within_hour(r)) {
		snprintf(reason, sizeof(reason), "%d programs were started within an hour", RUNNER_HOUR_MAX);
		return refuse(o->id, reason);
	}
	program = hookfile_open(r->directory, o->name, reason);
	if (program < 0)
		return refuse(o->id, reason);
	in = make_input(o->record, record_len);
	error = in < 0 ? in : start(r, o, program, in);
	if (error < 0)
		refuse(o->id, strerror(-error));
}

/* Nothing but the daemon is at the other end: what is not an order is a reason to trust it no more. */
static void take_order(struct runner *r)
{
	struct runner_order o;
	ssize_t n = recv(SOCKET_FD, &o, sizeof(o), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)RUNNER_ORDER_MIN || !memchr(o.name, '\0', sizeof(o.name)) || !policy_hook_name_ok(o.name))
		stop_all(r);
	carry_out(r, &o, (size_t)n - RUNNER_ORDER_MIN);
}

static void time_out(struct runner *r, uint64_t now)
{
	for (size_t i = 0; i < r->n; i++) {
		struct run *run = &r->runs[i];

		if (run->timed_out || now - run->started_ms < r->timeout_ms)
			continue;
		run->timed_out = true;
		kill(-run->pid, SIGKILL);
		kill(run->pid, SIGKILL);
	}
}

static int wait_ms(const struct runner *r, uint64_t now)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < r->n; i++) {
		uint64_t until = r->runs[i].started_ms + r->timeout_ms, left = until > now ? until - now : 0;

		if (!r->runs[i].timed_out && left < least)
			least = left;
	}
	return least == UINT64_MAX ? -1 : (int)least;
}

static void turn(struct runner *r)
{
	struct pollfd p[1 + 2 * RUNNER_AT_ONCE] = { { .fd = SOCKET_FD, .events = r->n < RUNNER_AT_ONCE ? POLLIN : 0 } };
	size_t n = r->n;

	for (size_t i = 0; i < n; i++) {
		p[1 + 2 * i] = (struct pollfd){ .fd = r->runs[i].pidfd, .events = POLLIN };
		p[2 + 2 * i] = (struct pollfd){ .fd = r->runs[i].out, .events = POLLIN };
	}
	if (poll(p, (nfds_t)(1 + 2 * n), wait_ms(r, now_ms())) < 0)
		return;				/* EINTR */
	if (p[0].revents & (POLLHUP | POLLERR))
		stop_all(r);
	for (size_t i = n; i-- > 0; ) {		/* from the end: the last one takes the place of who ended */
		if (p[2 + 2 * i].revents)
			read_output(&r->runs[i]);
		if (p[1 + 2 * i].revents)
			end(r, i);
	}
	time_out(r, now_ms());
	if (p[0].revents & POLLIN)
		take_order(r);
}

__attribute__((noreturn))
static void run_forever(const struct runner_config *c, uid_t uid, gid_t gid, int fd, pid_t daemon)
{
	struct runner r = { .directory = c->directory, .timeout_ms = c->timeout_ms };
	struct runner_result ready = { .end = RUNNER_READY };

	ignore_signals();
	umask(077);
	prctl(PR_SET_NAME, "akmd-hooks", 0, 0, 0);
	ready.code = only_socket(fd);
	if (ready.code < 0)
		_exit(1);			/* the daemon sees that the socket is closed */
	ready.code = setsid() < 0 ? -errno : limits() ?: become(uid, gid) ?: bind_to(daemon);
	tell(&ready, "");
	if (ready.code < 0)
		_exit(1);
	for (;;)
		turn(&r);
}

/* ---- the daemon's side ---- */

static int find_user(const struct runner_config *c, struct passwd *ret, struct akm_error *err)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return akm_error_set(err, -EPERM, "hooks", "programs are run as %s: start akmd as root", c->user);
	errno = 0;
	pw = getpwnam(c->user);
	if (!pw)
		return akm_error_set(err, errno ? -errno : -ENOENT, "hooks_user", "%s: %s", c->user,
				     errno ? strerror(errno) : "no such user");
	*ret = *pw;
	if (!ret->pw_uid)
		return akm_error_set(err, -EINVAL, "hooks_user", "%s is root", c->user);
	pw = c->daemon_user ? getpwnam(c->daemon_user) : NULL;
	if (pw && pw->pw_uid == ret->pw_uid)
		return akm_error_set(err, -EINVAL, "hooks_user", "%s is who akmd is: programs could read what it has",
				     c->user);
	return 0;
}

static int wait_ready(int fd, struct akm_error *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct runner_result ready;

	if (poll(&p, 1, READY_MS) != 1 || recv(fd, &ready, sizeof(ready), MSG_DONTWAIT) != sizeof(ready))
		return akm_error_set(err, -EIO, "hooks", "the runner of programs did not start");
	if (ready.end != RUNNER_READY || ready.code < 0)
		return akm_error_set(err, ready.code < 0 ? ready.code : -EPROTO, "hooks",
				     "the runner of programs cannot give up what it does not need: %s",
				     strerror(-ready.code));
	return 0;
}

int runner_start(const struct runner_config *c, int *ret_fd, struct akm_error *err)
{
	_cleanup_close_ int ours = -1;
	struct passwd pw = {};
	pid_t self = getpid(), pid;
	int r, fds[2];

	if (CRYPTO_secure_malloc_initialized())
		return akm_error_set(err, -EBUSY, "hooks", "there may be secrets already, which a fork would copy");
	r = find_user(c, &pw, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return akm_error_set(err, -errno, "hooks", "%s", strerror(errno));
	ours = fds[0];
	/* Who must not start programs must not wait for them either: the kernel takes the runner away when it ends. */
	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (!pid)
		run_forever(c, pw.pw_uid, pw.pw_gid, fds[1], self);
	r = -errno;
	close(fds[1]);
	if (pid < 0)
		return akm_error_set(err, r, "hooks", "%s", strerror(-r));
	r = wait_ready(ours, err);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(ours);
	return 0;
}
