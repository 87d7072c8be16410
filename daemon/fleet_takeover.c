// SPDX-License-Identifier: GPL-2.0
/* A lost manager's nodes and ATRs, as the root's database has them, become ours. */
#include "fleet_internal.h"

#include <linux/akm.h>

#include "clock.h"
#include "log.h"
#include "report.h"
#include "tpmpub.h"
#include "wire.h"

/* ---- nodes ---- */

static int check_name(struct fleet *f, const struct msg_inventory_node *n, struct akm_error *err)
{
	_cleanup_(store_node_free) struct store_node named = {};
	int r = n->evicted ? -ENOENT : store_node_by_name(f->c.store, n->name, &named);

	if (!r && named.state == NODE_PROVISIONED)
		return akm_error_set(err, -EEXIST, "node", "%s is the name of another node here: evict that first", n->name);
	return r == -ENOENT ? 0 : r;
}

/* What it takes to give it another key. Its name is worked out here, as at provisioning. */
static int take_parent(const struct msg_inventory_node *n, struct store_node *to)
{
	if (!n->parent_public.len)
		return 0;
	return akm_blob_dup(n->parent_public.data, n->parent_public.len, &to->parent_public) ?:
	       tpmpub_name(&n->parent_public, &to->parent_name);
}

static int put_node(struct fleet *f, const struct msg_inventory_node *n)
{
	_cleanup_(store_node_free) struct store_node to = {
		.state = n->evicted ? NODE_EVICTED : NODE_PROVISIONED,
		.link_n = n->link_n,
		.since_ms = wall_ms(),
		.endpoint = n->endpoint,
	};
	int r;

	memcpy(to.id, n->id, AKM_ID_LEN);
	memcpy(to.name, n->name, sizeof(to.name));
	memcpy(to.label, n->label, sizeof(to.label));
	memcpy(to.hardware, n->hardware, AKM_DIGEST_LEN);
	r = akm_blob_dup(n->key.data, n->key.len, &to.key) ?:
	    akm_blob_dup(n->ek_name.data, n->ek_name.len, &to.ek_name) ?:
	    take_parent(n, &to) ?:
	    store_node_put(f->c.store, &to);
	if (!r && n->attest.pcrs)
		r = store_attest_put(f->c.store, n->id, &n->attest);
	return r || !n->fixed ? r : fleet_fix_endpoint(f, n->id);
}

/* Return: 1 it is new here, 0 it is not, negative. */
static int take_node(struct fleet *f, const struct msg_inventory_node *n, struct akm_error *err)
{
	_cleanup_(store_node_free) struct store_node here = {};
	int r = store_node_get(f->c.store, n->id, &here);

	if (r != -ENOENT)
		return r;
	r = check_name(f, n, err) ?: put_node(f, n);
	return r ?: 1;
}

/* ---- ATRs ---- */

static int number_of(struct json_object *o, const char *key, int64_t min, int64_t max, int64_t *ret, struct akm_error *err)
{
	struct json_object *v = json_object_object_get(o, key);

	*ret = json_object_get_int64(v);
	if (!json_object_is_type(v, json_type_int) || *ret < min || *ret > max)
		return akm_error_set(err, -EBADMSG, key, "is not told, or out of range");
	return 0;
}

static int subnet_of(struct json_object *o, const char *key, uint8_t addr_len, struct msg_prefix *ret, struct akm_error *err)
{
	struct json_object *v = json_object_object_get(o, key);

	if (!v)
		return 0;			/* it has none of this family */
	if (!json_object_is_type(v, json_type_string) ||
	    report_parse_prefix(json_object_get_string(v), addr_len, ret) < 0)
		return akm_error_set(err, -EBADMSG, key, "is not a network");
	return 0;
}

static int suite_of(struct json_object *o, uint32_t *ret, struct akm_error *err)
{
	const char *suite = json_object_get_string(json_object_object_get(o, "suite"));

	if (!suite || report_parse_suite(suite, ret) < 0)
		return akm_error_set(err, -EBADMSG, "suite", "is not told, or not one that is known here");
	return 0;
}

static int freshness_of(struct json_object *o, uint32_t *ret, struct akm_error *err)
{
	const char *freshness = json_object_get_string(json_object_object_get(o, "freshness"));

	*ret = AKM_FRESHNESS_STRICT;		/* also of a manager that knew of no other */
	if (freshness && report_parse_freshness(freshness, ret) < 0)
		return akm_error_set(err, -EBADMSG, "freshness", "is not one that is known here");
	return 0;
}

static int fallback_of(struct json_object *o, bool *ret, struct akm_error *err)
{
	const char *fallback = json_object_get_string(json_object_object_get(o, "fallback"));

	*ret = !fallback || !strcmp(fallback, "armed");
	if (!*ret && strcmp(fallback, "off"))
		return akm_error_set(err, -EBADMSG, "fallback", "is neither armed nor off");
	return 0;
}

static int group_of(struct json_object *o, struct msg_group *ret, struct akm_error *err)
{
	const char *group = json_object_get_string(json_object_object_get(o, "group"));
	int64_t ttl = 0;
	int r;

	if (!group)
		return 0;
	r = number_of(o, "ttl", 1, UINT8_MAX, &ttl, err);
	return r ?: report_parse_group(group, (uint8_t)ttl, ret, err) < 0 ?
		    akm_error_set(err, -EBADMSG, "group", "is no multicast group") : 0;
}

/* What was locked stays so with another manager. */
static int lock_of(struct json_object *o, struct store_atr *def, struct akm_error *err)
{
	const char *why = json_object_get_string(json_object_object_get(o, "locked"));

	if (!why)
		return 0;
	if (!wire_name_ok(why, strlen(why)))
		return akm_error_set(err, -EBADMSG, "locked", "is not a word");
	def->locked_ms = wall_ms();
	snprintf(def->locked_why, sizeof(def->locked_why), "%s", why);
	return 0;
}

static int parse_definition(const struct msg_inventory_atr *a, struct store_atr *def, struct akm_error *err)
{
	struct json_object *o = json_tokener_parse(a->json);
	int64_t port = 0, interval = 0, grace = 0;
	int r;

	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return akm_error_set(err, -EBADMSG, "definition", "of #%u is not a JSON object", a->atr_id);
	}
	r = suite_of(o, &def->suite, err) ?:
	    freshness_of(o, &def->freshness, err) ?:
	    fallback_of(o, &def->fallback, err) ?:
	    group_of(o, &def->group, err) ?:
	    lock_of(o, def, err) ?:
	    number_of(o, "port", 1, UINT16_MAX, &port, err) ?:
	    number_of(o, "epoch_interval", 0, INT32_MAX, &interval, err) ?:
	    number_of(o, "epoch_grace", 0, 3600000, &grace, err) ?:
	    subnet_of(o, "subnet4", 4, &def->subnet4, err) ?:
	    subnet_of(o, "subnet6", 16, &def->subnet6, err);
	json_object_put(o);
	def->port = (uint16_t)port;
	def->epoch_interval_ms = (uint32_t)interval;
	def->epoch_grace_ms = (uint32_t)grace;
	return r;
}

static int take_members(const struct msg_inventory_atr *a, struct store_atr *def, struct akm_error *err)
{
	int r = 0;

	def->members = calloc(a->n_members + 1, sizeof(*def->members));
	if (!def->members)
		return -ENOMEM;
	for (size_t i = 0; !r && i < a->n_members; i++) {
		struct store_member *m = &def->members[def->n_members++];

		m->index = a->members[i].index;
		m->removed = a->members[i].removed;
		memcpy(m->node, a->members[i].node, AKM_ID_LEN);
		m->n_prefixes = a->members[i].n_prefixes;
		memcpy(m->prefixes, a->members[i].prefixes, sizeof(m->prefixes));
		r = fleet_give_addresses(def, m, err);
	}
	return r;
}

/* Return: 1 it is new here, 0 it is not, negative. */
static int take_atr(struct fleet *f, const struct msg_inventory_atr *a, struct akm_error *err)
{
	_cleanup_(store_atr_free) struct store_atr def = { .id = a->atr_id, .definition = a->definition,
							   .last_generation = a->generation };
	_cleanup_(store_atr_free) struct store_atr here = {};
	uint32_t number;
	int r = store_atr_get(f->c.store, a->atr_id, &here);

	if (r != -ENOENT)
		return r;
	memcpy(def.label, a->label, sizeof(def.label));
	r = parse_definition(a, &def, err) ?:
	    take_members(a, &def, err) ?:
	    fleet_generation_make(f, &def, "takeover", &number);
	if (!r && a->generation)
		r = fleet_generation_lost(f, a->atr_id, a->generation);
	if (r == -EEXIST || r == -ENOENT)
		akm_error_set(err, r, "atr", "#%u %s %s", a->atr_id, a->label,
			      r == -EEXIST ? "has the label of another ATR here" : "has a member that is not told");
	return r ?: 1;
}

/* ---- all of it ---- */

struct taken { bool *node, *atr; size_t n_nodes, n_atrs; };

static int take_all(struct fleet *f, const struct msg_inventory *v, struct taken *t, struct akm_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < v->n_nodes; i++) {
		r = take_node(f, &v->nodes[i], err);
		t->node[i] = r > 0;
		t->n_nodes += r > 0 && !v->nodes[i].evicted;
	}
	for (size_t i = 0; r >= 0 && i < v->n_atrs; i++) {
		r = take_atr(f, &v->atrs[i], err);
		t->atr[i] = r > 0;
		t->n_atrs += r > 0;
	}
	/* Told again, after somebody has unlocked it here, it stays so. */
	if (r >= 0 && (t->n_nodes || t->n_atrs))
		r = fleet_lock_inherit_write(f, v->locked);
	return r < 0 ? r : 0;
}

static int record(struct fleet *f, const struct msg_inventory *v, struct taken *t, struct akm_error *err)
{
	int r = store_begin(f->c.store);

	r = r ?: take_all(f, v, t, err) ?: store_commit(f->c.store);
	if (r < 0 && r != -EALREADY)
		store_rollback(f->c.store);
	return r;
}

static int serve_node(struct fleet *f, const uint8_t id[AKM_ID_LEN])
{
	_cleanup_(store_node_free) struct store_node n = {};
	int r = store_node_get(f->c.store, id, &n);

	return r ?: n.state == NODE_PROVISIONED ? peers_add(f->peers, &n) : 0;
}

/* It is durable: what cannot be served now is at the next start. */
static void serve(struct fleet *f, const struct msg_inventory *v, const struct taken *t)
{
	for (size_t i = 0; i < v->n_nodes; i++)
		if (t->node[i] && serve_node(f, v->nodes[i].id) < 0)
			log_err("cannot serve a node before a restart node=%s", v->nodes[i].name);
	for (size_t i = 0; i < v->n_atrs; i++) {
		struct fleet_atr *a;

		if (!t->atr[i])
			continue;
		if (fleet_atr_load(f, v->atrs[i].atr_id) < 0) {
			log_err("cannot serve an ATR before a restart atr=%u", v->atrs[i].atr_id);
			continue;
		}
		a = fleet_find(f, v->atrs[i].atr_id);
		fleet_mark_stale(a);
		fleet_kick_soon(a, 0);
	}
}

int fleet_takeover(struct fleet *f, const struct msg_takeover *m, struct akm_error *err)
{
	const struct msg_inventory *v = &m->inventory;
	struct taken t = { calloc(v->n_nodes + 1, sizeof(bool)), calloc(v->n_atrs + 1, sizeof(bool)), 0, 0 };
	int r = t.node && t.atr ? record(f, v, &t, err) : -ENOMEM;

	if (r < 0 && !err->reason[0])
		akm_error_set(err, r, "database", "%s", r == -ENOMEM ? strerror(-r) : store_strerror(f->c.store));
	if (!r)
		serve(f, v, &t);
	free(t.node);
	free(t.atr);
	if (r < 0) {
		evidence_add(f->c.evidence, EVIDENCE_NOTE("takeover-failed", SEV_ALERT, .limit = m->from),
			     "What was %s's could not be taken over: %s: %s", m->from, err->field, err->reason);
		return r;
	}
	if (!t.n_nodes && !t.n_atrs)
		return 0;
	fleet_lock_inherit(f, v->locked);
	evidence_add(f->c.evidence, EVIDENCE_NOTE("takeover", SEV_WARNING),
		     "%zu nodes and %zu ATRs of %s are ours now; every ATR moves to a new generation", t.n_nodes, t.n_atrs,
		     m->from);
	f->c.changed(f->c.ctx);
	return 0;
}
