// SPDX-License-Identifier: GPL-2.0
/*
 * The frame reader, fed in pieces of any size: a frame that comes out was in the
 * input as such, and no byte is lost or counted twice.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* memmem */
#endif
#include "fuzz.h"
#include "frame.h"

static void check(const struct frame *f, const uint8_t *data, size_t len)
{
	_cleanup_(akm_blob_free) struct akm_blob raw = {};

	must(f->len <= FRAME_PAYLOAD_MAX);
	must(!frame_encode(f, &raw));
	must(memmem(data, len, raw.data, raw.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct frame_reader r;
	size_t at = 0, room, n, piece = 1;
	struct frame f;

	r = (struct frame_reader) {};
	while (at < len) {
		uint8_t *to = frame_room(&r, &room);

		must(room > 0);
		piece = piece * 7 % 251 + 1;
		n = len - at < piece ? len - at : piece;
		if (n > room)
			n = room;
		memcpy(to, data + at, n);
		frame_filled(&r, n);
		at += n;
		while (frame_next(&r, &f))
			check(&f, data, len);
		must(r.noise + r.len <= at);
	}
	while (frame_partial(&r)) {
		frame_give_up(&r);
		while (frame_next(&r, &f))
			check(&f, data, len);
	}
	must(!frame_next(&r, &f));
	return 0;
}
