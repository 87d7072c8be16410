/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Key schedule in userspace (OpenSSL), the same as kernel/kdf.c as far as
 * the daemon needs it: chain starts, steps, pairwise secrets, link keys' PSK.
 * Pure. Documentation/protocol.rst, "Key schedule".
 */
#ifndef AKM_KDF_H
#define AKM_KDF_H

#include "util.h"

struct kdf_ctx { uint32_t atr_id, generation, key_id; };

int kdf_chain_start(const uint8_t secret[32], uint8_t ret[32]);		/* C_0 */
int kdf_next(const struct kdf_ctx *ctx, const uint8_t chain[32], uint8_t ret[32]);	/* in place is fine */
/*
 * R_ij,0 = HKDF-Extract("akm1 pair", P_ij), where
 * P_ij = HKDF-Expand(pair root of the generation, "akm1 pairwise" | ctx | min(i,j) | max(i,j), 32).
 * One object makes those of a whole generation; it holds what @pair_root makes, until kdf_pairs_free().
 */
struct kdf_pairs;
int kdf_pairs_new(const struct kdf_ctx *ctx, const uint8_t pair_root[32], struct kdf_pairs **ret);
int kdf_pairs_start(struct kdf_pairs *p, uint16_t i, uint16_t j, uint8_t ret[32]);
void kdf_pairs_free(struct kdf_pairs **p);	/* wipes; for _cleanup_() */
/* message for TPM2_HMAC: "akm1 link" | hardware value | n (be64); returns its length */
#define KDF_LINK_MSG_LEN (9 + 32 + 8)
void kdf_link_message(const uint8_t hw[32], uint64_t n, uint8_t ret[KDF_LINK_MSG_LEN]);
/* PSK = HMAC-SHA-256(link key n, identity) */
int kdf_link_psk(const uint8_t link_key[32], const char *identity, uint8_t ret[32]);

/* HKDF(salt, master, label): the key of one sealed file or value */
int kdf_store_key(const uint8_t master[32], const uint8_t salt[32], const char *label, uint8_t ret[32]);

#endif /* AKM_KDF_H */
