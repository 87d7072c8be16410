// SPDX-License-Identifier: GPL-2.0
/*
 * Replay window: tables, and random walks beside a model that remembers every
 * number. Mutants that these tests were seen to refuse: mutants.txt.
 */
#include "replay.h"

#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/string.h>

#include "util.h"

#define W	AKM_REPLAY_WINDOW
#define INC(n)	((u64)(n) << AKM_SEQUENCE_BITS)		/* first number of an incarnation */

struct step {
	u64 number;
	bool accept;
};

/* One window, from empty. The unlocked look must agree with the check that follows it. */
static void play(struct kunit *test, const char *what, const struct step *steps, int n)
{
	struct akm_replay *r = kunit_kmalloc(test, sizeof(*r), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	memset(r, 0xff, sizeof(*r));
	akm_replay_init(r);
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ_MSG(test, akm_replay_likely(r, steps[i].number), steps[i].accept,
				    "%s, step %d: likely(%llu)", what, i, steps[i].number);
		KUNIT_EXPECT_EQ_MSG(test, akm_replay_check(r, steps[i].number), steps[i].accept,
				    "%s, step %d: check(%llu)", what, i, steps[i].number);
	}
}

#define PLAY(test, what, ...) do {					\
	static const struct step steps[] = { __VA_ARGS__ };		\
									\
	play(test, what, steps, ARRAY_SIZE(steps));			\
} while (0)

static void replay_refuses(struct kunit *test)
{
	PLAY(test, "the same number twice", { 7, true }, { 7, false }, { 7, false });
	PLAY(test, "zero twice", { 0, true }, { 0, false });
	PLAY(test, "again after a later one", { 1, true }, { 2, true }, { 1, false }, { 2, false });
	PLAY(test, "the last number of all", { U64_MAX, false }, { U64_MAX - 1, true },
	     { U64_MAX - 1, false }, { U64_MAX, false });
	PLAY(test, "older than the window", { W, true }, { 0, false });
	PLAY(test, "an earlier incarnation", { INC(2), true }, { INC(1), false },
	     { INC(2) - W, false }, { INC(2), false });
}

static void replay_edges(struct kunit *test)
{
	PLAY(test, "last one inside", { W - 1, true }, { 0, true }, { 0, false });
	PLAY(test, "first one outside", { W, true }, { 0, false }, { 1, true }, { 1, false });
	PLAY(test, "gap filled late", { 0, true }, { 100, true }, { 50, true }, { 50, false },
	     { 99, true }, { 1, true }, { 0, false });
	PLAY(test, "one lap, same bit", { 5, true }, { 5 + W, true }, { 5, false },
	     { 5 + W, false }, { 6, true }, { 6, false }, { 6 + W, true }, { 6, false },
	     { 7, true }, { 7, false });
	PLAY(test, "long words' edges", { 63, true }, { 64, true }, { 127, true }, { 128, true },
	     { 63, false }, { 64, false }, { 65, true }, { 62, true });
}

/* What a jump passes over is new, what it leaves behind is gone, nothing else is forgotten. */
static void replay_jumps(struct kunit *test)
{
	PLAY(test, "by the window less one", { 10, true }, { 10 + W - 1, true }, { 10, false },
	     { 11, true }, { 9, false });
	PLAY(test, "by the window", { 10, true }, { 10 + W, true }, { 10, false }, { 11, true });
	PLAY(test, "by several laps", { 10, true }, { 10 + 5 * W + 3, true },
	     { 10 + 4 * W + 4, true }, { 10 + 4 * W + 3, false }, { 10 + 5 * W + 2, true },
	     { 10 + 5 * W + 3, false });
	PLAY(test, "to the next incarnation", { INC(1), true }, { INC(1) + 1, true },
	     { INC(2), true }, { INC(2) - 1, true }, { INC(2) - W + 1, true },
	     { INC(2) - W, false }, { INC(1) + 2, false }, { INC(2), false });
	PLAY(test, "to the last incarnation", { INC(1), true }, { INC(0xffffff), true },
	     { INC(0x800000), false }, { INC(0xffffff), false }, { INC(0xffffff) + 1, true });
	PLAY(test, "to the end of all numbers", { 3, true }, { U64_MAX - 1, true },
	     { U64_MAX - W, true }, { U64_MAX - W - 1, false }, { 4, false },
	     { U64_MAX, false }, { 0, false }, { U64_MAX - 2, true }, { U64_MAX - 2, false });
}

/* In order, every number once, over many laps: none refused, no repeat accepted. */
static void replay_in_order(struct kunit *test)
{
	struct akm_replay *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	u64 n, back;

	KUNIT_ASSERT_NOT_NULL(test, r);
	akm_replay_init(r);
	for (n = INC(1) - W; n < INC(1) + 3 * W; n++) {
		KUNIT_ASSERT_TRUE(test, akm_replay_check(r, n));
		for (back = 0; back < W; back += 97)
			if (n - back >= INC(1) - W)
				KUNIT_ASSERT_FALSE(test, akm_replay_check(r, n - back));
	}
}

/* The worst order that the window allows: each block backwards */
static void replay_reversed(struct kunit *test)
{
	struct akm_replay *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	u64 block, i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	akm_replay_init(r);
	for (block = 0; block < 4; block++) {
		for (i = W; i-- > 0;)
			KUNIT_ASSERT_TRUE(test, akm_replay_check(r, block * W + i));
		for (i = W; i-- > 0;)
			KUNIT_ASSERT_FALSE(test, akm_replay_check(r, block * W + i));
	}
}

#define MODEL_MAX	3000

struct model {
	u64 highest;
	int n;
	u64 seen[MODEL_MAX];		/* every number ever accepted */
};

static bool model_check(struct model *m, u64 number)
{
	int i;

	if (number == U64_MAX)
		return false;
	if (!m->n)
		m->highest = number;
	if (number < m->highest && m->highest - number >= W)
		return false;
	for (i = 0; i < m->n; i++)
		if (m->seen[i] == number)
			return false;
	m->seen[m->n++] = number;
	m->highest = max(m->highest, number);
	return true;
}

static u64 back(u64 from, u64 by)
{
	return from - min(from, by);
}

/* Near the highest number mostly, at the window's edge often, far away sometimes */
static u64 next_number(struct rnd_state *rnd, u64 highest)
{
	u32 r = prandom_u32_state(rnd), d = prandom_u32_state(rnd);

	switch (r % 16) {
	case 0:
		return highest + d % (3 * W);
	case 1:
		return back(highest, W - 2 + d % 4);
	case 2:
		return back(highest, d % (3 * W));
	case 3:
		return highest;
	case 4:
		return d % 4;
	case 5:
		return d % 128 ? U64_MAX : highest + INC(1);
	case 6 ... 10:
		return back(highest, d % 64);
	default:
		return highest + 1 + d % 3;
	}
}

static void replay_random(struct kunit *test)
{
	static const u64 starts[] = { 0, INC(1), INC(2) - 1000, 1ULL << 63, U64_MAX - 4 * W };
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct akm_replay *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	struct rnd_state rnd;
	int round, i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_ASSERT_NOT_NULL(test, r);
	for (round = 0; round < 40; round++) {
		prandom_seed_state(&rnd, round);
		akm_replay_init(r);
		*m = (struct model){ .highest = starts[round % ARRAY_SIZE(starts)] };
		for (i = 0; i < MODEL_MAX; i++) {
			u64 number = next_number(&rnd, m->highest);
			bool likely = akm_replay_likely(r, number);
			bool want = model_check(m, number);

			KUNIT_ASSERT_EQ_MSG(test, likely, want, "round %d, step %d: likely(%llu)",
					    round, i, number);
			KUNIT_ASSERT_EQ_MSG(test, akm_replay_check(r, number), want,
					    "round %d, step %d: check(%llu)", round, i, number);
		}
		KUNIT_EXPECT_GT(test, m->n, 100);	/* it went somewhere */
	}
}

static struct kunit_case replay_cases[] = {
	KUNIT_CASE(replay_refuses),
	KUNIT_CASE(replay_edges),
	KUNIT_CASE(replay_jumps),
	KUNIT_CASE(replay_in_order),
	KUNIT_CASE(replay_reversed),
	KUNIT_CASE(replay_random),
	{}
};

struct kunit_suite akm_replay_suite = {
	.name = "akm_replay",
	.test_cases = replay_cases,
};
