// SPDX-License-Identifier: GPL-2.0
#include "rotate_subject.h"

struct rotate_job {			/* the TPM thread's until done */
	rotate_taken_fn fn;		/* NULL: dropped */
	void *ctx;
	struct rotate_context c;
	struct akm_blob old, wrapped;	/* copies */
	struct akm_blob key;
	struct akm_error err;
};

static void job_free(struct rotate_job *job)
{
	akm_blob_free(&job->old);
	akm_blob_free(&job->wrapped);
	akm_blob_free(&job->key);
	free(job);
}

static int work(struct keystore *ks, void *arg)
{
	struct rotate_job *job = arg;
	_cleanup_(akm_blob_free) struct akm_blob dup = {};
	int r = rotate_unwrap(ks, NULL, &job->old, &job->c, &job->wrapped, &dup);

	if (r == -EKEYREJECTED)
		return akm_error_set(&job->err, r, "offer", "is not from who has the present key, or not of this session");
	r = r ?: keystore_pair_import(ks, &dup, &job->key);
	return r < 0 ? akm_error_set(&job->err, r, "tpm", "%s", keystore_strerror(ks)) : 0;
}

static void done(void *arg, int r)
{
	struct rotate_job *job = arg;

	if (job->fn)
		job->fn(job->ctx, r, &job->key, &job->err);
	job_free(job);
}

int rotate_take(struct tpmq *q, const struct akm_blob *key, const struct rotate_context *c,
		const struct akm_blob *wrapped, rotate_taken_fn fn, void *ctx, struct rotate_job **ret)
{
	struct rotate_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	job->fn = fn;
	job->ctx = ctx;
	job->c = *c;
	r = akm_blob_dup(key->data, key->len, &job->old) ?:
	    akm_blob_dup(wrapped->data, wrapped->len, &job->wrapped) ?:
	    tpmq_submit(q, work, done, job);
	if (r < 0) {
		job_free(job);
		return r;
	}
	*ret = job;
	return 0;
}

void rotate_drop(struct rotate_job *job)
{
	if (job)
		job->fn = NULL;
}
