// SPDX-License-Identifier: GPL-2.0
#include "node_kernel.h"

#define BIT(n) (1u << (n))

void node_ifname(uint32_t atr_id, char ret[NODE_IFNAME_MAX])
{
	snprintf(ret, NODE_IFNAME_MAX, "akm%u", atr_id);
}

int node_kernel_look(struct nl *nl, const struct node_atr *a, enum node_kernel_found *ret, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];
	struct akm_error ignored = {};
	struct nl_dev d = {};
	int r;

	node_ifname(a->def.atr_id, ifname);
	r = nl_dev_get(nl, ifname, &d, &ignored);
	if (r == -ENODEV || r == -ENOENT) {
		*ret = NODE_KERNEL_ABSENT;
		return 0;
	}
	if (r < 0) {
		if (err)
			*err = ignored;
		return r;
	}
	if (d.atr_id != a->def.atr_id || d.self != a->def.self || d.suite != a->def.suite || !d.generations)
		*ret = NODE_KERNEL_OTHER;
	else
		*ret = d.incarnation ? NODE_KERNEL_SAME : NODE_KERNEL_MUTE;
	return 0;
}

static int set_times(struct nl *nl, const char *ifname, const struct node_atr *a, struct akm_error *err)
{
	struct nl_dev d = {
		.epoch_interval_ms = a->def.epoch_interval_ms,
		.epoch_grace_ms = a->def.epoch_grace_ms,
		.freshness = a->def.freshness,
	};

	snprintf(d.ifname, sizeof(d.ifname), "%s", ifname);
	snprintf(d.label, sizeof(d.label), "%s", a->def.label);
	return nl_dev_set(nl, &d, BIT(AKM_A_DEV_LABEL) | BIT(AKM_A_DEV_EPOCH_INTERVAL) |
			  BIT(AKM_A_DEV_EPOCH_GRACE) | BIT(AKM_A_DEV_FRESHNESS) | BIT(AKM_A_DEV_FLOW_PORT_LOW) |
			  BIT(AKM_A_DEV_SPREAD), err);
}

static int set_identity(struct nl *nl, const char *ifname, const struct node_atr *a, uint32_t incarnation,
			struct akm_error *err)
{
	struct nl_dev d = {
		.atr_id = a->def.atr_id,
		.self = a->def.self,
		.suite = a->def.suite,
		.port = a->def.port,
		.incarnation = incarnation,
	};

	snprintf(d.ifname, sizeof(d.ifname), "%s", ifname);
	return nl_dev_set(nl, &d, BIT(AKM_A_DEV_ATR_ID) | BIT(AKM_A_DEV_SELF) | BIT(AKM_A_DEV_SUITE) |
			  BIT(AKM_A_DEV_PORT) | BIT(AKM_A_DEV_INCARNATION), err);
}

struct leavers {
	const struct node_atr *a;
	uint16_t *index;
	size_t n;
};

static int note_leaver(uint16_t index, const char *name, const struct nl_stats *stats, void *ctx)
{
	struct leavers *l = ctx;
	uint16_t *more;

	(void)name, (void)stats;
	if (node_atr_is_member(l->a, index))
		return 0;
	more = realloc(l->index, (l->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->index = more;
	l->index[l->n++] = index;
	return 0;
}

int node_kernel_remove_leavers(struct nl *nl, const struct node_atr *a, struct akm_error *err)
{
	struct leavers l = { .a = a };
	char ifname[NODE_IFNAME_MAX];
	int r;

	node_ifname(a->def.atr_id, ifname);
	r = nl_member_each(nl, ifname, note_leaver, &l, err);
	for (size_t i = 0; !r && i < l.n; i++)
		r = nl_member_del(nl, ifname, l.index[i], err);
	free(l.index);
	return r;
}

/* Return: how many members want a prefix that is still another's, or negative. They lose theirs if @release. */
static int set_each(struct nl *nl, const char *ifname, const struct node_atr *a, bool release, struct akm_error *err)
{
	int r = 0, taken = 0;

	for (size_t i = 0; !r && i < a->def.n_members; i++) {
		struct msg_member bare = a->def.members[i];

		r = nl_member_set(nl, ifname, &a->def.members[i], a->def.port, err);
		if (r != -EEXIST)
			continue;
		taken++;
		bare.n_prefixes = 0;
		r = release ? nl_member_set(nl, ifname, &bare, a->def.port, err) : 0;
	}
	return r ?: taken;
}

/*
 * A prefix that goes from one member to another is free once that one was set: who comes too early comes again. Only
 * where two have exchanged theirs are they without for a moment.
 */
static int set_members(struct nl *nl, const char *ifname, const struct node_atr *a, struct akm_error *err)
{
	int r = node_kernel_remove_leavers(nl, a, err) ?: set_each(nl, ifname, a, false, err);

	if (r > 0)
		r = set_each(nl, ifname, a, true, err);
	if (r > 0)
		r = set_each(nl, ifname, a, false, err);
	return r > 0 ? -EEXIST : r;
}

int node_kernel_define(struct nl *nl, const struct node_atr *a, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];

	node_ifname(a->def.atr_id, ifname);
	return set_times(nl, ifname, a, err) ?:
	       set_members(nl, ifname, a, err) ?:
	       nl_dev_addresses(nl, ifname, a->def.addresses, a->def.n_addresses, err);
}

static bool same_group(const struct nl_dev *a, const struct nl_dev *b)
{
	return a->group.addr_len == b->group.addr_len &&
	       (!a->group.addr_len || (a->group.ttl == b->group.ttl && a->group_link == b->group_link &&
				       !memcmp(a->group.addr, b->group.addr, a->group.addr_len)));
}

int node_kernel_no_group(struct nl *nl, const struct node_atr *a, struct akm_error *err)
{
	struct nl_dev d = {};

	node_ifname(a->def.atr_id, d.ifname);
	return nl_dev_set(nl, &d, BIT(AKM_A_DEV_GROUP), err);
}

int node_kernel_group(struct nl *nl, const struct node_atr *a, struct akm_error *err)
{
	struct nl_dev have = {}, want = { .group = a->def.group };
	struct akm_error ignored = {};
	int r, missing = 0;

	node_ifname(a->def.atr_id, want.ifname);
	if (want.group.addr_len)
		missing = nl_group_link_index(nl, &want.group_link, err);
	if (missing < 0)
		want.group.addr_len = 0;
	r = nl_dev_get(nl, want.ifname, &have, missing < 0 ? &ignored : err);
	if (r < 0 || same_group(&have, &want))
		return missing ?: r;
	r = nl_dev_set(nl, &want, BIT(AKM_A_DEV_GROUP), missing < 0 ? &ignored : err);
	if (r < 0 && want.group.addr_len && have.group.addr_len)
		(void)node_kernel_no_group(nl, a, &ignored);	/* why there is none is what is told */
	return missing ?: r;
}

struct held {
	size_t n;
	struct nl_generation g[NODE_GENERATIONS];
	uint32_t active;
};

static int note_held(const struct nl_generation *g, void *ctx)
{
	struct held *h = ctx;

	if (h->n < NODE_GENERATIONS)
		h->g[h->n++] = *g;
	if (g->state == AKM_GEN_ACTIVE)
		h->active = g->number;
	return 0;
}

static const struct nl_generation *find_held(const struct held *h, uint32_t number)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->g[i].number == number)
			return &h->g[i];
	return NULL;
}

static uint32_t oldest_idle(const struct held *h)
{
	uint32_t oldest = 0;

	for (size_t i = 0; i < h->n; i++)
		if (h->g[i].state != AKM_GEN_ACTIVE && (!oldest || h->g[i].number < oldest))
			oldest = h->g[i].number;
	return oldest;
}

static int install(struct nl *nl, const char *ifname, const struct held *h, const struct node_atr *a,
		   struct node_generation *g, struct akm_error *err)
{
	const struct nl_generation *there = find_held(h, g->number);
	uint32_t oldest = oldest_idle(h);
	struct msg_atr_prepare p;
	int r;

	node_atr_message(a, g, &p);
	g->unused = false;		/* even if this fails: the kernel may have it, and lose it */
	/*
	 * To install it again the kernel wants the chain of the first time, which is gone once epochs have
	 * passed. All that can be missing are pairs, when the first time was cut.
	 */
	if (there && there->key_id == g->key_id)
		return there->pairs >= g->n_pairs ? 0 : nl_generation_pairs(nl, ifname, &p, err);
	r = nl_generation_install(nl, ifname, &p, err);
	if (r != -ENOSPC || !oldest)
		return r;
	return nl_generation_retire(nl, ifname, oldest, err) ?: nl_generation_install(nl, ifname, &p, err);
}

int node_kernel_install(struct nl *nl, const struct node_atr *a, struct node_generation *g, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];
	struct held h = {};

	node_ifname(a->def.atr_id, ifname);
	return nl_generation_each(nl, ifname, note_held, &h, err) ?: install(nl, ifname, &h, a, g, err);
}

int node_kernel_activate(struct nl *nl, uint32_t atr_id, uint32_t number, uint32_t grace_ms, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];

	node_ifname(atr_id, ifname);
	return nl_generation_activate(nl, ifname, number, grace_ms, err);
}

/* The kernel activated what the sealed store calls pending: the power went in between. */
static bool note_active(struct node_atr *a, uint32_t number)
{
	struct node_generation *g = node_atr_generation(a, number);

	if (!g || g->active)
		return false;
	node_atr_drop_older(a, number);
	g = node_atr_generation(a, number);
	g->active = true;
	g->armed = false;
	return true;
}

int node_kernel_enter(struct nl *nl, struct node_atr *a, uint32_t number, uint32_t grace_ms, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];
	int r;

	node_ifname(a->def.atr_id, ifname);
	r = nl_generation_activate(nl, ifname, number, grace_ms, err);
	if (!r)
		note_active(a, number);
	return r;
}

int node_kernel_announce(struct nl *nl, const struct node_atr *a, uint32_t number, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];

	node_ifname(a->def.atr_id, ifname);
	return nl_generation_announce(nl, ifname, number, err);
}

/* Its traffic keys are derived from older chains than ours: nobody else uses them any more. */
static int roll_kernel(struct nl *nl, const char *ifname, const struct nl_generation *k, uint64_t epoch,
		       struct node_kernel_noted *ret, struct akm_error *err)
{
	uint64_t steps = epoch - k->epoch;
	int r = 0;

	ret->behind |= steps > NODE_KERNEL_ROLLS;
	for (uint64_t i = 0; !r && i < steps && i < NODE_KERNEL_ROLLS; i++)
		r = nl_epoch_roll(nl, ifname, k->number, err);
	return r;
}

static int follow(struct nl *nl, const char *ifname, const struct held *h, struct node_atr *a,
		  struct node_kernel_noted *ret, struct akm_error *err)
{
	for (size_t i = 0; i < h->n; i++) {
		struct node_generation *g = node_atr_generation(a, h->g[i].number);
		uint64_t before = g ? g->epoch : 0;
		int r = 0;

		if (!g)
			continue;
		if (h->g[i].epoch > before)
			r = node_generation_forward(a, g, h->g[i].epoch);
		else if (h->g[i].epoch < before && h->g[i].state == AKM_GEN_ACTIVE)
			r = roll_kernel(nl, ifname, &h->g[i], before, ret, err);
		ret->changed |= g->epoch != before;
		ret->behind |= r > 0;
		if (r < 0)
			return err->reason[0] ? r : akm_error_set(err, r, "epoch", "the sealed chains cannot follow: %s",
								  strerror(-r));
	}
	return 0;
}

int node_kernel_follow(struct nl *nl, struct node_atr *a, struct node_kernel_noted *ret, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];
	struct held h = {};

	memset(ret, 0, sizeof(*ret));
	node_ifname(a->def.atr_id, ifname);
	return nl_generation_each(nl, ifname, note_held, &h, err) ?: follow(nl, ifname, &h, a, ret, err);
}

int node_kernel_step(struct nl *nl, const struct node_atr *a, uint32_t number, uint64_t epoch, struct akm_error *err)
{
	const struct nl_generation *k;
	char ifname[NODE_IFNAME_MAX];
	struct held h = {};
	int r;

	node_ifname(a->def.atr_id, ifname);
	r = nl_generation_each(nl, ifname, note_held, &h, err);
	if (r < 0)
		return r;
	k = find_held(&h, number);
	if (!k || k->state != AKM_GEN_ACTIVE)
		return akm_error_set(err, -ENOENT, "generation", "%u is not in use here", number);
	if (k->epoch >= epoch)
		return 0;
	if (epoch - k->epoch > 1)
		return akm_error_set(err, -ERANGE, "epoch", "%llu is not the next one: this is %llu", (unsigned long long)epoch,
				     (unsigned long long)k->epoch);
	return nl_epoch_roll(nl, ifname, number, err);
}

static int bring(struct nl *nl, const struct held *h, const struct node_atr *a, struct node_generation *g,
		 struct akm_error *err)
{
	const struct nl_generation *there = find_held(h, g->number);
	int r = 0;

	if (!there || (there->key_id == g->key_id && there->pairs < g->n_pairs))
		r = node_kernel_install(nl, a, g, err);
	/* It was superseded there: the newer one rules. */
	if (r == -ESTALE && h->active > g->number)
		return 0;
	if (!r && g->active && h->active < g->number)
		r = node_kernel_activate(nl, a->def.atr_id, g->number, 0, err);
	return r;
}

int node_kernel_sync(struct nl *nl, struct node_atr *a, struct node_kernel_noted *ret, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];
	struct held h = {};
	int r;

	memset(ret, 0, sizeof(*ret));
	node_ifname(a->def.atr_id, ifname);
	r = nl_generation_each(nl, ifname, note_held, &h, err);
	if (r < 0)
		return r;
	if (h.active)
		ret->changed = note_active(a, h.active);
	r = follow(nl, ifname, &h, a, ret, err);
	for (size_t i = 0; !r && i < a->n_generations; i++)
		r = bring(nl, &h, a, &a->generations[i], err);
	return r;
}

static int fill(struct nl *nl, const char *ifname, struct node_atr *a, uint32_t incarnation,
		struct akm_error *err)
{
	struct node_kernel_noted noted;

	/* Generations come last: a device without them is one that was never finished. */
	return set_identity(nl, ifname, a, incarnation, err) ?:
	       node_kernel_define(nl, a, err) ?:
	       nl_dev_up(nl, ifname, true, err) ?:
	       node_kernel_sync(nl, a, &noted, err);
}

int node_kernel_speak(struct nl *nl, const struct node_atr *a, uint32_t incarnation, struct akm_error *err)
{
	struct nl_dev d = { .incarnation = incarnation };

	node_ifname(a->def.atr_id, d.ifname);
	return nl_dev_set(nl, &d, BIT(AKM_A_DEV_INCARNATION), err);
}

int node_kernel_create(struct nl *nl, struct node_atr *a, uint32_t incarnation, struct akm_error *err)
{
	struct akm_error ignored = {};
	char ifname[NODE_IFNAME_MAX];
	int r;

	node_ifname(a->def.atr_id, ifname);
	r = node_kernel_delete(nl, a->def.atr_id, err) ?: nl_dev_add(nl, ifname, err);
	if (r < 0)
		return r;
	r = fill(nl, ifname, a, incarnation, err);
	if (r < 0)
		(void)nl_dev_del(nl, ifname, &ignored);	/* the first failure is the one to tell */
	return r;
}

int node_kernel_delete(struct nl *nl, uint32_t atr_id, struct akm_error *err)
{
	char ifname[NODE_IFNAME_MAX];
	int r;

	node_ifname(atr_id, ifname);
	r = nl_dev_del(nl, ifname, err);
	/* Without the module there is no device either. */
	return r == -ENODEV || r == -ENOENT || r == -ENOPKG ? 0 : r;
}

struct newest { struct node_atr *a; uint32_t pending; uint64_t epoch; };

/* One whose installation was cut is not there: the manager would let the others use it. P9 */
static bool is_whole(struct node_atr *a, const struct nl_generation *k)
{
	const struct node_generation *g = node_atr_generation(a, k->number);

	return g && g->key_id == k->key_id && k->pairs >= g->n_pairs;
}

static int note_newest(const struct nl_generation *g, void *ctx)
{
	struct newest *n = ctx;

	if (g->state == AKM_GEN_PENDING && g->number > n->pending && is_whole(n->a, g))
		n->pending = g->number;
	if (g->state == AKM_GEN_ACTIVE)
		n->epoch = g->epoch;
	return 0;
}

int node_kernel_state(struct nl *nl, struct node_atr *a, struct msg_atr_state *ret, struct akm_error *err)
{
	struct newest newest = { .a = a };
	char ifname[NODE_IFNAME_MAX];
	struct nl_dev d = {};
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->atr_id = a->def.atr_id;
	node_ifname(a->def.atr_id, ifname);
	r = nl_dev_get(nl, ifname, &d, err);
	if (r == -ENODEV || r == -ENOENT)
		return 0;
	r = r ?: nl_generation_each(nl, ifname, note_newest, &newest, err);
	if (r < 0)
		return r;
	ret->generation = d.active;
	ret->pending = newest.pending;
	ret->epoch = newest.epoch;
	ret->incarnation = d.incarnation;
	ret->rx_packets = d.stats.v[AKM_A_STATS_RX_PACKETS];
	ret->tx_packets = d.stats.v[AKM_A_STATS_TX_PACKETS];
	ret->rx_auth_fail = d.stats.v[AKM_A_STATS_RX_AUTH_FAIL];
	ret->rx_replay = d.stats.v[AKM_A_STATS_RX_REPLAY];
	ret->rx_unknown_key = d.stats.v[AKM_A_STATS_RX_UNKNOWN_KEY];
	ret->rx_malformed = d.stats.v[AKM_A_STATS_RX_MALFORMED];
	ret->rx_prefix = d.stats.v[AKM_A_STATS_RX_PREFIX];
	ret->tx_exhausted = d.stats.v[AKM_A_STATS_TX_EXHAUSTED];
	ret->rx_clone = d.stats.v[AKM_A_STATS_RX_CLONE];
	ret->rx_epoch_stale = d.stats.v[AKM_A_STATS_RX_EPOCH_STALE];
	return 0;
}
