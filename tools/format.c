// SPDX-License-Identifier: GPL-2.0
#include "format.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/akm.h>

#include "error.h"

static const char *const suite_names[] = {
	[AKM_SUITE_AES256GCM] = "aes-256-gcm",
	[AKM_SUITE_CHACHA20POLY1305] = "chacha20-poly1305",
	[AKM_SUITE_AES128GCM] = "aes-128-gcm",
};

static const char *const state_names[] = {
	[AKM_GEN_PENDING] = "pending",
	[AKM_GEN_ACTIVE] = "active",
	[AKM_GEN_RETIRING] = "retiring",
};

static const char *const freshness_names[] = {
	[AKM_FRESHNESS_STRICT] = "strict",
	[AKM_FRESHNESS_EPOCH] = "epoch",
};

static const char *const spread_names[] = {
	[AKM_SPREAD_OFF] = "off",
	[AKM_SPREAD_ON] = "on",
};

static const char *const fresh_names[] = {
	[AKM_FRESH_UNKNOWN] = "unknown",
	[AKM_FRESH_ASKING] = "asking",
	[AKM_FRESH_YES] = "yes",
};

static const char *const event_names[] = {
	[AKM_EVENT_AUTH_FAIL] = "auth-fail",
	[AKM_EVENT_REPLAY] = "replay",
	[AKM_EVENT_UNKNOWN_KEY] = "unknown-key",
	[AKM_EVENT_MALFORMED] = "malformed",
	[AKM_EVENT_PREFIX] = "prefix",
	[AKM_EVENT_EPOCH] = "epoch",
	[AKM_EVENT_EPOCH_REFUSED] = "epoch-refused",
	[AKM_EVENT_EXHAUSTED] = "exhausted",
	[AKM_EVENT_GENERATION] = "generation",
	[AKM_EVENT_NO_KEY] = "no-key",
	[AKM_EVENT_STATE_LOST] = "state-lost",
	[AKM_EVENT_CLONE] = "clone",
	[AKM_EVENT_MOVED] = "moved",
	[AKM_EVENT_PENDING_USED] = "pending-used",
	[AKM_EVENT_EPOCH_STALE] = "epoch-stale",
};

static const char *name_of(const char *const *names, size_t n, uint32_t i)
{
	return i < n && names[i] ? names[i] : "unknown";
}

const char *akm_suite_name(uint32_t suite)
{
	return name_of(suite_names, ARRAY_SIZE(suite_names), suite);
}

const char *akm_gen_state_name(uint32_t state)
{
	return name_of(state_names, ARRAY_SIZE(state_names), state);
}

const char *akm_freshness_name(uint32_t mode)
{
	return name_of(freshness_names, ARRAY_SIZE(freshness_names), mode);
}

const char *akm_spread_name(uint32_t mode)
{
	return name_of(spread_names, ARRAY_SIZE(spread_names), mode);
}

const char *akm_fresh_state_name(uint32_t state)
{
	return name_of(fresh_names, ARRAY_SIZE(fresh_names), state);
}

const char *akm_event_name(uint32_t type)
{
	return name_of(event_names, ARRAY_SIZE(event_names), type);
}

const char *akm_format_prefix(const uint8_t *addr, size_t addr_len, unsigned int len, char buf[AKM_PREFIX_STRLEN])
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(addr_len == 4 ? AF_INET : AF_INET6, addr, text, sizeof(text));
	snprintf(buf, AKM_PREFIX_STRLEN, "%s/%u", text, len);
	return buf;
}

static const char *format_v6(const struct sockaddr_in6 *in6, char buf[AKM_ENDPOINT_STRLEN])
{
	char text[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1] = "";

	inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
	if (in6->sin6_scope_id) {
		scope[0] = '%';
		if (!if_indextoname(in6->sin6_scope_id, scope + 1))
			snprintf(scope + 1, IF_NAMESIZE, "%" PRIu32, in6->sin6_scope_id);
	}
	snprintf(buf, AKM_ENDPOINT_STRLEN, "[%s%s]:%u", text, scope, ntohs(in6->sin6_port));
	return buf;
}

const char *akm_format_endpoint(const void *sa, size_t len, char buf[AKM_ENDPOINT_STRLEN])
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	char text[INET_ADDRSTRLEN];

	if (len < sizeof(u.sa.sa_family) || len > sizeof(u))
		return NULL;
	memcpy(&u, sa, len);
	if (u.sa.sa_family == AF_INET && len == sizeof(u.in)) {
		inet_ntop(AF_INET, &u.in.sin_addr, text, sizeof(text));
		snprintf(buf, AKM_ENDPOINT_STRLEN, "%s:%u", text, ntohs(u.in.sin_port));
		return buf;
	}
	if (u.sa.sa_family == AF_INET6 && len == sizeof(u.in6))
		return format_v6(&u.in6, buf);
	return NULL;
}

const char *akm_format_duration(uint64_t ms, char buf[AKM_DURATION_STRLEN])
{
	static const struct {
		uint64_t ms;
		const char *name;
	} units[] = {
		{ 86400000, "day" }, { 3600000, "hour" }, { 60000, "minute" }, { 1000, "second" },
	};
	size_t i = 0, n;
	uint64_t a, b;

	if (ms < 1000) {
		snprintf(buf, AKM_DURATION_STRLEN, "%" PRIu64 " ms", ms);
		return buf;
	}
	while (ms < units[i].ms)
		i++;
	a = ms / units[i].ms;
	n = (size_t)snprintf(buf, AKM_DURATION_STRLEN, "%" PRIu64 " %s%s", a, units[i].name, a == 1 ? "" : "s");
	if (i + 1 == ARRAY_SIZE(units))
		return buf;
	b = ms % units[i].ms / units[i + 1].ms;
	if (b)
		snprintf(buf + n, AKM_DURATION_STRLEN - n, ", %" PRIu64 " %s%s", b, units[i + 1].name, b == 1 ? "" : "s");
	return buf;
}

const char *akm_format_size(uint64_t bytes, char buf[AKM_SIZE_STRLEN])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, AKM_SIZE_STRLEN, "%" PRIu64 " B", bytes);
		return buf;
	}
	while (v >= 1024 && i + 1 < ARRAY_SIZE(units)) {
		v /= 1024;
		i++;
	}
	snprintf(buf, AKM_SIZE_STRLEN, "%.2f %s", v, units[i]);
	return buf;
}

const char *akm_format_time(uint64_t ns, char buf[AKM_TIME_STRLEN])
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t n;

	if (!gmtime_r(&s, &tm)) {
		snprintf(buf, AKM_TIME_STRLEN, "%" PRIu64, ns);
		return buf;
	}
	n = strftime(buf, AKM_TIME_STRLEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, AKM_TIME_STRLEN - n, ".%06" PRIu64 "Z", ns % 1000000000 / 1000);
	return buf;
}

/* C0, DEL, and C1 as UTF-8 encodes it: all of them can drive a terminal. */
static bool is_control(const unsigned char *p)
{
	return *p < 0x20 || *p == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
}

void akm_put_clean(FILE *f, const char *text)
{
	const unsigned char *p;

	for (p = (const unsigned char *)text; *p; p++) {
		if (!is_control(p)) {
			fputc(*p, f);
			continue;
		}
		p += *p == 0xc2;
		fprintf(f, "\\x%02x", *p);
	}
}

size_t akm_clean_width(const char *text)
{
	const unsigned char *p;
	size_t n = 0;

	for (p = (const unsigned char *)text; *p; p++) {
		if (is_control(p)) {
			p += *p == 0xc2;
			n += 4;
		} else if ((*p & 0xc0) != 0x80) {
			n++;
		}
	}
	return n;
}

void akm_put_coloured(FILE *f, bool on, enum akm_colour colour, const char *text)
{
	static const char *const codes[] = {
		[AKM_PLAIN] = NULL, [AKM_BOLD] = "\033[1m", [AKM_RED] = "\033[31m", [AKM_GREEN] = "\033[32m",
		[AKM_YELLOW] = "\033[33m", [AKM_CYAN] = "\033[36m", [AKM_DIM] = "\033[2m",
	};
	const char *code = on ? codes[colour] : NULL;

	if (code)
		fputs(code, f);
	akm_put_clean(f, text);
	if (code)
		fputs("\033[0m", f);
}

enum akm_colour akm_colour_of_state(const char *state)
{
	static const struct {
		const char *state;
		enum akm_colour colour;
	} colours[] = {
		{ "active", AKM_GREEN }, { "current", AKM_GREEN }, { "ok", AKM_GREEN }, { "provisioned", AKM_GREEN },
		{ "stable", AKM_GREEN }, { "up", AKM_GREEN },
		{ "activating", AKM_YELLOW }, { "behind", AKM_YELLOW }, { "pending", AKM_YELLOW },
		{ "preparing", AKM_YELLOW }, { "retiring", AKM_YELLOW }, { "unknown", AKM_YELLOW },
		{ "warn", AKM_YELLOW }, { "warning", AKM_YELLOW },
		{ "absent", AKM_RED }, { "alert", AKM_RED }, { "critical", AKM_RED }, { "down", AKM_RED },
		{ "error", AKM_RED }, { "evicted", AKM_RED }, { "fail", AKM_RED }, { "failed", AKM_RED },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(colours); i++) {
		if (!strcmp(state, colours[i].state))
			return colours[i].colour;
	}
	return AKM_PLAIN;
}
