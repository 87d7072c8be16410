// SPDX-License-Identifier: GPL-2.0
#include "frame.h"

static const uint8_t magic[4] = { 'A', 'K', 'M', '1' };

/* CRC-32C (Castagnoli): RFC 3720, appendix B.4; polynomial 0x1edc6f41, reflected, by half bytes. */
uint32_t frame_crc32c(const void *p, size_t len)
{
	static const uint32_t half[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const uint8_t *b = p;
	uint32_t crc = ~0U;

	for (size_t i = 0; i < len; i++) {
		crc ^= b[i];
		crc = crc >> 4 ^ half[crc & 15];
		crc = crc >> 4 ^ half[crc & 15];
	}
	return ~crc;
}

static void put_be(uint8_t *p, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

static uint32_t get_be(const uint8_t *p, size_t bytes)
{
	uint32_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

int frame_encode(const struct frame *f, struct akm_blob *ret)
{
	size_t body = FRAME_HEAD + f->len;
	uint8_t *p;

	if (f->len > FRAME_PAYLOAD_MAX)
		return -EMSGSIZE;
	p = malloc(body + FRAME_TAIL);
	if (!p)
		return -ENOMEM;
	memcpy(p, magic, sizeof(magic));
	put_be(p + 4, f->exchange, 4);
	put_be(p + 8, f->type, 2);
	put_be(p + 10, f->len, 2);
	if (f->len)
		memcpy(p + FRAME_HEAD, f->payload, f->len);
	put_be(p + body, frame_crc32c(p, body), 4);
	*ret = (struct akm_blob) { p, body + FRAME_TAIL };
	return 0;
}

static void drop(struct frame_reader *r, size_t n)
{
	memmove(r->buf, r->buf + n, r->len - n);
	r->len -= n;
}

/* Throws away what cannot be the beginning of a frame. */
static void align(struct frame_reader *r)
{
	size_t i, n;

	for (i = 0; i < r->len; i++) {
		n = r->len - i < sizeof(magic) ? r->len - i : sizeof(magic);
		if (!memcmp(r->buf + i, magic, n))
			break;
	}
	r->noise += i;
	drop(r, i);
}

uint8_t *frame_room(struct frame_reader *r, size_t *ret_len)
{
	drop(r, r->used);
	r->used = 0;
	*ret_len = sizeof(r->buf) - r->len;
	return r->buf + r->len;
}

void frame_filled(struct frame_reader *r, size_t len)
{
	r->len += len;
}

void frame_give_up(struct frame_reader *r)
{
	if (!r->len)
		return;
	drop(r, 1);
	r->noise++;
	align(r);
}

bool frame_partial(const struct frame_reader *r)
{
	return r->len > r->used;
}

bool frame_next(struct frame_reader *r, struct frame *ret)
{
	size_t len, body;

	drop(r, r->used);
	r->used = 0;
	for (;; frame_give_up(r)) {
		align(r);
		if (r->len < FRAME_HEAD)
			return false;
		len = get_be(r->buf + 10, 2);
		if (len > FRAME_PAYLOAD_MAX)
			continue;
		body = FRAME_HEAD + len;
		if (r->len < body + FRAME_TAIL)
			return false;
		if (get_be(r->buf + body, 4) == frame_crc32c(r->buf, body))
			break;
	}
	*ret = (struct frame) { get_be(r->buf + 4, 4), (uint16_t)get_be(r->buf + 8, 2), r->buf + FRAME_HEAD, len };
	r->used = body + FRAME_TAIL;
	r->noise = 0;
	return true;
}
