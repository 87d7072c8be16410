// SPDX-License-Identifier: GPL-2.0
#include "turn.h"

#include <linux/slab.h>
#include "admit.h"
#include "aead.h"
#include "atr.h"
#include "batch.h"
#include "device.h"
#include "hello.h"
#include "keys.h"
#include "receive.h"
#include "refuse.h"
#include "spread.h"

/* Packets in one parcel: as many as GRO makes one of (UDP_GRO_CNT_MAX) */
#define RUN_MAX		64

static struct akm_device *key_device(const struct akm_key *key)
{
	return key->epoch->gen->akm;
}

/* One of the packets that came as one; NULL: it is not opened, and was counted */
struct part {
	u8 *buffer;
	u64 number;
	u16 print;
	int err;
};

/* What others may open, or what has to wait for that: packets under one key. */
struct handed {
	struct akm_parcel parcel;
	struct akm_key *key;		/* held */
	struct sk_buff *skb;		/* held; they begin at */
	unsigned int offset;
	unsigned int end;
	unsigned int size;		/* of each, but perhaps the last */
	u8 type;			/* enum akm_packet_type */
	u8 tos;
	atomic_t pending;		/* packets that are not opened, and one for who opens them */
	struct part parts[];
};

/* Packet @i; who wants something else than its own key in it writes that. */
static struct akm_job part_job(const struct handed *handed, unsigned int i)
{
	const struct part *part = &handed->parts[i];
	unsigned int offset = handed->offset + i * handed->size;

	return (struct akm_job) {
		.buffer = part->buffer,
		.text_len = min(handed->size, handed->end - offset) - AKM_OVERHEAD,
		.skb = handed->skb,
		.offset = offset,
		.key = handed->key,
		.number = part->number,
		.print = part->print,
		.type = handed->type,
		.tos = handed->tos,
	};
}

/* The last @n packets have ended; the last of all sees the end of it. */
static void parts_end(struct handed *handed, unsigned int n)
{
	if (atomic_sub_and_test(n, &handed->pending))
		akm_parcel_ready(&handed->parcel);
}

static void part_done(struct akm_job *job, int err)
{
	struct handed *handed = job->key;

	handed->parts[(job->offset - handed->offset) / handed->size].err = err;
	rcu_read_lock();
	parts_end(handed, 1);
	rcu_read_unlock();
}

/* Nobody knows yet whether the one before it counts: it has a place of its own. */
static u8 *part_lay(struct akm_track *track, unsigned int len, unsigned int more)
{
	u8 *buffer = akm_track_lay(track, len, 0, more);

	if (buffer)
		akm_track_keep(track, buffer + len);
	return buffer;
}

/* Return: true if it has ended. */
static bool part_open(struct handed *handed, struct akm_track *track, unsigned int i)
{
	struct part *part = &handed->parts[i];
	struct akm_job job = part_job(handed, i);
	const struct akm_datagram at = akm_batch_datagram(&job);
	struct akm_claims claims;
	int err;

	part->buffer = NULL;
	if (!akm_admit_next(handed->key, &at, &claims))
		return true;
	part->buffer = part_lay(track, at.len - AKM_TAG_LEN, handed->end - at.offset);
	if (unlikely(!part->buffer)) {
		akm_refuse_count(handed->key, AKM_STAT_RX_DROPPED);
		return true;
	}
	part->number = claims.number;
	part->print = claims.print;
	job.done = part_done;
	job.key = handed;
	job.number = claims.number;
	job.buffer = part->buffer;
	err = akm_aead_open_job(&handed->key->aead, &job);
	if (err == -EINPROGRESS)	/* and perhaps it has been answered by now */
		return false;
	part->err = err;
	return true;
}

static void handed_open(struct akm_parcel *parcel)
{
	struct handed *handed = container_of(parcel, struct handed, parcel);
	struct akm_track track = {};
	unsigned int i, n = 0;

	if (parcel->elsewhere)
		akm_stats_add(&key_device(handed->key)->stats, AKM_STAT_RX_SPREAD,
			      parcel->packets);
	for (i = 0; i < parcel->packets; i++)
		n += part_open(handed, &track, i);
	akm_track_free(&track);
	parts_end(handed, n + 1);
}

/* Only now it is asked what is new, as if they had just come. */
static void handed_go(struct akm_parcel *parcel)
{
	struct handed *handed = container_of(parcel, struct handed, parcel);
	struct akm_batch batch = { .skb = handed->skb, .tos = handed->tos };
	struct akm_job job;
	unsigned int i;

	for (i = 0; i < parcel->packets; i++) {
		if (!handed->parts[i].buffer)
			continue;
		job = part_job(handed, i);
		akm_key_get(handed->key);
		akm_batch_finish(&batch, &job, handed->parts[i].err);
	}
	akm_batch_flush(&batch);
}

static void handed_end(struct akm_parcel *parcel)
{
	struct handed *handed = container_of(parcel, struct handed, parcel);

	kfree_skb(handed->skb);
	akm_key_put(handed->key);
	kfree(handed);
}

static const struct akm_parcel_ops handed_ops = {
	.crypt = handed_open,
	.go = handed_go,
	.end = handed_end,
};

/* Nothing that only this context keeps alive may go with it. */
static void detach(struct sk_buff *skb)
{
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb->dev = NULL;
}

/* Takes over the hold on @key, if there is room: Return: true. */
static bool hand_over(struct akm_key *key, const struct akm_batch *batch,
		      const struct akm_datagram *first, unsigned int n, u8 type, bool elsewhere)
{
	struct akm_device *akm = key_device(key);
	unsigned int end = min(first->offset + n * first->len, batch->skb->len);
	struct handed *handed;

	handed = kmalloc(struct_size(handed, parts, n), GFP_ATOMIC | __GFP_NOWARN);
	if (!handed)
		return false;
	*handed = (struct handed) {
		.parcel.ops = &handed_ops,
		.parcel.packets = n,
		/* it keeps all of what came, and what is opened is as long */
		.parcel.bytes = batch->skb->truesize + end - first->offset,
		.key = key,
		.skb = skb_get(batch->skb),
		.offset = first->offset,
		.end = end,
		.size = first->len,
		.type = type,
		.tos = batch->tos,
		.pending = ATOMIC_INIT(n + 1),
	};
	detach(batch->skb);
	if (akm_spread_add(akm->rx_spread, &key->member->lines->rx, &handed->parcel, elsewhere))
		return true;
	kfree_skb(handed->skb);
	kfree(handed);
	return false;
}

/* A tunnel in a tunnel: what is delivered to it meanwhile is queued, and would be overtaken. */
static enum akm_spread_way way_of(const struct akm_key *key, unsigned int n)
{
	struct akm_line *line = &key->member->lines->rx;

	if (akm_receive_nested() && list_empty(&line->parcels))
		return AKM_SPREAD_BESIDE;
	return akm_spread_way(key_device(key)->rx_spread, line, n);
}

/*
 * There was no room. What would overtake others is lost.
 * Return: true if so, and the hold on @key is gone.
 */
static bool lose(struct akm_key *key, unsigned int n)
{
	if (list_empty(&key->member->lines->rx.parcels))
		return false;
	akm_stats_add(&key_device(key)->stats, AKM_STAT_RX_SPREAD_DROPPED, n);
	akm_key_put(key);
	return true;
}

bool akm_turn_run(struct akm_key *key, struct akm_batch *batch, const struct akm_datagram *first,
		  const struct akm_claims *claims, unsigned int *ret_n)
{
	unsigned int n = akm_admit_run(first, RUN_MAX);
	enum akm_spread_way way = way_of(key, n);

	if (way != AKM_SPREAD_BESIDE) {
		*ret_n = n;
		akm_batch_flush(batch);	/* goes first */
		if (hand_over(key, batch, first, n, claims->type, way == AKM_SPREAD_ELSEWHERE) ||
		    lose(key, n))
			return true;
		*ret_n = 1;
	}
	batch->beside = first->offset + n * first->len;
	return false;
}

/* One that came alone, in its line: opened where it lies */
struct lone {
	struct akm_parcel parcel;
	struct akm_key *key;		/* held */
	struct sk_buff *skb;
	int err;
};

static void lone_done(struct sk_buff *skb, int err)
{
	struct akm_parcel *parcel = akm_receive_cb(skb)->parcel;

	container_of(parcel, struct lone, parcel)->err = err;
	rcu_read_lock();
	akm_parcel_ready(parcel);
	rcu_read_unlock();
}

static void lone_open(struct akm_parcel *parcel)
{
	struct lone *lone = container_of(parcel, struct lone, parcel);
	int err = akm_aead_open(&lone->key->aead, lone->skb, lone_done);

	if (err != -EINPROGRESS)
		lone_done(lone->skb, err);
}

static void lone_go(struct akm_parcel *parcel)
{
	struct lone *lone = container_of(parcel, struct lone, parcel);

	akm_key_get(lone->key);
	akm_receive_opened(lone->skb, lone->err);
}

static void lone_end(struct akm_parcel *parcel)
{
	struct lone *lone = container_of(parcel, struct lone, parcel);

	akm_key_put(lone->key);
	kfree(lone);
}

static const struct akm_parcel_ops lone_ops = {
	.crypt = lone_open,
	.go = lone_go,
	.end = lone_end,
};

/* Linear, and nobody else's. Takes over both, if there is room: Return: true. */
static bool add_lone(struct akm_key *key, struct sk_buff *skb, u8 tos)
{
	struct lone *lone = kmalloc(sizeof(*lone), GFP_ATOMIC | __GFP_NOWARN);

	if (!lone)
		return false;
	*lone = (struct lone) {
		.parcel.ops = &lone_ops,
		.parcel.packets = 1,
		.parcel.bytes = skb->truesize,
		.key = key,
		.skb = skb,
	};
	detach(skb);
	*akm_receive_cb(skb) = (struct akm_receive_cb) {
		.key = key, .parcel = &lone->parcel, .tos = tos,
	};
	if (akm_spread_add(key_device(key)->rx_spread, &key->member->lines->rx, &lone->parcel,
			   false))
		return true;
	kfree(lone);
	return false;
}

bool akm_turn_alone(struct akm_key *key, struct sk_buff *skb, u8 tos)
{
	if (way_of(key, 1) == AKM_SPREAD_BESIDE)
		return false;
	if (unlikely(skb_linearize_cow(skb))) {
		akm_refuse_count(key, AKM_STAT_RX_DROPPED);
		akm_key_put(key);
	} else if (add_lone(key, skb, tos)) {
		return true;
	} else if (!lose(key, 1)) {
		return false;
	}
	kfree_skb(skb);
	return true;
}
