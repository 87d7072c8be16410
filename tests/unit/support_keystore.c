// SPDX-License-Identifier: GPL-2.0
#include "support_keystore.h"

static struct keystore *open_keystore(struct tpm *t)
{
	const struct keystore_config cfg = { .tcti = tpm_conf(t) };
	struct keystore *ks = NULL;

	assert_int_equal(keystore_open(&cfg, &ks), 0);
	return ks;
}

void party_start(struct party *p)
{
	p->tpm = tpm_start();
	p->ks = open_keystore(p->tpm);
	assert_ks(p, keystore_identity(p->ks, &p->id), 0);
}

void party_stop(struct party *p)
{
	if (!p->tpm)
		return;
	keystore_identity_free(&p->id);
	keystore_close(p->ks);
	tpm_stop(p->tpm);
	*p = (struct party){};
}

void party_reopen(struct party *p)
{
	keystore_close(p->ks);
	p->ks = open_keystore(p->tpm);
}

static unsigned int loaded(struct party *p, TPM2_HANDLE first)
{
	_cleanup_esys_ TPMS_CAPABILITY_DATA *cap = NULL;
	_cleanup_op_ struct ks_op op = {};

	assert_false(p->ks->sweep);	/* or beginning an operation would tidy up first */
	assert_ks(p, ks_op_begin(p->ks, &op), 0);
	assert_int_equal(Esys_GetCapability(op.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
					    first, TPM2_MAX_CAP_HANDLES, NULL, &cap), 0);
	return cap->data.handles.count;
}

void party_assert_clean(struct party *p)
{
	assert_int_equal(loaded(p, KS_TRANSIENT_FIRST), 0);
	assert_int_equal(loaded(p, TPM2_LOADED_SESSION_FIRST), 0);
	assert_int_equal(loaded(p, TPM2_ACTIVE_SESSION_FIRST), 0);
}

bool secret_equal(const struct akm_secret *a, const struct akm_secret *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

void blob_bend(const struct akm_blob *blob, size_t at, uint8_t mask, bool repair, struct akm_blob *ret)
{
	size_t body = blob->len - AKM_DIGEST_LEN;
	TPM2B_DIGEST digest;

	assert_int_equal(akm_blob_dup(blob->data, blob->len, ret), 0);
	ret->data[at] ^= mask;
	if (!repair)
		return;
	assert_int_equal(ks_sha256(ret->data, body, &digest), 0);
	memcpy(ret->data + body, digest.buffer, digest.size);
}
