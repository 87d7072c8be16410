// SPDX-License-Identifier: GPL-2.0
/*
 * A ChaCha20-Poly1305 that never answers at once, as hardware does: what the crypto API
 * prefers while this is loaded. Each processor has a short queue of its own, and a worker
 * that answers in order; who finds the queue full waits in its backlog (-EBUSY), if that
 * is allowed. cryptd is not enough: it cannot be held, nor asked what it did, and on 6.1
 * it changes the requests of whoever asks for it directly.
 */
#include <crypto/algapi.h>
#include <crypto/internal/aead.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>

#define NAME		"rfc7539(chacha20,poly1305)"
#define QUEUE_MAX	16

struct later_queue {
	struct crypto_queue queue;	/* this processor's, BH disabled */
	struct work_struct work;
};

struct later_request {
	bool encrypt;
	struct aead_request child;	/* last: the algorithm's context follows */
};

static DEFINE_PER_CPU(struct later_queue, queues);

static atomic_t answered;
static atomic_t backlogged;
static atomic_t pending;
static bool hold;

static int get_counter(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", atomic_read((atomic_t *)kp->arg));
}

static const struct kernel_param_ops counter_ops = { .get = get_counter };

module_param_cb(answered, &counter_ops, &answered, 0444);
MODULE_PARM_DESC(answered, "requests that were answered");
module_param_cb(backlogged, &counter_ops, &backlogged, 0444);
MODULE_PARM_DESC(backlogged, "requests that found their queue full, and waited");
module_param_cb(pending, &counter_ops, &pending, 0444);
MODULE_PARM_DESC(pending, "requests that wait now");

static void work_on_all(void)
{
	int cpu;

	for_each_online_cpu(cpu)
		queue_work_on(cpu, system_wq, &per_cpu(queues, cpu).work);
}

static int set_hold(const char *text, const struct kernel_param *kp)
{
	int err = param_set_bool(text, kp);

	if (!err && !READ_ONCE(hold))
		work_on_all();
	return err;
}

static const struct kernel_param_ops hold_ops = { .set = set_hold, .get = param_get_bool };

module_param_cb(hold, &hold_ops, &hold, 0644);
MODULE_PARM_DESC(hold, "answer nothing for now");

static struct crypto_aead *child_of(struct crypto_aead *tfm)
{
	return *(struct crypto_aead **)crypto_aead_ctx(tfm);
}

static void answer(struct aead_request *req)
{
	struct later_request *later = aead_request_ctx(req);
	int err;

	aead_request_set_tfm(&later->child, child_of(crypto_aead_reqtfm(req)));
	aead_request_set_callback(&later->child, 0, NULL, NULL);
	aead_request_set_ad(&later->child, req->assoclen);
	aead_request_set_crypt(&later->child, req->src, req->dst, req->cryptlen, req->iv);
	err = later->encrypt ? crypto_aead_encrypt(&later->child) :
			       crypto_aead_decrypt(&later->child);
	atomic_dec(&pending);
	atomic_inc(&answered);
	local_bh_disable();
	aead_request_complete(req, err);
	local_bh_enable();
}

static void work(struct work_struct *w)
{
	struct later_queue *q = container_of(w, struct later_queue, work);
	struct crypto_async_request *req, *waiting;
	unsigned int left;

	if (READ_ONCE(hold))
		return;
	local_bh_disable();
	waiting = crypto_get_backlog(&q->queue);
	req = crypto_dequeue_request(&q->queue);
	left = q->queue.qlen;
	local_bh_enable();
	if (!req)
		return;
	if (waiting) {
		local_bh_disable();
		aead_request_complete(container_of(waiting, struct aead_request, base),
				      -EINPROGRESS);
		local_bh_enable();
	}
	answer(container_of(req, struct aead_request, base));
	if (left)
		queue_work(system_wq, w);
}

static int enqueue(struct aead_request *req, bool encrypt)
{
	struct later_request *later = aead_request_ctx(req);
	struct later_queue *q;
	int err;

	later->encrypt = encrypt;
	local_bh_disable();
	q = this_cpu_ptr(&queues);
	err = crypto_enqueue_request(&q->queue, &req->base);
	if (err == -EINPROGRESS || err == -EBUSY)
		atomic_inc(&pending);
	if (err == -EBUSY)
		atomic_inc(&backlogged);
	queue_work_on(smp_processor_id(), system_wq, &q->work);
	local_bh_enable();
	return err;
}

static int later_encrypt(struct aead_request *req)
{
	return enqueue(req, true);
}

static int later_decrypt(struct aead_request *req)
{
	return enqueue(req, false);
}

static int later_setkey(struct crypto_aead *tfm, const u8 *key, unsigned int len)
{
	return crypto_aead_setkey(child_of(tfm), key, len);
}

static int later_setauthsize(struct crypto_aead *tfm, unsigned int size)
{
	return crypto_aead_setauthsize(child_of(tfm), size);
}

static int later_init(struct crypto_aead *tfm)
{
	struct crypto_aead *child = crypto_alloc_aead(NAME, 0, CRYPTO_ALG_ASYNC);

	if (IS_ERR(child))
		return PTR_ERR(child);
	*(struct crypto_aead **)crypto_aead_ctx(tfm) = child;
	crypto_aead_set_reqsize(tfm, sizeof(struct later_request) + crypto_aead_reqsize(child));
	return 0;
}

static void later_exit(struct crypto_aead *tfm)
{
	crypto_free_aead(child_of(tfm));
}

static struct aead_alg later_alg = {
	.base = {
		.cra_name = NAME,
		.cra_driver_name = "akm-later",
		.cra_priority = 10000,
		.cra_flags = CRYPTO_ALG_ASYNC,
		.cra_blocksize = 1,
		.cra_ctxsize = sizeof(struct crypto_aead *),
		.cra_module = THIS_MODULE,
	},
	.ivsize = 12,
	.maxauthsize = 16,
	.setkey = later_setkey,
	.setauthsize = later_setauthsize,
	.encrypt = later_encrypt,
	.decrypt = later_decrypt,
	.init = later_init,
	.exit = later_exit,
};

static int __init later_module_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		crypto_init_queue(&per_cpu(queues, cpu).queue, QUEUE_MAX);
		INIT_WORK(&per_cpu(queues, cpu).work, work);
	}
	return crypto_register_aead(&later_alg);
}

static void __exit later_module_exit(void)
{
	int cpu;

	crypto_unregister_aead(&later_alg);
	for_each_possible_cpu(cpu)
		cancel_work_sync(&per_cpu(queues, cpu).work);
}

module_init(later_module_init);
module_exit(later_module_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("ChaCha20-Poly1305 that answers later, for AKM's tests");
