// SPDX-License-Identifier: GPL-2.0
#include "atr.h"

#include <linux/slab.h>
#include "compat/compat.h"
#include "device.h"
#include "keepalive.h"
#include "keys.h"
#include "roam.h"
#include "socket.h"
#include "warm.h"

static void member_free_rcu(struct rcu_head *rcu)
{
	struct akm_member *member = container_of(rcu, struct akm_member, rcu);

	akm_stats_free(&member->stats);
	kfree(member->lines);
	kfree(member);
}

static void member_release(struct kref *refs)
{
	struct akm_member *member = container_of(refs, struct akm_member, refs);

	call_rcu(&member->rcu, member_free_rcu);
}

void akm_member_put(struct akm_member *member)
{
	kref_put(&member->refs, member_release);
}

struct akm_member *akm_member_find(struct akm_device *akm, u16 index)
{
	return xa_load(&akm->members, index);
}

static struct akm_member *member_create(u16 index)
{
	struct akm_member *member = kzalloc(sizeof(*member), GFP_KERNEL);

	if (!member)
		return NULL;
	if (akm_stats_init(&member->stats)) {
		kfree(member);
		return NULL;
	}
	kref_init(&member->refs);
	member->index = index;
	akm_bucket_init(&member->answers, AKM_ANSWER_BURST, jiffies);
	akm_bucket_init(&member->notices, AKM_NOTICE_BURST, jiffies);
	akm_bucket_init(&member->moves, AKM_MOVES_BURST, jiffies);
	INIT_LIST_HEAD(&member->prefixes);
	return member;
}

int akm_member_need_lines(struct akm_member *member)
{
	if (member->lines)
		return 0;
	member->lines = kmalloc(sizeof(*member->lines), GFP_KERNEL);
	if (!member->lines)
		return -ENOMEM;
	akm_line_init(&member->lines->tx);
	akm_line_init(&member->lines->rx);
	return 0;
}

static const struct akm_prefix *owned_by_other(struct akm_device *akm,
					       const struct akm_member_config *config,
					       struct akm_member **ret_owner)
{
	const struct akm_prefix *prefix;

	list_for_each_entry(prefix, &config->prefixes, list) {
		struct akm_prefix *known = akm_prefix_find(&akm->prefixes, &prefix->key);

		if (known && known->member->index != config->index) {
			*ret_owner = known->member;
			return known;
		}
	}
	return NULL;
}

static int check_prefixes(struct akm_device *akm, const struct akm_member_config *config,
			  struct netlink_ext_ack *extack)
{
	const struct akm_prefix *taken;
	struct akm_member *owner;

	taken = owned_by_other(akm, config, &owner);
	if (!taken)
		return 0;
	if (taken->key.family == AF_INET)
		NL_SET_ERR_MSG_FMT(extack, "prefix %pI4/%u belongs to member %u (%s)",
				   taken->key.addr, taken->key.len, owner->index, owner->name);
	else
		NL_SET_ERR_MSG_FMT(extack, "prefix %pI6c/%u belongs to member %u (%s)",
				   taken->key.addr, taken->key.len, owner->index, owner->name);
	return -EEXIST;
}

static struct akm_prefix *find_host(const struct list_head *prefixes, u8 family, u8 len)
{
	struct akm_prefix *prefix;

	list_for_each_entry(prefix, prefixes, list)
		if (prefix->key.family == family && prefix->key.len == len)
			return prefix;
	return NULL;
}

/* @prefixes: its own, or an empty list before any of them goes */
static void set_hosts(struct akm_member *member, const struct list_head *prefixes)
{
	rcu_assign_pointer(member->host4, find_host(prefixes, AF_INET, 32));
	rcu_assign_pointer(member->host6, find_host(prefixes, AF_INET6, 128));
}

static void remove_prefixes(struct akm_device *akm, struct list_head *prefixes)
{
	struct akm_prefix *prefix, *next;

	list_for_each_entry_safe(prefix, next, prefixes, list) {
		list_del(&prefix->list);
		akm_prefix_remove(&akm->prefixes, prefix);
	}
}

static void remove_all_prefixes(struct akm_device *akm, struct akm_member *member)
{
	LIST_HEAD(none);

	set_hosts(member, &none);
	remove_prefixes(akm, &member->prefixes);
}

/*
 * Insert what @member does not have yet. A prefix that it has is moved, with its
 * list entry, from the old list to @ret_kept, so that a look-up always finds it.
 */
static int insert_prefixes(struct akm_device *akm, struct akm_member *member,
			   struct list_head *wanted, struct list_head *ret_new,
			   struct list_head *ret_kept, struct list_head *ret_known)
{
	struct akm_prefix *prefix, *next, *known;
	int err;

	list_for_each_entry_safe(prefix, next, wanted, list) {
		known = akm_prefix_find(&akm->prefixes, &prefix->key);
		if (known) {
			list_move_tail(&known->list, ret_kept);
			list_move_tail(&prefix->list, ret_known);
			continue;
		}
		prefix->member = member;
		err = akm_prefix_insert(&akm->prefixes, prefix);
		if (err)
			return err;
		list_move_tail(&prefix->list, ret_new);
	}
	return 0;
}

static void free_list(struct list_head *prefixes)
{
	struct akm_prefix *prefix, *next;

	list_for_each_entry_safe(prefix, next, prefixes, list) {
		list_del(&prefix->list);
		kfree(prefix);
	}
}

/* New prefixes first, old ones away afterwards: what stays is never missing. */
static int replace_prefixes(struct akm_device *akm, struct akm_member *member,
			    struct akm_member_config *config)
{
	LIST_HEAD(added);
	LIST_HEAD(kept);
	LIST_HEAD(known);
	int err;

	err = insert_prefixes(akm, member, &config->prefixes, &added, &kept, &known);
	if (err) {
		remove_prefixes(akm, &added);
		list_splice(&kept, &member->prefixes);
		list_splice(&known, &config->prefixes);
		return err;
	}
	remove_all_prefixes(akm, member);
	list_splice_tail(&kept, &member->prefixes);
	list_splice_tail(&added, &member->prefixes);
	set_hosts(member, &member->prefixes);
	free_list(&known);
	member->prefix_count = config->prefix_count;
	return 0;
}

static void describe(struct akm_device *akm, struct akm_member *member,
		     struct akm_member_config *config)
{
	struct akm_endpoint *old;
	bool same;

	strscpy_pad(member->name, config->name ?: "", sizeof(member->name));
	old = rcu_replace_pointer(member->endpoint, config->endpoint,
				  lockdep_is_held(&akm->lock));
	/* Who only repeats what is known does not take back what was learnt since. */
	same = akm_endpoint_same(old, config->endpoint);
	akm_roam_reset(akm, member, config->roams, config->roams && same);
	akm_keepalive_replace(akm, member, config->keepalive, same);
	config->endpoint = NULL;
	config->keepalive = NULL;
	akm_endpoint_free(old);
	akm->member_changes++;
}

static int member_add(struct akm_device *akm, struct akm_member_config *config,
		      struct netlink_ext_ack *extack)
{
	struct akm_member *member;
	int err;

	if (akm->member_count >= AKM_MEMBERS_MAX) {
		NL_SET_ERR_MSG_FMT(extack, "the device has %u members, which is the limit",
				   AKM_MEMBERS_MAX);
		return -ENOSPC;
	}
	member = member_create(config->index);
	if (!member)
		return -ENOMEM;
	err = akm_generations_add_member(akm, member);
	if (err)
		goto err_put;
	err = replace_prefixes(akm, member, config);
	if (err)
		goto err_keys;
	err = xa_err(xa_store(&akm->members, member->index, member, GFP_KERNEL));
	if (err)
		goto err_prefixes;
	akm->member_count++;
	describe(akm, member, config);
	akm_member_update_self(akm);
	return 0;

err_prefixes:
	remove_all_prefixes(akm, member);
err_keys:
	akm_generations_remove_member(akm, member);
err_put:
	akm_member_put(member);
	return err;
}

int akm_member_set(struct akm_device *akm, struct akm_member_config *config,
		   struct netlink_ext_ack *extack)
{
	struct akm_member *member;
	int err;

	lockdep_assert_held(&akm->lock);
	err = check_prefixes(akm, config, extack);
	if (err)
		return err;
	member = akm_member_find(akm, config->index);
	if (!member)
		return member_add(akm, config, extack);
	err = replace_prefixes(akm, member, config);
	if (!err)
		describe(akm, member, config);
	return err;
}

void akm_member_update_self(struct akm_device *akm)
{
	lockdep_assert_held(&akm->lock);
	rcu_assign_pointer(akm->self_member,
			   akm->has_self ? akm_member_find(akm, akm->self) : NULL);
}

void akm_member_delete(struct akm_device *akm, struct akm_member *member)
{
	lockdep_assert_held(&akm->lock);
	remove_all_prefixes(akm, member);
	xa_erase(&akm->members, member->index);
	akm->member_count--;
	akm->member_changes++;
	akm_member_update_self(akm);
	akm_warm_forget(akm, member);
	akm_generations_remove_member(akm, member);
	akm_roam_reset(akm, member, false, false);
	akm_keepalive_replace(akm, member, NULL, false);
	akm_endpoint_free(rcu_replace_pointer(member->endpoint, NULL,
					      lockdep_is_held(&akm->lock)));
	akm_member_put(member);
}

void akm_members_destroy(struct akm_device *akm)
{
	struct akm_member *member;
	unsigned long index;

	xa_for_each(&akm->members, index, member)
		akm_member_delete(akm, member);
}

static void reset_route(struct akm_endpoint *endpoint)
{
	if (endpoint)
		dst_cache_reset(&endpoint->cache);
}

void akm_members_reset_routes(struct akm_device *akm)
{
	struct akm_member *member;
	unsigned long index;

	lockdep_assert_held(&akm->lock);
	rcu_read_lock();
	xa_for_each(&akm->members, index, member) {
		reset_route(rcu_dereference(member->endpoint));
		reset_route(rcu_dereference(member->learnt));
	}
	reset_route(rcu_dereference(akm->group));
	rcu_read_unlock();
}
