/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When does a node enter the fallback of an ATR, and when does it follow others into a
 * generation that it was not told to use? Documentation/protocol.rst, "Fallback". Pure:
 * it is given what the kernel notices, whether the manager is there, and the time.
 *
 * It enters when its policy says so, on evidence that the policy's engine lets count (never
 * on what anybody on the wire can cause), the manager has been away for long enough to have
 * answered, and all members are known to hold the fallback. It follows what a member was
 * heard to use: an armed fallback always, because all hold it; anything else only while the
 * manager is away, because with it there the order is the manager's.
 */
#ifndef AKM_NODE_FALLBACK_H
#define AKM_NODE_FALLBACK_H

#include "../include/akm-policy.h"
#include "nl.h"
#include "node_state.h"

#define NODE_FALLBACK_EVIDENCE_MS	600000	/* a manager that did nothing about it for as long will not have it done */
#define NODE_FALLBACK_GRACE_MS		60000	/* what is left is heard by those who hear of it late */
#define NODE_FALLBACK_ANNOUNCES		6	/* at once, and after 1, 3, 7, 15 and 31 s: the last well inside of the grace */
#define NODE_FALLBACK_ANNOUNCE_MS	1000

struct node_fallback;

/* Takes the rules of @policy; @away_ms: for how long the manager has to be away. Return: NULL: no memory. */
struct node_fallback *node_fallback_new(const struct policy *policy, uint32_t away_ms, uint64_t now_ms);
void node_fallback_free(struct node_fallback *f);	/* NULL is fine */

/* It is away from the start on. */
void node_fallback_manager(struct node_fallback *f, bool up, uint64_t now_ms);
bool node_fallback_alone(const struct node_fallback *f);	/* it is not there now */
/* What the policy made of a kernel's event; @word: the kind of evidence. */
enum node_fallback_verdict {
	NODE_FALLBACK_NOTHING,
	NODE_FALLBACK_ALERT,		/* tell people */
	NODE_FALLBACK_WANTED,		/* and the fallback is to be entered once node_fallback_due() says so */
};
enum node_fallback_verdict node_fallback_event(struct node_fallback *f, const struct node_atr *a,
					       const struct nl_event *e, struct policy_time now, const char **ret_word);
/* The generation to enter now, or 0. *ret_word: because of what. */
uint32_t node_fallback_due(struct node_fallback *f, const struct node_atr *a, uint64_t now_ms, const char **ret_word);
/* Look at node_fallback_due() again then; UINT64_MAX: not before something happens. */
uint64_t node_fallback_wake_ms(const struct node_fallback *f, uint64_t now_ms);
/* A member was heard under @generation: use it as well? */
bool node_fallback_follows(const struct node_fallback *f, const struct node_atr *a, uint32_t generation,
			   uint64_t now_ms);

#endif /* AKM_NODE_FALLBACK_H */
