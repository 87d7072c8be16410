// SPDX-License-Identifier: GPL-2.0
/*
 * Lines of parcels that are sealed in any order and go in their own, within bounds; and what is
 * sent under keys: what was reserved before the machine slept is not sealed afterwards (P1), and
 * whatever has been handed over comes to an end (P2). On one processor: "elsewhere" is a work of
 * the same. Mutants: mutants.txt.
 */
#include "spread.h"

#include <linux/bottom_half.h>
#include <linux/ip.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/udp.h>
#include <net/udp.h>

#include "atr.h"
#include "device.h"
#include "keys.h"
#include "send.h"
#include "socket.h"
#include "util.h"

#define MANY	(AKM_SPREAD_BUDGET * 3)

/* ---- parcels that only say what happens to them ---- */

struct stub {
	struct akm_parcel parcel;
	unsigned int number;
	bool keeps;			/* its sealing ends later */
	bool sealed;
};

static struct {
	struct akm_spread *spread;
	struct akm_line line;
	unsigned int gone[2 * MANY];	/* numbers, in the order in which they went */
	unsigned int n_gone, n_ended, n_sealed;
} lab;

static void stub_crypt(struct akm_parcel *parcel)
{
	struct stub *stub = container_of(parcel, struct stub, parcel);

	stub->sealed = true;
	lab.n_sealed++;
	if (!stub->keeps)
		akm_parcel_ready(parcel);
}

static void stub_go(struct akm_parcel *parcel)
{
	if (lab.n_gone < ARRAY_SIZE(lab.gone))
		lab.gone[lab.n_gone] = container_of(parcel, struct stub, parcel)->number;
	lab.n_gone++;
}

static void stub_end(struct akm_parcel *parcel)
{
	lab.n_ended++;
}

static const struct akm_parcel_ops stub_ops = {
	.crypt = stub_crypt,
	.go = stub_go,
	.end = stub_end,
};

static struct stub *stubs(struct kunit *test, unsigned int n, bool keeps)
{
	struct stub *all = kunit_kcalloc(test, n, sizeof(*all), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, all);
	for (i = 0; i < n; i++)
		all[i] = (struct stub) {
			.parcel = { .ops = &stub_ops, .packets = 1, .bytes = 1 },
			.number = i, .keeps = keeps,
		};
	return all;
}

static bool add(struct stub *stub, bool elsewhere)
{
	bool added;

	local_bh_disable();
	rcu_read_lock();
	added = akm_spread_add(lab.spread, &lab.line, &stub->parcel, elsewhere);
	rcu_read_unlock();
	local_bh_enable();
	return added;
}

static void ready(struct stub *stub)
{
	local_bh_disable();
	rcu_read_lock();
	akm_parcel_ready(&stub->parcel);
	rcu_read_unlock();
	local_bh_enable();
}

/* The works have done what there was for them. */
static void settle(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		flush_work(&per_cpu_ptr(lab.spread->workers, cpu)->crypt);
		flush_work(&per_cpu_ptr(lab.spread->workers, cpu)->go);
	}
}

static void expect_order(struct kunit *test, unsigned int n)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, lab.n_gone, n);
	KUNIT_EXPECT_EQ(test, lab.n_ended, n);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, lab.gone[i], i);
	KUNIT_EXPECT_TRUE(test, list_empty(&lab.line.parcels));
	KUNIT_EXPECT_EQ(test, lab.line.packets, 0);
	KUNIT_EXPECT_FALSE(test, lab.line.going);
	KUNIT_EXPECT_EQ(test, atomic_read(&lab.spread->parcels), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&lab.spread->bytes), 0);
}

/* Whatever the order in which three are ready */
static void spread_keeps_order(struct kunit *test)
{
	static const u8 orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		struct stub *s = stubs(test, 3, true);

		lab.n_gone = 0;
		lab.n_ended = 0;
		for (k = 0; k < 3; k++)
			KUNIT_ASSERT_TRUE(test, add(&s[k], false));
		for (k = 0; k < 3; k++) {
			KUNIT_EXPECT_FALSE(test, list_empty(&lab.line.parcels));
			ready(&s[orders[i][k]]);
		}
		expect_order(test, 3);
	}
}

/* Nothing goes before the first is ready, and it is not gone before it went. */
static void spread_waits_for_the_first(struct kunit *test)
{
	struct stub *s = stubs(test, 2, true);

	add(&s[0], false);
	add(&s[1], false);
	ready(&s[1]);
	KUNIT_EXPECT_EQ(test, lab.n_gone, 0);
	ready(&s[0]);
	expect_order(test, 2);
}

/* What is sealed by a work, and what is sealed here behind it */
static void spread_elsewhere(struct kunit *test)
{
	struct stub *s = stubs(test, 2, false);

	KUNIT_ASSERT_TRUE(test, add(&s[0], true));
	KUNIT_EXPECT_FALSE(test, s[0].sealed);
	KUNIT_ASSERT_TRUE(test, add(&s[1], false));
	KUNIT_EXPECT_TRUE(test, s[1].sealed);
	KUNIT_EXPECT_EQ(test, lab.n_gone, 0);
	settle();
	KUNIT_EXPECT_TRUE(test, s[0].parcel.elsewhere);
	KUNIT_EXPECT_FALSE(test, s[1].parcel.elsewhere);
	expect_order(test, 2);
}

/* A sender whose parcels nobody takes seals the oldest itself. */
static void spread_helps_itself(struct kunit *test)
{
	struct stub *s = stubs(test, MANY, false);
	unsigned int i;

	preempt_disable();		/* no work comes in between */
	for (i = 0; i < MANY; i++) {
		KUNIT_EXPECT_TRUE(test, add(&s[i], true));
		KUNIT_EXPECT_LE(test, lab.spread->count, AKM_SPREAD_WAIT * num_possible_cpus());
	}
	KUNIT_EXPECT_TRUE(test, s[0].sealed);
	KUNIT_EXPECT_FALSE(test, s[MANY - 1].sealed);
	KUNIT_EXPECT_FALSE(test, s[0].parcel.elsewhere);
	preempt_enable();
	settle();
	KUNIT_EXPECT_EQ(test, lab.n_sealed, MANY);
	expect_order(test, MANY);
}

/* What goes in one stretch is bounded; a work goes on, and others that come wait for it. */
static void spread_goes_in_stretches(struct kunit *test)
{
	struct stub *s = stubs(test, MANY + 1, true);
	unsigned int i;

	preempt_disable();
	for (i = 0; i < MANY; i++)
		add(&s[i], false);
	for (i = MANY - 1; i; i--)
		ready(&s[i]);
	KUNIT_EXPECT_EQ(test, lab.n_gone, 0);
	ready(&s[0]);
	KUNIT_EXPECT_EQ(test, lab.n_gone, AKM_SPREAD_BUDGET);
	/* the next that comes does not wait for the work to have its turn */
	add(&s[MANY], false);
	KUNIT_EXPECT_EQ(test, lab.n_gone, 2 * AKM_SPREAD_BUDGET);
	ready(&s[MANY]);
	preempt_enable();
	settle();
	expect_order(test, MANY + 1);
}

/* A line goes from the processor of its first sender, whoever makes that ready. */
static void spread_goes_from_one_processor(struct kunit *test)
{
	struct stub *s = stubs(test, 1, true);

	preempt_disable();
	add(&s[0], false);
	KUNIT_EXPECT_EQ(test, lab.line.cpu, smp_processor_id());
	preempt_enable();
	ready(&s[0]);
	settle();
	expect_order(test, 1);
}

static enum akm_spread_way way(unsigned int packets)
{
	enum akm_spread_way way;

	local_bh_disable();
	way = akm_spread_way(lab.spread, &lab.line, packets);
	local_bh_enable();
	return way;
}

static void spread_chooses(struct kunit *test)
{
	struct stub *s = stubs(test, 1, true);

	KUNIT_EXPECT_EQ(test, way(1), AKM_SPREAD_BESIDE);
	KUNIT_EXPECT_EQ(test, way(AKM_SPREAD_MIN - 1), AKM_SPREAD_BESIDE);
	KUNIT_EXPECT_EQ(test, way(AKM_SPREAD_MIN), AKM_SPREAD_ELSEWHERE);
	/* what is under way beside the line is not overtaken by what is in it */
	atomic_inc(&lab.line.beside);
	KUNIT_EXPECT_EQ(test, way(AKM_SPREAD_MIN), AKM_SPREAD_BESIDE);
	atomic_dec(&lab.line.beside);

	add(&s[0], false);
	KUNIT_EXPECT_EQ(test, way(1), AKM_SPREAD_BEHIND);
	KUNIT_EXPECT_EQ(test, way(AKM_SPREAD_MIN), AKM_SPREAD_ELSEWHERE);
	/* also after it has been switched off */
	lab.spread->on = false;
	KUNIT_EXPECT_EQ(test, way(1), AKM_SPREAD_BEHIND);
	KUNIT_EXPECT_EQ(test, way(AKM_SPREAD_MIN), AKM_SPREAD_BEHIND);
	ready(&s[0]);
	KUNIT_EXPECT_EQ(test, way(AKM_SPREAD_MIN), AKM_SPREAD_BESIDE);
	KUNIT_EXPECT_EQ(test, way(1), AKM_SPREAD_BESIDE);
}

/* Where there is no other processor nothing is handed over. */
static void spread_alone(struct kunit *test)
{
	if (num_online_cpus() > 1)
		kunit_skip(test, "there are others");
	akm_spread_alone = false;
	KUNIT_EXPECT_EQ(test, way(AKM_SPREAD_MIN), AKM_SPREAD_BESIDE);
	akm_spread_alone = true;
	KUNIT_EXPECT_EQ(test, way(AKM_SPREAD_MIN), AKM_SPREAD_ELSEWHERE);
}

static void spread_bounds(struct kunit *test)
{
	struct stub *s = stubs(test, AKM_SPREAD_PARCELS + 1, true);
	unsigned int i;

	/* one of any size fits where there is nothing, and nothing fits behind it */
	s[0].parcel.packets = AKM_SPREAD_PACKETS * 2;
	KUNIT_EXPECT_TRUE(test, add(&s[0], false));
	KUNIT_EXPECT_FALSE(test, add(&s[1], false));
	KUNIT_EXPECT_FALSE(test, s[1].sealed);
	ready(&s[0]);
	KUNIT_EXPECT_EQ(test, lab.n_ended, 1);

	s[0].parcel.packets = AKM_SPREAD_PACKETS - 1;
	KUNIT_EXPECT_TRUE(test, add(&s[0], false));
	KUNIT_EXPECT_TRUE(test, add(&s[1], false));
	KUNIT_EXPECT_FALSE(test, add(&s[2], false));
	ready(&s[0]);
	ready(&s[1]);

	s[0].parcel.bytes = AKM_SPREAD_BYTES;
	KUNIT_EXPECT_TRUE(test, add(&s[0], false));
	KUNIT_EXPECT_FALSE(test, add(&s[1], false));
	ready(&s[0]);
	s[0].parcel.packets = 1;
	s[0].parcel.bytes = 1;

	for (i = 0; i < AKM_SPREAD_PARCELS; i++)
		KUNIT_ASSERT_TRUE(test, add(&s[i], false));
	KUNIT_EXPECT_FALSE(test, add(&s[i], false));
	for (i = 0; i < AKM_SPREAD_PARCELS; i++)
		ready(&s[i]);
	settle();
	KUNIT_EXPECT_EQ(test, atomic_read(&lab.spread->parcels), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&lab.spread->bytes), 0);
	KUNIT_EXPECT_EQ(test, lab.n_ended, 4 + AKM_SPREAD_PARCELS);
}

static int spread_init(struct kunit *test)
{
	memset(&lab, 0, sizeof(lab));
	akm_line_init(&lab.line);
	akm_spread_alone = true;
	lab.spread = akm_spread_create();
	KUNIT_ASSERT_NOT_NULL(test, lab.spread);
	KUNIT_EXPECT_FALSE(test, lab.spread->on);
	lab.spread->on = true;
	return 0;
}

static void spread_exit(struct kunit *test)
{
	akm_spread_free(lab.spread);
	akm_spread_alone = false;
}

static struct kunit_case spread_cases[] = {
	KUNIT_CASE(spread_keeps_order),
	KUNIT_CASE(spread_waits_for_the_first),
	KUNIT_CASE(spread_elsewhere),
	KUNIT_CASE(spread_helps_itself),
	KUNIT_CASE(spread_goes_in_stretches),
	KUNIT_CASE(spread_goes_from_one_processor),
	KUNIT_CASE(spread_chooses),
	KUNIT_CASE(spread_alone),
	KUNIT_CASE(spread_bounds),
	{}
};

struct kunit_suite akm_spread_suite = {
	.name = "akm_spread",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = spread_init,
	.exit = spread_exit,
	.test_cases = spread_cases,
};

/* ---- what is really sent ---- */

#define SELF		1
#define PEER		2
#define SEGMENTS	16
#define SIZE		100

static const u8 chain[AKM_KDF_LEN] = { 1, 2, 3 };
static const u8 pair[AKM_KDF_LEN] = { 4, 5, 6 };

static void add_member(struct kunit *test, u16 index, bool has_endpoint)
{
	const struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(AKM_DEFAULT_PORT),
		.sin_addr.s_addr = htonl(0xc0000200 + index),
	};
	struct akm_member_config config = { .index = index, .prefix_count = 1 };
	struct akm_prefix *prefix = kzalloc(sizeof(*prefix), GFP_KERNEL);
	__be32 addr = htonl(0x0a4d0000 + index);
	struct akm_device *akm = test->priv;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, prefix);
	prefix->key.family = AF_INET;
	prefix->key.len = 32;
	memcpy(prefix->key.addr, &addr, sizeof(addr));
	INIT_LIST_HEAD(&config.prefixes);
	list_add(&prefix->list, &config.prefixes);
	if (has_endpoint)
		config.endpoint = akm_endpoint_create((const struct sockaddr *)&in, sizeof(in),
						      GFP_KERNEL);
	mutex_lock(&akm->lock);
	err = akm_member_set(akm, &config, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

/* A large datagram from SELF to PEER, to be split */
static struct sk_buff *large(struct kunit *test, struct net_device *dev)
{
	unsigned int len = sizeof(struct udphdr) + SEGMENTS * SIZE;
	struct sk_buff *skb = alloc_skb(256 + sizeof(struct iphdr) + len, GFP_KERNEL);
	struct iphdr *ip;
	struct udphdr *udp;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 256);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	ip = skb_put_zero(skb, sizeof(*ip));
	*ip = (struct iphdr) {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
		.tot_len = htons(sizeof(*ip) + len), .saddr = htonl(0x0a4d0000 + SELF),
		.daddr = htonl(0x0a4d0000 + PEER),
	};
	ip_send_check(ip);
	skb_set_transport_header(skb, sizeof(*ip));
	udp = skb_put_zero(skb, len);
	udp->len = htons(len);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = dev;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
	skb_shinfo(skb)->gso_size = SIZE;
	skb_shinfo(skb)->gso_segs = SEGMENTS;
	return skb;
}

static u64 count(struct kunit *test, enum akm_stat stat)
{
	struct akm_device *akm = test->priv;
	u64 values[AKM_STATS];

	akm_stats_read(&akm->stats, values);
	return values[stat];
}

static struct akm_member *peer(struct kunit *test)
{
	return akm_member_find(test->priv, PEER);
}

/* Nothing is in a line any more. */
static void drain(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	int cpu;

	for_each_possible_cpu(cpu) {
		flush_work(&per_cpu_ptr(akm->tx_spread->workers, cpu)->crypt);
		flush_work(&per_cpu_ptr(akm->tx_spread->workers, cpu)->go);
	}
}

static u64 next_number(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_key *key;
	u64 next = 0;

	rcu_read_lock();
	key = akm_key_tx_pair(rcu_dereference(akm->tx), PEER, 1);
	if (key) {
		next = atomic64_read(&key->tx->next);
		akm_key_put(key);
	}
	rcu_read_unlock();
	return next;
}

static int sending_init(struct kunit *test)
{
	struct akm_pair one = { .index = PEER, .chain = pair };
	struct akm_install in = {
		.number = 1, .key_id = 77, .epoch = 7, .chain = chain, .pairs = &one,
		.pair_count = 1, .unused = true,
	};
	struct akm_device *akm = netdev_priv(akm_test_device(test, "akms0"));
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
	add_member(test, SELF, false);
	add_member(test, PEER, true);
	mutex_lock(&akm->lock);
	akm_member_update_self(akm);
	err = akm_generation_install(akm, &in, NULL);
	err = err ?: akm_generation_activate(akm, 1, 0, NULL);
	akm->tx_spread = akm_spread_create();
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_ASSERT_NOT_NULL(test, akm->tx_spread);
	akm->tx_spread->on = true;
	return 0;
}

static void sending_exit(struct kunit *test)
{
	if (test->priv)
		akm_test_device_delete(((struct akm_device *)test->priv)->dev);
	akm_spread_alone = false;
}

/* @n large ones, no work in between */
static void send_large(struct kunit *test, unsigned int n)
{
	struct akm_device *akm = test->priv;
	struct sk_buff *skbs[AKM_SPREAD_WAIT];
	unsigned int i;

	KUNIT_ASSERT_LE(test, n, ARRAY_SIZE(skbs));
	for (i = 0; i < n; i++)
		skbs[i] = large(test, akm->dev);
	local_bh_disable();
	for (i = 0; i < n; i++)
		akm_send(skbs[i], akm->dev);
	local_bh_enable();
}

/* It is handed over, numbers in order of the calls, and comes to its end: the device is down. */
static void sending_is_handed_over(struct kunit *test)
{
	u64 first = next_number(test);

	preempt_disable();
	send_large(test, 2);
	KUNIT_EXPECT_FALSE(test, list_empty(&peer(test)->lines->tx.parcels));
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_SPREAD), 0);
	preempt_enable();
	drain(test);
	KUNIT_EXPECT_TRUE(test, list_empty(&peer(test)->lines->tx.parcels));
	KUNIT_EXPECT_EQ(test, next_number(test), first + 2 * SEGMENTS);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_SPREAD), 2 * SEGMENTS);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_DROPPED), 2 * SEGMENTS);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_PACKETS), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer(test)->lines->tx.beside), 0);
}

/* What was reserved before the machine slept is not sealed afterwards. */
static void sending_stops_with_the_incarnation(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		preempt_disable();
		send_large(test, 1);
		WRITE_ONCE(akm->incarnation, i ? akm->incarnation + 1 : 0);
		preempt_enable();
		drain(test);
		KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_SPREAD), 0);
		KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_DROPPED), (i + 1) * SEGMENTS);
		KUNIT_EXPECT_TRUE(test, list_empty(&peer(test)->lines->tx.parcels));
		WRITE_ONCE(akm->incarnation, 2);
	}
}

/* A key that is erased meanwhile stays for what is under way, and no longer. */
static void sending_outlives_its_generation(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	int err;

	preempt_disable();
	send_large(test, 1);
	preempt_enable();
	mutex_lock(&akm->lock);
	err = akm_generation_retire(akm, 1, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	drain(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&akm->tx_spread->parcels), 0);
	send_large(test, 1);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_NO_KEY), SEGMENTS);
	/* that the device goes at all says that nothing holds the key */
}

static void sending_is_bounded(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	atomic_set(&akm->tx_spread->parcels, AKM_SPREAD_PARCELS);
	send_large(test, 1);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_SPREAD_DROPPED), SEGMENTS);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_DROPPED), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&peer(test)->lines->tx.parcels));
	atomic_set(&akm->tx_spread->parcels, 0);
}

/* Off, everything is sealed at once, and counted no longer than that. */
static void sending_is_off(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	akm->tx_spread->on = false;
	preempt_disable();
	send_large(test, 1);
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_DROPPED), SEGMENTS);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer(test)->lines->tx.beside), 0);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, count(test, AKM_STAT_TX_SPREAD), 0);
}

static struct kunit_case sending_cases[] = {
	KUNIT_CASE(sending_is_handed_over),
	KUNIT_CASE(sending_stops_with_the_incarnation),
	KUNIT_CASE(sending_outlives_its_generation),
	KUNIT_CASE(sending_is_bounded),
	KUNIT_CASE(sending_is_off),
	{}
};

struct kunit_suite akm_sending_suite = {
	.name = "akm_sending",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = sending_init,
	.exit = sending_exit,
	.test_cases = sending_cases,
};
