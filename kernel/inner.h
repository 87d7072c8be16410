/* SPDX-License-Identifier: GPL-2.0 */
/* What both directions want to know about an inner packet. */
#ifndef _AKM_INNER_H
#define _AKM_INNER_H

#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/addrconf.h>
#include <net/route.h>
#include "atr.h"
#include "device.h"
#include "prefix.h"

struct akm_inner {
	struct akm_member *source;	/* owner of the source address, or NULL */
	struct akm_member *destination;	/* owner of the destination address, or NULL */
	bool group;			/* destination is multicast or broadcast */
};

/* Who is looked at first, or NULL: spares a look-up where it is right */
struct akm_inner_guess {
	struct akm_member *source;
	struct akm_member *destination;
};

/*
 * No prefix is longer than one of a whole address, and nobody else has the same: whose
 * that is owns the address.
 */
static inline struct akm_member *akm_inner_owner4(struct akm_device *akm, __be32 addr,
						  struct akm_member *guess)
{
	const struct akm_prefix *host = guess ? rcu_dereference(guess->host4) : NULL;

	if (likely(host && host->key.addr[0] == addr))
		return guess;
	return akm_prefix_lookup4(&akm->prefixes, addr);
}

static inline struct akm_member *akm_inner_owner6(struct akm_device *akm,
						  const struct in6_addr *addr,
						  struct akm_member *guess)
{
	const struct akm_prefix *host = guess ? rcu_dereference(guess->host6) : NULL;

	if (likely(host && !memcmp(host->key.addr, addr, sizeof(*addr))))
		return guess;
	return akm_prefix_lookup6(&akm->prefixes, addr);
}

/* A directed broadcast belongs to nobody's prefix; the routing table knows it. */
static inline bool akm_is_broadcast4(const struct akm_device *akm, __be32 addr)
{
	return ipv4_is_lbcast(addr) ||
	       inet_dev_addr_type(dev_net(akm->dev), akm->dev, addr) == RTN_BROADCAST;
}

/* Headers are in the linear part; RCU. */
static inline void akm_inner_classify4(struct akm_device *akm, const struct iphdr *ip,
				       const struct akm_inner_guess *guess,
				       struct akm_inner *ret_inner)
{
	struct akm_member *destination = NULL;
	bool group = ipv4_is_multicast(ip->daddr);

	if (!group) {
		destination = akm_inner_owner4(akm, ip->daddr, guess->destination);
		group = !destination && akm_is_broadcast4(akm, ip->daddr);
	}
	*ret_inner = (struct akm_inner) {
		.source = akm_inner_owner4(akm, ip->saddr, guess->source),
		.destination = destination,
		.group = group,
	};
}

static inline void akm_inner_classify6(struct akm_device *akm, const struct ipv6hdr *ip,
				       const struct akm_inner_guess *guess,
				       struct akm_inner *ret_inner)
{
	bool group = ipv6_addr_is_multicast(&ip->daddr);

	*ret_inner = (struct akm_inner) {
		.source = akm_inner_owner6(akm, &ip->saddr, guess->source),
		.destination = group ? NULL :
			       akm_inner_owner6(akm, &ip->daddr, guess->destination),
		.group = group,
	};
}

#endif /* _AKM_INNER_H */
