// SPDX-License-Identifier: GPL-2.0
#include "group.h"

#include <linux/igmp.h>
#include <linux/in.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/sock.h>
#include "device.h"
#include "roam.h"
#include "socket.h"

bool akm_group_valid4(__be32 addr)
{
	return ipv4_is_multicast(addr);
}

bool akm_group_valid6(const struct in6_addr *addr)
{
	/* 0 is reserved, 1 stays within the node (RFC 7346, section 2) */
	return ipv6_addr_is_multicast(addr) &&
	       IPV6_ADDR_MC_SCOPE(addr) > IPV6_ADDR_SCOPE_NODELOCAL;
}

/* --- memberships of the socket --- */

static int join(struct akm_socket *as, const struct akm_endpoint *group)
{
	struct sock *sk;
	int err;

	if (group->addr.sa.sa_family == AF_INET) {
		struct ip_mreqn request = {
			.imr_multiaddr = group->addr.in4.sin_addr,
			.imr_ifindex = group->link,
		};

		sk = as->sock4->sk;
		lock_sock(sk);
		err = ip_mc_join_group(sk, &request);
		release_sock(sk);
		return err;
	}
	if (!IS_ENABLED(CONFIG_IPV6) || !as->sock6)
		return -EAFNOSUPPORT;
	sk = as->sock6->sk;
	lock_sock(sk);
	err = ipv6_stub->ipv6_sock_mc_join(sk, group->link, &group->addr.in6.sin6_addr);
	release_sock(sk);
	return err;
}

/* Of a link that is gone there is nothing to leave but the socket's own note. */
static void leave(struct akm_socket *as, const struct akm_endpoint *group)
{
	struct sock *sk;

	if (group->addr.sa.sa_family == AF_INET) {
		struct ip_mreqn request = {
			.imr_multiaddr = group->addr.in4.sin_addr,
			.imr_ifindex = group->link,
		};

		sk = as->sock4->sk;
		lock_sock(sk);
		ip_mc_leave_group(sk, &request);
		release_sock(sk);
	} else if (IS_ENABLED(CONFIG_IPV6)) {
		sk = as->sock6->sk;
		lock_sock(sk);
		ipv6_stub->ipv6_sock_mc_drop(sk, group->link, &group->addr.in6.sin6_addr);
		release_sock(sk);
	}
}

static bool same(const struct akm_endpoint *a, const struct akm_endpoint *b)
{
	return a->link == b->link && akm_endpoint_same(a, b);
}

/* Is it joined already, for a device that shares the socket? */
static bool has_another(const struct akm_device *akm, const struct akm_socket *as,
			const struct akm_endpoint *group)
{
	const struct akm_endpoint *theirs;
	struct akm_device *other;

	ASSERT_RTNL();		/* with which the list of devices is written as well */
	list_for_each_entry(other, &akm_devices, list) {
		if (other == akm || rtnl_dereference(other->sock) != as)
			continue;
		theirs = rtnl_dereference(other->group);
		if (theirs && same(theirs, group))
			return true;
	}
	return false;
}

/* A device that is down joins when it comes up. */
static int enter(struct akm_device *akm, const struct akm_endpoint *group)
{
	struct akm_socket *as = rtnl_dereference(akm->sock);

	return !as || has_another(akm, as, group) ? 0 : join(as, group);
}

static void quit(struct akm_device *akm, const struct akm_endpoint *group)
{
	struct akm_socket *as = rtnl_dereference(akm->sock);

	if (as && !has_another(akm, as, group))
		leave(as, group);
}

/* --- the device's group --- */

int akm_group_open(struct akm_device *akm)
{
	const struct akm_endpoint *group = rtnl_dereference(akm->group);
	int err = group ? enter(akm, group) : 0;

	if (err)
		netdev_err(akm->dev, "cannot join the multicast group of the underlay: %d\n", err);
	return err;
}

void akm_group_close(struct akm_device *akm)
{
	const struct akm_endpoint *group = rtnl_dereference(akm->group);

	if (group)
		quit(akm, group);
}

static int check_link(const struct akm_device *akm, const struct akm_endpoint *group,
		      struct netlink_ext_ack *extack)
{
	const struct net_device *link = __dev_get_by_index(akm->net->net, group->link);

	if (!link) {
		NL_SET_ERR_MSG(extack, "the group's link is not in the namespace of the underlay");
		return -ENODEV;
	}
	if (link == akm->dev) {
		NL_SET_ERR_MSG(extack, "the group's link is the device itself");
		return -ELOOP;
	}
	if (!(link->flags & IFF_MULTICAST)) {
		NL_SET_ERR_MSG(extack, "the group's link knows no multicast");
		return -EOPNOTSUPP;
	}
	return 0;
}

int akm_group_prepare(struct akm_device *akm, struct akm_endpoint *group,
		      struct netlink_ext_ack *extack)
{
	const struct akm_endpoint *old = rtnl_dereference(akm->group);
	int err = check_link(akm, group, extack);

	if (err || (old && same(old, group)))
		return err;
	err = enter(akm, group);
	if (err)
		NL_SET_ERR_MSG(extack, "the group cannot be joined on this link");
	return err;
}

void akm_group_abandon(struct akm_device *akm, struct akm_endpoint *group)
{
	const struct akm_endpoint *old = rtnl_dereference(akm->group);

	if (!old || !same(old, group))
		quit(akm, group);
	akm_endpoint_free(group);
}

void akm_group_replace(struct akm_device *akm, struct akm_endpoint *group)
{
	struct akm_endpoint *old = rtnl_dereference(akm->group);

	rcu_assign_pointer(akm->group, group);
	if (!old)
		return;
	if (!group || !same(old, group))
		quit(akm, old);
	akm_endpoint_free(old);
}

/* --- sending --- */

static bool is_usable(const struct akm_device *akm, int index)
{
	const struct net_device *link = dev_get_by_index_rcu(akm->net->net, index);

	return link && netif_running(link) && netif_carrier_ok(link);
}

bool akm_group_send(struct akm_device *akm, struct sk_buff *skb, u8 tos)
{
	struct akm_endpoint *group = rcu_dereference_bh(akm->group);

	return group && is_usable(akm, group->link) && !akm_socket_send(akm, skb, group, tos);
}
