// SPDX-License-Identifier: GPL-2.0
/*
 * A software TPM behind the kernel's own driver, for machines that are slow.
 *
 *   vtpm COMMAND ARGUMENT…
 *
 * Runs COMMAND, which talks TPM 2.0 commands and responses on its file descriptor 3 (swtpm chardev --fd 3), has it
 * test itself, and only then makes a device for it (tpm_vtpm_proxy). swtpm --vtpm-proxy makes the device first: then
 * all that the TPM does after power comes within the 750 ms that the driver waits for its first answer, and
 * where that is too short the device is gone. An answer that the driver no longer waits for is dropped, here; swtpm
 * would end. Ends when COMMAND or the device does, and with SIGTERM: then COMMAND has ended, too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vtpm_proxy.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"

#define TPM_FD	3	/* COMMAND's */
#define MESSAGE	4096	/* the driver's own buffer, TPM_BUFSIZE */

const char usage_text[] = "vtpm COMMAND ARGUMENT…";

struct vtpm {
	pid_t pid;
	int tpm;	/* to COMMAND; a record is a command or a response */
	int signals;	/* the end is asked for, or COMMAND has ended */
	int device;	/* the driver's other side */
};

static void run(struct vtpm *v, char **command)
{
	int ends[2];
	sigset_t none;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	v->pid = fork();
	if (v->pid < 0)
		die("fork");
	if (v->pid) {
		v->tpm = ends[0];
		close(ends[1]);
		return;
	}
	sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		die("prctl");
	if (ends[1] == TPM_FD ? fcntl(TPM_FD, F_SETFD, 0) < 0 : dup2(ends[1], TPM_FD) < 0)
		die("dup2");
	execvp(command[0], command);
	die(command[0]);
}

static int watch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		die("sigprocmask");
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd");
	return fd;
}

/* Does @fd, rather than the end, come? */
static bool readable(const struct vtpm *v, int fd)
{
	struct pollfd fds[] = {
		{ .fd = v->signals, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			die("poll");
	return !fds[0].revents && !(fds[1].revents & (POLLHUP | POLLERR));
}

/* Is there already another command? Then the driver has given this one up. */
static bool given_up(const struct vtpm *v)
{
	struct pollfd fd = { .fd = v->device, .events = POLLIN };

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN);
}

/* One command's response; 0 when the end came first. */
static size_t answer(const struct vtpm *v, const void *command, size_t len, void *response)
{
	ssize_t n;

	if (write(v->tpm, command, len) != (ssize_t)len)
		die("the TPM's command");
	if (!readable(v, v->tpm))
		return 0;
	n = read(v->tpm, response, MESSAGE);
	if (n < 0)
		die("the TPM's response");
	return (size_t)n;
}

/* TPM2_SelfTest(fullTest = YES), TPM 2.0 Library part 3, 10.2: nothing is left that a first command would have to do. */
static bool self_test(const struct vtpm *v)
{
	static const unsigned char command[] = { 0x80, 0x01, 0, 0, 0, 11, 0, 0, 0x01, 0x43, 1 };
	unsigned char response[MESSAGE];

	return answer(v, command, sizeof(command), response) > 0;
}

static int make_device(void)
{
	struct vtpm_proxy_new_dev new = { .flags = VTPM_PROXY_FLAG_TPM2 };
	int fd = open("/dev/vtpmx", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, VTPM_PROXY_IOC_NEW_DEV, &new) < 0)
		die("/dev/vtpmx");
	close(fd);
	printf("New TPM device: /dev/tpm%u\n", new.tpm_num);
	if (fflush(stdout))
		die("standard output");
	return (int)new.fd;
}

static void serve(const struct vtpm *v)
{
	unsigned char command[MESSAGE], response[MESSAGE];
	size_t len;
	ssize_t n;

	while (readable(v, v->device)) {
		n = read(v->device, command, sizeof(command));
		if (n <= 0)
			return;
		len = answer(v, command, (size_t)n, response);
		if (!len)
			return;
		if (given_up(v) || (write(v->device, response, len) < 0 && errno == EIO))
			fprintf(stderr, "vtpm: the driver did not wait for an answer\n");
	}
}

int main(int argc, char **argv)
{
	struct vtpm v = { .device = -1 };
	int status;

	if (argc < 2)
		usage();
	v.signals = watch_signals();
	run(&v, argv + 1);
	if (self_test(&v)) {
		v.device = make_device();
		serve(&v);
		close(v.device);
	}
	kill(v.pid, SIGTERM);
	if (waitpid(v.pid, &status, 0) < 0)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
