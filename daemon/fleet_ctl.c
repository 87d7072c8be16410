// SPDX-License-Identifier: GPL-2.0
/* Commands of the control socket about nodes and ATRs. */
#include "fleet_internal.h"

#include <linux/akm.h>

#include "report.h"
#include "wire.h"

static void fail(struct ctl_request *req, int r, const struct akm_error *err)
{
	ctl_fail(req, r, err->reason[0] ? err : NULL);
}

static int find_node(struct fleet *f, const char *name, const char *field, struct store_node *ret,
		     struct akm_error *err)
{
	int r = store_node_by_name(f->c.store, name, ret);

	if (r == -ENOENT)
		return akm_error_set(err, r, field, "there is no node %.63s", name);
	if (r < 0)
		return akm_error_set(err, r, "database", "%s", store_strerror(f->c.store));
	return 0;
}

static int find_provisioned(struct fleet *f, const char *name, const char *field, struct store_node *ret,
			    struct akm_error *err)
{
	int r = find_node(f, name, field, ret, err);

	if (!r && ret->state != NODE_PROVISIONED) {
		r = akm_error_set(err, -EINVAL, field, "%.63s is %s", name,
				  ret->state == NODE_EVICTED ? "evicted" : "not provisioned yet");
		store_node_free(ret);
		memset(ret, 0, sizeof(*ret));
	}
	return r;
}

/* "1", "#1" or a label */
int fleet_find_named(struct fleet *f, const char *name, const char *field, struct fleet_atr **ret, struct akm_error *err)
{
	const char *number = name + (name[0] == '#');
	char *end;
	unsigned long id = strtoul(number, &end, 10);
	struct fleet_atr *a = NULL;

	if (*number >= '0' && *number <= '9' && !*end && id <= UINT32_MAX)
		a = fleet_find(f, (uint32_t)id);
	for (struct fleet_atr *b = f->first; !a && b; b = b->next)
		if (!strcmp(b->def.label, name))
			a = b;
	if (!a)
		return akm_error_set(err, -ENOENT, field, "there is no ATR %.63s", name);
	*ret = a;
	return 0;
}

static int find_atr(struct fleet *f, struct json_object *args, struct fleet_atr **ret, struct akm_error *err)
{
	return fleet_find_named(f, ctl_str(args, "atr"), "atr", ret, err);
}

/* ---- nodes ---- */

struct list { struct fleet *f; struct json_object *array; };

static int list_node(const struct store_node *n, void *ctx)
{
	struct list *l = ctx;

	if (n->state != NODE_PENDING)
		json_object_array_add(l->array, fleet_report_node(l->f, n));
	return 0;
}

int fleet_nodes(struct fleet *f, struct json_object **ret)
{
	struct list l = { f, json_object_new_array() };
	int r = store_node_each(f->c.store, list_node, &l);

	if (r < 0) {
		json_object_put(l.array);
		return r;
	}
	*ret = json_object_new_object();
	json_object_object_add(*ret, "nodes", l.array);
	return 0;
}

void fleet_ctl_node_list(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct json_object *o;
	struct akm_error err = {};
	int r = fleet_nodes(f, &o);

	(void)args;
	if (!r) {
		ctl_ok(req, o);
		return;
	}
	akm_error_set(&err, r, "database", "%s", store_strerror(f->c.store));
	fail(req, r, &err);
}

void fleet_ctl_node_show(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	_cleanup_(store_node_free) struct store_node n = {};
	struct akm_error err = {};
	int r = find_node(f, ctl_str(args, "node"), "node", &n, &err);

	if (r < 0)
		fail(req, r, &err);
	else
		ctl_ok(req, fleet_report_node(f, &n));
}

void fleet_ctl_node_accept_pcrs(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	_cleanup_(store_node_free) struct store_node n = {};
	const char *text = ctl_str(args, "digest");
	uint8_t digest[AKM_DIGEST_LEN];
	struct akm_error err = {};
	char who[CTL_WHO_MAX];
	int r = find_provisioned(f, ctl_str(args, "node"), "node", &n, &err);

	if (!r && text && report_parse_hex(text, digest, sizeof(digest)) < 0)
		r = akm_error_set(&err, -EINVAL, "digest", "must be %d hexadecimal digits", 2 * AKM_DIGEST_LEN);
	ctl_who(req, who);
	r = r ?: fleet_attest_accept(f, &n, text ? digest : NULL, who, &err);
	if (r < 0)
		fail(req, r, &err);
	else
		ctl_ok(req, fleet_report_node(f, &n));
}

/* ---- ATRs ---- */

static int number_arg(struct json_object *args, const char *name, int64_t min, int64_t max, int64_t absent,
		      int64_t *ret, struct akm_error *err)
{
	int64_t v = ctl_int(args, name, absent);

	if (v != absent && (v < min || v > max))
		return akm_error_set(err, -EINVAL, name, "must be %lld … %lld", (long long)min, (long long)max);
	*ret = v;
	return 0;
}

static int subnet_arg(struct json_object *args, const char *name, uint8_t addr_len, struct msg_prefix *ret,
		      struct akm_error *err)
{
	const char *text = ctl_str(args, name);

	if (!text)
		return 0;
	if (report_parse_prefix(text, addr_len, ret) < 0)
		return akm_error_set(err, -EINVAL, name, "must be an IPv%d network like %s, host bits zero",
				     addr_len == 4 ? 4 : 6, addr_len == 4 ? "10.77.1.0/24" : "fd77:1::/64");
	return 0;
}

static int overlaps(struct fleet *f, const struct msg_prefix *p, const char *field, struct akm_error *err)
{
	for (const struct fleet_atr *a = f->first; p->addr_len && a; a = a->next) {
		const struct msg_prefix *q = p->addr_len == 4 ? &a->def.subnet4 : &a->def.subnet6;
		unsigned int bits = p->prefix_len < q->prefix_len ? p->prefix_len : q->prefix_len, i;

		for (i = 0; i < bits; i++)
			if ((p->addr[i / 8] ^ q->addr[i / 8]) & (0x80 >> i % 8))
				break;
		if (q->addr_len && i == bits)
			return akm_error_set(err, -EEXIST, field, "overlaps that of #%u %s", a->def.id, a->def.label);
	}
	return 0;
}

/* @group is the one there is, if there is one */
static int group_args(struct json_object *args, struct msg_group *group, struct akm_error *err)
{
	const char *text = ctl_str(args, "group");
	bool said = json_object_object_get_ex(args, "ttl", NULL);
	int64_t ttl = 0;
	int r;

	if (text && !strcmp(text, "none")) {
		memset(group, 0, sizeof(*group));
		text = NULL;
	}
	if (!text && !group->addr_len)
		return said ? akm_error_set(err, -EINVAL, "ttl", "there is no group to which this belongs") : 0;
	r = number_arg(args, "ttl", 1, UINT8_MAX, text ? GROUP_TTL : group->ttl, &ttl, err);
	if (r < 0 || !text) {
		group->ttl = r < 0 ? group->ttl : (uint8_t)ttl;
		return r;
	}
	return report_parse_group(text, (uint8_t)ttl, group, err);
}

/* What is not among @args stays as it is in @s. */
static int settings_args(struct json_object *args, struct fleet_settings *s, struct akm_error *err)
{
	const char *suite = ctl_str(args, "suite"), *freshness = ctl_str(args, "freshness");
	const char *fallback = ctl_str(args, "fallback");
	int64_t port = 0, interval = 0, grace = 0;
	int r;

	if (suite && report_parse_suite(suite, &s->suite) < 0)
		return akm_error_set(err, -EINVAL, "suite", "must be aes-256-gcm, chacha20-poly1305 or aes-128-gcm");
	if (freshness && report_parse_freshness(freshness, &s->freshness) < 0)
		return akm_error_set(err, -EINVAL, "freshness", "must be strict or epoch");
	if (fallback)
		s->fallback = !strcmp(fallback, "armed");
	if (fallback && !s->fallback && strcmp(fallback, "off"))
		return akm_error_set(err, -EINVAL, "fallback", "must be armed or off");
	r = number_arg(args, "port", 1, UINT16_MAX, s->port, &port, err) ?:
	    number_arg(args, "epoch_interval", 1000, INT32_MAX, s->epoch_interval_ms, &interval, err) ?:
	    number_arg(args, "epoch_grace", 0, 3600000, s->epoch_grace_ms, &grace, err) ?:
	    group_args(args, &s->group, err);
	if (r < 0)
		return r;
	s->port = (uint16_t)port;
	s->epoch_interval_ms = (uint32_t)interval;
	s->epoch_grace_ms = (uint32_t)grace;
	return 0;
}

static int create_args(struct fleet *f, struct json_object *args, struct fleet_create *c, struct akm_error *err)
{
	const struct config *cfg = f->c.config;
	int64_t id = 0;
	int r;

	c->label = ctl_str(args, "label");
	c->settings = (struct fleet_settings){
		.suite = AKM_SUITE_AES256GCM, .port = AKM_DEFAULT_PORT, .epoch_interval_ms = cfg->epoch_interval_ms,
		.epoch_grace_ms = cfg->epoch_grace_ms, .freshness = AKM_FRESHNESS_STRICT, .fallback = cfg->fallback,
	};
	r = settings_args(args, &c->settings, err) ?:
	    number_arg(args, "id", 1, UINT32_MAX, 0, &id, err) ?:
	    subnet_arg(args, "subnet4", 4, &c->subnet4, err) ?:
	    subnet_arg(args, "subnet6", 16, &c->subnet6, err) ?:
	    overlaps(f, &c->subnet4, "subnet4", err) ?:
	    overlaps(f, &c->subnet6, "subnet6", err);
	if (!r)
		c->id = (uint32_t)id;
	return r;
}

static int find_members(struct fleet *f, struct json_object *args, struct fleet_create *c,
			struct store_node *members, struct akm_error *err)
{
	struct json_object *names = json_object_object_get(args, "members");
	size_t n = json_object_array_length(names);

	if (!n)
		return akm_error_set(err, -EINVAL, "members", "must name at least one node");
	for (size_t i = 0; i < n; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));
		int r = find_provisioned(f, name, "members", &members[i], err);

		if (r < 0)
			return r;
		c->n_members++;
		for (size_t k = 0; k < i; k++)
			if (!memcmp(members[k].id, members[i].id, AKM_ID_LEN))
				return akm_error_set(err, -EINVAL, "members", "names %.63s twice", name);
	}
	c->members = members;
	return 0;
}

void fleet_ctl_atr_list(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct json_object *o = json_object_new_object(), *atrs = json_object_new_array();

	(void)args;
	for (struct fleet_atr *a = f->first; a; a = a->next)
		json_object_array_add(atrs, fleet_report_atr(a));
	json_object_object_add(o, "atrs", atrs);
	ctl_ok(req, o);
}

void fleet_ctl_atr_show(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct akm_error err = {};
	struct fleet_atr *a;
	int r = find_atr(f, args, &a, &err);

	if (r < 0)
		fail(req, r, &err);
	else
		ctl_ok(req, fleet_report_atr(a));
}

/* ---- changes ---- */

/* What the control socket asks for; it is planned first, and then shown or done. */
struct order {
	struct fleet *fleet;
	struct ctl_request *req;
	struct json_object *args;
	bool plans;			/* it is answered with what became of each ATR, not with the ATR */
	struct fleet_change change;
	struct akm_error err;
};

/*
 * The end of each of these commands: @r is whether it can be planned. Done, the record says @fmt and the answer comes
 * when reachable members have done their part.
 */
__attribute__((format(printf, 4, 5)))
static void carry_out(struct order *o, int r, const struct evidence_note *note, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);	/* of what is now: names may change */
	va_end(ap);
	if (!r && ctl_bool(o->args, "dry_run")) {
		struct json_object *plan = fleet_plan_report(&o->change);

		if (plan)
			ctl_ok(o->req, plan);
		else
			ctl_fail(o->req, -ENOMEM, NULL);
		fleet_change_free(&o->change);
		return;
	}
	r = r ?: fleet_apply(&o->change, &o->err);
	if (!r) {
		evidence_add(o->fleet->c.evidence, note, "%s", text);
		r = fleet_wait_new(o->req, &o->change, o->plans);
	}
	if (r < 0)
		fail(o->req, r, &o->err);
	fleet_change_free(&o->change);
}

static const struct fleet_step *first(const struct order *o)
{
	static const struct fleet_step none;

	return o->change.n ? &o->change.steps[0] : &none;
}

void fleet_ctl_node_evict(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, true, {}, {} };
	_cleanup_(store_node_free) struct store_node n = {};
	const char *reason = ctl_str(args, "reason");
	int r = find_provisioned(f, ctl_str(args, "node"), "node", &n, &o.err);

	if (!r && reason && (!wire_text_ok(reason, strlen(reason)) || strlen(reason) > 200))
		r = akm_error_set(&o.err, -EINVAL, "reason", "must be text of at most 200 bytes");
	r = r ?: fleet_plan_evict(f, &n, &o.change, &o.err);
	carry_out(&o, r, EVIDENCE_NOTE("evict", SEV_WARNING), "%s was evicted%s%s", n.name, reason ? ": " : "", reason ?: "");
}

void fleet_ctl_node_move(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, true, {}, {} };
	_cleanup_(store_node_free) struct store_node n = {};
	struct fleet_atr *from = NULL, *to = NULL;
	int r = find_provisioned(f, ctl_str(args, "node"), "node", &n, &o.err);

	r = r ?: fleet_find_named(f, ctl_str(args, "from"), "from", &from, &o.err);
	r = r ?: fleet_find_named(f, ctl_str(args, "to"), "to", &to, &o.err);
	r = r ?: fleet_plan_move(from, to, &n, &o.change, &o.err);
	carry_out(&o, r, EVIDENCE_NOTE("node-move", SEV_INFO, .atr_id = first(&o)->atr_id), "%s was moved from #%u to #%u",
		  n.name, from ? from->def.id : 0, to ? to->def.id : 0);
}

void fleet_ctl_node_rename(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, true, {}, {} };
	_cleanup_(store_node_free) struct store_node n = {};
	const char *name = ctl_str(args, "name");
	int r = find_provisioned(f, ctl_str(args, "node"), "node", &n, &o.err);

	r = r ?: fleet_plan_rename(f, &n, name, &o.change, &o.err);
	carry_out(&o, r, EVIDENCE_NOTE("rename", SEV_INFO), "%s is called %s from now on", n.name, name);
}

void fleet_ctl_atr_create(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	size_t n = json_object_array_length(json_object_object_get(args, "members"));
	struct order o = { f, req, args, false, {}, {} };
	struct store_node *members = calloc(n + 1, sizeof(*members));
	struct fleet_create c = {};
	int r;

	r = members ? find_members(f, args, &c, members, &o.err) : -ENOMEM;
	r = r ?: create_args(f, args, &c, &o.err);
	r = r ?: fleet_plan_create(f, &c, &o.change, &o.err);
	for (size_t i = 0; members && i < c.n_members; i++)
		store_node_free(&members[i]);
	free(members);
	carry_out(&o, r, EVIDENCE_NOTE("atr-create", SEV_INFO, .atr_id = first(&o)->atr_id), "#%u %s was created",
		  first(&o)->atr_id, first(&o)->def.label);
}

typedef int (*plan_fn)(struct fleet_atr *a, const struct store_node *n, struct fleet_change *c, struct akm_error *err);

static int plan_member(struct order *o, plan_fn fn, struct store_node *n)
{
	struct fleet_atr *a;

	return find_atr(o->fleet, o->args, &a, &o->err) ?:
	       find_provisioned(o->fleet, ctl_str(o->args, "node"), "node", n, &o->err) ?:
	       fn(a, n, &o->change, &o->err);
}

void fleet_ctl_atr_add(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, false, {}, {} };
	_cleanup_(store_node_free) struct store_node n = {};
	int r = plan_member(&o, fleet_plan_add, &n);

	carry_out(&o, r, EVIDENCE_NOTE("atr-add", SEV_INFO, .atr_id = first(&o)->atr_id), "%s was added to #%u %s", n.name,
		  first(&o)->atr_id, first(&o)->def.label);
}

void fleet_ctl_atr_remove(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, false, {}, {} };
	_cleanup_(store_node_free) struct store_node n = {};
	int r = plan_member(&o, fleet_plan_remove, &n);

	carry_out(&o, r, EVIDENCE_NOTE("atr-remove", SEV_INFO, .atr_id = first(&o)->atr_id), "%s was removed from #%u %s",
		  n.name, first(&o)->atr_id, first(&o)->def.label);
}

void fleet_ctl_atr_rekey(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, false, {}, {} };
	const char *reason = ctl_str(args, "reason");
	struct fleet_atr *a;
	int r = find_atr(f, args, &a, &o.err);

	if (!r && reason && (!wire_name_ok(reason, strlen(reason)) || fleet_reason_urgent(reason) ||
			     fleet_reason_fallback(reason)))
		r = akm_error_set(&o.err, -EINVAL, "reason",
				  "must be one word of A-Z a-z 0-9 . _ -, not evict, remove, remake or fallback");
	r = r ?: fleet_plan_rekey(a, reason ?: "rekey", &o.change, &o.err);
	carry_out(&o, r, EVIDENCE_NOTE("rekey", SEV_INFO, .atr_id = first(&o)->atr_id),
		  "#%u %s moves to generation %u by command (%s)", first(&o)->atr_id, first(&o)->def.label,
		  fleet_step_number(first(&o)), reason ?: "rekey");
}

void fleet_ctl_atr_lock(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, false, {}, {} };
	struct fleet_atr *a;
	int r = find_atr(f, args, &a, &o.err);

	r = r ?: fleet_plan_lock(a, "command", &o.change, &o.err);
	carry_out(&o, r, EVIDENCE_NOTE("lockdown", SEV_ALERT, .atr_id = first(&o)->atr_id),
		  "#%u %s is locked by command and moves to generation %u", first(&o)->atr_id, first(&o)->def.label,
		  fleet_step_number(first(&o)));
}

void fleet_ctl_atr_unlock(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, false, {}, {} };
	struct fleet_atr *a;
	int r = find_atr(f, args, &a, &o.err);

	r = r ?: fleet_plan_unlock(a, &o.change, &o.err);
	carry_out(&o, r, EVIDENCE_NOTE("unlocked", SEV_INFO, .atr_id = first(&o)->atr_id), "#%u %s was unlocked",
		  first(&o)->atr_id, first(&o)->def.label);
}

/* The words that were given, as they were */
static void put_said(struct json_object *args, char *ret, size_t size)
{
	size_t n = 0;

	ret[0] = '\0';
	json_object_object_foreach(args, name, v) {
		if (!strcmp(name, "atr") || !strcmp(name, "dry_run") || n >= size)
			continue;
		n += (size_t)snprintf(ret + n, size - n, "%s%s %s", n ? ", " : "", name, json_object_get_string(v));
	}
}

/* "member" and "prefixes": all of this member's; without any, none */
static int prefix_args(struct fleet *f, struct json_object *args, struct store_node *n, struct fleet_set *set,
		       struct akm_error *err)
{
	const char *member = ctl_str(args, "member");
	struct json_object *list = json_object_object_get(args, "prefixes");
	size_t count = list ? json_object_array_length(list) : 0;
	int r;

	if (!member)
		return list ? akm_error_set(err, -EINVAL, "member", "is missing: whose prefixes are they?") : 0;
	if (count > ADDRESSES_MAX)
		return akm_error_set(err, -EINVAL, "prefix", "are more than %d", ADDRESSES_MAX);
	r = find_provisioned(f, member, "member", n, err);
	for (size_t i = 0; !r && i < count; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));

		if (report_parse_prefix(text, strchr(text, ':') ? 16 : 4, &set->prefixes[set->n_prefixes++]) < 0)
			r = akm_error_set(err, -EINVAL, "prefix", "'%.60s' is no network like 192.168.5.0/24 or fd00:5::/64, host "
					  "bits zero", text);
	}
	set->member = n;
	return r;
}

void fleet_ctl_atr_set(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, false, {}, {} };
	struct fleet_set set = { .label = ctl_str(args, "label"), .interrupt = ctl_bool(args, "interrupt") };
	_cleanup_(store_node_free) struct store_node member = {};
	char label[AKM_NAME_LEN] = "", said[256];
	struct fleet_atr *a;
	int r = find_atr(f, args, &a, &o.err);

	if (!r) {
		memcpy(label, a->def.label, sizeof(label));
		set.settings = fleet_settings_of(&a->def);
		r = settings_args(args, &set.settings, &o.err) ?: prefix_args(f, args, &member, &set, &o.err) ?: fleet_plan_set(a, &set, &o.change, &o.err);
	}
	put_said(args, said, sizeof(said));
	carry_out(&o, r, EVIDENCE_NOTE("atr-set", SEV_INFO, .atr_id = first(&o)->atr_id), "#%u %s was changed: %s",
		  first(&o)->atr_id, label, said);
}

void fleet_ctl_atr_delete(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct order o = { f, req, args, false, {}, {} };
	struct fleet_atr *a;
	int r = find_atr(f, args, &a, &o.err);

	r = r ?: fleet_plan_delete(a, &o.change, &o.err);
	carry_out(&o, r, EVIDENCE_NOTE("atr-delete", SEV_INFO, .atr_id = first(&o)->atr_id), "#%u was deleted",
		  first(&o)->atr_id);
}

/* ---- the policy, by hand ---- */

static int find_member(const struct fleet_atr *a, const char *name, struct akm_error *err)
{
	for (size_t i = 0; i < a->plan.n_members; i++)
		if (!strcmp(a->members[i].name, name))
			return (int)i;
	return akm_error_set(err, -ENOENT, "node", "%.63s is no member of #%u", name, a->def.id);
}

/* A record like any other, which the rules are fed with: hold-downs and budgets are what they are for the rest. */
void fleet_ctl_policy_trigger(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	const char *node = ctl_str(args, "node"), *reason = ctl_str(args, "reason");
	struct fleet_atr *a = NULL;
	struct akm_error err = {};
	char who[CTL_WHO_MAX];
	int m = -1, r = find_atr(f, args, &a, &err);

	if (!r && node)
		r = m = find_member(a, node, &err);
	if (r < 0) {
		fail(req, r, &err);
		return;
	}
	ctl_who(req, who);
	evidence_add(f->c.evidence,
		     EVIDENCE_ABOUT("manual", SEV_WARNING, m < 0 ? -1 : a->members[m].index, .atr_id = a->def.id),
		     "The policy of #%u was called for by %s%s%s%s%.100s", a->def.id, who, node ? ", about " : "", node ?: "",
		     reason ? ": " : "", reason ?: "");
	ctl_ok(req, NULL);
}
