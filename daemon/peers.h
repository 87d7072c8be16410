/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Those below: the nodes of a manager, the managers of a root. Their link keys, the
 * link server, hello, heartbeats, evidence on its way up, the daily next n. What
 * else comes is the role's. Records are the store's; here is what is known now.
 */
#ifndef AKM_PEERS_H
#define AKM_PEERS_H

#include "calls.h"
#include "config.h"
#include "evidence.h"
#include "places.h"
#include "store.h"
#include "tpmq.h"

struct peers;

struct peer {
	struct peer *hash_next;
	struct peers *peers;
	uint8_t id[AKM_ID_LEN];
	char name[AKM_NAME_LEN];	/* as it is called here: it may have been renamed */
	char label[2 * AKM_NAME_LEN];	/* of the provisioning ATR */
	uint64_t link_n;		/* as stored: current */
	struct linkkey *key;
	struct link *link;		/* NULL: down. The newest, if there are two */
	bool up;			/* hello was exchanged */
	bool reported;			/* its first heartbeat has come */
	bool next_acked;		/* it knows link_n */
	bool missed;			/* heartbeats: the event was recorded */
	struct calls calls;
	struct places places;
	struct msg_hello hello;
	struct msg_heartbeat heartbeat;	/* the last one; owned */
	uint64_t last_seen_ms, since_ms;	/* wall clock: last message, last change of @up */
	uint64_t seen_ms, linked_ms;	/* monotonic: last message; since when there is @link */
	struct peer_rotation {		/* of its key: peers_rotate.c */
		enum store_rotation_state state;	/* as stored; 0: none */
		uint64_t n;		/* as stored */
		const void *job;	/* the TPM is at work for this session */
		bool offered;		/* in this session */
		unsigned int failures;
		uint64_t retry_ms, settling_ms;	/* monotonic */
		char failure[160];	/* the last one */
	} rotation;
	void *data;			/* the role's */
};

struct peers_ops {
	/* Fill in term and endpoints of our hello. */
	void (*hello)(struct msg_hello *h, void *ctx);
	void (*up)(struct peer *p, void *ctx);		/* after its hello */
	void (*down)(struct peer *p, void *ctx);	/* after up() only */
	void (*heartbeat)(struct peer *p, void *ctx);	/* @p->heartbeat is new */
	/* All but hello, heartbeats, events and answers. -EPROTO: not for us, the link is closed. */
	int (*message)(struct peer *p, struct msg *m, void *ctx);
	/* May link keys move on now? And: one has. NULL: always, nothing. */
	bool (*may_move)(void *ctx);
	void (*moved)(void *ctx);
	/* Two use its key at the same time: @text says where. NULL: recorded here. */
	void (*two_places)(struct peer *p, const char *text, void *ctx);
	/* Its key is another one: inside the transaction; then durably. NULL: nothing is to be done. */
	int (*rotate)(void *ctx);
	void (*rotated)(struct peer *p, void *ctx);
};

struct peers_config {
	struct event_base *base;
	struct tpmq *q;
	struct store *store;
	struct evidence *evidence;
	const struct config *config;
	const char *name;		/* ours */
	enum msg_role role;		/* ours */
	const struct akm_blob *domain;	/* their keys are under it; NULL: under the storage parent. Outlives the peers */
	bool own_events_only;		/* a peer speaks of itself only (nodes); a manager passes others' on */
	struct peers_ops ops;
	void *ctx;
};

/* Loads the provisioned ones from the store and listens. */
int peers_new(const struct peers_config *cfg, struct peers **ret, struct akm_error *err);
void peers_free(struct peers *p);		/* NULL is fine; calls under way end with -ENOTCONN, no other callback */

int peers_add(struct peers *p, const struct store_node *n);	/* newly provisioned, or again */
void peers_remove(struct peers *p, const uint8_t id[AKM_ID_LEN]);	/* evicted, replaced: refused from now on */
struct peer *peers_find(struct peers *p, const uint8_t id[AKM_ID_LEN]);
struct peer *peers_by_name(struct peers *p, const char *name);
void peers_each(struct peers *p, void (*fn)(struct peer *peer, void *ctx), void *ctx);
size_t peers_count(const struct peers *p, bool up_only);
/* Those that are silent, and those that do not hear their kernel. */
void peers_health(const struct peers *p, struct health *h);
/* Up, last seen and blind, of each. */
void peers_metrics(const struct peers *p, struct metrics *m);
void peers_may_move(struct peers *p);	/* may_move() says yes now: who waits for that goes on */
/*
 * Its provisioning ATR gets a new key, as soon as it is there: rotate.h. Fine if that is under way already. @reason: who
 * wants it, at most 63 bytes.
 */
int peers_rotate(struct peers *p, const uint8_t id[AKM_ID_LEN], const char *reason, struct akm_error *err);
/* The command, whole: of one, or of "all"; answered when those that are there have a new key. */
void peers_ctl_rotate(struct peers *p, struct ctl_request *req, struct json_object *args);
#define PEERS_ROTATE_ARGS { { "node", CTL_STRING, true } }
#define PEERS_ROTATE_WAIT_MS	60000	/* a TPM that stalls for 30 s, at either end */
void peer_rotation_report(const struct peer *p, struct json_object *o);	/* adds what is under way */
const struct sockaddr_storage *peers_address(const struct peers *p);	/* where it listens */

/* Return: 0 or -ENOTCONN, …; then @fn is not called. */
int peer_call(struct peer *p, struct msg *m, uint64_t timeout_ms, call_fn fn, void *ctx);

#endif /* AKM_PEERS_H */
