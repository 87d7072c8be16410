// SPDX-License-Identifier: GPL-2.0
#include "catchup.h"

#include <linux/completion.h>
#include <linux/slab.h>
#include "aead.h"
#include "ahead.h"
#include "atr.h"
#include "buffer.h"
#include "device.h"
#include "kdf.h"
#include "keys.h"
#include "notice.h"
#include "roam.h"

/* A packet, and the chains that its key would come from. Secret. */
struct attempt {
	struct sk_buff *skb;
	u8 *text;			/* AKM_CATCH_UP_BYTES */
	enum akm_packet_type type;
	u16 sender;
	u16 self;
	u32 suite;
	struct akm_kdf_ctx ctx;
	u64 current_epoch;		/* where the search begins */
	u64 epoch;			/* where the chains stand */
	u8 chain[AKM_KDF_LEN];
	u8 pair_chain[AKM_KDF_LEN];
};

static const struct akm_header *header_of(const struct sk_buff *skb)
{
	return (const struct akm_header *)skb->data;
}

static struct akm_epoch *slot(struct akm_generation *gen, enum akm_epoch_slot i)
{
	return rcu_dereference_protected(gen->epoch[i], lockdep_is_held(&gen->akm->lock));
}

/* --- does it open? --- */

struct opening {
	struct completion done;
	int err;
};

static void open_done(struct akm_job *job, int err)
{
	struct opening *opening = job->key;

	opening->err = err;
	complete(&opening->done);
}

static int open_packet(const struct akm_aead *aead, struct attempt *a)
{
	struct opening opening;
	const struct akm_job job = {
		.done = open_done,
		.buffer = a->text,
		.text_len = a->skb->len - AKM_OVERHEAD,
		.skb = a->skb,
		.key = &opening,
		.number = be64_to_cpu(header_of(a->skb)->packet_number),
	};
	int err;

	init_completion(&opening.done);
	local_bh_disable();
	err = akm_aead_open_job(aead, &job);
	local_bh_enable();
	if (err != -EINPROGRESS)
		return err;
	wait_for_completion(&opening.done);
	return opening.err;
}

static int derive(const struct attempt *a, u8 *key, u8 *iv)
{
	size_t len = akm_suite_key_len(a->suite);

	if (a->type == AKM_PACKET_GROUP)
		return akm_kdf_group(&a->ctx, a->chain, a->sender, key, len, iv);
	return akm_kdf_pair(&a->ctx, a->chain, a->pair_chain, a->sender, a->self, key, len, iv);
}

/* Is it a packet of the epoch where the chains stand? */
static bool opens(struct attempt *a)
{
	u8 key[AKM_KEY_MAX], iv[AKM_NONCE_LEN];
	struct akm_aead aead;
	int err;

	err = derive(a, key, iv);
	if (!err)
		err = akm_aead_init(&aead, a->suite, key, iv);
	memzero_explicit(key, sizeof(key));
	memzero_explicit(iv, sizeof(iv));
	if (err)
		return false;
	err = open_packet(&aead, a);
	akm_aead_free(&aead);
	return !err;
}

static int advance(struct attempt *a, u64 epoch)
{
	int err;

	err = akm_chain_step(&a->ctx, a->chain, a->epoch, epoch);
	if (!err && a->type != AKM_PACKET_GROUP)
		err = akm_chain_step(&a->ctx, a->pair_chain, a->epoch, epoch);
	a->epoch = epoch;
	return err;
}

/* Return: true: it is authentic, and of the epoch where the chains stand now. */
static bool search(struct attempt *a)
{
	u64 epoch = akm_ahead_first(a->current_epoch, header_of(a->skb)->epoch);

	for (; akm_ahead_reachable(a->current_epoch, epoch); epoch += 256) {
		if (advance(a, epoch))
			return false;
		if (opens(a))
			return true;
	}
	return false;
}

/* --- from where, and is it plausible? The device is locked. --- */

static struct akm_generation *find_generation(struct akm_device *akm, u32 key_id)
{
	struct akm_generation *gen;

	list_for_each_entry(gen, &akm->generations, list)
		if (gen->ctx.key_id == key_id && gen->state != AKM_GEN_RETIRING)
			return gen;
	return NULL;
}

/* Return: false: there are no chains to search with. */
static bool begin(struct akm_device *akm, struct attempt *a)
{
	struct akm_generation *gen = find_generation(akm, be32_to_cpu(header_of(a->skb)->key_id));
	struct akm_epoch *now = gen ? slot(gen, AKM_EPOCH_CURRENT) : NULL;
	struct akm_peer *peer;

	a->type = akm_header_type(header_of(a->skb));
	a->sender = be16_to_cpu(header_of(a->skb)->sender);
	peer = now ? xa_load(&now->peers, a->sender) : NULL;
	if (!peer || (a->type != AKM_PACKET_GROUP && !peer->has_pair))
		return false;
	a->self = gen->self;
	a->suite = gen->suite;
	a->ctx = gen->ctx;
	a->current_epoch = now->number;
	a->epoch = now->number;
	memcpy(a->chain, now->chain, sizeof(a->chain));
	memcpy(a->pair_chain, peer->chain, sizeof(a->pair_chain));
	return true;
}

static void report_refused(struct akm_generation *gen, const struct attempt *a)
{
	struct akm_event event = {
		.type = AKM_EVENT_EPOCH_REFUSED,
		.has = AKM_HAS_MEMBER | AKM_HAS_GENERATION | AKM_HAS_EPOCH | AKM_HAS_NUMBER,
		.member = a->sender,
		.generation = gen->ctx.generation,
		.key_id = gen->ctx.key_id,
		.epoch = a->epoch,
		.number = be64_to_cpu(header_of(a->skb)->packet_number),
	};

	akm_device_report(gen->akm, &event);
}

/* The search found something. Return: the epoch to go to, or 0. */
static u64 judge(struct akm_generation *gen, const struct attempt *a)
{
	u16 member = a->type == AKM_PACKET_GROUP ? AKM_AHEAD_NOBODY : a->sender;
	struct akm_ahead_now now;
	u64 target;

	akm_generation_now(gen, &now);
	if (a->epoch <= now.current_epoch + 1)
		return 0;		/* it has come along meanwhile */
	if (a->type == AKM_PACKET_NOTICE &&
	    !akm_notice_valid(a->text + sizeof(struct akm_header),
			      a->skb->len - AKM_OVERHEAD, a->epoch))
		return 0;
	target = akm_ahead_judge(&gen->ahead, &now, member, a->epoch);
	if (!target)
		report_refused(gen, a);
	return target;
}

/* --- going there --- */

/* Does the epoch ahead have all keys of a member? The device is locked. */
static bool has_member(struct akm_generation *gen, u16 index)
{
	const struct akm_peer *ahead = xa_load(&slot(gen, AKM_EPOCH_AHEAD)->peers, index);
	const struct akm_peer *now = xa_load(&slot(gen, AKM_EPOCH_CURRENT)->peers, index);

	return ahead && (ahead->has_pair || !now || !now->has_pair);
}

/* One that has keys missing, from index @from on if there is such a one. */
static struct akm_member *next_member(struct akm_generation *gen, unsigned long from)
{
	struct akm_member *member;
	unsigned long index;

	xa_for_each_start(&gen->akm->members, index, member, from)
		if (index != gen->self && !has_member(gen, index))
			return member;
	return from ? next_member(gen, 0) : NULL;
}

static int add_member(struct akm_generation *gen, struct akm_member *member)
{
	struct akm_epoch *now = slot(gen, AKM_EPOCH_CURRENT);
	struct akm_epoch *ahead = slot(gen, AKM_EPOCH_AHEAD);
	struct akm_peer *peer = xa_load(&now->peers, member->index);
	u8 chain[AKM_KDF_LEN];
	int err;

	if (!peer || !peer->has_pair)
		return akm_epoch_add_member(ahead, member, NULL);
	memcpy(chain, peer->chain, sizeof(chain));
	err = akm_chain_step(&gen->ctx, chain, now->number, ahead->number);
	if (!err)
		err = akm_epoch_add_member(ahead, member, chain);
	memzero_explicit(chain, sizeof(chain));
	return err;
}

/* Return: 0: it is there. -EAGAIN: call again, @at says where it is. The device is locked. */
static int build_on(struct akm_device *akm, u32 number, unsigned long *at)
{
	struct akm_generation *gen = akm_generation_find(akm, number);
	struct akm_member *member;
	int err = -ESTALE;

	if (!gen || !slot(gen, AKM_EPOCH_AHEAD))
		return err;
	if (slot(gen, AKM_EPOCH_AHEAD)->number > slot(gen, AKM_EPOCH_CURRENT)->number + 1) {
		member = next_member(gen, *at);
		err = member ? add_member(gen, member) : 0;
		if (member && !err) {
			*at = member->index;
			return -EAGAIN;
		}
	}
	if (err)
		akm_generation_drop_ahead(gen);
	else
		akm_generation_go_ahead(gen);
	return err;
}

/*
 * The lock is given back after each member: with 4096 steps it is held for some 10 ms, and
 * with 1000 members like that everything takes some 10 s.
 */
static void build(struct akm_device *akm, u32 number)
{
	unsigned long at = 0;
	int err;

	do {
		mutex_lock(&akm->lock);
		err = build_on(akm, number, &at);
		mutex_unlock(&akm->lock);
		cond_resched();
	} while (err == -EAGAIN);
}

/* The device is locked. */
static int start(struct akm_generation *gen, u64 target)
{
	struct akm_epoch *now = slot(gen, AKM_EPOCH_CURRENT), *ahead;
	u8 chain[AKM_KDF_LEN];
	int err;

	memcpy(chain, now->chain, sizeof(chain));
	err = akm_chain_step(&gen->ctx, chain, now->number, target);
	if (!err) {
		ahead = akm_epoch_create(gen, target, chain);
		err = PTR_ERR_OR_ZERO(ahead);
	}
	memzero_explicit(chain, sizeof(chain));
	if (!err)
		rcu_assign_pointer(gen->epoch[AKM_EPOCH_AHEAD], ahead);
	return err;
}

/* Out of memory: the next packet brings it about again. */
static void follow(struct akm_device *akm, const struct attempt *a)
{
	struct akm_generation *gen;
	bool started = false;
	u64 target;

	mutex_lock(&akm->lock);
	gen = akm_generation_find(akm, a->ctx.generation);
	if (gen) {
		target = judge(gen, a);
		started = target && !start(gen, target);
	}
	mutex_unlock(&akm->lock);
	if (started)
		build(akm, a->ctx.generation);
}

static void try(struct akm_device *akm, struct sk_buff *skb)
{
	struct attempt *a = kzalloc(sizeof(*a), GFP_KERNEL);
	bool begun;

	if (!a)
		return;
	a->skb = skb;
	a->text = kmalloc(AKM_CATCH_UP_BYTES, GFP_KERNEL);
	if (a->text) {
		mutex_lock(&akm->lock);
		begun = begin(akm, a);
		mutex_unlock(&akm->lock);
		if (begun && search(a))
			follow(akm, a);
	}
	kfree_sensitive(a->text);
	kfree_sensitive(a);
}

static struct sk_buff *take_packet(struct akm_catch_up *up)
{
	struct sk_buff *skb = NULL;
	int lane;

	spin_lock_bh(&up->lock);
	for (lane = AKM_LANES - 1; lane >= 0 && !skb; lane--)
		swap(skb, up->packet[lane]);
	spin_unlock_bh(&up->lock);
	return skb;
}

static void catch_up_work(struct work_struct *work)
{
	struct akm_catch_up *up = container_of(work, struct akm_catch_up, work);
	struct akm_device *akm = container_of(up, struct akm_device, catch_up);
	struct sk_buff *skb;

	while ((skb = take_packet(up))) {
		try(akm, skb);
		kfree_skb(skb);
	}
}

/* --- the packet path --- */

static struct sk_buff *copy_packet(const struct sk_buff *outer, unsigned int offset,
				   unsigned int len)
{
	struct sk_buff *skb = alloc_skb(len, GFP_ATOMIC | __GFP_NOWARN);

	if (skb)
		skb_copy_bits(outer, offset, skb_put(skb, len), len);
	return skb;
}

void akm_catch_up_offer(struct akm_generation *gen, const struct sk_buff *outer,
			unsigned int offset, unsigned int len, const struct akm_header *header)
{
	struct akm_member *member = akm_member_find(gen->akm, be16_to_cpu(header->sender));
	struct akm_catch_up *up = &gen->akm->catch_up;
	int lane;

	if (!member || member->index == gen->self || len > AKM_CATCH_UP_BYTES ||
	    READ_ONCE(gen->state) == AKM_GEN_RETIRING)
		return;
	lane = akm_member_is_at(gen->akm, member, outer) ? AKM_LANE_KNOWN_PLACE : AKM_LANE_ANYWHERE;
	spin_lock(&up->lock);
	if (!up->packet[lane] &&
	    akm_bucket_take(&up->tries[lane], AKM_AHEAD_BURST, AKM_AHEAD_RATE, jiffies)) {
		up->packet[lane] = copy_packet(outer, offset, len);
		if (up->packet[lane]) {
			akm_stats_inc(&gen->akm->stats, AKM_STAT_RX_TRIED);
			queue_work(akm_workqueue, &up->work);
		}
	}
	spin_unlock(&up->lock);
}

static u16 suspicion(u8 epoch)
{
	return BIT(8) | epoch;
}

void akm_catch_up_suspect(const struct akm_key *key)
{
	WRITE_ONCE(key->member->suspect, suspicion(key->epoch->number));
}

bool akm_catch_up_suspects(const struct akm_key *key, const struct akm_header *header)
{
	u16 *suspect = &key->member->suspect, found = READ_ONCE(*suspect);

	if (likely(!found) || found != suspicion(header->epoch))
		return false;
	WRITE_ONCE(*suspect, 0);
	return true;
}

/* --- the life of it --- */

void akm_catch_up_init(struct akm_device *akm)
{
	struct akm_catch_up *up = &akm->catch_up;
	int lane;

	spin_lock_init(&up->lock);
	for (lane = 0; lane < AKM_LANES; lane++)
		akm_bucket_init(&up->tries[lane], AKM_AHEAD_BURST, jiffies);
	INIT_WORK(&up->work, catch_up_work);
}

void akm_catch_up_stop(struct akm_device *akm)
{
	int lane;

	cancel_work_sync(&akm->catch_up.work);
	for (lane = 0; lane < AKM_LANES; lane++)
		kfree_skb(akm->catch_up.packet[lane]);
}
