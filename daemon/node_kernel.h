/* SPDX-License-Identifier: GPL-2.0 */
/* A node's ATRs in its kernel: one device "akm<ATR ID>" each. Synchronous netlink, no state of its own. */
#ifndef AKM_NODE_KERNEL_H
#define AKM_NODE_KERNEL_H

#include "nl.h"
#include "node_state.h"

#define NODE_IFNAME_MAX 16
void node_ifname(uint32_t atr_id, char ret[NODE_IFNAME_MAX]);

enum node_kernel_found {
	NODE_KERNEL_ABSENT,		/* no device */
	NODE_KERNEL_SAME,		/* this ATR, this member, this suite; generations are installed */
	NODE_KERNEL_MUTE,		/* likewise, but it has no incarnation: the kernel dropped its transmit keys */
	NODE_KERNEL_OTHER,		/* of another membership, or was never finished */
};
int node_kernel_look(struct nl *nl, const struct node_atr *a, enum node_kernel_found *ret, struct akm_error *err);
/* A fresh device with everything in it, generations included. On failure none is left. */
int node_kernel_create(struct nl *nl, struct node_atr *a, uint32_t incarnation, struct akm_error *err);
/* Times, members and addresses as defined; traffic goes on. */
int node_kernel_define(struct nl *nl, const struct node_atr *a, struct akm_error *err);
/*
 * The group as defined, on this node's link. Where that cannot be: none, copies are sent, and what is in the way is
 * returned; -ENODEV: the link is not there.
 */
int node_kernel_group(struct nl *nl, const struct node_atr *a, struct akm_error *err);
int node_kernel_no_group(struct nl *nl, const struct node_atr *a, struct akm_error *err);
/* A new incarnation for a device that is MUTE. */
int node_kernel_speak(struct nl *nl, const struct node_atr *a, uint32_t incarnation, struct akm_error *err);
/* Who is no longer a member is refused from then on, whatever generation it uses. P5 */
int node_kernel_remove_leavers(struct nl *nl, const struct node_atr *a, struct akm_error *err);
struct node_kernel_noted {
	bool changed;			/* what is to be sealed differs now */
	bool behind;			/* epochs are left to follow: node_kernel_follow() again, others have their turn */
};
/*
 * Installs what is missing, activates what should be active. Notes in @a what the kernel did beyond it:
 * activated another, stepped to a later epoch.
 */
int node_kernel_sync(struct nl *nl, struct node_atr *a, struct node_kernel_noted *ret, struct akm_error *err);
/* Epochs alone. @a follows a kernel that is ahead; one that is behind (a snapshot that was put back) is stepped. */
int node_kernel_follow(struct nl *nl, struct node_atr *a, struct node_kernel_noted *ret, struct akm_error *err);
/* What is active steps to @epoch, the next one; its own timer, or another member, may have been first. */
int node_kernel_step(struct nl *nl, const struct node_atr *a, uint32_t number, uint64_t epoch, struct akm_error *err);
#define NODE_KERNEL_ROLLS	256	/* steps of a kernel at a time: a request each */
/* Makes room by retiring the oldest that is not active, if it must. Repeating it is fine, also epochs later. */
int node_kernel_install(struct nl *nl, const struct node_atr *a, struct node_generation *g, struct akm_error *err);
/* Older ones are received for @grace_ms. */
int node_kernel_activate(struct nl *nl, uint32_t atr_id, uint32_t number, uint32_t grace_ms, struct akm_error *err);
/*
 * The node goes over to @number by itself: the kernel sends with it, what is older is received for @grace_ms, and @a
 * says the same. Then the others are to be told.
 */
int node_kernel_enter(struct nl *nl, struct node_atr *a, uint32_t number, uint32_t grace_ms, struct akm_error *err);
int node_kernel_announce(struct nl *nl, const struct node_atr *a, uint32_t number, struct akm_error *err);
int node_kernel_delete(struct nl *nl, uint32_t atr_id, struct akm_error *err);	/* absent is fine */
/* As the kernel has it; zeros where it has none, or not the whole of what @a wants there. */
int node_kernel_state(struct nl *nl, struct node_atr *a, struct msg_atr_state *ret, struct akm_error *err);

#endif /* AKM_NODE_KERNEL_H */
