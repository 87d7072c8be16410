/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Members that move: where a member's packets come from, learnt from authentic ones.
 */
#ifndef _AKM_ROAM_H
#define _AKM_ROAM_H

#include <linux/rcupdate.h>
#include "atr.h"

struct akm_device;
struct akm_endpoint;
struct sk_buff;

#define AKM_MOVES_BURST		8	/* a member is followed so often at once, */
#define AKM_MOVES_RATE		1	/* and so often in a second afterwards */

/* Where to send to; NULL: nobody knows. RCU. */
static inline struct akm_endpoint *akm_member_whereabouts(const struct akm_member *member)
{
	return rcu_dereference(member->learnt) ?: rcu_dereference(member->endpoint);
}

static inline bool akm_member_reachable(const struct akm_member *member)
{
	return rcu_access_pointer(member->learnt) || rcu_access_pointer(member->endpoint);
}

/*
 * Did @outer, a datagram with its IP and UDP header, come from there? With flow ports its port
 * does not matter. RCU.
 */
bool akm_member_is_at(const struct akm_device *akm, const struct akm_member *member,
		      const struct sk_buff *outer);
/**
 * akm_roam_note() - a member's newest packet came from there
 * @akm: the device
 * @member: whose pair key opened it, and who roams
 * @outer: the datagram with its IP and UDP header
 * @control: it brought no data, and so left from the port where its sender listens
 *
 * Sends to where it came from, from now on. Only for packets that are newer than all
 * others of the member: who holds back or repeats old ones leads nobody astray. With flow
 * ports data says the address alone, and the port stays.
 *
 * Context: RCU, BH disabled.
 */
void akm_roam_note(struct akm_device *akm, struct akm_member *member,
		   const struct sk_buff *outer, bool control);
/*
 * What was learnt goes, unless @keep; @roams: it may be learnt anew. The device is locked.
 */
void akm_roam_reset(struct akm_device *akm, struct akm_member *member, bool roams, bool keep);
bool akm_endpoint_same(const struct akm_endpoint *a, const struct akm_endpoint *b);

#endif /* _AKM_ROAM_H */
