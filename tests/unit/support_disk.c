// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "support_disk.h"

#include <err.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

/* What has been written to a file since it was synced, oldest first */
struct change {
	STAILQ_ENTRY(change) next;
	char *path;
	off_t offset, size_before;
	size_t len, old_len;		/* len 0: truncated to offset */
	unsigned char *new, *old;
};
STAILQ_HEAD(changes, change);

struct file {
	sqlite3_file base;
	char path[512];
	sqlite3_file *real;		/* behind this struct */
};

static struct {
	sqlite3_vfs vfs, *real;
	char dir[400];
	unsigned int steps;
	bool armed, cut;
	struct changes changes;
} disk = { .changes = STAILQ_HEAD_INITIALIZER(disk.changes) };

bool disk_is_cut(void)
{
	return disk.cut;
}

void disk_cut_after(const char *dir, unsigned int steps)
{
	snprintf(disk.dir, sizeof(disk.dir), "%s/", dir);
	disk.steps = steps;
	disk.armed = true;
	disk.cut = false;
}

static bool is_below(const char *path)
{
	return disk.armed && path && !strncmp(path, disk.dir, strlen(disk.dir));
}

/* Return: does this step go through? */
static bool step(const char *path)
{
	if (!is_below(path))
		return true;
	if (!disk.steps)
		disk.cut = true;
	else
		disk.steps--;
	return !disk.cut;
}

static void *must(void *p)
{
	if (!p)
		err(1, "disk");
	return p;
}

/* ---- what has not been synced ---- */

static void change_free(struct change *c)
{
	free(c->path);
	free(c->new);
	free(c->old);
	free(c);
}

static void forget(const char *path)		/* NULL: everything */
{
	struct changes kept = STAILQ_HEAD_INITIALIZER(kept);
	struct change *c;

	while ((c = STAILQ_FIRST(&disk.changes))) {
		STAILQ_REMOVE_HEAD(&disk.changes, next);
		if (path && strcmp(c->path, path))
			STAILQ_INSERT_TAIL(&kept, c, next);
		else
			change_free(c);
	}
	STAILQ_CONCAT(&disk.changes, &kept);
}

static off_t size_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		err(1, "disk: fstat");
	return st.st_size;
}

/* @len bytes at @offset of @path are about to become @new; NULL: to be cut off. */
static void note(const char *path, const void *new, size_t len, off_t offset)
{
	struct change *c = must(calloc(1, sizeof(*c)));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		err(1, "disk: %s", path);
	c->path = must(strdup(path));
	c->offset = offset;
	c->size_before = size_of(fd);
	if (new) {
		c->len = len;
		c->new = must(memcpy(must(malloc(len)), new, len));
	} else {
		len = c->size_before > offset ? (size_t)(c->size_before - offset) : 0;
	}
	c->old = must(malloc(len + 1));
	n = pread(fd, c->old, len, offset);
	if (n < 0)
		err(1, "disk: %s", path);
	c->old_len = (size_t)n;
	close(fd);
	STAILQ_INSERT_TAIL(&disk.changes, c, next);
}

static void put(int fd, const void *data, size_t len, off_t offset)
{
	if (len && pwrite(fd, data, len, offset) != (ssize_t)len)
		err(1, "disk: write");
}

static void undo(const struct change *c)
{
	int fd = open(c->path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;			/* deleted since */
	put(fd, c->old, c->old_len, c->offset);
	if (ftruncate(fd, c->size_before) < 0)
		err(1, "disk: truncate");
	close(fd);
}

static void redo(const struct change *c)
{
	int fd = open(c->path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	put(fd, c->new, c->len, c->offset);
	if (!c->len && ftruncate(fd, c->offset) < 0)
		err(1, "disk: truncate");
	close(fd);
}

static void undo_all(void)
{
	struct changes undone = STAILQ_HEAD_INITIALIZER(undone);
	struct change *c;

	/* the newest first: turn the list around, and around again */
	while ((c = STAILQ_FIRST(&disk.changes))) {
		STAILQ_REMOVE_HEAD(&disk.changes, next);
		STAILQ_INSERT_HEAD(&undone, c, next);
	}
	while ((c = STAILQ_FIRST(&undone))) {
		STAILQ_REMOVE_HEAD(&undone, next);
		undo(c);
		STAILQ_INSERT_HEAD(&disk.changes, c, next);
	}
}

/* Numerical Recipes' generator: any would do, it has to be the same everywhere. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

/* A write is there, or not, or its first half is. */
static void redo_some(uint32_t seed)
{
	struct change *c;

	STAILQ_FOREACH(c, &disk.changes, next) {
		switch (next_random(&seed) % 3) {
		case 0:
			break;
		case 1:
			c->len = c->len > 1 ? c->len / 2 : c->len;
			redo(c);
			break;
		case 2:
			redo(c);
			break;
		}
	}
}

void disk_mend(enum disk_loss loss, uint32_t seed)
{
	if (loss == DISK_POWER) {
		undo_all();
		redo_some(seed);
	}
	forget(NULL);
	disk.armed = false;
	disk.cut = false;
}

/* ---- files ---- */

static sqlite3_file *real(sqlite3_file *f)
{
	return ((struct file *)f)->real;
}

static const char *path_of(sqlite3_file *f)
{
	return ((struct file *)f)->path;
}

static int f_close(sqlite3_file *f)
{
	return real(f)->pMethods->xClose(real(f));
}

static int f_read(sqlite3_file *f, void *buf, int len, sqlite3_int64 offset)
{
	return real(f)->pMethods->xRead(real(f), buf, len, offset);
}

static int f_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 offset)
{
	if (!step(path_of(f)))
		return SQLITE_IOERR_WRITE;
	if (is_below(path_of(f)))
		note(path_of(f), data, (size_t)len, offset);
	return real(f)->pMethods->xWrite(real(f), data, len, offset);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	if (!step(path_of(f)))
		return SQLITE_IOERR_TRUNCATE;
	if (is_below(path_of(f)))
		note(path_of(f), NULL, 0, size);
	return real(f)->pMethods->xTruncate(real(f), size);
}

static int f_sync(sqlite3_file *f, int flags)
{
	if (!step(path_of(f)))
		return SQLITE_IOERR_FSYNC;
	forget(path_of(f));
	return real(f)->pMethods->xSync(real(f), flags);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return real(f)->pMethods->xFileSize(real(f), ret);
}

static int f_lock(sqlite3_file *f, int lock)
{
	return real(f)->pMethods->xLock(real(f), lock);
}

static int f_unlock(sqlite3_file *f, int lock)
{
	return real(f)->pMethods->xUnlock(real(f), lock);
}

static int f_reserved(sqlite3_file *f, int *ret)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), ret);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

/* Writes may be torn: none of what SQLite could spare itself on better disks is promised. */
static int f_characteristics(sqlite3_file *f)
{
	(void)f;
	return 0;
}

/* Version 1: no shared memory. The store's lock is exclusive, and needs none. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = f_close,
	.xRead = f_read,
	.xWrite = f_write,
	.xTruncate = f_truncate,
	.xSync = f_sync,
	.xFileSize = f_size,
	.xLock = f_lock,
	.xUnlock = f_unlock,
	.xCheckReservedLock = f_reserved,
	.xFileControl = f_control,
	.xSectorSize = f_sector,
	.xDeviceCharacteristics = f_characteristics,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct file *file = (struct file *)f;
	int r;

	(void)vfs;
	memset(file, 0, sizeof(*file));
	file->real = (sqlite3_file *)(file + 1);
	snprintf(file->path, sizeof(file->path), "%s", name ? name : "");
	r = disk.real->xOpen(disk.real, name, file->real, flags, ret_flags);
	if (r == SQLITE_OK)
		file->base.pMethods = &methods;
	return r;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	(void)vfs;
	if (!step(name))
		return SQLITE_IOERR_DELETE;
	forget(name);
	return disk.real->xDelete(disk.real, name, sync_dir);
}

void disk_begin(void)
{
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.zName = "akm-disk";
	disk.vfs.szOsFile = (int)sizeof(struct file) + disk.real->szOsFile;
	disk.vfs.xOpen = v_open;
	disk.vfs.xDelete = v_delete;
	if (sqlite3_vfs_register(&disk.vfs, 1) != SQLITE_OK)
		errx(1, "disk: SQLite does not take it");
}

void disk_end(void)
{
	forget(NULL);
	sqlite3_vfs_unregister(&disk.vfs);
	sqlite3_vfs_register(disk.real, 1);
}
