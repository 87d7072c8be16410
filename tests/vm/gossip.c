// SPDX-License-Identifier: GPL-2.0
/*
 * One of several parties that talk to each other all the time, and keep account of it.
 *
 *   gossip [-m GROUP] [-p PORT] [-i MICROSECONDS] [-b BURST] SELF ROUNDS ADDRESS…
 *
 * In each of ROUNDS rounds, MICROSECONDS apart, a numbered datagram goes to every ADDRESS and to
 * the multicast GROUP; in between, what the others say is heard. BURST of the rounds come at once,
 * and then so much more time passes. SELF is our number, 1 to 63.
 * Says "listening", then "done" on standard error; after SIGUSR1 the rounds begin. After SIGTERM
 * it says no more, and as soon as nothing more is heard ends with one JSON line:
 *
 *   sent      datagrams
 *   heard     different ones
 *   late      of these, how many came after one that was sent to the same address later
 *   twice     came once more
 *   delay     microseconds from sending to hearing: median, 99.9th percentile, longest
 *
 * All parties are on one machine: its monotonic clock is everybody's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "args.h"

#define PARTIES		64
#define ROUNDS_MAX	100000000UL
#define KINDS		2		/* to us alone, to the group */
/*
 * Bytes that wait for us: a slow listener is not what is tested. A datagram takes 1280 of twice as many. Where
 * others have the processor the median of them has waited for seconds, and some for 40.
 */
#define QUEUE		(64 << 20)
#define QUIET		300000000UL	/* nanoseconds without a datagram: nobody says anything any more */
#define DELAYS		200000U		/* the longest delay that is told exactly, in microseconds */

struct datagram {
	uint16_t from;
	uint16_t group;			/* 0 or 1 */
	uint32_t round;
	uint64_t sent;			/* nanoseconds */
};

struct stream {
	uint32_t next;			/* after the latest round heard of */
	uint8_t *heard;			/* a bit for each round */
};

struct options {
	unsigned int self;
	unsigned long rounds, interval, burst;
	uint16_t port;
	struct in_addr group;
	bool have_group;
};

struct counts {
	uint64_t sent, heard, late, twice;
	uint32_t delay[DELAYS + 1];	/* how many took so long */
	uint64_t longest;
};

static volatile sig_atomic_t begun, stopped;

static void on_signal(int signo)
{
	if (signo == SIGUSR1)
		begun = 1;
	else
		stopped = 1;
}

const char usage_text[] = "gossip [-m GROUP] [-p PORT] [-i MICROSECONDS] [-b BURST] SELF ROUNDS ADDRESS...";

static struct in_addr address(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		usage();
	return a;
}

static struct options parse_options(int argc, char **argv)
{
	struct options o = { .interval = 1000, .burst = 1, .port = 7646 };
	int c;

	while ((c = getopt(argc, argv, "m:p:i:b:")) != -1) {
		switch (c) {
		case 'm':
			o.group = address(optarg);
			o.have_group = true;
			break;
		case 'p':
			o.port = (uint16_t)number(optarg, UINT16_MAX);
			break;
		case 'i':
			o.interval = number(optarg, 86400000000UL);
			break;
		case 'b':
			o.burst = number(optarg, ROUNDS_MAX);
			break;
		default:
			usage();
		}
	}
	if (argc - optind < 2)
		usage();
	o.self = (unsigned int)number(argv[optind], PARTIES - 1);
	o.rounds = number(argv[optind + 1], ROUNDS_MAX);
	return o;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000UL + (uint64_t)t.tv_nsec;
}

static int open_socket(const struct options *o)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(o->port) };
	struct ip_mreq join = { .imr_multiaddr = o->group };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = QUEUE, off = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		die("socket");
	if (o->have_group && (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof(off)) < 0 ||
			      setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)) < 0))
		die("multicast");
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		die("bind");
	return fd;
}

static void send_one(int fd, const struct options *o, struct in_addr to, bool group, uint32_t round, struct counts *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(o->port), .sin_addr = to };
	struct datagram d = { .from = (uint16_t)o->self, .group = group, .round = round, .sent = now() };

	while (sendto(fd, &d, sizeof(d), 0, (struct sockaddr *)&a, sizeof(a)) < 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
			die("send");
		poll(&p, 1, 1);
	}
	c->sent++;
}

/* The kernel holds back no route, no neighbour, no membership: who does not answer is not there. */
static void send_round(int fd, const struct options *o, char **addresses, uint32_t round, struct counts *c)
{
	for (; *addresses; addresses++)
		send_one(fd, o, address(*addresses), false, round, c);
	if (o->have_group)
		send_one(fd, o, o->group, true, round, c);
}

static void hear(const struct datagram *d, const struct options *o, struct stream streams[PARTIES][KINDS], struct counts *c)
{
	uint64_t delay = (now() - d->sent) / 1000;
	struct stream *s;

	if (d->from >= PARTIES || d->group >= KINDS || d->round >= o->rounds)
		return;
	s = &streams[d->from][d->group];
	if (!s->heard)
		s->heard = calloc(o->rounds / 8 + 1, 1);
	if (!s->heard)
		die("memory");
	if (s->heard[d->round / 8] >> d->round % 8 & 1) {
		c->twice++;
		return;
	}
	s->heard[d->round / 8] |= (uint8_t)(1 << d->round % 8);
	c->heard++;
	c->late += d->round < s->next;
	if (d->round >= s->next)
		s->next = d->round + 1;
	c->delay[delay < DELAYS ? delay : DELAYS]++;
	if (delay > c->longest)
		c->longest = delay;
}

/* Until @until, or a signal. Nothing is left in the socket then. */
static void listen_until(int fd, uint64_t until, const struct options *o, struct stream streams[PARTIES][KINDS],
			 struct counts *c)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct datagram d;
	uint64_t t;

	for (;;) {
		while (recv(fd, &d, sizeof(d), 0) == sizeof(d))
			hear(&d, o, streams, c);
		t = now();
		if (t >= until)
			return;
		t = until - t;
		if (ppoll(&p, 1, &(struct timespec){ .tv_sec = (time_t)(t / 1000000000),
						     .tv_nsec = (long)(t % 1000000000) }, NULL) < 0 &&
		    errno == EINTR)
			return;
	}
}

static void listen_for(const volatile sig_atomic_t *what, int fd, const struct options *o,
		       struct stream streams[PARTIES][KINDS], struct counts *c)
{
	while (!*what && !stopped)
		listen_until(fd, now() + 100000000, o, streams, c);
}

static void listen_until_quiet(int fd, const struct options *o, struct stream streams[PARTIES][KINDS], struct counts *c)
{
	uint64_t before;

	do {
		before = c->heard + c->twice;
		listen_until(fd, now() + QUIET, o, streams, c);
	} while (c->heard + c->twice != before);
}

static uint32_t percentile(const struct counts *c, uint64_t of_million)
{
	uint64_t rest = c->heard * of_million / 1000000;
	uint32_t i = 0;

	for (; i < DELAYS && c->delay[i] <= rest; i++)
		rest -= c->delay[i];
	return i;
}

static void show(const struct options *o, const struct counts *c)
{
	printf("{\"self\": %u, \"sent\": %" PRIu64 ", \"heard\": %" PRIu64 ", \"late\": %" PRIu64 ", \"twice\": %" PRIu64
	       ", \"median\": %" PRIu32 ", \"p999\": %" PRIu32 ", \"longest\": %" PRIu64 "}\n", o->self, c->sent, c->heard,
	       c->late, c->twice, percentile(c, 500000), percentile(c, 999000), c->longest);
}

int main(int argc, char **argv)
{
	static struct stream streams[PARTIES][KINDS];
	struct sigaction sa = { .sa_handler = on_signal };
	struct options o = parse_options(argc, argv);
	static struct counts c;
	int fd = open_socket(&o);
	uint64_t begin;

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	fprintf(stderr, "listening\n");
	listen_for(&begun, fd, &o, streams, &c);
	begin = now();
	for (uint32_t i = 0; i < o.rounds && !stopped; i++) {
		send_round(fd, &o, argv + optind + 2, i, &c);
		if ((i + 1) % o.burst == 0)
			listen_until(fd, begin + (uint64_t)(i + 1) * o.interval * 1000, &o, streams, &c);
	}
	fprintf(stderr, "done\n");
	listen_for(&stopped, fd, &o, streams, &c);
	listen_until_quiet(fd, &o, streams, &c);
	show(&o, &c);
	for (unsigned int i = 0; i < PARTIES * KINDS; i++)
		free(streams[i / KINDS][i % KINDS].heard);
	close(fd);
	return 0;
}
