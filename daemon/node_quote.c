// SPDX-License-Identifier: GPL-2.0
#include "node_quote.h"

#include "calls.h"
#include "log.h"

struct job {				/* the TPM thread's until done */
	struct akm_blob ak;
	uint32_t pcrs;
	uint8_t qualifying[AKM_DIGEST_LEN];
	struct keystore_quote quote;
	struct akm_error err;
};

struct node_quote {
	struct tpmq *q;
	bool dead;			/* freed while the TPM worked */
	bool busy;
	struct job job;
	struct link *link;		/* where the answer goes; NULL: that link is down */
	uint32_t request;
	bool waiting;			/* @next came on a new link while the TPM worked for the one before */
	struct job next;
};

static void job_clear(struct job *j)
{
	akm_blob_free(&j->ak);
	keystore_quote_free(&j->quote);
	*j = (struct job) {};
}

static void destroy(struct node_quote *n)
{
	job_clear(&n->job);
	job_clear(&n->next);
	free(n);
}

int node_quote_new(struct tpmq *q, struct node_quote **ret)
{
	struct node_quote *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->q = q;
	*ret = n;
	return 0;
}

void node_quote_free(struct node_quote *n)
{
	if (!n)
		return;
	n->dead = true;
	n->link = NULL;
	if (!n->busy)
		destroy(n);
}

static int work(struct keystore *ks, void *arg)
{
	struct job *j = &((struct node_quote *)arg)->job;
	int r = keystore_quote(ks, &j->ak, j->pcrs, j->qualifying, &j->quote);

	if (r < 0)
		akm_error_set(&j->err, r, "tpm", "%s", keystore_strerror(ks));
	return r;
}

/* The quote first, then the answer to the question: who gets the latter knows that there is no more. */
static int send_quote(struct node_quote *n)
{
	struct msg m = { .type = MSG_QUOTE, .quote = { n->job.quote } };	/* views */

	return link_send(n->link, &m) ?: reply_ok(n->link, n->request);
}

static void refuse(struct node_quote *n, int r, const struct akm_error *err)
{
	log_warning("no quote field=%s reason=%s", err->field, err->reason[0] ? err->reason : strerror(-r));
	(void)reply_error(n->link, n->request, r, err);	/* a dead link says so itself */
}

static void start(struct node_quote *n);

static void done(void *arg, int r)
{
	struct node_quote *n = arg;

	n->busy = false;
	if (n->dead) {
		destroy(n);
		return;
	}
	if (n->link && !n->waiting) {
		if (r < 0)
			refuse(n, r, &n->job.err);
		else if (send_quote(n) < 0)
			log_debug("a quote could not be sent");
	}
	job_clear(&n->job);
	if (n->waiting)
		start(n);
}

static void start(struct node_quote *n)
{
	int r;

	n->job = n->next;
	n->next = (struct job) {};
	n->waiting = false;
	r = tpmq_submit(n->q, work, done, n);
	if (r < 0) {
		akm_error_set(&n->job.err, r, "tpm", "%s", strerror(-r));
		refuse(n, r, &n->job.err);
		job_clear(&n->job);
		return;
	}
	n->busy = true;
}

static int prepare(struct job *j, struct link *l, const struct msg *m, const uint8_t id[AKM_ID_LEN],
		   const struct akm_blob *ak, struct akm_error *err)
{
	uint8_t binding[AKM_KEY_LEN];
	int r;

	if (!ak->len)
		return akm_error_set(err, -ENOKEY, "ak", "this node has no attestation key: provision it again");
	j->pcrs = m->ask.pcrs;
	r = link_binding(l, binding) ?: quote_link_qualifying(m->ask.nonce, id, binding, j->qualifying) ?:
	    akm_blob_dup(ak->data, ak->len, &j->ak);
	return r < 0 ? akm_error_set(err, r, "quote", "%s", strerror(-r)) : 0;
}

void node_quote_ask(struct node_quote *n, struct link *l, const struct msg *m, const uint8_t id[AKM_ID_LEN],
		    const struct akm_blob *ak)
{
	struct akm_error err = {};
	struct job j = {};
	int r = n->link && (n->busy || n->waiting) ? akm_error_set(&err, -EBUSY, "quote", "one is under way") :
		prepare(&j, l, m, id, ak, &err);

	if (r < 0) {
		job_clear(&j);
		(void)reply_error(l, m->request, r, &err);
		return;
	}
	n->link = l;
	n->request = m->request;
	n->next = j;
	n->waiting = true;
	if (!n->busy)
		start(n);
}

void node_quote_link_down(struct node_quote *n)
{
	n->link = NULL;
	n->waiting = false;
	job_clear(&n->next);
}
