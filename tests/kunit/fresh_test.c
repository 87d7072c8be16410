// SPDX-License-Identifier: GPL-2.0
/*
 * Freshness: when a receiver asks, what it takes for an answer, and which numbers it
 * believes in afterwards (P3). The packets that wait: on a real device. Mutants:
 * mutants.txt.
 */
#include "fresh.h"

#include <linux/bottom_half.h>
#include <linux/jiffies.h>
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

	if (akm)
		akm_test_device_delete(akm->dev);
}

/* Held */
static struct akm_key *rx_key(struct kunit *test, enum akm_packet_type type)
{
	struct akm_device *akm = test->priv;
	struct akm_key *key = NULL;
	struct akm_epoch *epoch;

	rcu_read_lock();
	epoch = akm_epoch_lookup(akm_generation_lookup(akm->net, KEY_ID), 0);
	if (epoch)
		key = akm_key_rx(epoch, PEER, type);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, key);
	return key;
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

	memcpy(ack.nonce, asking(test)->fresh.nonce, sizeof(ack.nonce));
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

static struct kunit_case hello_cases[] = {
	KUNIT_CASE(hello_waits_in_order),
	KUNIT_CASE(hello_keeps_the_newest),
	KUNIT_CASE(hello_is_bounded),
	KUNIT_CASE(hello_knows_the_epoch),
	KUNIT_CASE(hello_forgets),
	KUNIT_CASE(hello_refuses_other_lengths),
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
