// SPDX-License-Identifier: GPL-2.0
#include "fleet_internal.h"

#include <linux/akm.h>
#include <openssl/sha.h>

#include "clock.h"
#include "fence.h"
#include "log.h"
#include "wire.h"

/* ---- overlay addresses ---- */

/* The first address of @subnet plus @add */
static void address_at(const struct msg_prefix *subnet, uint32_t add, struct msg_prefix *ret)
{
	*ret = *subnet;
	for (size_t i = subnet->addr_len; i-- > 0 && add;) {
		add += ret->addr[i];
		ret->addr[i] = (uint8_t)add;
		add >>= 8;
	}
}

/* How many members fit: all addresses but the first and (IPv4) the last */
static uint64_t room(const struct msg_prefix *subnet)
{
	unsigned int bits = subnet->addr_len * 8u - subnet->prefix_len;

	if (bits >= 32)
		return UINT32_MAX;
	return bits < 2 ? 0 : (1ull << bits) - 2;
}

static int give_address(struct store_member *m, const struct msg_prefix *subnet, const char *field,
			struct akm_error *err)
{
	if (!subnet->addr_len)
		return 0;
	if (m->index >= room(subnet))
		return akm_error_set(err, -ENOSPC, field, "has no address left: %llu members fit",
				     (unsigned long long)room(subnet));
	address_at(subnet, 1 + (uint32_t)m->index, &m->addresses[m->n_addresses++]);
	return 0;
}

int fleet_give_addresses(const struct store_atr *def, struct store_member *m, struct akm_error *err)
{
	return give_address(m, &def->subnet4, "subnet4", err) ?: give_address(m, &def->subnet6, "subnet6", err);
}

/* Appends a member with an index that was never used in this ATR. */
static int append_member(struct store_atr *def, const struct store_node *n, struct akm_error *err)
{
	struct store_member *more, *m;
	uint32_t index = 0;
	int r;

	for (size_t i = 0; i < def->n_members; i++)
		if (def->members[i].index >= index)
			index = def->members[i].index + 1u;
	if (index > AKM_INDEX_MAX || def->n_members >= MEMBERS_MAX)
		return akm_error_set(err, -ENOSPC, "members", "the ATR has had as many members as it can");
	more = realloc(def->members, (def->n_members + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	def->members = more;
	m = &more[def->n_members];
	memset(m, 0, sizeof(*m));
	m->index = (uint16_t)index;
	memcpy(m->node, n->id, AKM_ID_LEN);
	r = fleet_give_addresses(def, m, err);
	if (!r)
		def->n_members++;
	return r;
}

/* 10.77.<id>.0/24, or for many members 10.<128 + id mod 64>.0.0/16; fd77:<32 bits of the label>:<id>::/64 */
static void default_subnets(struct store_atr *def, size_t n_members)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (!def->subnet4.addr_len && n_members <= 200)
		def->subnet4 = (struct msg_prefix){ { 10, 77, (uint8_t)def->id }, 4, 24 };
	else if (!def->subnet4.addr_len)
		def->subnet4 = (struct msg_prefix){ { 10, (uint8_t)(128 + def->id % 64) }, 4, 16 };
	if (def->subnet6.addr_len)
		return;
	SHA256((const uint8_t *)def->label, strlen(def->label), digest);
	def->subnet6 = (struct msg_prefix){ { 0xfd, 0x77, digest[0], digest[1], digest[2], digest[3],
					      (uint8_t)(def->id >> 8), (uint8_t)def->id }, 16, 64 };
}

/* ---- one change ---- */

/* A joiner must never be given what was before it. P5 */
static int bar_from_older(struct fleet_atr *a, const uint8_t node[AKM_ID_LEN])
{
	int r = 0;

	for (size_t i = 0; !r && i < a->plan.n_generations; i++)
		r = store_step_set(a->fleet->c.store, a->def.id, a->generations[i].number, node, STEP_RETIRED);
	return r;
}

static int in_transaction(struct store *s, int r)
{
	r = r ?: store_commit(s);
	if (r < 0)
		store_rollback(s);
	return r;
}

/* The database has it: memory follows. */
static void adopt(struct fleet_atr *a, struct store_atr *def)
{
	struct store_atr old = a->def;

	a->def = *def;
	*def = old;
	if (fleet_atr_reload(a) < 0)
		log_err("cannot reload an ATR atr=%u: restart akmd", a->def.id);
	fleet_mark_stale(a);
	fleet_kick_soon(a, 0);
}

static void changed(struct fleet *f)
{
	f->c.changed(f->c.ctx);
}

static int change(struct fleet_atr *a, struct store_atr *def, const char *reason, const uint8_t *joiner,
		  uint32_t *ret_number)
{
	struct store *s = a->fleet->c.store;
	int r = store_begin(s);

	if (r < 0)
		return r;
	r = fleet_generation_make(a->fleet, def, reason, ret_number);
	if (!r && joiner)
		r = bar_from_older(a, joiner);
	if (!r && fleet_reason_urgent(reason))
		r = fence_count(s);
	r = in_transaction(s, r);
	if (r < 0)
		return r;
	adopt(a, def);
	changed(a->fleet);
	return 0;
}

int fleet_rekey(struct fleet_atr *a, const char *reason, uint32_t *ret_number)
{
	_cleanup_(store_atr_free) struct store_atr def = {};

	return fleet_atr_copy(&a->def, &def) ?: change(a, &def, reason, NULL, ret_number);
}

void fleet_arm(struct fleet_atr *a)
{
	uint32_t number;
	int r;

	if (!a->def.fallback || !rekey_wants_fallback(&a->plan))
		return;
	if (now_ms() < a->arm_ms) {
		fleet_kick_soon(a, a->arm_ms - now_ms());
		return;
	}
	r = fleet_rekey(a, "fallback", &number);
	if (!r)
		return;
	log_err("cannot make a fallback atr=%u error=%s", a->def.id, strerror(-r));
	a->arm_ms = now_ms() + FLEET_STORE_RETRY_MS;
}

/*
 * What is in use is of our own making, so no manager was before us that made more: these records were set back to a
 * backup. Whom we threw out since is a member in them, and would be given the next generation (P5).
 */
static bool is_set_back(struct fleet_atr *a, size_t m, uint32_t number)
{
	int current = rekey_current(&a->plan);

	if (current < 0 || a->plan.generations[current].lost)
		return false;
	evidence_add(a->fleet->c.evidence,
		     EVIDENCE_ABOUT("generation-ahead", SEV_ALERT, a->members[m].index, .atr_id = a->def.id,
				    .limit = a->def.label),
		     "%s holds generation %u of #%u, of which %u were made: if that is true, this manager was set back to "
		     "a backup: replace it", a->members[m].name, number, a->def.id, a->def.last_generation);
	return true;
}

void fleet_outrun(struct fleet_atr *a, size_t m, uint32_t number)
{
	_cleanup_(store_atr_free) struct store_atr def = {};
	uint32_t made, had = a->def.last_generation;
	int r;

	if (is_set_back(a, m, number))
		return;
	if (number - had > FLEET_AHEAD_MAX || now_ms() < a->outrun_ms) {
		evidence_add(a->fleet->c.evidence,
			     EVIDENCE_ABOUT("generation-ahead", SEV_ALERT, a->members[m].index, .atr_id = a->def.id,
					    .limit = a->members[m].name),
			     "%s claims generation %u of #%u, of which %u were made: not believed now", a->members[m].name,
			     number, a->def.id, had);
		return;
	}
	a->outrun_ms = now_ms() + FLEET_AHEAD_MS;
	r = fleet_atr_copy(&a->def, &def) ?: store_begin(a->fleet->c.store);
	if (!r) {
		def.last_generation = number;
		r = fleet_generation_make(a->fleet, &def, "ahead", &made);
		r = r ?: fleet_generation_lost(a->fleet, a->def.id, number);
		r = in_transaction(a->fleet->c.store, r);
	}
	if (r < 0) {
		log_err("cannot go beyond a generation atr=%u generation=%u error=%s", a->def.id, number, strerror(-r));
		return;
	}
	adopt(a, &def);
	changed(a->fleet);
	evidence_add(a->fleet->c.evidence,
		     EVIDENCE_ABOUT("generation-ahead", SEV_WARNING, a->members[m].index, .atr_id = a->def.id),
		     "%s holds generation %u of #%u, of which %u were known: the records are older than the fleet. It moves "
		     "to generation %u", a->members[m].name, number, a->def.id, had, made);
}

int fleet_add(struct fleet_atr *a, const struct store_node *n, uint32_t *ret_number, struct akm_error *err)
{
	_cleanup_(store_atr_free) struct store_atr def = {};

	if (fleet_member_of(a, n->id) >= 0)
		return akm_error_set(err, -EEXIST, "node", "%s is a member of #%u already", n->name, a->def.id);
	return fleet_atr_copy(&a->def, &def) ?:
	       append_member(&def, n, err) ?:
	       change(a, &def, "add", n->id, ret_number);
}

static void mark_removed(struct store_atr *def, const uint8_t node[AKM_ID_LEN])
{
	for (size_t i = 0; i < def->n_members; i++)
		if (!memcmp(def->members[i].node, node, AKM_ID_LEN))
			def->members[i].removed = true;
}

int fleet_remove(struct fleet_atr *a, const struct store_node *n, uint32_t *ret_number, struct akm_error *err)
{
	_cleanup_(store_atr_free) struct store_atr def = {};
	struct peer *peer = peers_find(a->fleet->peers, n->id);
	int r;

	if (fleet_member_of(a, n->id) < 0)
		return akm_error_set(err, -ENOENT, "node", "%s is not a member of #%u", n->name, a->def.id);
	r = fleet_atr_copy(&a->def, &def);
	if (r < 0)
		return r;
	mark_removed(&def, n->id);
	r = change(a, &def, "remove", NULL, ret_number);
	if (!r && peer && peer->up)
		fleet_tell_leave(a->fleet, peer, a->def.id);
	return r;
}

/* ---- an ATR begins and ends ---- */

static int find_unused(const struct store_atr *a, void *ctx)
{
	uint32_t *id = ctx;

	if (a->id == *id)
		(*id)++;			/* in ascending order, deleted ones included */
	return 0;
}

static int pick_id(struct fleet *f, uint32_t wanted, uint32_t *ret, struct akm_error *err)
{
	_cleanup_(store_atr_free) struct store_atr used = {};
	uint32_t id = 1;
	int r;

	if (wanted) {
		r = store_atr_get(f->c.store, wanted, &used);
		if (!r)
			return akm_error_set(err, -EEXIST, "id", "#%u %s", wanted,
					     used.deleted ? "was used before: numbers are not used again" : "exists");
		*ret = wanted;
		return r == -ENOENT ? 0 : r;
	}
	r = store_atr_each(f->c.store, find_unused, &id);
	*ret = id;
	return r;
}

static bool label_used(const struct fleet *f, const char *label)
{
	for (const struct fleet_atr *a = f->first; a; a = a->next)
		if (!strcmp(a->def.label, label))
			return true;
	return false;
}

static int pick_label(struct fleet *f, const struct fleet_create *c, struct store_atr *def, struct akm_error *err)
{
	size_t len = 0;

	if (c->label) {
		if (!wire_name_ok(c->label, strlen(c->label)))
			return akm_error_set(err, -EINVAL, "label", "must be 1 … 63 of A-Z a-z 0-9 . _ -");
		if (strspn(c->label, "0123456789") == strlen(c->label))
			return akm_error_set(err, -EINVAL, "label", "is a number: it could be taken for an ID");
		if (label_used(f, c->label))
			return akm_error_set(err, -EEXIST, "label", "%s exists", c->label);
		snprintf(def->label, sizeof(def->label), "%s", c->label);
		return 0;
	}
	for (size_t i = 0; i < c->n_members && len < sizeof(def->label); i++)
		len += (size_t)snprintf(def->label + len, sizeof(def->label) - len, "%s%s", i ? "-" : "",
					c->members[i].name);
	if (len >= sizeof(def->label) || label_used(f, def->label))
		snprintf(def->label, sizeof(def->label), "ATR-%u", def->id);
	return 0;
}

static int define(struct fleet *f, const struct fleet_create *c, struct store_atr *def, struct akm_error *err)
{
	int r;

	def->suite = c->suite;
	def->port = c->port;
	def->subnet4 = c->subnet4;
	def->subnet6 = c->subnet6;
	def->epoch_interval_ms = c->epoch_interval_ms;
	def->epoch_grace_ms = c->epoch_grace_ms;
	def->freshness = c->freshness;
	def->group = c->group;
	def->fallback = c->fallback;
	r = pick_id(f, c->id, &def->id, err) ?: pick_label(f, c, def, err);
	if (r < 0)
		return r;
	default_subnets(def, c->n_members);
	for (size_t i = 0; !r && i < c->n_members; i++)
		r = append_member(def, &c->members[i], err);
	return r;
}

int fleet_create(struct fleet *f, const struct fleet_create *c, struct fleet_atr **ret, struct akm_error *err)
{
	_cleanup_(store_atr_free) struct store_atr def = {}, memory = {};
	struct fleet_atr *a;
	uint32_t number;
	int r;

	r = define(f, c, &def, err);
	r = r ?: store_begin(f->c.store);
	if (r < 0)
		return r;
	r = fleet_generation_make(f, &def, "create", &number);
	r = in_transaction(f->c.store, r);
	if (r < 0)
		return r;
	r = fleet_atr_copy(&def, &memory);
	if (r < 0)
		return r;
	a = fleet_atr_attach(f, &memory);
	if (!a)
		return -ENOMEM;
	adopt(a, &def);
	changed(f);
	*ret = a;
	return 0;
}

static int retire_all(struct fleet_atr *a)
{
	int r = 0;

	for (size_t i = 0; !r && i < a->plan.n_generations; i++) {
		struct store_generation g = a->generations[i];

		g.state = GEN_RETIRED;
		memset(&g.secret, 0, sizeof(g.secret));
		r = store_generation_put(a->fleet->c.store, &g);
	}
	return r;
}

int fleet_delete(struct fleet_atr *a, struct akm_error *err)
{
	_cleanup_(store_atr_free) struct store_atr def = {};
	struct fleet *f = a->fleet;
	int r;

	r = fleet_atr_copy(&a->def, &def) ?: store_begin(f->c.store);
	if (r < 0)
		return akm_error_set(err, r, "database", "%s", strerror(-r));
	def.deleted = true;
	for (size_t i = 0; i < def.n_members; i++)
		def.members[i].removed = true;
	r = store_atr_put(f->c.store, &def) ?: retire_all(a) ?: fence_count(f->c.store);
	r = in_transaction(f->c.store, r);
	if (r < 0)
		return akm_error_set(err, r, "database", "%s", store_strerror(f->c.store));
	for (size_t i = 0; i < a->plan.n_members; i++) {
		struct peer *peer = peers_find(f->peers, a->members[i].node);

		if (peer && peer->up)
			fleet_tell_leave(f, peer, a->def.id);
	}
	fleet_atr_detach(a);
	changed(f);
	return 0;
}

/* ---- eviction ---- */

static int evict_from(struct fleet_atr *a, const struct store_node *n, struct fleet_wait *w)
{
	_cleanup_(store_atr_free) struct store_atr def = {};
	uint32_t number;
	int r = fleet_atr_copy(&a->def, &def);

	if (r < 0)
		return r;
	mark_removed(&def, n->id);
	r = fleet_generation_make(a->fleet, &def, "evict", &number);
	if (!r && w)
		fleet_wait_add(w, a->def.id, number);
	return r;
}

static int record_eviction(struct fleet *f, const struct store_node *n, struct fleet_wait *w)
{
	struct store_node evicted = *n;
	int r = store_begin(f->c.store);

	if (r < 0)
		return r;
	evicted.state = NODE_EVICTED;
	evicted.since_ms = wall_ms();
	r = store_node_put(f->c.store, &evicted);
	for (struct fleet_atr *a = f->first; !r && a; a = a->next)
		if (fleet_member_of(a, n->id) >= 0)
			r = evict_from(a, n, w);
	r = r ?: fence_count(f->c.store);
	return in_transaction(f->c.store, r);
}

int fleet_evict(struct fleet *f, const struct store_node *n, struct fleet_wait *w, struct akm_error *err)
{
	struct peer *peer = peers_find(f->peers, n->id);
	int r = record_eviction(f, n, w);

	if (r < 0)
		return akm_error_set(err, r, "database", "%s", store_strerror(f->c.store));
	for (struct fleet_atr *a = f->first; a; a = a->next) {
		struct store_atr def = {};

		if (fleet_member_of(a, n->id) < 0)
			continue;
		if (peer && peer->up)
			fleet_tell_leave(f, peer, a->def.id);
		if (store_atr_get(f->c.store, a->def.id, &def) < 0) {
			log_err("cannot reload an ATR atr=%u: restart akmd", a->def.id);
			continue;
		}
		adopt(a, &def);
		store_atr_free(&def);
	}
	/* What was queued for it goes out first; then it is a stranger. */
	peers_remove(f->peers, n->id);
	fleet_attest_forget(f, n->id);
	changed(f);
	return 0;
}
