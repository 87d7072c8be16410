/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The freshness exchange: hellos and their answers, and the packets that wait for
 * one. Documentation/protocol.rst, "Freshness"; fresh.h has what is decided.
 *
 * Nothing here happens before a packet has been authenticated. Hellos and answers
 * go to a member's endpoint, wherever what caused them came from.
 */
#ifndef _AKM_HELLO_H
#define _AKM_HELLO_H

#include <linux/list.h>
#include <linux/skbuff.h>
#include "fresh.h"
#include "keys.h"

/* One member in one generation that may have been used before this kernel state had it */
struct akm_asking {
	struct akm_fresh fresh;		/* device's hello_lock; its answer also without lock */
	struct akm_generation *gen;
	u16 index;
	struct list_head list;		/* in akm_device.asking, or empty */
	struct sk_buff_head waiting[2];	/* pair, group; in the order they were sealed in */
	unsigned int waiting_bytes[2];
};

struct akm_parcel;

/* What receive.c and the waiting packets' queues keep in skb->cb */
struct akm_receive_cb {
	struct akm_key *key;		/* held; not while waiting */
	struct akm_fresh_order order;	/* while waiting, as is the next */
	unsigned long until;
	struct akm_parcel *parcel;	/* it is alone in it; receive.c */
	u8 tos;				/* of the outer header */
};

static inline struct akm_receive_cb *akm_receive_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct akm_receive_cb) > sizeof(skb->cb));
	return (struct akm_receive_cb *)skb->cb;
}

void akm_hello_init(struct akm_device *akm);

/*
 * What has to be asked of member @index in @gen, made if it is missing; NULL if nothing.
 * The device is locked. Return: 0 or -ENOMEM.
 */
int akm_hello_asking(struct akm_generation *gen, u16 index, struct akm_asking **ret_asking);
/* The generation has become active: ask everybody, at leisure. The device is locked. */
void akm_hello_ask_all(struct akm_generation *gen);
/* Whoever hears of it shall know that the generation is in use: a hello to everybody, now. Locked. */
void akm_hello_announce(struct akm_generation *gen);
/* The generation is not to be found any more: nobody asks, nothing waits. Process context. */
void akm_hello_forget(struct akm_generation *gen);
/* Nobody uses it any more. */
void akm_hello_free(struct akm_generation *gen);
/* A hello that had no key to go under has one now. The device is locked. */
void akm_hello_send(struct akm_generation *gen, u16 index, const struct akm_hello *hello);
/* Jiffies, at random, over which what goes to or comes from all members is spread */
unsigned long akm_hello_spread(const struct akm_device *akm);
/* Send member @index a keepalive, if there is an active generation. Process context. */
void akm_hello_keepalive(struct akm_device *akm, u16 index);
/* For people: enum akm_fresh_state, and the packets that wait. The device is locked. */
u32 akm_hello_state(struct akm_generation *gen, u16 index, unsigned int *ret_waiting);

/* The packet path: RCU, BH disabled. */

/*
 * Tell member @index our epoch, if we can. notice.c says when. RCU, BH disabled.
 * Return: false: the member is cold.
 */
bool akm_hello_notice(struct akm_generation *gen, u16 index);

/* Data are about to be sealed under a pair key: an answer to them must not find us deaf. */
void akm_hello_before_data(const struct akm_key *key);
/**
 * akm_hello_wait() - have a packet wait for the sender's answer
 * @key: what it was opened with, and akm_key_accept() answered AKM_WAITS
 * @skb: header, plaintext, tag; akm_receive_cb() has the TOS
 *
 * Return: true: @skb is taken, or dropped and counted. false: there is an answer by now.
 */
bool akm_hello_wait(struct akm_key *key, struct sk_buff *skb);
/* What a packet that waited was opened with, held; NULL: it has been erased since. */
struct akm_key *akm_hello_key(struct akm_generation *gen, struct sk_buff *skb);
/**
 * akm_hello_receive() - act on an authentic packet that carries no data
 * @key: what it was opened with
 * @type: akm_is_control()
 * @body: its plaintext
 * @len: of @body
 * @ret_released: initialised; gets the packets that waited and do not any more
 *
 * Return: false if it is malformed.
 */
bool akm_hello_receive(struct akm_key *key, enum akm_packet_type type, const void *body,
		       unsigned int len, struct sk_buff_head *ret_released);

#endif /* _AKM_HELLO_H */
