// SPDX-License-Identifier: GPL-2.0
#include "node_fallback.h"

/* The policy at work in one ATR */
struct judged {
	struct judged *next;
	uint32_t atr_id;
	struct policy_state *policy;
	uint32_t generation;		/* the one that evidence spoke against; 0: none did */
	uint64_t until_ms;		/* for how long that counts */
	const char *word;
};

struct node_fallback {
	const struct policy *policy;	/* the caller's */
	uint32_t away_ms;
	bool up;
	uint64_t since_ms;		/* when the manager came or went */
	struct judged *first;
};

struct node_fallback *node_fallback_new(const struct policy *policy, uint32_t away_ms, uint64_t now_ms)
{
	struct node_fallback *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	*f = (struct node_fallback){ .policy = policy, .away_ms = away_ms, .since_ms = now_ms };
	return f;
}

void node_fallback_free(struct node_fallback *f)
{
	struct judged *j;

	while (f && (j = f->first)) {
		f->first = j->next;
		policy_state_free(j->policy);
		free(j);
	}
	free(f);
}

void node_fallback_manager(struct node_fallback *f, bool up, uint64_t now_ms)
{
	f->up = up;
	f->since_ms = now_ms;
}

bool node_fallback_alone(const struct node_fallback *f)
{
	return !f->up;
}

static bool is_away(const struct node_fallback *f, uint64_t now_ms)
{
	return !f->up && now_ms >= f->since_ms + f->away_ms;
}

static struct judged *find(const struct node_fallback *f, uint32_t atr_id)
{
	struct judged *j;

	for (j = f->first; j && j->atr_id != atr_id; j = j->next)
		;
	return j;
}

static struct judged *get(struct node_fallback *f, uint32_t atr_id)
{
	struct judged *j = find(f, atr_id);

	if (j)
		return j;
	j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->atr_id = atr_id;
	j->policy = policy_state_new(f->policy, atr_id);
	if (!j->policy) {
		free(j);
		return NULL;
	}
	j->next = f->first;
	f->first = j;
	return j;
}

/* What the kernel notices, in the policy's words. The engine knows which of it who can cause. */
static bool kind_of(uint32_t event, enum policy_kind *ret)
{
	static const struct { uint32_t event; enum policy_kind kind; } kinds[] = {
		{ AKM_EVENT_AUTH_FAIL, POLICY_AUTH_FAIL }, { AKM_EVENT_REPLAY, POLICY_REPLAY },
		{ AKM_EVENT_UNKNOWN_KEY, POLICY_UNKNOWN_KEY }, { AKM_EVENT_EPOCH_STALE, POLICY_EPOCH_STALE },
		{ AKM_EVENT_MALFORMED, POLICY_MALFORMED },
		{ AKM_EVENT_PREFIX, POLICY_PREFIX }, { AKM_EVENT_EPOCH_REFUSED, POLICY_EPOCH_REFUSED },
		{ AKM_EVENT_EXHAUSTED, POLICY_EXHAUSTED }, { AKM_EVENT_CLONE, POLICY_CLONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].event != event)
			continue;
		*ret = kinds[i].kind;
		return true;
	}
	return false;
}

static const struct node_generation *active(const struct node_atr *a)
{
	for (size_t i = 0; i < a->n_generations; i++)
		if (a->generations[i].active)
			return &a->generations[i];
	return NULL;
}

static const struct node_generation *armed(const struct node_atr *a, uint32_t above)
{
	for (size_t i = 0; i < a->n_generations; i++)
		if (a->generations[i].armed && !a->generations[i].active && a->generations[i].number > above)
			return &a->generations[i];
	return NULL;
}

static void on_decision(const struct policy_decision *d, void *ctx)
{
	enum node_fallback_verdict *verdict = ctx;

	if (d->action == POLICY_DO_FALLBACK && d->outcome == POLICY_DUE)
		*verdict = NODE_FALLBACK_WANTED;
	else if (d->alert && *verdict == NODE_FALLBACK_NOTHING)
		*verdict = NODE_FALLBACK_ALERT;
}

enum node_fallback_verdict node_fallback_event(struct node_fallback *f, const struct node_atr *a,
					       const struct nl_event *e, struct policy_time now, const char **ret_word)
{
	enum node_fallback_verdict verdict = NODE_FALLBACK_NOTHING;
	struct policy_evidence evidence = { .subject = "", .count = 1 + (uint64_t)e->suppressed };
	const struct node_generation *g = active(a);
	struct judged *j;

	/* Of a generation that is left already it says nothing new. */
	if (!kind_of(e->type, &evidence.kind) || (e->generation && g && e->generation != g->number))
		return NODE_FALLBACK_NOTHING;
	j = get(f, a->def.atr_id);
	if (!j)
		return NODE_FALLBACK_NOTHING;	/* no memory: the record and the manager are there still */
	evidence.severity = policy_kind_severity(evidence.kind);
	policy_feed(j->policy, &evidence, now, on_decision, &verdict);
	*ret_word = policy_kind_name(evidence.kind);
	if (verdict == NODE_FALLBACK_WANTED) {
		j->generation = g ? g->number : 0;
		j->until_ms = now.ms + NODE_FALLBACK_EVIDENCE_MS;
		j->word = *ret_word;
	}
	return verdict;
}

uint32_t node_fallback_due(struct node_fallback *f, const struct node_atr *a, uint64_t now_ms, const char **ret_word)
{
	const struct node_generation *g = active(a), *to = g ? armed(a, g->number) : NULL;
	struct judged *j = find(f, a->def.atr_id);

	if (!j || !j->generation)
		return 0;
	/* There is another generation by now, or the manager has seen no need for one. */
	if (!g || g->number != j->generation || now_ms >= j->until_ms) {
		j->generation = 0;
		return 0;
	}
	*ret_word = j->word;
	return is_away(f, now_ms) && to ? to->number : 0;
}

uint64_t node_fallback_wake_ms(const struct node_fallback *f, uint64_t now_ms)
{
	uint64_t at = f->since_ms + f->away_ms;

	if (f->up || now_ms >= at)
		return UINT64_MAX;
	for (const struct judged *j = f->first; j; j = j->next)
		if (j->generation && at < j->until_ms)
			return at;
	return UINT64_MAX;
}

bool node_fallback_follows(const struct node_fallback *f, const struct node_atr *a, uint32_t generation,
			   uint64_t now_ms)
{
	const struct node_generation *g = active(a);

	for (size_t i = 0; g && i < a->n_generations; i++)
		if (a->generations[i].number == generation && generation > g->number)
			return a->generations[i].armed || is_away(f, now_ms);
	return false;
}
