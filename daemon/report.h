/* SPDX-License-Identifier: GPL-2.0 */
/* Our objects as JSON for the control socket (include/akm-ctl.h), and as text. NULL: no memory. */
#ifndef AKM_REPORT_H
#define AKM_REPORT_H

#include <json-c/json.h>
#include "msg.h"
#include "store.h"

/* Adds a member to an object. */
void report_put_text(struct json_object *o, const char *key, const char *v);
void report_put_int(struct json_object *o, const char *key, int64_t v);

struct json_object *report_event(uint64_t seq, const struct msg_event *e);
struct json_object *report_prefix(const struct msg_prefix *p);	/* "10.77.1.1/24"; null if none */
struct json_object *report_endpoint(const struct msg_endpoint *e);
struct json_object *report_time(uint64_t wall_ms);		/* RFC 3339, UTC; null for 0 */
const char *report_suite(uint32_t suite);
const char *report_severity(enum msg_severity s);
/* What the record says; the caller adds link, last_seen, atrs. */
struct json_object *report_node(const struct store_node *n);
const char *report_node_state(enum store_node_state s);

/* @size: at least these */
#define REPORT_PREFIX_MAX	52
#define REPORT_ENDPOINT_MAX	56
void report_prefix_text(const struct msg_prefix *p, char *ret, size_t size);
void report_endpoint_text(const struct msg_endpoint *e, char *ret, size_t size);
void report_sockaddr_text(const struct sockaddr_storage *a, bool port, char *ret, size_t size);
void report_hex(const uint8_t *p, size_t len, char *ret);	/* 2 * len + 1 bytes */
/* The address of a socket as an endpoint with @port; IPv4-mapped IPv6 becomes IPv4. */
struct msg_endpoint report_endpoint_of(const struct sockaddr_storage *a, uint16_t port);

/* "ADDR", "ADDR:PORT", "[ADDR]:PORT"; "ADDR/LEN". Return: 0 or -EINVAL. */
int report_parse_endpoint(const char *s, struct msg_endpoint *ret);
int report_parse_prefix(const char *s, uint8_t addr_len, struct msg_prefix *ret);
int report_parse_suite(const char *s, uint32_t *ret);
const char *report_freshness(uint32_t freshness);
int report_parse_freshness(const char *s, uint32_t *ret);
struct json_object *report_group(const struct msg_group *g);	/* its address; NULL: none */
/* "239.7.6.45", "ff05::7645", with @ttl. Names what is wrong in @err. */
int report_parse_group(const char *s, uint8_t ttl, struct msg_group *ret, struct akm_error *err);
int report_parse_hex(const char *s, uint8_t *ret, size_t len);

#endif /* AKM_REPORT_H */
