// SPDX-License-Identifier: GPL-2.0
/*
 * Who tells whom of a step, how often and when; and that many members who step at once do
 * not all tell everybody (P11). Mutants: mutants.txt.
 */
#include "announce.h"

#include <linux/jiffies.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "util.h"

#define NOW		(INITIAL_JIFFIES + 1000)
#define GRACE		6000
#define PAUSE		msecs_to_jiffies(GRACE / 6)
#define SELF		7

/* ---- one of them ---- */

static void tell_begins_soon(struct kunit *test)
{
	struct akm_announce t;

	akm_announce_start(&t, NOW, GRACE, 10, 0);
	KUNIT_EXPECT_EQ(test, t.rounds, AKM_ANNOUNCE_ROUNDS);
	KUNIT_EXPECT_EQ(test, t.at, NOW);
	akm_announce_start(&t, NOW, GRACE, 10, 10 * AKM_ANNOUNCE_SPREAD_MS);
	KUNIT_EXPECT_EQ(test, t.at, NOW + msecs_to_jiffies(10 * AKM_ANNOUNCE_SPREAD_MS));
	/* many members spread further, but not beyond what leaves time for all rounds */
	akm_announce_start(&t, NOW, GRACE, 16384, GRACE / 6);
	KUNIT_EXPECT_EQ(test, t.at, NOW + PAUSE);
	akm_announce_start(&t, NOW, GRACE, 16384, GRACE / 6 + 1);
	KUNIT_EXPECT_EQ(test, t.at, NOW);
	akm_announce_start(&t, NOW, 0, 16384, 12345);
	KUNIT_EXPECT_EQ(test, t.at, NOW);
}

/* All rounds begin within half the grace, if each is short. */
static void tell_three_times(struct kunit *test)
{
	struct akm_announce t;
	unsigned int n = 0;

	akm_announce_start(&t, NOW, GRACE, 16384, GRACE / 6);
	for (; t.rounds; n++) {
		KUNIT_EXPECT_EQ(test, t.at, NOW + (n + 1) * PAUSE);
		KUNIT_EXPECT_EQ(test, t.place, 0);
		akm_announce_told(&t, t.at, 9, true);
	}
	KUNIT_EXPECT_EQ(test, n, AKM_ANNOUNCE_ROUNDS);
	KUNIT_EXPECT_LE(test, n * PAUSE, msecs_to_jiffies(GRACE / 2) + n);
}

/* One burst after the other; the next round when it is time, or at once if that is past. */
static void tell_in_bursts(struct kunit *test)
{
	const unsigned long pause = msecs_to_jiffies(AKM_ANNOUNCE_PAUSE_MS);
	struct akm_announce t;

	akm_announce_start(&t, NOW, GRACE, 16384, 0);
	akm_announce_told(&t, NOW, 64, false);
	KUNIT_EXPECT_EQ(test, t.place, 64);
	KUNIT_EXPECT_EQ(test, t.at, NOW + pause);
	KUNIT_EXPECT_EQ(test, t.rounds, AKM_ANNOUNCE_ROUNDS);
	akm_announce_told(&t, NOW + pause, 100, true);
	KUNIT_EXPECT_EQ(test, t.place, 0);
	KUNIT_EXPECT_EQ(test, t.at, NOW + PAUSE);
	KUNIT_EXPECT_EQ(test, t.rounds, AKM_ANNOUNCE_ROUNDS - 1);
	akm_announce_told(&t, NOW + PAUSE, 64, false);
	akm_announce_told(&t, NOW + 3 * PAUSE, 100, true);
	KUNIT_EXPECT_EQ(test, t.at, NOW + 3 * PAUSE + pause);
}

static void tell_leaves_it_to_another(struct kunit *test)
{
	struct akm_announce t;

	/* who has not begun: to anybody */
	akm_announce_start(&t, NOW, GRACE, 10, 0);
	akm_announce_heard(&t, SELF, AKM_ANNOUNCE_NOBODY);
	KUNIT_EXPECT_EQ(test, t.rounds, AKM_ANNOUNCE_ROUNDS);
	akm_announce_heard(&t, SELF, SELF + 1);
	KUNIT_EXPECT_EQ(test, t.rounds, 0);
	/* who has: to a lower one, so that somebody is left */
	akm_announce_start(&t, NOW, GRACE, 10, 0);
	akm_announce_told(&t, NOW, 9, true);
	akm_announce_heard(&t, SELF, AKM_ANNOUNCE_NOBODY);
	akm_announce_heard(&t, SELF, SELF + 1);
	KUNIT_EXPECT_EQ(test, t.rounds, AKM_ANNOUNCE_ROUNDS - 1);
	akm_announce_heard(&t, SELF, SELF - 1);
	KUNIT_EXPECT_EQ(test, t.rounds, 0);
	/* and that goes for this step only */
	akm_announce_start(&t, NOW, GRACE, 10, 0);
	akm_announce_heard(&t, SELF, AKM_ANNOUNCE_NOBODY);
	KUNIT_EXPECT_EQ(test, t.rounds, AKM_ANNOUNCE_ROUNDS);
}

static void tell_in_a_round(struct kunit *test)
{
	static const u16 indices[] = { 0, 1, SELF, 0xfffd, 0xfffe };
	int i, j;

	for (i = 0; i < ARRAY_SIZE(indices); i++)
		for (j = 0; j < ARRAY_SIZE(indices); j++) {
			u32 place = akm_announce_place(indices[i], indices[j]);

			KUNIT_EXPECT_EQ(test, akm_announce_index(indices[i], place), indices[j]);
			KUNIT_EXPECT_EQ(test, !place, i == j);
		}
}

/* ---- a thousand of them ---- */

#define MEMBERS		1000
#define DELAY		max_t(unsigned long, msecs_to_jiffies(10), 1)	/* of the wire */

struct storm {
	struct akm_announce tell[MEMBERS];
	u16 teller[MEMBERS];		/* the lowest one that it has heard */
	u16 arriving[MEMBERS];		/* and what is on the wire to it, */
	unsigned long arrival[MEMBERS];	/* until then; what follows on its heels changes little */
	unsigned int told[MEMBERS];	/* how often */
	struct rnd_state random;
	u32 loss;			/* per cent */
	unsigned int sent;
};

static void storm_send(struct storm *s, u16 from, u16 to, unsigned long now)
{
	s->sent++;
	if (prandom_u32_state(&s->random) % 100 < s->loss)
		return;
	s->told[to]++;
	if (s->arriving[to] == AKM_ANNOUNCE_NOBODY)
		s->arrival[to] = now + DELAY;
	s->arriving[to] = min(s->arriving[to], from);
}

static void storm_arrive(struct storm *s, u16 i, unsigned long now)
{
	if (s->arriving[i] == AKM_ANNOUNCE_NOBODY || time_before(now, s->arrival[i]))
		return;
	s->teller[i] = min(s->teller[i], s->arriving[i]);
	s->arriving[i] = AKM_ANNOUNCE_NOBODY;
}

/* As generation.c and notice.c do it. Return: it has still to tell. */
static bool storm_tend(struct storm *s, u16 i, unsigned long now)
{
	struct akm_announce *tell = &s->tell[i];
	u32 place = tell->place;
	int n;

	akm_announce_heard(tell, i, s->teller[i]);
	if (!tell->rounds || time_before(now, tell->at))
		return tell->rounds;
	for (n = 0; n < AKM_ANNOUNCE_BURST && place < MEMBERS - 1; n++) {
		place++;
		storm_send(s, i, (i + place) % MEMBERS, now);
	}
	akm_announce_told(tell, now, place, n < AKM_ANNOUNCE_BURST);
	return tell->rounds;
}

/* All step in the same instant: the worst that timers can do. */
static void storm(struct kunit *test, struct storm *s, u32 grace, u32 loss)
{
	unsigned long now = NOW, end = NOW + msecs_to_jiffies(2 * grace);
	bool busy = true;
	int i;

	memset(s, 0, sizeof(*s));
	s->loss = loss;
	prandom_seed_state(&s->random, grace + loss);
	for (i = 0; i < MEMBERS; i++) {
		s->teller[i] = AKM_ANNOUNCE_NOBODY;
		s->arriving[i] = AKM_ANNOUNCE_NOBODY;
		akm_announce_start(&s->tell[i], now, grace, MEMBERS, prandom_u32_state(&s->random));
	}
	for (; busy && time_before(now, end); now++) {
		busy = false;
		for (i = 0; i < MEMBERS; i++)
			storm_arrive(s, i, now);
		for (i = 0; i < MEMBERS; i++)
			busy |= storm_tend(s, i, now);
		cond_resched();
	}
	KUNIT_EXPECT_FALSE(test, busy);
	kunit_info(test, "%u members, grace %u ms, loss %u %%: %u notices", MEMBERS, grace, loss,
		   s->sent);
}

/* Who tells knows. */
static unsigned int storm_untold(const struct storm *s)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i < MEMBERS; i++)
		n += !s->told[i] && !s->tell[i].begun;
	return n;
}

/*
 * What one alone would send, a few times over; not what a thousand would: 3 million. With a
 * short grace there is less time in which one could hear of another.
 */
static void tell_makes_no_storm(struct kunit *test)
{
	/* one of them at least makes all its rounds: three losses in a row are 3 % */
	static const struct { u32 grace, loss, most, untold; } cases[] = {
		{ 10000, 0, 10, 0 }, { 10000, 30, 10, MEMBERS / 20 }, { 500, 0, 30, 0 },
	};
	struct storm *s = kunit_kmalloc(test, sizeof(*s), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		storm(test, s, cases[i].grace, cases[i].loss);
		KUNIT_EXPECT_GE(test, s->sent, AKM_ANNOUNCE_ROUNDS * (MEMBERS - 1));
		KUNIT_EXPECT_LE(test, s->sent, cases[i].most * AKM_ANNOUNCE_ROUNDS * MEMBERS);
		KUNIT_EXPECT_LE(test, storm_untold(s), cases[i].untold);
	}
}

static struct kunit_case tell_cases[] = {
	KUNIT_CASE(tell_begins_soon),
	KUNIT_CASE(tell_three_times),
	KUNIT_CASE(tell_in_bursts),
	KUNIT_CASE(tell_leaves_it_to_another),
	KUNIT_CASE(tell_in_a_round),
	KUNIT_CASE(tell_makes_no_storm),
	{}
};

struct kunit_suite akm_announce_suite = {
	.name = "akm_announce",
	.test_cases = tell_cases,
};
