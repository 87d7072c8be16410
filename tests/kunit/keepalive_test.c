// SPDX-License-Identifier: GPL-2.0
/*
 * Keepalives: when one is due. Whether they are sent: scenario keepalive. Mutants:
 * mutants.txt.
 */
#include "keepalive.h"

#include <linux/jiffies.h>
#include <linux/prandom.h>

#include "util.h"

#define INTERVAL	1000UL		/* jiffies */
#define START		(ULONG_MAX - 5 * INTERVAL)	/* jiffies wrap in the midst of it */

/* Nobody sends anything: one every interval, and no more looks than it takes. */
static void keepalive_silence(struct kunit *test)
{
	unsigned long now = START, sent = START, wait;
	struct akm_idle idle;
	int looks = 0, n = 0;

	akm_idle_init(&idle, 7, now);
	while (n < 10 && looks < 1000) {
		looks++;
		if (akm_idle_look(&idle, 7, INTERVAL, now, &wait)) {
			KUNIT_EXPECT_EQ(test, now - sent, INTERVAL);
			sent = now;
			n++;
		}
		KUNIT_ASSERT_GT(test, wait, 0);
		now += wait;
	}
	KUNIT_EXPECT_EQ(test, n, 10);
	KUNIT_EXPECT_LE(test, looks, 10 * AKM_IDLE_LOOKS + 1);
}

/* To whom something is sent all the time nothing need be added. */
static void keepalive_traffic(struct kunit *test)
{
	unsigned long now = START, end = START + 20 * INTERVAL, wait;
	struct akm_idle idle;
	u64 count = 0;

	akm_idle_init(&idle, count, now);
	while (time_before(now, end)) {
		KUNIT_EXPECT_FALSE(test, akm_idle_look(&idle, ++count, INTERVAL, now, &wait));
		KUNIT_ASSERT_GT(test, wait, 0);
		now += wait;
	}
}

/* Whenever packets are sent: no pause is longer than the interval, and few are cut short. */
static void keepalive_between_packets(struct kunit *test)
{
	unsigned long now, packet, last = START, look = START, wait, longest = 0;
	unsigned long shortest = INTERVAL;
	struct rnd_state rnd;
	struct akm_idle idle;
	u64 count = 0;

	prandom_seed_state(&rnd, 3);
	akm_idle_init(&idle, count, START);
	packet = START + prandom_u32_state(&rnd) % (3 * INTERVAL);
	for (now = START; now != START + 500 * INTERVAL; now++) {
		if (now == packet) {
			longest = max(longest, now - last);
			last = now;
			count++;
			packet = now + 1 + prandom_u32_state(&rnd) % (3 * INTERVAL);
		}
		if (now != look)
			continue;
		if (akm_idle_look(&idle, count, INTERVAL, now, &wait)) {
			longest = max(longest, now - last);
			shortest = min(shortest, now - last);
			last = now;
		}
		KUNIT_ASSERT_GT(test, wait, 0);
		look = now + wait;
	}
	KUNIT_EXPECT_LE(test, longest, INTERVAL);
	KUNIT_EXPECT_GE(test, shortest, INTERVAL - INTERVAL / AKM_IDLE_LOOKS);
}

/* A work that comes late does not wait for another whole interval. */
static void keepalive_late(struct kunit *test)
{
	struct akm_idle idle;
	unsigned long wait;

	akm_idle_init(&idle, 1, START);
	KUNIT_EXPECT_TRUE(test, akm_idle_look(&idle, 1, INTERVAL, START + 5 * INTERVAL, &wait));
	akm_idle_init(&idle, 1, START);
	KUNIT_EXPECT_FALSE(test, akm_idle_look(&idle, 1, INTERVAL, START + INTERVAL - 3, &wait));
	KUNIT_EXPECT_EQ(test, wait, 3);
	KUNIT_EXPECT_TRUE(test, akm_idle_look(&idle, 1, INTERVAL, START + INTERVAL, &wait));
}

static struct kunit_case keepalive_cases[] = {
	KUNIT_CASE(keepalive_silence),
	KUNIT_CASE(keepalive_traffic),
	KUNIT_CASE(keepalive_between_packets),
	KUNIT_CASE(keepalive_late),
	{}
};

struct kunit_suite akm_keepalive_suite = {
	.name = "akm_keepalive",
	.test_cases = keepalive_cases,
};
