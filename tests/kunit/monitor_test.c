// SPDX-License-Identifier: GPL-2.0
/* Token bucket of events and counters. Mutants: mutants.txt. */
#include "monitor.h"

#include <linux/bottom_half.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/net_namespace.h>

#include "util.h"

#define BURST	16
#define RATE	8

static int take_all(struct akm_bucket *b, unsigned long now)
{
	int n = 0;

	while (n < 10 * BURST && akm_bucket_take(b, BURST, RATE, now))
		n++;
	return n;
}

/* No more than the burst at once, whatever the start of time is */
static void monitor_bucket_burst(struct kunit *test)
{
	static const unsigned long starts[] = { 0, 1, ULONG_MAX, INITIAL_JIFFIES, ULONG_MAX / 2 };
	struct akm_bucket b;
	int i;

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		akm_bucket_init(&b, BURST, starts[i]);
		KUNIT_EXPECT_EQ(test, take_all(&b, starts[i]), BURST);
		KUNIT_EXPECT_EQ(test, take_all(&b, starts[i]), 0);
	}
}

/* Over a minute, however often somebody asks, no more than burst and rate allow */
static void monitor_bucket_rate(struct kunit *test)
{
	static const unsigned int steps[] = { 1, 2, 3, 7, HZ / 8 + 1, HZ, 2 * HZ };
	unsigned long start = ULONG_MAX - 20 * HZ, t;	/* jiffies wrap on the way */
	struct akm_bucket b;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		akm_bucket_init(&b, BURST, start);
		for (t = 0, n = 0; t <= 60 * HZ; t += steps[i])
			n += take_all(&b, start + t);
		KUNIT_EXPECT_LE(test, n, BURST + 60 * RATE);
		/* and it does not starve anybody either: */
		KUNIT_EXPECT_GE(test, n, 60 * RATE - RATE);
	}
}

static void monitor_bucket_fills_no_further(struct kunit *test)
{
	/* 2^29 jiffies times the rate are 0 in 32 bits */
	static const unsigned long pauses[] = { 60 * HZ, 1UL << 29, ULONG_MAX / 2, ULONG_MAX };
	struct akm_bucket b;
	int i;

	for (i = 0; i < ARRAY_SIZE(pauses); i++) {
		akm_bucket_init(&b, BURST, 0);
		take_all(&b, 0);
		KUNIT_EXPECT_EQ(test, take_all(&b, pauses[i]), BURST);
	}
}

static void monitor_counters(struct kunit *test)
{
	struct akm_stats stats = {};
	u64 v[AKM_STATS];
	int i;

	KUNIT_ASSERT_EQ(test, 0, akm_stats_init(&stats));
	akm_stats_read(&stats, v);
	for (i = 0; i < AKM_STATS; i++)
		KUNIT_EXPECT_EQ(test, v[i], 0);

	local_bh_disable();
	akm_stats_rx(&stats, 1, 100);
	akm_stats_rx(&stats, 1, 50);
	akm_stats_tx(&stats, 3, 1000);
	local_bh_enable();
	for (i = AKM_STAT_RX_AUTH_FAIL; i < AKM_STATS; i++)
		akm_stats_add(&stats, i, i);

	akm_stats_read(&stats, v);
	KUNIT_EXPECT_EQ(test, v[AKM_STAT_RX_PACKETS], 2);
	KUNIT_EXPECT_EQ(test, v[AKM_STAT_RX_BYTES], 150);
	KUNIT_EXPECT_EQ(test, v[AKM_STAT_TX_PACKETS], 3);
	KUNIT_EXPECT_EQ(test, v[AKM_STAT_TX_BYTES], 1000);
	for (i = AKM_STAT_RX_AUTH_FAIL; i < AKM_STATS; i++)
		KUNIT_EXPECT_EQ(test, v[i], i);
	akm_stats_free(&stats);
}

/* The header promises one order for both: netlink fills attributes by it. */
static void monitor_same_order_as_uapi(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, AKM_STATS, AKM_A_STATS_MAX - AKM_A_STATS_RX_PACKETS + 1);
	KUNIT_EXPECT_EQ(test, AKM_STAT_RX_AUTH_FAIL,
			AKM_A_STATS_RX_AUTH_FAIL - AKM_A_STATS_RX_PACKETS);
	KUNIT_EXPECT_EQ(test, AKM_STAT_RX_PREFIX, AKM_A_STATS_RX_PREFIX - AKM_A_STATS_RX_PACKETS);
	KUNIT_EXPECT_EQ(test, AKM_STAT_TX_NO_KEY, AKM_A_STATS_TX_NO_KEY - AKM_A_STATS_RX_PACKETS);
	KUNIT_EXPECT_EQ(test, AKM_STAT_TX_DROPPED,
			AKM_A_STATS_TX_DROPPED - AKM_A_STATS_RX_PACKETS);
}

/* Before the family is there, and after it has gone: counted, told to nobody. */
static void monitor_without_family(struct kunit *test)
{
	struct akm_monitor *monitor = kunit_kzalloc(test, sizeof(*monitor), GFP_KERNEL);
	const struct akm_event event = { .type = AKM_EVENT_REPLAY };
	const struct akm_place place = { .net = &init_net };
	int i;

	KUNIT_ASSERT_NOT_NULL(test, monitor);
	akm_monitor_init(monitor);
	akm_monitor_family(NULL);
	for (i = 0; i < 3; i++)
		akm_monitor_report(monitor, &place, &event);
	KUNIT_EXPECT_EQ(test, atomic64_read(&monitor->gauge[AKM_EVENT_REPLAY].count), 3);
	KUNIT_EXPECT_EQ(test, atomic64_read(&monitor->gauge[AKM_EVENT_AUTH_FAIL].count), 0);
}

/* What is shown of a packet: no more than was asked for, than it has, and than an event may. */
static const struct { unsigned int offset, len, shown, want; } shown_cases[] = {
	{ 0, 100, AKM_EVENT_PACKET_MAX, AKM_EVENT_PACKET_MAX },
	{ 0, 100, 16, 16 },
	{ 40, 60, 16, 16 },		/* one of several in a buffer */
	{ 90, 10, AKM_EVENT_PACKET_MAX, 10 },
	{ 0, 100, 1000, AKM_EVENT_PACKET_MAX },
	{ 0, 0, AKM_EVENT_PACKET_MAX, 0 },
};

static struct sk_buff *shown_datagram(struct kunit *test)
{
	const unsigned int headers = sizeof(struct iphdr) + sizeof(struct udphdr);
	struct sk_buff *skb = alloc_skb(headers + 100, GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	memset(skb_put(skb, headers), 0, headers);
	for (i = 0; i < 100; i++)
		skb_put_u8(skb, i);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(struct iphdr));
	ip_hdr(skb)->version = 4;
	skb_pull(skb, headers);
	return skb;
}

static void expect_shown(struct kunit *test, struct sk_buff *msg, unsigned int i)
{
	struct nlattr *bytes = nlmsg_find_attr(nlmsg_hdr(msg), 0, AKM_A_EVENT_PACKET);
	struct nlattr *len = nlmsg_find_attr(nlmsg_hdr(msg), 0, AKM_A_EVENT_PACKET_LEN);
	unsigned int at;

	KUNIT_ASSERT_NOT_NULL(test, len);
	KUNIT_EXPECT_EQ(test, nla_get_u32(len), shown_cases[i].len);
	KUNIT_ASSERT_EQ(test, !bytes, !shown_cases[i].want);
	if (!bytes)
		return;
	KUNIT_EXPECT_EQ(test, (unsigned int)nla_len(bytes), shown_cases[i].want);
	for (at = 0; at < nla_len(bytes); at++)
		KUNIT_EXPECT_EQ(test, ((u8 *)nla_data(bytes))[at], shown_cases[i].offset + at);
}

static void monitor_shows_the_packet(struct kunit *test)
{
	struct sk_buff *skb = shown_datagram(test), *msg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shown_cases); i++) {
		const struct akm_datagram at = {
			.skb = skb, .offset = shown_cases[i].offset, .len = shown_cases[i].len,
		};
		struct akm_event event = { .type = AKM_EVENT_MALFORMED };

		msg = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, msg);
		KUNIT_ASSERT_NOT_NULL(test, nlmsg_put(msg, 0, 0, NLMSG_MIN_TYPE, 0, 0));
		akm_event_packet(&event, &at, shown_cases[i].shown);
		KUNIT_EXPECT_EQ(test, akm_event_put_packet(msg, &event), 0);
		nlmsg_end(msg, nlmsg_hdr(msg));
		expect_shown(test, msg, i);
		nlmsg_free(msg);
	}
	kfree_skb(skb);
}

static struct kunit_case monitor_cases[] = {
	KUNIT_CASE(monitor_bucket_burst),
	KUNIT_CASE(monitor_bucket_rate),
	KUNIT_CASE(monitor_bucket_fills_no_further),
	KUNIT_CASE(monitor_counters),
	KUNIT_CASE(monitor_same_order_as_uapi),
	KUNIT_CASE(monitor_without_family),
	KUNIT_CASE(monitor_shows_the_packet),
	{}
};

struct kunit_suite akm_monitor_suite = {
	.name = "akm_monitor",
	.test_cases = monitor_cases,
};
