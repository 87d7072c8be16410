// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a generation: installed as pending (receives), active (sends as
 * well), retiring (receives until its deadline), erased; and the steps of its
 * epochs. Documentation/protocol.rst, "Generations" and "Epochs".
 */
#include "keys.h"

#include <crypto/algapi.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "compat/compat.h"
#include "device.h"
#include "hello.h"
#include "keepalive.h"
#include "notice.h"
#include "past.h"
#include "warm.h"

#define RETRY_DELAY	HZ		/* after a step that failed for want of memory */
#define PRINT_LABEL	"akm1 print"	/* local: never leaves the kernel */

static struct akm_epoch *slot(struct akm_generation *gen, enum akm_epoch_slot i)
{
	return rcu_dereference_protected(gen->epoch[i], lockdep_is_held(&gen->akm->lock));
}

static void generation_release(struct kref *refs)
{
	struct akm_generation *gen = container_of(refs, struct akm_generation, refs);

	akm_hello_free(gen);
	netdev_put(gen->akm->dev, &gen->tracker);
	kfree_sensitive(gen);
}

void akm_generation_put(struct akm_generation *gen)
{
	kref_put(&gen->refs, generation_release);
}

/* Those that it asked are not freed in softirq context. */
static void generation_put_work(struct work_struct *work)
{
	akm_generation_put(container_of(to_rcu_work(work), struct akm_generation, put_work));
}

struct akm_generation *akm_generation_find(struct akm_device *akm, u32 number)
{
	struct akm_generation *gen;

	lockdep_assert_held(&akm->lock);
	list_for_each_entry(gen, &akm->generations, list)
		if (gen->ctx.generation == number)
			return gen;
	return NULL;
}

struct akm_generation *akm_generation_active(struct akm_device *akm)
{
	struct akm_generation *gen;

	lockdep_assert_held(&akm->lock);
	list_for_each_entry(gen, &akm->generations, list)
		if (gen->state == AKM_GEN_ACTIVE)
			return gen;
	return NULL;
}

u32 akm_generation_pairs(struct akm_generation *gen)
{
	struct akm_epoch *epoch = slot(gen, AKM_EPOCH_CURRENT);
	struct akm_peer *peer;
	unsigned long index;
	u32 n = 0;

	xa_for_each(&epoch->peers, index, peer)
		n += peer->has_pair;
	return n;
}

static void report(struct akm_generation *gen, enum akm_event_type type, u32 has)
{
	struct akm_event event = {
		.type = type,
		.has = AKM_HAS_GENERATION | AKM_HAS_EPOCH | has,
		.generation = gen->ctx.generation,
		.key_id = gen->ctx.key_id,
		.epoch = slot(gen, AKM_EPOCH_CURRENT)->number,
		.state = gen->state,
	};

	akm_device_report(gen->akm, &event);
}

/* One-way, so that keeping it keeps nothing of the chain. */
static int fingerprint(const u8 *chain, u8 ret_print[AKM_KDF_LEN])
{
	return akm_hkdf_expand(chain, PRINT_LABEL, sizeof(PRINT_LABEL) - 1, ret_print,
			       AKM_KDF_LEN);
}

static struct akm_generation *generation_create(struct akm_device *akm,
						const struct akm_install *install)
{
	struct akm_generation *gen = kzalloc(sizeof(*gen), GFP_KERNEL);
	int err;

	if (!gen)
		return ERR_PTR(-ENOMEM);
	err = fingerprint(install->chain, gen->install_print);
	if (err) {
		kfree(gen);
		return ERR_PTR(err);
	}
	kref_init(&gen->refs);
	gen->akm = akm;
	netdev_hold(akm->dev, &gen->tracker, GFP_KERNEL);
	gen->ctx.atr_id = akm->atr_id;
	gen->ctx.generation = install->number;
	gen->ctx.key_id = install->key_id;
	gen->state = AKM_GEN_PENDING;
	gen->suite = akm->suite;
	gen->self = akm->self;
	gen->installed = jiffies;
	gen->unused = install->unused || akm->freshness == AKM_FRESHNESS_EPOCH;
	xa_init(&gen->asking);
	akm_ahead_init(&gen->ahead, install->epoch, ktime_to_ms(ktime_get_boottime()));
	gen->install_epoch = install->epoch;
	gen->current_number = install->epoch;
	gen->wanted = install->epoch;
	gen->filled = install->epoch;
	return gen;
}

/* Not, or not any more, in the hash and the list: erase its keys and let it go. */
static void generation_destroy(struct akm_generation *gen)
{
	int i;

	akm_hello_forget(gen);
	for (i = 0; i < AKM_EPOCH_SLOTS; i++)
		akm_epoch_destroy(rcu_replace_pointer(gen->epoch[i], NULL,
						      lockdep_is_held(&gen->akm->lock)));
	INIT_RCU_WORK(&gen->put_work, generation_put_work);
	queue_rcu_work(akm_workqueue, &gen->put_work);
}

static bool key_id_taken(struct akm_net *an, u32 key_id)
{
	struct akm_generation *gen;

	lockdep_assert_held(&an->lock);
	hash_for_each_possible(an->generations, gen, hash, key_id)
		if (gen->ctx.key_id == key_id)
			return true;
	return false;
}

static int publish(struct akm_generation *gen, struct netlink_ext_ack *extack)
{
	struct akm_device *akm = gen->akm;
	int err = 0;

	mutex_lock(&akm->net->lock);
	if (key_id_taken(akm->net, gen->ctx.key_id))
		err = -EEXIST;
	else
		hash_add_rcu(akm->net->generations, &gen->hash, gen->ctx.key_id);
	mutex_unlock(&akm->net->lock);
	if (err) {
		NL_SET_ERR_MSG_FMT(extack, "key ID 0x%08x is in use in this network namespace",
				   gen->ctx.key_id);
		return err;
	}
	list_add_tail(&gen->list, &akm->generations);
	akm->generation_count++;
	akm->generation_changes++;
	akm->newest = gen->ctx.generation;
	return 0;
}

static void erase(struct akm_generation *gen)
{
	struct akm_device *akm = gen->akm;

	report(gen, AKM_EVENT_GENERATION, 0);
	if (gen->state == AKM_GEN_ACTIVE)
		RCU_INIT_POINTER(akm->tx, NULL);
	akm_past_remember(gen);
	mutex_lock(&akm->net->lock);
	hash_del_rcu(&gen->hash);
	mutex_unlock(&akm->net->lock);
	list_del(&gen->list);
	akm->generation_count--;
	akm->generation_changes++;
	generation_destroy(gen);
}

int akm_chain_step(const struct akm_kdf_ctx *ctx, u8 chain[AKM_KDF_LEN], u64 from, u64 to)
{
	int err = 0;

	for (; from < to && !err; from++) {
		err = akm_kdf_next(ctx, chain, chain);
		cond_resched();
	}
	return err;
}

static int add_pair_to_epochs(struct akm_generation *gen, struct akm_member *member,
			      const u8 chain[AKM_KDF_LEN])
{
	struct akm_epoch *current_epoch = slot(gen, AKM_EPOCH_CURRENT);
	struct akm_epoch *next_epoch = slot(gen, AKM_EPOCH_NEXT);
	u8 next[AKM_KDF_LEN];
	int err;

	err = akm_epoch_add_member(current_epoch, member, chain);
	if (err || !next_epoch)
		return err;
	err = akm_kdf_next(&gen->ctx, chain, next);
	if (!err)
		err = akm_epoch_add_member(next_epoch, member, next);
	memzero_explicit(next, sizeof(next));
	if (err)
		akm_epoch_remove_pair(current_epoch, member->index);
	return err;
}

static struct akm_member *pair_member(struct akm_generation *gen, const struct akm_pair *pair,
				      struct netlink_ext_ack *extack)
{
	struct akm_member *member;

	if (pair->index == gen->self) {
		NL_SET_ERR_MSG_ATTR(extack, pair->attr, "a pair of the device with itself");
		return ERR_PTR(-EINVAL);
	}
	member = akm_member_find(gen->akm, pair->index);
	if (!member) {
		NL_SET_BAD_ATTR(extack, pair->attr);
		NL_SET_ERR_MSG_FMT(extack, "pair with member %u, which does not exist",
				   pair->index);
		return ERR_PTR(-ENOENT);
	}
	return member;
}

/*
 * A pair chain never changes within a generation, so one that is there already
 * must be the same: keys made from it have used up packet numbers.
 */
static int add_pair(struct akm_generation *gen, struct akm_pair *pair, u64 epoch,
		    struct netlink_ext_ack *extack)
{
	struct akm_epoch *now = slot(gen, AKM_EPOCH_CURRENT);
	struct akm_member *member;
	struct akm_peer *peer;
	u8 chain[AKM_KDF_LEN];
	int err;

	member = pair_member(gen, pair, extack);
	if (IS_ERR(member))
		return PTR_ERR(member);
	memcpy(chain, pair->chain, sizeof(chain));
	err = akm_chain_step(&gen->ctx, chain, epoch, now->number);
	peer = xa_load(&now->peers, pair->index);
	if (!err && peer && peer->has_pair) {
		if (crypto_memneq(peer->chain, chain, sizeof(chain))) {
			NL_SET_BAD_ATTR(extack, pair->attr);
			NL_SET_ERR_MSG_FMT(extack, "member %u has another pair chain",
					   pair->index);
			err = -EEXIST;
		}
	} else if (!err) {
		err = add_pair_to_epochs(gen, member, chain);
		pair->added = !err;
	}
	memzero_explicit(chain, sizeof(chain));
	return err;
}

static void remove_added_pairs(struct akm_generation *gen, const struct akm_install *install)
{
	u32 i;

	for (i = 0; i < install->pair_count; i++) {
		if (!install->pairs[i].added)
			continue;
		akm_epoch_remove_pair(slot(gen, AKM_EPOCH_CURRENT), install->pairs[i].index);
		if (slot(gen, AKM_EPOCH_NEXT))
			akm_epoch_remove_pair(slot(gen, AKM_EPOCH_NEXT),
					      install->pairs[i].index);
	}
}

static int check_pair_epoch(struct akm_generation *gen, u64 epoch,
			    struct netlink_ext_ack *extack)
{
	u64 now = slot(gen, AKM_EPOCH_CURRENT)->number;

	if (epoch > now) {
		NL_SET_ERR_MSG_FMT(extack, "pair chains of epoch %llu, the generation is at %llu",
				   epoch, now);
		return -ERANGE;
	}
	if (now - epoch > AKM_CATCH_UP_MAX) {
		NL_SET_ERR_MSG_FMT(extack, "pair chains of epoch %llu, more than %u behind %llu",
				   epoch, AKM_CATCH_UP_MAX, now);
		return -ERANGE;
	}
	return 0;
}

static int add_pairs(struct akm_generation *gen, const struct akm_install *install,
		     struct netlink_ext_ack *extack)
{
	int err;
	u32 i;

	err = check_pair_epoch(gen, install->epoch, extack);
	for (i = 0; i < install->pair_count && !err; i++) {
		err = add_pair(gen, &install->pairs[i], install->epoch, extack);
		akm_warm_breathe(gen->akm);
	}
	if (err)
		remove_added_pairs(gen, install);
	return err;
}

static int add_all_members(struct akm_epoch *epoch)
{
	struct akm_generation *gen = epoch->gen;
	struct akm_member *member;
	unsigned long index;
	int err;

	xa_for_each(&gen->akm->members, index, member) {
		if (index == gen->self)
			continue;
		err = akm_epoch_add_member(epoch, member, NULL);
		if (err)
			return err;
		akm_warm_breathe(gen->akm);
	}
	return 0;
}

static int prepare_next(struct akm_generation *gen)
{
	struct akm_epoch *next;

	if (slot(gen, AKM_EPOCH_NEXT))
		return 0;
	next = akm_epoch_step(slot(gen, AKM_EPOCH_CURRENT));
	if (IS_ERR(next))
		return PTR_ERR(next);
	rcu_assign_pointer(gen->epoch[AKM_EPOCH_NEXT], next);
	return 0;
}

static int prepare(struct akm_generation *gen, const struct akm_install *install,
		   struct netlink_ext_ack *extack)
{
	struct akm_epoch *epoch;
	int err;

	epoch = akm_epoch_create(gen, install->epoch, install->chain);
	if (IS_ERR(epoch))
		return PTR_ERR(epoch);
	epoch->began = ktime_to_ms(ktime_get_boottime());
	rcu_assign_pointer(gen->epoch[AKM_EPOCH_CURRENT], epoch);
	err = add_all_members(epoch);
	if (!err)
		err = add_pairs(gen, install, extack);
	if (!err)
		err = prepare_next(gen);
	return err;
}

static int install_again(struct akm_generation *gen, const struct akm_install *install,
			 struct netlink_ext_ack *extack)
{
	u8 print[AKM_KDF_LEN];
	int err;

	err = fingerprint(install->chain, print);
	if (err)
		return err;
	if (gen->ctx.key_id != install->key_id || gen->install_epoch != install->epoch ||
	    crypto_memneq(gen->install_print, print, sizeof(print))) {
		NL_SET_ERR_MSG_FMT(extack, "another generation %u is installed",
				   install->number);
		return -EEXIST;
	}
	return add_pairs(gen, install, extack);
}

static int check_install(struct akm_device *akm, const struct akm_install *install,
			 struct netlink_ext_ack *extack)
{
	if (!akm->atr_id || !akm->has_self) {
		NL_SET_ERR_MSG(extack, "the device needs an ATR ID and its own member index first");
		return -EINVAL;
	}
	if (install->number <= akm->newest) {
		NL_SET_ERR_MSG_FMT(extack, "generation %u is not newer than %u, seen before",
				   install->number, akm->newest);
		return -ESTALE;
	}
	if (akm->generation_count >= AKM_GENERATIONS_MAX) {
		NL_SET_ERR_MSG_FMT(extack, "%u generations are the limit, retire one",
				   AKM_GENERATIONS_MAX);
		return -ENOSPC;
	}
	return akm_aead_probe(akm->suite, akm->driver, extack);
}

int akm_generation_install(struct akm_device *akm, const struct akm_install *install,
			   struct netlink_ext_ack *extack)
{
	struct akm_generation *gen = akm_generation_find(akm, install->number);
	int err;

	if (gen)
		return install_again(gen, install, extack);
	err = check_install(akm, install, extack);
	if (err)
		return err;
	gen = generation_create(akm, install);
	if (IS_ERR(gen))
		return PTR_ERR(gen);
	err = prepare(gen, install, extack);
	if (!err)
		err = publish(gen, extack);
	if (err) {
		generation_destroy(gen);
		return err;
	}
	report(gen, AKM_EVENT_GENERATION, AKM_HAS_STATE);
	return 0;
}

static int not_found(struct akm_device *akm, u32 number, struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG_FMT(extack, "generation %u is not installed", number);
	return number <= akm->newest ? -ESTALE : -ENOENT;
}

int akm_generation_add_pairs(struct akm_device *akm, const struct akm_install *install,
			     struct netlink_ext_ack *extack)
{
	struct akm_generation *gen = akm_generation_find(akm, install->number);

	if (!gen) {
		NL_SET_ERR_MSG_FMT(extack, "generation %u is not installed", install->number);
		return -ENOENT;
	}
	return add_pairs(gen, install, extack);
}

/*
 * What is older is received for a while, also if it never was active here: another member
 * may have entered it, and moves on to this one when it hears of it.
 */
static void retire_older(struct akm_device *akm, u32 number, u32 grace_ms)
{
	struct akm_generation *old;

	list_for_each_entry(old, &akm->generations, list) {
		if (old->ctx.generation >= number || old->state == AKM_GEN_RETIRING)
			continue;
		WRITE_ONCE(old->state, AKM_GEN_RETIRING);
		old->deadline = jiffies + msecs_to_jiffies(grace_ms);
		report(old, AKM_EVENT_GENERATION, AKM_HAS_STATE);
	}
}

int akm_generation_activate(struct akm_device *akm, u32 number, u32 grace_ms,
			    struct netlink_ext_ack *extack)
{
	struct akm_generation *gen = akm_generation_find(akm, number);
	struct akm_generation *old = akm_generation_active(akm);

	if (!gen)
		return not_found(akm, number, extack);
	if (gen->state == AKM_GEN_ACTIVE)
		return 0;
	if (gen->state == AKM_GEN_RETIRING || (old && number < old->ctx.generation)) {
		NL_SET_ERR_MSG_FMT(extack, "generation %u is older than the active one", number);
		return -ESTALE;
	}
	if (!akm->incarnation) {
		NL_SET_ERR_MSG(extack, "the device has no incarnation to send with, set one first");
		return -EINVAL;
	}
	WRITE_ONCE(gen->state, AKM_GEN_ACTIVE);
	rcu_assign_pointer(akm->tx, slot(gen, AKM_EPOCH_CURRENT));
	retire_older(akm, number, grace_ms);
	akm->generation_changes++;
	report(gen, AKM_EVENT_GENERATION, AKM_HAS_STATE);
	akm_generations_schedule_roll(akm);
	akm_hello_ask_all(gen);
	akm_keepalive_all(akm);
	return 0;
}

int akm_generation_retire(struct akm_device *akm, u32 number,
			  struct netlink_ext_ack *extack)
{
	struct akm_generation *gen = akm_generation_find(akm, number);

	if (gen) {
		erase(gen);
		return 0;
	}
	if (number <= akm->newest)
		return 0;		/* it is gone, which is what was asked for */
	return not_found(akm, number, extack);
}

/*
 * Each epoch is put into its new slot before it leaves the old one, and
 * akm_epoch_lookup() looks in the opposite order: it is found at any instant.
 * @from has the epoch to go to; after a jump the next one of before is of no use.
 */
static void shift_epochs(struct akm_generation *gen, enum akm_epoch_slot from)
{
	struct akm_epoch *oldest = slot(gen, AKM_EPOCH_PREVIOUS);
	struct akm_epoch *now = slot(gen, AKM_EPOCH_CURRENT);
	struct akm_epoch *skipped = from == AKM_EPOCH_NEXT ? NULL : slot(gen, AKM_EPOCH_NEXT);
	struct akm_epoch *to = slot(gen, from);

	to->began = ktime_to_ms(ktime_get_boottime());
	rcu_assign_pointer(gen->epoch[AKM_EPOCH_PREVIOUS], now);
	rcu_assign_pointer(gen->epoch[AKM_EPOCH_CURRENT], to);
	/* rcu_assign_pointer() of a constant NULL would be no release */
	smp_store_release(&gen->epoch[AKM_EPOCH_NEXT], NULL);
	RCU_INIT_POINTER(gen->epoch[from], NULL);
	WRITE_ONCE(gen->current_number, (u32)to->number);
	if (gen->state == AKM_GEN_ACTIVE)
		rcu_assign_pointer(gen->akm->tx, to);
	akm_epoch_wipe_chains(now);
	akm_epoch_destroy(skipped);
	akm_epoch_destroy(oldest);
}

void akm_generation_now(struct akm_generation *gen, struct akm_ahead_now *ret_now)
{
	struct akm_epoch *epoch = slot(gen, AKM_EPOCH_CURRENT);

	*ret_now = (struct akm_ahead_now) {
		.current_epoch = epoch->number,
		.time = ktime_to_ms(ktime_get_boottime()),
		.interval = gen->akm->epoch_interval,
		.others = gen->akm->member_count - !!rcu_access_pointer(gen->akm->self_member),
	};
	if (READ_ONCE(epoch->heard))
		akm_ahead_heard(&gen->ahead, ret_now, epoch->began);
}

static void go(struct akm_generation *gen, enum akm_epoch_slot from)
{
	struct akm_ahead_now now;

	akm_generation_now(gen, &now);
	akm_epoch_warm_talkers(slot(gen, from), slot(gen, AKM_EPOCH_CURRENT));
	shift_epochs(gen, from);
	akm_notice_stepped(gen);
	gen->previous_deadline = jiffies + msecs_to_jiffies(gen->akm->epoch_grace);
	gen->akm->generation_changes++;
	report(gen, AKM_EVENT_EPOCH, 0);
	if (gen->state == AKM_GEN_ACTIVE)
		akm_generations_schedule_roll(gen->akm);
	else
		akm_generations_tend(gen->akm);
	/* tend() tries again if this fails: the next roll needs it, this one is done */
	prepare_next(gen);
}

static int roll(struct akm_generation *gen)
{
	int err;

	err = prepare_next(gen);
	if (!err)
		go(gen, AKM_EPOCH_NEXT);
	return err;
}

/*
 * By ourselves: nobody has told us, so we tell everybody, unless the device is down. tend()
 * goes on with it.
 */
static int roll_first(struct akm_generation *gen)
{
	struct akm_device *akm = gen->akm;
	int err = roll(gen);

	if (!err && rcu_access_pointer(akm->sock))
		akm_announce_start(&gen->tell, jiffies, akm->epoch_grace, akm->member_count,
				   get_random_u32());
	return err;
}

void akm_generation_go_ahead(struct akm_generation *gen)
{
	go(gen, AKM_EPOCH_AHEAD);
	/* who did not understand us before does now */
	if (gen->state == AKM_GEN_ACTIVE)
		akm_hello_ask_all(gen);
}

void akm_generation_drop_ahead(struct akm_generation *gen)
{
	akm_epoch_destroy(rcu_replace_pointer(gen->epoch[AKM_EPOCH_AHEAD], NULL,
					      lockdep_is_held(&gen->akm->lock)));
}

int akm_generation_roll(struct akm_device *akm, struct netlink_ext_ack *extack)
{
	struct akm_generation *gen = akm_generation_active(akm);

	if (!gen) {
		NL_SET_ERR_MSG(extack, "no generation is active");
		return -ENOENT;
	}
	return roll_first(gen);
}

int akm_generations_warm(struct akm_device *akm, struct akm_member *member, bool trial)
{
	struct akm_generation *gen;
	int i, err = 0;

	lockdep_assert_held(&akm->lock);
	list_for_each_entry(gen, &akm->generations, list)
		for (i = 0; i < AKM_EPOCH_SLOTS && !err; i++)
			if (slot(gen, i))
				err = akm_epoch_warm_member(slot(gen, i), member, trial);
	return err;
}

void akm_generations_let_go(struct akm_device *akm, u16 index)
{
	struct akm_generation *gen;
	int i;

	lockdep_assert_held(&akm->lock);
	list_for_each_entry(gen, &akm->generations, list)
		for (i = 0; i < AKM_EPOCH_SLOTS; i++)
			if (slot(gen, i))
				akm_epoch_let_go(slot(gen, i), index);
}

bool akm_generations_talk(struct akm_device *akm, u16 index)
{
	struct akm_generation *gen;
	int i;

	lockdep_assert_held(&akm->lock);
	list_for_each_entry(gen, &akm->generations, list)
		for (i = 0; i < AKM_EPOCH_SLOTS; i++)
			if (slot(gen, i) && akm_epoch_talks(slot(gen, i), index))
				return true;
	return false;
}

typedef unsigned int (*epoch_fn_t)(struct akm_epoch *epoch);

static unsigned int over_epochs(struct akm_device *akm, epoch_fn_t what)
{
	struct akm_generation *gen;
	unsigned int n = 0;
	int i;

	list_for_each_entry(gen, &akm->generations, list)
		for (i = 0; i < AKM_EPOCH_SLOTS; i++)
			if (slot(gen, i))
				n += what(slot(gen, i));
	return n;
}

unsigned int akm_generations_cool(struct akm_device *akm)
{
	lockdep_assert_held(&akm->lock);
	if (!over_epochs(akm, akm_epoch_hide_unused))
		return 0;
	synchronize_rcu();
	return over_epochs(akm, akm_epoch_cool);
}

int akm_generations_add_member(struct akm_device *akm, struct akm_member *member)
{
	struct akm_generation *gen;
	int i, err = 0;

	lockdep_assert_held(&akm->lock);
	list_for_each_entry(gen, &akm->generations, list) {
		if (member->index == gen->self)
			continue;
		/* a new member has nothing to say under the previous epoch */
		for (i = AKM_EPOCH_CURRENT; i < AKM_EPOCH_SLOTS && !err; i++)
			if (slot(gen, i))
				err = akm_epoch_add_member(slot(gen, i), member, NULL);
	}
	if (err)
		akm_generations_remove_member(akm, member);
	return err;
}

void akm_generations_remove_member(struct akm_device *akm, struct akm_member *member)
{
	struct akm_generation *gen;
	int i;

	lockdep_assert_held(&akm->lock);
	list_for_each_entry(gen, &akm->generations, list)
		for (i = 0; i < AKM_EPOCH_SLOTS; i++)
			if (slot(gen, i))
				akm_epoch_remove_member(slot(gen, i), member->index);
}

void akm_generations_destroy(struct akm_device *akm)
{
	struct akm_generation *gen, *next;

	lockdep_assert_held(&akm->lock);
	list_for_each_entry_safe(gen, next, &akm->generations, list)
		erase(gen);
}

/* Whoever rolls first pulls the rest, so the timers of the members are spread out. */
void akm_generations_schedule_roll(struct akm_device *akm)
{
	unsigned long interval = msecs_to_jiffies(akm->epoch_interval);

	lockdep_assert_held(&akm->lock);
	akm->next_roll = jiffies + interval - get_random_u32_below(interval / 8 + 1);
	akm_generations_tend(akm);
}

void akm_generations_tend(struct akm_device *akm)
{
	mod_delayed_work(akm_workqueue, &akm->tend, 0);
}

/* Shorten @wait to what is left until @deadline. Return: has it passed? */
static bool is_due(unsigned long deadline, unsigned long now, unsigned long *wait)
{
	if (time_after_eq(now, deadline))
		return true;
	*wait = min(*wait, deadline - now);
	return false;
}

static void tell_if_due(struct akm_generation *gen, unsigned long now, unsigned long *wait)
{
	struct akm_announce *tell = &gen->tell;

	akm_announce_heard(tell, gen->self, akm_notice_teller(gen));
	if (!tell->rounds || gen->state != AKM_GEN_ACTIVE || !is_due(tell->at, now, wait))
		return;
	if (rcu_access_pointer(gen->akm->sock))
		akm_notice_tell(gen);
	else
		akm_announce_stop(tell);	/* the device is down */
	if (tell->rounds)
		*wait = min(*wait, tell->at - now);
}

static bool is_ahead(const struct akm_generation *gen, u32 epoch)
{
	return (s32)(epoch - gen->current_number) > 0;
}

/* Is it time for the next epoch? By our own doing (*ret_first), or are we pulled along? */
static bool roll_is_due(const struct akm_generation *gen, unsigned long now, unsigned long *wait,
			bool *ret_first)
{
	bool timed = gen->state == AKM_GEN_ACTIVE && gen->akm->epoch_interval &&
		     is_due(gen->akm->next_roll, now, wait);
	bool wanted = is_ahead(gen, READ_ONCE(gen->wanted));

	*ret_first = is_ahead(gen, READ_ONCE(gen->filled)) || (timed && !wanted);
	return timed || wanted;
}

static void tend_generation(struct akm_generation *gen, unsigned long now, unsigned long *wait)
{
	struct akm_device *akm = gen->akm;
	bool first, failed = false;

	if (gen->state == AKM_GEN_RETIRING && is_due(gen->deadline, now, wait)) {
		erase(gen);
		return;
	}
	if (slot(gen, AKM_EPOCH_PREVIOUS) && is_due(gen->previous_deadline, now, wait))
		akm_epoch_destroy(rcu_replace_pointer(gen->epoch[AKM_EPOCH_PREVIOUS], NULL,
						      lockdep_is_held(&akm->lock)));
	if (roll_is_due(gen, now, wait, &first))
		failed = first ? roll_first(gen) : roll(gen);
	tell_if_due(gen, now, wait);
	if (failed || prepare_next(gen))
		*wait = min_t(unsigned long, *wait, RETRY_DELAY);
}

static void tend(struct work_struct *work)
{
	struct akm_device *akm = container_of(to_delayed_work(work), struct akm_device, tend);
	struct akm_generation *gen, *next;
	unsigned long wait = MAX_JIFFY_OFFSET;

	mutex_lock(&akm->lock);
	list_for_each_entry_safe(gen, next, &akm->generations, list)
		tend_generation(gen, jiffies, &wait);
	if (!akm->dead && wait != MAX_JIFFY_OFFSET)
		queue_delayed_work(akm_workqueue, &akm->tend, wait);
	mutex_unlock(&akm->lock);
}

void akm_generations_init(struct akm_device *akm)
{
	INIT_LIST_HEAD(&akm->generations);
	INIT_DELAYED_WORK(&akm->tend, tend);
}

struct akm_generation *akm_generation_lookup(struct akm_net *an, u32 key_id)
{
	struct akm_generation *gen;

	hash_for_each_possible_rcu(an->generations, gen, hash, key_id)
		if (gen->ctx.key_id == key_id)
			return gen;
	return NULL;
}

struct akm_epoch *akm_epoch_lookup(struct akm_generation *gen, u8 low_byte)
{
	struct akm_epoch *epoch;
	int i;

	for (i = AKM_EPOCH_NEXT; i >= AKM_EPOCH_PREVIOUS; i--) {
		epoch = rcu_dereference(gen->epoch[i]);
		smp_rmb();	/* pairs with rcu_assign_pointer() in shift_epochs() */
		if (epoch && (u8)epoch->number == low_byte)
			return epoch;
	}
	return NULL;
}
