// SPDX-License-Identifier: GPL-2.0
#include "link_limit.h"

#include <openssl/evp.h>

/*
 * A bucket is one number, the time at which it will be full again (as in the
 * generic cell rate algorithm): a charge moves it @refill_ms into the future,
 * and it is empty when that lies @burst charges ahead.
 */

void limit_init(struct limit *l, const uint8_t seed[32], uint32_t burst, uint32_t refill_ms)
{
	*l = (struct limit) { .burst = burst, .refill_ms = refill_ms };
	memcpy(l->seed, seed, sizeof(l->seed));
}

/* All keys share slot 0 if the digest fails: stricter, never looser. */
static size_t slot(const struct limit *l, const void *key, size_t len)
{
	uint8_t buf[32 + 64], md[EVP_MAX_MD_SIZE];

	if (len > sizeof(buf) - sizeof(l->seed))
		len = sizeof(buf) - sizeof(l->seed);
	memcpy(buf, l->seed, sizeof(l->seed));
	memcpy(buf + sizeof(l->seed), key, len);
	if (EVP_Digest(buf, sizeof(l->seed) + len, md, NULL, EVP_sha256(), NULL) != 1)
		return 0;
	return ((size_t)md[0] << 8 | md[1]) % LIMIT_SLOTS;
}

bool limit_allows(const struct limit *l, const void *key, size_t len, uint64_t now_ms)
{
	const struct limit_bucket *b = &l->bucket[slot(l, key, len)];

	return b->spent_until_ms + l->refill_ms <= now_ms + (uint64_t)l->burst * l->refill_ms;
}

void limit_charge(struct limit *l, const void *key, size_t len, uint64_t now_ms)
{
	struct limit_bucket *b = &l->bucket[slot(l, key, len)];
	uint64_t most = now_ms + (uint64_t)l->burst * l->refill_ms;

	if (b->spent_until_ms < now_ms)
		b->spent_until_ms = now_ms;
	b->spent_until_ms += l->refill_ms;
	if (b->spent_until_ms > most)
		b->spent_until_ms = most;
}
