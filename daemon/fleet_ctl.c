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
static int find_atr(struct fleet *f, struct json_object *args, struct fleet_atr **ret, struct akm_error *err)
{
	const char *name = ctl_str(args, "atr"), *number = name + (name[0] == '#');
	char *end;
	unsigned long id = strtoul(number, &end, 10);
	struct fleet_atr *a = NULL;

	if (*number >= '0' && *number <= '9' && !*end && id <= UINT32_MAX)
		a = fleet_find(f, (uint32_t)id);
	for (struct fleet_atr *b = f->first; !a && b; b = b->next)
		if (!strcmp(b->def.label, name))
			a = b;
	if (!a)
		return akm_error_set(err, -ENOENT, "atr", "there is no ATR %.63s", name);
	*ret = a;
	return 0;
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

void fleet_ctl_node_evict(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	_cleanup_(store_node_free) struct store_node n = {};
	const char *reason = ctl_str(args, "reason");
	struct akm_error err = {};
	struct fleet_wait *w;
	int r;

	r = find_provisioned(f, ctl_str(args, "node"), "node", &n, &err);
	if (!r && reason && (!wire_text_ok(reason, strlen(reason)) || strlen(reason) > 200))
		r = akm_error_set(&err, -EINVAL, "reason", "must be text of at most 200 bytes");
	r = r ?: fleet_wait_new(f, req, WAIT_SETTLED, true, &w);
	if (r < 0) {
		fail(req, r, &err);
		return;
	}
	r = fleet_evict(f, &n, w, &err);
	if (r < 0) {
		fleet_wait_cancel(w);
		fail(req, r, &err);
		return;
	}
	evidence_add(f->c.evidence, EVIDENCE_NOTE("evict", SEV_WARNING), "%s was evicted%s%s", n.name,
		     reason ? ": " : "", reason ?: "");
	fleet_wait_check(f);
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

static int group_args(struct json_object *args, struct msg_group *ret, struct akm_error *err)
{
	const char *group = ctl_str(args, "group");
	int64_t ttl = 0;
	int r;

	if (!group)
		return ctl_int(args, "ttl", 0) ? akm_error_set(err, -EINVAL, "ttl", "there is no group to which this belongs") : 0;
	r = number_arg(args, "ttl", 1, UINT8_MAX, GROUP_TTL, &ttl, err);
	return r ?: report_parse_group(group, (uint8_t)ttl, ret, err);
}

static int create_args(struct fleet *f, struct json_object *args, struct fleet_create *c, struct akm_error *err)
{
	const struct config *cfg = f->c.config;
	const char *suite = ctl_str(args, "suite"), *freshness = ctl_str(args, "freshness");
	const char *fallback = ctl_str(args, "fallback");
	int64_t id = 0, port = 0, interval = 0, grace = 0;
	int r;

	c->label = ctl_str(args, "label");
	c->suite = AKM_SUITE_AES256GCM;
	c->freshness = AKM_FRESHNESS_STRICT;
	if (suite && report_parse_suite(suite, &c->suite) < 0)
		return akm_error_set(err, -EINVAL, "suite", "must be aes-256-gcm, chacha20-poly1305 or aes-128-gcm");
	if (freshness && report_parse_freshness(freshness, &c->freshness) < 0)
		return akm_error_set(err, -EINVAL, "freshness", "must be strict or epoch");
	c->fallback = fallback ? !strcmp(fallback, "armed") : cfg->fallback;
	if (fallback && !c->fallback && strcmp(fallback, "off"))
		return akm_error_set(err, -EINVAL, "fallback", "must be armed or off");
	r = number_arg(args, "id", 1, UINT32_MAX, 0, &id, err) ?:
	    number_arg(args, "port", 1, UINT16_MAX, AKM_DEFAULT_PORT, &port, err) ?:
	    number_arg(args, "epoch_interval", 1000, INT32_MAX, cfg->epoch_interval_ms, &interval, err) ?:
	    number_arg(args, "epoch_grace", 0, 3600000, cfg->epoch_grace_ms, &grace, err) ?:
	    subnet_arg(args, "subnet4", 4, &c->subnet4, err) ?:
	    subnet_arg(args, "subnet6", 16, &c->subnet6, err) ?:
	    group_args(args, &c->group, err) ?:
	    overlaps(f, &c->subnet4, "subnet4", err) ?:
	    overlaps(f, &c->subnet6, "subnet6", err);
	if (r < 0)
		return r;
	c->id = (uint32_t)id;
	c->port = (uint16_t)port;
	c->epoch_interval_ms = (uint32_t)interval;
	c->epoch_grace_ms = (uint32_t)grace;
	return 0;
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

/* Answers when the reachable members use generation @number of @a (and have erased what was before). */
static void wait_for(struct fleet *f, struct ctl_request *req, enum wait_kind kind, uint32_t atr_id, uint32_t number)
{
	struct fleet_wait *w;
	int r = fleet_wait_new(f, req, kind, false, &w);

	if (r < 0) {
		ctl_fail(req, r, NULL);
		return;
	}
	fleet_wait_add(w, atr_id, number);
	fleet_wait_check(f);
}

void fleet_ctl_atr_create(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	size_t n = json_object_array_length(json_object_object_get(args, "members"));
	struct store_node *members = calloc(n + 1, sizeof(*members));
	struct fleet_create c = {};
	struct akm_error err = {};
	struct fleet_atr *a = NULL;
	int r;

	r = members ? find_members(f, args, &c, members, &err) : -ENOMEM;
	r = r ?: create_args(f, args, &c, &err);
	r = r ?: fleet_create(f, &c, &a, &err);
	for (size_t i = 0; members && i < c.n_members; i++)
		store_node_free(&members[i]);
	free(members);
	if (r < 0) {
		fail(req, r, &err);
		return;
	}
	evidence_add(f->c.evidence, EVIDENCE_NOTE("atr-create", SEV_INFO, .atr_id = a->def.id), "#%u %s was created",
		     a->def.id, a->def.label);
	wait_for(f, req, WAIT_REACHED, a->def.id, a->def.last_generation);
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

typedef int (*change_fn)(struct fleet_atr *a, const struct store_node *n, uint32_t *ret_number, struct akm_error *err);

static void change_member(struct fleet *f, struct ctl_request *req, struct json_object *args, change_fn fn,
			  const char *kind, const char *verb)
{
	_cleanup_(store_node_free) struct store_node n = {};
	struct akm_error err = {};
	struct fleet_atr *a;
	uint32_t number;
	int r;

	r = find_atr(f, args, &a, &err);
	r = r ?: find_provisioned(f, ctl_str(args, "node"), "node", &n, &err);
	r = r ?: fn(a, &n, &number, &err);
	if (r < 0) {
		fail(req, r, &err);
		return;
	}
	evidence_add(f->c.evidence, EVIDENCE_NOTE(kind, SEV_INFO, .atr_id = a->def.id), "%s was %s #%u %s", n.name, verb,
		     a->def.id, a->def.label);
	wait_for(f, req, fn == fleet_remove ? WAIT_SETTLED : WAIT_REACHED, a->def.id, number);
}

void fleet_ctl_atr_add(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	change_member(f, req, args, fleet_add, "atr-add", "added to");
}

void fleet_ctl_atr_remove(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	change_member(f, req, args, fleet_remove, "atr-remove", "removed from");
}

void fleet_ctl_atr_rekey(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	const char *reason = ctl_str(args, "reason");
	struct akm_error err = {};
	struct fleet_atr *a;
	uint32_t number;
	int r = find_atr(f, args, &a, &err);

	if (!r && reason && (!wire_name_ok(reason, strlen(reason)) || fleet_reason_urgent(reason) ||
			     fleet_reason_fallback(reason)))
		r = akm_error_set(&err, -EINVAL, "reason",
				  "must be one word of A-Z a-z 0-9 . _ -, not evict, remove or fallback");
	r = r ?: fleet_rekey(a, reason ?: "rekey", &number);
	if (r < 0) {
		fail(req, r, &err);
		return;
	}
	evidence_add(f->c.evidence, EVIDENCE_NOTE("rekey", SEV_INFO, .atr_id = a->def.id),
		     "#%u %s moves to generation %u by command (%s)", a->def.id, a->def.label, number, reason ?: "rekey");
	wait_for(f, req, WAIT_REACHED, a->def.id, number);
}

void fleet_ctl_atr_delete(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct akm_error err = {};
	struct fleet_atr *a;
	uint32_t id;
	int r = find_atr(f, args, &a, &err);

	id = r ? 0 : a->def.id;
	r = r ?: fleet_delete(a, &err);
	if (r < 0) {
		fail(req, r, &err);
		return;
	}
	evidence_add(f->c.evidence, EVIDENCE_NOTE("atr-delete", SEV_INFO, .atr_id = id), "#%u was deleted", id);
	wait_for(f, req, WAIT_LEFT, id, 0);
}
