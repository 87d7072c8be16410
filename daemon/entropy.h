/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Secrets of generations: the TPM's randomness and the kernel's, mixed, so that both
 * would have to fail. A pool is kept stirred with TPM randomness in the background;
 * taking from it never waits for the TPM (an eviction has 2 s, a TPM may stall for 30).
 *
 *   out  = HMAC-SHA-256(pool, "akm1 out" | 32 bytes of RAND_priv_bytes)
 *   pool = HMAC-SHA-256(pool, "akm1 next" | 32 bytes from the TPM, or nothing)
 */
#ifndef AKM_ENTROPY_H
#define AKM_ENTROPY_H

#include "tpmq.h"

struct entropy;

/* @ready is called once: r 0 when the TPM's first bytes are in. Until then nothing can be taken. */
int entropy_new(struct tpmq *q, void (*ready)(void *ctx, int r), void *ctx, struct entropy **ret);
void entropy_free(struct entropy *e);		/* NULL is fine */
/* 32 bytes. Return: 0, -EAGAIN not ready, -ENOMEM, -EIO. */
int entropy_take(struct entropy *e, struct akm_secret *ret);

#endif /* AKM_ENTROPY_H */
