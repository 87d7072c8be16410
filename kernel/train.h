/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What GRO does, for packets that were decrypted one after the other: consecutive
 * segments of one TCP stream become one large packet, so that the stack is walked
 * once for all of them. No sk_buff is made for a segment that joins. Pure but for
 * the sk_buff.
 */
#ifndef _AKM_TRAIN_H
#define _AKM_TRAIN_H

#include <linux/skbuff.h>

struct akm_train {
	struct sk_buff *skb;		/* NULL: there is none */
	bool open;			/* more may join */
	bool same_id;			/* IPv4: the ID does not grow; known from the second on */
	u16 network_len;
	u16 header_len;			/* network and transport */
	u16 mss;
	u16 n;				/* segments */
	u32 next_seq;
	u16 last_id;			/* IPv4 */
};

/* A packet that may join a train, or start one that others can join */
struct akm_segment {
	const u8 *data;			/* inner packet, in an akm_buffer */
	unsigned int len;
	u16 network_len;
	u16 header_len;			/* 0: not TCP, or not of the kind that is joined */
	u16 lent;			/* the first bytes belong to others: they are copied */
};

/* @len is what the inner IP header says, and at least the length of it. */
void akm_segment_parse(const u8 *data, unsigned int len, struct akm_segment *ret_segment);

/*
 * How many bytes before @at may be lent to the headers of what is to be written there, so
 * that it can join as one piece; 0 if the train does not end there.
 */
unsigned int akm_train_lends(const struct akm_train *train, const u8 *at);
/*
 * The last @n bytes, at least, will be overwritten: have a copy of them, @data, in their
 * place. Nothing joins afterwards. Return: 0 or -ENOMEM.
 */
int akm_train_save_end(struct akm_train *train, const u8 *data, unsigned int n);

/*
 * Is @segment the next of the stream, with the same addresses? Then it has joined, and the
 * reference on its buffer is taken over.
 */
bool akm_train_join(struct akm_train *train, const struct akm_segment *segment,
		    unsigned int truesize);

/**
 * akm_train_start() - make a packet the first of a train
 * @train: has none
 * @segment: the packet; its buffer is taken over on success
 * @truesize: share of the buffer
 *
 * Return: 0 or -ENOMEM.
 */
int akm_train_start(struct akm_train *train, const struct akm_segment *segment,
		    unsigned int truesize);

/* Return: the packet, complete but for its device and type, and there is none any more. */
struct sk_buff *akm_train_end(struct akm_train *train);

#endif /* _AKM_TRAIN_H */
