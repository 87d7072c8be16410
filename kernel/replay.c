// SPDX-License-Identifier: GPL-2.0
/*
 * Replay window. A ring of bits as in RFC 6479, so nothing is ever shifted; but
 * cleared bit by bit instead of block by block, so that the window is exactly
 * AKM_REPLAY_WINDOW wide and needs no spare block.
 */
#include "replay.h"

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <asm/barrier.h>

#define RING(number)	((unsigned int)(number) % AKM_REPLAY_WINDOW)

static_assert((AKM_REPLAY_WINDOW & (AKM_REPLAY_WINDOW - 1)) == 0);
static_assert(AKM_REPLAY_WINDOW % BITS_PER_LONG == 0);

/**
 * akm_replay_init() - forget everything
 * @r: the window; the owner's lock is held, or nobody else knows it yet
 */
void akm_replay_init(struct akm_replay *r)
{
	memset(r, 0, sizeof(*r));
}

/* next is the first number that was never seen; written so that it cannot overflow */
static bool too_old(u64 next, u64 number)
{
	return number < next && next - number > AKM_REPLAY_WINDOW;
}

/**
 * akm_replay_likely() - could this number still be accepted?
 * @r: the window
 * @number: packet number of a packet that nobody has authenticated yet
 *
 * Spares the decryption of a packet that akm_replay_check() would refuse anyway.
 *
 * Context: any, no lock.
 * Return: false if @number was seen or is too old.
 */
bool akm_replay_likely(const struct akm_replay *r, u64 number)
{
	u64 next = READ_ONCE(r->next);

	if (number == U64_MAX || too_old(next, number))
		return false;
	if (number >= next)
		return true;
	/* pairs with advance(): who sees the new next sees no bit of the last lap */
	smp_rmb();
	return !test_bit(RING(number), r->bits);
}

/* Make @number the highest: the bits of the numbers skipped, and its own, become 0. */
static void advance(struct akm_replay *r, u64 number)
{
	unsigned int start = RING(r->next), count, head;

	count = min_t(u64, number - r->next + 1, AKM_REPLAY_WINDOW);
	head = min_t(unsigned int, count, AKM_REPLAY_WINDOW - start);
	bitmap_clear(r->bits, start, head);
	bitmap_clear(r->bits, 0, count - head);
	/* pairs with akm_replay_likely() */
	smp_wmb();
	WRITE_ONCE(r->next, number + 1);
}

/**
 * akm_replay_check() - accept a number once
 * @r: the window
 * @number: packet number of an authentic packet
 *
 * Context: any, under the owner's lock.
 * Return: true if @number is new, and marks it; false if it was seen or is too old.
 */
bool akm_replay_check(struct akm_replay *r, u64 number)
{
	if (likely(number == r->next && number != U64_MAX)) {
		/*
		 * Who reads the new next first may find the last lap's bit, and whatever that
		 * says of @number is right: it is being accepted.
		 */
		WRITE_ONCE(r->next, number + 1);
		__set_bit(RING(number), r->bits);
		return true;
	}
	if (number == U64_MAX || too_old(r->next, number))
		return false;
	if (number >= r->next)
		advance(r, number);
	return !__test_and_set_bit(RING(number), r->bits);
}

void akm_prints_note(struct akm_prints *prints, u64 number, u16 print)
{
	WRITE_ONCE(prints->of[RING(number)], print);
}

enum akm_likeness akm_prints_compare(const struct akm_prints *prints,
				     const struct akm_replay *r, u64 number, u16 print)
{
	u64 next = READ_ONCE(r->next);
	u16 known;

	if (number >= next || too_old(next, number) || !test_bit(RING(number), r->bits))
		return AKM_LIKE_NOTHING;
	known = READ_ONCE(prints->of[RING(number)]);
	if (!known)
		return AKM_LIKE_NOTHING;
	return known == print ? AKM_LIKE_SEEN : AKM_UNLIKE_SEEN;
}
