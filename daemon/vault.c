// SPDX-License-Identifier: GPL-2.0
#include "vault.h"

struct vault {
	struct tpmq *q;
	char *dir;
	struct sealed *sealed;
	bool dead;			/* freed while work was under way */
	bool busy;
	/* Of the work under way; the TPM thread's until done */
	struct akm_secret content;
	struct sealed *opened;
	struct akm_error err;
	vault_open_fn open_fn;
	vault_done_fn done_fn;
	void *ctx;
};

static void destroy(struct vault *v)
{
	if (v->sealed)
		sealed_close(v->sealed);
	akm_secret_free(&v->content);
	free(v->dir);
	free(v);
}

void vault_free(struct vault *v)
{
	if (!v)
		return;
	v->dead = true;
	if (!v->busy)
		destroy(v);
}

static int work_open(struct keystore *ks, void *arg)
{
	struct vault *v = arg;

	return sealed_open(ks, v->dir, &v->opened, &v->content, &v->err);
}

static void done_open(void *arg, int r)
{
	struct vault *v = arg;
	_cleanup_secret_ struct akm_secret content = akm_secret_take(&v->content);

	v->busy = false;
	v->sealed = TAKE_PTR(v->opened);
	if (v->dead)
		destroy(v);
	else
		v->open_fn(v->ctx, r, &content, &v->err);
}

int vault_new(struct tpmq *q, const char *dir, vault_open_fn opened, void *ctx, struct vault **ret)
{
	struct vault *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->q = q;
	v->dir = strdup(dir);
	v->open_fn = opened;
	v->ctx = ctx;
	r = v->dir ? tpmq_submit(q, work_open, done_open, v) : -ENOMEM;
	if (r < 0) {
		destroy(v);
		return r;
	}
	v->busy = true;
	*ret = v;
	return 0;
}

static int work_write(struct keystore *ks, void *arg)
{
	struct vault *v = arg;

	return sealed_write(v->sealed, ks, &v->content, &v->err);
}

static void done_write(void *arg, int r)
{
	struct vault *v = arg;
	struct akm_error err = v->err;

	v->busy = false;
	akm_secret_free(&v->content);
	if (v->dead)
		destroy(v);
	else
		v->done_fn(v->ctx, r, &err);
}

int vault_write(struct vault *v, struct akm_secret *content, vault_done_fn done, void *ctx)
{
	int r;

	if (v->busy || !v->sealed)
		return v->busy ? -EBUSY : -ENODEV;
	v->content = akm_secret_take(content);
	v->done_fn = done;
	v->ctx = ctx;
	memset(&v->err, 0, sizeof(v->err));
	r = tpmq_submit(v->q, work_write, done_write, v);
	if (r < 0) {
		*content = akm_secret_take(&v->content);
		return r;
	}
	v->busy = true;
	return 0;
}

const struct sealed *vault_sealed(const struct vault *v)
{
	return v ? v->sealed : NULL;
}

const char *vault_explain(int r)
{
	switch (r) {
	case -ENOKEY:
		return "the sealed store belongs to another TPM: a copied disk, or a replaced TPM. Put the TPM back, or remove "
		       "the state directory and provision again";
	case -EBADMSG:
		return "the sealed store is damaged: remove the state directory and provision again";
	case -ESTALE:
		return "the sealed store is older than the TPM's counter: an old copy was put back. Put the newest back, or remove "
		       "the state directory and provision again";
	case -EBUSY:
		return "the sealed store is in use: is another akmd running on this state directory?";
	default:
		return "the sealed store cannot be used";
	}
}
