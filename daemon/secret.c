// SPDX-License-Identifier: GPL-2.0
#include "secret.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <sys/resource.h>

/* Smallest piece of the secure heap: one key. Fewer, larger pieces keep its bookkeeping small. */
#define PIECE_MIN	32

static size_t region;			/* bytes, 0: there is none */

/* The locked region counts against RLIMIT_MEMLOCK where CAP_IPC_LOCK is missing: use all of it. */
static void raise_memlock(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl) < 0 || rl.rlim_cur == rl.rlim_max)
		return;
	rl.rlim_cur = rl.rlim_max;
	/* A failure shows as the failure to lock, which is reported. */
	(void)setrlimit(RLIMIT_MEMLOCK, &rl);
}

int akm_secret_init(size_t bytes)
{
	int r;

	if (CRYPTO_secure_malloc_initialized())
		return -EALREADY;
	if (bytes < PIECE_MIN || (bytes & (bytes - 1)))
		return -EINVAL;
	raise_memlock();
	r = CRYPTO_secure_malloc_init(bytes, PIECE_MIN);
	if (r == 1) {
		region = bytes;
		return 0;
	}
	if (!r)
		return -ENOMEM;
	/* 2: there is a heap, but mlock, the guard pages or MADV_DONTDUMP failed. Not good enough. */
	CRYPTO_secure_malloc_done();
	return -EPERM;
}

bool akm_secret_scarce(void)
{
	return region - CRYPTO_secure_used() < region / 4;
}

void akm_secret_exit(void)
{
	CRYPTO_secure_malloc_done();
}

int akm_secret_new(size_t len, struct akm_secret *ret)
{
	uint8_t *p;

	/* Without its heap OpenSSL would hand out ordinary memory. */
	if (!CRYPTO_secure_malloc_initialized())
		return -EPERM;
	p = OPENSSL_secure_zalloc(len ? len : 1);
	if (!p) {
		ERR_clear_error();
		return -ENOMEM;
	}
	if (!CRYPTO_secure_allocated(p)) {
		OPENSSL_free(p);
		return -EPERM;
	}
	ret->data = p;
	ret->len = len;
	return 0;
}

int akm_secret_dup(const void *data, size_t len, struct akm_secret *ret)
{
	struct akm_secret s;
	int r = akm_secret_new(len, &s);

	if (r < 0)
		return r;
	if (len)
		memcpy(s.data, data, len);
	*ret = s;
	return 0;
}

int akm_secret_random(size_t len, struct akm_secret *ret)
{
	_cleanup_secret_ struct akm_secret s = {};
	int r;

	if (len > INT32_MAX)
		return -EINVAL;
	r = akm_secret_new(len, &s);
	if (r < 0)
		return r;
	if (RAND_priv_bytes(s.data, (int)len) != 1) {
		ERR_clear_error();
		return -EIO;
	}
	*ret = akm_secret_take(&s);
	return 0;
}

void akm_secret_free(struct akm_secret *s)
{
	if (!s)
		return;
	/* Wipes the whole piece, not only the part in use. */
	OPENSSL_secure_clear_free(s->data, s->len);
	s->data = NULL;
	s->len = 0;
}
