// SPDX-License-Identifier: GPL-2.0
/* Link keys: what they cost the TPM, and in which order they come. P11 */
#include "linkkeys.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */

#define PARTIES 5

static struct event_base *base;
static struct event *tick;
static struct fake_tpm *tpm;
static struct tpmq *q;
static struct linkkeys *keys;
static struct akm_blob key, key_dup;
static int ready[PARTIES];
static unsigned int n_ready;

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static int setup(void **state)
{
	struct timeval tv = { .tv_usec = 1000 };
	struct keystore *ks;
	struct keystore_identity id = {};

	(void)state;
	tpm = fake_tpm_new(false);
	base = event_base_new();
	tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	event_add(tick, &tv);
	ks = fake_keystore(tpm);
	assert_int_equal(keystore_identity(ks, &id), 0);
	assert_int_equal(keystore_pair_create(ks, NULL, &id, &key, &key_dup), 0);
	keystore_identity_free(&id);
	n_ready = 0;
	memset(ready, 0xff, sizeof(ready));
	return tpmq_new(base, ks, &q);
}

static int teardown(void **state)
{
	(void)state;
	linkkeys_free(keys);
	keys = NULL;
	tpmq_free(q);
	event_free(tick);
	event_base_free(base);
	akm_blob_free(&key);
	akm_blob_free(&key_dup);
	fake_tpm_free(tpm);
	return 0;
}

static void on_ready(void *ctx, int r)
{
	*(int *)ctx = r;
	n_ready++;
}

static void turn_until_idle(unsigned int calls)
{
	uint64_t end = now_ms() + 60000;

	while (fake_tpm_calls(tpm) < calls && now_ms() < end)
		event_base_loop(base, EVLOOP_ONCE);
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(fake_tpm_calls(tpm), calls);
}

static struct linkkey *add(int i, uint64_t n)
{
	static const uint8_t hardware[AKM_DIGEST_LEN] = { 7 };
	struct linkkey *k;

	assert_int_equal(linkkey_add(keys, NULL, &key, hardware, n, on_ready, &ready[i], &k), 0);
	return k;
}

static void test_one_command_each(void **state)
{
	unsigned int before = fake_tpm_calls(tpm);
	uint8_t a[AKM_KEY_LEN], b[AKM_KEY_LEN];
	struct linkkey *k;

	(void)state;
	assert_int_equal(linkkeys_new(base, q, true, &keys), 0);
	k = add(0, 5);
	assert_int_equal(linkkey_get(k, 5, a), -EAGAIN);
	turn_until_idle(before + 3);
	assert_int_equal(ready[0], 0);
	assert_int_equal(n_ready, 1);
	for (uint64_t n = 4; n <= 6; n++)
		assert_int_equal(linkkey_get(k, n, a), 0);
	/* What anybody asks for costs nothing. */
	for (uint64_t n = 0; n < 1000; n++)
		assert_int_equal(linkkey_get(k, n, b), n >= 4 && n <= 6 ? 0 : -ESTALE);
	turn_until_idle(before + 3);
	/* A step forward is one more, and the key that was next is the same one as current. */
	assert_int_equal(linkkey_get(k, 6, a), 0);
	linkkey_advance(k, 6);
	assert_int_equal(linkkey_get(k, 6, b), 0);
	assert_memory_equal(a, b, AKM_KEY_LEN);
	assert_int_equal(linkkey_get(k, 4, b), -ESTALE);
	assert_int_equal(linkkey_get(k, 7, b), -EAGAIN);
	turn_until_idle(before + 4);
	linkkey_free(k);
}

static void test_first_n(void **state)
{
	unsigned int before = fake_tpm_calls(tpm);
	uint8_t a[AKM_KEY_LEN];
	struct linkkey *k;

	(void)state;
	assert_int_equal(linkkeys_new(base, q, true, &keys), 0);
	k = add(0, 1);
	turn_until_idle(before + 2);
	assert_int_equal(linkkey_get(k, 0, a), -ESTALE);
	assert_int_equal(linkkey_get(k, 1, a), 0);
	linkkey_free(k);
}

static void test_a_client_needs_one(void **state)
{
	unsigned int before = fake_tpm_calls(tpm);
	uint8_t a[AKM_KEY_LEN];
	struct linkkey *k;

	(void)state;
	assert_int_equal(linkkeys_new(base, q, false, &keys), 0);
	k = add(0, 5);
	turn_until_idle(before + 1);
	assert_int_equal(linkkey_get(k, 4, a), -ESTALE);
	assert_int_equal(linkkey_get(k, 6, a), -ESTALE);
	linkkey_free(k);
}

/* Everybody's current key comes before anybody's next. */
static void test_current_ones_first(void **state)
{
	unsigned int before = fake_tpm_calls(tpm);
	struct linkkey *k[PARTIES];

	(void)state;
	assert_int_equal(linkkeys_new(base, q, true, &keys), 0);
	for (int i = 0; i < PARTIES; i++)
		k[i] = add(i, 3);
	while (n_ready < PARTIES)
		event_base_loop(base, EVLOOP_ONCE);
	assert_in_range(fake_tpm_calls(tpm) - before, PARTIES, PARTIES + 1);
	turn_until_idle(before + 3 * PARTIES);
	for (int i = 0; i < PARTIES; i++)
		linkkey_free(k[i]);
}

static void test_failure_is_told(void **state)
{
	unsigned int before = fake_tpm_calls(tpm);
	uint8_t a[AKM_KEY_LEN];
	struct linkkey *k;

	(void)state;
	assert_int_equal(linkkeys_new(base, q, false, &keys), 0);
	fake_tpm_fail_after(tpm, 0, -ENOKEY);
	k = add(0, 1);
	while (!n_ready)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(ready[0], -ENOKEY);
	assert_int_equal(linkkey_get(k, 1, a), -EAGAIN);
	/* Not again at once */
	turn_until_idle(before + 1);
	linkkey_free(k);
}

static void make_another(struct akm_blob *ret)
{
	struct keystore *ks = fake_keystore(tpm);
	_cleanup_(akm_blob_free) struct akm_blob dup = {};
	struct keystore_identity id = {};

	assert_int_equal(keystore_identity(ks, &id), 0);
	assert_int_equal(keystore_pair_create(ks, NULL, &id, ret, &dup), 0);
	keystore_identity_free(&id);
	keystore_close(ks);
}

/* The next n is of the key that was offered; with the step to it nothing of the one before is left. */
static void test_offered(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob other = {};
	uint8_t last[AKM_KEY_LEN], next[AKM_KEY_LEN], offered[AKM_KEY_LEN], now[AKM_KEY_LEN];
	struct linkkey *k;
	unsigned int calls;

	(void)state;
	make_another(&other);
	calls = fake_tpm_calls(tpm);
	assert_int_equal(linkkeys_new(base, q, true, &keys), 0);
	k = add(0, 5);
	turn_until_idle(calls + 3);
	assert_int_equal(linkkey_get(k, 4, last), 0);
	assert_int_equal(linkkey_get(k, 6, next), 0);
	assert_int_equal(linkkey_offer(k, &other), 0);
	assert_int_equal(linkkey_get(k, 6, offered), -EAGAIN);
	turn_until_idle(calls + 4);
	assert_int_equal(linkkey_get(k, 6, offered), 0);
	assert_memory_not_equal(next, offered, AKM_KEY_LEN);
	assert_int_equal(linkkey_get(k, 5, now), 0);
	assert_int_equal(linkkey_get(k, 4, now), 0);
	assert_memory_equal(now, last, AKM_KEY_LEN);
	assert_int_equal(n_ready, 1);			/* the server waits for nobody's next */
	linkkey_advance(k, 6);
	assert_int_equal(linkkey_get(k, 6, now), 0);
	assert_memory_equal(now, offered, AKM_KEY_LEN);
	assert_int_equal(linkkey_get(k, 5, now), -ESTALE);
	turn_until_idle(calls + 5);
	linkkey_advance(k, 7);
	assert_int_equal(linkkey_get(k, 6, now), 0);
	assert_memory_equal(now, offered, AKM_KEY_LEN);
	linkkey_free(k);
}

/* It was not to be: the next n is again of the same key. What the TPM was making meanwhile is of neither use. */
static void test_offer_taken_back(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob other = {};
	uint8_t next[AKM_KEY_LEN], now[AKM_KEY_LEN];
	struct linkkey *k;
	unsigned int calls;

	(void)state;
	make_another(&other);
	calls = fake_tpm_calls(tpm);
	assert_int_equal(linkkeys_new(base, q, true, &keys), 0);
	k = add(0, 1);
	turn_until_idle(calls + 2);
	assert_int_equal(linkkey_get(k, 2, next), 0);
	assert_int_equal(linkkey_offer(k, &other), 0);	/* the TPM is at it … */
	assert_int_equal(linkkey_offer(k, NULL), 0);	/* … when it is taken back */
	turn_until_idle(calls + 4);
	assert_int_equal(linkkey_get(k, 2, now), 0);
	assert_memory_equal(now, next, AKM_KEY_LEN);
	linkkey_free(k);
}

/* A client has both until it steps, and is told when the offered one's is there. */
static void test_client_is_offered(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob other = {};
	uint8_t a[AKM_KEY_LEN];
	struct linkkey *k;
	unsigned int calls;

	(void)state;
	make_another(&other);
	calls = fake_tpm_calls(tpm);
	assert_int_equal(linkkeys_new(base, q, false, &keys), 0);
	k = add(0, 5);
	assert_int_equal(linkkey_offer(k, &other), 0);
	assert_false(linkkey_has(k, 6));
	turn_until_idle(calls + 2);
	assert_true(linkkey_has(k, 5) && linkkey_has(k, 6));
	assert_int_equal(n_ready, 2);
	linkkey_advance(k, 7);
	assert_int_equal(linkkey_get(k, 5, a), -ESTALE);
	assert_int_equal(linkkey_get(k, 6, a), -ESTALE);
	assert_true(linkkey_key(k)->len == other.len && !memcmp(linkkey_key(k)->data, other.data, other.len));
	turn_until_idle(calls + 3);
	assert_true(linkkey_has(k, 7));
	linkkey_free(k);
}

static void test_freed_meanwhile(void **state)
{
	unsigned int before = fake_tpm_calls(tpm);

	(void)state;
	assert_int_equal(linkkeys_new(base, q, true, &keys), 0);
	linkkey_free(add(0, 1));
	(void)add(1, 1);
	linkkeys_free(keys);
	keys = NULL;
	for (int i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(n_ready, 0);
	assert_true(fake_tpm_calls(tpm) <= before + 1);
}

static int once(void **state)
{
	(void)state;
	return akm_secret_init(1 << 20);
}

#define keys_test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		keys_test(test_one_command_each),
		keys_test(test_first_n),
		keys_test(test_a_client_needs_one),
		keys_test(test_current_ones_first),
		keys_test(test_failure_is_told),
		keys_test(test_offered),
		keys_test(test_offer_taken_back),
		keys_test(test_client_is_offered),
		keys_test(test_freed_meanwhile),
	};

	return cmocka_run_group_tests(tests, once, NULL);
}
