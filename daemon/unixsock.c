// SPDX-License-Identifier: GPL-2.0
#include "unixsock.h"

#include <errno.h>
#include <sys/stat.h>

int unixsock_listen(int fd, const struct sockaddr_un *a, int backlog)
{
	if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 || chmod(a->sun_path, 0600) < 0)
		return -errno;
	return listen(fd, backlog) < 0 ? -errno : 0;
}
