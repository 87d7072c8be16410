// SPDX-License-Identifier: GPL-2.0
#include "role.h"

#include <limits.h>

#include "backup.h"
#include "clock.h"
#include "enroll.h"
#include "evidence_db.h"
#include "log.h"
#include "peers.h"
#include "root_policy.h"
#include "status.h"
#include "web.h"

#define DOMAIN_KEY	"domain"	/* in the database */
#define TERM_KEY	"term"

struct root {
	struct role_env *env;
	struct store *store;
	struct evidence *evidence;
	struct peers *peers;
	struct issuer *issuer;
	struct root_policy *policy;
	struct ctl *ctl;
	struct web *web;
	struct domain_job *job;
	struct event *start;
	bool running;
	struct akm_blob domain;
	bool replaced;			/* by the commit that is under way … */
	uint8_t replaced_id[AKM_ID_LEN];	/* … this manager, which is refused once it is durable */
};

/* ---- the domain, made once ---- */

struct domain_job { struct root *root; struct akm_blob domain; };

static void serve(struct root *r);

static int domain_work(struct keystore *ks, void *arg)
{
	struct domain_job *job = arg;

	return keystore_domain_create(ks, &job->domain);
}

static void domain_done(void *arg, int e)
{
	struct domain_job *job = arg;
	struct root *r = job->root;

	if (r) {
		r->job = NULL;
		e = e ?: store_set(r->store, DOMAIN_KEY, job->domain.data, job->domain.len);
	}
	if (r && !e) {
		r->domain = job->domain;
		memset(&job->domain, 0, sizeof(job->domain));
		evidence_add(r->evidence, EVIDENCE_NOTE("domain", SEV_INFO), "The domain was created in the TPM");
		serve(r);
	} else if (r) {
		log_err("the domain cannot be created error=%s", strerror(-e));
		r->env->failed(r->env->ctx, e);
	}
	akm_blob_free(&job->domain);
	free(job);
}

static int create_domain(struct root *r)
{
	struct domain_job *job = calloc(1, sizeof(*job));
	int e;

	if (!job)
		return -ENOMEM;
	job->root = r;
	e = tpmq_submit(r->env->q, domain_work, domain_done, job);
	if (e < 0) {
		free(job);
		return e;
	}
	log_notice("first start: creating the domain in the TPM");
	r->job = job;
	return 0;
}

/* ---- managers ---- */

static void on_hello(struct msg_hello *h, void *ctx)
{
	(void)h, (void)ctx;
}

static void on_peer(struct peer *p, void *ctx)
{
	(void)p, (void)ctx;
}

static void inventory_key(const uint8_t id[AKM_ID_LEN], char ret[64])
{
	snprintf(ret, 64, "inventory:");
	report_hex(id, AKM_ID_LEN, ret + strlen(ret));
}

/* What a manager still has to take over from the one that it replaces */
static void takeover_key(const uint8_t id[AKM_ID_LEN], char ret[64])
{
	snprintf(ret, 64, "takeover:");
	report_hex(id, AKM_ID_LEN, ret + strlen(ret));
}

/* ---- a manager that replaces another ---- */

/* -ENOENT: there is none (any more). */
static int load_message(struct root *r, const char *key, struct msg *ret)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	int e = store_get(r->store, key, &b);

	if (!e && !b.len)
		e = -ENOENT;
	return e ?: msg_decode(b.data, b.len, ret, NULL);
}

static int store_message(struct root *r, const char *key, const struct msg *m)
{
	_cleanup_secret_ struct akm_secret encoded = {};

	return msg_encode(m, &encoded) ?: store_set(r->store, key, encoded.data, encoded.len);
}

struct offer { struct root *root; uint8_t id[AKM_ID_LEN]; char from[AKM_NAME_LEN]; };

static void on_takeover_answer(void *ctx, int e, const struct akm_error *err)
{
	struct offer *o = ctx;
	struct root *r = o->root;
	struct peer *p = peers_find(r->peers, o->id);
	char key[64];

	takeover_key(o->id, key);
	if (!e)
		e = store_set(r->store, key, "", 0);
	if (p && !e)
		evidence_add(r->evidence, EVIDENCE_NOTE("takeover", SEV_INFO), "%s has taken over what was %s's", p->name,
			     o->from);
	else if (p && e != -ENOTCONN)
		evidence_add(r->evidence, EVIDENCE_NOTE("takeover-failed", SEV_ALERT, .limit = p->name),
			     "%s does not take over what was %s's, and is asked again when it connects again: %s", p->name,
			     o->from, err && err->reason[0] ? err->reason : strerror(-e));
	free(o);
}

/* Until it is answered by ok, at each connection again */
static void on_peer_up(struct peer *p, void *ctx)
{
	struct root *r = ctx;
	_cleanup_msg_ struct msg m = {};
	struct offer *o;
	char key[64];
	int e;

	takeover_key(p->id, key);
	e = load_message(r, key, &m);
	if (e == -ENOENT)
		return;
	o = calloc(1, sizeof(*o));
	e = e ?: !o ? -ENOMEM : 0;
	if (!e) {
		o->root = r;
		memcpy(o->id, p->id, AKM_ID_LEN);
		memcpy(o->from, m.takeover.from, sizeof(o->from));
		if (!(p->hello.features & FEATURE_FLEET_LOCK))
			m.takeover.inventory.locked[0] = '\0';	/* an older one would end the link on it */
		e = peer_call(p, &m, 0, on_takeover_answer, o);
	}
	if (e < 0) {
		log_err("cannot tell a manager what it takes over manager=%s error=%s", p->name, strerror(-e));
		free(o);
	}
}

/* What @lost had, or was still to take over itself */
static int find_inventory(struct root *r, const struct store_node *lost, struct msg *ret)
{
	_cleanup_msg_ struct msg own = {};
	char key[64];
	int e;

	inventory_key(lost->id, key);
	e = load_message(r, key, &own);
	if (e < 0 && e != -ENOENT)
		return e;
	if (e == -ENOENT || !own.inventory.n_nodes) {
		takeover_key(lost->id, key);
		e = load_message(r, key, ret);
		if (e != -ENOENT)
			return e;
		return 0;			/* it had nothing: there is nothing to take over */
	}
	ret->type = MSG_TAKEOVER;
	ret->takeover.inventory = own.inventory;
	memset(&own, 0, sizeof(own));
	return 0;
}

/* Inside the transaction that records @n: the lost one is evicted, what it had is kept for @n. */
static int replace(struct root *r, const struct store_node *n, const char *name)
{
	_cleanup_(store_node_free) struct store_node lost = {};
	_cleanup_msg_ struct msg m = {};
	char key[64];
	int e;

	e = store_node_by_name(r->store, name, &lost);
	if (!e && lost.state != NODE_PROVISIONED)
		e = -ENOENT;			/* meanwhile */
	e = e ?: find_inventory(r, &lost, &m);
	if (e < 0)
		return e;
	if (m.type == MSG_TAKEOVER) {
		snprintf(m.takeover.from, sizeof(m.takeover.from), "%s", name);
		takeover_key(n->id, key);
		e = store_message(r, key, &m);
	}
	lost.state = NODE_EVICTED;
	lost.since_ms = wall_ms();
	e = e ?: store_node_put(r->store, &lost) ?: store_rotation_delete(r->store, lost.id);
	r->replaced = !e;
	memcpy(r->replaced_id, lost.id, AKM_ID_LEN);
	return e;
}

static bool evicted_in(const struct msg_inventory *v, const uint8_t id[AKM_ID_LEN])
{
	for (size_t i = 0; i < v->n_nodes; i++)
		if (!memcmp(v->nodes[i].id, id, AKM_ID_LEN))
			return v->nodes[i].evicted;
	return true;
}

static bool atr_is_older(const struct msg_inventory *v, const struct msg_inventory_atr *known)
{
	for (size_t i = 0; i < v->n_atrs; i++)
		if (v->atrs[i].atr_id == known->atr_id)
			return v->atrs[i].definition < known->definition || v->atrs[i].generation < known->generation;
	return false;				/* it was deleted */
}

/*
 * What only grows (versions, generations, who was evicted) is less than it was: the manager was set back to a
 * backup. Its replacement would let in again whom it had thrown out since.
 */
static bool is_older(const struct msg_inventory *v, const struct msg_inventory *known)
{
	for (size_t i = 0; i < known->n_nodes; i++)
		if (known->nodes[i].evicted && !evicted_in(v, known->nodes[i].id))
			return true;
	for (size_t i = 0; i < known->n_atrs; i++)
		if (atr_is_older(v, &known->atrs[i]))
			return true;
	return false;
}

/* The last one is kept whole: it is what a replacement manager will be given. No secret is in it. */
static int take_inventory(struct root *r, const struct peer *p, const struct msg *m)
{
	_cleanup_msg_ struct msg known = {};
	char key[64];
	int e;

	inventory_key(p->id, key);
	e = load_message(r, key, &known);
	if (!e && is_older(&m->inventory, &known.inventory)) {
		evidence_add(r->evidence, EVIDENCE_NOTE("generation-ahead", SEV_ALERT, .limit = p->name),
			     "%s tells of nodes and ATRs as they were once: it was set back to a backup. What it told "
			     "before is kept, for its replacement", p->name);
		return 0;
	}
	/* A damaged one is worth less than this. */
	return e < 0 && e != -ENOENT && e != -EBADMSG ? e : store_message(r, key, m);
}

static int on_message(struct peer *p, struct msg *m, void *ctx)
{
	struct root *r = ctx;

	if (m->type == MSG_POLICY_HELD) {
		root_policy_held(r->policy, p, &m->held);
		return 0;
	}
	return m->type == MSG_INVENTORY ? take_inventory(r, p, m) : -EPROTO;
}

/* ---- provisioning ---- */

static uint64_t stored_term(const struct root *r)
{
	uint64_t v = 0;

	if (store_get_u64(r->store, TERM_KEY, &v) < 0)
		log_err("cannot read the term error=%s", store_strerror(r->store));
	return v;
}

/* Each manager, and each replacement of one, has a higher term: nodes follow only the highest. */
static uint64_t next_term(void *ctx)
{
	return stored_term(ctx) + 1;
}

static int on_commit(const struct store_node *n, const struct store_node *old, void *ctx)
{
	struct root *r = ctx;
	const char *replaces = issuer_replaces(r->issuer);

	(void)old;
	r->replaced = false;
	return store_set_u64(r->store, TERM_KEY, next_term(r)) ?: replaces[0] ? replace(r, n, replaces) : 0;
}

static void on_committed(const struct store_node *n, const struct store_node *old, void *ctx)
{
	struct root *r = ctx;
	int e;

	if (old) {
		peers_remove(r->peers, old->id);
		root_policy_forget(r->policy, old->id);
	}
	if (r->replaced) {
		peers_remove(r->peers, r->replaced_id);
		root_policy_forget(r->policy, r->replaced_id);
		evidence_add(r->evidence, EVIDENCE_NOTE("manager-replaced", SEV_WARNING),
			     "%s takes the place of %s, which is refused from now on: term %llu", n->name,
			     issuer_replaces(r->issuer), (unsigned long long)stored_term(r));
	}
	r->replaced = false;
	e = peers_add(r->peers, n);
	if (e < 0)
		log_err("cannot serve a new manager before a restart manager=%s error=%s", n->name, strerror(-e));
}

static struct json_object *report_manager(const struct store_node *n, void *ctx)
{
	struct root *r = ctx;
	struct json_object *o = report_node(n);
	const struct peer *p = peers_find(r->peers, n->id);
	char *key_name = NULL;

	if (!o)
		return NULL;
	json_object_object_add(o, "role", json_object_new_string("manager"));
	json_object_object_add(o, "link", json_object_new_string(p && p->up ? "up" : "down"));
	json_object_object_add(o, "last_seen", report_time(p ? p->last_seen_ms : 0));
	root_policy_report(r->policy, n->id, o);
	if (!keystore_key_name(&n->key, &key_name))
		json_object_object_add(o, "key_name", json_object_new_string(key_name));
	free(key_name);
	if (p)
		peer_rotation_report(p, o);
	return o;
}

/* ---- what managers told of their nodes ---- */

static int load_inventory(struct root *r, const uint8_t id[AKM_ID_LEN], struct msg *ret)
{
	char key[64];

	inventory_key(id, key);
	return load_message(r, key, ret);
}

static struct json_object *report_inventory_node(const struct store_node *manager, const struct msg_inventory_node *n)
{
	struct json_object *o = json_object_new_object();
	char hex[2 * AKM_DIGEST_LEN + 1], pcrs[QUOTE_TEXT_MAX], *key_name = NULL;

	json_object_object_add(o, "name", json_object_new_string(n->name));
	report_hex(n->id, AKM_ID_LEN, hex);
	json_object_object_add(o, "id", json_object_new_string(hex));
	json_object_object_add(o, "role", json_object_new_string("node"));
	json_object_object_add(o, "manager", json_object_new_string(manager->name));
	json_object_object_add(o, "state", json_object_new_string(n->evicted ? "evicted" : "provisioned"));
	report_hex(n->hardware, AKM_DIGEST_LEN, hex);
	json_object_object_add(o, "hardware", json_object_new_string(hex));
	if (!keystore_key_name(&n->key, &key_name))
		json_object_object_add(o, "key_name", json_object_new_string(key_name));
	free(key_name);
	if (n->attest.pcrs) {
		quote_pcrs_text(n->attest.pcrs, pcrs);
		json_object_object_add(o, "pcrs", json_object_new_string(pcrs));
		report_hex(n->attest.facts.digest, AKM_DIGEST_LEN, hex);
		json_object_object_add(o, "pcrs_accepted", json_object_new_string(hex));
	}
	return o;
}

struct walk { struct root *r; struct json_object *nodes, *atrs; };

static int walk_manager(const struct store_node *n, void *ctx)
{
	struct walk *w = ctx;
	_cleanup_msg_ struct msg m = {};
	int e;

	if (n->state == NODE_PENDING)
		return 0;
	json_object_array_add(w->nodes, report_manager(n, w->r));
	if (n->state == NODE_EVICTED)
		return 0;			/* replaced: what it had is another's */
	e = load_inventory(w->r, n->id, &m);
	if (e < 0)
		return e == -ENOENT ? 0 : e;
	for (size_t i = 0; i < m.inventory.n_nodes; i++)
		json_object_array_add(w->nodes, report_inventory_node(n, &m.inventory.nodes[i]));
	for (size_t i = 0; i < m.inventory.n_atrs; i++) {
		struct json_object *atr = json_tokener_parse(m.inventory.atrs[i].json);

		if (!json_object_is_type(atr, json_type_object)) {
			json_object_put(atr);
			continue;
		}
		json_object_object_add(atr, "manager", json_object_new_string(n->name));
		json_object_object_add(atr, "generation", json_object_new_int64(m.inventory.atrs[i].generation));
		json_object_array_add(w->atrs, atr);
	}
	return 0;
}

/* ---- control socket ---- */

static bool is_running(const struct root *r, struct ctl_request *req)
{
	struct akm_error err = {};

	if (r->running)
		return true;
	akm_error_set(&err, 0, "root", "is starting: its TPM has not answered yet");
	ctl_fail(req, -EAGAIN, &err);
	return false;
}

/* Both lists, or why not */
static int walk(struct root *r, struct walk *ret, struct akm_error *err)
{
	struct walk w = { r, json_object_new_array(), json_object_new_array() };
	int e = store_node_each(r->store, walk_manager, &w);

	if (!e) {
		*ret = w;
		return 0;
	}
	json_object_put(w.nodes);
	json_object_put(w.atrs);
	return akm_error_set(err, e, "database", "%s", e == -EBADMSG ? "an inventory is damaged" : store_strerror(r->store));
}

/* The same, and the request is refused if not. */
static int walk_for(struct root *r, struct ctl_request *req, struct walk *ret)
{
	struct akm_error err = {};
	int e = walk(r, ret, &err);

	if (e < 0)
		ctl_fail(req, e, &err);
	return e;
}

static void examine(struct root *r, struct health *ret)
{
	health_init(ret);
	status_health(r->env, ret);
	evidence_health(r->evidence, ret);
	root_policy_health(r->policy, ret);
	if (r->peers)
		peers_health(r->peers, ret);
}

static int status(struct root *r, struct json_object **ret, struct akm_error *err)
{
	struct json_object *o, *nodes;
	struct health h;
	struct walk w;
	int e = walk(r, &w, err);

	if (e < 0)
		return e;
	o = status_new(r->env, stored_term(r));
	nodes = json_object_new_object();
	report_put_int(nodes, "total", (int64_t)peers_count(r->peers, false));
	report_put_int(nodes, "up", (int64_t)peers_count(r->peers, true));
	json_object_object_add(o, "nodes", nodes);
	json_object_object_add(o, "managers", w.nodes);
	json_object_object_add(o, "atrs", w.atrs);
	json_object_object_add(o, "alerts", evidence_alerts(r->evidence));
	examine(r, &h);
	health_end(&h, o);
	*ret = o;
	return 0;
}

static void ctl_status(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;
	struct json_object *o;
	struct akm_error err = {};
	int e;

	(void)args;
	if (!is_running(r, req))
		return;
	e = status(r, &o, &err);
	if (e < 0)
		ctl_fail(req, e, &err);
	else
		ctl_ok(req, o);
}

static void ctl_events(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;

	evidence_ctl(r->evidence, req, args);
}

static void ctl_backup(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;

	backup_ctl(r->store, r->evidence, req, args);
}

static void ctl_acknowledge(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;

	evidence_ctl_acknowledge(r->evidence, req, args);
}

static void ctl_provision(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;

	if (is_running(r, req))
		issuer_ctl(r->issuer, req, args);
}

static void ctl_rotate(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;

	if (is_running(r, req))
		peers_ctl_rotate(r->peers, req, args);
}

/* Provisioning of a new one that takes the place of a lost one, and all that it had. */
static void ctl_replace(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;
	_cleanup_(store_node_free) struct store_node lost = {};
	const char *name = ctl_str(args, "replaces");
	struct akm_error err = {};
	int e;

	if (!is_running(r, req))
		return;
	e = store_node_by_name(r->store, name, &lost);
	if (e == -ENOENT || (!e && lost.state != NODE_PROVISIONED))
		e = akm_error_set(&err, -ENOENT, "manager", "there is no manager %.63s", name);
	else if (!e && !strcmp(name, ctl_str(args, "name")))
		e = akm_error_set(&err, -EINVAL, "name", "must be another one: evidence of both must be told apart");
	if (e < 0)
		ctl_fail(req, e, err.reason[0] ? &err : NULL);
	else
		issuer_ctl(r->issuer, req, args);
}

static void ctl_list(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;
	struct json_object *o;
	struct walk w;

	(void)args;
	if (!is_running(r, req) || walk_for(r, req, &w) < 0)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "nodes", w.nodes);
	json_object_put(w.atrs);
	ctl_ok(req, o);
}

static void ctl_show(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;
	const char *name = ctl_str(args, "node");
	struct json_object *found = NULL;
	struct akm_error err = {};
	struct walk w;

	if (!is_running(r, req) || walk_for(r, req, &w) < 0)
		return;
	for (size_t i = 0; !found && i < json_object_array_length(w.nodes); i++) {
		struct json_object *o = json_object_array_get_idx(w.nodes, i);

		if (!strcmp(json_object_get_string(json_object_object_get(o, "name")), name))
			found = json_object_get(o);
	}
	json_object_put(w.nodes);
	json_object_put(w.atrs);
	if (found) {
		ctl_ok(req, found);
		return;
	}
	akm_error_set(&err, 0, "node", "there is no node %.63s", name);
	ctl_fail(req, -ENOENT, &err);
}

static void ctl_policy_show(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;

	(void)args;
	root_policy_ctl_show(r->policy, req);
}

static void ctl_policy_reload(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct root *r = ctx;

	(void)args;
	if (is_running(r, req))
		root_policy_ctl_reload(r->policy, r->peers, req);
}

static const struct ctl_command commands[] = {
	{ "status", { { .name = NULL } }, ctl_status },
	{ "events", EVIDENCE_CTL_ARGS, ctl_events },
	{ "acknowledge", EVIDENCE_ACKNOWLEDGE_ARGS, ctl_acknowledge },
	{ "backup", BACKUP_ARGS, ctl_backup },
	{ "node-provision", ISSUER_CTL_ARGS, ctl_provision },
	{ "manager-replace", { ISSUER_REPLACE_ARGS }, ctl_replace },
	{ "manager-rotate", PEERS_ROTATE_ARGS, ctl_rotate },
	{ "node-list", { { .name = NULL } }, ctl_list },
	{ "node-show", { { "node", CTL_STRING, true } }, ctl_show },
	{ "policy-show", { { .name = NULL } }, ctl_policy_show },
	{ "policy-reload", { { .name = NULL } }, ctl_policy_reload },
	{ .name = NULL }
};

/* ---- the page ---- */

static int make_status(FILE *f, void *ctx)
{
	struct root *r = ctx;
	struct akm_error err = {};
	struct json_object *o;
	int e = r->running ? status(r, &o, &err) : -EAGAIN;

	return e ?: web_put_json(f, o);
}

static int make_nodes(FILE *f, void *ctx)
{
	struct root *r = ctx;
	struct akm_error err = {};
	struct json_object *o;
	struct walk w;
	int e = r->running ? walk(r, &w, &err) : -EAGAIN;

	if (e < 0)
		return e;
	o = json_object_new_object();
	json_object_object_add(o, "nodes", w.nodes);
	json_object_put(w.atrs);
	return web_put_json(f, o);
}

static int make_events(FILE *f, void *ctx)
{
	const struct root *r = ctx;
	struct json_object *list;
	int e = evidence_newest(r->evidence, WEB_EVENTS, &list);

	return e ?: web_put_json(f, list);
}

static int make_metrics(FILE *f, void *ctx)
{
	struct root *r = ctx;
	struct metrics out = { .f = f };
	struct health h;

	examine(r, &h);
	health_metrics(&h, &out);
	health_drop(&h);
	status_metrics(r->env, stored_term(r), &out);
	evidence_metrics(r->evidence, &out);
	if (r->peers)
		peers_metrics(r->peers, &out);
	metrics_end(&out);
	return 0;
}

static const struct web_resource resources[] = {
	{ "/api/status.json", WEB_JSON, make_status },
	{ "/api/nodes.json", WEB_JSON, make_nodes },
	{ "/api/events.json", WEB_JSON, make_events },
	{ "/metrics", METRICS_TYPE, make_metrics },
	{ .path = NULL }
};

/* ---- start and stop ---- */

static void serve(struct root *r)
{
	struct peers_config peers = {
		.base = r->env->base, .q = r->env->q, .store = r->store, .evidence = r->evidence,
		.config = r->env->config, .name = r->env->config->name, .role = ROLE_ROOT,
		.ops = { .hello = on_hello, .up = on_peer_up, .down = on_peer, .heartbeat = on_peer,
			 .message = on_message },
		.ctx = r,
	};
	struct akm_error err = {};
	int e = peers_new(&peers, &r->peers, &err);

	if (e < 0) {
		log_err("cannot serve managers field=%s reason=%s", err.field, err.reason);
		r->env->failed(r->env->ctx, e);
		return;
	}
	r->running = true;
	r->env->ready(r->env->ctx);
}

static int open_store(struct root *r, struct akm_error *err)
{
	struct evidence_backend backend;
	char path[PATH_MAX], seen[PATH_MAX];
	int e;

	snprintf(path, sizeof(path), "%s/akm.db", r->env->config->state);
	snprintf(seen, sizeof(seen), "%s/alerts-seen", r->env->config->state);
	e = store_open(path, &r->store, err);
	if (e < 0)
		return e;
	backend = evidence_db(r->store);
	return evidence_new(r->env->base, r->env->config->name, &backend, seen, &r->evidence);
}

static int open_parts(struct root *r, struct akm_error *err)
{
	const struct role_env *env = r->env;
	struct issuer_config issuer = {
		.base = env->base, .q = env->q, .store = r->store, .evidence = r->evidence, .config = env->config,
		.domain = &r->domain, .give_domain = true, .term = next_term, .commit = on_commit,
		.committed = on_committed, .report = report_manager, .ctx = r,
	};

	return root_policy_new(r->store, r->evidence, env->config, &r->policy, err) ?:
	       issuer_new(&issuer, &r->issuer) ?:
	       ctl_new(env->base, env->config->socket, commands, r, &r->ctl, err) ?:
	       (env->config->web ? web_new(env->base, env->config->web, resources, r, &r->web, err) : 0);
}

static void root_stop(void *role)
{
	struct root *r = role;

	web_free(r->web);
	issuer_free(r->issuer);
	peers_free(r->peers);
	root_policy_free(r->policy);
	ctl_free(r->ctl);
	if (r->job)
		r->job->root = NULL;
	if (r->start)
		event_free(r->start);
	evidence_free(r->evidence);
	store_close(r->store);
	akm_blob_free(&r->domain);
	free(r);
}

static void serve_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	serve(arg);
}

static int begin(struct root *r)
{
	int e = store_get(r->store, DOMAIN_KEY, &r->domain);

	if (e == -ENOENT)
		return create_domain(r);
	if (e < 0)
		return e;
	/* Not before start() has returned. */
	r->start = evtimer_new(r->env->base, serve_later, r);
	return r->start ? timer_set(r->start, 0) : -ENOMEM;
}

static int root_start(struct role_env *env, void **ret, struct akm_error *err)
{
	struct root *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->env = env;
	e = open_store(r, err) ?: open_parts(r, err) ?: begin(r);
	if (e < 0) {
		root_stop(r);
		return e;
	}
	*ret = r;
	return 0;
}

const struct role_ops role_root = { "root", false, root_start, root_stop };
