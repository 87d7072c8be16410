/* SPDX-License-Identifier: GPL-2.0 */
/* Packets from the underlay to the stack. */
#ifndef _AKM_RECEIVE_H
#define _AKM_RECEIVE_H

#include <linux/skbuff.h>
#include <net/sock.h>

/* encap_rcv of the UDP sockets: takes every datagram. */
int akm_receive(struct sock *sk, struct sk_buff *skb);

struct akm_device;

/* Opened where it lies, with result @err: akm_receive_cb() has the key. Consumes both. BH disabled. */
void akm_receive_opened(struct sk_buff *skb, int err);
/* Is this part of a delivery to the stack? BH disabled. */
bool akm_receive_nested(void);

/*
 * A copy of one packet of a datagram: the @len bytes at @offset, with the headers before
 * them that tell where they came from. NULL: no memory. Any context.
 */
struct sk_buff *akm_receive_copy(const struct sk_buff *outer, unsigned int offset,
				 unsigned int len);
/* Such a copy that waited for its key. RCU, BH disabled. Consumes it. */
void akm_receive_waited(struct akm_device *akm, struct sk_buff *skb);

#endif /* _AKM_RECEIVE_H */
