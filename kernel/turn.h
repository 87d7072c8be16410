/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What comes, opened by others, and delivered in its turn: the receiving half of spread.h.
 *
 *	receive.c ── admitted ──► here ── parcel ──► spread.c ── crypt ──► here: opened
 *	    ▲                                            │
 *	    └───────── finished, as if just opened ◄── go, in order
 *
 * RCU, BH disabled. For devices that have lines (akm_device.rx_spread).
 */
#ifndef _AKM_TURN_H
#define _AKM_TURN_H

#include <linux/skbuff.h>

struct akm_batch;
struct akm_claims;
struct akm_datagram;
struct akm_key;

/**
 * akm_turn_run() - packets that came as one, and are under one key
 * @key: held; opens @first
 * @batch: that they are of; what was opened before them is delivered
 * @first: the first of them
 * @claims: of @first
 * @ret_n: how many of them were taken; otherwise left alone
 *
 * Return: true: others open them, or they wait behind what others open, or were dropped and counted; the hold on @key
 * is taken over. false: the caller opens them, up to @batch's offset beside.
 */
bool akm_turn_run(struct akm_key *key, struct akm_batch *batch, const struct akm_datagram *first,
		  const struct akm_claims *claims, unsigned int *ret_n);

/*
 * One that came alone is not handed over, but does not overtake what was.
 * Return: true: @skb and the hold on @key are taken over.
 */
bool akm_turn_alone(struct akm_key *key, struct sk_buff *skb, u8 tos);

#endif /* _AKM_TURN_H */
