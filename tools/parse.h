/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From words on the command line to values. Pure: no I/O, but for the name of
 * an interface in a scoped address. Outputs stay untouched on failure; the
 * reason goes to @e, whose field the caller fills in.
 */
#ifndef AKMCTL_PARSE_H
#define AKMCTL_PARSE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct akm_prefix {
	uint8_t addr[16];		/* network order, 4 or 16 bytes of it */
	uint8_t addr_len;
	uint8_t len;
};

struct akm_endpoint {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	uint8_t len;			/* of the sockaddr in use */
};

struct akm_group {
	uint8_t addr[16];		/* network order, 4 or 16 bytes of it; 0: no group */
	uint8_t addr_len;
	uint32_t link;			/* ifindex */
};

struct akm_ports {
	uint16_t low, high;		/* 0: none */
};

int akm_parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct akm_error *e);
/* "#1", "1": the number of an operational ATR, never 0. */
int akm_parse_atr_id(const char *text, uint64_t *ret, struct akm_error *e);
/* "250ms", "10s", "5m", "1h", "7d"; without a unit: seconds. In milliseconds. */
int akm_parse_duration(const char *text, uint64_t max_ms, uint64_t *ret_ms, struct akm_error *e);
/* ADDRESS/LENGTH; an address alone is a host prefix. Host bits must be 0. */
int akm_parse_prefix(const char *text, struct akm_prefix *ret, struct akm_error *e);
/* 192.0.2.1:7645, [2001:db8::1]:7645, [fe80::1%eth0]:7645; the port defaults to 7645. */
int akm_parse_endpoint(const char *text, struct akm_endpoint *ret, struct akm_error *e);
/* 239.7.6.45%eth0, ff05::7645%eth0: a multicast address and an interface; or "none". */
int akm_parse_group(const char *text, struct akm_group *ret, struct akm_error *e);
/* 49152-65535, a port alone, or "none". */
int akm_parse_ports(const char *text, struct akm_ports *ret, struct akm_error *e);
int akm_parse_suite(const char *text, uint64_t *ret, struct akm_error *e);
int akm_parse_freshness(const char *text, uint64_t *ret, struct akm_error *e);
int akm_parse_spread(const char *text, uint64_t *ret, struct akm_error *e);
/* Name of an interface as the kernel would accept it. */
int akm_check_ifname(const char *text, struct akm_error *e);
/* A label or member name of the kernel interface: 1 … 63 printable bytes. */
int akm_check_text(const char *text, size_t max, struct akm_error *e);
/* A name of the daemon's: 1 … 63 of [A-Za-z0-9._-]. */
int akm_check_name(const char *text, struct akm_error *e);
/* "A,B,C": each a name, none twice. */
int akm_check_names(const char *text, struct akm_error *e);
/* serial:/dev/ttyX[,BAUD], unix:/path, unix-listen:/path */
int akm_check_via(const char *text, struct akm_error *e);

#endif /* AKMCTL_PARSE_H */
