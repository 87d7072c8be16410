// SPDX-License-Identifier: GPL-2.0
#include "node_state.h"

#include <openssl/crypto.h>

#include "kdf.h"
#include "wire.h"

void node_generation_wipe(struct node_generation *g)
{
	akm_secret_free(&g->chain);
	akm_secret_free(&g->pair_chains);
	free(g->pairs);
	memset(g, 0, sizeof(*g));
}

static void atr_free(struct node_atr *a)
{
	for (size_t i = 0; i < a->n_generations; i++)
		node_generation_wipe(&a->generations[i]);
	free(a->def.members);
	free(a);
}

void node_state_clear(struct node_state *s)
{
	while (s->first)
		node_state_remove(s, s->first);
	memset(s, 0, sizeof(*s));
}

struct node_atr *node_state_find(const struct node_state *s, uint32_t atr_id)
{
	struct node_atr *a;

	for (a = s->first; a && a->def.atr_id != atr_id; a = a->next)
		;
	return a;
}

struct node_generation *node_atr_generation(struct node_atr *a, uint32_t number)
{
	for (size_t i = 0; i < a->n_generations; i++)
		if (a->generations[i].number == number)
			return &a->generations[i];
	return NULL;
}

struct node_generation *node_atr_active(struct node_atr *a)
{
	for (size_t i = 0; i < a->n_generations; i++)
		if (a->generations[i].active)
			return &a->generations[i];
	return NULL;
}

void node_state_remove(struct node_state *s, struct node_atr *a)
{
	struct node_atr **p;

	for (p = &s->first; *p != a; p = &(*p)->next)
		;
	*p = a->next;
	atr_free(a);
}

static void drop_at(struct node_atr *a, size_t i)
{
	node_generation_wipe(&a->generations[i]);
	memmove(&a->generations[i], &a->generations[i + 1],
		(a->n_generations - i - 1) * sizeof(a->generations[0]));
	a->n_generations--;
	memset(&a->generations[a->n_generations], 0, sizeof(a->generations[0]));
}

void node_atr_drop(struct node_atr *a, uint32_t number)
{
	for (size_t i = 0; i < a->n_generations; i++) {
		if (a->generations[i].number == number) {
			drop_at(a, i);
			return;
		}
	}
}

void node_atr_drop_older(struct node_atr *a, uint32_t number)
{
	while (a->n_generations && a->generations[0].number < number)
		drop_at(a, 0);
}

struct node_atr *node_state_new(struct node_state *s)
{
	struct node_atr *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->next = s->first;
	s->first = a;
	return a;
}

static bool is_member(const struct msg_atr_prepare *def, uint16_t index)
{
	size_t low = 0, high = def->n_members;

	while (low < high) {			/* ascending by index, msg.h */
		size_t mid = low + (high - low) / 2;

		if (def->members[mid].index == index)
			return true;
		if (def->members[mid].index < index)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

bool node_atr_is_member(const struct node_atr *a, uint16_t index)
{
	return is_member(&a->def, index);
}

/* Who left takes its pairwise secrets along. */
static void prune_pairs(const struct node_atr *a, struct node_generation *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_pairs; i++) {
		if (!is_member(&a->def, g->pairs[i].index))
			continue;
		g->pairs[n] = g->pairs[i];
		memmove(g->pair_chains.data + n * AKM_KEY_LEN, g->pair_chains.data + i * AKM_KEY_LEN, AKM_KEY_LEN);
		n++;
	}
	if (n == g->n_pairs)
		return;
	g->armed = false;		/* who left holds it: it is nothing to go to any more. P5 */
	OPENSSL_cleanse(g->pair_chains.data + n * AKM_KEY_LEN, (g->n_pairs - n) * AKM_KEY_LEN);
	g->pair_chains.len = n * AKM_KEY_LEN;
	g->n_pairs = n;
}

void node_atr_define(struct node_atr *a, struct msg_atr_prepare *p)
{
	free(a->def.members);
	a->def = *p;
	a->def.generation = a->def.key_id = 0;
	a->def.epoch = 0;
	memset(&a->def.chain, 0, sizeof(a->def.chain));
	memset(&a->def.pair_chains, 0, sizeof(a->def.pair_chains));
	a->def.pairs = NULL;
	a->def.n_pairs = 0;
	p->members = NULL;
	p->n_members = 0;
	for (size_t i = 0; i < a->n_generations; i++)
		prune_pairs(a, &a->generations[i]);
}

int node_atr_add(struct node_atr *a, struct msg_atr_prepare *p)
{
	struct node_generation *g;
	size_t i;

	if (a->n_generations == NODE_GENERATIONS)
		return -ENOSPC;
	for (i = a->n_generations; i > 0 && a->generations[i - 1].number > p->generation; i--)
		a->generations[i] = a->generations[i - 1];
	a->n_generations++;
	g = &a->generations[i];
	*g = (struct node_generation){
		.number = p->generation,
		.key_id = p->key_id,
		.epoch = p->epoch,
		.chain = akm_secret_take(&p->chain),
		.n_pairs = p->n_pairs,
		.pairs = TAKE_PTR(p->pairs),
		.pair_chains = akm_secret_take(&p->pair_chains),
		.unused = p->unused,
	};
	p->n_pairs = 0;
	return 0;
}

void node_atr_message(const struct node_atr *a, const struct node_generation *g, struct msg_atr_prepare *ret)
{
	*ret = a->def;
	ret->generation = g->number;
	ret->key_id = g->key_id;
	ret->unused = g->unused;
	ret->epoch = g->epoch;
	ret->chain = g->chain;
	ret->n_pairs = g->n_pairs;
	ret->pairs = g->pairs;
	ret->pair_chains = g->pair_chains;
}

/* All chains or none: they must never stand at two epochs. @next has room for all of them. */
static int step(const struct kdf_ctx *ctx, struct node_generation *g, struct akm_secret *next)
{
	int r = kdf_next(ctx, g->chain.data, next->data);

	for (size_t i = 0; !r && i < g->n_pairs; i++)
		r = kdf_next(ctx, g->pair_chains.data + i * AKM_KEY_LEN, next->data + (1 + i) * AKM_KEY_LEN);
	if (r < 0)
		return r;
	memcpy(g->chain.data, next->data, AKM_KEY_LEN);
	if (g->n_pairs)
		memcpy(g->pair_chains.data, next->data + AKM_KEY_LEN, g->n_pairs * AKM_KEY_LEN);
	g->epoch++;
	return 0;
}

int node_generation_forward(const struct node_atr *a, struct node_generation *g, uint64_t epoch)
{
	struct kdf_ctx ctx = { a->def.atr_id, g->number, g->key_id };
	size_t steps = NODE_FORWARD_DERIVATIONS / (1 + g->n_pairs) + 1;
	_cleanup_secret_ struct akm_secret next = {};
	int r;

	if (epoch <= g->epoch)
		return 0;
	r = akm_secret_new((1 + g->n_pairs) * AKM_KEY_LEN, &next);
	while (!r && g->epoch < epoch && steps--)
		r = step(&ctx, g, &next);
	return r ?: g->epoch < epoch;
}

void node_generation_renew(struct node_generation *g, struct msg_atr_prepare *p)
{
	akm_secret_free(&g->chain);
	akm_secret_free(&g->pair_chains);
	free(g->pairs);
	g->epoch = p->epoch;
	g->chain = akm_secret_take(&p->chain);
	g->n_pairs = p->n_pairs;
	g->pairs = TAKE_PTR(p->pairs);
	g->pair_chains = akm_secret_take(&p->pair_chains);
	p->n_pairs = 0;
}

/* ---- encoding: { 1: version, 2: id, 3: term, 4: [ [ [active, prepare message, ? armed], … ], … ] } ---- */

static size_t count_stored(const struct node_state *s)
{
	size_t n = 0;

	for (const struct node_atr *a = s->first; a; a = a->next)
		n += a->n_generations > 0;
	return n;
}

static void put_generation(struct wire_writer *w, const struct node_atr *a, const struct node_generation *g)
{
	_cleanup_secret_ struct akm_secret encoded = {};
	struct msg m = { .type = MSG_ATR_PREPARE };
	int r;

	node_atr_message(a, g, &m.prepare);
	r = msg_encode(&m, &encoded);
	if (r < 0) {
		wr_fail(w, r);
		return;
	}
	wr_array(w, g->armed ? 3 : 2);
	wr_bool(w, g->active);
	wr_bytes(w, encoded.data, encoded.len);
	if (g->armed)
		wr_bool(w, true);
}

int node_state_encode(const struct node_state *s, struct akm_secret *ret)
{
	struct wire_writer w;
	int r;

	wr_init(&w, SEALED_FILE_MAX / 2);
	wr_map(&w, 4);
	wr_key_uint(&w, 1, NODE_STATE_VERSION);
	wr_key_bytes(&w, 2, s->id, AKM_ID_LEN);
	wr_key_uint(&w, 3, s->term);
	wr_key_array(&w, 4, count_stored(s));
	for (const struct node_atr *a = s->first; a; a = a->next) {
		if (!a->n_generations)
			continue;
		wr_array(&w, a->n_generations);
		for (size_t i = 0; i < a->n_generations; i++)
			put_generation(&w, a, &a->generations[i]);
	}
	r = wr_finish(&w, ret);
	wr_free(&w);
	return r;
}

static int get_armed(struct wire_reader *c, size_t len, bool *ret)
{
	int r = len == 3 ? rd_bool(c, "armed", ret) : 0;

	return r ?: len == 3 && !*ret ? rd_refuse(c, "armed", "is false, which goes without saying") : 0;
}

static int get_generation(struct wire_reader *c, struct node_atr *a)
{
	_cleanup_msg_ struct msg m = {};
	const uint8_t *p;
	bool active, armed = false;
	size_t len, n;
	int r;

	r = rd_array(c, "generation", 2, 3, &n) ?:
	    rd_bool(c, "active", &active) ?:
	    rd_view(c, "message", 1, LINK_MESSAGE_MAX, &p, &len) ?:
	    msg_decode(p, len, &m, c->err) ?:
	    get_armed(c, n, &armed) ?:
	    rd_leave(c);
	if (r < 0)
		return r;
	if (m.type != MSG_ATR_PREPARE || (a->n_generations && m.prepare.atr_id != a->def.atr_id) ||
	    node_atr_generation(a, m.prepare.generation))
		return rd_refuse(c, "message", "not one of this ATR's");
	node_atr_define(a, &m.prepare);
	r = node_atr_add(a, &m.prepare);
	if (r < 0)
		return r;
	node_atr_generation(a, m.prepare.generation)->active = active;
	node_atr_generation(a, m.prepare.generation)->armed = armed;
	return 0;
}

static int get_atr(struct wire_reader *c, struct node_state *s)
{
	struct node_atr *a = node_state_new(s);
	size_t n, active = 0;
	int r;

	if (!a)
		return -ENOMEM;
	r = rd_array(c, "ATR", 1, NODE_GENERATIONS, &n);
	for (size_t i = 0; !r && i < n; i++)
		r = get_generation(c, a);
	for (size_t i = 0; !r && i < n; i++)
		active += a->generations[i].active;
	if (!r && active > 1)
		r = rd_refuse(c, "generation", "two are active");
	for (const struct node_atr *b = a->next; !r && b; b = b->next)
		if (b->def.atr_id == a->def.atr_id)
			r = rd_refuse(c, "ATR", "twice");
	return r ?: rd_leave(c);
}

int node_state_decode(const struct akm_secret *content, struct node_state *ret, struct akm_error *err)
{
	struct node_state s = {};
	struct wire_reader c;
	uint64_t version;
	size_t n;
	int r;

	rd_init(&c, "sealed content", content->data, content->len, err);
	r = rd_map(&c, "") ?:
	    rd_key_u64(&c, 1, "version", NODE_STATE_VERSION, NODE_STATE_VERSION, &version) ?:
	    rd_key_bytes(&c, 2, "id", s.id, AKM_ID_LEN) ?:
	    rd_key_u64(&c, 3, "term", 0, UINT64_MAX, &s.term) ?:
	    rd_key_array(&c, 4, "ATRs", 0, ATRS_MAX, &n);
	for (size_t i = 0; !r && i < n; i++)
		r = get_atr(&c, &s);
	r = r ?: rd_leave(&c) ?: rd_end(&c);
	if (r < 0) {
		node_state_clear(&s);
		return r;
	}
	*ret = s;
	return 0;
}
