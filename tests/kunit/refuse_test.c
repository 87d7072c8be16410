// SPDX-License-Identifier: GPL-2.0
/*
 * Packets for which there is no key, on a real device: those of who is behind are told from
 * those of who knows nothing of us, and neither costs anything that lasts (P11). Mutants:
 * mutants.txt.
 */
#include "refuse.h"

#include <linux/bottom_half.h>
#include <linux/ip.h>
#include <linux/rcupdate.h>
#include <linux/udp.h>

#include "device.h"
#include "keys.h"
#include "past.h"
#include "socket.h"
#include "util.h"

#define SELF		1
#define PEER		2
#define LEFT		3		/* a member, until it is deleted */
#define STRANGER	77
#define EPOCH		7
#define FIRST		10		/* the number of the first generation */
#define KEY_ID(n)	(100 + (n))
#define HEADERS		(sizeof(struct iphdr) + sizeof(struct udphdr))

struct bench {
	struct akm_device *akm;
	struct akm_socket port;		/* where @akm listens; with it alone, or not */
};

static void add_member(struct kunit *test, u16 index)
{
	struct akm_member_config config = { .index = index };
	struct bench *b = test->priv;
	int err;

	INIT_LIST_HEAD(&config.prefixes);
	mutex_lock(&b->akm->lock);
	err = akm_member_set(b->akm, &config, NULL);
	mutex_unlock(&b->akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void install(struct kunit *test, u32 number)
{
	static const u8 chain[AKM_KDF_LEN] = { 1, 2, 3 };
	struct akm_install in = {
		.number = number, .key_id = KEY_ID(number), .epoch = EPOCH, .chain = chain,
		.unused = true,
	};
	struct bench *b = test->priv;
	int err;

	mutex_lock(&b->akm->lock);
	err = akm_generation_install(b->akm, &in, NULL);
	err = err ?: akm_generation_activate(b->akm, number, 0, NULL);
	mutex_unlock(&b->akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void retire(struct kunit *test, u32 number)
{
	struct bench *b = test->priv;
	int err;

	mutex_lock(&b->akm->lock);
	err = akm_generation_retire(b->akm, number, NULL);
	mutex_unlock(&b->akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void roll(struct kunit *test)
{
	struct bench *b = test->priv;
	int err;

	mutex_lock(&b->akm->lock);
	err = akm_generation_roll(b->akm, NULL);
	mutex_unlock(&b->akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static int refuse_init(struct kunit *test)
{
	struct bench *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, b);
	b->akm = netdev_priv(akm_test_device(test, "akmr0"));
	b->port.net = b->akm->net;
	test->priv = b;
	rcu_assign_pointer(b->port.sole, b->akm);
	rcu_assign_pointer(b->akm->sock, &b->port);
	mutex_lock(&b->akm->lock);
	b->akm->atr_id = 1;
	b->akm->has_self = true;
	b->akm->self = SELF;
	b->akm->suite = AKM_SUITE_CHACHA20POLY1305;	/* every machine has it */
	b->akm->incarnation = 1;
	mutex_unlock(&b->akm->lock);
	add_member(test, SELF);
	add_member(test, PEER);
	add_member(test, LEFT);
	install(test, FIRST);
	return 0;
}

static void refuse_exit(struct kunit *test)
{
	struct bench *b = test->priv;

	if (!b)
		return;
	RCU_INIT_POINTER(b->akm->sock, NULL);
	akm_test_device_delete(b->akm->dev);
}

/* ---- what comes, and what is said of it ---- */

static u64 counted(struct kunit *test, enum akm_stat stat)
{
	struct bench *b = test->priv;

	return atomic64_read(&b->akm->stats.cold[stat - AKM_STATS_HOT]);
}

static u64 told(struct kunit *test, enum akm_event_type type)
{
	struct bench *b = test->priv;

	return atomic64_read(&b->akm->monitor.gauge[type].count);
}

static struct sk_buff *datagram(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(HEADERS + AKM_OVERHEAD, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	memset(skb_put(skb, HEADERS + AKM_OVERHEAD), 0, HEADERS + AKM_OVERHEAD);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(struct iphdr));
	ip_hdr(skb)->version = 4;
	skb_pull(skb, HEADERS);
	return skb;
}

static void refuse(struct kunit *test, u32 key_id, u8 epoch, u16 sender)
{
	const struct akm_header header = {
		.vertype = akm_vertype(AKM_PACKET_PAIR), .epoch = epoch,
		.sender = cpu_to_be16(sender), .key_id = cpu_to_be32(key_id),
	};
	struct sk_buff *skb = datagram(test);
	const struct akm_datagram at = { .skb = skb, .len = skb->len };
	struct bench *b = test->priv;

	local_bh_disable();
	rcu_read_lock();
	akm_refuse_key(&b->port, akm_generation_lookup(b->akm->net, key_id), &at, &header);
	rcu_read_unlock();
	local_bh_enable();
	kfree_skb(skb);
}

/* Each packet counts once: as stale, or as unknown. */
static void expect(struct kunit *test, bool stale, u32 key_id, u8 epoch, u16 sender)
{
	u64 before[] = { counted(test, AKM_STAT_RX_EPOCH_STALE),
			 counted(test, AKM_STAT_RX_UNKNOWN_KEY),
			 told(test, AKM_EVENT_EPOCH_STALE), told(test, AKM_EVENT_UNKNOWN_KEY) };

	refuse(test, key_id, epoch, sender);
	KUNIT_EXPECT_EQ_MSG(test, counted(test, AKM_STAT_RX_EPOCH_STALE), before[0] + stale,
			    "key ID %u, epoch %u, sender %u", key_id, epoch, sender);
	KUNIT_EXPECT_EQ_MSG(test, counted(test, AKM_STAT_RX_UNKNOWN_KEY), before[1] + !stale,
			    "key ID %u, epoch %u, sender %u", key_id, epoch, sender);
	KUNIT_EXPECT_EQ(test, told(test, AKM_EVENT_EPOCH_STALE), before[2] + stale);
	KUNIT_EXPECT_EQ(test, told(test, AKM_EVENT_UNKNOWN_KEY), before[3] + !stale);
}

/* ---- cases ---- */

static void refuse_erased_epochs(struct kunit *test)
{
	roll(test);
	/* held still: that there is no key is another matter */
	expect(test, false, KEY_ID(FIRST), EPOCH, PEER);
	roll(test);
	expect(test, true, KEY_ID(FIRST), EPOCH, PEER);
	roll(test);
	expect(test, true, KEY_ID(FIRST), EPOCH + 1, PEER);
	expect(test, true, KEY_ID(FIRST), EPOCH, PEER);
	/* from before it was installed here: others had it then */
	expect(test, true, KEY_ID(FIRST), 0, PEER);
	/* the first epoch is 0 */
	expect(test, false, KEY_ID(FIRST), 255, PEER);
	/* ahead, which is ours to catch up with */
	expect(test, false, KEY_ID(FIRST), EPOCH + 5, PEER);
	expect(test, false, KEY_ID(FIRST + 1), EPOCH, PEER);
}

/* Only members are behind, and we are not. */
static void refuse_only_members_are_stale(struct kunit *test)
{
	struct bench *b = test->priv;

	roll(test);
	roll(test);
	expect(test, true, KEY_ID(FIRST), EPOCH, LEFT);
	expect(test, false, KEY_ID(FIRST), EPOCH, STRANGER);
	expect(test, false, KEY_ID(FIRST), EPOCH, SELF);
	mutex_lock(&b->akm->lock);
	akm_member_delete(b->akm, akm_member_find(b->akm, LEFT));
	mutex_unlock(&b->akm->lock);
	expect(test, false, KEY_ID(FIRST), EPOCH, LEFT);
}

static void refuse_counts_at_the_member(struct kunit *test)
{
	struct bench *b = test->priv;
	struct akm_member *member;

	roll(test);
	roll(test);
	refuse(test, KEY_ID(FIRST), EPOCH, PEER);
	rcu_read_lock();
	member = akm_member_find(b->akm, PEER);
	KUNIT_EXPECT_EQ(test, 1, (u64)atomic64_read(&member->stats.cold[AKM_STAT_RX_EPOCH_STALE -
									AKM_STATS_HOT]));
	rcu_read_unlock();
}

static void refuse_erased_generations(struct kunit *test)
{
	struct bench *b = test->priv;
	u32 n;

	install(test, FIRST + 1);
	retire(test, FIRST);
	expect(test, true, KEY_ID(FIRST), EPOCH, PEER);
	/* no epoch of it is held, whichever it is */
	expect(test, true, KEY_ID(FIRST), EPOCH + 9, PEER);
	expect(test, false, KEY_ID(FIRST), EPOCH, STRANGER);
	for (n = FIRST + 2; n <= FIRST + AKM_PAST_MAX; n++) {
		install(test, n);
		retire(test, n - 1);
	}
	KUNIT_EXPECT_EQ(test, b->akm->past_count, AKM_PAST_MAX);
	expect(test, true, KEY_ID(FIRST), EPOCH, PEER);
	install(test, n);
	retire(test, n - 1);
	KUNIT_EXPECT_EQ(test, b->akm->past_count, AKM_PAST_MAX);
	expect(test, false, KEY_ID(FIRST), EPOCH, PEER);
	expect(test, true, KEY_ID(FIRST + 1), EPOCH, PEER);
}

/* The key_id tells the device, also where several share the port; not on another port. */
static void refuse_tells_the_device(struct kunit *test)
{
	struct bench *b = test->priv;
	struct akm_socket elsewhere = { .net = b->akm->net };

	install(test, FIRST + 1);
	retire(test, FIRST);
	RCU_INIT_POINTER(b->port.sole, NULL);
	refuse(test, KEY_ID(FIRST), EPOCH, PEER);
	KUNIT_EXPECT_EQ(test, 1, counted(test, AKM_STAT_RX_EPOCH_STALE));
	rcu_assign_pointer(b->akm->sock, &elsewhere);
	refuse(test, KEY_ID(FIRST), EPOCH, PEER);
	KUNIT_EXPECT_EQ(test, 1, counted(test, AKM_STAT_RX_EPOCH_STALE));
	rcu_assign_pointer(b->akm->sock, &b->port);
}

/* Nothing is known of a device that is gone, in a namespace that goes on. */
static void refuse_forgets_the_device(struct kunit *test)
{
	struct bench *b = test->priv;
	struct akm_net *an = b->akm->net;

	install(test, FIRST + 1);
	retire(test, FIRST);
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, akm_past_find(an, KEY_ID(FIRST))->akm, b->akm);
	rcu_read_unlock();
	refuse_exit(test);
	test->priv = NULL;
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, akm_past_find(an, KEY_ID(FIRST)));
	KUNIT_EXPECT_NULL(test, akm_past_find(an, KEY_ID(FIRST + 1)));
	rcu_read_unlock();
}

static struct kunit_case refuse_cases[] = {
	KUNIT_CASE(refuse_erased_epochs),
	KUNIT_CASE(refuse_only_members_are_stale),
	KUNIT_CASE(refuse_counts_at_the_member),
	KUNIT_CASE(refuse_erased_generations),
	KUNIT_CASE(refuse_tells_the_device),
	KUNIT_CASE(refuse_forgets_the_device),
	{}
};

struct kunit_suite akm_refuse_suite = {
	.name = "akm_refuse",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = refuse_init,
	.exit = refuse_exit,
	.test_cases = refuse_cases,
};
