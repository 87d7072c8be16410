/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Splitting a large TCP or UDP packet of the stack (GSO) into packets that fit the
 * MTU, straight into the buffers in which they are encrypted: no sk_buff for each,
 * and the payload is copied and summed in one pass. What is not of the common kind
 * is left to skb_gso_segment(). Pure but for the sk_buff.
 */
#ifndef _AKM_GSO_H
#define _AKM_GSO_H

#include <linux/skbuff.h>

#define AKM_GSO_HEADER_MAX	(40 + 60)	/* IPv6, TCP with options */

struct akm_gso {
	bool v6;
	bool tcp;			/* otherwise UDP */
	bool fixed_id;			/* IPv4: all packets have the same ID */
	unsigned int network_len;
	unsigned int header_len;	/* network and transport */
	unsigned int payload;		/* of all packets together */
	unsigned int mss;		/* of every packet but the last */
	unsigned int n;			/* packets */
};

/**
 * akm_gso_plan() - can this packet be split here?
 * @skb: a packet for which skb_is_gso() holds; data is at the network header
 * @ret_gso: how it will be split
 *
 * Return: false if skb_gso_segment() has to do it.
 */
bool akm_gso_plan(struct sk_buff *skb, struct akm_gso *ret_gso);

/* Length of packet @i, headers included */
static inline unsigned int akm_gso_len(const struct akm_gso *gso, unsigned int i)
{
	return gso->header_len + min(gso->mss, gso->payload - i * gso->mss);
}

/* Write packet @i, of akm_gso_len() bytes, checksums completed. */
void akm_gso_write(const struct sk_buff *skb, const struct akm_gso *gso, unsigned int i,
		   u8 *to);

#endif /* _AKM_GSO_H */
