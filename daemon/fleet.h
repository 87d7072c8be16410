/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The manager's operational ATRs: desired state → plan (rekey.h) → prepare
 * everywhere → activate → retire. Every step is in the database before it is sent,
 * so that a manager killed at any point goes on where it was. Generation secrets are
 * in the database wrapped by the sealed store's master key, and erased when retired.
 */
#ifndef AKM_FLEET_H
#define AKM_FLEET_H

#include "ctl.h"
#include "entropy.h"
#include "evidence.h"
#include "hooks.h"
#include "peers.h"
#include "sealed.h"
#include "store.h"

struct fleet;

struct fleet_config {
	struct event_base *base;
	struct store *store;
	struct evidence *evidence;
	struct hooks *hooks;		/* NULL: the policy runs no programs */
	const struct config *config;
	const struct sealed *sealed;	/* for wrapping */
	struct entropy *entropy;
	uint64_t (*term)(void *ctx);
	void (*changed)(void *ctx);	/* the inventory has */
	void (*moved)(void *ctx);	/* likewise, and it can wait a little: nodes have other addresses */
	void *ctx;
};

/* Loads ATRs, generations and steps; nothing is sent before a node has reported. */
int fleet_new(const struct fleet_config *cfg, struct fleet **ret, struct akm_error *err);
void fleet_free(struct fleet *f);			/* NULL is fine */
void fleet_set_peers(struct fleet *f, struct peers *p);	/* once; outlives every call but fleet_free() */

/* From the peers */
void fleet_peer_up(struct fleet *f, struct peer *p);
void fleet_peer_down(struct fleet *f, struct peer *p);
void fleet_peer_heartbeat(struct fleet *f, struct peer *p);
void fleet_peer_two_places(struct fleet *f, struct peer *p, const char *text);	/* places.h */
void fleet_peer_quote(struct fleet *f, struct peer *p, const struct keystore_quote *q);

/* A node was provisioned again under a new ID: its memberships follow. Inside a transaction; then after it. */
int fleet_renew_write(struct fleet *f, const struct store_node *n, const struct store_node *old);
void fleet_renew_take(struct fleet *f, const struct store_node *n, const struct store_node *old);
/*
 * @by, which was just recorded, takes the place of the node @lost: that is evicted, by new generations in which @by has
 * its index, addresses and prefixes. Inside a transaction; then after it, of the last that was written.
 */
int fleet_replace_write(struct fleet *f, const char *lost, const struct store_node *by);
void fleet_replace_take(struct fleet *f);
/* The "node-replace" command before its exchange. Return: go on; else @req is answered. */
bool fleet_ctl_node_replace(struct fleet *f, struct ctl_request *req, struct json_object *args);

/* Are nodes taken on? Else the request is refused; and -EPERM, for an exchange under way. */
bool fleet_admits(struct fleet *f, struct ctl_request *req);
int fleet_admits_node(const struct fleet *f);

int fleet_inventory(struct fleet *f, struct msg *ret);		/* MSG_INVENTORY; msg_free() it */
/*
 * The nodes and ATRs of a manager that we replace, in one transaction; each ATR moves to a generation of ours.
 * What is here already stays as it is: repeating it is fine. Refused as a whole where a name is another's.
 */
int fleet_takeover(struct fleet *f, const struct msg_takeover *t, struct akm_error *err);

/* Is it one that a manager can begin with? Before fleet_new(), to whoever starts us. */
int fleet_policy_check(struct store *s, const struct config *c, struct akm_error *err);
/* The root's: durable and in force, or refused. Repeating it is fine. */
int fleet_root_policy_take(struct fleet *f, const struct msg_policy *p, struct akm_error *err);
void fleet_root_policy_held(const struct fleet *f, struct msg_policy_held *ret);

int fleet_fix_endpoint(struct fleet *f, const uint8_t node[AKM_ID_LEN]);	/* the operator said it */

/* Commands of the control socket, whole. */
void fleet_ctl_node_list(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_node_show(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_node_accept_pcrs(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_node_evict(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_node_move(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_node_rename(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_create(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_list(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_show(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_add(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_remove(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_rekey(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_set(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_delete(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_lock(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_atr_unlock(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_lock(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_unlock(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_policy_show(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_policy_trigger(struct fleet *f, struct ctl_request *req, struct json_object *args);
void fleet_ctl_policy_reload(struct fleet *f, struct ctl_request *req, struct json_object *args);
struct json_object *fleet_report_node(struct fleet *f, const struct store_node *n);	/* NULL: no memory */
void fleet_status(struct fleet *f, struct json_object *o);	/* adds nodes, atrs, alerts */

void fleet_health(struct fleet *f, struct health *h);
void fleet_metrics(struct fleet *f, struct metrics *m);
int fleet_nodes(struct fleet *f, struct json_object **ret);	/* {nodes: […]}, as node-list has them */

#endif /* AKM_FLEET_H */
