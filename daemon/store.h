/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The database of root and manager. store_sqlite*.c are the only files with SQL
 * (SQLite, WAL, synchronous=FULL, foreign keys on, schema checked as a whole).
 * Calls are synchronous and short; every change is its own transaction unless
 * store_begin() opened one. No secret in clear: secrets come wrapped (sealed.h).
 * One process at a time; one thread.
 * Return values: 0, -ENOENT (also: refers to something that is not there), -EEXIST,
 * -EINVAL (a field out of range), -EBADMSG (corrupt database), -ENOSPC, -EIO, -ENOMEM.
 * An _each function's fn may call store functions; whether it sees what it changes is
 * not defined.
 */
#ifndef AKM_STORE_H
#define AKM_STORE_H

#include "bounds.h"
#include "msg.h"
#include "quote.h"
#include "util.h"

struct store;

int store_open(const char *path, struct store **ret, struct akm_error *err);
void store_close(struct store *s);		/* NULL is fine; an open transaction is rolled back */
const char *store_strerror(struct store *s);	/* SQLite's words for the last failure */
/* One transaction at a time: -EALREADY. A failed commit leaves none open. */
int store_begin(struct store *s);
int store_commit(struct store *s);
void store_rollback(struct store *s);	/* fine when none is open */

/* Settings of this party: "domain" (blob), "identity", "term", "hardware", "policy", … */
int store_set(struct store *s, const char *key, const void *data, size_t len);
int store_get(struct store *s, const char *key, struct akm_blob *ret);
int store_set_u64(struct store *s, const char *key, uint64_t v);
int store_get_u64(struct store *s, const char *key, uint64_t *ret);	/* absent: 0 in *ret */

enum store_node_state { NODE_PENDING = 1, NODE_PROVISIONED = 2, NODE_EVICTED = 3 };

struct store_node {
	uint8_t id[AKM_ID_LEN];		/* provisioning ATR ID, the key */
	char name[AKM_NAME_LEN];	/* unique among the provisioned */
	char label[2 * AKM_NAME_LEN];
	enum store_node_state state;
	uint8_t hardware[AKM_DIGEST_LEN];
	char sources[256];
	struct akm_blob key;		/* K as this side's TPM wraps it */
	struct akm_blob ek_name, ek_public, parent_public, parent_name;
	uint64_t link_n;		/* current n */
	uint64_t since_ms;		/* CLOCK_REALTIME of the last change of state */
	struct msg_endpoint endpoint;	/* last known data-plane endpoint */
};
void store_node_free(struct store_node *n);
int store_node_put(struct store *s, const struct store_node *n);	/* insert or replace by id */
int store_node_get(struct store *s, const uint8_t id[AKM_ID_LEN], struct store_node *ret);
/* The provisioned one, else the newest pending, else the newest evicted one of that name. */
int store_node_by_name(struct store *s, const char *name, struct store_node *ret);
int store_node_by_ek(struct store *s, const struct akm_blob *ek_name, struct store_node *ret);	/* newest not evicted */
/* -EBUSY: it is a member of an ATR still (inside a transaction store_commit() says so, -ENOENT). */
int store_node_delete(struct store *s, const uint8_t id[AKM_ID_LEN]);
/* Calls fn for each in order of name; a non-zero result ends it and is returned. */
int store_node_each(struct store *s, int (*fn)(const struct store_node *n, void *ctx), void *ctx);

/* What a node attests to; it goes with the node. -ENOENT: nothing. */
int store_attest_put(struct store *s, const uint8_t id[AKM_ID_LEN], const struct quote_baseline *b);
int store_attest_get(struct store *s, const uint8_t id[AKM_ID_LEN], struct quote_baseline *ret);

/*
 * A key of a provisioning ATR that is to be replaced, or has been (peers_rotate.c). It goes with the node; -ENOENT: there is
 * none, or (put) no such node.
 */
enum store_rotation_state { ROTATION_WANTED = 1, ROTATION_OFFERED = 2, ROTATION_SETTLING = 3 };
struct store_rotation {
	enum store_rotation_state state;
	struct akm_blob key;		/* OFFERED: the new one, of link key n + 1; else empty */
	uint64_t n;			/* SETTLING: its first link key; else 0 */
	uint64_t since_ms;		/* CLOCK_REALTIME, when it was asked for */
	char reason[64];
};
void store_rotation_free(struct store_rotation *r);
int store_rotation_put(struct store *s, const uint8_t id[AKM_ID_LEN], const struct store_rotation *r);
int store_rotation_get(struct store *s, const uint8_t id[AKM_ID_LEN], struct store_rotation *ret);
int store_rotation_delete(struct store *s, const uint8_t id[AKM_ID_LEN]);	/* 0 also if there is none */

struct store_member {
	uint16_t index;			/* never reused inside an ATR */
	uint8_t node[AKM_ID_LEN];
	size_t n_addresses;
	struct msg_prefix addresses[ADDRESSES_MAX];	/* overlay addresses with the subnet's length */
	size_t n_prefixes;
	struct msg_prefix prefixes[ADDRESSES_MAX];	/* what else it may use: networks behind it */
	bool removed;			/* kept so that the index is not reused */
};

struct store_atr {
	uint32_t id;
	char label[AKM_NAME_LEN];	/* unique among the not deleted */
	uint32_t suite;
	uint16_t port;
	struct msg_prefix subnet4, subnet6;	/* addr_len 0: none */
	uint32_t epoch_interval_ms, epoch_grace_ms;
	uint32_t freshness;		/* enum akm_freshness */
	bool fallback;			/* one lies armed with the members */
	struct msg_group group;
	uint64_t definition;		/* version, monotonic */
	uint32_t last_generation;	/* highest number ever handed out: durable before use */
	bool deleted;			/* the row stays: numbers are never reused */
	uint64_t locked_ms;		/* CLOCK_REALTIME, since when it is locked; 0: it is not */
	char locked_why[64];		/* a kind of evidence, or "command" */
	size_t n_members;
	struct store_member *members;	/* owned */
};
void store_atr_free(struct store_atr *a);
/* Insert or replace. A member that was stored must stay in @a (removed): leaving it out is -EINVAL. */
int store_atr_put(struct store *s, const struct store_atr *a);
int store_atr_get(struct store *s, uint32_t id, struct store_atr *ret);
int store_atr_each(struct store *s, int (*fn)(const struct store_atr *a, void *ctx), void *ctx);

/* One generation of an ATR and how far each member is: the journal of prepare → activate → retire. */
enum store_gen_state { GEN_PREPARING = 1, GEN_ACTIVATING = 2, GEN_ACTIVE = 3, GEN_RETIRED = 4 };
enum store_step { STEP_NONE = 0, STEP_PREPARED = 1, STEP_ACTIVATED = 2, STEP_RETIRED = 3 };

struct store_generation {
	uint32_t atr_id, number, key_id;
	enum store_gen_state state;
	uint64_t epoch;			/* at which the wrapped chain stands */
	struct akm_blob secret;		/* wrapped: C_epoch | pair root; empty once retired (erased) */
	uint64_t created_ms;
	char reason[64];		/* "create", "add", "evict", "rekey", "fallback", "auth-fail", … */
};
void store_generation_free(struct store_generation *g);
/* Insert or replace; a retired one is stored without its secret, and the old bytes are overwritten. */
int store_generation_put(struct store *s, const struct store_generation *g);
int store_generation_get(struct store *s, uint32_t atr_id, uint32_t number, struct store_generation *ret);
int store_generation_each(struct store *s, uint32_t atr_id, int (*fn)(const struct store_generation *g, void *ctx), void *ctx);
int store_step_set(struct store *s, uint32_t atr_id, uint32_t number, const uint8_t node[AKM_ID_LEN], enum store_step step);
int store_step_get(struct store *s, uint32_t atr_id, uint32_t number, const uint8_t node[AKM_ID_LEN], enum store_step *ret);

/*
 * Evidence. seq is per store, from 1. e->seq of a remote event is its source's, kept, and with source
 * and time_ms what tells a duplicate; e->seq of an own one is the store's. The last EVENTS_KEPT are kept.
 */
int store_event_add(struct store *s, const struct msg_event *e, uint64_t *ret_seq);	/* e->seq 0: own event; duplicate remote: -EEXIST */
int store_event_each(struct store *s, uint64_t since, size_t limit, int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx);
int store_event_last(struct store *s, uint64_t *ret_seq);	/* 0: there is none */
/* Those of SEV_ALERT */
int store_event_alerts(struct store *s, uint64_t since, int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx);
/* Outbox towards the superior: events after the last acknowledged. */
int store_outbox_acked(struct store *s, uint64_t seq);
int store_outbox_each(struct store *s, size_t limit, int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx);

/* Backup into a new file, consistent while running; -EEXIST if there is one. Not inside a transaction: -EBUSY. */
int store_backup(struct store *s, const char *path, struct akm_error *err);

#endif /* AKM_STORE_H */
