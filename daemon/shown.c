// SPDX-License-Identifier: GPL-2.0
#include "shown.h"

#include <limits.h>

#include "durable.h"

#define SHOWN_MAX	16		/* decimal digits of a u32, and a newline */

/* What cannot be read might have been anything: then no number is new any more. */
static uint32_t parse(const struct akm_blob *b)
{
	char text[SHOWN_MAX + 1] = "", *end;
	unsigned long v;

	memcpy(text, b->data, b->len < SHOWN_MAX ? b->len : SHOWN_MAX);
	errno = 0;
	v = strtoul(text, &end, 10);
	return end == text || *end != '\n' || errno || v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

int shown_raise(const char *store, uint32_t atr_id, uint32_t number, uint32_t *ret_before)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	char path[PATH_MAX], text[SHOWN_MAX];
	uint32_t before = 0;
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s-shown-%u", store, atr_id) >= sizeof(path))
		return -ENAMETOOLONG;
	r = durable_read(path, SHOWN_MAX, &b);
	if (r < 0 && r != -ENOENT && r != -EFBIG)
		return r;
	if (!r)
		before = parse(&b);
	else if (r == -EFBIG)
		before = UINT32_MAX;
	if (before < number) {
		int len = snprintf(text, sizeof(text), "%u\n", number);

		r = durable_write(path, text, (size_t)len);
		if (r < 0)
			return r;
	}
	*ret_before = before;
	return 0;
}
