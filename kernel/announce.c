// SPDX-License-Identifier: GPL-2.0
#include "announce.h"

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/typecheck.h>

/* of the grace period: the longest delay and the pauses of all rounds but the last are half */
#define GRACE_PARTS	(2 * AKM_ANNOUNCE_ROUNDS)

void akm_announce_start(struct akm_announce *tell, unsigned long now, u32 grace, u32 members,
			u32 random)
{
	u32 longest = min(members * AKM_ANNOUNCE_SPREAD_MS, grace / GRACE_PARTS);

	*tell = (struct akm_announce) {
		.rounds = AKM_ANNOUNCE_ROUNDS,
		.at = now + msecs_to_jiffies(random % (longest + 1)),
		.pause = msecs_to_jiffies(grace / GRACE_PARTS),
	};
}

void akm_announce_heard(struct akm_announce *tell, u16 self, u16 other)
{
	if (other != AKM_ANNOUNCE_NOBODY && (!tell->begun || other < self))
		akm_announce_stop(tell);
}

void akm_announce_told(struct akm_announce *tell, unsigned long now, u32 last, bool done)
{
	if (!tell->place)
		tell->next_round = now + tell->pause;
	tell->begun = true;
	tell->place = done ? 0 : last;
	tell->rounds -= done;
	tell->at = now + msecs_to_jiffies(AKM_ANNOUNCE_PAUSE_MS);
	if (done && time_before(tell->at, tell->next_round))
		tell->at = tell->next_round;
}
