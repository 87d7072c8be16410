// SPDX-License-Identifier: GPL-2.0
/*
 * Keystore blobs and public areas: both come from peers and from stores. The
 * input is a blob without its digest, which is added here, or no input would get
 * past it. What decodes must encode to the same bytes.
 */
#include "keystore_tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void try_public(const uint8_t *data, size_t len)
{
	const struct akm_blob in = { .data = (uint8_t *)data, .len = len };
	_cleanup_(akm_blob_free) struct akm_blob out = {};
	TPM2B_PUBLIC public;
	TPM2B_NAME name;

	if (ks_public_decode(&in, &public))
		return;
	check(!ks_public_encode(&public, &out));
	check(out.len == len && !memcmp(out.data, data, len));
	if (!ks_name_of(&public, &name))
		(void)ks_public_matches(&public, &ks_template_srk, true);
}

static void try_blob(const struct akm_blob *in, enum ks_blob_type type)
{
	_cleanup_(akm_blob_free) struct akm_blob out = {};
	struct ks_parts parts;

	if (ks_blob_decode(in, type, &parts))
		return;
	check(!ks_blob_encode(&parts, &out));
	check(out.len == in->len && !memcmp(out.data, in->data, in->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t buf[KS_BLOB_MAX + 1];
	_cleanup_free_ char *hex = NULL;
	struct akm_blob in = { .data = buf, .len = len + AKM_DIGEST_LEN };
	TPM2B_DIGEST digest;

	try_public(data, len);
	if (in.len > sizeof(buf))
		return 0;
	memcpy(buf, data, len);
	check(!ks_sha256(buf, len, &digest));
	memcpy(buf + len, digest.buffer, digest.size);
	for (int type = KS_BLOB_ROOT_DOMAIN; type <= KS_BLOB_AK; type++)
		try_blob(&in, (enum ks_blob_type)type);
	(void)keystore_key_name(&in, &hex);
	return 0;
}
