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
 * with one JSON line; SIGUSR1 asks for such a line as soon as the wire is quiet. Exit status 1
 * for a violation, or where the kernel dropped packets before they could be looked at.
 *
 * The kernel fills a ring of blocks in shared memory, so that a packet costs no system call.
 */
#include "packet.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>

#define AKM_PORT	7645
#define TYPE_GROUP	2
#define BLOCK		(1U << 18)
#define BLOCKS		512U		/* 128 MiB: about half a million small packets */
#define BLOCK_MS	20		/* a block that is not full is handed over after so long */
#define QUIET_MS	200		/* so long without a block: the wire is quiet */
#define FIRST_SLOTS	(1UL << 20)

/* What names a key and a nonce. No gaps: it is hashed as it lies. */
struct nonce {
	uint64_t number;
	uint32_t key_id;
	uint16_t sender;
	uint8_t epoch, type;
	uint8_t dst[16];		/* zero for group packets: encrypted once */
};
_Static_assert(sizeof(struct nonce) == 32, "no gaps");

/*
 * Ten million packets have to fit: only a hash of what names the nonce is kept. The same nonce has
 * the same hash, so no violation is missed; that two of 10^7 nonces share one by chance and are
 * taken for a violation happens in one run of 370,000 (n^2 / 2^65).
 */
struct entry {
	uint64_t nonce;			/* 0: free slot */
	uint64_t tag;			/* half of it: 2^-64 that another packet's is the same */
};

struct table {
	struct entry *slot;
	size_t slots, used;
};

struct counts {
	uint64_t packets, copies, violations, other, dropped;
};

struct wire {
	int fd;
	uint8_t *ring;
	unsigned int block;		/* the next to be looked at */
};

static volatile sig_atomic_t stop, asked;

static void on_signal(int signo)
{
	if (signo == SIGUSR1)
		asked = 1;
	else
		stop = 1;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "noncelog: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Return: never 0. */
static uint64_t hash(const struct nonce *n)
{
	const uint8_t *b = (const uint8_t *)n;
	uint64_t h = 0xcbf29ce484222325;	/* FNV-1a, 64 bit */

	for (size_t i = 0; i < sizeof(*n); i++)
		h = (h ^ b[i]) * 0x100000001b3;
	return h ? h : 1;
}

/* Return: the slot that holds @nonce, or the free one for it. */
static struct entry *find(const struct table *t, uint64_t nonce)
{
	size_t i = (nonce ^ nonce >> 32) & (t->slots - 1);

	while (t->slot[i].nonce && t->slot[i].nonce != nonce)
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
		if (t->slot[i].nonce)
			*find(&n, t->slot[i].nonce) = t->slot[i];
	}
	free(t->slot);
	*t = n;
}

static void report(const struct nonce *n)
{
	fprintf(stderr, "violation: key_id %#" PRIx32 " type %u epoch %u sender %u packet number %" PRIu64
		" (incarnation %" PRIu64 ") used for two packets\n", n->key_id, n->type, n->epoch, n->sender,
		n->number, n->number >> 40);
}

static void record(struct table *t, const struct packet *p, struct counts *c)
{
	const uint8_t *h = p->payload;
	struct nonce n = {
		.number = get64(h + 8), .key_id = get32(h + 4), .sender = get16(h + 2),
		.epoch = h[1], .type = h[0] & 15,
	};
	struct entry e, *slot;

	if (n.type != TYPE_GROUP)
		memcpy(n.dst, p->dst, sizeof(n.dst));
	e = (struct entry) { .nonce = hash(&n), .tag = get64(h + p->len - PACKET_TAG) };
	if (t->used * 10 >= t->slots * 8)
		grow(t);
	slot = find(t, e.nonce);
	c->packets++;
	if (!slot->nonce) {
		*slot = e;
		t->used++;
	} else if (slot->tag == e.tag) {
		c->copies++;
	} else {
		if (c->violations++ < 10)
			report(&n);
	}
}

static void set(int fd, int option, const void *value, socklen_t len, const char *name)
{
	if (setsockopt(fd, SOL_PACKET, option, value, len) < 0)
		die(name);
}

static struct wire open_wire(const char *interface)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq promiscuous = { .mr_type = PACKET_MR_PROMISC };
	struct tpacket_req3 ring = {
		.tp_block_size = BLOCK,
		.tp_block_nr = BLOCKS,
		.tp_frame_size = FRAME_MAX,
		.tp_frame_nr = BLOCK / FRAME_MAX * BLOCKS,
		.tp_retire_blk_tov = BLOCK_MS,
	};
	int version = TPACKET_V3;
	struct wire w = {};

	a.sll_ifindex = promiscuous.mr_ifindex = (int)if_nametoindex(interface);
	if (!a.sll_ifindex)
		die(interface);
	w.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (w.fd < 0)
		die("AF_PACKET");
	set(w.fd, PACKET_VERSION, &version, sizeof(version), "PACKET_VERSION");
	set(w.fd, PACKET_RX_RING, &ring, sizeof(ring), "PACKET_RX_RING");
	w.ring = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, w.fd, 0);
	if (w.ring == MAP_FAILED)
		die("mmap");
	if (bind(w.fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(interface);
	/* a bridge shows what it forwards only then */
	set(w.fd, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous), "PACKET_MR_PROMISC");
	return w;
}

/* What the kernel dropped since it was last asked. */
static uint64_t dropped(const struct wire *w)
{
	struct tpacket_stats_v3 s = {};
	socklen_t len = sizeof(s);

	if (getsockopt(w->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) < 0)
		die("PACKET_STATISTICS");
	return s.tp_drops;
}

static void show(const struct wire *w, const struct table *t, struct counts *c)
{
	c->dropped += dropped(w);
	printf("{\"packets\": %" PRIu64 ", \"distinct\": %zu, \"copies\": %" PRIu64 ", \"violations\": %" PRIu64
	       ", \"other\": %" PRIu64 ", \"dropped\": %" PRIu64 "}\n",
	       c->packets, t->used, c->copies, c->violations, c->other, c->dropped);
	fflush(stdout);
}

static void look(uint8_t *frame, size_t len, struct table *t, struct counts *c)
{
	struct packet p;

	if (!packet_parse(frame, len, &p) || p.port != AKM_PORT || p.len < PACKET_HEADER + PACKET_TAG) {
		c->other++;
		return;
	}
	record(t, &p, c);
	if (c->packets % 10000 == 0)
		fprintf(stderr, "noncelog: %" PRIu64 " packets\n", c->packets);
}

/* Return: a block that the kernel has handed over, or NULL after a quiet time. */
static struct tpacket_hdr_v1 *next_block(struct wire *w)
{
	struct tpacket_block_desc *b = (void *)(w->ring + (size_t)w->block * BLOCK);
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	while (!(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
		int n = poll(&p, 1, QUIET_MS);

		if (n < 0 && errno != EINTR)
			die("poll");
		if (!n)
			return NULL;
	}
	w->block = (w->block + 1) % BLOCKS;
	return &b->hdr.bh1;
}

static void look_at_block(struct tpacket_hdr_v1 *b, struct table *t, struct counts *c)
{
	uint8_t *at = (uint8_t *)b - offsetof(struct tpacket_block_desc, hdr) + b->offset_to_first_pkt;

	for (uint32_t i = 0; i < b->num_pkts; i++) {
		struct tpacket3_hdr *h = (void *)at;

		look(at + h->tp_mac, h->tp_snaplen, t, c);
		at += h->tp_next_offset;
	}
	__atomic_store_n(&b->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

/* When it is told to stop, what the ring holds is still looked at. */
static void watch(struct wire *w, uint64_t limit, struct table *t, struct counts *c)
{
	unsigned int rest = BLOCKS;

	while (rest && (!limit || c->packets < limit)) {
		struct tpacket_hdr_v1 *b = next_block(w);

		if (b)
			look_at_block(b, t, c);
		else if (stop)
			return;
		if (!b && asked) {
			asked = 0;
			show(w, t, c);
		}
		rest -= stop;
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct counts c = {};
	struct table t = {};
	uint64_t limit = 0;
	struct wire w;
	int option;

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
	sigaction(SIGUSR1, &sa, NULL);
	grow(&t);
	w = open_wire(argv[optind]);
	fprintf(stderr, "noncelog: watching %s\n", argv[optind]);
	watch(&w, limit, &t, &c);
	show(&w, &t, &c);
	free(t.slot);
	close(w.fd);
	return c.violations || c.dropped ? 1 : 0;
}
