// SPDX-License-Identifier: GPL-2.0
#include "msg_codec.h"

#include "../include/uapi/linux/akm.h"

#define EK_NAME_MAX 128

static void put_node(struct wire_writer *w, const struct msg_inventory_node *n)
{
	if (n->key.len < 1 || n->key.len > BLOB_MAX || n->ek_name.len > EK_NAME_MAX || n->parent_public.len > BLOB_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 9u + (n->endpoint.addr_len > 0) + (n->attest.pcrs > 0) + (n->parent_public.len > 0));
	wr_key_bytes(w, 1, n->id, sizeof(n->id));
	wr_key_name(w, 2, n->name);
	wr_key_bool(w, 3, n->evicted);
	wr_key_bytes(w, 4, n->hardware, sizeof(n->hardware));
	wr_key_uint(w, 5, n->link_n);
	wr_key_blob(w, 6, &n->key);
	wr_key_text(w, 7, n->label);
	wr_key_blob(w, 8, &n->ek_name);
	wr_key_bool(w, 9, n->fixed);
	if (n->endpoint.addr_len) {
		wr_uint(w, 10);
		msg_put_endpoint(w, &n->endpoint);
	}
	if (n->attest.pcrs) {
		wr_uint(w, 11);
		msg_put_baseline(w, &n->attest);
	}
	if (n->parent_public.len)
		wr_key_blob(w, 12, &n->parent_public);
}

static int get_node_endpoint(struct wire_reader *c, struct msg_inventory_node *n)
{
	if (!rd_has(c, 10))
		return 0;
	return rd_key(c, 10, "endpoint") ?: msg_get_endpoint(c, "endpoint", &n->endpoint);
}

static int get_node_attest(struct wire_reader *c, struct msg_inventory_node *n)
{
	if (!rd_has(c, 11))
		return 0;
	return rd_key_map(c, 11, "attest") ?: msg_get_baseline(c, &n->attest) ?: rd_leave(c);
}

static int get_node_parent(struct wire_reader *c, struct msg_inventory_node *n)
{
	return rd_has(c, 12) ? rd_key_blob(c, 12, "parent-public", 1, BLOB_MAX, &n->parent_public) : 0;
}

static int get_node(struct wire_reader *c, struct msg_inventory_node *n)
{
	return rd_map(c, "") ?:
	       rd_key_bytes(c, 1, "id", n->id, sizeof(n->id)) ?:
	       rd_key_name(c, 2, "name", n->name, sizeof(n->name)) ?:
	       rd_key_bool(c, 3, "evicted", &n->evicted) ?:
	       rd_key_bytes(c, 4, "hardware", n->hardware, sizeof(n->hardware)) ?:
	       rd_key_u64(c, 5, "link-n", 0, UINT64_MAX, &n->link_n) ?:
	       rd_key_blob(c, 6, "key", 1, BLOB_MAX, &n->key) ?:
	       rd_key_text(c, 7, "label", n->label, sizeof(n->label)) ?:
	       rd_key_blob(c, 8, "ek-name", 0, EK_NAME_MAX, &n->ek_name) ?:
	       rd_key_bool(c, 9, "fixed", &n->fixed) ?:
	       get_node_endpoint(c, n) ?:
	       get_node_attest(c, n) ?:
	       get_node_parent(c, n) ?:
	       rd_leave(c);
}

static void put_members(struct wire_writer *w, const struct msg_inventory_atr *a)
{
	if (a->n_members > MEMBERS_MAX)
		wr_fail(w, -EINVAL);
	wr_key_array(w, 6, a->n_members);
	for (size_t i = 0; i < a->n_members; i++) {
		const struct msg_inventory_member *m = &a->members[i];

		if (m->index > AKM_INDEX_MAX || (i && m->index <= a->members[i - 1].index))
			wr_fail(w, -EINVAL);
		wr_array(w, m->n_prefixes ? 4 : 3);
		wr_uint(w, m->index);
		wr_bytes(w, m->node, AKM_ID_LEN);
		wr_bool(w, m->removed);
		if (m->n_prefixes)
			msg_put_prefix_list(w, m->prefixes, m->n_prefixes, false);
	}
}

static int get_member(struct wire_reader *c, const struct msg_inventory_member *before, struct msg_inventory_member *m)
{
	uint64_t index;
	size_t fields;
	int r;

	r = rd_array(c, "", 3, 4, &fields) ?:
	    rd_uint(c, "index", 0, AKM_INDEX_MAX, &index) ?:
	    rd_bytes(c, "node", m->node, AKM_ID_LEN) ?:
	    rd_bool(c, "removed", &m->removed);
	if (!r && fields > 3)
		r = msg_get_prefix_list(c, "prefixes", 1, false, m->prefixes, &m->n_prefixes);
	if (r < 0)
		return r;
	m->index = (uint16_t)index;
	if (before && m->index <= before->index)
		return rd_refuse(c, "index", "%u does not follow %u", m->index, before->index);
	return rd_leave(c);
}

static int get_members(struct wire_reader *c, struct msg_inventory_atr *a)
{
	size_t n;
	int r;

	r = rd_key_array(c, 6, "members", 0, MEMBERS_MAX, &n);
	if (r < 0)
		return r;
	a->members = calloc(n ?: 1, sizeof(*a->members));
	if (!a->members)
		return -ENOMEM;
	a->n_members = n;
	for (size_t i = 0; !r && i < n; i++)
		r = get_member(c, i ? &a->members[i - 1] : NULL, &a->members[i]);
	return r ?: rd_leave(c);
}

static void put_atr(struct wire_writer *w, const struct msg_inventory_atr *a)
{
	wr_map(w, 6);
	wr_key_range(w, 1, a->atr_id, 1, UINT32_MAX);
	wr_key_name(w, 2, a->label);
	wr_key_uint(w, 3, a->generation);
	wr_key_uint(w, 4, a->definition);
	wr_key_text(w, 5, a->json);
	put_members(w, a);
}

static int get_atr(struct wire_reader *c, struct msg_inventory_atr *a)
{
	return rd_map(c, "") ?:
	       rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &a->atr_id) ?:
	       rd_key_name(c, 2, "label", a->label, sizeof(a->label)) ?:
	       rd_key_u32(c, 3, "generation", 0, UINT32_MAX, &a->generation) ?:
	       rd_key_u64(c, 4, "definition", 0, UINT64_MAX, &a->definition) ?:
	       rd_key_text(c, 5, "json", a->json, sizeof(a->json)) ?:
	       get_members(c, a) ?:
	       rd_leave(c);
}

static void put_body(struct wire_writer *w, const struct msg_inventory *v)
{
	if (v->n_nodes > NODES_MAX || v->n_atrs > INVENTORY_ATRS_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_key_uint(w, 1, v->version);
	wr_key_array(w, 2, v->n_nodes);
	for (size_t i = 0; i < v->n_nodes; i++)
		put_node(w, &v->nodes[i]);
	wr_key_array(w, 3, v->n_atrs);
	for (size_t i = 0; i < v->n_atrs; i++)
		put_atr(w, &v->atrs[i]);
}

static void put_locked(struct wire_writer *w, uint64_t key, const struct msg_inventory *v)
{
	if (v->locked[0])
		wr_key_name(w, key, v->locked);
}

static void put_inventory(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 3u + (m->inventory.locked[0] != '\0'));
	put_body(w, &m->inventory);
	put_locked(w, 4, &m->inventory);
}

static void put_takeover(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 4u + (m->takeover.inventory.locked[0] != '\0'));
	put_body(w, &m->takeover.inventory);
	wr_key_name(w, 4, m->takeover.from);
	put_locked(w, 5, &m->takeover.inventory);
}

static int get_nodes(struct wire_reader *c, uint64_t key, struct msg_inventory *v)
{
	size_t n;
	int r;

	r = rd_key_array(c, key, "nodes", 0, NODES_MAX, &n);
	if (r < 0)
		return r;
	v->nodes = calloc(n ?: 1, sizeof(*v->nodes));
	if (!v->nodes)
		return -ENOMEM;
	v->n_nodes = n;
	for (size_t i = 0; !r && i < n; i++)
		r = get_node(c, &v->nodes[i]);
	return r ?: rd_leave(c);
}

static int get_atrs(struct wire_reader *c, uint64_t key, struct msg_inventory *v)
{
	size_t n;
	int r;

	r = rd_key_array(c, key, "atrs", 0, INVENTORY_ATRS_MAX, &n);
	if (r < 0)
		return r;
	v->atrs = calloc(n ?: 1, sizeof(*v->atrs));
	if (!v->atrs)
		return -ENOMEM;
	v->n_atrs = n;
	for (size_t i = 0; !r && i < n; i++)
		r = get_atr(c, &v->atrs[i]);
	return r ?: rd_leave(c);
}

static int get_body(struct wire_reader *c, struct msg_inventory *v)
{
	return rd_key_u64(c, 1, "version", 0, UINT64_MAX, &v->version) ?:
	       get_nodes(c, 2, v) ?:
	       get_atrs(c, 3, v);
}

static int get_locked(struct wire_reader *c, uint64_t key, struct msg_inventory *v)
{
	return rd_has(c, key) ? rd_key_name(c, key, "locked", v->locked, sizeof(v->locked)) : 0;
}

static int get_inventory(struct wire_reader *c, struct msg *m)
{
	return get_body(c, &m->inventory) ?: get_locked(c, 4, &m->inventory);
}

static int get_takeover(struct wire_reader *c, struct msg *m)
{
	struct msg_takeover *t = &m->takeover;

	return get_body(c, &t->inventory) ?: rd_key_name(c, 4, "from", t->from, sizeof(t->from)) ?:
	       get_locked(c, 5, &t->inventory);
}

static void free_body(struct msg_inventory *v)
{
	for (size_t i = 0; i < v->n_nodes; i++) {
		akm_blob_free(&v->nodes[i].key);
		akm_blob_free(&v->nodes[i].ek_name);
		quote_baseline_free(&v->nodes[i].attest);
		akm_blob_free(&v->nodes[i].parent_public);
	}
	for (size_t i = 0; i < v->n_atrs; i++)
		free(v->atrs[i].members);
	free(v->nodes);
	free(v->atrs);
}

static void free_inventory(struct msg *m)
{
	free_body(&m->inventory);
}

static void free_takeover(struct msg *m)
{
	free_body(&m->takeover.inventory);
}

const struct msg_codec msg_codec_inventory = { "inventory", put_inventory, get_inventory, free_inventory };
const struct msg_codec msg_codec_takeover = { "takeover", put_takeover, get_takeover, free_takeover };
