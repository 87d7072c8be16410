/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ICMP errors to senders of inner packets that cannot go.
 */
#ifndef _AKM_TELL_H
#define _AKM_TELL_H

#include <linux/types.h>

struct akm_device;
struct sk_buff;

/*
 * RCU, BH disabled. @skb is IPv4 or IPv6, and starts with that header; it stays the caller's.
 */

/* Nobody is where it is to go. */
void akm_tell_unreachable(const struct akm_device *akm, struct sk_buff *skb);
/* No more than @mtu bytes fit. Sockets of this machine send no more from now on. */
void akm_tell_too_big(const struct akm_device *akm, struct sk_buff *skb, u32 mtu);

#endif /* _AKM_TELL_H */
