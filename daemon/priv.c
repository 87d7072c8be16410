// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "priv.h"

#include <asm/termbits.h>
#include <cap-ng.h>
#include <dirent.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Hardening */

static int no_dumps(void)
{
	const struct rlimit none = {};

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/*
 * The secure heap is locked anyway, or akmd does not run (secret.h); this is for what libraries
 * copy out of it: cipher contexts, TLS records, netlink requests. Pages are locked as they are
 * touched, not before. With MCL_FUTURE every mmap() counts, also after CAP_IPC_LOCK is gone: only
 * without a limit.
 */
static int no_swap(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &all) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return -errno;
	return 0;
}

/* A link each for thousands of nodes. That the soft limit is low (1,024) is for programs that use select(). */
static int more_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return -errno;
	rl.rlim_cur = rl.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &rl) < 0 ? -errno : 0;
}

int priv_harden(struct akm_error *err)
{
	int r;

	umask(077);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return akm_error_set(err, -errno, "signal", "%s", strerror(errno));
	r = no_dumps();
	if (r < 0)
		return akm_error_set(err, r, "core dumps", "cannot be forbidden: %s", strerror(-r));
	r = more_descriptors();
	if (r < 0)
		return akm_error_set(err, r, "descriptors", "their limit cannot be raised: %s", strerror(-r));
	if (no_swap() < 0)
		return akm_error_set(err, 1, "memory",
				     "only the secret memory is locked: all of it needs LimitMEMLOCK=infinity");
	return 0;
}

/* Identity and capabilities */

static int count_threads(size_t *ret)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	size_t n = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	*ret = n;
	return 0;
}

static int change_user(const char *user, struct akm_error *err)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return akm_error_set(err, errno ? -errno : -ENOENT, "user", "%s: %s", user,
				     errno ? strerror(errno) : "no such user");
	/* The account's own groups: tss for the TPM, dialout for serial lines. */
	if (capng_change_id((int)pw->pw_uid, (int)pw->pw_gid,
			    CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING) < 0)
		return akm_error_set(err, -EPERM, "user", "cannot become %s", user);
	/* The kernel sets it anew with every change of identity. */
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
		       ? akm_error_set(err, -errno, "core dumps", "%s", strerror(errno))
		       : 0;
}

static bool anything_left(bool net_admin)
{
	unsigned int cap;

	if (capng_get_caps_process() < 0)
		return true;
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (cap == CAP_NET_ADMIN && net_admin)
			continue;
		if (capng_have_capability(CAPNG_EFFECTIVE, cap) || capng_have_capability(CAPNG_PERMITTED, cap) ||
		    capng_have_capability(CAPNG_INHERITABLE, cap))
			return true;
	}
	return false;
}

static int drop_capabilities(const char *user, bool net_admin, struct akm_error *err)
{
	capng_select_t set;
	int r;

	if (capng_get_caps_process() < 0)
		return akm_error_set(err, -EIO, "capabilities", "cannot be read");
	if (net_admin && !capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN))
		return akm_error_set(err, -EPERM, "capabilities",
				     "CAP_NET_ADMIN is missing: run as root, or give it to akmd");
	/* Without CAP_SETPCAP the bounding set cannot be emptied; no_new_privs makes it moot. */
	set = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS;
	capng_clear(CAPNG_SELECT_ALL);
	if (net_admin)
		(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	r = user ? change_user(user, err) : 0;
	if (r < 0)
		return r;
	if (!user && capng_apply(set) < 0)
		return akm_error_set(err, -EPERM, "capabilities", "cannot be dropped");
	return anything_left(net_admin)
		       ? akm_error_set(err, -EPERM, "capabilities", "are not all gone")
		       : 0;
}

/* System calls */

/*
 * What akmd and its libraries use once they run: libevent, OpenSSL, SQLite, libnl, the TPM's
 * device (read, write, poll), sockets, files, glibc of several versions and architectures.
 * Names that an architecture does not have are passed over. Not here, so that it kills: exec,
 * fork, ptrace, mount, keyctl, bpf, perf, modules, namespaces, other processes' memory.
 */
static const char *const allowed[] = {
	/* files */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "open", "openat",
	"close", "close_range", "lseek", "_llseek", "stat", "fstat", "lstat", "stat64", "fstat64", "lstat64", "newfstatat", "fstatat64",
	"statx", "access", "faccessat", "faccessat2", "getdents", "getdents64", "readlink", "readlinkat", "mkdir", "mkdirat", "rmdir",
	"unlink", "unlinkat", "rename", "renameat", "renameat2", "chmod", "fchmod", "fchmodat", "fchown", "fchown32", "ftruncate",
	"ftruncate64", "fallocate", "fsync", "fdatasync", "sync_file_range", "flock", "fcntl", "fcntl64", "umask", "getcwd", "statfs",
	"statfs64", "fstatfs", "fstatfs64", "fadvise64", "fadvise64_64", "utimensat", "utimensat_time64", "pipe", "pipe2", "dup", "dup2",
	"dup3",
	/* memory */
	"brk", "munmap", "mremap", "madvise", "mlock", "mlock2", "munlock", "msync", "mincore", "membarrier",
	/* threads, time, waiting */
	"futex", "futex_time64", "futex_waitv", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "rt_sigaction",
	"rt_sigprocmask", "rt_sigreturn", "sigreturn", "rt_sigtimedwait", "sigaltstack", "signalfd4", "restart_syscall", "exit",
	"exit_group", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "gettid", "getpid", "getppid",
	"nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "clock_gettime", "clock_gettime64", "clock_getres",
	"clock_getres_time64", "gettimeofday", "time", "timerfd_create", "timerfd_settime", "timerfd_settime64", "timerfd_gettime",
	"timerfd_gettime64", "eventfd2", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
	"poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
	/* sockets; socket() itself is below */
	"connect", "accept", "accept4", "bind", "listen", "getsockname", "getpeername", "getsockopt", "setsockopt", "send", "recv",
	"sendto", "recvfrom", "sendmsg", "recvmsg", "recvmmsg", "recvmmsg_time64", "sendmmsg", "shutdown",
	/* who and where */
	"getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32", "getegid32", "getgroups", "getgroups32",
	"getresuid", "getresgid", "getresuid32", "getresgid32", "getrandom", "uname", "sysinfo", "getrlimit", "ugetrlimit", "prlimit64",
	"getrusage", "capget",
};

/* Refused without dying: glibc has another way, or the caller reports it. */
static const struct { const char *name; int error; } refused[] = {
	{ "clone3", ENOSYS },		/* glibc falls back to clone, whose flags a filter can read */
	{ "openat2", ENOSYS },
	{ "mbind", EPERM }, { "sched_setaffinity", EPERM }, { "sched_setscheduler", EPERM }, { "setpriority", EPERM },
};

/* Serial lines, sizes of queues, the permanent MAC */
static const unsigned long ioctls[] = {
	TCGETS, TCSETS, TCSETSW, TCSETSF, TCGETS2, TCSETS2, TCSETSW2, TCSETSF2, TCFLSH, TCSBRK,
	TIOCEXCL, TIOCNXCL, TIOCMGET, TIOCMBIS, TIOCMBIC, TIOCOUTQ, TIOCGWINSZ, FIONREAD, FIONBIO,
	FIOCLEX, SIOCETHTOOL, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFNAME,
};

static const int socket_families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

static const int prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ,
			      PR_GET_SECCOMP };

static int resolve(const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	/* Unknown to this libseccomp, or (another negative number) to this architecture */
	return nr == __NR_SCMP_ERROR || nr < 0 ? -1 : nr;
}

static int rule(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
	int nr = resolve(name);

	return nr < 0 ? 0 : seccomp_rule_add_array(ctx, action, nr, 0, NULL);
}

/* Where argument @arg, masked, is @value */
static int rule_where(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned int arg,
		      uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp cmp = {
		.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value
	};
	int nr = resolve(name);

	return nr < 0 ? 0 : seccomp_rule_add_array(ctx, action, nr, 1, &cmp);
}

static int rules_plain(scmp_filter_ctx ctx)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(allowed); i++)
		r = rule(ctx, SCMP_ACT_ALLOW, allowed[i]);
	for (i = 0; !r && i < ARRAY_SIZE(refused); i++)
		r = rule(ctx, SCMP_ACT_ERRNO((uint32_t)refused[i].error), refused[i].name);
	return r;
}

static bool family_allowed(int family)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(socket_families); i++)
		if (socket_families[i] == family)
			return true;
	return false;
}

static int rules_sockets(scmp_filter_ctx ctx)
{
	uint32_t action;
	int family, r = 0;

	for (family = 0; !r && family < AF_MAX; family++) {
		action = family_allowed(family) ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT);
		r = rule_where(ctx, action, "socket", 0, UINT32_MAX, (uint64_t)family);
	}
	return r ?: rule_where(ctx, SCMP_ACT_ALLOW, "socketpair", 0, UINT32_MAX, AF_UNIX);
}

static int rules_values(scmp_filter_ctx ctx)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(ioctls); i++)
		r = rule_where(ctx, SCMP_ACT_ALLOW, "ioctl", 1, UINT32_MAX, ioctls[i]);
	for (i = 0; !r && i < ARRAY_SIZE(prctls); i++)
		r = rule_where(ctx, SCMP_ACT_ALLOW, "prctl", 0, UINT32_MAX, (uint64_t)prctls[i]);
	/* glibc names its arenas where the kernel can. */
	r = r ?: rule_where(ctx, SCMP_ACT_ERRNO(EINVAL), "prctl", 0, UINT32_MAX, PR_SET_VMA);
	/* New threads, not new processes; no signals to others. */
	r = r ?: rule_where(ctx, SCMP_ACT_ALLOW, "clone", 0, CLONE_THREAD, CLONE_THREAD);
	r = r ?: rule_where(ctx, SCMP_ACT_ALLOW, "tgkill", 0, UINT32_MAX, (uint64_t)getpid());
	return r ?: rule_where(ctx, SCMP_ACT_ALLOW, "kill", 0, UINT32_MAX, (uint64_t)getpid());
}

/* Nothing becomes executable that was not. A library that is loaded late (NSS, a TPM transport) is not there. */
static int rules_memory(scmp_filter_ctx ctx)
{
	static const char *const calls[] = { "mmap", "mmap2", "mprotect" };
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(calls); i++) {
		r = rule_where(ctx, SCMP_ACT_ALLOW, calls[i], 2, PROT_EXEC, 0);
		r = r ?: rule_where(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 2, PROT_EXEC, PROT_EXEC);
	}
	return r;
}

static int load_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!ctx)
		return -ENOMEM;
	/* Sets no_new_privs as well. The kernel logs what it kills for, also without SCMP_FLTATR_CTL_LOG. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 1);
	r = r ?: seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	r = r ?: rules_plain(ctx);
	r = r ?: rules_values(ctx);
	r = r ?: rules_sockets(ctx);
	r = r ?: rules_memory(ctx);
	r = r ?: seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

int priv_drop(const char *user, bool net_admin, struct akm_error *err)
{
	size_t threads = 0;
	int r;

	r = count_threads(&threads);
	if (r < 0)
		return akm_error_set(err, r, "/proc/self/task", "%s", strerror(-r));
	if (threads != 1)
		return akm_error_set(err, -EBUSY, "threads",
				     "%zu run already: each would keep its capabilities", threads);
	r = drop_capabilities(user, net_admin, err);
	if (r < 0)
		return r;
	r = load_filter();
	return r < 0 ? akm_error_set(err, r, "seccomp", "the filter cannot be loaded: %s",
				     strerror(-r))
		     : 0;
}
