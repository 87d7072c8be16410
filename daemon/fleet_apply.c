// SPDX-License-Identifier: GPL-2.0
/* Changes of ATRs and nodes, done as they were planned: all of one in one transaction. */
#include "fleet_internal.h"

#include "clock.h"
#include "fence.h"
#include "log.h"

/* A joiner must never be given what was before it. P5 */
static int bar_from_older(struct fleet_atr *a, const uint8_t node[AKM_ID_LEN])
{
	int r = 0;

	for (size_t i = 0; !r && i < a->plan.n_generations; i++)
		r = store_step_set(a->fleet->c.store, a->def.id, a->generations[i].number, node, STEP_RETIRED);
	return r;
}

static int in_transaction(struct store *s, int r)
{
	r = r ?: store_commit(s);
	if (r < 0)
		store_rollback(s);
	return r;
}

/* The database has it: memory follows. */
void fleet_adopt(struct fleet_atr *a, struct store_atr *def)
{
	struct store_atr old = a->def;

	a->def = *def;
	*def = old;
	if (fleet_atr_reload(a) < 0)
		log_err("cannot reload an ATR atr=%u: restart akmd", a->def.id);
	fleet_mark_stale(a);
	fleet_kick_soon(a, 0);
}

static void changed(struct fleet *f)
{
	f->c.changed(f->c.ctx);
}

static int retire_all(struct fleet_atr *a)
{
	int r = 0;

	for (size_t i = 0; !r && i < a->plan.n_generations; i++) {
		struct store_generation g = a->generations[i];

		g.state = GEN_RETIRED;
		memset(&g.secret, 0, sizeof(g.secret));
		r = store_generation_put(a->fleet->c.store, &g);
	}
	return r;
}

/* ---- a change ---- */

uint32_t fleet_step_number(const struct fleet_step *s)
{
	return s->number ?: s->reason ? s->def.last_generation + 1 : 0;
}

static int write_step(struct fleet_change *c, struct fleet_step *s)
{
	struct store *store = c->fleet->c.store;
	struct fleet_atr *a = fleet_find(c->fleet, s->atr_id);
	int r;

	if (s->ends)
		return store_atr_put(store, &s->def) ?: retire_all(a);
	if (!s->reason) {
		s->def.definition++;
		return store_atr_put(store, &s->def);
	}
	r = fleet_generation_make(c->fleet, &s->def, s->reason, &s->number);
	return r || !s->joins || !a ? r : bar_from_older(a, fleet_change_joiner(c)->id);
}

/* Whoever is thrown out must not be let in again by older records. */
static bool throws_out(const struct fleet_change *c)
{
	bool out = c->puts_node && c->node.state == NODE_EVICTED;

	for (size_t i = 0; i < c->n; i++)
		out |= c->steps[i].leaves || c->steps[i].ends;
	return out;
}

int fleet_change_write(struct fleet_change *c)
{
	struct store *s = c->fleet->c.store;
	int r = 0;

	if (c->puts_node)
		r = store_node_put(s, &c->node);
	if (!r && c->puts_node && c->node.state == NODE_EVICTED)
		r = store_rotation_delete(s, c->node.id);
	for (size_t i = 0; !r && i < c->n; i++)
		r = write_step(c, &c->steps[i]);
	return r || !throws_out(c) ? r : fence_count(s);
}

static int write_change(struct fleet_change *c)
{
	struct store *s = c->fleet->c.store;
	int r = store_begin(s);

	return r < 0 ? r : in_transaction(s, fleet_change_write(c));
}

static void tell_to_leave(struct fleet *f, const uint8_t node[AKM_ID_LEN], uint32_t atr_id)
{
	struct peer *peer = peers_find(f->peers, node);

	if (peer && peer->up)
		fleet_tell_leave(f, peer, atr_id);
}

static void end_atr(struct fleet_atr *a)
{
	for (size_t i = 0; i < a->plan.n_members; i++)
		tell_to_leave(a->fleet, a->members[i].node, a->def.id);
	fleet_atr_detach(a);
}

static void begin_atr(struct fleet *f, struct fleet_step *s)
{
	if (fleet_atr_load(f, s->atr_id) < 0) {
		log_err("cannot serve an ATR before a restart atr=%u", s->atr_id);
		return;
	}
	fleet_mark_stale(fleet_find(f, s->atr_id));
	fleet_kick_soon(fleet_find(f, s->atr_id), 0);
}

static void take_step(struct fleet_change *c, struct fleet_step *s)
{
	struct fleet_atr *a = fleet_find(c->fleet, s->atr_id);

	if (s->creates)
		begin_atr(c->fleet, s);
	else if (s->ends)
		end_atr(a);
	else
		fleet_adopt(a, &s->def);
	if (s->leaves)
		tell_to_leave(c->fleet, c->node.id, s->atr_id);
}

static void take_node(struct fleet_change *c)
{
	struct fleet *f = c->fleet;
	struct peer *peer = peers_find(f->peers, c->node.id);

	if (c->node.state == NODE_EVICTED) {
		/* What was queued for it goes out first; then it is a stranger. */
		peers_remove(f->peers, c->node.id);
		fleet_attest_forget(f, c->node.id);
	} else if (peer) {
		memcpy(peer->name, c->node.name, sizeof(peer->name));
	}
}

void fleet_change_take(struct fleet_change *c)
{
	for (size_t i = 0; i < c->n; i++)
		take_step(c, &c->steps[i]);
	if (c->puts_node)
		take_node(c);
	changed(c->fleet);
}

int fleet_apply(struct fleet_change *c, struct akm_error *err)
{
	int r = write_change(c);

	if (r < 0)
		return akm_error_set(err, r, "database", "%s: %s", strerror(-r), store_strerror(c->fleet->c.store));
	fleet_change_take(c);
	return 0;
}

/* What policy and we ourselves decide */
static int apply_one(int r, struct fleet_change *c, uint32_t *ret_number, struct akm_error *err)
{
	r = r ?: fleet_apply(c, err);
	if (!r && c->n)
		*ret_number = c->steps[0].number;
	fleet_change_free(c);
	return r;
}

int fleet_rekey(struct fleet_atr *a, const char *reason, uint32_t *ret_number)
{
	struct fleet_change c = {};
	struct akm_error err = {};

	return apply_one(fleet_plan_rekey(a, reason, &c, &err), &c, ret_number, &err);
}

int fleet_remove(struct fleet_atr *a, const struct store_node *n, uint32_t *ret_number, struct akm_error *err)
{
	struct fleet_change c = {};

	return apply_one(fleet_plan_remove(a, n, &c, err), &c, ret_number, err);
}

int fleet_evict(struct fleet *f, const struct store_node *n, struct akm_error *err)
{
	struct fleet_change c = {};
	uint32_t number;

	return apply_one(fleet_plan_evict(f, n, &c, err), &c, &number, err);
}

/* ---- what we decide ourselves ---- */

void fleet_arm(struct fleet_atr *a)
{
	uint32_t number;
	int r;

	if (!a->def.fallback || !rekey_wants_fallback(&a->plan))
		return;
	if (now_ms() < a->arm_ms) {
		fleet_kick_soon(a, a->arm_ms - now_ms());
		return;
	}
	r = fleet_rekey(a, "fallback", &number);
	if (!r)
		return;
	log_err("cannot make a fallback atr=%u error=%s", a->def.id, strerror(-r));
	a->arm_ms = now_ms() + FLEET_STORE_RETRY_MS;
}

/*
 * What is in use is of our own making, so no manager was before us that made more: these records were set back to a
 * backup. Whom we threw out since is a member in them, and would be given the next generation (P5).
 */
static bool is_set_back(struct fleet_atr *a, size_t m, uint32_t number)
{
	int current = rekey_current(&a->plan);

	if (current < 0 || a->plan.generations[current].lost)
		return false;
	evidence_add(a->fleet->c.evidence,
		     EVIDENCE_ABOUT("generation-ahead", SEV_ALERT, a->members[m].index, .atr_id = a->def.id,
				    .limit = a->def.label),
		     "%s holds generation %u of #%u, of which %u were made: if that is true, this manager was set back to "
		     "a backup: replace it", a->members[m].name, number, a->def.id, a->def.last_generation);
	return true;
}

void fleet_outrun(struct fleet_atr *a, size_t m, uint32_t number)
{
	_cleanup_(store_atr_free) struct store_atr def = {};
	uint32_t made, had = a->def.last_generation;
	int r;

	if (is_set_back(a, m, number))
		return;
	if (number - had > FLEET_AHEAD_MAX || now_ms() < a->outrun_ms) {
		evidence_add(a->fleet->c.evidence,
			     EVIDENCE_ABOUT("generation-ahead", SEV_ALERT, a->members[m].index, .atr_id = a->def.id,
					    .limit = a->members[m].name),
			     "%s claims generation %u of #%u, of which %u were made: not believed now", a->members[m].name,
			     number, a->def.id, had);
		return;
	}
	a->outrun_ms = now_ms() + FLEET_AHEAD_MS;
	r = fleet_atr_copy(&a->def, &def) ?: store_begin(a->fleet->c.store);
	if (!r) {
		def.last_generation = number;
		r = fleet_generation_make(a->fleet, &def, "ahead", &made);
		r = r ?: fleet_generation_lost(a->fleet, a->def.id, number);
		r = in_transaction(a->fleet->c.store, r);
	}
	if (r < 0) {
		log_err("cannot go beyond a generation atr=%u generation=%u error=%s", a->def.id, number, strerror(-r));
		return;
	}
	fleet_adopt(a, &def);
	changed(a->fleet);
	evidence_add(a->fleet->c.evidence,
		     EVIDENCE_ABOUT("generation-ahead", SEV_WARNING, a->members[m].index, .atr_id = a->def.id),
		     "%s holds generation %u of #%u, of which %u were known: the records are older than the fleet. It moves "
		     "to generation %u", a->members[m].name, number, a->def.id, had, made);
}
