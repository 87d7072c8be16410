/* SPDX-License-Identifier: GPL-2.0 */
/* Packets that came as one, and what becomes of each once it is opened. receive.c; RCU, BH disabled. */
#ifndef _AKM_BATCH_H
#define _AKM_BATCH_H

#include <linux/skbuff.h>
#include "aead.h"
#include "monitor.h"
#include "track.h"
#include "train.h"

struct akm_key;

struct akm_batch {
	struct sk_buff *skb;		/* all of them, from offset 0 on */
	u8 tos;
	unsigned int beside;		/* up to this offset they are counted beside a line */
	struct akm_track track;		/* where they are written to */
	struct akm_train train;
	struct akm_key *train_key;	/* held, if there is a train */
};

static inline bool akm_is_batch(const struct sk_buff *skb)
{
	return skb_is_gso(skb) && skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4;
}

static inline struct akm_datagram akm_batch_datagram(const struct akm_job *job)
{
	return (struct akm_datagram) {
		.skb = job->skb, .offset = job->offset, .len = job->text_len + AKM_OVERHEAD,
	};
}

/* Check what @job opened with result @err, and have it delivered. Takes over its buffer and its hold on its key. */
void akm_batch_finish(struct akm_batch *batch, const struct akm_job *job, int err);
/* Deliver what has been held back for others to join. */
void akm_batch_flush(struct akm_batch *batch);

#endif /* _AKM_BATCH_H */
