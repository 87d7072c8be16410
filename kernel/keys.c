// SPDX-License-Identifier: GPL-2.0
#include "keys.h"

#include <linux/llist.h>
#include <linux/slab.h>
#include "device.h"
#include "hello.h"
#include "warm.h"

/* Key and IV on their way from the key schedule into a transform */
struct material {
	u8 key[AKM_KEY_MAX];
	u8 iv[AKM_NONCE_LEN];
};

static void rx_init(struct akm_rx *rx)
{
	spin_lock_init(&rx->lock);
	akm_replay_init(&rx->replay);
}

static struct akm_traffic *traffic_create(struct akm_epoch *epoch, u16 index)
{
	struct akm_traffic *traffic = kzalloc(sizeof(*traffic), GFP_KERNEL);
	int err;

	if (!traffic)
		return ERR_PTR(-ENOMEM);
	rx_init(&traffic->rx_group);
	rx_init(&traffic->rx_pair);
	err = akm_hello_asking(epoch->gen, index, &traffic->asking);
	if (err) {
		kfree(traffic);
		return ERR_PTR(err);
	}
	return traffic;
}

/* No key refers to it any more. NULL is fine. */
static void traffic_free(struct akm_traffic *traffic)
{
	if (!traffic)
		return;
	kfree(traffic->rx_pair.prints);
	kfree(traffic);
}

static void epoch_free(struct work_struct *work)
{
	struct akm_epoch *epoch = container_of(work, struct akm_epoch, free_work);
	struct akm_peer *peer;
	unsigned long index;

	xa_for_each(&epoch->peers, index, peer) {
		traffic_free(peer->traffic);
		kfree_sensitive(peer);
		cond_resched();
	}
	xa_destroy(&epoch->peers);
	akm_generation_put(epoch->gen);
	kfree_sensitive(epoch);
}

/* Thousands of peers are not freed in softirq context. */
static void epoch_release(struct kref *refs)
{
	struct akm_epoch *epoch = container_of(refs, struct akm_epoch, refs);

	INIT_WORK(&epoch->free_work, epoch_free);
	queue_work(akm_workqueue, &epoch->free_work);
}

static void epoch_put(struct akm_epoch *epoch)
{
	kref_put(&epoch->refs, epoch_release);
}

static void epoch_put_rcu(struct rcu_head *rcu)
{
	epoch_put(container_of(rcu, struct akm_epoch, rcu));
}

static void key_free(struct akm_key *key)
{
	akm_aead_free(&key->aead);
	if (key->member)
		akm_member_put(key->member);
	epoch_put(key->epoch);
	kfree(key);
}

static LLIST_HEAD(unused_keys);		/* struct akm_key; nobody can find them any more */

static void free_keys(struct work_struct *work)
{
	struct akm_key *key, *next;

	llist_for_each_entry_safe(key, next, llist_del_all(&unused_keys), unused) {
		key_free(key);
		cond_resched();
	}
}

static DECLARE_WORK(free_keys_work, free_keys);

/*
 * An epoch has three keys of each member, and they go all at once: to free them here would
 * hold up soft interrupts, packets with them, for milliseconds.
 */
static void key_unused_rcu(struct rcu_head *rcu)
{
	struct akm_key *key = container_of(rcu, struct akm_key, rcu);

	if (llist_add(&key->unused, &unused_keys))
		queue_work(akm_workqueue, &free_keys_work);
}

void akm_key_put_many(struct akm_key *key, unsigned int refs)
{
	if (refcount_sub_and_test(refs, &key->refs))
		call_rcu(&key->rcu, key_unused_rcu);
}

static struct akm_key *create_key(struct akm_epoch *epoch, struct akm_member *member,
				  enum akm_packet_type type, const struct material *material)
{
	struct akm_key *key = kzalloc(sizeof(*key), GFP_KERNEL);
	int err;

	if (!key)
		return ERR_PTR(-ENOMEM);
	err = akm_aead_init(&key->aead, epoch->gen->suite, material->key, material->iv);
	if (err) {
		kfree(key);
		return ERR_PTR(err);
	}
	refcount_set(&key->refs, 1);
	kref_get(&epoch->refs);
	key->epoch = epoch;
	if (member)
		akm_member_get(member);
	key->member = member;
	key->type = type;
	return key;
}

static void unset_key(struct akm_device *akm, struct akm_key __rcu **slot)
{
	struct akm_key *key = rcu_replace_pointer(*slot, NULL, lockdep_is_held(&akm->lock));

	if (key)
		akm_key_put(key);
}

static bool has_key(struct akm_device *akm, struct akm_key __rcu **slot)
{
	return rcu_dereference_protected(*slot, lockdep_is_held(&akm->lock));
}

static int derive_group(struct akm_epoch *epoch, u16 sender, struct material *ret_material)
{
	return akm_kdf_group(&epoch->gen->ctx, epoch->chain, sender, ret_material->key,
			     akm_suite_key_len(epoch->gen->suite), ret_material->iv);
}

static int derive_pair(struct akm_epoch *epoch, const u8 *chain, u16 sender, u16 receiver,
		       struct material *ret_material)
{
	return akm_kdf_pair(&epoch->gen->ctx, epoch->chain, chain, sender, receiver,
			    ret_material->key, akm_suite_key_len(epoch->gen->suite),
			    ret_material->iv);
}

static int set_tx_group(struct akm_epoch *epoch)
{
	struct akm_key *key = NULL;
	struct material material;
	int err;

	err = derive_group(epoch, epoch->gen->self, &material);
	if (!err)
		key = create_key(epoch, NULL, AKM_PACKET_GROUP, &material);
	memzero_explicit(&material, sizeof(material));
	if (err || IS_ERR(key))
		return err ?: PTR_ERR(key);
	key->tx = &epoch->tx_group;
	rcu_assign_pointer(epoch->tx_group_key, key);
	return 0;
}

static int set_tx(struct akm_epoch *epoch, struct akm_peer *peer, struct akm_member *member,
		  const struct material *material)
{
	struct akm_key *key = create_key(epoch, member, AKM_PACKET_PAIR, material);

	if (IS_ERR(key))
		return PTR_ERR(key);
	key->traffic = peer->traffic;
	key->waits = peer->waits;
	key->tx = &peer->traffic->tx_pair;
	rcu_assign_pointer(peer->tx_pair, key);
	return 0;
}

static int set_rx(struct akm_epoch *epoch, struct akm_peer *peer, struct akm_member *member,
		  enum akm_packet_type type, const struct material *material)
{
	struct akm_key *key = create_key(epoch, member, type, material);
	bool group = type == AKM_PACKET_GROUP;

	if (IS_ERR(key))
		return PTR_ERR(key);
	key->traffic = peer->traffic;
	key->waits = peer->waits;
	key->rx = group ? &peer->traffic->rx_group : &peer->traffic->rx_pair;
	rcu_assign_pointer(*(group ? &peer->rx_group : &peer->rx_pair), key);
	return 0;
}

static int set_rx_group(struct akm_epoch *epoch, struct akm_peer *peer,
			struct akm_member *member)
{
	struct material material;
	int err;

	err = derive_group(epoch, member->index, &material);
	if (!err)
		err = set_rx(epoch, peer, member, AKM_PACKET_GROUP, &material);
	memzero_explicit(&material, sizeof(material));
	return err;
}

static int set_pair(struct akm_epoch *epoch, struct akm_peer *peer, struct akm_member *member)
{
	const u8 *chain = peer->chain;
	u16 self = epoch->gen->self;
	struct material material;
	int err;

	err = derive_pair(epoch, chain, member->index, self, &material);
	if (!err)
		err = set_rx(epoch, peer, member, AKM_PACKET_PAIR, &material);
	if (!err)
		err = derive_pair(epoch, chain, self, member->index, &material);
	if (!err)
		err = set_tx(epoch, peer, member, &material);
	memzero_explicit(&material, sizeof(material));
	if (err)
		unset_key(epoch->gen->akm, &peer->rx_pair);
	return err;
}

static void store_pair(struct akm_peer *peer, const u8 *chain)
{
	memcpy(peer->chain, chain, sizeof(peer->chain));
	WRITE_ONCE(peer->has_pair, true);
}

static void wipe_pair(struct akm_peer *peer)
{
	WRITE_ONCE(peer->has_pair, false);
	memzero_explicit(peer->chain, sizeof(peer->chain));
}

static void unset_pair(struct akm_epoch *epoch, struct akm_peer *peer)
{
	unset_key(epoch->gen->akm, &peer->tx_pair);
	unset_key(epoch->gen->akm, &peer->rx_pair);
	wipe_pair(peer);
}

static void unset_group(struct akm_epoch *epoch, struct akm_peer *peer)
{
	WRITE_ONCE(peer->has_group, false);
	unset_key(epoch->gen->akm, &peer->rx_group);
}

/*
 * The peer of a member that was deleted is still there with its traffic, without keys: a
 * member added again goes on with its packet numbers and replay windows.
 */
static struct akm_peer *get_peer(struct akm_epoch *epoch, u16 index)
{
	struct akm_peer *peer = xa_load(&epoch->peers, index);
	struct akm_asking *asking;
	int err;

	if (peer)
		return peer;
	peer = kzalloc(sizeof(*peer), GFP_KERNEL);
	if (!peer)
		return ERR_PTR(-ENOMEM);
	/* who is to be asked is so also while it is cold */
	err = akm_hello_asking(epoch->gen, index, &asking);
	if (!err)
		err = xa_err(xa_store(&epoch->peers, index, peer, GFP_KERNEL));
	if (err) {
		kfree(peer);
		return ERR_PTR(err);
	}
	return peer;
}

static int need_traffic(struct akm_epoch *epoch, struct akm_peer *peer, u16 index)
{
	struct akm_traffic *traffic;

	if (peer->traffic)
		return 0;
	traffic = traffic_create(epoch, index);
	if (IS_ERR(traffic))
		return PTR_ERR(traffic);
	atomic64_set(&traffic->tx_pair.next, peer->tx_next);
	peer->traffic = traffic;
	return 0;
}

/*
 * What is missing of a warm member's keys. The group key comes last: while it is not there
 * the member is cold for whoever does not find the other ones.
 */
static int make_keys(struct akm_epoch *epoch, struct akm_peer *peer, struct akm_member *member)
{
	struct akm_device *akm = epoch->gen->akm;
	bool had_pair = has_key(akm, &peer->tx_pair);
	int err;

	err = akm_member_need_lines(member);
	err = err ?: need_traffic(epoch, peer, member->index);
	if (!err && peer->has_pair && !had_pair)
		err = set_pair(epoch, peer, member);
	if (!err && !has_key(akm, &peer->rx_group))
		err = set_rx_group(epoch, peer, member);
	if (err && !had_pair) {
		unset_key(akm, &peer->tx_pair);
		unset_key(akm, &peer->rx_pair);
	}
	return err;
}

int akm_epoch_add_member(struct akm_epoch *epoch, struct akm_member *member,
			 const u8 *pair_chain)
{
	struct akm_peer *peer = get_peer(epoch, member->index);
	bool had_group;
	int err = 0;

	if (IS_ERR(peer))
		return PTR_ERR(peer);
	had_group = peer->has_group;
	WRITE_ONCE(peer->has_group, true);
	if (pair_chain)
		store_pair(peer, pair_chain);
	if (peer->traffic || akm_warm_stays(epoch->gen->akm, member->index))
		err = make_keys(epoch, peer, member);
	if (err && pair_chain)
		wipe_pair(peer);
	if (err)
		WRITE_ONCE(peer->has_group, had_group);
	return err;
}

int akm_epoch_warm_member(struct akm_epoch *epoch, struct akm_member *member, bool trial)
{
	struct akm_peer *peer = xa_load(&epoch->peers, member->index);
	bool is_new;
	int err;

	if (!peer || !peer->has_group || has_key(epoch->gen->akm, &peer->rx_group))
		return 0;
	is_new = !peer->traffic;
	peer->waits = true;
	err = make_keys(epoch, peer, member);
	peer->waits = false;
	if (!err && is_new)
		peer->traffic->trial = trial;
	return err;
}

bool akm_epoch_talks(struct akm_epoch *epoch, u16 index)
{
	const struct akm_peer *peer = xa_load(&epoch->peers, index);
	const struct akm_key *key;

	if (!peer)
		return false;
	key = rcu_dereference_check(peer->rx_group, lockdep_is_held(&epoch->gen->akm->lock));
	return key && READ_ONCE(key->traffic->use) == AKM_TALKS;
}

void akm_epoch_warm_talkers(struct akm_epoch *next, struct akm_epoch *now)
{
	struct akm_member *member;
	unsigned long index;
	int err = 0;

	xa_for_each(&now->gen->akm->members, index, member) {
		if (akm_epoch_talks(now, index)) {
			err = akm_epoch_warm_member(next, member, false);
			akm_warm_let_go(now->gen->akm, member);
		}
		if (err)
			return;
		akm_warm_breathe(now->gen->akm);
	}
}

static void let_go(struct akm_device *akm, struct akm_key __rcu **slot)
{
	struct akm_key *key = rcu_dereference_protected(*slot, lockdep_is_held(&akm->lock));

	if (key)
		WRITE_ONCE(key->waits, false);
}

void akm_epoch_let_go(struct akm_epoch *epoch, u16 index)
{
	struct akm_peer *peer = xa_load(&epoch->peers, index);
	struct akm_device *akm = epoch->gen->akm;

	if (!peer)
		return;
	let_go(akm, &peer->rx_group);
	let_go(akm, &peer->rx_pair);
	let_go(akm, &peer->tx_pair);
}

/* --- keys that were made on trial --- */

/* No number of its windows has been seen. */
static bool is_unused(const struct akm_traffic *traffic)
{
	return READ_ONCE(traffic->use) == AKM_UNUSED;
}

static void hide(struct akm_device *akm, struct akm_key __rcu **slot, struct akm_key **ret_key)
{
	*ret_key = rcu_replace_pointer(*slot, NULL, lockdep_is_held(&akm->lock));
}

unsigned int akm_epoch_hide_unused(struct akm_epoch *epoch)
{
	struct akm_device *akm = epoch->gen->akm;
	struct akm_traffic *traffic;
	struct akm_peer *peer;
	unsigned long index;
	unsigned int n = 0;

	xa_for_each(&epoch->peers, index, peer) {
		traffic = peer->traffic;
		if (!traffic || !traffic->trial)
			continue;
		traffic->trial = is_unused(traffic);
		if (!traffic->trial)
			continue;
		hide(akm, &peer->rx_group, &traffic->hidden[0]);
		hide(akm, &peer->rx_pair, &traffic->hidden[1]);
		hide(akm, &peer->tx_pair, &traffic->hidden[2]);
		n++;
	}
	return n;
}

/* A packet under way may still turn out to be authentic. */
static bool is_held(const struct akm_traffic *traffic)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(traffic->hidden); i++)
		if (traffic->hidden[i] && refcount_read(&traffic->hidden[i]->refs) > 1)
			return true;
	return false;
}

/* Whoever found a key before it was hidden has found out by now what it opens, or holds it. */
static bool may_forget(struct akm_traffic *traffic)
{
	if (is_held(traffic))
		return false;
	smp_rmb();		/* the last one used it, and then let go */
	return is_unused(traffic);
}

static void show(struct akm_peer *peer)
{
	struct akm_traffic *traffic = peer->traffic;

	rcu_assign_pointer(peer->tx_pair, traffic->hidden[2]);
	rcu_assign_pointer(peer->rx_pair, traffic->hidden[1]);
	/* last, as in make_keys() */
	rcu_assign_pointer(peer->rx_group, traffic->hidden[0]);
	memset(traffic->hidden, 0, sizeof(traffic->hidden));
}

/* Its keys do not refer to it after this: whoever could hold one has let go. */
static void forget(struct akm_peer *peer)
{
	struct akm_traffic *traffic = peer->traffic;
	int i;

	for (i = 0; i < ARRAY_SIZE(traffic->hidden); i++)
		if (traffic->hidden[i])
			akm_key_put(traffic->hidden[i]);
	peer->tx_next = atomic64_read(&traffic->tx_pair.next);
	peer->traffic = NULL;
	traffic_free(traffic);
}

unsigned int akm_epoch_cool(struct akm_epoch *epoch)
{
	struct akm_peer *peer;
	unsigned long index;
	unsigned int n = 0;

	lockdep_assert_held(&epoch->gen->akm->lock);
	xa_for_each(&epoch->peers, index, peer) {
		if (!peer->traffic || !peer->traffic->trial)
			continue;
		if (may_forget(peer->traffic)) {
			forget(peer);
			continue;
		}
		show(peer);
		n++;
	}
	return n;
}

void akm_epoch_remove_pair(struct akm_epoch *epoch, u16 index)
{
	struct akm_peer *peer = xa_load(&epoch->peers, index);

	if (peer)
		unset_pair(epoch, peer);
}

void akm_epoch_remove_member(struct akm_epoch *epoch, u16 index)
{
	struct akm_peer *peer = xa_load(&epoch->peers, index);

	if (!peer)
		return;
	unset_group(epoch, peer);
	unset_pair(epoch, peer);
}

struct akm_epoch *akm_epoch_create(struct akm_generation *gen, u64 number,
				   const u8 chain[AKM_KDF_LEN])
{
	struct akm_epoch *epoch = kzalloc(sizeof(*epoch), GFP_KERNEL);
	int err;

	if (!epoch)
		return ERR_PTR(-ENOMEM);
	kref_init(&epoch->refs);
	kref_get(&gen->refs);
	epoch->gen = gen;
	epoch->number = number;
	memcpy(epoch->chain, chain, sizeof(epoch->chain));
	atomic64_set(&epoch->tx_group.next, 0);
	xa_init(&epoch->peers);
	err = set_tx_group(epoch);
	if (err) {
		akm_epoch_destroy(epoch);
		return ERR_PTR(err);
	}
	return epoch;
}

static int step_member(struct akm_epoch *next, struct akm_epoch *epoch,
		       struct akm_member *member)
{
	struct akm_peer *peer = xa_load(&epoch->peers, member->index);
	u8 chain[AKM_KDF_LEN];
	int err;

	if (!peer || !peer->has_pair)
		return akm_epoch_add_member(next, member, NULL);
	err = akm_kdf_next(&epoch->gen->ctx, peer->chain, chain);
	if (!err)
		err = akm_epoch_add_member(next, member, chain);
	memzero_explicit(chain, sizeof(chain));
	return err;
}

static int step_members(struct akm_epoch *next, struct akm_epoch *epoch)
{
	struct akm_generation *gen = epoch->gen;
	struct akm_member *member;
	unsigned long index;
	int err;

	xa_for_each(&gen->akm->members, index, member) {
		if (index == gen->self)
			continue;
		err = step_member(next, epoch, member);
		if (err)
			return err;
		akm_warm_breathe(gen->akm);
	}
	return 0;
}

struct akm_epoch *akm_epoch_step(struct akm_epoch *epoch)
{
	u8 chain[AKM_KDF_LEN];
	struct akm_epoch *next;
	int err;

	lockdep_assert_held(&epoch->gen->akm->lock);
	err = akm_kdf_next(&epoch->gen->ctx, epoch->chain, chain);
	if (err)
		return ERR_PTR(err);
	next = akm_epoch_create(epoch->gen, epoch->number + 1, chain);
	memzero_explicit(chain, sizeof(chain));
	if (IS_ERR(next))
		return next;
	err = step_members(next, epoch);
	if (err) {
		akm_epoch_destroy(next);
		return ERR_PTR(err);
	}
	return next;
}

/*
 * The first packet of a cold member may be on its way since before the step, so what its
 * keys come from stays as long as the others' keys do. It opens nothing that those do not.
 */
void akm_epoch_wipe_chains(struct akm_epoch *epoch)
{
	struct akm_device *akm = epoch->gen->akm;
	struct akm_peer *peer;
	unsigned long index;
	bool cold = false;

	xa_for_each(&epoch->peers, index, peer) {
		if (peer->has_group && !has_key(akm, &peer->rx_group))
			cold = true;
		else
			wipe_pair(peer);
		akm_warm_breathe(akm);
	}
	if (!cold)
		memzero_explicit(epoch->chain, sizeof(epoch->chain));
}

void akm_epoch_destroy(struct akm_epoch *epoch)
{
	unsigned long index;
	struct akm_peer *peer;

	if (!epoch)
		return;
	memzero_explicit(epoch->chain, sizeof(epoch->chain));
	unset_key(epoch->gen->akm, &epoch->tx_group_key);
	xa_for_each(&epoch->peers, index, peer) {
		unset_group(epoch, peer);
		unset_pair(epoch, peer);
		akm_warm_breathe(epoch->gen->akm);
	}
	call_rcu(&epoch->rcu, epoch_put_rcu);
}

static struct akm_key *hold(struct akm_key *key, unsigned int refs)
{
	if (unlikely(!key || !refcount_add_not_zero(refs, &key->refs)))
		return NULL;
	return key;
}

struct akm_key *akm_key_rx(struct akm_epoch *epoch, u16 sender, enum akm_packet_type type)
{
	struct akm_peer *peer = xa_load(&epoch->peers, sender);

	if (!peer)
		return NULL;
	return hold(rcu_dereference(*(type == AKM_PACKET_GROUP ? &peer->rx_group :
							 &peer->rx_pair)), 1);
}

struct akm_key *akm_key_tx_pair(struct akm_epoch *epoch, u16 member, unsigned int refs)
{
	struct akm_peer *peer = xa_load(&epoch->peers, member);

	return peer ? hold(rcu_dereference(peer->tx_pair), refs) : NULL;
}

bool akm_key_is_cold(struct akm_epoch *epoch, u16 member, enum akm_packet_type type)
{
	const struct akm_peer *peer = xa_load(&epoch->peers, member);

	if (!peer)
		return false;
	if (!READ_ONCE(peer->has_group) ||
	    (type != AKM_PACKET_GROUP && !READ_ONCE(peer->has_pair)))
		return false;
	/* the group key is the last that is made: who finds it finds the others afterwards */
	return !smp_load_acquire(&peer->rx_group);
}

struct akm_key *akm_key_tx_group(struct akm_epoch *epoch, unsigned int refs)
{
	return hold(rcu_dereference(epoch->tx_group_key), refs);
}

static void want_epoch(struct akm_generation *gen, u64 number)
{
	WRITE_ONCE(gen->wanted, (u32)number);
	akm_generations_tend(gen->akm);
}

static void fill_epoch(const struct akm_epoch *epoch)
{
	WRITE_ONCE(epoch->gen->filled, (u32)epoch->number + 1);
	want_epoch(epoch->gen, epoch->number + 1);
}

bool akm_key_reserve(struct akm_key *key, unsigned int n, u64 *ret_first)
{
	u64 end;

	/* read first: refused attempts must not creep towards 2^64 */
	if (unlikely((u64)atomic64_read(&key->tx->next) > AKM_SEQUENCE_MAX))
		return false;
	end = atomic64_add_return(n, &key->tx->next);
	if (unlikely(end > AKM_SEQUENCE_MAX + 1))
		return false;
	if (unlikely(end >= AKM_ROLL_PACKETS && end - n < AKM_ROLL_PACKETS))
		fill_epoch(key->epoch);
	*ret_first = end - n;
	return true;
}

struct akm_header akm_key_header(const struct akm_key *key, enum akm_packet_type type,
				 u64 number)
{
	const struct akm_epoch *epoch = key->epoch;

	return (struct akm_header) {
		.vertype = akm_vertype(type),
		.epoch = (u8)epoch->number,
		.sender = cpu_to_be16(epoch->gen->self),
		.key_id = cpu_to_be32(epoch->gen->ctx.key_id),
		.packet_number = cpu_to_be64(number),
	};
}

struct akm_asking *akm_key_asking(const struct akm_key *key)
{
	return key->traffic->asking;
}

/* Is @number from before the sender's answer? It has answered. */
static bool below_floor(const struct akm_key *key, const struct akm_fresh *fresh, u64 number)
{
	return number < akm_fresh_floor(fresh, key->epoch->number,
					key->type == AKM_PACKET_GROUP);
}

/*
 * A new number was accepted. Only pair keys: under a group key every member can seal,
 * so another packet with the same number would prove nothing. Only senders that send
 * take memory; without it clones go unnoticed, and replays do not.
 */
static void note_print(struct akm_rx *rx, u64 number, u16 print)
{
	struct akm_prints *prints = rx->prints;

	if (unlikely(!prints)) {
		prints = kzalloc(sizeof(*prints), GFP_ATOMIC | __GFP_NOWARN);
		if (!prints)
			return;
		smp_store_release(&rx->prints, prints);	/* akm_key_guess() */
	}
	akm_prints_note(prints, number, print);
}

static enum akm_verdict check_window(struct akm_rx *rx, bool pair, u64 number, u16 print)
{
	if (likely(akm_replay_check(&rx->replay, number))) {
		if (pair)
			note_print(rx, number, print);
		return AKM_NEW;
	}
	if (rx->prints && akm_prints_compare(rx->prints, &rx->replay, number, print) ==
			  AKM_UNLIKE_SEEN)
		return AKM_CLONED;
	return AKM_SEEN;
}

enum akm_verdict akm_key_accept(struct akm_key *key, u64 number, u16 print)
{
	const struct akm_asking *asking = key->traffic->asking;
	enum akm_verdict verdict;

	if (asking) {
		if (!akm_fresh_known(&asking->fresh))
			return AKM_WAITS;
		if (below_floor(key, &asking->fresh, number))
			return AKM_SEEN;
	}
	spin_lock(&key->rx->lock);
	verdict = check_window(key->rx, key->type == AKM_PACKET_PAIR, number, print);
	spin_unlock(&key->rx->lock);
	return verdict;
}

bool akm_key_newest(const struct akm_key *key, u64 number)
{
	const struct akm_generation *gen = key->epoch->gen;

	return READ_ONCE(key->rx->replay.next) == number + 1 &&
	       READ_ONCE(gen->state) != AKM_GEN_RETIRING &&
	       rcu_access_pointer(gen->epoch[AKM_EPOCH_PREVIOUS]) != key->epoch;
}

enum akm_guess akm_key_guess(const struct akm_key *key, u64 number, u16 print)
{
	const struct akm_asking *asking = key->traffic->asking;
	const struct akm_rx *rx = key->rx;
	const struct akm_prints *prints;

	if (asking) {
		if (!akm_fresh_known(&asking->fresh))
			return AKM_OPEN;
		if (below_floor(key, &asking->fresh, number))
			return AKM_DOUBTFUL;
	}
	if (likely(akm_replay_likely(&rx->replay, number)))
		return AKM_OPEN;
	prints = smp_load_acquire(&rx->prints);	/* note_print() */
	if (prints && akm_prints_compare(prints, &rx->replay, number, print) == AKM_LIKE_SEEN)
		return AKM_DUPLICATE;
	return AKM_DOUBTFUL;
}

/*
 * The answer must not go out under the epoch that the other side may have erased
 * by now, so sending moves on at once; the slots follow in process context. Whoever
 * replaces the pointer meanwhile (another generation, erasure) wins.
 */
static void send_with(struct akm_epoch *epoch)
{
	struct akm_device *akm = epoch->gen->akm;
	struct akm_epoch *now = rcu_dereference(akm->tx);

	if (now && now->gen == epoch->gen && now->number < epoch->number)
		cmpxchg((struct akm_epoch __force **)&akm->tx, now, epoch);
}

void akm_epoch_seen(struct akm_epoch *epoch)
{
	struct akm_generation *gen = epoch->gen;
	s32 ahead = (u32)epoch->number - READ_ONCE(gen->current_number);

	if (unlikely(ahead > 0 && READ_ONCE(gen->wanted) != (u32)epoch->number)) {
		/* in this order: hello.c must not name an epoch that is behind */
		want_epoch(gen, epoch->number);
		send_with(epoch);
	}
}
