// SPDX-License-Identifier: GPL-2.0
#include "train.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>
#include "buffer.h"
#include "gso.h"

/* What of a packet that does not join goes to the linear part of its sk_buff */
#define LINEAR		128
#define TOTAL_MAX	0xffff		/* what an IP header can say */

static const struct tcphdr *tcp_of(const u8 *packet, unsigned int network_len)
{
	return (const struct tcphdr *)(packet + network_len);
}

static bool is_ip4(const u8 *packet)
{
	return *packet >> 4 == 4;
}

/* Flags that say something about this one segment, beyond ACK, PSH and FIN. */
static bool has_odd_flags(const struct tcphdr *tcp)
{
	return !tcp->ack || tcp->syn || tcp->rst || tcp->urg || tcp->cwr;
}

void akm_segment_parse(const u8 *data, unsigned int len, struct akm_segment *ret_segment)
{
	struct akm_segment segment = { .data = data, .len = len };
	const struct ipv6hdr *ip6 = (const struct ipv6hdr *)data;
	const struct iphdr *ip4 = (const struct iphdr *)data;
	const struct tcphdr *tcp;
	unsigned int header_len;
	bool plain;

	if (is_ip4(data)) {
		/* a checksum that is wrong stays wrong: it is not computed anew */
		plain = ip4->ihl == 5 && ip4->protocol == IPPROTO_TCP && !ip_is_fragment(ip4) &&
			!ip_fast_csum(ip4, 5);
		segment.network_len = sizeof(*ip4);
	} else {
		plain = ip6->nexthdr == IPPROTO_TCP;
		segment.network_len = sizeof(*ip6);
	}
	*ret_segment = segment;
	if (!plain || len < segment.network_len + sizeof(*tcp))
		return;
	tcp = tcp_of(data, segment.network_len);
	header_len = segment.network_len + tcp->doff * 4;
	if (tcp->doff < 5 || len <= header_len || has_odd_flags(tcp))
		return;
	ret_segment->header_len = header_len;
}

/* All but the length, the ID and the checksum */
static bool same_network4(const struct iphdr *a, const struct iphdr *b)
{
	return a->tos == b->tos && a->frag_off == b->frag_off && a->ttl == b->ttl &&
	       a->saddr == b->saddr && a->daddr == b->daddr;
}

static bool same_network6(const struct ipv6hdr *a, const struct ipv6hdr *b)
{
	return *(const __be32 *)a == *(const __be32 *)b && a->hop_limit == b->hop_limit &&
	       ipv6_addr_equal(&a->saddr, &b->saddr) && ipv6_addr_equal(&a->daddr, &b->daddr);
}

static bool next_id(const struct akm_train *train, const struct iphdr *ip)
{
	u16 id = ntohs(ip->id);
	bool same = id == train->last_id && (ip->frag_off & htons(IP_DF));

	if (train->n == 1)
		return same || id == (u16)(train->last_id + 1);
	return train->same_id ? same : id == (u16)(train->last_id + 1);
}

/* All but the sequence number, PSH, FIN and the checksum */
static bool same_transport(const struct tcphdr *a, const struct tcphdr *b)
{
	__be32 ignored = TCP_FLAG_PSH | TCP_FLAG_FIN;

	return a->source == b->source && a->dest == b->dest && a->ack_seq == b->ack_seq &&
	       !((tcp_flag_word(a) ^ tcp_flag_word(b)) & ~ignored) &&
	       !memcmp(a + 1, b + 1, a->doff * 4 - sizeof(*a));
}

/* Behind its last byte */
static u8 *end_of(const struct akm_train *train)
{
	const struct skb_shared_info *info = skb_shinfo(train->skb);
	const skb_frag_t *last = &info->frags[info->nr_frags - 1];

	return (u8 *)skb_frag_address(last) + skb_frag_size(last);
}

static bool fits(const struct akm_train *train, const struct akm_segment *segment)
{
	const u8 *head = train->skb->data;
	const struct tcphdr *tcp = tcp_of(segment->data, segment->network_len);
	unsigned int payload = segment->len - segment->header_len;

	if (segment->header_len != train->header_len ||
	    segment->network_len != train->network_len || payload > train->mss ||
	    train->skb->len + payload > TOTAL_MAX ||
	    (skb_shinfo(train->skb)->nr_frags == MAX_SKB_FRAGS &&
	     end_of(train) != segment->data + segment->header_len) ||
	    ntohl(tcp->seq) != train->next_seq ||
	    !same_transport(tcp_of(head, train->network_len), tcp))
		return false;
	if (is_ip4(head))
		return same_network4((const struct iphdr *)head,
				     (const struct iphdr *)segment->data) &&
		       next_id(train, (const struct iphdr *)segment->data);
	return same_network6((const struct ipv6hdr *)head,
			     (const struct ipv6hdr *)segment->data);
}

/* What the end of a stretch of data says is said by the last segment. */
static void take_end_flags(struct akm_train *train, const struct tcphdr *tcp)
{
	struct tcphdr *head = tcp_hdr(train->skb);

	head->psh |= tcp->psh;
	head->fin |= tcp->fin;
}

static void note_last(struct akm_train *train, const struct akm_segment *segment)
{
	const struct tcphdr *tcp = tcp_of(segment->data, segment->network_len);
	unsigned int payload = segment->len - segment->header_len;

	train->n++;
	train->next_seq = ntohl(tcp->seq) + payload;
	if (is_ip4(segment->data)) {
		u16 id = ntohs(((const struct iphdr *)segment->data)->id);

		if (train->n == 2)
			train->same_id = id == train->last_id;
		train->last_id = id;
	}
	if (payload < train->mss || tcp->psh || tcp->fin)
		train->open = false;
}

unsigned int akm_train_lends(const struct akm_train *train, const u8 *at)
{
	if (!train->skb || !train->open || end_of(train) != at)
		return 0;
	return train->header_len;
}

int akm_train_save_end(struct akm_train *train, const u8 *data, unsigned int n)
{
	struct skb_shared_info *info = skb_shinfo(train->skb);
	skb_frag_t *last = &info->frags[info->nr_frags - 1];
	unsigned int cut = min(n, skb_frag_size(last));
	bool whole = cut == skb_frag_size(last);
	u8 *buffer;

	train->open = false;
	if (info->nr_frags == MAX_SKB_FRAGS && !whole)
		return -ENOMEM;
	buffer = akm_buffer_alloc(cut);
	if (!buffer)
		return -ENOMEM;
	memcpy(buffer, data + n - cut, cut);
	if (whole) {
		akm_buffer_free(skb_frag_address(last));
		info->nr_frags--;
	} else {
		skb_frag_size_sub(last, cut);
	}
	train->skb->len -= cut;
	train->skb->data_len -= cut;
	akm_buffer_attach(train->skb, buffer, cut, SKB_DATA_ALIGN(cut));
	return 0;
}

/* Lengthen the last fragment if the payload lies behind it. */
static bool extend(struct akm_train *train, u8 *payload, unsigned int len)
{
	if (end_of(train) != payload)
		return false;
	skb_coalesce_rx_frag(train->skb, skb_shinfo(train->skb)->nr_frags - 1, len, len);
	akm_buffer_free(payload);
	return true;
}

static void attach(struct akm_train *train, const struct akm_segment *segment,
		   unsigned int truesize)
{
	u8 *payload = (u8 *)segment->data + segment->header_len;
	unsigned int len = segment->len - segment->header_len;

	if (!extend(train, payload, len))
		akm_buffer_attach(train->skb, payload, len, truesize);
}

bool akm_train_join(struct akm_train *train, const struct akm_segment *segment,
		    unsigned int truesize)
{
	if (!train->skb || !train->open || !segment->header_len || !fits(train, segment))
		return false;
	take_end_flags(train, tcp_of(segment->data, segment->network_len));
	attach(train, segment, truesize);
	note_last(train, segment);
	return true;
}

static unsigned int linear_len(const struct akm_segment *segment)
{
	unsigned int len = segment->header_len ?: LINEAR;

	BUILD_BUG_ON(AKM_GSO_HEADER_MAX > LINEAR);
	return min(segment->len, max_t(unsigned int, len, segment->lent));
}

int akm_train_start(struct akm_train *train, const struct akm_segment *segment,
		    unsigned int truesize)
{
	unsigned int linear = linear_len(segment);
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + linear, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return -ENOMEM;
	skb_reserve(skb, NET_SKB_PAD);
	skb_put_data(skb, segment->data, linear);
	skb->protocol = is_ip4(segment->data) ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, segment->network_len);
	*train = (struct akm_train) {
		.skb = skb,
		.network_len = segment->network_len,
		.header_len = segment->header_len,
	};
	if (segment->header_len) {
		train->mss = segment->len - segment->header_len;
		train->open = linear == segment->header_len;
		note_last(train, segment);
	} else {
		train->n = 1;
	}
	if (segment->len > linear)
		akm_buffer_attach(skb, (u8 *)segment->data + linear, segment->len - linear,
				  truesize);
	else
		akm_buffer_free((void *)segment->data);
	return 0;
}

/* A checksum that still has to be completed, as of a packet that is about to be split. */
static void end_checksum(struct akm_train *train)
{
	struct sk_buff *skb = train->skb;
	unsigned int len = skb->len - train->network_len;

	if (skb->protocol == htons(ETH_P_IP)) {
		struct iphdr *ip = ip_hdr(skb);

		ip->tot_len = htons(skb->len);
		ip_send_check(ip);
		tcp_hdr(skb)->check = ~tcp_v4_check(len, ip->saddr, ip->daddr, 0);
		skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4 |
					    (train->same_id ? SKB_GSO_TCP_FIXEDID : 0);
	} else {
		struct ipv6hdr *ip = ipv6_hdr(skb);

		ip->payload_len = htons(len);
		tcp_hdr(skb)->check = ~tcp_v6_check(len, &ip->saddr, &ip->daddr, 0);
		skb_shinfo(skb)->gso_type = SKB_GSO_TCPV6;
	}
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb->ip_summed = CHECKSUM_PARTIAL;
}

struct sk_buff *akm_train_end(struct akm_train *train)
{
	struct sk_buff *skb = train->skb;

	if (train->n > 1) {
		end_checksum(train);
		skb_shinfo(skb)->gso_size = train->mss;
		skb_shinfo(skb)->gso_segs = train->n;
	} else {
		/* the sender completed it, and the tag covers all of it */
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		skb->csum_level = ~0;
	}
	train->skb = NULL;
	return skb;
}
