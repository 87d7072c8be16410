// SPDX-License-Identifier: GPL-2.0
/* What a change of ATRs and nodes consists of. Nothing here does it: it can be shown, or carried out. */
#include "fleet_internal.h"

#include <linux/akm.h>
#include <openssl/sha.h>

#include "clock.h"
#include "wire.h"

/* ---- overlay addresses ---- */

/* The first address of @subnet plus @add */
static void address_at(const struct msg_prefix *subnet, uint32_t add, struct msg_prefix *ret)
{
	*ret = *subnet;
	for (size_t i = subnet->addr_len; i-- > 0 && add;) {
		add += ret->addr[i];
		ret->addr[i] = (uint8_t)add;
		add >>= 8;
	}
}

/* How many members fit: all addresses but the first and (IPv4) the last */
static uint64_t room(const struct msg_prefix *subnet)
{
	unsigned int bits = subnet->addr_len * 8u - subnet->prefix_len;

	if (bits >= 32)
		return UINT32_MAX;
	return bits < 2 ? 0 : (1ull << bits) - 2;
}

static int give_address(struct store_member *m, const struct msg_prefix *subnet, const char *field,
			struct akm_error *err)
{
	if (!subnet->addr_len)
		return 0;
	if (m->index >= room(subnet))
		return akm_error_set(err, -ENOSPC, field, "has no address left: %llu members fit",
				     (unsigned long long)room(subnet));
	address_at(subnet, 1 + (uint32_t)m->index, &m->addresses[m->n_addresses++]);
	return 0;
}

int fleet_give_addresses(const struct store_atr *def, struct store_member *m, struct akm_error *err)
{
	return give_address(m, &def->subnet4, "subnet4", err) ?: give_address(m, &def->subnet6, "subnet6", err);
}

/* Appends a member with an index that was never used in this ATR. */
static int append_member(struct store_atr *def, const struct store_node *n, struct akm_error *err)
{
	struct store_member *more, *m;
	uint32_t index = 0;
	int r;

	for (size_t i = 0; i < def->n_members; i++)
		if (def->members[i].index >= index)
			index = def->members[i].index + 1u;
	if (index > AKM_INDEX_MAX || def->n_members >= MEMBERS_MAX)
		return akm_error_set(err, -ENOSPC, "members", "the ATR has had as many members as it can");
	more = realloc(def->members, (def->n_members + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	def->members = more;
	m = &more[def->n_members];
	memset(m, 0, sizeof(*m));
	m->index = (uint16_t)index;
	memcpy(m->node, n->id, AKM_ID_LEN);
	r = fleet_give_addresses(def, m, err);
	if (!r)
		def->n_members++;
	return r;
}

/* 10.77.<id>.0/24, or for many members 10.<128 + id mod 64>.0.0/16; fd77:<32 bits of the label>:<id>::/64 */
static void default_subnets(struct store_atr *def, size_t n_members)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (!def->subnet4.addr_len && n_members <= 200)
		def->subnet4 = (struct msg_prefix){ { 10, 77, (uint8_t)def->id }, 4, 24 };
	else if (!def->subnet4.addr_len)
		def->subnet4 = (struct msg_prefix){ { 10, (uint8_t)(128 + def->id % 64) }, 4, 16 };
	if (def->subnet6.addr_len)
		return;
	SHA256((const uint8_t *)def->label, strlen(def->label), digest);
	def->subnet6 = (struct msg_prefix){ { 0xfd, 0x77, digest[0], digest[1], digest[2], digest[3],
					      (uint8_t)(def->id >> 8), (uint8_t)def->id }, 16, 64 };
}

/* ---- what a change consists of ---- */

void fleet_change_free(struct fleet_change *c)
{
	for (size_t i = 0; i < c->n; i++)
		store_atr_free(&c->steps[i].def);
	free(c->steps);
	memset(c, 0, sizeof(*c));
}

int fleet_step_new(struct fleet_change *c, const struct store_atr *def, const char *reason, struct fleet_step **ret,
		   struct akm_error *err)
{
	struct fleet_step *more, *s;
	int r;

	if (reason && def->last_generation == UINT32_MAX)
		return akm_error_set(err, -ERANGE, "generation", "#%u %s has used up its numbers", def->id, def->label);
	more = realloc(c->steps, (c->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->steps = more;
	s = &more[c->n];
	*s = (struct fleet_step){ .atr_id = def->id, .reason = reason };
	r = fleet_atr_copy(def, &s->def);
	if (r < 0)
		return r;
	c->n++;
	*ret = s;
	return 0;
}

int fleet_plan_rekey(struct fleet_atr *a, const char *reason, struct fleet_change *c, struct akm_error *err)
{
	struct fleet_step *s;

	c->fleet = a->fleet;
	return fleet_step_new(c, &a->def, reason, &s, err);
}

int fleet_plan_add(struct fleet_atr *a, const struct store_node *n, struct fleet_change *c, struct akm_error *err)
{
	struct fleet_step *s;
	int r;

	if (fleet_member_of(a, n->id) >= 0)
		return akm_error_set(err, -EEXIST, "node", "%s is a member of #%u already", n->name, a->def.id);
	c->fleet = a->fleet;
	c->node = *n;
	r = fleet_lock_check(a, err) ?: fleet_step_new(c, &a->def, "add", &s, err) ?: append_member(&s->def, n, err);
	if (!r)
		s->joins = true;
	return r;
}

static int plan_leave(struct fleet_atr *a, const struct store_node *n, const char *reason, struct fleet_change *c,
		      struct akm_error *err)
{
	struct fleet_step *s;
	int r = fleet_step_new(c, &a->def, reason, &s, err);

	if (r < 0)
		return r;
	s->leaves = true;
	for (size_t i = 0; i < s->def.n_members; i++)
		if (!memcmp(s->def.members[i].node, n->id, AKM_ID_LEN))
			s->def.members[i].removed = true;
	return 0;
}

int fleet_plan_remove(struct fleet_atr *a, const struct store_node *n, struct fleet_change *c, struct akm_error *err)
{
	if (fleet_member_of(a, n->id) < 0)
		return akm_error_set(err, -ENOENT, "node", "%s is not a member of #%u", n->name, a->def.id);
	c->fleet = a->fleet;
	c->node = *n;
	return plan_leave(a, n, "remove", c, err);
}

int fleet_plan_move(struct fleet_atr *from, struct fleet_atr *to, const struct store_node *n, struct fleet_change *c,
		    struct akm_error *err)
{
	if (from == to)
		return akm_error_set(err, -EINVAL, "to", "#%u is where it comes from", to->def.id);
	return fleet_plan_remove(from, n, c, err) ?: fleet_plan_add(to, n, c, err);
}

int fleet_plan_evict(struct fleet *f, const struct store_node *n, struct fleet_change *c, struct akm_error *err)
{
	int r = 0;

	c->fleet = f;
	c->node = *n;
	c->node.state = NODE_EVICTED;
	c->node.since_ms = wall_ms();
	c->puts_node = true;
	for (struct fleet_atr *a = f->first; !r && a; a = a->next)
		if (fleet_member_of(a, n->id) >= 0)
			r = plan_leave(a, n, "evict", c, err);
	return r;
}

/* The name is in each definition; the provisioning ATR, its ID and its label stay what they are. */
int fleet_plan_rename(struct fleet *f, const struct store_node *n, const char *name, struct fleet_change *c,
		      struct akm_error *err)
{
	_cleanup_(store_node_free) struct store_node other = {};
	struct fleet_step *s;
	int r;

	if (!wire_name_ok(name, strlen(name)))
		return akm_error_set(err, -EINVAL, "name", "must be 1 … 63 of A-Z a-z 0-9 . _ -");
	if (!strcmp(name, f->c.config->name))
		return akm_error_set(err, -EINVAL, "name", "is our own");
	r = store_node_by_name(f->c.store, name, &other);
	if (!r && other.state != NODE_EVICTED)
		return akm_error_set(err, -EEXIST, "name", "%s is the name of %s", name,
				     memcmp(other.id, n->id, AKM_ID_LEN) ? "another node" : "this node already");
	if (r < 0 && r != -ENOENT)
		return akm_error_set(err, r, "database", "%s", store_strerror(f->c.store));
	c->fleet = f;
	c->node = *n;
	c->puts_node = true;
	memcpy(c->before, n->name, sizeof(c->before));
	snprintf(c->node.name, sizeof(c->node.name), "%s", name);
	r = 0;
	for (struct fleet_atr *a = f->first; !r && a; a = a->next)
		if (fleet_member_of(a, n->id) >= 0)
			r = fleet_step_new(c, &a->def, NULL, &s, err);
	return r;
}

/* ---- an ATR begins and ends ---- */

static int find_unused(const struct store_atr *a, void *ctx)
{
	uint32_t *id = ctx;

	if (a->id == *id)
		(*id)++;			/* in ascending order, deleted ones included */
	return 0;
}

static int pick_id(struct fleet *f, uint32_t wanted, uint32_t *ret, struct akm_error *err)
{
	_cleanup_(store_atr_free) struct store_atr used = {};
	uint32_t id = 1;
	int r;

	if (wanted) {
		r = store_atr_get(f->c.store, wanted, &used);
		if (!r)
			return akm_error_set(err, -EEXIST, "id", "#%u %s", wanted,
					     used.deleted ? "was used before: numbers are not used again" : "exists");
		*ret = wanted;
		return r == -ENOENT ? 0 : r;
	}
	r = store_atr_each(f->c.store, find_unused, &id);
	*ret = id;
	return r;
}

static bool label_used(const struct fleet *f, const char *label)
{
	for (const struct fleet_atr *a = f->first; a; a = a->next)
		if (!strcmp(a->def.label, label))
			return true;
	return false;
}

int fleet_check_label(const struct fleet *f, const char *label, struct akm_error *err)
{
	if (!wire_name_ok(label, strlen(label)))
		return akm_error_set(err, -EINVAL, "label", "must be 1 … 63 of A-Z a-z 0-9 . _ -");
	if (strspn(label, "0123456789") == strlen(label))
		return akm_error_set(err, -EINVAL, "label", "is a number: it could be taken for an ID");
	if (label_used(f, label))
		return akm_error_set(err, -EEXIST, "label", "%s exists", label);
	return 0;
}

static int pick_label(struct fleet *f, const struct fleet_create *c, struct store_atr *def, struct akm_error *err)
{
	size_t len = 0;

	if (c->label) {
		snprintf(def->label, sizeof(def->label), "%s", c->label);
		return fleet_check_label(f, c->label, err);
	}
	for (size_t i = 0; i < c->n_members && len < sizeof(def->label); i++)
		len += (size_t)snprintf(def->label + len, sizeof(def->label) - len, "%s%s", i ? "-" : "",
					c->members[i].name);
	if (len >= sizeof(def->label) || label_used(f, def->label))
		snprintf(def->label, sizeof(def->label), "ATR-%u", def->id);
	return 0;
}

static int define(struct fleet *f, const struct fleet_create *c, struct store_atr *def, struct akm_error *err)
{
	int r;

	fleet_settings_apply(&c->settings, def);
	def->subnet4 = c->subnet4;
	def->subnet6 = c->subnet6;
	r = pick_id(f, c->id, &def->id, err) ?: pick_label(f, c, def, err);
	if (r < 0)
		return r;
	default_subnets(def, c->n_members);
	for (size_t i = 0; !r && i < c->n_members; i++)
		r = append_member(def, &c->members[i], err);
	return r;
}

int fleet_plan_create(struct fleet *f, const struct fleet_create *create, struct fleet_change *c, struct akm_error *err)
{
	_cleanup_(store_atr_free) struct store_atr def = {};
	struct fleet_step *s;
	int r;

	c->fleet = f;
	r = fleet_lock_check_new(f, err) ?: define(f, create, &def, err) ?: fleet_step_new(c, &def, "create", &s, err);
	if (!r)
		s->creates = true;
	return r;
}

int fleet_plan_delete(struct fleet_atr *a, struct fleet_change *c, struct akm_error *err)
{
	struct fleet_step *s;
	int r;

	c->fleet = a->fleet;
	r = fleet_step_new(c, &a->def, NULL, &s, err);
	if (r < 0)
		return r;
	s->ends = true;
	s->def.deleted = true;
	for (size_t i = 0; i < s->def.n_members; i++)
		s->def.members[i].removed = true;
	return 0;
}
