// SPDX-License-Identifier: GPL-2.0
/* A peer's TPM2B_PUBLIC and EK certificate: be16(length) | public | certificate. */
#include "fuzz.h"
#include "tpmpub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(akm_blob_free) struct akm_blob public = {}, cert = {}, name = {};
	struct akm_error err = {};
	size_t n;

	if (len < 2 || len > 8192)
		return 0;
	n = (size_t)data[0] << 8 | data[1];
	if (n > len - 2)
		n = len - 2;
	must(!akm_blob_dup(data + 2, n, &public) && !akm_blob_dup(data + 2 + n, len - 2 - n, &cert));
	if (!tpmpub_name(&public, &name))
		must(name.len == 34 || name.len == 50);
	/* There is no CA: nothing is certified. */
	must(tpmpub_certified(&public, &cert, "/nonexistent", &err) < 0 && err.field[0]);
	return 0;
}
