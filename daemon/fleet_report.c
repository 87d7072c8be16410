// SPDX-License-Identifier: GPL-2.0
/* ATRs and nodes as JSON; the inventory for the root. */
#include "fleet_internal.h"

#include "report.h"

const char *fleet_atr_state(const struct fleet_atr *a)
{
	int current = rekey_current(&a->plan);

	if (rekey_next(&a->plan) >= 0)
		return "preparing";
	if (current < 0)
		return "stable";
	if (a->plan.generations[current].state == GEN_ACTIVATING)
		return "activating";
	for (int i = 0; i < current; i++)
		if (a->plan.generations[i].state != GEN_RETIRED)
			return "retiring";
	return "stable";
}

static uint32_t in_use_by(const struct fleet_atr *a, size_t m)
{
	for (size_t g = a->plan.n_generations; g-- > 0;)
		if (a->plan.members[m].step[g] == STEP_ACTIVATED)
			return a->generations[g].number;
	return 0;
}

static const char *member_state(const struct fleet_atr *a, size_t m)
{
	int current = rekey_current(&a->plan);

	if (!a->plan.members[m].up)
		return "absent";
	return current >= 0 && a->plan.members[m].step[current] == STEP_ACTIVATED ? "current" : "behind";
}

static const struct store_member *stored(const struct fleet_atr *a, uint16_t index)
{
	for (size_t i = 0; i < a->def.n_members; i++)
		if (a->def.members[i].index == index)
			return &a->def.members[i];
	return NULL;
}

static struct json_object *report_member(struct fleet_atr *a, size_t m)
{
	struct json_object *o = json_object_new_object(), *addresses = json_object_new_array();
	const struct store_member *s = stored(a, a->members[m].index);
	struct store_node n = {};

	report_put_int(o, "index", a->members[m].index);
	report_put_text(o, "node", a->members[m].name);
	for (size_t i = 0; s && i < s->n_addresses; i++)
		json_object_array_add(addresses, report_prefix(&s->addresses[i]));
	json_object_object_add(o, "addresses", addresses);
	if (s && s->n_prefixes) {
		struct json_object *prefixes = json_object_new_array();

		for (size_t i = 0; i < s->n_prefixes; i++)
			json_object_array_add(prefixes, report_prefix(&s->prefixes[i]));
		json_object_object_add(o, "prefixes", prefixes);
	}
	if (!store_node_get(a->fleet->c.store, a->members[m].node, &n))
		json_object_object_add(o, "endpoint", report_endpoint(&n.endpoint));
	store_node_free(&n);
	report_put_int(o, "generation", in_use_by(a, m));
	report_put_text(o, "state", member_state(a, m));
	if (a->members[m].failure[0])
		report_put_text(o, "failure", a->members[m].failure);
	return o;
}

static struct json_object *report_definition(struct fleet_atr *a)
{
	struct json_object *o = json_object_new_object();

	report_put_int(o, "id", a->def.id);
	report_put_text(o, "label", a->def.label);
	report_put_text(o, "suite", report_suite(a->def.suite));
	report_put_int(o, "port", a->def.port);
	json_object_object_add(o, "subnet4", report_prefix(&a->def.subnet4));
	json_object_object_add(o, "subnet6", report_prefix(&a->def.subnet6));
	report_put_int(o, "epoch_interval", a->def.epoch_interval_ms);
	report_put_int(o, "epoch_grace", a->def.epoch_grace_ms);
	report_put_text(o, "freshness", report_freshness(a->def.freshness));
	report_put_text(o, "fallback", a->def.fallback ? "armed" : "off");
	if (a->def.group.addr_len) {
		json_object_object_add(o, "group", report_group(&a->def.group));
		report_put_int(o, "ttl", a->def.group.ttl);
	}
	json_object_object_add(o, "definition", json_object_new_uint64(a->def.definition));
	fleet_lock_report(&a->def, o);
	return o;
}

/* How far it is with what "fallback" wants */
static void report_fallback(const struct fleet_atr *a, struct json_object *o)
{
	int current = rekey_current(&a->plan), fallback = rekey_fallback(&a->plan);
	bool entered = current >= 0 && a->plan.generations[current].fallback;

	report_put_text(o, "fallback_state", fallback >= 0 ? rekey_armed(&a->plan) ? "armed" : "arming" :
			entered ? "in use" : "none");
	report_put_int(o, "fallback_generation", fallback >= 0 ? a->generations[fallback].number :
		       entered ? a->generations[current].number : 0);
}

struct json_object *fleet_report_atr(struct fleet_atr *a)
{
	struct json_object *o = report_definition(a), *members = json_object_new_array();
	int g = rekey_current(&a->plan);

	if (g < 0)
		g = rekey_next(&a->plan);
	report_put_int(o, "generation", g >= 0 ? a->generations[g].number : 0);
	report_put_int(o, "key_id", g >= 0 && !a->plan.generations[g].lost ? a->generations[g].key_id : 0);
	if (g >= 0) {
		json_object_object_add(o, "epoch", json_object_new_uint64(a->generations[g].epoch));
		report_put_text(o, "reason", a->generations[g].reason);
		json_object_object_add(o, "since", report_time(a->generations[g].created_ms));
	}
	report_put_text(o, "state", fleet_atr_state(a));
	report_fallback(a, o);
	for (size_t i = 0; i < a->plan.n_members; i++)
		json_object_array_add(members, report_member(a, i));
	json_object_object_add(o, "members", members);
	return o;
}

struct json_object *fleet_report_node(struct fleet *f, const struct store_node *n)
{
	struct json_object *o = report_node(n), *atrs = json_object_new_array();
	const struct peer *p = f->peers ? peers_find(f->peers, n->id) : NULL;
	char *key_name = NULL;

	if (!o)
		return NULL;
	report_put_text(o, "link", p && p->up ? "up" : "down");
	json_object_object_add(o, "last_seen", report_time(p ? p->last_seen_ms : 0));
	if (!keystore_key_name(&n->key, &key_name))
		report_put_text(o, "key_name", key_name);
	free(key_name);
	for (const struct fleet_atr *a = f->first; a; a = a->next)
		if (fleet_member_of(a, n->id) >= 0)
			json_object_array_add(atrs, json_object_new_int64(a->def.id));
	json_object_object_add(o, "atrs", atrs);
	fleet_attest_report(f, n, o);
	if (p)
		peer_rotation_report(p, o);
	return o;
}

static int count_node(const struct store_node *n, void *ctx)
{
	struct fleet_nodes_count *c = ctx;

	c->provisioned += n->state == NODE_PROVISIONED;
	c->evicted += n->state == NODE_EVICTED;
	return 0;
}

/* An unreadable database shows as zeros here, and by name in what is wrong. */
struct fleet_nodes_count fleet_count_nodes(struct fleet *f)
{
	struct fleet_nodes_count c = {};

	(void)store_node_each(f->c.store, count_node, &c);
	return c;
}

void fleet_status(struct fleet *f, struct json_object *o)
{
	struct json_object *nodes = json_object_new_object(), *atrs = json_object_new_array();
	struct fleet_nodes_count c = fleet_count_nodes(f);

	report_put_int(nodes, "total", (int64_t)c.provisioned);
	report_put_int(nodes, "up", f->peers ? (int64_t)peers_count(f->peers, true) : 0);
	report_put_int(nodes, "evicted", (int64_t)c.evicted);
	json_object_object_add(o, "nodes", nodes);
	for (struct fleet_atr *a = f->first; a; a = a->next)
		json_object_array_add(atrs, fleet_report_atr(a));
	json_object_object_add(o, "atrs", atrs);
	json_object_object_add(o, "alerts", evidence_alerts(f->c.evidence));
}

/* ---- inventory ---- */

struct adding { struct fleet *f; struct msg_inventory *v; };

static int add_node(const struct store_node *n, void *ctx)
{
	const struct adding *adding = ctx;
	struct msg_inventory *v = adding->v;
	struct msg_inventory_node *to;
	int r;

	if (n->state == NODE_PENDING || v->n_nodes == NODES_MAX)
		return 0;
	to = &v->nodes[v->n_nodes];
	memcpy(to->id, n->id, AKM_ID_LEN);
	memcpy(to->name, n->name, sizeof(to->name));
	to->evicted = n->state == NODE_EVICTED;
	memcpy(to->hardware, n->hardware, AKM_DIGEST_LEN);
	to->link_n = n->link_n;
	memcpy(to->label, n->label, sizeof(to->label));
	to->endpoint = n->endpoint;
	to->fixed = fleet_endpoint_fixed(adding->f, n->id);
	v->n_nodes++;
	r = store_attest_get(adding->f->c.store, n->id, &to->attest);
	if (r < 0 && r != -ENOENT)
		return r;
	return akm_blob_dup(n->key.data, n->key.len, &to->key) ?:
	       akm_blob_dup(n->ek_name.data, n->ek_name.len, &to->ek_name) ?:
	       to->evicted ? 0 : akm_blob_dup(n->parent_public.data, n->parent_public.len, &to->parent_public);
}

static int add_members(const struct store_atr *def, struct msg_inventory_atr *to)
{
	to->members = calloc(def->n_members + 1, sizeof(*to->members));
	if (!to->members)
		return -ENOMEM;
	for (size_t i = 0; i < def->n_members; i++) {
		struct msg_inventory_member *m = &to->members[to->n_members++];

		m->index = def->members[i].index;
		m->removed = def->members[i].removed;
		memcpy(m->node, def->members[i].node, AKM_ID_LEN);
		m->n_prefixes = def->members[i].n_prefixes;
		memcpy(m->prefixes, def->members[i].prefixes, sizeof(m->prefixes));
	}
	return 0;
}

static int add_atr(struct fleet_atr *a, struct msg_inventory *v)
{
	struct msg_inventory_atr *to = &v->atrs[v->n_atrs++];
	struct json_object *o = report_definition(a), *members = json_object_new_array();
	const char *text;

	for (size_t i = 0; i < a->plan.n_members; i++) {
		struct json_object *m = json_object_new_array();

		json_object_array_add(m, json_object_new_int(a->members[i].index));
		json_object_array_add(m, json_object_new_string(a->members[i].name));
		json_object_array_add(members, m);
	}
	json_object_object_add(o, "members", members);
	to->atr_id = a->def.id;
	memcpy(to->label, a->def.label, sizeof(to->label));
	to->generation = a->def.last_generation;
	to->definition = a->def.definition;
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (strlen(text) >= sizeof(to->json)) {		/* too many members to tell here */
		json_object_object_del(o, "members");
		text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	}
	snprintf(to->json, sizeof(to->json), "%s", text);
	json_object_put(o);
	return add_members(&a->def, to);
}

int fleet_inventory(struct fleet *f, struct msg *ret)
{
	_cleanup_msg_ struct msg m = { .type = MSG_INVENTORY };
	struct msg_inventory *v = &m.inventory;
	struct adding adding = { f, v };
	struct fleet_nodes_count c = {};
	size_t n_atrs = 0;
	int r;

	for (struct fleet_atr *a = f->first; a; a = a->next)
		n_atrs++;
	r = store_node_each(f->c.store, count_node, &c);
	if (r < 0)
		return r;
	v->version = ++f->inventory;
	if (f->locked_ms)
		snprintf(v->locked, sizeof(v->locked), "%s", f->locked_why);
	v->nodes = calloc(c.provisioned + c.evicted + 1, sizeof(*v->nodes));
	v->atrs = calloc(n_atrs + 1, sizeof(*v->atrs));
	if (!v->nodes || !v->atrs)
		return -ENOMEM;
	r = store_node_each(f->c.store, add_node, &adding);
	for (struct fleet_atr *a = f->first; !r && a && v->n_atrs < INVENTORY_ATRS_MAX; a = a->next)
		r = add_atr(a, v);
	if (r < 0)
		return r;
	*ret = m;
	memset(&m, 0, sizeof(m));
	return 0;
}
