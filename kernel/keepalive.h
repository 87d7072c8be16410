/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keepalives: a member that nothing was sent to for a while is sent an empty packet, so
 * that what stands between the two (a NAT, a firewall) goes on knowing them.
 * Documentation/protocol.rst, "Keepalives".
 *
 * Nothing of it is on the packet path: whether something was sent is seen from the
 * member's counters, which are looked at a few times in each interval.
 */
#ifndef _AKM_KEEPALIVE_H
#define _AKM_KEEPALIVE_H

#include <linux/err.h>
#include <linux/types.h>

struct akm_device;
struct akm_keepalive;
struct akm_member;

#define AKM_KEEPALIVE_MIN_MS	1000U
#define AKM_KEEPALIVE_MAX_MS	(24U * 3600 * 1000)

/* What is known about the last packet to a member. Pure: the time is an argument. */
struct akm_idle {
	u64 count;			/* of packets sent to it, at the last look */
	unsigned long looked;		/* jiffies of that */
	unsigned long since;		/* jiffies: later than this, the last packet was sent */
};

#define AKM_IDLE_LOOKS	4		/* in an interval; what is early is early by one of them */

void akm_idle_init(struct akm_idle *idle, u64 count, unsigned long now);
/**
 * akm_idle_look() - was nothing sent for @interval, as far as can be known?
 * @idle: what was known at the last look
 * @count: of packets sent so far, keepalives not among them
 * @interval: jiffies, at least AKM_IDLE_LOOKS
 * @now: jiffies
 * @ret_wait: jiffies until the next look, to keep the pauses as short as @interval
 *
 * Return: true if a keepalive is due, and taken to be sent.
 */
bool akm_idle_look(struct akm_idle *idle, u64 count, unsigned long interval,
		   unsigned long now, unsigned long *ret_wait);

/* Return: a new one that does nothing yet, NULL if @ms is 0, or an ERR_PTR. */
struct akm_keepalive *akm_keepalive_create(u32 ms);
/* NULL is fine. It does nothing yet. */
void akm_keepalive_free(struct akm_keepalive *keepalive);

/*
 * The device is locked, process context.
 */

/* @keepalive, or NULL for none, instead of what @member has. If @same, and the interval is
 * as before, that goes on. Takes over @keepalive.
 */
void akm_keepalive_replace(struct akm_device *akm, struct akm_member *member,
			   struct akm_keepalive *keepalive, bool same);
/* What may have been lacking is there: all members that have one are sent a keepalive. */
void akm_keepalive_all(struct akm_device *akm);
/* In milliseconds, 0 for none. */
u32 akm_keepalive_interval(const struct akm_member *member);

#endif /* _AKM_KEEPALIVE_H */
