/* SPDX-License-Identifier: GPL-2.0 */
/* Small files that are replaced as a whole: after a power cut the old or the new one is there. No secrets. */
#ifndef AKM_DURABLE_H
#define AKM_DURABLE_H

#include "util.h"

/* Mode 0600, fsynced, renamed, directory fsynced. */
int durable_write(const char *path, const void *data, size_t len);
/* Return: 0, -ENOENT, -EFBIG more than @max bytes, … */
int durable_read(const char *path, size_t max, struct akm_blob *ret);
int durable_unlink(const char *path);		/* absent is fine */
int durable_sync_parent(const char *path);	/* the directory that holds @path */

#endif /* AKM_DURABLE_H */
