// SPDX-License-Identifier: GPL-2.0
/*
 * Small UDP datagrams as fast as they go: one system call hands over many, so the load is
 * the kernel's also where system calls are dear.
 *
 *   storm COUNT ADDRESS PORT
 *
 * Sends at least COUNT datagrams of 32 bytes. Every second message is a UDP GSO batch, the
 * others are single datagrams: a device sees both. Whether anybody hears them is not its
 * concern; a full queue is waited for. Prints the number of datagrams sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"

#define DATAGRAM	32
#define SEGMENTS	32		/* datagrams in one batch, below the kernel's 64 */
#define MESSAGES	16		/* in one system call */

struct target {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} addr;
	socklen_t len;
};

struct message {
	char control[CMSG_SPACE(sizeof(uint16_t))];
	struct iovec iov;
};

const char usage_text[] = "storm COUNT ADDRESS PORT";

static struct target parse_target(const char *address, const char *port)
{
	uint16_t p = htons((uint16_t)number(port, UINT16_MAX));
	struct target t = {};

	if (inet_pton(AF_INET, address, &t.addr.in4.sin_addr) == 1) {
		t.addr.in4.sin_family = AF_INET;
		t.addr.in4.sin_port = p;
		t.len = sizeof(t.addr.in4);
	} else if (inet_pton(AF_INET6, address, &t.addr.in6.sin6_addr) == 1) {
		t.addr.in6.sin6_family = AF_INET6;
		t.addr.in6.sin6_port = p;
		t.len = sizeof(t.addr.in6);
	} else {
		usage();
	}
	return t;
}

static void make_batch(struct msghdr *m, struct message *store)
{
	struct cmsghdr *c;
	uint16_t size = DATAGRAM;

	store->iov.iov_len = DATAGRAM * SEGMENTS;
	m->msg_control = store->control;
	m->msg_controllen = sizeof(store->control);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
}

static void prepare(struct mmsghdr *messages, struct message *store, struct target *t)
{
	static char text[DATAGRAM * SEGMENTS] = "storm";

	for (unsigned int i = 0; i < MESSAGES; i++) {
		struct msghdr *m = &messages[i].msg_hdr;

		store[i].iov = (struct iovec) { .iov_base = text, .iov_len = DATAGRAM };
		*m = (struct msghdr) {
			.msg_name = &t->addr, .msg_namelen = t->len, .msg_iov = &store[i].iov, .msg_iovlen = 1,
		};
		if (i % 2)
			make_batch(m, &store[i]);
	}
}

int main(int argc, char **argv)
{
	struct mmsghdr messages[MESSAGES] = {};
	struct message store[MESSAGES] = {};
	unsigned long count, sent = 0;
	struct target t;
	int fd, n, on = 1;

	if (argc != 4)
		usage();
	count = number(argv[1], ULONG_MAX / 2);
	t = parse_target(argv[2], argv[3]);
	fd = socket(t.addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0)
		die("socket");
	prepare(messages, store, &t);
	while (sent < count) {
		n = sendmmsg(fd, messages, MESSAGES, 0);
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
			die(argv[2]);
		for (int i = 0; i < n; i++)
			sent += i % 2 ? SEGMENTS : 1;
	}
	printf("%lu\n", sent);
	close(fd);
	return 0;
}
