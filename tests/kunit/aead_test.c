// SPDX-License-Identifier: GPL-2.0
/*
 * Packets through the kernel's AEADs, against tests/vectors/, in every shape that
 * an sk_buff comes in. Mutants that these tests were seen to refuse: mutants.txt.
 */
#include "aead.h"

#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/string.h>

#include "util.h"
#include "vectors.h"

#define HEADER	sizeof(struct akm_header)
#define TEXT_MAX	256

enum shape {
	ROOMY,			/* linear, room at both ends */
	NO_HEAD,		/* linear, no room in front */
	NO_TAIL,		/* linear, no room behind */
	CLONED,			/* its data belongs to somebody else as well */
	PAGED,			/* two page fragments, which are somebody else's too */
	LISTED,			/* a fragment list */
	SHAPES,
};

static const char * const shape_names[] = {
	"roomy", "no head", "no tail", "cloned", "paged", "listed",
};

/* One packet under test */
struct subject {
	struct sk_buff *skb;
	struct sk_buff *witness;	/* CLONED: the other owner */
	struct page *page;		/* PAGED: held */
	u8 page_was[2 * TEXT_MAX];
	struct completion done;
	int err;
};

static u32 suite_of(struct kunit *test, const char *name)
{
	static const struct {
		const char *name;
		u32 suite;
	} t[] = {
		{ "aes256gcm", AKM_SUITE_AES256GCM },
		{ "chacha20poly1305", AKM_SUITE_CHACHA20POLY1305 },
		{ "aes128gcm", AKM_SUITE_AES128GCM },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		if (!strcmp(t[i].name, name))
			return t[i].suite;
	KUNIT_ASSERT_TRUE_MSG(test, false, "suite %s of the vectors is unknown", name);
	return 0;
}

static struct sk_buff *linear(struct kunit *test, const u8 *data, size_t len, enum shape shape)
{
	struct sk_buff *skb = alloc_skb(len + 128, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	if (shape == NO_TAIL)
		skb_reserve(skb, skb_tailroom(skb) - len);
	else if (shape != NO_HEAD)
		skb_reserve(skb, 64);
	skb_put_data(skb, data, len);
	return skb;
}

static void add_pages(struct kunit *test, struct subject *s, const u8 *data, size_t len)
{
	size_t first = len / 2;

	s->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, s->page);
	memcpy(page_address(s->page), data, len);
	memcpy(s->page_was, data, len);
	get_page(s->page);
	skb_add_rx_frag(s->skb, 0, s->page, 0, first, first);
	get_page(s->page);
	skb_add_rx_frag(s->skb, 1, s->page, first, len - first, len - first);
}

static void add_list(struct kunit *test, struct subject *s, const u8 *data, size_t len)
{
	struct sk_buff *tail = linear(test, data, len, NO_TAIL);

	skb_shinfo(s->skb)->frag_list = tail;
	s->skb->len += tail->len;
	s->skb->data_len += tail->len;
	s->skb->truesize += tail->truesize;
}

/* The header of a sealed packet must be linear: the front third is, and at least that. */
static void subject_init(struct kunit *test, struct subject *s, enum shape kind,
			 const u8 *data, size_t len)
{
	size_t whole = len;

	memset(s, 0, sizeof(*s));
	init_completion(&s->done);
	if (kind == PAGED || kind == LISTED)
		len = min(len, max(len / 3, HEADER));
	s->skb = linear(test, data, len, kind);
	if (kind == PAGED)
		add_pages(test, s, data + len, whole - len);
	else if (kind == LISTED)
		add_list(test, s, data + len, whole - len);
	if (kind == CLONED) {
		s->witness = skb_clone(s->skb, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, s->witness);
	}
	*(struct subject **)s->skb->cb = s;
}

/* What others hold of the packet must be what it was. */
static void subject_exit(struct kunit *test, struct subject *s, const u8 *data)
{
	if (s->witness) {
		AKM_EXPECT_MEMEQ(test, s->witness->data, data, s->witness->len);
		kfree_skb(s->witness);
	}
	if (s->page) {
		AKM_EXPECT_MEMEQ(test, page_address(s->page), s->page_was, sizeof(s->page_was));
		put_page(s->page);
	}
	kfree_skb(s->skb);
}

static void done(struct sk_buff *skb, int err)
{
	struct subject *s = *(struct subject **)skb->cb;

	s->err = err;
	complete(&s->done);
}

static int finish(struct kunit *test, struct subject *s, int err)
{
	if (err != -EINPROGRESS)
		return err;
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&s->done, 5 * HZ), 0);
	return s->err;
}

static int seal(struct kunit *test, const struct akm_aead *aead, struct subject *s,
		const struct akm_header *header)
{
	int err;

	local_bh_disable();
	err = akm_aead_seal(aead, s->skb, header, done);
	local_bh_enable();
	return finish(test, s, err);
}

static int open(struct kunit *test, const struct akm_aead *aead, struct subject *s)
{
	int err;

	local_bh_disable();
	err = akm_aead_open(aead, s->skb, done);
	local_bh_enable();
	return finish(test, s, err);
}

static void expect_content(struct kunit *test, const struct sk_buff *skb, int offset,
			   const u8 *want, size_t len)
{
	u8 *have = kunit_kzalloc(test, len + 1, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, have);
	KUNIT_ASSERT_EQ(test, 0, skb_copy_bits(skb, offset, have, len));
	AKM_EXPECT_MEMEQ(test, have, want, len);
}

/* The key of a vector, ready. A suite that this machine cannot serve skips the test. */
static void aead_of(struct kunit *test, const struct akm_vector_packet *v, struct akm_aead *aead)
{
	u32 suite = suite_of(test, v->suite);
	struct blob key = akm_test_hex(test, v->key);
	int err;

	KUNIT_ASSERT_EQ(test, akm_suite_key_len(suite), key.len);
	err = akm_aead_init(aead, suite, key.data, akm_test_hex(test, v->iv).data);
	if (err == -EOPNOTSUPP && suite != AKM_SUITE_CHACHA20POLY1305)
		kunit_skip(test, "no AES instructions here");
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void aead_refuses_suites(struct kunit *test)
{
	static const u32 bad[] = { 0, 4, 255, U32_MAX };
	char driver[CRYPTO_MAX_ALG_NAME] = "untouched";
	u8 key[AKM_KEY_MAX] = {}, iv[AKM_NONCE_LEN] = {};
	struct netlink_ext_ack extack = {};
	struct akm_aead aead = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, akm_suite_key_len(bad[i]), 0);
		KUNIT_EXPECT_EQ(test, akm_aead_init(&aead, bad[i], key, iv), -EINVAL);
		KUNIT_EXPECT_EQ(test, akm_aead_probe(bad[i], driver, &extack), -EINVAL);
		KUNIT_EXPECT_NOT_NULL(test, extack._msg);
	}
	KUNIT_EXPECT_NULL(test, aead.tfm);
	KUNIT_EXPECT_STREQ(test, driver, "untouched");
}

static void aead_key_lengths(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, akm_suite_key_len(AKM_SUITE_AES256GCM), 32);
	KUNIT_EXPECT_EQ(test, akm_suite_key_len(AKM_SUITE_CHACHA20POLY1305), 32);
	KUNIT_EXPECT_EQ(test, akm_suite_key_len(AKM_SUITE_AES128GCM), 16);
}

/* Either a driver that is no table look-up, or a refusal that says so */
static void aead_is_fast_or_refused(struct kunit *test)
{
	u32 suite;

	for (suite = AKM_SUITE_AES256GCM; suite <= AKM_SUITE_AES128GCM; suite++) {
		char driver[CRYPTO_MAX_ALG_NAME] = "";
		struct netlink_ext_ack extack = {};
		int err = akm_aead_probe(suite, driver, &extack);

		if (err) {
			KUNIT_EXPECT_EQ(test, err, -EOPNOTSUPP);
			KUNIT_EXPECT_NE(test, suite, AKM_SUITE_CHACHA20POLY1305);
			KUNIT_EXPECT_NOT_NULL(test, extack._msg);
			continue;
		}
		kunit_info(test, "suite %u: %s", suite, driver);
		KUNIT_EXPECT_GT(test, strlen(driver), 0);
		KUNIT_EXPECT_NULL(test, strstr(driver, "aes-generic"));
		KUNIT_EXPECT_NULL(test, strstr(driver, "ghash-generic"));
	}
}

static void open_flipped(struct kunit *test, const struct akm_aead *aead,
			 const struct blob *packet, size_t byte, u8 mask)
{
	struct subject s;

	packet->data[byte] ^= mask;
	subject_init(test, &s, ROOMY, packet->data, packet->len);
	KUNIT_EXPECT_EQ_MSG(test, open(test, aead, &s), -EBADMSG, "byte %zu ^ %02x", byte, mask);
	subject_exit(test, &s, packet->data);
	packet->data[byte] ^= mask;
}

/* Every bit of header and tag, and of the text: one flipped, and it does not open. */
static void aead_refuses_flipped_bits(struct kunit *test)
{
	const struct akm_vector_packet *v = test->param_value;
	struct blob packet = akm_test_hex(test, v->packet);
	struct akm_aead aead;
	size_t byte;
	int bit;

	aead_of(test, v, &aead);
	for (byte = 0; byte < packet.len; byte++)
		for (bit = 0; bit < 8; bit++)
			open_flipped(test, &aead, &packet, byte, BIT(bit));
	akm_aead_free(&aead);
}

static void aead_refuses_short_packets(struct kunit *test)
{
	const struct akm_vector_packet *v = test->param_value;
	struct blob packet = akm_test_hex(test, v->packet);
	struct akm_aead aead;
	struct subject s;
	size_t len;

	aead_of(test, v, &aead);
	for (len = HEADER; len < packet.len; len++) {
		subject_init(test, &s, ROOMY, packet.data, len);
		KUNIT_EXPECT_LT(test, open(test, &aead, &s), 0);
		subject_exit(test, &s, packet.data);
	}
	akm_aead_free(&aead);
}

static void aead_refuses_other_keys(struct kunit *test)
{
	const struct akm_vector_packet *v = test->param_value;
	struct blob packet = akm_test_hex(test, v->packet), key = akm_test_hex(test, v->key);
	struct blob iv = akm_test_hex(test, v->iv);
	u32 suite = suite_of(test, v->suite);
	struct akm_aead aead;
	struct subject s;
	int i;

	for (i = 0; i < 2; i++) {
		*(i ? iv.data : key.data) ^= 1;
		aead_of(test, v, &aead);	/* skips where it must */
		akm_aead_free(&aead);
		KUNIT_ASSERT_EQ(test, akm_aead_init(&aead, suite, key.data, iv.data), 0);
		subject_init(test, &s, ROOMY, packet.data, packet.len);
		KUNIT_EXPECT_EQ(test, open(test, &aead, &s), -EBADMSG);
		subject_exit(test, &s, packet.data);
		akm_aead_free(&aead);
		*(i ? iv.data : key.data) ^= 1;
	}
}

static void aead_seals(struct kunit *test)
{
	const struct akm_vector_packet *v = test->param_value;
	struct blob packet = akm_test_hex(test, v->packet);
	struct blob text = akm_test_hex(test, v->plaintext);
	struct akm_header header;
	struct akm_aead aead;
	enum shape shape;

	memcpy(&header, packet.data, sizeof(header));
	aead_of(test, v, &aead);
	for (shape = 0; shape < SHAPES; shape++) {
		struct subject s;

		if (shape >= PAGED && text.len <= HEADER)
			continue;	/* nothing is left for the pages */
		subject_init(test, &s, shape, text.data, text.len);
		KUNIT_EXPECT_EQ_MSG(test, seal(test, &aead, &s, &header), 0, "%s",
				    shape_names[shape]);
		KUNIT_ASSERT_EQ(test, s.skb->len, packet.len);
		expect_content(test, s.skb, 0, packet.data, packet.len);
		subject_exit(test, &s, text.data);
	}
	akm_aead_free(&aead);
}

static void aead_opens(struct kunit *test)
{
	const struct akm_vector_packet *v = test->param_value;
	struct blob packet = akm_test_hex(test, v->packet);
	struct blob text = akm_test_hex(test, v->plaintext);
	struct akm_aead aead;
	enum shape shape;

	aead_of(test, v, &aead);
	for (shape = 0; shape < SHAPES; shape++) {
		struct subject s;

		subject_init(test, &s, shape, packet.data, packet.len);
		KUNIT_EXPECT_EQ_MSG(test, open(test, &aead, &s), 0, "%s", shape_names[shape]);
		KUNIT_ASSERT_EQ(test, s.skb->len, packet.len);
		expect_content(test, s.skb, 0, packet.data, HEADER);
		expect_content(test, s.skb, HEADER, text.data, text.len);
		subject_exit(test, &s, packet.data);
	}
	akm_aead_free(&aead);
}

/* A packet number changes everything that is sent, and nothing else does. */
static void aead_number_is_the_nonce(struct kunit *test)
{
	const struct akm_vector_packet *v = test->param_value;
	struct akm_header header = { .vertype = akm_vertype(AKM_PACKET_PAIR) };
	u8 zeros[64] = {}, text[3][sizeof(zeros)];
	struct akm_aead aead;
	struct subject s;
	int i;

	aead_of(test, v, &aead);
	for (i = 0; i < ARRAY_SIZE(text); i++) {
		header.packet_number = cpu_to_be64(i == 2);
		subject_init(test, &s, ROOMY, zeros, sizeof(zeros));
		KUNIT_ASSERT_EQ(test, seal(test, &aead, &s, &header), 0);
		KUNIT_ASSERT_EQ(test, 0, skb_copy_bits(s.skb, HEADER, text[i], sizeof(zeros)));
		subject_exit(test, &s, zeros);
	}
	AKM_EXPECT_MEMEQ(test, text[0], text[1], sizeof(zeros));
	AKM_EXPECT_MEMNEQ(test, text[0], text[2], sizeof(zeros));
	akm_aead_free(&aead);
}

static void aead_free_wipes(struct kunit *test)
{
	const struct akm_vector_packet *v = test->param_value;
	struct akm_aead aead;

	aead_of(test, v, &aead);
	KUNIT_EXPECT_NOT_NULL(test, memchr_inv(&aead, 0, sizeof(aead)));
	akm_aead_free(&aead);
	KUNIT_EXPECT_NULL(test, memchr_inv(&aead, 0, sizeof(aead)));
}

static void describe(const struct akm_vector_packet *v, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, sequence %llu", v->name, v->sequence);
}

KUNIT_ARRAY_PARAM(packet, akm_vectors_packet, describe);

static void aead_suite_exit(struct kunit_suite *suite)
{
	akm_aead_exit();
}

static struct kunit_case aead_cases[] = {
	KUNIT_CASE(aead_refuses_suites),
	KUNIT_CASE_PARAM(aead_refuses_flipped_bits, packet_gen_params),
	KUNIT_CASE_PARAM(aead_refuses_short_packets, packet_gen_params),
	KUNIT_CASE_PARAM(aead_refuses_other_keys, packet_gen_params),
	KUNIT_CASE(aead_key_lengths),
	KUNIT_CASE(aead_is_fast_or_refused),
	KUNIT_CASE_PARAM(aead_seals, packet_gen_params),
	KUNIT_CASE_PARAM(aead_opens, packet_gen_params),
	KUNIT_CASE_PARAM(aead_number_is_the_nonce, packet_gen_params),
	KUNIT_CASE_PARAM(aead_free_wipes, packet_gen_params),
	{}
};

struct kunit_suite akm_aead_suite = {
	.name = "akm_aead",
	.suite_exit = aead_suite_exit,
	.test_cases = aead_cases,
};
