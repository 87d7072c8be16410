// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "support_dir.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[256];

void scratch_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.200s/akm-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		err(1, "mkdtemp %s", dir);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void scratch_remove(void)
{
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		err(1, "remove %s", dir);
}

int scratch_setup(void **state)
{
	(void)state;
	scratch_make();
	return 0;
}

int scratch_teardown(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

const char *scratch_dir(void)
{
	return dir;
}

const char *scratch_path(const char *name)
{
	static char path[8][PATH_MAX];
	static unsigned int turn;
	char *p = path[turn++ % 8];

	snprintf(p, PATH_MAX, "%s%s%s", dir, *name ? "/" : "", name);
	return p;
}

void scratch_write(const char *name, const void *data, size_t len)
{
	int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || close(fd) < 0)
		err(1, "write %s", name);
}

size_t scratch_read(const char *name, void *buf, size_t size)
{
	int fd = open(scratch_path(name), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		err(1, "open %s", name);
	n = read(fd, buf, size);
	if (n < 0 || (size_t)n == size)
		errx(1, "read %s: %zd of %zu bytes", name, n, size);
	close(fd);
	return (size_t)n;
}

size_t scratch_count(const char *name)
{
	DIR *d = opendir(scratch_path(name));
	struct dirent *e;
	size_t n = 0;

	if (!d)
		err(1, "opendir %s", name);
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}
