/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the packets of a batch are opened: one behind the other in one buffer, and so that
 * the payload of each follows that of the one before, as if they were one packet's.
 *
 *	... payload of 1 | payload of 2 | payload of 3
 *	   headers of 2 ^^       ^^ headers of 3
 *
 * The headers of a packet lie on the end of what is there already, which is put aside
 * while they are looked at. Pure.
 */
#ifndef _AKM_TRACK_H
#define _AKM_TRACK_H

#include <linux/types.h>
#include "gso.h"
#include "proto.h"

/* AKM's header, and those of the inner packet */
#define AKM_LENT_MAX	(sizeof(struct akm_header) + AKM_GSO_HEADER_MAX)

struct akm_track {
	void *buffer;			/* an akm_buffer, with a reference; NULL: none yet */
	u8 *end;			/* of what was kept */
	unsigned int room;		/* behind it */
	unsigned int lent;		/* so many bytes before it are put aside */
	u8 aside[AKM_LENT_MAX];
};

/**
 * akm_track_lay() - a place for the next packet
 * @track: nothing is lent
 * @len: of the packet
 * @lent: so many of its first bytes, at most AKM_LENT_MAX, may lie on the end of what was
 *	kept, if as many were
 * @more: length of all that are to come, this one included
 *
 * Context: BH disabled.
 * Return: @len bytes with a reference on their buffer, which is the caller's, or NULL.
 */
u8 *akm_track_lay(struct akm_track *track, unsigned int len, unsigned int lent,
		  unsigned int more);
/* What the packet lies on is again as it was. */
void akm_track_give_back(struct akm_track *track);
/* The packet stays, up to @end. Nothing is lent. */
void akm_track_keep(struct akm_track *track, u8 *end);
/* There is no track any more. */
void akm_track_free(struct akm_track *track);

#endif /* _AKM_TRACK_H */
