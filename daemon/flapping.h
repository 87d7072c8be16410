/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Members that go back and forth between places. The kernel follows a member to where its newest authentic packet came
 * from, and tells of each step. A step to a new place is a NAT that bound anew, or a member that moved; one back to
 * a place that it has just left is not, when it happens again and again: two machines with one key, a path that
 * alternates, or somebody in between who sends packets on from elsewhere. Pure: takes the time.
 */
#ifndef AKM_FLAPPING_H
#define AKM_FLAPPING_H

#include "msg.h"

/*
 * So many returns within so long. A NAT keeps a UDP binding for two minutes at least (RFC 4787, REQ-5), and gives
 * another port afterwards, not an old one; who carries a machine between two networks needs seconds for each change,
 * and does not do it six times in a minute. The kernel follows a member 8 times at once and then once in a second.
 */
#define FLAPPING_RETURNS	6
#define FLAPPING_WINDOW_MS	60000
#define FLAPPING_PLACES		4	/* of a member: where it is, and those before */
/*
 * Members told apart. The kernel tells of 8 steps in a second (AKM_EVENT_RATE), 480 in the window, of which each that
 * flaps takes FLAPPING_RETURNS + 1: more could not be noticed.
 */
#define FLAPPING_MEMBERS	68

struct flapping_member {
	uint32_t atr_id;		/* 0: unused */
	int32_t member;
	struct msg_endpoint places[FLAPPING_PLACES];	/* newest first; addr_len 0: none */
	uint64_t back_ms[FLAPPING_RETURNS];	/* when it returned; a ring, the oldest is overwritten */
	unsigned int backs;			/* in all */
	uint64_t moved_ms;
};

struct flapping { struct flapping_member members[FLAPPING_MEMBERS]; };

/* @at: where that member is now. Return: it is flapping; *ret then, valid until the next call. */
bool flapping_moved(struct flapping *f, uint32_t atr_id, int32_t member, const struct msg_endpoint *at, uint64_t now_ms,
		    const struct flapping_member **ret);
/* How often it returned within the window that ends @now_ms: FLAPPING_RETURNS at most. */
unsigned int flapping_count(const struct flapping_member *m, uint64_t now_ms);

#endif /* AKM_FLAPPING_H */
