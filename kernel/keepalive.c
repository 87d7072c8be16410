// SPDX-License-Identifier: GPL-2.0
#include "keepalive.h"

#include <linux/random.h>
#include <linux/slab.h>
#include "atr.h"
#include "device.h"
#include "hello.h"
#include "roam.h"

struct akm_keepalive {
	struct akm_device *akm;
	struct akm_member *member;	/* has this, and stops it before it goes */
	u32 ms;
	bool at_once;			/* whether or not something was sent */
	struct akm_idle idle;		/* the work's */
	struct delayed_work work;
};

void akm_idle_init(struct akm_idle *idle, u64 count, unsigned long now)
{
	*idle = (struct akm_idle) { .count = count, .looked = now, .since = now };
}

bool akm_idle_look(struct akm_idle *idle, u64 count, unsigned long interval,
		   unsigned long now, unsigned long *ret_wait)
{
	bool due;

	if (count != idle->count)
		idle->since = idle->looked;	/* perhaps right after it */
	idle->count = count;
	idle->looked = now;
	due = time_after_eq(now, idle->since + interval);
	if (due)
		idle->since = now;
	*ret_wait = min(interval / AKM_IDLE_LOOKS, idle->since + interval - now);
	return due;
}

static unsigned long interval(const struct akm_keepalive *keepalive)
{
	/* slow clocks: a look per tick is the most there is */
	return max_t(unsigned long, msecs_to_jiffies(keepalive->ms), AKM_IDLE_LOOKS);
}

/* Everything that goes to the member's endpoint keeps the way there open. */
static u64 count_sent(const struct akm_member *member)
{
	u64 v[AKM_STATS];

	akm_stats_read(&member->stats, v);
	return v[AKM_STAT_TX_PACKETS] + v[AKM_STAT_TX_HELLO] + v[AKM_STAT_TX_HELLO_ACK] +
	       v[AKM_STAT_TX_NOTICE];
}

static void look(struct work_struct *work)
{
	struct akm_keepalive *keepalive = container_of(to_delayed_work(work),
						       struct akm_keepalive, work);
	struct akm_device *akm = keepalive->akm;
	struct akm_member *member = keepalive->member;
	unsigned long wait;

	if (xchg(&keepalive->at_once, false))
		keepalive->idle.since = jiffies - interval(keepalive);
	if (akm_idle_look(&keepalive->idle, count_sent(member), interval(keepalive), jiffies,
			  &wait) &&
	    netif_running(akm->dev) && akm_member_reachable(member))
		akm_hello_keepalive(akm, member->index);
	queue_delayed_work(akm_workqueue, &keepalive->work, wait);
}

/* Not all members at the same instant */
static void send_soon(struct akm_keepalive *keepalive)
{
	WRITE_ONCE(keepalive->at_once, true);
	mod_delayed_work(akm_workqueue, &keepalive->work, 1 + akm_hello_spread(keepalive->akm));
}

struct akm_keepalive *akm_keepalive_create(u32 ms)
{
	struct akm_keepalive *keepalive;

	if (!ms)
		return NULL;
	keepalive = kzalloc(sizeof(*keepalive), GFP_KERNEL);
	if (!keepalive)
		return ERR_PTR(-ENOMEM);
	keepalive->ms = ms;
	INIT_DELAYED_WORK(&keepalive->work, look);
	return keepalive;
}

void akm_keepalive_free(struct akm_keepalive *keepalive)
{
	kfree(keepalive);
}

static void stop(struct akm_keepalive *keepalive)
{
	if (!keepalive)
		return;
	cancel_delayed_work_sync(&keepalive->work);
	akm_keepalive_free(keepalive);
}

void akm_keepalive_replace(struct akm_device *akm, struct akm_member *member,
			   struct akm_keepalive *keepalive, bool same)
{
	struct akm_keepalive *old = member->keepalive;

	lockdep_assert_held(&akm->lock);
	if (same && old && keepalive && old->ms == keepalive->ms) {
		akm_keepalive_free(keepalive);
		return;
	}
	member->keepalive = keepalive;
	stop(old);
	if (!keepalive)
		return;
	keepalive->akm = akm;
	keepalive->member = member;
	akm_idle_init(&keepalive->idle, count_sent(member), jiffies);
	send_soon(keepalive);
}

void akm_keepalive_all(struct akm_device *akm)
{
	struct akm_member *member;
	unsigned long index;

	lockdep_assert_held(&akm->lock);
	xa_for_each(&akm->members, index, member)
		if (member->keepalive)
			send_soon(member->keepalive);
}

u32 akm_keepalive_interval(const struct akm_member *member)
{
	return member->keepalive ? member->keepalive->ms : 0;
}
