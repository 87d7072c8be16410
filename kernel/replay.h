/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replay window over 64-bit packet numbers, one per sender and key
 * (RFC 6479's ring, with RFC 4303 section 3.4.3's two-step check). Pure.
 */
#ifndef _AKM_REPLAY_H
#define _AKM_REPLAY_H

#include <linux/types.h>
#include "proto.h"

/*
 * Numbers in [next - AKM_REPLAY_WINDOW, next) have their bit at number modulo
 * AKM_REPLAY_WINDOW; lower ones are too old, higher ones are new. U64_MAX is
 * never accepted: next could not tell it from "none yet".
 */
struct akm_replay {
	u64 next;			/* highest number accepted, plus one; 0: none yet */
	unsigned long bits[AKM_REPLAY_WINDOW / BITS_PER_LONG];
};

void akm_replay_init(struct akm_replay *r);
/*
 * Before decryption, no lock, may be stale: could @number still be accepted?
 * A wrong "no" does not occur (on 32-bit machines: but for a torn read).
 */
bool akm_replay_likely(const struct akm_replay *r, u64 number);
/* After authentication, under the owner's lock. Return: true if new; it is then marked as seen. */
bool akm_replay_check(struct akm_replay *r, u64 number);

/*
 * What the packets in a window looked like: 16 bits of each one's tag, which an AEAD
 * makes as good as random. Two different packets look alike once in 65,536 times; the
 * same packet, sent by the network twice, always does. 0: not known.
 */
struct akm_prints {
	u16 of[AKM_REPLAY_WINDOW];
};

enum akm_likeness {
	AKM_LIKE_NOTHING,		/* not seen, or not known what it looked like */
	AKM_LIKE_SEEN,			/* the packet with this number looked the same */
	AKM_UNLIKE_SEEN,		/* it looked different */
};

/* Of a tag; not 0. */
static inline u16 akm_print(const u8 tag[AKM_TAG_LEN])
{
	return (tag[0] << 8 | tag[1]) ?: 1;
}

/* akm_replay_check() has accepted @number; under the owner's lock. */
void akm_prints_note(struct akm_prints *prints, u64 number, u16 print);
/* Without the owner's lock, and then perhaps stale: a hint. */
enum akm_likeness akm_prints_compare(const struct akm_prints *prints,
				     const struct akm_replay *r, u64 number, u16 print);

#endif /* _AKM_REPLAY_H */
