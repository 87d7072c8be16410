// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ini.h>
#include <sys/un.h>

#include "hwid.h"
#include "keystore.h"
#include "log.h"
#include "quote.h"

#define R	(1U << ROLE_ROOT)
#define M	(1U << ROLE_MANAGER)
#define N	(1U << ROLE_NODE)
/*
 * TCG PC Client Platform Firmware Profile, 3.3.4: 0 firmware, 2 code of pluggable devices, 4 boot manager, 7 Secure Boot
 * policy. Not 1, 3 and 5: their configuration, which changes with settings and partitions. 8 and up are the system's.
 */
#define PCRS_DEFAULT	(1U << 0 | 1U << 2 | 1U << 4 | 1U << 7)
#define NV_FIRST	0x01000000U	/* TPM_HR_NV_INDEX, TPM 2.0 part 2, 7.2 */
#define NV_LAST		0x01ffffffU

/* Why a value was refused */
struct reason {
	char text[sizeof_field(struct akm_error, reason)];
};

struct key {
	const char *section, *name;
	unsigned int roles;
	/* 0, or -EINVAL with a reason, or -ENOMEM */
	int (*set)(struct config *c, const struct key *k, const char *value, struct reason *why);
	size_t offset;			/* of the field in struct config */
	uint64_t min, max;
};

__attribute__((format(printf, 2, 3)))
static int refuse(struct reason *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void *field_of(struct config *c, const struct key *k)
{
	return (char *)c + k->offset;
}

/* Digits only: no sign, no blank, no 0x. */
static int parse_number(const char *s, int base, uint64_t *ret)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
	size_t len = strlen(s);

	if (!len || strspn(s, digits) != len)
		return -EINVAL;
	errno = 0;
	*ret = strtoull(s, NULL, base);
	return errno ? -EINVAL : 0;
}

static int number(const struct key *k, const char *value, struct reason *why, uint64_t *ret)
{
	uint64_t v;

	if (parse_number(value, 10, &v) < 0)
		return refuse(why, "'%s' is not a whole number", value);
	if (v < k->min || v > k->max)
		return refuse(why, "%s is not within %llu … %llu", value,
			      (unsigned long long)k->min, (unsigned long long)k->max);
	*ret = v;
	return 0;
}

static int set_u32(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	uint64_t v = 0;
	int r = number(k, value, why, &v);

	if (!r)
		*(uint32_t *)field_of(c, k) = (uint32_t)v;
	return r;
}

static int set_bool(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return refuse(why, "must be yes or no");
	*(bool *)field_of(c, k) = yes;
	return 0;
}

static int set_flow_ports(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	const char *dash = strchr(value, '-');
	char first[16] = "";
	uint64_t low = 0, high = 0;
	int r;

	if (strcmp(value, "none") == 0) {
		c->flow_port_low = c->flow_port_high = 0;
		return 0;
	}
	if (!dash || (size_t)(dash - value) >= sizeof(first))
		return refuse(why, "'%.40s' is neither LOW-HIGH nor none", value);
	memcpy(first, value, (size_t)(dash - value));
	r = number(k, first, why, &low) ?: number(k, dash + 1, why, &high);
	if (r < 0)
		return r;
	if (high < low)
		return refuse(why, "%s ends before it begins", value);
	c->flow_port_low = (uint16_t)low;
	c->flow_port_high = (uint16_t)high;
	return 0;
}

/* What Linux takes for a name: dev_valid_name() in net/core/dev.c */
static int set_ifname(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	size_t len = strlen(value);

	if (!len || len >= LINK_NAME_MAX)
		return refuse(why, "must be 1 … %d characters long", LINK_NAME_MAX - 1);
	if (!strcmp(value, ".") || !strcmp(value, "..") || strpbrk(value, "/: \t\v\f\r\n"))
		return refuse(why, "'%s' cannot be the name of an interface", value);
	memcpy(field_of(c, k), value, len + 1);
	return 0;
}

static int set_interval(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	if (strcmp(value, "0") == 0) {
		*(uint32_t *)field_of(c, k) = 0;
		return 0;
	}
	return set_u32(c, k, value, why);
}

static int set_pcrs(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	if (quote_pcrs_parse(value, field_of(c, k)) < 0)
		return refuse(why, "'%.80s' is neither sha256:N[,N…], each of 0 … %d once, nor none", value,
			      KEYSTORE_PCRS - 1);
	return 0;
}

static int set_power(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	uint64_t v = 0;
	int r = number(k, value, why, &v);

	if (r < 0)
		return r;
	if (v & (v - 1))
		return refuse(why, "%s is not a power of two", value);
	*(size_t *)field_of(c, k) = (size_t)v;
	return 0;
}

static int set_nv(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	uint64_t v;

	if (strncmp(value, "0x", 2) != 0 || parse_number(value + 2, 16, &v) < 0 || v < NV_FIRST ||
	    v > NV_LAST)
		return refuse(why, "'%s' is not an NV index 0x%08x … 0x%08x", value, NV_FIRST, NV_LAST);
	*(uint32_t *)field_of(c, k) = (uint32_t)v;
	return 0;
}

static int set_string(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	char *copy;

	if (!*value)
		return refuse(why, "is empty");
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	*(char **)field_of(c, k) = copy;
	return 0;
}

static int set_path(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	if (value[0] != '/')
		return refuse(why, "'%s' is not an absolute path", value);
	if (k->max && strlen(value) > k->max)
		return refuse(why, "is longer than %llu bytes", (unsigned long long)k->max);
	return set_string(c, k, value, why);
}

static int set_via(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	static const char *const kinds[] = { "serial:/", "unix:/", "unix-listen:/" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strncmp(value, kinds[i], strlen(kinds[i])) == 0)
			return set_string(c, k, value, why);
	return refuse(why,
		      "'%s' is neither serial:/DEVICE[,BAUD] nor unix:/PATH nor unix-listen:/PATH",
		      value);
}

static int set_sources(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	struct akm_error err = {};
	int r = hwid_check(value, &err);

	if (r < 0)
		return refuse(why, "%s: %s", err.field, err.reason);
	return set_string(c, k, value, why);
}

static int set_role(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	static const char *const names[] = {
		[ROLE_ROOT] = "root", [ROLE_MANAGER] = "manager", [ROLE_NODE] = "node"
	};
	size_t i;

	(void)k;
	for (i = ROLE_ROOT; i <= ROLE_NODE; i++) {
		if (strcmp(value, names[i]) == 0) {
			c->role = (enum msg_role)i;
			return 0;
		}
	}
	return refuse(why, "'%s' is none of root, manager, node", value);
}

static int set_name(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	size_t len = strlen(value);
	const char *s;

	(void)k;
	if (!len || len >= AKM_NAME_LEN)
		return refuse(why, "must be 1 … %d characters long", AKM_NAME_LEN - 1);
	if (value[0] == '.')
		return refuse(why, "must not start with a dot");
	for (s = value; *s; s++)
		if (!isascii(*s) || (!isalnum((unsigned char)*s) && !strchr("._-", *s)))
			return refuse(why, "may only have letters, digits, '.', '_' and '-'");
	memcpy(c->name, value, len + 1);
	return 0;
}

static int set_log(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	static const char *const names[] = {
		[AKM_LOG_ERR] = "err", [AKM_LOG_WARNING] = "warning", [AKM_LOG_NOTICE] = "notice",
		[AKM_LOG_INFO] = "info", [AKM_LOG_DEBUG] = "debug",
	};
	size_t i;

	(void)k;
	for (i = AKM_LOG_ERR; i <= AKM_LOG_DEBUG; i++) {
		if (strcmp(value, names[i]) == 0) {
			c->log_level = (int)i;
			return 0;
		}
	}
	return refuse(why, "'%s' is none of err, warning, notice, info, debug", value);
}

/*
 * Splits "HOST:PORT", "[V6]:PORT", "HOST" or "V6" (more than one colon, no brackets).
 * *ret_port is -1 if there is none.
 */
static int split_port(const char *s, char *ret_host, size_t size, int *ret_port)
{
	const char *host = s, *colon = strrchr(s, ':'), *end = s + strlen(s);
	uint64_t port;

	*ret_port = -1;
	if (s[0] == '[') {
		host = s + 1;
		end = strchr(s, ']');
		if (!end || (end[1] && end + 1 != colon))
			return -EINVAL;
		colon = end[1] ? colon : NULL;
	} else if (colon && strchr(s, ':') == colon) {
		end = colon;
	} else {
		colon = NULL;
	}
	if (colon) {
		if (parse_number(colon + 1, 10, &port) < 0 || port > UINT16_MAX)
			return -EINVAL;
		*ret_port = (int)port;
	}
	if (end == host || (size_t)(end - host) >= size)
		return -EINVAL;
	memcpy(ret_host, host, (size_t)(end - host));
	ret_host[end - host] = '\0';
	return 0;
}

static int set_listen(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	uint8_t addr[16];
	char host[64];
	int port;

	if (split_port(value, host, sizeof(host), &port) < 0 || port <= 0 ||
	    (inet_pton(AF_INET, host, addr) != 1 && inet_pton(AF_INET6, host, addr) != 1))
		return refuse(why, "'%s' is not ADDRESS:PORT, as 192.0.2.1:7646 or [::]:7646", value);
	return set_string(c, k, value, why);
}

static bool is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* The page knows no passwords: it is for who is on this machine already. */
static int set_web(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	static const char unix_[] = "unix:";
	const size_t n = sizeof(unix_) - 1;
	char host[64];
	int port;

	if (strncmp(value, unix_, n) == 0) {
		if (value[n] != '/')
			return refuse(why, "'%s' is not an absolute path", value + n);
		if (strlen(value) - n > k->max)
			return refuse(why, "is longer than %llu bytes", (unsigned long long)k->max);
		return set_string(c, k, value, why);
	}
	if (split_port(value, host, sizeof(host), &port) < 0 || port <= 0)
		return refuse(why, "'%s' is neither unix:/PATH nor 127.0.0.1:PORT nor [::1]:PORT", value);
	if (!is_loopback(host))
		return refuse(why, "'%s' is not a loopback address: the page knows no passwords. Reach it from "
			      "elsewhere through ssh -L", host);
	return set_string(c, k, value, why);
}

/* Calls @fn for each comma-separated item, blanks around it removed. */
static int each_item(struct config *c, const char *value, struct reason *why,
		     int (*fn)(struct config *c, const char *item, struct reason *why))
{
	const char *s = value;
	char item[64];
	size_t len, end;
	int r = 0;

	for (;; s += end + 1) {
		s += strspn(s, " \t");
		end = len = strcspn(s, ",");
		while (len && isblank((unsigned char)s[len - 1]))
			len--;
		if (!len)
			return refuse(why, "has an empty item");
		if (len >= sizeof(item))
			return refuse(why, "has an item longer than %zu bytes", sizeof(item) - 1);
		memcpy(item, s, len);
		item[len] = '\0';
		r = fn(c, item, why);
		if (r < 0 || !s[end])
			return r;
	}
}

static int add_announce(struct config *c, const char *item, struct reason *why)
{
	char host[64];
	int port;

	if (c->n_announce == ARRAY_SIZE(c->announce))
		return refuse(why, "has more than %zu items", ARRAY_SIZE(c->announce));
	if (split_port(item, host, sizeof(host), &port) < 0 || port <= 0)
		return refuse(why, "'%s' is not HOST:PORT", item);
	strcpy(c->announce[c->n_announce++], item);
	return 0;
}

static int add_endpoint(struct config *c, const char *item, struct reason *why)
{
	struct msg_endpoint e = {};
	char host[64];
	int port;

	if (c->n_endpoints == ARRAY_SIZE(c->endpoints))
		return refuse(why, "has more than %zu items", ARRAY_SIZE(c->endpoints));
	if (split_port(item, host, sizeof(host), &port) < 0)
		return refuse(why, "'%s' is not ADDRESS or ADDRESS:PORT", item);
	if (inet_pton(AF_INET, host, e.addr) == 1)
		e.addr_len = 4;
	else if (inet_pton(AF_INET6, host, e.addr) == 1)
		e.addr_len = 16;
	else
		return refuse(why, "'%s' is not an IP address", host);
	e.port = port < 0 ? 0 : (uint16_t)port;
	c->endpoints[c->n_endpoints++] = e;
	return 0;
}

static int set_announce(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	(void)k;
	return each_item(c, value, why, add_announce);
}

static int set_endpoints(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	(void)k;
	return each_item(c, value, why, add_endpoint);
}

static int set_rule(struct config *c, const struct key *k, const char *value, struct reason *why)
{
	struct config_rule *rule = field_of(c, k);
	unsigned int count, seconds;
	char action[8];
	int end = 0;

	if (strcmp(value, "off") == 0) {
		*rule = (struct config_rule){};
		return 0;
	}
	if (!isdigit((unsigned char)value[0]) ||
	    sscanf(value, "%7u/%7u:%7[a-z]%n", &count, &seconds, action, &end) != 3 || value[end] ||
	    !isdigit((unsigned char)strchr(value, '/')[1]))
		return refuse(why, "'%s' is neither COUNT/SECONDS:ACTION, as 100/10:rekey, nor off", value);
	if (!count || count > 1000000 || !seconds || seconds > 86400)
		return refuse(why, "%u/%u is not within 1 … 1000000 events in 1 … 86400 s", count, seconds);
	if (strcmp(action, "alert") != 0 && strcmp(action, "rekey") != 0)
		return refuse(why, "'%s' is neither alert nor rekey", action);
	rule->count = count;
	rule->seconds = seconds;
	rule->action = action[0] == 'a' ? ACTION_ALERT : ACTION_REKEY;
	return 0;
}

#define AT(field)	offsetof(struct config, field)
#define SOCKET_MAX	(sizeof_field(struct sockaddr_un, sun_path) - 1)

static const struct key keys[] = {
	{ "akmd", "role", R | M | N, set_role, 0, 0, 0 },
	{ "akmd", "name", R | M | N, set_name, 0, 0, 0 },
	{ "akmd", "state", R | M | N, set_path, AT(state), 0, 0 },
	{ "akmd", "socket", R | M | N, set_path, AT(socket), 0, SOCKET_MAX },
	{ "akmd", "user", R | M | N, set_string, AT(user), 0, 0 },
	{ "akmd", "log", R | M | N, set_log, 0, 0, 0 },
	{ "akmd", "secret_memory", R | M | N, set_power, AT(secret_memory), 1U << 16, 1U << 30 },
	{ "tpm", "tcti", R | M | N, set_string, AT(tcti), 0, 0 },
	{ "tpm", "counter_nv", R | M | N, set_nv, AT(counter_nv), 0, 0 },
	{ "tpm", "store_nv", R | M | N, set_nv, AT(store_nv), 0, 0 },
	{ "tpm", "ek_ca", R | M, set_path, AT(ek_ca), 0, 0 },
	{ "hardware", "sources", M | N, set_sources, AT(sources), 0, 0 },
	{ "link", "listen", R | M, set_listen, AT(listen), 0, 0 },
	{ "link", "announce", R | M, set_announce, 0, 0, 0 },
	{ "link", "endpoint", N, set_endpoints, 0, 0, 0 },
	{ "link", "roaming", N, set_bool, AT(roaming), 0, 0 },
	{ "link", "keepalive", N, set_u32, AT(keepalive_s), 0, 86400 },
	{ "link", "flow_ports", N, set_flow_ports, 0, 1, UINT16_MAX },
	{ "link", "spread", N, set_bool, AT(spread), 0, 0 },
	{ "link", "group_link", N, set_ifname, AT(group_link), 0, 0 },
	{ "link", "next_n", R | M, set_u32, AT(link_next_s), 60, 31536000 },
	{ "provision", "listen", M | N, set_via, AT(provision), 0, 0 },
	{ "heartbeat", "interval", R | M | N, set_u32, AT(heartbeat_ms), 100, 3600000 },
	{ "heartbeat", "missed", R | M | N, set_u32, AT(heartbeat_missed), 2, 1000 },
	{ "atr", "prepare_timeout", M, set_u32, AT(prepare_timeout_ms), 100, 600000 },
	{ "atr", "grace", M, set_u32, AT(grace_ms), 0, 3600000 },
	{ "atr", "epoch_interval", M, set_interval, AT(epoch_interval_ms), 1000, INT32_MAX },
	{ "atr", "epoch_grace", M, set_u32, AT(epoch_grace_ms), 0, 3600000 },
	{ "atr", "fallback", M, set_bool, AT(fallback), 0, 0 },
	{ "attest", "pcrs", M, set_pcrs, AT(pcrs), 0, 0 },
	{ "attest", "interval", M, set_interval, AT(attest_interval_s), 10, 604800 },
	{ "web", "listen", R | M, set_web, AT(web), 0, SOCKET_MAX },
	{ "policy", "auth_fail", M, set_rule, AT(auth_fail), 0, 0 },
	{ "policy", "replay", M, set_rule, AT(replay), 0, 0 },
	{ "policy", "clone", M, set_rule, AT(clone), 0, 0 },
	{ "policy", "unknown_key", M, set_rule, AT(unknown_key), 0, 0 },
	{ "policy", "epoch_stale", M, set_rule, AT(epoch_stale), 0, 0 },
	{ "policy", "hold_down", M, set_u32, AT(hold_down_s), 0, 86400 },
	{ "policy", "fallback_after", N, set_u32, AT(fallback_after_ms), 1000, 3600000 },
	{ "policy", "file", R | M | N, set_path, AT(policy_file), 0, 0 },
	{ "policy", "hooks", M, set_path, AT(hooks), 0, 0 },
	{ "policy", "hooks_user", M, set_string, AT(hooks_user), 0, 0 },
};

struct parse {
	const char *path;
	FILE *file;
	char *raw;			/* getline()'s */
	size_t raw_size;
	struct config *c;
	struct akm_error *err;
	unsigned int line;
	unsigned int seen[ARRAY_SIZE(keys)];	/* line of each key, 0: absent */
	int r;				/* first failure */
};

#define FIELD_LEN	sizeof_field(struct akm_error, field)
#define WORDS_MAX	128		/* all sections; all keys of one */
#define SECTION_SHOWN	32		/* bytes of a section line that are repeated */

/* "PATH:LINE: WHAT". A long path gives way to its last part: line and key are what a person needs. */
static void where(const struct parse *p, unsigned int line, const char *what, char ret[FIELD_LEN])
{
	const char *slash = strrchr(p->path, '/'), *path = p->path;
	char tail[FIELD_LEN], at[16] = "";

	if (line)
		snprintf(at, sizeof(at), ":%u", line);
	snprintf(tail, sizeof(tail), "%s%s%.40s", at, what ? ": " : "", what ? what : "");
	if (strlen(path) + strlen(tail) >= FIELD_LEN && slash)
		path = slash + 1;
	ret[0] = '\0';
	strncat(ret, path, FIELD_LEN - 1 - strlen(tail));
	strcat(ret, tail);
}

__attribute__((format(printf, 5, 6)))
static int fail(struct parse *p, int r, unsigned int line, const char *what, const char *fmt, ...)
{
	char field[FIELD_LEN], reason[sizeof_field(struct akm_error, reason)];
	va_list ap;

	if (p->r < 0)
		return p->r;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	where(p, line, what, field);
	p->r = akm_error_set(p->err, r, field, "%s", reason);
	return p->r;
}

/* "akmd, tpm, …": the sections, or with @section its keys. For those who mistyped one. */
static void list_words(const char *section, char *ret, size_t size)
{
	const char *word, *last = "";
	size_t i, n = 0;

	ret[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(keys) && n < size; i++) {
		if (section && strcmp(keys[i].section, section) != 0)
			continue;
		word = section ? keys[i].name : keys[i].section;
		if (strcmp(word, last) != 0)
			n += (size_t)snprintf(ret + n, size - n, "%s%s", *last ? ", " : "", word);
		last = word;
	}
}

static bool known_section(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].section) == len && memcmp(keys[i].section, name, len) == 0)
			return true;
	return false;
}

/* libinih passes over section lines without keys and whatever follows the bracket; we do not. */
static int check_section(struct parse *p, const char *line)
{
	const char *end = strchr(line, ']'), *rest;
	char there[WORDS_MAX];
	ptrdiff_t len;

	if (!end)
		return fail(p, -EINVAL, p->line, NULL, "the section's closing bracket is missing");
	len = end - line + 1;
	if (!known_section(line + 1, (size_t)len - 2)) {
		list_words(NULL, there, sizeof(there));
		return fail(p, -EINVAL, p->line, NULL, "unknown section %.*s, there are %s",
			    (int)(len < SECTION_SHOWN ? len : SECTION_SHOWN), line, there);
	}
	rest = end + 1 + strspn(end + 1, " \t\r\n");
	if (*rest && !strchr(";#", *rest))
		return fail(p, -EINVAL, p->line, NULL, "text after the section");
	return 0;
}

static int check_line(struct parse *p, const char *line, size_t len, size_t size)
{
	size_t blank;

	if (p->line > CONFIG_LINES_MAX)
		return fail(p, -EINVAL, p->line, NULL, "more than %d lines", CONFIG_LINES_MAX);
	if (memchr(line, '\0', len))
		return fail(p, -EINVAL, p->line, NULL, "a NUL byte");
	if (len >= size)
		return fail(p, -EINVAL, p->line, NULL, "longer than %zu bytes", size - 1);
	blank = strspn(line, " \t\r\n");
	if (blank == len || strchr(";#", line[blank]))
		return 0;
	if (blank)
		return fail(p, -EINVAL, p->line, NULL,
			    "starts with a blank: a value cannot go on in the next line");
	return line[0] == '[' ? check_section(p, line) : 0;
}

/* ini_reader: libinih would cut long lines in two and stop at a NUL. */
static char *read_line(char *buf, int size, void *stream)
{
	struct parse *p = stream;
	ssize_t n;

	if (p->r < 0)
		return NULL;
	errno = 0;
	n = getline(&p->raw, &p->raw_size, p->file);
	if (n < 0) {
		if (ferror(p->file))
			fail(p, errno ? -errno : -EIO, 0, NULL, "%s", strerror(errno));
		return NULL;
	}
	p->line++;
	if (check_line(p, p->raw, (size_t)n, (size_t)size) < 0)
		return NULL;
	memcpy(buf, p->raw, (size_t)n + 1);
	return buf;
}

static void label(const struct key *k, char ret[48])
{
	snprintf(ret, 48, "[%s] %s", k->section, k->name);
}

static int set_key(struct parse *p, size_t i, const char *value)
{
	struct reason why = {};
	char what[48];
	int r;

	label(&keys[i], what);
	if (p->seen[i])
		return fail(p, -EINVAL, p->line, what, "given before, in line %u", p->seen[i]);
	p->seen[i] = p->line;
	r = keys[i].set(p->c, &keys[i], value, &why);
	return r < 0 ? fail(p, r, p->line, what, "%s", why.text[0] ? why.text : strerror(-r)) : 0;
}

static int fail_unknown_key(struct parse *p, const char *section, const char *name)
{
	char what[48], there[WORDS_MAX];
	size_t i;

	snprintf(what, sizeof(what), "[%.10s] %.30s", section, name);
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return fail(p, -EINVAL, p->line, what, "unknown key here, it belongs to [%s]",
				    keys[i].section);
	list_words(section, there, sizeof(there));
	return fail(p, -EINVAL, p->line, what, "unknown key, this section has %s", there);
}

/* ini_handler: non-zero is success */
static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct parse *p = user;
	size_t i;

	if (!*section)
		return fail(p, -EINVAL, p->line, NULL, "'%s' stands before the first section", name) == 0;
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return set_key(p, i, value) == 0;
	return fail_unknown_key(p, section, name) == 0;
}

/* What depends on several keys */
/* Of [policy], what a policy's file says in place of akmd.conf */
static bool is_rule(const struct key *k)
{
	return !strcmp(k->section, "policy") && k->roles & M && (k->set == set_rule || k->offset == AT(hold_down_s));
}

static int check_whole(struct parse *p)
{
	struct config *c = p->c;
	char what[48];
	size_t i;

	if (!c->role)
		return fail(p, -EINVAL, 0, "[akmd] role", "is missing: root, manager or node");
	if (!c->name[0])
		return fail(p, -EINVAL, 0, "[akmd] name", "is missing: what this party is called");
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!p->seen[i] || (keys[i].roles & (1U << c->role)))
			continue;
		label(&keys[i], what);
		return fail(p, -EINVAL, p->seen[i], what, "means nothing for this role");
	}
	for (i = 0; c->policy_file && i < ARRAY_SIZE(keys); i++) {
		if (!p->seen[i] || !is_rule(&keys[i]))
			continue;
		label(&keys[i], what);
		return fail(p, -EINVAL, p->seen[i], what, "has no effect beside [policy] file: say it there");
	}
	if (c->counter_nv == c->store_nv)
		return fail(p, -EINVAL, 0, "[tpm] store_nv", "is the same NV index as counter_nv");
	return 0;
}

/* Where the file says nothing and the role wants it: @a @b @c as one string */
static int default_string(char **field, bool wanted, const char *a, const char *b, const char *c)
{
	char *s;

	if (*field || !wanted)
		return 0;
	if (asprintf(&s, "%s%s%s", a, b, c) < 0)
		return -ENOMEM;
	*field = s;
	return 0;
}

static void preset(struct config *c)
{
	c->log_level = AKM_LOG_INFO;
	c->counter_nv = KEYSTORE_COUNTER_NV;
	c->store_nv = KEYSTORE_STORE_NV;
	c->link_next_s = 86400;
	c->heartbeat_ms = 1000;
	c->roaming = true;
	c->heartbeat_missed = 5;
	c->prepare_timeout_ms = 1000;
	c->grace_ms = 5000;
	c->epoch_grace_ms = 5000;
	c->fallback = true;
	c->fallback_after_ms = 15000;
	c->pcrs = PCRS_DEFAULT;
	c->attest_interval_s = 3600;
	c->auth_fail = (struct config_rule){ 100, 10, ACTION_REKEY };
	c->replay = (struct config_rule){ 100, 10, ACTION_REKEY };
	c->clone = (struct config_rule){ 1, 60, ACTION_REKEY };
	c->unknown_key = (struct config_rule){ 100, 10, ACTION_ALERT };
	/* a member that slept may say as much before it is told */
	c->epoch_stale = (struct config_rule){ 1000, 10, ACTION_ALERT };
	c->hold_down_s = 60;
}

/* Defaults that depend on role and name */
static int complete(struct config *c)
{
	int r;

	if (!c->secret_memory)
		c->secret_memory = c->role == ROLE_NODE ? 1U << 20 : 16U << 20;
	r = default_string(&c->state, true, "/var/lib/akm/", c->name, "");
	r = r ?: default_string(&c->socket, true, "/run/akm/", c->name, ".sock");
	r = r ?: default_string(&c->tcti, true, "device:/dev/tpmrm0", "", "");
	r = r ?: default_string(&c->sources, c->role != ROLE_ROOT, "ek,dmi:product_uuid", "", "");
	r = r ?: default_string(&c->hooks_user, c->hooks, "nobody", "", "");
	return r ?: default_string(&c->listen, c->role != ROLE_NODE, "[::]:7646", "", "");
}

static int parse_file(struct parse *p)
{
	int r;

	r = ini_parse_stream(read_line, p, handle, p);
	if (p->r < 0)
		return p->r;
	if (r > 0)
		return fail(p, -EINVAL, (unsigned int)r, NULL,
			    "is neither [section] nor key = value nor a comment");
	if (r < 0)
		return fail(p, -ENOMEM, 0, NULL, "%s", strerror(ENOMEM));
	r = check_whole(p);
	if (r < 0)
		return r;
	r = complete(p->c);
	return r < 0 ? fail(p, r, 0, NULL, "%s", strerror(-r)) : 0;
}

int config_load(const char *path, struct config *ret, struct akm_error *err)
{
	struct config c = {};
	struct parse p = { .path = path, .c = &c, .err = err };
	int r;

	p.file = fopen(path, "re");
	if (!p.file)
		return fail(&p, -errno, 0, NULL, "%s", strerror(errno));
	preset(&c);
	r = parse_file(&p);
	fclose(p.file);
	free(p.raw);
	if (r < 0)
		config_free(&c);
	else
		*ret = c;
	return r;
}

void config_free(struct config *c)
{
	char **const owned[] = {
		&c->state, &c->socket, &c->user, &c->tcti, &c->ek_ca, &c->sources, &c->listen, &c->provision,
		&c->policy_file, &c->web, &c->hooks, &c->hooks_user,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(owned); i++) {
		free(*owned[i]);
		*owned[i] = NULL;
	}
}
