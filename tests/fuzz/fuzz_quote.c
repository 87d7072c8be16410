// SPDX-License-Identifier: GPL-2.0
/*
 * be16(length) | TPMS_ATTEST | TPMT_SIGNATURE: as they come from a node, and, since nothing would get past the signature,
 * the former with a signature that is right.
 */
#include "fuzz.h"
#include "quote.h"

#include "../unit/keystore_fake.c"

static struct fake_tpm *tpm;
static struct quote_expect want = { .pcrs = 0x95 };

static void prepare(void)
{
	tpm = fake_tpm_new(false);
	make_ak(tpm);
	must(!akm_blob_dup(tpm->ak_public.data, tpm->ak_public.len, &want.ak_public));
	must(!quote_signer(&want.ak_public, &tpm->parent_name, &want.signer));
}

static void judge(const struct keystore_quote *q)
{
	struct quote_facts facts = {}, none = {};
	struct akm_error err = {};
	int r = quote_verify(&want, &q->attest, &q->signature, &facts, &err);

	must(r <= 0);
	if (r < 0)
		must(err.field[0] && err.reason[0] && !memcmp(&facts, &none, sizeof(facts)));
	else
		must(q->attest.len > 6 && !memcmp(q->attest.data, "\xffTCG\x80\x18", 6));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	size_t n;

	if (len < 2 || len > 8192)
		return 0;
	if (!tpm)
		prepare();
	n = (size_t)data[0] << 8 | data[1];
	if (n > len - 2)
		n = len - 2;
	must(!akm_blob_dup(data + 2, n, &q.attest) && !akm_blob_dup(data + 2 + n, len - 2 - n, &q.signature));
	judge(&q);
	akm_blob_free(&q.signature);
	sign_as_ak(tpm->ak, q.attest.data, q.attest.len, &q.signature);
	judge(&q);
	return 0;
}
