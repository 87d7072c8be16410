/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames of the provisioning exchange on a byte stream that may carry noise (a
 * serial line with a boot loader's last words on it):
 *
 *   "AKM1" | be32 exchange | be16 type | be16 length | payload | be32 CRC-32C of all before
 *
 * The exchange number, which its issuer picks, tells the frames of an exchange
 * that was cut from those of the next. The CRC is against accidents only. Pure.
 */
#ifndef AKM_FRAME_H
#define AKM_FRAME_H

#include "bounds.h"
#include "util.h"

#define FRAME_HEAD	12
#define FRAME_TAIL	4
#define FRAME_MAX	(FRAME_HEAD + FRAME_PAYLOAD_MAX + FRAME_TAIL)

struct frame {
	uint32_t exchange;
	uint16_t type;
	const uint8_t *payload;		/* a view */
	size_t len;
};

/* Return: 0, -EMSGSIZE, -ENOMEM. */
int frame_encode(const struct frame *f, struct akm_blob *ret);

struct frame_reader {
	uint8_t buf[FRAME_MAX];
	size_t len;			/* in @buf */
	size_t used;			/* of the frame that was given out last */
	uint64_t noise;			/* bytes thrown away since the last good frame */
};

/* Where to put what comes next, and how much of it. */
uint8_t *frame_room(struct frame_reader *r, size_t *ret_len);
void frame_filled(struct frame_reader *r, size_t len);
/* Return: true with the next frame, which is valid until the next call; false: more bytes are needed. */
bool frame_next(struct frame_reader *r, struct frame *ret);
/* Is there the beginning of a frame? */
bool frame_partial(const struct frame_reader *r);
/* The rest of it does not come: look for another one behind its first byte. */
void frame_give_up(struct frame_reader *r);

uint32_t frame_crc32c(const void *p, size_t len);

#endif /* AKM_FRAME_H */
