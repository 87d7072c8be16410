/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An underlay multicast group: what is for all members leaves once, and the underlay
 * makes the copies. The group is an endpoint whose address is multicast, with a link
 * and a TTL; its port is the device's own. A device that has one is a member of the
 * group on that link while it is up. Where the link cannot be used there are copies
 * to each member, as without a group.
 */
#ifndef _AKM_GROUP_H
#define _AKM_GROUP_H

#include <linux/netlink.h>
#include <linux/types.h>

struct akm_device;
struct akm_endpoint;
struct in6_addr;
struct sk_buff;

#define AKM_GROUP_TTL	1		/* unless set: the link, and no further */

/* Can packets to it reach another machine? */
bool akm_group_valid4(__be32 addr);
bool akm_group_valid6(const struct in6_addr *addr);

/*
 * RTNL. The device has its socket, and joins; or is about to close it, and leaves.
 * Return: 0 or a negative errno.
 */
int akm_group_open(struct akm_device *akm);
void akm_group_close(struct akm_device *akm);

/**
 * akm_group_prepare() - join a group that is to be the device's
 * @akm: the device, locked; and RTNL
 * @group: the group
 * @extack: says why not
 *
 * Followed by akm_group_replace() or akm_group_abandon(); both take over @group.
 *
 * Return: 0 or a negative errno.
 */
int akm_group_prepare(struct akm_device *akm, struct akm_endpoint *group,
		      struct netlink_ext_ack *extack);
void akm_group_abandon(struct akm_device *akm, struct akm_endpoint *group);
/* RTNL, the device is locked. NULL: no group any more. */
void akm_group_replace(struct akm_device *akm, struct akm_endpoint *group);

/**
 * akm_group_send() - send a datagram to the group
 * @akm: from where
 * @skb: its payload
 * @tos: outer TOS or traffic class
 *
 * Context: RCU read lock, BH disabled.
 * Return: true if @skb is gone; false if there is no group, or no way to it.
 */
bool akm_group_send(struct akm_device *akm, struct sk_buff *skb, u8 tos);

#endif /* _AKM_GROUP_H */
