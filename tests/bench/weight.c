// SPDX-License-Identifier: GPL-2.0
/*
 * A "cipher" that costs what it is told to, and hides nothing: for the bench lane alone. While it is
 * loaded the crypto API prefers it to ChaCha20-Poly1305.
 *
 * In an emulated machine AES is an order of magnitude dearer beside everything else than it is on a
 * processor. With this, sealing and opening have the part of the whole that they have there.
 */
#include <crypto/internal/aead.h>
#include <crypto/scatterwalk.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/scatterlist.h>

#define TAG_LEN			16
#define CALIBRATION_STEPS	200000
#define CALIBRATION_ROUNDS	200

static unsigned int seal_ns;
module_param(seal_ns, uint, 0644);
MODULE_PARM_DESC(seal_ns, "what it costs to seal one packet");
static unsigned int open_ns;
module_param(open_ns, uint, 0644);
MODULE_PARM_DESC(open_ns, "what it costs to open one packet");
static unsigned int steps_per_ms;
module_param(steps_per_ms, uint, 0444);
MODULE_PARM_DESC(steps_per_ms, "speed of this machine, measured while loading");

/* Steps, not time: what something else takes of the processor meanwhile has to be waited for. */
static noinline void work(u64 steps)
{
	u32 x = steps;

	while (steps--) {
		x = x * 1664525 + 1013904223;
		asm volatile("" : "+r" (x));	/* not in vain, for the compiler */
	}
}

/* The quickest of some attempts: nothing came between. */
static unsigned int calibrate(void)
{
	u64 best = U64_MAX, begin;
	int i;

	for (i = 0; i < CALIBRATION_ROUNDS; i++) {
		begin = ktime_get_ns();
		work(CALIBRATION_STEPS);
		best = min(best, ktime_get_ns() - begin);
	}
	return div64_u64((u64)CALIBRATION_STEPS * NSEC_PER_MSEC, max_t(u64, best, 1));
}

static void work_for(unsigned int ns)
{
	work(div_u64((u64)ns * steps_per_ms, NSEC_PER_MSEC));
}

/* The tunnel's destination is the source, or one piece. */
static int copy_text(struct aead_request *req, unsigned int len)
{
	if (req->src == req->dst)
		return 0;
	if (!sg_is_last(req->dst))
		return -EINVAL;
	sg_copy_to_buffer(req->src, sg_nents(req->src), sg_virt(req->dst), len);
	return 0;
}

static int weight_encrypt(struct aead_request *req)
{
	u8 tag[TAG_LEN] = {};
	int err = copy_text(req, req->assoclen + req->cryptlen);

	if (err)
		return err;
	work_for(READ_ONCE(seal_ns));
	scatterwalk_map_and_copy(tag, req->dst, req->assoclen + req->cryptlen, TAG_LEN, 1);
	return 0;
}

static int weight_decrypt(struct aead_request *req)
{
	work_for(READ_ONCE(open_ns));
	return copy_text(req, req->assoclen + req->cryptlen - TAG_LEN);
}

static int weight_setkey(struct crypto_aead *tfm, const u8 *key, unsigned int len)
{
	return 0;
}

static int weight_setauthsize(struct crypto_aead *tfm, unsigned int size)
{
	return size == TAG_LEN ? 0 : -EINVAL;
}

static struct aead_alg weight_alg = {
	.base = {
		.cra_name = "rfc7539(chacha20,poly1305)",
		.cra_driver_name = "akm-weight",
		.cra_priority = 10000,
		.cra_blocksize = 1,
		.cra_module = THIS_MODULE,
	},
	.ivsize = 12,
	.maxauthsize = TAG_LEN,
	.setkey = weight_setkey,
	.setauthsize = weight_setauthsize,
	.encrypt = weight_encrypt,
	.decrypt = weight_decrypt,
};

static int __init weight_init(void)
{
	steps_per_ms = calibrate();
	return crypto_register_aead(&weight_alg);
}

static void __exit weight_exit(void)
{
	crypto_unregister_aead(&weight_alg);
}

module_init(weight_init);
module_exit(weight_exit);
MODULE_DESCRIPTION("AKM bench lane: a cipher of any weight, that hides nothing");
MODULE_LICENSE("GPL");
