/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Catching up with the others' epoch, of a node that slept: packets under epochs that it
 * has no keys of are tried with those of the epochs ahead, in process context, and what
 * opens moves the generation. Documentation/protocol.rst, "Catching up"; ahead.h has what
 * is decided.
 *
 * A stranger can have packets tried, AKM_AHEAD_RATE per second and lane, one at a time.
 * Of the two lanes one is for packets that come from where their sender is known to be:
 * who floods from elsewhere does not keep a member's packets from being tried.
 */
#ifndef _AKM_CATCHUP_H
#define _AKM_CATCHUP_H

#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "monitor.h"

struct akm_device;
struct akm_generation;
struct akm_header;
struct akm_key;

#define AKM_CATCH_UP_BYTES	2048	/* longer packets are not tried; others will come */

enum akm_catch_up_lane {
	AKM_LANE_ANYWHERE,
	AKM_LANE_KNOWN_PLACE,
	AKM_LANES,
};

struct akm_catch_up {
	spinlock_t lock;		/* protects the next two; BH */
	struct akm_bucket tries[AKM_LANES];
	struct sk_buff *packet[AKM_LANES];	/* header, ciphertext, tag; to be tried, or NULL */
	struct work_struct work;
};

void akm_catch_up_init(struct akm_device *akm);
/* There are no packets and no generations any more. Process context. */
void akm_catch_up_stop(struct akm_device *akm);

/* The packet path: RCU, BH disabled. */

/* The @len bytes at @offset of a datagram, under a key of @gen that we may not have yet. */
void akm_catch_up_offer(struct akm_generation *gen, const struct sk_buff *outer,
			unsigned int offset, unsigned int len, const struct akm_header *header);
/*
 * A packet did not open with @key, to receive: another epoch may have the same low byte. The
 * packet is spoilt, but the sender's next one under that byte is tried. Each sender has a
 * suspicion of its own: others, and who forges their packets, do not take it away.
 */
void akm_catch_up_suspect(const struct akm_key *key);
bool akm_catch_up_suspects(const struct akm_key *key, const struct akm_header *header);

#endif /* _AKM_CATCHUP_H */
