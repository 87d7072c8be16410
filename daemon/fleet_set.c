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

int fleet_plan_set(struct fleet_atr *a, const struct fleet_set *set, struct fleet_change *c, struct akm_error *err)
{
	bool relabel = set->label && strcmp(set->label, a->def.label);
	struct fleet_step *s;
	struct store_atr to;
	int r;

	to = a->def;			/* the members are borrowed */
	fleet_settings_apply(&set->settings, &to);
	if (relabel) {
		r = fleet_check_label(a->fleet, set->label, err);
		if (r < 0)
			return r;
		memset(to.label, 0, sizeof(to.label));
		snprintf(to.label, sizeof(to.label), "%s", set->label);
	}
	if (is_same(&a->def, &to))
		return akm_error_set(err, -EINVAL, "settings", "are what #%u has already", a->def.id);
	c->fleet = a->fleet;
	r = check_remake(a, &to, set, err) ?: fleet_step_new(c, &to, reason_of(a, &to), &s, err);
	if (r < 0)
		return r;
	s->remakes = needs_remake(&a->def, &to);
	s->regroups = !same_group(&a->def.group, &to.group);
	return 0;
}
