/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Token buckets in a table of fixed size: what strangers do cannot make it grow.
 * Keys that fall on one slot share its bucket; a seed that only this process
 * knows keeps anyone from aiming at somebody else's slot. Pure: takes the time.
 */
#ifndef AKM_LINK_LIMIT_H
#define AKM_LINK_LIMIT_H

#include "util.h"

#define LIMIT_SLOTS 1024

struct limit_bucket { uint64_t spent_until_ms; };

struct limit {
	uint8_t seed[32];
	uint32_t burst, refill_ms;	/* @burst charges at once, then one per @refill_ms */
	struct limit_bucket bucket[LIMIT_SLOTS];
};

void limit_init(struct limit *l, const uint8_t seed[32], uint32_t burst, uint32_t refill_ms);
bool limit_allows(const struct limit *l, const void *key, size_t len, uint64_t now_ms);
void limit_charge(struct limit *l, const void *key, size_t len, uint64_t now_ms);

#endif /* AKM_LINK_LIMIT_H */
