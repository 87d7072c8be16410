// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE			/* O_PATH */
#include "../include/akm-hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../include/akm-policy.h"

__attribute__((format(printf, 3, 4)))
static int refuse(char *reason, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, HOOK_REASON_LEN, fmt, ap);
	va_end(ap);
	return r;
}

/* Who may write it decides what is run. */
static int check_owner(const struct stat *st, bool sticky_is_fine, const char *shown, char *reason)
{
	if (st->st_uid)
		return refuse(reason, -EPERM, "%.120s belongs to user %u, not to root", shown, st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH) && !(sticky_is_fine && st->st_mode & S_ISVTX))
		return refuse(reason, -EPERM, "%.120s may be written by its group or by others (mode %04o)", shown,
			      st->st_mode & 07777);
	return 0;
}

static int look(int at, const char *name, const char *shown, struct stat *ret, char *reason)
{
	int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), r;

	if (fd < 0)
		return refuse(reason, -errno, "%.120s: %s", shown, strerror(errno));
	if (fstat(fd, ret) < 0)
		r = refuse(reason, -errno, "%.120s: %s", shown, strerror(errno));
	else if (S_ISLNK(ret->st_mode))
		r = refuse(reason, -ELOOP, "%.120s is a symbolic link", shown);
	else
		return fd;
	close(fd);
	return r;
}

static int open_directory(int at, const char *name, const char *shown, bool last, char *reason)
{
	struct stat st = {};
	int fd = look(at, name, shown, &st, reason), r;

	if (fd < 0)
		return fd;
	r = S_ISDIR(st.st_mode) ? check_owner(&st, !last, shown, reason) :
				  refuse(reason, -ENOTDIR, "%.120s is no directory", shown);
	if (!r)
		return fd;
	close(fd);
	return r;
}

/* One name after the other, so that each is looked at: whoever may rename one of them decides as well. */
static int walk(const char *directory, char *reason)
{
	char path[PATH_MAX], shown[PATH_MAX], *name = path, *end;
	int fd, next;
	bool last;

	if (directory[0] != '/' || strlen(directory) >= sizeof(path))
		return refuse(reason, -EINVAL, "%.120s is not an absolute path", directory);
	strcpy(path, directory);
	strcpy(shown, directory);
	for (end = path + strlen(path); end > path + 1 && end[-1] == '/'; )
		*--end = '\0';
	fd = open_directory(AT_FDCWD, "/", "/", !path[1], reason);
	while (fd >= 0 && *(name += strspn(name, "/"))) {
		end = name + strcspn(name, "/");
		last = !*end;
		*end = shown[end - path] = '\0';
		next = open_directory(fd, name, shown, last, reason);
		close(fd);
		fd = next;
		shown[end - path] = last ? '\0' : '/';
		name = end + !last;
	}
	return fd;
}

static int check_program(const struct stat *st, const char *shown, char *reason)
{
	if (!S_ISREG(st->st_mode))
		return refuse(reason, -EACCES, "%.120s is no regular file", shown);
	if (!(st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return refuse(reason, -EACCES, "%.120s may be executed by nobody (mode %04o)", shown, st->st_mode & 07777);
	return check_owner(st, false, shown, reason);
}

int hookfile_open(const char *directory, const char *name, char ret_reason[HOOK_REASON_LEN])
{
	char shown[PATH_MAX + POLICY_NAME_LEN + 1];
	struct stat st = {};
	int at, fd, r;

	if (!policy_hook_name_ok(name))
		return refuse(ret_reason, -EINVAL, "\"%.40s\" cannot be the name of a program", name);
	at = walk(directory, ret_reason);
	if (at < 0)
		return at;
	snprintf(shown, sizeof(shown), "%s/%s", directory, name);
	fd = look(at, name, shown, &st, ret_reason);
	close(at);
	if (fd < 0)
		return fd;
	r = check_program(&st, shown, ret_reason);
	if (!r)
		return fd;
	close(fd);
	return r;
}
