// SPDX-License-Identifier: GPL-2.0
/* Quotes of a software TPM's, taken, and broken one field at a time. */
#include "quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "keystore_fake.h"
#include "keystore_fake.c"		/* for its structures: a real TPM does not let one bend them */

#define PCRS 0x95u			/* 0, 2, 4, 7 */

static struct fake_tpm *tpm;
static struct quote_expect want;

static int setup(void **state)
{
	struct akm_blob ak = {};
	struct keystore *ks;

	(void)state;
	assert_int_equal(akm_secret_init(1 << 16), 0);
	tpm = fake_tpm_new(false);
	ks = fake_keystore(tpm);
	assert_int_equal(keystore_ak_create(ks, &ak, &want.ak_public), 0);
	assert_int_equal(quote_signer(&want.ak_public, &tpm->parent_name, &want.signer), 0);
	want.pcrs = PCRS;
	memset(want.qualifying, 0x5a, sizeof(want.qualifying));
	akm_blob_free(&ak);
	keystore_close(ks);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	akm_blob_free(&want.ak_public);
	akm_blob_free(&want.signer);
	fake_tpm_free(tpm);
	akm_secret_exit();
	return 0;
}

/* Signed by @key after @bend had its way with it; @field: what must be wrong with it, NULL: nothing. */
static void try(EVP_PKEY *key, void (*bend)(TPMS_ATTEST *a), const char *field)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	struct quote_facts facts = {};
	struct akm_error err = {};
	TPMS_ATTEST a;
	int r;

	fill_attest(tpm, PCRS, want.qualifying, &a);
	if (bend)
		bend(&a);
	attest_as_ak(key, &a, &q);
	r = quote_verify(&want, &q.attest, &q.signature, &facts, &err);
	if (!field) {
		assert_int_equal(r, 0);
		return;
	}
	assert_int_equal(r, -EKEYREJECTED);
	assert_string_equal(err.field, field);
	assert_true(err.reason[0]);
	assert_int_equal(facts.firmware, 0);	/* untouched */
}

static void no_magic(TPMS_ATTEST *a) { a->magic ^= 1; }
static void other_nonce(TPMS_ATTEST *a) { a->extraData.buffer[31] ^= 1; }
static void short_nonce(TPMS_ATTEST *a) { a->extraData.size = 31; }
static void no_nonce(TPMS_ATTEST *a) { a->extraData.size = 0; }
static void other_signer(TPMS_ATTEST *a) { a->qualifiedSigner.name[33] ^= 1; }
static void no_signer(TPMS_ATTEST *a) { a->qualifiedSigner.size = 0; }
static void fewer_pcrs(TPMS_ATTEST *a) { a->attested.quote.pcrSelect.pcrSelections[0].pcrSelect[0] &= 0xfe; }
static void more_pcrs(TPMS_ATTEST *a) { a->attested.quote.pcrSelect.pcrSelections[0].pcrSelect[2] |= 0x80; }
static void no_pcrs(TPMS_ATTEST *a) { a->attested.quote.pcrSelect.count = 0; }
static void other_bank(TPMS_ATTEST *a) { a->attested.quote.pcrSelect.pcrSelections[0].hash = TPM2_ALG_SHA384; }
static void longer_select(TPMS_ATTEST *a) { a->attested.quote.pcrSelect.pcrSelections[0].sizeofSelect = 4; }
static void short_digest(TPMS_ATTEST *a) { a->attested.quote.pcrDigest.size = 31; }

static void two_banks(TPMS_ATTEST *a)
{
	a->attested.quote.pcrSelect.count = 2;
	a->attested.quote.pcrSelect.pcrSelections[1] = a->attested.quote.pcrSelect.pcrSelections[0];
}

/* Something else that a TPM signs with this key, and what somebody who has no PCR 0 there could have had certified */
static void a_certificate(TPMS_ATTEST *a)
{
	a->type = TPM2_ST_ATTEST_TIME;
	a->attested = (TPMU_ATTEST) { .time = { .firmwareVersion = 7 } };
}

static void every_field_counts(void **state)
{
	static const struct { void (*bend)(TPMS_ATTEST *a); const char *field; } bent[] = {
		{ no_magic, "magic" }, { a_certificate, "type" }, { other_nonce, "nonce" }, { short_nonce, "nonce" },
		{ no_nonce, "nonce" }, { other_signer, "signer" }, { no_signer, "signer" },
		{ fewer_pcrs, "pcr-selection" }, { more_pcrs, "pcr-selection" }, { no_pcrs, "pcr-selection" },
		{ other_bank, "pcr-selection" }, { longer_select, "pcr-selection" }, { two_banks, "pcr-selection" },
		{ short_digest, "pcr-digest" },
	};

	(void)state;
	try(tpm->ak, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bent); i++)
		try(tpm->ak, bent[i].bend, bent[i].field);
	try(tpm->forger, NULL, "signature");
}

static void facts_are_told(void **state)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	struct quote_facts facts;
	struct akm_error err = {};
	uint8_t digest[32];
	TPMS_ATTEST a;

	(void)state;
	tpm->resets = 11;
	tpm->restarts = 12;
	tpm->clock_ms = 13;
	fake_tpm_measure(tpm, 0xab);
	fill_attest(tpm, PCRS, want.qualifying, &a);
	attest_as_ak(tpm->ak, &a, &q);
	assert_int_equal(quote_verify(&want, &q.attest, &q.signature, &facts, &err), 0);
	memset(digest, 0xab, sizeof(digest));
	assert_memory_equal(facts.digest, digest, sizeof(digest));
	assert_int_equal(facts.firmware, 7);
	assert_int_equal(facts.resets, 11);
	assert_int_equal(facts.restarts, 12);
	assert_int_equal(facts.clock_ms, 13);
}

/* No bit of it may be another, and nothing may follow it. */
static void every_bit_counts(void **state)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	struct quote_facts facts;
	struct akm_error err = {};
	TPMS_ATTEST a;

	(void)state;
	fill_attest(tpm, PCRS, want.qualifying, &a);
	attest_as_ak(tpm->ak, &a, &q);
	for (size_t i = 0; i < q.attest.len; i++) {
		q.attest.data[i] ^= 0x10;
		assert_int_equal(quote_verify(&want, &q.attest, &q.signature, &facts, &err), -EKEYREJECTED);
		q.attest.data[i] ^= 0x10;
	}
	for (size_t i = 0; i < q.signature.len; i++) {
		q.signature.data[i] ^= 0x10;
		assert_true(quote_verify(&want, &q.attest, &q.signature, &facts, &err) < 0);
		q.signature.data[i] ^= 0x10;
	}
	for (size_t n = 0; n < q.signature.len; n++)
		assert_true(quote_verify(&want, &q.attest, &(struct akm_blob){ q.signature.data, n }, &facts, &err) < 0);
	assert_int_equal(quote_verify(&want, &q.attest, &q.signature, &facts, &err), 0);
}

static void something_signed_that_is_no_attest(void **state)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	_cleanup_(akm_blob_free) struct akm_blob longer = {};
	struct quote_facts facts;
	struct akm_error err = {};
	uint8_t buf[1024];
	TPMS_ATTEST a;

	(void)state;
	fill_attest(tpm, PCRS, want.qualifying, &a);
	attest_as_ak(tpm->ak, &a, &q);
	memcpy(buf, q.attest.data, q.attest.len);
	buf[q.attest.len] = 0;
	for (int more = -1; more <= 1; more += 2) {
		assert_int_equal(akm_blob_dup(buf, q.attest.len + (size_t)more, &longer), 0);
		akm_blob_free(&q.signature);
		sign_as_ak(tpm->ak, longer.data, longer.len, &q.signature);
		assert_int_equal(quote_verify(&want, &longer, &q.signature, &facts, &err), -EPROTO);
		assert_string_equal(err.field, "attest");
		akm_blob_free(&longer);
	}
}

/* A key that signs anything can sign a quote that no TPM made. */
static void unrestricted_key_is_refused(void **state)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	struct quote_expect other = want;
	struct quote_facts facts;
	struct akm_error err = {};
	struct akm_blob loose = {};
	TPMS_ATTEST a;

	(void)state;
	assert_int_equal(akm_blob_dup(want.ak_public.data, want.ak_public.len, &loose), 0);
	loose.data[7] ^= 1;			/* TPMA_OBJECT_RESTRICTED, 0x00010000 */
	other.ak_public = loose;
	fill_attest(tpm, PCRS, want.qualifying, &a);
	attest_as_ak(tpm->ak, &a, &q);
	assert_int_equal(quote_verify(&other, &q.attest, &q.signature, &facts, &err), -EPROTO);
	assert_string_equal(err.field, "ak-public");
	akm_blob_free(&loose);
}

static void signer_depends_on_all_of_it(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob a = {}, b = {};
	struct akm_blob none = {};

	(void)state;
	assert_int_equal(quote_signer(&want.ak_public, &tpm->ek_name, &a), 0);
	assert_int_equal(a.len, want.signer.len);
	assert_memory_not_equal(a.data, want.signer.data, a.len);
	assert_int_equal(quote_signer(&none, &tpm->ek_name, &b), -EPROTO);
}

static void qualifying_depends_on_all_of_it(void **state)
{
	uint8_t nonce[32] = {}, id[16] = {}, binding[32] = {}, first[32], other[32];

	(void)state;
	assert_int_equal(quote_link_qualifying(nonce, id, binding, first), 0);
	assert_int_equal(quote_link_qualifying(nonce, id, binding, other), 0);
	assert_memory_equal(first, other, sizeof(first));
	nonce[31] = 1;
	assert_int_equal(quote_link_qualifying(nonce, id, binding, other), 0);
	assert_memory_not_equal(first, other, sizeof(first));
	nonce[31] = 0;
	id[15] = 1;
	assert_int_equal(quote_link_qualifying(nonce, id, binding, other), 0);
	assert_memory_not_equal(first, other, sizeof(first));
	id[15] = 0;
	binding[31] = 1;
	assert_int_equal(quote_link_qualifying(nonce, id, binding, other), 0);
	assert_memory_not_equal(first, other, sizeof(first));
	/* A quote for one purpose is none for the other. */
	memset(other, 0, sizeof(other));
	assert_int_equal(quote_qualifying(QUOTE_PROVISION, nonce, sizeof(nonce), first), 0);
	assert_int_equal(quote_qualifying(QUOTE_LINK, nonce, sizeof(nonce), other), 0);
	assert_memory_not_equal(first, other, sizeof(first));
}

static void assert_follows(struct quote_facts b, struct quote_facts n, const char *field)
{
	struct akm_error err = {};

	assert_int_equal(quote_follows(&b, &n, &err), field ? -EKEYREJECTED : 0);
	if (field)
		assert_string_equal(err.field, field);
}

static void time_goes_on(void **state)
{
	const struct quote_facts at = { .resets = 5, .restarts = 3, .clock_ms = 1000 };
	struct quote_facts n = at;

	(void)state;
	assert_follows(at, n, NULL);
	n.clock_ms = 999;
	assert_follows(at, n, "clock");
	n.restarts = 4;				/* a resume may take from the clock */
	assert_follows(at, n, NULL);
	n.restarts = 2;
	assert_follows(at, n, "restartCount");
	n.resets = 6;
	assert_follows(at, n, NULL);
	n.resets = 4;
	assert_follows(at, n, "resetCount");
	/* The number that a TPM adds may make them pass their largest. */
	assert_follows((struct quote_facts){ .resets = UINT32_MAX }, (struct quote_facts){ .resets = 1 }, NULL);
	assert_follows((struct quote_facts){ .resets = 1 }, (struct quote_facts){ .resets = UINT32_MAX }, "resetCount");
}

static void selections_are_read(void **state)
{
	static const char *const bad[] = {
		"", "sha256", "sha256:", "sha256:,", "sha256:0,", "sha256:24", "sha256:0,0", "sha256:0 2", "sha1:0", "0,2",
		"sha256:-1", "sha256:0x1", "sha256:007", "none,", "None", "sha256:0,2,4,7 ",
	};
	char text[QUOTE_TEXT_MAX];
	uint32_t pcrs = 1;

	(void)state;
	assert_int_equal(quote_pcrs_parse("none", &pcrs), 0);
	assert_int_equal(pcrs, 0);
	assert_int_equal(quote_pcrs_parse("sha256:7,0,4,2", &pcrs), 0);
	assert_int_equal(pcrs, PCRS);
	quote_pcrs_text(pcrs, text);
	assert_string_equal(text, "sha256:0,2,4,7");
	quote_pcrs_text(0, text);
	assert_string_equal(text, "none");
	quote_pcrs_text(QUOTE_PCRS_ALL, text);
	assert_int_equal(quote_pcrs_parse(text, &pcrs), 0);
	assert_int_equal(pcrs, QUOTE_PCRS_ALL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pcrs = 99;
		assert_int_equal(quote_pcrs_parse(bad[i], &pcrs), -EINVAL);
		assert_int_equal(pcrs, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(facts_are_told),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(something_signed_that_is_no_attest),
		cmocka_unit_test(unrestricted_key_is_refused),
		cmocka_unit_test(signer_depends_on_all_of_it),
		cmocka_unit_test(qualifying_depends_on_all_of_it),
		cmocka_unit_test(time_goes_on),
		cmocka_unit_test(selections_are_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
