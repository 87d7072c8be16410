/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The underlay: UDP sockets, shared by the devices of one namespace that use the
 * same port, and the way of a sealed packet to an endpoint.
 */
#ifndef _AKM_SOCKET_H
#define _AKM_SOCKET_H

#include <linux/in6.h>
#include <linux/list.h>
#include <linux/skbuff.h>
#include <net/dst_cache.h>
#include <net/sock.h>

struct akm_device;
struct akm_net;

struct akm_socket {
	struct akm_net *net;
	struct list_head list;		/* in akm_net.sockets */
	unsigned int users;		/* devices; protected by akm_net.lock */
	u16 port;
	struct akm_device __rcu *sole;	/* the only user, if there is just one */
	struct socket *sock4;
	struct socket *sock6;		/* NULL where there is no IPv6 */
};

/* Replaced as a whole, read under RCU. Port 0 is that of the socket. */
struct akm_endpoint {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} addr;
	int link;			/* leave there, if not 0; of a multicast group */
	u8 ttl;				/* or hop limit; 0: the route's. Likewise */
	struct dst_cache cache;
	u32 wide;			/* akm_device.path_doubts when its path took any packet */
	struct rcu_head rcu;
};

/* RTNL. Return: 0 or a negative errno. */
int akm_socket_open(struct akm_device *akm);
void akm_socket_close(struct akm_device *akm);

/* Is it a place to send to: unicast, with a port? A link-local one needs a scope ID as well. */
bool akm_endpoint_valid4(const struct sockaddr_in *in);
bool akm_endpoint_valid6(const struct sockaddr_in6 *in);
/* Return: a new one, or an ERR_PTR. */
struct akm_endpoint *akm_endpoint_create(const struct sockaddr *addr, size_t len, gfp_t gfp);
/* Frees after a grace period; NULL is fine. */
void akm_endpoint_free(struct akm_endpoint *endpoint);

/**
 * akm_socket_send() - send a UDP datagram
 * @akm: from where
 * @skb: its payload; consumed on success, the caller's otherwise
 * @endpoint: whereto
 * @tos: outer TOS or traffic class
 *
 * Context: RCU read lock, BH disabled.
 * Return: 0 or a negative errno.
 */
int akm_socket_send(struct akm_device *akm, struct sk_buff *skb,
		    struct akm_endpoint *endpoint, u8 tos);
/* Likewise. Return: the largest inner packet that the path was found to take; 0: no limit known. */
u32 akm_socket_path_mtu(struct akm_device *akm, struct akm_endpoint *endpoint);

#endif /* _AKM_SOCKET_H */
