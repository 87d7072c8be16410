// SPDX-License-Identifier: GPL-2.0
#include "kdf.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#define KEY_LEN		32
#define INFO_MAX	32	/* longest label (13) | ctx (12) | two member indices (4) | a counter (1) */

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

int kdf_next(const struct kdf_ctx *ctx, const uint8_t chain[32], uint8_t ret[32])
{
	struct info info;

	info_start(&info, "akm1 next", ctx);
	return expand(chain, &info, ret);
}

/*
 * RFC 5869: HKDF-Extract(salt, IKM) = HMAC(salt, IKM), and HKDF-Expand(PRK, info, 32) = HMAC(PRK, info | 0x01).
 * Both keys are the same for all pairs of a generation, and a manager makes half a million at a time.
 */
struct kdf_pairs {
	struct kdf_ctx ctx;
	EVP_MAC_CTX *pairwise;		/* keyed with the pair root */
	EVP_MAC_CTX *start;		/* keyed with the salt of R_ij,0 */
};

static EVP_MAC_CTX *hmac_new(EVP_MAC *mac, const void *key, size_t len)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_END
	};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

	if (ctx && EVP_MAC_init(ctx, key, len, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

int kdf_pairs_new(const struct kdf_ctx *ctx, const uint8_t pair_root[32], struct kdf_pairs **ret)
{
	struct kdf_pairs *p = calloc(1, sizeof(*p));
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (p && mac) {
		p->ctx = *ctx;
		p->pairwise = hmac_new(mac, pair_root, KEY_LEN);
		p->start = hmac_new(mac, "akm1 pair", strlen("akm1 pair"));
	}
	EVP_MAC_free(mac);
	if (!p || !p->pairwise || !p->start) {
		ERR_clear_error();
		kdf_pairs_free(&p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void kdf_pairs_free(struct kdf_pairs **p)
{
	if (!*p)
		return;
	EVP_MAC_CTX_free((*p)->pairwise);
	EVP_MAC_CTX_free((*p)->start);
	free(*p);
	*p = NULL;
}

/* With the key that @ctx has */
static int hmac_again(EVP_MAC_CTX *ctx, const uint8_t *text, size_t len, uint8_t ret[KEY_LEN])
{
	size_t n = 0;

	if (EVP_MAC_init(ctx, NULL, 0, NULL) == 1 && EVP_MAC_update(ctx, text, len) == 1 &&
	    EVP_MAC_final(ctx, ret, &n, KEY_LEN) == 1 && n == KEY_LEN)
		return 0;
	ERR_clear_error();
	return -EIO;
}

int kdf_pairs_start(struct kdf_pairs *p, uint16_t i, uint16_t j, uint8_t ret[32])
{
	uint8_t pairwise[KEY_LEN], out[KEY_LEN];
	struct info info;
	int r;

	if (i == j)
		return -EINVAL;
	info_start(&info, "akm1 pairwise", &p->ctx);
	info_u16(&info, i < j ? i : j);
	info_u16(&info, i < j ? j : i);
	info_bytes(&info, "\1", 1);
	r = hmac_again(p->pairwise, info.bytes, info.len, pairwise);
	r = r ?: hmac_again(p->start, pairwise, sizeof(pairwise), out);
	if (!r)
		memcpy(ret, out, sizeof(out));
	OPENSSL_cleanse(pairwise, sizeof(pairwise));
	OPENSSL_cleanse(out, sizeof(out));
	return r;
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
