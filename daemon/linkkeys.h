/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Link keys in locked memory: for each provisioning ATR those of n - 1, n and n + 1.
 * Each costs one TPM2_HMAC, once, and only because of a record of ours: at start, or
 * when n moves on. What a stranger sends costs none. P11.
 *
 * A set asks the TPM for one key at a time, so that other TPM work comes between,
 * and for the current n of every party before any other.
 */
#ifndef AKM_LINKKEYS_H
#define AKM_LINKKEYS_H

#include "kdf.h"
#include "tpmq.h"

struct linkkeys;			/* a set */
struct linkkey;				/* one provisioning ATR in it */

/* The current key is there (r 0), or cannot be computed (negative; tried again every LINKKEY_RETRY_MS). */
typedef void (*linkkey_ready_fn)(void *ctx, int r);
#define LINKKEY_RETRY_MS 60000

/* @q and @base outlive the set. @window: also keep n - 1 and n + 1 (server). */
int linkkeys_new(struct event_base *base, struct tpmq *q, bool window, struct linkkeys **ret);
void linkkeys_free(struct linkkeys *s);		/* its entries must be gone */

/* Copies what it is given. @domain: as for keystore_hmac(), owned by the caller, outlives the entry. */
int linkkey_add(struct linkkeys *s, const struct akm_blob *domain, const struct akm_blob *key,
		const uint8_t hardware[AKM_DIGEST_LEN], uint64_t n, linkkey_ready_fn ready, void *ctx,
		struct linkkey **ret);
void linkkey_free(struct linkkey *k);		/* wipes; NULL is fine */
void linkkey_advance(struct linkkey *k, uint64_t n);	/* n is current now */
/*
 * From the n after the current one on, @key is the key (rotate.h); NULL: not after all. Copied. An entry without a window
 * has ready() called for that n as well. linkkey_advance() goes over to it: then none of the key before is left.
 */
int linkkey_offer(struct linkkey *k, const struct akm_blob *key);
uint64_t linkkey_n(const struct linkkey *k);
const struct akm_blob *linkkey_key(const struct linkkey *k);	/* of the current n */
bool linkkey_has(const struct linkkey *k, uint64_t n);	/* it is computed */
/* Return: 0; -ESTALE not in the window; -EAGAIN not computed yet. */
int linkkey_get(const struct linkkey *k, uint64_t n, uint8_t ret_key[AKM_KEY_LEN]);

#endif /* AKM_LINKKEYS_H */
