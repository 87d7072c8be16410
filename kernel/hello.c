// SPDX-License-Identifier: GPL-2.0
#include "hello.h"

#include <linux/random.h>
#include <linux/slab.h>
#include "aead.h"
#include "atr.h"
#include "device.h"
#include "notice.h"
#include "roam.h"
#include "socket.h"
#include "warm.h"

/* How late a hello may be: what is due is looked for this often while anybody asks. */
#define TICK	max_t(unsigned long, msecs_to_jiffies(20), 1)
/* After so many that ask the lock is given back: packets may want it, and soft interrupts to run. */
#define TEND_AT_ONCE	32

struct control_cb {
	struct akm_key *key;		/* held */
	enum akm_stat stat;		/* counts it once it is sent */
};

static struct control_cb *control_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct control_cb) > sizeof(skb->cb));
	return (struct control_cb *)skb->cb;
}

/* --- sending --- */

/* Sealed, or not; BH disabled. */
static void control_sent(struct sk_buff *skb, int err)
{
	struct control_cb cb = *control_cb(skb);
	struct akm_device *akm = cb.key->epoch->gen->akm;
	struct akm_member *member = cb.key->member;
	struct akm_endpoint *endpoint;

	rcu_read_lock();
	endpoint = akm_member_whereabouts(member);
	if (!err && !endpoint)
		err = -EDESTADDRREQ;
	if (!err)
		err = akm_socket_send(akm, skb, endpoint, 0);
	if (err) {
		akm_stats_inc(&akm->stats, AKM_STAT_TX_DROPPED);
		akm_stats_inc(&member->stats, AKM_STAT_TX_DROPPED);
		kfree_skb(skb);
	} else {
		akm_stats_inc(&akm->stats, cb.stat);
		akm_stats_inc(&member->stats, cb.stat);
	}
	rcu_read_unlock();
	akm_key_put(cb.key);
}

static enum akm_stat sent_stat(enum akm_packet_type type)
{
	switch (type) {
	case AKM_PACKET_HELLO:
		return AKM_STAT_TX_HELLO;
	case AKM_PACKET_HELLO_ACK:
		return AKM_STAT_TX_HELLO_ACK;
	case AKM_PACKET_NOTICE:
		return AKM_STAT_TX_NOTICE;
	case AKM_PACKET_KEEPALIVE:
		return AKM_STAT_TX_KEEPALIVE;
	case AKM_PACKET_PAIR:
	case AKM_PACKET_GROUP:
		break;
	}
	return AKM_STAT_TX_DROPPED;
}

/* Seal @skb as packet @sequence and send it. Takes over both. RCU, BH disabled. */
static void seal_control(struct akm_key *key, struct sk_buff *skb, enum akm_packet_type type,
			 u32 incarnation, u64 sequence)
{
	struct akm_header header;
	int err;

	header = akm_key_header(key, type, akm_packet_number(incarnation, sequence));
	*control_cb(skb) = (struct control_cb) {
		.key = key,
		.stat = sent_stat(type),
	};
	err = akm_aead_seal(&key->aead, skb, &header, control_sent);
	if (err != -EINPROGRESS)
		control_sent(skb, err);
}

static struct sk_buff *alloc_control(const struct akm_device *akm, const void *body,
				     unsigned int len)
{
	unsigned int headroom = akm->dev->needed_headroom;
	struct sk_buff *skb = alloc_skb(headroom + len + AKM_TAG_LEN,
					GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put_data(skb, body, len);
	return skb;
}

/* The epoch that we seal under in this generation; no packet of ours has a later one. */
static struct akm_epoch *sending_epoch(struct akm_generation *gen)
{
	struct akm_epoch *epoch = rcu_dereference(gen->akm->tx);

	if (epoch && epoch->gen == gen)
		return epoch;
	return rcu_dereference(gen->epoch[AKM_EPOCH_CURRENT]);
}

/* Held; NULL if there is nothing to send with. */
static struct akm_key *control_key(struct akm_epoch *epoch, u16 index, u64 *ret_sequence)
{
	struct akm_key *key = akm_key_tx_pair(epoch, index, 1);

	if (!key || akm_key_reserve(key, 1, ret_sequence))
		return key;
	akm_key_put(key);
	return NULL;
}

/*
 * To member @index, under @epoch, if that is possible. Consumes @skb. RCU, BH disabled.
 * Return: false: it could not go because the member is cold.
 */
static bool send_control(struct akm_epoch *epoch, u16 index, struct sk_buff *skb,
			 enum akm_packet_type type)
{
	struct akm_key *key = NULL;
	u32 incarnation = 0;
	u64 sequence;

	if (epoch)
		incarnation = READ_ONCE(epoch->gen->akm->incarnation);
	if (incarnation)
		key = control_key(epoch, index, &sequence);
	if (key) {
		seal_control(key, skb, type, incarnation, sequence);
		return true;
	}
	kfree_skb(skb);
	return !incarnation || !akm_key_is_cold(epoch, index, AKM_PACKET_PAIR);
}

static void send_hello(struct akm_generation *gen, u16 index, const struct akm_hello *hello)
{
	struct sk_buff *skb = alloc_control(gen->akm, hello, sizeof(*hello));

	if (!skb)
		return;
	local_bh_disable();
	rcu_read_lock();		/* who takes the incarnation away waits for us */
	if (!send_control(sending_epoch(gen), index, skb, AKM_PACKET_HELLO))
		akm_warm_hello(gen, index, hello);
	rcu_read_unlock();
	local_bh_enable();
}

void akm_hello_keepalive(struct akm_device *akm, u16 index)
{
	struct sk_buff *skb = alloc_control(akm, NULL, 0);

	if (!skb)
		return;
	local_bh_disable();
	rcu_read_lock();		/* likewise */
	if (!send_control(rcu_dereference(akm->tx), index, skb, AKM_PACKET_KEEPALIVE))
		akm_warm_keepalive(akm, index);
	rcu_read_unlock();
	local_bh_enable();
}

bool akm_hello_notice(struct akm_generation *gen, u16 index)
{
	struct akm_epoch *epoch = sending_epoch(gen);
	struct akm_notice notice;
	struct sk_buff *skb;

	if (!epoch)
		return true;
	notice.epoch = cpu_to_be64(epoch->number);
	skb = alloc_control(gen->akm, &notice, sizeof(notice));
	return !skb || send_control(epoch, index, skb, AKM_PACKET_NOTICE);
}

void akm_hello_send(struct akm_generation *gen, u16 index, const struct akm_hello *hello)
{
	lockdep_assert_held(&gen->akm->lock);
	send_hello(gen, index, hello);
}

/* --- asking --- */

/* Is a hello due? The lock is held. */
static enum akm_fresh_step step(struct akm_asking *asking, struct akm_hello *ret_hello)
{
	enum akm_fresh_step due;

	due = akm_fresh_step(&asking->fresh, jiffies, get_random_u32());
	if (due == AKM_FRESH_SEND)
		memcpy(ret_hello->nonce, asking->fresh.nonce, sizeof(ret_hello->nonce));
	return due;
}

/* The hello goes after @delay (jiffies) at the latest; at once if that is 0. */
static void ask(struct akm_asking *asking, unsigned long delay)
{
	struct akm_generation *gen = asking->gen;
	struct akm_device *akm = gen->akm;
	enum akm_fresh_step due = AKM_FRESH_WAIT;
	struct akm_hello hello;

	spin_lock_bh(&akm->hello_lock);
	if (!gen->gone && asking->fresh.state != AKM_FRESH_YES) {
		akm_fresh_ask(&asking->fresh, jiffies + delay);
		if (list_empty(&asking->list))
			list_add_tail(&asking->list, &akm->asking);
		if (!delay && !asking->fresh.tries)
			due = step(asking, &hello);
		queue_delayed_work(akm_workqueue, &akm->hello, TICK);
	}
	spin_unlock_bh(&akm->hello_lock);
	if (due == AKM_FRESH_SEND)
		send_hello(gen, asking->index, &hello);
}

unsigned long akm_hello_spread(const struct akm_device *akm)
{
	u32 ms = READ_ONCE(akm->member_count) * AKM_HELLO_SPREAD_MS;

	return msecs_to_jiffies(get_random_u32_below(ms + 1));
}

void akm_hello_before_data(const struct akm_key *key)
{
	struct akm_asking *asking = akm_key_asking(key);

	if (unlikely(asking && !akm_fresh_known(&asking->fresh) &&
		     !READ_ONCE(asking->fresh.tries)))
		ask(asking, 0);
}

void akm_hello_ask_all(struct akm_generation *gen)
{
	struct akm_asking *asking;
	unsigned long index;

	lockdep_assert_held(&gen->akm->lock);
	xa_for_each(&gen->asking, index, asking) {
		ask(asking, 1 + akm_hello_spread(gen->akm));
		akm_warm_breathe(gen->akm);
	}
}

/*
 * The same nonce as when it asks: another one would have the answer to that forgotten.
 * Where nothing is to be asked nobody waits for the answer.
 */
static void announce_to(struct akm_generation *gen, u16 index)
{
	const struct akm_asking *asking = xa_load(&gen->asking, index);
	struct akm_hello hello;

	if (asking)
		memcpy(hello.nonce, asking->fresh.nonce, sizeof(hello.nonce));
	else
		get_random_bytes(hello.nonce, sizeof(hello.nonce));
	send_hello(gen, index, &hello);
}

void akm_hello_announce(struct akm_generation *gen)
{
	struct akm_member *member;
	unsigned long index;

	lockdep_assert_held(&gen->akm->lock);
	xa_for_each(&gen->akm->members, index, member) {
		if (index == gen->self)
			continue;
		/* more may be cold than could wait; without memory the others will notice later */
		akm_generations_warm(gen->akm, member, false);
		akm_warm_let_go(gen->akm, member);
		announce_to(gen, index);
		akm_warm_breathe(gen->akm);
	}
}

/* --- waiting --- */

static void unlink(struct akm_device *akm, struct akm_asking *asking, int group,
		   struct sk_buff *skb)
{
	__skb_unlink(skb, &asking->waiting[group]);
	asking->waiting_bytes[group] -= skb->truesize;
	akm->waiting--;
	akm->waiting_bytes -= skb->truesize;
}

static void count_wait(struct akm_device *akm, u16 index, enum akm_stat stat)
{
	struct akm_member *member;

	akm_stats_inc(&akm->stats, stat);
	rcu_read_lock();
	member = akm_member_find(akm, index);
	if (member)
		akm_stats_inc(&member->stats, stat);
	rcu_read_unlock();
}

/* Drop what has waited until @now, or everything. The lock is held. */
static void expire(struct akm_device *akm, struct akm_asking *asking, bool all)
{
	struct sk_buff *skb, *next;
	int group;

	for (group = 0; group < 2; group++)
		skb_queue_walk_safe(&asking->waiting[group], skb, next) {
			if (!all && time_before(jiffies, akm_receive_cb(skb)->until))
				continue;
			unlink(akm, asking, group, skb);
			count_wait(akm, asking->index, AKM_STAT_RX_WAIT_DROPPED);
			kfree_skb(skb);
		}
}

/* What makes room is the packet most likely to be a replay: the one sealed first. */
static bool make_room(struct akm_device *akm, struct akm_asking *asking, int group,
		      const struct sk_buff *skb)
{
	struct sk_buff_head *queue = &asking->waiting[group];
	struct sk_buff *first;

	while (queue->qlen >= AKM_WAIT_PACKETS ||
	       asking->waiting_bytes[group] + skb->truesize > AKM_WAIT_BYTES ||
	       akm->waiting >= AKM_WAIT_DEVICE_PACKETS ||
	       akm->waiting_bytes + skb->truesize > AKM_WAIT_DEVICE_BYTES) {
		first = skb_peek(queue);
		if (!first || !akm_fresh_before(&akm_receive_cb(first)->order,
						&akm_receive_cb((struct sk_buff *)skb)->order))
			return false;
		unlink(akm, asking, group, first);
		count_wait(akm, asking->index, AKM_STAT_RX_WAIT_DROPPED);
		kfree_skb(first);
	}
	return true;
}

static bool is_waiting(const struct sk_buff_head *queue, struct sk_buff *skb)
{
	const struct akm_fresh_order *order = &akm_receive_cb(skb)->order, *other;
	struct sk_buff *at;

	skb_queue_walk(queue, at) {
		other = &akm_receive_cb(at)->order;
		if (!akm_fresh_before(order, other) && !akm_fresh_before(other, order))
			return true;
	}
	return false;
}

/* Behind the last one that was sealed before. */
static void insert(struct sk_buff_head *queue, struct sk_buff *skb)
{
	const struct akm_fresh_order *order = &akm_receive_cb(skb)->order;
	struct sk_buff *at;

	skb_queue_reverse_walk(queue, at)
		if (akm_fresh_before(&akm_receive_cb(at)->order, order))
			break;
	__skb_queue_after(queue, at, skb);
}

static bool enqueue(struct akm_device *akm, struct akm_asking *asking, int group,
		    struct sk_buff *skb)
{
	if (is_waiting(&asking->waiting[group], skb) || !make_room(akm, asking, group, skb))
		return false;
	insert(&asking->waiting[group], skb);
	asking->waiting_bytes[group] += skb->truesize;
	akm->waiting++;
	akm->waiting_bytes += skb->truesize;
	return true;
}

bool akm_hello_wait(struct akm_key *key, struct sk_buff *skb)
{
	const struct akm_header *header = (const struct akm_header *)skb->data;
	struct akm_asking *asking = akm_key_asking(key);
	struct akm_device *akm = asking->gen->akm;
	int group = key->type == AKM_PACKET_GROUP;
	bool known, kept = false;

	akm_receive_cb(skb)->order = (struct akm_fresh_order) {
		.epoch = key->epoch->number,
		.number = be64_to_cpu(header->packet_number),
	};
	akm_receive_cb(skb)->until = jiffies + msecs_to_jiffies(AKM_WAIT_MS);
	spin_lock(&akm->hello_lock);
	known = asking->fresh.state == AKM_FRESH_YES;
	if (!known && !asking->gen->gone)
		kept = enqueue(akm, asking, group, skb);
	spin_unlock(&akm->hello_lock);
	if (known)
		return false;
	count_wait(akm, asking->index, AKM_STAT_RX_WAITED);
	if (!kept) {
		count_wait(akm, asking->index, AKM_STAT_RX_WAIT_DROPPED);
		kfree_skb(skb);
	}
	/* one packet to the group must not bring its sender all members' hellos at once */
	ask(asking, group ? akm_hello_spread(akm) : 0);
	return true;
}

struct akm_key *akm_hello_key(struct akm_generation *gen, struct sk_buff *skb)
{
	const struct akm_header *header = (const struct akm_header *)skb->data;
	struct akm_epoch *epoch = akm_epoch_lookup(gen, header->epoch);

	/* 256 epochs on, another has that low byte: its window does not know this packet */
	if (!epoch || epoch->number != akm_receive_cb(skb)->order.epoch)
		return NULL;
	return akm_key_rx(epoch, be16_to_cpu(header->sender), akm_header_type(header));
}

/* --- what is due --- */

/* Look after one of them; whether or not it is still in the list of those who ask. */
static void tend(struct akm_device *akm, struct akm_asking *asking)
{
	struct akm_generation *gen = asking->gen;
	u16 index = asking->index;
	struct akm_hello hello;

	expire(akm, asking, false);
	switch (step(asking, &hello)) {
	case AKM_FRESH_WAIT:
		break;
	case AKM_FRESH_GIVE_UP:
		expire(akm, asking, true);
		list_del_init(&asking->list);
		break;
	case AKM_FRESH_SEND:
		kref_get(&gen->refs);
		spin_unlock_bh(&akm->hello_lock);
		send_hello(gen, index, &hello);
		akm_generation_put(gen);
		spin_lock_bh(&akm->hello_lock);
		break;
	}
}

static void hello_work(struct work_struct *work)
{
	struct akm_device *akm = container_of(to_delayed_work(work), struct akm_device, hello);
	struct akm_asking *asking;
	unsigned int n = 0;
	LIST_HEAD(seen);

	spin_lock_bh(&akm->hello_lock);
	while ((asking = list_first_entry_or_null(&akm->asking, struct akm_asking, list))) {
		list_move_tail(&asking->list, &seen);
		tend(akm, asking);
		if (++n % TEND_AT_ONCE == 0) {
			spin_unlock_bh(&akm->hello_lock);
			cond_resched();
			spin_lock_bh(&akm->hello_lock);
		}
	}
	list_splice(&seen, &akm->asking);
	if (!list_empty(&akm->asking))
		queue_delayed_work(akm_workqueue, &akm->hello, TICK);
	spin_unlock_bh(&akm->hello_lock);
}

/* --- answering --- */

/* What is under way or sealed by now is below these numbers. @epoch is sending_epoch(). */
static void name_numbers(struct akm_epoch *epoch, const struct akm_key *key, u32 incarnation,
			 const struct akm_hello *hello, struct akm_hello_ack *ret_ack)
{
	u64 pair = atomic64_read(&key->tx->next), group = atomic64_read(&epoch->tx_group.next);

	memcpy(ret_ack->nonce, hello->nonce, sizeof(ret_ack->nonce));
	ret_ack->epoch = cpu_to_be64(epoch->number);
	ret_ack->pair = cpu_to_be64(akm_packet_number(incarnation, pair));
	ret_ack->group = cpu_to_be64(akm_packet_number(incarnation, group));
}

static void answer(struct akm_generation *gen, struct akm_member *member,
		   const struct akm_hello *hello)
{
	u32 incarnation = READ_ONCE(gen->akm->incarnation), key_id = gen->ctx.key_id;
	struct akm_fresh_answered *last = &member->answered;
	struct akm_epoch *epoch = sending_epoch(gen);
	struct sk_buff *skb = NULL;
	struct akm_hello_ack ack;
	struct akm_key *key;
	u64 sequence;

	/* about to step: what we send under next is not what we would name */
	if (!incarnation || !epoch || (s32)(READ_ONCE(gen->wanted) - (u32)epoch->number) > 0)
		return;
	key = control_key(epoch, member->index, &sequence);
	if (!key)
		return;
	name_numbers(epoch, key, incarnation, hello, &ack);
	spin_lock(&gen->akm->hello_lock);
	if (akm_fresh_same(last, key_id, hello, incarnation))
		ack = last->ack;
	else
		*last = (struct akm_fresh_answered) { .key_id = key_id, .ack = ack };
	spin_unlock(&gen->akm->hello_lock);
	skb = alloc_control(gen->akm, &ack, sizeof(ack));
	if (skb)
		seal_control(key, skb, AKM_PACKET_HELLO_ACK, incarnation, sequence);
	else
		akm_key_put(key);
}

static bool may_answer(struct akm_device *akm, struct akm_member *member)
{
	bool may;

	spin_lock(&akm->hello_lock);
	may = akm_bucket_take(&member->answers, AKM_ANSWER_BURST, AKM_ANSWER_RATE, jiffies);
	spin_unlock(&akm->hello_lock);
	return may;
}

/* Somebody who asks is there, and can be asked: so we do, if we have to. */
static void receive_hello(struct akm_key *key, const struct akm_hello *hello)
{
	struct akm_asking *asking = akm_key_asking(key);
	struct akm_generation *gen = key->epoch->gen;

	if (may_answer(gen->akm, key->member))
		answer(gen, key->member, hello);
	if (asking && !akm_fresh_known(&asking->fresh))
		ask(asking, 0);
}

static void receive_ack(struct akm_key *key, const struct akm_hello_ack *ack,
			struct sk_buff_head *ret_released)
{
	struct akm_asking *asking = akm_key_asking(key);
	struct akm_device *akm = key->epoch->gen->akm;
	struct sk_buff *skb;
	int group;

	if (!asking)
		return;
	spin_lock(&akm->hello_lock);
	if (akm_fresh_answer(&asking->fresh, ack)) {
		list_del_init(&asking->list);
		for (group = 0; group < 2; group++)
			while ((skb = skb_peek(&asking->waiting[group]))) {
				unlink(akm, asking, group, skb);
				__skb_queue_tail(ret_released, skb);
			}
	}
	spin_unlock(&akm->hello_lock);
}

/* It has done what it is for. From a sender that has to be asked it may be a replay. */
static void receive_keepalive(struct akm_key *key)
{
	struct akm_asking *asking = akm_key_asking(key);

	if (asking && !akm_fresh_known(&asking->fresh)) {
		ask(asking, 0);
		return;
	}
	akm_stats_inc(&key->epoch->gen->akm->stats, AKM_STAT_RX_KEEPALIVE);
	akm_stats_inc(&key->member->stats, AKM_STAT_RX_KEEPALIVE);
}

bool akm_hello_receive(struct akm_key *key, enum akm_packet_type type, const void *body,
		       unsigned int len, struct sk_buff_head *ret_released)
{
	switch (type) {
	case AKM_PACKET_HELLO:
		if (len != sizeof(struct akm_hello))
			return false;
		receive_hello(key, body);
		return true;
	case AKM_PACKET_HELLO_ACK:
		if (len != sizeof(struct akm_hello_ack))
			return false;
		receive_ack(key, body, ret_released);
		return true;
	case AKM_PACKET_NOTICE:		/* it has come under the epoch that it is about */
		if (!akm_notice_valid(body, len, key->epoch->number))
			return false;
		akm_notice_heard(key);
		return true;
	case AKM_PACKET_KEEPALIVE:
		if (len)
			return false;
		receive_keepalive(key);
		return true;
	case AKM_PACKET_PAIR:
	case AKM_PACKET_GROUP:
		break;
	}
	return false;
}

/* --- the life of it --- */

void akm_hello_init(struct akm_device *akm)
{
	spin_lock_init(&akm->hello_lock);
	akm_bucket_init(&akm->notices, AKM_NOTICE_DEVICE_BURST, jiffies);
	INIT_LIST_HEAD(&akm->asking);
	INIT_DELAYED_WORK(&akm->hello, hello_work);
}

static struct akm_asking *create(struct akm_generation *gen, u16 index)
{
	struct akm_asking *asking = kzalloc(sizeof(*asking), GFP_KERNEL);
	u8 nonce[AKM_HELLO_NONCE];

	if (!asking)
		return NULL;
	get_random_bytes(nonce, sizeof(nonce));
	akm_fresh_init(&asking->fresh, nonce);
	asking->gen = gen;
	asking->index = index;
	INIT_LIST_HEAD(&asking->list);
	__skb_queue_head_init(&asking->waiting[0]);
	__skb_queue_head_init(&asking->waiting[1]);
	return asking;
}

int akm_hello_asking(struct akm_generation *gen, u16 index, struct akm_asking **ret_asking)
{
	struct akm_asking *asking;
	int err;

	lockdep_assert_held(&gen->akm->lock);
	*ret_asking = NULL;
	if (gen->unused)
		return 0;
	asking = xa_load(&gen->asking, index);
	if (!asking) {
		asking = create(gen, index);
		if (!asking)
			return -ENOMEM;
		err = xa_err(xa_store(&gen->asking, index, asking, GFP_KERNEL));
		if (err) {
			kfree(asking);
			return err;
		}
	}
	*ret_asking = asking;
	return 0;
}

void akm_hello_forget(struct akm_generation *gen)
{
	struct akm_asking *asking;
	unsigned long index;

	spin_lock_bh(&gen->akm->hello_lock);
	gen->gone = true;
	spin_unlock_bh(&gen->akm->hello_lock);
	xa_for_each(&gen->asking, index, asking) {
		spin_lock_bh(&gen->akm->hello_lock);
		expire(gen->akm, asking, true);
		list_del_init(&asking->list);
		spin_unlock_bh(&gen->akm->hello_lock);
		akm_warm_breathe(gen->akm);
	}
}

void akm_hello_free(struct akm_generation *gen)
{
	struct akm_asking *asking;
	unsigned long index;

	xa_for_each(&gen->asking, index, asking) {
		kfree_sensitive(asking);
		cond_resched();
	}
	xa_destroy(&gen->asking);
}

u32 akm_hello_state(struct akm_generation *gen, u16 index, unsigned int *ret_waiting)
{
	const struct akm_asking *asking = xa_load(&gen->asking, index);

	*ret_waiting = 0;
	if (!asking)
		return AKM_FRESH_YES;
	*ret_waiting = READ_ONCE(asking->waiting[0].qlen) + READ_ONCE(asking->waiting[1].qlen);
	return READ_ONCE(asking->fresh.state);
}
