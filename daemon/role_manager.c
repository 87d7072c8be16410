// SPDX-License-Identifier: GPL-2.0
#include "role.h"

#include <limits.h>

#include "backup.h"
#include "enroll.h"
#include "evidence_db.h"
#include "fence.h"
#include "fleet.h"
#include "hardware.h"
#include "hooks.h"
#include "log.h"
#include "status.h"
#include "superior.h"
#include "vault.h"
#include "web.h"

#define RECORD_KEY "provision"		/* in the database */

struct manager {
	struct role_env *env;
	struct store *store;
	struct evidence *evidence;
	struct hooks *hooks;
	struct vault *vault;
	struct fence *fence;
	struct entropy *entropy;
	struct fleet *fleet;
	struct peers *peers;
	struct issuer *issuer;
	struct subject *subject;
	struct hardware_wait *hardware;
	struct superior *superior;
	struct ctl *ctl;
	struct web *web;
	bool provisioned, opened, seeded, running;
	bool inventory_sent;		/* on this link, and nothing has changed since */
	bool inventory_known;		/* the root has said that it is stored */
	struct record record;
};

/* ---- towards the root ---- */

static uint64_t term(void *ctx)
{
	const struct manager *m = ctx;

	return m->provisioned ? m->record.term : 0;
}

static void on_hello(struct msg_hello *h, const struct link_peer_info *info, void *ctx)
{
	(void)info;
	h->term = term(ctx);
}

static int on_accept(const struct msg_hello *h, struct akm_error *err, void *ctx)
{
	(void)h, (void)err, (void)ctx;
	return 0;
}

static void on_inventory_answer(void *ctx, int r, const struct akm_error *err)
{
	struct manager *m = ctx;

	if (r < 0 && r != -ENOTCONN)
		log_warning("the root did not take the inventory reason=%s", err ? err->reason : strerror(-r));
	if (r < 0)
		m->inventory_sent = false;
	m->inventory_known = !r && m->inventory_sent;
	if (m->inventory_known && m->peers)
		peers_may_move(m->peers);
}

/* All of it, whenever something has changed: the root keeps the last. */
static void send_inventory(struct manager *m)
{
	struct link *l = superior_link(m->superior);
	_cleanup_msg_ struct msg msg = {};
	int r;

	if (!m->inventory_sent)
		m->inventory_known = false;
	if (!l || m->inventory_sent)
		return;
	r = fleet_inventory(m->fleet, &msg);
	if (!(superior_features(m->superior) & FEATURE_FLEET_LOCK))
		msg.inventory.locked[0] = '\0';
	r = r ?: calls_send(superior_calls(m->superior), l, &msg, 0, on_inventory_answer, m);
	m->inventory_sent = !r;
	if (r < 0)
		log_warning("cannot send the inventory error=%s", strerror(-r));
}

/* Which policy we have: the root sends another one, or notices that it is behind. */
static void send_held(struct manager *m, struct link *l)
{
	struct msg msg = { .type = MSG_POLICY_HELD };
	int r;

	fleet_root_policy_held(m->fleet, &msg.held);
	r = link_send(l, &msg);
	if (r < 0)
		log_warning("cannot tell the root which policy is here error=%s", strerror(-r));
}

static void on_superior_up(struct link *l, void *ctx)
{
	struct manager *m = ctx;

	(void)l;
	m->inventory_sent = false;
	send_inventory(m);
}

/* Before that it may be an older one, which ends the link on what it does not know. */
static void on_superior_features(struct link *l, void *ctx)
{
	struct manager *m = ctx;
	uint32_t features = superior_features(m->superior);

	if (features & FEATURE_POLICY)
		send_held(m, l);
	if (features & FEATURE_FLEET_LOCK && fleet_admits_node(m->fleet) < 0) {
		m->inventory_sent = false;	/* it was sent without that the fleet is locked */
		send_inventory(m);
	}
}

static void on_superior_down(void *ctx)
{
	struct manager *m = ctx;

	m->inventory_sent = false;
}

/* The root sends them again until they are answered by ok. */
static int on_superior_message(struct link *l, struct msg *msg, void *ctx)
{
	struct manager *m = ctx;
	struct akm_error err = {};
	int r;

	if (msg->type == MSG_TAKEOVER)
		r = fleet_takeover(m->fleet, &msg->takeover, &err);
	else if (msg->type == MSG_POLICY)
		r = fleet_root_policy_take(m->fleet, &msg->policy, &err);
	else
		return -EPROTO;
	if (r < 0)
		(void)reply_error(l, msg->request, r, &err);	/* a dead link says so itself */
	else
		(void)reply_ok(l, msg->request);
	return 0;
}

static int on_superior_heartbeat(struct msg_heartbeat *h, void *ctx)
{
	(void)h;
	send_inventory(ctx);		/* what could not be sent before */
	return 0;
}

static int save_record(struct manager *m, const struct record *r)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};

	return record_encode(r, &b) ?: store_set(m->store, RECORD_KEY, b.data, b.len);
}

static int on_next(uint64_t n, void *ctx)
{
	struct manager *m = ctx;
	uint64_t before = m->record.link_n;
	int r;

	m->record.link_n = n;
	r = save_record(m, &m->record);
	if (r < 0)
		m->record.link_n = before;
	return r;
}

static int save_changed(const struct record *r, void *ctx)
{
	return save_record(ctx, r);
}

static int on_offered(const struct akm_blob *key, uint64_t offered_term, void *ctx)
{
	struct manager *m = ctx;

	return record_offer(&m->record, key, offered_term, save_changed, m);
}

static int on_rotated(uint64_t n, void *ctx)
{
	struct manager *m = ctx;

	return record_rotate(&m->record, n, save_changed, m);
}

static void on_hardware(void *ctx)
{
	struct manager *m = ctx;
	struct superior_config cfg = {
		.base = m->env->base,
		.q = m->env->q,
		.name = m->env->config->name,
		.issuer = m->record.issuer,
		.role = ROLE_MANAGER,
		.key = &m->record.key,
		.n = m->record.link_n,
		.next_key = &m->record.next_key,
		.next_term = m->record.next_term,
		.n_addresses = m->record.n_addresses,
		.heartbeat_ms = m->env->config->heartbeat_ms,
		.heartbeat_missed = m->env->config->heartbeat_missed,
		.evidence = m->evidence,
		.ops = { on_hello, on_accept, on_superior_up, on_superior_down, on_superior_message,
			 on_superior_heartbeat, on_next, on_offered, on_rotated, on_superior_features },
		.ctx = m,
	};
	int r;

	if (memcmp(m->env->hardware, m->record.hardware, AKM_DIGEST_LEN))
		evidence_add(m->evidence, EVIDENCE_NOTE("hardware-mismatch", SEV_ALERT),
			     "This machine's hardware value is not the one it was provisioned with: "
			     "the root will refuse the link");
	memcpy(cfg.id, m->record.id, AKM_ID_LEN);
	memcpy(cfg.hardware, m->env->hardware, AKM_DIGEST_LEN);
	memcpy(cfg.addresses, m->record.addresses, sizeof(cfg.addresses));
	r = superior_new(&cfg, &m->superior);
	if (r < 0)
		log_err("cannot start the link to the root error=%s", strerror(-r));
}

static void start_superior(struct manager *m)
{
	int r;

	superior_free(m->superior);
	m->superior = NULL;
	hardware_wait_free(m->hardware);
	m->hardware = NULL;
	r = hardware_wait_new(m->env, m->evidence, on_hardware, m, &m->hardware);
	if (r < 0)
		log_err("cannot start the link to the root error=%s", strerror(-r));
}

/* ---- towards the nodes ---- */

static void on_peer_hello(struct msg_hello *h, void *ctx)
{
	h->term = term(ctx);
}

static void on_peer_up(struct peer *p, void *ctx)
{
	struct manager *m = ctx;

	fleet_peer_up(m->fleet, p);
}

static void on_peer_down(struct peer *p, void *ctx)
{
	struct manager *m = ctx;

	fleet_peer_down(m->fleet, p);
}

static void on_peer_heartbeat(struct peer *p, void *ctx)
{
	struct manager *m = ctx;

	fleet_peer_heartbeat(m->fleet, p);
}

/*
 * A replacement of ours knows the n that is in the root's database, and finds a node one step beyond it: it is
 * never more. While the root is away link keys stay what they are.
 */
static bool on_peer_may_move(void *ctx)
{
	const struct manager *m = ctx;

	return m->inventory_known;
}

/*
 * Many at a time, link keys and addresses: the next heartbeat to the root tells them all. All else is told at once: who
 * replaces us must not let in again whom we threw out.
 */
static void on_moved(void *ctx)
{
	struct manager *m = ctx;

	m->inventory_sent = m->inventory_known = false;
}

static void on_peer_two_places(struct peer *p, const char *text, void *ctx)
{
	struct manager *m = ctx;

	fleet_peer_two_places(m->fleet, p, text);
}

static void on_fleet_changed(void *ctx);

/* With a database of before, who has a link key of before would be let in again. */
static int on_peer_rotate(void *ctx)
{
	const struct manager *m = ctx;

	return fence_count(m->store);
}

/* Who replaces us must know of it: until then the node keeps the key before it. */
static void on_peer_rotated(struct peer *p, void *ctx)
{
	(void)p;
	on_fleet_changed(ctx);
}

static int on_peer_message(struct peer *p, struct msg *msg, void *ctx)
{
	struct manager *m = ctx;

	if (msg->type != MSG_QUOTE)
		return -EPROTO;
	fleet_peer_quote(m->fleet, p, &msg->quote.quote);
	return 0;
}

static void on_fleet_changed(void *ctx)
{
	struct manager *m = ctx;

	m->inventory_sent = false;
	send_inventory(m);
	fence_seal(m->fence);
}

/* Everything below needs the domain: it begins with the provisioning by the root. */
static int start_serving(struct manager *m, struct akm_error *err)
{
	struct fleet_config fleet = {
		.base = m->env->base, .store = m->store, .evidence = m->evidence, .hooks = m->hooks,
		.config = m->env->config, .sealed = vault_sealed(m->vault), .entropy = m->entropy, .term = term,
		.changed = on_fleet_changed, .moved = on_moved,
		.ctx = m,
	};
	struct peers_config peers = {
		.base = m->env->base, .q = m->env->q, .store = m->store, .evidence = m->evidence,
		.config = m->env->config, .name = m->env->config->name, .role = ROLE_MANAGER,
		.domain = &m->record.domain, .own_events_only = true,
		.ops = { on_peer_hello, on_peer_up, on_peer_down, on_peer_heartbeat, on_peer_message, on_peer_may_move,
			 on_moved, on_peer_two_places, on_peer_rotate, on_peer_rotated }, .ctx = m,
	};
	int r;

	if (m->fleet)
		return 0;
	r = fleet_new(&fleet, &m->fleet, err) ?: peers_new(&peers, &m->peers, err);
	if (!r)
		fleet_set_peers(m->fleet, m->peers);
	return r;
}

/* ---- provisioning: of nodes, by the root ---- */

static int on_node_commit(const struct store_node *n, const struct store_node *old, void *ctx)
{
	struct manager *m = ctx;
	const char *replaces = issuer_replaces(m->issuer);
	int r = fleet_admits_node(m->fleet);	/* it may have been locked meanwhile */

	if (!r && replaces[0])
		r = old ? -EEXIST : fleet_replace_write(m->fleet, replaces, n);
	else if (!r && old)
		r = fleet_renew_write(m->fleet, n, old) ?: fence_count(m->store);
	return r;
}

static void fix_endpoint(struct manager *m, const struct store_node *n)
{
	if (n->endpoint.addr_len && fleet_fix_endpoint(m->fleet, n->id) < 0)
		log_err("cannot store that an endpoint is fixed node=%s error=%s", n->name, store_strerror(m->store));
}

static void on_node_committed(const struct store_node *n, const struct store_node *old, void *ctx)
{
	struct manager *m = ctx;
	int r;

	fix_endpoint(m, n);
	if (old) {
		peers_remove(m->peers, old->id);
		fleet_renew_take(m->fleet, n, old);
	} else if (issuer_replaces(m->issuer)[0]) {
		fleet_replace_take(m->fleet);
	}
	r = peers_add(m->peers, n);
	if (r < 0)
		log_err("cannot serve a new node before a restart node=%s error=%s", n->name, strerror(-r));
	on_fleet_changed(m);
}

static struct json_object *on_node_report(const struct store_node *n, void *ctx)
{
	struct manager *m = ctx;

	return fleet_report_node(m->fleet, n);
}

static const uint8_t *provisioned_id(void *ctx)
{
	const struct manager *m = ctx;

	return m->provisioned ? m->record.id : NULL;
}

static int on_commit(const struct provision_grant *g, void *ctx)
{
	struct manager *m = ctx;
	struct record record = {};
	int r = record_from_grant(g, &record);

	if (!r && !record.domain.len)
		r = -EPROTO;			/* not a root's grant */
	r = r ?: save_record(m, &record);
	if (r < 0) {
		record_free(&record);
		return r;
	}
	record_free(&m->record);
	m->record = record;
	m->provisioned = true;
	return 0;
}

static void serve(struct manager *m);

static void on_committed(void *ctx)
{
	struct manager *m = ctx;

	evidence_add(m->evidence, EVIDENCE_NOTE("provisioned", SEV_INFO), "Provisioned as %s by %s (%s)",
		     m->record.subject, m->record.issuer, m->record.label);
	serve(m);
}

/* ---- control socket ---- */

static void examine(struct manager *m, struct health *ret)
{
	const struct record *record = m->provisioned ? &m->record : NULL;

	health_init(ret);
	status_health(m->env, ret);
	status_health_peer(m->env, m->superior, record, ret);
	evidence_health(m->evidence, ret);
	if (m->fleet)
		fleet_health(m->fleet, ret);
	if (record && !m->running)
		health_find(ret, HEALTH_FINDING("starting", SEV_WARNING,
						.remedy = "It goes on when its TPM has answered; if that takes longer than a minute, "
							  "look at the journal."),
			    "nodes are not served yet");
}

static struct json_object *status(struct manager *m)
{
	struct json_object *o = status_new(m->env, term(m));
	struct health h;

	examine(m, &h);
	health_end(&h, o);
	status_add_peer(o, m->superior, m->provisioned ? &m->record : NULL, subject_progress(m->subject));
	if (m->fleet)
		fleet_status(m->fleet, o);
	return o;
}

static void ctl_status(struct ctl_request *req, struct json_object *args, void *ctx)
{
	(void)args;
	ctl_ok(req, status(ctx));
}

static void ctl_events(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct manager *m = ctx;

	evidence_ctl(m->evidence, req, args);
}

static void ctl_backup(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct manager *m = ctx;

	backup_ctl(m->store, m->evidence, req, args);
}

static void ctl_acknowledge(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct manager *m = ctx;

	evidence_ctl_acknowledge(m->evidence, req, args);
}

static void ctl_allow(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct manager *m = ctx;

	subject_ctl_allow(m->subject, req, args);
}

/* Return: the fleet, or NULL and the request is refused. */
static struct fleet *fleet_of(struct manager *m, struct ctl_request *req)
{
	struct akm_error err = {};

	if (m->running)
		return m->fleet;
	akm_error_set(&err, 0, "manager", m->provisioned ? "is starting: its TPM has not answered yet" :
							    "has not been provisioned by the root yet");
	ctl_fail(req, -EAGAIN, &err);
	return NULL;
}

static void ctl_node_provision(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct manager *m = ctx;

	if (fleet_of(m, req) && fleet_admits(m->fleet, req))
		issuer_ctl(m->issuer, req, args);
}

/* Provisioning of one that takes the place of another, lost or broken, and is in its ATRs. */
static void ctl_node_replace(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct manager *m = ctx;

	if (fleet_of(m, req) && fleet_admits(m->fleet, req) && fleet_ctl_node_replace(m->fleet, req, args))
		issuer_ctl(m->issuer, req, args);
}

#define FLEET_COMMAND(name) \
static void ctl_##name(struct ctl_request *req, struct json_object *args, void *ctx) \
{ \
	struct fleet *f = fleet_of(ctx, req); \
	\
	if (f) \
		fleet_ctl_##name(f, req, args); \
}

static void ctl_node_rotate(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct manager *m = ctx;

	if (fleet_of(m, req))
		peers_ctl_rotate(m->peers, req, args);
}

FLEET_COMMAND(node_list)
FLEET_COMMAND(node_show)
FLEET_COMMAND(node_evict)
FLEET_COMMAND(node_move)
FLEET_COMMAND(node_rename)
FLEET_COMMAND(node_accept_pcrs)
FLEET_COMMAND(atr_create)
FLEET_COMMAND(atr_list)
FLEET_COMMAND(atr_show)
FLEET_COMMAND(atr_add)
FLEET_COMMAND(atr_remove)
FLEET_COMMAND(atr_rekey)
FLEET_COMMAND(atr_set)
FLEET_COMMAND(atr_delete)
FLEET_COMMAND(atr_lock)
FLEET_COMMAND(atr_unlock)
FLEET_COMMAND(lock)
FLEET_COMMAND(unlock)
FLEET_COMMAND(policy_show)
FLEET_COMMAND(policy_trigger)
FLEET_COMMAND(policy_reload)

#define DRY_RUN	{ "dry_run", CTL_BOOL, false }
#define ATR_SETTINGS \
	{ "label", CTL_STRING, false }, { "suite", CTL_STRING, false }, { "port", CTL_INT, false }, \
	{ "epoch_interval", CTL_INT, false }, { "epoch_grace", CTL_INT, false }, { "freshness", CTL_STRING, false }, \
	{ "fallback", CTL_STRING, false }, { "group", CTL_STRING, false }, { "ttl", CTL_INT, false }

static const struct ctl_command commands[] = {
	{ "status", { { .name = NULL } }, ctl_status },
	{ "events", EVIDENCE_CTL_ARGS, ctl_events },
	{ "acknowledge", EVIDENCE_ACKNOWLEDGE_ARGS, ctl_acknowledge },
	{ "backup", BACKUP_ARGS, ctl_backup },
	{ "provision-allow", SUBJECT_CTL_ARGS, ctl_allow },
	{ "node-provision", ISSUER_CTL_ARGS, ctl_node_provision },
	{ "node-replace", { ISSUER_REPLACE_ARGS, { "endpoint", CTL_STRING, false }, DRY_RUN }, ctl_node_replace },
	{ "node-list", { { .name = NULL } }, ctl_node_list },
	{ "node-show", { { "node", CTL_STRING, true } }, ctl_node_show },
	{ "node-evict", { { "node", CTL_STRING, true }, { "reason", CTL_STRING, false }, DRY_RUN }, ctl_node_evict },
	{ "node-move", { { "node", CTL_STRING, true }, { "from", CTL_STRING, true }, { "to", CTL_STRING, true }, DRY_RUN },
	  ctl_node_move },
	{ "node-rename", { { "node", CTL_STRING, true }, { "name", CTL_STRING, true }, DRY_RUN }, ctl_node_rename },
	{ "node-rotate", PEERS_ROTATE_ARGS, ctl_node_rotate },
	{ "node-accept-pcrs", { { "node", CTL_STRING, true }, { "digest", CTL_STRING, false } }, ctl_node_accept_pcrs },
	{ "atr-create", { { "members", CTL_STRINGS, true }, { "id", CTL_INT, false }, { "subnet4", CTL_STRING, false },
			  { "subnet6", CTL_STRING, false }, ATR_SETTINGS, DRY_RUN }, ctl_atr_create },
	{ "atr-list", { { .name = NULL } }, ctl_atr_list },
	{ "atr-show", { { "atr", CTL_STRING, true } }, ctl_atr_show },
	{ "atr-add", { { "atr", CTL_STRING, true }, { "node", CTL_STRING, true }, DRY_RUN }, ctl_atr_add },
	{ "atr-remove", { { "atr", CTL_STRING, true }, { "node", CTL_STRING, true }, DRY_RUN }, ctl_atr_remove },
	{ "atr-rekey", { { "atr", CTL_STRING, true }, { "reason", CTL_STRING, false }, DRY_RUN }, ctl_atr_rekey },
	{ "atr-set", { { "atr", CTL_STRING, true }, ATR_SETTINGS, { "interrupt", CTL_BOOL, false },
		       { "member", CTL_STRING, false }, { "prefixes", CTL_STRINGS, false }, DRY_RUN }, ctl_atr_set },
	{ "atr-delete", { { "atr", CTL_STRING, true }, DRY_RUN }, ctl_atr_delete },
	{ "atr-lock", { { "atr", CTL_STRING, true }, DRY_RUN }, ctl_atr_lock },
	{ "atr-unlock", { { "atr", CTL_STRING, true }, DRY_RUN }, ctl_atr_unlock },
	{ "lock", { { .name = NULL } }, ctl_lock },
	{ "unlock", { { .name = NULL } }, ctl_unlock },
	{ "policy-show", { { .name = NULL } }, ctl_policy_show },
	{ "policy-trigger", { { "atr", CTL_STRING, true }, { "node", CTL_STRING, false }, { "reason", CTL_STRING, false } },
	  ctl_policy_trigger },
	{ "policy-reload", { { .name = NULL } }, ctl_policy_reload },
	{ .name = NULL }
};

/* ---- the page ---- */

static int make_status(FILE *f, void *ctx)
{
	return web_put_json(f, status(ctx));
}

static int make_nodes(FILE *f, void *ctx)
{
	const struct manager *m = ctx;
	struct json_object *o;
	int r = m->fleet ? fleet_nodes(m->fleet, &o) : -EAGAIN;

	return r ?: web_put_json(f, o);
}

static int make_events(FILE *f, void *ctx)
{
	const struct manager *m = ctx;
	struct json_object *list;
	int r = evidence_newest(m->evidence, WEB_EVENTS, &list);

	return r ?: web_put_json(f, list);
}

static int make_metrics(FILE *f, void *ctx)
{
	struct manager *m = ctx;
	struct metrics out = { .f = f };
	struct health h;

	examine(m, &h);
	health_metrics(&h, &out);
	health_drop(&h);
	status_metrics(m->env, term(m), &out);
	status_metrics_peer(m->superior, &out);
	evidence_metrics(m->evidence, &out);
	hooks_metrics(m->hooks, &out);
	if (m->fleet)
		fleet_metrics(m->fleet, &out);
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

static void serve(struct manager *m)
{
	struct akm_error err = {};
	int r = start_serving(m, &err);

	if (r < 0) {
		log_err("cannot serve nodes field=%s reason=%s", err.field, err.reason[0] ? err.reason : strerror(-r));
		m->env->failed(m->env->ctx, r);
		return;
	}
	m->running = true;
	start_superior(m);
}

static void go_on(struct manager *m)
{
	struct akm_error err = {};

	if (!m->opened || !m->seeded)
		return;
	if (m->provisioned)
		serve(m);
	if (subject_start(m->subject, &err) < 0)
		log_warning("%s: %s", err.field, err.reason);
	m->env->ready(m->env->ctx);
}

static const char set_back[] =
	"this manager was set back to a backup, and does not know whom it evicted since: replace it by another one (akmctl "
	"manager replace, at the root), or put the newest state back";

static void on_open(void *ctx, int r, struct akm_secret *content, const struct akm_error *err)
{
	struct manager *m = ctx;
	struct akm_error stale = {};

	if (!r) {			/* the master key is used for wrapping */
		r = fence_new(m->env->base, m->store, m->vault, content, &m->fence, &stale);
		err = &stale;
	}
	if (r < 0) {
		log_err("%s field=%s reason=%s error=%s", r == -ESTALE ? set_back : vault_explain(r), err->field, err->reason,
			strerror(-r));
		m->env->failed(m->env->ctx, r);
		return;
	}
	m->opened = true;
	go_on(m);
}

static void on_seeded(void *ctx, int r)
{
	struct manager *m = ctx;

	if (r < 0) {
		log_err("the TPM gives no random bytes error=%s", strerror(-r));
		m->env->failed(m->env->ctx, r);
		return;
	}
	m->seeded = true;
	go_on(m);
}

static int load_record(struct manager *m, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	int r = store_get(m->store, RECORD_KEY, &b);

	if (r == -ENOENT)
		return 0;
	r = r ?: record_decode(b.data, b.len, &m->record, err);
	m->provisioned = !r;
	return r;
}

static int open_store(struct manager *m, struct akm_error *err)
{
	struct evidence_backend backend;
	char path[PATH_MAX], seen[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/akm.db", m->env->config->state);
	snprintf(seen, sizeof(seen), "%s/alerts-seen", m->env->config->state);
	r = store_open(path, &m->store, err);
	if (r < 0)
		return r;
	backend = evidence_db(m->store);
	return evidence_new(m->env->base, m->env->config->name, &backend, seen, &m->evidence);
}

static int open_hooks(struct manager *m)
{
	int fd = TAKE_FD(m->env->hooks_fd);

	return fd < 0 ? 0 : hooks_new(m->env->base, m->evidence, m->env->config->hooks, fd, &m->hooks);
}

static int open_parts(struct manager *m, struct akm_error *err)
{
	const struct role_env *env = m->env;
	struct subject_config subject = {
		.base = env->base, .q = env->q, .evidence = m->evidence, .config = env->config,
		.provisioned = provisioned_id, .commit = on_commit, .committed = on_committed, .ctx = m,
	};
	struct issuer_config issuer = {
		.base = env->base, .q = env->q, .store = m->store, .evidence = m->evidence, .config = env->config,
		.domain = &m->record.domain, .term = term, .commit = on_node_commit,
		.committed = on_node_committed, .report = on_node_report, .ctx = m,
	};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sealed", env->config->state);
	return open_hooks(m) ?:
	       subject_new(&subject, &m->subject) ?:
	       issuer_new(&issuer, &m->issuer) ?:
	       ctl_new(env->base, env->config->socket, commands, m, &m->ctl, err) ?:
	       (env->config->web ? web_new(env->base, env->config->web, resources, m, &m->web, err) : 0) ?:
	       vault_new(env->q, path, on_open, m, &m->vault) ?:
	       entropy_new(env->q, on_seeded, m, &m->entropy);
}

static void manager_stop(void *role)
{
	struct manager *m = role;

	web_free(m->web);
	issuer_free(m->issuer);
	subject_free(m->subject);
	superior_free(m->superior);
	hardware_wait_free(m->hardware);
	peers_free(m->peers);
	fleet_free(m->fleet);
	ctl_free(m->ctl);
	entropy_free(m->entropy);
	fence_free(m->fence);
	vault_free(m->vault);
	hooks_free(m->hooks);
	evidence_free(m->evidence);
	store_close(m->store);
	record_free(&m->record);
	free(m);
}

static int manager_start(struct role_env *env, void **ret, struct akm_error *err)
{
	struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->env = env;
	/* The policy now, and not when the TPM has answered: whoever starts us reads why. */
	r = open_store(m, err) ?: fleet_policy_check(m->store, env->config, err) ?: load_record(m, err) ?:
	    open_parts(m, err);
	if (r < 0) {
		manager_stop(m);
		return r;
	}
	*ret = m;
	return 0;
}

const struct role_ops role_manager = { "manager", false, manager_start, manager_stop };
