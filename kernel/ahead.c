// SPDX-License-Identifier: GPL-2.0
#include "ahead.h"

#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

void akm_ahead_init(struct akm_ahead *ahead, u64 epoch, s64 time)
{
	memset(ahead, 0, sizeof(*ahead));
	ahead->epoch = epoch;
	ahead->since = time - AKM_AHEAD_UNDATED_MS;
}

void akm_ahead_heard(struct akm_ahead *ahead, const struct akm_ahead_now *now, s64 began)
{
	if (now->time - began < now->interval / AKM_AHEAD_PACE)
		return;
	ahead->epoch = now->current_epoch;
	ahead->since = began;
	ahead->dated = true;
}

u64 akm_ahead_limit(const struct akm_ahead *ahead, const struct akm_ahead_now *now)
{
	u64 elapsed = max_t(s64, now->time - ahead->since, 0);
	u64 passed = 0;

	if (now->interval)
		passed = div_u64(elapsed * AKM_AHEAD_PACE, now->interval);
	return ahead->epoch + passed + AKM_AHEAD_SLACK;
}

u64 akm_ahead_first(u64 current_epoch, u8 low_byte)
{
	u64 lowest = current_epoch + 2;		/* the next one is there already */

	return lowest + (u8)(low_byte - (u8)lowest);
}

u8 akm_ahead_behind(u64 current_epoch, u8 low_byte)
{
	u8 behind = (u8)current_epoch - low_byte;

	return behind <= AKM_BEHIND_MAX && behind <= current_epoch ? behind : 0;
}

/* Is there a word of somebody else that leads ahead? */
static bool has_witness(const struct akm_ahead *ahead, const struct akm_ahead_now *now,
			u16 member)
{
	return ahead->claimed && ahead->claimant != member &&
	       ahead->claim > now->current_epoch + 1;
}

static void note_claim(struct akm_ahead *ahead, const struct akm_ahead_now *now, u16 member,
		       u64 epoch)
{
	if (!ahead->claimed || ahead->claimant != member)
		ahead->claimed_at = now->time;
	ahead->claimed = true;
	ahead->claimant = member;
	ahead->claim = epoch;
}

/* After a restart somebody who is the only one to be heard for long is believed. */
static bool alone_for_long(const struct akm_ahead *ahead, const struct akm_ahead_now *now,
			   u16 member)
{
	return !ahead->dated && ahead->claimed && ahead->claimant == member &&
	       now->time - ahead->claimed_at >= AKM_AHEAD_ALONE_MS;
}

u64 akm_ahead_judge(struct akm_ahead *ahead, const struct akm_ahead_now *now, u16 member,
		    u64 epoch)
{
	bool explained = epoch <= akm_ahead_limit(ahead, now);

	if (!explained && member == AKM_AHEAD_NOBODY)
		return 0;
	if (!explained && has_witness(ahead, now, member)) {
		epoch = min(epoch, ahead->claim);
	} else if (!explained && now->others > 1 && !alone_for_long(ahead, now, member)) {
		note_claim(ahead, now, member, epoch);
		return 0;
	}
	ahead->claimed = false;
	return epoch;
}
