// SPDX-License-Identifier: GPL-2.0
/*
 * Key schedule against RFC 5869's vectors and against tests/vectors/, which
 * OpenSSL computed. Mutants that these tests were seen to refuse: mutants.txt.
 */
#include "kdf.h"

#include <linux/bottom_half.h>
#include <linux/string.h>

#include "util.h"
#include "vectors.h"

#define CANARY	0xa5

static const struct akm_kdf_ctx any_ctx = { .atr_id = 1, .generation = 2, .key_id = 3 };
static const u8 any_chain[AKM_KDF_LEN] = { 1, 2, 3 };
static const u8 any_pair[AKM_KDF_LEN] = { 4, 5, 6 };

static bool untouched(const u8 *p, size_t len)
{
	return !memchr_inv(p, CANARY, len);
}

static struct akm_kdf_ctx ctx_of(u64 atr_id, u64 generation, u64 key_id)
{
	return (struct akm_kdf_ctx){ .atr_id = atr_id, .generation = generation, .key_id = key_id };
}

static void kdf_refuses_lengths(struct kunit *test)
{
	static const size_t bad[] = { 0, AKM_KEY_MAX + 1, SIZE_MAX };
	u8 key[AKM_KEY_MAX + 1], iv[AKM_NONCE_LEN], out[1];
	int i;

	memset(key, CANARY, sizeof(key));
	memset(iv, CANARY, sizeof(iv));
	memset(out, CANARY, sizeof(out));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, -EINVAL,
				akm_kdf_group(&any_ctx, any_chain, 1, key, bad[i], iv));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				akm_kdf_pair(&any_ctx, any_chain, any_pair, 1, 2, key, bad[i], iv));
	}
	KUNIT_EXPECT_EQ(test, -EINVAL, akm_hkdf_expand(any_chain, NULL, 0, out, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			akm_hkdf_expand(any_chain, NULL, 0, out, AKM_KDF_OUT_MAX + 1));
	KUNIT_EXPECT_TRUE(test, untouched(key, sizeof(key)));
	KUNIT_EXPECT_TRUE(test, untouched(iv, sizeof(iv)));
	KUNIT_EXPECT_TRUE(test, untouched(out, sizeof(out)));
}

/* A caller that asks for less gets the same bytes, and not one more. */
static void kdf_writes_what_was_asked(struct kunit *test)
{
	u8 whole[2 * AKM_KDF_LEN + 1], part[sizeof(whole)];
	size_t len;

	KUNIT_ASSERT_EQ(test, 0, akm_hkdf_expand(any_chain, "x", 1, whole, sizeof(whole)));
	for (len = 1; len < sizeof(whole); len++) {
		memset(part, CANARY, sizeof(part));
		KUNIT_ASSERT_EQ(test, 0, akm_hkdf_expand(any_chain, "x", 1, part, len));
		AKM_EXPECT_MEMEQ(test, part, whole, len);
		KUNIT_EXPECT_TRUE(test, untouched(part + len, sizeof(part) - len));
	}
}

static void kdf_longest_output(struct kunit *test)
{
	u8 *out = kunit_kzalloc(test, AKM_KDF_OUT_MAX, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, out);
	KUNIT_ASSERT_EQ(test, 0, akm_hkdf_expand(any_chain, "x", 1, out, AKM_KDF_OUT_MAX));
	KUNIT_EXPECT_NOT_NULL(test, memchr_inv(out + AKM_KDF_OUT_MAX - AKM_KDF_LEN, 0,
					       AKM_KDF_LEN));
}

static void kdf_rfc5869(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(akm_vectors_hkdf); i++) {
		const struct akm_vector_hkdf *v = &akm_vectors_hkdf[i];
		struct blob ikm = akm_test_hex(test, v->ikm), salt = akm_test_hex(test, v->salt);
		struct blob info = akm_test_hex(test, v->info), okm = akm_test_hex(test, v->okm);
		struct blob want = akm_test_hex(test, v->prk);
		u8 prk[AKM_KDF_LEN], out[128];

		KUNIT_ASSERT_EQ(test, okm.len, v->length);
		KUNIT_ASSERT_LE(test, okm.len, sizeof(out));
		KUNIT_EXPECT_EQ(test, 0,
				akm_hkdf_extract(salt.data, salt.len, ikm.data, ikm.len, prk));
		AKM_EXPECT_MEMEQ(test, prk, want.data, sizeof(prk));
		KUNIT_EXPECT_EQ(test, 0, akm_hkdf_expand(prk, info.data, info.len, out, okm.len));
		AKM_EXPECT_MEMEQ(test, out, okm.data, okm.len);
	}
}

/* The daemon starts chains; what it starts from is still the kernel's HKDF. */
static void kdf_chain_start(struct kunit *test)
{
	u8 out[AKM_KDF_LEN];
	int i;

	for (i = 0; i < ARRAY_SIZE(akm_vectors_chain_start); i++) {
		const struct akm_vector_chain_start *v = &akm_vectors_chain_start[i];
		struct blob secret = akm_test_hex(test, v->generation_secret);

		KUNIT_EXPECT_EQ(test, 0,
				akm_hkdf_extract("akm1 chain", 10, secret.data, secret.len, out));
		AKM_EXPECT_MEMEQ(test, out, akm_test_hex(test, v->chain).data, sizeof(out));
	}
	for (i = 0; i < ARRAY_SIZE(akm_vectors_pair_start); i++) {
		const struct akm_vector_pair_start *v = &akm_vectors_pair_start[i];
		struct blob secret = akm_test_hex(test, v->pairwise_secret);

		KUNIT_EXPECT_EQ(test, 0,
				akm_hkdf_extract("akm1 pair", 9, secret.data, secret.len, out));
		AKM_EXPECT_MEMEQ(test, out, akm_test_hex(test, v->pair_chain).data, sizeof(out));
	}
}

static void kdf_next(struct kunit *test)
{
	int i;
	u64 n;

	for (i = 0; i < ARRAY_SIZE(akm_vectors_next); i++) {
		const struct akm_vector_next *v = &akm_vectors_next[i];
		struct akm_kdf_ctx ctx = ctx_of(v->atr_id, v->generation, v->key_id);
		struct blob chain = akm_test_hex(test, v->chain);
		u8 other[AKM_KDF_LEN];

		KUNIT_EXPECT_EQ(test, 0, akm_kdf_next(&ctx, chain.data, other));
		for (n = 0; n < v->steps; n++)	/* in place, as epochs roll */
			KUNIT_ASSERT_EQ(test, 0, akm_kdf_next(&ctx, chain.data, chain.data));
		AKM_EXPECT_MEMEQ(test, chain.data, akm_test_hex(test, v->next).data, AKM_KDF_LEN);
		if (v->steps == 1)
			AKM_EXPECT_MEMEQ(test, chain.data, other, AKM_KDF_LEN);
	}
}

static void kdf_group(struct kunit *test)
{
	u8 key[AKM_KEY_MAX], iv[AKM_NONCE_LEN];
	int i;

	for (i = 0; i < ARRAY_SIZE(akm_vectors_group); i++) {
		const struct akm_vector_group *v = &akm_vectors_group[i];
		struct akm_kdf_ctx ctx = ctx_of(v->atr_id, v->generation, v->key_id);
		struct blob want = akm_test_hex(test, v->key);

		KUNIT_EXPECT_EQ(test, 0, akm_kdf_group(&ctx, akm_test_hex(test, v->chain).data,
						       v->sender, key, want.len, iv));
		AKM_EXPECT_MEMEQ(test, key, want.data, want.len);
		AKM_EXPECT_MEMEQ(test, iv, akm_test_hex(test, v->iv).data, sizeof(iv));
	}
}

static void kdf_pair(struct kunit *test)
{
	u8 key[AKM_KEY_MAX], iv[AKM_NONCE_LEN];
	int i;

	for (i = 0; i < ARRAY_SIZE(akm_vectors_pair); i++) {
		const struct akm_vector_pair *v = &akm_vectors_pair[i];
		struct akm_kdf_ctx ctx = ctx_of(v->atr_id, v->generation, v->key_id);
		struct blob want = akm_test_hex(test, v->key);

		KUNIT_EXPECT_EQ(test, 0, akm_kdf_pair(&ctx, akm_test_hex(test, v->chain).data,
						      akm_test_hex(test, v->pair_chain).data,
						      v->sender, v->receiver, key, want.len, iv));
		AKM_EXPECT_MEMEQ(test, key, want.data, want.len);
		AKM_EXPECT_MEMEQ(test, iv, akm_test_hex(test, v->iv).data, sizeof(iv));
	}
}

struct pair_inputs {
	struct akm_kdf_ctx ctx;
	u8 chain[AKM_KDF_LEN];
	u8 pair[AKM_KDF_LEN];
	u16 sender, receiver;
};

static void derive(struct kunit *test, const struct pair_inputs *in, u8 key[AKM_KEY_MAX])
{
	u8 iv[AKM_NONCE_LEN];

	KUNIT_ASSERT_EQ(test, 0, akm_kdf_pair(&in->ctx, in->chain, in->pair, in->sender,
					      in->receiver, key, AKM_KEY_MAX, iv));
}

/* Every bit of every input matters: no field is truncated, skipped or merged with another. */
static void kdf_every_input_bit_counts(struct kunit *test)
{
	struct pair_inputs in = { .ctx = any_ctx, .sender = 1, .receiver = 2 };
	static const struct {
		size_t at, len;
	} fields[] = {
		{ offsetof(struct pair_inputs, ctx), sizeof(in.ctx) },
		{ offsetof(struct pair_inputs, chain), sizeof(in.chain) },
		{ offsetof(struct pair_inputs, pair), sizeof(in.pair) },
		{ offsetof(struct pair_inputs, sender), sizeof(in.sender) },
		{ offsetof(struct pair_inputs, receiver), sizeof(in.receiver) },
	};
	u8 key[AKM_KEY_MAX], other[AKM_KEY_MAX];
	size_t f, bit;

	derive(test, &in, key);
	for (f = 0; f < ARRAY_SIZE(fields); f++) {
		for (bit = 0; bit < 8 * fields[f].len; bit++) {
			u8 *byte = (u8 *)&in + fields[f].at + bit / 8;

			*byte ^= BIT(bit % 8);
			derive(test, &in, other);
			AKM_EXPECT_MEMNEQ(test, other, key, sizeof(key));
			*byte ^= BIT(bit % 8);
		}
	}
	swap(in.sender, in.receiver);
	derive(test, &in, other);
	AKM_EXPECT_MEMNEQ(test, other, key, sizeof(key));
}

/* Labels keep the three uses of one chain value apart. */
static void kdf_uses_are_separate(struct kunit *test)
{
	u8 next[AKM_KDF_LEN], group[AKM_KEY_MAX], pair[AKM_KEY_MAX], iv[AKM_NONCE_LEN];

	KUNIT_ASSERT_EQ(test, 0, akm_kdf_next(&any_ctx, any_chain, next));
	KUNIT_ASSERT_EQ(test, 0, akm_kdf_group(&any_ctx, any_chain, 1, group, AKM_KEY_MAX, iv));
	KUNIT_ASSERT_EQ(test, 0, akm_kdf_pair(&any_ctx, any_chain, any_chain, 1, 1, pair,
					      AKM_KEY_MAX, iv));
	AKM_EXPECT_MEMNEQ(test, next, group, AKM_KEY_MAX);
	AKM_EXPECT_MEMNEQ(test, next, pair, AKM_KEY_MAX);
	AKM_EXPECT_MEMNEQ(test, group, pair, AKM_KEY_MAX);
}

/* An epoch can roll in a softirq or a timer: same result, and nothing sleeps. */
static void kdf_in_atomic_context(struct kunit *test)
{
	u8 plain[AKM_KDF_LEN], bh[AKM_KDF_LEN], irq[AKM_KDF_LEN];
	unsigned long flags;
	int ret_bh, ret_irq;

	KUNIT_ASSERT_EQ(test, 0, akm_kdf_next(&any_ctx, any_chain, plain));
	local_bh_disable();
	ret_bh = akm_kdf_next(&any_ctx, any_chain, bh);
	local_bh_enable();
	local_irq_save(flags);
	ret_irq = akm_kdf_next(&any_ctx, any_chain, irq);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, 0, ret_bh);
	KUNIT_EXPECT_EQ(test, 0, ret_irq);
	AKM_EXPECT_MEMEQ(test, bh, plain, sizeof(plain));
	AKM_EXPECT_MEMEQ(test, irq, plain, sizeof(plain));
}

static int kdf_suite_init(struct kunit_suite *suite)
{
	return akm_kdf_init();
}

static void kdf_suite_exit(struct kunit_suite *suite)
{
	akm_kdf_exit();
}

static struct kunit_case kdf_cases[] = {
	KUNIT_CASE(kdf_refuses_lengths),
	KUNIT_CASE(kdf_writes_what_was_asked),
	KUNIT_CASE(kdf_longest_output),
	KUNIT_CASE(kdf_rfc5869),
	KUNIT_CASE(kdf_chain_start),
	KUNIT_CASE(kdf_next),
	KUNIT_CASE(kdf_group),
	KUNIT_CASE(kdf_pair),
	KUNIT_CASE(kdf_every_input_bit_counts),
	KUNIT_CASE(kdf_uses_are_separate),
	KUNIT_CASE(kdf_in_atomic_context),
	{}
};

struct kunit_suite akm_kdf_suite = {
	.name = "akm_kdf",
	.suite_init = kdf_suite_init,
	.suite_exit = kdf_suite_exit,
	.test_cases = kdf_cases,
};
