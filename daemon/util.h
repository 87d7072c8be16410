/* SPDX-License-Identifier: GPL-2.0 */
/* Small helpers that every file may use. Knows no sibling. */
#ifndef AKM_UTIL_H
#define AKM_UTIL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(fn)	__attribute__((cleanup(fn)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define sizeof_field(type, field) sizeof(((type *)0)->field)

static inline void freep(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_	_cleanup_(freep)

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_close_	_cleanup_(closep)

#define TAKE_PTR(p)	({ __typeof__(p) _p = (p); (p) = NULL; _p; })
#define TAKE_FD(fd)	({ int _fd = (fd); (fd) = -1; _fd; })

/* An owned byte string. Not for secrets: see secret.h. */
struct akm_blob {
	uint8_t *data;
	size_t len;
};

static inline void akm_blob_free(struct akm_blob *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
}

/* Return: 0 or -ENOMEM. */
static inline int akm_blob_dup(const void *data, size_t len, struct akm_blob *ret)
{
	uint8_t *p = malloc(len ? len : 1);

	if (!p)
		return -ENOMEM;
	if (len)
		memcpy(p, data, len);
	ret->data = p;
	ret->len = len;
	return 0;
}

#define AKM_ID_LEN	16		/* provisioning ATR ID, node identity nonce */
#define AKM_DIGEST_LEN	32		/* SHA-256 */
#define AKM_KEY_LEN	32
#define AKM_NAME_LEN	64		/* with the final NUL; AKM_NAME_MAX of the uapi header + 1 */

/*
 * Why something was refused, for a person: which field, and the reason.
 * Functions that parse or check take one and fill it only when they fail.
 */
struct akm_error {
	char field[64];
	char reason[192];
};

__attribute__((format(printf, 4, 5)))
static inline int akm_error_set(struct akm_error *e, int r, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		snprintf(e->field, sizeof(e->field), "%s", field);
		va_start(ap, fmt);
		vsnprintf(e->reason, sizeof(e->reason), fmt, ap);
		va_end(ap);
	}
	return r;
}

#endif /* AKM_UTIL_H */
