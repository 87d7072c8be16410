/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An AKM packet inside an Ethernet frame, for the programs of the VM lane. Written
 * from Documentation/protocol.rst alone: it shares no code with the module.
 */
#ifndef AKM_TEST_PACKET_H
#define AKM_TEST_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX	65600
#define PACKET_HEADER	16
#define PACKET_TAG	16

struct packet {
	uint8_t *ip;		/* IP header, inside the frame */
	uint8_t *udp;
	uint8_t *payload;	/* AKM header */
	size_t len;		/* of the payload */
	bool v6;
	uint8_t dst[16];	/* outer destination; IPv4 in the first four bytes */
	uint16_t port;		/* UDP destination */
};

/* Return: whether @frame is an unfragmented UDP datagram with a payload. */
bool packet_parse(uint8_t *frame, size_t len, struct packet *ret);

/* After the payload was changed, or cut to p->len: lengths and checksums. Return: new frame length. */
size_t packet_finish(uint8_t *frame, struct packet *p);

static inline uint16_t get16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t get32(const uint8_t *b)
{
	return (uint32_t)get16(b) << 16 | get16(b + 2);
}

static inline uint64_t get64(const uint8_t *b)
{
	return (uint64_t)get32(b) << 32 | get32(b + 4);
}

static inline void put16(uint8_t *b, uint16_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void put64(uint8_t *b, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		b[i] = (uint8_t)v;
}

#endif /* AKM_TEST_PACKET_H */
