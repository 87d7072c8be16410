// SPDX-License-Identifier: GPL-2.0
#include "tell.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/icmp.h>
#include <net/ip6_route.h>
#include <net/ipv6_stubs.h>
#include <net/route.h>
#include "device.h"

static struct dst_entry *route4(const struct akm_device *akm, const struct sk_buff *skb)
{
	struct flowi4 flow = {
		.daddr = ip_hdr(skb)->daddr,
		.flowi4_oif = akm->dev->ifindex,
		.flowi4_mark = skb->mark,
	};
	struct rtable *rt = ip_route_output_key(dev_net(akm->dev), &flow);

	return IS_ERR(rt) ? NULL : &rt->dst;
}

static struct dst_entry *route6(const struct akm_device *akm, const struct sk_buff *skb)
{
	struct flowi6 flow = {
		.daddr = ipv6_hdr(skb)->daddr,
		.flowi6_oif = akm->dev->ifindex,
		.flowi6_mark = skb->mark,
	};
	struct dst_entry *dst;

	if (!IS_ENABLED(CONFIG_IPV6))
		return NULL;
	dst = ipv6_stub->ipv6_dst_lookup_flow(dev_net(akm->dev), NULL, &flow, NULL);
	return IS_ERR(dst) ? NULL : dst;
}

/*
 * ICMP wants the route that the packet came by. Keeping it for that would cost every
 * packet a reference; so it is looked for when it is needed.
 */
static bool find_route(const struct akm_device *akm, struct sk_buff *skb)
{
	struct dst_entry *dst;

	if (skb_dst(skb))
		return true;
	dst = skb->protocol == htons(ETH_P_IP) ? route4(akm, skb) : route6(akm, skb);
	if (dst)
		skb_dst_set(skb, dst);
	return dst;
}

void akm_tell_unreachable(const struct akm_device *akm, struct sk_buff *skb)
{
	if (!find_route(akm, skb))
		return;
	if (skb->protocol == htons(ETH_P_IP))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	else
		icmpv6_ndo_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0);
}

void akm_tell_too_big(const struct akm_device *akm, struct sk_buff *skb, u32 mtu)
{
	if (!find_route(akm, skb))
		return;
	skb_dst_update_pmtu_no_confirm(skb, mtu);
	if (skb->protocol == htons(ETH_P_IPV6))
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
	else if (ip_hdr(skb)->frag_off & htons(IP_DF))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
}
