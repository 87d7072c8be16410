// SPDX-License-Identifier: GPL-2.0
/*
 * Epochs far ahead: which of them a packet may be of, how far is plausible, whose word
 * counts for more. Mutants: mutants.txt.
 */
#include "ahead.h"

#include "util.h"

#define HOUR		(3600 * 1000)
#define T0		((s64)1000 * HOUR)
#define MEMBER		2
#define ANOTHER		3

static struct akm_ahead_now at(u64 current_epoch, s64 time, u32 interval)
{
	return (struct akm_ahead_now) {
		.current_epoch = current_epoch, .time = time, .interval = interval, .others = 4,
	};
}

/* Others were heard in @epoch, which began at T0; it is an hour and a millisecond later. */
static struct akm_ahead_now dated(struct akm_ahead *ahead, u64 epoch, u32 interval)
{
	struct akm_ahead_now now = at(epoch, T0 + HOUR, interval);

	akm_ahead_init(ahead, 0, T0 - 50LL * HOUR);
	akm_ahead_heard(ahead, &now, T0);
	now.time++;
	return now;
}

/* ---- candidates ---- */

/* Every low byte has one within 256 epochs, and what is held already is none. */
static void ahead_first(struct kunit *test)
{
	static const u64 current_epochs[] = {
		0, 1, 253, 254, 255, 256, U32_MAX - 1, U32_MAX, (1ULL << 62) - 1,
	};
	u64 now, first;
	int i, low;

	for (i = 0; i < ARRAY_SIZE(current_epochs); i++) {
		now = current_epochs[i];
		for (low = 0; low < 256; low++) {
			first = akm_ahead_first(now, low);
			KUNIT_EXPECT_EQ(test, first & 0xff, low);
			KUNIT_EXPECT_GE(test, first, now + 2);
			KUNIT_EXPECT_LE(test, first, now + 257);
		}
	}
}

static void ahead_reach(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, akm_ahead_reachable(7, 7 + AKM_CATCH_UP_MAX));
	KUNIT_EXPECT_FALSE(test, akm_ahead_reachable(7, 8 + AKM_CATCH_UP_MAX));
}

/* Half of what a byte can say is behind, and before the first epoch there is none. */
static void ahead_tells_who_is_behind(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(1000, (u8)1000), 0);
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(1000, (u8)999), 1);
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(1000, (u8)(1000 - 127)), 127);
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(1000, (u8)(1000 - 128)), 0);
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(1000, (u8)1002), 0);
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(256, 255), 1);
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(3, 0), 3);
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(3, 255), 0);
	KUNIT_EXPECT_EQ(test, akm_ahead_behind(0, 250), 0);
}

/* ---- what time explains ---- */

static void ahead_grows_with_time(struct kunit *test)
{
	struct akm_ahead a;
	struct akm_ahead_now now = dated(&a, 100, HOUR);

	KUNIT_EXPECT_EQ(test, akm_ahead_limit(&a, &now), 100 + AKM_AHEAD_PACE + AKM_AHEAD_SLACK);
	now.time = T0 + 72LL * HOUR;
	KUNIT_EXPECT_EQ(test, akm_ahead_limit(&a, &now),
			100 + 72 * AKM_AHEAD_PACE + AKM_AHEAD_SLACK);
	/* our own steps, alone, move nothing */
	now.current_epoch = 170;
	KUNIT_EXPECT_EQ(test, akm_ahead_limit(&a, &now),
			100 + 72 * AKM_AHEAD_PACE + AKM_AHEAD_SLACK);
	/* months of the shortest epochs: no overflow */
	now.interval = 1;
	now.time = T0 + 9000LL * HOUR;
	KUNIT_EXPECT_EQ(test, akm_ahead_limit(&a, &now),
			100 + 9000ULL * HOUR * AKM_AHEAD_PACE + AKM_AHEAD_SLACK);
	/* a clock that does not move, or backwards, is no excuse */
	now = at(100, T0 - HOUR, HOUR);
	KUNIT_EXPECT_EQ(test, akm_ahead_limit(&a, &now), 100 + AKM_AHEAD_SLACK);
}

static void ahead_without_timer(struct kunit *test)
{
	struct akm_ahead a;
	struct akm_ahead_now now = dated(&a, 100, 0);

	now.time = T0 + 9000LL * HOUR;
	KUNIT_EXPECT_EQ(test, akm_ahead_limit(&a, &now), 100 + AKM_AHEAD_SLACK);
}

/* Installed: it may have lain for a day. */
static void ahead_undated(struct kunit *test)
{
	struct akm_ahead_now now = at(40, 5, HOUR);	/* just booted */
	struct akm_ahead a;

	akm_ahead_init(&a, 40, 5);
	KUNIT_EXPECT_EQ(test, akm_ahead_limit(&a, &now),
			40 + 24 * AKM_AHEAD_PACE + AKM_AHEAD_SLACK);
	KUNIT_EXPECT_FALSE(test, a.dated);
}

/* Epochs that rush by (a recording that is played) do not move what is known. */
static void ahead_hears_whole_epochs(struct kunit *test)
{
	struct akm_ahead a;
	struct akm_ahead_now now = at(100, T0 + HOUR / AKM_AHEAD_PACE - 1, HOUR);

	akm_ahead_init(&a, 90, T0);
	akm_ahead_heard(&a, &now, T0);
	KUNIT_EXPECT_FALSE(test, a.dated);
	KUNIT_EXPECT_EQ(test, a.epoch, 90);
	now.time++;
	akm_ahead_heard(&a, &now, T0);
	KUNIT_EXPECT_TRUE(test, a.dated);
	KUNIT_EXPECT_EQ(test, a.epoch, 100);
	KUNIT_EXPECT_EQ(test, a.since, T0);
}

/* ---- whom to believe ---- */

static void ahead_goes_where_time_explains_it(struct kunit *test)
{
	struct akm_ahead a;
	struct akm_ahead_now now = dated(&a, 100, HOUR);
	u64 limit = akm_ahead_limit(&a, &now);

	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, limit), limit);
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, AKM_AHEAD_NOBODY, limit), limit);
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, AKM_AHEAD_NOBODY, limit + 1), 0);
	KUNIT_EXPECT_FALSE(test, a.claimed);
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, limit + 1), 0);
}

static void ahead_wants_two_witnesses(struct kunit *test)
{
	struct akm_ahead a;
	struct akm_ahead_now now = dated(&a, 100, HOUR);

	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 4000), 0);
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 4001), 0);
	now.time += 100LL * AKM_AHEAD_ALONE_MS;	/* it was heard before: time alone does not help */
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 4001), 0);
	/* nobody is led further than both say, whoever comes first */
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, ANOTHER, 1000), 1000);
	now.current_epoch = 1000;
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, ANOTHER, 2000), 0);
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 4000), 2000);
}

/* A word that leads nowhere by now is no second one. */
static void ahead_forgets_old_words(struct kunit *test)
{
	struct akm_ahead a;
	struct akm_ahead_now now = dated(&a, 100, HOUR);

	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 500), 0);
	now.current_epoch = 499;
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, ANOTHER, 4000), 0);
	KUNIT_EXPECT_EQ(test, a.claimant, ANOTHER);
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 501), 501);
}

/* With one other member there is no second witness, and nobody else to be kept from. */
static void ahead_of_two(struct kunit *test)
{
	struct akm_ahead a;
	struct akm_ahead_now now = dated(&a, 100, HOUR);

	now.others = 1;
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 4000), 4000);
}

/* After a restart, if nobody else speaks */
static void ahead_believes_the_only_one(struct kunit *test)
{
	struct akm_ahead_now now = at(40, T0, HOUR);
	struct akm_ahead a;

	akm_ahead_init(&a, 40, T0);
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 1000), 0);
	now.time = T0 + AKM_AHEAD_ALONE_MS - 1;
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 1001), 0);
	now.time++;
	KUNIT_EXPECT_EQ(test, akm_ahead_judge(&a, &now, MEMBER, 1001), 1001);
	KUNIT_EXPECT_FALSE(test, a.claimed);
}

static struct kunit_case ahead_cases[] = {
	KUNIT_CASE(ahead_first),
	KUNIT_CASE(ahead_reach),
	KUNIT_CASE(ahead_tells_who_is_behind),
	KUNIT_CASE(ahead_grows_with_time),
	KUNIT_CASE(ahead_without_timer),
	KUNIT_CASE(ahead_undated),
	KUNIT_CASE(ahead_hears_whole_epochs),
	KUNIT_CASE(ahead_goes_where_time_explains_it),
	KUNIT_CASE(ahead_wants_two_witnesses),
	KUNIT_CASE(ahead_forgets_old_words),
	KUNIT_CASE(ahead_of_two),
	KUNIT_CASE(ahead_believes_the_only_one),
	{}
};

struct kunit_suite akm_ahead_suite = {
	.name = "akm_ahead",
	.test_cases = ahead_cases,
};
