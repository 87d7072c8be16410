// SPDX-License-Identifier: GPL-2.0
#include "quote.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <tss2/tss2_mu.h>

#include "keystore_tpm.h"

#define FIELD_LEN	32		/* of P-256 */
#define POINT_LEN	(1 + 2 * FIELD_LEN)
#define SIGNATURE_MAX	80		/* ECDSA-Sig-Value over P-256 in DER: 72 bytes */

_Static_assert(QUOTE_SIGNER_MAX >= 2 + AKM_DIGEST_LEN, "names are nameAlg and a SHA-256");

void quote_baseline_free(struct quote_baseline *b)
{
	akm_blob_free(&b->ak_public);
	akm_blob_free(&b->signer);
}

int quote_baseline_copy(const struct quote_baseline *from, struct quote_baseline *to)
{
	struct quote_baseline b = { .pcrs = from->pcrs, .facts = from->facts };
	int r = akm_blob_dup(from->ak_public.data, from->ak_public.len, &b.ak_public) ?:
		akm_blob_dup(from->signer.data, from->signer.len, &b.signer);

	if (r < 0) {
		quote_baseline_free(&b);
		return r;
	}
	*to = b;
	return 0;
}

/* ---- names and qualifying data ---- */

int quote_signer(const struct akm_blob *ak_public, const struct akm_blob *parent_name, struct akm_blob *ret)
{
	TPM2B_NAME parent = { .size = (UINT16)parent_name->len }, name, signer;
	TPM2B_PUBLIC public;

	if (parent_name->len > sizeof(parent.name) || ks_public_decode(ak_public, &public) || ks_name_of(&public, &name))
		return -EPROTO;
	memcpy(parent.name, parent_name->data, parent_name->len);
	return ks_qualified_name(&parent, &name, &signer) ?: akm_blob_dup(signer.name, signer.size, ret);
}

int quote_qualifying(const char *what, const void *data, size_t len, uint8_t ret[AKM_DIGEST_LEN])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(md, what, strlen(what)) == 1 && EVP_DigestUpdate(md, data, len) == 1 &&
		  EVP_DigestFinal_ex(md, ret, NULL) == 1;

	EVP_MD_CTX_free(md);
	return ok ? 0 : -ENOMEM;
}

int quote_link_qualifying(const uint8_t nonce[AKM_DIGEST_LEN], const uint8_t id[AKM_ID_LEN],
			  const uint8_t binding[AKM_KEY_LEN], uint8_t ret[AKM_DIGEST_LEN])
{
	uint8_t data[AKM_DIGEST_LEN + AKM_ID_LEN + AKM_KEY_LEN];

	memcpy(data, nonce, AKM_DIGEST_LEN);
	memcpy(data + AKM_DIGEST_LEN, id, AKM_ID_LEN);
	memcpy(data + AKM_DIGEST_LEN + AKM_ID_LEN, binding, AKM_KEY_LEN);
	return quote_qualifying(QUOTE_LINK, data, sizeof(data), ret);
}

/* ---- the signature ---- */

static bool put_coordinate(const TPM2B_ECC_PARAMETER *from, uint8_t *to)
{
	if (!from->size || from->size > FIELD_LEN)
		return false;
	memcpy(to + FIELD_LEN - from->size, from->buffer, from->size);
	return true;
}

static EVP_PKEY *key_of(const TPM2B_PUBLIC *public)
{
	const TPMS_ECC_POINT *p = &public->publicArea.unique.ecc;
	uint8_t point[POINT_LEN] = { POINT_CONVERSION_UNCOMPRESSED };
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	if (!put_coordinate(&p->x, point + 1) || !put_coordinate(&p->y, point + 1 + FIELD_LEN) || !ctx ||
	    EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* As OpenSSL wants it. Return: its length, 0: it is none. */
static int signature_der(const TPMT_SIGNATURE *s, uint8_t ret[SIGNATURE_MAX])
{
	const TPMS_SIGNATURE_ECDSA *e = &s->signature.ecdsa;
	BIGNUM *r = BN_bin2bn(e->signatureR.buffer, e->signatureR.size, NULL);
	BIGNUM *t = BN_bin2bn(e->signatureS.buffer, e->signatureS.size, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	int len = 0;

	if (sig && r && t && e->signatureR.size <= FIELD_LEN && e->signatureS.size <= FIELD_LEN &&
	    ECDSA_SIG_set0(sig, r, t) == 1) {
		r = t = NULL;		/* taken over */
		len = i2d_ECDSA_SIG(sig, &(unsigned char *){ ret });
	}
	BN_free(r);
	BN_free(t);
	ECDSA_SIG_free(sig);
	return len > 0 ? len : 0;
}

static bool signature_verifies(const TPM2B_PUBLIC *public, const struct akm_blob *attest, const TPMT_SIGNATURE *s)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY *key = key_of(public);
	uint8_t der[SIGNATURE_MAX];
	int len = signature_der(s, der);
	bool ok = md && key && len && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
		  EVP_DigestVerify(md, der, (size_t)len, attest->data, attest->len) == 1;

	EVP_PKEY_free(key);
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return ok;
}

static int check_signature(const struct quote_expect *want, const struct akm_blob *attest,
			   const struct akm_blob *signature, struct akm_error *err)
{
	TPMT_SIGNATURE s = {};
	TPM2B_PUBLIC public;
	size_t at = 0;

	if (ks_public_decode(&want->ak_public, &public) || !ks_public_matches(&public, &ks_template_ak, true))
		return akm_error_set(err, -EPROTO, "ak-public", "is no attestation key of the template");
	if (Tss2_MU_TPMT_SIGNATURE_Unmarshal(signature->data, signature->len, &at, &s) || at != signature->len)
		return akm_error_set(err, -EPROTO, "signature", "is no TPMT_SIGNATURE");
	if (s.sigAlg != TPM2_ALG_ECDSA || s.signature.ecdsa.hash != TPM2_ALG_SHA256)
		return akm_error_set(err, -EPROTO, "signature", "is not ECDSA with SHA-256");
	if (!signature_verifies(&public, attest, &s))
		return akm_error_set(err, -EKEYREJECTED, "signature", "is not the attestation key's");
	return 0;
}

/* ---- what was signed ---- */

static bool same(const void *a, size_t a_len, const struct akm_blob *b)
{
	return a_len == b->len && !CRYPTO_memcmp(a, b->data, a_len);
}

/* Exactly those, of that bank, in the one way that we ask for them */
static bool selects(const TPML_PCR_SELECTION *l, uint32_t pcrs)
{
	const TPMS_PCR_SELECTION *s = &l->pcrSelections[0];
	uint32_t got = 0;

	if (l->count != 1 || s->hash != TPM2_ALG_SHA256 || s->sizeofSelect != KEYSTORE_PCRS / 8)
		return false;
	for (unsigned int i = 0; i < KEYSTORE_PCRS / 8; i++)
		got |= (uint32_t)s->pcrSelect[i] << 8 * i;
	return got == pcrs;
}

static int check_content(const struct quote_expect *want, const TPMS_ATTEST *a, struct akm_error *err)
{
	const struct akm_blob qualifying = { (uint8_t *)want->qualifying, AKM_DIGEST_LEN };
	const TPMS_QUOTE_INFO *q = &a->attested.quote;

	/* Part 2, 6.2: what does not begin so may have been made outside the TPM. */
	if (a->magic != TPM2_GENERATED_VALUE)
		return akm_error_set(err, -EKEYREJECTED, "magic", "0x%08x: no TPM made it", a->magic);
	if (a->type != TPM2_ST_ATTEST_QUOTE)
		return akm_error_set(err, -EKEYREJECTED, "type", "0x%04x is no quote", a->type);
	if (!same(a->qualifiedSigner.name, a->qualifiedSigner.size, &want->signer))
		return akm_error_set(err, -EKEYREJECTED, "signer", "is another key, or under another parent");
	if (!same(a->extraData.buffer, a->extraData.size, &qualifying))
		return akm_error_set(err, -EKEYREJECTED, "nonce", "is another: an old quote, or for somebody else");
	if (!selects(&q->pcrSelect, want->pcrs))
		return akm_error_set(err, -EKEYREJECTED, "pcr-selection", "is not what was asked for");
	if (q->pcrDigest.size != AKM_DIGEST_LEN)
		return akm_error_set(err, -EKEYREJECTED, "pcr-digest", "has %u bytes", q->pcrDigest.size);
	return 0;
}

int quote_verify(const struct quote_expect *want, const struct akm_blob *attest, const struct akm_blob *signature,
		 struct quote_facts *ret, struct akm_error *err)
{
	TPMS_ATTEST a = {};
	size_t at = 0;
	int r;

	r = check_signature(want, attest, signature, err);
	if (r < 0)
		return r;
	if (Tss2_MU_TPMS_ATTEST_Unmarshal(attest->data, attest->len, &at, &a) || at != attest->len)
		return akm_error_set(err, -EPROTO, "attest", "is no TPMS_ATTEST");
	r = check_content(want, &a, err);
	if (r < 0)
		return r;
	*ret = (struct quote_facts) {
		.firmware = a.firmwareVersion,
		.clock_ms = a.clockInfo.clock,
		.resets = a.clockInfo.resetCount,
		.restarts = a.clockInfo.restartCount,
	};
	memcpy(ret->digest, a.attested.quote.pcrDigest.buffer, AKM_DIGEST_LEN);
	return 0;
}

/*
 * Part 1, "Time Components": resetCount grows with each TPM Reset, restartCount with each restart or resume between
 * them. The clock only grows, but for what an unorderly shutdown takes from it; of that, resetCount tells.
 */
int quote_follows(const struct quote_facts *before, const struct quote_facts *now, struct akm_error *err)
{
	int32_t resets = (int32_t)(now->resets - before->resets), restarts = (int32_t)(now->restarts - before->restarts);

	if (resets < 0)
		return akm_error_set(err, -EKEYREJECTED, "resetCount", "went back by %lld: an older state of this TPM",
				     -(long long)resets);
	if (!resets && restarts < 0)
		return akm_error_set(err, -EKEYREJECTED, "restartCount", "went back by %lld: an older state of this TPM",
				     -(long long)restarts);
	if (!resets && !restarts && now->clock_ms < before->clock_ms)
		return akm_error_set(err, -EKEYREJECTED, "clock", "went back by %llu ms: an older state of this TPM",
				     (unsigned long long)(before->clock_ms - now->clock_ms));
	return 0;
}

/* ---- selections as text ---- */

static int parse_number(const char **p, uint32_t *pcrs)
{
	unsigned int n = 0;
	const char *s = *p;

	while (*s >= '0' && *s <= '9' && s - *p < 2)
		n = n * 10 + (unsigned int)(*s++ - '0');
	if (s == *p || n >= KEYSTORE_PCRS || *pcrs & 1u << n)
		return -EINVAL;
	*pcrs |= 1u << n;
	*p = s;
	return 0;
}

int quote_pcrs_parse(const char *text, uint32_t *ret)
{
	static const char bank[] = "sha256:";
	uint32_t pcrs = 0;

	if (!strcmp(text, "none")) {
		*ret = 0;
		return 0;
	}
	if (strncmp(text, bank, sizeof(bank) - 1))
		return -EINVAL;
	text += sizeof(bank) - 1;
	while (!parse_number(&text, &pcrs)) {
		if (!*text) {
			*ret = pcrs;
			return 0;
		}
		if (*text++ != ',')
			break;
	}
	return -EINVAL;
}

void quote_pcrs_text(uint32_t pcrs, char ret[QUOTE_TEXT_MAX])
{
	size_t len = (size_t)snprintf(ret, QUOTE_TEXT_MAX, "%s", pcrs ? "sha256" : "none");
	char before = ':';

	for (unsigned int i = 0; i < KEYSTORE_PCRS; i++) {
		if (!(pcrs & 1u << i))
			continue;
		len += (size_t)snprintf(ret + len, QUOTE_TEXT_MAX - len, "%c%u", before, i);
		before = ',';
	}
}
