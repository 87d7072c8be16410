// SPDX-License-Identifier: GPL-2.0
#include "prefix.h"

#include <linux/hash.h>
#include <linux/slab.h>
#include <net/ipv6.h>

/*
 * Four look-ups are made for each packet, so both of these are short. Keys come from
 * the administrator: there is nobody to make them collide on purpose.
 */
static u32 hash_key(const void *data, u32 len, u32 seed)
{
	const struct akm_prefix_key *key = data;
	u64 sum = (__force u32)key->addr[0] + ((u64)(key->len ^ seed) << 32);

	if (key->family == AF_INET6) {
		sum = sum * GOLDEN_RATIO_64 + (__force u32)key->addr[1];
		sum = sum * GOLDEN_RATIO_64 + (__force u32)key->addr[2];
		sum = sum * GOLDEN_RATIO_64 + (__force u32)key->addr[3];
	}
	return hash_64(sum, 32);
}

static u32 hash_prefix(const void *data, u32 len, u32 seed)
{
	const struct akm_prefix *prefix = data;

	return hash_key(&prefix->key, len, seed);
}

/* Return: 0 if they are the same. */
static int compare(struct rhashtable_compare_arg *arg, const void *data)
{
	const struct akm_prefix *prefix = data;
	const struct akm_prefix_key *a = arg->key, *b = &prefix->key;

	if (a->addr[0] != b->addr[0] || a->len != b->len || a->family != b->family)
		return 1;
	return a->family == AF_INET6 && memcmp(a->addr, b->addr, sizeof(a->addr));
}

static const struct rhashtable_params prefix_params = {
	.key_len = sizeof(struct akm_prefix_key),
	.key_offset = offsetof(struct akm_prefix, key),
	.head_offset = offsetof(struct akm_prefix, node),
	.hashfn = hash_key,
	.obj_hashfn = hash_prefix,
	.obj_cmpfn = compare,
	.automatic_shrinking = true,
};

int akm_prefixes_init(struct akm_prefixes *prefixes)
{
	return rhashtable_init(&prefixes->table, &prefix_params);
}

void akm_prefixes_free(struct akm_prefixes *prefixes)
{
	rhashtable_destroy(&prefixes->table);
}

static u32 *used(struct akm_prefixes *prefixes, const struct akm_prefix_key *key)
{
	return key->family == AF_INET ? &prefixes->used4[key->len] : &prefixes->used6[key->len];
}

static unsigned long *lengths(struct akm_prefixes *prefixes, const struct akm_prefix_key *key)
{
	return key->family == AF_INET ? prefixes->lengths4 : prefixes->lengths6;
}

int akm_prefix_insert(struct akm_prefixes *prefixes, struct akm_prefix *prefix)
{
	int err;

	err = rhashtable_lookup_insert_key(&prefixes->table, &prefix->key, &prefix->node,
					   prefix_params);
	if (err)
		return err == -EEXIST ? err : -ENOMEM;
	if (!(*used(prefixes, &prefix->key))++)
		set_bit(prefix->key.len, lengths(prefixes, &prefix->key));
	return 0;
}

void akm_prefix_remove(struct akm_prefixes *prefixes, struct akm_prefix *prefix)
{
	if (!--(*used(prefixes, &prefix->key)))
		clear_bit(prefix->key.len, lengths(prefixes, &prefix->key));
	rhashtable_remove_fast(&prefixes->table, &prefix->node, prefix_params);
	kfree_rcu(prefix, rcu);
}

struct akm_prefix *akm_prefix_find(struct akm_prefixes *prefixes,
				   const struct akm_prefix_key *key)
{
	return rhashtable_lookup_fast(&prefixes->table, key, prefix_params);
}

static __be32 mask_word(unsigned int len)
{
	if (len >= 32)
		return htonl(~0U);
	return len ? htonl(~0U << (32 - len)) : 0;
}

static void mask_key(struct akm_prefix_key *key)
{
	int i, words = key->family == AF_INET ? 1 : 4;

	for (i = 0; i < words; i++)
		key->addr[i] &= mask_word(key->len > 32 * i ? key->len - 32 * i : 0);
}

bool akm_prefix_has_host_bits(const struct akm_prefix_key *key)
{
	struct akm_prefix_key masked = *key;

	mask_key(&masked);
	return memcmp(&masked, key, sizeof(masked)) != 0;
}

/* @key holds the whole address; shortening it step by step only ever clears bits. */
static struct akm_member *longest_match(struct akm_prefixes *prefixes,
					const unsigned long *set, unsigned int top,
					struct akm_prefix_key *key)
{
	unsigned long size = top + 1;

	for (;;) {
		unsigned long len = find_last_bit(set, size);
		struct akm_prefix *prefix;

		if (len >= size)
			return NULL;
		key->len = len;
		mask_key(key);
		prefix = rhashtable_lookup(&prefixes->table, key, prefix_params);
		if (prefix)
			return READ_ONCE(prefix->member);
		size = len;
	}
}

struct akm_member *akm_prefix_lookup4(struct akm_prefixes *prefixes, __be32 addr)
{
	struct akm_prefix_key key = { .family = AF_INET, .addr = { addr } };

	return longest_match(prefixes, prefixes->lengths4, 32, &key);
}

struct akm_member *akm_prefix_lookup6(struct akm_prefixes *prefixes,
				      const struct in6_addr *addr)
{
	struct akm_prefix_key key = { .family = AF_INET6 };

	memcpy(key.addr, addr, sizeof(key.addr));
	return longest_match(prefixes, prefixes->lengths6, 128, &key);
}
