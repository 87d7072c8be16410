/* SPDX-License-Identifier: GPL-2.0 */
/* The generic netlink family "akm"; Documentation/netlink/specs/akm.yaml. */
#ifndef _AKM_NETLINK_H
#define _AKM_NETLINK_H

#include <net/genetlink.h>

struct akm_device;
struct akm_generation;
struct akm_member;

int akm_netlink_init(void);
void akm_netlink_exit(void);

/*
 * netlink_fill.c: one object into the message, metadata only. Device locked.
 * Return: 0 or -EMSGSIZE, and @msg is as before.
 */
int akm_fill_device(struct sk_buff *msg, struct akm_device *akm);
int akm_fill_member(struct sk_buff *msg, struct akm_device *akm,
		    const struct akm_member *member);
int akm_fill_generation(struct sk_buff *msg, struct akm_device *akm,
			struct akm_generation *gen);

#endif /* _AKM_NETLINK_H */
