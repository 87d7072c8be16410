// SPDX-License-Identifier: GPL-2.0
#include "fleet.h"

#include "clock.h"
#include "fleet_internal.h"
#include "log.h"
#include "report.h"
#include "wire.h"

struct fleet_request {			/* one under way, or answered with success */
	struct fleet_request *next;
	struct fleet *fleet;
	enum msg_type type;
	uint32_t atr_id, generation;
	uint64_t definition;
	uint64_t sent_ms, took_ms;	/* monotonic; until the answer came */
	uint8_t node[AKM_ID_LEN];
};

/* ---- ATRs in memory ---- */

struct fleet_atr *fleet_find(struct fleet *f, uint32_t id)
{
	struct fleet_atr *a;

	for (a = f->first; a && a->def.id != id; a = a->next)
		;
	return a;
}

int fleet_member_of(const struct fleet_atr *a, const uint8_t node[AKM_ID_LEN])
{
	for (size_t i = 0; i < a->plan.n_members; i++)
		if (!memcmp(a->members[i].node, node, AKM_ID_LEN))
			return (int)i;
	return -1;
}

static void atr_free(struct fleet_atr *a)
{
	for (size_t i = 0; i < REKEY_GENERATIONS; i++)
		store_generation_free(&a->generations[i]);
	store_atr_free(&a->def);
	policy_state_free(a->policy);
	free(a->plan.members);
	free(a->members);
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
		  struct fleet_member *members)
{
	keep_times(&a->plan, plan);
	for (size_t i = 0; i < REKEY_GENERATIONS; i++) {
		store_generation_free(&a->generations[i]);
		a->generations[i] = g[i];
		memset(&g[i], 0, sizeof(g[i]));
	}
	free(a->plan.members);
	free(a->members);
	a->plan = *plan;
	a->members = members;
}

int fleet_atr_reload(struct fleet_atr *a)
{
	struct store_generation g[REKEY_GENERATIONS] = {};
	struct rekey_atr plan = a->plan;
	struct load l = { a, &plan, g };
	struct fleet_member *members = calloc(a->def.n_members + 1, sizeof(*members));
	int r;

	plan.n_members = plan.n_generations = 0;
	plan.members = calloc(a->def.n_members + 1, sizeof(*plan.members));
	r = !members || !plan.members ? -ENOMEM :
	    store_generation_each(a->fleet->c.store, a->def.id, load_generation, &l);
	for (size_t i = 0; !r && i < a->def.n_members; i++)
		if (!a->def.members[i].removed)
			r = load_member(a, &a->def.members[i], &plan, members);
	if (!r) {
		adopt(a, &plan, g, members);
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

static void on_wait_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	fleet_wait_check(arg);
}

int fleet_new(const struct fleet_config *cfg, struct fleet **ret, struct akm_error *err)
{
	struct fleet *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->answered_tail = &f->answered;
	f->c = *cfg;
	f->inventory = wall_ms();
	f->wait_timer = evtimer_new(cfg->base, on_wait_timer, f);
	r = f->wait_timer ? fleet_policy_new(f, err) : -ENOMEM;
	if (!r) {
		r = store_atr_each(cfg->store, load_atr, f);
		if (r < 0)
			akm_error_set(err, r, "database", "the ATRs cannot be loaded: %s", store_strerror(cfg->store));
	}
	r = r ?: fleet_lock_load(f);
	if (r < 0) {
		fleet_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	fleet_wait_free_all(f);
	while (f->answered) {
		struct fleet_request *q = f->answered;

		f->answered = q->next;
		free(q);
	}
	while (f->first)
		fleet_atr_detach(f->first);
	while (f->leaves) {
		struct fleet_leave *l = f->leaves;

		f->leaves = l->next;
		free(l);
	}
	if (f->wait_timer)
		event_free(f->wait_timer);
	fleet_replace_free(f);
	fleet_attest_free(f);
	fleet_policy_free(f);
	free(f);
}

void fleet_set_peers(struct fleet *f, struct peers *p)
{
	f->peers = p;
}

/* ---- doing what the plan says ---- */

static int journal_state(struct fleet_atr *a, size_t g, enum store_gen_state state)
{
	struct store_generation *stored = &a->generations[g];
	struct store_generation next = *stored;
	int r;

	next.state = state;
	if (state == GEN_RETIRED)
		memset(&next.secret, 0, sizeof(next.secret));
	r = store_generation_put(a->fleet->c.store, &next);
	if (r < 0) {
		log_err("cannot journal a generation atr=%u generation=%u error=%s", a->def.id, stored->number,
			store_strerror(a->fleet->c.store));
		return r;
	}
	stored->state = state;
	if (state == GEN_RETIRED)
		akm_blob_free(&stored->secret);
	a->plan.generations[g].state = state;
	a->plan.generations[g].since_ms = now_ms();
	log_info("generation changed atr=%u generation=%u state=%d reason=%s", a->def.id, stored->number, (int)state,
		 stored->reason);
	return 0;
}

static int journal_step(struct fleet_atr *a, size_t g, size_t m, enum store_step step)
{
	int r;

	if (a->plan.members[m].step[g] == step)
		return 0;
	r = store_step_set(a->fleet->c.store, a->def.id, a->generations[g].number, a->members[m].node, step);
	if (r < 0) {
		log_err("cannot journal a step atr=%u node=%s error=%s", a->def.id, a->members[m].name,
			store_strerror(a->fleet->c.store));
		return r;
	}
	a->plan.members[m].step[g] = step;
	if (step == STEP_NONE && a->plan.members[m].armed == a->generations[g].number)
		a->plan.members[m].armed = 0;
	return 0;
}

static enum store_step step_after(enum msg_type type)
{
	return type == MSG_ATR_PREPARE ? STEP_PREPARED : type == MSG_ATR_ACTIVATE ? STEP_ACTIVATED : STEP_RETIRED;
}

static void take_success(struct fleet_atr *a, size_t m, const struct fleet_request *q)
{
	struct rekey_member *r = &a->plan.members[m];

	a->members[m].failures = 0;
	a->members[m].retry_ms = 0;
	a->members[m].failure[0] = '\0';
	if (q->type == MSG_ATR_ARM) {
		r->armed = q->generation;	/* in memory: it is said again after our restart */
		return;
	}
	if (q->type == MSG_ATR_PREPARE && q->definition == a->def.definition)
		r->stale = false;
	for (size_t g = 0; g < a->plan.n_generations; g++) {
		if (a->generations[g].number != q->generation)
			continue;
		/* An update of a generation that is in use changes no step. */
		if (q->type == MSG_ATR_PREPARE && r->step[g] != STEP_NONE)
			continue;
		if (journal_step(a, g, m, step_after(q->type)) < 0)
			a->members[m].retry_ms = now_ms() + FLEET_STORE_RETRY_MS;
	}
}

static void take_failure(struct fleet_atr *a, size_t m, const struct fleet_request *q, int r, const struct akm_error *err)
{
	struct fleet_member *f = &a->members[m];
	uint64_t delay = (uint64_t)FLEET_RETRY_MIN_MS << (f->failures < 8 ? f->failures : 8);

	f->failures++;
	f->retry_ms = now_ms() + (delay < FLEET_RETRY_MAX_MS ? delay : FLEET_RETRY_MAX_MS);
	snprintf(f->failure, sizeof(f->failure), "%.40s: %.110s", err ? err->field : "", err ? err->reason : strerror(-r));
	wire_text_clean(f->failure);		/* it may be cut in a character */
	log_warning("%s refused node=%s atr=%u generation=%u reason=%s", msg_type_name(q->type), f->name, a->def.id,
		    q->generation, f->failure);
	evidence_add(a->fleet->c.evidence,
		     EVIDENCE_ABOUT("node-refused", SEV_WARNING, f->index, .atr_id = a->def.id, .limit = f->name),
		     "%s refused to %s generation %u of #%u: %s", f->name, msg_type_name(q->type), q->generation,
		     a->def.id, f->failure);
	/* It does not have what it should: begin again with it. */
	for (size_t g = 0; r == -ENOENT && g < a->plan.n_generations; g++)
		if ((q->type == MSG_ATR_ACTIVATE || q->type == MSG_ATR_ARM) && a->generations[g].number == q->generation)
			(void)journal_step(a, g, m, STEP_NONE);	/* logged; its next heartbeat says it again */
}

/*
 * The others have gone on without it where the generation was urgent, and it heard them, but was not heard by all. Who
 * delays a link can cause this, as can a slow TPM. Of many at once the record names one.
 */
static void note_late(const struct fleet_atr *a, size_t m, const struct fleet_request *q)
{
	const struct fleet_member *f = &a->members[m];

	if (q->took_ms <= a->plan.prepare_timeout_ms)
		return;
	evidence_add(a->fleet->c.evidence,
		     EVIDENCE_ABOUT("ack-late", SEV_WARNING, f->index, .atr_id = a->def.id, .limit = a->def.label),
		     "%s took %llu ms to %s generation %u of #%u", f->name, (unsigned long long)q->took_ms,
		     msg_type_name(q->type), q->generation, a->def.id);
}

static void take_answer(struct fleet_request *q, int r, const struct akm_error *err)
{
	struct fleet_atr *a = fleet_find(q->fleet, q->atr_id);
	int m = a ? fleet_member_of(a, q->node) : -1;

	if (m < 0)
		return;
	a->members[m].in_flight = false;
	if (!r) {
		note_late(a, (size_t)m, q);
		take_success(a, (size_t)m, q);
	} else if (r != -ENOTCONN) {
		take_failure(a, (size_t)m, q, r, err);
	}
	fleet_kick_soon(a, 0);
}

/* The journal could not be written: what it has is what there is, and nobody is asked again at once. */
static void take_back(struct fleet *f)
{
	for (struct fleet_atr *a = f->first; a; a = a->next) {
		if (fleet_atr_reload(a) < 0)
			log_err("cannot reload an ATR atr=%u: restart akmd", a->def.id);
		for (size_t m = 0; m < a->plan.n_members; m++)
			a->members[m].retry_ms = now_ms() + FLEET_STORE_RETRY_MS;
	}
}

/*
 * Members that answered since the last time, in one transaction: each costs the disk a sync, and there may be
 * thousands. Where there is no transaction each step is one by itself, as it is when only one answered.
 */
static void journal_answers(struct fleet *f)
{
	bool together = f->answered && f->answered->next && !store_begin(f->c.store);
	struct fleet_request *q;

	while ((q = f->answered)) {
		f->answered = q->next;
		take_answer(q, 0, NULL);
		free(q);
	}
	f->answered_tail = &f->answered;
	if (!together || !store_commit(f->c.store))
		return;
	log_err("cannot journal the answers of members error=%s", store_strerror(f->c.store));
	take_back(f);
}

static void on_answer(void *ctx, int r, const struct akm_error *err)
{
	struct fleet_request *q = ctx;
	struct fleet_atr *a;

	if (r < 0) {
		take_answer(q, r, err);
		free(q);
		return;
	}
	q->next = NULL;
	q->took_ms = now_ms() - q->sent_ms;
	*q->fleet->answered_tail = q;
	q->fleet->answered_tail = &q->next;
	a = fleet_find(q->fleet, q->atr_id);
	if (a)
		fleet_kick_soon(a, 0);
}

static int build(struct fleet_atr *a, const struct rekey_action *action, struct msg *m)
{
	uint32_t number = a->generations[action->generation].number;

	switch (action->type) {
	case REKEY_PREPARE:
		return fleet_generation_message(a, action->generation, action->member, m);
	case REKEY_ACTIVATE:
		m->type = MSG_ATR_ACTIVATE;
		m->activate = (struct msg_atr_activate){ a->def.id, number, action->grace_ms };
		return 0;
	case REKEY_RETIRE:
		m->type = MSG_ATR_RETIRE;
		m->retire = (struct msg_atr_retire){ a->def.id, number };
		return 0;
	case REKEY_ARM:
		m->type = MSG_ATR_ARM;
		m->arm = (struct msg_atr_arm){ a->def.id, number };
		return 0;
	case REKEY_STATE:
		break;
	}
	return -EINVAL;
}

static int send_action(struct fleet_atr *a, const struct rekey_action *action)
{
	struct fleet_member *f = &a->members[action->member];
	struct peer *peer = peers_find(a->fleet->peers, f->node);
	_cleanup_msg_ struct msg m = {};
	struct fleet_request *q;
	int r;

	if (!peer)
		return -ENOTCONN;
	r = build(a, action, &m);
	if (r < 0)
		return r;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	*q = (struct fleet_request){ .fleet = a->fleet, .type = m.type, .atr_id = a->def.id,
			       .generation = a->generations[action->generation].number,
			       .definition = a->def.definition, .sent_ms = now_ms() };
	memcpy(q->node, f->node, AKM_ID_LEN);
	r = peer_call(peer, &m, 0, on_answer, q);
	if (r < 0) {
		free(q);
		return r;
	}
	f->in_flight = true;
	return 0;
}

/* Sends what there is to send, a turn's worth. Return: when to look again. */
static uint64_t send_all(struct fleet_atr *a, const struct rekey_plan *plan, uint64_t now)
{
	size_t heavy = 0;

	for (size_t i = 0; i < plan->n; i++) {
		const struct rekey_action *action = &plan->actions[i];
		int r;

		if (action->type == REKEY_PREPARE && heavy++ >= FLEET_TURN)
			return now;
		/* What was sent before frees it, and what is not sent costs nothing but this look. */
		if (action->type == REKEY_PREPARE && akm_secret_scarce())
			return now + FLEET_MEMORY_MS;
		r = send_action(a, action);
		if (r == -ENOMEM)
			return now + FLEET_MEMORY_MS;
		if (r < 0 && r != -ENOTCONN) {
			log_warning("cannot send to a node yet node=%s error=%s", a->members[action->member].name,
				    strerror(-r));
			a->members[action->member].retry_ms = now + FLEET_STORE_RETRY_MS;
		}
	}
	return REKEY_NEVER;
}

static uint64_t refresh_busy(struct fleet_atr *a, uint64_t now)
{
	uint64_t wake = REKEY_NEVER;

	for (size_t i = 0; i < a->plan.n_members; i++) {
		const struct fleet_member *m = &a->members[i];

		a->plan.members[i].busy = m->in_flight || now < m->retry_ms;
		if (a->plan.members[i].up && now < m->retry_ms && m->retry_ms < wake)
			wake = m->retry_ms;
	}
	return wake;
}

/* Endpoints changed a moment ago: tell everybody with a new version of the definition. */
static void define_if_due(struct fleet_atr *a, uint64_t now)
{
	int r;

	if (!a->define_ms || now < a->define_ms)
		return;
	a->define_ms = 0;
	a->def.definition++;
	r = store_atr_put(a->fleet->c.store, &a->def);
	if (r < 0) {
		a->def.definition--;
		log_err("cannot store a definition atr=%u error=%s", a->def.id, store_strerror(a->fleet->c.store));
		a->define_ms = now + FLEET_STORE_RETRY_MS;
		return;
	}
	fleet_mark_stale(a);
	a->fleet->c.changed(a->fleet->c.ctx);
}

/* Changes of state first, one by one, each in the journal. Return: 0, or when to try again. */
static uint64_t settle_states(struct fleet_atr *a, struct rekey_plan *plan, uint64_t now)
{
	for (;;) {
		const struct rekey_action *first = plan->actions;

		rekey_plan(&a->plan, now, plan);
		if (!plan->n || first->type != REKEY_STATE)
			return 0;
		if (journal_state(a, first->generation, first->state) < 0)
			return now + FLEET_STORE_RETRY_MS;
	}
}

static uint64_t min_ms(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void fleet_kick(struct fleet_atr *a)
{
	uint64_t now = now_ms(), wake, failed;
	struct rekey_plan plan = {};

	a->kick_ms = 0;
	if (!a->fleet->peers)
		return;
	journal_answers(a->fleet);
	fleet_arm(a);
	plan.max = a->plan.n_members + 1;
	plan.actions = calloc(plan.max, sizeof(*plan.actions));
	if (!plan.actions) {
		fleet_kick_soon(a, FLEET_STORE_RETRY_MS);
		return;
	}
	define_if_due(a, now);
	wake = refresh_busy(a, now);
	failed = settle_states(a, &plan, now);
	if (failed)
		wake = min_ms(wake, failed);
	else
		wake = min_ms(wake, min_ms(plan.wake_ms, send_all(a, &plan, now)));
	free(plan.actions);
	wake = min_ms(wake, fleet_roll_due(a, now));
	if (a->define_ms)
		wake = min_ms(wake, a->define_ms);
	if (wake != REKEY_NEVER)
		fleet_kick_soon(a, wake > now ? wake - now : 0);
	fleet_wait_check(a->fleet);
}

void fleet_kick_soon(struct fleet_atr *a, uint64_t ms)
{
	uint64_t at = now_ms() + ms;

	if (a->kick_ms && a->kick_ms <= at)
		return;
	a->kick_ms = at;
	timer_set(a->timer, ms);
}

void fleet_mark_stale(struct fleet_atr *a)
{
	for (size_t i = 0; i < a->plan.n_members; i++)
		a->plan.members[i].stale = true;
}

void fleet_define_soon(struct fleet_atr *a)
{
	if (a->define_ms)
		return;
	a->define_ms = now_ms() + FLEET_DEFINE_MS;
	fleet_kick_soon(a, FLEET_DEFINE_MS);
}

/* ---- nodes that must leave ---- */

bool fleet_leaving(const struct fleet *f, uint32_t atr_id)
{
	for (const struct fleet_leave *l = f->leaves; l; l = l->next)
		if (l->atr_id == atr_id)
			return true;
	return false;
}

static struct fleet_leave **find_leave(struct fleet *f, const uint8_t node[AKM_ID_LEN], uint32_t atr_id)
{
	struct fleet_leave **p;

	for (p = &f->leaves; *p && ((*p)->atr_id != atr_id || memcmp((*p)->node, node, AKM_ID_LEN)); p = &(*p)->next)
		;
	return p;
}

static void on_left(void *ctx, int r, const struct akm_error *err)
{
	struct fleet_request *q = ctx;
	struct fleet_leave **p = find_leave(q->fleet, q->node, q->atr_id), *l = *p;

	if (l) {
		*p = l->next;
		free(l);
	}
	/* Its next heartbeat names the ATR still, if it did not leave. */
	if (r < 0 && r != -ENOTCONN)
		log_warning("a node did not leave an ATR atr=%u reason=%s", q->atr_id, err ? err->reason : strerror(-r));
	fleet_wait_check(q->fleet);
	free(q);
}

void fleet_tell_leave(struct fleet *f, struct peer *p, uint32_t atr_id)
{
	struct msg m = { .type = MSG_ATR_DELETE, .del = { atr_id } };
	struct fleet_leave *l;
	struct fleet_request *q;

	if (*find_leave(f, p->id, atr_id))
		return;
	l = calloc(1, sizeof(*l));
	q = calloc(1, sizeof(*q));
	if (l && q) {
		*q = (struct fleet_request){ .fleet = f, .atr_id = atr_id };
		memcpy(q->node, p->id, AKM_ID_LEN);
		memcpy(l->node, p->id, AKM_ID_LEN);
		l->atr_id = atr_id;
	}
	if (!l || !q || peer_call(p, &m, 0, on_left, q) < 0) {
		free(l);
		free(q);
		return;				/* its next heartbeat brings us here again */
	}
	l->next = f->leaves;
	f->leaves = l;
}

/* ---- from the peers ---- */

static void fixed_key(const uint8_t node[AKM_ID_LEN], char ret[64])
{
	snprintf(ret, 64, "fixed-endpoint:");
	report_hex(node, AKM_ID_LEN, ret + strlen(ret));
}

bool fleet_endpoint_fixed(struct fleet *f, const uint8_t node[AKM_ID_LEN])
{
	uint64_t fixed = 0;
	char key[64];

	fixed_key(node, key);
	return !store_get_u64(f->c.store, key, &fixed) && fixed;
}

int fleet_fix_endpoint(struct fleet *f, const uint8_t node[AKM_ID_LEN])
{
	char key[64];

	fixed_key(node, key);
	return store_set_u64(f->c.store, key, 1);
}

static void take_endpoint(struct fleet *f, const struct peer *p)
{
	_cleanup_(store_node_free) struct store_node n = {};
	const struct msg_endpoint *e = &p->hello.endpoints[0];
	int r;

	if (!p->hello.n_endpoints || store_node_get(f->c.store, p->id, &n) < 0 || fleet_endpoint_fixed(f, p->id))
		return;
	if (n.endpoint.addr_len == e->addr_len && n.endpoint.port == e->port &&
	    !memcmp(n.endpoint.addr, e->addr, e->addr_len))
		return;
	n.endpoint = *e;
	r = store_node_put(f->c.store, &n);
	if (r < 0) {
		log_err("cannot store an endpoint node=%s error=%s", n.name, store_strerror(f->c.store));
		return;
	}
	for (struct fleet_atr *a = f->first; a; a = a->next) {
		int m = fleet_member_of(a, p->id);

		if (m < 0)
			continue;
		a->members[m].endpoint = *e;
		fleet_define_soon(a);
	}
}

void fleet_peer_up(struct fleet *f, struct peer *p)
{
	take_endpoint(f, p);
	fleet_attest_up(f, p);
}

void fleet_peer_quote(struct fleet *f, struct peer *p, const struct keystore_quote *q)
{
	fleet_attest_quote(f, p, q);
}

void fleet_peer_down(struct fleet *f, struct peer *p)
{
	for (struct fleet_atr *a = f->first; a; a = a->next) {
		int m = fleet_member_of(a, p->id);

		if (m < 0)
			continue;
		a->plan.members[m].up = false;
		a->plan.members[m].away_ms = now_ms();
		a->members[m].in_flight = false;
		a->members[m].retry_ms = 0;
		fleet_kick_soon(a, 0);
	}
}

static const struct msg_atr_state *state_of(const struct msg_heartbeat *h, uint32_t atr_id)
{
	for (size_t i = 0; i < h->n_atrs; i++)
		if (h->atrs[i].atr_id == atr_id)
			return &h->atrs[i];
	return NULL;
}

/* What the node has, as it says itself. Requests under way are not in it yet. */
static void observe(struct fleet_atr *a, size_t m, const struct msg_atr_state *now)
{
	struct rekey_member *r = &a->plan.members[m];
	uint32_t active = now ? now->generation : 0, pending = now ? now->pending : 0;

	if (a->members[m].in_flight)
		return;
	for (size_t g = 0; g < a->plan.n_generations; g++)
		(void)journal_step(a, g, m, rekey_observed(r->step[g], a->generations[g].number, active, pending));
}

static uint32_t newest_of(const struct msg_atr_state *s)
{
	return s->generation > s->pending ? s->generation : s->pending;
}

static void beat_atr(struct fleet_atr *a, size_t m, struct peer *p)
{
	const struct msg_atr_state *now = state_of(&p->heartbeat, a->def.id);

	if (now && newest_of(now) > a->def.last_generation)
		fleet_outrun(a, m, newest_of(now));

	observe(a, m, now);
	if (!a->plan.members[m].up) {
		a->plan.members[m].up = true;
		a->plan.members[m].stale = true;	/* it may have missed a definition */
	}
	if (now)
		fleet_watch(a, m, now);
	fleet_kick(a);
	fleet_watch_fallback(a);
}

void fleet_peer_heartbeat(struct fleet *f, struct peer *p)
{
	for (struct fleet_atr *a = f->first, *next; a; a = next) {
		int m = fleet_member_of(a, p->id);

		next = a->next;
		if (m >= 0)
			beat_atr(a, (size_t)m, p);
	}
	for (size_t i = 0; i < p->heartbeat.n_atrs; i++) {
		struct fleet_atr *a = fleet_find(f, p->heartbeat.atrs[i].atr_id);

		if (!a || fleet_member_of(a, p->id) < 0)
			fleet_tell_leave(f, p, p->heartbeat.atrs[i].atr_id);
	}
}
