/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Freshness: what a receiver that has lost its replay windows knows about one
 * sender's packets of one generation, and when it asks. Documentation/protocol.rst,
 * "Freshness". Pure: time and randomness are arguments, the caller locks.
 *
 *	UNKNOWN --ask--> ASKING --answer--> YES, for ever
 *	   ^                | no answer to AKM_HELLO_TRIES hellos
 *	   +----------------+
 *
 * The nonce is chosen once. Whoever has it has been asked by this kernel state, which
 * has delivered nothing of the sender's before: an answer to any of the hellos will do.
 */
#ifndef _AKM_FRESH_H
#define _AKM_FRESH_H

#include <linux/akm.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include "proto.h"

struct akm_fresh {
	u32 state;			/* enum akm_fresh_state; readers without lock acquire */
	unsigned int tries;		/* since it last began to ask */
	unsigned long next;		/* jiffies of the next try, while asking */
	u8 nonce[AKM_HELLO_NONCE];
	u64 epoch;			/* the answer; written before the state becomes YES */
	u64 pair;
	u64 group;
};

void akm_fresh_init(struct akm_fresh *fresh, const u8 nonce[AKM_HELLO_NONCE]);
/* Have the first hello sent at @when (jiffies), or earlier if it was to be sent before. */
void akm_fresh_ask(struct akm_fresh *fresh, unsigned long when);

enum akm_fresh_step {
	AKM_FRESH_WAIT,			/* nothing to do now */
	AKM_FRESH_SEND,			/* send a hello */
	AKM_FRESH_GIVE_UP,		/* nobody answers: it does not ask any more */
};
/* What is due @now (jiffies)? @random varies the time until the next try. */
enum akm_fresh_step akm_fresh_step(struct akm_fresh *fresh, unsigned long now, u32 random);

/* An authentic hello-ack. Return: false if it answers nothing that was asked. */
bool akm_fresh_answer(struct akm_fresh *fresh, const struct akm_hello_ack *ack);

/* Is there an answer? */
static inline bool akm_fresh_known(const struct akm_fresh *fresh)
{
	return smp_load_acquire(&fresh->state) == AKM_FRESH_YES;	/* akm_fresh_answer() */
}

/**
 * akm_fresh_floor() - lowest number that cannot be a replay from before the answer
 * @fresh: akm_fresh_known()
 * @epoch: of the key
 * @group: is it the group key?
 *
 * Return: the packet number.
 */
u64 akm_fresh_floor(const struct akm_fresh *fresh, u64 epoch, bool group);

/* A packet's place in the order in which its sender sealed what is under one type of key */
struct akm_fresh_order {
	u64 epoch;
	u64 number;
};
bool akm_fresh_before(const struct akm_fresh_order *a, const struct akm_fresh_order *b);

/*
 * The other side of it: what was answered to the last nonce of a member. Who asks again
 * with the same one has not heard the answer, and gets it again: what was sent since,
 * and waits there, is still new.
 */
struct akm_fresh_answered {
	u32 key_id;			/* 0: nothing was */
	struct akm_hello_ack ack;
};
bool akm_fresh_same(const struct akm_fresh_answered *last, u32 key_id,
		    const struct akm_hello *hello, u32 incarnation);

#endif /* _AKM_FRESH_H */
