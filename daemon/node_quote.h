/* SPDX-License-Identifier: GPL-2.0 */
/* A node answers what its manager asks of its TPM's PCRs: one question at a time, in the TPM's thread. */
#ifndef AKM_NODE_QUOTE_H
#define AKM_NODE_QUOTE_H

#include "link.h"
#include "tpmq.h"

struct node_quote;

int node_quote_new(struct tpmq *q, struct node_quote **ret);
void node_quote_free(struct node_quote *n);		/* NULL is fine; work under way is finished, and not sent */
/*
 * @m is MSG_QUOTE_ASK, on the link of provisioning ATR @id. @ak empty: this node has no such key. It is answered in
 * any case: now, or when the TPM has worked. A failure is told once; to ask again is for the manager.
 */
void node_quote_ask(struct node_quote *n, struct link *l, const struct msg *m, const uint8_t id[AKM_ID_LEN],
		    const struct akm_blob *ak);
void node_quote_link_down(struct node_quote *n);	/* before the link is freed */

#endif /* AKM_NODE_QUOTE_H */
