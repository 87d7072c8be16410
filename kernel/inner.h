/* SPDX-License-Identifier: GPL-2.0 */
/* What both directions want to know about an inner packet. */
#ifndef _AKM_INNER_H
#define _AKM_INNER_H

#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/addrconf.h>
#include <net/route.h>
#include "device.h"
#include "prefix.h"

struct akm_inner {
	struct akm_member *source;	/* owner of the source address, or NULL */
	struct akm_member *destination;	/* owner of the destination address, or NULL */
	bool group;			/* destination is multicast or broadcast */
};

/* A directed broadcast belongs to nobody's prefix; the routing table knows it. */
static inline bool akm_is_broadcast4(const struct akm_device *akm, __be32 addr)
{
	return ipv4_is_lbcast(addr) ||
	       inet_dev_addr_type(dev_net(akm->dev), akm->dev, addr) == RTN_BROADCAST;
}

/* Headers are in the linear part; RCU. */
static inline void akm_inner_classify4(struct akm_device *akm, const struct iphdr *ip,
				       struct akm_inner *ret_inner)
{
	struct akm_member *destination = NULL;
	bool group = ipv4_is_multicast(ip->daddr);

	if (!group) {
		destination = akm_prefix_lookup4(&akm->prefixes, ip->daddr);
		group = !destination && akm_is_broadcast4(akm, ip->daddr);
	}
	*ret_inner = (struct akm_inner) {
		.source = akm_prefix_lookup4(&akm->prefixes, ip->saddr),
		.destination = destination,
		.group = group,
	};
}

static inline void akm_inner_classify6(struct akm_device *akm, const struct ipv6hdr *ip,
				       struct akm_inner *ret_inner)
{
	bool group = ipv6_addr_is_multicast(&ip->daddr);

	*ret_inner = (struct akm_inner) {
		.source = akm_prefix_lookup6(&akm->prefixes, &ip->saddr),
		.destination = group ? NULL : akm_prefix_lookup6(&akm->prefixes, &ip->daddr),
		.group = group,
	};
}

#endif /* _AKM_INNER_H */
