/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A node's operational ATRs: what the manager asks for, made durable and brought
 * into the kernel. The order is what keeps promises:
 *
 *   prepare   who left is refused at once, and what others send on the new generation
 *             received; sealed, then seen to be installed, then answered
 *   activate  kernel first (traffic follows at once), then sealed, then answered;
 *             what it replaced leaves the sealed store in the same write. P4
 *   retire    erased in the kernel, then in the sealed store, then answered
 *   delete    likewise
 *   arm       sealed, then answered
 *
 *   epoch     the kernel stepped: the sealed chains step as far and replace the old. P4
 *
 * A request is answered when it is durable; several share one write. At start the
 * sealed store is held against the kernel, and only what differs is changed: whichever
 * of the two is epochs behind is stepped to the other. A device made anew gets a new
 * incarnation from the TPM first. P1, P10
 */
#ifndef AKM_NODE_ATRS_H
#define AKM_NODE_ATRS_H

#include "../include/akm-policy.h"
#include "evidence.h"
#include "link.h"
#include "nl.h"
#include "node_state.h"
#include "tpmq.h"

struct node_atrs;

struct node_atrs_config {
	struct event_base *base;
	struct tpmq *q;
	struct nl *nl;
	struct evidence *evidence;
	const char *dir;		/* of the sealed store */
	const uint8_t *id;		/* provisioning ATR ID; NULL: not provisioned */
	const struct policy *policy;	/* of a node; outlives us */
	const char *group_link;		/* of the multicast groups of ATRs, empty: none; outlives us */
	uint32_t fallback_after_ms;
	/* The store is open and the kernel has what it holds (r 0), or the store cannot be used. Once. */
	void (*ready)(void *ctx, int r, const struct akm_error *err);
	void (*changed)(void *ctx);	/* what a heartbeat says has changed */
	void *ctx;
};
#define NODE_ATRS_SLEPT_MAX	(1u << 24)	/* epochs that a prepare may be ahead: half a year of one a second */
#define NODE_ATRS_OPS_MAX	256	/* requests under way */
#define NODE_ATRS_RETRY_MIN_MS	1000
#define NODE_ATRS_RETRY_MAX_MS	600000

int node_atrs_new(const struct node_atrs_config *cfg, struct node_atrs **ret);
void node_atrs_free(struct node_atrs *a);	/* the kernel keeps what it has; NULL is fine */

/* Takes what it needs from @m; answers on @l now or later. Return: 0, -EPROTO: not a message for this. */
int node_atrs_message(struct node_atrs *a, struct link *l, struct msg *m);
void node_atrs_link_up(struct node_atrs *a);	/* the manager is there */
void node_atrs_link_down(struct node_atrs *a);	/* nobody is left to answer */
int node_atrs_heartbeat(struct node_atrs *a, struct msg_heartbeat *h);
void node_atrs_event(struct node_atrs *a, const struct nl_event *e);
void node_atrs_kernel_changed(struct node_atrs *a, enum nl_change change);	/* looks at the kernel again */
void node_atrs_look(struct node_atrs *a);	/* now and then: what could not be done is tried again */
uint64_t node_atrs_term(const struct node_atrs *a);
void node_atrs_saw_term(struct node_atrs *a, uint64_t term);
/* Provisioned (again) as @id: what came through another relationship is erased. */
void node_atrs_provisioned(struct node_atrs *a, const uint8_t id[AKM_ID_LEN], uint64_t term);
void node_atrs_each(const struct node_atrs *a, void (*fn)(const struct node_atr *atr, void *ctx), void *ctx);
size_t node_atrs_count(const struct node_atrs *a);

#endif /* AKM_NODE_ATRS_H */
