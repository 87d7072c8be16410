// SPDX-License-Identifier: GPL-2.0
/* What heartbeats and links tell: evidence for the policy, epochs. */
#include "fleet_internal.h"

#include "clock.h"
#include "log.h"

#define FORWARD_MAX 64			/* epochs at a time: a derivation each */

static int compare_epochs(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Every member that is up, and uses @number. Return: how many. */
static size_t collect_epochs(const struct fleet_atr *a, uint32_t number, uint64_t *epochs)
{
	size_t n = 0;

	for (size_t i = 0; i < a->plan.n_members; i++) {
		const struct peer *p = peers_find(a->fleet->peers, a->members[i].node);

		for (size_t k = 0; p && p->reported && k < p->heartbeat.n_atrs; k++) {
			const struct msg_atr_state *s = &p->heartbeat.atrs[k];

			if (s->atr_id != a->def.id)
				continue;
			if (s->generation == number)
				epochs[n++] = s->epoch;
			break;
		}
	}
	return n;
}

/* Without memory what was known before: with the next heartbeat. */
uint64_t fleet_epoch(const struct fleet_atr *a, size_t g)
{
	uint64_t *epochs = calloc(a->plan.n_members + 1, sizeof(*epochs)), there = a->generations[g].epoch;
	size_t n;

	if (!epochs)
		return there;
	n = collect_epochs(a, a->generations[g].number, epochs);
	qsort(epochs, n, sizeof(*epochs), compare_epochs);
	if (n && epochs[(n - 1) / 2] > there)
		there = epochs[(n - 1) / 2];
	free(epochs);
	return there;
}

/*
 * The wrapped chain follows to where half of the members are that are up: one that slept does not hold it back, one
 * that lies does not drive it on. P4
 */
static void follow_epochs(struct fleet_atr *a, uint64_t told)
{
	int current = rekey_current(&a->plan);
	uint64_t there;
	int r;

	if (current < 0 || a->plan.generations[current].state != GEN_ACTIVE || told <= a->generations[current].epoch ||
	    now_ms() < a->follow_ms)
		return;
	a->follow_ms = now_ms() + fleet_gather_ms(a);	/* half of all heartbeats come before it moves on */
	there = fleet_epoch(a, (size_t)current);
	if (there <= a->generations[current].epoch)
		return;
	a->stepped_ms = now_ms();
	if (there - a->generations[current].epoch > FORWARD_MAX)
		there = a->generations[current].epoch + FORWARD_MAX;
	r = fleet_generation_forward(a, (size_t)current, there);
	if (r < 0)
		log_err("cannot move a chain forward atr=%u error=%s", a->def.id, strerror(-r));
}

/* Further behind than the packets of the others can take it: the chain of now brings it there. */
static bool has_slept(const struct fleet_atr *a, const struct msg_atr_state *now)
{
	int current = rekey_current(&a->plan);

	return current >= 0 && now->generation == a->generations[current].number &&
	       now->epoch + 1 < a->generations[current].epoch;
}

bool fleet_watch(struct fleet_atr *a, size_t m, const struct msg_atr_state *now)
{
	struct fleet_member *member = &a->members[m];
	const struct msg_atr_state before = member->counters;
	const struct { enum policy_kind kind; uint64_t count; } grew[] = {
		{ POLICY_AUTH_FAIL, policy_delta(before.rx_auth_fail, now->rx_auth_fail) },
		{ POLICY_REPLAY, policy_delta(before.rx_replay, now->rx_replay) },
		{ POLICY_CLONE, policy_delta(before.rx_clone, now->rx_clone) },
		{ POLICY_UNKNOWN_KEY, policy_delta(before.rx_unknown_key, now->rx_unknown_key) },
		{ POLICY_EPOCH_STALE, policy_delta(before.rx_epoch_stale, now->rx_epoch_stale) },
		{ POLICY_MALFORMED, policy_delta(before.rx_malformed, now->rx_malformed) },
		{ POLICY_PREFIX, policy_delta(before.rx_prefix, now->rx_prefix) },
	};
	uint64_t span_ms = now_ms() - member->counted_ms;
	bool counted = member->counted, slept;

	member->counters = *now;
	member->counted = true;
	member->counted_ms += span_ms;
	follow_epochs(a, now->epoch);
	slept = has_slept(a, now);
	if (slept)
		a->plan.members[m].stale = true;
	if (!counted)
		return slept;		/* our first look: there is nothing to compare with */
	for (size_t i = 0; i < ARRAY_SIZE(grew); i++)	/* a rekey loads the members again: @member is gone */
		fleet_policy_count(a, m, grew[i].kind, grew[i].count, span_ms);
	fleet_policy_due(a);
	return slept;
}

/*
 * A fallback in use that no other generation follows yet: its members did what their policy says, and the ATR has none
 * that lies ready. Told once; after a restart of ours once more, if it still is so.
 */
void fleet_watch_fallback(struct fleet_atr *a)
{
	int g = rekey_current(&a->plan);
	size_t m = 0;

	if (g < 0 || !a->plan.generations[g].fallback || rekey_next(&a->plan) >= 0 || a->entered == a->generations[g].number)
		return;
	while (m < a->plan.n_members && a->plan.members[m].step[g] != STEP_ACTIVATED)
		m++;
	if (m == a->plan.n_members)
		return;
	a->entered = a->generations[g].number;
	evidence_add(a->fleet->c.evidence,
		     EVIDENCE_ABOUT("fallback-entered", SEV_ALERT, a->members[m].index, .atr_id = a->def.id),
		     "#%u %s is on its fallback, generation %u: members entered it without us, first seen at %s", a->def.id,
		     a->def.label, a->entered, a->members[m].name);
}

void fleet_tell(struct fleet *f, const uint8_t node[AKM_ID_LEN], const char *name, const struct evidence_note *note,
		const char *text)
{
	struct evidence_note each = *note;
	char word[AKM_NAME_LEN + 16];

	for (struct fleet_atr *a = f->first; a; a = a->next) {
		int m = fleet_member_of(a, node);

		if (m < 0)
			continue;
		snprintf(word, sizeof(word), "%s #%u", name, a->def.id);
		each.atr_id = a->def.id;
		each.member = a->members[m].index;
		each.limit = word;
		evidence_add(f->c.evidence, &each, "%s", text);
	}
	each.limit = name;
	if (!each.atr_id)
		evidence_add(f->c.evidence, &each, "%s", text);
}

void fleet_peer_two_places(struct fleet *f, struct peer *p, const char *where)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "%s is in two places: %s", p->name, where);
	fleet_tell(f, p->id, p->name, EVIDENCE_NOTE("two-places", SEV_ALERT), text);
}
