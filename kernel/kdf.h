/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Key schedule of an operational ATR: HKDF-SHA-256 (RFC 5869) chains and traffic
 * keys. Pure: no I/O, no state but the caller's. Documentation/protocol.rst,
 * "Key schedule". Knows no sibling but proto.h's constants.
 */
#ifndef _AKM_KDF_H
#define _AKM_KDF_H

#include <linux/types.h>
#include "proto.h"

#define AKM_KDF_LEN		32	/* SHA-256 digest, chain value */
#define AKM_KDF_OUT_MAX		(255 * AKM_KDF_LEN)	/* RFC 5869 section 2.3: L <= 255*HashLen */

struct akm_kdf_ctx {			/* ctx = atr_id | generation | key_id, big-endian */
	u32 atr_id;
	u32 generation;
	u32 key_id;
};

int akm_kdf_init(void);			/* allocates the sha256 shash; process context */
void akm_kdf_exit(void);

/*
 * RFC 5869 sections 2.2, 2.3. Any context, callers need no lock. The output must
 * not overlap an input. On failure it holds zeros. Return: 0 or negative errno.
 */
int akm_hkdf_extract(const u8 *salt, size_t salt_len, const u8 *ikm, size_t ikm_len,
		     u8 prk[AKM_KDF_LEN]);
int akm_hkdf_expand(const u8 prk[AKM_KDF_LEN], const u8 *info, size_t info_len,
		    u8 *out, size_t out_len);

/* C_e+1 or R_e+1 from its predecessor; @next may be @chain, which a failure leaves as it was. */
int akm_kdf_next(const struct akm_kdf_ctx *ctx, const u8 chain[AKM_KDF_LEN],
		 u8 next[AKM_KDF_LEN]);
/* Group key of @sender: key_len bytes of key, then 12 of IV. Untouched on failure. */
int akm_kdf_group(const struct akm_kdf_ctx *ctx, const u8 chain[AKM_KDF_LEN], u16 sender,
		  u8 *key, size_t key_len, u8 iv[AKM_NONCE_LEN]);
/* Pair key from @sender to @receiver. Untouched on failure. */
int akm_kdf_pair(const struct akm_kdf_ctx *ctx, const u8 chain[AKM_KDF_LEN],
		 const u8 pair_chain[AKM_KDF_LEN], u16 sender, u16 receiver,
		 u8 *key, size_t key_len, u8 iv[AKM_NONCE_LEN]);

#endif /* _AKM_KDF_H */
