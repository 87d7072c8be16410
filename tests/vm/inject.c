// SPDX-License-Identifier: GPL-2.0
/*
 * The attacker on the wire: sends recorded AKM packets again, or what it made of them.
 *
 *   inject [-d ADDRESS] [-t pair|group] [-n COUNT] [-r PER_SECOND] [-R IPV4 -E MAC] [-S IPV4] MODE INTERFACE PCAP
 *
 * Takes the AKM packets of PCAP (only those to outer ADDRESS, only that type), and sends
 * COUNT of them (default: each once), going round, out of INTERFACE. -R and -E lead them to
 * another outer IPv4 and Ethernet destination, -S makes them come from another outer IPv4.
 *   replay   as they were
 *   flip     one bit of the ciphertext changed
 *   tag      one bit of the first byte of the tag changed
 *   number   a packet number that was never used
 *   epoch    the next epoch
 *   key      a key_id that nobody has
 *   sender   a member index that nobody has
 *   members  the member indexes 100 to 299 in turn, a packet number that was never used
 *   version  a protocol version that does not exist
 *   short    cut to less than header and tag
 *   random   header as it was, with a fresh number; the rest random
 * The Ethernet source is INTERFACE's own, so that bridges keep their wits; the outer IP
 * source stays forged. Prints the number of packets sent.
 */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PCAP_MAGIC	0xa1b2c3d4	/* microseconds, this machine's byte order */
#define PCAP_ETHERNET	1
#define AKM_PORT	7645

struct frame {
	struct frame *next;
	size_t len;
	uint8_t data[];
};

struct options {
	const char *mode, *interface, *file, *type;
	uint8_t dst[16];
	bool have_dst;
	uint8_t redirect[4], redirect_mac[ETH_ALEN];
	bool have_redirect, have_mac;
	uint8_t source[4];
	bool have_source;
	unsigned long count, rate;
};

struct wire {
	int fd;
	uint8_t mac[ETH_ALEN];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: inject [-d ADDRESS] [-t pair|group] [-n COUNT] [-r PER_SECOND] "
		"[-R IPV4 -E MAC] [-S IPV4] MODE INTERFACE PCAP\n");
	exit(2);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (!*text || *end)
		usage();
	return v;
}

static void parse_mac(const char *text, uint8_t ret_mac[ETH_ALEN])
{
	unsigned int b[ETH_ALEN];
	char rest;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", b, b + 1, b + 2, b + 3, b + 4, b + 5, &rest) != ETH_ALEN)
		usage();
	for (int i = 0; i < ETH_ALEN; i++)
		ret_mac[i] = (uint8_t)b[i];
}

static void parse_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "d:t:n:r:R:E:S:")) != -1) {
		switch (c) {
		case 'd':
			if (inet_pton(AF_INET, optarg, o->dst) != 1 && inet_pton(AF_INET6, optarg, o->dst) != 1)
				usage();
			o->have_dst = true;
			break;
		case 'R':
			if (inet_pton(AF_INET, optarg, o->redirect) != 1)
				usage();
			o->have_redirect = true;
			break;
		case 'E':
			parse_mac(optarg, o->redirect_mac);
			o->have_mac = true;
			break;
		case 'S':
			if (inet_pton(AF_INET, optarg, o->source) != 1)
				usage();
			o->have_source = true;
			break;
		case 't':
			o->type = optarg;
			break;
		case 'n':
			o->count = number(optarg);
			break;
		case 'r':
			o->rate = number(optarg);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 3)
		usage();
	o->mode = argv[optind];
	o->interface = argv[optind + 1];
	o->file = argv[optind + 2];
}

static bool wanted(const struct options *o, uint8_t *frame, size_t len)
{
	struct packet p;
	unsigned int type;

	if (!packet_parse(frame, len, &p) || p.port != AKM_PORT || p.len < PACKET_HEADER + PACKET_TAG)
		return false;
	type = p.payload[0] & 15;
	if (o->type && type != (strcmp(o->type, "group") ? 1 : 2))
		return false;
	return !o->have_dst || !memcmp(p.dst, o->dst, sizeof(p.dst));
}

/* Return: the wanted frames of the capture, in its order. */
static struct frame *load(const struct options *o)
{
	struct { uint32_t magic; uint16_t major, minor; uint32_t zone, sigfigs, snap, link; } head;
	struct { uint32_t sec, usec, len, wire_len; } rec;
	struct frame *first = NULL, **tail = &first;
	FILE *f = fopen(o->file, "re");

	if (!f)
		die(o->file);
	if (fread(&head, sizeof(head), 1, f) != 1 || head.magic != PCAP_MAGIC || head.link != PCAP_ETHERNET) {
		fprintf(stderr, "inject: %s: no Ethernet capture of this machine\n", o->file);
		exit(1);
	}
	while (fread(&rec, sizeof(rec), 1, f) == 1 && rec.len <= FRAME_MAX) {
		struct frame *n = malloc(sizeof(*n) + FRAME_MAX);

		if (!n)
			die("memory");
		if (fread(n->data, 1, rec.len, f) != rec.len) {
			free(n);
			break;
		}
		n->next = NULL;
		n->len = rec.len;
		if (rec.len != rec.wire_len || !wanted(o, n->data, n->len)) {
			free(n);
			continue;
		}
		*tail = n = realloc(n, sizeof(*n) + n->len + PACKET_TAG);
		if (!n)
			die("memory");
		tail = &n->next;
	}
	fclose(f);
	return first;
}

static struct wire open_wire(const char *interface)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET };
	struct ifreq r = {};
	struct wire w;

	w.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (w.fd < 0)
		die("AF_PACKET");
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", interface);
	if (ioctl(w.fd, SIOCGIFHWADDR, &r) < 0)
		die(interface);
	memcpy(w.mac, r.ifr_hwaddr.sa_data, ETH_ALEN);
	a.sll_ifindex = (int)if_nametoindex(interface);
	if (bind(w.fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(interface);
	return w;
}

/* Changes the packet as the mode says. @i makes each one differ. */
static void change(const char *mode, struct packet *p, unsigned long i)
{
	uint8_t *h = p->payload;

	if (!strcmp(mode, "replay"))
		return;
	if (!strcmp(mode, "flip"))
		h[PACKET_HEADER + i % (p->len - PACKET_HEADER)] ^= 1;
	else if (!strcmp(mode, "tag"))
		h[p->len - PACKET_TAG] ^= (uint8_t)(1 << i % 8);
	else if (!strcmp(mode, "number"))
		put64(h + 8, get64(h + 8) + (1UL << 32) + i);
	else if (!strcmp(mode, "epoch"))
		h[1]++;
	else if (!strcmp(mode, "key"))
		h[4] ^= 0xa5;
	else if (!strcmp(mode, "sender"))
		put16(h + 2, 0xfff0);
	else if (!strcmp(mode, "members")) {
		put16(h + 2, (uint16_t)(100 + i % 200));
		put64(h + 8, get64(h + 8) + (1UL << 32) + i);
	} else if (!strcmp(mode, "version"))
		h[0] ^= 0x70;
	else if (!strcmp(mode, "short"))
		p->len = 1 + i % (PACKET_HEADER + PACKET_TAG - 1);
	else if (!strcmp(mode, "random")) {
		put64(h + 8, get64(h + 8) + (1UL << 32) + i);
		if (getrandom(h + PACKET_HEADER, p->len - PACKET_HEADER, 0) < 0)
			die("getrandom");
	} else
		usage();
}

static void redirect(const struct options *o, uint8_t *frame, struct packet *p)
{
	if (o->have_redirect && !p->v6)
		memcpy(p->ip + 16, o->redirect, sizeof(o->redirect));
	if (o->have_source && !p->v6)
		memcpy(p->ip + 12, o->source, sizeof(o->source));
	if (o->have_mac)
		memcpy(frame, o->redirect_mac, ETH_ALEN);
}

static void send_one(const struct wire *w, const struct frame *f, const struct options *o, unsigned long i)
{
	static uint8_t copy[FRAME_MAX];
	struct packet p;
	size_t len;

	memcpy(copy, f->data, f->len);
	packet_parse(copy, f->len, &p);
	change(o->mode, &p, i);
	redirect(o, copy, &p);
	/* Also for a replay: checksums that hardware would have filled in are not in a local capture. */
	len = packet_finish(copy, &p);
	memcpy(copy + ETH_ALEN, w->mac, ETH_ALEN);
	while (send(w->fd, copy, len, 0) < 0) {
		if (errno != ENOBUFS && errno != EAGAIN)
			die("send");
	}
}

static void pace(const struct timespec *begin, unsigned long i, unsigned long rate)
{
	struct timespec t = *begin;

	if (!rate)
		return;
	t.tv_sec += (time_t)(i / rate);
	t.tv_nsec += (long)(i % rate * 1000000000UL / rate);
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

int main(int argc, char **argv)
{
	struct options o = {};
	struct frame *first, *f;
	struct timespec begin;
	struct wire w;
	unsigned long i;

	parse_options(argc, argv, &o);
	first = load(&o);
	if (!first) {
		fprintf(stderr, "inject: %s holds no such packet\n", o.file);
		return 1;
	}
	w = open_wire(o.interface);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0, f = first; o.count ? i < o.count : f != NULL; i++) {
		send_one(&w, f, &o, i);
		f = f->next ? f->next : (o.count ? first : NULL);
		pace(&begin, i, o.rate);
	}
	printf("%lu\n", i);
	while (first) {
		f = first->next;
		free(first);
		first = f;
	}
	close(w.fd);
	return 0;
}
