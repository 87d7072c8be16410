// SPDX-License-Identifier: GPL-2.0
#include "durable.h"

#include <fcntl.h>
#include <limits.h>

int durable_sync_parent(const char *path)
{
	_cleanup_close_ int fd = -1;
	char dir[PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	else
		snprintf(dir, sizeof(dir), ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int durable_write(const char *path, const void *data, size_t len)
{
	_cleanup_close_ int fd = -1;
	char tmp[PATH_MAX];
	int r;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (!r && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return r;
	}
	return durable_sync_parent(path);
}

int durable_read(const char *path, size_t max, struct akm_blob *ret)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	b.data = malloc(max + 1);
	if (!b.data)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, b.data + b.len, max + 1 - b.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		b.len += (size_t)n;
		if (b.len > max)
			return -EFBIG;
	}
	*ret = b;
	b = (struct akm_blob){};
	return 0;
}

int durable_unlink(const char *path)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return durable_sync_parent(path);
}
