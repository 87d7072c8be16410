// SPDX-License-Identifier: GPL-2.0
#include "receive.h"

#include <linux/udp.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>
#include "aead.h"
#include "atr.h"
#include "device.h"
#include "inner.h"
#include "keys.h"
#include "socket.h"

/*
 * Packets whose number is too old or was seen are decrypted all the same, to tell
 * a replay from a forgery, but no more often than this.
 */
#define CLASSIFY_BURST	64
#define CLASSIFY_RATE	64		/* per second */

struct receive_cb {
	struct akm_key *key;		/* held */
	u8 tos;				/* of the outer header */
};

static struct receive_cb *receive_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct receive_cb) > sizeof(skb->cb));
	return (struct receive_cb *)skb->cb;
}

static struct akm_device *key_device(const struct akm_key *key)
{
	return key->epoch->gen->akm;
}

/*
 * Nothing in this packet is proven, and no device can be told from it, unless the
 * port serves only one.
 */
static void refuse_unknown(const struct akm_socket *as, struct sk_buff *skb,
			   enum akm_stat stat, struct akm_event *event)
{
	struct akm_device *akm = rcu_dereference(as->sole);
	struct akm_place place = { .net = as->net->net };

	akm_event_source(event, skb);
	if (akm) {
		akm_stats_inc(&akm->stats, stat);
		akm_device_report(akm, event);
	} else {
		akm_monitor_report(&as->net->monitor, &place, event);
	}
	kfree_skb(skb);
}

static void refuse_malformed(const struct akm_socket *as, struct sk_buff *skb)
{
	struct akm_event event = { .type = AKM_EVENT_MALFORMED };

	refuse_unknown(as, skb, AKM_STAT_RX_MALFORMED, &event);
}

static void refuse_key(const struct akm_socket *as, struct sk_buff *skb,
		       const struct akm_header *header)
{
	struct akm_event event = {
		.type = AKM_EVENT_UNKNOWN_KEY,
		.has = AKM_HAS_KEY_ID | AKM_HAS_MEMBER | AKM_HAS_NUMBER,
		.key_id = be32_to_cpu(header->key_id),
		.member = be16_to_cpu(header->sender),
		.number = be64_to_cpu(header->packet_number),
	};

	refuse_unknown(as, skb, AKM_STAT_RX_UNKNOWN_KEY, &event);
}

/* The key was found; @why counts at the device and at the (claimed or proven) sender. */
static void refuse(struct akm_key *key, struct sk_buff *skb, enum akm_stat why,
		   enum akm_event_type type)
{
	const struct akm_header *header = (const struct akm_header *)skb->data;
	const struct akm_epoch *epoch = key->epoch;
	struct akm_event event = {
		.type = type,
		.has = AKM_HAS_MEMBER | AKM_HAS_GENERATION | AKM_HAS_EPOCH | AKM_HAS_NUMBER,
		.member = key->member->index,
		.generation = epoch->gen->ctx.generation,
		.key_id = epoch->gen->ctx.key_id,
		.epoch = epoch->number,
		.number = be64_to_cpu(header->packet_number),
	};

	akm_event_source(&event, skb);
	akm_stats_inc(&key_device(key)->stats, why);
	akm_stats_inc(&key->member->stats, why);
	akm_device_report(key_device(key), &event);
	kfree_skb(skb);
}

static void refuse_quietly(struct akm_key *key, struct sk_buff *skb, enum akm_stat why)
{
	akm_stats_inc(&key_device(key)->stats, why);
	akm_stats_inc(&key->member->stats, why);
	kfree_skb(skb);
}

/* Total length of the inner packet, 0 if it is none. Headers are in the linear part then. */
static unsigned int inner_length(struct sk_buff *skb)
{
	const struct ipv6hdr *ip6;
	const struct iphdr *ip4;

	if (!pskb_may_pull(skb, sizeof(*ip4)))
		return 0;
	ip4 = (const struct iphdr *)skb->data;
	if (ip4->version == 4 && ip4->ihl >= 5) {
		skb->protocol = htons(ETH_P_IP);
		return max_t(unsigned int, ntohs(ip4->tot_len), ip4->ihl * 4);
	}
	if (ip4->version != 6 || !pskb_may_pull(skb, sizeof(*ip6)))
		return 0;
	ip6 = (const struct ipv6hdr *)skb->data;
	skb->protocol = htons(ETH_P_IPV6);
	return sizeof(*ip6) + ntohs(ip6->payload_len);
}

/* Was it the sender's to send, under this type of key, and ours to get? */
static bool addresses_match(struct akm_device *akm, const struct akm_member *sender,
			    const struct sk_buff *skb, enum akm_packet_type type)
{
	bool group_key = type == AKM_PACKET_GROUP;
	struct akm_inner inner;

	if (skb->protocol == htons(ETH_P_IP))
		akm_inner_classify4(akm, (const struct iphdr *)skb->data, &inner);
	else
		akm_inner_classify6(akm, (const struct ipv6hdr *)skb->data, &inner);
	if (inner.source != sender || inner.group != group_key)
		return false;
	return inner.group ||
	       (inner.destination && inner.destination == rcu_dereference(akm->self_member));
}

/* RFC 6040. Return: false if the packet has to be dropped. */
static bool decapsulate_ecn(struct sk_buff *skb, u8 outer)
{
	u8 inner = skb->protocol == htons(ETH_P_IP) ? ip_hdr(skb)->tos :
						      ipv6_get_dsfield(ipv6_hdr(skb));

	return INET_ECN_decapsulate(skb, outer, inner) < 2;
}

static u8 packet_type(const struct sk_buff *skb, enum akm_packet_type type)
{
	if (type == AKM_PACKET_PAIR)
		return PACKET_HOST;
	if (skb->protocol == htons(ETH_P_IP) && !ipv4_is_multicast(ip_hdr(skb)->daddr))
		return PACKET_BROADCAST;
	return PACKET_MULTICAST;
}

/* @skb is the inner packet and nothing else. */
static void deliver(struct akm_key *key, struct sk_buff *skb, enum akm_packet_type type)
{
	struct akm_device *akm = key_device(key);
	unsigned int bytes = skb->len;
	u8 tos = receive_cb(skb)->tos;

	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	if (!decapsulate_ecn(skb, tos)) {
		refuse_quietly(key, skb, AKM_STAT_RX_DROPPED);
		return;
	}
	skb_scrub_packet(skb, true);
	/* the sender completed the checksum, and the tag covers all of it */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = ~0;
	skb->encapsulation = 0;
	skb->pkt_type = packet_type(skb, type);
	skb_clear_hash(skb);
	if (gro_cells_receive(&akm->gro, skb) != NET_RX_SUCCESS) {
		akm_stats_inc(&akm->stats, AKM_STAT_RX_DROPPED);
		return;
	}
	akm_stats_rx(&akm->stats, bytes);
	akm_stats_rx(&key->member->stats, bytes);
}

static void note_alive(struct akm_member *member)
{
	unsigned long now = jiffies;

	/* written only if it changes: the cache line is shared */
	if (READ_ONCE(member->last_rx) != now)
		WRITE_ONCE(member->last_rx, now);
	if (!READ_ONCE(member->has_rx))
		WRITE_ONCE(member->has_rx, true);
}

/* Authentic and new; @skb starts with the header and ends with the tag. */
static void accept(struct akm_key *key, struct sk_buff *skb)
{
	enum akm_packet_type type = akm_header_type((struct akm_header *)skb->data);
	unsigned int len;

	note_alive(key->member);
	akm_epoch_seen(key->epoch);

	__skb_pull(skb, sizeof(struct akm_header));
	len = inner_length(skb);
	if (!len || len > skb->len - AKM_TAG_LEN) {
		__skb_push(skb, sizeof(struct akm_header));
		refuse(key, skb, AKM_STAT_RX_MALFORMED, AKM_EVENT_MALFORMED);
	} else if (!addresses_match(key_device(key), key->member, skb, type)) {
		__skb_push(skb, sizeof(struct akm_header));
		refuse(key, skb, AKM_STAT_RX_PREFIX, AKM_EVENT_PREFIX);
	} else if (pskb_trim(skb, len)) {
		refuse_quietly(key, skb, AKM_STAT_RX_DROPPED);
	} else {
		deliver(key, skb, type);
	}
}

/* The end of every packet that was decrypted, whichever way it came here; BH disabled. */
static void opened(struct sk_buff *skb, int err)
{
	const struct akm_header *header = (const struct akm_header *)skb->data;
	struct akm_key *key = receive_cb(skb)->key;

	rcu_read_lock();
	if (unlikely(err == -EBADMSG))
		refuse(key, skb, AKM_STAT_RX_AUTH_FAIL, AKM_EVENT_AUTH_FAIL);
	else if (unlikely(err))
		refuse_quietly(key, skb, AKM_STAT_RX_DROPPED);
	else if (unlikely(!akm_key_accept(key, be64_to_cpu(header->packet_number))))
		refuse(key, skb, AKM_STAT_RX_REPLAY, AKM_EVENT_REPLAY);
	else
		accept(key, skb);
	rcu_read_unlock();
	akm_key_put(key);
}

/* Lossy on purpose: two CPUs at once may let a few more through. */
static bool may_classify(struct akm_device *akm)
{
	return akm_bucket_take(&akm->classify, CLASSIFY_BURST, CLASSIFY_RATE, jiffies);
}

/* Key found and held; the skb is pulled to the header. */
static void open_packet(struct akm_key *key, struct sk_buff *skb, u8 tos)
{
	const struct akm_header *header = (const struct akm_header *)skb->data;
	int err;

	if (unlikely(!akm_replay_likely(&key->rx->replay, be64_to_cpu(header->packet_number)) &&
		     !may_classify(key_device(key)))) {
		refuse_quietly(key, skb, AKM_STAT_RX_REPLAY);
		akm_key_put(key);
		return;
	}
	/* nothing that only this context keeps alive may go with the request */
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb->dev = key_device(key)->dev;
	*receive_cb(skb) = (struct receive_cb) { .key = key, .tos = tos };
	err = akm_aead_open(&key->aead, skb, opened);
	if (err != -EINPROGRESS)
		opened(skb, err);
}

static struct akm_key *find_key(const struct akm_socket *as, const struct akm_header *header)
{
	struct akm_generation *gen;
	struct akm_epoch *epoch;

	gen = akm_generation_lookup(as->net, be32_to_cpu(header->key_id));
	if (!gen || rcu_access_pointer(gen->akm->sock) != as)
		return NULL;
	epoch = akm_epoch_lookup(gen, header->epoch);
	if (!epoch)
		return NULL;
	return akm_key_rx(epoch, be16_to_cpu(header->sender), akm_header_type(header));
}

static bool header_valid(const struct akm_header *header)
{
	return header->vertype == akm_vertype(AKM_PACKET_PAIR) ||
	       header->vertype == akm_vertype(AKM_PACKET_GROUP);
}

int akm_receive(struct sock *sk, struct sk_buff *skb)
{
	const struct akm_socket *as = rcu_dereference_sk_user_data(sk);
	const struct akm_header *header;
	struct akm_key *key;
	u8 tos;

	if (unlikely(!as)) {
		kfree_skb(skb);
		return 0;
	}
	/* the UDP layer has checked its length and checksum, and removes nothing */
	if (skb->len < sizeof(struct udphdr) + AKM_OVERHEAD ||
	    !pskb_may_pull(skb, sizeof(struct udphdr) + sizeof(*header))) {
		refuse_malformed(as, skb);
		return 0;
	}
	__skb_pull(skb, sizeof(struct udphdr));
	header = (const struct akm_header *)skb->data;
	if (!header_valid(header)) {
		refuse_malformed(as, skb);
		return 0;
	}
	key = find_key(as, header);
	if (!key) {
		refuse_key(as, skb, header);
		return 0;
	}
	tos = ip_hdr(skb)->version == 4 ? ip_hdr(skb)->tos : ipv6_get_dsfield(ipv6_hdr(skb));
	open_packet(key, skb, tos);
	return 0;
}
