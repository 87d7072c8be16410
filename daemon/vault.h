/* SPDX-License-Identifier: GPL-2.0 */
/* The sealed store (sealed.h) from the event loop: its TPM work goes through tpmq, one piece at a time. */
#ifndef AKM_VAULT_H
#define AKM_VAULT_H

#include "sealed.h"
#include "tpmq.h"

struct vault;

/* @content is the callee's to take; empty on failure and for a new store. */
typedef void (*vault_open_fn)(void *ctx, int r, struct akm_secret *content, const struct akm_error *err);
typedef void (*vault_done_fn)(void *ctx, int r, const struct akm_error *err);

/* Opens @dir in the background. */
int vault_new(struct tpmq *q, const char *dir, vault_open_fn opened, void *ctx, struct vault **ret);
/* Work under way is finished, its callback not called; the store is closed after it. NULL is fine. */
void vault_free(struct vault *v);
/* Replaces the content. Takes @content. -EBUSY: a write is under way. On failure @done is not called. */
int vault_write(struct vault *v, struct akm_secret *content, vault_done_fn done, void *ctx);
/* What went wrong with opening it, and the way out, for a log. */
const char *vault_explain(int r);
/* For sealed_wrap() and sealed_unwrap(), which need no TPM. NULL until it is open. */
const struct sealed *vault_sealed(const struct vault *v);

#endif /* AKM_VAULT_H */
