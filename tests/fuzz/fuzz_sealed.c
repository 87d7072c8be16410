// SPDX-License-Identifier: GPL-2.0
/* A slot of the sealed store under a known key: nothing opens but what was sealed. */
#include "fuzz.h"

#include "../../daemon/sealed.c"

#include "../unit/keystore_fake.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_secret_ struct akm_secret opened = {}, content = {};
	_cleanup_(akm_blob_free) struct akm_blob sealed = {}, raw = {};
	static struct sealed s;
	uint64_t counter = 0;
	size_t at;

	fuzz_secrets();
	if (!s.master.data)
		must(!akm_secret_random(32, &s.master));
	if (len < 3 || len > 4096)
		return 0;
	/* As it is: the key is not the input's */
	must(!akm_blob_dup(data, len, &raw));
	if (len >= sizeof(struct slot_header) + TAG_LEN)
		must(slot_decode(&s, 0, &raw, &counter, &opened) < 0);
	/* Sealed, then changed in one place */
	must(!akm_secret_dup(data + 3, len - 3, &content));
	must(!slot_encode(&s, 1, 7, &content, &sealed));
	at = ((size_t)data[0] << 8 | data[1]) % sealed.len;
	sealed.data[at] ^= data[2];
	if (data[2])
		must(slot_decode(&s, 1, &sealed, &counter, &opened) < 0);
	else
		must(!slot_decode(&s, 1, &sealed, &counter, &opened) && counter == 7 && opened.len == len - 3);
	return 0;
}
