// SPDX-License-Identifier: GPL-2.0
#include "track.h"

#include <linux/string.h>
#include "buffer.h"

/* Begin anew. Where memory is short a place for one packet may still be had. */
static bool refill(struct akm_track *track, unsigned int len, unsigned int more)
{
	unsigned int size = clamp_t(unsigned int, more, len, AKM_BUFFER_MAX);

	akm_track_free(track);
	track->buffer = akm_buffer_alloc(size);
	if (!track->buffer) {
		size = len;
		track->buffer = akm_buffer_alloc(size);
	}
	track->end = track->buffer;
	track->room = size;
	return track->buffer;
}

u8 *akm_track_lay(struct akm_track *track, unsigned int len, unsigned int lent,
		  unsigned int more)
{
	unsigned int gap;
	u8 *end;

	/* the buffer before this one may end where this one begins */
	if (lent > track->end - (u8 *)track->buffer)
		lent = 0;
	end = lent ? track->end : PTR_ALIGN(track->end, SMP_CACHE_BYTES);
	gap = end - track->end;
	if (!track->buffer || len + gap > track->room + lent) {
		if (len > AKM_BUFFER_MAX || !refill(track, len, more))
			return NULL;
		lent = 0;
	} else {
		track->end = end;
		track->room -= gap;
	}
	track->lent = lent;
	memcpy(track->aside, track->end - lent, lent);
	akm_buffer_get(track->buffer);
	return track->end - lent;
}

void akm_track_give_back(struct akm_track *track)
{
	memcpy(track->end - track->lent, track->aside, track->lent);
	track->lent = 0;
}

void akm_track_keep(struct akm_track *track, u8 *end)
{
	if (!track->buffer)
		return;
	track->room -= end - track->end;
	track->end = end;
}

void akm_track_free(struct akm_track *track)
{
	if (track->buffer)
		akm_buffer_free(track->buffer);
	track->buffer = NULL;
}
