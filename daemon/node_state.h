/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a node keeps sealed: the operational ATRs it is a member of, their
 * generations, and the highest term it has seen. Encoding and decoding of the sealed
 * store's content; pure.
 */
#ifndef AKM_NODE_STATE_H
#define AKM_NODE_STATE_H

#include "msg.h"

#define NODE_STATE_VERSION	1
#define NODE_GENERATIONS	4	/* AKM_GENERATIONS_MAX */

struct node_generation {
	uint32_t number, key_id;
	uint64_t epoch;			/* at which the chains stand */
	bool active;			/* else pending */
	bool armed;			/* a fallback that all members hold: it may be entered */
	struct akm_secret chain;
	size_t n_pairs;
	struct msg_pair *pairs;		/* owned */
	struct akm_secret pair_chains;
	bool unused;			/* not stored: see msg_atr_prepare */
};

struct node_atr {
	struct node_atr *next;
	struct msg_atr_prepare def;	/* the definition; its generation fields and secrets are unused */
	size_t n_generations;
	struct node_generation generations[NODE_GENERATIONS];	/* ascending numbers */
	/* Not stored: */
	bool in_kernel;			/* device and all generations are there */
	bool wants_incarnation;		/* asked for, not there yet */
	unsigned int announces;		/* of the active generation that are left to be made */
	uint64_t announce_ms;		/* when the next one is due */
	int group_r;			/* why its multicast group is not used, 0: it is, or has none */
	char group_why[96];		/* for people */
};

struct node_state {
	uint8_t id[AKM_ID_LEN];		/* the provisioning ATR all this came through */
	uint64_t term;
	struct node_atr *first;
};

void node_generation_wipe(struct node_generation *g);
void node_state_clear(struct node_state *s);
struct node_atr *node_state_find(const struct node_state *s, uint32_t atr_id);
struct node_generation *node_atr_generation(struct node_atr *a, uint32_t number);
struct node_generation *node_atr_active(struct node_atr *a);
void node_state_remove(struct node_state *s, struct node_atr *a);	/* wipes it */
void node_atr_drop(struct node_atr *a, uint32_t number);		/* wipes that generation, if it is there */
void node_atr_drop_older(struct node_atr *a, uint32_t number);

bool node_atr_is_member(const struct node_atr *a, uint16_t index);
/* The definition in @p replaces the one held. Takes its members; wipes what was shared with those who left. */
void node_atr_define(struct node_atr *a, struct msg_atr_prepare *p);
/* Adds @p's generation as pending. Takes its secrets, and whether it is unused. Return: 0, -ENOSPC. */
int node_atr_add(struct node_atr *a, struct msg_atr_prepare *p);
struct node_atr *node_state_new(struct node_state *s);		/* NULL: no memory */
/* @ret borrows everything from @a: the message that installs @g. Not to be freed. */
void node_atr_message(const struct node_atr *a, const struct node_generation *g, struct msg_atr_prepare *ret);
/*
 * Steps a generation's chains forward to @epoch, overwriting the old ones, never back. P4. Each step is
 * whole or not done. Return: 0 they stand there; 1 not yet: call again, others have their turn; negative.
 */
int node_generation_forward(const struct node_atr *a, struct node_generation *g, uint64_t epoch);
/* @p repeats @g at a later epoch: takes its chains. */
void node_generation_renew(struct node_generation *g, struct msg_atr_prepare *p);
#define NODE_FORWARD_DERIVATIONS 4096	/* at a time: some 20 ms */

int node_state_encode(const struct node_state *s, struct akm_secret *ret);
int node_state_decode(const struct akm_secret *content, struct node_state *ret, struct akm_error *err);

#endif /* AKM_NODE_STATE_H */
