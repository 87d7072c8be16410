// SPDX-License-Identifier: GPL-2.0
/* Nodes and ATRs in numbers, as Prometheus reads them. */
#include "fleet_internal.h"

#include "report.h"

#define ID_LEN	16

struct atr_value {
	const char *name, *type, *help;
	uint64_t (*of)(const struct fleet_atr *a);
};

static uint64_t generation_of(const struct fleet_atr *a)
{
	int g = rekey_current(&a->plan);

	return g >= 0 ? a->generations[g].number : 0;
}

static uint64_t epoch_of(const struct fleet_atr *a)
{
	int g = rekey_current(&a->plan);

	return g >= 0 ? a->generations[g].epoch : 0;
}

static uint64_t born_of(const struct fleet_atr *a)
{
	int g = rekey_current(&a->plan);

	return g >= 0 ? a->generations[g].created_ms / 1000 : 0;
}

static uint64_t members_of(const struct fleet_atr *a)
{
	return a->plan.n_members;
}

static uint64_t current_of(const struct fleet_atr *a)
{
	int g = rekey_current(&a->plan);
	uint64_t n = 0;

	for (size_t m = 0; g >= 0 && m < a->plan.n_members; m++)
		n += a->plan.members[m].up && a->plan.members[m].step[g] == STEP_ACTIVATED;
	return n;
}

static uint64_t pending_of(const struct fleet_atr *a)
{
	return strcmp(fleet_atr_state(a), "stable") != 0;
}

static const struct atr_value atr_values[] = {
	{ "akm_atr_generation", "gauge", "Number of the generation in use.", generation_of },
	{ "akm_atr_generation_timestamp_seconds", "gauge", "When that generation was made.", born_of },
	{ "akm_atr_epoch", "gauge", "Epoch that the manager's copy of the chain is at.", epoch_of },
	{ "akm_atr_members", "gauge", "Members of the ATR.", members_of },
	{ "akm_atr_members_current", "gauge", "Members that are up and use its newest generation.", current_of },
	{ "akm_atr_plan_pending", "gauge", "1 while a change is being carried out.", pending_of },
};

struct member_value {
	const char *name, *type, *help;
	const char *label, *word;	/* one more label; NULL: none */
	size_t offset, size;		/* in struct msg_atr_state */
};

#define STATE(field) offsetof(struct msg_atr_state, field), sizeof_field(struct msg_atr_state, field)
#define REFUSED(word, field) { "akm_kernel_refused_packets_total", "counter", "Packets that a member's kernel refused.", \
			       "reason", word, STATE(field) }
#define PACKETS(word, field) { "akm_kernel_packets_total", "counter", "Packets of a member's kernel.", \
			       "direction", word, STATE(field) }

/* Those of one name stand together. */
static const struct member_value member_values[] = {
	{ "akm_member_generation", "gauge", "Generation that a member's kernel sends on.", NULL, NULL, STATE(generation) },
	{ "akm_member_epoch", "gauge", "Epoch that a member's kernel is at.", NULL, NULL, STATE(epoch) },
	{ "akm_member_incarnation", "gauge", "Incarnation of a member's kernel state.", NULL, NULL, STATE(incarnation) },
	PACKETS("received", rx_packets), PACKETS("sent", tx_packets),
	REFUSED("auth-fail", rx_auth_fail), REFUSED("replay", rx_replay), REFUSED("unknown-key", rx_unknown_key),
	REFUSED("epoch-stale", rx_epoch_stale),
	REFUSED("malformed", rx_malformed), REFUSED("prefix", rx_prefix), REFUSED("clone", rx_clone),
	{ "akm_kernel_exhausted_packets_total", "counter", "Packets not sent because numbers are used up.", NULL, NULL,
	  STATE(tx_exhausted) },
};

static uint64_t value_of(const struct member_value *v, const struct msg_atr_state *s)
{
	const char *p = (const char *)s + v->offset;

	return v->size == sizeof(uint32_t) ? *(const uint32_t *)p : *(const uint64_t *)p;
}

static void put_info(const struct fleet *f, struct metrics *m)
{
	char id[ID_LEN];

	metrics_family(m, "akm_atr_info", "gauge", "Label and suite of an ATR.");
	for (const struct fleet_atr *a = f->first; a; a = a->next) {
		snprintf(id, sizeof(id), "%u", a->def.id);
		metrics_put(m, 1, "atr", id, "label", a->def.label, "suite", report_suite(a->def.suite));
	}
}

static void put_atrs(const struct fleet *f, const struct atr_value *v, struct metrics *m)
{
	char id[ID_LEN];

	metrics_family(m, v->name, v->type, v->help);
	for (const struct fleet_atr *a = f->first; a; a = a->next) {
		snprintf(id, sizeof(id), "%u", a->def.id);
		metrics_put(m, v->of(a), "atr", id);
	}
}

/* What each member last told, also if that was before its link went down. */
static void put_members(const struct fleet *f, const struct member_value *v, struct metrics *m)
{
	char id[ID_LEN];

	for (const struct fleet_atr *a = f->first; a; a = a->next) {
		snprintf(id, sizeof(id), "%u", a->def.id);
		for (size_t i = 0; i < a->plan.n_members; i++)
			if (a->members[i].counted)
				metrics_put(m, value_of(v, &a->members[i].counters), "atr", id, "node", a->members[i].name,
					    v->label, v->word);
	}
}

static void put_nodes(struct fleet *f, struct metrics *m)
{
	struct fleet_nodes_count n = fleet_count_nodes(f);
	size_t up = f->peers ? peers_count(f->peers, true) : 0;

	metrics_family(m, "akm_nodes", "gauge", "Nodes by state.");
	metrics_put(m, up, "state", "up");
	metrics_put(m, n.provisioned > up ? n.provisioned - up : 0, "state", "down");
	metrics_put(m, n.evicted, "state", "evicted");
}

void fleet_metrics(struct fleet *f, struct metrics *m)
{
	const char *last = "";

	put_nodes(f, m);
	if (f->peers)
		peers_metrics(f->peers, m);
	put_info(f, m);
	for (size_t i = 0; i < ARRAY_SIZE(atr_values); i++)
		put_atrs(f, &atr_values[i], m);
	for (size_t i = 0; i < ARRAY_SIZE(member_values); i++) {
		if (strcmp(last, member_values[i].name))
			metrics_family(m, member_values[i].name, member_values[i].type, member_values[i].help);
		last = member_values[i].name;
		put_members(f, &member_values[i], m);
	}
}
