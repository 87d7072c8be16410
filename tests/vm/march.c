// SPDX-License-Identifier: GPL-2.0
/*
 * One flow of numbered UDP datagrams, and whether they come in order.
 *
 *   march send COUNT SIZE ADDRESS PORT
 *   march receive PORT
 *
 * Sends COUNT batches of 32 datagrams of SIZE bytes (UDP GSO), and a single one after each, or
 * less if SIGTERM comes; prints how many. Receives until SIGTERM; prints what has come, in JSON.
 *
 * The receiver's buffer holds all of some 100,000 datagrams: none is lost because it is slow.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"

#define SEGMENTS	32
#define LENGTH_MAX	1400
#define MESSAGES	64		/* in one system call */
#define BUFFER		(256 << 20)
#define POLL_MS		100

const char usage_text[] = "march send COUNT SIZE ADDRESS PORT | march receive PORT";

static volatile sig_atomic_t ended;

static void on_term(int signal)
{
	(void)signal;
	ended = 1;
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number(port, UINT16_MAX)) };

	if (inet_pton(AF_INET, address, &in.sin_addr) != 1)
		usage();
	return in;
}

/* @n datagrams, numbered from @first on, as one message */
static void send_some(int fd, uint64_t first, unsigned int n, size_t size)
{
	static char text[SEGMENTS * LENGTH_MAX];

	for (unsigned int i = 0; i < n; i++) {
		uint64_t number = first + i;

		memcpy(text + i * size, &number, sizeof(number));
	}
	while (send(fd, text, n * size, 0) < 0)
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
			die("send");
}

static void segment_by(int fd, int size)
{
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
		die("UDP_SEGMENT");
}

static int march(const char *count_text, const char *size_text, const char *address, const char *port)
{
	struct sockaddr_in to = address_of(address, port);
	unsigned long count = number(count_text, ULONG_MAX / 64), size = number(size_text, LENGTH_MAX);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t next = 0;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die(address);
	segment_by(fd, (int)size);
	while (count-- && !ended) {
		send_some(fd, next, SEGMENTS, size);
		send_some(fd, next + SEGMENTS, 1, size);
		next += SEGMENTS + 1;
	}
	close(fd);
	printf("%" PRIu64 "\n", next);
	return 0;
}

static int listen_at(const char *port)
{
	const struct timeval poll = { .tv_usec = POLL_MS * 1000 };
	struct sockaddr_in at = address_of("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = BUFFER / 2;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &poll, sizeof(poll)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die(port);
	return fd;
}

static int review(const char *port)
{
	uint64_t received = 0, disordered = 0, next = 0, numbers[MESSAGES];
	struct mmsghdr messages[MESSAGES] = {};
	struct iovec iov[MESSAGES];
	int fd = listen_at(port), n;

	for (unsigned int i = 0; i < MESSAGES; i++) {
		iov[i] = (struct iovec) { .iov_base = &numbers[i], .iov_len = sizeof(numbers[i]) };
		messages[i].msg_hdr = (struct msghdr) { .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	for (;;) {
		n = recvmmsg(fd, messages, MESSAGES, MSG_WAITFORONE, NULL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			die("recvmmsg");
		if (n < 0 && ended && errno == EAGAIN)	/* and there is nothing left */
			break;
		for (int i = 0; i < n; i++) {
			received++;
			disordered += numbers[i] < next;
			if (numbers[i] >= next)
				next = numbers[i] + 1;
		}
	}
	close(fd);
	printf("{\"received\": %" PRIu64 ", \"disordered\": %" PRIu64 ", \"next\": %" PRIu64 "}\n",
	       received, disordered, next);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGTERM, on_term);
	if (argc == 6 && !strcmp(argv[1], "send"))
		return march(argv[2], argv[3], argv[4], argv[5]);
	if (argc == 3 && !strcmp(argv[1], "receive"))
		return review(argv[2]);
	usage();
}
