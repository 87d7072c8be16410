// SPDX-License-Identifier: GPL-2.0
/* What a TPM keeps: counters, certificates, its storage parent; and what a reset, a clear or a swap does to them. */
#include "keystore_tpm.h"

#include <tss2/tss2_sys.h>

#include "support_keystore.h"

static struct party p;

static int group_setup(void **state)
{
	(void)state;
	return akm_secret_init(1 << 16);
}

static int group_teardown(void **state)
{
	(void)state;
	akm_secret_exit();
	return 0;
}

/* Each test has a new TPM. */
static int setup(void **state)
{
	(void)state;
	party_stop(&p);		/* of a test whose teardown found something */
	party_start(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	party_assert_clean(&p);
	party_stop(&p);
	return 0;
}

static void power_cycle(void)
{
	tpm_power_off(p.tpm);
	tpm_power_on(p.tpm);
}

static uint64_t next(enum keystore_counter c)
{
	uint64_t v = 0;

	assert_ks(&p, keystore_counter_next(p.ks, c, &v), 0);
	return v;
}

static uint64_t now(enum keystore_counter c)
{
	uint64_t v = 0;

	assert_ks(&p, keystore_counter_read(p.ks, c, &v), 0);
	return v;
}

static void counters_count(void **state)
{
	uint64_t first = now(KEYSTORE_INCARNATION);

	(void)state;
	assert_true(first > 0);
	assert_int_equal(now(KEYSTORE_INCARNATION), first);
	for (uint64_t i = 1; i < 10; i++)
		assert_int_equal(next(KEYSTORE_INCARNATION), first + i);
	/* The other one is another one. */
	next(KEYSTORE_STORE);
	next(KEYSTORE_STORE);
	assert_int_equal(now(KEYSTORE_INCARNATION), first + 9);
}

/* Power cuts without an orderly shutdown, with the keystore open and with a new one. */
static void counters_survive_power_cuts(void **state)
{
	uint64_t last = next(KEYSTORE_INCARNATION);

	(void)state;
	for (int i = 0; i < 5; i++) {
		power_cycle();
		assert_int_equal(now(KEYSTORE_INCARNATION), last);
		assert_int_equal(next(KEYSTORE_INCARNATION), last + 1);
		power_cycle();
		party_reopen(&p);
		assert_int_equal(next(KEYSTORE_INCARNATION), last + 2);
		last += 2;
	}
}

static void undefine(TPM2_HANDLE index)
{
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR tr = ESYS_TR_NONE;

	assert_ks(&p, ks_op_begin(p.ks, &op), 0);
	assert_int_equal(Esys_TR_FromTPMPublic(op.esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr), 0);
	assert_int_equal(Esys_NV_UndefineSpace(op.esys, ESYS_TR_RH_OWNER, tr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					       ESYS_TR_NONE), 0);
}

static void define(TPM2_HANDLE index, TPMA_NV attributes, const uint8_t *data, size_t len)
{
	const TPM2B_NV_PUBLIC public = {
		.nvPublic = { .nvIndex = index, .nameAlg = TPM2_ALG_SHA256, .attributes = attributes,
			      .dataSize = (UINT16)len },
	};
	static const TPM2B_AUTH no_auth;
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR tr;

	assert_ks(&p, ks_op_begin(p.ks, &op), 0);
	assert_int_equal(Esys_NV_DefineSpace(op.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					     &no_auth, &public, &tr), 0);
	for (size_t at = 0; data && at < len;) {
		TPM2B_MAX_NV_BUFFER b = { .size = (UINT16)(len - at < 512 ? len - at : 512) };

		memcpy(b.buffer, data + at, b.size);
		assert_int_equal(Esys_NV_Write(op.esys, tr, tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &b,
					       (UINT16)at), 0);
		at += b.size;
	}
}

static void clear_tpm(void)
{
	_cleanup_op_ struct ks_op op = {};

	assert_ks(&p, ks_op_begin(p.ks, &op), 0);
	assert_int_equal(Esys_Clear(op.esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE), 0);
}

/* Root of the host, with the owner hierarchy in hand. */
static void a_deleted_counter_does_not_start_over(void **state)
{
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		last = next(KEYSTORE_INCARNATION);
	undefine(KEYSTORE_COUNTER_NV);
	assert_true(now(KEYSTORE_INCARNATION) > last);
	last = next(KEYSTORE_INCARNATION);
	undefine(KEYSTORE_COUNTER_NV);
	power_cycle();
	assert_true(next(KEYSTORE_INCARNATION) > last);
}

#define DATA	(TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA)
#define COUNTER	(DATA | (TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT)

static void another_index_is_no_counter(void **state)
{
	static const uint8_t low[8] = { 0, 0, 0, 0, 0, 0, 0, 1 };
	static const struct {
		TPMA_NV attributes;
		size_t len;
	} wrong[] = {
		{ DATA, 8 },			/* writable at will: exactly what an attacker would put there */
		{ COUNTER | TPMA_NV_ORDERLY, 8 },
		{ COUNTER | TPMA_NV_OWNERWRITE, 8 },
		{ COUNTER | TPMA_NV_READ_STCLEAR, 8 },
	};
	uint64_t v = 7;

	(void)state;
	next(KEYSTORE_INCARNATION);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		undefine(KEYSTORE_COUNTER_NV);
		define(KEYSTORE_COUNTER_NV, wrong[i].attributes, wrong[i].attributes == DATA ? low : NULL,
		       wrong[i].len);
		assert_ks(&p, keystore_counter_read(p.ks, KEYSTORE_INCARNATION, &v), -EBADMSG);
		assert_ks(&p, keystore_counter_next(p.ks, KEYSTORE_INCARNATION, &v), -EBADMSG);
		assert_int_equal(v, 7);
		assert_non_null(strstr(keystore_strerror(p.ks), "0x1c0a4b0"));
	}
}

/* A power cut between definition and first increment. */
static void a_counter_never_incremented_is_mended(void **state)
{
	(void)state;
	define(KEYSTORE_COUNTER_NV, COUNTER, NULL, 8);
	power_cycle();
	assert_true(now(KEYSTORE_INCARNATION) > 0);
	undefine(KEYSTORE_COUNTER_NV);
	define(KEYSTORE_COUNTER_NV, COUNTER, NULL, 8);
	assert_true(next(KEYSTORE_INCARNATION) > 1);
}

static void indexes_are_configurable(void **state)
{
	const struct keystore_config cfg = {
		.tcti = tpm_conf(p.tpm), .counter_nv = 0x01c0a500, .store_nv = 0x01c0a501,
	};
	_cleanup_op_ struct ks_op op = {};
	bool there;

	(void)state;
	keystore_close(p.ks);
	assert_int_equal(keystore_open(&cfg, &p.ks), 0);
	next(KEYSTORE_INCARNATION);
	next(KEYSTORE_STORE);
	assert_ks(&p, ks_op_begin(p.ks, &op), 0);
	assert_ks(&p, ks_handle_exists(&op, 0x01c0a500, &there), 0);
	assert_true(there);
	assert_ks(&p, ks_handle_exists(&op, 0x01c0a501, &there), 0);
	assert_true(there);
	assert_ks(&p, ks_handle_exists(&op, KEYSTORE_COUNTER_NV, &there), 0);
	assert_false(there);
}

static void seal_now(const char *text, struct akm_blob *ret)
{
	_cleanup_secret_ struct akm_secret s = {};

	assert_int_equal(akm_secret_dup(text, strlen(text), &s), 0);
	assert_ks(&p, keystore_seal(p.ks, &s, ret), 0);
}

static void unseal_now(const struct akm_blob *sealed, const char *text)
{
	_cleanup_secret_ struct akm_secret s = {};

	assert_ks(&p, keystore_unseal(p.ks, sealed, &s), 0);
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.data, text, s.len);
}

/* The saved context of the storage parent is gone: it is made again, and is the same. */
static void a_reset_changes_nothing(void **state)
{
	_cleanup_blob_ struct akm_blob sealed = {};

	(void)state;
	seal_now("before", &sealed);
	power_cycle();
	unseal_now(&sealed, "before");
	power_cycle();
	party_reopen(&p);
	unseal_now(&sealed, "before");
}

static void a_cleared_tpm_is_recognised(void **state)
{
	_cleanup_(keystore_identity_free) struct keystore_identity after = {};
	_cleanup_secret_ struct akm_secret s = {};
	_cleanup_blob_ struct akm_blob sealed = {};
	uint64_t last = next(KEYSTORE_INCARNATION), v;

	(void)state;
	seal_now("before", &sealed);
	clear_tpm();
	/* The open keystore notices … */
	assert_ks(&p, keystore_unseal(p.ks, &sealed, &s), -ENOKEY);
	assert_non_null(strstr(keystore_strerror(p.ks), "cleared or replaced"));
	assert_ks(&p, keystore_counter_next(p.ks, KEYSTORE_INCARNATION, &v), -ENOKEY);
	/* … a new one that knows no pin sees another TPM; its counters do not start over. */
	party_reopen(&p);
	assert_ks(&p, keystore_unseal(p.ks, &sealed, &s), -ENOKEY);
	assert_true(next(KEYSTORE_INCARNATION) > last);
	assert_ks(&p, keystore_identity(p.ks, &after), 0);
	assert_memory_not_equal(after.parent_name.data, p.id.parent_name.data, p.id.parent_name.len);
}

static int open_pinned(const struct akm_blob *name)
{
	const struct keystore_config cfg = { .tcti = tpm_conf(p.tpm), .pinned_parent = name };
	struct keystore *ks = NULL;
	int r = keystore_open(&cfg, &ks);

	keystore_close(ks);
	return r;
}

static void a_pinned_parent_is_insisted_on(void **state)
{
	static uint8_t other[34] = { 0x00, 0x0b, 0x01 }, longer[100];

	(void)state;
	assert_int_equal(open_pinned(&p.id.parent_name), 0);
	assert_int_equal(open_pinned(&(struct akm_blob){ .data = other, .len = sizeof(other) }), -ENOKEY);
	assert_int_equal(open_pinned(&(struct akm_blob){}), -EINVAL);
	assert_int_equal(open_pinned(&(struct akm_blob){ .data = longer, .len = sizeof(longer) }), -EINVAL);
	clear_tpm();
	assert_int_equal(open_pinned(&p.id.parent_name), -ENOKEY);
	party_reopen(&p);
}

static void make_persistent(const TPM2B_PUBLIC *template)
{
	_cleanup_op_ struct ks_op op = {};
	TPM2B_PUBLIC public;
	ESYS_TR tr, there;

	assert_ks(&p, ks_op_begin(p.ks, &op), 0);
	assert_ks(&p, ks_primary(&op, ESYS_TR_RH_OWNER, template, &tr, &public), 0);
	assert_int_equal(Esys_EvictControl(op.esys, ESYS_TR_RH_OWNER, tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					   KS_SRK_PERSISTENT, &there), 0);
}

static void a_persistent_parent_is_used(void **state)
{
	_cleanup_blob_ struct akm_blob sealed = {}, again = {};

	(void)state;
	seal_now("before", &sealed);
	make_persistent(&ks_template_srk);
	party_reopen(&p);
	assert_true(p.ks->srk_persistent);
	unseal_now(&sealed, "before");
	assert_int_equal(open_pinned(&p.id.parent_name), 0);
	/* It went away again: the same key comes out of the template. */
	seal_now("meanwhile", &again);
	{
		_cleanup_op_ struct ks_op op = {};
		ESYS_TR tr, gone;

		assert_ks(&p, ks_op_begin(p.ks, &op), 0);
		assert_int_equal(Esys_TR_FromTPMPublic(op.esys, KS_SRK_PERSISTENT, ESYS_TR_NONE, ESYS_TR_NONE,
						       ESYS_TR_NONE, &tr), 0);
		assert_int_equal(Esys_EvictControl(op.esys, ESYS_TR_RH_OWNER, tr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
						   ESYS_TR_NONE, KS_SRK_PERSISTENT, &gone), 0);
	}
	unseal_now(&again, "meanwhile");
	party_reopen(&p);
	assert_false(p.ks->srk_persistent);
	unseal_now(&again, "meanwhile");
}

static void a_foreign_persistent_key_is_passed_over(void **state)
{
	TPM2B_PUBLIC foreign = ks_template_srk, look_alike = ks_template_srk;
	_cleanup_blob_ struct akm_blob sealed = {};

	(void)state;
	seal_now("before", &sealed);
	foreign.publicArea.objectAttributes &= ~(TPMA_OBJECT)TPMA_OBJECT_NODA;
	make_persistent(&foreign);
	party_reopen(&p);
	assert_false(p.ks->srk_persistent);
	unseal_now(&sealed, "before");
	clear_tpm();
	party_reopen(&p);

	/* The right kind, but not the pinned one: the template's own is. */
	keystore_identity_free(&p.id);
	assert_ks(&p, keystore_identity(p.ks, &p.id), 0);
	look_alike.publicArea.unique.ecc.x.buffer[0] = 1;
	make_persistent(&look_alike);
	assert_int_equal(open_pinned(&p.id.parent_name), 0);
}

static void what_a_killed_daemon_left_is_swept(void **state)
{
	struct ks_op op = {};
	ESYS_TR tr;
	TPM2B_PUBLIC public;

	(void)state;
	assert_ks(&p, ks_op_begin_srk(p.ks, &op), 0);
	assert_ks(&p, ks_policy_session(&op), 0);
	assert_ks(&p, ks_primary(&op, ESYS_TR_RH_OWNER, &ks_template_srk, &tr, &public), 0);
	op.n_held = 0;		/* forgets what it holds, as kill -9 does */
	ks_op_end(&op);
	party_reopen(&p);
	party_assert_clean(&p);
}

static void failing_primaries_leave_nothing(void **state)
{
	_cleanup_(keystore_identity_free) struct keystore_identity id = {};

	(void)state;
	tpm_refuse(p.tpm, TPM2_CC_CreatePrimary, TPM2_RC_FAILURE, 1);
	assert_ks(&p, keystore_identity(p.ks, &id), -EIO);
	assert_null(id.parent_name.data);
	power_cycle();
	tpm_refuse(p.tpm, TPM2_CC_ContextSave, TPM2_RC_FAILURE, 1);
	assert_ks(&p, keystore_random(p.ks, (uint8_t[4]){}, 4), -EIO);
	tpm_refuse(p.tpm, TPM2_CC_StartAuthSession, TPM2_RC_SESSION_MEMORY, 1);
	assert_ks(&p, keystore_random(p.ks, (uint8_t[4]){}, 4), -EAGAIN);
}

/* A flush that fails is made up for before the next operation. */
static void a_failed_flush_is_made_up_for(void **state)
{
	(void)state;
	tpm_refuse(p.tpm, TPM2_CC_FlushContext, TPM2_RC_FAILURE, 2);
	assert_ks(&p, keystore_random(p.ks, (uint8_t[4]){}, 4), 0);
	assert_true(p.ks->sweep);
	assert_ks(&p, keystore_random(p.ks, (uint8_t[4]){}, 4), 0);
	assert_false(p.ks->sweep);
}

static void identity_repeats(void **state)
{
	_cleanup_(keystore_identity_free) struct keystore_identity id = {};

	(void)state;
	power_cycle();
	assert_ks(&p, keystore_identity(p.ks, &id), 0);
	assert_int_equal(id.ek_name.len, 34);
	assert_memory_equal(id.ek_name.data, p.id.ek_name.data, 34);
	assert_memory_equal(id.parent_name.data, p.id.parent_name.data, 34);
	assert_int_equal(id.ek_public.len, p.id.ek_public.len);
	assert_memory_equal(id.ek_public.data, p.id.ek_public.data, id.ek_public.len);
	assert_int_equal(id.ek_cert.len, 0);
}

static void assert_cert(const uint8_t *want, size_t len, TPMI_ALG_PUBLIC type)
{
	_cleanup_(keystore_identity_free) struct keystore_identity id = {};
	TPM2B_PUBLIC ek;

	assert_ks(&p, keystore_identity(p.ks, &id), 0);
	assert_int_equal(id.ek_cert.len, len);
	if (len)
		assert_memory_equal(id.ek_cert.data, want, len);
	assert_int_equal(ks_public_decode(&id.ek_public, &ek), 0);
	assert_int_equal(ek.publicArea.type, type);
}

static void assert_proof_works(void)
{
	_cleanup_(keystore_identity_free) struct keystore_identity id = {};
	_cleanup_secret_ struct akm_secret a = {}, b = {};
	_cleanup_blob_ struct akm_blob challenge = {};

	assert_ks(&p, keystore_identity(p.ks, &id), 0);
	assert_ks(&p, keystore_challenge(p.ks, &id, &challenge, &a), 0);
	assert_ks(&p, keystore_answer(p.ks, &challenge, &b), 0);
	assert_true(secret_equal(&a, &b));
}

static void the_certificate_is_read(void **state)
{
	uint8_t der[1500];

	(void)state;
	for (size_t i = 0; i < sizeof(der); i++)
		der[i] = (uint8_t)(i * 7);
	/* A SEQUENCE of 1296 bytes in an index of 1500: the rest is the maker's padding. */
	memcpy(der, "\x30\x82\x05\x10", 4);
	define(KS_NV_EK_CERT_ECC, DATA, der, sizeof(der));
	assert_cert(der, 1300, TPM2_ALG_ECC);
	undefine(KS_NV_EK_CERT_ECC);
	/* Readable by the owner alone. */
	define(KS_NV_EK_CERT_ECC, TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD, der, sizeof(der));
	assert_cert(der, 1300, TPM2_ALG_ECC);
	undefine(KS_NV_EK_CERT_ECC);
	/* Longer than it is, not DER at all, never written, unreadable: none. */
	memcpy(der, "\x30\x82\x05\xd9", 4);
	define(KS_NV_EK_CERT_ECC, DATA, der, sizeof(der));
	assert_cert(NULL, 0, TPM2_ALG_ECC);
	undefine(KS_NV_EK_CERT_ECC);
	define(KS_NV_EK_CERT_ECC, DATA, (const uint8_t *)"xy", 2);
	assert_cert(NULL, 0, TPM2_ALG_ECC);
	undefine(KS_NV_EK_CERT_ECC);
	define(KS_NV_EK_CERT_ECC, DATA, NULL, 100);
	assert_cert(NULL, 0, TPM2_ALG_ECC);
	undefine(KS_NV_EK_CERT_ECC);
	define(KS_NV_EK_CERT_ECC, TPMA_NV_AUTHWRITE | TPMA_NV_POLICYREAD, NULL, 100);
	assert_cert(NULL, 0, TPM2_ALG_ECC);
	undefine(KS_NV_EK_CERT_ECC);
}

static void a_tpm_certified_for_rsa_only(void **state)
{
	uint8_t der[300] = { 0x30, 0x82, 0x01, 0x28 };

	(void)state;
	define(KS_NV_EK_CERT_RSA, DATA, der, sizeof(der));
	assert_cert(der, 300, TPM2_ALG_RSA);
	assert_proof_works();
	/* Both: the elliptic curve one. */
	define(KS_NV_EK_CERT_ECC, DATA, der, sizeof(der));
	assert_cert(der, 300, TPM2_ALG_ECC);
	assert_proof_works();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counters_count, setup, teardown),
		cmocka_unit_test_setup_teardown(counters_survive_power_cuts, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deleted_counter_does_not_start_over, setup, teardown),
		cmocka_unit_test_setup_teardown(another_index_is_no_counter, setup, teardown),
		cmocka_unit_test_setup_teardown(a_counter_never_incremented_is_mended, setup, teardown),
		cmocka_unit_test_setup_teardown(indexes_are_configurable, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reset_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cleared_tpm_is_recognised, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pinned_parent_is_insisted_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_persistent_parent_is_used, setup, teardown),
		cmocka_unit_test_setup_teardown(a_foreign_persistent_key_is_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_killed_daemon_left_is_swept, setup, teardown),
		cmocka_unit_test_setup_teardown(failing_primaries_leave_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_flush_is_made_up_for, setup, teardown),
		cmocka_unit_test_setup_teardown(identity_repeats, setup, teardown),
		cmocka_unit_test_setup_teardown(the_certificate_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tpm_certified_for_rsa_only, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
