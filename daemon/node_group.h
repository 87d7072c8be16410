/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The multicast group of the underlay that an ATR has, on this node's link. Without it the ATR goes on with copies
 * to each member; that it has to is evidence, once, and a finding until it is over.
 */
#ifndef AKM_NODE_GROUP_H
#define AKM_NODE_GROUP_H

#include "evidence.h"
#include "nl.h"
#include "node_state.h"

/* Makes the kernel's group that of @a, which is in the kernel. */
void node_group_bring(struct nl *nl, struct node_atr *a, struct evidence *evidence);
/* The link is another one now: a membership that the kernel thinks it has is none. Followed by node_group_bring(). */
void node_group_leave(struct nl *nl, const struct node_atr *a);
void node_group_health(const struct node_atr *a, struct health *h);

#endif /* AKM_NODE_GROUP_H */
