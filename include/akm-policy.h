/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The recovery policy: its file (daemon/policy_file.c), its words (daemon/policy_kind.c), what
 * a root's file allows a manager's (daemon/policy_limit.c), what the two make together (daemon/policy_merge.c) and its engine
 * (daemon/policy.c), which the manager and akmctl share. Pure: no I/O and no clock, time is an
 * argument. For people: akm-policy(5).
 *
 * Evidence that anybody on the wire can cause, or one member against another, may cost an
 * alert or a new generation, and of those only so many: each further one of an ATR waits
 * twice as long as the one before, up to 2^POLICY_STREAK_MAX times the configured time,
 * until the attack has paused for that long, and no more than the budgets allow are made in
 * any hour. Only what a node says about itself, over its own link, may cost its membership.
 */
#ifndef AKM_POLICY_H
#define AKM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_RULES_MAX	64	/* of one file, for one ATR: with a root's and a manager's twice as many are in force */
#define POLICY_ATRS_MAX		64	/* that a file speaks of */
#define POLICY_NAME_LEN		32	/* with the final NUL */
#define POLICY_SUBJECT_LEN	64
#define POLICY_COUNT_MAX	1000000
#define POLICY_SECONDS_MAX	86400
#define POLICY_BUDGET_MAX	60	/* actions in any hour */
#define POLICY_BUDGET_DEFAULT	12	/* of a rule that only alerts: POLICY_BUDGET_MAX */
#define POLICY_HOLD_DEFAULT	60	/* seconds; of an alert: the rule's window */
#define POLICY_HOOKS_MAX	16	/* programs that a file names */
#define POLICY_ESCALATE_MAX	16
#define POLICY_SLOTS		16
#define POLICY_STREAK_MAX	6
#define POLICY_HOLD_MIN_MS	1000
#define POLICY_LINES_MAX	4096
#define POLICY_LINE_MAX		512

enum policy_kind {
	POLICY_AUTH_FAIL, POLICY_REPLAY, POLICY_CLONE, POLICY_UNKNOWN_KEY, POLICY_MALFORMED, POLICY_PREFIX,
	POLICY_EPOCH_REFUSED, POLICY_LINK_PSK, POLICY_LINK_UNKNOWN, POLICY_LINK_STALE, POLICY_LINK_PROTOCOL,
	POLICY_LINK_LIMIT, POLICY_HEARTBEAT_MISSED, POLICY_HARDWARE_MISMATCH, POLICY_SEALED_STORE,
	POLICY_NODE_REFUSED, POLICY_GENERATION_AHEAD, POLICY_EXHAUSTED, POLICY_STATE_LOST,
	POLICY_FALLBACK_ENTERED, POLICY_EPOCH_STALE, POLICY_PCR_CHANGED, POLICY_QUOTE_BAD, POLICY_QUOTE_MISSED,
	POLICY_TWO_PLACES, POLICY_FLAPPING, POLICY_ACK_LATE,
	POLICY_MANUAL,
};
#define POLICY_KINDS		(POLICY_MANUAL + 1)

enum policy_severity { POLICY_INFO = 1, POLICY_WARNING = 2, POLICY_ALERT = 3 };	/* as enum msg_severity */

/* In the order of strength */
enum policy_action {
	POLICY_NOTHING, POLICY_DO_ALERT,
	POLICY_DO_ROLL,			/* the members step to the next epoch */
	POLICY_DO_FALLBACK,		/* a node's; the others are a manager's */
	POLICY_DO_REKEY,
	POLICY_DO_ROTATE,		/* a member's provisioning ATR gets another key */
	POLICY_DO_LOCKDOWN,		/* a rekey, and nobody is added until a person unlocks it */
	POLICY_DO_QUARANTINE, POLICY_DO_EVICT,
};
#define POLICY_ACTIONS		(POLICY_DO_EVICT + 1)

enum policy_origin {
	POLICY_WIRE,			/* anybody who can send packets to a node or to the manager */
	POLICY_MEMBER,			/* some holder of the ATR's keys, in the name of any other */
	POLICY_SELF,			/* the node itself, over its own link */
};

/* ---- words (policy_kind.c) ---- */

const char *policy_kind_name(enum policy_kind kind);		/* as in evidence: "auth-fail" */
bool policy_kind_parse(const char *name, enum policy_kind *ret);
enum policy_origin policy_kind_origin(enum policy_kind kind);
enum policy_severity policy_kind_severity(enum policy_kind kind);
bool policy_kind_of_atr(enum policy_kind kind);		/* it concerns one ATR; else the whole fleet */
bool policy_kind_counted(enum policy_kind kind);	/* told by heartbeats' counters: records of it say the same again */
bool policy_kind_index(enum policy_kind kind);		/* records name the member by its index, else by their source */
const char *policy_action_name(enum policy_action action);
bool policy_action_parse(const char *name, enum policy_action *ret);
bool policy_action_of_member(enum policy_action action);	/* it is done to one, who has to be named */
const char *policy_severity_name(enum policy_severity severity);
bool policy_severity_parse(const char *name, enum policy_severity *ret);
/* Return: NULL if evidence of @kind may cost @action, else why not. */
const char *policy_forbids(enum policy_kind kind, enum policy_action action);
/* May a program that a rule runs be called so? As a rule, but no dot first: it is a file's name. */
bool policy_hook_name_ok(const char *name);

/* ---- what is wanted (policy_file.c) ---- */

enum policy_from { POLICY_FROM_FILE, POLICY_FROM_ROOT, POLICY_FROM_DEFAULT };

struct policy_rule {			/* compared as bytes up to @line: without padding, zero filled */
	char name[POLICY_NAME_LEN];
	char hook[POLICY_NAME_LEN];	/* program that gets the record of each alert; empty: none */
	char into[POLICY_SUBJECT_LEN];	/* where who is quarantined goes: number or label of an ATR; empty: nowhere */
	uint64_t kinds;			/* 1 << enum policy_kind */
	uint32_t count, seconds;	/* fires at so many within so long */
	uint32_t by_member;		/* counted for each member by itself */
	uint32_t severity;		/* the least that counts */
	uint32_t from, to;		/* minutes of the day, UTC; equal: all day */
	uint32_t action;		/* enum policy_action */
	uint32_t hold_s;		/* after a rekey or more of an ATR … */
	uint32_t alert_hold_s;		/* … and after an alert of this rule */
	uint32_t budget;		/* actions in any hour */
	uint32_t escalate_count, escalate_s, escalate_action;	/* count 0: never */
	uint32_t hook_hold_s, hook_budget;	/* as of an alert, for its program */
	uint32_t line;			/* of the file; 0: built in */
	uint32_t into_line, into_column;	/* where that stands */
	uint32_t off;			/* a word that the rule of this name is not in force: in an ATR, or not the root's */
	uint32_t origin;		/* enum policy_from */
	uint32_t of_atr;		/* stands in the section of this one; 0: common */
	uint32_t locked;		/* a root's: no manager's own replaces it, turns it off, or uses up what it needs */
};

struct policy_section {			/* what an ATR has of its own */
	uint32_t atr_id;
	uint32_t budget;		/* 0: as everywhere */
	size_t n;
	struct policy_rule *rules;	/* owned */
};

struct policy_limits {			/* a root's, of what a manager's own file may; a line of 0: not said */
	uint32_t line;			/* of the first word that is for roots alone */
	uint32_t action_line, budget_line, hold_line, atr_line;
	uint32_t action;		/* the strongest */
	uint32_t budget;		/* the highest, of rules that do more than alert, and of ATRs */
	uint32_t hold_s;		/* the lowest, of the same rules */
	size_t n_atrs;			/* for these alone; 0: for none */
	uint32_t atrs[POLICY_ATRS_MAX];
};

struct policy {
	uint32_t budget;		/* of what is more than an alert, of one ATR in any hour */
	size_t n;
	struct policy_rule *rules;	/* owned */
	size_t n_atrs;
	struct policy_section *atrs;	/* owned */
	struct policy_limits limits;
	struct policy *root;		/* owned; of two: the root's as it is, for where the own file says nothing; or NULL */
	size_t n_hooks;
	char hooks[2 * POLICY_HOOKS_MAX][POLICY_NAME_LEN];	/* each once; as many as two files may name */
};

struct policy_error {
	unsigned int line, column;	/* from 1; column in bytes */
	char field[64];
	char reason[192];
};

/* Return: 0, -EINVAL with @err filled, -ENOMEM. */
int policy_parse(const char *text, size_t len, struct policy *ret, struct policy_error *err);
/*
 * A manager's own file, which is read on top of @root: it may turn the root's rules off. For policy_merge(), where a
 * budget of 0 is the root's. @root NULL: the root's policy is not known yet, and this is what is in force until then.
 */
int policy_parse_over(const char *text, size_t len, const struct policy *root, struct policy *ret,
		      struct policy_error *err);
void policy_free(struct policy *p);	/* fine on a zeroed one */
/* A rule's statements again, each in a line: what the file says, and what it left to be default. */
#define POLICY_TEXT_MAX 768
void policy_rule_text(const struct policy_rule *r, char ret[POLICY_TEXT_MAX]);
/* Adds a rule named after @kind, the rest by default. Begin with a zeroed policy. Return: 0 or -ENOMEM. */
int policy_add(struct policy *p, enum policy_kind kind, uint32_t count, uint32_t seconds, enum policy_action action,
	       uint32_t hold_s);

/* ---- what a root allows (policy_limit.c) ---- */

bool policy_may_override(const struct policy_limits *l, uint32_t atr_id);	/* atr_id 0: the fleet */
bool policy_over_action(const struct policy_limits *l, uint32_t action);
bool policy_over_budget(const struct policy_limits *l, uint32_t budget);
bool policy_under_hold(const struct policy_limits *l, uint32_t hold_s);
/* "action rekey, budget 6, hold-down 60, atr 7,9", as far as said */
#define POLICY_LIMITS_TEXT 1024
void policy_limits_text(const struct policy_limits *l, char ret[POLICY_LIMITS_TEXT]);

/* ---- of two (policy_merge.c) ---- */

/*
 * The root's policy with a manager's own on top of it: a rule that has the name of one of the root's replaces it, in an
 * ATR's section that of the section alone. @own NULL: the root's alone. Return: 0 or -ENOMEM.
 */
int policy_merge(const struct policy *root, const struct policy *own, struct policy *ret);
/* "root", "root-locked", "local", "default"; those of an ATR's section "root-atr", "root-atr-locked", "local-atr" */
const char *policy_from_name(const struct policy_rule *r);

/* ---- what happens (policy.c) ---- */

struct policy_state;			/* of one ATR, or of the fleet (ID 0) */

struct policy_evidence {
	enum policy_kind kind;
	enum policy_severity severity;
	const char *subject;		/* whom it names: a member that a rule may act on, and counts by */
	uint64_t count;
	uint64_t span_ms;		/* since the count before this one; 0: all of it is of now */
};

struct policy_time {
	uint64_t ms;			/* monotonic */
	uint32_t minute;		/* of the day, UTC */
};

enum policy_outcome { POLICY_DUE, POLICY_HELD, POLICY_OVER_BUDGET, POLICY_OVER_ATR_BUDGET };
const char *policy_outcome_name(enum policy_outcome outcome);

struct policy_decision {
	const struct policy_rule *rule;	/* until the state is given another policy */
	enum policy_action action;	/* what the rule comes to */
	enum policy_outcome outcome;	/* DUE: do it now, it counts as done */
	bool escalated;
	bool owed;			/* a rekey that was held down or over budget, and whose time has come */
	bool alert;			/* tell people, whatever else; always with a DUE one that is not owed */
	bool first;			/* of this hold or shortage: write it down */
	bool hook;			/* run the rule's program; never without an alert */
	enum policy_kind kind;
	const char *subject;
	uint64_t count;			/* evidence since the last alert or action */
	uint64_t wait_ms;		/* not DUE: until it could be */
};
typedef void (*policy_fn)(const struct policy_decision *d, void *ctx);

/* The rules that are in force for @atr_id. Return: NULL if there is no memory. */
struct policy_state *policy_state_new(const struct policy *p, uint32_t atr_id);
void policy_state_free(struct policy_state *s);		/* NULL is fine */
/*
 * Another policy: a rule that is the same byte for byte goes on with its windows, counters and
 * budget, and so do the hold-downs and the budget of the ATR. Return: 0 or -ENOMEM, and nothing changed.
 */
int policy_state_reload(struct policy_state *s, const struct policy *p);

/* Calls @fn for what this evidence leads to. */
void policy_feed(struct policy_state *s, const struct policy_evidence *e, struct policy_time now, policy_fn fn,
		 void *ctx);
/* A rekey that is owed, once it may be. */
void policy_due(struct policy_state *s, struct policy_time now, policy_fn fn, void *ctx);
/* When that will be, at the earliest @now_ms; UINT64_MAX if nothing is owed. */
uint64_t policy_due_ms(const struct policy_state *s, uint64_t now_ms);
/* What was counted since @before by a counter that starts again from 0 with its device. */
uint64_t policy_delta(uint64_t before, uint64_t now);

struct policy_counters { uint64_t fired, held, over_budget, hooked, hook_held; };
/* The rules in force, in order. Return: NULL at the end. */
const struct policy_rule *policy_state_rule(const struct policy_state *s, size_t i, struct policy_counters *ret);
uint32_t policy_state_budget(const struct policy_state *s);

#endif /* AKM_POLICY_H */
