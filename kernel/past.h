/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generations that were erased, by what names them on the wire: so that what a member goes
 * on sending under one of them is not taken for a stranger's. A key_id is no secret.
 * Documentation/protocol.rst, "Receiver"; Documentation/security.rst, "Who is behind".
 */
#ifndef _AKM_PAST_H
#define _AKM_PAST_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct akm_device;
struct akm_generation;
struct akm_net;

/* Of one device. A member that missed more rekeys than this was away for long. */
#define AKM_PAST_MAX	8

struct akm_past {
	struct hlist_node hash;		/* in akm_net.past */
	struct list_head list;		/* in akm_device.past, oldest first */
	struct akm_device *akm;		/* outlives it */
	u32 key_id;
	u32 generation;
	struct rcu_head rcu;
};

/* @gen is about to be erased. Process context, device locked, akm_net.lock not held. */
void akm_past_remember(struct akm_generation *gen);
/* The device is dead. Likewise. */
void akm_past_forget(struct akm_device *akm);
/* RCU. Return: NULL: none of that name is remembered. */
struct akm_past *akm_past_find(struct akm_net *an, u32 key_id);

#endif /* _AKM_PAST_H */
