/* SPDX-License-Identifier: GPL-2.0 */
/* A scratch directory for tests that write files, and small file helpers. Every failure ends the test program. */
#ifndef SUPPORT_DIR_H
#define SUPPORT_DIR_H

#include <stddef.h>

void scratch_make(void);			/* a new, empty directory; one at a time */
void scratch_remove(void);			/* with everything in it */
int scratch_setup(void **state);		/* the two as cmocka wants them */
int scratch_teardown(void **state);
const char *scratch_dir(void);
const char *scratch_path(const char *name);	/* DIR/NAME; valid until the eighth call after it */
void scratch_write(const char *name, const void *data, size_t len);
size_t scratch_read(const char *name, void *buf, size_t size);	/* the whole file, or it ends the program */
size_t scratch_count(const char *name);		/* entries in DIR/NAME, NAME "" for DIR; without . and .. */

#endif /* SUPPORT_DIR_H */
