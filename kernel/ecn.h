/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the underlay said of congestion, told to the inner packet: RFC 6040, section 4.2.
 * DSCPs stay apart: the outer one is the underlay's, the inner one the sender's.
 */
#ifndef _AKM_ECN_H
#define _AKM_ECN_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>

/* @mark is ECT(1) or CE; a checksum that was right stays right. */
static inline void akm_ecn_mark(u8 *inner, u8 mark)
{
	const u8 keep = (u8)~INET_ECN_MASK;

	if (((struct iphdr *)inner)->version == 4)
		ipv4_change_dsfield((struct iphdr *)inner, keep, mark);
	else
		ipv6_change_dsfield((struct ipv6hdr *)inner, keep, mark);
}

/**
 * akm_ecn_merge() - from the outer header to the inner one
 * @inner: a whole IPv4 or IPv6 header, to be changed
 * @outer: TOS or traffic class of the outer header
 *
 * Return: false if the packet has to be dropped: the network marked what it must not.
 */
static inline bool akm_ecn_merge(u8 *inner, u8 outer)
{
	const struct iphdr *ip = (struct iphdr *)inner;
	u8 tos = ip->version == 4 ? ip->tos : ipv6_get_dsfield((struct ipv6hdr *)inner);

	outer &= INET_ECN_MASK;
	tos &= INET_ECN_MASK;
	if (likely(outer == INET_ECN_NOT_ECT || outer == INET_ECN_ECT_0 || outer == tos))
		return true;
	if (tos == INET_ECN_NOT_ECT)
		return outer != INET_ECN_CE;
	if (outer == INET_ECN_CE || tos == INET_ECN_ECT_0)
		akm_ecn_mark(inner, outer);
	return true;
}

#endif /* _AKM_ECN_H */
