// SPDX-License-Identifier: GPL-2.0
#include "msg_codec.h"

static void put_node(struct wire_writer *w, const struct msg_inventory_node *n)
{
	if (n->key.len < 1 || n->key.len > BLOB_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 6);
	wr_key_bytes(w, 1, n->id, sizeof(n->id));
	wr_key_name(w, 2, n->name);
	wr_key_bool(w, 3, n->evicted);
	wr_key_bytes(w, 4, n->hardware, sizeof(n->hardware));
	wr_key_uint(w, 5, n->link_n);
	wr_key_blob(w, 6, &n->key);
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
	       rd_leave(c);
}

static void put_atr(struct wire_writer *w, const struct msg_inventory_atr *a)
{
	wr_map(w, 5);
	wr_key_range(w, 1, a->atr_id, 1, UINT32_MAX);
	wr_key_name(w, 2, a->label);
	wr_key_uint(w, 3, a->generation);
	wr_key_uint(w, 4, a->definition);
	wr_key_text(w, 5, a->json);
}

static int get_atr(struct wire_reader *c, struct msg_inventory_atr *a)
{
	return rd_map(c, "") ?:
	       rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &a->atr_id) ?:
	       rd_key_name(c, 2, "label", a->label, sizeof(a->label)) ?:
	       rd_key_u32(c, 3, "generation", 0, UINT32_MAX, &a->generation) ?:
	       rd_key_u64(c, 4, "definition", 0, UINT64_MAX, &a->definition) ?:
	       rd_key_text(c, 5, "json", a->json, sizeof(a->json)) ?:
	       rd_leave(c);
}

static void put_inventory(struct wire_writer *w, const struct msg *m)
{
	const struct msg_inventory *v = &m->inventory;

	if (v->n_nodes > NODES_MAX || v->n_atrs > INVENTORY_ATRS_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 3);
	wr_key_uint(w, 1, v->version);
	wr_key_array(w, 2, v->n_nodes);
	for (size_t i = 0; i < v->n_nodes; i++)
		put_node(w, &v->nodes[i]);
	wr_key_array(w, 3, v->n_atrs);
	for (size_t i = 0; i < v->n_atrs; i++)
		put_atr(w, &v->atrs[i]);
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

static int get_inventory(struct wire_reader *c, struct msg *m)
{
	struct msg_inventory *v = &m->inventory;

	return rd_key_u64(c, 1, "version", 0, UINT64_MAX, &v->version) ?:
	       get_nodes(c, 2, v) ?:
	       get_atrs(c, 3, v);
}

static void free_inventory(struct msg *m)
{
	struct msg_inventory *v = &m->inventory;

	for (size_t i = 0; i < v->n_nodes; i++)
		akm_blob_free(&v->nodes[i].key);
	free(v->nodes);
	free(v->atrs);
}

const struct msg_codec msg_codec_inventory = { "inventory", put_inventory, get_inventory, free_inventory };
