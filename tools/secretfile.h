/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Secrets come from files or from standard input, never from an argument.
 * They live in pages of their own: locked where the limit allows it, left out of
 * core dumps, wiped before they are given back.
 */
#ifndef AKMCTL_SECRETFILE_H
#define AKMCTL_SECRETFILE_H

#include <stddef.h>
#include <stdint.h>

#include <linux/akm.h>

#include "error.h"

struct akm_pages {
	uint8_t *p;
	size_t len;			/* in use */
	size_t room;
};

int akm_pages_new(size_t room, struct akm_pages *ret, struct akm_error *e);
void akm_pages_free(struct akm_pages *pages);

struct akm_pair {
	uint16_t index;
	uint8_t chain[AKM_CHAIN_LEN];
};

/* @pages holds n struct akm_pair. */
static inline size_t akm_pairs_n(const struct akm_pages *pages)
{
	return pages->len / sizeof(struct akm_pair);
}

static inline const struct akm_pair *akm_pairs(const struct akm_pages *pages)
{
	return (const struct akm_pair *)(const void *)pages->p;
}

/* 32 raw bytes, or 64 hexadecimal digits and a newline. */
int akm_chain_parse(const uint8_t *data, size_t len, struct akm_pages *ret, struct akm_error *e);
/* Lines "INDEX HEXADECIMAL"; empty ones and those that begin with # are skipped. */
int akm_pairs_parse(const uint8_t *data, size_t len, struct akm_pages *ret, struct akm_error *e);

/* @path "-" is standard input. */
int akm_chain_read(const char *path, struct akm_pages *ret, struct akm_error *e);
int akm_pairs_read(const char *path, struct akm_pages *ret, struct akm_error *e);

#endif /* AKMCTL_SECRETFILE_H */
