/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What keeps a manager that was set back to a backup from giving a member that was thrown out since the next
 * generation (P5), and from letting in again who has a key that was replaced. Each eviction, removal, deletion,
 * replacement and rotation is counted in the database, in its own transaction, and the count is sealed after it: an older
 * sealed store is refused by the TPM's counter (sealed.h), an older database by what is sealed. Between the two, while the
 * TPM is at work, a copy of both would pass.
 */
#ifndef AKM_FENCE_H
#define AKM_FENCE_H

#include <event2/event.h>

#include "store.h"
#include "vault.h"

#define FENCE_RETRY_MS	10000		/* the TPM did not take it */

struct fence;

/*
 * @content is the vault's. Return: 0; -ESTALE the database is older than what is sealed; -EBADMSG that is not a
 * count; -ENOMEM or what the store said.
 */
int fence_new(struct event_base *base, struct store *s, struct vault *v, const struct akm_secret *content,
	      struct fence **ret, struct akm_error *err);
void fence_free(struct fence *f);		/* NULL is fine; before vault_free() */
int fence_count(struct store *s);		/* in the transaction of the change */
void fence_seal(struct fence *f);		/* some time after it; does nothing if nothing was counted */

#endif /* AKM_FENCE_H */
