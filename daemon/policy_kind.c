// SPDX-License-Identifier: GPL-2.0
/* The policy's words, and what each kind of evidence may cost. */
#include "../include/akm-policy.h"

#include <string.h>

struct kind {
	const char *name;
	enum policy_origin origin;
	enum policy_severity severity;	/* of what heartbeats count; records have their own */
	bool of_atr, counted, index;
};

/*
 * Origin, for a new kind: who can make this record appear? A group key proves that some member sent a packet, not
 * which one: what packets prove is MEMBER at best (security.rst, "What a group key cannot promise").
 */
static const struct kind kinds[] = {
	[POLICY_AUTH_FAIL] = { "auth-fail", POLICY_WIRE, POLICY_WARNING, true, true, false },
	[POLICY_REPLAY] = { "replay", POLICY_WIRE, POLICY_WARNING, true, true, false },
	[POLICY_CLONE] = { "clone", POLICY_MEMBER, POLICY_ALERT, true, true, false },
	[POLICY_UNKNOWN_KEY] = { "unknown-key", POLICY_WIRE, POLICY_WARNING, true, true, false },
	[POLICY_EPOCH_STALE] = { "epoch-stale", POLICY_WIRE, POLICY_INFO, true, true, false },
	[POLICY_MALFORMED] = { "malformed", POLICY_WIRE, POLICY_WARNING, true, true, false },
	[POLICY_PREFIX] = { "prefix", POLICY_MEMBER, POLICY_ALERT, true, true, false },
	[POLICY_EPOCH_REFUSED] = { "epoch-refused", POLICY_WIRE, POLICY_ALERT, true, false, false },
	[POLICY_FLAPPING] = { "flapping", POLICY_WIRE, POLICY_WARNING, true, false, false },
	[POLICY_LINK_PSK] = { "link-psk", POLICY_WIRE, POLICY_ALERT, false, false, false },
	[POLICY_LINK_UNKNOWN] = { "link-unknown", POLICY_WIRE, POLICY_WARNING, false, false, false },
	[POLICY_LINK_STALE] = { "link-stale", POLICY_WIRE, POLICY_WARNING, false, false, false },
	[POLICY_LINK_PROTOCOL] = { "link-protocol", POLICY_WIRE, POLICY_WARNING, false, false, false },
	[POLICY_LINK_LIMIT] = { "link-limit", POLICY_WIRE, POLICY_WARNING, false, false, false },
	[POLICY_HEARTBEAT_MISSED] = { "heartbeat-missed", POLICY_WIRE, POLICY_WARNING, false, false, false },
	[POLICY_HARDWARE_MISMATCH] = { "hardware-mismatch", POLICY_SELF, POLICY_ALERT, false, false, false },
	[POLICY_SEALED_STORE] = { "sealed-store", POLICY_SELF, POLICY_ALERT, false, false, false },
	[POLICY_NODE_REFUSED] = { "node-refused", POLICY_SELF, POLICY_WARNING, true, false, true },
	[POLICY_GENERATION_AHEAD] = { "generation-ahead", POLICY_SELF, POLICY_WARNING, true, false, true },
	[POLICY_EXHAUSTED] = { "exhausted", POLICY_SELF, POLICY_ALERT, true, false, false },
	[POLICY_STATE_LOST] = { "state-lost", POLICY_SELF, POLICY_WARNING, true, false, false },
	[POLICY_FALLBACK_ENTERED] = { "fallback-entered", POLICY_MEMBER, POLICY_ALERT, true, false, true },
	/* Recorded by the manager, of what came over the node's own link, or did not while that was alive. */
	[POLICY_PCR_CHANGED] = { "pcr-changed", POLICY_SELF, POLICY_ALERT, true, false, true },
	[POLICY_QUOTE_BAD] = { "quote-bad", POLICY_SELF, POLICY_ALERT, true, false, true },
	[POLICY_QUOTE_MISSED] = { "quote-missed", POLICY_SELF, POLICY_WARNING, true, false, true },
	/* Who delays a link delays answers. */
	[POLICY_ACK_LATE] = { "ack-late", POLICY_WIRE, POLICY_WARNING, true, false, true },
	/* Who may do each of the actions anyway, by hand */
	[POLICY_MANUAL] = { "manual", POLICY_SELF, POLICY_WARNING, true, false, true },
	[POLICY_TWO_PLACES] = { "two-places", POLICY_SELF, POLICY_ALERT, true, false, true },
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == POLICY_KINDS, "a kind without a line");

static const char *const actions[] = {
	[POLICY_NOTHING] = "nothing", [POLICY_DO_ALERT] = "alert", [POLICY_DO_ROLL] = "roll",
	[POLICY_DO_FALLBACK] = "fallback",
	[POLICY_DO_REKEY] = "rekey", [POLICY_DO_ROTATE] = "rotate", [POLICY_DO_LOCKDOWN] = "lockdown",
	[POLICY_DO_QUARANTINE] = "quarantine", [POLICY_DO_EVICT] = "evict",
};

static const char *const severities[] = {
	[POLICY_INFO] = "info", [POLICY_WARNING] = "warning", [POLICY_ALERT] = "alert",
};

static bool find(const char *const *names, size_t first, size_t n, const char *name, size_t *ret)
{
	for (size_t i = first; i < n; i++) {
		if (strcmp(names[i], name))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

const char *policy_kind_name(enum policy_kind kind)
{
	return kinds[kind].name;
}

bool policy_kind_parse(const char *name, enum policy_kind *ret)
{
	for (size_t i = 0; i < POLICY_KINDS; i++) {
		if (strcmp(kinds[i].name, name))
			continue;
		*ret = (enum policy_kind)i;
		return true;
	}
	return false;
}

enum policy_origin policy_kind_origin(enum policy_kind kind)
{
	return kinds[kind].origin;
}

enum policy_severity policy_kind_severity(enum policy_kind kind)
{
	return kinds[kind].severity;
}

bool policy_kind_of_atr(enum policy_kind kind)
{
	return kinds[kind].of_atr;
}

bool policy_kind_counted(enum policy_kind kind)
{
	return kinds[kind].counted;
}

bool policy_kind_index(enum policy_kind kind)
{
	return kinds[kind].index;
}

const char *policy_action_name(enum policy_action action)
{
	return actions[action];
}

bool policy_action_parse(const char *name, enum policy_action *ret)
{
	size_t i;

	if (!find(actions, POLICY_DO_ALERT, POLICY_ACTIONS, name, &i))
		return false;
	*ret = (enum policy_action)i;
	return true;
}

bool policy_action_of_member(enum policy_action action)
{
	return action == POLICY_DO_ROTATE || action >= POLICY_DO_QUARANTINE;
}

const char *policy_severity_name(enum policy_severity severity)
{
	return severities[severity];
}

bool policy_severity_parse(const char *name, enum policy_severity *ret)
{
	size_t i;

	if (!find(severities, POLICY_INFO, POLICY_ALERT + 1, name, &i))
		return false;
	*ret = (enum policy_severity)i;
	return true;
}

const char *policy_outcome_name(enum policy_outcome outcome)
{
	switch (outcome) {
	case POLICY_DUE:
		return "done";
	case POLICY_HELD:
		return "held down";
	case POLICY_OVER_BUDGET:
		return "over the rule's budget";
	case POLICY_OVER_ATR_BUDGET:
		return "over the ATR's budget";
	}
	return "?";
}

bool policy_hook_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len < POLICY_NAME_LEN && name[0] != '.' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

const char *policy_forbids(enum policy_kind kind, enum policy_action action)
{
	const struct kind *k = &kinds[kind];

	if (action == POLICY_DO_FALLBACK && k->origin == POLICY_WIRE)
		return "can be caused by anybody on the wire: it must not use up the fallback";
	if (action == POLICY_DO_ROTATE && k->origin == POLICY_WIRE)
		return "can be caused by anybody on the wire: it must not cost calls of two TPMs";
	if (action == POLICY_DO_LOCKDOWN && k->origin == POLICY_WIRE)
		return "can be caused by anybody on the wire: it must not lock what only a person unlocks";
	if (action >= POLICY_DO_QUARANTINE && k->origin == POLICY_WIRE)
		return "can be caused by anybody on the wire: it must not cost a member its place";
	if (action >= POLICY_DO_QUARANTINE && k->origin == POLICY_MEMBER)
		return "can be forged by one member in the name of another: it must not cost a member its place";
	if ((action == POLICY_DO_ROLL || action == POLICY_DO_FALLBACK || action == POLICY_DO_REKEY ||
	     action == POLICY_DO_QUARANTINE) && !k->of_atr)
		return "concerns no single ATR: alert, rotate, lockdown and evict are all there is to do";
	return NULL;
}
