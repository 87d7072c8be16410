/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What to do next for one operational ATR: prepare everywhere → activate → retire.
 * Pure: it is given the generations that are not done with, how far each member is
 * and the time, and says which states to journal and which requests to send. The
 * manager (fleet.c) journals and sends; Documentation/protocol.rst, "Rekey".
 *
 * The rules:
 *  - The newest generation that is PREPARING starts to activate when every member
 *    that is up holds it. Members that are away are waited for prepare_timeout, and
 *    those that may just be reconnecting for REKEY_RETURN_MS since they left, or not at
 *    all if the generation is urgent (eviction); members that are up but slow (a TPM
 *    may stall for 30 s) for REKEY_PATIENCE_MS, or prepare_timeout if it is urgent.
 *  - A generation is ACTIVE when every member that is up and holds it sends on it.
 *  - Older ones retire a grace later: everybody who will send on the new one does so,
 *    and what was under way has arrived. Who is slow or just reconnecting is waited for
 *    again. No packet is lost. If the generation is urgent, nobody is waited for beyond
 *    REKEY_URGENT_END_MS after the decision.
 *  - One change at a time: the next one is prepared, but starts to activate only when
 *    the one before has come through and what that replaced is erased; an urgent one
 *    does not wait. A newer generation supersedes one that is still PREPARING.
 *  - A member that was away gets the generation in use, then is told to erase the old.
 *  - Numbers only grow at a member: it is never given one below what it holds.
 *  - A fallback is one more generation, made when a change has come through, and given to those who
 *    send on what is in use, before anybody else does: it lies ready (PREPARING), and is never
 *    activated from here. When all who send hold it they are told so (ARM), and may enter it. If one
 *    did, it is in use, as if it had been activated: the others follow, older ones retire.
 *  - A generation whose secret another manager made and took along (lost) is what members
 *    may talk with. It is given to nobody and activated nowhere, only retired.
 */
#ifndef AKM_REKEY_H
#define AKM_REKEY_H

#include "store.h"

#define REKEY_GENERATIONS	8	/* of one ATR, not done with at a time */
#define REKEY_PATIENCE_MS	30000
#define REKEY_RETURN_MS		8000	/* longer than superior.h's backoff, with its jitter */
#define REKEY_URGENT_GRACE_MS	500	/* what is under way arrives; with prepare_timeout (1 s) inside 2 s */
#define REKEY_URGENT_END_MS	1800	/* after the decision the last member refuses what was replaced. P5: 2 s */

struct rekey_generation {
	uint32_t number;
	enum store_gen_state state;
	bool urgent;
	bool lost;			/* its secret is another manager's */
	bool fallback;			/* PREPARING: lies ready; else members entered it */
	uint64_t decided_ms;		/* monotonic, when it was made (or the program started) */
	uint64_t since_ms;		/* monotonic, when this state was entered (or the program started) */
};

struct rekey_member {
	bool up;			/* the link is there, and what the node has is known */
	bool busy;			/* a request is under way, or its last failure is too fresh */
	bool stale;			/* does not have the newest definition */
	uint32_t armed;			/* number of the fallback of which it knows that everybody holds it */
	uint64_t away_ms;		/* monotonic, since when it is not up (our own start at the earliest) */
	enum store_step step[REKEY_GENERATIONS];
};

struct rekey_atr {
	uint32_t prepare_timeout_ms, grace_ms;
	size_t n_generations;
	struct rekey_generation generations[REKEY_GENERATIONS];	/* ascending numbers */
	size_t n_members;
	struct rekey_member *members;
};

enum rekey_type {
	REKEY_STATE = 1,		/* journal @state for @generation, then plan again */
	REKEY_PREPARE,			/* send @member … */
	REKEY_ACTIVATE,
	REKEY_RETIRE,
	REKEY_ARM,			/* everybody holds it */
};

struct rekey_action {
	enum rekey_type type;
	size_t generation, member;	/* positions in struct rekey_atr */
	enum store_gen_state state;
	uint32_t grace_ms;		/* of ACTIVATE: the kernel's own deadline for the replaced generation */
};

/* One change of state, or requests for members (at most one each): never both. */
#define REKEY_NEVER UINT64_MAX
struct rekey_plan {
	size_t n, max;			/* @max: n_members + 1 */
	struct rekey_action *actions;	/* the caller's array */
	uint64_t wake_ms;		/* plan again then, even if nothing happens */
};
void rekey_plan(const struct rekey_atr *a, uint64_t now_ms, struct rekey_plan *plan);

/* Position of the generation in use (newest ACTIVATING or ACTIVE), or -1. */
int rekey_current(const struct rekey_atr *a);
/* Position of the newest one that is PREPARING and newer than the current one, or -1. */
int rekey_next(const struct rekey_atr *a);
/* Position of the fallback that lies ready, newer than the current one, or -1. */
int rekey_fallback(const struct rekey_atr *a);
/* Should there be one, and there is none? */
bool rekey_wants_fallback(const struct rekey_atr *a);
/* Everybody who sends on what is in use knows that all of them hold the fallback. */
bool rekey_armed(const struct rekey_atr *a);
/* Every member that is up sends on generation @number (or a newer one). */
bool rekey_reached(const struct rekey_atr *a, uint32_t number);
/* Nothing is left to do for the members that are up. */
bool rekey_settled(const struct rekey_atr *a);
/* No member can hold generation @pos any more: its record may be left alone. */
bool rekey_done_with(const struct rekey_atr *a, size_t pos);
/*
 * What a node reports (its active and its newest pending generation, 0: none), held
 * against the journal: the step it is really at.
 */
enum store_step rekey_observed(enum store_step journal, uint32_t number, uint32_t active, uint32_t pending);

#endif /* AKM_REKEY_H */
