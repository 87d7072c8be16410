// SPDX-License-Identifier: GPL-2.0
/*
 * By policy, the members of an ATR step to the next epoch at once: Documentation/protocol.rst, "A step by policy".
 * All that are up are told, so that it hangs on none of them; who is away is pulled along by the others.
 *
 * What is ordered here must stay within what a member that slept believes of others (protocol.rst, "Catching up": 8
 * epochs, and two for each interval that has passed). So ROLL_BURST at once, and then one in two intervals: with those
 * of the members' own timers, 8/7 in an interval at most, that always is less.
 */
#include "fleet_internal.h"

#include "clock.h"
#include "log.h"

#define ROLL_BURST	4
#define ROLL_UNTIMED_MS	(12 * 3600 * 1000)	/* the interval of an ATR that has none: 8 are believed for days */

static uint64_t period_ms(const struct fleet_atr *a)
{
	return 2ull * (a->def.epoch_interval_ms ?: ROLL_UNTIMED_MS);
}

/* Steps of before our start are not remembered: those that the generation has made are taken to have been ours. */
static void look_at_pace(struct fleet_atr *a, uint32_t generation, uint64_t epoch, uint64_t now)
{
	if (a->roll.paced == generation)
		return;
	a->roll.paced = generation;
	a->roll.spent_ms = now + (epoch < ROLL_BURST ? epoch : ROLL_BURST - 1) * period_ms(a);
}

/* Return: 0 and it is spent, or how long there will be none, in ms. */
static uint64_t spend(struct fleet_atr *a, uint64_t now)
{
	uint64_t most = now + (ROLL_BURST - 1) * period_ms(a);

	if (a->roll.spent_ms > most)
		return a->roll.spent_ms - most;
	a->roll.spent_ms = (a->roll.spent_ms > now ? a->roll.spent_ms : now) + period_ms(a);
	return 0;
}

/* ---- telling them ---- */

struct told {
	struct fleet *fleet;
	uint32_t atr_id;
	uint8_t node[AKM_ID_LEN];
};

/* No evidence against the node: it may have slept, and be too far behind for one step. The others pull it along. */
static void on_answer(void *ctx, int r, const struct akm_error *err)
{
	struct told *t = ctx;
	const struct fleet_atr *a = fleet_find(t->fleet, t->atr_id);
	int m = a ? fleet_member_of(a, t->node) : -1;

	if (r < 0 && r != -ENOTCONN && m >= 0)
		log_warning("a member did not step to the next epoch node=%s atr=%u reason=%s", a->members[m].name, t->atr_id,
			    err ? err->reason : strerror(-r));
	free(t);
}

static int tell(struct fleet_atr *a, size_t m, const struct msg_atr_roll *roll)
{
	struct peer *peer = peers_find(a->fleet->peers, a->members[m].node);
	struct msg msg = { .type = MSG_ATR_ROLL, .roll = *roll };
	struct told *t;
	int r;

	if (!peer || !peer->up || !(peer->hello.features & FEATURE_ROLL))
		return -ENOTCONN;		/* an older one would end its link: it is pulled along */
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct told){ .fleet = a->fleet, .atr_id = a->def.id };
	memcpy(t->node, a->members[m].node, AKM_ID_LEN);
	r = peer_call(peer, &msg, 0, on_answer, t);
	if (r < 0)
		free(t);
	return r;
}

static size_t tell_all(struct fleet_atr *a, size_t g, const struct msg_atr_roll *roll)
{
	size_t n = 0;

	for (size_t m = 0; m < a->plan.n_members; m++) {
		int r;

		if (!a->plan.members[m].up || a->plan.members[m].step[g] != STEP_ACTIVATED)
			continue;
		r = tell(a, m, roll);
		if (r < 0 && r != -ENOTCONN)
			log_warning("cannot tell a member to step node=%s error=%s", a->members[m].name, strerror(-r));
		n += !r;
	}
	return n;
}

/* ---- when ---- */

/* Another generation that is on its way does more than a step of this one. */
static bool is_replaced(const struct fleet_atr *a, int current)
{
	return current < 0 || a->plan.generations[current].state != GEN_ACTIVE || rekey_next(&a->plan) >= 0;
}

static void roll_now(struct fleet_atr *a)
{
	int current = rekey_current(&a->plan);
	struct msg_atr_roll roll = { .atr_id = a->def.id };
	size_t n;

	if (is_replaced(a, current))
		return;
	roll.generation = a->generations[current].number;
	roll.epoch = fleet_epoch(a, (size_t)current) + 1;
	n = tell_all(a, (size_t)current, &roll);
	evidence_add(a->fleet->c.evidence, EVIDENCE_NOTE("roll", n ? SEV_INFO : SEV_WARNING, .atr_id = a->def.id),
		     "#%u %s steps to epoch %llu of generation %u by policy (%s): %zu of %zu members were told", a->def.id,
		     a->def.label, (unsigned long long)roll.epoch, roll.generation, a->roll.why, n, a->plan.n_members);
}

uint64_t fleet_roll_due(struct fleet_atr *a, uint64_t now)
{
	if (!a->roll.at_ms)
		return REKEY_NEVER;
	if (now < a->roll.at_ms)
		return a->roll.at_ms;
	a->roll.at_ms = 0;
	roll_now(a);
	return REKEY_NEVER;
}

/*
 * What is under way in the epoch before the present one is received for its grace period, but not after another step:
 * no packet is lost (P9) if that waits.
 */
static uint64_t calm_ms(const struct fleet_atr *a, uint64_t now)
{
	uint64_t calm = a->stepped_ms ? a->stepped_ms + a->def.epoch_grace_ms : 0;

	return calm > now ? calm : now;
}

int fleet_roll(struct fleet_atr *a, const char *why, struct akm_error *err)
{
	int current = rekey_current(&a->plan);
	uint64_t now = now_ms(), wait;

	if (current < 0)
		return akm_error_set(err, -ENOENT, "generation", "none is in use");
	if (a->roll.at_ms || is_replaced(a, current))
		return 0;			/* it is about to happen, or something that does more */
	look_at_pace(a, a->generations[current].number, fleet_epoch(a, (size_t)current), now);
	wait = spend(a, now);
	if (wait)
		return akm_error_set(err, -EAGAIN, "epoch", "who is away would not believe that others are further ahead: none "
				     "for %llu s; a rekey is not bound by that", (unsigned long long)(wait + 999) / 1000);
	a->roll.at_ms = calm_ms(a, now);
	snprintf(a->roll.why, sizeof(a->roll.why), "%s", why);
	fleet_kick_soon(a, a->roll.at_ms - now);
	return 0;
}
