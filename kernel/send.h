/* SPDX-License-Identifier: GPL-2.0 */
/* Packets from the stack to the underlay. */
#ifndef _AKM_SEND_H
#define _AKM_SEND_H

#include <linux/netdevice.h>

/* ndo_start_xmit */
netdev_tx_t akm_send(struct sk_buff *skb, struct net_device *dev);

/* A packet that waited for its key. RCU, BH disabled. */
void akm_send_waited(struct sk_buff *skb, struct net_device *dev);

#endif /* _AKM_SEND_H */
