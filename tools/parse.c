// SPDX-License-Identifier: GPL-2.0
#include "parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <linux/akm.h>

#include "format.h"

#define NAME_CHARS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* Digits only: strtoull() would also take signs, spaces and octal. Return: first byte after them. */
static const char *digits(const char *text, uint64_t *ret)
{
	int base = strncmp(text, "0x", 2) ? 10 : 16;
	const char *p = base == 16 ? text + 2 : text;
	char *end;

	if (!(base == 16 ? isxdigit((unsigned char)*p) : isdigit((unsigned char)*p)))
		return NULL;
	errno = 0;
	*ret = strtoull(p, &end, base);
	return errno ? NULL : end;
}

int akm_parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct akm_error *e)
{
	uint64_t n = 0;
	const char *end = digits(text, &n);

	if (!end || *end)
		return akm_error_set(e, EINVAL, NULL, "\"%s\" is not a number from %" PRIu64 " to %" PRIu64,
				     text, min, max);
	if (n < min || n > max)
		return akm_error_set(e, ERANGE, NULL, "%s is out of range: %" PRIu64 " to %" PRIu64,
				     text, min, max);
	*ret = n;
	return 0;
}

int akm_parse_atr_id(const char *text, uint64_t *ret, struct akm_error *e)
{
	return akm_parse_uint(*text == '#' ? text + 1 : text, 1, UINT32_MAX, ret, e);
}

static uint64_t unit_ms(const char *unit)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(units[i].unit, unit))
			return units[i].ms;
	}
	return 0;
}

int akm_parse_duration(const char *text, uint64_t max_ms, uint64_t *ret_ms, struct akm_error *e)
{
	uint64_t n = 0, scale;
	const char *end = strncmp(text, "0x", 2) ? digits(text, &n) : NULL;

	scale = end ? unit_ms(end) : 0;
	if (!scale)
		return akm_error_set(e, EINVAL, NULL, "\"%s\" is not a duration such as 250ms, 10s, 5m, 1h or 7d",
				     text);
	if (n > max_ms / scale)
		return akm_error_set(e, ERANGE, NULL, "%s is longer than %" PRIu64 "s", text, max_ms / 1000);
	*ret_ms = n * scale;
	return 0;
}

/* Clears what lies beyond the prefix length. Return: whether anything did. */
static bool mask_host_bits(struct akm_prefix *p)
{
	bool set = false;
	unsigned int bit;

	for (bit = p->len; bit < p->addr_len * 8U; bit++) {
		uint8_t m = (uint8_t)(0x80 >> (bit % 8));

		set |= p->addr[bit / 8] & m;
		p->addr[bit / 8] &= (uint8_t)~m;
	}
	return set;
}

static int parse_prefix_len(const char *text, struct akm_prefix *p, struct akm_error *e)
{
	uint64_t len = 0;
	int r;

	if (!strncmp(text, "0x", 2))
		return akm_error_set(e, EINVAL, NULL, "prefix length \"%s\" is not a decimal number", text);
	r = akm_parse_uint(text, 0, p->addr_len * 8U, &len, e);
	if (r < 0)
		return akm_error_set(e, -r, NULL, "prefix length \"%s\" is not within 0 to %u", text, p->addr_len * 8U);
	p->len = (uint8_t)len;
	return 0;
}

int akm_parse_prefix(const char *text, struct akm_prefix *ret, struct akm_error *e)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char addr[INET6_ADDRSTRLEN], fixed[AKM_PREFIX_STRLEN];
	struct akm_prefix p = {};
	int r;

	if (n >= sizeof(addr))
		return akm_error_set(e, EINVAL, NULL, "\"%s\" is not an address prefix such as 10.77.1.3/32", text);
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (inet_pton(AF_INET, addr, p.addr) == 1)
		p.addr_len = 4;
	else if (inet_pton(AF_INET6, addr, p.addr) == 1)
		p.addr_len = 16;
	else
		return akm_error_set(e, EINVAL, NULL, "\"%s\" is not an address prefix such as 10.77.1.3/32", text);

	p.len = (uint8_t)(p.addr_len * 8U);
	r = slash ? parse_prefix_len(slash + 1, &p, e) : 0;
	if (r < 0)
		return r;
	if (mask_host_bits(&p))
		return akm_error_set(e, EINVAL, NULL, "%s has bits set beyond its length: did you mean %s?", text,
				     akm_format_prefix(p.addr, p.addr_len, p.len, fixed));
	*ret = p;
	return 0;
}

/* Cuts "ADDR", "[ADDR]" off @host and leaves the port's text, or NULL. Return: false if malformed. */
static bool split_endpoint(char *host, char **ret_addr, char **ret_port, bool *ret_v6)
{
	char *colon, *close;

	*ret_v6 = *host == '[';
	if (*ret_v6) {
		close = strchr(host, ']');
		if (!close || (close[1] && close[1] != ':'))
			return false;
		*close = '\0';
		*ret_addr = host + 1;
		*ret_port = close[1] ? close + 2 : NULL;
		return true;
	}
	colon = strchr(host, ':');
	if (colon)
		*colon = '\0';
	*ret_addr = host;
	*ret_port = colon ? colon + 1 : NULL;
	return true;
}

static int endpoint_v4(const char *text, const char *addr, uint16_t port, struct akm_endpoint *ep,
		       struct akm_error *e)
{
	ep->in.sin_family = AF_INET;
	ep->in.sin_port = htons(port);
	ep->len = sizeof(ep->in);
	if (inet_pton(AF_INET, addr, &ep->in.sin_addr) != 1)
		return akm_error_set(e, EINVAL, NULL, "\"%s\" is not an endpoint such as 192.0.2.3:7645", text);
	if (ep->in.sin_addr.s_addr == htonl(INADDR_ANY))
		return akm_error_set(e, EINVAL, NULL, "%s: nobody can be reached at the unspecified address", text);
	return 0;
}

static int endpoint_v6(const char *text, char *addr, uint16_t port, struct akm_endpoint *ep, struct akm_error *e)
{
	char *scope = strchr(addr, '%');

	ep->in6.sin6_family = AF_INET6;
	ep->in6.sin6_port = htons(port);
	ep->len = sizeof(ep->in6);
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, addr, &ep->in6.sin6_addr) != 1)
		return akm_error_set(e, EINVAL, NULL, "\"%s\" is not an endpoint such as [2001:db8::3]:7645", text);
	if (IN6_IS_ADDR_UNSPECIFIED(&ep->in6.sin6_addr))
		return akm_error_set(e, EINVAL, NULL, "%s: nobody can be reached at the unspecified address", text);
	if (scope)
		ep->in6.sin6_scope_id = if_nametoindex(scope);
	if (scope && !ep->in6.sin6_scope_id)
		return akm_error_set(e, ENODEV, NULL, "%s: there is no interface \"%s\"", text, scope);
	if (!scope && IN6_IS_ADDR_LINKLOCAL(&ep->in6.sin6_addr))
		return akm_error_set(e, EINVAL, NULL, "%s is link-local: name its interface, as in [fe80::1%%eth0]:7645",
				     text);
	return 0;
}

int akm_parse_endpoint(const char *text, struct akm_endpoint *ret, struct akm_error *e)
{
	struct akm_endpoint ep = {};
	struct in6_addr bare;
	char host[128], *addr, *port_text;
	uint64_t port = AKM_DEFAULT_PORT;
	bool v6;
	int r;

	/* fd00::3:7645 could mean two things: refuse to guess */
	if (inet_pton(AF_INET6, text, &bare) == 1)
		return akm_error_set(e, EINVAL, NULL, "%s: write an IPv6 endpoint as [ADDRESS]:PORT", text);
	if (strlen(text) >= sizeof(host))
		return akm_error_set(e, EINVAL, NULL, "\"%.40s…\" is too long for an endpoint", text);
	strcpy(host, text);
	if (!split_endpoint(host, &addr, &port_text, &v6))
		return akm_error_set(e, EINVAL, NULL, "\"%s\" is not an endpoint such as [2001:db8::3]:7645", text);
	r = port_text ? akm_parse_uint(port_text, 1, UINT16_MAX, &port, e) : 0;
	if (r < 0)
		return akm_error_set(e, -r, NULL, "%s: the port is not a number from 1 to 65535", text);

	r = v6 ? endpoint_v6(text, addr, (uint16_t)port, &ep, e) : endpoint_v4(text, addr, (uint16_t)port, &ep, e);
	if (r < 0)
		return r;
	*ret = ep;
	return 0;
}

int akm_parse_ports(const char *text, struct akm_ports *ret, struct akm_error *e)
{
	char low_text[sizeof("65535")] = "";
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	uint64_t low, high;
	int r;

	if (!strcmp(text, "none")) {
		*ret = (struct akm_ports){};
		return 0;
	}
	if (len < sizeof(low_text))
		memcpy(low_text, text, len);
	r = akm_parse_uint(low_text, 1, UINT16_MAX, &low, e);
	r = r < 0 ? r : akm_parse_uint(dash ? dash + 1 : low_text, 1, UINT16_MAX, &high, e);
	if (r < 0)
		return akm_error_set(e, -r, NULL, "\"%.40s\" is not a range of ports such as 49152-65535", text);
	if (high < low)
		return akm_error_set(e, EINVAL, NULL, "%s: the range ends before it begins", text);
	*ret = (struct akm_ports){ .low = (uint16_t)low, .high = (uint16_t)high };
	return 0;
}

/* Return: false if it is no multicast address. */
static bool parse_multicast(const char *addr, struct akm_group *g)
{
	if (inet_pton(AF_INET, addr, g->addr) == 1) {
		g->addr_len = 4;
		return g->addr[0] >> 4 == 0xe;		/* 224.0.0.0/4 */
	}
	g->addr_len = 16;
	return inet_pton(AF_INET6, addr, g->addr) == 1 && g->addr[0] == 0xff;
}

int akm_parse_group(const char *text, struct akm_group *ret, struct akm_error *e)
{
	struct akm_group g = {};
	char addr[64], *link;

	if (!strcmp(text, "none")) {
		*ret = g;
		return 0;
	}
	if (strlen(text) >= sizeof(addr))
		return akm_error_set(e, EINVAL, NULL, "\"%.40s…\" is too long for a group", text);
	strcpy(addr, text);
	link = strchr(addr, '%');
	if (link)
		*link++ = '\0';
	if (!parse_multicast(addr, &g))
		return akm_error_set(e, EINVAL, NULL, "\"%s\" is not a multicast group such as 239.7.6.45%%eth0", text);
	if (!link)
		return akm_error_set(e, EINVAL, NULL, "%s: name its interface, as in 239.7.6.45%%eth0", text);
	g.link = if_nametoindex(link);
	if (!g.link)
		return akm_error_set(e, ENODEV, NULL, "%s: there is no interface \"%s\"", text, link);
	*ret = g;
	return 0;
}

/* "AES-256-GCM", "aes256gcm": people write both. */
static bool same_suite(const char *text, const char *name)
{
	while (*text != '-') {
		name += *name == '-';
		if (tolower((unsigned char)*text) != *name)
			return false;
		if (!*name)
			return true;
		name++;
		text++;
		text += *text == '-' && text[1];
	}
	return false;
}

int akm_parse_suite(const char *text, uint64_t *ret, struct akm_error *e)
{
	uint32_t suite;

	for (suite = AKM_SUITE_AES256GCM; suite <= AKM_SUITE_AES128GCM; suite++) {
		if (same_suite(text, akm_suite_name(suite))) {
			*ret = suite;
			return 0;
		}
	}
	return akm_error_set(e, EINVAL, NULL, "\"%s\" is not one of aes-256-gcm, chacha20-poly1305, aes-128-gcm",
			     text);
}

int akm_parse_freshness(const char *text, uint64_t *ret, struct akm_error *e)
{
	uint32_t mode;

	for (mode = AKM_FRESHNESS_STRICT; mode <= AKM_FRESHNESS_EPOCH; mode++) {
		if (!strcmp(text, akm_freshness_name(mode))) {
			*ret = mode;
			return 0;
		}
	}
	return akm_error_set(e, EINVAL, NULL, "\"%s\" is neither strict nor epoch", text);
}

int akm_parse_spread(const char *text, uint64_t *ret, struct akm_error *e)
{
	uint32_t mode;

	for (mode = AKM_SPREAD_OFF; mode <= AKM_SPREAD_ON; mode++) {
		if (!strcmp(text, akm_spread_name(mode))) {
			*ret = mode;
			return 0;
		}
	}
	return akm_error_set(e, EINVAL, NULL, "\"%s\" is neither off nor on", text);
}

int akm_check_ifname(const char *text, struct akm_error *e)
{
	const char *p;

	if (!*text || strlen(text) >= IFNAMSIZ)
		return akm_error_set(e, EINVAL, NULL, "an interface name has 1 to %d characters", IFNAMSIZ - 1);
	if (!strcmp(text, ".") || !strcmp(text, ".."))
		return akm_error_set(e, EINVAL, NULL, "\"%s\" cannot be the name of an interface", text);
	for (p = text; *p; p++) {
		if (*p == '/' || *p == ':' || isspace((unsigned char)*p) || iscntrl((unsigned char)*p))
			return akm_error_set(e, EINVAL, NULL, "an interface name has no '/', ':', space or control character");
	}
	return 0;
}

int akm_check_text(const char *text, size_t max, struct akm_error *e)
{
	const char *p;

	if (!*text)
		return akm_error_set(e, EINVAL, NULL, "is empty");
	if (strlen(text) > max)
		return akm_error_set(e, ERANGE, NULL, "has %zu bytes, at most %zu are allowed", strlen(text), max);
	for (p = text; *p; p++) {
		if (iscntrl((unsigned char)*p))
			return akm_error_set(e, EINVAL, NULL, "contains a control character");
	}
	return 0;
}

/* One name of @n bytes at @text. */
static int check_name_n(const char *text, size_t n, struct akm_error *e)
{
	if (!n)
		return akm_error_set(e, EINVAL, NULL, "contains an empty name");
	if (n > AKM_NAME_MAX)
		return akm_error_set(e, ERANGE, NULL, "\"%.*s…\" has %zu characters, at most %d are allowed",
				     20, text, n, AKM_NAME_MAX);
	if (strspn(text, NAME_CHARS) < n)
		return akm_error_set(e, EINVAL, NULL, "\"%.*s\": a name consists of letters, digits, '.', '_' and '-'",
				     (int)n, text);
	return 0;
}

int akm_check_name(const char *text, struct akm_error *e)
{
	return check_name_n(text, strlen(text), e);
}

/* Whether the @n bytes at @name also occur earlier in the list that starts at @list. */
static bool named_before(const char *list, const char *name, size_t n)
{
	const char *p = list;

	while (p < name) {
		size_t m = strcspn(p, ",");

		if (m == n && !memcmp(p, name, n))
			return true;
		p += m + 1;
	}
	return false;
}

int akm_check_names(const char *text, struct akm_error *e)
{
	const char *p = text;

	for (;;) {
		size_t n = strcspn(p, ",");
		int r = check_name_n(p, n, e);

		if (r < 0)
			return r;
		if (named_before(text, p, n))
			return akm_error_set(e, EINVAL, NULL, "names \"%.*s\" twice", (int)n, p);
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

int akm_check_via(const char *text, struct akm_error *e)
{
	static const char *const kinds[] = { "serial:", "unix:", "unix-listen:" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i]);

		if (strncmp(text, kinds[i], n))
			continue;
		if (text[n] != '/')
			return akm_error_set(e, EINVAL, NULL, "\"%s\": an absolute path must follow %s", text, kinds[i]);
		return 0;
	}
	return akm_error_set(e, EINVAL, NULL,
			     "\"%s\" is not one of serial:/dev/ttyUSB0[,BAUD], unix:/path, unix-listen:/path", text);
}
