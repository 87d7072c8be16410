// SPDX-License-Identifier: GPL-2.0
#include "msg_codec.h"

#define INDEX_MAX	0xfffe		/* AKM_INDEX_MAX */
#define SUITE_MAX	3		/* enum akm_suite */
#define STRICT		1		/* enum akm_freshness */
#define EPOCH		2

/* ---- prepare: members ---- */

static void put_member(struct wire_writer *w, const struct msg_member *m)
{
	wr_map(w, m->endpoint.addr_len ? 4 : 3);
	wr_key_range(w, 1, m->index, 0, INDEX_MAX);
	wr_key_name(w, 2, m->name);
	msg_put_prefixes(w, 3, m->prefixes, m->n_prefixes, false);
	if (m->endpoint.addr_len) {
		wr_uint(w, 4);
		msg_put_endpoint(w, &m->endpoint);
	}
}

static int get_member(struct wire_reader *c, struct msg_member *m)
{
	int r;

	r = rd_map(c, "") ?:
	    rd_key_u16(c, 1, "index", 0, INDEX_MAX, &m->index) ?:
	    rd_key_name(c, 2, "name", m->name, sizeof(m->name)) ?:
	    msg_get_prefixes(c, 3, "prefixes", false, m->prefixes, &m->n_prefixes);
	if (!r && rd_has(c, 4))
		r = rd_key(c, 4, "endpoint") ?: msg_get_endpoint(c, "endpoint", &m->endpoint);
	return r ?: rd_leave(c);
}

static void put_members(struct wire_writer *w, uint64_t key, const struct msg_atr_prepare *p)
{
	if (p->n_members < 1 || p->n_members > MEMBERS_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_key_array(w, key, p->n_members);
	for (size_t i = 0; i < p->n_members; i++)
		put_member(w, &p->members[i]);
}

static int get_members(struct wire_reader *c, uint64_t key, struct msg_atr_prepare *p)
{
	size_t n;
	int r;

	r = rd_key_array(c, key, "members", 1, MEMBERS_MAX, &n);
	if (r < 0)
		return r;
	p->members = calloc(n, sizeof(*p->members));
	if (!p->members)
		return -ENOMEM;
	p->n_members = n;
	for (size_t i = 0; !r && i < n; i++)
		r = get_member(c, &p->members[i]);
	return r ?: rd_leave(c);
}

/* ---- prepare: pairwise secrets ---- */

static void put_pairs(struct wire_writer *w, uint64_t key, const struct msg_atr_prepare *p)
{
	if (p->n_pairs > MEMBERS_MAX || p->pair_chains.len != p->n_pairs * AKM_KEY_LEN) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_key_array(w, key, p->n_pairs);
	for (size_t i = 0; i < p->n_pairs; i++) {
		wr_array(w, 2);
		wr_uint(w, p->pairs[i].index);
		wr_bytes(w, p->pair_chains.data + i * AKM_KEY_LEN, AKM_KEY_LEN);
	}
}

static int get_pair(struct wire_reader *c, struct msg_pair *ret, uint8_t ret_chain[AKM_KEY_LEN])
{
	uint64_t index;
	size_t n;
	int r;

	r = rd_array(c, "", 2, 2, &n) ?:
	    rd_uint(c, "index", 0, INDEX_MAX, &index) ?:
	    rd_bytes(c, "chain", ret_chain, AKM_KEY_LEN) ?:
	    rd_leave(c);
	if (r < 0)
		return r;
	ret->index = (uint16_t)index;
	return 0;
}

static int get_pairs(struct wire_reader *c, uint64_t key, struct msg_atr_prepare *p)
{
	size_t n;
	int r;

	r = rd_key_array(c, key, "pairs", 0, MEMBERS_MAX, &n);
	if (r < 0 || !n)
		return r ?: rd_leave(c);
	p->pairs = calloc(n, sizeof(*p->pairs));
	if (!p->pairs)
		return -ENOMEM;
	r = akm_secret_new(n * AKM_KEY_LEN, &p->pair_chains);
	if (r < 0)
		return r;
	p->n_pairs = n;
	for (size_t i = 0; !r && i < n; i++)
		r = get_pair(c, &p->pairs[i], p->pair_chains.data + i * AKM_KEY_LEN);
	return r ?: rd_leave(c);
}

/* ---- prepare: what only the whole can tell ---- */

/*
 * Members and pairs ascend by index (so none comes twice), the receiver is a
 * member, and a pair joins it with another member. Return: NULL or what is wrong.
 */
static const char *inconsistent(const struct msg_atr_prepare *p, const char **ret_field)
{
	bool self = false;
	size_t at = 0;

	*ret_field = "members";
	for (size_t i = 0; i < p->n_members; i++) {
		if (i && p->members[i].index <= p->members[i - 1].index)
			return "are not in ascending order of their indices";
		self = self || p->members[i].index == p->self;
	}
	*ret_field = "self";
	if (!self)
		return "is not the index of a member";
	*ret_field = "pairs";
	for (size_t i = 0; i < p->n_pairs; i++) {
		while (at < p->n_members && p->members[at].index < p->pairs[i].index)
			at++;
		if (i && p->pairs[i].index <= p->pairs[i - 1].index)
			return "are not in ascending order of their indices";
		if (at == p->n_members || p->members[at].index != p->pairs[i].index)
			return "name an index that is no member's";
		if (p->pairs[i].index == p->self)
			return "name the receiver itself";
	}
	return NULL;
}

static void put_prepare(struct wire_writer *w, const struct msg *m)
{
	const struct msg_atr_prepare *p = &m->prepare;
	const char *field;

	if (p->chain.len != AKM_KEY_LEN || !p->n_members || inconsistent(p, &field)) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 16u + (p->freshness == EPOCH) + (p->group.addr_len > 0));
	wr_key_range(w, 1, p->atr_id, 1, UINT32_MAX);
	wr_key_name(w, 2, p->label);
	wr_key_range(w, 3, p->definition, 1, UINT64_MAX);
	wr_key_range(w, 4, p->suite, 1, SUITE_MAX);
	wr_key_range(w, 5, p->port, 1, UINT16_MAX);
	wr_key_uint(w, 6, p->epoch_interval_ms);
	wr_key_uint(w, 7, p->epoch_grace_ms);
	wr_key_range(w, 8, p->self, 0, INDEX_MAX);
	msg_put_prefixes(w, 9, p->addresses, p->n_addresses, true);
	put_members(w, 10, p);
	wr_key_range(w, 11, p->generation, 1, UINT32_MAX);
	wr_key_range(w, 12, p->key_id, 1, UINT32_MAX);
	wr_key_uint(w, 13, p->epoch);
	wr_key_uint(w, 14, p->term);
	wr_key_bytes(w, 15, p->chain.data, p->chain.len);
	put_pairs(w, 16, p);
	if (p->freshness == EPOCH)
		wr_key_uint(w, 17, EPOCH);
	if (p->group.addr_len) {
		wr_uint(w, 18);
		msg_put_group(w, &p->group);
	}
}

static int get_freshness(struct wire_reader *c, struct msg_atr_prepare *p)
{
	p->freshness = STRICT;			/* which is what goes without saying */
	return rd_has(c, 17) ? rd_key_u32(c, 17, "freshness", EPOCH, EPOCH, &p->freshness) : 0;
}

static int get_group(struct wire_reader *c, struct msg_atr_prepare *p)
{
	return rd_has(c, 18) ? rd_key(c, 18, "group") ?: msg_get_group(c, "group", &p->group) : 0;
}

static int get_prepare(struct wire_reader *c, struct msg *m)
{
	struct msg_atr_prepare *p = &m->prepare;
	const char *field, *wrong;
	int r;

	r = rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &p->atr_id) ?:
	    rd_key_name(c, 2, "label", p->label, sizeof(p->label)) ?:
	    rd_key_u64(c, 3, "definition", 1, UINT64_MAX, &p->definition) ?:
	    rd_key_u32(c, 4, "suite", 1, SUITE_MAX, &p->suite) ?:
	    rd_key_u16(c, 5, "port", 1, UINT16_MAX, &p->port) ?:
	    rd_key_u32(c, 6, "epoch-interval-ms", 0, UINT32_MAX, &p->epoch_interval_ms) ?:
	    rd_key_u32(c, 7, "epoch-grace-ms", 0, UINT32_MAX, &p->epoch_grace_ms) ?:
	    rd_key_u16(c, 8, "self", 0, INDEX_MAX, &p->self) ?:
	    msg_get_prefixes(c, 9, "addresses", true, p->addresses, &p->n_addresses) ?:
	    get_members(c, 10, p) ?:
	    rd_key_u32(c, 11, "generation", 1, UINT32_MAX, &p->generation) ?:
	    rd_key_u32(c, 12, "key-id", 1, UINT32_MAX, &p->key_id) ?:
	    rd_key_u64(c, 13, "epoch", 0, UINT64_MAX, &p->epoch) ?:
	    rd_key_u64(c, 14, "term", 0, UINT64_MAX, &p->term) ?:
	    rd_key_secret(c, 15, "chain", AKM_KEY_LEN, AKM_KEY_LEN, &p->chain) ?:
	    get_pairs(c, 16, p) ?:
	    get_freshness(c, p) ?:
	    get_group(c, p);
	if (r < 0)
		return r;
	wrong = inconsistent(p, &field);
	return wrong ? rd_refuse(c, field, "%s", wrong) : 0;
}

static void free_prepare(struct msg *m)
{
	free(m->prepare.members);
	free(m->prepare.pairs);
	akm_secret_free(&m->prepare.chain);
	akm_secret_free(&m->prepare.pair_chains);
}

const struct msg_codec msg_codec_prepare = { "atr-prepare", put_prepare, get_prepare, free_prepare };

/* ---- activate, retire, delete ---- */

static void put_activate(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 3);
	wr_key_range(w, 1, m->activate.atr_id, 1, UINT32_MAX);
	wr_key_range(w, 2, m->activate.generation, 1, UINT32_MAX);
	wr_key_uint(w, 3, m->activate.grace_ms);
}

static int get_activate(struct wire_reader *c, struct msg *m)
{
	return rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &m->activate.atr_id) ?:
	       rd_key_u32(c, 2, "generation", 1, UINT32_MAX, &m->activate.generation) ?:
	       rd_key_u32(c, 3, "grace-ms", 0, UINT32_MAX, &m->activate.grace_ms);
}

const struct msg_codec msg_codec_activate = { "atr-activate", put_activate, get_activate, NULL };

static void put_retire(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 2);
	wr_key_range(w, 1, m->retire.atr_id, 1, UINT32_MAX);
	wr_key_range(w, 2, m->retire.generation, 1, UINT32_MAX);
}

static int get_retire(struct wire_reader *c, struct msg *m)
{
	return rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &m->retire.atr_id) ?:
	       rd_key_u32(c, 2, "generation", 1, UINT32_MAX, &m->retire.generation);
}

const struct msg_codec msg_codec_retire = { "atr-retire", put_retire, get_retire, NULL };

static void put_delete(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 1);
	wr_key_range(w, 1, m->del.atr_id, 1, UINT32_MAX);
}

static int get_delete(struct wire_reader *c, struct msg *m)
{
	return rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &m->del.atr_id);
}

const struct msg_codec msg_codec_delete = { "atr-delete", put_delete, get_delete, NULL };

/* ---- arm ---- */

static void put_arm(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 2);
	wr_key_range(w, 1, m->arm.atr_id, 1, UINT32_MAX);
	wr_key_range(w, 2, m->arm.generation, 1, UINT32_MAX);
}

static int get_arm(struct wire_reader *c, struct msg *m)
{
	return rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &m->arm.atr_id) ?:
	       rd_key_u32(c, 2, "generation", 1, UINT32_MAX, &m->arm.generation);
}

const struct msg_codec msg_codec_arm = { "atr-arm", put_arm, get_arm, NULL };

/* ---- roll ---- */

static void put_roll(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 3);
	wr_key_range(w, 1, m->roll.atr_id, 1, UINT32_MAX);
	wr_key_range(w, 2, m->roll.generation, 1, UINT32_MAX);
	wr_key_range(w, 3, m->roll.epoch, 1, UINT64_MAX);
}

static int get_roll(struct wire_reader *c, struct msg *m)
{
	return rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &m->roll.atr_id) ?:
	       rd_key_u32(c, 2, "generation", 1, UINT32_MAX, &m->roll.generation) ?:
	       rd_key_u64(c, 3, "epoch", 1, UINT64_MAX, &m->roll.epoch);
}

const struct msg_codec msg_codec_roll = { "atr-roll", put_roll, get_roll, NULL };
