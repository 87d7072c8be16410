/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Epochs far ahead: which of them a packet under no known epoch may be of, how far ahead
 * the others can plausibly be, and whose word is needed for more.
 * Documentation/protocol.rst, "Catching up"; Documentation/security.rst, "Who slept".
 * Pure: time is an argument, the caller locks.
 */
#ifndef _AKM_AHEAD_H
#define _AKM_AHEAD_H

#include <linux/types.h>

/* Steps a chain may lag behind: when it is installed, and when its owner wakes up */
#define AKM_CATCH_UP_MAX	4096
/*
 * Epochs ahead that need no time: those that peers made early (by count, on command) and
 * the jitter of their timers.
 */
#define AKM_AHEAD_SLACK		8
/* Epochs may have passed at up to this many times the pace of the own timer. */
#define AKM_AHEAD_PACE		2
/* How long a chain that was just installed may have lain in a store: a day, in ms */
#define AKM_AHEAD_UNDATED_MS	(24 * 3600 * 1000)
/* For so long the only one who speaks is not believed about more; ms */
#define AKM_AHEAD_ALONE_MS	(60 * 1000)

/*
 * Tries to read a packet: so many at once, and so many per second afterwards. A try is at
 * most AKM_CATCH_UP_MAX steps of two chains and a 256th of that in traffic keys: some 20 ms
 * (tests/kunit/catchup_test.c prints what a step takes).
 */
#define AKM_AHEAD_BURST		4
#define AKM_AHEAD_RATE		1

/* What one generation knows about where the others are */
struct akm_ahead {
	u64 epoch;			/* others were heard in it */
	s64 since;			/* and then it began: ms of CLOCK_BOOTTIME */
	bool dated;			/* heard indeed, not only assumed */
	bool claimed;			/* claimant proved that claim exists, and was not believed */
	u16 claimant;
	u64 claim;
	s64 claimed_at;			/* when it began to; ms of CLOCK_BOOTTIME */
};

/* At this moment */
struct akm_ahead_now {
	u64 current_epoch;		/* the generation's */
	s64 time;			/* ms of CLOCK_BOOTTIME */
	u32 interval;			/* of epochs, ms; 0: no timer */
	u32 others;			/* members besides ourselves */
};

/* The chain of @epoch was installed at @time (ms of CLOCK_BOOTTIME). */
void akm_ahead_init(struct akm_ahead *ahead, u64 epoch, s64 time);
/*
 * Others have been heard in the current epoch, which began at @began. An epoch that was
 * shorter than its interval allows proves nothing: it may be made of a recording.
 */
void akm_ahead_heard(struct akm_ahead *ahead, const struct akm_ahead_now *now, s64 began);
/* The last epoch that the others can be in, as far as time can explain it. */
u64 akm_ahead_limit(const struct akm_ahead *ahead, const struct akm_ahead_now *now);

/*
 * The epochs that a packet with this low byte may be of, if none that is held opens it:
 * from this one on every 256th, for as long as akm_ahead_reachable().
 */
u64 akm_ahead_first(u64 current_epoch, u8 low_byte);
static inline bool akm_ahead_reachable(u64 current_epoch, u64 epoch)
{
	return epoch - current_epoch <= AKM_CATCH_UP_MAX;
}

/* A byte that names an epoch tells what is behind up to here; beyond that it is as well ahead. */
#define AKM_BEHIND_MAX		127
/*
 * By how many epochs is a packet with this low byte behind, if it is not ahead? 0: there is
 * no such epoch. Nothing of it is proved.
 */
u8 akm_ahead_behind(u64 current_epoch, u8 low_byte);

#define AKM_AHEAD_NOBODY	0xffff	/* no index: under a group key everybody can seal */
/**
 * akm_ahead_judge() - somebody has proved that an epoch exists
 * @ahead: changed only by what is proved
 * @now: the moment
 * @member: who; AKM_AHEAD_NOBODY if it may be any of them
 * @epoch: akm_ahead_reachable(), and more than one ahead
 *
 * Return: the epoch to go to, or 0: stay.
 */
u64 akm_ahead_judge(struct akm_ahead *ahead, const struct akm_ahead_now *now, u16 member,
		    u64 epoch);

#endif /* _AKM_AHEAD_H */
