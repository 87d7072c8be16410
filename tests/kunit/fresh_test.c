// SPDX-License-Identifier: GPL-2.0
/*
 * Freshness: when a receiver asks, what it takes for an answer, and which numbers it
 * believes in afterwards (P3). The packets that wait: on a real device. Mutants:
 * mutants.txt.
 */
#include "fresh.h"

#include <linux/bottom_half.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/string.h>

#include "device.h"
#include "hello.h"
#include "util.h"
#include "vectors.h"

#define NOW		1000000UL
#define INC(n)		((u64)(n) << AKM_SEQUENCE_BITS)
#define SELF		1
#define PEER		2
#define KEY_ID		100

static const u8 nonce[AKM_HELLO_NONCE] = { 1, 2, 3, [15] = 4 };

static struct akm_hello_ack make_ack(u64 epoch, u64 pair, u64 group)
{
	struct akm_hello_ack ack = {
		.epoch = cpu_to_be64(epoch),
		.pair = cpu_to_be64(pair),
		.group = cpu_to_be64(group),
	};

	memcpy(ack.nonce, nonce, sizeof(nonce));
	return ack;
}

/* ---- asking ---- */

static void fresh_asks_when_told(struct kunit *test)
{
	struct akm_fresh f;

	akm_fresh_init(&f, nonce);
	KUNIT_EXPECT_EQ(test, akm_fresh_step(&f, NOW, 0), AKM_FRESH_WAIT);
	akm_fresh_ask(&f, NOW + 10);
	KUNIT_EXPECT_EQ(test, f.state, AKM_FRESH_ASKING);
	KUNIT_EXPECT_EQ(test, akm_fresh_step(&f, NOW + 9, 0), AKM_FRESH_WAIT);
	/* an occasion that does not wait brings it forward, another one does not put it off */
	akm_fresh_ask(&f, NOW + 20);
	akm_fresh_ask(&f, NOW + 5);
	KUNIT_EXPECT_EQ(test, akm_fresh_step(&f, NOW + 5, 0), AKM_FRESH_SEND);
	/* and none of them brings forward a repetition */
	akm_fresh_ask(&f, NOW + 5);
	KUNIT_EXPECT_EQ(test, akm_fresh_step(&f, NOW + 6, 0), AKM_FRESH_WAIT);
	KUNIT_EXPECT_FALSE(test, akm_fresh_known(&f));
}

/* One series of hellos: how long it lasts, in jiffies; every pause within its bounds */
static unsigned long series(struct kunit *test, struct akm_fresh *f, unsigned long start,
			    u32 random)
{
	unsigned long now = start, last = start, ms = AKM_HELLO_FIRST_MS, pause;
	unsigned int n = 0;
	enum akm_fresh_step step;

	akm_fresh_ask(f, start);
	while ((step = akm_fresh_step(f, now, random)) != AKM_FRESH_GIVE_UP) {
		if (step == AKM_FRESH_SEND) {
			pause = now - last;
			if (n) {
				KUNIT_EXPECT_GE(test, pause, msecs_to_jiffies(ms * 3 / 4));
				KUNIT_EXPECT_LE(test, pause, msecs_to_jiffies(ms * 5 / 4) + 1);
				ms = min_t(unsigned long, 2 * ms, AKM_HELLO_LONGEST_MS);
			}
			last = now;
			n++;
		}
		KUNIT_ASSERT_LE(test, n, AKM_HELLO_TRIES);
		now++;
	}
	KUNIT_EXPECT_EQ(test, n, AKM_HELLO_TRIES);
	KUNIT_EXPECT_EQ(test, f->state, AKM_FRESH_UNKNOWN);
	return now - start;
}

static void fresh_asks_less_and_less(struct kunit *test)
{
	unsigned long shortest, longest;
	struct akm_fresh f;

	akm_fresh_init(&f, nonce);
	shortest = series(test, &f, NOW, 0);
	KUNIT_EXPECT_EQ(test, akm_fresh_step(&f, NOW + shortest + HZ, 0), AKM_FRESH_WAIT);
	/* another occasion starts it again, over the end of jiffies as well */
	longest = series(test, &f, -100UL, AKM_HELLO_LONGEST_MS / 2);
	KUNIT_EXPECT_GT(test, longest, shortest);
	KUNIT_EXPECT_LE(test, longest, 20UL * HZ);
}

static void fresh_takes_its_answer_only(struct kunit *test)
{
	struct akm_hello_ack ack = make_ack(3, INC(2) + 7, INC(2) + 9);
	struct akm_fresh f;

	akm_fresh_init(&f, nonce);
	akm_fresh_ask(&f, NOW);
	ack.nonce[15] ^= 1;
	KUNIT_EXPECT_FALSE(test, akm_fresh_answer(&f, &ack));
	KUNIT_EXPECT_FALSE(test, akm_fresh_known(&f));
	ack.nonce[15] ^= 1;
	KUNIT_EXPECT_TRUE(test, akm_fresh_answer(&f, &ack));
	KUNIT_EXPECT_TRUE(test, akm_fresh_known(&f));
	KUNIT_EXPECT_EQ(test, akm_fresh_step(&f, NOW + HZ, 0), AKM_FRESH_WAIT);
	/* it was the last word */
	ack = make_ack(1, INC(1), INC(1));
	KUNIT_EXPECT_FALSE(test, akm_fresh_answer(&f, &ack));
	akm_fresh_ask(&f, NOW);
	KUNIT_EXPECT_TRUE(test, akm_fresh_known(&f));
	KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, 3, false), INC(2) + 7);
}

/* An answer that comes when nobody hopes for it any more still is one. */
static void fresh_takes_a_late_answer(struct kunit *test)
{
	struct akm_hello_ack ack = make_ack(3, INC(2) + 7, INC(2) + 9);
	struct akm_fresh f;

	akm_fresh_init(&f, nonce);
	series(test, &f, NOW, 0);
	KUNIT_EXPECT_TRUE(test, akm_fresh_answer(&f, &ack));
}

/* ---- what is new ---- */

static void fresh_floor(struct kunit *test)
{
	struct akm_hello_ack ack = make_ack(3, INC(2) + 7, INC(2) + 9);
	struct akm_fresh f;

	akm_fresh_init(&f, nonce);
	KUNIT_ASSERT_TRUE(test, akm_fresh_answer(&f, &ack));
	KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, 3, false), INC(2) + 7);
	KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, 3, true), INC(2) + 9);
	/* before: only what the sender seals after a restart of its own */
	KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, 2, false), INC(3));
	KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, 0, true), INC(3));
	/* after: not what it sealed before it was restarted with an older chain */
	KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, 4, false), INC(2));
	KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, U64_MAX, true), INC(2));
}

static void fresh_order(struct kunit *test)
{
	static const struct akm_fresh_order sealed[] = {	/* in this order */
		{ 0, INC(1) }, { 0, INC(1) + 5 }, { 4, INC(1) }, { 4, INC(1) + 1 },
		{ 3, INC(2) }, { 3, INC(2) + 9 }, { 4, INC(2) + 2 },
	};
	int i, k;

	for (i = 0; i < ARRAY_SIZE(sealed); i++)
		for (k = 0; k < ARRAY_SIZE(sealed); k++)
			KUNIT_EXPECT_EQ_MSG(test, akm_fresh_before(&sealed[i], &sealed[k]), i < k,
					    "%d, %d", i, k);
}

static void fresh_repeats_its_answer(struct kunit *test)
{
	struct akm_fresh_answered last = {}, kept;
	struct akm_hello hello;

	memcpy(hello.nonce, nonce, sizeof(nonce));
	KUNIT_EXPECT_FALSE(test, akm_fresh_same(&last, 0x123, &hello, 2));
	last = (struct akm_fresh_answered) { .key_id = 0x123, .ack = make_ack(3, INC(2), INC(2)) };
	KUNIT_EXPECT_TRUE(test, akm_fresh_same(&last, 0x123, &hello, 2));
	kept = last;
	/* another generation, another life of ours, another question */
	KUNIT_EXPECT_FALSE(test, akm_fresh_same(&last, 0x124, &hello, 2));
	KUNIT_EXPECT_FALSE(test, akm_fresh_same(&last, 0x123, &hello, 3));
	hello.nonce[0] ^= 1;
	KUNIT_EXPECT_FALSE(test, akm_fresh_same(&last, 0x123, &hello, 2));
	AKM_EXPECT_MEMEQ(test, &kept, &last, sizeof(last));
}

/* The bodies of hellos and answers, as another implementation makes them */
static void fresh_bodies(struct kunit *test)
{
	struct akm_fresh_answered last = { .key_id = 1 };
	const struct akm_vector_packet *v;
	struct akm_fresh f;
	struct blob body;
	int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(akm_vectors_packet); i++) {
		v = &akm_vectors_packet[i];
		body = akm_test_hex(test, v->plaintext);
		if (v->type == AKM_PACKET_HELLO) {
			KUNIT_ASSERT_EQ(test, body.len, sizeof(struct akm_hello));
			akm_fresh_init(&f, ((struct akm_hello *)body.data)->nonce);
		} else if (v->type == AKM_PACKET_HELLO_ACK) {
			KUNIT_ASSERT_EQ(test, body.len, sizeof(struct akm_hello_ack));
			KUNIT_EXPECT_TRUE(test, akm_fresh_answer(&f, (void *)body.data));
			/* it was sealed itself before it named what comes next */
			KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, v->epoch, false),
					akm_packet_number(v->incarnation, v->sequence) + 1);
			KUNIT_EXPECT_EQ(test, akm_fresh_floor(&f, v->epoch, true),
					akm_packet_number(v->incarnation, 5));
			memcpy(&last.ack, body.data, sizeof(last.ack));
			KUNIT_EXPECT_TRUE(test, akm_fresh_same(&last, 1, (void *)body.data,
							       v->incarnation));
			n++;
		}
	}
	KUNIT_EXPECT_GE(test, n, 3);
}

static struct kunit_case fresh_cases[] = {
	KUNIT_CASE(fresh_asks_when_told),
	KUNIT_CASE(fresh_asks_less_and_less),
	KUNIT_CASE(fresh_takes_its_answer_only),
	KUNIT_CASE(fresh_takes_a_late_answer),
	KUNIT_CASE(fresh_floor),
	KUNIT_CASE(fresh_order),
	KUNIT_CASE(fresh_repeats_its_answer),
	KUNIT_CASE(fresh_bodies),
	{}
};

struct kunit_suite akm_fresh_suite = {
	.name = "akm_fresh",
	.test_cases = fresh_cases,
};

/* ---- waiting, on a device ---- */

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

static int hello_init(struct kunit *test)
{
	struct akm_device *akm = netdev_priv(akm_test_device(test, "akmh0"));
	static const u8 chain[AKM_KDF_LEN] = { 1 }, pair[AKM_KDF_LEN] = { 2 };
	struct akm_pair one = { .index = PEER, .chain = pair };
	struct akm_install in = {
		.number = 1, .key_id = KEY_ID, .chain = chain, .pairs = &one, .pair_count = 1,
	};
	int err;

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
	mutex_lock(&akm->lock);
	err = akm_generation_install(akm, &in, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	return 0;
}

static void hello_exit(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	akm_warm_members = AKM_WARM_MEMBERS;
	if (akm)
		akm_test_device_delete(akm->dev);
}

/* Held */
static struct akm_key *rx_key_of(struct kunit *test, u16 member, enum akm_packet_type type)
{
	struct akm_device *akm = test->priv;
	struct akm_key *key = NULL;
	struct akm_epoch *epoch;

	rcu_read_lock();
	epoch = akm_epoch_lookup(akm_generation_lookup(akm->net, KEY_ID), 0);
	if (epoch)
		key = akm_key_rx(epoch, member, type);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, key);
	return key;
}

static struct akm_key *rx_key(struct kunit *test, enum akm_packet_type type)
{
	return rx_key_of(test, PEER, type);
}

static struct sk_buff *packet(struct kunit *test, u64 number, unsigned int len)
{
	struct sk_buff *skb = alloc_skb(AKM_OVERHEAD + len, GFP_KERNEL);
	struct akm_header *header;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	header = skb_put_zero(skb, AKM_OVERHEAD + len);
	header->sender = cpu_to_be16(PEER);
	header->packet_number = cpu_to_be64(number);
	return skb;
}

static void wait(struct kunit *test, struct akm_key *key, u64 number, unsigned int len)
{
	struct sk_buff *skb = packet(test, number, len);

	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, akm_hello_wait(key, skb));
	rcu_read_unlock();
	local_bh_enable();
}

static struct akm_asking *asking(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	return xa_load(&akm_generation_lookup(akm->net, KEY_ID)->asking, PEER);
}

/* What is released by an answer, to the nonce of @flip 0 */
static void answer(struct kunit *test, struct akm_key *key, u8 flip, struct sk_buff_head *released)
{
	struct akm_hello_ack ack = make_ack(0, INC(1), INC(1));

	memcpy(ack.nonce, akm_key_asking(key)->fresh.nonce, sizeof(ack.nonce));
	ack.nonce[0] ^= flip;
	__skb_queue_head_init(released);
	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, akm_hello_receive(key, AKM_PACKET_HELLO_ACK, &ack, sizeof(ack),
						  released));
	rcu_read_unlock();
	local_bh_enable();
}

static u64 number_of(const struct sk_buff *skb)
{
	return be64_to_cpu(((const struct akm_header *)skb->data)->packet_number);
}

static void expect_released(struct kunit *test, struct sk_buff_head *released, const u64 *want,
			    unsigned int n)
{
	struct sk_buff *skb;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, released->qlen, n);
	for (i = 0; (skb = __skb_dequeue(released)); i++) {
		if (i < n)
			KUNIT_EXPECT_EQ_MSG(test, number_of(skb), want[i], "at %u", i);
		kfree_skb(skb);
	}
}

/* In the order of sealing, whatever it arrived in; a repetition takes no place. */
static void hello_waits_in_order(struct kunit *test)
{
	static const u64 sent[] = { INC(1) + 5, INC(1) + 2, INC(1) + 9, INC(1) + 5, INC(1) + 3 };
	static const u64 want[] = { INC(1) + 2, INC(1) + 3, INC(1) + 5, INC(1) + 9 };
	struct akm_key *key = rx_key(test, AKM_PACKET_PAIR);
	struct akm_device *akm = test->priv;
	struct sk_buff_head released;
	int i;

	local_bh_disable();
	KUNIT_EXPECT_EQ(test, akm_key_accept(key, INC(1), 1), AKM_WAITS);
	local_bh_enable();
	for (i = 0; i < ARRAY_SIZE(sent); i++)
		wait(test, key, sent[i], 100);
	KUNIT_EXPECT_EQ(test, akm->waiting, ARRAY_SIZE(want));
	KUNIT_EXPECT_EQ(test, asking(test)->fresh.state, AKM_FRESH_ASKING);
	answer(test, key, 1, &released);
	expect_released(test, &released, NULL, 0);
	answer(test, key, 0, &released);
	expect_released(test, &released, want, ARRAY_SIZE(want));
	KUNIT_EXPECT_EQ(test, akm->waiting, 0);
	KUNIT_EXPECT_EQ(test, akm->waiting_bytes, 0);
	local_bh_disable();
	KUNIT_EXPECT_EQ(test, akm_key_accept(key, INC(1), 1), AKM_NEW);
	KUNIT_EXPECT_EQ(test, akm_key_accept(key, INC(1), 1), AKM_SEEN);
	KUNIT_EXPECT_EQ(test, akm_key_accept(key, INC(1) - 1, 1), AKM_SEEN);
	local_bh_enable();
	akm_key_put(key);
}

/* A replay is older than what is new, and cannot push it out. */
static void hello_keeps_the_newest(struct kunit *test)
{
	struct akm_key *key = rx_key(test, AKM_PACKET_PAIR);
	u64 want[AKM_WAIT_PACKETS];
	struct sk_buff_head released;
	u64 i;

	for (i = 0; i < AKM_WAIT_PACKETS; i++) {
		want[i] = INC(1) + 100 + i;
		wait(test, key, want[i], 100);
	}
	for (i = 0; i < 1000; i++)
		wait(test, key, INC(1) + i % 100, 100);
	for (i = 0; i < AKM_WAIT_PACKETS; i++)
		wait(test, key, want[i], 100);
	answer(test, key, 0, &released);
	expect_released(test, &released, want, AKM_WAIT_PACKETS);
	akm_key_put(key);
}

/* New ones push out old ones; and each type of key has its own places. */
static void hello_is_bounded(struct kunit *test)
{
	struct akm_key *pair = rx_key(test, AKM_PACKET_PAIR);
	struct akm_key *group = rx_key(test, AKM_PACKET_GROUP);
	struct akm_device *akm = test->priv;
	struct sk_buff_head released;
	u64 want[2 * AKM_WAIT_PACKETS];
	u64 i;

	for (i = 0; i < 1000; i++) {
		wait(test, pair, INC(1) + i, 100);
		wait(test, group, INC(1) + i, 100);
	}
	for (i = 0; i < 2 * AKM_WAIT_PACKETS; i++)
		want[i] = INC(1) + 1000 - AKM_WAIT_PACKETS + i % AKM_WAIT_PACKETS;
	KUNIT_EXPECT_EQ(test, akm->waiting, 2 * AKM_WAIT_PACKETS);
	for (i = 0; i < 100; i++)
		wait(test, pair, INC(2) + i, AKM_WAIT_BYTES / 4);
	KUNIT_EXPECT_LE(test, asking(test)->waiting_bytes[0], AKM_WAIT_BYTES);
	KUNIT_EXPECT_LE(test, akm->waiting_bytes, 2 * AKM_WAIT_BYTES);
	answer(test, pair, 0, &released);
	KUNIT_EXPECT_GT(test, released.qlen, AKM_WAIT_PACKETS);
	KUNIT_EXPECT_EQ(test, number_of(skb_peek_tail(&released)), want[2 * AKM_WAIT_PACKETS - 1]);
	__skb_queue_purge(&released);
	akm_key_put(group);
	akm_key_put(pair);
}

static bool has_its_key(struct kunit *test, struct sk_buff *skb)
{
	struct akm_device *akm = test->priv;
	struct akm_key *key;

	rcu_read_lock();
	key = akm_hello_key(akm_generation_lookup(akm->net, KEY_ID), skb);
	rcu_read_unlock();
	if (key)
		akm_key_put(key);
	return key;
}

/* P3. What waited is not judged by the window of an epoch with the same low byte. */
static void hello_knows_the_epoch(struct kunit *test)
{
	struct akm_key *key = rx_key(test, AKM_PACKET_PAIR);
	struct akm_device *akm = test->priv;
	struct sk_buff_head released;
	struct sk_buff *skb;
	int i;

	wait(test, key, INC(1) + 7, 100);
	answer(test, key, 0, &released);
	skb = __skb_dequeue(&released);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_TRUE(test, has_its_key(test, skb));
	mutex_lock(&akm->lock);
	KUNIT_EXPECT_EQ(test, akm_generation_activate(akm, 1, 0, NULL), 0);
	for (i = 0; i < 256; i++)
		KUNIT_EXPECT_EQ(test, akm_generation_roll(akm, NULL), 0);
	mutex_unlock(&akm->lock);
	KUNIT_EXPECT_FALSE(test, has_its_key(test, skb));
	kfree_skb(skb);
	akm_key_put(key);
}

/* With the generation everything of it goes. */
static void hello_forgets(struct kunit *test)
{
	struct akm_key *key = rx_key(test, AKM_PACKET_PAIR);
	struct akm_device *akm = test->priv;

	wait(test, key, INC(1), 100);
	KUNIT_EXPECT_EQ(test, akm->waiting, 1);
	mutex_lock(&akm->lock);
	KUNIT_EXPECT_EQ(test, akm_generation_retire(akm, 1, NULL), 0);
	mutex_unlock(&akm->lock);
	KUNIT_EXPECT_EQ(test, akm->waiting, 0);
	KUNIT_EXPECT_EQ(test, akm->waiting_bytes, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&akm->asking));
	wait(test, key, INC(1) + 1, 100);
	KUNIT_EXPECT_EQ(test, akm->waiting, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&akm->asking));
	akm_key_put(key);
}

static void hello_refuses_other_lengths(struct kunit *test)
{
	static const enum akm_packet_type types[] = {
		AKM_PACKET_HELLO, AKM_PACKET_HELLO_ACK, AKM_PACKET_NOTICE, AKM_PACKET_KEEPALIVE
	};
	static const unsigned int good[] = { 16, 40, 8, 0 };
	struct akm_key *key = rx_key(test, AKM_PACKET_PAIR);
	struct sk_buff_head released;
	static u8 body[64];
	unsigned int i, len;

	__skb_queue_head_init(&released);
	local_bh_disable();
	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (len = 0; len <= sizeof(body); len++)
			KUNIT_EXPECT_EQ_MSG(test, akm_hello_receive(key, types[i], body, len,
								    &released),
					    len == good[i], "type %d, %u bytes", types[i], len);
	rcu_read_unlock();
	local_bh_enable();
	akm_key_put(key);
}

/* ---- a thousand members, all of them rebooted at the same time ---- */

#define MEMBERS		1000		/* ourselves included; SELF and PEER are the first two */
#define OTHERS		(MEMBERS - 1)
#define OLD		8		/* packets of each, from before; replayed */
#define NEW		8		/* sealed since it was asked */

static void add_crowd(struct kunit *test)
{
	static const u8 chain[AKM_KDF_LEN] = { 3 };
	struct akm_pair *pairs = kunit_kcalloc(test, OTHERS - 1, sizeof(*pairs), GFP_KERNEL);
	struct akm_install in = { .number = 1, .pairs = pairs, .pair_count = OTHERS - 1 };
	struct akm_device *akm = test->priv;
	int i, err;

	KUNIT_ASSERT_NOT_NULL(test, pairs);
	akm_warm_members = UINT_MAX;	/* all of them talk; hello_exit() sets it back */
	for (i = 0; i < OTHERS - 1; i++) {
		pairs[i].index = PEER + 1 + i;
		pairs[i].chain = chain;
		add_member(test, pairs[i].index);
	}
	mutex_lock(&akm->lock);
	err = akm_generation_add_pairs(akm, &in, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

/* @n packets of everybody from number @first on, one after the other as they would come. */
static void crowd_sends(struct kunit *test, u64 first, unsigned int n)
{
	struct akm_device *akm = test->priv;
	struct akm_key *key;
	unsigned int i, m;

	for (i = 0; i < n; i++)
		for (m = PEER; m < PEER + OTHERS; m++) {
			key = rx_key_of(test, m, AKM_PACKET_PAIR);
			wait(test, key, first + i, 100);
			akm_key_put(key);
		}
	KUNIT_EXPECT_LE(test, akm->waiting, AKM_WAIT_DEVICE_PACKETS);
	KUNIT_EXPECT_LE(test, akm->waiting_bytes, AKM_WAIT_DEVICE_BYTES);
}

/* What is released is judged as received. Return: how many are delivered, of the new ones only. */
static unsigned int judge_released(struct kunit *test, struct akm_key *key,
				   struct sk_buff_head *released, u64 floor)
{
	unsigned int delivered = 0;
	struct sk_buff *skb;
	bool is_new;
	u64 number;

	while ((skb = __skb_dequeue(released))) {
		number = number_of(skb);
		kfree_skb(skb);
		local_bh_disable();
		is_new = akm_key_accept(key, number, 1) == AKM_NEW;
		local_bh_enable();
		KUNIT_EXPECT_EQ(test, is_new, number >= floor);
		delivered += is_new;
	}
	return delivered;
}

static u64 hellos_tried(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	u64 now[AKM_STATS];

	akm_stats_read(&akm->stats, now);
	return now[AKM_STAT_TX_DROPPED];	/* the device is down */
}

/* P3, P11. All of them speak at once, and somebody sends again what they said before. */
static void hello_thousand_speak_at_once(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct sk_buff_head released;
	unsigned int m, delivered = 0;
	struct akm_key *key;
	u64 hellos;

	add_crowd(test);
	crowd_sends(test, INC(1) - OLD, OLD);
	KUNIT_EXPECT_EQ(test, akm->waiting, AKM_WAIT_DEVICE_PACKETS);
	crowd_sends(test, INC(1), NEW);
	hellos = hellos_tried(test);
	KUNIT_EXPECT_GE(test, hellos, OTHERS);
	KUNIT_EXPECT_LE(test, hellos, AKM_HELLO_TRIES * OTHERS);
	for (m = PEER; m < PEER + OTHERS; m++) {
		key = rx_key_of(test, m, AKM_PACKET_PAIR);
		answer(test, key, 0, &released);
		KUNIT_EXPECT_LE(test, released.qlen, AKM_WAIT_PACKETS);
		delivered += judge_released(test, key, &released, INC(1));
		akm_key_put(key);
	}
	/* what is new has pushed out what is old */
	KUNIT_EXPECT_EQ(test, delivered, AKM_WAIT_DEVICE_PACKETS);
	KUNIT_EXPECT_EQ(test, akm->waiting, 0);
	KUNIT_EXPECT_EQ(test, akm->waiting_bytes, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&akm->asking));
	kunit_info(test, "%u members spoke %u times: %llu hellos, %u delivered, %u at most wait",
		   OTHERS, OLD + NEW, hellos, delivered, AKM_WAIT_DEVICE_PACKETS);
}

#define WIRE		max_t(unsigned long, msecs_to_jiffies(10), 1)	/* how long anything takes */
#define TALK		50		/* others that a member has data for as soon as it is up */
#define SAMPLE		5		/* pairs of members are independent: those of so many will do */
#define REBOOT_END	(60 * HZ)

/* One end of a pair of members */
struct reboot_end {
	struct akm_fresh fresh;
	struct akm_bucket answers;
	unsigned long hello, ack;	/* jiffies when they get here; 0: there is none */
	unsigned int hellos, acks;	/* sent from here */
};

struct reboot {
	u32 loss;			/* per cent */
	u32 sent[REBOOT_END];		/* by the member that is looked at, in each jiffy */
	unsigned int hellos, acks, unknown;
	unsigned long last;		/* jiffy in which the last one became known */
};

static bool is_lost(const struct reboot *r)
{
	return get_random_u32_below(100) < r->loss;
}

/* As hello.c does it. Return: packets that go from @e to @other. */
static unsigned int reboot_step(const struct reboot *r, struct reboot_end *e,
				struct reboot_end *other, unsigned long now)
{
	unsigned int before = e->hellos + e->acks;
	struct akm_hello_ack ack;

	if (e->hello && time_after_eq(now, e->hello)) {
		e->hello = 0;
		if (akm_bucket_take(&e->answers, AKM_ANSWER_BURST, AKM_ANSWER_RATE, now)) {
			e->acks++;
			if (!is_lost(r))
				other->ack = now + WIRE;
		}
		if (!akm_fresh_known(&e->fresh))
			akm_fresh_ask(&e->fresh, now);
	}
	if (e->ack && time_after_eq(now, e->ack)) {
		e->ack = 0;
		ack = make_ack(0, INC(1), INC(1));
		akm_fresh_answer(&e->fresh, &ack);
	}
	if (akm_fresh_step(&e->fresh, now, get_random_u32()) == AKM_FRESH_SEND) {
		e->hellos++;
		if (!is_lost(r))
			other->hello = now + WIRE;
	}
	return e->hellos + e->acks - before;
}

static void reboot_end_init(struct kunit *test, struct reboot_end *e, bool talks)
{
	memset(e, 0, sizeof(*e));
	akm_fresh_init(&e->fresh, nonce);
	akm_bucket_init(&e->answers, AKM_ANSWER_BURST, NOW);
	akm_fresh_ask(&e->fresh, NOW + 1 + akm_hello_spread(test->priv));
	if (talks)
		akm_fresh_ask(&e->fresh, NOW);
}

/* A member, and one of the others */
static void reboot_pair(struct kunit *test, struct reboot *r, bool talks)
{
	struct reboot_end one, other;
	unsigned long t;

	reboot_end_init(test, &one, talks);
	reboot_end_init(test, &other, talks);
	for (t = 0; t < REBOOT_END; t++) {
		r->sent[t] += reboot_step(r, &one, &other, NOW + t);
		reboot_step(r, &other, &one, NOW + t);
		if (akm_fresh_known(&one.fresh) && akm_fresh_known(&other.fresh) &&
		    !one.hello && !other.hello)
			break;
	}
	r->hellos += one.hellos;
	r->acks += one.acks;
	r->unknown += !akm_fresh_known(&one.fresh);
	if (t < REBOOT_END)
		r->last = max(r->last, t);
}

/* The most that goes in 100 ms */
static unsigned int reboot_peak(const struct reboot *r)
{
	unsigned long width = max_t(unsigned long, msecs_to_jiffies(100), 1), t;
	unsigned int sum = 0, peak = 0;

	for (t = 0; t < REBOOT_END; t++) {
		sum += r->sent[t];
		if (t >= width)
			sum -= r->sent[t - width];
		peak = max(peak, sum);
	}
	return peak;
}

static void reboot_all(struct kunit *test, struct reboot *r, u32 loss)
{
	int i;

	memset(r, 0, sizeof(*r));
	r->loss = loss;
	for (i = 0; i < OTHERS; i++) {
		reboot_pair(test, r, i < TALK);
		cond_resched();
	}
	kunit_info(test, "%u members, loss %u %%: %u hellos and %u answers of each, at most %u in 100 ms; %u ms; %u unknown",
		   MEMBERS, loss, r->hellos, r->acks, reboot_peak(r), jiffies_to_msecs(r->last),
		   r->unknown);
}

/*
 * P11. Without loss each member asks each other one once, and is asked once; all is known
 * when the first tries have been spread, and a round trip. What goes at once is what there are
 * data for; the rest is spread over 4 s, a little more at the beginning: who is asked asks back.
 */
static void hello_thousand_reboot_together(struct kunit *test)
{
	struct reboot *r = kunit_kmalloc(test, sizeof(*r), GFP_KERNEL);
	unsigned int spread = OTHERS * 2 / 10;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	add_crowd(test);
	for (i = 0; i < SAMPLE; i++) {
		reboot_all(test, r, 0);
		KUNIT_EXPECT_EQ(test, r->hellos, OTHERS);
		KUNIT_EXPECT_EQ(test, r->acks, OTHERS);
		KUNIT_EXPECT_EQ(test, r->unknown, 0);
		KUNIT_EXPECT_LE(test, r->last, msecs_to_jiffies(MEMBERS * AKM_HELLO_SPREAD_MS) +
					       4 * WIRE);
		KUNIT_EXPECT_LE(test, reboot_peak(r), 2 * TALK + spread);
	}
	/* a try succeeds in one of two cases: more of them, but later, and hardly anybody gives up */
	reboot_all(test, r, 30);
	KUNIT_EXPECT_LE(test, r->hellos + r->acks, 3 * 2 * OTHERS);
	KUNIT_EXPECT_LE(test, r->unknown, OTHERS / 50);
	KUNIT_EXPECT_LE(test, reboot_peak(r), 2 * TALK + spread);
}

static struct kunit_case hello_cases[] = {
	KUNIT_CASE(hello_waits_in_order),
	KUNIT_CASE(hello_keeps_the_newest),
	KUNIT_CASE(hello_is_bounded),
	KUNIT_CASE(hello_knows_the_epoch),
	KUNIT_CASE(hello_forgets),
	KUNIT_CASE(hello_refuses_other_lengths),
	KUNIT_CASE(hello_thousand_speak_at_once),
	KUNIT_CASE(hello_thousand_reboot_together),
	{}
};

struct kunit_suite akm_hello_suite = {
	.name = "akm_hello",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = hello_init,
	.exit = hello_exit,
	.test_cases = hello_cases,
};
