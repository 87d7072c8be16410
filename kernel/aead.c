// SPDX-License-Identifier: GPL-2.0
#include "aead.h"

#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include "compat/compat.h"

/* A linear part, every page fragment, and the tag's tail; more is linearised */
#define SG_MAX	(MAX_SKB_FRAGS + 2)
#define SG_FEW	3

struct akm_request {
	struct akm_job job;
	akm_aead_done_t done;		/* of a single packet; NULL: of job */
	size_t size;			/* of this allocation */
	atomic_t *backlog;		/* in which it may wait */
	u8 iv[AKM_NONCE_LEN];
	struct scatterlist from;	/* linear source, initialised once, like the next */
	struct scatterlist to;		/* linear destination, if it is another */
	struct scatterlist sg[SG_MAX];	/* any other source */
	struct aead_request aead;	/* last: the algorithm's context follows */
};

/* One spare request per CPU, taken and returned with BH disabled */
static DEFINE_PER_CPU(struct akm_request *, spare);

/* Requests answered with -EBUSY that still wait: who floods us takes no room from what we send. */
static atomic_t sealing, opening;

static const struct suite {
	const char *name;		/* in the crypto API */
	const char *label;		/* for people */
	size_t key_len;
} suites[] = {
	[AKM_SUITE_AES256GCM] = { "gcm(aes)", "AES-256-GCM", 32 },
	[AKM_SUITE_CHACHA20POLY1305] = {
		"rfc7539(chacha20,poly1305)", "ChaCha20-Poly1305", 32
	},
	[AKM_SUITE_AES128GCM] = { "gcm(aes)", "AES-128-GCM", 16 },
};

static const struct suite *find_suite(u32 suite)
{
	return suite < ARRAY_SIZE(suites) && suites[suite].name ? &suites[suite] : NULL;
}

size_t akm_suite_key_len(u32 suite)
{
	const struct suite *s = find_suite(suite);

	return s ? s->key_len : 0;
}

/* Table-driven AES or GHASH, alone or inside a template */
static bool is_slow(const char *driver)
{
	static const char * const slow[] = { "aes-generic", "aes-fixed-time", "ghash-generic" };
	int i;

	for (i = 0; i < ARRAY_SIZE(slow); i++)
		if (strstr(driver, slow[i]))
			return true;
	return false;
}

static const char *driver_name(struct crypto_aead *tfm)
{
	return crypto_tfm_alg_driver_name(crypto_aead_tfm(tfm));
}

static struct crypto_aead *alloc_tfm(const struct suite *suite)
{
	struct crypto_aead *tfm = crypto_alloc_aead(suite->name, 0, 0);

	if (!IS_ERR(tfm) && is_slow(driver_name(tfm))) {
		crypto_free_aead(tfm);
		return ERR_PTR(-EOPNOTSUPP);
	}
	return tfm;
}

int akm_aead_probe(u32 suite, char *ret_driver, struct netlink_ext_ack *extack)
{
	const struct suite *s = find_suite(suite);
	struct crypto_aead *tfm;

	if (!s) {
		NL_SET_ERR_MSG(extack, "no such suite");
		return -EINVAL;
	}
	tfm = alloc_tfm(s);
	if (tfm == ERR_PTR(-EOPNOTSUPP)) {
		NL_SET_ERR_MSG_FMT(extack,
				   "no fast %s on this machine, use suite chacha20-poly1305",
				   s->label);
		return -EOPNOTSUPP;
	}
	if (IS_ERR(tfm)) {
		NL_SET_ERR_MSG_FMT(extack, "this kernel offers no %s", s->label);
		return PTR_ERR(tfm) == -ENOENT ? -EOPNOTSUPP : PTR_ERR(tfm);
	}
	strscpy(ret_driver, driver_name(tfm), CRYPTO_MAX_ALG_NAME);
	crypto_free_aead(tfm);
	return 0;
}

int akm_aead_init(struct akm_aead *aead, u32 suite, const u8 *key,
		  const u8 iv[AKM_NONCE_LEN])
{
	const struct suite *s = find_suite(suite);
	struct crypto_aead *tfm;
	int err;

	if (!s)
		return -EINVAL;
	tfm = alloc_tfm(s);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	err = crypto_aead_setkey(tfm, key, s->key_len);
	if (!err)
		err = crypto_aead_setauthsize(tfm, AKM_TAG_LEN);
	if (err) {
		crypto_free_aead(tfm);
		return err;
	}
	aead->tfm = tfm;
	memcpy(aead->iv, iv, sizeof(aead->iv));
	return 0;
}

void akm_aead_free(struct akm_aead *aead)
{
	crypto_free_aead(aead->tfm);	/* wipes the key schedule */
	memzero_explicit(aead, sizeof(*aead));
}

static struct akm_request *request_get(const struct akm_aead *aead)
{
	size_t size = sizeof(struct akm_request) + crypto_aead_reqsize(aead->tfm);
	struct akm_request *req = __this_cpu_read(spare);

	__this_cpu_write(spare, NULL);
	if (likely(req && req->size >= size))
		return req;
	kfree_sensitive(req);
	req = kmalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (req) {
		req->size = size;
		sg_init_table(&req->from, 1);
		sg_init_table(&req->to, 1);
	}
	return req;
}

static void request_put(struct akm_request *req)
{
	struct akm_request *other = __this_cpu_read(spare);

	__this_cpu_write(spare, req);
	if (unlikely(other))		/* one that went to cryptd came back meanwhile */
		kfree_sensitive(other);
}

void akm_aead_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		kfree_sensitive(per_cpu(spare, cpu));
		per_cpu(spare, cpu) = NULL;
	}
}

/* The crypto API's completion. -EINPROGRESS only says that a request left the backlog. */
static void request_done(akm_crypto_arg *arg, int err)
{
	struct akm_request *req = akm_crypto_data(arg);
	akm_aead_done_t done = req->done;
	struct akm_job job = req->job;

	if (err == -EINPROGRESS) {
		atomic_dec(req->backlog);
		return;
	}
	local_bh_disable();
	request_put(req);
	if (done)
		done(job.skb, err);
	else
		job.done(&job, err);
	local_bh_enable();
}

/* Return: the @len bytes at @offset, or an ERR_PTR. */
static struct scatterlist *map_skb(struct akm_request *req, struct sk_buff *skb,
				   unsigned int offset, unsigned int len)
{
	int n;

	if (!skb_is_nonlinear(skb)) {
		sg_set_buf(&req->from, skb->data + offset, len);
		return &req->from;
	}
	/* few pieces as a rule, and clearing the whole table takes longer than filling it */
	sg_init_table(req->sg, SG_FEW);
	n = skb_to_sgvec(skb, req->sg, offset, len);
	if (unlikely(n == -EMSGSIZE)) {
		sg_init_table(req->sg, SG_MAX);
		n = skb_to_sgvec(skb, req->sg, offset, len);
	}
	return n < 0 ? ERR_PTR(n) : req->sg;
}

/* Source and destination are mapped. Gives @req back unless it goes on by itself. */
static int start(const struct akm_aead *aead, struct akm_request *req,
		 struct scatterlist *from, struct scatterlist *to, unsigned int cryptlen,
		 u64 number, int (*operation)(struct aead_request *))
{
	atomic_t *backlog = operation == crypto_aead_encrypt ? &sealing : &opening;
	u32 flags = 0;
	int err;

	/* without the flag a full queue says -ENOSPC, and the packet is dropped */
	if (atomic_read(backlog) < AKM_BACKLOG_MAX)
		flags = CRYPTO_TFM_REQ_MAY_BACKLOG;
	req->backlog = backlog;
	akm_nonce(req->iv, aead->iv, number);
	aead_request_set_tfm(&req->aead, aead->tfm);
	aead_request_set_callback(&req->aead, flags, request_done, req);
	aead_request_set_ad(&req->aead, sizeof(struct akm_header));
	aead_request_set_crypt(&req->aead, from, to, cryptlen, req->iv);

	err = operation(&req->aead);
	if (err == -EBUSY && flags) {	/* without the flag it would mean: dropped */
		atomic_inc(backlog);
		return -EINPROGRESS;
	}
	if (err != -EINPROGRESS)
		request_put(req);
	return err;
}

/* @skb: header, text, room for or value of the tag; writable, at most SG_MAX pieces */
static int crypt_skb(const struct akm_aead *aead, struct sk_buff *skb, unsigned int cryptlen,
		     int (*operation)(struct aead_request *), akm_aead_done_t done)
{
	const struct akm_header *header = (const struct akm_header *)skb->data;
	struct akm_request *req = request_get(aead);
	struct scatterlist *sg;

	if (!req)
		return -ENOMEM;
	sg = map_skb(req, skb, 0, skb->len);
	if (IS_ERR(sg)) {
		request_put(req);
		return PTR_ERR(sg);
	}
	req->job.skb = skb;
	req->done = done;
	return start(aead, req, sg, sg, cryptlen, be64_to_cpu(header->packet_number), operation);
}

/* Make @skb writable in at most SG_MAX pieces, with @tail bytes more at the end. */
static int make_writable(struct sk_buff *skb, unsigned int tail)
{
	struct sk_buff *trailer;
	int n;

	if (likely(!skb_is_nonlinear(skb) && !skb_cloned(skb) && skb_tailroom(skb) >= tail)) {
		__skb_put(skb, tail);
		return 0;
	}
	n = skb_cow_data(skb, tail, &trailer);
	if (unlikely(n > SG_MAX - 1)) {
		if (skb_linearize(skb))
			return -ENOMEM;
		n = skb_cow_data(skb, tail, &trailer);
	}
	if (n < 0)
		return n;
	if (tail)
		pskb_put(skb, trailer, tail);
	return 0;
}

int akm_aead_seal(const struct akm_aead *aead, struct sk_buff *skb,
		  const struct akm_header *header, akm_aead_done_t done)
{
	unsigned int text = skb->len;
	int err;

	err = skb_cow_head(skb, sizeof(*header));
	if (!err)
		err = make_writable(skb, AKM_TAG_LEN);
	if (err)
		return err;
	memcpy(__skb_push(skb, sizeof(*header)), header, sizeof(*header));
	return crypt_skb(aead, skb, text, crypto_aead_encrypt, done);
}

int akm_aead_open(const struct akm_aead *aead, struct sk_buff *skb,
		  akm_aead_done_t done)
{
	int err = make_writable(skb, 0);

	if (err)
		return err;
	return crypt_skb(aead, skb, skb->len - sizeof(struct akm_header),
			 crypto_aead_decrypt, done);
}

int akm_aead_seal_job(const struct akm_aead *aead, const struct akm_job *job)
{
	struct akm_request *req = request_get(aead);

	if (!req)
		return -ENOMEM;
	sg_set_buf(&req->from, job->buffer, AKM_OVERHEAD + job->text_len);
	req->job = *job;
	req->done = NULL;
	return start(aead, req, &req->from, &req->from, job->text_len, job->number,
		     crypto_aead_encrypt);
}

int akm_aead_open_job(const struct akm_aead *aead, const struct akm_job *job)
{
	struct akm_request *req = request_get(aead);
	struct scatterlist *sg;

	if (!req)
		return -ENOMEM;
	sg = map_skb(req, job->skb, job->offset, AKM_OVERHEAD + job->text_len);
	if (IS_ERR(sg)) {
		request_put(req);
		return PTR_ERR(sg);
	}
	sg_set_buf(&req->to, job->buffer, sizeof(struct akm_header) + job->text_len);
	req->job = *job;
	req->done = NULL;
	return start(aead, req, sg, &req->to, job->text_len + AKM_TAG_LEN, job->number,
		     crypto_aead_decrypt);
}
