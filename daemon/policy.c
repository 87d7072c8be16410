// SPDX-License-Identifier: GPL-2.0
#include "policy.h"

const char *policy_kind_name(enum policy_kind kind)
{
	switch (kind) {
	case POLICY_AUTH_FAIL:
		return "auth-fail";
	case POLICY_REPLAY:
		return "replay";
	case POLICY_CLONE:
		return "clone";
	case POLICY_UNKNOWN_KEY:
		return "unknown-key";
	}
	return "?";
}

static const struct config_rule *rule_of(const struct config *c, enum policy_kind kind)
{
	switch (kind) {
	case POLICY_AUTH_FAIL:
		return &c->auth_fail;
	case POLICY_REPLAY:
		return &c->replay;
	case POLICY_CLONE:
		return &c->clone;
	case POLICY_UNKNOWN_KEY:
		return &c->unknown_key;
	}
	return NULL;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The window is between 15/16 of the rule's seconds and all of them long. Return: its sum with @count. */
static uint64_t window_add(struct policy_window *w, uint32_t seconds, uint64_t count, uint64_t now_ms)
{
	uint64_t len = (uint64_t)seconds * 1000 / POLICY_SLOTS, number, sum = 0;

	number = now_ms / (len ? len : 1);
	if (number >= w->last + POLICY_SLOTS) {
		memset(w->slot, 0, sizeof(w->slot));
		w->last = number;
	}
	while (w->last < number)
		w->slot[++w->last % POLICY_SLOTS] = 0;
	w->slot[w->last % POLICY_SLOTS] = add_saturated(w->slot[w->last % POLICY_SLOTS], count);
	for (size_t i = 0; i < POLICY_SLOTS; i++)
		sum = add_saturated(sum, w->slot[i]);
	return sum;
}

static bool hold_take(struct policy_hold *h, uint64_t base_ms, uint64_t now_ms)
{
	if (base_ms < POLICY_HOLD_MIN_MS)
		base_ms = POLICY_HOLD_MIN_MS;
	if (h->used && now_ms < h->until_ms)
		return false;
	/* A pause as long as the last hold was: it is over, start from the bottom. */
	if (h->used && now_ms - h->until_ms >= base_ms << (h->streak - 1))
		h->streak = 0;
	h->until_ms = now_ms + (base_ms << h->streak);
	if (h->streak < POLICY_STREAK_MAX)
		h->streak++;
	h->used = true;
	return true;
}

struct policy_verdict policy_feed(struct policy_atr *a, const struct config *c, enum policy_kind kind,
				  uint64_t count, uint64_t now_ms)
{
	const struct config_rule *rule = rule_of(c, kind);
	struct policy_verdict v = { .action = ACTION_NONE };

	if (!rule || !rule->count || !rule->seconds || rule->action == ACTION_NONE || !count)
		return v;
	a->unreported[kind] = add_saturated(a->unreported[kind], count);
	if (window_add(&a->window[kind], rule->seconds, count, now_ms) < rule->count)
		return v;

	v.seconds = rule->seconds;
	v.count = a->unreported[kind];
	if (rule->action == ACTION_REKEY &&
	    hold_take(&a->rekey, (uint64_t)c->hold_down_s * 1000, now_ms)) {
		v.action = ACTION_REKEY;
		a->owed = false;
	} else if (hold_take(&a->alert[kind], (uint64_t)rule->seconds * 1000, now_ms)) {
		v.action = ACTION_ALERT;
		v.held = rule->action == ACTION_REKEY;
	}
	if (rule->action == ACTION_REKEY && v.action != ACTION_REKEY) {
		a->owed = true;
		a->owed_kind = kind;
	}
	if (v.action == ACTION_NONE)
		return v;
	a->unreported[kind] = 0;
	memset(&a->window[kind].slot, 0, sizeof(a->window[kind].slot));
	return v;
}

bool policy_due(struct policy_atr *a, const struct config *c, uint64_t now_ms, enum policy_kind *ret_kind)
{
	if (!a->owed || !hold_take(&a->rekey, (uint64_t)c->hold_down_s * 1000, now_ms))
		return false;
	a->owed = false;
	*ret_kind = a->owed_kind;
	return true;
}

uint64_t policy_delta(uint64_t before, uint64_t now)
{
	return now < before ? now : now - before;
}
