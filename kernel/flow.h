/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Outer source ports chosen by inner flow, so that networks and cards which spread packets
 * by ports spread one member's flows as well. Documentation/protocol.rst, "Flow ports".
 */
#ifndef _AKM_FLOW_H
#define _AKM_FLOW_H

#include <linux/kernel.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>

/* Both ends of the range in one word, which is read without a lock; 0: there is none */
static inline u32 akm_flow_ports(u16 low, u16 high)
{
	return (u32)low << 16 | high;
}

static inline u16 akm_flow_low(u32 ports)
{
	return ports >> 16;
}

static inline u16 akm_flow_high(u32 ports)
{
	return ports & 0xffff;
}

/*
 * Write down which flow @skb, an inner packet, is of; copies, segments and batches inherit it.
 * From the headers alone, not from the socket or the card that it came from: one flow has one
 * hash. Keyed, so that a port says nothing of the addresses and ports inside, and one flow has
 * different ports at different devices.
 */
static inline void akm_flow_note(struct sk_buff *skb, const siphash_key_t *key)
{
	__skb_set_sw_hash(skb, skb_get_hash_perturb(skb, key), true);
}

static inline u16 akm_flow_port(u32 ports, u32 hash)
{
	u32 n = akm_flow_high(ports) - akm_flow_low(ports) + 1;

	return akm_flow_low(ports) + reciprocal_scale(hash, n);
}

/* What is sealed has no flow any more that could be seen; what has none leaves from our port. */
static inline bool akm_flow_known(const struct sk_buff *skb)
{
	return skb->l4_hash || skb->sw_hash;
}

#endif /* _AKM_FLOW_H */
