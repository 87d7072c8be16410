// SPDX-License-Identifier: GPL-2.0
/* The attestation key: made, proven to be in the same TPM as the EK, and what it signs. */
#include "keystore_tpm.h"

#include <tss2/tss2_mu.h>

#define SELECT_BYTES	(KEYSTORE_PCRS / 8)
#define MARSHALLED_MAX	(sizeof(TPM2B_ATTEST) + sizeof(TPMT_SIGNATURE))

void keystore_quote_free(struct keystore_quote *q)
{
	akm_blob_free(&q->attest);
	akm_blob_free(&q->signature);
}

int keystore_ak_create(struct keystore *ks, struct akm_blob *ret_ak, struct akm_blob *ret_public)
{
	_cleanup_(akm_blob_free) struct akm_blob public = {};
	struct ks_parts parts = { .type = KS_BLOB_AK };
	_cleanup_op_ struct ks_op op = {};
	int r;

	r = ks_op_begin_srk(ks, &op);
	r = r ?: ks_create(&op, op.srk, &ks_template_ak, NULL, &parts.public, &parts.private);
	r = r ?: ks_public_encode(&parts.public, &public);
	if (r < 0)
		return r;
	parts.parent = ks->srk_name;
	r = ks_blob_encode(&parts, ret_ak);
	if (r < 0)
		return r;
	*ret_public = public;
	public = (struct akm_blob) {};
	return 0;
}

/*
 * A TPM activates a credential for an object whose private part it holds (there is no policy in the template that would
 * authorize without it), and it refuses to load one from outside that has fixedTPM or restricted set (part 3, 12.3).
 */
int keystore_ak_challenge(struct keystore *ks, const struct keystore_identity *peer, const struct akm_blob *ak_public,
			  struct akm_blob *ret_challenge, struct akm_secret *ret_secret)
{
	TPM2B_PUBLIC public;
	TPM2B_NAME name;

	if (ks_public_decode(ak_public, &public) || !ks_public_matches(&public, &ks_template_ak, true) ||
	    ks_name_of(&public, &name))
		return ks_refuse(ks, -EPROTO, "the peer's attestation key is not of the template");
	return ks_challenge(ks, peer, &name, ret_challenge, ret_secret);
}

/* The SRK stays: sessions are salted to it. With the EK that makes three objects, which every TPM has room for. */
static int load_ak(struct keystore *ks, const struct akm_blob *ak, struct ks_op *op, ESYS_TR *ret)
{
	struct ks_parts parts;
	int r;

	r = ks_blob_decode(ak, KS_BLOB_AK, &parts);
	if (r < 0)
		return ks_refuse(ks, r, "not an attestation key's blob");
	if (!ks_name_equal(&parts.parent, &ks->srk_name))
		return ks_refuse(ks, -ENOKEY, "the attestation key belongs to another TPM");
	r = ks_op_begin_srk(ks, op);
	return r ?: ks_load(op, op->srk, &parts.public, &parts.private, ret);
}

int keystore_ak_answer(struct keystore *ks, const struct akm_blob *ak, const struct akm_blob *challenge,
		       struct akm_secret *ret_secret)
{
	_cleanup_op_ struct ks_op op = {};
	struct ks_parts parts;
	ESYS_TR object;
	int r;

	r = ks_blob_decode(challenge, KS_BLOB_CHALLENGE, &parts);
	if (r < 0)
		return ks_refuse(ks, r, "not a challenge");
	r = load_ak(ks, ak, &op, &object);
	return r ?: ks_answer(&op, object, &parts, ret_secret);
}

static void select_pcrs(uint32_t pcrs, TPML_PCR_SELECTION *ret)
{
	*ret = (TPML_PCR_SELECTION) {
		.count = 1,
		.pcrSelections = { { .hash = TPM2_ALG_SHA256, .sizeofSelect = SELECT_BYTES } },
	};
	for (unsigned int i = 0; i < SELECT_BYTES; i++)
		ret->pcrSelections[0].pcrSelect[i] = (uint8_t)(pcrs >> 8 * i);
}

static int encode(const TPM2B_ATTEST *attest, const TPMT_SIGNATURE *signature, struct keystore_quote *ret)
{
	uint8_t buf[MARSHALLED_MAX];
	size_t len = 0;

	if (Tss2_MU_TPMT_SIGNATURE_Marshal(signature, buf, sizeof(buf), &len))
		return -EIO;
	return akm_blob_dup(attest->attestationData, attest->size, &ret->attest) ?:
	       akm_blob_dup(buf, len, &ret->signature);
}

int keystore_quote(struct keystore *ks, const struct akm_blob *ak, uint32_t pcrs,
		   const uint8_t qualifying[AKM_DIGEST_LEN], struct keystore_quote *ret)
{
	static const TPMT_SIG_SCHEME scheme_of_the_key = { .scheme = TPM2_ALG_NULL };
	_cleanup_(keystore_quote_free) struct keystore_quote quote = {};
	_cleanup_esys_ TPMT_SIGNATURE *signature = NULL;
	_cleanup_esys_ TPM2B_ATTEST *attest = NULL;
	TPM2B_DATA data = { .size = AKM_DIGEST_LEN };
	_cleanup_op_ struct ks_op op = {};
	TPML_PCR_SELECTION selection;
	ESYS_TR object;
	TSS2_RC rc;
	int r;

	if (!pcrs || pcrs >> KEYSTORE_PCRS)
		return ks_refuse(ks, -EINVAL, "0x%x is no selection of PCRs", pcrs);
	memcpy(data.buffer, qualifying, AKM_DIGEST_LEN);
	select_pcrs(pcrs, &selection);
	r = load_ak(ks, ak, &op, &object);
	/* Nothing in it is secret, and what is changed on the bus does not verify. */
	r = r ?: ks_session_crypt(&op, op.session, KS_CRYPT_NONE);
	if (r < 0)
		return r;
	rc = Esys_Quote(op.esys, object, op.session, ESYS_TR_NONE, ESYS_TR_NONE, &data, &scheme_of_the_key, &selection,
			&attest, &signature);
	r = ks_fail(&op, "TPM2_Quote", rc);
	r = r ?: encode(attest, signature, &quote);
	if (r < 0)
		return r;
	*ret = quote;
	quote = (struct keystore_quote) {};
	return 0;
}
