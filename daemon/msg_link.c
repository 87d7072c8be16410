// SPDX-License-Identifier: GPL-2.0
#include "msg_codec.h"

/* ---- hello ---- */

static void put_hello(struct wire_writer *w, const struct msg *m)
{
	const struct msg_hello *h = &m->hello;

	if (h->n_endpoints > ENDPOINTS_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 6u + (h->instance > 0) + (h->features > 0));
	wr_key_uint(w, 1, h->version);
	wr_key_range(w, 2, h->role, ROLE_ROOT, ROLE_NODE);
	wr_key_name(w, 3, h->name);
	wr_key_uint(w, 4, h->term);
	wr_key_range(w, 5, h->link_n, 1, UINT64_MAX);
	wr_key_array(w, 6, h->n_endpoints);
	for (size_t i = 0; i < h->n_endpoints; i++)
		msg_put_endpoint(w, &h->endpoints[i]);
	if (h->instance)
		wr_key_range(w, 7, h->instance, 1, UINT64_MAX);
	if (h->features)
		wr_key_range(w, 8, h->features, 1, UINT32_MAX);
}

static int get_instance(struct wire_reader *c, struct msg_hello *h)
{
	return rd_has(c, 7) ? rd_key_u64(c, 7, "instance", 1, UINT64_MAX, &h->instance) : 0;
}

static int get_features(struct wire_reader *c, struct msg_hello *h)
{
	return rd_has(c, 8) ? rd_key_u32(c, 8, "features", 1, UINT32_MAX, &h->features) : 0;
}

/* The version is the role's to judge: another one is to be told apart from garbage. */
static int get_hello(struct wire_reader *c, struct msg *m)
{
	struct msg_hello *h = &m->hello;
	uint32_t role;
	size_t n;
	int r;

	r = rd_key_u32(c, 1, "version", 0, UINT32_MAX, &h->version) ?:
	    rd_key_u32(c, 2, "role", ROLE_ROOT, ROLE_NODE, &role) ?:
	    rd_key_name(c, 3, "name", h->name, sizeof(h->name)) ?:
	    rd_key_u64(c, 4, "term", 0, UINT64_MAX, &h->term) ?:
	    rd_key_u64(c, 5, "link-n", 1, UINT64_MAX, &h->link_n) ?:
	    rd_key_array(c, 6, "endpoints", 0, ENDPOINTS_MAX, &n);
	for (size_t i = 0; !r && i < n; i++)
		r = msg_get_endpoint(c, "", &h->endpoints[i]);
	r = r ?: rd_leave(c) ?: get_instance(c, h) ?: get_features(c, h);
	if (r < 0)
		return r;
	h->role = (enum msg_role)role;
	h->n_endpoints = n;
	return 0;
}

const struct msg_codec msg_codec_hello = { "hello", put_hello, get_hello, NULL };

/* ---- ok ---- */

static void put_ok(struct wire_writer *w, const struct msg *m)
{
	(void)m;
	wr_map(w, 0);
}

static int get_ok(struct wire_reader *c, struct msg *m)
{
	(void)c;
	(void)m;
	return 0;
}

const struct msg_codec msg_codec_ok = { "ok", put_ok, get_ok, NULL };

/* ---- error ---- */

#define ERRNO_MAX 4095		/* as in the kernel */

static void put_error(struct wire_writer *w, const struct msg *m)
{
	const struct msg_error *e = &m->error;

	wr_map(w, 3);
	wr_key_range(w, 1, (uint64_t)e->code, 1, ERRNO_MAX);
	wr_key_text(w, 2, e->field);
	wr_key_text(w, 3, e->reason);
}

static int get_error(struct wire_reader *c, struct msg *m)
{
	struct msg_error *e = &m->error;
	uint32_t code;
	int r;

	r = rd_key_u32(c, 1, "code", 1, ERRNO_MAX, &code) ?:
	    rd_key_text(c, 2, "field", e->field, sizeof(e->field)) ?:
	    rd_key_text(c, 3, "reason", e->reason, sizeof(e->reason));
	if (r < 0)
		return r;
	e->code = (int)code;
	return 0;
}

const struct msg_codec msg_codec_error = { "error", put_error, get_error, NULL };

/* ---- link-next ---- */

static void put_link_next(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 1);
	wr_key_range(w, 1, m->next.n, 1, UINT64_MAX);
}

static int get_link_next(struct wire_reader *c, struct msg *m)
{
	return rd_key_u64(c, 1, "n", 1, UINT64_MAX, &m->next.n);
}

const struct msg_codec msg_codec_link_next = { "link-next", put_link_next, get_link_next, NULL };

/* ---- rotate ---- */

static void put_rotate(struct wire_writer *w, const struct msg *m)
{
	const struct msg_rotate *o = &m->rotate;

	if (!o->wrapped.len || o->wrapped.len > BLOB_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 3);
	wr_key_range(w, 1, o->n, 2, UINT64_MAX);
	wr_key_bytes(w, 2, o->nonce, sizeof(o->nonce));
	wr_key_blob(w, 3, &o->wrapped);
}

static int get_rotate(struct wire_reader *c, struct msg *m)
{
	struct msg_rotate *o = &m->rotate;

	return rd_key_u64(c, 1, "n", 2, UINT64_MAX, &o->n) ?:
	       rd_key_bytes(c, 2, "nonce", o->nonce, sizeof(o->nonce)) ?:
	       rd_key_blob(c, 3, "wrapped", 1, BLOB_MAX, &o->wrapped);
}

static void free_rotate(struct msg *m)
{
	akm_blob_free(&m->rotate.wrapped);
}

const struct msg_codec msg_codec_rotate = { "rotate", put_rotate, get_rotate, free_rotate };

/* ---- features ---- */

static void put_features(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 1);
	wr_key_range(w, 1, m->features.bits, 1, UINT32_MAX);
}

static int get_features_alone(struct wire_reader *c, struct msg *m)
{
	return rd_key_u32(c, 1, "features", 1, UINT32_MAX, &m->features.bits);
}

const struct msg_codec msg_codec_features = { "features", put_features, get_features_alone, NULL };
