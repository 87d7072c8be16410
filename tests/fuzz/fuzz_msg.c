// SPDX-License-Identifier: GPL-2.0
/* Link messages: what is accepted is exactly the encoding of what it means; what is refused names a field. */
#include "fuzz.h"
#include "msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_secret_ struct akm_secret again = {};
	_cleanup_msg_ struct msg m = {};
	struct akm_error err = {};
	int r;

	fuzz_secrets();
	r = msg_decode(data, len, &m, &err);
	if (r < 0) {
		must(r == -ENOMEM || (r == -EBADMSG && err.field[0] && err.reason[0]));
		return 0;
	}
	must(!msg_encode(&m, &again));
	must(again.len == len && !memcmp(again.data, data, len));
	return 0;
}
