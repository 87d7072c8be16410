// SPDX-License-Identifier: GPL-2.0
/* The vectors in tests/vectors are made by an implementation of its own; the kernel's tests check the same file. */
#include "kdf.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <json-c/json.h>
#include <setjmp.h>
#include <cmocka.h>

#define VECTORS "tests/vectors/vectors.json"

static struct json_object *vectors;

static void unhex(const char *hex, uint8_t *ret, size_t len)
{
	size_t i;

	assert_int_equal(strlen(hex), 2 * len);
	for (i = 0; i < len; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &ret[i]), 1);
}

static void field(struct json_object *v, const char *name, uint8_t ret[32])
{
	unhex(json_object_get_string(json_object_object_get(v, name)), ret, 32);
}

static uint32_t number(struct json_object *v, const char *name)
{
	struct json_object *n;

	assert_true(json_object_object_get_ex(v, name, &n));
	return (uint32_t)json_object_get_int64(n);
}

static int setup(void **state)
{
	(void)state;
	vectors = json_object_from_file(VECTORS);
	if (!vectors)
		print_error("%s (tests run in the top directory)\n", json_util_get_last_err());
	return vectors ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	json_object_put(vectors);
	return 0;
}

static size_t section(const char *name, struct json_object **ret)
{
	size_t n;

	assert_true(json_object_object_get_ex(vectors, name, ret));
	n = json_object_array_length(*ret);
	assert_true(n > 0);
	return n;
}

static void starts(const char *name, const char *in, const char *out, int (*fn)(const uint8_t *, uint8_t *))
{
	uint8_t secret[32], want[32], got[32];
	struct json_object *list, *v;
	size_t i, n = section(name, &list);

	for (i = 0; i < n; i++) {
		v = json_object_array_get_idx(list, i);
		field(v, in, secret);
		field(v, out, want);
		assert_int_equal(fn(secret, got), 0);
		assert_memory_equal(got, want, 32);
	}
}

static void test_chain_start(void **state)
{
	(void)state;
	starts("chain_start", "generation_secret", "chain", kdf_chain_start);
}

static void test_next(void **state)
{
	uint8_t chain[32], want[32];
	struct json_object *list, *v;
	struct kdf_ctx ctx;
	size_t i, n;
	uint32_t step;

	(void)state;
	n = section("next", &list);
	for (i = 0; i < n; i++) {
		v = json_object_array_get_idx(list, i);
		ctx = (struct kdf_ctx){ number(v, "atr_id"), number(v, "generation"), number(v, "key_id") };
		field(v, "chain", chain);
		field(v, "next", want);
		for (step = 0; step < number(v, "steps"); step++)
			assert_int_equal(kdf_next(&ctx, chain, chain), 0);
		assert_memory_equal(chain, want, 32);
	}
}

/* HKDF as OpenSSL has it, where the daemon has its two halves as HMACs */
static void hkdf(int mode, uint8_t key[32], const char *param, void *text, size_t len, uint8_t ret[32])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, key, 32),
		OSSL_PARAM_octet_string(param, text, len),
		OSSL_PARAM_END
	};

	assert_int_equal(EVP_KDF_derive(ctx, ret, 32, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void pair_start(uint8_t pairwise[32], uint8_t ret[32])
{
	char salt[] = "akm1 pair";

	hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, pairwise, OSSL_KDF_PARAM_SALT, salt, strlen(salt), ret);
}

/* The vectors for each half; then both at once, for members i and j in either order. */
static void test_pair_start(void **state)
{
	uint8_t secret[32], want[32], got[32];
	struct json_object *list, *v;
	size_t n;

	(void)state;
	n = section("pair_start", &list);
	for (size_t i = 0; i < n; i++) {
		v = json_object_array_get_idx(list, i);
		field(v, "pairwise_secret", secret);
		field(v, "pair_chain", want);
		pair_start(secret, got);
		assert_memory_equal(got, want, 32);
	}
}

static void test_pairs(void **state)
{
	uint8_t root[32], pairwise[32], want[32], got[32], keep[32];
	struct kdf_pairs *pairs = NULL;
	struct json_object *list, *v;
	struct kdf_ctx ctx;
	uint16_t i, j;
	size_t n;

	(void)state;
	n = section("pairwise", &list);
	assert_true(n > 0);
	for (size_t at = 0; at < n; at++) {
		v = json_object_array_get_idx(list, at);
		ctx = (struct kdf_ctx){ number(v, "atr_id"), number(v, "generation"), number(v, "key_id") };
		i = (uint16_t)number(v, "i");
		j = (uint16_t)number(v, "j");
		field(v, "pair_root", root);
		field(v, "pairwise_secret", pairwise);
		pair_start(pairwise, want);
		kdf_pairs_free(&pairs);
		assert_int_equal(kdf_pairs_new(&ctx, root, &pairs), 0);
		assert_int_equal(kdf_pairs_start(pairs, i, j, got), 0);
		assert_memory_equal(got, want, 32);
		/* The object has forgotten the pair before. */
		assert_int_equal(kdf_pairs_start(pairs, 1, 65534, keep), 0);
		assert_memory_not_equal(keep, want, 32);
		assert_int_equal(kdf_pairs_start(pairs, j, i, got), 0);
		assert_memory_equal(got, want, 32);
	}
	memcpy(keep, got, 32);
	assert_int_equal(kdf_pairs_start(pairs, 3, 3, got), -EINVAL);
	assert_memory_equal(got, keep, 32);
	kdf_pairs_free(&pairs);
	assert_null(pairs);
}

static void test_link_message(void **state)
{
	uint8_t hw[32], want[KDF_LINK_MSG_LEN], got[KDF_LINK_MSG_LEN];

	(void)state;
	for (size_t i = 0; i < 32; i++)
		hw[i] = (uint8_t)(32 + i);
	memcpy(want, "akm1 link", 9);
	memcpy(want + 9, hw, 32);
	memcpy(want + 41, "\1\2\3\4\5\6\7\10", 8);
	kdf_link_message(hw, 0x0102030405060708, got);
	assert_memory_equal(got, want, sizeof(got));
}

static void test_link_psk(void **state)
{
	struct json_object *list, *v;
	uint8_t key[32], want[32], got[32];
	size_t n;

	(void)state;
	n = section("link_psk", &list);
	for (size_t i = 0; i < n; i++) {
		v = json_object_array_get_idx(list, i);
		field(v, "link_key", key);
		field(v, "psk", want);
		assert_int_equal(kdf_link_psk(key, json_object_get_string(json_object_object_get(v, "identity")), got), 0);
		assert_memory_equal(got, want, 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_start),
		cmocka_unit_test(test_pair_start),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_link_message),
		cmocka_unit_test(test_link_psk),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
