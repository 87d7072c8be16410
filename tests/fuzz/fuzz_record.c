// SPDX-License-Identifier: GPL-2.0
/* A party's own record of its provisioning, as it lies on its disk. */
#include "fuzz.h"
#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(akm_blob_free) struct akm_blob again = {};
	_cleanup_(record_free) struct record rec = {};
	struct akm_error err = {};

	fuzz_secrets();
	if (record_decode(data, len, &rec, &err) < 0) {
		must(err.field[0] && err.reason[0]);
		return 0;
	}
	must(!record_encode(&rec, &again));
	must(again.len == len && !memcmp(again.data, data, len));
	return 0;
}
