// SPDX-License-Identifier: GPL-2.0
/*
 * What happens between host and TPM: who listens learns nothing (P7), who
 * meddles gets nowhere, a TPM that is busy is waited for and one that is gone is
 * said to be. And what stays in our own memory afterwards (P8).
 */
#define _GNU_SOURCE
#include "keystore_tpm.h"

#include <fcntl.h>

#include <openssl/crypto.h>

#include "support_keystore.h"

static struct party mgr, node;
static struct akm_blob key, node_dup, node_key;

static int group_setup(void **state)
{
	(void)state;
	assert_int_equal(akm_secret_init(1 << 16), 0);
	party_start(&mgr);
	party_start(&node);
	assert_ks(&mgr, keystore_pair_create(mgr.ks, NULL, &node.id, &key, &node_dup), 0);
	assert_ks(&node, keystore_pair_import(node.ks, &node_dup, &node_key), 0);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	akm_blob_free(&key);
	akm_blob_free(&node_dup);
	akm_blob_free(&node_key);
	party_stop(&mgr);
	party_stop(&node);
	akm_secret_exit();
	return 0;
}

static int assert_clean(void **state)
{
	(void)state;
	party_assert_clean(&mgr);
	party_assert_clean(&node);
	return 0;
}

static int hmac(struct party *p, struct akm_secret *ret)
{
	return keystore_hmac(p->ks, NULL, p == &node ? &node_key : &key, "akm1 link", 9, ret);
}

static int try_hmac(struct party *p)
{
	_cleanup_secret_ struct akm_secret mac = {};

	return hmac(p, &mac);
}

static void the_bus_shows_no_hmac(void **state)
{
	_cleanup_secret_ struct akm_secret a = {}, b = {};

	(void)state;
	tpm_bus_reset(mgr.tpm);
	tpm_bus_reset(node.tpm);
	assert_ks(&mgr, hmac(&mgr, &a), 0);
	assert_ks(&node, hmac(&node, &b), 0);
	assert_true(secret_equal(&a, &b));
	/* Not even a part of it. */
	for (size_t i = 0; i + 6 <= a.len; i++) {
		assert_false(tpm_bus_saw(mgr.tpm, a.data + i, 6));
		assert_false(tpm_bus_saw(node.tpm, a.data + i, 6));
	}
	/* Nor what it was taken of. */
	assert_false(tpm_bus_saw(mgr.tpm, "akm1 link", 9));
}

/* The same command without parameter encryption: then the capture shows it. So the tests beside it can fail. */
static void the_capture_would_show_it(void **state)
{
	_cleanup_esys_ TPM2B_DIGEST *open = NULL;
	TPM2B_MAX_BUFFER msg = { .size = 9, .buffer = "akm1 link" };
	_cleanup_op_ struct ks_op op = {};
	struct ks_parts parts;
	ESYS_TR object;

	(void)state;
	tpm_bus_reset(mgr.tpm);
	assert_int_equal(ks_blob_decode(&key, KS_BLOB_KEY, &parts), 0);
	assert_ks(&mgr, ks_op_begin_srk(mgr.ks, &op), 0);
	assert_ks(&mgr, ks_load(&op, op.srk, &parts.public, &parts.private, &object), 0);
	assert_ks(&mgr, ks_session_crypt(&op, op.session, KS_CRYPT_NONE), 0);
	assert_int_equal(Esys_HMAC(op.esys, object, op.session, ESYS_TR_NONE, ESYS_TR_NONE, &msg, TPM2_ALG_SHA256,
				   &open), 0);
	assert_true(tpm_bus_saw(mgr.tpm, open->buffer, open->size));
	assert_true(tpm_bus_saw(mgr.tpm, "akm1 link", 9));
	OPENSSL_cleanse(open, sizeof(*open));	/* a later test looks for it in our memory */
}

static void the_bus_shows_nothing_sealed(void **state)
{
	_cleanup_secret_ struct akm_secret plain = {}, back = {};
	_cleanup_blob_ struct akm_blob sealed = {};

	(void)state;
	tpm_bus_reset(node.tpm);
	assert_int_equal(akm_secret_random(64, &plain), 0);
	assert_ks(&node, keystore_seal(node.ks, &plain, &sealed), 0);
	assert_ks(&node, keystore_unseal(node.ks, &sealed, &back), 0);
	assert_true(secret_equal(&plain, &back));
	for (size_t i = 0; i + 6 <= plain.len; i++)
		assert_false(tpm_bus_saw(node.tpm, plain.data + i, 6));
}

static void the_bus_shows_no_credential(void **state)
{
	_cleanup_secret_ struct akm_secret asked = {}, answered = {};
	_cleanup_blob_ struct akm_blob challenge = {};

	(void)state;
	tpm_bus_reset(mgr.tpm);
	tpm_bus_reset(node.tpm);
	assert_ks(&mgr, keystore_challenge(mgr.ks, &node.id, &challenge, &asked), 0);
	assert_ks(&node, keystore_answer(node.ks, &challenge, &answered), 0);
	assert_true(secret_equal(&asked, &answered));
	for (size_t i = 0; i + 6 <= asked.len; i++) {
		assert_false(tpm_bus_saw(mgr.tpm, asked.data + i, 6));
		assert_false(tpm_bus_saw(node.tpm, asked.data + i, 6));
	}
}

static void assert_inner_unseen(const struct akm_blob *dup_blob, enum ks_blob_type type)
{
	struct ks_parts parts;

	assert_int_equal(ks_blob_decode(dup_blob, type, &parts), 0);
	assert_int_equal(parts.inner.size, 16);
	assert_false(tpm_bus_saw(mgr.tpm, parts.inner.buffer, parts.inner.size));
	assert_false(tpm_bus_saw(node.tpm, parts.inner.buffer, parts.inner.size));
	/* While the outer wrapping, which needs no hiding, was there to be seen. */
	assert_true(tpm_bus_saw(mgr.tpm, parts.private.buffer, parts.private.size));
	assert_true(tpm_bus_saw(node.tpm, parts.private.buffer, parts.private.size));
}

static void the_bus_shows_no_inner_key(void **state)
{
	_cleanup_blob_ struct akm_blob k = {}, d = {}, imported = {}, domain = {}, domain_dup = {}, taken = {};

	(void)state;
	tpm_bus_reset(mgr.tpm);
	tpm_bus_reset(node.tpm);
	assert_ks(&mgr, keystore_pair_create(mgr.ks, NULL, &node.id, &k, &d), 0);
	assert_ks(&node, keystore_pair_import(node.ks, &d, &imported), 0);
	assert_inner_unseen(&d, KS_BLOB_DUP_KEY);
	assert_ks(&mgr, keystore_domain_create(mgr.ks, &domain), 0);
	assert_ks(&mgr, keystore_domain_duplicate(mgr.ks, &domain, &node.id, &domain_dup), 0);
	assert_ks(&node, keystore_domain_import(node.ks, &domain_dup, &taken), 0);
	assert_inner_unseen(&domain_dup, KS_BLOB_DUP_DOMAIN);
}

static void the_bus_shows_no_random_bytes(void **state)
{
	uint8_t buf[64];

	(void)state;
	tpm_bus_reset(node.tpm);
	assert_ks(&node, keystore_random(node.ks, buf, sizeof(buf)), 0);
	for (size_t i = 0; i + 6 <= sizeof(buf); i++)
		assert_false(tpm_bus_saw(node.tpm, buf + i, 6));
}

static void a_busy_tpm_is_waited_for(void **state)
{
	static const TPM2_RC busy[] = { TPM2_RC_RETRY, TPM2_RC_YIELDED, TPM2_RC_TESTING, TPM2_RC_NV_RATE };
	uint64_t before, plain;

	(void)state;
	before = tpm_commands(node.tpm);
	assert_ks(&node, try_hmac(&node), 0);
	plain = tpm_commands(node.tpm) - before;
	for (size_t i = 0; i < ARRAY_SIZE(busy); i++) {
		tpm_refuse(node.tpm, TPM2_CC_HMAC, busy[i], 7);
		before = tpm_commands(node.tpm);
		assert_ks(&node, try_hmac(&node), 0);
		assert_int_equal(tpm_commands(node.tpm) - before, plain + 7);
		/* Any command, not only the last. */
		tpm_refuse(node.tpm, 0, busy[i], 2);
		assert_ks(&node, try_hmac(&node), 0);
	}
}

static void but_not_for_ever(void **state)
{
	uint64_t before;

	(void)state;
	tpm_refuse(node.tpm, TPM2_CC_HMAC, TPM2_RC_RETRY, 1000);
	before = tpm_commands(node.tpm);
	assert_ks(&node, try_hmac(&node), -EAGAIN);
	assert_in_range(tpm_commands(node.tpm) - before, KS_RETRY_MAX + 1, KS_RETRY_MAX + 12);
	assert_non_null(strstr(keystore_strerror(node.ks), "busy"));
	tpm_refuse(node.tpm, 0, 0, 0);
	assert_ks(&node, try_hmac(&node), 0);
}

/* Each try of a wrong authorisation counts against the TPM's lockout, and so does each try in lockout. */
static void lockout_and_refusal_are_not_tried_again(void **state)
{
	static const struct {
		TPM2_RC rc;
		int want;
	} cases[] = {
		{ TPM2_RC_LOCKOUT, -EAGAIN },
		{ TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1, -EKEYREJECTED },
		{ TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1, -EKEYREJECTED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t before, after;

		/* Endless, for this one command: all that was sent of it was sent once. */
		tpm_refuse(node.tpm, TPM2_CC_HMAC, cases[i].rc, 1000);
		before = keystore_commands(node.ks);
		assert_ks(&node, try_hmac(&node), cases[i].want);
		after = keystore_commands(node.ks);
		tpm_refuse(node.tpm, 0, 0, 0);
		assert_ks(&node, try_hmac(&node), 0);
		assert_int_equal(keystore_commands(node.ks) - after, after - before);
	}
	/* The codes' own words are there to be logged. */
	tpm_refuse(node.tpm, TPM2_CC_HMAC, TPM2_RC_LOCKOUT, 1);
	assert_ks(&node, try_hmac(&node), -EAGAIN);
	assert_non_null(strstr(keystore_strerror(node.ks), "TPM2_HMAC"));
}

/* Responses that were changed under way: found by the session's HMAC, and the next call works. */
static void a_changed_response_is_found(void **state)
{
	static const size_t at[] = { 0, 31, 34, 40, 69, 85, 100 };	/* from the HMAC to the first parameter */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		tpm_corrupt(node.tpm, TPM2_CC_HMAC, at[i]);
		assert_ks(&node, try_hmac(&node), -EIO);
		party_assert_clean(&node);
		assert_ks(&node, try_hmac(&node), 0);
	}
}

static void a_changed_counter_is_found(void **state)
{
	uint64_t before, v = 99, after;

	(void)state;
	assert_ks(&node, keystore_counter_next(node.ks, KEYSTORE_INCARNATION, &before), 0);
	tpm_corrupt(node.tpm, TPM2_CC_NV_Read, 69);	/* the value's last byte */
	assert_ks(&node, keystore_counter_next(node.ks, KEYSTORE_INCARNATION, &v), -EIO);
	assert_int_equal(v, 99);
	assert_ks(&node, keystore_counter_next(node.ks, KEYSTORE_INCARNATION, &after), 0);
	assert_true(after > before);
}

/* The connection breaks at every place of an operation in turn. */
static void a_lost_connection_is_mended(void **state)
{
	unsigned int lost = 0;

	(void)state;
	for (unsigned int n = 1; n <= 9; n++) {
		int r;

		tpm_hang_up(node.tpm, n);
		r = try_hmac(&node);
		lost += r == -ENODEV;
		if (r && r != -ENODEV)
			fail_msg("lost at command %u: %d: %s", n, r, keystore_strerror(node.ks));
		tpm_hang_up(node.tpm, 0);
		assert_ks(&node, try_hmac(&node), 0);
		party_assert_clean(&node);
	}
	/* Only while flushing at the end does it no longer matter. */
	assert_in_range(lost, 4, 8);
}

static void no_tpm_is_said_to_be_none(void **state)
{
	const struct keystore_config nowhere = { .tcti = "swtpm:host=127.0.0.1,port=1" };
	const struct keystore_config nothing = { .tcti = "device:/nonexistent" };
	const struct keystore_config nonsense = { .tcti = "no such thing" };
	struct keystore *ks = NULL;

	(void)state;
	assert_int_equal(keystore_open(&nowhere, &ks), -ENODEV);
	assert_int_equal(keystore_open(&nothing, &ks), -ENODEV);
	assert_int_equal(keystore_open(&nonsense, &ks), -ENODEV);
	assert_null(ks);

	tpm_power_off(node.tpm);
	assert_ks(&node, try_hmac(&node), -ENODEV);
	assert_ks(&node, try_hmac(&node), -ENODEV);
	tpm_power_on(node.tpm);
	assert_ks(&node, try_hmac(&node), 0);
}

/* The needle is kept masked: the search must not find itself. */
#define MASK	0xa5

struct needle {
	uint8_t masked[64];
	size_t len;
};

static void needle_take(struct needle *n, struct akm_secret *s)
{
	n->len = s->len;
	for (size_t i = 0; i < s->len; i++)
		n->masked[i] = s->data[i] ^ MASK;
	akm_secret_free(s);
}

static bool has(const uint8_t *p, size_t len, const uint8_t *masked, size_t n)
{
	const uint8_t *end = p + len;

	while ((size_t)(end - p) >= n && (p = memchr(p, masked[0] ^ MASK, (size_t)(end - p) - n + 1))) {
		size_t j = 1;

		while (j < n && (p[j] ^ MASK) == masked[j])
			j++;
		if (j == n)
			return true;
		p++;
	}
	return false;
}

#define PART	16	/* any of the secret's pieces of this size counts */
#define CHUNK	(1 << 20)

/* By way of /proc/self/mem: whatever is mapped can be read, red zones and guard pages need no care. */
static bool region_has(int mem, unsigned long from, unsigned long to, uint8_t *buf, const struct needle *n)
{
	for (unsigned long at = from; at < to; at += CHUNK - 2 * PART) {
		ssize_t len = pread(mem, buf, to - at < CHUNK ? to - at : CHUNK, (off_t)at);

		if (len <= 0)
			return false;
		for (size_t i = 0; i + PART <= n->len; i += PART)
			if (has(buf, (size_t)len, n->masked + i, PART))
				return true;
	}
	return false;
}

/* In any writable memory of this process; what is larger than REGION_MAX is a sanitizer's shadow. */
#define REGION_MAX (1ul << 28)

static bool memory_has(const struct needle *n)
{
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	uint8_t *buf = malloc(CHUNK);
	unsigned long from, to;
	char line[512], perms[5];
	bool found = false;

	assert_true(mem >= 0 && maps && buf);
	while (!found && fgets(line, sizeof(line), maps)) {
		assert_int_equal(sscanf(line, "%lx-%lx %4s", &from, &to, perms), 3);
		if (strncmp(perms, "rw", 2) || to - from > REGION_MAX)
			continue;
		found = region_has(mem, from, to, buf, n);
		if (found)
			print_message("found in %s", line);
	}
	OPENSSL_cleanse(buf, CHUNK);
	free(buf);
	fclose(maps);
	close(mem);
	return found;
}

static void the_search_would_find_it(void **state)
{
	uint8_t *left = malloc(64);
	struct akm_secret s = {};
	struct needle n;

	(void)state;
	assert_non_null(left);
	assert_int_equal(akm_secret_random(32, &s), 0);
	memcpy(left + 5, s.data, s.len);
	needle_take(&n, &s);
	assert_true(memory_has(&n));
	OPENSSL_cleanse(left, 64);
	assert_false(memory_has(&n));
	free(left);
}

static void no_secret_stays_in_memory(void **state)
{
	_cleanup_blob_ struct akm_blob sealed = {}, challenge = {};
	struct akm_secret mac = {}, plain = {}, back = {}, asked = {}, answered = {};
	struct needle n;

	(void)state;
	assert_ks(&node, hmac(&node, &mac), 0);
	needle_take(&n, &mac);
	assert_false(memory_has(&n));

	assert_int_equal(akm_secret_random(64, &plain), 0);
	assert_ks(&node, keystore_seal(node.ks, &plain, &sealed), 0);
	needle_take(&n, &plain);
	assert_false(memory_has(&n));
	assert_ks(&node, keystore_unseal(node.ks, &sealed, &back), 0);
	needle_take(&n, &back);
	assert_false(memory_has(&n));

	assert_ks(&mgr, keystore_challenge(mgr.ks, &node.id, &challenge, &asked), 0);
	needle_take(&n, &asked);
	assert_false(memory_has(&n));
	assert_ks(&node, keystore_answer(node.ks, &challenge, &answered), 0);
	needle_take(&n, &answered);
	assert_false(memory_has(&n));
}

static void codes_have_their_errno(void **state)
{
	static const struct {
		TSS2_RC rc;
		int want;
	} cases[] = {
		{ 0, 0 },
		{ TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_1, -EBADMSG },
		{ TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_5, -EBADMSG },
		{ TPM2_RC_POLICY_FAIL | TPM2_RC_S | TPM2_RC_1, -EKEYREJECTED },
		{ TPM2_RC_POLICY_FAIL | TSS2_RESMGR_TPM_RC_LAYER, -EKEYREJECTED },
		{ TPM2_RC_TICKET, -EKEYREJECTED },
		{ TPM2_RC_LOCKOUT, -EAGAIN },
		{ TPM2_RC_OBJECT_MEMORY, -EAGAIN },
		{ TPM2_RC_FAILURE, -EIO },
		{ TPM2_RC_VALUE | TPM2_RC_P | TPM2_RC_1, -EIO },
		{ TSS2_TCTI_RC_IO_ERROR, -ENODEV },
		{ TSS2_ESYS_RC_MEMORY, -ENOMEM },
		{ TSS2_ESYS_RC_RSP_AUTH_FAILED, -EIO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(ks_errno(cases[i].rc), cases[i].want);
	/* Out of a blob, the same complaint is about the blob; about a session or the TPM it is not. */
	assert_int_equal(ks_errno_input(TPM2_RC_VALUE | TPM2_RC_P | TPM2_RC_1, -EPROTO), -EPROTO);
	assert_int_equal(ks_errno_input(TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_1, -EKEYREJECTED), -EKEYREJECTED);
	assert_int_equal(ks_errno_input(TPM2_RC_VALUE | TPM2_RC_S | TPM2_RC_1, -EPROTO), -EIO);
	assert_int_equal(ks_errno_input(TPM2_RC_FAILURE, -EPROTO), -EIO);
	assert_int_equal(ks_errno_input(TPM2_RC_LOCKOUT, -EPROTO), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_bus_shows_no_hmac, assert_clean),
		cmocka_unit_test_teardown(the_capture_would_show_it, assert_clean),
		cmocka_unit_test_teardown(the_bus_shows_nothing_sealed, assert_clean),
		cmocka_unit_test_teardown(the_bus_shows_no_credential, assert_clean),
		cmocka_unit_test_teardown(the_bus_shows_no_inner_key, assert_clean),
		cmocka_unit_test_teardown(the_bus_shows_no_random_bytes, assert_clean),
		cmocka_unit_test_teardown(a_busy_tpm_is_waited_for, assert_clean),
		cmocka_unit_test_teardown(but_not_for_ever, assert_clean),
		cmocka_unit_test_teardown(lockout_and_refusal_are_not_tried_again, assert_clean),
		cmocka_unit_test_teardown(a_changed_response_is_found, assert_clean),
		cmocka_unit_test_teardown(a_changed_counter_is_found, assert_clean),
		cmocka_unit_test_teardown(a_lost_connection_is_mended, assert_clean),
		cmocka_unit_test_teardown(no_tpm_is_said_to_be_none, assert_clean),
		cmocka_unit_test(the_search_would_find_it),
		cmocka_unit_test_teardown(no_secret_stays_in_memory, assert_clean),
		cmocka_unit_test(codes_have_their_errno),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
