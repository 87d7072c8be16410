// SPDX-License-Identifier: GPL-2.0
#include "rotate.h"

#include <endian.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "bounds.h"

#define TRANSCRIPT	"akm1 rotate"
#define LABEL		"akm1 rotate offer"
#define TAG_LEN		16

static int transcript(const struct rotate_context *c, uint8_t ret[AKM_DIGEST_LEN])
{
	uint64_t n = htobe64(c->n);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int ok;

	if (!md)
		return -ENOMEM;
	ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(md, TRANSCRIPT, strlen(TRANSCRIPT)) == 1 &&
	     EVP_DigestUpdate(md, c->id, sizeof(c->id)) == 1 &&
	     EVP_DigestUpdate(md, c->hardware, sizeof(c->hardware)) == 1 &&
	     EVP_DigestUpdate(md, &n, sizeof(n)) == 1 &&
	     EVP_DigestUpdate(md, c->binding, sizeof(c->binding)) == 1 &&
	     EVP_DigestUpdate(md, c->nonce, sizeof(c->nonce)) == 1 &&
	     EVP_DigestFinal_ex(md, ret, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok ? 0 : -EIO;
}

/* T and W */
static int derive(struct keystore *ks, const struct akm_blob *domain, const struct akm_blob *key,
		  const struct rotate_context *c, uint8_t t[AKM_DIGEST_LEN], struct akm_secret *ret)
{
	uint8_t message[sizeof(LABEL) - 1 + AKM_DIGEST_LEN];
	int r = transcript(c, t);

	if (r < 0)
		return r;
	memcpy(message, LABEL, sizeof(LABEL) - 1);
	memcpy(message + sizeof(LABEL) - 1, t, AKM_DIGEST_LEN);
	r = keystore_hmac(ks, domain, key, message, sizeof(message), ret);
	if (!r && ret->len != AKM_KEY_LEN) {
		akm_secret_free(ret);
		r = -EIO;
	}
	return r;
}

static EVP_CIPHER_CTX *begin(const struct akm_secret *w, const uint8_t t[AKM_DIGEST_LEN], int encrypt)
{
	static const uint8_t iv[12];	/* W is used for one message */
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	if (ctx && (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, w->data, iv, encrypt) != 1 ||
		    EVP_CipherUpdate(ctx, NULL, &n, t, AKM_DIGEST_LEN) != 1)) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

static int seal(const struct akm_secret *w, const uint8_t t[AKM_DIGEST_LEN], const struct akm_blob *in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = begin(w, t, 1);
	int n, r = 0;

	if (!ctx || EVP_CipherUpdate(ctx, out, &n, in->data, (int)in->len) != 1 ||
	    EVP_CipherFinal_ex(ctx, out + in->len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + in->len) != 1)
		r = -EIO;
	EVP_CIPHER_CTX_free(ctx);
	return r;
}

static int open_sealed(const struct akm_secret *w, const uint8_t t[AKM_DIGEST_LEN], const struct akm_blob *in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = begin(w, t, 0);
	size_t len = in->len - TAG_LEN;
	int n, r = 0;

	if (!ctx || EVP_CipherUpdate(ctx, out, &n, in->data, (int)len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, in->data + len) != 1)
		r = -EIO;
	else if (EVP_CipherFinal_ex(ctx, out + len, &n) != 1)
		r = -EKEYREJECTED;
	EVP_CIPHER_CTX_free(ctx);
	if (r < 0)
		ERR_clear_error();
	return r;
}

int rotate_wrap(struct keystore *ks, const struct akm_blob *domain, const struct akm_blob *key,
		const struct rotate_context *c, const struct akm_blob *dup, struct akm_blob *ret_wrapped)
{
	_cleanup_(akm_blob_free) struct akm_blob out = {};
	_cleanup_secret_ struct akm_secret w = {};
	uint8_t t[AKM_DIGEST_LEN];
	int r;

	if (!dup->len || dup->len > BLOB_MAX - TAG_LEN)
		return -EMSGSIZE;
	r = derive(ks, domain, key, c, t, &w);
	if (r < 0)
		return r;
	out.len = dup->len + TAG_LEN;
	out.data = malloc(out.len);
	r = out.data ? seal(&w, t, dup, out.data) : -ENOMEM;
	if (r < 0)
		return r;
	*ret_wrapped = out;
	out = (struct akm_blob) {};
	return 0;
}

int rotate_unwrap(struct keystore *ks, const struct akm_blob *domain, const struct akm_blob *key,
		  const struct rotate_context *c, const struct akm_blob *wrapped, struct akm_blob *ret_dup)
{
	_cleanup_(akm_blob_free) struct akm_blob out = {};
	_cleanup_secret_ struct akm_secret w = {};
	uint8_t t[AKM_DIGEST_LEN];
	int r;

	if (wrapped->len <= TAG_LEN)
		return -EKEYREJECTED;
	r = derive(ks, domain, key, c, t, &w);
	if (r < 0)
		return r;
	out.len = wrapped->len - TAG_LEN;
	out.data = malloc(out.len);
	r = out.data ? open_sealed(&w, t, wrapped, out.data) : -ENOMEM;
	if (r < 0)
		return r;
	*ret_dup = out;
	out = (struct akm_blob) {};
	return 0;
}
