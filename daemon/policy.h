/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recovery policy, first rule set: sliding windows over what nodes count, per ATR
 * and kind of evidence; over a rule's rate it asks for an alert or a new generation.
 *
 * All of the evidence but CLONE can be produced by anybody who can send UDP, so
 * what a rule may cost is bounded: each further rekey of one ATR (and each further
 * alert of one kind) has to wait twice as long as the one before, up to
 * 2^POLICY_STREAK_MAX times the configured time, until the attack has paused for
 * that long. A rekey that the hold-down forbids is owed: it comes when the hold ends.
 * Pure: time is an argument.
 */
#ifndef AKM_POLICY_H
#define AKM_POLICY_H

#include "config.h"

enum policy_kind { POLICY_AUTH_FAIL, POLICY_REPLAY, POLICY_CLONE, POLICY_UNKNOWN_KEY };
#define POLICY_KINDS		(POLICY_UNKNOWN_KEY + 1)
#define POLICY_SLOTS		16
#define POLICY_STREAK_MAX	6
#define POLICY_HOLD_MIN_MS	1000

struct policy_window {
	uint64_t last;			/* number of the newest slot */
	uint64_t slot[POLICY_SLOTS];
};

/* Allows one in @base << streak ms */
struct policy_hold {
	uint64_t until_ms;
	unsigned int streak;
	bool used;
};

struct policy_atr {			/* zero filled: nothing seen yet */
	struct policy_window window[POLICY_KINDS];
	struct policy_hold alert[POLICY_KINDS];
	struct policy_hold rekey;
	bool owed;
	enum policy_kind owed_kind;
	uint64_t unreported[POLICY_KINDS];
};

struct policy_verdict {
	enum config_action action;	/* ACTION_REKEY includes the alert */
	uint64_t count;			/* evidence since the last verdict of this kind */
	uint32_t seconds;		/* the rule's window */
	bool held;			/* a rekey is due, but the hold-down forbids it yet: alert only */
};

const char *policy_kind_name(enum policy_kind kind);		/* as in evidence: "auth-fail" */
/* @count more of @kind were seen at @now_ms (monotonic). */
struct policy_verdict policy_feed(struct policy_atr *a, const struct config *c, enum policy_kind kind,
				  uint64_t count, uint64_t now_ms);
/* Has the hold ended, and a rekey is owed? Then it is due now, for *ret_kind, and counts as made. */
bool policy_due(struct policy_atr *a, const struct config *c, uint64_t now_ms, enum policy_kind *ret_kind);
/* What was counted since @before by a counter that starts again from 0 with its device. */
uint64_t policy_delta(uint64_t before, uint64_t now);

#endif /* AKM_POLICY_H */
