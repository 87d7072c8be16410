// SPDX-License-Identifier: GPL-2.0
/*
 * Generations, epochs and traffic keys on a real device: packet numbers never
 * repeat whatever happens to members (P1), keys are those of the key schedule,
 * what is over is erased (P4, P5). Mutants: mutants.txt.
 */
#include "keys.h"

#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/string.h>

#include "device.h"
#include "util.h"
#include "warm.h"

#define SELF		1
#define PEER		2
#define KEY_ID		100
#define EPOCH		7
#define SUITE		AKM_SUITE_CHACHA20POLY1305	/* every machine has it */
#define INC(n)		((u64)(n) << AKM_SEQUENCE_BITS)

static const u8 chain[AKM_KDF_LEN] = { 1, 2, 3 };
static const u8 pair[AKM_KDF_LEN] = { 4, 5, 6 };
static const u8 other[AKM_KDF_LEN] = { 7, 8, 9 };
static const struct akm_kdf_ctx ctx = { .atr_id = 1, .generation = 10, .key_id = KEY_ID };

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

static void delete_member(struct kunit *test, u16 index)
{
	struct akm_device *akm = test->priv;

	mutex_lock(&akm->lock);
	akm_member_delete(akm, akm_member_find(akm, index));
	mutex_unlock(&akm->lock);
}

static int install(struct kunit *test, u32 number, u32 key_id, const u8 *pair_chain)
{
	struct akm_pair one = { .index = PEER, .chain = pair_chain };
	struct akm_install in = {
		.number = number, .key_id = key_id, .epoch = EPOCH, .chain = chain,
		.pairs = &one, .pair_count = pair_chain ? 1 : 0, .unused = true,
	};
	struct akm_device *akm = test->priv;
	int err;

	mutex_lock(&akm->lock);
	err = akm_generation_install(akm, &in, NULL);
	mutex_unlock(&akm->lock);
	return err;
}

static void activate(struct kunit *test, u32 number, u32 grace_ms)
{
	struct akm_device *akm = test->priv;
	int err;

	mutex_lock(&akm->lock);
	err = akm_generation_activate(akm, number, grace_ms, NULL);
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

static int keys_init(struct kunit *test)
{
	struct akm_device *akm = netdev_priv(akm_test_device(test, "akmk0"));

	test->priv = akm;
	mutex_lock(&akm->lock);
	akm->atr_id = ctx.atr_id;
	akm->has_self = true;
	akm->self = SELF;
	akm->suite = SUITE;
	akm->incarnation = 1;
	mutex_unlock(&akm->lock);
	add_member(test, SELF);
	add_member(test, PEER);
	KUNIT_ASSERT_EQ(test, install(test, ctx.generation, KEY_ID, pair), 0);
	activate(test, ctx.generation, 0);
	return 0;
}

static void keys_exit(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	if (akm)
		akm_test_device_delete(akm->dev);
}

/* ---- what the packet path sees ---- */

/* Held; NULL if there is none */
static struct akm_key *tx_key(struct kunit *test, enum akm_packet_type type)
{
	struct akm_device *akm = test->priv;
	struct akm_epoch *epoch;
	struct akm_key *key = NULL;

	rcu_read_lock();
	epoch = rcu_dereference(akm->tx);
	if (epoch)
		key = type == AKM_PACKET_GROUP ? akm_key_tx_group(epoch, 1) :
						 akm_key_tx_pair(epoch, PEER, 1);
	rcu_read_unlock();
	return key;
}

static struct akm_key *rx_key(struct kunit *test, u32 key_id, u64 epoch_number,
			      enum akm_packet_type type)
{
	struct akm_device *akm = test->priv;
	struct akm_generation *gen;
	struct akm_epoch *epoch;
	struct akm_key *key = NULL;

	rcu_read_lock();
	gen = akm_generation_lookup(akm->net, key_id);
	epoch = gen ? akm_epoch_lookup(gen, epoch_number) : NULL;
	if (epoch)
		key = akm_key_rx(epoch, PEER, type);
	rcu_read_unlock();
	return key;
}

static bool receives(struct kunit *test, u32 key_id, u64 epoch, enum akm_packet_type type)
{
	struct akm_key *key = rx_key(test, key_id, epoch, type);

	if (key)
		akm_key_put(key);
	return key;
}

static bool sends(struct kunit *test, enum akm_packet_type type)
{
	struct akm_key *key = tx_key(test, type);

	if (key)
		akm_key_put(key);
	return key;
}

static u64 current_epoch(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	u64 number;

	rcu_read_lock();
	number = rcu_dereference(akm->tx)->number;
	rcu_read_unlock();
	return number;
}

/* Take @n numbers from the current transmit key. Return: the first, U64_MAX if refused. */
static u64 reserve(struct kunit *test, enum akm_packet_type type, unsigned int n)
{
	struct akm_key *key = tx_key(test, type);
	u64 first;

	KUNIT_ASSERT_NOT_NULL(test, key);
	if (!akm_key_reserve(key, n, &first))
		first = U64_MAX;
	akm_key_put(key);
	return first;
}

static void set_next(struct kunit *test, enum akm_packet_type type, u64 next)
{
	struct akm_key *key = tx_key(test, type);

	KUNIT_ASSERT_NOT_NULL(test, key);
	atomic64_set(&key->tx->next, next);
	akm_key_put(key);
}

static enum akm_verdict judge(struct kunit *test, enum akm_packet_type type, u64 epoch,
			      u64 number, u16 print)
{
	struct akm_key *key = rx_key(test, KEY_ID, epoch, type);
	enum akm_verdict verdict;

	KUNIT_ASSERT_NOT_NULL(test, key);
	local_bh_disable();
	verdict = akm_key_accept(key, number, print);
	local_bh_enable();
	akm_key_put(key);
	return verdict;
}

static bool accept(struct kunit *test, u64 epoch, u64 number)
{
	return judge(test, AKM_PACKET_PAIR, epoch, number, 1) == AKM_NEW;
}

/* Wait for what the device's work does; 5 s are an eternity here. */
#define UNTIL(test, condition) do {					\
	unsigned long deadline = jiffies + 5 * HZ;			\
									\
	while (!(condition) && time_before(jiffies, deadline))		\
		usleep_range(1000, 2000);				\
	KUNIT_EXPECT_TRUE_MSG(test, condition, "%s", #condition);	\
} while (0)

/* ---- packet numbers ---- */

static void keys_numbers_run_out(struct kunit *test)
{
	struct akm_key *key;
	int i;

	set_next(test, AKM_PACKET_PAIR, AKM_SEQUENCE_MAX - 3);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 5), U64_MAX);
	set_next(test, AKM_PACKET_PAIR, AKM_SEQUENCE_MAX - 3);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 4), AKM_SEQUENCE_MAX - 3);
	for (i = 0; i < 1000; i++)
		KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 1000), U64_MAX);
	/* and asking has not brought the counter any nearer to its own end */
	key = tx_key(test, AKM_PACKET_PAIR);
	KUNIT_ASSERT_NOT_NULL(test, key);
	KUNIT_EXPECT_LE(test, (u64)atomic64_read(&key->tx->next), AKM_SEQUENCE_MAX + 1001);
	akm_key_put(key);
}

static void keys_numbers_follow_each_other(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 1), 0);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 7), 1);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 1), 8);
	/* each key counts for itself */
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_GROUP, 3), 0);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_GROUP, 1), 3);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 1), 9);
}

/* The key is the same one, so its numbers go on, and its window stands. */
static void keys_numbers_survive_the_member(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 5), 0);
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1) + 3));
	delete_member(test, PEER);
	KUNIT_EXPECT_FALSE(test, sends(test, AKM_PACKET_PAIR));
	KUNIT_EXPECT_FALSE(test, receives(test, KEY_ID, EPOCH, AKM_PACKET_PAIR));
	KUNIT_EXPECT_FALSE(test, receives(test, KEY_ID, EPOCH, AKM_PACKET_GROUP));
	add_member(test, PEER);
	KUNIT_EXPECT_FALSE(test, sends(test, AKM_PACKET_PAIR));
	KUNIT_ASSERT_EQ(test, install(test, ctx.generation, KEY_ID, pair), 0);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 1), 5);
	KUNIT_EXPECT_FALSE(test, accept(test, EPOCH, INC(1) + 3));
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1) + 4));
}

static void keys_numbers_survive_the_push(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 5), 0);
	KUNIT_EXPECT_EQ(test, install(test, ctx.generation, KEY_ID, other), -EEXIST);
	KUNIT_EXPECT_EQ(test, install(test, ctx.generation, KEY_ID, pair), 0);
	activate(test, ctx.generation, 0);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_PAIR, 1), 5);
}

/* A generation that is gone does not come back: its counters are gone with it. */
static void keys_generation_never_returns(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	mutex_lock(&akm->lock);
	KUNIT_EXPECT_EQ(test, akm_generation_retire(akm, ctx.generation, NULL), 0);
	mutex_unlock(&akm->lock);
	KUNIT_EXPECT_FALSE(test, sends(test, AKM_PACKET_PAIR));
	KUNIT_EXPECT_EQ(test, install(test, ctx.generation, KEY_ID, pair), -ESTALE);
	KUNIT_EXPECT_EQ(test, install(test, ctx.generation, KEY_ID + 1, pair), -ESTALE);
}

/* ---- keys ---- */

static void done(struct sk_buff *skb, int err)
{
	*(int *)skb->cb = err;
}

/* Does what @seal made open under @open? Both are ChaCha20-Poly1305 in software: at once. */
static int across(struct kunit *test, const struct akm_aead *seal, const struct akm_aead *open)
{
	const struct akm_header header = { .packet_number = cpu_to_be64(INC(1)) };
	struct sk_buff *skb = alloc_skb(256, GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 64);
	skb_put_zero(skb, 40);
	local_bh_disable();
	err = akm_aead_seal(seal, skb, &header, done);
	if (!err)
		err = akm_aead_open(open, skb, done);
	local_bh_enable();
	KUNIT_EXPECT_NE(test, err, -EINPROGRESS);
	kfree_skb(skb);
	return err;
}

/* The key of @sender to @receiver, or its group key, @steps epochs after installation */
static void by_the_book(struct kunit *test, struct akm_aead *aead, int steps, u16 sender,
			u16 receiver, enum akm_packet_type type)
{
	u8 c[AKM_KDF_LEN], r[AKM_KDF_LEN], key[AKM_KEY_MAX], iv[AKM_NONCE_LEN];
	int err = 0;

	memcpy(c, chain, sizeof(c));
	memcpy(r, pair, sizeof(r));
	for (; steps && !err; steps--)
		err = akm_kdf_next(&ctx, c, c) ?: akm_kdf_next(&ctx, r, r);
	if (type == AKM_PACKET_GROUP)
		err = err ?: akm_kdf_group(&ctx, c, sender, key, 32, iv);
	else
		err = err ?: akm_kdf_pair(&ctx, c, r, sender, receiver, key, 32, iv);
	err = err ?: akm_aead_init(aead, SUITE, key, iv);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void expect_key(struct kunit *test, struct akm_key *key, int steps, u16 sender,
		       u16 receiver, enum akm_packet_type type)
{
	struct akm_aead book, reverse;

	KUNIT_ASSERT_NOT_NULL(test, key);
	by_the_book(test, &book, steps, sender, receiver, type);
	by_the_book(test, &reverse, steps, receiver, sender, type);
	KUNIT_EXPECT_EQ(test, across(test, &key->aead, &book), 0);
	KUNIT_EXPECT_EQ(test, across(test, &book, &key->aead), 0);
	KUNIT_EXPECT_EQ(test, across(test, &key->aead, &reverse), -EBADMSG);
	akm_aead_free(&book);
	akm_aead_free(&reverse);
	akm_key_put(key);
}

static void expect_keys(struct kunit *test, int steps)
{
	expect_key(test, tx_key(test, AKM_PACKET_PAIR), steps, SELF, PEER, AKM_PACKET_PAIR);
	expect_key(test, tx_key(test, AKM_PACKET_GROUP), steps, SELF, PEER, AKM_PACKET_GROUP);
	expect_key(test, rx_key(test, KEY_ID, EPOCH + steps, AKM_PACKET_PAIR), steps, PEER, SELF,
		   AKM_PACKET_PAIR);
	expect_key(test, rx_key(test, KEY_ID, EPOCH + steps, AKM_PACKET_GROUP), steps, PEER, SELF,
		   AKM_PACKET_GROUP);
}

static void keys_follow_the_schedule(struct kunit *test)
{
	int steps;

	for (steps = 0; steps < 4; steps++) {
		expect_keys(test, steps);
		roll(test);
	}
}

/* Pair chains may come later, and from an epoch that is over. */
static void keys_late_pair(struct kunit *test)
{
	struct akm_pair one = { .index = PEER, .chain = pair };
	struct akm_install in = {
		.number = ctx.generation, .epoch = EPOCH, .pairs = &one, .pair_count = 1,
	};
	struct akm_device *akm = test->priv;

	delete_member(test, PEER);
	add_member(test, PEER);
	roll(test);
	roll(test);
	KUNIT_EXPECT_FALSE(test, sends(test, AKM_PACKET_PAIR));
	mutex_lock(&akm->lock);
	KUNIT_EXPECT_EQ(test, akm_generation_add_pairs(akm, &in, NULL), 0);
	mutex_unlock(&akm->lock);
	expect_keys(test, 2);
	roll(test);
	expect_keys(test, 3);
}

/* ---- epochs ---- */

static void keys_next_epoch_is_ready(struct kunit *test)
{
	struct akm_key *key = rx_key(test, KEY_ID, EPOCH + 1, AKM_PACKET_PAIR);

	KUNIT_ASSERT_NOT_NULL(test, key);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	/* whoever rolls first pulls the rest */
	rcu_read_lock_bh();
	rcu_read_lock();
	akm_epoch_seen(key->epoch);
	rcu_read_unlock();
	rcu_read_unlock_bh();
	akm_key_put(key);
	UNTIL(test, current_epoch(test) == EPOCH + 1);
	/* once, however often it is seen */
	KUNIT_EXPECT_FALSE(test, receives(test, KEY_ID, EPOCH + 3, AKM_PACKET_PAIR));
	expect_keys(test, 1);
}

/* Who steps first tells the others, soon; so late here that it is still to be seen. */
static unsigned int rounds_to_tell(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	unsigned int rounds;

	mutex_lock(&akm->lock);
	rounds = akm_generation_find(akm, ctx.generation)->tell.rounds;
	mutex_unlock(&akm->lock);
	return rounds;
}

static void tell_late(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	mutex_lock(&akm->lock);
	akm->epoch_grace = U32_MAX;
	akm->member_count = BIT(28);	/* spread over days */
	RCU_INIT_POINTER(akm->sock, (struct akm_socket *)akm);	/* as if it were up */
	mutex_unlock(&akm->lock);
}

static void tell_no_more(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	mutex_lock(&akm->lock);
	akm->epoch_interval = 0;
	akm->member_count = 2;
	RCU_INIT_POINTER(akm->sock, NULL);
	mutex_unlock(&akm->lock);
}

static void keys_who_steps_tells(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_generation *gen;

	tell_late(test);
	KUNIT_EXPECT_EQ(test, rounds_to_tell(test), 0);
	roll(test);
	KUNIT_EXPECT_EQ(test, rounds_to_tell(test), AKM_ANNOUNCE_ROUNDS);
	/* who is pulled along has nothing to tell, and no more of the epoch before */
	rcu_read_lock();
	gen = akm_generation_lookup(akm->net, KEY_ID);
	akm_epoch_seen(rcu_dereference(gen->epoch[AKM_EPOCH_NEXT]));
	rcu_read_unlock();
	UNTIL(test, current_epoch(test) == EPOCH + 2);
	flush_delayed_work(&akm->tend);	/* what sends is ahead of the slots */
	KUNIT_EXPECT_EQ(test, rounds_to_tell(test), 0);
	mutex_lock(&akm->lock);
	akm->epoch_interval = 1;
	akm_generations_schedule_roll(akm);
	mutex_unlock(&akm->lock);
	UNTIL(test, current_epoch(test) > EPOCH + 2);
	KUNIT_EXPECT_EQ(test, rounds_to_tell(test), AKM_ANNOUNCE_ROUNDS);
	tell_no_more(test);
	roll(test);
	KUNIT_EXPECT_EQ(test, rounds_to_tell(test), 0);
}

static void keys_many_packets_roll(struct kunit *test)
{
	tell_late(test);
	set_next(test, AKM_PACKET_GROUP, AKM_ROLL_PACKETS - 3);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_GROUP, 2), AKM_ROLL_PACKETS - 3);
	flush_delayed_work(&((struct akm_device *)test->priv)->tend);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_GROUP, 2), AKM_ROLL_PACKETS - 1);
	UNTIL(test, current_epoch(test) == EPOCH + 1);
	KUNIT_EXPECT_EQ(test, reserve(test, AKM_PACKET_GROUP, 1), 0);
	KUNIT_EXPECT_EQ(test, rounds_to_tell(test), AKM_ANNOUNCE_ROUNDS);
	tell_no_more(test);
}

/* P4: the previous epoch receives for the grace period, without chains, then is gone. */
static void keys_previous_epoch_ends(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_epoch *previous;
	struct akm_key *key;

	mutex_lock(&akm->lock);
	akm->epoch_grace = 60000;
	mutex_unlock(&akm->lock);
	roll(test);
	key = rx_key(test, KEY_ID, EPOCH, AKM_PACKET_PAIR);
	KUNIT_ASSERT_NOT_NULL(test, key);
	previous = key->epoch;
	KUNIT_EXPECT_NULL(test, memchr_inv(previous->chain, 0, sizeof(previous->chain)));
	KUNIT_EXPECT_NULL(test, memchr_inv(((struct akm_peer *)xa_load(&previous->peers, PEER))->
					   chain, 0, AKM_KDF_LEN));
	akm_key_put(key);

	mutex_lock(&akm->lock);
	akm->epoch_grace = 1;
	mutex_unlock(&akm->lock);
	roll(test);	/* EPOCH leaves at once, EPOCH + 1 after a millisecond */
	KUNIT_EXPECT_FALSE(test, receives(test, KEY_ID, EPOCH, AKM_PACKET_PAIR));
	UNTIL(test, !receives(test, KEY_ID, EPOCH + 1, AKM_PACKET_PAIR));
	expect_keys(test, 2);
}

/* ---- generations ---- */

static void keys_generations_overlap(struct kunit *test)
{
	struct akm_key *key;

	KUNIT_ASSERT_EQ(test, install(test, 11, KEY_ID + 1, pair), 0);
	/* pending: receives, does not send */
	KUNIT_EXPECT_TRUE(test, receives(test, KEY_ID + 1, EPOCH, AKM_PACKET_PAIR));
	key = tx_key(test, AKM_PACKET_PAIR);
	KUNIT_ASSERT_NOT_NULL(test, key);
	KUNIT_EXPECT_EQ(test, key->epoch->gen->ctx.generation, 10);
	akm_key_put(key);

	activate(test, 11, 60000);
	key = tx_key(test, AKM_PACKET_PAIR);
	KUNIT_ASSERT_NOT_NULL(test, key);
	KUNIT_EXPECT_EQ(test, key->epoch->gen->ctx.generation, 11);
	akm_key_put(key);
	/* the old one receives until its deadline, each has its own */
	KUNIT_ASSERT_EQ(test, install(test, 12, KEY_ID + 2, pair), 0);
	activate(test, 12, 1);
	UNTIL(test, !receives(test, KEY_ID + 1, EPOCH, AKM_PACKET_PAIR));
	KUNIT_EXPECT_TRUE(test, receives(test, KEY_ID, EPOCH, AKM_PACKET_PAIR));
	KUNIT_EXPECT_TRUE(test, receives(test, KEY_ID + 2, EPOCH, AKM_PACKET_PAIR));
}

/* What never was active is not forgotten when a newer one is: somebody else may have used it. */
static void keys_older_pending_retires(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	KUNIT_ASSERT_EQ(test, install(test, 11, KEY_ID + 1, pair), 0);
	KUNIT_ASSERT_EQ(test, install(test, 12, KEY_ID + 2, pair), 0);
	KUNIT_ASSERT_EQ(test, install(test, 13, KEY_ID + 3, pair), 0);
	activate(test, 12, 60000);
	KUNIT_EXPECT_TRUE(test, receives(test, KEY_ID + 1, EPOCH, AKM_PACKET_PAIR));
	mutex_lock(&akm->lock);
	KUNIT_EXPECT_EQ(test, akm_generation_activate(akm, 11, 0, NULL), -ESTALE);
	KUNIT_EXPECT_EQ(test, akm_generation_find(akm, 11)->state, AKM_GEN_RETIRING);
	KUNIT_EXPECT_EQ(test, akm_generation_find(akm, 13)->state, AKM_GEN_PENDING);
	KUNIT_EXPECT_EQ(test, akm_generation_retire(akm, 11, NULL), 0);
	mutex_unlock(&akm->lock);

	KUNIT_ASSERT_EQ(test, install(test, 14, KEY_ID + 4, pair), 0);
	activate(test, 14, 1);
	UNTIL(test, !receives(test, KEY_ID + 3, EPOCH, AKM_PACKET_PAIR));
	KUNIT_EXPECT_TRUE(test, receives(test, KEY_ID, EPOCH, AKM_PACKET_PAIR));
}

/* A packet under way holds its key: everything else may go meanwhile, and goes after it. */
/* What the network sends twice is a duplicate; two packets with one number are a clone's. */
static void keys_tell_clones_from_duplicates(struct kunit *test)
{
	u64 i;

	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + 1, 10), AKM_NEW);
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + 2, 10), AKM_NEW);
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + 1, 10), AKM_SEEN);
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + 1, 11), AKM_CLONED);
	/* the first one is what it is compared with */
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + 1, 11), AKM_CLONED);
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + 1, 10), AKM_SEEN);
	/* nobody saw it: it is only late */
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1), 10), AKM_NEW);
	for (i = 3; i <= AKM_REPLAY_WINDOW + 1; i++)
		KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + i, i), AKM_NEW);
	/* too old: its place belongs to another number now */
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + 1, 11), AKM_SEEN);
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_PAIR, EPOCH, INC(1) + 2, 11), AKM_CLONED);
	/* any member can seal under a group key */
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_GROUP, EPOCH, INC(1) + 1, 10), AKM_NEW);
	KUNIT_EXPECT_EQ(test, judge(test, AKM_PACKET_GROUP, EPOCH, INC(1) + 1, 11), AKM_SEEN);
}

static enum akm_guess guess(struct kunit *test, u64 number, u16 print)
{
	struct akm_key *key = rx_key(test, KEY_ID, EPOCH, AKM_PACKET_PAIR);
	enum akm_guess result = akm_key_guess(key, number, print);

	akm_key_put(key);
	return result;
}

/* Duplicates are not opened, what could be a clone's is. */
static void keys_guess(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, guess(test, INC(1) + 1, 10), AKM_OPEN);
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1) + 1));	/* its print is 1 */
	KUNIT_EXPECT_EQ(test, guess(test, INC(1) + 1, 1), AKM_DUPLICATE);
	KUNIT_EXPECT_EQ(test, guess(test, INC(1) + 1, 2), AKM_DOUBTFUL);
	KUNIT_EXPECT_EQ(test, guess(test, INC(1), 1), AKM_OPEN);
	KUNIT_EXPECT_EQ(test, guess(test, INC(1) + 2, 1), AKM_OPEN);
	KUNIT_EXPECT_TRUE(test, accept(test, EPOCH, INC(1) + 1 + AKM_REPLAY_WINDOW));
	KUNIT_EXPECT_EQ(test, guess(test, INC(1) + 1, 1), AKM_DOUBTFUL);
}

static void keys_outlive_their_device(struct kunit *test)
{
	struct akm_key *key = tx_key(test, AKM_PACKET_PAIR);
	struct akm_device *akm = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, key);
	mutex_lock(&akm->lock);
	akm_generations_destroy(akm);
	mutex_unlock(&akm->lock);
	delete_member(test, PEER);
	KUNIT_EXPECT_FALSE(test, sends(test, AKM_PACKET_PAIR));
	KUNIT_EXPECT_EQ(test, key->member->index, PEER);
	KUNIT_EXPECT_EQ(test, across(test, &key->aead, &key->aead), 0);
	akm_key_put(key);
}

/* ---- what many members cost ---- */

#define CROWD_STEP	10
#define CROWD_MAX	1000
/*
 * A hundred times the members, a hundred times the work; ten thousand times if it were
 * quadratic. Between them lies what caches and a busy machine make of it.
 */
#define CROWD_FACTOR	2500
#define CROWD_AGAIN	10

/* Microseconds, of the quickest of three: others use the machine as well. */
struct crowd_cost {
	u64 install, roll, retire;
};

static u64 us_since(u64 start)
{
	return div_u64(ktime_get_ns() - start, NSEC_PER_USEC) ?: 1;
}

/* A generation with a pair chain for each of @n members, rolled once, and erased. */
static void crowd_once(struct kunit *test, struct akm_pair *pairs, u32 n, u32 number,
		       struct crowd_cost *best)
{
	struct akm_install in = {
		.number = number, .key_id = KEY_ID + number, .epoch = EPOCH, .chain = chain,
		.pairs = pairs, .pair_count = n,
	};
	struct akm_device *akm = test->priv;
	u64 start;

	mutex_lock(&akm->lock);
	start = ktime_get_ns();
	KUNIT_EXPECT_EQ(test, akm_generation_install(akm, &in, NULL), 0);
	best->install = min(best->install, us_since(start));
	KUNIT_EXPECT_EQ(test, akm_generation_activate(akm, number, 0, NULL), 0);
	start = ktime_get_ns();
	KUNIT_EXPECT_EQ(test, akm_generation_roll(akm, NULL), 0);
	best->roll = min(best->roll, us_since(start));
	start = ktime_get_ns();
	KUNIT_EXPECT_EQ(test, akm_generation_retire(akm, number, NULL), 0);
	best->retire = min(best->retire, us_since(start));
	mutex_unlock(&akm->lock);
	rcu_barrier();
	flush_workqueue(akm_workqueue);
}

static struct crowd_cost crowd(struct kunit *test, struct akm_pair *pairs, u32 n, u32 number)
{
	struct crowd_cost best = { U64_MAX, U64_MAX, U64_MAX };
	u32 i;

	for (i = 0; i < 3; i++)
		crowd_once(test, pairs, n, number + i, &best);
	kunit_info(test, "%u members: install %llu us, roll %llu us, erase %llu us", n,
		   best.install, best.roll, best.retire);
	return best;
}

static bool is_dear(const struct crowd_cost *now, const struct crowd_cost *first)
{
	return now->install >= CROWD_FACTOR * first->install ||
	       now->roll >= CROWD_FACTOR * first->roll;
}

static void expect_growth(struct kunit *test)
{
	struct akm_pair *pairs = kunit_kcalloc(test, CROWD_MAX, sizeof(*pairs), GFP_KERNEL);
	u32 n, have = 0, number = ctx.generation + 1, again;
	struct crowd_cost now = {}, first = {};

	KUNIT_ASSERT_NOT_NULL(test, pairs);
	for (n = CROWD_STEP; n <= CROWD_MAX; n *= CROWD_STEP) {
		for (; have < n; have++) {
			pairs[have].index = PEER + 1 + have;
			pairs[have].chain = other;
			add_member(test, PEER + 1 + have);
		}
		now = crowd(test, pairs, n, number);
		number += 3;
		if (n == CROWD_STEP)
			first = now;
	}
	/* the machine may have had something else to do, most likely in what takes longest */
	for (again = 0; again < CROWD_AGAIN && is_dear(&now, &first); again++)
		crowd_once(test, pairs, CROWD_MAX, number + again, &now);
	KUNIT_EXPECT_LT(test, now.install, CROWD_FACTOR * first.install);
	KUNIT_EXPECT_LT(test, now.roll, CROWD_FACTOR * first.roll);
}

/* As if all of them talked */
static void keys_cost_grows_with_members(struct kunit *test)
{
	akm_warm_members = UINT_MAX;
	expect_growth(test);
	akm_warm_members = AKM_WARM_MEMBERS;
}

static void keys_cost_grows_with_idle_members(struct kunit *test)
{
	akm_warm_members = 0;
	expect_growth(test);
	akm_warm_members = AKM_WARM_MEMBERS;
}

static struct kunit_case keys_cases[] = {
	KUNIT_CASE(keys_numbers_run_out),
	KUNIT_CASE(keys_numbers_follow_each_other),
	KUNIT_CASE(keys_numbers_survive_the_member),
	KUNIT_CASE(keys_numbers_survive_the_push),
	KUNIT_CASE(keys_generation_never_returns),
	KUNIT_CASE(keys_follow_the_schedule),
	KUNIT_CASE(keys_late_pair),
	KUNIT_CASE(keys_next_epoch_is_ready),
	KUNIT_CASE(keys_who_steps_tells),
	KUNIT_CASE(keys_many_packets_roll),
	KUNIT_CASE(keys_previous_epoch_ends),
	KUNIT_CASE(keys_generations_overlap),
	KUNIT_CASE(keys_older_pending_retires),
	KUNIT_CASE(keys_tell_clones_from_duplicates),
	KUNIT_CASE(keys_guess),
	KUNIT_CASE(keys_outlive_their_device),
	KUNIT_CASE(keys_cost_grows_with_members),
	KUNIT_CASE(keys_cost_grows_with_idle_members),
	{}
};

struct kunit_suite akm_keys_suite = {
	.name = "akm_keys",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = keys_init,
	.exit = keys_exit,
	.test_cases = keys_cases,
};
