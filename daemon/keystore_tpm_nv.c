// SPDX-License-Identifier: GPL-2.0
/*
 * NV memory: the two counters, and the EK certificate the maker left there.
 *
 * Why these counters cannot go back. A new counter index starts above the highest
 * value that any counter deleted before had (part 3, TPM2_NV_Increment), so whoever
 * owns the host, and even the owner hierarchy, can delete and define it again, or
 * clear the TPM, and still only move it forward. Another TPM, which may be behind,
 * has another storage parent: nothing sealed loads there.
 * What remains is an index of another type at the same place: its attributes are
 * checked at each use.
 */
#include "keystore_tpm.h"

#include <tss2/tss2_mu.h>

/*
 * AUTHREAD | AUTHWRITE, with an empty auth value: forward is the only way it can be
 * moved, and owner authorisation is needed to define or delete it, no more.
 * NO_DA: see keystore_tpm_object.c. Not ORDERLY: the new value must be in NV memory
 * when the increment returns, or a power cut would take it back (P1, P3). Not
 * CLEAR_STCLEAR, not lockable: nothing resets it.
 */
#define COUNTER_ATTRIBUTES (TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA | \
			    ((TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT))
#define COUNTER_SIZE	8

struct index {
	ESYS_TR tr;
	TPMS_NV_PUBLIC public;
};

static int index_open(struct ks_op *op, TPM2_HANDLE handle, struct index *ret)
{
	_cleanup_esys_ TPM2B_NV_PUBLIC *public = NULL;
	ESYS_TR tr = ESYS_TR_NONE;
	TSS2_RC rc;
	int r;

	rc = Esys_TR_FromTPMPublic(op->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr);
	rc = rc ?: Esys_NV_ReadPublic(op->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL);
	r = ks_fail(op, "TPM2_NV_ReadPublic", rc);
	if (r < 0)
		return r;
	*ret = (struct index){ .tr = tr, .public = public->nvPublic };
	return 0;
}

static int counter_define(struct ks_op *op, TPM2_HANDLE handle, ESYS_TR *ret)
{
	const TPM2B_NV_PUBLIC public = {
		.nvPublic = {
			.nvIndex = handle,
			.nameAlg = TPM2_ALG_SHA256,
			.attributes = COUNTER_ATTRIBUTES,
			.dataSize = COUNTER_SIZE,
		},
	};
	static const TPM2B_AUTH no_auth;
	TSS2_RC rc;
	int r;

	r = ks_session_crypt(op, op->session, KS_CRYPT_NONE);
	if (r < 0)
		return r;
	rc = Esys_NV_DefineSpace(op->esys, ESYS_TR_RH_OWNER, op->session, ESYS_TR_NONE, ESYS_TR_NONE, &no_auth,
				 &public, ret);
	return ks_fail(op, "TPM2_NV_DefineSpace", rc);
}

static int counter_increment(struct ks_op *op, ESYS_TR tr)
{
	TSS2_RC rc;
	int r;

	r = ks_session_crypt(op, op->session, KS_CRYPT_NONE);
	if (r < 0)
		return r;
	rc = Esys_NV_Increment(op->esys, tr, tr, op->session, ESYS_TR_NONE, ESYS_TR_NONE);
	return ks_fail(op, "TPM2_NV_Increment", rc);
}

/* A new counter cannot be read before its first increment, which a power cut may have kept from it. */
static int counter_open(struct ks_op *op, TPM2_HANDLE handle, ESYS_TR *ret)
{
	struct index index;
	bool there;
	int r;

	r = ks_handle_exists(op, handle, &there);
	if (r < 0)
		return r;
	if (!there) {
		r = counter_define(op, handle, ret);
		return r ?: counter_increment(op, *ret);
	}
	r = index_open(op, handle, &index);
	if (r < 0)
		return r;
	if (index.public.nvIndex != handle || index.public.dataSize != COUNTER_SIZE ||
	    (index.public.attributes & ~TPMA_NV_WRITTEN) != COUNTER_ATTRIBUTES)
		return ks_refuse(op->ks, -EBADMSG, "NV index 0x%x is not our counter: somebody defined it otherwise",
				 handle);
	*ret = index.tr;
	if (!(index.public.attributes & TPMA_NV_WRITTEN))
		return counter_increment(op, index.tr);
	return 0;
}

static int counter_value(struct ks_op *op, ESYS_TR tr, uint64_t *ret)
{
	_cleanup_esys_ TPM2B_MAX_NV_BUFFER *data = NULL;
	uint64_t v = 0;
	TSS2_RC rc;
	int r;

	/*
	 * No secret, but the HMAC of the session vouches for it: who answers on the bus in the
	 * TPM's place cannot make us use an incarnation again.
	 */
	r = ks_session_crypt(op, op->session, KS_CRYPT_RESPONSE);
	if (r < 0)
		return r;
	rc = Esys_NV_Read(op->esys, tr, tr, op->session, ESYS_TR_NONE, ESYS_TR_NONE, COUNTER_SIZE, 0, &data);
	r = ks_fail(op, "TPM2_NV_Read", rc);
	if (r < 0)
		return r;
	if (data->size != COUNTER_SIZE)
		return ks_refuse(op->ks, -EIO, "TPM2_NV_Read: %u bytes of a counter", data->size);
	for (size_t i = 0; i < COUNTER_SIZE; i++)
		v = v << 8 | data->buffer[i];
	*ret = v;
	return 0;
}

int keystore_counter_read(struct keystore *ks, enum keystore_counter c, uint64_t *ret)
{
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR tr;
	int r;

	r = ks_op_begin_srk(ks, &op);
	r = r ?: counter_open(&op, ks->nv[c], &tr);
	return r ?: counter_value(&op, tr, ret);
}

int keystore_counter_next(struct keystore *ks, enum keystore_counter c, uint64_t *ret)
{
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR tr;
	int r;

	r = ks_op_begin_srk(ks, &op);
	r = r ?: counter_open(&op, ks->nv[c], &tr);
	r = r ?: counter_increment(&op, tr);
	return r ?: counter_value(&op, tr, ret);
}

static int nv_chunk(struct ks_op *op, size_t *ret)
{
	_cleanup_esys_ TPMS_CAPABILITY_DATA *cap = NULL;
	TSS2_RC rc;

	rc = Esys_GetCapability(op->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_TPM_PROPERTIES,
				TPM2_PT_NV_BUFFER_MAX, 1, NULL, &cap);
	if (rc)
		return ks_fail(op, "TPM2_GetCapability", rc);
	if (!cap->data.tpmProperties.count || !cap->data.tpmProperties.tpmProperty[0].value)
		return ks_refuse(op->ks, -EIO, "the TPM does not say how much NV memory it reads at once");
	*ret = cap->data.tpmProperties.tpmProperty[0].value;
	return 0;
}

static int nv_read(struct ks_op *op, const struct index *index, ESYS_TR auth, uint8_t *buf, size_t len)
{
	size_t chunk = 0;
	int r;

	r = nv_chunk(op, &chunk);
	if (r < 0)
		return r;
	for (size_t at = 0; at < len;) {
		_cleanup_esys_ TPM2B_MAX_NV_BUFFER *data = NULL;
		size_t n = len - at < chunk ? len - at : chunk;

		/* A certificate is public and vouches for itself: no session. */
		r = ks_fail(op, "TPM2_NV_Read", Esys_NV_Read(op->esys, auth, index->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
							     ESYS_TR_NONE, (UINT16)n, (UINT16)at, &data));
		if (r < 0)
			return r;
		if (data->size != n)
			return ks_refuse(op->ks, -EIO, "TPM2_NV_Read: short");
		memcpy(buf + at, data->buffer, n);
		at += n;
	}
	return 0;
}

/* Length of the DER SEQUENCE at the start: makers pad the index with 0x00 or 0xff. 0: none. */
static size_t der_length(const uint8_t *der, size_t len)
{
	size_t n;

	if (len < 4 || der[0] != 0x30 || der[1] != 0x82)
		return 0;
	n = 4 + ((size_t)der[2] << 8 | der[3]);
	return n <= len ? n : 0;
}

/* Empty where there is none that we may read: whoever wants one then refuses this TPM. */
int ks_ek_cert(struct ks_op *op, TPM2_HANDLE handle, struct akm_blob *ret)
{
	uint8_t buf[KS_EK_CERT_MAX];
	struct index index;
	ESYS_TR auth;
	bool there;
	int r;

	r = ks_handle_exists(op, handle, &there);
	if (r < 0 || !there)
		return r;
	r = index_open(op, handle, &index);
	if (r < 0)
		return r;
	if (!(index.public.attributes & TPMA_NV_WRITTEN) || index.public.dataSize > sizeof(buf))
		return 0;
	if (index.public.attributes & TPMA_NV_AUTHREAD)
		auth = index.tr;
	else if (index.public.attributes & TPMA_NV_OWNERREAD)
		auth = ESYS_TR_RH_OWNER;
	else
		return 0;
	r = nv_read(op, &index, auth, buf, index.public.dataSize);
	if (r < 0)
		return r;
	return akm_blob_dup(buf, der_length(buf, index.public.dataSize), ret);
}
