// SPDX-License-Identifier: GPL-2.0
/*
 * Many members for an interface, quickly: akmctl would have to be started for each.
 *
 *   crowd INTERFACE FIRST COUNT ADDRESS PORT
 *
 * Member i of FIRST and the following ones has the prefix 10.78.(i / 256).(i % 256)/32, and the
 * endpoint ADDRESS:PORT.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "error.h"
#include "nl.h"

const char usage_text[] = "crowd INTERFACE FIRST COUNT ADDRESS PORT";

static struct msg_member member(uint16_t index, const char *address, uint16_t port)
{
	struct msg_member m = {
		.index = index,
		.n_prefixes = 1,
		.prefixes = { { .addr = { 10, 78, (uint8_t)(index >> 8), (uint8_t)index }, .addr_len = 4, .prefix_len = 32 } },
		.endpoint = { .addr_len = 4, .port = port },
	};

	if (inet_pton(AF_INET, address, m.endpoint.addr) != 1)
		usage();
	snprintf(m.name, sizeof(m.name), "Crowd%u", index);
	return m;
}

int main(int argc, char **argv)
{
	struct akm_error err = {};
	struct event_base *base;
	struct nl *nl = NULL;
	unsigned long first, count;
	int r;

	if (argc != 6)
		usage();
	first = number(argv[2], AKM_INDEX_MAX);
	count = number(argv[3], AKM_INDEX_MAX + 1UL - first);
	base = event_base_new();
	r = base ? nl_open(base, NULL, NULL, NULL, &nl, &err) : -ENOMEM;
	for (unsigned long i = 0; i < count && !r; i++) {
		struct msg_member m = member((uint16_t)(first + i), argv[4], (uint16_t)number(argv[5], UINT16_MAX));

		r = nl_member_set(nl, argv[1], &m, m.endpoint.port, &err);
	}
	if (r < 0)
		fprintf(stderr, "crowd: %s %s\n", strerror(-r), err.reason);
	nl_free(nl);
	if (base)
		event_base_free(base);
	return r < 0;
}
