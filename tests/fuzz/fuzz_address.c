// SPDX-License-Identifier: GPL-2.0
/* "ADDRESS:PORT" of configurations and grants: no name is ever looked up, and what passes has an address. */
#include "fuzz.h"
#include "link_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sockaddr_storage a = {};
	struct akm_error err = {};
	char text[256] = "";
	socklen_t n = 0;
	int r;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, data, len);
	r = link_address(text, &a, &n, &err);
	must(r == 0 || (r == -EINVAL && err.reason[0]));
	if (!r)
		must((a.ss_family == AF_INET && n == sizeof(struct sockaddr_in)) ||
		     (a.ss_family == AF_INET6 && n == sizeof(struct sockaddr_in6)));
	return 0;
}
