// SPDX-License-Identifier: GPL-2.0
/* The identity that a stranger offers in his first TLS message: only the one spelling passes. */
#include "fuzz.h"

#include "../../daemon/link_tls.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[LINK_IDENTITY_MAX] = "", again[LINK_IDENTITY_MAX + 1];
	uint8_t id[AKM_ID_LEN];
	uint64_t n;
	int at;

	if (len >= sizeof(text) || memchr(data, 0, len))
		return 0;
	memcpy(text, data, len);
	if (!identity_parse(text, id, &n))
		return 0;
	at = snprintf(again, sizeof(again), "akm1:");
	for (size_t i = 0; i < sizeof(id); i++)
		at += snprintf(again + at, sizeof(again) - (size_t)at, "%02x", id[i]);
	at += snprintf(again + at, sizeof(again) - (size_t)at, ":%llu:", (unsigned long long)n);
	must(n && !strncmp(text, again, (size_t)at) && strlen(text) == (size_t)at + 32);
	return 0;
}
