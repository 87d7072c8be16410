// SPDX-License-Identifier: GPL-2.0
/*
 * Watches a wire for promise P1: no (key, nonce) pair is ever used for two packets.
 *
 *   noncelog [-n COUNT] INTERFACE
 *
 * A key is named by key_id, epoch, sender and, for pair packets, the receiver (its outer
 * address); the nonce is that key's IV xor the packet number. So two packets that agree in
 * all of these and differ in their tags are a violation. The same bytes seen again are a
 * copy: a group packet to several members, or a replay. Ends after COUNT packets or on SIGTERM,
 * with one JSON line. Exit status 1 for a violation, or where the kernel dropped packets
 * before they could be looked at.
 */
#include "packet.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>

#define AKM_PORT	7645
#define TYPE_GROUP	2
#define RECEIVE_BUFFER	(256 << 20)
#define FIRST_SLOTS	(1UL << 20)

struct entry {
	uint64_t number;
	uint32_t key_id;
	uint16_t sender;
	uint8_t epoch, type;		/* type 0: free slot */
	uint8_t dst[16];		/* zero for group packets: encrypted once */
	uint8_t tag[PACKET_TAG];
};
#define ENTRY_KEY	offsetof(struct entry, tag)

struct table {
	struct entry *slot;
	size_t slots, used;
};

struct counts {
	uint64_t packets, copies, violations, other;
};

static volatile sig_atomic_t stop;

static void on_signal(int signo)
{
	stop = signo;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "noncelog: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t hash(const struct entry *e)
{
	const uint8_t *b = (const uint8_t *)e;
	uint64_t h = 0xcbf29ce484222325;	/* FNV-1a, 64 bit */

	for (size_t i = 0; i < ENTRY_KEY; i++)
		h = (h ^ b[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

/* Return: the slot that holds @e's key and nonce, or the free one for it. */
static struct entry *find(const struct table *t, const struct entry *e)
{
	size_t i = hash(e) & (t->slots - 1);

	while (t->slot[i].type && memcmp(&t->slot[i], e, ENTRY_KEY))
		i = (i + 1) & (t->slots - 1);
	return &t->slot[i];
}

static void grow(struct table *t)
{
	struct table n = { .slots = t->slots ? t->slots * 2 : FIRST_SLOTS, .used = t->used };

	n.slot = calloc(n.slots, sizeof(*n.slot));
	if (!n.slot)
		die("memory");
	for (size_t i = 0; i < t->slots; i++) {
		if (t->slot[i].type)
			*find(&n, &t->slot[i]) = t->slot[i];
	}
	free(t->slot);
	*t = n;
}

static void report(const struct entry *e)
{
	fprintf(stderr, "violation: key_id %#" PRIx32 " type %u epoch %u sender %u packet number %" PRIu64
		" (incarnation %" PRIu64 ") used for two packets\n", e->key_id, e->type, e->epoch, e->sender,
		e->number, e->number >> 40);
}

static void record(struct table *t, const struct packet *p, struct counts *c)
{
	const uint8_t *h = p->payload;
	struct entry e = {
		.number = get64(h + 8), .key_id = get32(h + 4), .sender = get16(h + 2),
		.epoch = h[1], .type = h[0] & 15,
	}, *slot;

	if (e.type != TYPE_GROUP)
		memcpy(e.dst, p->dst, sizeof(e.dst));
	memcpy(e.tag, h + p->len - PACKET_TAG, PACKET_TAG);
	if (t->used * 10 >= t->slots * 6)
		grow(t);
	slot = find(t, &e);
	c->packets++;
	if (!slot->type) {
		*slot = e;
		t->used++;
	} else if (!memcmp(slot->tag, e.tag, PACKET_TAG)) {
		c->copies++;
	} else {
		if (c->violations++ < 10)
			report(&e);
	}
}

static int open_wire(const char *interface)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct timeval tick = { .tv_usec = 200000 };
	int fd, size = RECEIVE_BUFFER;

	a.sll_ifindex = (int)if_nametoindex(interface);
	if (!a.sll_ifindex)
		die(interface);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("AF_PACKET");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		die("SO_RCVBUFFORCE");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick)) < 0)
		die("SO_RCVTIMEO");
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(interface);
	return fd;
}

static uint64_t dropped(int fd)
{
	struct tpacket_stats s = {};
	socklen_t len = sizeof(s);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) < 0)
		die("PACKET_STATISTICS");
	return s.tp_drops;
}

static void watch(int fd, uint64_t limit, struct table *t, struct counts *c)
{
	static uint8_t frame[FRAME_MAX];
	struct packet p;
	ssize_t n;

	while (!stop && (!limit || c->packets < limit)) {
		n = recv(fd, frame, sizeof(frame), 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			die("recv");
		if (n < 0)
			continue;
		if (!packet_parse(frame, (size_t)n, &p) || p.port != AKM_PORT || p.len < PACKET_HEADER + PACKET_TAG) {
			c->other++;
			continue;
		}
		record(t, &p, c);
		if (c->packets % 100000 == 0)
			fprintf(stderr, "noncelog: %" PRIu64 " packets\n", c->packets);
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct counts c = {};
	struct table t = {};
	uint64_t limit = 0, drops;
	int option, fd;

	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			return 2;
		limit = strtoull(optarg, NULL, 10);
	}
	if (argc - optind != 1) {
		fprintf(stderr, "usage: noncelog [-n COUNT] INTERFACE\n");
		return 2;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	grow(&t);
	fd = open_wire(argv[optind]);
	fprintf(stderr, "noncelog: watching %s\n", argv[optind]);
	watch(fd, limit, &t, &c);
	drops = dropped(fd);
	printf("{\"packets\": %" PRIu64 ", \"distinct\": %zu, \"copies\": %" PRIu64 ", \"violations\": %" PRIu64
	       ", \"other\": %" PRIu64 ", \"dropped\": %" PRIu64 "}\n",
	       c.packets, t.used, c.copies, c.violations, c.other, drops);
	free(t.slot);
	close(fd);
	return c.violations || drops ? 1 : 0;
}
