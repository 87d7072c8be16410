/* SPDX-License-Identifier: GPL-2.0 */
/* The subject's side of a rotation (rotate.h): what was offered is opened and taken in, in the TPM's thread. */
#ifndef AKM_ROTATE_SUBJECT_H
#define AKM_ROTATE_SUBJECT_H

#include "rotate.h"
#include "tpmq.h"

struct rotate_job;

/*
 * @key: K', for this TPM alone; the callee's to read. @r: negative errno, why in @err: -EKEYREJECTED with the field
 * "offer" if it is not from who has K, else the keystore's.
 */
typedef void (*rotate_taken_fn)(void *ctx, int r, const struct akm_blob *key, const struct akm_error *err);

/* @key: K. Copies all. @fn is called once, from the loop, unless it is dropped before. Return: 0, -ENOMEM, -EBUSY. */
int rotate_take(struct tpmq *q, const struct akm_blob *key, const struct rotate_context *c,
		const struct akm_blob *wrapped, rotate_taken_fn fn, void *ctx, struct rotate_job **ret);
void rotate_drop(struct rotate_job *job);	/* nobody waits for it any more; NULL is fine */

#endif /* AKM_ROTATE_SUBJECT_H */
