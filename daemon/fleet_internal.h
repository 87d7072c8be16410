/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by fleet*.c alone. */
#ifndef AKM_FLEET_INTERNAL_H
#define AKM_FLEET_INTERNAL_H

#include "fleet.h"
#include "../include/akm-policy.h"
#include "rekey.h"

#define FLEET_TURN		16	/* messages with secrets built before others have their turn */
#define FLEET_RETRY_MIN_MS	250
#define FLEET_RETRY_MAX_MS	30000
#define FLEET_DEFINE_MS		100	/* endpoints that change together make one definition */
#define FLEET_STORE_RETRY_MS	1000
#define FLEET_MEMORY_MS		20	/* until some of the locked memory has been sent away */
#define FLEET_GATHER_MEMBERS	100	/* for each so many members of an ATR what they say is gathered for a millisecond */
#define FLEET_LOOK_MS		1000	/* an ATR whose members have no news is looked at all the same */
#define FLEET_GENERATION_SECRET	(2 * AKM_KEY_LEN)	/* C_epoch | pair root */
#define FLEET_ATTEST_BUCKETS	1024
#define FLEET_AHEAD_MAX		4096	/* a node's word moves the numbers by as much at a time … */
#define FLEET_AHEAD_MS		10000	/* … and as often: they must not be used up by one that lies */

struct fleet_member {			/* beside the rekey_member of the same position */
	uint16_t index;
	uint8_t node[AKM_ID_LEN];
	char name[AKM_NAME_LEN];
	struct msg_endpoint endpoint;	/* as the database has it */
	bool in_flight;
	uint64_t retry_ms;		/* monotonic; 0: no failure */
	unsigned int failures;
	char failure[160];		/* what the node last said */
	bool counted;			/* @counters is what was judged last, at @counted_ms; it outlives links */
	struct msg_atr_state counters;
	uint64_t counted_ms;
};

/* Steps to another epoch by policy; fleet_roll.c */
struct fleet_rolls {
	uint64_t at_ms;			/* monotonic: one is decided, and made then; 0: none */
	char why[32];			/* of that one */
	uint32_t paced;			/* the generation that @spent_ms is of */
	uint64_t spent_ms;		/* monotonic: until then those that were made are worked off */
};

struct fleet_index {			/* open addressing, by the ID of the node */
	size_t size;			/* a power of two; 0: there is none yet */
	uint32_t *place;		/* of a member, and 1 more; 0: unused */
};

struct fleet_atr {
	struct fleet_atr *next;
	struct fleet *fleet;
	struct store_atr def;
	struct rekey_atr plan;		/* its members are those not removed, ascending by index */
	struct fleet_member *members;
	struct fleet_index index;	/* of @members */
	struct store_generation generations[REKEY_GENERATIONS];	/* beside plan.generations */
	struct policy_state *policy;
	struct event *timer;
	uint64_t define_ms;		/* monotonic: make a new definition then; 0: not wanted */
	uint64_t kick_ms;		/* kick again then; 0: not wanted */
	uint64_t follow_ms;		/* monotonic: where the members' epochs are is not looked at before that */
	uint64_t outrun_ms;		/* monotonic: the next fleet_outrun() not before that */
	uint64_t arm_ms;		/* monotonic: the next fleet_arm() not before that; after one that failed */
	uint32_t entered;		/* the fallback of which it was told that members entered it */
	uint64_t stepped_ms;		/* monotonic: when most members were first known to be in the present epoch; 0: never */
	struct fleet_rolls roll;
};

/* A node that must leave an ATR, or an ATR that is deleted: told, not yet confirmed. */
struct fleet_leave {
	struct fleet_leave *next;
	uint8_t node[AKM_ID_LEN];
	uint32_t atr_id;
};

/* A record that the policy is to judge from the event loop; equal ones are added up. */
struct fleet_told {
	enum policy_kind kind;
	enum policy_severity severity;
	uint32_t atr_id;		/* 0: it concerns the whole fleet */
	char subject[POLICY_SUBJECT_LEN];
	uint64_t count;
};
#define FLEET_TOLD_MAX 64

/* The policy of the root, as it was sent and is kept. number 0: none was */
struct fleet_root_policy {
	uint64_t number;
	uint8_t digest[AKM_DIGEST_LEN];
	struct policy rules;
	bool unusable;			/* what is kept: the built-in rules are in force */
	struct akm_error left_out;	/* why the own file is not in force on top of it; no reason: it is, or there is none */
	uint64_t left_out_ms;
};

enum wait_kind { WAIT_REACHED, WAIT_SETTLED, WAIT_LEFT, WAIT_DEFINED };

/* A request of the control socket that is answered when reachable members are done. */
struct fleet_wait {
	struct fleet_wait *next;
	struct fleet *fleet;
	struct ctl_request *req;
	size_t n;
	struct { uint32_t atr_id, generation; enum wait_kind kind; } atr[ATRS_MAX];
	bool plans;			/* answer as node-evict does, else as the one ATR */
	uint64_t deadline_ms;
	char said[256];			/* the last progress */
};
#define FLEET_WAIT_MS 40000	/* longer than rekey.h waits for anybody */

struct fleet {
	struct fleet_config c;
	struct peers *peers;
	struct fleet_request *answered;	/* not yet in the journal; oldest first */
	struct fleet_request **answered_tail;
	struct fleet_atr *first;	/* ascending IDs */
	struct fleet_leave *leaves;
	struct fleet_wait *waits;
	struct event *wait_timer;
	uint64_t inventory;		/* version */
	struct fleet_root_policy root_policy;
	uint64_t locked_ms;		/* CLOCK_REALTIME, since when the fleet is locked; 0: it is not; fleet_lock.c */
	char locked_why[64];
	struct policy policy;
	uint64_t policy_ms;		/* CLOCK_REALTIME, since when it is in force */
	struct policy_state *policy_whole;	/* of what concerns no single ATR */
	struct event *policy_timer;
	struct fleet_told told[FLEET_TOLD_MAX];
	size_t n_told;
	uint64_t told_lost;
	struct fleet_attest *attests[FLEET_ATTEST_BUCKETS];	/* by node; fleet_attest.c */
	struct fleet_replacement *replacement;	/* written, and perhaps durable by now; fleet_replace.c */
};

/* fleet_atr.c */
struct fleet_atr *fleet_find(struct fleet *f, uint32_t id);
int fleet_member_of(const struct fleet_atr *a, const uint8_t node[AKM_ID_LEN]);	/* position or -1 */
struct fleet_atr *fleet_atr_attach(struct fleet *f, struct store_atr *def);	/* takes @def; NULL: no memory */
void fleet_atr_detach(struct fleet_atr *a);		/* frees it */
int fleet_atr_copy(const struct store_atr *from, struct store_atr *to);	/* store_atr_free() it */
/* Members, generations and steps as the database has them now; keeps who is up. */
int fleet_atr_reload(struct fleet_atr *a);
int fleet_atr_load(struct fleet *f, uint32_t id);	/* one that another transaction made */
int fleet_atr_load_all(struct fleet *f);		/* into one that has none */

/* fleet.c */
void fleet_kick(struct fleet_atr *a);			/* plan and do what can be done now */
void fleet_kick_soon(struct fleet_atr *a, uint64_t ms);
uint64_t fleet_gather_ms(const struct fleet_atr *a);	/* for fleet_kick_soon(), because of one member of many */
void fleet_define_soon(struct fleet_atr *a);
void fleet_mark_stale(struct fleet_atr *a);		/* the definition changed */
void fleet_tell_leave(struct fleet *f, struct peer *p, uint32_t atr_id);
bool fleet_leaving(const struct fleet *f, uint32_t atr_id);
bool fleet_endpoint_fixed(struct fleet *f, const uint8_t node[AKM_ID_LEN]);

/* fleet_generation.c */
bool fleet_reason_urgent(const char *reason);
bool fleet_reason_fallback(const char *reason);
/* Writes a new generation of @a->def for @reason; inside a transaction. *ret_number is durable with it. */
int fleet_generation_make(struct fleet *f, struct store_atr *def, const char *reason, uint32_t *ret_number);
/* Members may use @number, whose secret is not ours: rekey.h. Inside a transaction. */
int fleet_generation_lost(struct fleet *f, uint32_t atr_id, uint32_t number);
/* The message that gives generation @g to the member at @m. msg_free() it. */
int fleet_generation_message(struct fleet_atr *a, size_t g, size_t m, struct msg *ret);
/* Moves the wrapped chain forward to @epoch. P4 */
int fleet_generation_forward(struct fleet_atr *a, size_t g, uint64_t epoch);

/*
 * fleet_change.c, fleet_set.c: what a change would be, checked, and nothing done. fleet_apply.c does it, as it was
 * planned; fleet_plan.c shows it.
 */
struct fleet_step {			/* what becomes of one ATR */
	uint32_t atr_id;
	struct store_atr def;		/* as it is to be, but for its version and last generation; owned */
	const char *reason;		/* of its new generation; NULL: none, its definition alone changes, or it ends */
	bool creates, ends;
	bool joins, leaves;		/* the node of the change */
	bool remakes;			/* members make their devices anew */
	bool regroups;			/* another group of the underlay */
	bool narrows;			/* a member has a prefix no more */
	uint32_t number;		/* done: of the generation that was made */
};

struct fleet_change {
	struct fleet *fleet;
	struct store_node node;		/* as it is to be; its blobs are the caller's */
	struct store_node by;		/* whose blobs are, too: takes its place; no name: nobody does */
	bool puts_node;			/* @node changes */
	char before[AKM_NAME_LEN];	/* the name it has now, if that changes */
	size_t n;
	struct fleet_step *steps;	/* owned */
};
void fleet_change_free(struct fleet_change *c);
#define _cleanup_change_ _cleanup_(fleet_change_free)

struct fleet_settings {			/* of an ATR, those that can be changed */
	uint32_t suite;
	uint16_t port;
	uint32_t epoch_interval_ms, epoch_grace_ms;
	uint32_t freshness;
	struct msg_group group;
	bool fallback;
};

struct fleet_create {
	const char *label;		/* NULL: made of the members' names */
	uint32_t id;			/* 0: the lowest never used */
	struct msg_prefix subnet4, subnet6;	/* addr_len 0: the default */
	struct fleet_settings settings;
	size_t n_members;
	const struct store_node *members;
};

/* All add to @c, which is zeroed or has steps already. @n's blobs and @reason are the caller's and outlive it. */
int fleet_plan_create(struct fleet *f, const struct fleet_create *create, struct fleet_change *c, struct akm_error *err);
int fleet_plan_rekey(struct fleet_atr *a, const char *reason, struct fleet_change *c, struct akm_error *err);
int fleet_plan_add(struct fleet_atr *a, const struct store_node *n, struct fleet_change *c, struct akm_error *err);
int fleet_plan_remove(struct fleet_atr *a, const struct store_node *n, struct fleet_change *c, struct akm_error *err);
/* One leaves, and is added to the other. */
int fleet_plan_move(struct fleet_atr *from, struct fleet_atr *to, const struct store_node *n, struct fleet_change *c,
		    struct akm_error *err);
int fleet_plan_delete(struct fleet_atr *a, struct fleet_change *c, struct akm_error *err);
/* Out of every ATR, and refused from now on. */
int fleet_plan_evict(struct fleet *f, const struct store_node *n, struct fleet_change *c, struct akm_error *err);
int fleet_plan_rename(struct fleet *f, const struct store_node *n, const char *name, struct fleet_change *c,
		      struct akm_error *err);
/* @lost is evicted, and @by is in its ATRs in its place, but for those that are locked (fleet_replace.c). */
int fleet_plan_replace(struct fleet *f, const struct store_node *lost, const struct store_node *by, struct fleet_change *c,
		       struct akm_error *err);

void fleet_settings_apply(const struct fleet_settings *from, struct store_atr *def);
struct fleet_settings fleet_settings_of(const struct store_atr *def);
struct fleet_set {
	const char *label;		/* NULL: as it is */
	struct fleet_settings settings;
	bool interrupt;			/* the operator has said that traffic may stop for it */
	const struct store_node *member;	/* whose prefixes change, NULL: nobody's; @prefixes are all of them then */
	size_t n_prefixes;
	struct msg_prefix prefixes[ADDRESSES_MAX];
};
int fleet_plan_set(struct fleet_atr *a, const struct fleet_set *set, struct fleet_change *c, struct akm_error *err);

int fleet_check_label(const struct fleet *f, const char *label, struct akm_error *err);
/* Another step of @c: @def with a new generation for @reason, or alone. The step is @c's. */
int fleet_step_new(struct fleet_change *c, const struct store_atr *def, const char *reason, struct fleet_step **ret,
		   struct akm_error *err);
/* Overlay addresses of @m, by its index. */
int fleet_give_addresses(const struct store_atr *def, struct store_member *m, struct akm_error *err);

/* Who joins in steps that say so */
static inline const struct store_node *fleet_change_joiner(const struct fleet_change *c)
{
	return c->by.name[0] ? &c->by : &c->node;
}

/* fleet_apply.c: one transaction, then it goes on by itself */
int fleet_apply(struct fleet_change *c, struct akm_error *err);
/* The two halves of it: inside the caller's transaction, and after that. */
int fleet_change_write(struct fleet_change *c);
void fleet_change_take(struct fleet_change *c);
void fleet_adopt(struct fleet_atr *a, struct store_atr *def);	/* which the database has; *def is the old one then */
uint32_t fleet_step_number(const struct fleet_step *s);	/* of the generation it makes (made); 0: none */
int fleet_rekey(struct fleet_atr *a, const char *reason, uint32_t *ret_number);
int fleet_remove(struct fleet_atr *a, const struct store_node *n, uint32_t *ret_number, struct akm_error *err);
int fleet_evict(struct fleet *f, const struct store_node *n, struct akm_error *err);
/* Makes a fallback if there should be one. */
void fleet_arm(struct fleet_atr *a);
/*
 * Member @m holds generation @number, which we never made. If it was made by who was manager before us, go beyond it;
 * if these records are a backup of our own, people must see to that.
 */
void fleet_outrun(struct fleet_atr *a, size_t m, uint32_t number);

/* fleet_plan.c: what fleet_apply() would do with @c. NULL: no memory */
struct json_object *fleet_plan_report(const struct fleet_change *c);

/* fleet_replace.c */
void fleet_replace_free(struct fleet *f);

/* fleet_lock.c */
int fleet_lock_load(struct fleet *f);
int fleet_plan_lock(struct fleet_atr *a, const char *why, struct fleet_change *c, struct akm_error *err);
int fleet_plan_unlock(struct fleet_atr *a, struct fleet_change *c, struct akm_error *err);
/* By policy, because of evidence of the kind @what; @a NULL: the fleet, and all its ATRs */
int fleet_lockdown(struct fleet *f, struct fleet_atr *a, const char *what, struct akm_error *err);
int fleet_lock_check(const struct fleet_atr *a, struct akm_error *err);		/* -EPERM: members and definition stay */
int fleet_lock_check_new(const struct fleet *f, struct akm_error *err);		/* -EPERM: no new nodes and ATRs */
/* @old was provisioned anew as @n: no member of a locked one any more. Inside a transaction; then after it. */
int fleet_lock_leave_out(struct fleet_atr *a, const struct store_node *n, const struct store_node *old);
void fleet_lock_left_out(struct fleet_atr *a, const struct store_node *n);
/* The fleet that we take over was locked for @why (empty: it was not). Inside a transaction; then after it. */
int fleet_lock_inherit_write(struct fleet *f, const char *why);
void fleet_lock_inherit(struct fleet *f, const char *why);
void fleet_lock_report(const struct store_atr *def, struct json_object *o);
void fleet_lock_health(const struct fleet *f, struct health *h);

/* fleet_watch.c */
/* A record of @note about a node in each of its ATRs, for their policies to judge; of one that is in none, once. */
void fleet_tell(struct fleet *f, const uint8_t node[AKM_ID_LEN], const char *name, const struct evidence_note *note,
		const char *text);
bool fleet_watch(struct fleet_atr *a, size_t m, const struct msg_atr_state *now);	/* must something be sent to it? */
void fleet_watch_fallback(struct fleet_atr *a);		/* have members entered one? */

/* The epoch that half of the members that are up, and use generation @g, are in at least */
uint64_t fleet_epoch(const struct fleet_atr *a, size_t g);

/* fleet_roll.c */
/* By policy, because of evidence of the kind @why. -EAGAIN: not so many in so short a time. */
int fleet_roll(struct fleet_atr *a, const char *why, struct akm_error *err);
uint64_t fleet_roll_due(struct fleet_atr *a, uint64_t now);	/* makes the one that is. Return: when to look again, or REKEY_NEVER */

/* fleet_policy.c */
int fleet_policy_new(struct fleet *f, struct akm_error *err);
void fleet_policy_free(struct fleet *f);
/* Member @m of @a has counted so much more in that time. */
void fleet_policy_count(struct fleet_atr *a, size_t m, enum policy_kind kind, uint64_t count, uint64_t span_ms);
void fleet_policy_due(struct fleet_atr *a);		/* a rekey that is owed */
/* Takes @next, which is in force from now on. -ENOMEM: some rules still are those of before. */
int fleet_policy_adopt(struct fleet *f, struct policy *next);

/* fleet_root_policy.c: what is in force is made of what the root sent, and of the own file */
int fleet_root_policy_begin(struct fleet *f, struct policy *ret, struct akm_error *err);
int fleet_root_policy_reload(struct fleet *f, struct policy *ret, struct akm_error *err);	/* an own file that is wrong is an error */
void fleet_root_policy_reloaded(struct fleet *f);	/* and it is in force */
void fleet_root_policy_health(const struct fleet *f, struct health *h);
void fleet_root_policy_free(struct fleet *f);

/* fleet_quarantine.c */
/*
 * @n out of @a, because of evidence of the kind @what, and into the ATR of that number or label if @into is one. If that
 * cannot be it is taken out all the same.
 */
int fleet_quarantine(struct fleet_atr *a, const struct store_node *n, const char *into, const char *what,
		     struct akm_error *err);
/* Is there every ATR that the own file names? -ENOENT and the like, with its place. */
int fleet_quarantine_check(struct fleet *f, const struct policy *p, struct akm_error *err);
void fleet_quarantine_health(struct fleet *f, struct health *h);

/* fleet_hook.c */
void fleet_hook_run(struct fleet *f, const struct fleet_atr *a, const struct policy_decision *d);	/* @a NULL: the fleet */
void fleet_hook_check(struct fleet *f);			/* once the policy is another one */
void fleet_hook_health(const struct fleet *f, struct health *h);

/* fleet_attest.c */
void fleet_attest_up(struct fleet *f, struct peer *p);
void fleet_attest_quote(struct fleet *f, struct peer *p, const struct keystore_quote *q);
void fleet_attest_forget(struct fleet *f, const uint8_t id[AKM_ID_LEN]);	/* after peers_remove(), which ends its calls */
void fleet_attest_free(struct fleet *f);		/* likewise after peers_free() */
void fleet_attest_report(struct fleet *f, const struct store_node *n, struct json_object *o);
void fleet_attest_health(struct fleet *f, struct health *h);
/* The last quote's PCRs are good from now on; @digest: if they are these, NULL: whatever they are. */
int fleet_attest_accept(struct fleet *f, const struct store_node *n, const uint8_t *digest, const char *who,
			struct akm_error *err);

/* fleet_wait.c */
void fleet_wait_check(struct fleet *f);
/* For what @c has made; answered when its members are done with it. */
int fleet_wait_new(struct ctl_request *req, const struct fleet_change *c, bool plans);
void fleet_wait_free_all(struct fleet *f);

/* fleet_ctl.c */
/* "1", "#1" or a label. -ENOENT */
int fleet_find_named(struct fleet *f, const char *name, const char *field, struct fleet_atr **ret, struct akm_error *err);

/* fleet_report.c */
struct json_object *fleet_report_atr(struct fleet_atr *a);
struct fleet_nodes_count { size_t provisioned, evicted; };
struct fleet_nodes_count fleet_count_nodes(struct fleet *f);
const char *fleet_atr_state(const struct fleet_atr *a);

#endif /* AKM_FLEET_INTERNAL_H */
