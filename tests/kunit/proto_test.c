// SPDX-License-Identifier: GPL-2.0
/*
 * Header layout and nonce construction against tests/vectors/. Mutants that
 * these tests were seen to refuse: mutants.txt.
 */
#include "proto.h"

#include <linux/string.h>

#include "util.h"
#include "vectors.h"

static void proto_sizes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sizeof(struct akm_header), 16);
	KUNIT_EXPECT_EQ(test, AKM_OVERHEAD, 32);
	KUNIT_EXPECT_EQ(test, AKM_NONCE_LEN, 12);
	KUNIT_EXPECT_EQ(test, AKM_SEQUENCE_MAX, 0xffffffffffULL);
	KUNIT_EXPECT_GE(test, AKM_REPLAY_WINDOW, 2048);
}

/* Each field alone, by the byte it must land in */
static void proto_offsets(struct kunit *test)
{
	static const struct {
		struct akm_header header;
		int first, last;
	} t[] = {
		{ { .vertype = 0xff }, 0, 0 },
		{ { .epoch = 0xff }, 1, 1 },
		{ { .sender = cpu_to_be16(0xffff) }, 2, 3 },
		{ { .key_id = cpu_to_be32(0xffffffff) }, 4, 7 },
		{ { .packet_number = cpu_to_be64(~0ULL) }, 8, 15 },
	};
	int i, at;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		const u8 *b = (const u8 *)&t[i].header;

		for (at = 0; at < sizeof(struct akm_header); at++) {
			bool inside = at >= t[i].first && at <= t[i].last;

			KUNIT_EXPECT_EQ(test, b[at], inside ? 0xff : 0);
		}
	}
}

static void proto_vertype(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, akm_vertype(AKM_PACKET_PAIR), 0x11);
	KUNIT_EXPECT_EQ(test, akm_vertype(AKM_PACKET_GROUP), 0x12);
}

static void proto_header(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(akm_vectors_packet); i++) {
		const struct akm_vector_packet *v = &akm_vectors_packet[i];
		struct blob packet = akm_test_hex(test, v->packet);
		u64 pn = akm_packet_number(v->incarnation, v->sequence);
		struct akm_header h = {
			.vertype = akm_vertype(v->type),
			.epoch = v->epoch,
			.sender = cpu_to_be16(v->sender),
			.key_id = cpu_to_be32(v->key_id),
			.packet_number = cpu_to_be64(pn),
		};

		KUNIT_ASSERT_GE(test, packet.len, AKM_OVERHEAD);
		AKM_EXPECT_MEMEQ(test, &h, packet.data, sizeof(h));
	}
}

/* A later incarnation is above everything that an earlier one could have sent. */
static void proto_packet_number_order(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, akm_packet_number(0, 0), 0);
	KUNIT_EXPECT_EQ(test, akm_packet_number(1, 0), 1ULL << 40);
	KUNIT_EXPECT_EQ(test, akm_packet_number(0xffffff, AKM_SEQUENCE_MAX), U64_MAX);
	KUNIT_EXPECT_EQ(test, akm_packet_number(1, AKM_SEQUENCE_MAX) + 1, akm_packet_number(2, 0));
	KUNIT_EXPECT_EQ(test, akm_packet_number(0x800000, 0), 1ULL << 63);
}

static void proto_nonce(struct kunit *test)
{
	u8 nonce[AKM_NONCE_LEN];
	int i;

	for (i = 0; i < ARRAY_SIZE(akm_vectors_nonce); i++) {
		const struct akm_vector_nonce *v = &akm_vectors_nonce[i];
		u64 pn = akm_packet_number(v->incarnation, v->sequence);
		__be64 be = cpu_to_be64(pn);

		AKM_EXPECT_MEMEQ(test, &be, akm_test_hex(test, v->packet_number).data, 8);
		akm_nonce(nonce, akm_test_hex(test, v->iv).data, pn);
		AKM_EXPECT_MEMEQ(test, nonce, akm_test_hex(test, v->nonce).data, sizeof(nonce));
	}
}

/* P1 rests on this: for one IV, two packet numbers never share a nonce. */
static void proto_nonce_is_injective(struct kunit *test)
{
	static const u8 iv[AKM_NONCE_LEN] = { 0xff, 0, 0xff, 0, 0x5a, 0xa5, 0xff, 0, 1, 2, 3, 4 };
	u8 base[AKM_NONCE_LEN], other[AKM_NONCE_LEN];
	int bit;

	akm_nonce(base, iv, 0);
	AKM_EXPECT_MEMEQ(test, base, iv, sizeof(base));
	for (bit = 0; bit < 64; bit++) {
		akm_nonce(other, iv, BIT_ULL(bit));
		/* exactly this bit of the big-endian number, nothing else */
		other[11 - bit / 8] ^= BIT(bit % 8);
		AKM_EXPECT_MEMEQ(test, other, base, sizeof(base));
	}
}

static struct kunit_case proto_cases[] = {
	KUNIT_CASE(proto_sizes),
	KUNIT_CASE(proto_offsets),
	KUNIT_CASE(proto_vertype),
	KUNIT_CASE(proto_header),
	KUNIT_CASE(proto_packet_number_order),
	KUNIT_CASE(proto_nonce),
	KUNIT_CASE(proto_nonce_is_injective),
	{}
};

struct kunit_suite akm_proto_suite = {
	.name = "akm_proto",
	.test_cases = proto_cases,
};
