// SPDX-License-Identifier: GPL-2.0
#include "role.h"

#include <limits.h>

#include "blind.h"
#include "clock.h"
#include "ctl.h"
#include "enroll.h"
#include "eventlog.h"
#include "flapping.h"
#include "hardware.h"
#include "log.h"
#include "nl.h"
#include "node_atrs.h"
#include "node_group.h"
#include "node_kernel.h"
#include "node_quote.h"
#include "policy_load.h"
#include "record.h"
#include "status.h"
#include "superior.h"
#include "vault.h"

struct node {
	struct role_env *env;
	struct nl *nl;
	struct eventlog *log;
	struct flapping flapping;
	struct evidence *evidence;
	struct node_atrs *atrs;
	struct node_quote *quote;
	struct hardware_wait *hardware;
	struct superior *superior;
	struct subject *subject;
	struct ctl *ctl;
	struct event *look;
	struct blind blind;
	struct policy policy;
	bool provisioned;
	struct record record;
	char record_path[PATH_MAX], log_path[PATH_MAX], sealed_path[PATH_MAX];
};

/* ---- the link to the manager ---- */

static void on_hello(struct msg_hello *h, const struct link_peer_info *info, void *ctx)
{
	const struct node *n = ctx;
	const struct config *c = n->env->config;

	h->n_endpoints = c->n_endpoints;
	memcpy(h->endpoints, c->endpoints, sizeof(h->endpoints));
	if (h->n_endpoints)
		return;
	h->endpoints[0] = report_endpoint_of(&info->local, 0);
	h->n_endpoints = h->endpoints[0].addr_len ? 1 : 0;
}

static int on_accept(const struct msg_hello *h, struct akm_error *err, void *ctx)
{
	struct node *n = ctx;

	if (h->term < node_atrs_term(n->atrs)) {
		evidence_add(n->evidence, EVIDENCE_NOTE("stale-manager", SEV_ALERT, .limit = h->name),
			     "Refused manager %s: its term %llu was superseded by %llu", h->name,
			     (unsigned long long)h->term, (unsigned long long)node_atrs_term(n->atrs));
		return akm_error_set(err, -ESTALE, "term", "%llu was superseded by %llu", (unsigned long long)h->term,
				     (unsigned long long)node_atrs_term(n->atrs));
	}
	node_atrs_saw_term(n->atrs, h->term);
	return 0;
}

static void on_up(struct link *l, void *ctx)
{
	struct node *n = ctx;

	(void)l;
	node_atrs_link_up(n->atrs);	/* the heartbeat that follows says what we have */
}

static void on_down(void *ctx)
{
	struct node *n = ctx;

	node_quote_link_down(n->quote);
	node_atrs_link_down(n->atrs);
}

static int on_message(struct link *l, struct msg *m, void *ctx)
{
	struct node *n = ctx;

	if (m->type == MSG_QUOTE_ASK) {
		node_quote_ask(n->quote, l, m, n->record.id, &n->record.ak);
		return 0;
	}
	return node_atrs_message(n->atrs, l, m);
}

static int on_heartbeat(struct msg_heartbeat *h, void *ctx)
{
	struct node *n = ctx;

	h->blind = n->blind.blind;
	return node_atrs_heartbeat(n->atrs, h);
}

static int on_next(uint64_t next, void *ctx)
{
	struct node *n = ctx;
	uint64_t before = n->record.link_n;
	int r;

	n->record.link_n = next;
	r = record_save(n->record_path, &n->record);
	if (r < 0)
		n->record.link_n = before;
	return r;
}

static int save_record(const struct record *r, void *ctx)
{
	const struct node *n = ctx;

	return record_save(n->record_path, r);
}

static int on_offered(const struct akm_blob *key, uint64_t term, void *ctx)
{
	struct node *n = ctx;

	return record_offer(&n->record, key, term, save_record, n);
}

static int on_rotated(uint64_t next, void *ctx)
{
	struct node *n = ctx;

	return record_rotate(&n->record, next, save_record, n);
}

static void on_hardware(void *ctx)
{
	struct node *n = ctx;
	struct superior_config cfg = {
		.base = n->env->base,
		.q = n->env->q,
		.name = n->env->config->name,
		.issuer = n->record.issuer,
		.role = ROLE_NODE,
		.key = &n->record.key,
		.n = n->record.link_n,
		.next_key = &n->record.next_key,
		.next_term = n->record.next_term,
		.n_addresses = n->record.n_addresses,
		.heartbeat_ms = n->env->config->heartbeat_ms,
		.heartbeat_missed = n->env->config->heartbeat_missed,
		.evidence = n->evidence,
		.ops = { on_hello, on_accept, on_up, on_down, on_message, on_heartbeat, on_next, on_offered,
			 on_rotated, NULL },
		.ctx = n,
	};
	int r;

	if (memcmp(n->env->hardware, n->record.hardware, AKM_DIGEST_LEN))
		evidence_add(n->evidence, EVIDENCE_NOTE("hardware-mismatch", SEV_ALERT),
			     "This machine's hardware value is not the one it was provisioned with: "
			     "the manager will refuse the link");
	memcpy(cfg.id, n->record.id, AKM_ID_LEN);
	memcpy(cfg.hardware, n->env->hardware, AKM_DIGEST_LEN);
	memcpy(cfg.addresses, n->record.addresses, sizeof(cfg.addresses));
	r = superior_new(&cfg, &n->superior);
	if (r < 0)
		log_err("cannot start the link error=%s", strerror(-r));
}

static void start_link(struct node *n)
{
	int r;

	superior_free(n->superior);
	n->superior = NULL;
	hardware_wait_free(n->hardware);
	n->hardware = NULL;
	r = hardware_wait_new(n->env, n->evidence, on_hardware, n, &n->hardware);
	if (r < 0)
		log_err("cannot start the link error=%s", strerror(-r));
}

/* ---- provisioning ---- */

static const uint8_t *provisioned_id(void *ctx)
{
	const struct node *n = ctx;

	return n->provisioned ? n->record.id : NULL;
}

static int commit(const struct provision_grant *g, void *ctx)
{
	struct node *n = ctx;
	struct record record = {};
	int r;

	r = record_from_grant(g, &record);
	r = r ?: record_save(n->record_path, &record);
	if (r < 0) {
		record_free(&record);
		return r;
	}
	record_free(&n->record);
	n->record = record;
	n->provisioned = true;
	return 0;
}

static void committed(void *ctx)
{
	struct node *n = ctx;

	evidence_add(n->evidence, EVIDENCE_NOTE("provisioned", SEV_INFO), "Provisioned as %s by %s (%s)",
		     n->record.subject, n->record.issuer, n->record.label);
	node_quote_link_down(n->quote);
	superior_free(n->superior);
	n->superior = NULL;
	node_atrs_link_down(n->atrs);
	node_atrs_provisioned(n->atrs, n->record.id, n->record.term);
	start_link(n);
}

/* ---- what the kernel notices ---- */

struct kernel_event { const char *kind; enum msg_severity severity; const char *text; };

static const struct kernel_event kernel_events[] = {
	[AKM_EVENT_AUTH_FAIL] = { "auth-fail", SEV_WARNING, "packets that do not authenticate" },
	[AKM_EVENT_REPLAY] = { "replay", SEV_WARNING, "replayed packets" },
	[AKM_EVENT_UNKNOWN_KEY] = { "unknown-key", SEV_WARNING, "packets under keys that are not held" },
	[AKM_EVENT_EPOCH_STALE] = { "epoch-stale", SEV_INFO, "packets, as if from a member, of an epoch that is over" },
	[AKM_EVENT_MALFORMED] = { "malformed", SEV_WARNING, "malformed packets" },
	[AKM_EVENT_PREFIX] = { "prefix", SEV_ALERT, "authentic packets with an inner address that is not the sender's" },
	[AKM_EVENT_EPOCH_REFUSED] = { "epoch-refused", SEV_ALERT, "an epoch further ahead than time can explain" },
	[AKM_EVENT_EXHAUSTED] = { "exhausted", SEV_ALERT, "packet numbers are used up: traffic has stopped" },
	[AKM_EVENT_NO_KEY] = { "no-key", SEV_INFO, "packets dropped because there is nothing to send with" },
	[AKM_EVENT_CLONE] = { "clone", SEV_ALERT, "two holders of one member's keys: a number came twice, with other content" },
	[AKM_EVENT_MOVED] = { "moved", SEV_INFO, "a member sends from elsewhere, and is answered there" },
	[AKM_EVENT_STATE_LOST] = { "state-lost", SEV_WARNING, "transmit keys were dropped after resume or fork" },
};

/* The step that makes it one too many stands for those before as well. */
static void see_move(struct node *n, const struct nl_event *e)
{
	/* sin_port and sin6_port lie at the same place */
	uint16_t port = ntohs(((const struct sockaddr_in *)&e->source)->sin_port);
	struct msg_endpoint at = report_endpoint_of(&e->source, port);
	char here[REPORT_ENDPOINT_MAX], before[REPORT_ENDPOINT_MAX], word[32];
	const struct flapping_member *m;

	if (!flapping_moved(&n->flapping, e->atr_id, e->member, &at, now_ms(), &m))
		return;
	report_endpoint_text(&m->places[0], here, sizeof(here));
	report_endpoint_text(&m->places[1], before, sizeof(before));
	snprintf(word, sizeof(word), "%u %d", e->atr_id, e->member);
	evidence_add(n->evidence, EVIDENCE_ABOUT("flapping", SEV_WARNING, e->member, .atr_id = e->atr_id, .limit = word),
		     "Member %d goes back and forth: it came back to where it was %u times within %u s, now to %s from %s",
		     e->member, FLAPPING_RETURNS, FLAPPING_WINDOW_MS / 1000, here, before);
}

static void on_kernel_event(void *ctx, const struct nl_event *e)
{
	struct node *n = ctx;
	char from[REPORT_ENDPOINT_MAX] = "", inner[REPORT_ENDPOINT_MAX] = "", word[80];
	struct evidence_note note = {
		.atr_id = e->atr_id, .member = e->member, .count = 1 + (uint64_t)e->suppressed, .packet = &e->packet,
		.limit = word,
	};
	const struct kernel_event *k;

	blind_heard(&n->blind);
	if (n->atrs)
		node_atrs_event(n->atrs, e);
	if (e->type == AKM_EVENT_MOVED)
		see_move(n, e);
	if (e->type >= ARRAY_SIZE(kernel_events) || !kernel_events[e->type].kind)
		return;
	k = &kernel_events[e->type];
	if (e->source.ss_family)
		report_sockaddr_text(&e->source, false, from, sizeof(from));
	snprintf(word, sizeof(word), "%u %s", e->atr_id, from);
	note.kind = k->kind;
	note.severity = k->severity;
	if (e->inner_len) {
		struct msg_endpoint address = { .addr_len = e->inner_len };

		memcpy(address.addr, e->inner, e->inner_len);
		report_endpoint_text(&address, inner, sizeof(inner));
	}
	evidence_add(n->evidence, &note, "Kernel: %s%s%s%s%s", k->text, from[0] ? " from " : "", from,
		     inner[0] ? ", which says " : "", inner);
}

static void on_kernel_change(void *ctx, enum nl_change change)
{
	struct node *n = ctx;

	if (change == NL_EVENTS_LOST)
		log_warning("the kernel had more events than could be read");
	if (change == NL_MODULE_GONE)
		evidence_add(n->evidence, EVIDENCE_NOTE("module", SEV_ALERT, .limit = "gone"),
			     "The module akm was removed: this node has no traffic until it is loaded (modprobe akm)");
	if (change == NL_MODULE_BACK)
		evidence_add(n->evidence, EVIDENCE_NOTE("module", SEV_WARNING, .limit = "back"),
			     "The module akm was loaded again: it gets the keys, under a new incarnation");
	if (n->atrs)
		node_atrs_kernel_changed(n->atrs, change);
}

/* ---- does it still tell? ---- */

/* What a kernel tells of with an event each. Not replays: an ordinary duplicate is only counted. */
static int add_refused(const struct nl_dev *d, void *ctx)
{
	static const int told[] = { AKM_A_STATS_RX_AUTH_FAIL, AKM_A_STATS_RX_UNKNOWN_KEY, AKM_A_STATS_RX_MALFORMED,
				    AKM_A_STATS_RX_PREFIX, AKM_A_STATS_RX_CLONE, AKM_A_STATS_RX_EPOCH_STALE };

	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		*(uint64_t *)ctx += d->stats.v[told[i]];
	return 0;
}

static void on_sight_changed(struct node *n)
{
	if (n->blind.blind)
		evidence_add(n->evidence, EVIDENCE_NOTE("monitor-blind", SEV_ALERT),
			     "The kernel refuses packets and tells nothing of it: breach attempts are not noticed here. "
			     "Restart akmd");
	else
		evidence_add(n->evidence, EVIDENCE_NOTE("monitor-back", SEV_INFO), "The kernel's events are heard again");
	if (n->superior)
		superior_heartbeat(n->superior);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;
	struct akm_error err = {};
	uint64_t refused = 0;

	(void)fd, (void)what;
	/* A kernel that does not answer is told of by who needs it: node_atrs.c. */
	if (!nl_dev_each(n->nl, add_refused, &refused, &err) && blind_look(&n->blind, refused, now_ms()))
		on_sight_changed(n);
	node_atrs_look(n->atrs);
	timer_set(n->look, BLIND_LOOK_MS);
}

/* ---- control socket ---- */

/* The one that may be entered, 0: none */
static uint32_t armed_fallback(const struct node_atr *a)
{
	for (size_t i = 0; i < a->n_generations; i++)
		if (a->generations[i].armed && !a->generations[i].active)
			return a->generations[i].number;
	return 0;
}

static void put_atr(const struct node_atr *atr, void *ctx)
{
	struct node_atr *a = (struct node_atr *)atr;
	struct json_object *o = json_object_new_object(), *addresses = json_object_new_array();
	const struct node_generation *g = node_atr_active(a);
	char ifname[NODE_IFNAME_MAX];

	node_ifname(a->def.atr_id, ifname);
	json_object_object_add(o, "id", json_object_new_int64(a->def.atr_id));
	json_object_object_add(o, "label", json_object_new_string(a->def.label));
	json_object_object_add(o, "interface", json_object_new_string(ifname));
	json_object_object_add(o, "suite", json_object_new_string(report_suite(a->def.suite)));
	json_object_object_add(o, "self", json_object_new_int(a->def.self));
	json_object_object_add(o, "members", json_object_new_uint64(a->def.n_members));
	json_object_object_add(o, "generation", json_object_new_int64(g ? g->number : 0));
	json_object_object_add(o, "fallback_generation", json_object_new_int64(armed_fallback(a)));
	json_object_object_add(o, "state", json_object_new_string(a->in_kernel ? "in kernel" : "not in kernel"));
	for (size_t i = 0; i < a->def.n_addresses; i++)
		json_object_array_add(addresses, report_prefix(&a->def.addresses[i]));
	json_object_object_add(o, "addresses", addresses);
	if (a->def.group.addr_len)
		json_object_object_add(o, "group", report_group(&a->def.group));
	json_object_array_add(ctx, o);
}

static int put_dev(const struct nl_dev *d, void *ctx)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "interface", json_object_new_string(d->ifname));
	json_object_object_add(o, "atr", json_object_new_int64(d->atr_id));
	json_object_object_add(o, "generation", json_object_new_int64(d->active));
	json_object_object_add(o, "generations", json_object_new_int64(d->generations));
	json_object_object_add(o, "incarnation", json_object_new_int64(d->incarnation));
	json_object_object_add(o, "members", json_object_new_int64(d->members));
	json_object_array_add(ctx, o);
	return 0;
}

static void find_mute(const struct node_atr *a, void *ctx)
{
	char subject[AKM_NAME_LEN + 16];

	if (a->in_kernel)
		return;
	snprintf(subject, sizeof(subject), "#%u %s", a->def.atr_id, a->def.label);
	health_find(ctx, HEALTH_FINDING("no-traffic", SEV_ALERT, .subject = subject,
					.remedy = "akmctl doctor says what the kernel lacks; it is tried again by itself."),
		    "the kernel does not have it: no traffic");
}

static void find_groupless(const struct node_atr *a, void *ctx)
{
	node_group_health(a, ctx);
}

static void add_health(struct node *n, struct json_object *status, bool module)
{
	struct health h;

	health_init(&h);
	status_health(n->env, &h);
	status_health_peer(n->env, n->superior, n->provisioned ? &n->record : NULL, &h);
	evidence_health(n->evidence, &h);
	if (!module)
		health_find(&h, HEALTH_FINDING("module", SEV_ALERT, .remedy = "modprobe akm; akmctl doctor, if that fails."),
			    "the module akm is not loaded: no traffic");
	else
		node_atrs_each(n->atrs, find_mute, &h);
	node_atrs_each(n->atrs, find_groupless, &h);
	if (n->blind.blind)
		health_find(&h, HEALTH_FINDING("blind", SEV_ALERT, .remedy = "systemctl restart akmd"),
			    "the kernel refuses packets and tells nothing of it");
	health_end(&h, status);
}

static void ctl_status(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct node *n = ctx;
	struct json_object *o = status_new(n->env, node_atrs_term(n->atrs));
	struct json_object *atrs = json_object_new_array(), *kernel = json_object_new_array();
	struct akm_error err = {};
	int r;

	(void)args;
	status_add_peer(o, n->superior, n->provisioned ? &n->record : NULL, subject_progress(n->subject));
	node_atrs_each(n->atrs, put_atr, atrs);
	json_object_object_add(o, "atrs", atrs);
	r = nl_dev_each(n->nl, put_dev, kernel, &err);
	json_object_object_add(o, "kernel", kernel);
	if (r < 0 && r != -ENOPKG) {	/* without the module there is nothing in the kernel, and that is the answer */
		json_object_put(o);
		ctl_fail(req, r, &err);
		return;
	}
	json_object_object_add(o, "alerts", evidence_alerts(n->evidence));
	add_health(n, o, r != -ENOPKG);
	ctl_ok(req, o);
}

static void ctl_events(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct node *n = ctx;

	evidence_ctl(n->evidence, req, args);
}

static void ctl_acknowledge(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct node *n = ctx;

	evidence_ctl_acknowledge(n->evidence, req, args);
}

static void ctl_allow(struct ctl_request *req, struct json_object *args, void *ctx)
{
	struct node *n = ctx;

	subject_ctl_allow(n->subject, req, args);
}

static const struct ctl_command commands[] = {
	{ "status", { { .name = NULL } }, ctl_status },
	{ "events", EVIDENCE_CTL_ARGS, ctl_events },
	{ "acknowledge", EVIDENCE_ACKNOWLEDGE_ARGS, ctl_acknowledge },
	{ "provision-allow", SUBJECT_CTL_ARGS, ctl_allow },
	{ .name = NULL }
};

/* ---- start and stop ---- */

static void on_changed(void *ctx)
{
	struct node *n = ctx;

	if (n->superior)
		superior_heartbeat(n->superior);
}

static void on_atrs_ready(void *ctx, int r, const struct akm_error *err)
{
	struct node *n = ctx;
	struct akm_error none = {};

	if (r < 0) {
		log_err("%s field=%s reason=%s error=%s dir=%s", vault_explain(r), err->field, err->reason, strerror(-r),
			n->sealed_path);
		n->env->failed(n->env->ctx, r);
		return;
	}
	if (n->provisioned)
		start_link(n);
	if (subject_start(n->subject, &none) < 0)
		log_warning("%s: %s", none.field, none.reason);
	n->env->ready(n->env->ctx);
}

static int load_record(struct node *n, struct akm_error *err)
{
	int r = record_load(n->record_path, &n->record, err);

	n->provisioned = !r;
	return r == -ENOENT ? 0 : r;
}

static int open_evidence(struct node *n, struct akm_error *err)
{
	struct evidence_backend backend = { NULL, eventlog_add, eventlog_each, eventlog_acked, eventlog_outbox,
					    eventlog_alerts, eventlog_last };
	char seen[PATH_MAX];
	bool damaged;
	int r;

	r = eventlog_open(n->log_path, &n->log, &damaged, err);
	if (r < 0)
		return r;
	backend.ctx = n->log;
	snprintf(seen, sizeof(seen), "%s/alerts-seen", n->env->config->state);
	r = evidence_new(n->env->base, n->env->config->name, &backend, seen, &n->evidence);
	if (!r && damaged)
		evidence_add(n->evidence, EVIDENCE_NOTE("eventlog", SEV_WARNING),
			     "Part of the record of events was damaged and is lost");
	return r;
}

static int open_parts(struct node *n, struct akm_error *err)
{
	struct subject_config subject = {
		.base = n->env->base, .q = n->env->q, .evidence = n->evidence, .config = n->env->config,
		.provisioned = provisioned_id, .commit = commit, .committed = committed, .ctx = n,
	};
	struct node_atrs_config atrs = {
		.base = n->env->base, .q = n->env->q, .nl = n->nl, .evidence = n->evidence, .dir = n->sealed_path,
		.id = provisioned_id(n), .policy = &n->policy, .group_link = n->env->config->group_link,
		.fallback_after_ms = n->env->config->fallback_after_ms, .ready = on_atrs_ready, .changed = on_changed, .ctx = n,
	};

	n->look = evtimer_new(n->env->base, on_look, n);
	if (!n->look || timer_set(n->look, BLIND_LOOK_MS) < 0)
		return -ENOMEM;
	return subject_new(&subject, &n->subject) ?:
	       node_quote_new(n->env->q, &n->quote) ?:
	       node_atrs_new(&atrs, &n->atrs) ?:
	       ctl_new(n->env->base, n->env->config->socket, commands, n, &n->ctl, err);
}

static void node_stop(void *role)
{
	struct node *n = role;

	ctl_free(n->ctl);
	if (n->look)
		event_free(n->look);
	superior_free(n->superior);
	node_quote_free(n->quote);
	hardware_wait_free(n->hardware);
	subject_free(n->subject);
	node_atrs_free(n->atrs);
	evidence_free(n->evidence);
	eventlog_close(n->log);
	nl_free(n->nl);
	record_free(&n->record);
	policy_free(&n->policy);
	free(n);
}

static int node_start(struct role_env *env, void **ret, struct akm_error *err)
{
	struct node *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->env = env;
	snprintf(n->record_path, sizeof(n->record_path), "%s/provision", env->config->state);
	snprintf(n->log_path, sizeof(n->log_path), "%s/events", env->config->state);
	snprintf(n->sealed_path, sizeof(n->sealed_path), "%s/sealed", env->config->state);
	r = policy_load(env->config, &n->policy, err);
	r = r ?: load_record(n, err);
	r = r ?: open_evidence(n, err);
	r = r ?: nl_open(env->base, on_kernel_event, on_kernel_change, n, &n->nl, err);
	if (!r) {
		nl_group_link(n->nl, env->config->group_link);
		nl_flow_ports(n->nl, env->config->flow_port_low, env->config->flow_port_high);
		nl_spread(n->nl, env->config->spread);
		nl_members_roam(n->nl, env->config->roaming);
		nl_members_keepalive(n->nl, env->config->keepalive_s * 1000);
	}
	r = r ?: open_parts(n, err);
	if (r < 0) {
		node_stop(n);
		return r;
	}
	*ret = n;
	return 0;
}

const struct role_ops role_node = { "node", true, node_start, node_stop };
