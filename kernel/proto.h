/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Wire format of an AKM packet (the payload of a UDP datagram) and every limit
 * of the data path. Documentation/protocol.rst, "Packet". Knows no sibling.
 */
#ifndef _AKM_PROTO_H
#define _AKM_PROTO_H

#include <linux/types.h>
#include <linux/build_bug.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#define AKM_PROTO_VERSION	1

enum akm_packet_type {
	AKM_PACKET_PAIR = 1,		/* data under the pair key of (sender, receiver) */
	AKM_PACKET_GROUP = 2,		/* data under the sender's group key */
	AKM_PACKET_HELLO = 3,		/* under the pair key: struct akm_hello */
	AKM_PACKET_HELLO_ACK = 4,	/* likewise: struct akm_hello_ack */
	AKM_PACKET_NOTICE = 5,		/* likewise: struct akm_notice */
	AKM_PACKET_KEEPALIVE = 6,	/* likewise: nothing */
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

#define AKM_HELLO_NONCE		16

/* Which of your packets are new? */
struct akm_hello {
	u8 nonce[AKM_HELLO_NONCE];
} __packed;
static_assert(sizeof(struct akm_hello) == 16);

/* Of this generation those from these numbers on, and every later epoch's. */
struct akm_hello_ack {
	u8 nonce[AKM_HELLO_NONCE];
	__be64 epoch;
	__be64 pair;			/* next packet number in that epoch under the pair key */
	__be64 group;			/* and under the group key */
} __packed;
static_assert(sizeof(struct akm_hello_ack) == 40);

/* You seem to be behind: this is where I am. */
struct akm_notice {
	__be64 epoch;			/* whose low byte is in the header */
} __packed;
static_assert(sizeof(struct akm_notice) == 8);

#define AKM_HELLO_TRIES		8	/* in a row, then whoever wants an answer starts again */
#define AKM_HELLO_FIRST_MS	100	/* until the second try; doubles, */
#define AKM_HELLO_LONGEST_MS	3200	/* up to this, and each is varied by a quarter */
#define AKM_HELLO_SPREAD_MS	4	/* per member: over which first tries to all are spread */
#define AKM_ANSWER_BURST	8	/* hellos of one member that are answered at once, */
#define AKM_ANSWER_RATE		4	/* and per second afterwards */

#define AKM_NOTICE_BURST	2	/* notices to one member at once, */
#define AKM_NOTICE_RATE		1	/* and per second afterwards */
#define AKM_NOTICE_DEVICE_BURST	64	/* to all of them, likewise */
#define AKM_NOTICE_DEVICE_RATE	64

#define AKM_WAIT_MS		3000	/* longest wait of a packet for a hello-ack */
#define AKM_WAIT_PACKETS	16	/* of one sender, generation and type of key */
#define AKM_WAIT_BYTES		65536	/* likewise, memory held */
#define AKM_WAIT_DEVICE_PACKETS	4096	/* of one device */
#define AKM_WAIT_DEVICE_BYTES	(8U << 20)

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

/* Does it carry no data, but something between the two ends? */
static inline bool akm_is_control(enum akm_packet_type type)
{
	return type != AKM_PACKET_PAIR && type != AKM_PACKET_GROUP;
}

static inline u64 akm_packet_number(u32 incarnation, u64 sequence)
{
	return ((u64)incarnation << AKM_SEQUENCE_BITS) + sequence;
}

static inline u32 akm_packet_incarnation(u64 packet_number)
{
	return packet_number >> AKM_SEQUENCE_BITS;
}

/* RFC 5116 section 3.2 style: derived IV XOR (0^32 | packet number) */
static inline void akm_nonce(u8 nonce[AKM_NONCE_LEN], const u8 iv[AKM_NONCE_LEN],
			     u64 packet_number)
{
	__be64 low;

	memcpy(&low, iv + 4, sizeof(low));
	low ^= cpu_to_be64(packet_number);
	memcpy(nonce, iv, 4);
	memcpy(nonce + 4, &low, sizeof(low));
}

#endif /* _AKM_PROTO_H */
