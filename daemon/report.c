// SPDX-License-Identifier: GPL-2.0
#include "report.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <time.h>

#include <linux/akm.h>

static void put(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add(o, key, v);
}

static void put_text(struct json_object *o, const char *key, const char *v)
{
	put(o, key, json_object_new_string(v));
}

void report_put_text(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

void report_put_int(struct json_object *o, const char *key, int64_t v)
{
	json_object_object_add(o, key, json_object_new_int64(v));
}

struct json_object *report_time(uint64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	char date[32], text[64];

	if (!wall_ms || !gmtime_r(&s, &tm))
		return NULL;
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03uZ", date, (unsigned int)(wall_ms % 1000));
	return json_object_new_string(text);
}

const char *report_severity(enum msg_severity s)
{
	switch (s) {
	case SEV_INFO:
		return "info";
	case SEV_WARNING:
		return "warning";
	case SEV_ALERT:
		return "alert";
	}
	return "?";
}

static struct json_object *report_packet(const struct msg_packet *p)
{
	struct json_object *o = json_object_new_object();
	char hex[2 * PACKET_SHOWN_MAX + 1];

	report_hex(p->bytes, p->n, hex);
	put(o, "length", json_object_new_int(p->len));
	put_text(o, "bytes", hex);
	return o;
}

struct json_object *report_event(uint64_t seq, const struct msg_event *e)
{
	struct json_object *o = json_object_new_object(), *data;

	if (!o)
		return NULL;
	put(o, "seq", json_object_new_uint64(seq));
	put(o, "time", report_time(e->time_ms));
	put_text(o, "source", e->source);
	put_text(o, "severity", report_severity(e->severity));
	put_text(o, "kind", e->kind);
	if (e->atr_id)
		put(o, "atr", json_object_new_int64(e->atr_id));
	if (e->member >= 0)
		put(o, "member", json_object_new_int(e->member));
	put_text(o, "text", e->text);
	data = json_object_new_object();
	put(data, "count", json_object_new_uint64(e->count));
	put(data, "source_seq", json_object_new_uint64(e->seq));
	put(data, "time_ms", json_object_new_uint64(e->time_ms));
	put(o, "data", data);
	if (e->packet.len)
		put(o, "packet", report_packet(&e->packet));
	return o;
}

void report_prefix_text(const struct msg_prefix *p, char *ret, size_t size)
{
	char addr[INET6_ADDRSTRLEN] = "";

	inet_ntop(p->addr_len == 4 ? AF_INET : AF_INET6, p->addr, addr, sizeof(addr));
	snprintf(ret, size, "%s/%u", addr, p->prefix_len);
}

void report_endpoint_text(const struct msg_endpoint *e, char *ret, size_t size)
{
	char addr[INET6_ADDRSTRLEN] = "";

	inet_ntop(e->addr_len == 4 ? AF_INET : AF_INET6, e->addr, addr, sizeof(addr));
	if (!e->port)
		snprintf(ret, size, "%s", addr);
	else
		snprintf(ret, size, e->addr_len == 4 ? "%s:%u" : "[%s]:%u", addr, e->port);
}

struct msg_endpoint report_endpoint_of(const struct sockaddr_storage *a, uint16_t port)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
	struct msg_endpoint e = { .port = port };

	if (a->ss_family == AF_INET) {
		e.addr_len = 4;
		memcpy(e.addr, &((const struct sockaddr_in *)a)->sin_addr, 4);
	} else if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		e.addr_len = 4;
		memcpy(e.addr, six->sin6_addr.s6_addr + 12, 4);
	} else if (a->ss_family == AF_INET6) {
		e.addr_len = 16;
		memcpy(e.addr, &six->sin6_addr, 16);
	}
	return e;
}

void report_sockaddr_text(const struct sockaddr_storage *a, bool port, char *ret, size_t size)
{
	/* sin_port and sin6_port lie at the same place */
	struct msg_endpoint e =
		report_endpoint_of(a, port ? ntohs(((const struct sockaddr_in *)a)->sin_port) : 0);

	if (e.addr_len)
		report_endpoint_text(&e, ret, size);
	else
		snprintf(ret, size, "?");
}

struct json_object *report_prefix(const struct msg_prefix *p)
{
	char text[REPORT_PREFIX_MAX];

	if (!p->addr_len)
		return NULL;
	report_prefix_text(p, text, sizeof(text));
	return json_object_new_string(text);
}

struct json_object *report_endpoint(const struct msg_endpoint *e)
{
	char text[REPORT_ENDPOINT_MAX];

	if (!e->addr_len)
		return NULL;
	report_endpoint_text(e, text, sizeof(text));
	return json_object_new_string(text);
}

static const char *const suites[] = {
	[AKM_SUITE_AES256GCM] = "aes-256-gcm",
	[AKM_SUITE_CHACHA20POLY1305] = "chacha20-poly1305",
	[AKM_SUITE_AES128GCM] = "aes-128-gcm",
};

const char *report_suite(uint32_t suite)
{
	return suite < ARRAY_SIZE(suites) && suites[suite] ? suites[suite] : "unknown";
}

int report_parse_suite(const char *s, uint32_t *ret)
{
	for (uint32_t i = 1; i < ARRAY_SIZE(suites); i++) {
		if (!strcmp(s, suites[i])) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *report_freshness(uint32_t freshness)
{
	return freshness == AKM_FRESHNESS_EPOCH ? "epoch" : "strict";
}

int report_parse_freshness(const char *s, uint32_t *ret)
{
	if (strcmp(s, "strict") && strcmp(s, "epoch"))
		return -EINVAL;
	*ret = s[0] == 's' ? AKM_FRESHNESS_STRICT : AKM_FRESHNESS_EPOCH;
	return 0;
}

struct json_object *report_group(const struct msg_group *g)
{
	char addr[INET6_ADDRSTRLEN];

	if (!g->addr_len || !inet_ntop(g->addr_len == 4 ? AF_INET : AF_INET6, g->addr, addr, sizeof(addr)))
		return NULL;
	return json_object_new_string(addr);
}

int report_parse_group(const char *s, uint8_t ttl, struct msg_group *ret, struct akm_error *err)
{
	struct msg_group g = { .ttl = ttl };

	if (strchr(s, '%'))
		return akm_error_set(err, -EINVAL, "group", "'%.60s' names a link: that is each node's own setting, [link] "
				     "group_link in its akmd.conf", s);
	if (inet_pton(AF_INET, s, g.addr) == 1)
		g.addr_len = 4;
	else if (inet_pton(AF_INET6, s, g.addr) == 1)
		g.addr_len = 16;
	if (!g.addr_len || !msg_group_valid(&g))
		return akm_error_set(err, -EINVAL, "group", "must be a multicast address of the underlay like 239.7.6.45 or "
				     "ff05::7645, of IPv6 one of more than this node's scope");
	*ret = g;
	return 0;
}

const char *report_node_state(enum store_node_state s)
{
	switch (s) {
	case NODE_PENDING:
		return "pending";
	case NODE_PROVISIONED:
		return "provisioned";
	case NODE_EVICTED:
		return "evicted";
	}
	return "?";
}

void report_hex(const uint8_t *p, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*ret++ = digits[p[i] >> 4];
		*ret++ = digits[p[i] & 15];
	}
	*ret = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int report_parse_hex(const char *s, uint8_t *ret, size_t len)
{
	if (strlen(s) != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < 2 * len; i++)
		if (nibble(s[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < len; i++)
		ret[i] = (uint8_t)(nibble(s[2 * i]) << 4 | nibble(s[2 * i + 1]));
	return 0;
}

static void put_hex(struct json_object *o, const char *key, const uint8_t *p, size_t len)
{
	char text[2 * 80 + 1];

	if (len > 80)
		len = 80;
	report_hex(p, len, text);
	put_text(o, key, text);
}

struct json_object *report_node(const struct store_node *n)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	put_text(o, "name", n->name);
	put_hex(o, "id", n->id, AKM_ID_LEN);
	put_text(o, "label", n->label);
	put_text(o, "state", report_node_state(n->state));
	put(o, "since", report_time(n->since_ms));
	put_hex(o, "hardware", n->hardware, AKM_DIGEST_LEN);
	put_text(o, "sources", n->sources);
	put_hex(o, "ek_name", n->ek_name.data, n->ek_name.len);
	put(o, "link_n", json_object_new_uint64(n->link_n));
	put(o, "endpoint", report_endpoint(&n->endpoint));
	return o;
}

static int parse_port(const char *s, uint16_t *ret)
{
	char *end;
	unsigned long v;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	v = strtoul(s, &end, 10);
	if (*end || !v || v > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

int report_parse_endpoint(const char *s, struct msg_endpoint *ret)
{
	struct msg_endpoint e = {};
	char addr[REPORT_ENDPOINT_MAX];
	char *port = NULL, *start = addr;

	if (strlen(s) >= sizeof(addr))
		return -EINVAL;
	snprintf(addr, sizeof(addr), "%s", s);
	if (addr[0] == '[') {
		char *close = strchr(addr, ']');

		if (!close || (close[1] && close[1] != ':'))
			return -EINVAL;
		start = addr + 1;
		port = close[1] ? close + 2 : NULL;
		*close = '\0';
	} else if (strchr(addr, ':') && strchr(addr, ':') == strrchr(addr, ':')) {
		port = strchr(addr, ':');
		*port++ = '\0';
	}
	if (port && parse_port(port, &e.port) < 0)
		return -EINVAL;
	if (inet_pton(AF_INET, start, e.addr) == 1 && addr[0] != '[')
		e.addr_len = 4;
	else if (inet_pton(AF_INET6, start, e.addr) == 1)
		e.addr_len = 16;
	else
		return -EINVAL;
	*ret = e;
	return 0;
}

static bool host_bits_zero(const struct msg_prefix *p)
{
	for (unsigned int bit = p->prefix_len; bit < p->addr_len * 8u; bit++)
		if (p->addr[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

int report_parse_prefix(const char *s, uint8_t addr_len, struct msg_prefix *ret)
{
	struct msg_prefix p = { .addr_len = addr_len };
	char addr[REPORT_PREFIX_MAX];
	char *slash, *end;
	unsigned long len;

	if (strlen(s) >= sizeof(addr))
		return -EINVAL;
	snprintf(addr, sizeof(addr), "%s", s);
	slash = strchr(addr, '/');
	if (!slash || !isdigit((unsigned char)slash[1]))
		return -EINVAL;
	*slash = '\0';
	len = strtoul(slash + 1, &end, 10);
	if (*end || len > addr_len * 8u || inet_pton(addr_len == 4 ? AF_INET : AF_INET6, addr, p.addr) != 1)
		return -EINVAL;
	p.prefix_len = (uint8_t)len;
	if (!host_bits_zero(&p))
		return -EINVAL;
	*ret = p;
	return 0;
}
