/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The path to an endpoint: how large a packet it takes, and ICMP errors about packets
 * of ours. Documentation/protocol.rst, "Path MTU".
 *
 * An outer packet that is too large for its path is fragmented, which works but is slow
 * and does not pass everywhere. So senders that can make their packets smaller are told.
 * What is known of the path is the underlay's route; an ICMP error changes that, as far
 * as the kernel believes it, and nothing else.
 */
#ifndef _AKM_PATH_H
#define _AKM_PATH_H

#include "device.h"
#include "socket.h"

struct sk_buff;

/* Below these the outer packet is fragmented, and nobody is told to send anything smaller. */
#define AKM_PATH_MIN4	576		/* RFC 791, section 3.1: every host takes that much */
#define AKM_PATH_MIN6	IPV6_MIN_MTU	/* RFC 8200, section 5 */

/* What was known of all paths may be wrong: it is looked at again. */
static inline void akm_path_doubt(struct akm_device *akm)
{
	/* never 0. Two at once may count as one: nobody has looked in between */
	WRITE_ONCE(akm->path_doubts, (READ_ONCE(akm->path_doubts) + 1) ?: 1);
}

/* The slow part of akm_path_takes() */
bool akm_path_check(struct akm_device *akm, struct akm_endpoint *endpoint, struct sk_buff *skb);

/**
 * akm_path_takes() - may this inner packet go to @endpoint?
 * @akm: the device
 * @endpoint: of the member that it is for
 * @skb: starts with its IP header
 *
 * Context: RCU, BH disabled.
 * Return: false if it is too large for the path, must not be fragmented, and its sender
 * has been told.
 */
static inline bool akm_path_takes(struct akm_device *akm, struct akm_endpoint *endpoint,
				  struct sk_buff *skb)
{
	return likely(READ_ONCE(endpoint->wide) == READ_ONCE(akm->path_doubts)) ||
	       akm_path_check(akm, endpoint, skb);
}

/* An encap_err_lookup. Return: 0 if the kernel may believe it. RCU, BH disabled. */
int akm_path_error(struct sock *sk, struct sk_buff *skb);

#endif /* _AKM_PATH_H */
