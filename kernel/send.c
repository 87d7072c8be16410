// SPDX-License-Identifier: GPL-2.0
#include "send.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/skbuff.h>
#include <net/icmp.h>
#include <net/ip_tunnels.h>
#include "aead.h"
#include "atr.h"
#include "compat/compat.h"
#include "device.h"
#include "inner.h"
#include "keys.h"
#include "socket.h"

struct send_cb {
	struct akm_key *key;		/* held */
	u8 tos;				/* for the outer header */
};

static struct send_cb *send_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct send_cb) > sizeof(skb->cb));
	return (struct send_cb *)skb->cb;
}

static struct akm_device *key_device(const struct akm_key *key)
{
	return key->epoch->gen->akm;
}

static void drop(struct akm_device *akm, struct sk_buff *skb, enum akm_stat why, u32 n)
{
	akm_stats_add(&akm->stats, why, n);
	kfree_skb_list(skb);
}

static void report_no_key(struct akm_device *akm, enum akm_event_type type,
			  const struct akm_member *member)
{
	struct akm_event event = { .type = type };

	if (member) {
		event.has = AKM_HAS_MEMBER;
		event.member = member->index;
	}
	akm_device_report(akm, &event);
}

static void count_sent(struct akm_device *akm, struct akm_member *member, unsigned int bytes)
{
	akm_stats_tx(&akm->stats, 1, bytes);
	if (member)
		akm_stats_tx(&member->stats, 1, bytes);
}

/* RCU. Consumes @skb. */
static void send_to(struct akm_device *akm, struct sk_buff *skb, struct akm_member *member,
		    u8 tos)
{
	struct akm_endpoint *endpoint = rcu_dereference(member->endpoint);
	unsigned int bytes = skb->len - AKM_OVERHEAD;

	if (!endpoint) {
		akm_stats_inc(&member->stats, AKM_STAT_TX_NO_ENDPOINT);
		drop(akm, skb, AKM_STAT_TX_NO_ENDPOINT, 1);
	} else if (akm_socket_send(akm, skb, endpoint, tos)) {
		akm_stats_inc(&member->stats, AKM_STAT_TX_DROPPED);
		drop(akm, skb, AKM_STAT_TX_DROPPED, 1);
	} else {
		count_sent(akm, member, bytes);
	}
}

/* Every member but the device itself gets the same datagram. */
static void send_to_all(struct akm_device *akm, struct sk_buff *skb, u16 self, u8 tos)
{
	struct akm_member *member;
	struct sk_buff *copy;
	unsigned long index;

	xa_for_each(&akm->members, index, member) {
		if (index == self || !rcu_access_pointer(member->endpoint))
			continue;
		copy = skb_copy(skb, GFP_ATOMIC);
		if (copy)
			send_to(akm, copy, member, tos);
		else
			akm_stats_inc(&akm->stats, AKM_STAT_TX_DROPPED);
	}
	consume_skb(skb);
}

/* The end of every sealed packet, whichever way it came here; BH disabled. */
static void sent(struct sk_buff *skb, int err)
{
	struct akm_key *key = send_cb(skb)->key;
	struct akm_device *akm = key_device(key);
	u8 tos = send_cb(skb)->tos;

	rcu_read_lock();
	if (unlikely(err))
		drop(akm, skb, AKM_STAT_TX_DROPPED, 1);
	else if (key->member)
		send_to(akm, skb, key->member, tos);
	else
		send_to_all(akm, skb, key->epoch->gen->self, tos);
	rcu_read_unlock();
	akm_key_put(key);
}

static u8 outer_tos(const struct sk_buff *skb)
{
	return ip_tunnel_ecn_encap(0, ip_hdr(skb), skb);
}

/* Forget what belongs to the inner packet and its namespace. */
static void detach(struct sk_buff *skb)
{
	skb_dst_drop(skb);
	skb_scrub_packet(skb, true);
	skb->ip_summed = CHECKSUM_NONE;
	skb->encapsulation = 0;
}

/* One packet that needs no segmentation; consumes @skb and one hold on @key. */
static void seal(struct akm_key *key, struct sk_buff *skb, u64 number)
{
	const struct akm_epoch *epoch = key->epoch;
	const struct akm_header header = {
		.vertype = akm_vertype(key->member ? AKM_PACKET_PAIR : AKM_PACKET_GROUP),
		.epoch = (u8)epoch->number,
		.sender = cpu_to_be16(epoch->gen->self),
		.key_id = cpu_to_be32(epoch->gen->ctx.key_id),
		.packet_number = cpu_to_be64(number),
	};
	int err = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		err = skb_checksum_help(skb);
	*send_cb(skb) = (struct send_cb) { .key = key, .tos = outer_tos(skb) };
	detach(skb);
	if (!err)
		err = akm_aead_seal(&key->aead, skb, &header, sent);
	if (err != -EINPROGRESS)
		sent(skb, err);
}

static void seal_list(struct akm_key *key, struct sk_buff *list, u32 incarnation, u64 first)
{
	struct sk_buff *skb, *next;

	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		seal(key, skb, akm_packet_number(incarnation, first++));
	}
}

/* Return: @skb as a list of packets that fit the MTU, or an error; consumes on success. */
static struct sk_buff *segment(struct sk_buff *skb, unsigned int *ret_n)
{
	struct sk_buff *list = skb, *each, *next;
	unsigned int n = 0;

	if (skb_is_gso(skb)) {
		list = skb_gso_segment(skb, 0);
		if (IS_ERR(list))
			return list;
		if (list)
			consume_skb(skb);
		else
			list = skb;
	}
	skb_list_walk_safe(list, each, next)
		n++;
	*ret_n = n;
	return list;
}

/* Network header present, in the linear part, and of the version that was announced? */
static bool classify(struct akm_device *akm, struct sk_buff *skb, struct akm_inner *ret_inner)
{
	if (skb->protocol == htons(ETH_P_IP)) {
		if (!pskb_network_may_pull(skb, sizeof(struct iphdr)) || ip_hdr(skb)->version != 4)
			return false;
		akm_inner_classify4(akm, ip_hdr(skb), ret_inner);
		return true;
	}
	if (skb->protocol == htons(ETH_P_IPV6)) {
		if (!pskb_network_may_pull(skb, sizeof(struct ipv6hdr)) ||
		    ipv6_hdr(skb)->version != 6)
			return false;
		akm_inner_classify6(akm, ipv6_hdr(skb), ret_inner);
		return true;
	}
	return false;
}

static void tell_unreachable(struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	else
		icmpv6_ndo_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0);
}

/*
 * Find out whether @skb may go, and to whom.
 * Return: AKM_STATS if it may, or the counter of what is wrong.
 */
static enum akm_stat admit(struct akm_device *akm, struct sk_buff *skb,
			   struct akm_inner *ret_inner)
{
	const struct akm_member *self = rcu_dereference(akm->self_member);

	skb_reset_network_header(skb);
	if (!classify(akm, skb, ret_inner))
		return AKM_STAT_TX_DROPPED;
	/* not ours to send: the others would not take it from us either */
	if (!self || ret_inner->source != self)
		return AKM_STAT_TX_DROPPED;
	if (ret_inner->group)
		return AKM_STATS;
	if (!ret_inner->destination || ret_inner->destination == self) {
		tell_unreachable(skb);
		return AKM_STAT_TX_NO_MEMBER;
	}
	if (!rcu_access_pointer(ret_inner->destination->endpoint)) {
		akm_stats_inc(&ret_inner->destination->stats, AKM_STAT_TX_NO_ENDPOINT);
		tell_unreachable(skb);
		return AKM_STAT_TX_NO_ENDPOINT;
	}
	return AKM_STATS;
}

static struct akm_key *find_key(struct akm_device *akm, const struct akm_inner *inner,
				unsigned int refs)
{
	struct akm_epoch *epoch = rcu_dereference(akm->tx);

	if (!epoch)
		return NULL;
	if (inner->group)
		return akm_key_tx_group(epoch, refs);
	return akm_key_tx_pair(epoch, inner->destination->index, refs);
}

/* Everything after segmentation; consumes @list of @n packets. */
static void send_list(struct akm_device *akm, struct sk_buff *list, unsigned int n,
		      const struct akm_inner *inner)
{
	u32 incarnation = READ_ONCE(akm->incarnation);
	struct akm_key *key = NULL;
	u64 first;

	if (likely(incarnation))
		key = find_key(akm, inner, n);
	if (unlikely(!key)) {
		report_no_key(akm, AKM_EVENT_NO_KEY, inner->destination);
		drop(akm, list, AKM_STAT_TX_NO_KEY, n);
		return;
	}
	if (unlikely(!akm_key_reserve(key, n, &first))) {
		report_no_key(akm, AKM_EVENT_EXHAUSTED, inner->destination);
		drop(akm, list, AKM_STAT_TX_EXHAUSTED, n);
		akm_key_put_many(key, n);
		return;
	}
	seal_list(key, list, incarnation, first);
}

netdev_tx_t akm_send(struct sk_buff *skb, struct net_device *dev)
{
	struct akm_device *akm = netdev_priv(dev);
	struct akm_inner inner;
	struct sk_buff *list;
	enum akm_stat why;
	unsigned int n;

	rcu_read_lock();
	why = admit(akm, skb, &inner);
	if (unlikely(why != AKM_STATS)) {
		drop(akm, skb, why, 1);
		goto out;
	}
	list = segment(skb, &n);
	if (IS_ERR(list))
		drop(akm, skb, AKM_STAT_TX_DROPPED, 1);
	else
		send_list(akm, list, n, &inner);
out:
	rcu_read_unlock();
	return NETDEV_TX_OK;
}
