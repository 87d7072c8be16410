// SPDX-License-Identifier: GPL-2.0
#include "past.h"

#include <linux/hashtable.h>
#include <linux/slab.h>
#include "device.h"
#include "keys.h"

static void forget(struct akm_past *past)
{
	struct akm_device *akm = past->akm;

	mutex_lock(&akm->net->lock);
	hash_del_rcu(&past->hash);
	mutex_unlock(&akm->net->lock);
	list_del(&past->list);
	akm->past_count--;
	kfree_rcu(past, rcu);
}

static void forget_oldest(struct akm_device *akm)
{
	forget(list_first_entry(&akm->past, struct akm_past, list));
}

/* Without memory, what comes under it will be of an unknown key. */
void akm_past_remember(struct akm_generation *gen)
{
	struct akm_device *akm = gen->akm;
	struct akm_past *past;

	lockdep_assert_held(&akm->lock);
	if (akm->dead)
		return;
	past = kmalloc(sizeof(*past), GFP_KERNEL);
	if (!past)
		return;
	past->akm = akm;
	past->key_id = gen->ctx.key_id;
	past->generation = gen->ctx.generation;
	mutex_lock(&akm->net->lock);
	hash_add_rcu(akm->net->past, &past->hash, past->key_id);
	mutex_unlock(&akm->net->lock);
	list_add_tail(&past->list, &akm->past);
	if (++akm->past_count > AKM_PAST_MAX)
		forget_oldest(akm);
}

void akm_past_forget(struct akm_device *akm)
{
	lockdep_assert_held(&akm->lock);
	while (!list_empty(&akm->past))
		forget_oldest(akm);
}

struct akm_past *akm_past_find(struct akm_net *an, u32 key_id)
{
	struct akm_past *past;

	hash_for_each_possible_rcu(an->past, past, hash, key_id)
		if (past->key_id == key_id)
			return past;
	return NULL;
}
