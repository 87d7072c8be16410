/* SPDX-License-Identifier: GPL-2.0 */
/* Packets from the underlay to the stack. */
#ifndef _AKM_RECEIVE_H
#define _AKM_RECEIVE_H

#include <linux/skbuff.h>
#include <net/sock.h>

/* encap_rcv of the UDP sockets: takes every datagram. */
int akm_receive(struct sock *sk, struct sk_buff *skb);

#endif /* _AKM_RECEIVE_H */
