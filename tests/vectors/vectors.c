// SPDX-License-Identifier: GPL-2.0
/*
 * Test vectors of the protocol: key schedule, nonces, sealed packets, the link's keys.
 *
 *	vectors generate	print vectors.json
 *	vectors check FILE	recompute every output in FILE from its inputs
 *	vectors header FILE	print FILE as a C header for the KUnit suites
 *
 * An implementation of its own, over OpenSSL and Documentation/protocol.rst
 * alone; it shares no code with the kernel module or the daemon. Each section of
 * the file is a list of objects, and one function per section that writes the
 * object's outputs from the object's inputs: generating is writing them into
 * objects that have inputs only, checking is writing them into a copy and
 * comparing. The published vectors (RFC 5869, appendix A) are generated with
 * their outputs in place, so that they are compared and not computed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BYTES_MAX	2048	/* longest byte string of any vector */
#define HASH_LEN	32
#define IV_LEN		12
#define TAG_LEN		16
#define HEADER_LEN	16
#define TYPE_PAIR	1
#define TYPE_GROUP	2
#define TYPE_HELLO	3
#define TYPE_HELLO_ACK	4
#define TYPE_NOTICE	5
#define TYPE_KEEPALIVE	6

struct bytes {
	unsigned char b[BYTES_MAX];
	size_t len;
};

struct suite {
	const char *name;
	const char *cipher;	/* OpenSSL's name */
	size_t key_len;
};

static const struct suite suites[] = {
	{ "aes256gcm", "AES-256-GCM", 32 },
	{ "chacha20poly1305", "ChaCha20-Poly1305", 32 },
	{ "aes128gcm", "AES-128-GCM", 16 },
};

/* A vector file that cannot be computed is a bug in it or in here: no way on. */
static _Noreturn void die(const char *what, const char *detail)
{
	fprintf(stderr, "vectors: %s: %s\n", what, detail);
	exit(2);
}

/* ---- byte strings ---- */

static void put(struct bytes *s, const void *data, size_t len)
{
	if (len > sizeof(s->b) - s->len)
		die("vector too long", "raise BYTES_MAX");
	memcpy(s->b + s->len, data, len);
	s->len += len;
}

static void put_uint(struct bytes *s, uint64_t value, int width)
{
	while (width--) {
		unsigned char c = (unsigned char)(value >> 8 * width);

		put(s, &c, 1);
	}
}

static int nibble(char c)
{
	const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

static struct bytes from_hex(const char *hex)
{
	struct bytes s = { .len = 0 };
	size_t i;

	if (strlen(hex) % 2)
		die("odd number of hex digits", hex);
	for (i = 0; hex[i]; i += 2) {
		int hi = nibble(hex[i]), lo = nibble(hex[i + 1]);

		if (hi < 0 || lo < 0)
			die("not lower-case hex", hex);
		put_uint(&s, (uint64_t)(hi << 4 | lo), 1);
	}
	return s;
}

/* ---- JSON access; a missing or mistyped field ends the program ---- */

static json_object *field(json_object *o, const char *name, json_type type)
{
	json_object *f;

	if (!json_object_object_get_ex(o, name, &f))
		die("missing field", name);
	if (!json_object_is_type(f, type))
		die("field has the wrong type", name);
	return f;
}

static const char *text(json_object *o, const char *name)
{
	return json_object_get_string(field(o, name, json_type_string));
}

static struct bytes hex(json_object *o, const char *name)
{
	return from_hex(text(o, name));
}

static struct bytes hex_n(json_object *o, const char *name, size_t len)
{
	struct bytes s = hex(o, name);

	if (s.len != len)
		die("field has the wrong length", name);
	return s;
}

static uint64_t number(json_object *o, const char *name, uint64_t max)
{
	int64_t v = json_object_get_int64(field(o, name, json_type_int));

	if (v < 0 || (uint64_t)v > max)
		die("number out of range", name);
	return (uint64_t)v;
}

static void set_hex(json_object *o, const char *name, const void *data, size_t len)
{
	char out[2 * BYTES_MAX + 1];
	size_t i;

	for (i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", ((const unsigned char *)data)[i]);
	out[2 * len] = 0;
	json_object_object_add(o, name, json_object_new_string(out));
}

static void set_bytes(json_object *o, const char *name, const struct bytes *s)
{
	set_hex(o, name, s->b, s->len);
}

/* ---- primitives ---- */

static void hkdf(int mode, const struct bytes *key, const struct bytes *salt,
		 const struct bytes *info, unsigned char *out, size_t out_len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[6], *p = params;

	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0);
	*p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key->b, key->len);
	if (salt && salt->len)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt->b,
							 salt->len);
	if (info && info->len)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info->b,
							 info->len);
	*p = OSSL_PARAM_construct_end();
	if (!ctx || EVP_KDF_derive(ctx, out, out_len, params) != 1)
		die("OpenSSL refuses", "HKDF");
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static struct bytes extract(const struct bytes *salt, const struct bytes *ikm)
{
	struct bytes prk = { .len = HASH_LEN };

	hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, ikm, salt, NULL, prk.b, prk.len);
	return prk;
}

static struct bytes expand(const struct bytes *prk, const struct bytes *info, size_t len)
{
	struct bytes out = { .len = len };

	if (len > sizeof(out.b))
		die("vector too long", "raise BYTES_MAX");
	hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, prk, NULL, info, out.b, len);
	return out;
}

/* Ciphertext and tag are appended to @packet, which holds the additional data. */
static void seal(const struct suite *suite, const struct bytes *key, const struct bytes *nonce,
		 const struct bytes *plain, struct bytes *packet)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, suite->cipher, NULL);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char out[BYTES_MAX], tag[TAG_LEN];
	int n, len = 0, ok;

	ok = cipher && c && nonce->len == IV_LEN && key->len == suite->key_len &&
	     EVP_EncryptInit_ex2(c, cipher, key->b, nonce->b, NULL) == 1 &&
	     EVP_EncryptUpdate(c, NULL, &n, packet->b, (int)packet->len) == 1 &&
	     EVP_EncryptUpdate(c, out, &len, plain->b, (int)plain->len) == 1 &&
	     EVP_EncryptFinal_ex(c, out + len, &n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1;
	if (!ok)
		die("OpenSSL refuses", suite->name);
	put(packet, out, (size_t)len);
	put(packet, tag, sizeof(tag));
	EVP_CIPHER_CTX_free(c);
	EVP_CIPHER_free(cipher);
}

/* ---- the key schedule ---- */

static const struct suite *suite_of(json_object *o)
{
	const char *name = text(o, "suite");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(suites); i++)
		if (!strcmp(suites[i].name, name))
			return &suites[i];
	die("unknown suite", name);
}

static struct bytes label(const char *s)
{
	struct bytes b = { .len = 0 };

	put(&b, s, strlen(s));
	return b;
}

/* label | atr_id | generation | key_id */
static struct bytes label_ctx(const char *s, json_object *o)
{
	struct bytes b = label(s);

	put_uint(&b, number(o, "atr_id", UINT32_MAX), 4);
	put_uint(&b, number(o, "generation", UINT32_MAX), 4);
	put_uint(&b, number(o, "key_id", UINT32_MAX), 4);
	return b;
}

static struct bytes group_key(json_object *o, const struct bytes *chain, size_t key_len)
{
	struct bytes info = label_ctx("akm1 group", o);

	put_uint(&info, number(o, "sender", UINT16_MAX), 2);
	return expand(chain, &info, key_len + IV_LEN);
}

static struct bytes pair_key(json_object *o, const struct bytes *chain, size_t key_len)
{
	struct bytes pair_chain = hex_n(o, "pair_chain", HASH_LEN);
	struct bytes prk = extract(chain, &pair_chain);
	struct bytes info = label_ctx("akm1 pair", o);

	put_uint(&info, number(o, "sender", UINT16_MAX), 2);
	put_uint(&info, number(o, "receiver", UINT16_MAX), 2);
	return expand(&prk, &info, key_len + IV_LEN);
}

static uint64_t packet_number(json_object *o)
{
	return number(o, "incarnation", 0xffffff) << 40 | number(o, "sequence", (1ULL << 40) - 1);
}

/* IV XOR (0^32 | packet number) */
static struct bytes nonce_of(const unsigned char iv[IV_LEN], uint64_t pn)
{
	struct bytes nonce = { .len = 0 };
	size_t i;

	put_uint(&nonce, 0, 4);
	put_uint(&nonce, pn, 8);
	for (i = 0; i < IV_LEN; i++)
		nonce.b[i] ^= iv[i];
	return nonce;
}

/* ---- one function per section: outputs of @o from inputs of @o ---- */

static void fill_hkdf(json_object *o)
{
	struct bytes salt = hex(o, "salt"), ikm = hex(o, "ikm"), info = hex(o, "info");
	struct bytes prk = extract(&salt, &ikm);
	struct bytes okm = expand(&prk, &info, number(o, "length", BYTES_MAX));

	set_bytes(o, "prk", &prk);
	set_bytes(o, "okm", &okm);
}

static void fill_chain_start(json_object *o)
{
	struct bytes salt = label("akm1 chain"), secret = hex(o, "generation_secret");
	struct bytes chain = extract(&salt, &secret);

	set_bytes(o, "chain", &chain);
}

static void fill_pair_start(json_object *o)
{
	struct bytes salt = label("akm1 pair"), secret = hex(o, "pairwise_secret");
	struct bytes chain = extract(&salt, &secret);

	set_bytes(o, "pair_chain", &chain);
}

/* What a manager may derive P_ij from; symmetric in i and j */
static void fill_pairwise(json_object *o)
{
	struct bytes root = hex_n(o, "pair_root", HASH_LEN), info = label_ctx("akm1 pairwise", o), secret;
	uint64_t i = number(o, "i", UINT16_MAX), j = number(o, "j", UINT16_MAX);

	put_uint(&info, i < j ? i : j, 2);
	put_uint(&info, i < j ? j : i, 2);
	secret = expand(&root, &info, HASH_LEN);
	set_bytes(o, "pairwise_secret", &secret);
}

/* HKDF's Extract is HMAC-SHA-256 with the salt as its key (RFC 5869, 2.2). */
static void fill_link_psk(json_object *o)
{
	struct bytes key = hex_n(o, "link_key", HASH_LEN), identity = label(text(o, "identity"));
	struct bytes psk = extract(&key, &identity);

	set_bytes(o, "psk", &psk);
}

static void fill_next(json_object *o)
{
	struct bytes info = label_ctx("akm1 next", o), chain = hex_n(o, "chain", HASH_LEN);
	uint64_t steps = number(o, "steps", 100000);

	while (steps--)
		chain = expand(&chain, &info, HASH_LEN);
	set_bytes(o, "next", &chain);
}

static void set_key(json_object *o, const struct bytes *key_iv, size_t key_len)
{
	set_hex(o, "key", key_iv->b, key_len);
	set_hex(o, "iv", key_iv->b + key_len, IV_LEN);
}

static void fill_group(json_object *o)
{
	struct bytes chain = hex_n(o, "chain", HASH_LEN);
	size_t key_len = suite_of(o)->key_len;
	struct bytes out = group_key(o, &chain, key_len);

	set_key(o, &out, key_len);
}

static void fill_pair(json_object *o)
{
	struct bytes chain = hex_n(o, "chain", HASH_LEN);
	size_t key_len = suite_of(o)->key_len;
	struct bytes out = pair_key(o, &chain, key_len);

	set_key(o, &out, key_len);
}

static void fill_nonce(json_object *o)
{
	struct bytes iv = hex_n(o, "iv", IV_LEN), pn = { .len = 0 }, nonce;

	put_uint(&pn, packet_number(o), 8);
	nonce = nonce_of(iv.b, packet_number(o));
	set_bytes(o, "packet_number", &pn);
	set_bytes(o, "nonce", &nonce);
}

static struct bytes header_of(json_object *o, uint64_t type)
{
	struct bytes h = { .len = 0 };

	put_uint(&h, 1 << 4 | type, 1);
	put_uint(&h, number(o, "epoch", INT64_MAX) & 0xff, 1);
	put_uint(&h, number(o, "sender", UINT16_MAX), 2);
	put_uint(&h, number(o, "key_id", UINT32_MAX), 4);
	put_uint(&h, packet_number(o), 8);
	return h;
}

static void fill_packet(json_object *o)
{
	const struct suite *suite = suite_of(o);
	uint64_t type = number(o, "type", 15);
	struct bytes chain = hex_n(o, "chain", HASH_LEN), plain = hex(o, "plaintext");
	struct bytes key, nonce, packet = header_of(o, type);

	if (type < TYPE_PAIR || type > TYPE_KEEPALIVE)
		die("unknown packet type", text(o, "name"));
	if (type != TYPE_GROUP)
		key = pair_key(o, &chain, suite->key_len);
	else
		key = group_key(o, &chain, suite->key_len);
	set_key(o, &key, suite->key_len);
	nonce = nonce_of(key.b + suite->key_len, packet_number(o));
	key.len = suite->key_len;
	seal(suite, &key, &nonce, &plain, &packet);
	set_bytes(o, "nonce", &nonce);
	set_bytes(o, "packet", &packet);
}

/* ---- inputs ---- */

#define GENERATION_SECRET	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define PAIRWISE_SECRET		"f0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff"
#define ZERO_SECRET		"0000000000000000000000000000000000000000000000000000000000000000"

static void add_hkdf(json_object *list, const char *name, const char *const f[5], int length)
{
	static const char *const names[5] = { "ikm", "salt", "info", "prk", "okm" };
	json_object *o = json_object_new_object();
	size_t i;

	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "length", json_object_new_int(length));
	for (i = 0; i < ARRAY_SIZE(names); i++)
		json_object_object_add(o, names[i], json_object_new_string(f[i]));
	json_object_array_add(list, o);
}

/* RFC 5869, appendix A.1 to A.3, as published */
static json_object *inputs_hkdf(void)
{
	static const char *const a1[5] = {
		"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		"000102030405060708090a0b0c",
		"f0f1f2f3f4f5f6f7f8f9",
		"077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
		("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		 "34007208d5b887185865"),
	};
	static const char *const a2[5] = {
		("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
		 "404142434445464748494a4b4c4d4e4f"),
		("606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
		 "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
		 "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"),
		("b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
		 "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
		 "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
		"06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
		("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
		 "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
		 "cc30c58179ec3e87c14c01d5c1f3434f1d87"),
	};
	static const char *const a3[5] = {
		"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		"",
		"",
		"19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
		("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		 "9d201395faa4b61a96c8"),
	};
	json_object *list = json_object_new_array();

	add_hkdf(list, "RFC 5869 A.1", a1, 42);
	add_hkdf(list, "RFC 5869 A.2", a2, 82);
	add_hkdf(list, "RFC 5869 A.3", a3, 42);
	return list;
}

static json_object *secret_list(const char *name, const char *const secrets[], size_t n)
{
	json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++) {
		json_object *o = json_object_new_object();

		json_object_object_add(o, name, json_object_new_string(secrets[i]));
		json_object_array_add(list, o);
	}
	return list;
}

static json_object *inputs_chain_start(void)
{
	static const char *const secrets[] = { GENERATION_SECRET, ZERO_SECRET };

	return secret_list("generation_secret", secrets, ARRAY_SIZE(secrets));
}

static json_object *inputs_pair_start(void)
{
	static const char *const secrets[] = { PAIRWISE_SECRET, ZERO_SECRET };

	return secret_list("pairwise_secret", secrets, ARRAY_SIZE(secrets));
}

struct ctx {
	uint32_t atr_id, generation, key_id;
};

static const struct ctx ctxs[] = {
	{ 1, 1, 0x01020304 },
	{ 0xdeadbeef, 0x80000001, 0xffffffff },	/* every byte order mistake shows */
};

static void set_number(json_object *o, const char *name, uint64_t v)
{
	json_object_object_add(o, name, json_object_new_int64((int64_t)v));
}

static json_object *with_ctx(const struct ctx *c)
{
	json_object *o = json_object_new_object();

	set_number(o, "atr_id", c->atr_id);
	set_number(o, "generation", c->generation);
	set_number(o, "key_id", c->key_id);
	return o;
}

/* C_e or R_e of the vectors' own secrets */
static void set_chain(json_object *o, const char *name, const char *salt, const char *secret,
		      unsigned int epoch)
{
	struct bytes s = label(salt), ikm = from_hex(secret), info = label_ctx("akm1 next", o);
	struct bytes chain = extract(&s, &ikm);

	while (epoch--)
		chain = expand(&chain, &info, HASH_LEN);
	set_bytes(o, name, &chain);
}

static json_object *inputs_pairwise(void)
{
	static const uint16_t pairs[][2] = { { 3, 0x1234 }, { 0x1234, 3 }, { 0, 0xfffe } };
	json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(pairs); i++) {
		json_object *o = with_ctx(&ctxs[i / ARRAY_SIZE(pairs)]);

		json_object_object_add(o, "pair_root", json_object_new_string(GENERATION_SECRET));
		set_number(o, "i", pairs[i % ARRAY_SIZE(pairs)][0]);
		set_number(o, "j", pairs[i % ARRAY_SIZE(pairs)][1]);
		json_object_array_add(list, o);
	}
	return list;
}

static json_object *inputs_link_psk(void)
{
	static const char *const identities[] = {
		"akm1:00112233445566778899aabbccddeeff:1:ffeeddccbbaa99887766554433221100",
		"akm1:ffffffffffffffffffffffffffffffff:18446744073709551615:00000000000000000000000000000000",
	};
	json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(identities); i++) {
		json_object *o = json_object_new_object();

		json_object_object_add(o, "link_key", json_object_new_string(GENERATION_SECRET));
		json_object_object_add(o, "identity", json_object_new_string(identities[i]));
		json_object_array_add(list, o);
	}
	return list;
}

static json_object *inputs_next(void)
{
	static const unsigned int steps[] = { 1, 2, 1000 };
	json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(steps); i++) {
		json_object *o = with_ctx(&ctxs[i / ARRAY_SIZE(steps)]);

		set_chain(o, "chain", i % 2 ? "akm1 pair" : "akm1 chain", GENERATION_SECRET, 0);
		set_number(o, "steps", steps[i % ARRAY_SIZE(steps)]);
		json_object_array_add(list, o);
	}
	return list;
}

/* Every suite in both contexts; (sender, receiver) differ in both bytes. */
static json_object *traffic(size_t i, unsigned int epoch, bool pair)
{
	json_object *o = with_ctx(&ctxs[i / ARRAY_SIZE(suites)]);

	json_object_object_add(o, "suite",
			       json_object_new_string(suites[i % ARRAY_SIZE(suites)].name));
	set_chain(o, "chain", "akm1 chain", GENERATION_SECRET, epoch);
	set_number(o, "sender", i % 2 ? 0x0102 : 3);
	if (pair) {
		set_chain(o, "pair_chain", "akm1 pair", PAIRWISE_SECRET, epoch);
		set_number(o, "receiver", i % 2 ? 3 : 0xfffe);
	}
	return o;
}

static json_object *inputs_group(void)
{
	json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(suites); i++)
		json_object_array_add(list, traffic(i, 0, false));
	return list;
}

static json_object *inputs_pair(void)
{
	json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(suites); i++)
		json_object_array_add(list, traffic(i, 0, true));
	return list;
}

static json_object *inputs_nonce(void)
{
	static const struct {
		const char *iv;
		uint64_t incarnation, sequence;
	} in[] = {
		{ "000000000000000000000000", 1, 0 },
		{ "000000000000000000000000", 0x010203, 0x0405060708 },
		{ "ffffffffffffffffffffffff", 0xffffff, (1ULL << 40) - 1 },
		{ "a0a1a2a3a4a5a6a7a8a9aaab", 2, 1 },
	};
	json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(in); i++) {
		json_object *o = json_object_new_object();

		json_object_object_add(o, "iv", json_object_new_string(in[i].iv));
		set_number(o, "incarnation", in[i].incarnation);
		set_number(o, "sequence", in[i].sequence);
		json_object_array_add(list, o);
	}
	return list;
}

/* RFC 1071 */
static uint16_t checksum(const unsigned char *b, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void patch16(struct bytes *s, size_t at, uint16_t v)
{
	s->b[at] = (unsigned char)(v >> 8);
	s->b[at + 1] = (unsigned char)v;
}

/* 10.77.0.3:4660 -> @dst:7, IPv4, UDP, valid checksums */
static struct bytes inner_packet(uint32_t dst, const char *payload)
{
	size_t udp_len = 8 + strlen(payload);
	struct bytes s = { .len = 0 };

	put_uint(&s, 0x4500, 2);
	put_uint(&s, 20 + udp_len, 2);
	put_uint(&s, 0x12344000, 4);		/* ID, don't fragment */
	put_uint(&s, 64 << 8 | 17, 2);		/* TTL, UDP */
	put_uint(&s, 0, 2);
	put_uint(&s, 0x0a4d0003, 4);
	put_uint(&s, dst, 4);
	patch16(&s, 10, checksum(s.b, 20, 0));
	put_uint(&s, 0x1234, 2);
	put_uint(&s, 7, 2);
	put_uint(&s, udp_len, 2);
	put_uint(&s, 0, 2);
	put(&s, payload, strlen(payload));
	/* pseudo-header: both addresses, 17, length (RFC 768) */
	patch16(&s, 26, checksum(s.b + 12, s.len - 12, 17 + (uint32_t)udp_len));
	return s;
}

static struct bytes hello_body(void)
{
	struct bytes s = { .len = 0 };

	put_uint(&s, 0x1011121314151617, 8);	/* nonce */
	put_uint(&s, 0x18191a1b1c1d1e1f, 8);
	return s;
}

/* What the sender of packet @i would answer, if it had sent 5 packets to the group before */
static struct bytes hello_ack_body(size_t i)
{
	uint64_t incarnation = (i % 2 ? 0x010203ULL : 1) << 40;
	struct bytes s = hello_body();

	put_uint(&s, i % 2 ? 0x1fe : 0, 8);
	put_uint(&s, incarnation + (i % 2 ? 0x0405060709 : 1), 8);
	put_uint(&s, incarnation + 5, 8);
	return s;
}

/* In the epoch that add_packet() seals it in */
static struct bytes notice_body(size_t i)
{
	struct bytes s = { .len = 0 };

	put_uint(&s, i % 2 ? 0x1fe : 0, 8);
	return s;
}

static void add_packet(json_object *list, size_t i, uint64_t type, const struct bytes *plain,
		       const char *what)
{
	unsigned int epoch = i % 2 ? 0x1fe : 0;
	json_object *o = traffic(i, epoch, type != TYPE_GROUP);
	char name[64];

	snprintf(name, sizeof(name), "%s, %s", text(o, "suite"), what);
	json_object_object_add(o, "name", json_object_new_string(name));
	set_number(o, "type", type);
	set_number(o, "epoch", epoch);
	set_number(o, "incarnation", i % 2 ? 0x010203 : 1);
	set_number(o, "sequence", i % 2 ? 0x0405060708 : 0);
	set_bytes(o, "plaintext", plain);
	json_object_array_add(list, o);
}

static json_object *inputs_packet(void)
{
	struct bytes unicast = inner_packet(0x0a4d0004, "to one member, under the pair key");
	struct bytes multicast = inner_packet(0xefff4d01, "to the group, under the sender's key");
	struct bytes empty = { .len = 0 };
	json_object *list = json_object_new_array();
	struct bytes hello = hello_body(), ack, notice;
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(suites); i++) {
		add_packet(list, i, TYPE_PAIR, &unicast, "unicast IPv4/UDP");
		add_packet(list, i, TYPE_GROUP, &multicast, "multicast IPv4/UDP");
	}
	for (i = 0; i < ARRAY_SIZE(suites); i++)
		add_packet(list, i, TYPE_PAIR, &empty, "empty");
	for (i = 0; i < 2 * ARRAY_SIZE(suites); i++) {
		ack = hello_ack_body(i);
		add_packet(list, i, TYPE_HELLO, &hello, "hello");
		add_packet(list, i, TYPE_HELLO_ACK, &ack, "hello-ack");
	}
	for (i = 0; i < ARRAY_SIZE(suites); i++) {
		notice = notice_body(i);
		add_packet(list, i, TYPE_NOTICE, &notice, "epoch notice");
	}
	for (i = 0; i < ARRAY_SIZE(suites); i++)
		add_packet(list, i, TYPE_KEEPALIVE, &empty, "keepalive");
	return list;
}

/* ---- the file ---- */

static const struct section {
	const char *name;
	json_object *(*inputs)(void);
	void (*fill)(json_object *o);
} sections[] = {
	{ "hkdf", inputs_hkdf, fill_hkdf },
	{ "chain_start", inputs_chain_start, fill_chain_start },
	{ "pair_start", inputs_pair_start, fill_pair_start },
	{ "pairwise", inputs_pairwise, fill_pairwise },
	{ "next", inputs_next, fill_next },
	{ "group", inputs_group, fill_group },
	{ "pair", inputs_pair, fill_pair },
	{ "nonce", inputs_nonce, fill_nonce },
	{ "packet", inputs_packet, fill_packet },
	{ "link_psk", inputs_link_psk, fill_link_psk },
};

/* Return: number of vectors of @list whose outputs are not what the inputs give */
static size_t check_section(const struct section *s, json_object *list)
{
	size_t i, n = json_object_array_length(list), bad = 0;

	if (!n)
		die("empty section", s->name);
	for (i = 0; i < n; i++) {
		json_object *o = json_object_array_get_idx(list, i), *copy = NULL;

		if (json_object_deep_copy(o, &copy, NULL))
			die("out of memory", s->name);
		s->fill(copy);
		if (!json_object_equal(o, copy)) {
			printf("not ok %s[%zu]: is\n%s\nshould be\n%s\n", s->name, i,
			       json_object_to_json_string(o), json_object_to_json_string(copy));
			bad++;
		}
		json_object_put(copy);
	}
	printf("%s %s: %zu vectors, %zu wrong\n", bad ? "not ok" : "ok", s->name, n, bad);
	return bad;
}

static json_object *load(const char *path)
{
	json_object *root = json_object_from_file(path);
	size_t i;

	if (!root)
		die(path, json_util_get_last_err());
	for (i = 0; i < ARRAY_SIZE(sections); i++)
		field(root, sections[i].name, json_type_array);
	json_object_object_foreach(root, key, unused) {
		(void)unused;
		for (i = 0; i < ARRAY_SIZE(sections); i++)
			if (!strcmp(key, sections[i].name))
				break;
		if (i == ARRAY_SIZE(sections))
			die("unknown section", key);
	}
	return root;
}

static int cmd_check(const char *path)
{
	json_object *root = load(path);
	size_t i, bad = 0;

	for (i = 0; i < ARRAY_SIZE(sections); i++)
		bad += check_section(&sections[i],
				     json_object_object_get(root, sections[i].name));
	json_object_put(root);
	return bad ? 1 : 0;
}

static int cmd_generate(void)
{
	json_object *root = json_object_new_object();
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(sections); i++) {
		json_object *list = sections[i].inputs();

		for (j = 0; j < json_object_array_length(list); j++)
			if (sections[i].fill != fill_hkdf)
				sections[i].fill(json_object_array_get_idx(list, j));
		json_object_object_add(root, sections[i].name, list);
	}
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_PRETTY_TAB));
	json_object_put(root);
	return 0;
}

/* ---- the header: a struct and an array per section ---- */

static void header_struct(const struct section *s, json_object *list)
{
	json_object *first = json_object_array_get_idx(list, 0);

	printf("\nstruct akm_vector_%s {\n", s->name);
	json_object_object_foreach(first, key, value)
		printf("\t%s%s;\n",
		       json_object_is_type(value, json_type_string) ? "const char *" : "u64 ", key);
	puts("};\n");
}

/* Long hex is broken over lines, for the eye */
static void header_string(const char *s)
{
	const size_t width = 64;
	size_t len = strlen(s);

	if (len <= width) {
		printf(" \"%s\",\n", s);
		return;
	}
	for (; len > width; s += width, len -= width)
		printf("\n\t\t\t\"%.*s\"", (int)width, s);
	printf("\n\t\t\t\"%s\",\n", s);
}

static void header_vector(json_object *o)
{
	puts("\t{");
	json_object_object_foreach(o, key, value) {
		printf("\t\t.%s =", key);
		if (json_object_is_type(value, json_type_string))
			header_string(json_object_get_string(value));
		else
			printf(" %" PRIu64 "ULL,\n", (uint64_t)json_object_get_int64(value));
	}
	puts("\t},");
}

static int cmd_header(const char *path)
{
	json_object *root = load(path);
	size_t i, j;

	puts("/* SPDX-License-Identifier: GPL-2.0 */\n"
	     "/* Generated from tests/vectors/vectors.json by `vectors header`: do not edit. */\n"
	     "#ifndef _AKM_VECTORS_H\n#define _AKM_VECTORS_H\n\n#include <linux/compiler.h>\n#include <linux/types.h>");
	for (i = 0; i < ARRAY_SIZE(sections); i++) {
		json_object *list = json_object_object_get(root, sections[i].name);

		header_struct(&sections[i], list);
		printf("static const struct akm_vector_%s akm_vectors_%s[] __maybe_unused = {\n",
		       sections[i].name, sections[i].name);
		for (j = 0; j < json_object_array_length(list); j++)
			header_vector(json_object_array_get_idx(list, j));
		puts("};");
	}
	puts("\n#endif /* _AKM_VECTORS_H */");
	json_object_put(root);
	return 0;
}

int main(int argc, char **argv)
{
	int r;

	if (argc == 2 && !strcmp(argv[1], "generate"))
		r = cmd_generate();
	else if (argc == 3 && !strcmp(argv[1], "check"))
		r = cmd_check(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "header"))
		r = cmd_header(argv[2]);
	else
		die("usage", "vectors generate | check FILE | header FILE");
	if (fflush(stdout) || ferror(stdout))
		die("cannot write", strerror(errno));
	return r;
}
