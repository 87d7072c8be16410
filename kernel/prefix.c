// SPDX-License-Identifier: GPL-2.0
#include "prefix.h"

#include <linux/slab.h>
#include <net/ipv6.h>

static const struct rhashtable_params prefix_params = {
	.key_len = sizeof(struct akm_prefix_key),
	.key_offset = offsetof(struct akm_prefix, key),
	.head_offset = offsetof(struct akm_prefix, node),
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

	err = rhashtable_lookup_insert_fast(&prefixes->table, &prefix->node, prefix_params);
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
	int i;

	for (i = 0; i < 4; i++)
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
