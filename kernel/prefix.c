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

/* A reader that sees half of a change tries a length in vain, or misses what is not yet there. */
static void set_length(struct akm_prefixes *prefixes, const struct akm_prefix_key *key, bool in_use)
{
	if (key->family == AF_INET)
		WRITE_ONCE(prefixes->lengths4,
			   in_use ? prefixes->lengths4 | BIT_ULL(key->len) :
				    prefixes->lengths4 & ~BIT_ULL(key->len));
	else if (in_use)
		set_bit(key->len, prefixes->lengths6);
	else
		clear_bit(key->len, prefixes->lengths6);
}

int akm_prefix_insert(struct akm_prefixes *prefixes, struct akm_prefix *prefix)
{
	int err;

	err = rhashtable_lookup_insert_key(&prefixes->table, &prefix->key, &prefix->node,
					   prefix_params);
	if (err)
		return err == -EEXIST ? err : -ENOMEM;
	if (!(*used(prefixes, &prefix->key))++)
		set_length(prefixes, &prefix->key, true);
	return 0;
}

void akm_prefix_remove(struct akm_prefixes *prefixes, struct akm_prefix *prefix)
{
	if (!--(*used(prefixes, &prefix->key)))
		set_length(prefixes, &prefix->key, false);
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

/* The owner of exactly this prefix, or NULL. RCU. */
static struct akm_member *owner(struct akm_prefixes *prefixes, const struct akm_prefix_key *key)
{
	struct akm_prefix *prefix = rhashtable_lookup(&prefixes->table, key, prefix_params);

	return prefix ? READ_ONCE(prefix->member) : NULL;
}

/* Shortening an address step by step only ever clears bits. */
struct akm_member *akm_prefix_lookup4(struct akm_prefixes *prefixes, __be32 addr)
{
	struct akm_prefix_key key = { .family = AF_INET, .addr = { addr } };
	u64 lengths = READ_ONCE(prefixes->lengths4);
	struct akm_member *member = NULL;

	for (; lengths && !member; lengths &= ~BIT_ULL(key.len)) {
		key.len = fls64(lengths) - 1;
		key.addr[0] &= mask_word(key.len);
		member = owner(prefixes, &key);
	}
	return member;
}

struct akm_member *akm_prefix_lookup6(struct akm_prefixes *prefixes,
				      const struct in6_addr *addr)
{
	struct akm_prefix_key key = { .family = AF_INET6 };
	unsigned long len = AKM_PREFIX_LENGTHS, size;
	struct akm_member *member = NULL;

	memcpy(key.addr, addr, sizeof(key.addr));
	while (!member) {
		size = len;
		len = find_last_bit(prefixes->lengths6, size);
		if (len >= size)
			break;
		key.len = len;
		mask_key(&key);
		member = owner(prefixes, &key);
	}
	return member;
}
