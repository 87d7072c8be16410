// SPDX-License-Identifier: GPL-2.0
#include "tpmpub.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#define ALG_RSA		0x0001
#define ALG_SHA256	0x000b
#define ALG_SHA384	0x000c
#define ALG_NULL	0x0010
#define ALG_ECC		0x0023
#define CURVE_P256	0x0003
#define CURVE_P384	0x0004
#define RSA_E_DEFAULT	65537	/* exponent 0 stands for it */

/* A cursor that goes to the end and stays there once something is missing */
struct cursor { const uint8_t *pos, *end; bool bad; };

static uint32_t take(struct cursor *c, size_t bytes)
{
	uint32_t v = 0;

	if ((size_t)(c->end - c->pos) < bytes) {
		c->bad = true;
		c->pos = c->end;
		return 0;
	}
	while (bytes--)
		v = v << 8 | *c->pos++;
	return v;
}

static struct cursor take_sized(struct cursor *c)
{
	size_t len = take(c, 2);
	struct cursor part = { c->pos, c->pos + len, false };

	if ((size_t)(c->end - c->pos) < len) {
		c->bad = true;
		return (struct cursor) {};
	}
	c->pos += len;
	return part;
}

/* The TPMT_PUBLIC inside, which must fill the TPM2B. */
static bool open_public(const struct akm_blob *b, struct cursor *ret)
{
	struct cursor c = { b->data, b->data + b->len, false };

	*ret = take_sized(&c);
	return !c.bad && c.pos == c.end;
}

int tpmpub_name(const struct akm_blob *tpm_public, struct akm_blob *ret)
{
	uint8_t name[2 + EVP_MAX_MD_SIZE];
	struct cursor c, all;
	const EVP_MD *md;
	unsigned int len;
	uint32_t alg;

	if (!open_public(tpm_public, &c))
		return -EPROTO;
	all = c;
	take(&c, 2);
	alg = take(&c, 2);
	md = alg == ALG_SHA256 ? EVP_sha256() : alg == ALG_SHA384 ? EVP_sha384() : NULL;
	if (c.bad || !md)
		return -EPROTO;
	name[0] = (uint8_t)(alg >> 8);
	name[1] = (uint8_t)alg;
	if (EVP_Digest(all.pos, (size_t)(all.end - all.pos), name + 2, &len, md, NULL) != 1)
		return -ENOMEM;
	return akm_blob_dup(name, 2 + len, ret);
}

/* ---- the public key as OpenSSL's ---- */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *rsa_key(struct cursor *c)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	struct cursor n;
	BIGNUM *modulus;
	uint32_t e;

	take(c, 2);			/* keyBits: the modulus tells */
	e = take(c, 4) ?: RSA_E_DEFAULT;
	n = take_sized(c);
	modulus = BN_bin2bn(n.pos, (int)(n.end - n.pos), NULL);
	if (!c->bad && c->pos == c->end && n.pos < n.end && bld && modulus &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) &&
	    OSSL_PARAM_BLD_push_uint32(bld, OSSL_PKEY_PARAM_RSA_E, e))
		key = from_params("RSA", bld);
	BN_free(modulus);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

/* A coordinate, left-padded to the field's size */
static bool coordinate(const struct cursor *c, uint8_t *ret, size_t field)
{
	size_t len = (size_t)(c->end - c->pos);

	if (!len || len > field)
		return false;
	memset(ret, 0, field - len);
	memcpy(ret + field - len, c->pos, len);
	return true;
}

static EVP_PKEY *ecc_key(struct cursor *c)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	uint8_t point[1 + 2 * 48] = { 0x04 };	/* uncompressed, SEC 1, 2.3.3 */
	EVP_PKEY *key = NULL;
	struct cursor x, y;
	uint32_t curve;
	size_t field;

	curve = take(c, 2);
	field = curve == CURVE_P256 ? 32 : curve == CURVE_P384 ? 48 : 0;
	c->bad = c->bad || take(c, 2) != ALG_NULL || !field;	/* no KDF */
	x = take_sized(c);
	y = take_sized(c);
	if (!c->bad && c->pos == c->end && bld && coordinate(&x, point + 1, field) &&
	    coordinate(&y, point + 1 + field, field) &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, field == 32 ? "P-256" : "P-384", 0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * field))
		key = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

/* An EK is a storage key: a symmetric algorithm for its children, no scheme of its own. */
static EVP_PKEY *public_key(const struct akm_blob *tpm_public)
{
	struct cursor c;
	uint32_t type;

	if (!open_public(tpm_public, &c))
		return NULL;
	type = take(&c, 2);
	take(&c, 2);			/* nameAlg */
	take(&c, 4);			/* attributes */
	take_sized(&c);			/* authPolicy */
	if (take(&c, 2) != ALG_NULL)
		take(&c, 4);		/* key bits, mode */
	if (take(&c, 2) != ALG_NULL || c.bad)
		return NULL;
	return type == ALG_RSA ? rsa_key(&c) : type == ALG_ECC ? ecc_key(&c) : NULL;
}

/* ---- the certificate ---- */

/* EK certificates carry a critical subjectAltName and extended key usages of TCG's own: no purpose is asked for. */
static int verify(X509 *cert, X509_STORE *store, struct akm_error *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int r = 0;

	if (!ctx || X509_STORE_CTX_init(ctx, store, cert, NULL) != 1) {
		r = akm_error_set(err, -ENOMEM, "ek-cert", "%s", strerror(ENOMEM));
	} else if (X509_verify_cert(ctx) != 1) {
		r = akm_error_set(err, -EKEYREJECTED, "ek-cert", "no configured CA vouches for it: %s",
				  X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
	X509_STORE_CTX_free(ctx);
	return r;
}

static int trusted(X509 *cert, const char *ca_file, struct akm_error *err)
{
	X509_STORE *store = X509_STORE_new();
	int r;

	/* A maker's intermediate CA in the file is trusted as such. */
	if (!store || X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		r = akm_error_set(err, -ENOMEM, "ek-cert", "%s", strerror(ENOMEM));
	else if (X509_STORE_load_file(store, ca_file) != 1)
		r = akm_error_set(err, -ENOENT, "ek-ca", "%s: no readable PEM file of CA certificates", ca_file);
	else
		r = verify(cert, store, err);
	X509_STORE_free(store);
	return r;
}

static int about(X509 *cert, const struct akm_blob *tpm_public, struct akm_error *err)
{
	EVP_PKEY *key = public_key(tpm_public), *certified = X509_get0_pubkey(cert);
	int r = 0;

	if (!key)
		r = akm_error_set(err, -EPROTO, "ek-public", "is no RSA or ECC storage key");
	else if (!certified || EVP_PKEY_eq(key, certified) != 1)
		r = akm_error_set(err, -EKEYREJECTED, "ek-cert", "is about another key than the EK that was shown");
	EVP_PKEY_free(key);
	return r;
}

int tpmpub_certified(const struct akm_blob *tpm_public, const struct akm_blob *cert, const char *ca_file,
		     struct akm_error *err)
{
	const unsigned char *p = cert->data;
	X509 *x;
	int r;

	if (!cert->len)
		return akm_error_set(err, -EKEYREJECTED, "ek-cert",
				     "is missing: this TPM has none, and a CA list (%s) asks for one", ca_file);
	x = d2i_X509(NULL, &p, (long)cert->len);
	/* NV indices are often larger than the certificate: what follows is padding. */
	r = x ? about(x, tpm_public, err) ?: trusted(x, ca_file, err) :
		akm_error_set(err, -EPROTO, "ek-cert", "is no X.509 certificate");
	X509_free(x);
	ERR_clear_error();
	return r;
}
