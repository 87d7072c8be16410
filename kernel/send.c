// SPDX-License-Identifier: GPL-2.0
#include "send.h"

#include <linux/skbuff.h>
#include <net/ip_tunnels.h>
#include "aead.h"
#include "atr.h"
#include "buffer.h"
#include "compat/compat.h"
#include "device.h"
#include "flow.h"
#include "group.h"
#include "gso.h"
#include "hello.h"
#include "inner.h"
#include "keys.h"
#include "path.h"
#include "roam.h"
#include "socket.h"
#include "spread.h"
#include "tell.h"
#include "warm.h"

/* Packets that go out as one, for the underlay to split as late as it can */
#define BATCH_MAX	64
#define BATCH_BYTES	(0xffff - AKM_UDP_HEADROOM)
/* A group's packet that is shorter is copied for every member */
#define SHARE_MIN	256

struct handed;

struct send_cb {
	struct akm_key *key;		/* held */
	struct handed *handed;		/* goes with it; NULL: goes as soon as it is sealed */
	atomic_t pending;		/* packets of a batch that have not ended */
	int err;			/* of any of them */
	u32 bytes;			/* of inner packets */
	u16 n;				/* packets */
	u8 tos;				/* for the outer header */
	bool beside;			/* counted in the member's line */
};

/* What is sealed, under what, and what becomes of it */
struct source {
	struct akm_key *key;
	struct sk_buff *skb;		/* a packet that is split, or a list of packets */
	const struct akm_gso *gso;	/* how it is split; NULL: it is a list */
	u32 incarnation;
	u64 first;			/* sequence number of packet 0 */
	struct handed *handed;		/* as in struct send_cb, like the next */
	bool beside;
};

/* What others may seal, or what has to wait for that. Its parts go to the end of it as well. */
struct handed {
	struct akm_parcel parcel;
	struct source source;		/* the key is held for this */
	struct akm_gso gso;
	unsigned int refs;		/* on the key, for the parts */
	struct sk_buff_head parts;	/* packets and batches in order; until they go, only linked */
	atomic_t pending;		/* of them, and one for who makes them */
};

static struct send_cb *send_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct send_cb) > sizeof(skb->cb));
	return (struct send_cb *)skb->cb;
}

static struct akm_device *key_device(const struct akm_key *key)
{
	return key->epoch->gen->akm;
}

static void drop(struct akm_device *akm, struct sk_buff *skb, enum akm_stat why, u32 n)
{
	akm_stats_add(&akm->stats, why, n);
	kfree_skb_list(skb);
}

static void report_no_key(struct akm_device *akm, enum akm_event_type type,
			  const struct akm_member *member)
{
	struct akm_event event = { .type = type };

	if (member) {
		event.has = AKM_HAS_MEMBER;
		event.member = member->index;
	}
	akm_device_report(akm, &event);
}

/* RCU. Consumes @skb, which is one packet or a batch. */
static void send_to(struct akm_device *akm, struct sk_buff *skb, struct akm_member *member,
		    const struct send_cb *cb)
{
	struct akm_endpoint *endpoint = akm_member_whereabouts(member);

	if (!endpoint) {
		akm_stats_add(&member->stats, AKM_STAT_TX_NO_ENDPOINT, cb->n);
		drop(akm, skb, AKM_STAT_TX_NO_ENDPOINT, cb->n);
	} else if (akm_socket_send(akm, skb, endpoint, cb->tos)) {
		akm_stats_add(&member->stats, AKM_STAT_TX_DROPPED, cb->n);
		drop(akm, skb, AKM_STAT_TX_DROPPED, cb->n);
	} else {
		akm_stats_tx(&akm->stats, cb->n, cb->bytes);
		akm_stats_tx(&member->stats, cb->n, cb->bytes);
	}
}

/* Copies of the result share all of it but the headers to come. */
static struct sk_buff *move_to_fragment(struct sk_buff *skb)
{
	struct sk_buff *shared;
	void *buffer;

	if (skb->len < SHARE_MIN || skb->len > AKM_BUFFER_MAX || skb_shinfo(skb)->nr_frags)
		return skb;
	shared = alloc_skb(skb_headroom(skb), GFP_ATOMIC | __GFP_NOWARN);
	buffer = akm_buffer_alloc(skb->len);
	if (!shared || !buffer) {
		kfree_skb(shared);
		if (buffer)
			akm_buffer_free(buffer);
		return skb;
	}
	skb_reserve(shared, skb_headroom(skb));
	skb_copy_bits(skb, 0, buffer, skb->len);
	akm_buffer_attach(shared, buffer, skb->len, SKB_DATA_ALIGN(skb->len));
	skb_copy_hash(shared, skb);
	skb_copy_queue_mapping(shared, skb);
	shared->priority = skb->priority;
	consume_skb(skb);
	return shared;
}

/*
 * Every member but the device itself gets the same: from the underlay, if it has a
 * group, or in copies. Fragments are shared, not copied.
 */
static void send_to_all(struct akm_device *akm, struct sk_buff *skb, u16 self,
			const struct send_cb *cb)
{
	struct akm_member *member;
	struct sk_buff *copy;
	unsigned long index;

	if (akm_group_send(akm, skb, cb->tos)) {
		akm_stats_tx(&akm->stats, cb->n, cb->bytes);
		akm_stats_add(&akm->stats, AKM_STAT_TX_GROUP, cb->n);
		return;
	}
	skb = move_to_fragment(skb);
	xa_for_each(&akm->members, index, member) {
		if (index == self || !akm_member_reachable(member))
			continue;
		copy = pskb_copy(skb, GFP_ATOMIC);
		if (copy)
			send_to(akm, copy, member, cb);
		else
			akm_stats_add(&akm->stats, AKM_STAT_TX_DROPPED, cb->n);
	}
	consume_skb(skb);
}

/* A packet or batch leaves. Takes over @skb and its hold on the key. */
static void post(struct sk_buff *skb, int err)
{
	struct send_cb cb = *send_cb(skb);
	struct akm_device *akm = key_device(cb.key);

	rcu_read_lock();
	if (unlikely(err))
		drop(akm, skb, AKM_STAT_TX_DROPPED, cb.n);
	else if (cb.key->member)
		send_to(akm, skb, cb.key->member, &cb);
	else
		send_to_all(akm, skb, cb.key->epoch->gen->self, &cb);
	rcu_read_unlock();
	if (unlikely(cb.beside))
		atomic_dec(&cb.key->member->lines->tx.beside);
	akm_key_put(cb.key);
}

/* One of its parts has ended, or all are made. The last sees the end of it. */
static void handed_ended(struct handed *handed)
{
	if (atomic_dec_and_test(&handed->pending))
		akm_parcel_ready(&handed->parcel);
}

/* The end of everything that is sealed, whichever way it came here; BH disabled. */
static void sent(struct sk_buff *skb, int err)
{
	struct send_cb *cb = send_cb(skb);

	if (likely(!cb->handed)) {
		post(skb, err);
		return;
	}
	cb->err = err;
	rcu_read_lock();
	handed_ended(cb->handed);
	rcu_read_unlock();
}

/* @skb, about to be sealed, goes in its turn. */
static void enlist(struct handed *handed, struct sk_buff *skb)
{
	atomic_inc(&handed->pending);
	__skb_queue_tail(&handed->parts, skb);
}

/* It could not even be made. */
static void lost(const struct source *source, unsigned int n)
{
	akm_stats_add(&key_device(source->key)->stats, AKM_STAT_TX_DROPPED, n);
	if (source->beside)
		atomic_dec(&source->key->member->lines->tx.beside);
	akm_key_put(source->key);
}

static u8 outer_tos(const struct sk_buff *skb)
{
	return ip_tunnel_ecn_encap(0, ip_hdr(skb), skb);
}

/* Forget what belongs to the inner packet and its namespace. */
static void detach(struct sk_buff *skb)
{
	skb_dst_drop(skb);
	skb_scrub_packet(skb, true);
	skb->ip_summed = CHECKSUM_NONE;
	skb->encapsulation = 0;
}

/* One packet that needs no segmentation; consumes @skb and one hold on the key. */
static void seal(const struct source *source, struct sk_buff *skb, u64 number)
{
	struct akm_key *key = source->key;
	const struct akm_header header = akm_key_header(key, key->type, number);
	int err = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		err = skb_checksum_help(skb);
	*send_cb(skb) = (struct send_cb) {
		.key = key,
		.handed = source->handed,
		.bytes = skb->len,
		.n = 1,
		.tos = outer_tos(skb),
		.beside = source->beside,
	};
	if (unlikely(source->handed))
		enlist(source->handed, skb);
	detach(skb);
	if (!err)
		err = akm_aead_seal(&key->aead, skb, &header, sent);
	if (err != -EINPROGRESS)
		sent(skb, err);
}

static void seal_list(const struct source *source)
{
	u64 number = akm_packet_number(source->incarnation, source->first);
	struct sk_buff *skb, *next;

	skb_list_walk_safe(source->skb, skb, next) {
		skb_mark_not_on_list(skb);
		seal(source, skb, number++);
	}
}

/* The last @n packets of a batch have ended. Consumes it if nothing else is pending. */
static void batch_end(struct sk_buff *batch, int n)
{
	struct send_cb *cb = send_cb(batch);

	if (atomic_sub_and_test(n, &cb->pending))
		sent(batch, READ_ONCE(cb->err));
}

static void batch_done(struct akm_job *job, int err)
{
	if (err)
		WRITE_ONCE(send_cb(job->skb)->err, err);
	batch_end(job->skb, 1);
}

/* An empty batch that looks like @skb from outside. */
static struct sk_buff *batch_create(const struct source *source, unsigned int n,
				    unsigned int size)
{
	unsigned int headroom = key_device(source->key)->dev->needed_headroom;
	const struct sk_buff *skb = source->skb;
	struct sk_buff *batch = alloc_skb(headroom, GFP_ATOMIC | __GFP_NOWARN);

	if (!batch)
		return NULL;
	skb_reserve(batch, headroom);
	skb_copy_hash(batch, skb);
	skb_copy_queue_mapping(batch, skb);
	batch->priority = skb->priority;
	if (n > 1) {
		skb_shinfo(batch)->gso_type = SKB_GSO_UDP_L4;
		skb_shinfo(batch)->gso_size = size;
		skb_shinfo(batch)->gso_segs = n;
	}
	*send_cb(batch) = (struct send_cb) {
		.key = source->key,
		.handed = source->handed,
		.n = n,
		.tos = outer_tos(skb),
		.beside = source->beside,
	};
	if (unlikely(source->handed))
		enlist(source->handed, batch);
	atomic_set(&send_cb(batch)->pending, n + 1);	/* one for who fills it */
	return batch;
}

/*
 * The socket goes on being charged until the batch has left. What it was charged is
 * @skb's size, so that has to be the size of what goes back to it; from here on
 * nothing may be attached.
 */
static void batch_take_owner(struct sk_buff *batch, struct sk_buff *skb)
{
	if (!skb->destructor)
		return;
	swap(batch->sk, skb->sk);
	swap(batch->destructor, skb->destructor);
	swap(batch->truesize, skb->truesize);
}

/* Packet @i into @buffer. Return: 1 if it is sealed already, otherwise 0. */
static int batch_seal(const struct source *source, struct sk_buff *batch,
		      unsigned int i, u8 *buffer)
{
	struct akm_job job = {
		.done = batch_done,
		.buffer = buffer,
		.text_len = akm_gso_len(source->gso, i),
		.skb = batch,
		.number = akm_packet_number(source->incarnation, source->first + i),
	};
	int err;

	*(struct akm_header *)buffer = akm_key_header(source->key, source->key->type, job.number);
	akm_gso_write(source->skb, source->gso, i, buffer + sizeof(struct akm_header));
	send_cb(batch)->bytes += job.text_len;
	err = akm_aead_seal_job(&source->key->aead, &job);
	if (err == -EINPROGRESS)
		return 0;
	if (err)
		WRITE_ONCE(send_cb(batch)->err, err);
	return 1;
}

/* Packets @from to before @to in one buffer. Return: how many are sealed already, or an error. */
static int batch_chunk(const struct source *source, struct sk_buff *batch,
		       unsigned int from, unsigned int to)
{
	unsigned int len = 0, i;
	int done = 0;
	u8 *buffer;

	for (i = from; i < to; i++)
		len += akm_gso_len(source->gso, i) + AKM_OVERHEAD;
	if (skb_shinfo(batch)->nr_frags == MAX_SKB_FRAGS)
		return -ENOMEM;
	buffer = akm_buffer_alloc(len);
	if (!buffer)
		return -ENOMEM;
	akm_buffer_attach(batch, buffer, len, SKB_DATA_ALIGN(len));
	for (i = from; i < to; i++) {
		done += batch_seal(source, batch, i, buffer);
		buffer += akm_gso_len(source->gso, i) + AKM_OVERHEAD;
	}
	return done;
}

/*
 * Packets @from to before @to. Where memory is short, large buffers cannot be had, but
 * perhaps small ones. Return: how many have ended.
 */
static int fill_batch(const struct source *source, struct sk_buff *batch,
		      unsigned int from, unsigned int to)
{
	unsigned int size = akm_gso_len(source->gso, 0) + AKM_OVERHEAD;
	unsigned int small = max_t(unsigned int, PAGE_SIZE / size, 1);
	unsigned int chunk = AKM_BUFFER_MAX / size;
	unsigned int i = from;
	int n, done = 0;

	while (i < to) {
		n = batch_chunk(source, batch, i, min(to, i + chunk));
		if (n < 0 && chunk > small) {
			chunk = small;
			continue;
		}
		if (n < 0) {
			WRITE_ONCE(send_cb(batch)->err, n);
			done += to - i;
			break;
		}
		done += n;
		i = min(to, i + chunk);
	}
	return done;
}

/* As many as the underlay takes as one */
static unsigned int per_batch(const struct akm_gso *gso)
{
	return min_t(unsigned int, BATCH_MAX, BATCH_BYTES / (akm_gso_len(gso, 0) + AKM_OVERHEAD));
}

/* Consumes the packet and as many holds on the key as there are batches. */
static void send_gso(const struct source *source)
{
	unsigned int size = akm_gso_len(source->gso, 0) + AKM_OVERHEAD;
	unsigned int from, to, n = source->gso->n;
	unsigned int step = per_batch(source->gso);
	struct sk_buff *batch;
	int done;

	for (from = 0; from < n; from = to) {
		to = min(n, from + step);
		batch = batch_create(source, to - from, size);
		if (!batch) {
			lost(source, to - from);
			continue;
		}
		done = fill_batch(source, batch, from, to);
		if (to == n)
			batch_take_owner(batch, source->skb);
		batch_end(batch, done + 1);
	}
	consume_skb(source->skb);
}

/* --- one flow on several processors --- */

static void seal_source(const struct source *source)
{
	if (source->gso)
		send_gso(source);
	else
		seal_list(source);
}

/*
 * What was reserved before the machine slept, or was copied, has perhaps been used since by
 * what else the memory of then was restored to.
 */
static void handed_seal(struct akm_parcel *parcel)
{
	struct handed *handed = container_of(parcel, struct handed, parcel);
	struct source *source = &handed->source;
	struct akm_device *akm = key_device(source->key);

	if (likely(READ_ONCE(akm->incarnation) == source->incarnation)) {
		if (parcel->elsewhere)
			akm_stats_add(&akm->stats, AKM_STAT_TX_SPREAD, parcel->packets);
		seal_source(source);
	} else {
		drop(akm, source->skb, AKM_STAT_TX_DROPPED, parcel->packets);
		akm_key_put_many(source->key, handed->refs);
	}
	handed_ended(handed);
}

static void handed_go(struct akm_parcel *parcel)
{
	struct handed *handed = container_of(parcel, struct handed, parcel);
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&handed->parts)))
		post(skb, send_cb(skb)->err);
}

static void handed_end(struct akm_parcel *parcel)
{
	struct handed *handed = container_of(parcel, struct handed, parcel);

	akm_key_put(handed->source.key);
	kfree(handed);
}

static const struct akm_parcel_ops handed_ops = {
	.crypt = handed_seal,
	.go = handed_go,
	.end = handed_end,
};

static unsigned int memory_of(const struct sk_buff *list)
{
	unsigned int bytes = 0;

	for (; list; list = list->next)
		bytes += list->truesize;
	return bytes;
}

static struct handed *handed_create(const struct source *source, unsigned int n,
				    unsigned int refs)
{
	struct handed *handed = kmalloc(sizeof(*handed), GFP_ATOMIC | __GFP_NOWARN);

	if (!handed)
		return NULL;
	*handed = (struct handed) {
		.parcel.ops = &handed_ops,
		.parcel.packets = n,
		.parcel.bytes = memory_of(source->skb),
		.source = *source,
		.refs = refs,
		.pending = ATOMIC_INIT(1),
	};
	handed->source.handed = handed;
	if (source->gso) {
		handed->gso = *source->gso;
		handed->source.gso = &handed->gso;
	}
	__skb_queue_head_init(&handed->parts);
	akm_key_get(source->key);
	return handed;
}

/* Return: false: there is no room. */
static bool hand_over(struct akm_spread *spread, const struct source *source, unsigned int n,
		      unsigned int refs, bool elsewhere)
{
	struct handed *handed = handed_create(source, n, refs);

	if (!handed)
		return false;
	skb_dst_drop(source->skb);	/* perhaps only this context keeps it */
	if (akm_spread_add(spread, &source->key->member->lines->tx, &handed->parcel, elsewhere))
		return true;
	handed_end(&handed->parcel);
	return false;
}

/* @n packets in @refs parts. Consumes what @source has, and @refs holds on the key. */
static noinline void seal_in_order(struct akm_spread *spread, struct source *source,
				   unsigned int n, unsigned int refs)
{
	struct akm_line *line = &source->key->member->lines->tx;
	enum akm_spread_way way = akm_spread_way(spread, line, source->gso ? n : 1);

	if (way == AKM_SPREAD_BESIDE) {
		source->beside = true;
		atomic_add(refs, &line->beside);
		seal_source(source);
	} else if (!hand_over(spread, source, n, refs, way == AKM_SPREAD_ELSEWHERE)) {
		drop(key_device(source->key), source->skb, AKM_STAT_TX_SPREAD_DROPPED, n);
		akm_key_put_many(source->key, refs);
	}
}

static void dispatch(struct akm_device *akm, struct source *source, unsigned int n,
		     unsigned int refs)
{
	struct akm_spread *spread = READ_ONCE(akm->tx_spread);

	/* what goes to all has no line */
	if (unlikely(spread) && source->key->member)
		seal_in_order(spread, source, n, refs);
	else
		seal_source(source);
}

/* Return: @skb as a list of packets that fit the MTU, or an error; consumes on success. */
static struct sk_buff *segment(struct sk_buff *skb, unsigned int *ret_n)
{
	struct sk_buff *list = skb, *each, *next;
	unsigned int n = 0;

	if (skb_is_gso(skb)) {
		list = skb_gso_segment(skb, 0);
		if (IS_ERR(list))
			return list;
		if (list)
			consume_skb(skb);
		else
			list = skb;
	}
	skb_list_walk_safe(list, each, next)
		n++;
	*ret_n = n;
	return list;
}

/* Network header present, in the linear part, and of the version that was announced? */
static bool classify(struct akm_device *akm, struct sk_buff *skb, struct akm_member *self,
		     struct akm_inner *ret_inner)
{
	const struct akm_inner_guess guess = { .source = self };

	if (skb->protocol == htons(ETH_P_IP)) {
		if (!pskb_network_may_pull(skb, sizeof(struct iphdr)) || ip_hdr(skb)->version != 4)
			return false;
		akm_inner_classify4(akm, ip_hdr(skb), &guess, ret_inner);
		return true;
	}
	if (skb->protocol == htons(ETH_P_IPV6)) {
		if (!pskb_network_may_pull(skb, sizeof(struct ipv6hdr)) ||
		    ipv6_hdr(skb)->version != 6)
			return false;
		akm_inner_classify6(akm, ipv6_hdr(skb), &guess, ret_inner);
		return true;
	}
	return false;
}

/*
 * Find out whether @skb may go, and to whom.
 * Return: AKM_STATS if it may, or the counter of what is wrong.
 */
static enum akm_stat admit(struct akm_device *akm, struct sk_buff *skb,
			   struct akm_inner *ret_inner)
{
	struct akm_member *self = rcu_dereference(akm->self_member);
	struct akm_endpoint *endpoint;

	skb_reset_network_header(skb);
	if (!classify(akm, skb, self, ret_inner))
		return AKM_STAT_TX_DROPPED;
	/* not ours to send: the others would not take it from us either */
	if (!self || ret_inner->source != self)
		return AKM_STAT_TX_DROPPED;
	if (ret_inner->group)
		return AKM_STATS;
	if (!ret_inner->destination || ret_inner->destination == self) {
		akm_tell_unreachable(akm, skb);
		return AKM_STAT_TX_NO_MEMBER;
	}
	endpoint = akm_member_whereabouts(ret_inner->destination);
	if (!endpoint) {
		akm_stats_inc(&ret_inner->destination->stats, AKM_STAT_TX_NO_ENDPOINT);
		akm_tell_unreachable(akm, skb);
		return AKM_STAT_TX_NO_ENDPOINT;
	}
	if (!akm_path_takes(akm, endpoint, skb)) {
		akm_stats_inc(&ret_inner->destination->stats, AKM_STAT_TX_TOO_BIG);
		return AKM_STAT_TX_TOO_BIG;
	}
	return AKM_STATS;
}

static struct akm_key *find_key(struct akm_device *akm, const struct akm_inner *inner,
				unsigned int refs)
{
	struct akm_epoch *epoch = rcu_dereference(akm->tx);

	if (!epoch)
		return NULL;
	if (inner->group)
		return akm_key_tx_group(epoch, refs);
	return akm_key_tx_pair(epoch, inner->destination->index, refs);
}

/*
 * To a member that is cold it has to wait, as has what comes behind it; @waited: it did.
 * Return: true: it is taken.
 */
static bool wait(struct akm_device *akm, struct sk_buff *list, const struct akm_inner *inner,
		 const struct akm_key *key, bool waited)
{
	if (likely(key && !READ_ONCE(key->waits)))
		return false;
	if (waited || inner->group)
		return false;
	return akm_warm_wait_tx(akm, inner->destination, list);
}

/* What is reserved for @n packets, and a key that is held @refs times */
static struct akm_key *reserve(struct akm_device *akm, struct sk_buff *list,
			       const struct akm_inner *inner, unsigned int n,
			       unsigned int refs, bool waited, u32 *ret_incarnation,
			       u64 *ret_first)
{
	struct akm_key *key = NULL;

	*ret_incarnation = READ_ONCE(akm->incarnation);
	if (likely(*ret_incarnation)) {
		key = find_key(akm, inner, refs);
		if (unlikely(wait(akm, list, inner, key, waited))) {
			if (key)
				akm_key_put_many(key, refs);
			return NULL;
		}
		if (unlikely(!key))	/* it may have come meanwhile */
			key = find_key(akm, inner, refs);
	}
	if (unlikely(!key)) {
		report_no_key(akm, AKM_EVENT_NO_KEY, inner->destination);
		drop(akm, list, AKM_STAT_TX_NO_KEY, n);
		return NULL;
	}
	if (!inner->group) {
		akm_key_use(key, AKM_TALKS);
		akm_hello_before_data(key);
	}
	if (unlikely(!akm_key_reserve(key, n, ret_first))) {
		report_no_key(akm, AKM_EVENT_EXHAUSTED, inner->destination);
		drop(akm, list, AKM_STAT_TX_EXHAUSTED, n);
		akm_key_put_many(key, refs);
		return NULL;
	}
	return key;
}

static void send_split(struct akm_device *akm, struct sk_buff *skb, const struct akm_gso *gso,
		       const struct akm_inner *inner, bool waited)
{
	unsigned int refs = DIV_ROUND_UP(gso->n, per_batch(gso));
	struct source source = { .skb = skb, .gso = gso };

	source.key = reserve(akm, skb, inner, gso->n, refs, waited, &source.incarnation,
			     &source.first);
	if (source.key)
		dispatch(akm, &source, gso->n, refs);
}

static void send_list(struct akm_device *akm, struct sk_buff *skb,
		      const struct akm_inner *inner, bool waited)
{
	struct source source = {};
	unsigned int n;

	source.skb = segment(skb, &n);
	if (IS_ERR(source.skb)) {
		drop(akm, skb, AKM_STAT_TX_DROPPED, 1);
		return;
	}
	source.key = reserve(akm, source.skb, inner, n, n, waited, &source.incarnation,
			     &source.first);
	if (source.key)
		dispatch(akm, &source, n, n);
}

/* RCU */
static void transmit(struct akm_device *akm, struct sk_buff *skb, bool waited)
{
	struct akm_inner inner;
	struct akm_gso gso;
	enum akm_stat why;

	why = admit(akm, skb, &inner);
	if (unlikely(why != AKM_STATS)) {
		drop(akm, skb, why, 1);
		return;
	}
	if (unlikely(READ_ONCE(akm->flow_ports)))
		akm_flow_note(skb, &akm->flow_key);	/* later it cannot be seen */
	if (skb_is_gso(skb) && akm_gso_plan(skb, &gso) &&
	    akm_gso_len(&gso, 0) + AKM_OVERHEAD <= AKM_BUFFER_MAX)
		send_split(akm, skb, &gso, &inner, waited);
	else
		send_list(akm, skb, &inner, waited);
}

netdev_tx_t akm_send(struct sk_buff *skb, struct net_device *dev)
{
	rcu_read_lock();
	transmit(netdev_priv(dev), skb, false);
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

void akm_send_waited(struct sk_buff *skb, struct net_device *dev)
{
	transmit(netdev_priv(dev), skb, true);
}
