// SPDX-License-Identifier: GPL-2.0
/* A change that is not made yet, for people: what fleet_apply() would do, to whom, and what it costs. */
#include "fleet_internal.h"

#include "report.h"

static bool is_reachable(struct fleet *f, const uint8_t node[AKM_ID_LEN])
{
	const struct peer *p = peers_find(f->peers, node);

	return p && p->up && p->reported;
}

struct audience { struct json_object *now, *later; };

static int add_to(const struct fleet_change *c, const uint8_t node[AKM_ID_LEN], struct audience *to)
{
	_cleanup_(store_node_free) struct store_node n = {};
	int r;

	if (c->by.name[0] && !memcmp(node, c->by.id, AKM_ID_LEN)) {	/* who is not provisioned yet */
		json_object_array_add(to->later, json_object_new_string(c->by.name));
		return 0;
	}
	r = store_node_get(c->fleet->c.store, node, &n);
	if (!r)
		json_object_array_add(is_reachable(c->fleet, node) ? to->now : to->later, json_object_new_string(n.name));
	return r;
}

/* Who has to do something: the members that are to be, all that are in one that ends, and whoever leaves. */
static int find_audience(const struct fleet_change *c, const struct fleet_step *s, struct audience *to)
{
	const struct fleet_atr *a = fleet_find(c->fleet, s->atr_id);
	int r = 0;

	for (size_t i = 0; !r && a && s->ends && i < a->plan.n_members; i++)
		r = add_to(c, a->members[i].node, to);
	for (size_t i = 0; !r && i < s->def.n_members; i++)
		if (!s->def.members[i].removed)
			r = add_to(c, s->def.members[i].node, to);
	return r;
}

static void put_change(const struct fleet_step *s, struct json_object *o)
{
	char text[64];

	if (s->ends)
		report_put_text(o, "change", "ends");
	else if (!s->reason)
		report_put_text(o, "change", "definition only");
	else
		report_put_text(o, "change", s->creates ? "begins" : "rekeyed");
	if (s->reason) {
		report_put_int(o, "generation", fleet_step_number(s));
		snprintf(text, sizeof(text), "%s", s->reason);
		report_put_text(o, "reason", text);
	}
	if (!s->ends)
		json_object_object_add(o, "definition", json_object_new_uint64(s->def.definition + 1));
}

static void put_interruption(const struct fleet_change *c, const struct fleet_step *s, struct json_object *o)
{
	char text[256] = "nothing";

	if (s->ends)
		snprintf(text, sizeof(text), "the ATR ends");
	else if (s->remakes)
		snprintf(text, sizeof(text), "all traffic of the ATR, from the first member that makes its device anew to the "
			 "last: about a second, if none of their TPMs is slower");
	else if (s->regroups)
		snprintf(text, sizeof(text), "packets for all members, between who is in the new group and who is not yet");
	else if (s->narrows)
		snprintf(text, sizeof(text), "what comes from, and goes to, a prefix that a member has no more");
	else if (s->leaves)
		snprintf(text, sizeof(text), "what %s sends and is sent here, and nothing else", c->node.name);
	report_put_text(o, "interrupted", text);
}

/* What whoever is absent could be made to do, by its own keys or those of others, until it hears of the change */
static void put_until(const struct fleet_change *c, const struct fleet_step *s, struct json_object *o)
{
	const struct fleet_atr *a = fleet_find(c->fleet, s->atr_id);
	int current = a ? rekey_current(&a->plan) : -1;
	uint32_t old = current < 0 ? 0 : a->generations[current].number;
	char text[256];

	if (s->creates)
		snprintf(text, sizeof(text), "nothing: it has no part in the ATR yet");
	else if (s->ends)
		snprintf(text, sizeof(text), "talk on in the ATR, with others that are absent");
	else if (s->leaves)
		snprintf(text, sizeof(text), "take what %s sends under generation %u, and send to it: nobody else does",
			 c->node.name, old);
	else if (s->remakes)
		snprintf(text, sizeof(text), "hear, under generation %u, others that are absent, and nobody else", old);
	else if (s->reason)
		snprintf(text, sizeof(text), "take what is sent by a holder of generation %u's secret, which the others erase",
			 old);
	else
		snprintf(text, sizeof(text), "go by definition %llu of this ATR, with the keys that all have",
			 (unsigned long long)s->def.definition);
	report_put_text(o, "until_return", text);
}

static int put_step(const struct fleet_change *c, const struct fleet_step *s, struct json_object *steps)
{
	struct audience to = { json_object_new_array(), json_object_new_array() };
	struct json_object *o = json_object_new_object();
	int r = find_audience(c, s, &to);

	report_put_int(o, "atr", s->atr_id);
	report_put_text(o, "label", s->def.label);
	put_change(s, o);
	if (s->leaves)
		report_put_text(o, "leaves", c->node.name);
	if (s->joins)
		report_put_text(o, "joins", fleet_change_joiner(c)->name);
	json_object_object_add(o, "now", to.now);
	json_object_object_add(o, "at_return", to.later);
	if (json_object_array_length(to.later))
		put_until(c, s, o);
	put_interruption(c, s, o);
	json_object_array_add(steps, o);
	return r;
}

static void put_node(const struct fleet_change *c, struct json_object *o)
{
	char text[2 * AKM_NAME_LEN + 64];

	if (!c->puts_node)
		return;
	if (c->by.name[0])
		snprintf(text, sizeof(text), "%s takes the place of %s, which is refused from now on", c->by.name, c->node.name);
	else if (c->node.state == NODE_EVICTED)
		snprintf(text, sizeof(text), "%s is refused from now on", c->node.name);
	else
		snprintf(text, sizeof(text), "%s is called %s", c->before, c->node.name);
	report_put_text(o, "node", text);
}

struct json_object *fleet_plan_report(const struct fleet_change *c)
{
	struct json_object *o = json_object_new_object(), *steps = json_object_new_array();
	int r = 0;

	json_object_object_add(o, "dry_run", json_object_new_boolean(true));
	put_node(c, o);
	for (size_t i = 0; !r && i < c->n; i++)
		r = put_step(c, &c->steps[i], steps);
	json_object_object_add(o, "steps", steps);
	if (!r)
		return o;
	json_object_put(o);
	return NULL;
}
