// SPDX-License-Identifier: GPL-2.0
#include "rekey.h"

static bool in_use(const struct rekey_generation *g)
{
	return g->state == GEN_ACTIVATING || g->state == GEN_ACTIVE;
}

static bool holds(enum store_step s)
{
	return s == STEP_PREPARED || s == STEP_ACTIVATED;
}

int rekey_current(const struct rekey_atr *a)
{
	for (size_t i = a->n_generations; i-- > 0;)
		if (in_use(&a->generations[i]))
			return (int)i;
	return -1;
}

int rekey_next(const struct rekey_atr *a)
{
	for (size_t i = a->n_generations; i-- > 0;) {
		if (in_use(&a->generations[i]))
			return -1;
		if (a->generations[i].state == GEN_PREPARING && !a->generations[i].fallback)
			return (int)i;
	}
	return -1;
}

int rekey_fallback(const struct rekey_atr *a)
{
	for (size_t i = a->n_generations; i-- > 0;) {
		if (in_use(&a->generations[i]))
			return -1;
		if (a->generations[i].state == GEN_PREPARING && a->generations[i].fallback)
			return (int)i;
	}
	return -1;
}

static void wake_at(struct rekey_plan *plan, uint64_t ms)
{
	if (ms < plan->wake_ms)
		plan->wake_ms = ms;
}

static void add(struct rekey_plan *plan, struct rekey_action action)
{
	if (plan->n < plan->max)
		plan->actions[plan->n++] = action;
}

static bool set_state(struct rekey_plan *plan, size_t generation, enum store_gen_state state)
{
	add(plan, (struct rekey_action){ .type = REKEY_STATE, .generation = generation, .state = state });
	return true;
}

/* Has @since + @delay come? If not, it is a moment to look again. */
static bool elapsed(struct rekey_plan *plan, uint64_t since, uint64_t delay, uint64_t now)
{
	if (now >= since + delay)
		return true;
	wake_at(plan, since + delay);
	return false;
}

struct tally {
	size_t up_without, away_without, prepared, activated, up_prepared;
	uint64_t left_ms;		/* when the last of those that are away and do not use it left */
};

static struct tally count(const struct rekey_atr *a, size_t g)
{
	struct tally t = { 0 };

	for (size_t i = 0; i < a->n_members; i++) {
		const struct rekey_member *m = &a->members[i];

		if (m->step[g] == STEP_ACTIVATED)
			t.activated++;
		else if (m->step[g] == STEP_PREPARED)
			t.prepared++;
		else if (m->up)
			t.up_without++;
		else
			t.away_without++;
		if (m->up && m->step[g] == STEP_PREPARED)
			t.up_prepared++;
		if (!m->up && m->step[g] != STEP_ACTIVATED && m->away_ms > t.left_ms)
			t.left_ms = m->away_ms;
	}
	return t;
}

static uint64_t max_ms(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* One change at a time: a kernel holds few generations beside each other. */
static bool is_quiet(const struct rekey_atr *a, int current)
{
	if (current >= 0 && a->generations[current].state != GEN_ACTIVE)
		return false;
	for (int i = 0; i < current; i++)
		if (a->generations[i].state != GEN_RETIRED)
			return false;
	return true;
}

bool rekey_wants_fallback(const struct rekey_atr *a)
{
	int current = rekey_current(a);

	return current >= 0 && is_quiet(a, current) && rekey_next(a) < 0 && rekey_fallback(a) < 0 && a->n_members > 1 &&
	       !a->generations[current].lost && !a->generations[current].fallback;
}

/* Do all who send on @current hold the fallback? Who is away does, or sends nothing that the others hear. */
static bool is_everywhere(const struct rekey_atr *a, size_t current, size_t fallback)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].step[current] == STEP_ACTIVATED && !holds(a->members[i].step[fallback]))
			return false;
	return true;
}

bool rekey_armed(const struct rekey_atr *a)
{
	int current = rekey_current(a), fallback = rekey_fallback(a);

	if (current < 0 || fallback < 0)
		return false;
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].step[current] == STEP_ACTIVATED &&
		    a->members[i].armed != a->generations[fallback].number)
			return false;
	return true;
}

/* Members entered the fallback, so it is what the ATR talks with, whoever decided that. */
static bool is_entered(const struct rekey_atr *a, int fallback)
{
	for (size_t i = 0; fallback >= 0 && i < a->n_members; i++)
		if (a->members[i].step[fallback] == STEP_ACTIVATED)
			return true;
	return false;
}

/* Made, and not to be used any more. A fallback that others may have entered is received as long as what it was for. */
static bool is_superseded(const struct rekey_atr *a, size_t g, int current, int next, int fallback)
{
	if (a->generations[g].state != GEN_PREPARING || (int)g == next || (int)g == fallback)
		return false;
	return !a->generations[g].fallback || (int)g > current;
}

/* May the generation that is PREPARING be used? */
static bool may_activate(const struct rekey_atr *a, size_t next, uint64_t now, struct rekey_plan *plan)
{
	const struct rekey_generation *g = &a->generations[next];
	struct tally t = count(a, next);
	int current = rekey_current(a);

	if (a->n_members && !t.prepared && !t.activated)
		return false;			/* nobody to use it: nothing is gained */
	if (!g->urgent && !is_quiet(a, current))
		return false;
	if (t.up_without &&
	    !elapsed(plan, g->since_ms, g->urgent ? a->prepare_timeout_ms : REKEY_PATIENCE_MS, now))
		return false;
	if (t.away_without && !g->urgent &&
	    !elapsed(plan, max_ms(g->since_ms + a->prepare_timeout_ms, t.left_ms + REKEY_RETURN_MS), 0, now))
		return false;
	return true;
}

static bool is_active(const struct rekey_atr *a, size_t current, uint64_t now, struct rekey_plan *plan)
{
	const struct rekey_generation *g = &a->generations[current];
	struct tally t = count(a, current);

	if (!a->n_members)
		return true;
	if (!t.activated)
		return false;
	return !t.up_prepared ||
	       elapsed(plan, g->since_ms, g->urgent ? a->prepare_timeout_ms : REKEY_PATIENCE_MS, now);
}

static uint32_t grace_of(const struct rekey_atr *a, const struct rekey_generation *g)
{
	return g->urgent ? REKEY_URGENT_GRACE_MS : a->grace_ms;
}

/* Have all members, but those that are away, sent on @by (or newer) for long enough that older ones can be erased? */
static bool has_replaced(const struct rekey_atr *a, size_t by, uint64_t now, struct rekey_plan *plan)
{
	const struct rekey_generation *g = &a->generations[by];
	struct tally t = count(a, by);

	if (g->state != GEN_ACTIVE)
		return false;
	if (!elapsed(plan, g->since_ms, grace_of(a, g), now))
		return false;
	/* A member that still sends on the old one, but will not for long, is heard until then. */
	if (g->urgent)
		return true;
	if (t.up_without + t.up_prepared && !elapsed(plan, g->since_ms, REKEY_PATIENCE_MS, now))
		return false;
	return !t.left_ms || elapsed(plan, t.left_ms, REKEY_RETURN_MS, now);
}

static bool may_retire(const struct rekey_atr *a, size_t old, size_t current, uint64_t now, struct rekey_plan *plan)
{
	for (size_t by = old + 1; by <= current; by++)
		if (has_replaced(a, by, now, plan))
			return true;
	return false;
}

/* At most one change of state. Return: is there one? */
static bool plan_state(const struct rekey_atr *a, uint64_t now, struct rekey_plan *plan)
{
	int current = rekey_current(a), next = rekey_next(a), fallback = rekey_fallback(a);

	if (is_entered(a, fallback))
		return set_state(plan, (size_t)fallback, GEN_ACTIVATING);
	for (size_t i = 0; i < a->n_generations; i++)
		if (is_superseded(a, i, current, next, fallback))
			return set_state(plan, i, GEN_RETIRED);
	if (next >= 0 && may_activate(a, next, now, plan))
		return set_state(plan, next, GEN_ACTIVATING);
	if (current < 0)
		return false;
	if (a->generations[current].state == GEN_ACTIVATING && is_active(a, current, now, plan))
		return set_state(plan, current, GEN_ACTIVE);
	for (int i = 0; i < current; i++)
		if (a->generations[i].state != GEN_RETIRED && may_retire(a, (size_t)i, (size_t)current, now, plan))
			return set_state(plan, i, GEN_RETIRED);
	return false;
}

/* Numbers only grow at a member. */
static bool may_prepare(const struct rekey_atr *a, const struct rekey_member *m, size_t g)
{
	if (m->step[g] != STEP_NONE)
		return false;
	for (size_t i = g + 1; i < a->n_generations; i++)
		if (holds(m->step[i]))
			return false;
	return true;
}

static bool must_retire(const struct rekey_atr *a, const struct rekey_member *m, size_t g, int current)
{
	if (a->generations[g].state != GEN_RETIRED || !holds(m->step[g]))
		return false;
	/* It keeps what it talks with until it talks with something newer. */
	return current < 0 || (int)g > current || m->step[current] == STEP_ACTIVATED;
}

static bool plan_retire(const struct rekey_atr *a, const struct rekey_member *m, size_t g_first,
			struct rekey_action *action)
{
	int current = rekey_current(a);

	for (size_t g = g_first; g < a->n_generations; g++) {
		if (must_retire(a, m, g, current)) {
			action->type = REKEY_RETIRE;
			action->generation = g;
			return true;
		}
	}
	return false;
}

/*
 * The kernel's own deadline for what is replaced. The members do not move at the same
 * instant: until the urgent end each hears those who are slower; the manager's RETIRE
 * usually comes first.
 */
static uint32_t kernel_grace(const struct rekey_atr *a, const struct rekey_generation *g, uint64_t now)
{
	uint64_t end = g->decided_ms + REKEY_URGENT_END_MS;

	if (!g->urgent)
		return a->grace_ms + 2 * REKEY_PATIENCE_MS;
	return end > now + REKEY_URGENT_GRACE_MS ? (uint32_t)(end - now) : REKEY_URGENT_GRACE_MS;
}

static bool plan_member(const struct rekey_atr *a, const struct rekey_member *m, uint64_t now,
			struct rekey_action *action)
{
	int current = rekey_current(a), next = rekey_next(a), fallback = rekey_fallback(a);

	/* What was superseded goes first: the kernel holds only so many. */
	if (plan_retire(a, m, (size_t)(current + 1), action))
		return true;
	if (current >= 0 && a->generations[current].lost)
		current = -1;			/* nothing of it can be given */
	if (current >= 0 && m->step[current] == STEP_PREPARED) {
		/* The others may have been told that whoever sends holds it. */
		if (fallback >= 0 && may_prepare(a, m, (size_t)fallback)) {
			action->type = REKEY_PREPARE;
			action->generation = (size_t)fallback;
			return true;
		}
		action->type = REKEY_ACTIVATE;
		action->generation = (size_t)current;
		action->grace_ms = kernel_grace(a, &a->generations[current], now);
		return true;
	}
	action->type = REKEY_PREPARE;
	if (next >= 0 && may_prepare(a, m, (size_t)next)) {
		action->generation = (size_t)next;
		return true;
	}
	if (current >= 0 && may_prepare(a, m, (size_t)current)) {
		action->generation = (size_t)current;
		return true;
	}
	if (plan_retire(a, m, 0, action))
		return true;
	action->generation = (size_t)current;
	return m->stale && current >= 0 && m->step[current] == STEP_ACTIVATED;
}

/* What can wait until there is nothing else to do */
static bool plan_fallback(const struct rekey_atr *a, const struct rekey_member *m, struct rekey_action *action)
{
	int current = rekey_current(a), fallback = rekey_fallback(a);

	if (current < 0 || fallback < 0 || rekey_next(a) >= 0 || m->step[current] != STEP_ACTIVATED)
		return false;
	action->generation = (size_t)fallback;
	action->type = REKEY_PREPARE;
	if (may_prepare(a, m, (size_t)fallback))
		return true;
	action->type = REKEY_ARM;
	return m->step[fallback] == STEP_PREPARED && m->armed != a->generations[fallback].number &&
	       is_everywhere(a, (size_t)current, (size_t)fallback);
}

void rekey_plan(const struct rekey_atr *a, uint64_t now_ms, struct rekey_plan *plan)
{
	plan->n = 0;
	plan->wake_ms = REKEY_NEVER;
	if (plan_state(a, now_ms, plan))
		return;
	for (size_t i = 0; i < a->n_members; i++) {
		struct rekey_action action = { .member = i };

		if (a->members[i].up && !a->members[i].busy &&
		    (plan_member(a, &a->members[i], now_ms, &action) || plan_fallback(a, &a->members[i], &action)))
			add(plan, action);
	}
}

bool rekey_reached(const struct rekey_atr *a, uint32_t number)
{
	int current = rekey_current(a);

	if (current < 0 || a->generations[current].number < number)
		return false;
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].up && a->members[i].step[current] != STEP_ACTIVATED)
			return false;
	return true;
}

bool rekey_settled(const struct rekey_atr *a)
{
	int current = rekey_current(a), fallback = rekey_fallback(a);

	for (size_t i = 0; i < a->n_generations; i++)
		if (a->generations[i].state != GEN_RETIRED && (int)i != current && (int)i != fallback)
			return false;
	if (current >= 0 && a->generations[current].state != GEN_ACTIVE)
		return false;
	for (size_t i = 0; i < a->n_members; i++) {
		struct rekey_action unused = { 0 };

		if (a->members[i].up && plan_member(a, &a->members[i], 0, &unused))
			return false;
	}
	return true;
}

bool rekey_done_with(const struct rekey_atr *a, size_t pos)
{
	if (a->generations[pos].state != GEN_RETIRED)
		return false;
	for (size_t i = 0; i < a->n_members; i++)
		if (holds(a->members[i].step[pos]) || a->members[i].busy)
			return false;		/* what is under way may bring it there */
	return true;
}

enum store_step rekey_observed(enum store_step journal, uint32_t number, uint32_t active, uint32_t pending)
{
	if (journal == STEP_RETIRED)
		return STEP_RETIRED;
	if (number == active)
		return STEP_ACTIVATED;
	if (number == pending)
		return STEP_PREPARED;
	/* Older than what it reports: it may still be received there, only the node knows. */
	if (number < active || number < pending)
		return journal;
	return STEP_NONE;
}
