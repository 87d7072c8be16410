// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "secret.h"

#include <openssl/crypto.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <cmocka.h>

#define HEAP	(64 * 1024)

static int setup(void **state)
{
	(void)state;
	return akm_secret_init(HEAP);
}

static int teardown(void **state)
{
	(void)state;
	/* Everything was freed: OpenSSL only releases an unused heap. */
	if (CRYPTO_secure_used() != 0)
		return -1;
	akm_secret_exit();
	return CRYPTO_secure_malloc_initialized() ? -1 : 0;
}

/* Is the page of @p locked and excluded from core dumps? Reads VmFlags of its mapping. */
static void mapping_flags(const void *p, bool *ret_locked, bool *ret_nodump)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long from, to;
	bool mine = false;
	char line[512];

	assert_non_null(f);
	*ret_locked = *ret_nodump = false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			mine = (unsigned long)p >= from && (unsigned long)p < to;
		if (mine && strncmp(line, "VmFlags:", 8) == 0) {
			*ret_locked = strstr(line, " lo") != NULL;
			*ret_nodump = strstr(line, " dd") != NULL;
		}
	}
	fclose(f);
}

/* Runs @fn in a child, whose exit status is the answer. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int init_without_memlock(void)
{
	const struct rlimit none = { 0, 0 };
	struct akm_secret s = { .data = (uint8_t *)1, .len = 7 };

	/* CAP_IPC_LOCK would override the limit. */
	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0))
		return 1;
	if (akm_secret_init(HEAP) != -EPERM)
		return 2;
	if (CRYPTO_secure_malloc_initialized())
		return 3;
	if (akm_secret_new(32, &s) != -EPERM || s.data != (uint8_t *)1 || s.len != 7)
		return 4;
	return 0;
}

static void test_refuses_unlocked(void **state)
{
	(void)state;
	assert_int_equal(in_child(init_without_memlock), 0);
}

static void test_not_initialized(void **state)
{
	struct akm_secret s = {};

	(void)state;
	assert_int_equal(akm_secret_new(32, &s), -EPERM);
	assert_int_equal(akm_secret_dup("x", 1, &s), -EPERM);
	assert_int_equal(akm_secret_random(32, &s), -EPERM);
	assert_null(s.data);
}

static void test_init_size(void **state)
{
	(void)state;
	assert_int_equal(akm_secret_init(0), -EINVAL);
	assert_int_equal(akm_secret_init(16), -EINVAL);
	assert_int_equal(akm_secret_init(HEAP + 1), -EINVAL);
}

static void test_init_twice(void **state)
{
	(void)state;
	assert_int_equal(akm_secret_init(HEAP), -EALREADY);
}

static void test_locked(void **state)
{
	_cleanup_secret_ struct akm_secret s = {};
	bool locked, nodump;

	(void)state;
	assert_int_equal(akm_secret_new(32, &s), 0);
	assert_int_equal(CRYPTO_secure_allocated(s.data), 1);
	mapping_flags(s.data, &locked, &nodump);
	assert_true(locked);
	assert_true(nodump);
}

static void test_full_is_an_error(void **state)
{
	_cleanup_secret_ struct akm_secret a = {}, b = {};

	(void)state;
	assert_int_equal(akm_secret_new(2 * HEAP, &a), -ENOMEM);
	assert_null(a.data);
	assert_int_equal(akm_secret_new(HEAP, &a), 0);
	assert_int_equal(akm_secret_new(1, &b), -ENOMEM);
	assert_int_equal(akm_secret_dup("x", 1, &b), -ENOMEM);
	assert_int_equal(akm_secret_random(1, &b), -ENOMEM);
	assert_null(b.data);
}

static void test_scarce(void **state)
{
	_cleanup_secret_ struct akm_secret half = {}, quarter = {};

	(void)state;
	assert_false(akm_secret_scarce());
	assert_int_equal(akm_secret_new(HEAP / 2, &half), 0);
	assert_int_equal(akm_secret_new(HEAP / 4, &quarter), 0);
	assert_false(akm_secret_scarce());		/* exactly a quarter is left */
	{
		_cleanup_secret_ struct akm_secret more = {};

		assert_int_equal(akm_secret_new(32, &more), 0);
		assert_true(akm_secret_scarce());
	}
	assert_false(akm_secret_scarce());
}

static void test_wiped(void **state)
{
	struct akm_secret s = {}, again = {};
	size_t i;
	uint8_t *p;

	(void)state;
	assert_int_equal(akm_secret_new(48, &s), 0);
	p = s.data;
	memset(p, 0xa5, 48);
	akm_secret_free(&s);
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	/* The buddy allocator gives the same piece again; new ones are zero filled. */
	assert_int_equal(akm_secret_new(48, &again), 0);
	assert_ptr_equal(again.data, p);
	for (i = 0; i < 48; i++)
		assert_int_equal(p[i], 0);
	akm_secret_free(&again);
	akm_secret_free(&again);
	akm_secret_free(NULL);
}

static void test_dup_take(void **state)
{
	_cleanup_secret_ struct akm_secret a = {}, b = {}, empty = {};

	(void)state;
	assert_int_equal(akm_secret_dup("secret", 6, &a), 0);
	assert_int_equal(a.len, 6);
	assert_memory_equal(a.data, "secret", 6);
	b = akm_secret_take(&a);
	assert_null(a.data);
	assert_int_equal(b.len, 6);
	assert_int_equal(akm_secret_dup(NULL, 0, &empty), 0);
	assert_non_null(empty.data);
	assert_int_equal(empty.len, 0);
}

static void test_random(void **state)
{
	_cleanup_secret_ struct akm_secret a = {}, b = {};

	(void)state;
	assert_int_equal(akm_secret_random(32, &a), 0);
	assert_int_equal(akm_secret_random(32, &b), 0);
	assert_int_equal(a.len, 32);
	assert_memory_not_equal(a.data, b.data, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_unlocked),
		cmocka_unit_test(test_not_initialized),
		cmocka_unit_test(test_init_size),
		cmocka_unit_test_setup_teardown(test_init_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scarce, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wiped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dup_take, setup, teardown),
		/* Last: OpenSSL keeps the state of its random generator in the same heap, which then stays. */
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
