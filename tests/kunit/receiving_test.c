// SPDX-License-Identifier: GPL-2.0
/*
 * What comes as one packet, opened by others: it is delivered in the order in which it came, once, and what is
 * forged moves nothing (P2, P11); whatever has been handed over comes to an end, wherever its key, its device or
 * the setting went meanwhile. On one processor: "elsewhere" is a work of the same. Mutants: mutants.txt.
 */
#include "receive.h"

#include <linux/bottom_half.h>
#include <linux/ip.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/udp.h>
#include <net/udp.h>

#include "aead.h"
#include "atr.h"
#include "device.h"
#include "keys.h"
#include "socket.h"
#include "spread.h"
#include "util.h"

#define SELF		1
#define PEER		2
#define OTHER		3
#define KEY_ID		78
#define TEXT		100		/* length of an inner packet */
#define PACKET		(TEXT + AKM_OVERHEAD)
#define MANY		16		/* enough to be handed over */
#define FAR		(AKM_REPLAY_WINDOW * 4)

static const u8 chain[AKM_KDF_LEN] = { 1, 2, 3 };
static const u8 pairs[2][AKM_KDF_LEN] = { { 4, 5, 6 }, { 7, 8, 9 } };

static struct {
	struct packet_type tap;
	u16 ids[8 * MANY];		/* of the inner packets that were delivered, in order */
	unsigned int n;
} lab;

static int tapped(struct sk_buff *skb, struct net_device *dev, struct packet_type *type,
		  struct net_device *orig)
{
	if (lab.n < ARRAY_SIZE(lab.ids))
		lab.ids[lab.n] = ntohs(ip_hdr(skb)->id);
	lab.n++;
	kfree_skb(skb);
	return 0;
}

/* ---- a device that is up, and its peers ---- */

static void add_member(struct kunit *test, u16 index)
{
	struct akm_member_config config = { .index = index, .prefix_count = 1 };
	struct akm_prefix *prefix = kzalloc(sizeof(*prefix), GFP_KERNEL);
	__be32 addr = htonl(0x0a4e0000 + index);
	struct akm_device *akm = test->priv;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, prefix);
	prefix->key.family = AF_INET;
	prefix->key.len = 32;
	memcpy(prefix->key.addr, &addr, sizeof(addr));
	INIT_LIST_HEAD(&config.prefixes);
	list_add(&prefix->list, &config.prefixes);
	mutex_lock(&akm->lock);
	err = akm_member_set(akm, &config, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static int set_up(struct net_device *dev)
{
	int err;

	rtnl_lock();
	err = dev_open(dev, NULL);
	rtnl_unlock();
	return err;
}

static int receiving_init(struct kunit *test)
{
	struct akm_pair both[] = {
		{ .index = PEER, .chain = pairs[0] }, { .index = OTHER, .chain = pairs[1] },
	};
	struct akm_install in = {
		.number = 1, .key_id = KEY_ID, .epoch = 7, .chain = chain, .pairs = both,
		.pair_count = ARRAY_SIZE(both), .unused = true,
	};
	struct akm_device *akm = netdev_priv(akm_test_device(test, "akmr0"));
	int err;

	test->priv = akm;
	akm_spread_alone = true;
	mutex_lock(&akm->lock);
	akm->atr_id = 1;
	akm->has_self = true;
	akm->self = SELF;
	akm->suite = AKM_SUITE_CHACHA20POLY1305;
	akm->incarnation = 1;
	mutex_unlock(&akm->lock);
	add_member(test, SELF);
	add_member(test, PEER);
	add_member(test, OTHER);
	mutex_lock(&akm->lock);
	akm_member_update_self(akm);
	err = akm_generation_install(akm, &in, NULL);
	err = err ?: akm_generation_activate(akm, 1, 0, NULL);
	akm->rx_spread = akm_spread_create();
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_ASSERT_NOT_NULL(test, akm->rx_spread);
	akm->rx_spread->on = true;
	KUNIT_ASSERT_EQ(test, set_up(akm->dev), 0);
	memset(&lab, 0, sizeof(lab));
	lab.tap = (struct packet_type) {
		.type = htons(ETH_P_IP), .dev = akm->dev, .func = tapped,
	};
	dev_add_pack(&lab.tap);
	return 0;
}

static void receiving_exit(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	akm_spread_alone = false;
	if (!akm)
		return;
	if (lab.tap.func)
		dev_remove_pack(&lab.tap);
	akm_test_device_delete(akm->dev);
}

/* ---- what comes ---- */

static struct akm_key *key_of(struct kunit *test, u16 sender, enum akm_packet_type type)
{
	struct akm_device *akm = test->priv;
	struct akm_generation *gen;
	struct akm_epoch *epoch;
	struct akm_key *key = NULL;

	rcu_read_lock();
	gen = akm_generation_lookup(akm->net, KEY_ID);
	epoch = gen ? akm_epoch_lookup(gen, 7) : NULL;
	if (epoch)
		key = akm_key_rx(epoch, sender, type);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, key);
	return key;
}

/* What @sender seals as packet @number, to us or to all; its inner packet has the number as its ID. */
static void seal(struct kunit *test, u8 *to, u16 sender, enum akm_packet_type type, u64 number)
{
	bool group = type == AKM_PACKET_GROUP;
	struct akm_key *key = key_of(test, sender, type);
	struct iphdr *ip = (struct iphdr *)(to + sizeof(struct akm_header));
	struct akm_job job = {
		.buffer = to, .text_len = type == AKM_PACKET_KEEPALIVE ? 0 : TEXT, .number = number,
	};
	int err;

	*(struct akm_header *)to = akm_key_header(key, type, number);
	((struct akm_header *)to)->sender = cpu_to_be16(sender);
	if (job.text_len) {
		memset(ip, 0, TEXT);
		*ip = (struct iphdr) {
			.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
			.tot_len = htons(TEXT), .id = htons(number),
			.saddr = htonl(0x0a4e0000 + sender),
			.daddr = htonl(group ? 0xe0000101 : 0x0a4e0000 + SELF),
		};
		ip_send_check(ip);
	}
	local_bh_disable();
	err = akm_aead_seal_job(&key->aead, &job);
	local_bh_enable();
	akm_key_put(key);
	KUNIT_ASSERT_EQ(test, err, 0);
}

/* Room for @n packets of @size that came as one, behind the underlay's headers */
static struct sk_buff *outer(struct kunit *test, unsigned int n, unsigned int size)
{
	unsigned int len = sizeof(struct udphdr) + n * size;
	struct sk_buff *skb = alloc_skb(sizeof(struct iphdr) + len, GFP_KERNEL);
	struct iphdr *ip;
	struct udphdr *udp;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reset_network_header(skb);
	ip = skb_put_zero(skb, sizeof(*ip));
	*ip = (struct iphdr) {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
		.saddr = htonl(0xc0000202), .daddr = htonl(0xc0000201),
	};
	skb_set_transport_header(skb, sizeof(*ip));
	udp = skb_put_zero(skb, len);
	udp->source = htons(AKM_DEFAULT_PORT);
	udp->dest = htons(AKM_DEFAULT_PORT);
	skb->protocol = htons(ETH_P_IP);
	__skb_pull(skb, sizeof(*ip));
	if (n > 1) {
		skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
		skb_shinfo(skb)->gso_size = size;
		skb_shinfo(skb)->gso_segs = n;
	}
	return skb;
}

static u8 *packet(struct sk_buff *skb, unsigned int i)
{
	return skb->data + sizeof(struct udphdr) + i * PACKET;
}

/* Packets @first … from PEER */
static struct sk_buff *batch(struct kunit *test, unsigned int n, u64 first)
{
	struct sk_buff *skb = outer(test, n, PACKET);
	unsigned int i;

	for (i = 0; i < n; i++)
		seal(test, packet(skb, i), PEER, AKM_PACKET_PAIR, first + i);
	return skb;
}

static struct sk_buff *keepalive(struct kunit *test, u64 number)
{
	struct sk_buff *skb = outer(test, 1, AKM_OVERHEAD);

	seal(test, packet(skb, 0), PEER, AKM_PACKET_KEEPALIVE, number);
	return skb;
}

static void receive(struct kunit *test, struct sk_buff *skb)
{
	struct akm_device *akm = test->priv;

	local_bh_disable();
	rcu_read_lock();
	akm_receive(rcu_dereference(akm->sock)->sock4->sk, skb);
	rcu_read_unlock();
	local_bh_enable();
}

/* All of them one after the other, no work in between */
static void receive_all(struct kunit *test, struct sk_buff **skbs, unsigned int n)
{
	unsigned int i;

	preempt_disable();
	for (i = 0; i < n; i++)
		receive(test, skbs[i]);
	preempt_enable();
}

static u64 count(struct kunit *test, enum akm_stat stat)
{
	struct akm_device *akm = test->priv;
	u64 values[AKM_STATS];

	akm_stats_read(&akm->stats, values);
	return values[stat];
}

static struct akm_line *line(struct kunit *test)
{
	return &akm_member_find(test->priv, PEER)->lines->rx;
}

static void drain(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	int cpu;

	for_each_possible_cpu(cpu) {
		flush_work(&per_cpu_ptr(akm->rx_spread->workers, cpu)->crypt);
		flush_work(&per_cpu_ptr(akm->rx_spread->workers, cpu)->go);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&akm->rx_spread->parcels), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&akm->rx_spread->bytes), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&line(test)->parcels));
	KUNIT_EXPECT_EQ(test, atomic_read(&line(test)->beside), 0);
}

/* @n were delivered, with ascending numbers from @first on. */
static void expect_delivered(struct kunit *test, unsigned int n, u16 first)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, lab.n, n);
	for (i = 0; i < min_t(unsigned int, n, lab.n); i++)
		KUNIT_EXPECT_EQ(test, lab.ids[i], first + i);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_PACKETS), n);
}

/* ---- cases ---- */

/* It is handed over; and what comes behind it alone is opened at once, and waits for it. */
static void receiving_keeps_order(struct kunit *test)
{
	struct sk_buff *skbs[] = {
		batch(test, MANY, 0), batch(test, 1, MANY), batch(test, 2, MANY + 1),
		batch(test, MANY, MANY + 3),
	};

	preempt_disable();
	receive_all(test, skbs, ARRAY_SIZE(skbs));
	KUNIT_EXPECT_EQ(test, lab.n, 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD), 0);
	preempt_enable();
	drain(test);
	expect_delivered(test, 2 * MANY + 3, 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD), 2 * MANY);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_REPLAY), 0);
}

/* What carries no data keeps its place as well. */
static void receiving_keepalive_waits(struct kunit *test)
{
	struct sk_buff *skbs[] = { batch(test, MANY, 0), keepalive(test, MANY) };

	preempt_disable();
	receive_all(test, skbs, ARRAY_SIZE(skbs));
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_KEEPALIVE), 0);
	preempt_enable();
	drain(test);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_KEEPALIVE), 1);
	expect_delivered(test, MANY, 0);
}

/* Nothing is delivered twice, though nothing had been delivered when it came again. */
static void receiving_delivers_once(struct kunit *test)
{
	struct sk_buff *skbs[] = {
		batch(test, MANY, 0), batch(test, MANY, 0), batch(test, 1, 3),
		batch(test, MANY, MANY),
	};

	memcpy(packet(skbs[3], 7), packet(skbs[3], 6), PACKET);
	receive_all(test, skbs, ARRAY_SIZE(skbs));
	drain(test);
	KUNIT_EXPECT_EQ(test, lab.n, 2 * MANY - 1);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_REPLAY), MANY + 2);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_CLONE), 0);
	receive(test, batch(test, 1, MANY + 7));
	KUNIT_EXPECT_EQ(test, lab.n, 2 * MANY);
}

/* Forgeries are told from the others, and move nothing. */
static void receiving_forged(struct kunit *test)
{
	struct sk_buff *skbs[] = { batch(test, MANY, 0), batch(test, MANY, FAR) };
	unsigned int i;

	packet(skbs[0], 5)[PACKET - 1] ^= 1;
	for (i = 0; i < MANY; i++)
		packet(skbs[1], i)[PACKET / 2] ^= 1;
	receive_all(test, skbs, ARRAY_SIZE(skbs));
	drain(test);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_AUTH_FAIL), MANY + 1);
	KUNIT_EXPECT_EQ(test, lab.n, MANY - 1);
	/* the window is where it was, and the number of the forged one is free */
	receive(test, batch(test, 1, 5));
	KUNIT_EXPECT_EQ(test, lab.n, MANY);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_REPLAY), 0);
}

/* Who forges does not get other processors to work: so many batches are opened where they came. */
static void receiving_doubts(struct kunit *test)
{
	struct sk_buff *skb = batch(test, MANY, 0);
	unsigned int i;

	packet(skb, 0)[PACKET - 1] ^= 1;
	receive(test, skb);
	drain(test);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD), MANY);
	for (i = 1; i <= AKM_SPREAD_DOUBT; i++) {
		receive(test, batch(test, MANY, i * MANY));
		KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_PACKETS), (i + 1) * MANY - 1);
		KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD), MANY);
	}
	receive(test, batch(test, MANY, i * MANY));
	drain(test);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD), 2 * MANY);
	/* one that came alone was never going to be handed over */
	skb = batch(test, 1, FAR);
	packet(skb, 0)[PACKET - 1] ^= 1;
	receive(test, skb);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_AUTH_FAIL), 2);
	KUNIT_EXPECT_EQ(test, line(test)->doubt, 0);
}

/* Keys and senders change within what came as one; something is nobody's. */
static void receiving_mixed(struct kunit *test)
{
	struct sk_buff *skb = outer(test, 3 * MANY, PACKET);
	struct akm_member *other = akm_member_find(test->priv, OTHER);
	unsigned int i;

	for (i = 0; i < 3 * MANY; i++)
		seal(test, packet(skb, i), i / MANY == 1 ? OTHER : PEER,
		     i / MANY == 2 ? AKM_PACKET_GROUP : AKM_PACKET_PAIR, i);
	((struct akm_header *)packet(skb, MANY / 2))->key_id = 0;
	preempt_disable();
	receive(test, skb);
	/* the third found the others too slow, so the oldest was opened here, and went with what is behind it */
	KUNIT_EXPECT_EQ(test, lab.n, MANY - 1);
	KUNIT_EXPECT_EQ(test, line(test)->packets, MANY);
	KUNIT_EXPECT_EQ(test, other->lines->rx.packets, MANY);
	preempt_enable();
	drain(test);
	KUNIT_EXPECT_EQ(test, lab.n, 3 * MANY - 1);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_UNKNOWN_KEY), 1);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD), 2 * MANY);
}

/* The last of them may be shorter; too short, it is refused, and the others are not. */
static void receiving_short_end(struct kunit *test)
{
	struct sk_buff *skb = batch(test, MANY, 0);

	/* as long as a keepalive, but for one byte */
	__skb_trim(skb, skb->len - PACKET + AKM_OVERHEAD - 1);
	receive(test, skb);
	drain(test);
	expect_delivered(test, MANY - 1, 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_MALFORMED), 1);

	skb = batch(test, MANY, MANY);
	seal(test, packet(skb, MANY - 1), PEER, AKM_PACKET_KEEPALIVE, 2 * MANY);
	__skb_trim(skb, skb->len - TEXT);
	receive(test, skb);
	drain(test);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_KEEPALIVE), 1);
	KUNIT_EXPECT_EQ(test, lab.n, 2 * MANY - 2);
}

/* Without room nothing is lost but what would overtake. */
static void receiving_is_bounded(struct kunit *test)
{
	struct akm_spread *spread = ((struct akm_device *)test->priv)->rx_spread;
	struct sk_buff *skbs[] = { batch(test, MANY, MANY), batch(test, 1, 2 * MANY) };

	atomic_set(&spread->parcels, AKM_SPREAD_PARCELS);
	receive(test, batch(test, MANY, 0));
	expect_delivered(test, MANY, 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD_DROPPED), 0);

	atomic_set(&spread->parcels, AKM_SPREAD_PARCELS - 1);
	receive_all(test, skbs, ARRAY_SIZE(skbs));
	atomic_sub(AKM_SPREAD_PARCELS - 1, &spread->parcels);
	drain(test);
	expect_delivered(test, 2 * MANY, 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD_DROPPED), 1);
}

/* Set down meanwhile, it delivers nothing; and all comes to its end. */
static void receiving_down(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	preempt_disable();
	receive(test, batch(test, MANY, 0));
	/* what dev_close() does first */
	akm->dev->flags &= ~IFF_UP;
	preempt_enable();
	drain(test);
	KUNIT_EXPECT_EQ(test, lab.n, 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_PACKETS), 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_DROPPED), MANY);
	akm->dev->flags |= IFF_UP;
}

/* A key that is erased meanwhile stays for what is under way, and no longer. */
static void receiving_outlives_its_generation(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct sk_buff *late = batch(test, MANY, MANY);
	struct sk_buff *skb = batch(test, MANY, 0);
	int err;

	preempt_disable();
	receive(test, skb);
	preempt_enable();
	mutex_lock(&akm->lock);
	err = akm_generation_retire(akm, 1, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	drain(test);
	expect_delivered(test, MANY, 0);
	receive(test, late);
	KUNIT_EXPECT_EQ(test, lab.n, MANY);
	/* that the device goes at all says that nothing holds the key */
}

/* The device goes while something waits: receiving_exit() does not come back before that has gone. */
static void receiving_deleted(struct kunit *test)
{
	struct sk_buff *skbs[] = { batch(test, MANY, 0), batch(test, MANY, MANY) };

	preempt_disable();
	receive_all(test, skbs, ARRAY_SIZE(skbs));
	KUNIT_EXPECT_FALSE(test, list_empty(&line(test)->parcels));
	preempt_enable();
}

/* Off, all is opened where it comes, but behind what was handed over before. */
static void receiving_is_off(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct sk_buff *skbs[] = { batch(test, MANY, 0), batch(test, MANY, MANY) };

	preempt_disable();
	receive(test, skbs[0]);
	akm->rx_spread->on = false;
	receive(test, skbs[1]);
	KUNIT_EXPECT_EQ(test, lab.n, 0);
	preempt_enable();
	drain(test);
	expect_delivered(test, 2 * MANY, 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD), MANY);
	receive(test, batch(test, MANY, 2 * MANY));
	expect_delivered(test, 3 * MANY, 0);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_RX_SPREAD), MANY);
}

static struct kunit_case receiving_cases[] = {
	KUNIT_CASE(receiving_keeps_order),
	KUNIT_CASE(receiving_keepalive_waits),
	KUNIT_CASE(receiving_delivers_once),
	KUNIT_CASE(receiving_forged),
	KUNIT_CASE(receiving_doubts),
	KUNIT_CASE(receiving_mixed),
	KUNIT_CASE(receiving_short_end),
	KUNIT_CASE(receiving_is_bounded),
	KUNIT_CASE(receiving_down),
	KUNIT_CASE(receiving_outlives_its_generation),
	KUNIT_CASE(receiving_deleted),
	KUNIT_CASE(receiving_is_off),
	{}
};

struct kunit_suite akm_receiving_suite = {
	.name = "akm_receiving",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = receiving_init,
	.exit = receiving_exit,
	.test_cases = receiving_cases,
};
