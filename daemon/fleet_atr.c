// SPDX-License-Identifier: GPL-2.0
/* ATRs in memory, as the database has them. */
#include "fleet_internal.h"

#include "clock.h"

struct fleet_atr *fleet_find(struct fleet *f, uint32_t id)
{
	struct fleet_atr *a;

	for (a = f->first; a && a->def.id != id; a = a->next)
		;
	return a;
}

/* ---- which member a node is: asked with each heartbeat and answer ---- */

/* IDs are random. */
static size_t first_place(const struct fleet_index *x, const uint8_t node[AKM_ID_LEN])
{
	uint32_t h;

	memcpy(&h, node, sizeof(h));
	return h & (x->size - 1);
}

/* With at least every second place unused a search is short. */
static int index_new(const struct fleet_member *members, size_t n, struct fleet_index *ret)
{
	struct fleet_index x = { .size = 4 };

	while (x.size < 2 * n)
		x.size *= 2;
	x.place = calloc(x.size, sizeof(*x.place));
	if (!x.place)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t at = first_place(&x, members[i].node);

		while (x.place[at])
			at = (at + 1) & (x.size - 1);
		x.place[at] = (uint32_t)i + 1;
	}
	*ret = x;
	return 0;
}

int fleet_member_of(const struct fleet_atr *a, const uint8_t node[AKM_ID_LEN])
{
	const struct fleet_index *x = &a->index;

	if (!x->size)
		return -1;			/* not loaded yet */
	for (size_t at = first_place(x, node); x->place[at]; at = (at + 1) & (x->size - 1))
		if (!memcmp(a->members[x->place[at] - 1].node, node, AKM_ID_LEN))
			return (int)x->place[at] - 1;
	return -1;
}

/* ---- begin and end ---- */

static void atr_free(struct fleet_atr *a)
{
	for (size_t i = 0; i < REKEY_GENERATIONS; i++)
		store_generation_free(&a->generations[i]);
	store_atr_free(&a->def);
	policy_state_free(a->policy);
	free(a->plan.members);
	free(a->members);
	free(a->index.place);
	if (a->timer)
		event_free(a->timer);
	free(a);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	fleet_kick(arg);
}

struct fleet_atr *fleet_atr_attach(struct fleet *f, struct store_atr *def)
{
	struct fleet_atr *a = calloc(1, sizeof(*a)), **p;

	if (!a)
		return NULL;
	a->timer = evtimer_new(f->c.base, on_timer, a);
	a->policy = policy_state_new(&f->policy, def->id);
	if (!a->timer || !a->policy) {
		atr_free(a);
		return NULL;
	}
	a->fleet = f;
	a->def = *def;
	memset(def, 0, sizeof(*def));
	a->plan.prepare_timeout_ms = f->c.config->prepare_timeout_ms;
	a->plan.grace_ms = f->c.config->grace_ms;
	for (p = &f->first; *p && (*p)->def.id < a->def.id; p = &(*p)->next)
		;
	a->next = *p;
	*p = a;
	return a;
}

void fleet_atr_detach(struct fleet_atr *a)
{
	struct fleet_atr **p;

	for (p = &a->fleet->first; *p != a; p = &(*p)->next)
		;
	*p = a->next;
	atr_free(a);
}

/* ---- from the database ---- */

struct load { struct fleet_atr *a; struct rekey_atr *plan; struct store_generation *g; };

static int copy_generation(const struct store_generation *from, struct store_generation *to)
{
	*to = *from;
	return akm_blob_dup(from->secret.data, from->secret.len, &to->secret);
}

/* Of the retired ones only the newest can still be with somebody who was away. */
static int load_generation(const struct store_generation *g, void *ctx)
{
	struct load *l = ctx;
	size_t n = l->plan->n_generations;

	if (g->state == GEN_RETIRED && g->number + REKEY_GENERATIONS / 2 <= l->a->def.last_generation)
		return 0;
	if (n == REKEY_GENERATIONS) {
		store_generation_free(&l->g[0]);
		memmove(l->g, l->g + 1, (n - 1) * sizeof(*l->g));
		memmove(l->plan->generations, l->plan->generations + 1, (n - 1) * sizeof(l->plan->generations[0]));
		n--;
	}
	l->plan->generations[n] = (struct rekey_generation){
		.number = g->number, .state = g->state, .urgent = fleet_reason_urgent(g->reason),
		.fallback = fleet_reason_fallback(g->reason),
		.lost = g->state != GEN_RETIRED && !g->secret.len, .decided_ms = now_ms(), .since_ms = now_ms(),
	};
	l->plan->n_generations = n + 1;
	return copy_generation(g, &l->g[n]);
}

static int load_member(struct fleet_atr *a, const struct store_member *m, struct rekey_atr *plan,
		       struct fleet_member *members)
{
	_cleanup_(store_node_free) struct store_node node = {};
	struct fleet_member *to = &members[plan->n_members];
	struct rekey_member *r = &plan->members[plan->n_members];
	int before = fleet_member_of(a, m->node), e;

	e = store_node_get(a->fleet->c.store, m->node, &node);
	if (e < 0)
		return e;
	if (before >= 0 && a->members[before].index == m->index) {	/* what is known of it now stays */
		*to = a->members[before];
		*r = a->plan.members[before];
		memset(r->step, 0, sizeof(r->step));
	} else {
		r->away_ms = now_ms();
	}
	to->index = m->index;
	memcpy(to->node, m->node, AKM_ID_LEN);
	memcpy(to->name, node.name, sizeof(to->name));
	to->endpoint = node.endpoint;
	if (a->fleet->peers) {
		const struct peer *peer = peers_find(a->fleet->peers, m->node);

		r->up = peer && peer->up && peer->reported;
	}
	for (size_t g = 0; !e && g < plan->n_generations; g++)
		e = store_step_get(a->fleet->c.store, a->def.id, plan->generations[g].number, m->node, &r->step[g]);
	plan->n_members++;
	return e;
}

static void keep_time(const struct rekey_generation *old, struct rekey_generation *g)
{
	if (old->number != g->number)
		return;
	g->decided_ms = old->decided_ms;
	if (old->state == g->state)
		g->since_ms = old->since_ms;
}

/* The times of generations, and of states that are the same as before, go on. */
static void keep_times(const struct rekey_atr *old, struct rekey_atr *plan)
{
	for (size_t i = 0; i < plan->n_generations; i++)
		for (size_t j = 0; j < old->n_generations; j++)
			keep_time(&old->generations[j], &plan->generations[i]);
}

static void adopt(struct fleet_atr *a, struct rekey_atr *plan, struct store_generation *g,
		  struct fleet_member *members, const struct fleet_index *index)
{
	keep_times(&a->plan, plan);
	for (size_t i = 0; i < REKEY_GENERATIONS; i++) {
		store_generation_free(&a->generations[i]);
		a->generations[i] = g[i];
		memset(&g[i], 0, sizeof(g[i]));
	}
	free(a->plan.members);
	free(a->members);
	free(a->index.place);
	a->plan = *plan;
	a->members = members;
	a->index = *index;
}

int fleet_atr_reload(struct fleet_atr *a)
{
	struct store_generation g[REKEY_GENERATIONS] = {};
	struct rekey_atr plan = a->plan;
	struct load l = { a, &plan, g };
	struct fleet_member *members = calloc(a->def.n_members + 1, sizeof(*members));
	struct fleet_index index;
	int r;

	plan.n_members = plan.n_generations = 0;
	plan.members = calloc(a->def.n_members + 1, sizeof(*plan.members));
	r = !members || !plan.members ? -ENOMEM :
	    store_generation_each(a->fleet->c.store, a->def.id, load_generation, &l);
	for (size_t i = 0; !r && i < a->def.n_members; i++)
		if (!a->def.members[i].removed)
			r = load_member(a, &a->def.members[i], &plan, members);
	r = r ?: index_new(members, plan.n_members, &index);
	if (!r) {
		adopt(a, &plan, g, members, &index);
		return 0;
	}
	for (size_t i = 0; i < REKEY_GENERATIONS; i++)
		store_generation_free(&g[i]);
	free(plan.members);
	free(members);
	return r;
}

int fleet_atr_copy(const struct store_atr *from, struct store_atr *to)
{
	*to = *from;
	to->members = calloc(from->n_members + 1, sizeof(*to->members));
	if (!to->members)
		return -ENOMEM;
	memcpy(to->members, from->members, from->n_members * sizeof(*to->members));
	return 0;
}

static int load_atr(const struct store_atr *stored, void *ctx)
{
	struct fleet *f = ctx;
	struct store_atr def;
	struct fleet_atr *a;
	int r;

	if (stored->deleted)
		return 0;
	r = fleet_atr_copy(stored, &def);
	if (r < 0)
		return r;
	a = fleet_atr_attach(f, &def);
	store_atr_free(&def);
	return a ? fleet_atr_reload(a) : -ENOMEM;
}

int fleet_atr_load(struct fleet *f, uint32_t id)
{
	_cleanup_(store_atr_free) struct store_atr stored = {};

	return store_atr_get(f->c.store, id, &stored) ?: load_atr(&stored, f);
}

int fleet_atr_load_all(struct fleet *f)
{
	return store_atr_each(f->c.store, load_atr, f);
}
