// SPDX-License-Identifier: GPL-2.0
#include "unixsock.h"

#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

int unixsock_listen(int fd, const struct sockaddr_un *a, int backlog)
{
	if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 || chmod(a->sun_path, 0600) < 0)
		return -errno;
	return listen(fd, backlog) < 0 ? -errno : 0;
}

static int prepare_dir(const char *path, const char *field, struct akm_error *err)
{
	char copy[PATH_MAX];
	struct stat st;
	char *dir;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return akm_error_set(err, -errno, field, "%s cannot be made: %s", dir, strerror(errno));
	if (stat(dir, &st) < 0)
		return akm_error_set(err, -errno, field, "%s: %s", dir, strerror(errno));
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || ((st.st_mode & 022) && !(st.st_mode & S_ISVTX)))
		return akm_error_set(err, -EPERM, field, "others may write to %s", dir);
	return 0;
}

static int try_connect(const struct sockaddr_un *un)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	return connect(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 ? -errno : 0;
}

/* What lies at the path goes only if it is a socket that refuses: its owner has died. */
static int clear_path(const struct sockaddr_un *un, const char *field, struct akm_error *err)
{
	struct stat st;
	int r;

	if (lstat(un->sun_path, &st) < 0)
		return errno == ENOENT ? 0
				       : akm_error_set(err, -errno, field, "%s: %s",
						       un->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return akm_error_set(err, -EEXIST, field, "%s is there and is no socket", un->sun_path);
	r = try_connect(un);
	if (r != -ECONNREFUSED)
		return akm_error_set(err, -EADDRINUSE, field, "%s is served by another process", un->sun_path);
	return unlink(un->sun_path) < 0
		       ? akm_error_set(err, -errno, field, "%s: %s", un->sun_path, strerror(errno))
		       : 0;
}

int unixsock_serve(const char *path, const char *field, int backlog, struct unixsock_place *ret, int *ret_fd,
		   struct akm_error *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (strlen(path) >= sizeof(un.sun_path))
		return akm_error_set(err, -ENAMETOOLONG, field, "%s is longer than %zu bytes",
				     path, sizeof(un.sun_path) - 1);
	strcpy(un.sun_path, path);
	r = prepare_dir(path, field, err);
	r = r ?: clear_path(&un, field, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? -errno : unixsock_listen(fd, &un, backlog);
	if (!r && lstat(path, &st) < 0)
		r = -errno;
	if (r < 0)
		return akm_error_set(err, r, field, "%s: %s", path, strerror(-r));
	strcpy(ret->path, path);
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void unixsock_withdraw(const struct unixsock_place *p)
{
	struct stat st;

	if (p->path[0] && lstat(p->path, &st) == 0 && st.st_dev == p->dev && st.st_ino == p->ino)
		unlink(p->path);
}
