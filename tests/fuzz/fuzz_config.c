// SPDX-License-Identifier: GPL-2.0
/* akmd.conf: accepted whole, or refused with a line and a reason. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* memfd_create */
#endif
#include "fuzz.h"
#include "config.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int fd = -1;
	struct akm_error err = {};
	struct config c = {};
	char path[64];
	int r;

	if (fd < 0)
		fd = memfd_create("akmd.conf", MFD_CLOEXEC);
	must(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, len, 0) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = config_load(path, &c, &err);
	must(r == 0 || (err.field[0] && err.reason[0]));
	if (!r)
		config_free(&c);
	return 0;
}
