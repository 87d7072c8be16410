/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is to be told of a step that an epoch has made, when, and by whom: a member that
 * steps by itself tells all others, three times; who was pulled along tells nobody.
 * Documentation/protocol.rst, "Catching up"; Documentation/security.rst, "Who slept".
 * Pure: time and randomness are arguments, the caller locks.
 *
 * What bounds it: timers of many members may be due at once. Each of them waits at random
 * before it begins, and leaves it to another one that has begun before; of those that have
 * begun the one with the lowest index goes on. None sends faster than AKM_ANNOUNCE_BURST per
 * AKM_ANNOUNCE_PAUSE_MS, and nothing but its own step makes a member tell.
 */
#ifndef _AKM_ANNOUNCE_H
#define _AKM_ANNOUNCE_H

#include <linux/types.h>

#define AKM_ANNOUNCE_ROUNDS		3	/* how often everybody is told: notices get lost, too */
#define AKM_ANNOUNCE_SPREAD_MS	4	/* per member: over which the beginning is spread */
/* So many notices at once; 6,400 per second, and 1,000 members within 160 ms */
#define AKM_ANNOUNCE_BURST		64
#define AKM_ANNOUNCE_PAUSE_MS	10

#define AKM_ANNOUNCE_NOBODY		0xffff	/* no index */

struct akm_announce {
	unsigned int rounds;		/* still to be made, with the one under way; 0: idle */
	unsigned long at;		/* jiffies: when to go on, unless idle */
	unsigned long pause;		/* jiffies between the beginnings of two rounds */
	unsigned long next_round;	/* jiffies, once the first has begun */
	u32 place;			/* in the round under way: members beyond are to be told */
	bool begun;
};

/**
 * akm_announce_start() - an epoch has begun, and nobody has told us
 * @tell: forgets what was to be told before
 * @now: jiffies
 * @grace: for which the others keep the epoch before, as far as we know; ms
 * @members: how many there are
 * @random: any number
 *
 * All rounds begin within half of @grace.
 */
void akm_announce_start(struct akm_announce *tell, unsigned long now, u32 grace, u32 members,
			u32 random);

static inline void akm_announce_stop(struct akm_announce *tell)
{
	tell->rounds = 0;
}

/**
 * akm_announce_heard() - another member has told us of the same epoch
 * @tell: idle, if it is the other's turn
 * @self: own index
 * @other: its index; AKM_ANNOUNCE_NOBODY changes nothing
 */
void akm_announce_heard(struct akm_announce *tell, u16 self, u16 other);

/* Up to AKM_ANNOUNCE_BURST members beyond @place have been told, up to @last; @done: there are no more. */
void akm_announce_told(struct akm_announce *tell, unsigned long now, u32 last, bool done);

/*
 * A round goes from the member behind @self to the one before it, so that those who tell at
 * once do not all begin with the same. A place is how far a member is behind @self.
 */
static inline u32 akm_announce_place(u16 self, u16 index)
{
	return (u16)(index - self);
}

static inline u16 akm_announce_index(u16 self, u32 place)
{
	return self + place;
}

#endif /* _AKM_ANNOUNCE_H */
