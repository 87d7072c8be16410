// SPDX-License-Identifier: GPL-2.0
#include "kdf.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#define KEY_LEN		32
#define INFO_MAX	32	/* longest label (13) | ctx (12) | two member indices (4) */

struct info {
	uint8_t bytes[INFO_MAX];
	size_t len;
};

static void info_bytes(struct info *info, const void *bytes, size_t len)
{
	memcpy(info->bytes + info->len, bytes, len);
	info->len += len;
}

static void info_u16(struct info *info, uint16_t v)
{
	const uint8_t be[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	info_bytes(info, be, sizeof(be));
}

static void info_u32(struct info *info, uint32_t v)
{
	info_u16(info, (uint16_t)(v >> 16));
	info_u16(info, (uint16_t)v);
}

/* label | ctx; the label without its NUL */
static void info_start(struct info *info, const char *label, const struct kdf_ctx *ctx)
{
	info->len = 0;
	info_bytes(info, label, strlen(label));
	info_u32(info, ctx->atr_id);
	info_u32(info, ctx->generation);
	info_u32(info, ctx->key_id);
}

/* One half of HKDF-SHA-256. @param names what @text is: the salt of Extract or the info of Expand. */
static int hkdf(int mode, const uint8_t key[KEY_LEN], const char *param, const void *text,
		size_t text_len, uint8_t ret[KEY_LEN])
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, KEY_LEN),
		OSSL_PARAM_octet_string(param, (void *)text, text_len),
		OSSL_PARAM_END
	};
	uint8_t out[KEY_LEN];
	EVP_KDF_CTX *ctx = NULL;
	EVP_KDF *kdf;
	int r = -ENOMEM;

	kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (kdf)
		ctx = EVP_KDF_CTX_new(kdf);
	if (ctx)
		r = EVP_KDF_derive(ctx, out, sizeof(out), params) == 1 ? 0 : -EIO;
	if (!r)
		memcpy(ret, out, sizeof(out));
	else
		ERR_clear_error();
	OPENSSL_cleanse(out, sizeof(out));
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return r;
}

static int extract(const char *salt, const uint8_t ikm[KEY_LEN], uint8_t ret[KEY_LEN])
{
	return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, ikm, OSSL_KDF_PARAM_SALT, salt, strlen(salt), ret);
}

static int expand(const uint8_t prk[KEY_LEN], const struct info *info, uint8_t ret[KEY_LEN])
{
	return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, prk, OSSL_KDF_PARAM_INFO, info->bytes, info->len, ret);
}

int kdf_chain_start(const uint8_t secret[32], uint8_t ret[32])
{
	return extract("akm1 chain", secret, ret);
}

int kdf_pair_start(const uint8_t pairwise[32], uint8_t ret[32])
{
	return extract("akm1 pair", pairwise, ret);
}

int kdf_next(const struct kdf_ctx *ctx, const uint8_t chain[32], uint8_t ret[32])
{
	struct info info;

	info_start(&info, "akm1 next", ctx);
	return expand(chain, &info, ret);
}

int kdf_pairwise(const struct kdf_ctx *ctx, const uint8_t pair_root[32], uint16_t i, uint16_t j,
		 uint8_t ret[32])
{
	struct info info;

	if (i == j)
		return -EINVAL;
	info_start(&info, "akm1 pairwise", ctx);
	info_u16(&info, i < j ? i : j);
	info_u16(&info, i < j ? j : i);
	return expand(pair_root, &info, ret);
}

void kdf_link_message(const uint8_t hw[32], uint64_t n, uint8_t ret[KDF_LINK_MSG_LEN])
{
	size_t i;

	memcpy(ret, "akm1 link", 9);
	memcpy(ret + 9, hw, 32);
	for (i = 0; i < 8; i++)
		ret[9 + 32 + i] = (uint8_t)(n >> (56 - 8 * i));
}

int kdf_link_psk(const uint8_t link_key[32], const char *identity, uint8_t ret[32])
{
	uint8_t out[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int r = -EIO;

	if (HMAC(EVP_sha256(), link_key, KEY_LEN, (const uint8_t *)identity, strlen(identity), out,
		 &len) &&
	    len == KEY_LEN) {
		memcpy(ret, out, KEY_LEN);
		r = 0;
	} else {
		ERR_clear_error();
	}
	OPENSSL_cleanse(out, sizeof(out));
	return r;
}

int kdf_store_key(const uint8_t master[32], const uint8_t salt[32], const char *label,
		  uint8_t ret[32])
{
	uint8_t prk[KEY_LEN];
	int r;

	r = hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, master, OSSL_KDF_PARAM_SALT, salt, KEY_LEN, prk);
	r = r ?: hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, prk, OSSL_KDF_PARAM_INFO, label, strlen(label), ret);
	OPENSSL_cleanse(prk, sizeof(prk));
	return r;
}
