/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk under SQLite that stops in the midst of what it does: a VFS in front of the system's, default while it
 * is there. What is written below one directory is counted, and after so many steps nothing goes through any more.
 * Then the process died and the kernel finished what it had been given, or the power went, and what had not been
 * synced is there, is not, or is in part, each write for itself.
 *
 * A step is a write, a truncation, a sync or a deletion. A file's name appears and vanishes at once: that a
 * directory has to be synced as well is left to SQLite's own tests.
 */
#ifndef SUPPORT_DISK_H
#define SUPPORT_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum disk_loss { DISK_KILLED, DISK_POWER };

void disk_begin(void);			/* before the first database is opened */
void disk_end(void);			/* after the last was closed */
/* The next @steps steps below @dir, an absolute path, go through: then no more. One directory at a time. */
void disk_cut_after(const char *dir, unsigned int steps);
bool disk_is_cut(void);
/* Nobody has anything below the directory open. What a power cut leaves is chosen by @seed. Goes on as usual. */
void disk_mend(enum disk_loss loss, uint32_t seed);

#endif /* SUPPORT_DISK_H */
