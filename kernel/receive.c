// SPDX-License-Identifier: GPL-2.0
#include "receive.h"

#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/ip_tunnels.h>
#include "admit.h"
#include "aead.h"
#include "atr.h"
#include "batch.h"
#include "buffer.h"
#include "catchup.h"
#include "device.h"
#include "ecn.h"
#include "hello.h"
#include "inner.h"
#include "keys.h"
#include "notice.h"
#include "refuse.h"
#include "roam.h"
#include "socket.h"
#include "spread.h"
#include "turn.h"

/* A datagram that arrived inside a datagram that is being delivered is queued. */
#define DEPTH_MAX	1

static DEFINE_PER_CPU(unsigned int, depth);	/* of deliveries under way; BH disabled */

/* A packet that has been decrypted, or not */
struct packet {
	struct akm_key *key;
	struct akm_datagram from;	/* with the headers that tell where it came from */
	u8 *inner;
	unsigned int len;		/* of what is inner, padding included */
	enum akm_packet_type type;
	u64 number;
	u16 print;
};

bool akm_receive_nested(void)
{
	return __this_cpu_read(depth);
}

static struct akm_device *key_device(const struct akm_key *key)
{
	return key->epoch->gen->akm;
}

/* Total length that the inner packet of @len bytes says it has, 0 if it is none. */
static unsigned int inner_length(const u8 *inner, unsigned int len)
{
	const struct ipv6hdr *ip6 = (const struct ipv6hdr *)inner;
	const struct iphdr *ip4 = (const struct iphdr *)inner;
	unsigned int total = 0;

	if (len >= sizeof(*ip4) && ip4->version == 4 && ip4->ihl >= 5)
		total = max_t(unsigned int, ntohs(ip4->tot_len), ip4->ihl * 4);
	else if (len >= sizeof(*ip6) && ip6->version == 6)
		total = sizeof(*ip6) + ntohs(ip6->payload_len);
	return total <= len ? total : 0;
}

static bool is_group_key(const struct akm_key *key)
{
	return key->type == AKM_PACKET_GROUP;
}

/* Was it the sender's to send, under this type of key, and ours to get? */
static bool addresses_match(const struct akm_key *key, const u8 *inner)
{
	struct akm_device *akm = key_device(key);
	struct akm_member *self = rcu_dereference(akm->self_member);
	const struct akm_inner_guess guess = { .source = key->member, .destination = self };
	struct akm_inner found;

	if (*inner >> 4 == 4)
		akm_inner_classify4(akm, (const struct iphdr *)inner, &guess, &found);
	else
		akm_inner_classify6(akm, (const struct ipv6hdr *)inner, &guess, &found);
	if (found.source != key->member || found.group != is_group_key(key))
		return false;
	return found.group || (found.destination && found.destination == self);
}

static u8 packet_type(const struct akm_key *key, const struct sk_buff *skb)
{
	if (!is_group_key(key))
		return PACKET_HOST;
	if (skb->protocol == htons(ETH_P_IP) && !ipv4_is_multicast(ip_hdr(skb)->daddr))
		return PACKET_BROADCAST;
	return PACKET_MULTICAST;
}

/*
 * To the stack, without the detour of another queue; unless this is itself part of
 * such a delivery, which a sender could otherwise nest until the stack is used up.
 */
static void hand_up(struct akm_device *akm, struct sk_buff *skb)
{
	if (unlikely(__this_cpu_read(depth) >= DEPTH_MAX)) {
		gro_cells_receive(&akm->gro, skb);
		return;
	}
	__this_cpu_inc(depth);
	netif_receive_skb(skb);
	__this_cpu_dec(depth);
}

/* @skb is @n inner packets as one, its headers and checksum state set. */
static void deliver(struct akm_key *key, struct sk_buff *skb, unsigned int n)
{
	struct akm_device *akm = key_device(key);
	unsigned int bytes = skb->len;

	if (unlikely(!(akm->dev->flags & IFF_UP))) {	/* it was when the packet arrived */
		akm_refuse_count(key, AKM_STAT_RX_DROPPED);
		kfree_skb(skb);
		return;
	}
	skb->dev = akm->dev;
	skb->pkt_type = packet_type(key, skb);
	akm_stats_rx(&akm->stats, n, bytes);
	akm_stats_rx(&key->member->stats, n, bytes);
	hand_up(akm, skb);
}

static void note_alive(struct akm_member *member)
{
	unsigned long now = jiffies;

	/* written only if it changes: the cache line is shared */
	if (READ_ONCE(member->last_rx) != now)
		WRITE_ONCE(member->last_rx, now);
	if (!READ_ONCE(member->has_rx))
		WRITE_ONCE(member->has_rx, true);
}

static void receive_released(struct akm_generation *gen, struct sk_buff_head *list);

/* It carries no data, and is authentic; also from a sender whose packets have to wait. */
static void receive_control(const struct packet *p)
{
	struct sk_buff_head released;

	__skb_queue_head_init(&released);
	if (!akm_hello_receive(p->key, p->type, p->inner, p->len, &released))
		akm_refuse(p->key, &p->from, p->number, AKM_STAT_RX_MALFORMED, AKM_EVENT_MALFORMED);
	receive_released(p->key->epoch->gen, &released);
}

/*
 * Only a pair key proves who sent: under a sender's group key every member can.
 */
static void note_place(const struct packet *p)
{
	struct akm_member *member = p->key->member;

	if (likely(!READ_ONCE(member->roams)) || is_group_key(p->key))
		return;
	if (akm_key_newest(p->key, p->number))
		akm_roam_note(key_device(p->key), member, p->from.skb, akm_is_control(p->type));
}

/*
 * Somebody sends with what we only receive. A replay from before our restart says no less:
 * once used, a generation stays in use until a newer one is.
 */
static void note_pending(const struct packet *p)
{
	if (unlikely(READ_ONCE(p->key->epoch->gen->state) == AKM_GEN_PENDING))
		akm_refuse_report(p->key, &p->from, p->number, AKM_EVENT_PENDING_USED);
}

/* What is not to be delivered goes no further, and is counted. */
static enum akm_verdict check_number(const struct packet *p)
{
	enum akm_verdict verdict;

	/* first, so that who keeps its keys from being used any more cannot miss it */
	akm_key_use(p->key, akm_is_control(p->type) ? AKM_USED : AKM_TALKS);
	verdict = akm_key_accept(p->key, p->number, p->print);

	switch (verdict) {
	case AKM_NEW:
		note_alive(p->key->member);
		note_place(p);
		akm_epoch_heard(p->key->epoch);
		fallthrough;
	case AKM_WAITS:
		akm_epoch_seen(p->key->epoch);
		note_pending(p);
		break;
	case AKM_SEEN:
		akm_refuse(p->key, &p->from, p->number, AKM_STAT_RX_REPLAY, AKM_EVENT_REPLAY);
		break;
	case AKM_CLONED:
		akm_refuse(p->key, &p->from, p->number, AKM_STAT_RX_CLONE, AKM_EVENT_CLONE);
		break;
	}
	return verdict;
}

/* Check everything that can be checked after decryption. @err: its result. */
static enum akm_verdict check_opened(const struct packet *p, int err)
{
	enum akm_verdict verdict;

	if (unlikely(err == -EBADMSG)) {
		akm_refuse(p->key, &p->from, p->number, AKM_STAT_RX_AUTH_FAIL, AKM_EVENT_AUTH_FAIL);
		akm_catch_up_suspect(p->key);
		akm_notice_send(p->key->epoch->gen, p->key->member->index, p->type);
		return AKM_SEEN;
	}
	if (unlikely(err)) {
		akm_refuse_count(p->key, AKM_STAT_RX_DROPPED);
		return AKM_SEEN;
	}
	verdict = check_number(p);
	if (likely(!akm_is_control(p->type)))
		return verdict;
	if (verdict == AKM_NEW || verdict == AKM_WAITS)
		receive_control(p);
	return AKM_SEEN;
}

/* Return: length of the inner packet, or 0: refused, and counted. */
static unsigned int check_length(const struct packet *p)
{
	unsigned int len = inner_length(p->inner, p->len);

	if (unlikely(!len))
		akm_refuse(p->key, &p->from, p->number, AKM_STAT_RX_MALFORMED, AKM_EVENT_MALFORMED);
	return len;
}

/* What check_opened() leaves for packets that are not like the one before. */
static bool check_addresses(struct akm_key *key, const struct akm_datagram *from, u8 *inner,
			    u64 number)
{
	if (likely(addresses_match(key, inner)))
		return true;
	akm_refuse_prefix(key, from, number, inner);
	return false;
}

static bool check_ecn(struct akm_key *key, u8 *inner, u8 tos)
{
	if (likely(akm_ecn_merge(inner, tos)))
		return true;
	akm_refuse_count(key, AKM_STAT_RX_DROPPED);
	return false;
}

/* --- one packet, decrypted where it lies --- */

static u16 print_of(const struct sk_buff *skb)
{
	return akm_print(skb->data + skb->len - AKM_TAG_LEN);
}

/* @skb starts with the header and ends with the tag; consumed. */
static void finish_single(struct akm_key *key, struct sk_buff *skb, int err)
{
	const struct akm_header *header = (const struct akm_header *)skb->data;
	u8 *inner = skb->data + sizeof(*header);
	u8 tos = akm_receive_cb(skb)->tos;
	const struct packet p = {
		.key = key,
		.from = { .skb = skb, .len = skb->len },
		.inner = inner,
		.len = skb->len - AKM_OVERHEAD,
		.type = akm_header_type(header),
		.number = be64_to_cpu(header->packet_number),
		.print = print_of(skb),
	};
	enum akm_verdict verdict;
	unsigned int len = 0;

	verdict = check_opened(&p, err);
	if (unlikely(verdict == AKM_WAITS)) {
		if (akm_hello_wait(key, skb))
			return;
		verdict = check_number(&p);
	}
	if (verdict == AKM_NEW)
		len = check_length(&p);
	if (!len || !check_addresses(key, &p.from, inner, p.number) ||
	    !check_ecn(key, inner, tos)) {
		kfree_skb(skb);
		return;
	}
	__skb_pull(skb, sizeof(*header));
	__skb_trim(skb, len);
	skb->protocol = *inner >> 4 == 4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_scrub_packet(skb, true);
	skb_clear_hash(skb);
	/* the sender completed the checksum, and the tag covers all of it */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = ~0;
	skb->encapsulation = 0;
	deliver(key, skb, 1);
}

void akm_receive_opened(struct sk_buff *skb, int err)
{
	struct akm_key *key = akm_receive_cb(skb)->key;

	rcu_read_lock();
	finish_single(key, skb, err);
	rcu_read_unlock();
	akm_key_put(key);
}

/* Of a device that has lines: counted beside that of its sender until it is gone. */
static void opened_beside(struct sk_buff *skb, int err)
{
	struct akm_key *key = akm_receive_cb(skb)->key;

	akm_key_get(key);
	akm_receive_opened(skb, err);
	atomic_dec(&key->member->lines->rx.beside);
	akm_key_put(key);
}

/* What waited; whether it is new shows now, if its key is still there. */
static void receive_released(struct akm_generation *gen, struct sk_buff_head *list)
{
	struct akm_key *key;
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(list))) {
		key = akm_hello_key(gen, skb);
		if (!key) {
			akm_stats_inc(&gen->akm->stats, AKM_STAT_RX_WAIT_DROPPED);
			kfree_skb(skb);
			continue;
		}
		akm_receive_cb(skb)->key = key;
		akm_receive_opened(skb, 0);
	}
}

/* Linear, and nobody else's: decrypted in place. Takes over @skb and the hold on @key. */
static void open_single(struct akm_key *key, struct sk_buff *skb, u8 tos)
{
	bool beside = READ_ONCE(key_device(key)->rx_spread);
	int err;

	/* nothing that only this context keeps alive may go with the request */
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb->dev = key_device(key)->dev;
	*akm_receive_cb(skb) = (struct akm_receive_cb) { .key = key, .tos = tos };
	if (unlikely(beside))
		atomic_inc(&key->member->lines->rx.beside);
	err = akm_aead_open(&key->aead, skb, beside ? opened_beside : akm_receive_opened);
	if (err == -EINPROGRESS)
		return;
	if (unlikely(beside))
		opened_beside(skb, err);
	else
		akm_receive_opened(skb, err);
}

/* --- packets that came as one, and packets that may not be written to --- */

void akm_batch_flush(struct akm_batch *batch)
{
	unsigned int n = batch->train.n;

	if (!batch->train.skb)
		return;
	deliver(batch->train_key, akm_train_end(&batch->train), n);
	akm_key_put(batch->train_key);
}

static unsigned int buffer_share(unsigned int text_len)
{
	return SKB_DATA_ALIGN(sizeof(struct akm_header) + text_len);
}

/* What came before is complete, and goes on as soon as nothing is lent of it any more. */
static void batch_start(struct akm_batch *batch, const struct akm_job *job,
			const struct akm_segment *segment)
{
	const struct akm_datagram from = akm_batch_datagram(job);
	struct akm_key *key = job->key;
	struct akm_train train = {};
	int err = -EACCES;

	if (check_addresses(key, &from, (u8 *)segment->data, job->number)) {
		err = akm_train_start(&train, segment, buffer_share(job->text_len));
		if (err)
			akm_refuse_count(key, AKM_STAT_RX_DROPPED);
	}
	akm_track_give_back(&batch->track);
	akm_batch_flush(batch);
	if (err) {
		akm_buffer_free(job->buffer);
		akm_key_put(key);
		return;
	}
	batch->train = train;
	batch->train_key = key;
	akm_track_keep(&batch->track, (u8 *)segment->data + segment->len);
}

/* The inner packet of @job is whole and new. Takes over its buffer and hold on the key. */
static void batch_add(struct akm_batch *batch, const struct akm_job *job, unsigned int len)
{
	u8 *inner = job->buffer + sizeof(struct akm_header);
	struct akm_key *key = job->key;
	struct akm_segment segment;

	akm_segment_parse(inner, len, &segment);
	if (batch->track.lent)
		segment.lent = batch->track.lent - sizeof(struct akm_header);
	if (key != batch->train_key ||
	    !akm_train_join(&batch->train, &segment, buffer_share(job->text_len))) {
		batch_start(batch, job, &segment);
		return;
	}
	akm_track_give_back(&batch->track);
	akm_track_keep(&batch->track, inner + len);
	akm_key_put(key);		/* the train has one */
}

struct sk_buff *akm_receive_copy(const struct sk_buff *outer, unsigned int offset,
				 unsigned int len)
{
	unsigned int head = outer->data - skb_network_header(outer);
	struct sk_buff *skb = alloc_skb(head + len, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;
	skb_put_data(skb, skb_network_header(outer), head);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, skb_transport_offset(outer) + head);
	__skb_pull(skb, head);
	skb_copy_bits(outer, offset, skb_put(skb, len), len);
	skb->skb_iif = outer->skb_iif;
	return skb;
}

/*
 * A packet of a batch that has to wait: as if it had come alone, with the headers that
 * tell where from. If there is an answer by now it goes on at once.
 */
static void wait_alone(const struct akm_job *job)
{
	/* ciphertext and tag, of which finish_single() wants the tag's fingerprint */
	struct sk_buff *skb = akm_receive_copy(job->skb, job->offset,
					       job->text_len + AKM_OVERHEAD);
	struct akm_key *key = job->key;

	if (!skb) {
		akm_refuse_count(key, AKM_STAT_RX_DROPPED);
		return;
	}
	memcpy(skb->data + sizeof(struct akm_header),
	       job->buffer + sizeof(struct akm_header), job->text_len);
	akm_receive_cb(skb)->tos = job->tos;
	if (!akm_hello_wait(key, skb))
		finish_single(key, skb, 0);
}

void akm_batch_finish(struct akm_batch *batch, const struct akm_job *job, int err)
{
	u8 *inner = job->buffer + sizeof(struct akm_header);
	struct akm_key *key = job->key;
	const struct packet p = {
		.key = key,
		.from = akm_batch_datagram(job),
		.inner = inner,
		.len = job->text_len,
		.type = job->type,
		.number = job->number,
		.print = job->print,
	};
	enum akm_verdict verdict;
	unsigned int len = 0;

	if (unlikely(err == -EBADMSG) && akm_is_batch(job->skb))
		akm_line_doubt(&key->member->lines->rx);
	verdict = check_opened(&p, err);
	if (unlikely(verdict == AKM_WAITS))
		wait_alone(job);
	if (verdict == AKM_NEW)
		len = check_length(&p);
	if (len && check_ecn(key, inner, job->tos)) {
		batch_add(batch, job, len);
		return;
	}
	akm_track_give_back(&batch->track);
	akm_buffer_free(job->buffer);
	akm_key_put(key);
}

/* A request that was not answered at once comes too late to travel with the others. */
static void job_done(struct akm_job *job, int err)
{
	struct akm_batch alone = { .skb = job->skb };

	rcu_read_lock();
	akm_batch_finish(&alone, job, err);
	akm_batch_flush(&alone);
	rcu_read_unlock();
	kfree_skb(job->skb);
}

/* Likewise, as of opened_beside() */
static void job_done_beside(struct akm_job *job, int err)
{
	struct akm_key *key = job->key;

	akm_key_get(key);
	job_done(job, err);
	atomic_dec(&key->member->lines->rx.beside);
	akm_key_put(key);
}

/* A place for the @len bytes at @offset of the batch, decrypted; or NULL. */
static u8 *batch_lay(struct akm_batch *batch, unsigned int offset, unsigned int len)
{
	unsigned int lent = akm_train_lends(&batch->train, batch->track.end);

	if (lent)
		lent += sizeof(struct akm_header);
	return akm_track_lay(&batch->track, len - AKM_TAG_LEN, lent, batch->skb->len - offset);
}

/* A packet will be written later, and with it on what is lent to it. */
static void batch_part(struct akm_batch *batch, const struct akm_job *job)
{
	struct akm_track *track = &batch->track;

	if (track->lent && akm_train_save_end(&batch->train, track->aside, track->lent)) {
		akm_refuse_count(batch->train_key, AKM_STAT_RX_DROPPED);
		kfree_skb(batch->train.skb);
		batch->train.skb = NULL;
		akm_key_put(batch->train_key);
	}
	track->lent = 0;
	akm_track_keep(track, job->buffer + sizeof(struct akm_header) + job->text_len);
}

/* Takes over the hold on @key. */
static void open_job(struct akm_batch *batch, struct akm_key *key, unsigned int offset,
		     unsigned int len, const struct akm_claims *claims)
{
	bool beside = offset < batch->beside;
	struct akm_job job = {
		.done = beside ? job_done_beside : job_done,
		.buffer = batch_lay(batch, offset, len),
		.text_len = len - AKM_OVERHEAD,
		.skb = batch->skb,
		.offset = offset,
		.key = key,
		.number = claims->number,
		.print = claims->print,
		.type = claims->type,
		.tos = batch->tos,
	};
	int err;

	if (unlikely(!job.buffer)) {
		akm_refuse_count(key, AKM_STAT_RX_DROPPED);
		akm_key_put(key);
		return;
	}
	skb_get(job.skb);		/* for a request that is not answered at once */
	if (unlikely(beside))
		atomic_inc(&key->member->lines->rx.beside);
	err = akm_aead_open_job(&key->aead, &job);
	if (err == -EINPROGRESS) {
		batch_part(batch, &job);
		return;
	}
	if (unlikely(beside))
		atomic_dec(&key->member->lines->rx.beside);
	akm_batch_finish(batch, &job, err);
	kfree_skb(job.skb);
}

static bool has_lines(const struct akm_key *key)
{
	return unlikely(READ_ONCE(key_device(key)->rx_spread));
}

static void receive_batch(const struct akm_socket *as, struct sk_buff *skb, u8 tos)
{
	struct akm_batch batch = { .skb = skb, .tos = tos };
	unsigned int size = skb_shinfo(skb)->gso_size, n;
	struct akm_datagram at = { .skb = skb };
	struct akm_claims claims;
	struct akm_key *key;

	for (; at.offset < skb->len; at.offset += n * size) {
		n = 1;
		at.len = min(size, skb->len - at.offset);
		key = akm_admit(as, &at, &claims);
		if (!key)
			continue;
		if (has_lines(key) && at.offset >= batch.beside &&
		    akm_turn_run(key, &batch, &at, &claims, &n))
			continue;
		open_job(&batch, key, at.offset, at.len, &claims);
	}
	akm_batch_flush(&batch);
	akm_track_free(&batch.track);
	kfree_skb(skb);
}

/*
 * Fragments may be pages of a file that somebody sends from, and are never written to;
 * neither are data that others refer to.
 */
static bool may_write(const struct sk_buff *skb)
{
	return !skb_is_nonlinear(skb) && !skb_cloned(skb);
}

/* The way through a buffer spares a copy, but has limits: IP fragments become long lists. */
static bool fits_buffer(const struct sk_buff *skb)
{
	return skb->len <= AKM_BUFFER_MAX && !skb_has_frag_list(skb);
}

/* Takes over @skb and the hold on @key. Apart, so that others are spared what a batch needs. */
static noinline void open_into_buffer(struct akm_key *key, struct sk_buff *skb, u8 tos,
				      const struct akm_claims *claims)
{
	struct akm_batch alone = { .skb = skb, .tos = tos };

	if (has_lines(key))
		alone.beside = skb->len;

	open_job(&alone, key, 0, skb->len, claims);
	akm_batch_flush(&alone);
	akm_track_free(&alone.track);
	kfree_skb(skb);
}

static void receive_datagram(const struct akm_socket *as, struct sk_buff *skb, u8 tos,
			     bool waited)
{
	const struct akm_datagram at = { .skb = skb, .len = skb->len, .waited = waited };
	struct akm_claims claims;
	struct akm_key *key;

	key = akm_admit(as, &at, &claims);
	if (!key) {
		kfree_skb(skb);
	} else if (has_lines(key) && akm_turn_alone(key, skb, tos)) {
		return;
	} else if (!may_write(skb) && fits_buffer(skb)) {
		open_into_buffer(key, skb, tos, &claims);
	} else if (likely(!skb_linearize_cow(skb))) {
		open_single(key, skb, tos);
	} else {
		akm_refuse_count(key, AKM_STAT_RX_DROPPED);
		akm_key_put(key);
		kfree_skb(skb);
	}
}

static u8 outer_tos(const struct sk_buff *skb)
{
	return ip_hdr(skb)->version == 4 ? ip_hdr(skb)->tos : ipv6_get_dsfield(ipv6_hdr(skb));
}

void akm_receive_waited(struct akm_device *akm, struct sk_buff *skb)
{
	const struct akm_socket *as = rcu_dereference(akm->sock);

	if (as) {
		receive_datagram(as, skb, outer_tos(skb), true);
	} else {			/* it has been set down meanwhile */
		akm_stats_inc(&akm->stats, AKM_STAT_RX_WAIT_DROPPED);
		kfree_skb(skb);
	}
}

/* Too short to have all headers: what there is behind UDP's */
static void refuse_short(const struct akm_socket *as, const struct sk_buff *skb)
{
	const struct akm_datagram at = {
		.skb = skb, .offset = sizeof(struct udphdr),
		.len = skb->len > sizeof(struct udphdr) ? skb->len - sizeof(struct udphdr) : 0,
	};

	akm_refuse_malformed(as, &at);
}

int akm_receive(struct sock *sk, struct sk_buff *skb)
{
	const struct akm_socket *as = rcu_dereference_sk_user_data(sk);
	u8 tos;

	if (unlikely(!as)) {
		kfree_skb(skb);
		return 0;
	}
	/* the UDP layer has checked its length and checksum, and removes nothing */
	if (skb->len < sizeof(struct udphdr) + AKM_OVERHEAD ||
	    !pskb_may_pull(skb, sizeof(struct udphdr))) {
		refuse_short(as, skb);
		kfree_skb(skb);
		return 0;
	}
	__skb_pull(skb, sizeof(struct udphdr));
	tos = outer_tos(skb);
	if (akm_is_batch(skb))
		receive_batch(as, skb, tos);
	else
		receive_datagram(as, skb, tos, false);
	return 0;
}
