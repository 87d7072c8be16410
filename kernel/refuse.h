/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets that are refused: where they count, and what is told of them.
 * Documentation/protocol.rst, "Receiver". All of it under RCU, BH disabled.
 */
#ifndef _AKM_REFUSE_H
#define _AKM_REFUSE_H

#include <linux/akm.h>
#include <linux/skbuff.h>
#include "monitor.h"
#include "proto.h"

struct akm_generation;
struct akm_key;
struct akm_socket;

/* Nothing of it is proven: @skb tells where it came from. */
void akm_refuse_malformed(const struct akm_socket *as, const struct sk_buff *skb);
/*
 * There is no key for what @header says. @gen: the generation that it names, NULL: it names
 * none. Tells those who are behind from those who know nothing of us.
 */
void akm_refuse_key(const struct akm_socket *as, struct akm_generation *gen,
		    const struct sk_buff *skb, const struct akm_header *header);

/* The key was found, the sender is claimed or proven: @why counts at the device and at it. */
void akm_refuse_count(const struct akm_key *key, enum akm_stat why);
void akm_refuse_report(const struct akm_key *key, const struct sk_buff *skb, u64 number,
		       enum akm_event_type type);
/* Both */
void akm_refuse(const struct akm_key *key, const struct sk_buff *skb, u64 number,
		enum akm_stat why, enum akm_event_type type);

#endif /* _AKM_REFUSE_H */
