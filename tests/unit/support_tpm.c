// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "support_tpm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#define READY_MS	60000
#define HEADER		10
#define MESSAGE_MAX	8192

#define must(cond) do {								\
	if (!(cond)) {								\
		fprintf(stderr, "%s:%d: %s: %m\n", __FILE__, __LINE__, #cond);	\
		abort();							\
	}									\
} while (0)

/* One TCP listener and what it is relayed to: the command channel, or swtpm's control channel. */
struct channel {
	int listener, client, device;
	char path[160];			/* swtpm's socket */
};

struct tpm {
	char dir[128], conf[64];
	pid_t pid;
	struct channel command, control;
	pthread_t relay;
	int stop;			/* eventfd */

	pthread_mutex_t lock;		/* all below */
	uint8_t *bus;
	size_t bus_len, bus_room;
	uint64_t commands;
	uint32_t refuse_cc, refuse_rc, corrupt_cc, last_cc;
	unsigned int refuse_n, hang_up_n;
	size_t corrupt_at;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int connect_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && strlen(path) < sizeof(sun.sun_path));
	strcpy(sun.sun_path, path);
	if (!connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		return fd;
	close(fd);
	return -1;
}

/* Polled: a socket file may be there before swtpm listens on it. */
static int connect_ready(const char *path)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int fd;

	for (int i = 0; i < READY_MS; i++) {
		fd = connect_unix(path);
		if (fd >= 0)
			return fd;
		nanosleep(&ms, NULL);
	}
	fprintf(stderr, "swtpm does not listen on %s\n", path);
	abort();
}

static int listen_tcp(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	if (!bind(fd, (struct sockaddr *)&sin, sizeof(sin)) && !listen(fd, 8))
		return fd;
	close(fd);
	return -1;
}

/* The TCTI wants the control channel at the port after the command channel's. */
static uint16_t listen_pair(struct tpm *t)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	uint16_t port;

	for (int i = 0; i < 100; i++) {
		t->command.listener = listen_tcp(0);
		must(t->command.listener >= 0);
		must(!getsockname(t->command.listener, (struct sockaddr *)&sin, &len));
		port = ntohs(sin.sin_port);
		t->control.listener = port < 65535 ? listen_tcp((uint16_t)(port + 1)) : -1;
		if (t->control.listener >= 0)
			return port;
		close_fd(&t->command.listener);
	}
	fprintf(stderr, "no two free ports in a row\n");
	abort();
}

static bool read_all(int fd, uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = read(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

static bool write_all(int fd, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

/* One TPM command or response: its length is in its header. */
static bool read_message(int fd, uint8_t *buf, size_t *len)
{
	if (!read_all(fd, buf, HEADER))
		return false;
	*len = be32(buf + 2);
	must(*len >= HEADER && *len <= MESSAGE_MAX);
	return read_all(fd, buf + HEADER, *len - HEADER);
}

static void record(struct tpm *t, const uint8_t *buf, size_t len)
{
	if (t->bus_len + len > t->bus_room) {
		t->bus_room = 2 * (t->bus_len + len);
		t->bus = realloc(t->bus, t->bus_room);
		must(t->bus);
	}
	memcpy(t->bus + t->bus_len, buf, len);
	t->bus_len += len;
}

enum fate { EXECUTE, ANSWERED, HANG_UP };

static enum fate judge(struct tpm *t, const uint8_t *command, size_t len, uint8_t *answer)
{
	enum fate fate = EXECUTE;

	pthread_mutex_lock(&t->lock);
	record(t, command, len);
	t->commands++;
	t->last_cc = be32(command + 6);
	if (t->refuse_n && (!t->refuse_cc || t->refuse_cc == t->last_cc)) {
		t->refuse_n--;
		put32(answer + 2, HEADER);
		put32(answer + 6, t->refuse_rc);
		answer[0] = 0x80;		/* TPM2_ST_NO_SESSIONS */
		answer[1] = 0x01;
		fate = ANSWERED;
	} else if (t->hang_up_n && !--t->hang_up_n) {
		fate = HANG_UP;
	}
	pthread_mutex_unlock(&t->lock);
	return fate;
}

static void pass_response(struct tpm *t, uint8_t *response, size_t len)
{
	pthread_mutex_lock(&t->lock);
	record(t, response, len);
	if (t->corrupt_cc && t->corrupt_cc == t->last_cc) {
		must(t->corrupt_at < len);
		response[len - 1 - t->corrupt_at] ^= 0x01;
		t->corrupt_cc = 0;
	}
	pthread_mutex_unlock(&t->lock);
}

/* The device is connected to when it is needed: the bus outlives its power. */
static bool execute(struct tpm *t, uint8_t *buf, size_t *len)
{
	struct channel *c = &t->command;

	if (c->device < 0)
		c->device = connect_unix(c->path);
	if (c->device >= 0 && write_all(c->device, buf, *len) && read_message(c->device, buf, len)) {
		pass_response(t, buf, *len);
		return true;
	}
	close_fd(&c->device);
	return false;
}

static void relay_command(struct tpm *t)
{
	struct channel *c = &t->command;
	uint8_t buf[MESSAGE_MAX], answer[HEADER];
	size_t len;

	if (read_message(c->client, buf, &len)) {
		switch (judge(t, buf, len, answer)) {
		case ANSWERED:
			if (write_all(c->client, answer, sizeof(answer)))
				return;
			break;
		case EXECUTE:
			/* Without power for a moment: one more try finds the new connection. */
			if ((execute(t, buf, &len) || (c->device < 0 && execute(t, buf, &len))) &&
			    write_all(c->client, buf, len))
				return;
			break;
		case HANG_UP:
			break;
		}
	}
	close_fd(&c->client);
	close_fd(&c->device);
}

static void relay_control(struct channel *c, int from, int to)
{
	uint8_t buf[MESSAGE_MAX];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n > 0 && write_all(to, buf, (size_t)n))
		return;
	close_fd(&c->client);
	close_fd(&c->device);
}

/*
 * Without power there is nobody to set a locality. Granted all the same, so that it
 * is the first command that fails: tpm2-tss 3.2.1 leaks its configuration otherwise.
 */
static void grant_locality(struct channel *c)
{
	static const uint8_t ok[4];
	uint8_t request[5];	/* command, locality */

	if (!read_all(c->client, request, sizeof(request)) || !write_all(c->client, ok, sizeof(ok)))
		fprintf(stderr, "the control channel's client left\n");
	close_fd(&c->client);
}

static void accept_client(struct channel *c, bool connect_now)
{
	close_fd(&c->client);
	close_fd(&c->device);
	c->client = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
	must(c->client >= 0);
	if (!connect_now)
		return;
	c->device = connect_unix(c->path);
	if (c->device < 0)
		grant_locality(c);
}

static void *relay(void *arg)
{
	struct tpm *t = arg;

	for (;;) {
		struct pollfd p[] = {
			{ .fd = t->stop, .events = POLLIN },
			{ .fd = t->command.listener, .events = POLLIN },
			{ .fd = t->control.listener, .events = POLLIN },
			{ .fd = t->command.client, .events = POLLIN },
			{ .fd = t->control.client, .events = POLLIN },
			{ .fd = t->control.device, .events = POLLIN },
		};

		if (poll(p, sizeof(p) / sizeof(p[0]), -1) < 0) {
			must(errno == EINTR);
			continue;
		}
		if (p[0].revents)
			return NULL;
		if (p[3].revents)
			relay_command(t);
		if (p[4].revents)
			relay_control(&t->control, t->control.client, t->control.device);
		else if (p[5].revents)
			relay_control(&t->control, t->control.device, t->control.client);
		else if (p[2].revents)
			accept_client(&t->control, true);
		if (p[1].revents)
			accept_client(&t->command, false);
	}
}

static void run_swtpm(struct tpm *t)
{
	char state[160], server[192], control[192], log[160];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(state, sizeof(state), "dir=%s", t->dir);
	snprintf(server, sizeof(server), "type=unixio,path=%s", t->command.path);
	snprintf(control, sizeof(control), "type=unixio,path=%s", t->control.path);
	snprintf(log, sizeof(log), "%s/log", t->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
	}
	execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", control,
	       "--flags", "not-need-init,startup-clear", (char *)NULL);
	_exit(127);
}

void tpm_power_on(struct tpm *t)
{
	unlink(t->command.path);
	unlink(t->control.path);
	t->pid = fork();
	must(t->pid >= 0);
	if (!t->pid)
		run_swtpm(t);
	close(connect_ready(t->control.path));
	close(connect_ready(t->command.path));
}

void tpm_power_off(struct tpm *t)
{
	int status;

	must(!kill(t->pid, SIGKILL));
	must(waitpid(t->pid, &status, 0) == t->pid);
	must(WIFSIGNALED(status));	/* it had not died of its own */
}

struct tpm *tpm_start(void)
{
	const char *tmp = getenv("TMPDIR");
	struct tpm *t = calloc(1, sizeof(*t));

	must(t);
	t->command = t->control = (struct channel){ .listener = -1, .client = -1, .device = -1 };
	/* A socket's path is short (sun_path): not below a long TMPDIR. */
	snprintf(t->dir, sizeof(t->dir), "%s/tpm.XXXXXX", tmp && strlen(tmp) < 64 ? tmp : "/tmp");
	must(mkdtemp(t->dir));
	snprintf(t->command.path, sizeof(t->command.path), "%s/tpm", t->dir);
	snprintf(t->control.path, sizeof(t->control.path), "%s/ctl", t->dir);
	snprintf(t->conf, sizeof(t->conf), "swtpm:host=127.0.0.1,port=%u", listen_pair(t));
	t->stop = eventfd(0, EFD_CLOEXEC);
	must(t->stop >= 0);
	pthread_mutex_init(&t->lock, NULL);
	tpm_power_on(t);
	must(!pthread_create(&t->relay, NULL, relay, t));
	return t;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tpm_stop(struct tpm *t)
{
	must(write(t->stop, &(uint64_t){ 1 }, sizeof(uint64_t)) == sizeof(uint64_t));
	must(!pthread_join(t->relay, NULL));
	tpm_power_off(t);
	for (size_t i = 0; i < 2; i++) {
		struct channel *c = i ? &t->control : &t->command;

		close_fd(&c->listener);
		close_fd(&c->client);
		close_fd(&c->device);
	}
	close_fd(&t->stop);
	must(!nftw(t->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS));
	pthread_mutex_destroy(&t->lock);
	free(t->bus);
	free(t);
}

const char *tpm_conf(const struct tpm *t)
{
	return t->conf;
}

uint64_t tpm_commands(struct tpm *t)
{
	uint64_t n;

	pthread_mutex_lock(&t->lock);
	n = t->commands;
	pthread_mutex_unlock(&t->lock);
	return n;
}

void tpm_bus_reset(struct tpm *t)
{
	pthread_mutex_lock(&t->lock);
	t->bus_len = 0;
	pthread_mutex_unlock(&t->lock);
}

bool tpm_bus_saw(struct tpm *t, const void *what, size_t len)
{
	bool saw;

	pthread_mutex_lock(&t->lock);
	saw = t->bus_len && memmem(t->bus, t->bus_len, what, len);
	pthread_mutex_unlock(&t->lock);
	return saw;
}

void tpm_refuse(struct tpm *t, uint32_t cc, uint32_t rc, unsigned int n)
{
	pthread_mutex_lock(&t->lock);
	t->refuse_cc = cc;
	t->refuse_rc = rc;
	t->refuse_n = n;
	pthread_mutex_unlock(&t->lock);
}

void tpm_corrupt(struct tpm *t, uint32_t cc, size_t at)
{
	pthread_mutex_lock(&t->lock);
	t->corrupt_cc = cc;
	t->corrupt_at = at;
	pthread_mutex_unlock(&t->lock);
}

void tpm_hang_up(struct tpm *t, unsigned int n)
{
	pthread_mutex_lock(&t->lock);
	t->hang_up_n = n;
	pthread_mutex_unlock(&t->lock);
}
