// SPDX-License-Identifier: GPL-2.0
/*
 * Our own splitting of large packets beside the stack's: what both make of the
 * same packet must be the same to the last bit. And our own joining: what was
 * split comes together again, and nothing else does. Mutants: mutants.txt.
 */
#include "gso.h"

#include <linux/bottom_half.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/prandom.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "buffer.h"
#include "compat/compat.h"
#include "track.h"
#include "train.h"
#include "util.h"

#define MSS	1000

/* A packet that the stack might hand to a device with segmentation offload */
struct shape {
	const char *name;
	bool v6, udp, paged, odd;
	unsigned int type;		/* SKB_GSO_*, beside the protocol's own */
	unsigned int payload;
	u8 tcp_flags;			/* byte 13 of the header */
	u8 options;			/* bytes of TCP options */
};

#define FIN	0x01
#define PSH	0x08
#define ACK	0x10
#define CWR	0x80

static const struct shape shapes[] = {
	{ "TCP over IPv4", .payload = 5 * MSS + 17, .tcp_flags = ACK | PSH },
	{ "TCP over IPv4, exact", .payload = 4 * MSS, .tcp_flags = ACK | PSH | FIN },
	{ "TCP over IPv4, two", .payload = MSS + 1, .tcp_flags = ACK },
	{ "TCP over IPv4, timestamps", .payload = 9 * MSS + 1, .tcp_flags = ACK, .options = 12 },
	{ "TCP over IPv4, all options", .payload = 3 * MSS, .tcp_flags = ACK, .options = 40 },
	{ "TCP over IPv4, ECN", .payload = 5 * MSS, .tcp_flags = ACK | CWR,
	  .type = SKB_GSO_TCP_ECN },
	{ "TCP over IPv4, fixed ID", .payload = 5 * MSS, .tcp_flags = ACK,
	  .type = SKB_GSO_TCP_FIXEDID },
	{ "TCP over IPv4, paged", .payload = 30 * MSS + 3, .tcp_flags = ACK | PSH, .paged = true },
	{ "TCP over IPv4, odd pages", .payload = 30 * MSS + 3, .tcp_flags = ACK, .paged = true,
	  .odd = true },
	{ "TCP over IPv6", .v6 = true, .payload = 5 * MSS + 17, .tcp_flags = ACK | PSH },
	{ "TCP over IPv6, paged", .v6 = true, .payload = 30 * MSS + 3, .tcp_flags = ACK | FIN,
	  .options = 12, .paged = true },
	{ "UDP over IPv4", .udp = true, .payload = 5 * MSS + 17 },
	{ "UDP over IPv4, paged", .udp = true, .payload = 30 * MSS, .paged = true },
	{ "UDP over IPv6", .v6 = true, .udp = true, .payload = 5 * MSS + 1 },
	{ "UDP over IPv6, odd pages", .v6 = true, .udp = true, .payload = 20 * MSS + 1,
	  .paged = true, .odd = true },
};

static u8 payload_byte(unsigned int i)
{
	return i * 167 + i / 251;
}

static void put_ip4(struct sk_buff *skb, u8 protocol, unsigned int len)
{
	struct iphdr *ip = skb_put_zero(skb, sizeof(*ip));

	ip->version = 4;
	ip->ihl = 5;
	ip->tos = 2;
	ip->tot_len = htons(sizeof(*ip) + len);
	ip->id = htons(0xfffe);		/* wraps on the way */
	ip->frag_off = htons(IP_DF);
	ip->ttl = 63;
	ip->protocol = protocol;
	ip->saddr = htonl(0x0a4d0001);
	ip->daddr = htonl(0x0a4d0002);
	ip_send_check(ip);
	skb->protocol = htons(ETH_P_IP);
}

static void put_ip6(struct sk_buff *skb, u8 protocol, unsigned int len)
{
	struct ipv6hdr *ip = skb_put_zero(skb, sizeof(*ip));

	ip->version = 6;
	ip->payload_len = htons(len);
	ip->nexthdr = protocol;
	ip->hop_limit = 63;
	ip->saddr.s6_addr[0] = 0xfd;
	ip->daddr.s6_addr[15] = 0x42;
	skb->protocol = htons(ETH_P_IPV6);
}

static __sum16 pseudo_sum(const struct sk_buff *skb, const struct shape *s, unsigned int len)
{
	u8 protocol = s->udp ? IPPROTO_UDP : IPPROTO_TCP;

	if (s->v6)
		return ~csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr, len,
					protocol, 0);
	return ~csum_tcpudp_magic(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, len, protocol, 0);
}

static void put_transport(struct sk_buff *skb, const struct shape *s, unsigned int len)
{
	skb_set_transport_header(skb, skb->len);
	skb->ip_summed = CHECKSUM_PARTIAL;
	if (s->udp) {
		struct udphdr *udp = skb_put_zero(skb, sizeof(*udp));

		udp->source = htons(4660);
		udp->dest = htons(7);
		udp->len = htons(len);
		udp->check = pseudo_sum(skb, s, len);
		skb->csum_offset = offsetof(struct udphdr, check);
	} else {
		struct tcphdr *tcp = skb_put_zero(skb, sizeof(*tcp));

		tcp->source = htons(4660);
		tcp->dest = htons(7);
		tcp->seq = htonl(0xffffff00);	/* wraps on the way */
		tcp->ack_seq = htonl(0x01020304);
		tcp->window = htons(500);
		((u8 *)tcp)[13] = s->tcp_flags;
		tcp->doff = (sizeof(*tcp) + s->options) / 4;
		memset(skb_put(skb, s->options), TCPOPT_NOP, s->options);
		tcp->check = pseudo_sum(skb, s, len);
		skb->csum_offset = offsetof(struct tcphdr, check);
	}
	skb->csum_start = skb_transport_header(skb) - skb->head;
}

/* In pieces that end at odd places, if that is wanted */
static void put_pages(struct kunit *test, struct sk_buff *skb, const struct shape *s)
{
	unsigned int done = 0, piece = s->odd ? 3001 : PAGE_SIZE, i, len;

	while (done < s->payload) {
		struct page *page = alloc_page(GFP_KERNEL);
		u8 *to;

		KUNIT_ASSERT_NOT_NULL(test, page);
		to = page_address(page);
		len = min(piece, s->payload - done);
		for (i = 0; i < len; i++)
			to[i] = payload_byte(done + i);
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, 0, len, PAGE_SIZE);
		done += len;
	}
}

static struct sk_buff *make(struct kunit *test, const struct shape *s)
{
	unsigned int transport = s->udp ? sizeof(struct udphdr) :
					  sizeof(struct tcphdr) + s->options;
	unsigned int len = transport + s->payload, i;
	struct sk_buff *skb = alloc_skb(256 + (s->paged ? 0 : s->payload), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 64);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	if (s->v6)
		put_ip6(skb, s->udp ? IPPROTO_UDP : IPPROTO_TCP, len);
	else
		put_ip4(skb, s->udp ? IPPROTO_UDP : IPPROTO_TCP, len);
	skb_reset_mac_len(skb);
	put_transport(skb, s, len);
	if (s->paged)
		put_pages(test, skb, s);
	else
		for (i = 0; i < s->payload; i++)
			skb_put_u8(skb, payload_byte(i));
	skb_shinfo(skb)->gso_size = MSS;
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(s->payload, MSS);
	skb_shinfo(skb)->gso_type = s->type;
	if (s->udp)
		skb_shinfo(skb)->gso_type |= SKB_GSO_UDP_L4;
	else
		skb_shinfo(skb)->gso_type |= s->v6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
	return skb;
}

static void compare(struct kunit *test, const struct akm_gso *gso, const struct sk_buff *ours,
		    const struct sk_buff *theirs, unsigned int i)
{
	unsigned int len = akm_gso_len(gso, i);
	u8 *a = kunit_kzalloc(test, len + 1, GFP_KERNEL);
	u8 *b = kunit_kzalloc(test, len + 1, GFP_KERNEL);
	unsigned int at;

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_ASSERT_EQ(test, theirs->len, len);
	akm_gso_write(ours, gso, i, a);
	KUNIT_EXPECT_EQ(test, a[len], 0);	/* and not one byte more */
	KUNIT_ASSERT_EQ(test, skb_copy_bits(theirs, 0, b, len), 0);
	for (at = 0; at < len && a[at] == b[at]; at++)
		;
	KUNIT_EXPECT_EQ_MSG(test, at, len, "packet %u, byte %u: %02x, the stack has %02x", i, at,
			    a[at], b[at]);
}

static void gso_like_the_stack(struct kunit *test)
{
	const struct shape *s = test->param_value;
	struct sk_buff *ours = make(test, s), *list, *each, *next;
	struct akm_gso gso = {};
	unsigned int i = 0;

	KUNIT_ASSERT_TRUE(test, akm_gso_plan(ours, &gso));
	KUNIT_EXPECT_EQ(test, gso.n, DIV_ROUND_UP(s->payload, MSS));
	list = skb_gso_segment(make(test, s), 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(list));
	skb_list_walk_safe(list, each, next) {
		if (i < gso.n)
			compare(test, &gso, ours, each, i);
		i++;
		kfree_skb(each);
	}
	KUNIT_EXPECT_EQ(test, i, gso.n);
	kfree_skb(ours);
}

/* Everything that is not of the common kind is left to the stack. */
static void gso_leaves_the_rest(struct kunit *test)
{
	static const unsigned int types[] = {
		SKB_GSO_DODGY, SKB_GSO_PARTIAL, SKB_GSO_UDP_TUNNEL, SKB_GSO_GRE, SKB_GSO_IPXIP4,
		SKB_GSO_ESP, SKB_GSO_FRAGLIST, SKB_GSO_SCTP, SKB_GSO_TUNNEL_REMCSUM,
	};
	struct akm_gso gso;
	struct sk_buff *skb;
	int i, k;

	for (k = 0; k < ARRAY_SIZE(shapes); k++) {
		for (i = 0; i < ARRAY_SIZE(types); i++) {
			skb = make(test, &shapes[k]);
			skb_shinfo(skb)->gso_type |= types[i];
			KUNIT_EXPECT_FALSE_MSG(test, akm_gso_plan(skb, &gso), "%s, type %x",
					       shapes[k].name, types[i]);
			kfree_skb(skb);
		}
		skb = make(test, &shapes[k]);
		skb->ip_summed = CHECKSUM_NONE;
		KUNIT_EXPECT_FALSE(test, akm_gso_plan(skb, &gso));
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->encapsulation = 1;
		KUNIT_EXPECT_FALSE(test, akm_gso_plan(skb, &gso));
		skb->encapsulation = 0;
		if (shapes[k].v6)
			ipv6_hdr(skb)->nexthdr = NEXTHDR_HOP;
		else
			ip_hdr(skb)->frag_off |= htons(IP_MF);
		KUNIT_EXPECT_FALSE(test, akm_gso_plan(skb, &gso));
		kfree_skb(skb);
	}
}

static void gso_refuses_bad_headers(struct kunit *test)
{
	struct sk_buff *skb = make(test, &shapes[0]);
	struct akm_gso gso;

	ip_hdr(skb)->ihl = 6;
	KUNIT_EXPECT_FALSE(test, akm_gso_plan(skb, &gso));
	ip_hdr(skb)->ihl = 5;
	tcp_hdr(skb)->doff = 4;
	KUNIT_EXPECT_FALSE(test, akm_gso_plan(skb, &gso));
	tcp_hdr(skb)->doff = 15;
	KUNIT_EXPECT_TRUE(test, akm_gso_plan(skb, &gso));	/* reads on into the data */
	tcp_hdr(skb)->doff = 5;
	__pskb_trim(skb, sizeof(struct iphdr) + sizeof(struct tcphdr));
	KUNIT_EXPECT_FALSE(test, akm_gso_plan(skb, &gso));	/* nothing to split */
	__pskb_trim(skb, sizeof(struct iphdr) + 8);
	KUNIT_EXPECT_FALSE(test, akm_gso_plan(skb, &gso));
	kfree_skb(skb);
}

/* ---- joining ---- */

/* Packet @i, parsed, in a buffer of its own */
static struct akm_segment segment_of(struct kunit *test, const struct sk_buff *skb,
				     const struct akm_gso *gso, unsigned int i)
{
	unsigned int len = akm_gso_len(gso, i);
	struct akm_segment segment;
	u8 *buffer;

	local_bh_disable();
	buffer = akm_buffer_alloc(len);
	local_bh_enable();
	KUNIT_ASSERT_NOT_NULL(test, buffer);
	akm_gso_write(skb, gso, i, buffer);
	akm_segment_parse(buffer, len, &segment);
	return segment;
}

static void expect_same(struct kunit *test, const struct sk_buff *a, const struct sk_buff *b)
{
	u8 *x = kunit_kzalloc(test, a->len, GFP_KERNEL);
	u8 *y = kunit_kzalloc(test, a->len, GFP_KERNEL);
	unsigned int at;

	KUNIT_ASSERT_NOT_NULL(test, x);
	KUNIT_ASSERT_NOT_NULL(test, y);
	KUNIT_ASSERT_EQ(test, a->len, b->len);
	KUNIT_ASSERT_EQ(test, skb_copy_bits(a, 0, x, a->len), 0);
	KUNIT_ASSERT_EQ(test, skb_copy_bits(b, 0, y, a->len), 0);
	for (at = 0; at < a->len && x[at] == y[at]; at++)
		;
	KUNIT_EXPECT_EQ(test, at, a->len);
	KUNIT_EXPECT_TRUE(test, a->ip_summed == b->ip_summed);
	KUNIT_EXPECT_EQ(test, a->protocol, b->protocol);
	KUNIT_EXPECT_EQ(test, skb_checksum_start_offset(a), skb_checksum_start_offset(b));
	KUNIT_EXPECT_EQ(test, a->csum_offset, b->csum_offset);
	KUNIT_EXPECT_EQ(test, skb_shinfo(a)->gso_size, skb_shinfo(b)->gso_size);
	KUNIT_EXPECT_EQ(test, skb_shinfo(a)->gso_segs, skb_shinfo(b)->gso_segs);
	KUNIT_EXPECT_EQ(test, skb_shinfo(a)->gso_type, skb_shinfo(b)->gso_type);
}

/* Split and joined, a packet is what it was: headers, payload, what is left to offloads. */
static void train_undoes_gso(struct kunit *test)
{
	const struct shape *s = test->param_value;
	struct sk_buff *ours = make(test, s), *joined;
	struct akm_train train = {};
	struct akm_segment segment;
	struct akm_gso gso = {};
	unsigned int i;

	if (s->udp || s->tcp_flags & CWR) {
		kfree_skb(ours);
		kunit_skip(test, "of a kind that is not joined");
	}
	KUNIT_ASSERT_TRUE(test, akm_gso_plan(ours, &gso));
	for (i = 0; i < gso.n && i < MAX_SKB_FRAGS; i++) {
		segment = segment_of(test, ours, &gso, i);
		if (!i)
			KUNIT_ASSERT_EQ(test, akm_train_start(&train, &segment, 2048), 0);
		else
			KUNIT_ASSERT_TRUE(test, akm_train_join(&train, &segment, 2048));
	}
	joined = akm_train_end(&train);
	KUNIT_EXPECT_NULL(test, train.skb);
	if (i == gso.n)
		expect_same(test, joined, ours);
	kfree_skb(joined);
	kfree_skb(ours);
}

/* Packet @i, where receive.c would have it decrypted */
static struct akm_segment lay(struct kunit *test, struct akm_track *track,
			      const struct akm_train *train, const struct sk_buff *skb,
			      const struct akm_gso *gso, unsigned int i)
{
	const unsigned int head = sizeof(struct akm_header);
	unsigned int len = akm_gso_len(gso, i), lent = akm_train_lends(train, track->end);
	struct akm_segment segment;
	u8 *place;

	local_bh_disable();
	place = akm_track_lay(track, head + len, lent ? head + lent : 0,
			      (gso->n - i) * (head + len));
	local_bh_enable();
	KUNIT_ASSERT_NOT_NULL(test, place);
	memset(place, 0xee, head);
	akm_gso_write(skb, gso, i, place + head);
	akm_segment_parse(place + head, len, &segment);
	segment.lent = track->lent ? track->lent - head : 0;
	return segment;
}

/* A packet that does not open leaves anything at its place. */
static void lay_in_vain(struct kunit *test, struct akm_track *track,
			const struct akm_train *train, const struct sk_buff *skb,
			const struct akm_gso *gso, unsigned int i)
{
	struct akm_segment segment = lay(test, track, train, skb, gso, i);

	memset((u8 *)segment.data, 0xdd, segment.len);
	akm_track_give_back(track);
	akm_buffer_free((void *)segment.data);
}

static void couple(struct kunit *test, struct akm_track *track, struct akm_train *train,
		   const struct akm_segment *segment)
{
	if (train->skb)
		KUNIT_ASSERT_TRUE(test, akm_train_join(train, segment, 2048));
	else
		KUNIT_ASSERT_EQ(test, akm_train_start(train, segment, 2048), 0);
	akm_track_give_back(track);
	akm_track_keep(track, (u8 *)segment->data + segment->len);
}

/* On a track there is no limit but that of IP's length, and the payload is in one piece. */
static void train_is_one_piece(struct kunit *test)
{
	const struct shape *s = test->param_value;
	struct sk_buff *ours = make(test, s), *joined;
	struct akm_train train = {};
	struct akm_segment segment;
	struct akm_track track = {};
	struct akm_gso gso = {};
	unsigned int i;

	if (s->udp || s->tcp_flags & CWR) {
		kfree_skb(ours);
		kunit_skip(test, "of a kind that is not joined");
	}
	KUNIT_ASSERT_TRUE(test, akm_gso_plan(ours, &gso));
	for (i = 0; i < gso.n; i++) {
		lay_in_vain(test, &track, &train, ours, &gso, i);
		segment = lay(test, &track, &train, ours, &gso, i);
		couple(test, &track, &train, &segment);
	}
	akm_track_free(&track);
	joined = akm_train_end(&train);
	expect_same(test, joined, ours);
	KUNIT_EXPECT_LE(test, skb_shinfo(joined)->nr_frags,
			1 + ours->len / (AKM_BUFFER_MAX - 2 * MSS));
	kfree_skb(joined);
	kfree_skb(ours);
}

static void expect_payload(struct kunit *test, const struct sk_buff *skb,
			   unsigned int header_len, unsigned int len)
{
	unsigned int i;
	u8 byte;

	KUNIT_ASSERT_EQ(test, skb->len, header_len + len);
	for (i = 0; i < len; i++) {
		KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, header_len + i, &byte, 1), 0);
		if (byte != payload_byte(i))
			break;
	}
	KUNIT_EXPECT_EQ(test, i, len);
}

/* Another packet is written later on what is lent to it: the train has saved its end. */
static void leave_early(struct kunit *test, unsigned int mss, unsigned int n)
{
	static const struct shape shape = {
		.payload = 8 * MSS, .tcp_flags = ACK, .options = 12,
	};
	struct sk_buff *ours = make(test, &shape), *joined;
	struct akm_train train = {};
	struct akm_track track = {};
	struct akm_segment segment;
	struct akm_gso gso = {};
	unsigned int i;
	int err;

	KUNIT_ASSERT_TRUE(test, akm_gso_plan(ours, &gso));
	gso.mss = mss;
	gso.n = DIV_ROUND_UP(gso.payload, mss);
	for (i = 0; i < n; i++) {
		segment = lay(test, &track, &train, ours, &gso, i);
		couple(test, &track, &train, &segment);
	}
	segment = lay(test, &track, &train, ours, &gso, n);
	local_bh_disable();
	err = akm_train_save_end(&train, track.aside, track.lent);
	local_bh_enable();
	KUNIT_ASSERT_EQ(test, err, 0);
	memset((u8 *)segment.data - sizeof(struct akm_header), 0xdd,
	       sizeof(struct akm_header) + segment.len);
	KUNIT_EXPECT_EQ(test, akm_train_lends(&train, track.end), 0);
	joined = akm_train_end(&train);
	expect_payload(test, joined, gso.header_len, n * mss);
	akm_buffer_free((void *)segment.data);
	akm_track_free(&track);
	kfree_skb(joined);
	kfree_skb(ours);
}

static void train_saves_its_end(struct kunit *test)
{
	leave_early(test, MSS, 3);
	leave_early(test, 20, 1);	/* less than the headers that lie on it */
	leave_early(test, 20, 4);
}

/* Another buffer may happen to end where this one begins: what lies there is not lent. */
static void track_lends_its_own(struct kunit *test)
{
	struct akm_track track = {};
	u8 *place;

	local_bh_disable();
	place = akm_track_lay(&track, 200, 0, 1000);
	KUNIT_ASSERT_NOT_NULL(test, place);
	akm_buffer_free(place);
	place = akm_track_lay(&track, 200, 100, 1000);
	KUNIT_EXPECT_PTR_EQ(test, (void *)place, track.buffer);
	KUNIT_EXPECT_EQ(test, track.lent, 0);
	akm_track_keep(&track, place + 200);
	akm_buffer_free(place);
	place = akm_track_lay(&track, 200, 100, 1000);
	KUNIT_EXPECT_PTR_EQ(test, (void *)place, track.buffer + 100);
	akm_track_give_back(&track);
	akm_buffer_free(place);
	akm_track_free(&track);
	local_bh_enable();
}

/* What has no room in a train starts one, with a copy of what was lent to it. */
static void train_starts_on_another(struct kunit *test)
{
	static const struct shape shape = {
		.payload = 2 * MSS, .tcp_flags = ACK, .options = 12,
	}, other = {
		.payload = 2 * MSS, .tcp_flags = ACK,
	};
	struct sk_buff *ours = make(test, &shape), *theirs = make(test, &other), *skb;
	struct akm_train train = {}, next = {};
	struct akm_track track = {};
	struct akm_segment segment;
	struct akm_gso gso = {};

	KUNIT_ASSERT_TRUE(test, akm_gso_plan(ours, &gso));
	segment = lay(test, &track, &train, ours, &gso, 0);
	couple(test, &track, &train, &segment);
	KUNIT_ASSERT_TRUE(test, akm_gso_plan(theirs, &gso));
	segment = lay(test, &track, &train, theirs, &gso, 0);
	KUNIT_EXPECT_FALSE(test, akm_train_join(&train, &segment, 2048));
	KUNIT_ASSERT_EQ(test, akm_train_start(&next, &segment, 2048), 0);
	akm_track_give_back(&track);
	akm_track_keep(&track, (u8 *)segment.data + segment.len);
	akm_track_free(&track);
	skb = akm_train_end(&train);
	expect_payload(test, skb, gso.header_len + 12, MSS);
	kfree_skb(skb);
	skb = akm_train_end(&next);
	expect_payload(test, skb, gso.header_len, MSS);
	kfree_skb(skb);
	kfree_skb(ours);
	kfree_skb(theirs);
}

/* One change to the second packet, @byte counted from the transport header if @tcp */
static const struct change {
	const char *what;
	bool tcp, v6;
	unsigned int byte;
	u8 mask;
} changes[] = {
	{ "TOS", .byte = 1, .mask = 0x01 },
	{ "ID", .byte = 4, .mask = 0x40 },
	{ "don't fragment", .byte = 6, .mask = 0x40 },
	{ "more fragments", .byte = 6, .mask = 0x20 },
	{ "TTL", .byte = 8, .mask = 1 },
	{ "protocol", .byte = 9, .mask = 1 },
	{ "checksum", .byte = 10, .mask = 1 },
	{ "source", .byte = 15, .mask = 1 },
	{ "destination", .byte = 19, .mask = 1 },
	{ "traffic class", .v6 = true, .byte = 1, .mask = 0x10 },
	{ "flow label", .v6 = true, .byte = 3, .mask = 1 },
	{ "next header", .v6 = true, .byte = 6, .mask = 1 },
	{ "hop limit", .v6 = true, .byte = 7, .mask = 1 },
	{ "IPv6 source", .v6 = true, .byte = 23, .mask = 1 },
	{ "IPv6 destination", .v6 = true, .byte = 39, .mask = 1 },
	{ "source port", .tcp = true, .byte = 1, .mask = 1 },
	{ "destination port", .tcp = true, .byte = 3, .mask = 1 },
	{ "sequence number", .tcp = true, .byte = 7, .mask = 1 },
	{ "acknowledged", .tcp = true, .byte = 11, .mask = 1 },
	{ "header length", .tcp = true, .byte = 12, .mask = 0x10 },
	{ "SYN", .tcp = true, .byte = 13, .mask = 0x02 },
	{ "RST", .tcp = true, .byte = 13, .mask = 0x04 },
	{ "ACK", .tcp = true, .byte = 13, .mask = 0x10 },
	{ "URG", .tcp = true, .byte = 13, .mask = 0x20 },
	{ "ECE", .tcp = true, .byte = 13, .mask = 0x40 },
	{ "CWR", .tcp = true, .byte = 13, .mask = 0x80 },
	{ "window", .tcp = true, .byte = 15, .mask = 1 },
	{ "timestamp", .tcp = true, .byte = 27, .mask = 1 },
};

/* As a sender would make it: a wrong IPv4 checksum is a change of its own. */
static void apply_change(const struct change *c, const struct akm_gso *gso,
			 struct akm_segment *segment)
{
	u8 *packet = (u8 *)segment->data;

	packet[c->byte + (c->tcp ? gso->network_len : 0)] ^= c->mask;
	if (!c->v6 && !c->tcp && c->byte != offsetof(struct iphdr, check))
		ip_send_check((struct iphdr *)packet);
	akm_segment_parse(packet, segment->len, segment);
}

static void train_refuses_strangers(struct kunit *test)
{
	static const struct shape shape4 = {
		.payload = 4 * MSS, .tcp_flags = ACK, .options = 12,
	}, shape6 = {
		.v6 = true, .payload = 4 * MSS, .tcp_flags = ACK, .options = 12,
	};
	const struct change *c = test->param_value;
	struct sk_buff *ours = make(test, c->v6 ? &shape6 : &shape4);
	struct akm_segment first, second;
	struct akm_train train = {};
	struct akm_gso gso = {};

	KUNIT_ASSERT_TRUE(test, akm_gso_plan(ours, &gso));
	first = segment_of(test, ours, &gso, 0);
	second = segment_of(test, ours, &gso, 1);
	apply_change(c, &gso, &second);
	KUNIT_ASSERT_EQ(test, akm_train_start(&train, &first, 2048), 0);
	KUNIT_EXPECT_FALSE(test, akm_train_join(&train, &second, 2048));
	/* the train is as it was: without the change the same packet joins */
	apply_change(c, &gso, &second);
	KUNIT_EXPECT_TRUE(test, akm_train_join(&train, &second, 2048));
	kfree_skb(akm_train_end(&train));
	kfree_skb(ours);
}

/* Whatever a member sends: nothing is read beyond the packet (KASAN), no length exceeds it. */
static void train_parses_anything(struct kunit *test)
{
	struct akm_segment segment;
	struct rnd_state rnd;
	unsigned int i, len;
	u8 *data;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < 20000; i++) {
		bool v6 = i & 1;

		len = (v6 ? 40 : 20) + prandom_u32_state(&rnd) % 64;
		data = kmalloc(len, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, data);
		prandom_bytes_state(&rnd, data, len);
		data[0] = v6 ? 0x60 : 0x45;
		data[v6 ? 6 : 9] = IPPROTO_TCP;
		if (!v6) {
			memset(data + 6, 0, 2);		/* no fragment */
			ip_send_check((struct iphdr *)data);
		}
		akm_segment_parse(data, len, &segment);
		if (segment.header_len)
			KUNIT_EXPECT_LT(test, segment.header_len, len);
		kfree(data);
	}
}

static void describe_change(const struct change *c, char *desc)
{
	strscpy(desc, c->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(change, changes, describe_change);

static void describe(const struct shape *s, char *desc)
{
	strscpy(desc, s->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(shape, shapes, describe);

static struct kunit_case gso_cases[] = {
	KUNIT_CASE(gso_leaves_the_rest),
	KUNIT_CASE(gso_refuses_bad_headers),
	KUNIT_CASE_PARAM(gso_like_the_stack, shape_gen_params),
	KUNIT_CASE_PARAM(train_refuses_strangers, change_gen_params),
	KUNIT_CASE(train_parses_anything),
	KUNIT_CASE_PARAM(train_undoes_gso, shape_gen_params),
	KUNIT_CASE_PARAM(train_is_one_piece, shape_gen_params),
	KUNIT_CASE(track_lends_its_own),
	KUNIT_CASE(train_saves_its_end),
	KUNIT_CASE(train_starts_on_another),
	{}
};

static void gso_suite_exit(struct kunit_suite *suite)
{
	akm_buffer_exit();
}

struct kunit_suite akm_gso_suite = {
	.name = "akm_gso",
	.suite_exit = gso_suite_exit,
	.test_cases = gso_cases,
};
