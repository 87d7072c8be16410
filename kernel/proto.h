/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Wire format of an AKM packet (the payload of a UDP datagram) and every limit
 * of the data path. Documentation/protocol.rst, "Packet". Knows no sibling.
 */
#ifndef _AKM_PROTO_H
#define _AKM_PROTO_H

#include <linux/types.h>
#include <linux/build_bug.h>
#include <asm/byteorder.h>

#define AKM_PROTO_VERSION	1

enum akm_packet_type {
	AKM_PACKET_PAIR = 1,		/* data under the pair key of (sender, receiver) */
	AKM_PACKET_GROUP = 2,		/* data under the sender's group key */
	/* 3 hello, 4 hello-ack, 5 epoch notice, 6 keepalive */
};

/* All of it is additional authenticated data. Network byte order. */
struct akm_header {
	u8 vertype;			/* version in the high, type in the low four bits */
	u8 epoch;			/* low byte of the 64-bit epoch */
	__be16 sender;			/* member index */
	__be32 key_id;			/* names the generation */
	__be64 packet_number;		/* incarnation (24) | sequence (40) */
} __packed;
static_assert(sizeof(struct akm_header) == 16);

#define AKM_TAG_LEN		16
#define AKM_OVERHEAD		(sizeof(struct akm_header) + AKM_TAG_LEN)	/* 32 */
#define AKM_NONCE_LEN		12
#define AKM_KEY_MAX		32

#define AKM_SEQUENCE_BITS	40
#define AKM_SEQUENCE_MAX	((1ULL << AKM_SEQUENCE_BITS) - 1)
#define AKM_REPLAY_WINDOW	2048	/* packets; power of two, multiple of BITS_PER_LONG */

static inline u8 akm_vertype(enum akm_packet_type type)
{
	return AKM_PROTO_VERSION << 4 | type;
}

static inline enum akm_packet_type akm_header_type(const struct akm_header *header)
{
	return header->vertype & 0xf;
}

static inline u64 akm_packet_number(u32 incarnation, u64 sequence)
{
	return (u64)incarnation << AKM_SEQUENCE_BITS | sequence;
}

/* RFC 5116 section 3.2 style: derived IV XOR (0^32 | packet number) */
static inline void akm_nonce(u8 nonce[AKM_NONCE_LEN], const u8 iv[AKM_NONCE_LEN],
			     u64 packet_number)
{
	int i;

	for (i = 0; i < AKM_NONCE_LEN; i++)
		nonce[i] = iv[i];
	for (i = 0; i < 8; i++)
		nonce[4 + i] ^= packet_number >> (56 - 8 * i);
}

#endif /* _AKM_PROTO_H */
