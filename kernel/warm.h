/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Warm and cold members. A warm member has its traffic keys in every generation and epoch;
 * of a cold one there is only what they are made from. Documentation/protocol.rst, "Many
 * members".
 *
 *	COLD --a packet to or from it--> its packets wait --the work has made keys,
 *	  ^                              and none waits any more--> WARM
 *	  |                                                           |
 *	  +--- a step, and it has not talked since the last one ------+
 *	  +--- nothing that came from it was authentic ---------------+
 *
 * Keys are made in process context under the device lock. They are used by the packet path
 * when everything that waited for them has gone: nothing overtakes.
 */
#ifndef _AKM_WARM_H
#define _AKM_WARM_H

#include <linux/list.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "monitor.h"
#include "proto.h"

struct akm_device;
struct akm_epoch;
struct akm_generation;
struct akm_member;

#define AKM_WARM_MEMBERS	64	/* of a device, all of which stay warm */
/* What waits for keys, received and to be sent each for itself */
#define AKM_COLD_PACKETS	256	/* of one member */
#define AKM_COLD_BYTES		(512U << 10)	/* likewise, memory held */
#define AKM_COLD_DEVICE_PACKETS	4096	/* of one device */
#define AKM_COLD_DEVICE_BYTES	(8U << 20)
#define AKM_COLD_MEMBERS	4096	/* that wait at the same time, of one device */
#define AKM_COLD_ROUNDS		16	/* the queue is emptied so often, then it takes no more */
/* Members whose keys are made for a packet that nobody has authenticated, of one device */
#define AKM_TRIAL_BURST		1024	/* at once: that all begin to talk is no attack, */
#define AKM_TRIAL_RATE		256	/* and per second afterwards */
#define AKM_TRIAL_MS		1000	/* until those that were not worth it lose their keys */

enum akm_cold_queue {
	AKM_COLD_RX,
	AKM_COLD_TX,
	AKM_COLD_QUEUES,
};

/* A member whose packets wait for its keys; akm_warm.lock */
struct akm_cold {
	struct list_head list;		/* in akm_warm.members */
	struct akm_member *member;	/* held */
	struct sk_buff_head waiting[AKM_COLD_QUEUES];
	unsigned int bytes[AKM_COLD_QUEUES];
	unsigned int rounds;
	bool proven;			/* more than packets that nobody has authenticated wants it */
	u32 notice_in;			/* 0, or the generation in which a notice is to be sent */
	u32 hello_in;			/* likewise */
	bool keepalive;			/* one is to be sent */
	struct akm_hello hello;
};

struct akm_warm {
	spinlock_t lock;		/* protects all but the works, and akm_member.cold; BH */
	struct list_head members;	/* struct akm_cold, first come first served */
	unsigned int count;		/* of them */
	unsigned int packets[AKM_COLD_QUEUES];
	unsigned int bytes[AKM_COLD_QUEUES];
	struct akm_bucket trials;
	struct work_struct work;
	struct delayed_work cool;
};

/* Module parameter warm_members */
extern unsigned int akm_warm_members;

void akm_warm_init(struct akm_device *akm);
/* Nobody can find the device any more. */
void akm_warm_stop(struct akm_device *akm);

/*
 * The device is locked, for long, and nothing is half done: the next member that waits for its
 * keys, and the lock, gets them, and others the processor.
 */
void akm_warm_breathe(struct akm_device *akm);

/* The device is locked: is @index to have its keys in an epoch that is made now? */
bool akm_warm_stays(struct akm_device *akm, u16 index);
/* The device is locked: keys of @member were made before anything asked for them. */
void akm_warm_let_go(struct akm_device *akm, struct akm_member *member);
/* The device is locked: nothing waits for @member, which nobody can find any more. */
void akm_warm_forget(struct akm_device *akm, struct akm_member *member);

/*
 * The packet path: RCU, BH disabled. Return: true: @skb is taken, or dropped and counted.
 * false: it need not wait, or there is nothing to make a key from.
 */

/* A packet, or a list of them, that has to go to @member under a key that is not there or waits. */
bool akm_warm_wait_tx(struct akm_device *akm, struct akm_member *member, struct sk_buff *skb);
/*
 * The @len bytes at @offset of @outer claim to be from @sender, and @epoch has no key that may
 * be used. They are copied.
 */
bool akm_warm_wait_rx(struct akm_epoch *epoch, u16 sender, const struct sk_buff *outer,
		      unsigned int offset, unsigned int len);
/* A hello has no key to go under. */
void akm_warm_hello(struct akm_generation *gen, u16 index, const struct akm_hello *hello);
/*
 * Likewise a notice, which somebody has caused who need not be the member; or, @unasked, which
 * tells of a step of our own. For that alone the member need not stay warm.
 */
void akm_warm_notice(struct akm_generation *gen, struct akm_member *member, bool unasked);
/* Likewise a keepalive: for that alone it need not stay warm. */
void akm_warm_keepalive(struct akm_device *akm, u16 index);

#endif /* _AKM_WARM_H */
