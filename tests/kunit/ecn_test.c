// SPDX-License-Identifier: GPL-2.0
/*
 * Congestion marks of the underlay: the table of RFC 6040, for both families, with
 * nothing else of the inner header changed. Mutants: mutants.txt.
 */
#include "ecn.h"

#include <net/ip.h>

#include "util.h"

#define DROP	0xff
#define NOT	INET_ECN_NOT_ECT
#define ECT0	INET_ECN_ECT_0
#define ECT1	INET_ECN_ECT_1
#define CE	INET_ECN_CE

/* RFC 6040, figure 4: [inner][outer], both by the value in the header */
static const u8 merged[4][4] = {
	/*            NOT   ECT1  ECT0  CE */
	[NOT]  = { NOT,  NOT,  NOT,  DROP },
	[ECT1] = { ECT1, ECT1, ECT1, CE },
	[ECT0] = { ECT0, ECT1, ECT0, CE },
	[CE]   = { CE,   CE,   CE,   CE },
};

static void fill4(struct iphdr *ip, u8 tos, u16 id)
{
	*ip = (struct iphdr) {
		.version = 4,
		.ihl = 5,
		.tos = tos,
		.tot_len = htons(1000),
		.id = htons(id),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = htonl(0x0a4d0001),
		.daddr = htonl(0x0a4d0002),
	};
	ip_send_check(ip);
}

static void try4(struct kunit *test, u8 inner, u8 outer, u16 id)
{
	u8 want = merged[inner & INET_ECN_MASK][outer & INET_ECN_MASK];
	struct iphdr ip, expected;

	fill4(&ip, inner, id);
	KUNIT_ASSERT_EQ_MSG(test, akm_ecn_merge((u8 *)&ip, outer), want != DROP,
			    "inner %#x, outer %#x", inner, outer);
	if (want == DROP)
		return;
	fill4(&expected, (inner & ~INET_ECN_MASK) | want, id);
	KUNIT_ASSERT_EQ_MSG(test, 0, ip_fast_csum(&ip, ip.ihl), "inner %#x, outer %#x, id %u",
			    inner, outer, id);
	ip.check = expected.check;	/* of which there are two that are right */
	AKM_EXPECT_MEMEQ(test, &ip, &expected, sizeof(ip));
}

static void fill6(struct ipv6hdr *ip, u8 tos)
{
	*ip = (struct ipv6hdr) {
		.payload_len = htons(1000),
		.nexthdr = IPPROTO_UDP,
		.hop_limit = 64,
	};
	*(__be32 *)ip = htonl(6 << 28 | tos << 20 | 0xabcde);
}

static void try6(struct kunit *test, u8 inner, u8 outer)
{
	u8 want = merged[inner & INET_ECN_MASK][outer & INET_ECN_MASK];
	struct ipv6hdr ip, expected;

	fill6(&ip, inner);
	KUNIT_ASSERT_EQ_MSG(test, akm_ecn_merge((u8 *)&ip, outer), want != DROP,
			    "inner %#x, outer %#x", inner, outer);
	if (want == DROP)
		return;
	fill6(&expected, (inner & ~INET_ECN_MASK) | want);
	AKM_EXPECT_MEMEQ(test, &ip, &expected, sizeof(ip));
}

/* Every inner value, under every outer one that a foreign DSCP comes with as well */
static void test_table(struct kunit *test)
{
	unsigned int inner, outer;

	for (inner = 0; inner < 256; inner++) {
		for (outer = 0; outer < 4; outer++) {
			try4(test, inner, outer, inner);
			try4(test, inner, 0xb8 | outer, inner);
			try6(test, inner, outer);
			try6(test, inner, 0xb8 | outer);
		}
	}
}

/* The IPv4 checksum is mended and not made anew: every carry occurs. */
static void test_checksum(struct kunit *test)
{
	u8 inner;
	u32 id;

	for (id = 0; id <= 0xffff; id++)
		for (inner = 0; inner < 4; inner++)
			try4(test, 0xb8 | inner, inner == ECT0 ? ECT1 : CE, id);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(test_table),
	KUNIT_CASE(test_checksum),
	{}
};

struct kunit_suite akm_ecn_suite = {
	.name = "akm_ecn",
	.test_cases = cases,
};
