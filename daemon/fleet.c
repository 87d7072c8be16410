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
		r = fleet_atr_load_all(f);
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
	fleet_kick_soon(a, fleet_gather_ms(a));
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
		fleet_kick_soon(a, fleet_gather_ms(a));
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
	uint64_t wake = REKEY_NEVER;
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
			wake = a->members[action->member].retry_ms = now + FLEET_STORE_RETRY_MS;
		}
	}
	return wake;
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
	a->fleet->c.moved(a->fleet->c.ctx);
}

/*
 * Changes of state first, one by one, each in the journal. Return: 0, or when to try again. With each that was made
 * there may be more to do than is in the plan: fleet_arm().
 */
static uint64_t settle_states(struct fleet_atr *a, struct rekey_plan *plan, uint64_t now)
{
	for (;; fleet_kick_soon(a, 0)) {
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

/*
 * A kick looks at all members. What comes from them one by one, answers and heartbeats, is gathered for so long that all
 * of it together costs what a few looks do, and not one each.
 */
uint64_t fleet_gather_ms(const struct fleet_atr *a)
{
	return a->plan.n_members / FLEET_GATHER_MEMBERS;
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
		fleet_kick_soon(a, fleet_gather_ms(a));
	}
}

static const struct msg_atr_state *state_of(const struct msg_heartbeat *h, uint32_t atr_id)
{
	for (size_t i = 0; i < h->n_atrs; i++)
		if (h->atrs[i].atr_id == atr_id)
			return &h->atrs[i];
	return NULL;
}

/* What the node has, as it says itself. Requests under way are not in it yet. Return: is that something else than was known? */
static bool observe(struct fleet_atr *a, size_t m, const struct msg_atr_state *now)
{
	struct rekey_member *r = &a->plan.members[m];
	uint32_t active = now ? now->generation : 0, pending = now ? now->pending : 0;
	bool news = false;

	if (a->members[m].in_flight)
		return false;
	for (size_t g = 0; g < a->plan.n_generations; g++) {
		enum store_step step = rekey_observed(r->step[g], a->generations[g].number, active, pending);

		if (step == r->step[g])
			continue;
		(void)journal_step(a, g, m, step);	/* logged; its next heartbeat says it again */
		news = true;
	}
	return news;
}

static uint32_t newest_of(const struct msg_atr_state *s)
{
	return s->generation > s->pending ? s->generation : s->pending;
}

static void beat_atr(struct fleet_atr *a, size_t m, struct peer *p)
{
	const struct msg_atr_state *now = state_of(&p->heartbeat, a->def.id);
	bool news;

	if (now && newest_of(now) > a->def.last_generation)
		fleet_outrun(a, m, newest_of(now));

	news = observe(a, m, now);
	if (!a->plan.members[m].up) {
		a->plan.members[m].up = true;
		a->plan.members[m].stale = true;	/* it may have missed a definition */
		news = true;
	}
	if (now)
		news |= fleet_watch(a, m, now);
	fleet_kick_soon(a, news ? fleet_gather_ms(a) : FLEET_LOOK_MS);
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
