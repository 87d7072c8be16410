/* SPDX-License-Identifier: GPL-2.0 */
/* The "backup" command of root and manager, whole: a copy of the database while it is in use, for operations.rst's drill. */
#ifndef AKM_BACKUP_H
#define AKM_BACKUP_H

#include "ctl.h"
#include "evidence.h"
#include "store.h"

#define BACKUP_ARGS { { "path", CTL_STRING, true } }

/* Answered when the copy is on the disk: until then nothing else is done, some milliseconds for each megabyte. */
void backup_ctl(struct store *s, struct evidence *e, struct ctl_request *req, struct json_object *args);

#endif /* AKM_BACKUP_H */
