// SPDX-License-Identifier: GPL-2.0
#include "fleet_internal.h"

#include <openssl/rand.h>

#include "clock.h"
#include "kdf.h"
#include "log.h"

/* Somebody must not read on, or nobody is heard meanwhile: short graces, nobody who is away is waited for. */
bool fleet_reason_urgent(const char *reason)
{
	return !strcmp(reason, "evict") || !strcmp(reason, "remove") || !strcmp(reason, "remake");
}

/* It lies ready with the members, who enter it by themselves. */
bool fleet_reason_fallback(const char *reason)
{
	return !strcmp(reason, "fallback");
}

static void aad_of(uint32_t atr_id, uint32_t number, char ret[64])
{
	snprintf(ret, 64, "generation %u %u", atr_id, number);
}

/* C_0 | pair root: the generation secret itself is not kept. */
static int make_secret(struct fleet *f, struct akm_secret *ret)
{
	_cleanup_secret_ struct akm_secret secret = {}, root = {}, both = {};
	int r;

	r = entropy_take(f->c.entropy, &secret) ?:
	    entropy_take(f->c.entropy, &root) ?:
	    akm_secret_new(FLEET_GENERATION_SECRET, &both);
	r = r ?: kdf_chain_start(secret.data, both.data);
	if (r < 0)
		return r;
	memcpy(both.data + AKM_KEY_LEN, root.data, AKM_KEY_LEN);
	*ret = akm_secret_take(&both);
	return 0;
}

static bool key_id_used(const struct fleet *f, uint32_t key_id)
{
	for (const struct fleet_atr *a = f->first; a; a = a->next)
		for (size_t i = 0; i < a->plan.n_generations; i++)
			if (a->generations[i].key_id == key_id)
				return true;
	return false;
}

static int pick_key_id(const struct fleet *f, uint32_t *ret)
{
	uint32_t key_id;

	do {
		if (RAND_bytes((uint8_t *)&key_id, sizeof(key_id)) != 1)
			return -EIO;
	} while (!key_id || key_id_used(f, key_id));
	*ret = key_id;
	return 0;
}

int fleet_generation_make(struct fleet *f, struct store_atr *def, const char *reason, uint32_t *ret_number)
{
	_cleanup_(store_generation_free) struct store_generation g = { .atr_id = def->id, .state = GEN_PREPARING };
	_cleanup_secret_ struct akm_secret secret = {};
	char aad[64];
	int r;

	if (def->last_generation == UINT32_MAX)
		return -ERANGE;
	g.number = def->last_generation + 1;
	g.created_ms = wall_ms();
	snprintf(g.reason, sizeof(g.reason), "%s", reason);
	aad_of(def->id, g.number, aad);
	r = pick_key_id(f, &g.key_id) ?:
	    make_secret(f, &secret) ?:
	    sealed_wrap(f->c.sealed, aad, &secret, &g.secret);
	if (r < 0)
		return r;
	def->last_generation = g.number;
	def->definition++;
	r = store_atr_put(f->c.store, def) ?: store_generation_put(f->c.store, &g);
	if (r < 0)
		return r;
	*ret_number = g.number;
	return 0;
}

int fleet_generation_lost(struct fleet *f, uint32_t atr_id, uint32_t number)
{
	struct store_generation g = { .atr_id = atr_id, .number = number, .state = GEN_ACTIVE, .created_ms = wall_ms(),
				      .reason = "lost" };

	/* The real one is not known; the database wants one that is nobody else's. */
	return pick_key_id(f, &g.key_id) ?: store_generation_put(f->c.store, &g);
}

static int open_secret(const struct fleet_atr *a, size_t g, struct akm_secret *ret)
{
	const struct store_generation *stored = &a->generations[g];
	_cleanup_secret_ struct akm_secret s = {};
	char aad[64];
	int r;

	aad_of(a->def.id, stored->number, aad);
	r = sealed_unwrap(a->fleet->c.sealed, aad, &stored->secret, &s);
	if (!r && s.len != FLEET_GENERATION_SECRET)
		r = -EBADMSG;
	if (r < 0) {
		log_err("cannot open a generation's secret atr=%u generation=%u error=%s", a->def.id, stored->number,
			strerror(-r));
		return r;
	}
	*ret = akm_secret_take(&s);
	return 0;
}

static void host_prefix(const struct msg_prefix *address, struct msg_prefix *ret)
{
	*ret = *address;
	ret->prefix_len = (uint8_t)(address->addr_len * 8);
}

static void put_member(const struct fleet_atr *a, const struct store_member *m, const struct fleet_member *f,
		       struct msg_member *ret)
{
	ret->index = m->index;
	memcpy(ret->name, f->name, sizeof(ret->name));
	ret->n_prefixes = m->n_addresses;
	for (size_t i = 0; i < m->n_addresses; i++)
		host_prefix(&m->addresses[i], &ret->prefixes[i]);
	for (size_t i = 0; i < m->n_prefixes && ret->n_prefixes < ADDRESSES_MAX; i++)
		ret->prefixes[ret->n_prefixes++] = m->prefixes[i];
	ret->endpoint = f->endpoint;
	if (ret->endpoint.addr_len && !ret->endpoint.port)
		ret->endpoint.port = a->def.port;
}

static const struct store_member *stored_member(const struct fleet_atr *a, uint16_t index)
{
	for (size_t i = 0; i < a->def.n_members; i++)
		if (a->def.members[i].index == index)
			return &a->def.members[i];
	return NULL;
}

/* Both lists are in the same order, and the stored one also has those that were removed. */
static int put_members(const struct fleet_atr *a, struct msg_atr_prepare *p)
{
	size_t s = 0;

	p->members = calloc(a->plan.n_members, sizeof(*p->members));
	if (!p->members)
		return -ENOMEM;
	for (size_t i = 0; i < a->plan.n_members; i++) {
		while (s < a->def.n_members && a->def.members[s].index != a->members[i].index)
			s++;
		if (s == a->def.n_members)
			return -ENOENT;
		put_member(a, &a->def.members[s], &a->members[i], &p->members[i]);
		p->n_members++;
	}
	return 0;
}

/* R_ij at @epoch */
static int pair_chain(struct kdf_pairs *pairs, const struct kdf_ctx *ctx, uint16_t i, uint16_t j, uint64_t epoch,
		      uint8_t ret[AKM_KEY_LEN])
{
	int r = kdf_pairs_start(pairs, i, j, ret);

	for (; !r && epoch; epoch--)
		r = kdf_next(ctx, ret, ret);
	return r;
}

static int put_pairs(const struct fleet_atr *a, const struct kdf_ctx *ctx, const uint8_t *root, size_t m,
		     struct msg_atr_prepare *p)
{
	_cleanup_(kdf_pairs_free) struct kdf_pairs *pairs = NULL;
	size_t n = a->plan.n_members - 1;
	int r;

	if (!n)
		return 0;
	p->pairs = calloc(n, sizeof(*p->pairs));
	if (!p->pairs)
		return -ENOMEM;
	r = akm_secret_new(n * AKM_KEY_LEN, &p->pair_chains) ?: kdf_pairs_new(ctx, root, &pairs);
	for (size_t i = 0; !r && i < a->plan.n_members; i++) {
		if (i == m)
			continue;
		p->pairs[p->n_pairs].index = a->members[i].index;
		r = pair_chain(pairs, ctx, a->members[m].index, a->members[i].index, p->epoch,
			       p->pair_chains.data + p->n_pairs * AKM_KEY_LEN);
		p->n_pairs++;
	}
	return r;
}

int fleet_generation_message(struct fleet_atr *a, size_t g, size_t m, struct msg *ret)
{
	const struct store_member *self = stored_member(a, a->members[m].index);
	const struct store_generation *stored = &a->generations[g];
	struct kdf_ctx ctx = { a->def.id, stored->number, stored->key_id };
	_cleanup_secret_ struct akm_secret secret = {};
	_cleanup_msg_ struct msg out = { .type = MSG_ATR_PREPARE };
	struct msg_atr_prepare *p = &out.prepare;
	int r;

	if (!self)
		return -ENOENT;
	r = open_secret(a, g, &secret);
	if (r < 0)
		return r;
	p->atr_id = a->def.id;
	memcpy(p->label, a->def.label, sizeof(p->label));
	p->definition = a->def.definition;
	p->suite = a->def.suite;
	p->port = a->def.port;
	p->epoch_interval_ms = a->def.epoch_interval_ms;
	p->epoch_grace_ms = a->def.epoch_grace_ms;
	p->freshness = a->def.freshness;
	p->group = a->def.group;
	p->self = self->index;
	p->n_addresses = self->n_addresses;
	memcpy(p->addresses, self->addresses, sizeof(p->addresses));
	p->generation = stored->number;
	p->key_id = stored->key_id;
	p->epoch = stored->epoch;
	p->term = a->fleet->c.term(a->fleet->c.ctx);
	r = put_members(a, p) ?:
	    akm_secret_dup(secret.data, AKM_KEY_LEN, &p->chain) ?:
	    put_pairs(a, &ctx, secret.data + AKM_KEY_LEN, m, p);
	if (r < 0)
		return r;
	*ret = out;
	memset(&out, 0, sizeof(out));
	return 0;
}

int fleet_generation_forward(struct fleet_atr *a, size_t g, uint64_t epoch)
{
	struct store_generation *stored = &a->generations[g], next = *stored;
	struct kdf_ctx ctx = { a->def.id, stored->number, stored->key_id };
	_cleanup_secret_ struct akm_secret secret = {};
	char aad[64];
	int r;

	if (epoch <= stored->epoch || stored->state == GEN_RETIRED || a->plan.generations[g].lost)
		return 0;
	r = open_secret(a, g, &secret);
	for (uint64_t e = stored->epoch; !r && e < epoch; e++)
		r = kdf_next(&ctx, secret.data, secret.data);
	aad_of(a->def.id, stored->number, aad);
	memset(&next.secret, 0, sizeof(next.secret));
	r = r ?: sealed_wrap(a->fleet->c.sealed, aad, &secret, &next.secret);
	next.epoch = epoch;
	r = r ?: store_generation_put(a->fleet->c.store, &next);
	if (r < 0) {
		akm_blob_free(&next.secret);
		return r;
	}
	akm_blob_free(&stored->secret);
	stored->secret = next.secret;
	stored->epoch = epoch;
	return 0;
}
