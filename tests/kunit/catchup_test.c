// SPDX-License-Identifier: GPL-2.0
/*
 * A node that slept, on a real device: packets of epochs ahead move it (P9), forged ones
 * do not and cost little (P11), what it leaves behind is erased (P4, P5). Mutants:
 * mutants.txt.
 */
#include "catchup.h"

#include <linux/bottom_half.h>
#include <linux/ip.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/rcupdate.h>
#include <linux/udp.h>

#include "device.h"
#include "hello.h"
#include "keys.h"
#include "notice.h"
#include "socket.h"
#include "util.h"

#define SELF		1
#define PEER		2
#define THIRD		3
#define KEY_ID		100
#define EPOCH		7
#define SUITE		AKM_SUITE_CHACHA20POLY1305	/* every machine has it */
#define HEADERS		(sizeof(struct iphdr) + sizeof(struct udphdr))
#define TEXT		40
#define PLACE_OF(m)	htonl(0xc0000200 | (m))		/* 192.0.2.m */

static const u8 chain[AKM_KDF_LEN] = { 1, 2, 3 };
static const struct akm_kdf_ctx ctx = { .atr_id = 1, .generation = 10, .key_id = KEY_ID };

static struct akm_generation *generation(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	return akm_generation_lookup(akm->net, KEY_ID);
}

static void pair_chain(u16 member, u8 ret_chain[AKM_KDF_LEN])
{
	memset(ret_chain, member, AKM_KDF_LEN);
}

static void add_member(struct kunit *test, u16 index)
{
	struct akm_member_config config = { .index = index };
	const struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(7645),
		.sin_addr.s_addr = PLACE_OF(index),
	};
	struct akm_device *akm = test->priv;
	int err;

	INIT_LIST_HEAD(&config.prefixes);
	config.endpoint = akm_endpoint_create((const struct sockaddr *)&in, sizeof(in), GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(config.endpoint));
	mutex_lock(&akm->lock);
	err = akm_member_set(akm, &config, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static int catch_up_init(struct kunit *test)
{
	struct akm_device *akm = netdev_priv(akm_test_device(test, "akmc0"));
	u8 chains[2][AKM_KDF_LEN];
	struct akm_pair pairs[] = {
		{ .index = PEER, .chain = chains[0] }, { .index = THIRD, .chain = chains[1] },
	};
	struct akm_install in = {
		.number = ctx.generation, .key_id = KEY_ID, .epoch = EPOCH, .chain = chain,
		.pairs = pairs, .pair_count = ARRAY_SIZE(pairs), .unused = true,
	};
	int err;

	test->priv = akm;
	pair_chain(PEER, chains[0]);
	pair_chain(THIRD, chains[1]);
	mutex_lock(&akm->lock);
	akm->atr_id = ctx.atr_id;
	akm->has_self = true;
	akm->self = SELF;
	akm->suite = SUITE;
	akm->incarnation = 1;
	mutex_unlock(&akm->lock);
	add_member(test, SELF);
	add_member(test, PEER);
	add_member(test, THIRD);
	mutex_lock(&akm->lock);
	err = akm_generation_install(akm, &in, NULL);
	err = err ?: akm_generation_activate(akm, ctx.generation, 0, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	return 0;
}

static void catch_up_exit(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	if (akm)
		akm_test_device_delete(akm->dev);
}

/* ---- the other members ---- */

/* What @member seals with in @epoch */
static void member_key(struct kunit *test, u16 member, u64 epoch, enum akm_packet_type type,
		       struct akm_aead *ret_aead)
{
	u8 c[AKM_KDF_LEN], r[AKM_KDF_LEN], key[AKM_KEY_MAX], iv[AKM_NONCE_LEN];
	int err = 0;
	u64 e;

	memcpy(c, chain, sizeof(c));
	pair_chain(member, r);
	for (e = EPOCH; e < epoch && !err; e++)
		err = akm_kdf_next(&ctx, c, c) ?: akm_kdf_next(&ctx, r, r);
	if (!err && type == AKM_PACKET_GROUP)
		err = akm_kdf_group(&ctx, c, member, key, akm_suite_key_len(SUITE), iv);
	else if (!err)
		err = akm_kdf_pair(&ctx, c, r, member, SELF, key, akm_suite_key_len(SUITE), iv);
	err = err ?: akm_aead_init(ret_aead, SUITE, key, iv);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void not_later(struct sk_buff *skb, int err)
{
}

/* A datagram of @member, as the socket gets it: IP, UDP, and at skb->data the packet */
static struct sk_buff *seal(struct kunit *test, u16 member, u64 epoch,
			    enum akm_packet_type type, const void *text, unsigned int len)
{
	const struct akm_header header = {
		.vertype = akm_vertype(type), .epoch = epoch, .sender = cpu_to_be16(member),
		.key_id = cpu_to_be32(KEY_ID), .packet_number = cpu_to_be64(1ULL << 40),
	};
	struct sk_buff *skb = alloc_skb(HEADERS + AKM_OVERHEAD + len, GFP_KERNEL);
	struct akm_aead aead;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, HEADERS + sizeof(header));
	skb_put_data(skb, text, len);
	member_key(test, member, epoch, type, &aead);
	local_bh_disable();
	err = akm_aead_seal(&aead, skb, &header, not_later);
	local_bh_enable();
	akm_aead_free(&aead);
	KUNIT_ASSERT_EQ(test, err, 0);
	skb_push(skb, HEADERS);
	memset(skb->data, 0, HEADERS);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(struct iphdr));
	ip_hdr(skb)->version = 4;
	ip_hdr(skb)->saddr = PLACE_OF(member);
	udp_hdr(skb)->source = htons(7645);
	skb_pull(skb, HEADERS);
	return skb;
}

static struct sk_buff *datagram(struct kunit *test, u16 member, u64 epoch,
				enum akm_packet_type type, unsigned int len)
{
	return seal(test, member, epoch, type, kunit_kzalloc(test, len, GFP_KERNEL), len);
}

/* Has it been tried by the time this returns? It is used up. */
static void offer(struct kunit *test, struct sk_buff *skb)
{
	struct akm_device *akm = test->priv;

	local_bh_disable();
	rcu_read_lock();
	akm_catch_up_offer(generation(test), skb, 0, skb->len, (struct akm_header *)skb->data);
	rcu_read_unlock();
	local_bh_enable();
	flush_work(&akm->catch_up.work);
	kfree_skb(skb);
}

static void hear(struct kunit *test, u16 member, u64 epoch, enum akm_packet_type type)
{
	offer(test, datagram(test, member, epoch, type, TEXT));
}

/* Not opened by any of ours: the tag is another */
static void hear_forged(struct kunit *test, u16 member, u64 epoch, __be32 from)
{
	struct sk_buff *skb = datagram(test, member, epoch, AKM_PACKET_PAIR, TEXT);

	skb->data[skb->len - 1] ^= 1;
	ip_hdr(skb)->saddr = from;
	offer(test, skb);
}

static struct akm_epoch *epoch_in(struct kunit *test, enum akm_epoch_slot slot)
{
	return rcu_dereference_protected(generation(test)->epoch[slot], true);
}

static u64 current_epoch(struct kunit *test)
{
	return epoch_in(test, AKM_EPOCH_CURRENT)->number;
}

static u64 refused(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	return atomic64_read(&akm->monitor.gauge[AKM_EVENT_EPOCH_REFUSED].count);
}

static bool is_zero(const u8 *data, size_t len)
{
	return !memchr_inv(data, 0, len);
}

/* Does what @member seals in the current epoch open with the key that we have? */
static void expect_key_of(struct kunit *test, u16 member, enum akm_packet_type type)
{
	struct akm_epoch *epoch = epoch_in(test, AKM_EPOCH_CURRENT);
	struct sk_buff *skb = datagram(test, member, epoch->number, type, TEXT);
	struct akm_key *key;

	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, akm_epoch_lookup(generation(test), (u8)epoch->number), epoch);
	key = akm_key_rx(epoch, member, type);
	rcu_read_unlock();
	KUNIT_EXPECT_NOT_NULL(test, key);
	if (key) {
		local_bh_disable();
		KUNIT_EXPECT_EQ(test, akm_aead_open(&key->aead, skb, not_later), 0);
		local_bh_enable();
		akm_key_put(key);
	}
	kfree_skb(skb);
}

/* ---- jumps ---- */

static void catch_up_jumps(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_peer *old_peer;
	struct akm_epoch *old;

	hear(test, PEER, EPOCH + 5, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + 5);
	KUNIT_ASSERT_NOT_NULL(test, epoch_in(test, AKM_EPOCH_NEXT));
	KUNIT_EXPECT_EQ(test, epoch_in(test, AKM_EPOCH_NEXT)->number, EPOCH + 6);
	KUNIT_EXPECT_NULL(test, epoch_in(test, AKM_EPOCH_AHEAD));
	KUNIT_EXPECT_PTR_EQ(test, rcu_dereference_protected(akm->tx, true),
			    epoch_in(test, AKM_EPOCH_CURRENT));
	KUNIT_EXPECT_EQ(test, akm_generation_lookup(akm->net, KEY_ID)->current_number, EPOCH + 5);
	expect_key_of(test, PEER, AKM_PACKET_PAIR);
	expect_key_of(test, THIRD, AKM_PACKET_PAIR);
	expect_key_of(test, THIRD, AKM_PACKET_GROUP);
	/* P4: the epoch that we slept in receives for its time of grace, and has no chains */
	old = epoch_in(test, AKM_EPOCH_PREVIOUS);
	KUNIT_ASSERT_NOT_NULL(test, old);
	KUNIT_EXPECT_EQ(test, old->number, EPOCH);
	KUNIT_EXPECT_TRUE(test, is_zero(old->chain, sizeof(old->chain)));
	old_peer = xa_load(&old->peers, PEER);
	KUNIT_EXPECT_TRUE(test, is_zero(old_peer->chain, sizeof(old_peer->chain)));
	KUNIT_EXPECT_EQ(test, refused(test), 0);
}

/* Two of them, one after the other; the second one is found from where the first one led. */
static void catch_up_jumps_again(struct kunit *test)
{
	hear(test, PEER, EPOCH + 3, AKM_PACKET_PAIR);
	hear(test, THIRD, EPOCH + 7, AKM_PACKET_GROUP);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + 7);
	KUNIT_EXPECT_EQ(test, epoch_in(test, AKM_EPOCH_PREVIOUS)->number, EPOCH + 3);
	expect_key_of(test, PEER, AKM_PACKET_PAIR);
	/* what comes from behind does not move it back */
	hear(test, PEER, EPOCH + 2, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + 7);
}

/* The same low byte as ours; nobody may pull it there alone, as no time has passed. */
static void catch_up_wraps(struct kunit *test)
{
	hear(test, PEER, EPOCH + 256, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	KUNIT_EXPECT_EQ(test, refused(test), 1);
	hear(test, PEER, EPOCH + 256, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	hear(test, THIRD, EPOCH + 257, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + 256);
	expect_key_of(test, PEER, AKM_PACKET_PAIR);
	expect_key_of(test, THIRD, AKM_PACKET_GROUP);
}

/* Under a group key anybody can say so: it is nobody's word. */
static void catch_up_group_is_no_witness(struct kunit *test)
{
	hear(test, PEER, EPOCH + 100, AKM_PACKET_GROUP);
	hear(test, THIRD, EPOCH + 100, AKM_PACKET_GROUP);
	hear(test, THIRD, EPOCH + 100, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	KUNIT_EXPECT_EQ(test, refused(test), 3);
}

static void catch_up_has_an_end(struct kunit *test)
{
	ktime_t start;

	hear(test, PEER, EPOCH + AKM_CATCH_UP_MAX, AKM_PACKET_PAIR);
	hear(test, THIRD, EPOCH + AKM_CATCH_UP_MAX + 1, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	KUNIT_EXPECT_EQ(test, refused(test), 1);
	start = ktime_get();
	hear(test, THIRD, EPOCH + AKM_CATCH_UP_MAX, AKM_PACKET_PAIR);
	/* the sender's two chains, the search's two, the generation's, and two members' */
	kunit_info(test, "a jump by 4096 epochs: %lld ns per step of a chain",
		   div_s64(ktime_to_ns(ktime_sub(ktime_get(), start)), 7 * AKM_CATCH_UP_MAX));
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + AKM_CATCH_UP_MAX);
}

/* Where there is a timer, what it explains goes without a second word. */
static void catch_up_knows_the_time(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_generation *gen = generation(test);

	mutex_lock(&akm->lock);
	akm->epoch_interval = 24U * 3600 * 1000;
	akm->next_roll = jiffies + msecs_to_jiffies(akm->epoch_interval);
	akm_epoch_heard(epoch_in(test, AKM_EPOCH_CURRENT));
	epoch_in(test, AKM_EPOCH_CURRENT)->began -= 40LL * akm->epoch_interval;
	mutex_unlock(&akm->lock);
	hear(test, PEER, EPOCH + 80 + AKM_AHEAD_SLACK + 1, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	hear(test, PEER, EPOCH + 80 + AKM_AHEAD_SLACK, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + 80 + AKM_AHEAD_SLACK);
	/* the jump itself dates nothing: it may have been made by a recording */
	KUNIT_EXPECT_EQ(test, gen->ahead.epoch, EPOCH);
}

static void catch_up_retiring_stays(struct kunit *test)
{
	generation(test)->state = AKM_GEN_RETIRING;
	generation(test)->deadline = jiffies + 60 * HZ;
	hear(test, PEER, EPOCH + 5, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
}

/* ---- members and steps while the epoch ahead is made ---- */

static void begin_ahead(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_generation *gen = generation(test);
	struct akm_epoch *ahead;
	u8 c[AKM_KDF_LEN] = { 9 };
	int err;

	mutex_lock(&akm->lock);
	ahead = akm_epoch_create(gen, EPOCH + 10, c);
	err = PTR_ERR_OR_ZERO(ahead);
	if (!err) {
		rcu_assign_pointer(gen->epoch[AKM_EPOCH_AHEAD], ahead);
		err = akm_epoch_add_member(ahead, akm_member_find(akm, PEER), c);
	}
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

/* P5. Who is deleted meanwhile is not let in again. */
static void catch_up_forgets_who_left(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_peer *peer;

	begin_ahead(test);
	mutex_lock(&akm->lock);
	akm_member_delete(akm, akm_member_find(akm, PEER));
	mutex_unlock(&akm->lock);
	peer = xa_load(&epoch_in(test, AKM_EPOCH_AHEAD)->peers, PEER);
	KUNIT_EXPECT_NULL(test, rcu_dereference_protected(peer->rx_group, true));
	KUNIT_EXPECT_NULL(test, rcu_dereference_protected(peer->rx_pair, true));
	KUNIT_EXPECT_NULL(test, rcu_dereference_protected(peer->tx_pair, true));
	KUNIT_EXPECT_TRUE(test, is_zero(peer->chain, sizeof(peer->chain)));
	add_member(test, 4);
	KUNIT_EXPECT_NOT_NULL(test, xa_load(&epoch_in(test, AKM_EPOCH_AHEAD)->peers, 4));
}

static void catch_up_survives_a_roll(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_epoch *ahead;

	begin_ahead(test);
	ahead = epoch_in(test, AKM_EPOCH_AHEAD);
	mutex_lock(&akm->lock);
	KUNIT_EXPECT_EQ(test, akm_generation_roll(akm, NULL), 0);
	KUNIT_EXPECT_PTR_EQ(test, epoch_in(test, AKM_EPOCH_AHEAD), ahead);
	akm_generation_drop_ahead(generation(test));
	mutex_unlock(&akm->lock);
	KUNIT_EXPECT_NULL(test, epoch_in(test, AKM_EPOCH_AHEAD));
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + 1);
}

/* ---- strangers ---- */

/* P11 */
static void catch_up_ignores_forgeries(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct sk_buff *skb;

	hear_forged(test, PEER, EPOCH + 5, PLACE_OF(PEER));
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	KUNIT_EXPECT_EQ(test, refused(test), 0);
	KUNIT_EXPECT_FALSE(test, generation(test)->ahead.claimed);
	/* nobody's, our own, and more than fits: not even tried */
	hear_forged(test, 9, EPOCH + 5, PLACE_OF(9));
	hear_forged(test, SELF, EPOCH + 5, PLACE_OF(SELF));
	offer(test, datagram(test, PEER, EPOCH + 5, AKM_PACKET_PAIR, AKM_CATCH_UP_BYTES));
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	/* a member's packet that says another sender */
	skb = datagram(test, THIRD, EPOCH + 5, AKM_PACKET_PAIR, TEXT);
	((struct akm_header *)skb->data)->sender = cpu_to_be16(PEER);
	offer(test, skb);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	KUNIT_EXPECT_NULL(test, akm->catch_up.packet[AKM_LANE_ANYWHERE]);
	KUNIT_EXPECT_NULL(test, akm->catch_up.packet[AKM_LANE_KNOWN_PLACE]);
}

/* As if the second had not passed: what a bucket holds afterwards is what it had left. */
static void stop_time(struct akm_device *akm)
{
	int lane;

	for (lane = 0; lane < AKM_LANES; lane++)
		akm->catch_up.tries[lane].stamp = jiffies;
}

static void catch_up_is_bounded(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct sk_buff *skb;
	int i;

	for (i = 0; i < AKM_AHEAD_BURST; i++) {
		stop_time(akm);
		hear_forged(test, PEER, EPOCH + 5 + i, PLACE_OF(99));
	}
	/* that was the budget of all who are somewhere else */
	skb = datagram(test, PEER, EPOCH + 5, AKM_PACKET_PAIR, TEXT);
	ip_hdr(skb)->saddr = PLACE_OF(99);
	stop_time(akm);
	offer(test, skb);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	/* a member at its place has another one */
	stop_time(akm);
	hear(test, PEER, EPOCH + 5, AKM_PACKET_PAIR);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + 5);
}

/* ---- packets that another epoch's key could not open ---- */

static struct akm_key *rx_key(struct kunit *test, u16 member)
{
	struct akm_key *key;

	rcu_read_lock();
	key = akm_key_rx(akm_epoch_lookup(generation(test), EPOCH), member, AKM_PACKET_PAIR);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, key);
	return key;
}

static void catch_up_suspicion(struct kunit *test)
{
	struct akm_header header = { .epoch = EPOCH, .sender = cpu_to_be16(PEER) };
	struct akm_header later = { .epoch = EPOCH + 1, .sender = cpu_to_be16(PEER) };
	struct akm_header other = { .epoch = EPOCH, .sender = cpu_to_be16(THIRD) };
	struct akm_key *key = rx_key(test, PEER), *third = rx_key(test, THIRD);

	KUNIT_EXPECT_FALSE(test, akm_catch_up_suspects(key, &header));
	akm_catch_up_suspect(key);
	KUNIT_EXPECT_FALSE(test, akm_catch_up_suspects(key, &later));
	KUNIT_EXPECT_FALSE(test, akm_catch_up_suspects(third, &other));
	/* of both: two that are 256 epochs ahead take turns */
	akm_catch_up_suspect(third);
	KUNIT_EXPECT_TRUE(test, akm_catch_up_suspects(key, &header));
	KUNIT_EXPECT_TRUE(test, akm_catch_up_suspects(third, &other));
	/* once */
	KUNIT_EXPECT_FALSE(test, akm_catch_up_suspects(key, &header));
	KUNIT_EXPECT_FALSE(test, akm_catch_up_suspects(third, &other));
	akm_key_put(key);
	akm_key_put(third);
}

/* ---- notices ---- */

static void hear_notice(struct kunit *test, u16 member, u64 epoch, u64 said)
{
	const struct akm_notice notice = { .epoch = cpu_to_be64(said) };

	offer(test, seal(test, member, epoch, AKM_PACKET_NOTICE, &notice, sizeof(notice)));
}

static void catch_up_follows_notices(struct kunit *test)
{
	/* authentic, and yet wrong */
	hear_notice(test, PEER, EPOCH + 5, EPOCH + 6);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	hear(test, PEER, EPOCH + 5, AKM_PACKET_NOTICE);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH);
	hear_notice(test, PEER, EPOCH + 5, EPOCH + 5);
	KUNIT_EXPECT_EQ(test, current_epoch(test), EPOCH + 5);
}

/* How many notices would have gone out; the device is down, so none does. */
static u64 notices(struct kunit *test, u16 sender, enum akm_packet_type type, unsigned int n)
{
	struct akm_device *akm = test->priv;
	u64 before[AKM_STATS], after[AKM_STATS];

	akm_stats_read(&akm->stats, before);
	local_bh_disable();
	rcu_read_lock();
	while (n--) {
		akm->notices.stamp = jiffies;	/* as if no time had passed */
		akm_member_find(akm, PEER)->notices.stamp = jiffies;
		akm_notice_send(generation(test), sender, type);
	}
	rcu_read_unlock();
	local_bh_enable();
	akm_stats_read(&akm->stats, after);
	KUNIT_EXPECT_EQ(test, after[AKM_STAT_TX_NOTICE], 0);
	return after[AKM_STAT_TX_DROPPED] - before[AKM_STAT_TX_DROPPED];
}

/* P11. They are few, and none of them causes another. */
static void catch_up_notices_are_few(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	KUNIT_EXPECT_EQ(test, notices(test, PEER, AKM_PACKET_NOTICE, 10), 0);
	KUNIT_EXPECT_EQ(test, notices(test, SELF, AKM_PACKET_PAIR, 10), 0);
	KUNIT_EXPECT_EQ(test, notices(test, 9, AKM_PACKET_PAIR, 10), 0);
	KUNIT_EXPECT_EQ(test, notices(test, PEER, AKM_PACKET_PAIR, 10), AKM_NOTICE_BURST);
	KUNIT_EXPECT_EQ(test, notices(test, THIRD, AKM_PACKET_GROUP, 1), 1);
	akm->notices.tokens = 0;
	KUNIT_EXPECT_EQ(test, notices(test, THIRD, AKM_PACKET_HELLO, 1), 0);
}

static void catch_up_retiring_sends_none(struct kunit *test)
{
	generation(test)->state = AKM_GEN_RETIRING;
	generation(test)->deadline = jiffies + 60 * HZ;
	KUNIT_EXPECT_EQ(test, notices(test, PEER, AKM_PACKET_PAIR, 1), 0);
}

/* ---- of our own steps ---- */

/* A notice of the epoch in @slot has come from @member. */
static void heard_notice(struct kunit *test, u16 member, enum akm_epoch_slot slot)
{
	struct sk_buff_head released;
	struct akm_notice notice;
	struct akm_key *key;

	__skb_queue_head_init(&released);
	local_bh_disable();
	rcu_read_lock();
	key = akm_key_rx(rcu_dereference(generation(test)->epoch[slot]), member,
			 AKM_PACKET_NOTICE);
	rcu_read_unlock();
	notice.epoch = cpu_to_be64(key ? key->epoch->number : 0);
	KUNIT_EXPECT_TRUE(test, key && akm_hello_receive(key, AKM_PACKET_NOTICE, &notice,
							 sizeof(notice), &released));
	local_bh_enable();
	if (key)
		akm_key_put(key);
}

static u16 teller(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	u16 member;

	mutex_lock(&akm->lock);
	member = akm_notice_teller(generation(test));
	mutex_unlock(&akm->lock);
	return member;
}

static void step(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	int err;

	mutex_lock(&akm->lock);
	err = akm_generation_roll(akm, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void catch_up_knows_who_tells(struct kunit *test)
{
	int i;

	KUNIT_EXPECT_EQ(test, teller(test), AKM_ANNOUNCE_NOBODY);
	heard_notice(test, THIRD, AKM_EPOCH_CURRENT);
	KUNIT_EXPECT_EQ(test, teller(test), THIRD);
	heard_notice(test, PEER, AKM_EPOCH_CURRENT);
	heard_notice(test, THIRD, AKM_EPOCH_CURRENT);
	KUNIT_EXPECT_EQ(test, teller(test), PEER);
	/* of the next epoch: that counts when it is there, and what is late does not */
	heard_notice(test, THIRD, AKM_EPOCH_NEXT);
	KUNIT_EXPECT_EQ(test, teller(test), AKM_ANNOUNCE_NOBODY);
	step(test);
	heard_notice(test, PEER, AKM_EPOCH_PREVIOUS);
	KUNIT_EXPECT_EQ(test, teller(test), THIRD);
	for (i = 0; i < 256; i++)
		step(test);
	KUNIT_EXPECT_EQ(test, teller(test), AKM_ANNOUNCE_NOBODY);
}

/* How many members would be told in the next burst; the device is down, so none is. */
static u64 told(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	u64 before[AKM_STATS], after[AKM_STATS];

	akm_stats_read(&akm->stats, before);
	mutex_lock(&akm->lock);
	akm_notice_tell(generation(test));
	mutex_unlock(&akm->lock);
	akm_stats_read(&akm->stats, after);
	return after[AKM_STAT_TX_DROPPED] - before[AKM_STAT_TX_DROPPED];
}

/* Everybody in each round, wherever in it we are ourselves */
static void catch_up_tells_everybody(struct kunit *test)
{
	struct akm_generation *gen = generation(test);
	struct akm_device *akm = test->priv;

	flush_delayed_work(&akm->tend);	/* would find the device down, and tell nobody */
	akm_announce_start(&gen->tell, jiffies, 0, 3, 0);
	KUNIT_EXPECT_EQ(test, told(test), 2);
	KUNIT_EXPECT_EQ(test, gen->tell.rounds, AKM_ANNOUNCE_ROUNDS - 1);
	gen->self = PEER;		/* THIRD; there is no key for SELF */
	KUNIT_EXPECT_EQ(test, told(test), 1);
	gen->self = THIRD;		/* PEER, from the beginning again */
	KUNIT_EXPECT_EQ(test, told(test), 1);
	KUNIT_EXPECT_EQ(test, gen->tell.rounds, 0);
	gen->self = SELF;
}

/* Does it have its keys in the current epoch? */
static bool is_warm(struct kunit *test, u16 member)
{
	struct akm_key *key;

	rcu_read_lock();
	key = akm_key_tx_pair(rcu_dereference(generation(test)->epoch[AKM_EPOCH_CURRENT]), member,
			      1);
	rcu_read_unlock();
	if (key)
		akm_key_put(key);
	return key;
}

/* Those that have been silent for long get keys for it, and lose them again. */
static void catch_up_tells_cold_members(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	akm_warm_members = 0;
	step(test);
	step(test);
	KUNIT_EXPECT_FALSE(test, is_warm(test, PEER) || is_warm(test, THIRD));
	KUNIT_EXPECT_EQ(test, told(test), 2);
	KUNIT_EXPECT_TRUE(test, is_warm(test, PEER) && is_warm(test, THIRD));
	flush_delayed_work(&akm->warm.cool);
	KUNIT_EXPECT_FALSE(test, is_warm(test, PEER) || is_warm(test, THIRD));
	akm_warm_members = AKM_WARM_MEMBERS;
}

static struct kunit_case catch_up_cases[] = {
	KUNIT_CASE(catch_up_jumps),
	KUNIT_CASE(catch_up_jumps_again),
	KUNIT_CASE(catch_up_wraps),
	KUNIT_CASE(catch_up_group_is_no_witness),
	KUNIT_CASE(catch_up_has_an_end),
	KUNIT_CASE(catch_up_knows_the_time),
	KUNIT_CASE(catch_up_retiring_stays),
	KUNIT_CASE(catch_up_forgets_who_left),
	KUNIT_CASE(catch_up_survives_a_roll),
	KUNIT_CASE(catch_up_ignores_forgeries),
	KUNIT_CASE(catch_up_is_bounded),
	KUNIT_CASE(catch_up_suspicion),
	KUNIT_CASE(catch_up_follows_notices),
	KUNIT_CASE(catch_up_notices_are_few),
	KUNIT_CASE(catch_up_retiring_sends_none),
	KUNIT_CASE(catch_up_knows_who_tells),
	KUNIT_CASE(catch_up_tells_everybody),
	KUNIT_CASE(catch_up_tells_cold_members),
	{}
};

struct kunit_suite akm_catch_up_suite = {
	.name = "akm_catch_up",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = catch_up_init,
	.exit = catch_up_exit,
	.test_cases = catch_up_cases,
};
