// SPDX-License-Identifier: GPL-2.0
/* Provisioning payloads; the first byte is the frame's type. */
#include "fuzz.h"
#include "provision_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(akm_blob_free) struct akm_blob again = {};
	_cleanup_provision_msg_ struct provision_msg m = {};
	struct akm_error err = {};
	int r;

	fuzz_secrets();
	if (!len || len > FRAME_PAYLOAD_MAX)
		return 0;
	r = provision_msg_decode(data[0], data + 1, len - 1, &m, &err);
	if (r < 0) {
		must(r == -EBADMSG && err.field[0] && err.reason[0]);
		return 0;
	}
	must(!provision_msg_encode(&m, &again));
	must(again.len == len - 1 && !memcmp(again.data, data + 1, len - 1));
	return 0;
}
