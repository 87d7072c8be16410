// SPDX-License-Identifier: GPL-2.0
/* Changes of an ATR's settings: which are made while traffic goes on, and what the others take. */
#include "fleet_internal.h"

void fleet_settings_apply(const struct fleet_settings *from, struct store_atr *def)
{
	def->suite = from->suite;
	def->port = from->port;
	def->epoch_interval_ms = from->epoch_interval_ms;
	def->epoch_grace_ms = from->epoch_grace_ms;
	def->freshness = from->freshness;
	def->group = from->group;
	def->fallback = from->fallback;
}

struct fleet_settings fleet_settings_of(const struct store_atr *def)
{
	return (struct fleet_settings){
		.suite = def->suite,
		.port = def->port,
		.epoch_interval_ms = def->epoch_interval_ms,
		.epoch_grace_ms = def->epoch_grace_ms,
		.freshness = def->freshness,
		.group = def->group,
		.fallback = def->fallback,
	};
}

static bool same_group(const struct msg_group *a, const struct msg_group *b)
{
	return a->addr_len == b->addr_len && !memcmp(a->addr, b->addr, a->addr_len) && (!a->addr_len || a->ttl == b->ttl);
}

/* A kernel has one suite and one port for all generations of a device. */
static bool needs_remake(const struct store_atr *a, const struct store_atr *b)
{
	return a->suite != b->suite || a->port != b->port;
}

static bool is_same(const struct store_atr *a, const struct store_atr *b)
{
	return !needs_remake(a, b) && a->epoch_interval_ms == b->epoch_interval_ms &&
	       a->epoch_grace_ms == b->epoch_grace_ms && a->freshness == b->freshness && a->fallback == b->fallback &&
	       same_group(&a->group, &b->group) && !strcmp(a->label, b->label);
}

/*
 * What a generation is made for: "remake" is urgent, since nobody hears those who have made their device anew before
 * the others have. A kernel takes freshness for generations that it is given afterwards. And a fallback that lies
 * ready is not taken away, as one of those who are absent may have entered it: it is superseded.
 */
static const char *reason_of(const struct fleet_atr *a, const struct store_atr *to)
{
	if (needs_remake(&a->def, to))
		return "remake";
	if (a->def.freshness != to->freshness || (a->def.fallback && !to->fallback && rekey_fallback(&a->plan) >= 0))
		return "set";
	return NULL;
}

static int check_remake(const struct fleet_atr *a, const struct store_atr *to, const struct fleet_set *set,
			struct akm_error *err)
{
	if (!needs_remake(&a->def, to) || set->interrupt)
		return 0;
	return akm_error_set(err, -EBUSY, a->def.suite != to->suite ? "suite" : "port",
			     "cannot change while traffic goes on: with the word interrupt every member makes its device "
			     "anew; without interruption, create a second ATR and delete this one");
}

/* ---- prefixes of a member ---- */

static struct store_member *member_in(const struct store_atr *def, const uint8_t node[AKM_ID_LEN])
{
	for (size_t i = 0; i < def->n_members; i++)
		if (!def->members[i].removed && !memcmp(def->members[i].node, node, AKM_ID_LEN))
			return &def->members[i];
	return NULL;
}

static bool same_prefix(const struct msg_prefix *a, const struct msg_prefix *b)
{
	return a->addr_len == b->addr_len && a->prefix_len == b->prefix_len && !memcmp(a->addr, b->addr, a->addr_len);
}

static bool has_prefix(const struct msg_prefix *list, size_t n, const struct msg_prefix *p)
{
	for (size_t i = 0; i < n; i++)
		if (same_prefix(&list[i], p))
			return true;
	return false;
}

/* Where addresses of members come from, now and later */
static bool is_inside(const struct msg_prefix *p, const struct msg_prefix *subnet)
{
	if (p->addr_len != subnet->addr_len || p->prefix_len < subnet->prefix_len)
		return false;
	for (unsigned int i = 0; i < subnet->prefix_len; i++)
		if ((p->addr[i / 8] ^ subnet->addr[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static bool is_unicast(const struct msg_prefix *p)
{
	if (p->addr_len == 16)
		return !p->prefix_len || p->addr[0] != 0xff;	/* RFC 4291, section 2.4 */
	return !p->prefix_len || (p->addr[0] < 224 && p->addr[0] != 127);	/* RFC 1112, RFC 1122 */
}

static int check_prefix(const struct fleet_atr *a, const struct store_member *m, const struct msg_prefix *p,
			struct akm_error *err)
{
	if (!is_unicast(p))
		return akm_error_set(err, -EINVAL, "prefix", "multicast and loopback addresses are nobody's");
	if (is_inside(p, &a->def.subnet4) || is_inside(p, &a->def.subnet6))
		return akm_error_set(err, -EINVAL, "prefix", "is in the subnet of #%u, from which members have their addresses",
				     a->def.id);
	for (size_t i = 0; i < a->plan.n_members; i++) {
		const struct store_member *other = member_in(&a->def, a->members[i].node);

		if (other && other != m && has_prefix(other->prefixes, other->n_prefixes, p))
			return akm_error_set(err, -EEXIST, "prefix", "is that of %s: take it from there first",
					     a->members[i].name);
	}
	return 0;
}

static int check_prefixes(const struct fleet_atr *a, const struct store_member *m, const struct fleet_set *set,
			  struct akm_error *err)
{
	int r = 0;

	if (set->n_prefixes > ADDRESSES_MAX - m->n_addresses)
		return akm_error_set(err, -EINVAL, "prefix", "are more than %zu", ADDRESSES_MAX - m->n_addresses);
	for (size_t i = 0; !r && i < set->n_prefixes; i++) {
		if (has_prefix(set->prefixes, i, &set->prefixes[i]))
			return akm_error_set(err, -EINVAL, "prefix", "is given twice");
		r = check_prefix(a, m, &set->prefixes[i], err);
	}
	return r;
}

static void take_prefixes(const struct fleet_set *set, struct fleet_step *s)
{
	struct store_member *m = member_in(&s->def, set->member->id);

	for (size_t i = 0; i < m->n_prefixes; i++)
		s->narrows |= !has_prefix(set->prefixes, set->n_prefixes, &m->prefixes[i]);
	m->n_prefixes = set->n_prefixes;
	memcpy(m->prefixes, set->prefixes, sizeof(m->prefixes));
}

static bool same_prefixes(const struct store_member *m, const struct fleet_set *set)
{
	size_t same = 0;

	for (size_t i = 0; i < m->n_prefixes; i++)
		same += has_prefix(set->prefixes, set->n_prefixes, &m->prefixes[i]);
	return same == m->n_prefixes && same == set->n_prefixes;
}

/* ---- the change ---- */

int fleet_plan_set(struct fleet_atr *a, const struct fleet_set *set, struct fleet_change *c, struct akm_error *err)
{
	bool relabel = set->label && strcmp(set->label, a->def.label);
	const struct store_member *m = set->member ? member_in(&a->def, set->member->id) : NULL;
	struct fleet_step *s;
	struct store_atr to;
	int r;

	if (set->member && !m)
		return akm_error_set(err, -ENOENT, "member", "%s is not a member of #%u", set->member->name, a->def.id);
	r = fleet_lock_check(a, err) ?: m ? check_prefixes(a, m, set, err) : 0;
	if (r < 0)
		return r;
	to = a->def;			/* the members are borrowed */
	fleet_settings_apply(&set->settings, &to);
	if (relabel) {
		r = fleet_check_label(a->fleet, set->label, err);
		if (r < 0)
			return r;
		memset(to.label, 0, sizeof(to.label));
		snprintf(to.label, sizeof(to.label), "%s", set->label);
	}
	if (is_same(&a->def, &to) && (!m || same_prefixes(m, set)))
		return akm_error_set(err, -EINVAL, "settings", "are what #%u has already", a->def.id);
	c->fleet = a->fleet;
	r = check_remake(a, &to, set, err) ?: fleet_step_new(c, &to, reason_of(a, &to), &s, err);
	if (r < 0)
		return r;
	if (m)
		take_prefixes(set, s);
	s->remakes = needs_remake(&a->def, &to);
	s->regroups = !same_group(&a->def.group, &to.group);
	return 0;
}
