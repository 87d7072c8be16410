// SPDX-License-Identifier: GPL-2.0
#include "packet.h"

#include <inttypes.h>
#include <string.h>

#include <linux/akm.h>

#include "format.h"

#define HEADER_LEN	16
#define VERSION		1
#define SEQUENCE_BITS	40		/* packet number = incarnation (24) | sequence (40) */

static const char *const types[] = {
	[1] = "pair-data", [2] = "group-data", [3] = "hello", [4] = "hello-ack", [5] = "epoch-notice", [6] = "keepalive",
};
#define TYPES		(sizeof(types) / sizeof(types[0]))

static int nibble(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Return: how many bytes @hex has; 0 if it is not what a daemon or kernel says. */
static size_t bytes_of(const char *hex, uint8_t ret[AKM_EVENT_PACKET_MAX])
{
	size_t n = strlen(hex) / 2;

	if (strlen(hex) % 2 || n > AKM_EVENT_PACKET_MAX)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return 0;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return n;
}

static uint64_t be(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	while (len--)
		v = v << 8 | *p++;
	return v;
}

void akm_put_packet(FILE *f, const char *hex, uint64_t len)
{
	uint8_t p[AKM_EVENT_PACKET_MAX];
	size_t n = bytes_of(hex, p);
	uint64_t number;

	fprintf(f, "packet of %" PRIu64 " bytes", len);
	if (n < HEADER_LEN || p[0] >> 4 != VERSION || (p[0] & 0xf) >= TYPES || !types[p[0] & 0xf]) {
		if (n)
			fprintf(f, ": %s%s", hex, n < len ? "..." : "");
		return;
	}
	number = be(p + 8, 8);
	fprintf(f, ": %s of member %" PRIu64 ", key-id 0x%08" PRIx64 ", epoch *%02x, number %" PRIu64 ".%" PRIu64,
		types[p[0] & 0xf], be(p + 2, 2), be(p + 4, 4), p[1], number >> SEQUENCE_BITS,
		number & ((UINT64_C(1) << SEQUENCE_BITS) - 1));
}
