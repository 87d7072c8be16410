/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which member owns an overlay address: longest prefix match, IPv4 and IPv6.
 * One hash table over (family, length, masked address) and, per family, the
 * set of lengths in use; a look-up tries those lengths, longest first. Readers
 * hold the RCU read lock, writers the lock of the device.
 */
#ifndef _AKM_PREFIX_H
#define _AKM_PREFIX_H

#include <linux/bitmap.h>
#include <linux/in6.h>
#include <linux/list.h>
#include <linux/rhashtable.h>
#include <linux/socket.h>
#include <linux/types.h>

struct akm_member;

struct akm_prefix_key {
	u8 family;			/* AF_INET or AF_INET6 */
	u8 len;
	u16 zero;
	__be32 addr[4];			/* masked; IPv4 in the first word */
};

struct akm_prefix {
	struct akm_prefix_key key;
	struct akm_member *member;
	struct rhash_head node;
	struct list_head list;		/* of the member's prefixes */
	struct rcu_head rcu;
};

#define AKM_PREFIX_LENGTHS	129	/* 0 ... 128 */

struct akm_prefixes {
	struct rhashtable table;
	u32 used4[AKM_PREFIX_LENGTHS];	/* prefixes of each length, writers only */
	u32 used6[AKM_PREFIX_LENGTHS];
	u64 lengths4;			/* bit set: there are prefixes of that length */
	DECLARE_BITMAP(lengths6, AKM_PREFIX_LENGTHS);
};

int akm_prefixes_init(struct akm_prefixes *prefixes);
/* All prefixes must have been removed. */
void akm_prefixes_free(struct akm_prefixes *prefixes);

/**
 * akm_prefix_insert() - make a prefix known
 * @prefixes: the table
 * @prefix: what to insert; the table refers to it until it is removed
 *
 * Return: 0, -EEXIST if the same prefix is there already, or -ENOMEM.
 */
int akm_prefix_insert(struct akm_prefixes *prefixes, struct akm_prefix *prefix);
/* Remove @prefix and free it after a grace period. */
void akm_prefix_remove(struct akm_prefixes *prefixes, struct akm_prefix *prefix);
/* The exact prefix, or NULL. */
struct akm_prefix *akm_prefix_find(struct akm_prefixes *prefixes,
				   const struct akm_prefix_key *key);
/* The owner of the longest prefix that covers the address, or NULL. */
struct akm_member *akm_prefix_lookup4(struct akm_prefixes *prefixes, __be32 addr);
struct akm_member *akm_prefix_lookup6(struct akm_prefixes *prefixes,
				      const struct in6_addr *addr);
/* Has the key bits set beyond its length? */
bool akm_prefix_has_host_bits(const struct akm_prefix_key *key);

#endif /* _AKM_PREFIX_H */
