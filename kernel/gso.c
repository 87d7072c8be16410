// SPDX-License-Identifier: GPL-2.0
#include "gso.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip6_checksum.h>
#include <net/ip.h>

/* SKB_GSO_DODGY and everything about tunnels and partial offload is for the stack. */
#define TCP_TYPES	(SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID)
#define UDP_TYPES	SKB_GSO_UDP_L4

/* Length of the network header and protocol of what follows it; false: not plain. */
static bool plan_network(struct sk_buff *skb, struct akm_gso *gso, u8 *ret_protocol)
{
	if (skb->protocol == htons(ETH_P_IP)) {
		gso->network_len = sizeof(struct iphdr);
		*ret_protocol = ip_hdr(skb)->protocol;
		return ip_hdr(skb)->ihl * 4 == sizeof(struct iphdr) &&
		       !ip_is_fragment(ip_hdr(skb));
	}
	gso->v6 = true;
	gso->network_len = sizeof(struct ipv6hdr);
	*ret_protocol = ipv6_hdr(skb)->nexthdr;
	return true;
}

static bool plan_tcp(struct sk_buff *skb, struct akm_gso *gso)
{
	unsigned int len;

	if (!pskb_may_pull(skb, gso->network_len + sizeof(struct tcphdr)))
		return false;
	len = tcp_hdrlen(skb);
	if (len < sizeof(struct tcphdr) || !pskb_may_pull(skb, gso->network_len + len))
		return false;
	gso->tcp = true;
	gso->fixed_id = skb_shinfo(skb)->gso_type & SKB_GSO_TCP_FIXEDID;
	gso->header_len = gso->network_len + len;
	return true;
}

static bool plan_udp(struct sk_buff *skb, struct akm_gso *gso)
{
	gso->header_len = gso->network_len + sizeof(struct udphdr);
	return pskb_may_pull(skb, gso->header_len);
}

static bool plan_transport(struct sk_buff *skb, struct akm_gso *gso, u8 protocol)
{
	u32 type = skb_shinfo(skb)->gso_type;

	if (skb_transport_offset(skb) != gso->network_len)
		return false;
	if (protocol == IPPROTO_TCP && !(type & ~TCP_TYPES))
		return plan_tcp(skb, gso);
	if (protocol == IPPROTO_UDP && !(type & ~UDP_TYPES))
		return plan_udp(skb, gso);
	return false;
}

bool akm_gso_plan(struct sk_buff *skb, struct akm_gso *ret_gso)
{
	struct akm_gso gso = { .mss = skb_shinfo(skb)->gso_size };
	u8 protocol;

	if (skb->ip_summed != CHECKSUM_PARTIAL || skb->encapsulation ||
	    !plan_network(skb, &gso, &protocol) || !plan_transport(skb, &gso, protocol) ||
	    skb->len <= gso.header_len)
		return false;
	gso.payload = skb->len - gso.header_len;
	gso.n = DIV_ROUND_UP(gso.payload, gso.mss);
	*ret_gso = gso;
	return true;
}

static void write_ip4(const struct akm_gso *gso, unsigned int i, unsigned int len,
		      struct iphdr *ip)
{
	ip->tot_len = htons(len);
	if (!gso->fixed_id)
		ip->id = htons(ntohs(ip->id) + i);
	ip_send_check(ip);
}

static void write_tcp(const struct akm_gso *gso, unsigned int i, struct tcphdr *tcp)
{
	tcp->seq = htonl(ntohl(tcp->seq) + i * gso->mss);
	if (i)
		tcp->cwr = 0;		/* RFC 3168: it says that the first was reduced */
	if (i != gso->n - 1) {
		tcp->fin = 0;
		tcp->psh = 0;
	}
}

/* @sum: of the payload. Return: of pseudo header, transport header and payload. */
static __sum16 checksum(const struct akm_gso *gso, const u8 *packet, unsigned int len,
			__wsum sum)
{
	const struct ipv6hdr *ip6 = (const struct ipv6hdr *)packet;
	const struct iphdr *ip4 = (const struct iphdr *)packet;
	unsigned int transport_len = len - gso->network_len;
	u8 protocol = gso->tcp ? IPPROTO_TCP : IPPROTO_UDP;

	sum = csum_partial(packet + gso->network_len, gso->header_len - gso->network_len, sum);
	if (gso->v6)
		return csum_ipv6_magic(&ip6->saddr, &ip6->daddr, transport_len, protocol, sum);
	return csum_tcpudp_magic(ip4->saddr, ip4->daddr, transport_len, protocol, sum);
}

static void write_transport(const struct akm_gso *gso, unsigned int i, unsigned int len,
			    u8 *packet, __wsum sum)
{
	struct tcphdr *tcp = (struct tcphdr *)(packet + gso->network_len);
	struct udphdr *udp = (struct udphdr *)(packet + gso->network_len);

	if (gso->tcp) {
		write_tcp(gso, i, tcp);
		tcp->check = 0;
		tcp->check = checksum(gso, packet, len, sum);
	} else {
		udp->len = htons(len - gso->network_len);
		udp->check = 0;
		udp->check = checksum(gso, packet, len, sum) ?: CSUM_MANGLED_0;
	}
}

void akm_gso_write(const struct sk_buff *skb, const struct akm_gso *gso, unsigned int i,
		   u8 *to)
{
	unsigned int len = akm_gso_len(gso, i);
	__wsum sum;

	memcpy(to, skb->data, gso->header_len);
	sum = skb_copy_and_csum_bits(skb, gso->header_len + i * gso->mss,
				     to + gso->header_len, len - gso->header_len);
	if (gso->v6)
		((struct ipv6hdr *)to)->payload_len = htons(len - sizeof(struct ipv6hdr));
	else
		write_ip4(gso, i, len, (struct iphdr *)to);
	write_transport(gso, i, len, to, sum);
}
