// SPDX-License-Identifier: GPL-2.0
#include "socket.h"

#include <linux/slab.h>
#include <net/ip6_route.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/route.h>
#include <net/udp_tunnel.h>
#include "compat/compat.h"
#include "device.h"
#include "flow.h"
#include "path.h"
#include "proto.h"
#include "receive.h"

static int open_family(struct akm_socket *as, sa_family_t family, struct socket **ret_sock)
{
	struct udp_port_cfg port = {
		.family = family,
		.local_udp_port = htons(as->port),
		.use_udp_checksums = true,
		.use_udp6_tx_checksums = true,
		.use_udp6_rx_checksums = true,
		.ipv6_v6only = true,
	};
	struct udp_tunnel_sock_cfg tunnel = {
		.sk_user_data = as,
		.encap_type = 1,
		.encap_rcv = akm_receive,
		.encap_err_lookup = akm_path_error,
	};
	struct socket *sock;
	int err;

	err = udp_sock_create(as->net->net, &port, &sock);
	if (err)
		return err;
	sock->sk->sk_allocation = GFP_ATOMIC;
	sock->sk->sk_sndbuf = INT_MAX;
	if (family == AF_INET6)		/* of IPv4 the next line does it */
		akm_no_multicast_loop6(sock->sk);
	setup_udp_tunnel_sock(as->net->net, sock, &tunnel);
	if (IS_ENABLED(CONFIG_NETFILTER))
		akm_udp_accept_gso(sock->sk);
	*ret_sock = sock;
	return 0;
}

#if IS_ENABLED(CONFIG_NETFILTER)
/*
 * Datagrams that came as one (put together by GRO, or by a sender on this machine) are
 * split by the UDP layer before the socket of a tunnel gets them, unless they are
 * marked as a tunnel's. A gro_receive() of our own would have them marked, but only
 * those that pass GRO, and from there on: forwarded after all, they would be split as
 * what they are not. So the mark is made at the last point before delivery, and only
 * on what goes to one of our ports. Should another socket get it in spite of that, it
 * is split as the plain datagrams that it is: only skb->encapsulation makes the stack
 * look for inner headers.
 */
static bool is_udp(const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return ip_hdr(skb)->protocol == IPPROTO_UDP;
	return ipv6_hdr(skb)->nexthdr == IPPROTO_UDP;
}

static bool is_ours(const struct akm_net *an, struct sk_buff *skb)
{
	const struct akm_socket *as;
	unsigned int offset = skb_transport_offset(skb);

	/* what others refer to is not written to */
	if (skb_cloned(skb) || !is_udp(skb) || !pskb_may_pull(skb, offset + sizeof(struct udphdr)))
		return false;
	list_for_each_entry_rcu(as, &an->sockets, list)
		if (udp_hdr(skb)->dest == htons(as->port))
			return true;
	return false;
}

static unsigned int keep_whole(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	if (skb_is_gso(skb) && (skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4) &&
	    is_ours(priv, skb))
		skb_shinfo(skb)->gso_type |= SKB_GSO_UDP_TUNNEL;
	return NF_ACCEPT;
}

static int hook(struct akm_net *an)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(an->hooks); i++)
		an->hooks[i] = (struct nf_hook_ops) {
			.hook = keep_whole,
			.priv = an,
			.pf = i ? NFPROTO_IPV6 : NFPROTO_IPV4,
			.hooknum = NF_INET_LOCAL_IN,
			.priority = INT_MAX,
		};
	return nf_register_net_hooks(an->net, an->hooks, ARRAY_SIZE(an->hooks));
}

static void unhook(struct akm_net *an)
{
	nf_unregister_net_hooks(an->net, an->hooks, ARRAY_SIZE(an->hooks));
}
#else
static int hook(struct akm_net *an)
{
	return 0;
}

static void unhook(struct akm_net *an)
{
}
#endif

static void destroy(struct akm_socket *as)
{
	if (as->sock6)
		udp_tunnel_sock_release(as->sock6);
	if (as->sock4)
		udp_tunnel_sock_release(as->sock4);
	kfree(as);			/* releasing a socket waits for its readers */
}

static struct akm_socket *create(struct akm_net *an, u16 port)
{
	struct akm_socket *as = kzalloc(sizeof(*as), GFP_KERNEL);
	int err;

	if (!as)
		return ERR_PTR(-ENOMEM);
	as->net = an;
	as->port = port;
	err = open_family(as, AF_INET, &as->sock4);
	if (!err && IS_ENABLED(CONFIG_IPV6)) {
		err = open_family(as, AF_INET6, &as->sock6);
		if (err == -EAFNOSUPPORT)	/* ipv6.disable=1 */
			err = 0;
	}
	if (!err && list_empty(&an->sockets))
		err = hook(an);
	if (err) {
		destroy(as);
		return ERR_PTR(err);
	}
	list_add_rcu(&as->list, &an->sockets);
	return as;
}

static struct akm_socket *find(struct akm_net *an, u16 port)
{
	struct akm_socket *as;

	lockdep_assert_held(&an->lock);
	list_for_each_entry(as, &an->sockets, list)
		if (as->port == port)
			return as;
	return NULL;
}

/* Who is the only user of @as, if not @except? */
static struct akm_device *sole_user(struct akm_socket *as, const struct akm_device *except)
{
	struct akm_device *akm;

	if (as->users != 1)
		return NULL;
	list_for_each_entry(akm, &akm_devices, list)
		if (akm != except && rtnl_dereference(akm->sock) == as)
			return akm;
	return NULL;
}

int akm_socket_open(struct akm_device *akm)
{
	struct akm_net *an = akm->net;
	struct akm_socket *as;
	int err = 0;

	ASSERT_RTNL();
	mutex_lock(&an->lock);
	as = find(an, akm->port);
	if (!as)
		as = create(an, akm->port);
	if (IS_ERR(as)) {
		err = PTR_ERR(as);
	} else {
		as->users++;
		rcu_assign_pointer(as->sole, as->users == 1 ? akm : NULL);
		rcu_assign_pointer(akm->sock, as);
	}
	mutex_unlock(&an->lock);
	return err;
}

/* Nobody finds the socket in the device afterwards; it goes when its last user does. */
void akm_socket_close(struct akm_device *akm)
{
	struct akm_net *an = akm->net;
	struct akm_socket *as = rtnl_dereference(akm->sock);

	if (!as)
		return;
	mutex_lock(&akm_devices_lock);
	mutex_lock(&an->lock);
	RCU_INIT_POINTER(akm->sock, NULL);
	as->users--;
	rcu_assign_pointer(as->sole, sole_user(as, akm));
	if (as->users)
		as = NULL;
	else
		list_del_rcu(&as->list);
	if (list_empty(&an->sockets))
		unhook(an);
	mutex_unlock(&an->lock);
	mutex_unlock(&akm_devices_lock);

	synchronize_net();		/* senders under RCU, and readers of ->sole */
	if (as)
		destroy(as);
}

bool akm_endpoint_valid4(const struct sockaddr_in *in)
{
	return in->sin_port && !ipv4_is_zeronet(in->sin_addr.s_addr) &&
	       !ipv4_is_multicast(in->sin_addr.s_addr) && !ipv4_is_lbcast(in->sin_addr.s_addr);
}

bool akm_endpoint_valid6(const struct sockaddr_in6 *in)
{
	int type = ipv6_addr_type(&in->sin6_addr);

	return in->sin6_port && type & IPV6_ADDR_UNICAST && !(type & IPV6_ADDR_MAPPED);
}

struct akm_endpoint *akm_endpoint_create(const struct sockaddr *addr, size_t len, gfp_t gfp)
{
	struct akm_endpoint *endpoint = kzalloc(sizeof(*endpoint), gfp);
	int err;

	if (!endpoint)
		return ERR_PTR(-ENOMEM);
	err = dst_cache_init(&endpoint->cache, gfp);
	if (err) {
		kfree(endpoint);
		return ERR_PTR(err);
	}
	memcpy(&endpoint->addr, addr, len);
	return endpoint;
}

static void endpoint_free_rcu(struct rcu_head *rcu)
{
	struct akm_endpoint *endpoint = container_of(rcu, struct akm_endpoint, rcu);

	dst_cache_destroy(&endpoint->cache);
	kfree(endpoint);
}

void akm_endpoint_free(struct akm_endpoint *endpoint)
{
	if (endpoint)
		call_rcu(&endpoint->rcu, endpoint_free_rcu);
}

/* A route that leads back into the tunnel would loop. */
static int check_route(const struct akm_device *akm, const struct dst_entry *dst)
{
	return dst->dev == akm->dev ? -ELOOP : 0;
}

static struct rtable *route4(struct akm_device *akm, struct sock *sk, u16 port,
			     struct akm_endpoint *endpoint, __be32 *ret_source)
{
	struct flowi4 flow = {
		.daddr = endpoint->addr.in4.sin_addr.s_addr,
		.fl4_dport = endpoint->addr.in4.sin_port ?: htons(port),
		.fl4_sport = htons(port),
		.flowi4_oif = endpoint->link,
		.flowi4_mark = READ_ONCE(akm->fwmark),
		.flowi4_proto = IPPROTO_UDP,
	};
	struct rtable *rt;
	int err;

	rt = dst_cache_get_ip4(&endpoint->cache, ret_source);
	if (likely(rt))
		return rt;
	security_sk_classify_flow(sk, flowi4_to_flowi_common(&flow));
	rt = ip_route_output_flow(sock_net(sk), &flow, sk);
	if (IS_ERR(rt))
		return rt;
	err = check_route(akm, &rt->dst);
	if (err) {
		ip_rt_put(rt);
		return ERR_PTR(err);
	}
	dst_cache_set_ip4(&endpoint->cache, &rt->dst, flow.saddr);
	WRITE_ONCE(endpoint->wide, 0);
	*ret_source = flow.saddr;
	return rt;
}

/* The route is the same for all of them, as its source address is. */
static __be16 source_port(const struct akm_device *akm, const struct akm_socket *as,
			  const struct sk_buff *skb)
{
	u32 ports = READ_ONCE(akm->flow_ports);

	if (likely(!ports) || !akm_flow_known(skb))
		return htons(as->port);
	return htons(akm_flow_port(ports, skb_get_hash_raw(skb)));
}

static int send4(struct akm_device *akm, const struct akm_socket *as, struct sk_buff *skb,
		 struct akm_endpoint *endpoint, u8 tos)
{
	struct sock *sk = as->sock4->sk;
	struct rtable *rt;
	__be32 source;

	rt = route4(akm, sk, as->port, endpoint, &source);
	if (IS_ERR(rt))
		return PTR_ERR(rt);
	skb->ignore_df = 1;		/* the outer packet may be fragmented */
	udp_tunnel_xmit_skb(rt, sk, skb, source, endpoint->addr.in4.sin_addr.s_addr, tos,
			    endpoint->ttl ?: ip4_dst_hoplimit(&rt->dst), 0,
			    source_port(akm, as, skb),
			    endpoint->addr.in4.sin_port ?: htons(as->port), false, false);
	return 0;
}

/*
 * What was found out about the path, or is said by the route. The interface's own MTU is
 * no limit: who gives the akm device a larger one wants fragments.
 * Return: 0 if there is nothing.
 */
static u32 found_mtu(const struct dst_entry *dst)
{
	u32 mtu = dst_mtu(dst);

	return mtu < READ_ONCE(dst->dev->mtu) ? mtu : 0;
}

static u32 path_mtu4(struct akm_device *akm, const struct akm_socket *as,
		     struct akm_endpoint *endpoint)
{
	struct rtable *rt;
	__be32 source;
	u32 mtu;

	rt = route4(akm, as->sock4->sk, as->port, endpoint, &source);
	if (IS_ERR(rt))
		return 0;
	mtu = found_mtu(&rt->dst);
	ip_rt_put(rt);
	return mtu;
}

#if IS_ENABLED(CONFIG_IPV6)
static struct dst_entry *route6(struct akm_device *akm, struct sock *sk, u16 port,
				struct akm_endpoint *endpoint, struct in6_addr *ret_source)
{
	struct flowi6 flow = {
		.daddr = endpoint->addr.in6.sin6_addr,
		.fl6_dport = endpoint->addr.in6.sin6_port ?: htons(port),
		.fl6_sport = htons(port),
		.flowi6_mark = READ_ONCE(akm->fwmark),
		.flowi6_oif = endpoint->link ?: endpoint->addr.in6.sin6_scope_id,
		.flowi6_proto = IPPROTO_UDP,
	};
	struct dst_entry *dst;
	int err;

	dst = dst_cache_get_ip6(&endpoint->cache, ret_source);
	if (likely(dst))
		return dst;
	security_sk_classify_flow(sk, flowi6_to_flowi_common(&flow));
	dst = ipv6_stub->ipv6_dst_lookup_flow(sock_net(sk), sk, &flow, NULL);
	if (IS_ERR(dst))
		return dst;
	err = check_route(akm, dst);
	if (err) {
		dst_release(dst);
		return ERR_PTR(err);
	}
	dst_cache_set_ip6(&endpoint->cache, dst, &flow.saddr);
	WRITE_ONCE(endpoint->wide, 0);
	*ret_source = flow.saddr;
	return dst;
}

static int send6(struct akm_device *akm, const struct akm_socket *as, struct sk_buff *skb,
		 struct akm_endpoint *endpoint, u8 tos)
{
	struct in6_addr source;
	struct dst_entry *dst;
	struct sock *sk;

	if (!as->sock6)
		return -EAFNOSUPPORT;
	sk = as->sock6->sk;
	dst = route6(akm, sk, as->port, endpoint, &source);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	skb->ignore_df = 1;
	udp_tunnel6_xmit_skb(dst, sk, skb, NULL, &source, &endpoint->addr.in6.sin6_addr, tos,
			     endpoint->ttl ?: ip6_dst_hoplimit(dst), 0,
			     source_port(akm, as, skb),
			     endpoint->addr.in6.sin6_port ?: htons(as->port), false);
	return 0;
}

static u32 path_mtu6(struct akm_device *akm, const struct akm_socket *as,
		     struct akm_endpoint *endpoint)
{
	struct in6_addr source;
	struct dst_entry *dst;
	u32 mtu;

	if (!as->sock6)
		return 0;
	dst = route6(akm, as->sock6->sk, as->port, endpoint, &source);
	if (IS_ERR(dst))
		return 0;
	mtu = found_mtu(dst);
	dst_release(dst);
	return mtu;
}
#else
static int send6(struct akm_device *akm, const struct akm_socket *as, struct sk_buff *skb,
		 struct akm_endpoint *endpoint, u8 tos)
{
	return -EAFNOSUPPORT;
}

static u32 path_mtu6(struct akm_device *akm, const struct akm_socket *as,
		     struct akm_endpoint *endpoint)
{
	return 0;
}
#endif

u32 akm_socket_path_mtu(struct akm_device *akm, struct akm_endpoint *endpoint)
{
	const struct akm_socket *as = rcu_dereference_bh(akm->sock);
	u32 mtu, overhead;

	if (unlikely(!as))
		return 0;
	if (endpoint->addr.sa.sa_family == AF_INET) {
		overhead = sizeof(struct iphdr) + sizeof(struct udphdr) + AKM_OVERHEAD;
		mtu = path_mtu4(akm, as, endpoint);
	} else {
		overhead = sizeof(struct ipv6hdr) + sizeof(struct udphdr) + AKM_OVERHEAD;
		mtu = path_mtu6(akm, as, endpoint);
	}
	return mtu > overhead ? mtu - overhead : 0;
}

int akm_socket_send(struct akm_device *akm, struct sk_buff *skb,
		    struct akm_endpoint *endpoint, u8 tos)
{
	const struct akm_socket *as = rcu_dereference_bh(akm->sock);
	int err;

	if (unlikely(!as))
		return -ENETDOWN;
	err = skb_cow_head(skb, AKM_UDP_HEADROOM);
	if (unlikely(err))
		return err;
	if (skb_is_gso(skb)) {		/* the UDP header is about to be pushed */
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_headroom(skb) - sizeof(struct udphdr);
		skb->csum_offset = offsetof(struct udphdr, check);
	}
	skb->mark = READ_ONCE(akm->fwmark);
	skb->dev = NULL;		/* the tunnel helpers would count there; send.c counts */
	if (endpoint->addr.sa.sa_family == AF_INET)
		return send4(akm, as, skb, endpoint, tos);
	return send6(akm, as, skb, endpoint, tos);
}
