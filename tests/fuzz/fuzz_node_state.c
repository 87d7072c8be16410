// SPDX-License-Identifier: GPL-2.0
/* What a node finds in its sealed store, once it is unsealed. */
#include "fuzz.h"
#include "node_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_secret_ struct akm_secret content = {};
	struct node_state s = {};
	struct akm_error err = {};

	fuzz_secrets();
	if (len > 65536)
		return 0;
	must(!akm_secret_dup(data, len, &content));
	if (node_state_decode(&content, &s, &err) < 0)
		must(err.field[0] && err.reason[0]);
	node_state_clear(&s);
	return 0;
}
