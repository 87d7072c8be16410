// SPDX-License-Identifier: GPL-2.0
/*
 * Cold members on a real device: they have no keys, get them when something is to be said,
 * and lose them again; numbers and windows that were used are never forgotten (P1, P3); what
 * nobody has authenticated makes nothing that lasts (P11). Mutants: mutants.txt.
 */
#include "warm.h"

#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/ip.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/udp.h>

#include "device.h"
#include "hello.h"
#include "keys.h"
#include "notice.h"
#include "socket.h"
#include "util.h"

#define SELF		1
#define PEER		2
#define CROWD		3		/* the first of many */
#define KEY_ID		100
#define EPOCH		7
#define INC(n)		((u64)(n) << AKM_SEQUENCE_BITS)
#define LATER		11		/* a second generation */

static const u8 chain[AKM_KDF_LEN] = { 1, 2, 3 };
static const u8 pair[AKM_KDF_LEN] = { 4, 5, 6 };

static void add_member(struct kunit *test, u16 index)
{
	struct akm_member_config config = { .index = index };
	struct akm_device *akm = test->priv;
	int err;

	INIT_LIST_HEAD(&config.prefixes);
	mutex_lock(&akm->lock);
	err = akm_member_set(akm, &config, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void install(struct kunit *test, u32 number)
{
	struct akm_pair one = { .index = PEER, .chain = pair };
	struct akm_install in = {
		.number = number, .key_id = KEY_ID + number, .epoch = EPOCH, .chain = chain,
		.pairs = &one, .pair_count = 1, .unused = true,
	};
	struct akm_device *akm = test->priv;
	int err;

	mutex_lock(&akm->lock);
	err = akm_generation_install(akm, &in, NULL);
	if (!err)
		err = akm_generation_activate(akm, number, 60000, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void roll(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	int err;

	mutex_lock(&akm->lock);
	err = akm_generation_roll(akm, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static int warm_init(struct kunit *test)
{
	struct akm_device *akm = netdev_priv(akm_test_device(test, "akmw0"));

	akm_warm_members = 0;
	test->priv = akm;
	mutex_lock(&akm->lock);
	akm->atr_id = 1;
	akm->has_self = true;
	akm->self = SELF;
	akm->suite = AKM_SUITE_CHACHA20POLY1305;
	akm->incarnation = 1;
	mutex_unlock(&akm->lock);
	add_member(test, SELF);
	add_member(test, PEER);
	install(test, 10);
	return 0;
}

static void warm_exit(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	akm_warm_members = AKM_WARM_MEMBERS;
	if (akm)
		akm_test_device_delete(akm->dev);
}

/* Wait for what the device's work does; 30 s are an eternity here. */
#define UNTIL(test, condition) do {					\
	unsigned long deadline = jiffies + 30 * HZ;			\
									\
	while (!(condition) && time_before(jiffies, deadline))		\
		usleep_range(1000, 2000);				\
	KUNIT_EXPECT_TRUE_MSG(test, condition, "%s", #condition);	\
} while (0)

/* ---- what the packet path sees ---- */

/* RCU */
static struct akm_epoch *epoch_of(struct kunit *test, u32 generation, u64 number)
{
	struct akm_device *akm = test->priv;
	struct akm_generation *gen = akm_generation_lookup(akm->net, KEY_ID + generation);

	return gen ? akm_epoch_lookup(gen, number) : NULL;
}

/* Held, or NULL */
static struct akm_key *key_of(struct kunit *test, u32 generation, u64 number, bool tx)
{
	struct akm_epoch *epoch;
	struct akm_key *key = NULL;

	rcu_read_lock();
	epoch = epoch_of(test, generation, number);
	if (epoch)
		key = tx ? akm_key_tx_pair(epoch, PEER, 1) :
			   akm_key_rx(epoch, PEER, AKM_PACKET_PAIR);
	rcu_read_unlock();
	return key;
}

static bool is_warm(struct kunit *test, u64 number)
{
	struct akm_key *key = key_of(test, 10, number, false);

	if (key)
		akm_key_put(key);
	return key;
}

/* Something came under the key of @number, and was authentic. Return: was it new? */
static bool accept(struct kunit *test, u64 epoch, u64 number, enum akm_use use)
{
	struct akm_key *key = key_of(test, 10, epoch, false);
	enum akm_verdict verdict;

	KUNIT_ASSERT_NOT_NULL(test, key);
	local_bh_disable();
	akm_key_use(key, use);
	verdict = akm_key_accept(key, number, 1);
	local_bh_enable();
	akm_key_put(key);
	return verdict == AKM_NEW;
}

static u64 reserve(struct kunit *test, u64 epoch, unsigned int n)
{
	struct akm_key *key = key_of(test, 10, epoch, true);
	u64 first = U64_MAX;

	KUNIT_ASSERT_NOT_NULL(test, key);
	KUNIT_EXPECT_TRUE(test, akm_key_reserve(key, n, &first));
	akm_key_put(key);
	return first;
}

/* A packet to go out; what comes of it later is not looked at. */
static void send_one(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(100, GFP_KERNEL);
	struct akm_device *akm = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_zero(skb, 100);
	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, akm_warm_wait_tx(akm, akm_member_find(akm, PEER), skb));
	rcu_read_unlock();
	local_bh_enable();
}

/* The headers that a datagram has when it gets here, and a packet that nobody has sealed */
static struct sk_buff *datagram(struct kunit *test, u16 sender, u64 epoch, unsigned int len)
{
	unsigned int head = sizeof(struct iphdr) + sizeof(struct udphdr);
	struct sk_buff *skb = alloc_skb(head + AKM_OVERHEAD + len, GFP_KERNEL);
	struct akm_header *header;
	struct iphdr *ip;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reset_network_header(skb);
	ip = skb_put_zero(skb, head);
	ip->version = 4;
	skb_set_transport_header(skb, sizeof(*ip));
	__skb_pull(skb, head);
	header = skb_put_zero(skb, AKM_OVERHEAD + len);
	header->vertype = akm_vertype(AKM_PACKET_PAIR);
	header->epoch = epoch;
	header->sender = cpu_to_be16(sender);
	header->key_id = cpu_to_be32(KEY_ID + 10);
	return skb;
}

/* Return: it waits, or was dropped and counted. */
static bool receive_forged(struct kunit *test, u16 sender, u64 epoch, unsigned int len)
{
	struct sk_buff *skb = datagram(test, sender, epoch, len);
	bool taken;

	local_bh_disable();
	rcu_read_lock();
	taken = akm_warm_wait_rx(epoch_of(test, 10, epoch), sender, skb, 0, skb->len);
	rcu_read_unlock();
	local_bh_enable();
	kfree_skb(skb);
	return taken;
}

static u64 counted(struct kunit *test, enum akm_stat stat)
{
	struct akm_device *akm = test->priv;
	u64 v[AKM_STATS];

	akm_stats_read(&akm->stats, v);
	return v[stat];
}

static bool nobody_waits(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_warm *w = &akm->warm;
	bool none;

	spin_lock_bh(&w->lock);
	none = !w->count && list_empty(&w->members) && !w->packets[0] && !w->packets[1] &&
	       !w->bytes[0] && !w->bytes[1];
	spin_unlock_bh(&w->lock);
	return none;
}

static unsigned int cool(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	unsigned int n;

	mutex_lock(&akm->lock);
	n = akm_generations_cool(akm);
	mutex_unlock(&akm->lock);
	return n;
}

/* Members that have windows in any epoch of generation 10 */
static unsigned int with_traffic(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_generation *gen;
	struct akm_epoch *epoch;
	struct akm_peer *peer;
	unsigned long index;
	unsigned int n = 0;
	int i;

	mutex_lock(&akm->lock);
	gen = akm_generation_find(akm, 10);
	for (i = 0; i < AKM_EPOCH_SLOTS; i++) {
		epoch = rcu_dereference_protected(gen->epoch[i], true);
		if (epoch)
			xa_for_each(&epoch->peers, index, peer)
				n += !!peer->traffic;
	}
	mutex_unlock(&akm->lock);
	return n;
}

/* ---- warm and cold ---- */

static void warm_few_are_always(struct kunit *test)
{
	int i;

	akm_warm_members = 2;
	install(test, LATER);
	for (i = 0; i < 4; i++) {
		struct akm_key *now = key_of(test, LATER, EPOCH + i, true);
		struct akm_key *next = key_of(test, LATER, EPOCH + i + 1, false);

		KUNIT_EXPECT_NOT_NULL(test, now);
		KUNIT_EXPECT_NOT_NULL(test, next);
		if (now)
			akm_key_put(now);
		if (next)
			akm_key_put(next);
		roll(test);
	}
}

static void warm_when_there_is_something_to_say(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH));
	KUNIT_EXPECT_EQ(test, with_traffic(test), 0);
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, akm_key_is_cold(epoch_of(test, 10, EPOCH), PEER,
						AKM_PACKET_PAIR));
	KUNIT_EXPECT_FALSE(test, akm_key_is_cold(epoch_of(test, 10, EPOCH), SELF,
						 AKM_PACKET_GROUP));
	KUNIT_EXPECT_FALSE(test, akm_key_is_cold(epoch_of(test, 10, EPOCH), CROWD,
						 AKM_PACKET_GROUP));
	rcu_read_unlock();
	send_one(test);
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH));
	KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH + 1));
	mutex_lock(&akm->lock);
	KUNIT_EXPECT_EQ(test, akm_generation_pairs(akm_generation_find(akm, 10)), 1);
	mutex_unlock(&akm->lock);
}

/* Who talks in an epoch has its keys in the next, and in generations to come; others have not. */
static void warm_while_it_talks(struct kunit *test)
{
	struct akm_key *key;
	int i;

	send_one(test);
	UNTIL(test, nobody_waits(test));
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_TRUE(test, accept(test, EPOCH + i, INC(1), AKM_TALKS));
		roll(test);
		KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH + i + 1));
		KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH + i + 2));
	}
	install(test, LATER);
	key = key_of(test, LATER, EPOCH, true);
	KUNIT_EXPECT_NOT_NULL(test, key);
	if (key)
		akm_key_put(key);
}

static void warm_no_longer_than_it_talks(struct kunit *test)
{
	send_one(test);
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1), AKM_TALKS));
	roll(test);
	roll(test);
	KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH + 2));	/* made while it talked */
	roll(test);
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH + 3));
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH + 4));
}

/* All members ask each other when a generation becomes active: nobody stays warm of that. */
static void warm_is_not_who_only_asks(struct kunit *test)
{
	send_one(test);
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1), AKM_USED));
	roll(test);
	KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH + 1));
	roll(test);
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH + 2));
}

/* P9. Its first packet was on its way when we stepped. P4: no longer than the others' keys. */
static void warm_in_the_previous_epoch(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	roll(test);
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH));
	KUNIT_EXPECT_TRUE(test, receive_forged(test, PEER, EPOCH, 100));
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH));
	KUNIT_EXPECT_EQ(test, counted(test, AKM_STAT_RX_AUTH_FAIL) +
			counted(test, AKM_STAT_RX_WAIT_DROPPED), 1);
	mutex_lock(&akm->lock);
	akm->epoch_grace = 1;
	mutex_unlock(&akm->lock);
	roll(test);
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH));
	UNTIL(test, !is_warm(test, EPOCH + 1));
}

/* ---- P1, P3: what was used is not forgotten within its epoch ---- */

static void warm_numbers_are_kept(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, receive_forged(test, PEER, EPOCH, 100));
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_EQ(test, reserve(test, EPOCH, 5), 0);
	KUNIT_EXPECT_EQ(test, cool(test), 0);
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH));
	send_one(test);
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_EQ(test, reserve(test, EPOCH, 1), 5);
	KUNIT_EXPECT_EQ(test, reserve(test, EPOCH + 1, 1), 0);
}

static void warm_windows_are_kept(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, receive_forged(test, PEER, EPOCH, 100));
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1) + 3, AKM_USED));
	cool(test);
	KUNIT_EXPECT_FALSE(test, accept(test, EPOCH, INC(1) + 3, AKM_USED));
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1) + 4, AKM_USED));
}

/* A packet that is being decrypted may turn out to be the first authentic one. */
static void warm_while_a_packet_is_under_way(struct kunit *test)
{
	struct akm_key *key;

	KUNIT_EXPECT_TRUE(test, receive_forged(test, PEER, EPOCH, 100));
	UNTIL(test, nobody_waits(test));
	key = key_of(test, 10, EPOCH, false);
	KUNIT_ASSERT_NOT_NULL(test, key);
	KUNIT_EXPECT_EQ(test, cool(test), 1);
	KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH));
	akm_key_put(key);
	KUNIT_EXPECT_EQ(test, cool(test), 0);
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH));
	/* and again */
	send_one(test);
	UNTIL(test, is_warm(test, EPOCH));
}

/* ---- what waits ---- */

static void warm_queue_is_bounded(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_warm *w = &akm->warm;
	u64 dropped = counted(test, AKM_STAT_TX_DROPPED);
	int i;

	mutex_lock(&akm->lock);		/* keeps the work out */
	for (i = 0; i < AKM_COLD_PACKETS + 100; i++)
		send_one(test);
	KUNIT_EXPECT_EQ(test, w->packets[AKM_COLD_TX], AKM_COLD_PACKETS);
	KUNIT_EXPECT_EQ(test, counted(test, AKM_STAT_TX_DROPPED) - dropped, 100);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_TRUE(test, receive_forged(test, PEER, EPOCH, 20000));
	KUNIT_EXPECT_LE(test, w->bytes[AKM_COLD_RX], AKM_COLD_BYTES);
	KUNIT_EXPECT_EQ(test, w->packets[AKM_COLD_RX] + counted(test, AKM_STAT_RX_WAIT_DROPPED),
			100);
	mutex_unlock(&akm->lock);
	UNTIL(test, nobody_waits(test));
	/* none was lost on the way to the key: those that are no packets are dropped there */
	KUNIT_EXPECT_EQ(test, counted(test, AKM_STAT_TX_DROPPED) - dropped,
			AKM_COLD_PACKETS + 100);
	KUNIT_EXPECT_EQ(test, counted(test, AKM_STAT_TX_NO_KEY), 0);
}

static void warm_nothing_waits_for_who_is_gone(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_member *member = akm_member_find(akm, PEER);

	mutex_lock(&akm->lock);
	send_one(test);
	KUNIT_EXPECT_TRUE(test, receive_forged(test, PEER, EPOCH, 100));
	akm_member_get(member);
	akm_member_delete(akm, member);
	KUNIT_EXPECT_TRUE(test, nobody_waits(test));
	KUNIT_EXPECT_NULL(test, member->cold);
	akm_member_put(member);
	mutex_unlock(&akm->lock);
	KUNIT_EXPECT_FALSE(test, receive_forged(test, PEER, EPOCH, 100));
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH));
}

/* The generation goes, then the device (warm_exit()), while something waits for both. */
static void warm_nothing_keeps_the_device(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	mutex_lock(&akm->lock);
	send_one(test);
	KUNIT_EXPECT_EQ(test, akm_generation_retire(akm, 10, NULL), 0);
	mutex_unlock(&akm->lock);
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_EQ(test, counted(test, AKM_STAT_TX_DROPPED), 1);
	install(test, LATER);
	mutex_lock(&akm->lock);
	send_one(test);
	mutex_unlock(&akm->lock);
}

/* ---- P11 ---- */

#define STRANGERS	(2 * AKM_TRIAL_BURST)

/* Whoever knows the key_id and everybody's index makes no more keys than he may, for no longer. */
static void warm_trials_are_bounded(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	unsigned int n;
	int i;

	for (i = 0; i < STRANGERS; i++)
		add_member(test, CROWD + i);
	mutex_lock(&akm->lock);
	for (i = 0; i < STRANGERS; i++)
		KUNIT_EXPECT_TRUE(test, receive_forged(test, CROWD + i, EPOCH, 100));
	n = akm->warm.count;
	mutex_unlock(&akm->lock);
	KUNIT_EXPECT_GE(test, n, AKM_TRIAL_BURST);
	KUNIT_EXPECT_LT(test, n, STRANGERS);
	KUNIT_EXPECT_EQ(test, counted(test, AKM_STAT_RX_WAIT_DROPPED), STRANGERS - n);
	UNTIL(test, nobody_waits(test));
	UNTIL(test, !with_traffic(test));	/* by itself */
	/* the flood is over, and its bucket full again: what came is judged */
	KUNIT_EXPECT_EQ(test, cool(test), 0);
}

/* The bucket is empty: who talks is not kept out of another epoch by it. */
static void warm_talkers_need_no_trial(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	send_one(test);
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1), AKM_TALKS));
	roll(test);
	roll(test);
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH + 2, INC(1), AKM_TALKS));
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH + 3));
	mutex_lock(&akm->lock);
	akm->warm.trials.tokens = 0;
	akm->warm.trials.stamp = jiffies;
	KUNIT_EXPECT_TRUE(test, receive_forged(test, PEER, EPOCH + 3, 100));
	KUNIT_EXPECT_EQ(test, akm->warm.count, 1);
	mutex_unlock(&akm->lock);
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH + 3));
}

static void notice(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	local_bh_disable();
	rcu_read_lock();
	akm_notice_send(akm_generation_lookup(akm->net, KEY_ID + 10), PEER, AKM_PACKET_PAIR);
	rcu_read_unlock();
	local_bh_enable();
}

/* What nobody has authenticated causes notices; their keys are such a packet's, too. */
/* A cold member is kept alive, and stays cold but for a moment. */
static void warm_for_a_keepalive(struct kunit *test)
{
	u64 dropped = counted(test, AKM_STAT_TX_DROPPED);

	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH));
	akm_hello_keepalive(test->priv, PEER);
	UNTIL(test, counted(test, AKM_STAT_TX_DROPPED) == dropped + 1);	/* the device is down */
	UNTIL(test, nobody_waits(test));
	UNTIL(test, !is_warm(test, EPOCH));
}

static void warm_notice_proves_nothing(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	mutex_lock(&akm->lock);
	akm->warm.trials.tokens = 0;
	akm->warm.trials.stamp = jiffies;
	notice(test);
	KUNIT_EXPECT_TRUE(test, nobody_waits(test));
	akm_bucket_init(&akm->warm.trials, AKM_TRIAL_BURST, jiffies);
	notice(test);
	KUNIT_EXPECT_EQ(test, akm->warm.count, 1);
	mutex_unlock(&akm->lock);
	UNTIL(test, nobody_waits(test));
	KUNIT_EXPECT_EQ(test, reserve(test, EPOCH, 1), 1);	/* it went */
	UNTIL(test, !with_traffic(test));
}

/* Who holds the device for long lets packets that wait for it go: a step, a generation. */
static void warm_does_not_wait_for_a_step(struct kunit *test)
{
	struct akm_install in = {
		.number = LATER, .key_id = KEY_ID + LATER, .epoch = EPOCH, .chain = chain,
		.unused = true,
	};
	struct akm_device *akm = test->priv;

	mutex_lock(&akm->lock);
	send_one(test);
	KUNIT_EXPECT_FALSE(test, nobody_waits(test));
	KUNIT_EXPECT_EQ(test, akm_generation_roll(akm, NULL), 0);
	KUNIT_EXPECT_TRUE(test, nobody_waits(test));
	KUNIT_EXPECT_TRUE(test, is_warm(test, EPOCH + 1));
	mutex_unlock(&akm->lock);
	roll(test);
	roll(test);
	roll(test);
	KUNIT_EXPECT_FALSE(test, is_warm(test, EPOCH + 4));

	mutex_lock(&akm->lock);
	send_one(test);
	KUNIT_EXPECT_FALSE(test, nobody_waits(test));
	KUNIT_EXPECT_EQ(test, akm_generation_install(akm, &in, NULL), 0);
	KUNIT_EXPECT_TRUE(test, nobody_waits(test));
	mutex_unlock(&akm->lock);
}

/* ---- what a member costs that says nothing ---- */

#define IDLE_MEMBERS	4000
#define IDLE_BYTES	2048		/* each, everything included */

static void add_idle(struct kunit *test, u16 index)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(7645) };
	struct akm_member_config config = { .index = index, .prefix_count = 2 };
	struct akm_device *akm = test->priv;
	struct akm_prefix *prefix;
	int i, err;

	INIT_LIST_HEAD(&config.prefixes);
	for (i = 0; i < 2; i++) {
		prefix = kzalloc(sizeof(*prefix), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, prefix);
		prefix->key.family = i ? AF_INET6 : AF_INET;
		prefix->key.len = i ? 128 : 32;
		prefix->key.addr[i ? 3 : 0] = htonl(0x0a000000 + index);
		list_add_tail(&prefix->list, &config.prefixes);
	}
	in.sin_addr.s_addr = htonl(0xc0000000 + index);
	config.endpoint = akm_endpoint_create((struct sockaddr *)&in, sizeof(in), GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(config.endpoint));
	mutex_lock(&akm->lock);
	err = akm_member_set(akm, &config, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static long free_kib(void)
{
	struct sysinfo info;

	rcu_barrier();			/* keys nobody can find */
	flush_workqueue(akm_workqueue);	/* are freed, and let their epochs go */
	flush_workqueue(akm_workqueue);	/* by works of their own */
	rcu_barrier();			/* with the last of them the members */
	si_meminfo(&info);
	return (long)info.freeram << (PAGE_SHIFT - 10);
}

/* A generation that may have been used before: everybody would have to be asked. */
static int install_crowd(struct kunit *test, u32 number)
{
	struct akm_pair *pairs = kvcalloc(IDLE_MEMBERS, sizeof(*pairs), GFP_KERNEL);
	struct akm_install in = {
		.number = number, .key_id = KEY_ID + number, .epoch = EPOCH, .chain = chain,
		.pairs = pairs, .pair_count = IDLE_MEMBERS,
	};
	struct akm_device *akm = test->priv;
	int i, err;

	KUNIT_ASSERT_NOT_NULL(test, pairs);
	for (i = 0; i < IDLE_MEMBERS; i++) {
		pairs[i].index = CROWD + i;
		pairs[i].chain = pair;
	}
	mutex_lock(&akm->lock);
	err = akm_generation_install(akm, &in, NULL);
	mutex_unlock(&akm->lock);
	kvfree(pairs);
	return err;
}

struct idle_cost {
	long members, with_keys;	/* KiB */
};

/* All there is to the members, and with a generation: in memory that is counted in pages. */
static struct idle_cost idle_once(struct kunit *test, u32 number)
{
	struct akm_device *akm = test->priv;
	long before = free_kib();
	struct idle_cost cost;
	int i;

	for (i = 0; i < IDLE_MEMBERS; i++)
		add_idle(test, CROWD + i);
	cost.members = before - free_kib();
	KUNIT_ASSERT_EQ(test, install_crowd(test, number), 0);
	cost.with_keys = before - free_kib();
	mutex_lock(&akm->lock);
	for (i = 0; i < IDLE_MEMBERS; i++)
		akm_member_delete(akm, akm_member_find(akm, CROWD + i));
	KUNIT_EXPECT_EQ(test, akm_generation_retire(akm, number, NULL), 0);
	mutex_unlock(&akm->lock);
	return cost;
}

static void warm_idle_members_are_small(struct kunit *test)
{
	/* what another processor adds: its counters, and its route */
	long other_cpu = (2 - (int)num_possible_cpus()) *
			 (long)(sizeof(struct akm_stats_hot) + 64);
	struct idle_cost cost;
	long bytes, after;

	if (IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_LOCKDEP))
		kunit_skip(test, "the checkers' own memory is not counted apart");
	cost = idle_once(test, LATER);
	bytes = cost.with_keys * 1024 / IDLE_MEMBERS + other_cpu;
	kunit_info(test, "%d idle members: %ld bytes each, with a generation %ld; %ld on two processors",
		   IDLE_MEMBERS, cost.members * 1024 / IDLE_MEMBERS,
		   cost.with_keys * 1024 / IDLE_MEMBERS, bytes);
	KUNIT_EXPECT_LE(test, bytes, IDLE_BYTES);
	KUNIT_EXPECT_GT(test, bytes, 256);		/* it was measured at all */

	/* the allocators keep some of the first rounds' memory, and need no more in the next */
	idle_once(test, LATER + 1);
	after = free_kib();
	idle_once(test, LATER + 2);
	idle_once(test, LATER + 3);
	KUNIT_EXPECT_LT(test, after - free_kib(), cost.with_keys / 4);
}

static struct kunit_case warm_cases[] = {
	KUNIT_CASE(warm_few_are_always),
	KUNIT_CASE(warm_when_there_is_something_to_say),
	KUNIT_CASE(warm_while_it_talks),
	KUNIT_CASE(warm_no_longer_than_it_talks),
	KUNIT_CASE(warm_is_not_who_only_asks),
	KUNIT_CASE(warm_in_the_previous_epoch),
	KUNIT_CASE(warm_numbers_are_kept),
	KUNIT_CASE(warm_windows_are_kept),
	KUNIT_CASE(warm_while_a_packet_is_under_way),
	KUNIT_CASE(warm_queue_is_bounded),
	KUNIT_CASE(warm_nothing_waits_for_who_is_gone),
	KUNIT_CASE(warm_nothing_keeps_the_device),
	KUNIT_CASE(warm_trials_are_bounded),
	KUNIT_CASE(warm_talkers_need_no_trial),
	KUNIT_CASE(warm_for_a_keepalive),
	KUNIT_CASE(warm_notice_proves_nothing),
	KUNIT_CASE(warm_does_not_wait_for_a_step),
	KUNIT_CASE(warm_idle_members_are_small),
	{}
};

struct kunit_suite akm_warm_suite = {
	.name = "akm_warm",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = warm_init,
	.exit = warm_exit,
	.test_cases = warm_cases,
};
