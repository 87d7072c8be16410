// SPDX-License-Identifier: GPL-2.0
/*
 * TPM2_HMAC with a node's provisioning key, which only the TPM can use; for keysearch.
 *
 *   oracle TCTI RECORD MESSAGE
 *
 * RECORD is the node's provisioning record; prints the HMAC of MESSAGE in hexadecimal.
 */
#include <stdio.h>

#include "keystore.h"
#include "record.h"

#define SECRET_MEMORY	65536

static int hmac(const char *tcti, const struct record *rec, const char *message, struct akm_secret *ret)
{
	struct keystore_config config = {
		.tcti = tcti, .counter_nv = KEYSTORE_COUNTER_NV, .store_nv = KEYSTORE_STORE_NV,
	};
	struct keystore *ks;
	int r;

	r = keystore_open(&config, &ks);
	if (r < 0)
		return r;
	r = keystore_hmac(ks, NULL, &rec->key, message, strlen(message), ret);
	if (r < 0)
		fprintf(stderr, "oracle: %s\n", keystore_strerror(ks));
	keystore_close(ks);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(record_free) struct record rec = {};
	_cleanup_secret_ struct akm_secret mac = {};
	struct akm_error err = {};
	int r;

	if (argc != 4) {
		fprintf(stderr, "usage: oracle TCTI RECORD MESSAGE\n");
		return 2;
	}
	r = akm_secret_init(SECRET_MEMORY);
	r = r ?: record_load(argv[2], &rec, &err);
	r = r ?: hmac(argv[1], &rec, argv[3], &mac);
	if (r < 0) {
		fprintf(stderr, "oracle: %s %s\n", strerror(-r), err.reason);
		return 1;
	}
	for (size_t i = 0; i < mac.len; i++)
		printf("%02x", mac.data[i]);
	printf("\n");
	return 0;
}
