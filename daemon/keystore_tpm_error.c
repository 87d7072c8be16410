// SPDX-License-Identifier: GPL-2.0
/* TPM response codes as errno. Pure. */
#include "keystore_tpm.h"

TPM2_RC ks_rc_base(TSS2_RC rc)
{
	rc &= ~TSS2_RC_LAYER_MASK;
	/* Part 2, 6.6.2: format one keeps the error in bits 0–5, and blames by bits 6 and 8–11. */
	if (rc & TPM2_RC_FMT1)
		return rc & (TPM2_RC_FMT1 | 0x3f);
	return rc;
}

static bool from_tpm(TSS2_RC rc)
{
	TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER;
}

static int tpm_errno(TPM2_RC base)
{
	switch (base) {
	case TPM2_RC_INTEGRITY:
	case TPM2_RC_BINDING:
	case TPM2_RC_SENSITIVE:
		return -EBADMSG;
	case TPM2_RC_POLICY_FAIL:
	case TPM2_RC_POLICY_CC:
	case TPM2_RC_POLICY:
	case TPM2_RC_SIGNATURE:
	case TPM2_RC_TICKET:
	case TPM2_RC_AUTH_FAIL:
	case TPM2_RC_BAD_AUTH:
		return -EKEYREJECTED;
	/* Lockout ends by itself, or by its owner's hand; trying again would only prolong it. */
	case TPM2_RC_LOCKOUT:
	case TPM2_RC_RETRY:
	case TPM2_RC_YIELDED:
	case TPM2_RC_TESTING:
	case TPM2_RC_NV_RATE:
	case TPM2_RC_NV_UNAVAILABLE:
	case TPM2_RC_CANCELED:
	case TPM2_RC_MEMORY:
	case TPM2_RC_OBJECT_MEMORY:
	case TPM2_RC_SESSION_MEMORY:
	case TPM2_RC_OBJECT_HANDLES:
	case TPM2_RC_SESSION_HANDLES:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

int ks_errno(TSS2_RC rc)
{
	if (!rc)
		return 0;
	if (from_tpm(rc))
		return tpm_errno(ks_rc_base(rc));
	if ((rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER)
		return -ENODEV;
	if ((rc & 0xffff) == TSS2_BASE_RC_MEMORY)
		return -ENOMEM;
	return -EIO;
}

int ks_errno_input(TSS2_RC rc, int bad)
{
	int r = ks_errno(rc);

	if (r == -EBADMSG)
		return bad;
	if (r == -EIO && from_tpm(rc) && (rc & TPM2_RC_FMT1) && (rc & TPM2_RC_P))
		return bad;
	/* tpm2-tss will not marshal what could never be valid. */
	if (r == -EIO && (rc & TSS2_RC_LAYER_MASK) == TSS2_MU_RC_LAYER)
		return bad;
	return r;
}
