// SPDX-License-Identifier: GPL-2.0
/*
 * Key schedule: HMAC-SHA-256 (RFC 2104), HKDF (RFC 5869), and the labels of
 * Documentation/protocol.rst, "Key schedule".
 *
 * HMAC is spelled out over the unkeyed sha256: a keyed hmac(sha256) transform
 * holds its key inside the transform, so every caller would have to take a lock
 * around setkey and digest. The unkeyed one has no state and serves all CPUs.
 */
#include "kdf.h"

#include <crypto/hash.h>
#include <crypto/sha2.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/uio.h>

#define HMAC_IPAD	0x36
#define HMAC_OPAD	0x5c
#define INFO_MAX	32	/* longest label (10) | ctx (12) | two member indices (4) */

static_assert(AKM_KDF_LEN == SHA256_DIGEST_SIZE);

static struct crypto_shash *hash;

struct info {
	u8 bytes[INFO_MAX];
	unsigned int len;
};

/**
 * akm_kdf_init() - get the hash ready
 *
 * Context: process, may sleep; before any other function of this file.
 * Return: 0 or a negative errno.
 */
int akm_kdf_init(void)
{
	struct crypto_shash *tfm = crypto_alloc_shash("sha256", 0, 0);

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	hash = tfm;
	return 0;
}

/**
 * akm_kdf_exit() - release the hash
 *
 * Context: process; when no other function of this file runs or will run.
 */
void akm_kdf_exit(void)
{
	crypto_free_shash(hash);
	hash = NULL;
}

/* One of HMAC's two passes: H(pad | msg). The descriptor's state is as secret as the key. */
static int hmac_pass(const u8 pad[SHA256_BLOCK_SIZE], const struct kvec *msg, unsigned int n,
		     u8 digest[AKM_KDF_LEN])
{
	SHASH_DESC_ON_STACK(desc, hash);
	unsigned int i;
	int ret;

	desc->tfm = hash;
	ret = crypto_shash_init(desc);
	if (!ret)
		ret = crypto_shash_update(desc, pad, SHA256_BLOCK_SIZE);
	for (i = 0; !ret && i < n; i++)
		ret = crypto_shash_update(desc, msg[i].iov_base, msg[i].iov_len);
	if (!ret)
		ret = crypto_shash_final(desc, digest);
	shash_desc_zero(desc);
	return ret;
}

/* RFC 2104 section 2: a key longer than a block is replaced by its hash. */
static int hmac_pad(const u8 *key, size_t key_len, u8 pad[SHA256_BLOCK_SIZE])
{
	memset(pad, 0, SHA256_BLOCK_SIZE);
	if (key_len > SHA256_BLOCK_SIZE)
		return crypto_shash_tfm_digest(hash, key, key_len, pad);
	memcpy(pad, key, key_len);
	return 0;
}

static void xor_pad(u8 pad[SHA256_BLOCK_SIZE], u8 value)
{
	unsigned int i;

	for (i = 0; i < SHA256_BLOCK_SIZE; i++)
		pad[i] ^= value;
}

static int hmac(const u8 *key, size_t key_len, const struct kvec *msg, unsigned int n,
		u8 mac[AKM_KDF_LEN])
{
	u8 pad[SHA256_BLOCK_SIZE], inner[AKM_KDF_LEN];
	const struct kvec in = { .iov_base = inner, .iov_len = sizeof(inner) };
	int ret;

	ret = hmac_pad(key, key_len, pad);
	if (ret)
		goto out;
	xor_pad(pad, HMAC_IPAD);
	ret = hmac_pass(pad, msg, n, inner);
	if (ret)
		goto out;
	xor_pad(pad, HMAC_IPAD ^ HMAC_OPAD);
	ret = hmac_pass(pad, &in, 1, mac);
out:
	memzero_explicit(pad, sizeof(pad));
	memzero_explicit(inner, sizeof(inner));
	return ret;
}

/**
 * akm_hkdf_extract() - RFC 5869 section 2.2
 * @salt: salt, the HMAC key
 * @salt_len: its length, 0 allowed
 * @ikm: input keying material
 * @ikm_len: its length
 * @prk: receives the pseudorandom key; zeros on failure
 *
 * Context: any.
 * Return: 0 or a negative errno.
 */
int akm_hkdf_extract(const u8 *salt, size_t salt_len, const u8 *ikm, size_t ikm_len,
		     u8 prk[AKM_KDF_LEN])
{
	const struct kvec msg = { .iov_base = (void *)ikm, .iov_len = ikm_len };
	int ret;

	ret = hmac(salt, salt_len, &msg, 1, prk);
	if (ret)
		memzero_explicit(prk, AKM_KDF_LEN);
	return ret;
}

/**
 * akm_hkdf_expand() - RFC 5869 section 2.3
 * @prk: pseudorandom key
 * @info: context and label
 * @info_len: its length, 0 allowed
 * @out: receives the output keying material; zeros on failure
 * @out_len: wanted length, 1 … AKM_KDF_OUT_MAX
 *
 * Context: any.
 * Return: 0 or a negative errno.
 */
int akm_hkdf_expand(const u8 prk[AKM_KDF_LEN], const u8 *info, size_t info_len,
		    u8 *out, size_t out_len)
{
	u8 t[AKM_KDF_LEN], counter = 0;
	struct kvec msg[] = {
		{ .iov_base = t, .iov_len = 0 },	/* T(0) is empty */
		{ .iov_base = (void *)info, .iov_len = info_len },
		{ .iov_base = &counter, .iov_len = 1 },
	};
	size_t done, n;
	int ret;

	if (!out_len || out_len > AKM_KDF_OUT_MAX)
		return -EINVAL;
	for (done = 0; done < out_len; done += n) {
		counter++;
		ret = hmac(prk, AKM_KDF_LEN, msg, ARRAY_SIZE(msg), t);
		if (ret) {
			memzero_explicit(out, out_len);
			break;
		}
		msg[0].iov_len = sizeof(t);
		n = min(out_len - done, sizeof(t));
		memcpy(out + done, t, n);
	}
	memzero_explicit(t, sizeof(t));
	return ret;
}

static void info_bytes(struct info *info, const void *bytes, unsigned int len)
{
	memcpy(info->bytes + info->len, bytes, len);
	info->len += len;
}

static void info_u32(struct info *info, u32 value)
{
	__be32 be = cpu_to_be32(value);

	info_bytes(info, &be, sizeof(be));
}

static void info_u16(struct info *info, u16 value)
{
	__be16 be = cpu_to_be16(value);

	info_bytes(info, &be, sizeof(be));
}

/* label | ctx; the label without its NUL */
static void info_start(struct info *info, const char *label, const struct akm_kdf_ctx *ctx)
{
	info->len = 0;
	info_bytes(info, label, strlen(label));
	info_u32(info, ctx->atr_id);
	info_u32(info, ctx->generation);
	info_u32(info, ctx->key_id);
}

/**
 * akm_kdf_next() - one step of a chain: C_e to C_e+1, or R_e to R_e+1
 * @ctx: ATR, generation and key_id
 * @chain: the value to step from
 * @next: receives the step's result; may be @chain; untouched on failure
 *
 * Context: any.
 * Return: 0 or a negative errno.
 */
int akm_kdf_next(const struct akm_kdf_ctx *ctx, const u8 chain[AKM_KDF_LEN],
		 u8 next[AKM_KDF_LEN])
{
	u8 out[AKM_KDF_LEN];
	struct info info;
	int ret;

	info_start(&info, "akm1 next", ctx);
	ret = akm_hkdf_expand(chain, info.bytes, info.len, out, sizeof(out));
	if (!ret)
		memcpy(next, out, sizeof(out));
	memzero_explicit(out, sizeof(out));
	return ret;
}

/* Expand to key | IV, and hand both out */
static int traffic_key(const u8 prk[AKM_KDF_LEN], const struct info *info,
		       u8 *key, size_t key_len, u8 iv[AKM_NONCE_LEN])
{
	u8 out[AKM_KEY_MAX + AKM_NONCE_LEN];
	int ret;

	if (!key_len || key_len > AKM_KEY_MAX)
		return -EINVAL;
	ret = akm_hkdf_expand(prk, info->bytes, info->len, out, key_len + AKM_NONCE_LEN);
	if (!ret) {
		memcpy(key, out, key_len);
		memcpy(iv, out + key_len, AKM_NONCE_LEN);
	}
	memzero_explicit(out, sizeof(out));
	return ret;
}

/**
 * akm_kdf_group() - a sender's key for multicast and broadcast
 * @ctx: ATR, generation and key_id
 * @chain: C_e of the epoch
 * @sender: member index of the sender
 * @key: receives the key; untouched on failure
 * @key_len: length the suite wants, at most AKM_KEY_MAX
 * @iv: receives the IV; untouched on failure
 *
 * Context: any.
 * Return: 0 or a negative errno.
 */
int akm_kdf_group(const struct akm_kdf_ctx *ctx, const u8 chain[AKM_KDF_LEN], u16 sender,
		  u8 *key, size_t key_len, u8 iv[AKM_NONCE_LEN])
{
	struct info info;

	info_start(&info, "akm1 group", ctx);
	info_u16(&info, sender);
	return traffic_key(chain, &info, key, key_len, iv);
}

/**
 * akm_kdf_pair() - the key of one direction between two members
 * @ctx: ATR, generation and key_id
 * @chain: C_e of the epoch, the salt: an evicted peer that keeps R is shut out by C
 * @pair_chain: R_sr,e of the epoch, the keying material: other members hold C but not R
 * @sender: member index of the sender
 * @receiver: member index of the receiver
 * @key: receives the key; untouched on failure
 * @key_len: length the suite wants, at most AKM_KEY_MAX
 * @iv: receives the IV; untouched on failure
 *
 * Context: any.
 * Return: 0 or a negative errno.
 */
int akm_kdf_pair(const struct akm_kdf_ctx *ctx, const u8 chain[AKM_KDF_LEN],
		 const u8 pair_chain[AKM_KDF_LEN], u16 sender, u16 receiver,
		 u8 *key, size_t key_len, u8 iv[AKM_NONCE_LEN])
{
	u8 prk[AKM_KDF_LEN];
	struct info info;
	int ret;

	ret = akm_hkdf_extract(chain, AKM_KDF_LEN, pair_chain, AKM_KDF_LEN, prk);
	if (ret)
		return ret;
	info_start(&info, "akm1 pair", ctx);
	info_u16(&info, sender);
	info_u16(&info, receiver);
	ret = traffic_key(prk, &info, key, key_len, iv);
	memzero_explicit(prk, sizeof(prk));
	return ret;
}
