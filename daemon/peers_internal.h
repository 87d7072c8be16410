/* SPDX-License-Identifier: GPL-2.0 */
/* Between peers.c and peers_rotate.c. */
#ifndef AKM_PEERS_INTERNAL_H
#define AKM_PEERS_INTERNAL_H

#include "peers.h"

#define PEERS_HASH_SIZE	4096		/* power of two; NODES_MAX / 4 */

struct peers {
	struct peers_config c;
	struct linkkeys *keys;
	struct link_server *server;
	struct event *tick;
	struct peer *hash[PEERS_HASH_SIZE];
	size_t n;
	uint64_t tick_ms;		/* monotonic: when the next tick is due */
	uint64_t listening_ms;		/* monotonic: since when, or from when on, silence counts */
	uint64_t next_due_ms;		/* monotonic: when link keys move on */
	struct rotation_job *rotation;	/* the one that the TPM works at */
	struct rotation_wait *waits;
};

/* peers.c */
void peers_move_on(struct peer *peer);		/* the link key, if the peer is there and knows the present n */

/* peers_rotate.c */
int rotation_load(struct peer *peer);		/* what is stored of it */
void rotation_up(struct peer *peer);		/* it has said hello, and what n it knows is settled */
void rotation_end(struct peer *peer);		/* the session has ended */
/*
 * It came with @n, one beyond what is stored. Return: 1 that is under the key which it was offered, and which is its key
 * now; 0 nothing was offered; negative: that could not be stored.
 */
int rotation_prove(struct peer *peer, uint64_t n);
bool rotation_holds(const struct peer *peer);	/* n must stay what it is */
void rotation_acked(struct peer *peer);		/* it knows the present n */
void rotation_tick(struct peers *p);
void rotation_free(struct peers *p);

#endif /* AKM_PEERS_INTERNAL_H */
