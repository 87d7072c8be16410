// SPDX-License-Identifier: GPL-2.0
#include "keystore_fake.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <tss2/tss2_mu.h>

#include "tpmpub.h"

#define NAME_LEN 34

struct fake_tpm {
	struct fake_tpm *next;
	uint8_t seed[32];
	EVP_PKEY *ek, *parent;
	struct akm_blob ek_public, ek_name, cert, parent_public, parent_name;
	struct fake_tpm *shown_parent;
	uint64_t counter[2];
	unsigned int calls;
	unsigned int fail_after;
	int fail;
	bool held;
	pthread_mutex_t held_lock;
	pthread_cond_t released;
	bool cutting;
	unsigned int cut_after;
	EVP_PKEY *ak, *forger;		/* made when they are needed */
	struct akm_blob ak_public, ak_name;
	bool forging, replaying;
	struct keystore_quote last;
	uint8_t measured;
	uint32_t resets, restarts;
	uint64_t clock_ms;
	unsigned int quotes;
};

struct keystore { struct fake_tpm *t; };

/* Every fake chip of the process: to wrap something for one, its seed is looked up here. */
static struct fake_tpm *chips;
static pthread_mutex_t chips_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- public areas, as a TPM marshals them ---- */

static size_t put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return 2;
}

static size_t put_key(uint8_t *p, EVP_PKEY *key)
{
	uint8_t x[32], y[32], n[256];
	BIGNUM *a = NULL, *b = NULL;
	size_t at = 0;

	if (EVP_PKEY_is_a(key, "RSA")) {
		EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &a);
		BN_bn2binpad(a, n, sizeof(n));
		at += put16(p + at, 2048);
		at += put16(p + at, 0);
		at += put16(p + at, 0);		/* exponent 0: the default */
		at += put16(p + at, sizeof(n));
		memcpy(p + at, n, sizeof(n));
		at += sizeof(n);
	} else {
		EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &a);
		EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &b);
		BN_bn2binpad(a, x, sizeof(x));
		BN_bn2binpad(b, y, sizeof(y));
		at += put16(p + at, 0x0003);	/* P-256 */
		at += put16(p + at, 0x0010);	/* no KDF */
		at += put16(p + at, sizeof(x));
		memcpy(p + at, x, sizeof(x));
		at += sizeof(x);
		at += put16(p + at, sizeof(y));
		memcpy(p + at, y, sizeof(y));
		at += sizeof(y);
	}
	BN_free(a);
	BN_free(b);
	return at;
}

static void make_public(EVP_PKEY *key, uint32_t attributes, struct akm_blob *ret_public, struct akm_blob *ret_name)
{
	uint8_t p[512], name[NAME_LEN] = { 0x00, 0x0b };
	size_t at = 2;

	at += put16(p + at, EVP_PKEY_is_a(key, "RSA") ? 0x0001 : 0x0023);
	at += put16(p + at, 0x000b);		/* SHA-256 */
	at += put16(p + at, attributes >> 16);
	at += put16(p + at, attributes & 0xffff);
	at += put16(p + at, 0);			/* no policy */
	at += put16(p + at, 0x0006);		/* AES-128-CFB */
	at += put16(p + at, 128);
	at += put16(p + at, 0x0043);
	at += put16(p + at, 0x0010);		/* no scheme */
	at += put_key(p + at, key);
	put16(p, (unsigned int)(at - 2));
	EVP_Digest(p + 2, at - 2, name + 2, NULL, EVP_sha256(), NULL);
	if (akm_blob_dup(p, at, ret_public) < 0 || akm_blob_dup(name, sizeof(name), ret_name) < 0)
		abort();
}

/* ---- chips ---- */

static void list_chip(struct fake_tpm *t)
{
	pthread_mutex_lock(&chips_lock);
	t->next = chips;
	chips = t;
	pthread_mutex_unlock(&chips_lock);
}

struct fake_tpm *fake_tpm_new(bool rsa_ek)
{
	struct fake_tpm *t = calloc(1, sizeof(*t));

	if (!t || RAND_bytes(t->seed, sizeof(t->seed)) != 1)
		abort();
	pthread_mutex_init(&t->held_lock, NULL);
	pthread_cond_init(&t->released, NULL);
	t->ek = rsa_ek ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	t->parent = EVP_EC_gen("P-256");
	make_public(t->ek, 0x000300b2, &t->ek_public, &t->ek_name);
	make_public(t->parent, 0x00030472, &t->parent_public, &t->parent_name);
	t->shown_parent = t;
	list_chip(t);
	return t;
}

static EVP_PKEY *same_key(EVP_PKEY *key)
{
	if (key && EVP_PKEY_up_ref(key) != 1)
		abort();
	return key;
}

static struct akm_blob same_bytes(const struct akm_blob *b)
{
	struct akm_blob copy = {};

	if (akm_blob_dup(b->data, b->len, &copy) < 0)
		abort();
	return copy;
}

struct fake_tpm *fake_tpm_copy(struct fake_tpm *t)
{
	struct fake_tpm *copy = malloc(sizeof(*copy));

	if (!copy)
		abort();
	*copy = *t;
	pthread_mutex_init(&copy->held_lock, NULL);
	pthread_cond_init(&copy->released, NULL);
	copy->ek = same_key(t->ek);
	copy->parent = same_key(t->parent);
	copy->ak = same_key(t->ak);
	copy->forger = same_key(t->forger);
	copy->ek_public = same_bytes(&t->ek_public);
	copy->ek_name = same_bytes(&t->ek_name);
	copy->cert = same_bytes(&t->cert);
	copy->parent_public = same_bytes(&t->parent_public);
	copy->parent_name = same_bytes(&t->parent_name);
	copy->ak_public = same_bytes(&t->ak_public);
	copy->ak_name = same_bytes(&t->ak_name);
	copy->last.attest = same_bytes(&t->last.attest);
	copy->last.signature = same_bytes(&t->last.signature);
	copy->shown_parent = copy;
	list_chip(copy);
	return copy;
}

void fake_tpm_free(struct fake_tpm *t)
{
	struct fake_tpm **p;

	pthread_mutex_lock(&chips_lock);
	for (p = &chips; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	pthread_mutex_unlock(&chips_lock);
	EVP_PKEY_free(t->ek);
	EVP_PKEY_free(t->parent);
	EVP_PKEY_free(t->ak);
	EVP_PKEY_free(t->forger);
	akm_blob_free(&t->ak_public);
	akm_blob_free(&t->ak_name);
	akm_blob_free(&t->last.attest);
	akm_blob_free(&t->last.signature);
	akm_blob_free(&t->ek_public);
	akm_blob_free(&t->ek_name);
	akm_blob_free(&t->cert);
	akm_blob_free(&t->parent_public);
	akm_blob_free(&t->parent_name);
	free(t);
}

struct keystore *fake_keystore(struct fake_tpm *t)
{
	struct keystore *ks = calloc(1, sizeof(*ks));

	if (!ks)
		abort();
	ks->t = t;
	return ks;
}

void fake_tpm_set_cert(struct fake_tpm *t, const struct akm_blob *der)
{
	akm_blob_free(&t->cert);
	if (akm_blob_dup(der->data, der->len, &t->cert) < 0)
		abort();
}

void fake_tpm_lie_about_parent(struct fake_tpm *t, struct fake_tpm *other)
{
	t->shown_parent = other;
}

void fake_tpm_fail_after(struct fake_tpm *t, unsigned int n, int r)
{
	t->fail = r;
	t->fail_after = n;
}

void fake_tpm_hold(struct fake_tpm *t, bool held)
{
	pthread_mutex_lock(&t->held_lock);
	t->held = held;
	pthread_cond_broadcast(&t->released);
	pthread_mutex_unlock(&t->held_lock);
}

void fake_tpm_cut_after(struct fake_tpm *t, unsigned int n)
{
	t->cutting = true;
	t->cut_after = n;
}

bool fake_tpm_is_cut(const struct fake_tpm *t)
{
	return t->cutting && !t->cut_after;
}

void fake_tpm_mend(struct fake_tpm *t)
{
	t->cutting = false;
}

void *fake_tpm_ek(struct fake_tpm *t)
{
	return t->ek;
}

const struct akm_blob *fake_tpm_ek_public(struct fake_tpm *t)
{
	return &t->ek_public;
}

unsigned int fake_tpm_calls(struct fake_tpm *t)
{
	return t->calls;
}

void fake_tpm_measure(struct fake_tpm *t, uint8_t what)
{
	t->measured = what;
}

void fake_tpm_reset(struct fake_tpm *t)
{
	t->resets++;
	t->restarts = 0;
}

void fake_tpm_set_back(struct fake_tpm *t)
{
	t->resets -= 2;
}

void fake_tpm_forge(struct fake_tpm *t)
{
	t->forging = !t->forging;
}

void fake_tpm_replay(struct fake_tpm *t)
{
	t->replaying = !t->replaying;
}

unsigned int fake_tpm_quotes(struct fake_tpm *t)
{
	return t->quotes;
}

/* Whose seed a name stands for; NULL: a TPM that is not here */
static struct fake_tpm *chip_of(const struct akm_blob *name, bool ek)
{
	struct fake_tpm *t;

	pthread_mutex_lock(&chips_lock);
	for (t = chips; t; t = t->next) {
		const struct akm_blob *n = ek ? &t->ek_name : &t->parent_name;

		if (n->len == name->len && !memcmp(n->data, name->data, n->len))
			break;
	}
	pthread_mutex_unlock(&chips_lock);
	return t;
}

static void await_release(struct fake_tpm *t)
{
	pthread_mutex_lock(&t->held_lock);
	while (t->held)
		pthread_cond_wait(&t->released, &t->held_lock);
	pthread_mutex_unlock(&t->held_lock);
}

static int call(struct keystore *ks)
{
	int r;

	await_release(ks->t);
	r = ks->t->fail;
	if (ks->t->cutting && !ks->t->cut_after)
		return -EIO;
	if (ks->t->cutting)
		ks->t->cut_after--;
	ks->t->calls++;
	if (r && ks->t->fail_after--)
		return 0;
	ks->t->fail = 0;
	return r;
}

/* ---- wrapping: kind | name | 32 bytes XOR HMAC(seed, kind | name) ---- */

#define WRAPPED_LEN (1 + NAME_LEN + 32)

static void mask(const uint8_t seed[32], const uint8_t *head, uint8_t ret[32])
{
	unsigned int len = 32;

	if (!HMAC(EVP_sha256(), seed, 32, head, 1 + NAME_LEN, ret, &len))
		abort();
}

static int wrap_under(const uint8_t seed[32], char kind, const uint8_t name[NAME_LEN], const uint8_t secret[32],
		      struct akm_blob *ret)
{
	uint8_t b[WRAPPED_LEN], m[32];

	b[0] = (uint8_t)kind;
	memcpy(b + 1, name, NAME_LEN);
	mask(seed, b, m);
	for (size_t i = 0; i < 32; i++)
		b[1 + NAME_LEN + i] = secret[i] ^ m[i];
	return akm_blob_dup(b, sizeof(b), ret);
}

static int unwrap_under(const uint8_t seed[32], char kind, const uint8_t name[NAME_LEN], const struct akm_blob *b,
			uint8_t ret[32])
{
	uint8_t m[32];

	if (b->len != WRAPPED_LEN || b->data[0] != (uint8_t)kind)
		return -EPROTO;
	if (memcmp(b->data + 1, name, NAME_LEN))
		return -ENOKEY;
	mask(seed, b->data, m);
	for (size_t i = 0; i < 32; i++)
		ret[i] = b->data[1 + NAME_LEN + i] ^ m[i];
	return 0;
}

static int wrap(const struct fake_tpm *t, char kind, const struct akm_blob *name, const uint8_t secret[32],
		struct akm_blob *ret)
{
	return wrap_under(t->seed, kind, name->data, secret, ret);
}

static int unwrap(const struct fake_tpm *t, char kind, const struct akm_blob *name, const struct akm_blob *b,
		  uint8_t ret[32])
{
	return unwrap_under(t->seed, kind, name->data, b, ret);
}

/* ---- attestation ---- */

static void put_point(EVP_PKEY *key, TPMS_ECC_POINT *ret)
{
	BIGNUM *x = NULL, *y = NULL;

	EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x);
	EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y);
	ret->x.size = ret->y.size = 32;
	BN_bn2binpad(x, ret->x.buffer, 32);
	BN_bn2binpad(y, ret->y.buffer, 32);
	BN_free(x);
	BN_free(y);
}

static void ak_public_of(EVP_PKEY *key, struct akm_blob *ret)
{
	TPM2B_PUBLIC p = {
		.publicArea = {
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = 0x00050472,	/* sign, restricted, noDA, userWithAuth, … fixedTPM */
			.parameters.eccDetail = {
				.symmetric.algorithm = TPM2_ALG_NULL,
				.scheme = { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
				.curveID = TPM2_ECC_NIST_P256,
				.kdf.scheme = TPM2_ALG_NULL,
			},
		},
	};
	uint8_t buf[512];
	size_t len = 0;

	put_point(key, &p.publicArea.unique.ecc);
	if (Tss2_MU_TPM2B_PUBLIC_Marshal(&p, buf, sizeof(buf), &len) || akm_blob_dup(buf, len, ret) < 0)
		abort();
}

static void make_ak(struct fake_tpm *t)
{
	if (t->ak)
		return;
	t->ak = EVP_EC_gen("P-256");
	t->forger = EVP_EC_gen("P-256");
	ak_public_of(t->ak, &t->ak_public);
	if (tpmpub_name(&t->ak_public, &t->ak_name) < 0)
		abort();
}

/* nameAlg | SHA-256(above | name) */
static void qualify(const void *above, size_t len, const void *name, uint8_t ret[NAME_LEN])
{
	uint8_t in[2 * NAME_LEN];

	memcpy(in, above, len);
	memcpy(in + len, name, NAME_LEN);
	memcpy(ret, "\x00\x0b", 2);
	EVP_Digest(in, len + NAME_LEN, ret + 2, NULL, EVP_sha256(), NULL);
}

/* Signs @data, whatever it is, with @key. */
static void sign_as_ak(EVP_PKEY *key, const uint8_t *data, size_t len, struct akm_blob *ret)
{
	TPMT_SIGNATURE s = { .sigAlg = TPM2_ALG_ECDSA, .signature.ecdsa.hash = TPM2_ALG_SHA256 };
	TPMS_SIGNATURE_ECDSA *e = &s.signature.ecdsa;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t der[80], buf[256];
	const uint8_t *p = der;
	size_t n = sizeof(der), out = 0;
	ECDSA_SIG *sig;

	if (EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(md, der, &n, data, len) != 1)
		abort();
	EVP_MD_CTX_free(md);
	sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
	e->signatureR.size = e->signatureS.size = 32;
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), e->signatureR.buffer, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), e->signatureS.buffer, 32);
	ECDSA_SIG_free(sig);
	if (Tss2_MU_TPMT_SIGNATURE_Marshal(&s, buf, sizeof(buf), &out) || akm_blob_dup(buf, out, ret) < 0)
		abort();
}

static void attest_as_ak(EVP_PKEY *key, const TPMS_ATTEST *a, struct keystore_quote *ret)
{
	uint8_t buf[sizeof(*a)];
	size_t len = 0;

	if (Tss2_MU_TPMS_ATTEST_Marshal(a, buf, sizeof(buf), &len) || akm_blob_dup(buf, len, &ret->attest) < 0)
		abort();
	sign_as_ak(key, buf, len, &ret->signature);
}

/* What a quote says; a test bends it before it is signed. */
static void fill_attest(const struct fake_tpm *t, uint32_t pcrs, const uint8_t qualifying[32], TPMS_ATTEST *ret)
{
	TPMS_QUOTE_INFO *q = &ret->attested.quote;
	uint8_t above[NAME_LEN];

	*ret = (TPMS_ATTEST) {
		.magic = TPM2_GENERATED_VALUE, .type = TPM2_ST_ATTEST_QUOTE, .extraData.size = 32,
		.qualifiedSigner.size = NAME_LEN, .firmwareVersion = 7,
		.clockInfo = { t->clock_ms, t->resets, t->restarts, TPM2_YES },
	};
	memcpy(ret->extraData.buffer, qualifying, 32);
	qualify("\x40\x00\x00\x01", 4, t->parent_name.data, above);
	qualify(above, NAME_LEN, t->ak_name.data, ret->qualifiedSigner.name);
	q->pcrSelect.count = 1;
	q->pcrSelect.pcrSelections[0] = (TPMS_PCR_SELECTION) {
		TPM2_ALG_SHA256, 3, { (uint8_t)pcrs, (uint8_t)(pcrs >> 8), (uint8_t)(pcrs >> 16) },
	};
	q->pcrDigest.size = 32;
	memset(q->pcrDigest.buffer, t->measured, 32);
}

/* ---- keystore.h ---- */

void keystore_quote_free(struct keystore_quote *q)
{
	akm_blob_free(&q->attest);
	akm_blob_free(&q->signature);
}

int keystore_ak_create(struct keystore *ks, struct akm_blob *ret_ak, struct akm_blob *ret_public)
{
	static const uint8_t nothing[32];
	struct fake_tpm *t = ks->t;
	int r = call(ks);

	if (r < 0)
		return r;
	make_ak(t);
	return wrap(t, 'A', &t->ak_name, nothing, ret_ak) ?:
	       akm_blob_dup(t->ak_public.data, t->ak_public.len, ret_public);
}

int keystore_ak_challenge(struct keystore *ks, const struct keystore_identity *peer, const struct akm_blob *ak_public,
			  struct akm_blob *ret_challenge, struct akm_secret *ret_secret)
{
	_cleanup_(akm_blob_free) struct akm_blob name = {};
	_cleanup_secret_ struct akm_secret secret = {};
	struct fake_tpm *t = chip_of(&peer->ek_name, true);
	int r = call(ks);

	if (!r && (!t || tpmpub_name(ak_public, &name) < 0))
		r = -EPROTO;
	r = r ?: akm_secret_random(32, &secret) ?: wrap(t, 'Q', &name, secret.data, ret_challenge);
	if (!r)
		*ret_secret = akm_secret_take(&secret);
	return r;
}

int keystore_ak_answer(struct keystore *ks, const struct akm_blob *ak, const struct akm_blob *challenge,
		       struct akm_secret *ret_secret)
{
	uint8_t secret[32] = {};
	int r = call(ks);

	(void)ak;
	make_ak(ks->t);
	r = r ?: unwrap(ks->t, 'Q', &ks->t->ak_name, challenge, secret);
	/* One that forges answers as well as it can, not at all rightly. */
	if (r == -ENOKEY)
		r = ks->t->forging ? 0 : -EKEYREJECTED;
	return r ?: akm_secret_dup(secret, sizeof(secret), ret_secret);
}

int keystore_quote(struct keystore *ks, const struct akm_blob *ak, uint32_t pcrs,
		   const uint8_t qualifying[AKM_DIGEST_LEN], struct keystore_quote *ret)
{
	struct fake_tpm *t = ks->t;
	uint8_t nothing[32];
	TPMS_ATTEST a;
	int r = call(ks);

	if (r < 0)
		return r;
	make_ak(t);
	r = unwrap(t, 'A', &t->ak_name, ak, nothing);
	if (r < 0)
		return r;
	t->clock_ms++;
	t->quotes++;
	if (!t->replaying) {
		keystore_quote_free(&t->last);
		t->last = (struct keystore_quote) {};
		fill_attest(t, pcrs, qualifying, &a);
		attest_as_ak(t->forging ? t->forger : t->ak, &a, &t->last);
	}
	return akm_blob_dup(t->last.attest.data, t->last.attest.len, &ret->attest) ?:
	       akm_blob_dup(t->last.signature.data, t->last.signature.len, &ret->signature);
}

void keystore_identity_free(struct keystore_identity *id)
{
	akm_blob_free(&id->ek_public);
	akm_blob_free(&id->ek_name);
	akm_blob_free(&id->ek_cert);
	akm_blob_free(&id->parent_public);
	akm_blob_free(&id->parent_name);
}

int keystore_open(const struct keystore_config *cfg, struct keystore **ret)
{
	(void)cfg;
	(void)ret;
	return -ENODEV;			/* see fake_keystore() */
}

void keystore_close(struct keystore *ks)
{
	free(ks);
}

const char *keystore_strerror(struct keystore *ks)
{
	(void)ks;
	return "the fake was told to fail";
}

uint64_t keystore_commands(struct keystore *ks)
{
	return ks->t->calls;
}

int keystore_identity(struct keystore *ks, struct keystore_identity *ret)
{
	struct fake_tpm *t = ks->t, *p = t->shown_parent;
	int r = call(ks);

	return r ?: akm_blob_dup(t->ek_public.data, t->ek_public.len, &ret->ek_public) ?:
	       akm_blob_dup(t->ek_name.data, t->ek_name.len, &ret->ek_name) ?:
	       akm_blob_dup(t->cert.data, t->cert.len, &ret->ek_cert) ?:
	       akm_blob_dup(p->parent_public.data, p->parent_public.len, &ret->parent_public) ?:
	       akm_blob_dup(p->parent_name.data, p->parent_name.len, &ret->parent_name);
}

int keystore_random(struct keystore *ks, uint8_t *buf, size_t len)
{
	int r = call(ks);

	if (r < 0)
		return r;
	return RAND_bytes(buf, (int)len) == 1 ? 0 : -EIO;
}

int keystore_challenge(struct keystore *ks, const struct keystore_identity *peer,
		       struct akm_blob *ret_challenge, struct akm_secret *ret_secret)
{
	_cleanup_secret_ struct akm_secret secret = {};
	struct fake_tpm *t = chip_of(&peer->ek_name, true);
	int r = call(ks);

	if (!r && (!t || !peer->parent_name.len))
		r = -EPROTO;
	r = r ?: akm_secret_random(32, &secret) ?: wrap(t, 'C', &peer->parent_name, secret.data, ret_challenge);
	if (!r)
		*ret_secret = akm_secret_take(&secret);
	return r;
}

/* A TPM opens a credential only for an object that it has loaded: its own parent. */
int keystore_answer(struct keystore *ks, const struct akm_blob *challenge, struct akm_secret *ret_secret)
{
	uint8_t secret[32] = {};
	int r = call(ks);

	r = r ?: unwrap(ks->t, 'C', &ks->t->parent_name, challenge, secret);
	/* One that lies answers as well as it can, not at all rightly. */
	if (r == -ENOKEY && ks->t->shown_parent != ks->t)
		r = 0;
	else if (r == -ENOKEY)
		r = -EKEYREJECTED;
	return r ?: akm_secret_dup(secret, sizeof(secret), ret_secret);
}

int keystore_domain_create(struct keystore *ks, struct akm_blob *ret_domain)
{
	uint8_t d[32];
	int r = call(ks);

	if (r < 0 || RAND_bytes(d, sizeof(d)) != 1)
		return r ?: -EIO;
	return wrap(ks->t, 'M', &ks->t->parent_name, d, ret_domain);
}

int keystore_domain_duplicate(struct keystore *ks, const struct akm_blob *domain,
			      const struct keystore_identity *peer, struct akm_blob *ret_dup)
{
	struct fake_tpm *t = chip_of(&peer->parent_name, false);
	uint8_t d[32];
	int r = call(ks);

	if (!r && !t)
		r = -EPROTO;
	return r ?: unwrap(ks->t, 'M', &ks->t->parent_name, domain, d) ?: wrap(t, 'm', &peer->parent_name, d, ret_dup);
}

int keystore_domain_import(struct keystore *ks, const struct akm_blob *dup, struct akm_blob *ret_domain)
{
	uint8_t d[32];
	int r = call(ks);

	return r ?: unwrap(ks->t, 'm', &ks->t->parent_name, dup, d) ?: wrap(ks->t, 'M', &ks->t->parent_name, d, ret_domain);
}

/*
 * What a key is wrapped by: the domain's storage key, whichever TPM that was duplicated to, or (NULL) this TPM's
 * storage parent.
 */
struct above { uint8_t seed[32], name[NAME_LEN]; };

static int above(struct keystore *ks, const struct akm_blob *domain, struct above *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!domain) {
		memcpy(ret->seed, ks->t->seed, sizeof(ret->seed));
		memcpy(ret->name, ks->t->parent_name.data, NAME_LEN);
		return 0;
	}
	r = unwrap(ks->t, 'M', &ks->t->parent_name, domain, ret->seed);
	if (!r && !EVP_Digest(ret->seed, 32, ret->name, NULL, EVP_sha256(), NULL))
		abort();
	return r;
}

int keystore_pair_create(struct keystore *ks, const struct akm_blob *domain,
			 const struct keystore_identity *peer,
			 struct akm_blob *ret_key, struct akm_blob *ret_dup)
{
	struct fake_tpm *t = chip_of(&peer->parent_name, false);
	struct above by;
	uint8_t key[32];
	int r = call(ks);

	if (r < 0 || !t || RAND_bytes(key, sizeof(key)) != 1)
		return r ?: -EPROTO;
	return above(ks, domain, &by) ?: wrap(t, 'd', &peer->parent_name, key, ret_dup) ?:
	       wrap_under(by.seed, 'K', by.name, key, ret_key);
}

int keystore_pair_import(struct keystore *ks, const struct akm_blob *dup, struct akm_blob *ret_key)
{
	uint8_t key[32];
	int r = call(ks);

	return r ?: unwrap(ks->t, 'd', &ks->t->parent_name, dup, key) ?:
	       wrap(ks->t, 'K', &ks->t->parent_name, key, ret_key);
}

int keystore_hmac(struct keystore *ks, const struct akm_blob *domain, const struct akm_blob *key,
		  const void *msg, size_t len, struct akm_secret *ret_mac)
{
	_cleanup_secret_ struct akm_secret mac = {};
	unsigned int n = 32;
	struct above by;
	uint8_t k[32];
	int r = call(ks);

	r = r ?: above(ks, domain, &by) ?: unwrap_under(by.seed, 'K', by.name, key, k) ?: akm_secret_new(32, &mac);
	if (r < 0)
		return r;
	if (!HMAC(EVP_sha256(), k, sizeof(k), msg, len, mac.data, &n))
		return -EIO;
	*ret_mac = akm_secret_take(&mac);
	return 0;
}

int keystore_key_name(const struct akm_blob *key, char **ret_hex)
{
	*ret_hex = key->len ? strdup("000bfa4e") : NULL;
	return *ret_hex ? 0 : -EPROTO;
}

int keystore_seal(struct keystore *ks, const struct akm_secret *secret, struct akm_blob *ret)
{
	int r = call(ks);

	if (!r && secret->len != 32)
		r = -EINVAL;
	return r ?: wrap(ks->t, 'S', &ks->t->parent_name, secret->data, ret);
}

int keystore_unseal(struct keystore *ks, const struct akm_blob *sealed, struct akm_secret *ret)
{
	uint8_t s[32];
	int r = call(ks);

	return r ?: unwrap(ks->t, 'S', &ks->t->parent_name, sealed, s) ?: akm_secret_dup(s, sizeof(s), ret);
}

int keystore_counter_read(struct keystore *ks, enum keystore_counter c, uint64_t *ret)
{
	int r = call(ks);

	if (!r)
		*ret = ks->t->counter[c];
	return r;
}

int keystore_counter_next(struct keystore *ks, enum keystore_counter c, uint64_t *ret)
{
	int r = call(ks);

	if (!r)
		*ret = ++ks->t->counter[c];
	return r;
}
