// SPDX-License-Identifier: GPL-2.0
#include "msg_codec.h"

static bool addr_len_ok(size_t len)
{
	return len == 4 || len == 16;
}

static bool host_bits_zero(const struct msg_prefix *p)
{
	for (size_t bit = p->prefix_len; bit < 8u * p->addr_len; bit++)
		if (p->addr[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

/* What an address comes with: an array of it and a number, which is the caller's. */
static void put_addr(struct wire_writer *w, const uint8_t *addr, size_t len)
{
	wr_array(w, 2);
	wr_bytes(w, addr, len);
}

static void put_prefix(struct wire_writer *w, const struct msg_prefix *p, bool host_bits)
{
	if (!addr_len_ok(p->addr_len) || p->prefix_len > 8 * p->addr_len || (!host_bits && !host_bits_zero(p))) {
		wr_fail(w, -EINVAL);
		return;
	}
	put_addr(w, p->addr, p->addr_len);
	wr_uint(w, p->prefix_len);
}

void msg_put_prefix_list(struct wire_writer *w, const struct msg_prefix *p, size_t n, bool host_bits)
{
	if (n > ADDRESSES_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_array(w, n);
	for (size_t i = 0; i < n; i++)
		put_prefix(w, &p[i], host_bits);
}

void msg_put_prefixes(struct wire_writer *w, uint64_t key, const struct msg_prefix *p, size_t n, bool host_bits)
{
	wr_uint(w, key);
	msg_put_prefix_list(w, p, n, host_bits);
}

/* Likewise: enters the array @name, and takes the address, a byte string of 4 or 16. */
static int get_addr(struct wire_reader *c, const char *name, uint8_t ret[16], uint8_t *ret_len)
{
	const uint8_t *data;
	size_t n, len;
	int r;

	r = rd_array(c, name, 2, 2, &n) ?: rd_view(c, "address", 4, 16, &data, &len);
	if (r < 0)
		return r;
	if (!addr_len_ok(len))
		return rd_refuse(c, "address", "has %zu bytes, allowed are 4 or 16", len);
	memcpy(ret, data, len);
	*ret_len = (uint8_t)len;
	return 0;
}

static int get_prefix(struct wire_reader *c, bool host_bits, struct msg_prefix *ret)
{
	struct msg_prefix p = {};
	uint64_t len;
	int r;

	r = get_addr(c, "", p.addr, &p.addr_len);
	r = r ?: rd_uint(c, "length", 0, 8 * p.addr_len, &len);
	if (r < 0)
		return r;
	p.prefix_len = (uint8_t)len;
	if (!host_bits && !host_bits_zero(&p))
		return rd_refuse(c, "address", "has host bits behind its prefix length of %u", p.prefix_len);
	*ret = p;
	return rd_leave(c);
}

int msg_get_prefix_list(struct wire_reader *c, const char *name, size_t min, bool host_bits, struct msg_prefix *ret,
			size_t *ret_n)
{
	size_t n;
	int r;

	r = rd_array(c, name, min, ADDRESSES_MAX, &n);
	for (size_t i = 0; !r && i < n; i++)
		r = get_prefix(c, host_bits, &ret[i]);
	r = r ?: rd_leave(c);
	if (!r)
		*ret_n = n;
	return r;
}

int msg_get_prefixes(struct wire_reader *c, uint64_t key, const char *name, bool host_bits,
		     struct msg_prefix *ret, size_t *ret_n)
{
	return rd_key(c, key, name) ?: msg_get_prefix_list(c, name, 0, host_bits, ret, ret_n);
}

bool msg_group_valid(const struct msg_group *g)
{
	if (!g->ttl)
		return false;
	if (g->addr_len == 4)
		return g->addr[0] >> 4 == 0xe;			/* 224.0.0.0/4, RFC 5771 */
	/* Scope 0 is reserved, 1 stays within the node: RFC 7346, section 2 */
	return g->addr_len == 16 && g->addr[0] == 0xff && (g->addr[1] & 0xf) > 1;
}

void msg_put_group(struct wire_writer *w, const struct msg_group *g)
{
	if (!msg_group_valid(g)) {
		wr_fail(w, -EINVAL);
		return;
	}
	put_addr(w, g->addr, g->addr_len);
	wr_uint(w, g->ttl);
}

int msg_get_group(struct wire_reader *c, const char *name, struct msg_group *ret)
{
	struct msg_group g = {};
	uint64_t ttl;
	int r;

	r = get_addr(c, name, g.addr, &g.addr_len) ?:
	    rd_uint(c, "ttl", 1, UINT8_MAX, &ttl);
	if (r < 0)
		return r;
	g.ttl = (uint8_t)ttl;
	if (!msg_group_valid(&g))
		return rd_refuse(c, "address", "is no multicast group that leaves the node");
	r = rd_leave(c);
	if (!r)
		*ret = g;
	return r;
}

void msg_put_endpoint(struct wire_writer *w, const struct msg_endpoint *e)
{
	if (!addr_len_ok(e->addr_len)) {
		wr_fail(w, -EINVAL);
		return;
	}
	put_addr(w, e->addr, e->addr_len);
	wr_uint(w, e->port);
}

int msg_get_endpoint(struct wire_reader *c, const char *name, struct msg_endpoint *ret)
{
	struct msg_endpoint e = {};
	uint64_t port;
	int r;

	r = get_addr(c, name, e.addr, &e.addr_len) ?:
	    rd_uint(c, "port", 0, UINT16_MAX, &port) ?:
	    rd_leave(c);
	if (r < 0)
		return r;
	e.port = (uint16_t)port;
	*ret = e;
	return 0;
}
