/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by nl*.c and their test: sockets, one transaction, decoding, what is told unasked. */
#ifndef AKM_NL_INTERNAL_H
#define AKM_NL_INTERNAL_H

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include "nl.h"

#define NL_REQUEST_MAX	32768		/* bytes of one request: the kernel must find that much in one piece */
#define NL_ANSWER_MAX	65536		/* a dump's part has at most 32 KiB */
#define NL_EVENT_MAX	8192
#define NL_TIMEOUT_S	5

struct nl {
	struct nl_sock *genl, *route, *events, *links;
	uint16_t family;			/* 0: the module is gone */
	uint32_t group;
	bool members_roam;
	uint32_t members_keepalive;		/* ms */
	uint16_t flow_port_low, flow_port_high;
	bool spread;
	char group_link[16];
	uint32_t group_ifindex;			/* of the link as it was last asked for, 0: it was not there */
	struct event *ev, *ev_links;
	nl_event_fn event;
	nl_change_fn change;
	void *ctx;
	_Alignas(8) uint8_t answer[NL_ANSWER_MAX];		/* of the transaction that runs */
	_Alignas(8) uint8_t event_buf[NL_EVENT_MAX];	/* of its own: whoever is told of an event may ask something */
};

/* Names of a request's attributes, for errors */
struct nl_names {
	const char *const *name;		/* by type */
	size_t n;
	int nested_type;			/* the one that holds others, 0: none */
	const struct nl_names *nested;
};

struct nl_request {
	struct nl_msg *msg;
	int r;					/* first failure of building it */
	const struct nl_names *names;
	const char *subject;			/* what an error is about where no attribute is to blame */
	/* Each answer of a get or dump. */
	int (*row)(const struct nlmsghdr *h, void *ctx);
	void *ctx;
	/* A dump changed under our hands and starts anew: forget its rows. */
	void (*again)(void *ctx);
};

/*
 * Sends, waits for the answer; or returns what failed in building. Wipes and frees the message in
 * any case (NULL: -ENOMEM).
 */
int nl_transact(struct nl *n, struct nl_sock *sk, struct nl_request *q, struct akm_error *err);
int nl_no_module(struct akm_error *err);		/* -ENOPKG, and the way out */

int nl_connect_socket(int protocol, struct nl_sock **ret);
int nl_set_option(struct nl_sock *sk, int level, int option, int value);
/* One datagram of the kernel's. Return: its length, or a negative errno; -EAGAIN: nothing there. */
ssize_t nl_receive(struct nl_sock *sk, uint8_t *buf, size_t size);

int nl_resolve(struct nl *n, struct akm_error *err);
int nl_events_open(struct nl *n, struct event_base *base, struct akm_error *err);
void nl_events_close(struct nl *n);

/* Attributes; the first failure sticks in the request, also that there is no message. */
void nl_put(struct nl_request *q, int type, const void *data, size_t len);
void nl_put_u8(struct nl_request *q, int type, uint8_t v);
void nl_put_u16(struct nl_request *q, int type, uint16_t v);
void nl_put_u32(struct nl_request *q, int type, uint32_t v);
void nl_put_u64(struct nl_request *q, int type, uint64_t v);
void nl_put_text(struct nl_request *q, int type, const char *s);
struct nlattr *nl_nest(struct nl_request *q, int type);
void nl_nest_end(struct nl_request *q, struct nlattr *nest);
/* Room left, in bytes */
size_t nl_room(const struct nl_request *q);

/* Rows of a dump */
struct nl_rows {
	size_t size, n;				/* of one; how many */
	void *data;
	int (*decode)(const struct nlmsghdr *h, void *ret);
};
int nl_rows_add(const struct nlmsghdr *h, void *rows);
void nl_rows_again(void *rows);

/* 0, or -EPROTO: not what the interface says */
int nl_decode_dev(const struct nlmsghdr *h, void *ret);
int nl_decode_generation(const struct nlmsghdr *h, void *ret);
int nl_decode_event(const struct nlmsghdr *h, struct nl_event *ret);

#endif /* AKM_NL_INTERNAL_H */
