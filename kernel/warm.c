// SPDX-License-Identifier: GPL-2.0
#include "warm.h"

#include <linux/module.h>
#include <linux/slab.h>
#include "atr.h"
#include "device.h"
#include "hello.h"
#include "keys.h"
#include "receive.h"
#include "send.h"

unsigned int akm_warm_members = AKM_WARM_MEMBERS;
module_param_named(warm_members, akm_warm_members, uint, 0644);
MODULE_PARM_DESC(warm_members,
		 "members of an interface up to which all have their keys ready; of more, those that talk");

bool akm_warm_stays(struct akm_device *akm, u16 index)
{
	lockdep_assert_held(&akm->lock);
	return akm->member_count <= READ_ONCE(akm_warm_members) || akm_generations_talk(akm, index);
}

static void count_drop(struct akm_device *akm, struct akm_member *member,
		       enum akm_cold_queue queue, unsigned int n)
{
	enum akm_stat stat = queue == AKM_COLD_RX ? AKM_STAT_RX_WAIT_DROPPED :
						    AKM_STAT_TX_DROPPED;

	akm_stats_add(&akm->stats, stat, n);
	akm_stats_add(&member->stats, stat, n);
}

/* --- who waits; the lock is held --- */

static struct akm_cold *cold_create(struct akm_device *akm, struct akm_member *member)
{
	struct akm_warm *warm = &akm->warm;
	struct akm_cold *cold;
	int i;

	/* who cannot be found any more is not waited for: akm_warm_forget() has been there */
	if (warm->count >= AKM_COLD_MEMBERS || akm_member_find(akm, member->index) != member)
		return NULL;
	cold = kzalloc(sizeof(*cold), GFP_ATOMIC | __GFP_NOWARN);
	if (!cold)
		return NULL;
	for (i = 0; i < AKM_COLD_QUEUES; i++)
		__skb_queue_head_init(&cold->waiting[i]);
	akm_member_get(member);
	cold->member = member;
	list_add_tail(&cold->list, &warm->members);
	warm->count++;
	member->cold = cold;
	queue_work(akm_workqueue, &warm->work);
	return cold;
}

/* What is left in its queues goes to @ret_left. */
static void cold_remove(struct akm_device *akm, struct akm_cold *cold,
			struct sk_buff_head ret_left[AKM_COLD_QUEUES])
{
	struct akm_warm *warm = &akm->warm;
	int i;

	for (i = 0; i < AKM_COLD_QUEUES; i++) {
		warm->packets[i] -= cold->waiting[i].qlen;
		warm->bytes[i] -= cold->bytes[i];
		cold->bytes[i] = 0;
		__skb_queue_head_init(&ret_left[i]);
		skb_queue_splice_tail_init(&cold->waiting[i], &ret_left[i]);
	}
}

static void cold_end(struct akm_device *akm, struct akm_cold *cold)
{
	cold->member->cold = NULL;
	list_del(&cold->list);
	akm->warm.count--;
}

static bool has_room(const struct akm_warm *warm, const struct akm_cold *cold,
		     enum akm_cold_queue queue, unsigned int truesize)
{
	return cold->waiting[queue].qlen < AKM_COLD_PACKETS &&
	       cold->bytes[queue] + truesize <= AKM_COLD_BYTES &&
	       warm->packets[queue] < AKM_COLD_DEVICE_PACKETS &&
	       warm->bytes[queue] + truesize <= AKM_COLD_DEVICE_BYTES &&
	       cold->rounds < AKM_COLD_ROUNDS;
}

static bool enqueue(struct akm_warm *warm, struct akm_cold *cold, enum akm_cold_queue queue,
		    struct sk_buff *skb)
{
	if (!has_room(warm, cold, queue, skb->truesize))
		return false;
	__skb_queue_tail(&cold->waiting[queue], skb);
	cold->bytes[queue] += skb->truesize;
	warm->packets[queue]++;
	warm->bytes[queue] += skb->truesize;
	return true;
}

/* --- the packet path --- */

/* The cold member's, or what waits for one that is being warmed. The lock is held. */
static struct akm_cold *find_cold(struct akm_device *akm, struct akm_member *member)
{
	return member->cold ?: cold_create(akm, member);
}

/* Return: how many of the list found no room. The lock is held. */
static unsigned int enqueue_list(struct akm_warm *warm, struct akm_cold *cold,
				 struct sk_buff *list)
{
	struct sk_buff *skb, *next;
	unsigned int lost = 0;

	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		if (cold && enqueue(warm, cold, AKM_COLD_TX, skb))
			continue;
		kfree_skb(skb);
		lost++;
	}
	return lost;
}

bool akm_warm_wait_tx(struct akm_device *akm, struct akm_member *member, struct sk_buff *skb)
{
	struct akm_epoch *epoch = rcu_dereference(akm->tx);
	struct akm_warm *warm = &akm->warm;
	struct akm_cold *cold;
	unsigned int lost;
	bool waits;

	if (!epoch)
		return false;
	spin_lock(&warm->lock);
	waits = member->cold || akm_key_is_cold(epoch, member->index, AKM_PACKET_PAIR);
	if (waits) {
		cold = find_cold(akm, member);
		if (cold)
			cold->proven = true;
		lost = enqueue_list(warm, cold, skb);
	}
	spin_unlock(&warm->lock);
	if (waits && lost)
		count_drop(akm, member, AKM_COLD_TX, lost);
	return waits;
}

static bool may_try(struct akm_warm *warm)
{
	return akm_bucket_take(&warm->trials, AKM_TRIAL_BURST, AKM_TRIAL_RATE, jiffies);
}

/*
 * Keys for who claims to be @sender, and is cold? Whoever talks to us has keys in the epoch
 * that we are in: for it to lack them in another is no stranger's doing. The lock is held.
 */
static bool may_warm(struct akm_epoch *epoch, u16 sender)
{
	struct akm_generation *gen = epoch->gen;
	struct akm_epoch *now = rcu_dereference(gen->epoch[AKM_EPOCH_CURRENT]);

	return (now && akm_epoch_talks(now, sender)) || may_try(&gen->akm->warm);
}

/* Return: is a copy in the queue? The lock is held. */
static bool enqueue_copy(struct akm_warm *warm, struct akm_cold *cold,
			 const struct sk_buff *outer, unsigned int offset, unsigned int len)
{
	struct sk_buff *skb;

	if (!has_room(warm, cold, AKM_COLD_RX, len))
		return false;		/* spares a flood the copy */
	skb = akm_receive_copy(outer, offset, len);
	if (!skb)
		return false;
	if (enqueue(warm, cold, AKM_COLD_RX, skb))
		return true;
	kfree_skb(skb);
	return false;
}

bool akm_warm_wait_rx(struct akm_epoch *epoch, u16 sender, const struct sk_buff *outer,
		      unsigned int offset, unsigned int len)
{
	struct akm_device *akm = epoch->gen->akm;
	struct akm_member *member = akm_member_find(akm, sender);
	struct akm_warm *warm = &akm->warm;
	struct akm_cold *cold;
	bool kept = false;

	if (!member)
		return false;
	spin_lock(&warm->lock);
	cold = member->cold;
	if (!cold) {
		if (!akm_key_is_cold(epoch, sender, AKM_PACKET_GROUP)) {
			spin_unlock(&warm->lock);
			return false;
		}
		if (may_warm(epoch, sender))
			cold = cold_create(akm, member);
	}
	if (cold)
		kept = enqueue_copy(warm, cold, outer, offset, len);
	spin_unlock(&warm->lock);
	if (!kept)
		count_drop(akm, member, AKM_COLD_RX, 1);
	return true;
}

void akm_warm_hello(struct akm_generation *gen, u16 index, const struct akm_hello *hello)
{
	struct akm_member *member = akm_member_find(gen->akm, index);
	struct akm_warm *warm = &gen->akm->warm;
	struct akm_cold *cold;

	if (!member)
		return;
	spin_lock(&warm->lock);
	cold = find_cold(gen->akm, member);
	if (cold) {
		cold->proven = true;
		if (cold->rounds < AKM_COLD_ROUNDS) {
			cold->hello = *hello;
			cold->hello_in = gen->ctx.generation;
		}
	}
	spin_unlock(&warm->lock);
}

void akm_warm_notice(struct akm_generation *gen, struct akm_member *member, bool unasked)
{
	struct akm_warm *warm = &gen->akm->warm;
	struct akm_cold *cold;

	spin_lock(&warm->lock);
	cold = member->cold;
	if (!cold && (unasked || may_try(warm)))
		cold = cold_create(gen->akm, member);
	if (cold && cold->rounds < AKM_COLD_ROUNDS)
		cold->notice_in = gen->ctx.generation;
	spin_unlock(&warm->lock);
}

void akm_warm_keepalive(struct akm_device *akm, u16 index)
{
	struct akm_member *member = akm_member_find(akm, index);
	struct akm_cold *cold;

	if (!member)
		return;
	spin_lock(&akm->warm.lock);
	cold = find_cold(akm, member);
	if (cold && cold->rounds < AKM_COLD_ROUNDS)
		cold->keepalive = true;
	spin_unlock(&akm->warm.lock);
}

/* --- the work; the device is locked --- */

static void make_keys(struct akm_device *akm, struct akm_cold *cold)
{
	bool trial;

	spin_lock_bh(&akm->warm.lock);
	trial = !cold->proven;
	spin_unlock_bh(&akm->warm.lock);
	/* without memory what waits finds no key, which is counted */
	akm_generations_warm(akm, cold->member, trial);
	if (trial)
		queue_delayed_work(akm_workqueue, &akm->warm.cool,
				   msecs_to_jiffies(AKM_TRIAL_MS));
}

/* What we have to say ourselves */
struct control {
	u32 hello_in;
	u32 notice_in;
	bool keepalive;
	struct akm_hello hello;
};

/* The lock is held. */
static bool take_control(struct akm_cold *cold, struct control *ret_control)
{
	*ret_control = (struct control) {
		.hello_in = cold->hello_in,
		.notice_in = cold->notice_in,
		.keepalive = cold->keepalive,
		.hello = cold->hello,
	};
	cold->hello_in = 0;
	cold->notice_in = 0;
	cold->keepalive = false;
	return ret_control->hello_in || ret_control->notice_in || ret_control->keepalive;
}

static void send_control(struct akm_device *akm, u16 index, const struct control *control)
{
	struct akm_generation *gen = akm_generation_find(akm, control->hello_in);

	if (gen)
		akm_hello_send(gen, index, &control->hello);
	if (control->keepalive)
		akm_hello_keepalive(akm, index);
	gen = akm_generation_find(akm, control->notice_in);
	if (!gen)
		return;
	local_bh_disable();
	rcu_read_lock();
	akm_hello_notice(gen, index);
	rcu_read_unlock();
	local_bh_enable();
}

static void send_waited(struct akm_device *akm, struct sk_buff_head taken[AKM_COLD_QUEUES])
{
	struct sk_buff *skb;

	local_bh_disable();
	rcu_read_lock();
	while ((skb = __skb_dequeue(&taken[AKM_COLD_RX])))
		akm_receive_waited(akm, skb);
	while ((skb = __skb_dequeue(&taken[AKM_COLD_TX])))
		akm_send_waited(skb, akm->dev);
	rcu_read_unlock();
	local_bh_enable();
}

/* Return: false: nothing waits any more, and @cold is no more to be found. */
static bool serve_round(struct akm_device *akm, struct akm_cold *cold)
{
	struct sk_buff_head taken[AKM_COLD_QUEUES];
	struct control control;
	bool more;

	spin_lock_bh(&akm->warm.lock);
	cold_remove(akm, cold, taken);
	cold->rounds++;
	more = take_control(cold, &control) || !skb_queue_empty(&taken[AKM_COLD_RX]) ||
	       !skb_queue_empty(&taken[AKM_COLD_TX]);
	if (!more) {
		akm_generations_let_go(akm, cold->member->index);
		cold_end(akm, cold);
	}
	spin_unlock_bh(&akm->warm.lock);
	send_control(akm, cold->member->index, &control);
	send_waited(akm, taken);
	return more;
}

static void cold_free(struct akm_cold *cold)
{
	akm_member_put(cold->member);
	kfree(cold);
}

/* Return: false: there is nobody. */
static bool serve_next(struct akm_device *akm)
{
	struct akm_cold *cold;

	spin_lock_bh(&akm->warm.lock);
	cold = list_first_entry_or_null(&akm->warm.members, struct akm_cold, list);
	spin_unlock_bh(&akm->warm.lock);
	if (!cold)
		return false;
	make_keys(akm, cold);		/* freed under the device lock only */
	while (serve_round(akm, cold))
		cond_resched();
	cold_free(cold);
	return true;
}

void akm_warm_breathe(struct akm_device *akm)
{
	lockdep_assert_held(&akm->lock);
	cond_resched();
	if (READ_ONCE(akm->warm.count))
		serve_next(akm);
}

static void warm_work(struct work_struct *work)
{
	struct akm_warm *warm = container_of(work, struct akm_warm, work);
	struct akm_device *akm = container_of(warm, struct akm_device, warm);
	bool more;

	do {
		mutex_lock(&akm->lock);
		more = serve_next(akm);
		mutex_unlock(&akm->lock);
		cond_resched();
	} while (more);
}

static void cool_work(struct work_struct *work)
{
	struct akm_warm *warm = container_of(to_delayed_work(work), struct akm_warm, cool);
	struct akm_device *akm = container_of(warm, struct akm_device, warm);

	mutex_lock(&akm->lock);
	if (akm_generations_cool(akm))
		queue_delayed_work(akm_workqueue, &warm->cool, msecs_to_jiffies(AKM_TRIAL_MS));
	mutex_unlock(&akm->lock);
}

/* --- the life of it --- */

void akm_warm_let_go(struct akm_device *akm, struct akm_member *member)
{
	lockdep_assert_held(&akm->lock);
	spin_lock_bh(&akm->warm.lock);
	if (!member->cold)		/* otherwise the work does, in its time */
		akm_generations_let_go(akm, member->index);
	spin_unlock_bh(&akm->warm.lock);
}

void akm_warm_forget(struct akm_device *akm, struct akm_member *member)
{
	struct sk_buff_head left[AKM_COLD_QUEUES];
	struct akm_cold *cold;
	int i;

	lockdep_assert_held(&akm->lock);
	spin_lock_bh(&akm->warm.lock);
	cold = member->cold;
	if (cold) {
		cold_remove(akm, cold, left);
		cold_end(akm, cold);
	}
	spin_unlock_bh(&akm->warm.lock);
	if (!cold)
		return;
	for (i = 0; i < AKM_COLD_QUEUES; i++) {
		count_drop(akm, member, i, left[i].qlen);
		__skb_queue_purge(&left[i]);
	}
	cold_free(cold);
}

void akm_warm_init(struct akm_device *akm)
{
	struct akm_warm *warm = &akm->warm;

	spin_lock_init(&warm->lock);
	INIT_LIST_HEAD(&warm->members);
	akm_bucket_init(&warm->trials, AKM_TRIAL_BURST, jiffies);
	INIT_WORK(&warm->work, warm_work);
	INIT_DELAYED_WORK(&warm->cool, cool_work);
}

void akm_warm_stop(struct akm_device *akm)
{
	cancel_work_sync(&akm->warm.work);
	cancel_delayed_work_sync(&akm->warm.cool);
}
