/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Secrets live in one locked, guarded, undumpable region (OpenSSL's secure heap:
 * mlock, guard pages, MADV_DONTDUMP) and are wiped when freed. P8.
 */
#ifndef AKM_SECRET_H
#define AKM_SECRET_H

#include "util.h"

struct akm_secret {
	uint8_t *data;			/* owned; in the secure heap */
	size_t len;
};

/* Once, before any other call, before privileges drop. @bytes: a power of two. Return: 0, -EPERM (memlock limit), -ENOMEM. */
int akm_secret_init(size_t bytes);
bool akm_secret_scarce(void);		/* less than a quarter of the region is free: what can wait should */
/* Releases the region, unless OpenSSL's random generator still has its state in it. */
void akm_secret_exit(void);

int akm_secret_new(size_t len, struct akm_secret *ret);			/* zero filled */
int akm_secret_dup(const void *data, size_t len, struct akm_secret *ret);
int akm_secret_random(size_t len, struct akm_secret *ret);		/* RAND_priv_bytes */
void akm_secret_free(struct akm_secret *s);				/* wipes; NULL and empty are fine */
#define _cleanup_secret_ _cleanup_(akm_secret_free)
static inline struct akm_secret akm_secret_take(struct akm_secret *s)
{
	struct akm_secret r = *s;

	s->data = NULL;
	s->len = 0;
	return r;
}

#endif /* AKM_SECRET_H */
