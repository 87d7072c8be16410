/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is one identity in use in two places at once? akmd has one link upwards, and closes it before it makes another: who
 * moved, or lost its connection, never answers on the old one again. So the old link is asked once the new one has
 * proved the same key, and an answer is proof of two. Where there is none (that link was cut as well), it is proof that
 * an instance of akmd comes back after another one was there. Addresses are told, and judged by nobody: NAT gives them.
 */
#ifndef AKM_PLACES_H
#define AKM_PLACES_H

#include "calls.h"

#define PLACES_ANSWER_MS 5000	/* two retransmissions of TCP (RFC 6298: 1 s, 2 s) and a busy event loop there */
#define PLACES_INSTANCES 4	/* remembered, the newest first; a restart makes one */

/* @text: where both are, for people. Called in the middle of what a link received. */
typedef void (*places_fn)(void *ctx, const char *text);

struct places {				/* of one identity */
	struct link *old;		/* was superseded, and is asked whether it still answers. Owned */
	struct calls calls;		/* of @old */
	struct msg_endpoint was_at, is_at;
	uint64_t lasted_ms;		/* @old, when it was superseded */
	struct { uint64_t id; struct msg_endpoint at; } seen[PLACES_INSTANCES];
	places_fn two;
	void *ctx;
};

void places_init(struct places *p, struct event_base *base, places_fn two, void *ctx);
void places_end(struct places *p);	/* without a word; @old is freed */
/*
 * @old was up for @lasted_ms, and @new has proved the same key. Takes @old: its messages go to places_message(), its end
 * to places_down(), and it is closed when it has answered, or not. @last_id: of the requests sent over @old.
 */
void places_superseded(struct places *p, struct link *old, struct link *new, uint64_t lasted_ms, uint32_t last_id);
bool places_message(struct places *p, const struct link *l, const struct msg *m);	/* Return: it was @old's */
bool places_down(struct places *p, const struct link *l);
/* Who says hello over @l. @instance 0: it does not say. */
void places_hello(struct places *p, const struct link *l, uint64_t instance);

#endif /* AKM_PLACES_H */
