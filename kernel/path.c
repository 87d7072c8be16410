// SPDX-License-Identifier: GPL-2.0
#include "path.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "compat/compat.h"
#include "keys.h"
#include "proto.h"
#include "tell.h"

/* --- inner packets that are too large --- */

static bool fits(const struct sk_buff *skb, u32 mtu)
{
	return skb_is_gso(skb) ? skb_gso_validate_network_len(skb, mtu) : skb->len <= mtu;
}

/* Return: true if it is dropped, because its sender has been told. */
static bool tell_sender(const struct akm_device *akm, struct sk_buff *skb, u32 mtu)
{
	bool ip4 = skb->protocol == htons(ETH_P_IP);

	if (mtu < (ip4 ? AKM_PATH_MIN4 : AKM_PATH_MIN6))
		return false;
	akm_tell_too_big(akm, skb, mtu);
	return !ip4 || ip_hdr(skb)->frag_off & htons(IP_DF);
}

bool akm_path_check(struct akm_device *akm, struct akm_endpoint *endpoint, struct sk_buff *skb)
{
	u32 doubts = READ_ONCE(akm->path_doubts);
	u32 mtu = akm_socket_path_mtu(akm, endpoint);

	if (!mtu || mtu >= READ_ONCE(akm->dev->mtu)) {
		WRITE_ONCE(endpoint->wide, doubts);
		return true;
	}
	return fits(skb, mtu) || !tell_sender(akm, skb, mtu);
}

/* --- ICMP errors about outer packets --- */

/*
 * The device whose packet is quoted. A stranger who has not seen one of ours does not
 * know a key ID; one who has can only do what ICMP does to all UDP.
 */
static struct akm_device *quoted_device(const struct akm_socket *as, const struct sk_buff *skb)
{
	unsigned int offset = skb_transport_offset(skb) + sizeof(struct udphdr);
	const struct akm_header *header;
	struct akm_generation *gen;
	struct akm_header copy;

	header = skb_header_pointer(skb, offset, sizeof(copy), &copy);
	if (!header || header->vertype >> 4 != AKM_PROTO_VERSION)
		return NULL;
	gen = akm_generation_lookup(as->net, be32_to_cpu(header->key_id));
	if (!gen || rcu_access_pointer(gen->akm->sock) != as ||
	    be16_to_cpu(header->sender) != gen->self)
		return NULL;
	return gen->akm;
}

/* Is it about the size? @skb starts with what is quoted, right behind the ICMP header. */
static bool is_about_size(const struct sk_buff *skb)
{
	const u8 *type_and_code = skb->data - sizeof(struct icmphdr);

	BUILD_BUG_ON(sizeof(struct icmphdr) != sizeof(struct icmp6hdr));
	if (ip_hdr(skb)->version == 4)
		return type_and_code[0] == ICMP_DEST_UNREACH &&
		       type_and_code[1] == ICMP_FRAG_NEEDED;
	return type_and_code[0] == ICMPV6_PKT_TOOBIG;
}

int akm_path_error(struct sock *sk, struct sk_buff *skb)
{
	const struct akm_socket *as = rcu_dereference_sk_user_data(sk);
	struct akm_device *akm = as ? quoted_device(as, skb) : NULL;

	if (!akm)
		return -ENOENT;
	/* of the route that the packet took; the socket is all devices', so for this error only */
	WRITE_ONCE(sk->sk_mark, READ_ONCE(akm->fwmark));
	if (is_about_size(skb))
		akm_path_doubt(akm);	/* the route changes next, or with the next error */
	else
		akm_stats_inc(&akm->stats, AKM_STAT_RX_UNREACHABLE);
	return 0;
}
