// SPDX-License-Identifier: GPL-2.0
/*
 * Flow ports: which one a flow has, and what the source of a packet says of its member's place
 * when others use them. Mutants: mutants.txt.
 */
#include "flow.h"

#include <linux/ip.h>
#include <linux/udp.h>

#include "atr.h"
#include "device.h"
#include "roam.h"
#include "socket.h"
#include "util.h"

#define LOW		20000
#define HIGH		20003
#define FLOWS		1000
#define PEER		7
#define HERE		0xc0000207U	/* 192.0.2.7 */
#define THERE		0xc0000263U	/* 192.0.2.99 */
#define LISTENS		9999		/* the peer, not where everybody does */

static const siphash_key_t key = { { 1, 2 } }, other_key = { { 1, 3 } };

static struct sk_buff *datagram(struct kunit *test, u32 addr, u16 port)
{
	struct sk_buff *skb = alloc_skb(sizeof(struct iphdr) + sizeof(struct udphdr), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = ((struct akm_device *)test->priv)->dev;
	skb_reset_network_header(skb);
	*(struct iphdr *)skb_put_zero(skb, sizeof(struct iphdr)) = (struct iphdr) {
		.version = 4, .ihl = 5, .protocol = IPPROTO_UDP, .saddr = htonl(addr),
		.daddr = htonl(HERE),
	};
	skb_set_transport_header(skb, sizeof(struct iphdr));
	*(struct udphdr *)skb_put_zero(skb, sizeof(struct udphdr)) = (struct udphdr) {
		.source = htons(port), .dest = htons(LOW),
	};
	return skb;
}

/* Of the flow from @port; @socket is what its sender thinks of its flow. */
static u32 hash_of(struct kunit *test, u16 port, u32 socket, const siphash_key_t *key)
{
	struct sk_buff *skb = datagram(test, THERE, port);
	u32 hash;

	KUNIT_EXPECT_FALSE(test, akm_flow_known(skb));
	if (socket)
		skb_set_hash(skb, socket, PKT_HASH_TYPE_L4);
	akm_flow_note(skb, key);
	KUNIT_EXPECT_TRUE(test, akm_flow_known(skb));
	hash = skb_get_hash_raw(skb);
	kfree_skb(skb);
	return hash;
}

static void flow_port_is_in_its_range(struct kunit *test)
{
	u32 flow, port, seen[HIGH - LOW + 1] = {};
	int i;

	for (flow = 0; flow < FLOWS; flow++) {
		port = akm_flow_port(akm_flow_ports(LOW, HIGH), hash_of(test, flow, 0, &key));
		KUNIT_ASSERT_GE(test, port, LOW);
		KUNIT_ASSERT_LE(test, port, HIGH);
		seen[port - LOW]++;
	}
	/* each of four has a fourth; chance moves that by 14, one in a sixth of all cases */
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		KUNIT_EXPECT_GT(test, seen[i], FLOWS / ARRAY_SIZE(seen) / 2);
}

static void flow_port_of_any_range(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, akm_flow_port(akm_flow_ports(1, U16_MAX), 0), 1);
	KUNIT_EXPECT_EQ(test, akm_flow_port(akm_flow_ports(1, U16_MAX), U32_MAX), U16_MAX);
	KUNIT_EXPECT_EQ(test, akm_flow_port(akm_flow_ports(LOW, LOW), U32_MAX), LOW);
	KUNIT_EXPECT_EQ(test, akm_flow_port(akm_flow_ports(U16_MAX, U16_MAX), 5), U16_MAX);
}

/* One flow has one, whoever sends it, and at another device another one. */
static void flow_hash_depends_on_flow_and_key(struct kunit *test)
{
	u32 flow;

	for (flow = 1; flow < FLOWS; flow++) {
		KUNIT_ASSERT_EQ(test, hash_of(test, flow, 0, &key), hash_of(test, flow, 5, &key));
		KUNIT_ASSERT_EQ(test, hash_of(test, flow, 6, &key), hash_of(test, flow, 5, &key));
		KUNIT_ASSERT_NE(test, hash_of(test, flow, 0, &key),
				hash_of(test, flow, 0, &other_key));
		KUNIT_ASSERT_NE(test, hash_of(test, flow, 0, &key),
				hash_of(test, flow - 1, 0, &key));
	}
}

static void flow_key_is_random(struct kunit *test)
{
	struct net_device *dev = akm_test_device(test, "akmf1");
	const struct akm_device *one = netdev_priv(dev), *akm = test->priv;

	AKM_EXPECT_MEMNEQ(test, &akm->flow_key, &one->flow_key, sizeof(akm->flow_key));
	KUNIT_EXPECT_EQ(test, akm->flow_ports, 0);
	akm_test_device_delete(dev);
}

/* ---- where a member is ---- */

static struct akm_member *peer(struct kunit *test)
{
	return akm_member_find(test->priv, PEER);
}

/* Who roams, and is at HERE:LISTENS as far as is known; or anywhere */
static void set_peer(struct kunit *test, bool has_endpoint)
{
	struct akm_member_config config = { .index = PEER, .roams = true };
	const struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(LISTENS), .sin_addr.s_addr = htonl(HERE),
	};
	struct akm_device *akm = test->priv;
	int err;

	INIT_LIST_HEAD(&config.prefixes);
	if (has_endpoint)
		config.endpoint = akm_endpoint_create((const struct sockaddr *)&in, sizeof(in),
						      GFP_KERNEL);
	mutex_lock(&akm->lock);
	err = akm_member_set(akm, &config, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

/* The newest packet comes from there. */
static void comes_from(struct kunit *test, u32 addr, u16 port, bool control)
{
	struct sk_buff *skb = datagram(test, addr, port);

	local_bh_disable();
	rcu_read_lock();
	akm_roam_note(test->priv, peer(test), skb, control);
	rcu_read_unlock();
	local_bh_enable();
	kfree_skb(skb);
}

static void expect_at(struct kunit *test, u32 addr, u16 port)
{
	const struct akm_endpoint *at;

	rcu_read_lock();
	at = akm_member_whereabouts(peer(test));
	if (at) {
		KUNIT_EXPECT_EQ(test, ntohl(at->addr.in4.sin_addr.s_addr), addr);
		KUNIT_EXPECT_EQ(test, ntohs(at->addr.in4.sin_port), port);
	}
	rcu_read_unlock();
	KUNIT_EXPECT_NOT_NULL(test, at);
}

static bool is_at(struct kunit *test, u32 addr, u16 port)
{
	struct sk_buff *skb = datagram(test, addr, port);
	bool result;

	rcu_read_lock();
	result = akm_member_is_at(test->priv, peer(test), skb);
	rcu_read_unlock();
	kfree_skb(skb);
	return result;
}

/* Without flow ports a port is as good as an address: a NAT has changed its mind. */
static void flow_without_ports_are_places(struct kunit *test)
{
	set_peer(test, true);
	comes_from(test, HERE, LOW, false);
	expect_at(test, HERE, LOW);
	KUNIT_EXPECT_TRUE(test, is_at(test, HERE, LOW));
	KUNIT_EXPECT_FALSE(test, is_at(test, HERE, LISTENS));
	comes_from(test, THERE, HIGH, true);
	expect_at(test, THERE, HIGH);
}

static void flow_ports_are_no_places(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	set_peer(test, true);
	WRITE_ONCE(akm->flow_ports, akm_flow_ports(LOW, HIGH));
	comes_from(test, HERE, LOW, false);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(peer(test)->learnt));
	comes_from(test, THERE, HIGH, false);
	expect_at(test, THERE, LISTENS);
	KUNIT_EXPECT_TRUE(test, is_at(test, THERE, LOW));
	KUNIT_EXPECT_FALSE(test, is_at(test, HERE, LISTENS));

	/* where it listens it says itself, also when it has changed that */
	comes_from(test, THERE, LISTENS, true);
	expect_at(test, THERE, LISTENS);
	comes_from(test, THERE, LISTENS + 1, true);
	expect_at(test, THERE, LISTENS + 1);
	comes_from(test, HERE, LOW, false);
	expect_at(test, HERE, LISTENS + 1);
}

/* Of whom nothing is known it is taken for granted that it listens where we do. */
static void flow_of_a_stranger(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	set_peer(test, false);
	WRITE_ONCE(akm->flow_ports, akm_flow_ports(LOW, HIGH));
	comes_from(test, THERE, LOW, false);
	expect_at(test, THERE, AKM_DEFAULT_PORT);
}

static int flow_init(struct kunit *test)
{
	test->priv = netdev_priv(akm_test_device(test, "akmf0"));
	return 0;
}

static void flow_exit(struct kunit *test)
{
	if (test->priv)
		akm_test_device_delete(((struct akm_device *)test->priv)->dev);
}

static struct kunit_case flow_cases[] = {
	KUNIT_CASE(flow_port_is_in_its_range),
	KUNIT_CASE(flow_port_of_any_range),
	KUNIT_CASE(flow_hash_depends_on_flow_and_key),
	KUNIT_CASE(flow_key_is_random),
	KUNIT_CASE(flow_without_ports_are_places),
	KUNIT_CASE(flow_ports_are_no_places),
	KUNIT_CASE(flow_of_a_stranger),
	{}
};

struct kunit_suite akm_flow_suite = {
	.name = "akm_flow",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = flow_init,
	.exit = flow_exit,
	.test_cases = flow_cases,
};
