// SPDX-License-Identifier: GPL-2.0
#include "entropy.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define POOL_LEN 32

struct entropy {
	struct tpmq *q;
	struct akm_secret pool, fresh;	/* @fresh: the TPM thread's while a job is under way */
	bool busy, seeded, dead;
	void (*ready)(void *ctx, int r);
	void *ctx;
};

static void destroy(struct entropy *e)
{
	akm_secret_free(&e->pool);
	akm_secret_free(&e->fresh);
	free(e);
}

static int mac(const struct akm_secret *key, const char *label, const uint8_t *data, size_t len, uint8_t *ret)
{
	_cleanup_secret_ struct akm_secret text = {};
	size_t label_len = strlen(label);
	unsigned int out = POOL_LEN;
	int r = akm_secret_new(label_len + len, &text);

	if (r < 0)
		return r;
	memcpy(text.data, label, label_len);
	if (len)
		memcpy(text.data + label_len, data, len);
	return HMAC(EVP_sha256(), key->data, (int)key->len, text.data, text.len, ret, &out) ? 0 : -EIO;
}

/* In place: nothing that was taken can be told from the pool afterwards. */
static int stir(struct entropy *e, const uint8_t *fresh, size_t len)
{
	_cleanup_secret_ struct akm_secret next = {};
	int r = akm_secret_new(POOL_LEN, &next);

	r = r ?: mac(&e->pool, "akm1 next", fresh, len, next.data);
	if (r < 0)
		return r;
	memcpy(e->pool.data, next.data, POOL_LEN);
	return 0;
}

static int work(struct keystore *ks, void *arg)
{
	struct entropy *e = arg;

	return keystore_random(ks, e->fresh.data, e->fresh.len);
}

static void done(void *arg, int r)
{
	struct entropy *e = arg;
	bool first = !e->seeded;

	e->busy = false;
	if (e->dead) {
		destroy(e);
		return;
	}
	r = r ?: stir(e, e->fresh.data, e->fresh.len);
	if (!r)
		e->seeded = true;
	if (first)
		e->ready(e->ctx, r);
}

static int refill(struct entropy *e)
{
	int r;

	if (e->busy)
		return 0;
	r = tpmq_submit(e->q, work, done, e);
	e->busy = !r;
	return r;
}

int entropy_new(struct tpmq *q, void (*ready)(void *ctx, int r), void *ctx, struct entropy **ret)
{
	struct entropy *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->q = q;
	e->ready = ready;
	e->ctx = ctx;
	r = akm_secret_random(POOL_LEN, &e->pool) ?: akm_secret_new(POOL_LEN, &e->fresh) ?: refill(e);
	if (r < 0) {
		destroy(e);
		return r;
	}
	*ret = e;
	return 0;
}

void entropy_free(struct entropy *e)
{
	if (!e)
		return;
	e->dead = true;
	if (!e->busy)
		destroy(e);
}

int entropy_take(struct entropy *e, struct akm_secret *ret)
{
	_cleanup_secret_ struct akm_secret random = {}, out = {};
	int r;

	if (!e->seeded)
		return -EAGAIN;
	r = akm_secret_random(POOL_LEN, &random) ?: akm_secret_new(POOL_LEN, &out);
	r = r ?: mac(&e->pool, "akm1 out", random.data, random.len, out.data);
	r = r ?: stir(e, NULL, 0);
	if (r < 0)
		return r;
	(void)refill(e);		/* a full queue: with the next one */
	*ret = akm_secret_take(&out);
	return 0;
}
