// SPDX-License-Identifier: GPL-2.0
/* Sockets, transactions with the kernel, and its errors. What it tells unasked: nl_events.c. */
#include "nl.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "nl_internal.h"

#define DUMP_TRIES	8
#define SEND_BUFFER	(4 * NL_REQUEST_MAX)

/* Requests */

static void free_wiped(struct nl_msg *msg)
{
	if (!msg)
		return;
	explicit_bzero(nlmsg_hdr(msg), nlmsg_get_max_size(msg));
	nlmsg_free(msg);
}

void nl_put(struct nl_request *q, int type, const void *data, size_t len)
{
	if (!q->msg)
		q->r = -ENOMEM;
	else if (!q->r && nla_put(q->msg, type, (int)len, data) < 0)
		q->r = -EMSGSIZE;
}

void nl_put_u8(struct nl_request *q, int type, uint8_t v)
{
	nl_put(q, type, &v, sizeof(v));
}

void nl_put_u16(struct nl_request *q, int type, uint16_t v)
{
	nl_put(q, type, &v, sizeof(v));
}

void nl_put_u32(struct nl_request *q, int type, uint32_t v)
{
	nl_put(q, type, &v, sizeof(v));
}

void nl_put_u64(struct nl_request *q, int type, uint64_t v)
{
	nl_put(q, type, &v, sizeof(v));
}

void nl_put_text(struct nl_request *q, int type, const char *s)
{
	nl_put(q, type, s, strlen(s) + 1);
}

struct nlattr *nl_nest(struct nl_request *q, int type)
{
	struct nlattr *nest = q->msg && !q->r ? nla_nest_start(q->msg, type | NLA_F_NESTED) : NULL;

	if (!nest && !q->r)
		q->r = q->msg ? -EMSGSIZE : -ENOMEM;
	return nest;
}

void nl_nest_end(struct nl_request *q, struct nlattr *nest)
{
	/* Fails where the nest would be too long for its length field; none of ours can be. */
	if (nest && nla_nest_end(q->msg, nest) < 0 && !q->r)
		q->r = -EMSGSIZE;
}

size_t nl_room(const struct nl_request *q)
{
	return q->msg ? nlmsg_get_max_size(q->msg) - nlmsg_hdr(q->msg)->nlmsg_len : 0;
}

/* Errors */

static const char *name_of(const struct nl_names *names, int type)
{
	return names && type > 0 && (size_t)type < names->n && names->name[type] ? names->name[type]
										 : "attribute";
}

/* "prefix", or "prefix addr" where the offset points into a nest; @from: where the attributes begin */
static void name_at(const struct nl_names *names, const struct nlmsghdr *h, size_t from,
		    size_t offset, char ret[64])
{
	const uint8_t *base = (const uint8_t *)h;
	size_t end = h->nlmsg_len, len;
	const struct nlattr *a;

	ret[0] = '\0';
	while (names && from + NLA_HDRLEN <= end) {
		a = (const struct nlattr *)(base + from);
		len = a->nla_len;
		if (len < NLA_HDRLEN || from + len > end)
			return;
		if (offset >= from + NLA_ALIGN(len)) {
			from += NLA_ALIGN(len);
			continue;
		}
		snprintf(ret + strlen(ret), 64 - strlen(ret), "%s%.24s", ret[0] ? " " : "",
			 name_of(names, nla_type(a)));
		if (offset == from || nla_type(a) != names->nested_type)
			return;
		names = names->nested;
		end = from + len;
		from += NLA_HDRLEN;
	}
}

struct extack {
	const char *text;
	size_t text_len;
	uint32_t offset;	/* 0: none */
	uint32_t missing;	/* type, 0: none */
};

static void parse_extack(const struct nlmsghdr *h, size_t from, struct extack *ret)
{
	const uint8_t *p = (const uint8_t *)h + from, *end = (const uint8_t *)h + h->nlmsg_len;
	const struct nlattr *a;

	*ret = (struct extack){};
	for (; p + NLA_HDRLEN <= end; p += NLA_ALIGN(a->nla_len)) {
		a = (const struct nlattr *)p;
		if (a->nla_len < NLA_HDRLEN || p + a->nla_len > end)
			return;
		if (nla_type(a) == NLMSGERR_ATTR_MSG) {
			ret->text = nla_data(a);
			ret->text_len = strnlen(ret->text, (size_t)nla_len(a));
		} else if (nla_type(a) == NLMSGERR_ATTR_OFFS && nla_len(a) == sizeof(uint32_t)) {
			memcpy(&ret->offset, nla_data(a), sizeof(uint32_t));
		} else if (nla_type(a) == NLMSGERR_ATTR_MISS_TYPE && nla_len(a) == sizeof(uint32_t)) {
			memcpy(&ret->missing, nla_data(a), sizeof(uint32_t));
		}
	}
}

int nl_no_module(struct akm_error *err)
{
	return akm_error_set(err, -ENOPKG, "kernel",
			     "the module akm is not loaded: try modprobe akm; akmctl doctor says what hinders it");
}

/* @from: where the error message's own attributes begin, 0: it has none */
static int explain(const struct nl_request *q, const struct nlmsghdr *request, int r,
		   const struct nlmsghdr *answer, size_t from, struct akm_error *err)
{
	struct extack x = {};
	char field[64] = "";

	if (from)
		parse_extack(answer, from, &x);
	if (x.offset)
		name_at(q->names, request, NLMSG_HDRLEN + GENL_HDRLEN, x.offset, field);
	else if (x.missing)
		snprintf(field, sizeof(field), "%s", name_of(q->names, (int)x.missing));
	if (!field[0])
		snprintf(field, sizeof(field), "%.60s", q->subject);
	if (x.text_len)
		return akm_error_set(err, r, field, "%.*s", (int)x.text_len, x.text);
	return akm_error_set(err, r, field, "%s", strerror(-r));
}

/* NLMSG_ERROR: an errno, the header of the request (with CAP_ACK nothing more), attributes */
static int on_error(const struct nl_request *q, const struct nlmsghdr *request,
		    const struct nlmsghdr *h, struct akm_error *err)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	size_t from = 0;

	if (h->nlmsg_len < NLMSG_HDRLEN + sizeof(*e) || e->error > 0)
		return akm_error_set(err, -EPROTO, q->subject, "the kernel's answer is cut short");
	if (!e->error)
		return 0;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS) {
		from = NLMSG_HDRLEN + sizeof(*e);
		if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > sizeof(e->msg))
			from += NLMSG_ALIGN(e->msg.nlmsg_len - sizeof(e->msg));
	}
	return explain(q, request, e->error, h, from < h->nlmsg_len ? from : 0, err);
}

/* NLMSG_DONE: the dump's errno, attributes */
static int on_done(const struct nl_request *q, const struct nlmsghdr *request,
		   const struct nlmsghdr *h, struct akm_error *err)
{
	size_t from = NLMSG_HDRLEN + sizeof(int);
	int e = 0;

	if (h->nlmsg_len >= from)
		memcpy(&e, nlmsg_data(h), sizeof(e));
	if (e >= 0)
		return 0;
	return explain(q, request, e, h,
		       (h->nlmsg_flags & NLM_F_ACK_TLVS) && from < h->nlmsg_len ? from : 0, err);
}

/* Transactions */

static int send_request(struct nl_sock *sk, const struct nlmsghdr *h)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	struct iovec iov = { .iov_base = (void *)h, .iov_len = h->nlmsg_len };
	const struct msghdr m = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n;

	do {
		n = sendmsg(nl_socket_get_fd(sk), &m, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* One datagram of the kernel's. Return: its length, or a negative errno; -EAGAIN: nothing there. */
ssize_t nl_receive(struct nl_sock *sk, uint8_t *buf, size_t size)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr m = { .msg_name = &from, .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t len;

	do {
		m.msg_namelen = sizeof(from);
		len = recvmsg(nl_socket_get_fd(sk), &m, 0);
	} while ((len < 0 && errno == EINTR) ||
		 (len >= 0 && from.nl_pid != 0)); /* other processes may send to us, too */
	if (len < 0)
		return -errno;
	return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : len;
}

struct reading {
	struct nl_request *q;
	const struct nlmsghdr *request;
	bool done, interrupted;
	int row;		/* first failure of a row */
};

/* Return: 0 or why the transaction failed; w->done when it is over. */
static int read_message(struct reading *w, const struct nlmsghdr *h, struct akm_error *err)
{
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		w->interrupted = true;
	if (h->nlmsg_type == NLMSG_NOOP)
		return 0;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		w->done = true;
		return h->nlmsg_type == NLMSG_ERROR ? on_error(w->q, w->request, h, err)
						    : on_done(w->q, w->request, h, err);
	}
	if (w->q->row && !w->row)
		w->row = w->q->row(h, w->q->ctx);
	return 0;
}

/* Reads until the end of the answer, also past a row that failed: the socket stays in step. */
static int read_answer(struct nl *n, struct nl_sock *sk, struct reading *w, struct akm_error *err)
{
	const struct nlmsghdr *h;
	ssize_t len;
	int left, r;

	while (!w->done) {
		len = nl_receive(sk, n->answer, sizeof(n->answer));
		if (len < 0)
			return akm_error_set(err, len == -EAGAIN ? -ETIMEDOUT : (int)len,
					     w->q->subject, "no answer from the kernel: %s",
					     strerror(len == -EAGAIN ? ETIMEDOUT : (int)-len));
		left = (int)len;
		for (h = (struct nlmsghdr *)n->answer; nlmsg_ok(h, left) && !w->done;
		     h = nlmsg_next((struct nlmsghdr *)h, &left)) {
			/* A late answer to a request that was given up */
			if (h->nlmsg_seq != w->request->nlmsg_seq)
				continue;
			r = read_message(w, h, err);
			if (r < 0)
				return r;
		}
	}
	if (w->row < 0)
		return akm_error_set(err, w->row, w->q->subject,
				     "the kernel's answer is not understood: %s", strerror(-w->row));
	return 0;
}

static int transact_once(struct nl *n, struct nl_sock *sk, struct nl_request *q, bool *ret_again,
			 struct akm_error *err)
{
	struct reading w = { .q = q };
	int r;

	/* A sequence number of its own for every try */
	nlmsg_hdr(q->msg)->nlmsg_seq = NL_AUTO_SEQ;
	nl_complete_msg(sk, q->msg);
	w.request = nlmsg_hdr(q->msg);
	r = send_request(sk, w.request);
	if (r < 0)
		return akm_error_set(err, r, q->subject, "the kernel does not take the request: %s",
				     strerror(-r));
	r = read_answer(n, sk, &w, err);
	*ret_again = !r && w.interrupted;
	return r;
}

static int transact(struct nl *n, struct nl_sock *sk, struct nl_request *q, struct akm_error *err)
{
	bool again = false;
	int tries, r = 0;

	for (tries = 0; tries < DUMP_TRIES; tries++) {
		r = transact_once(n, sk, q, &again, err);
		if (!again || !q->again)
			return r;
		q->again(q->ctx);
	}
	return akm_error_set(err, -EAGAIN, q->subject, "changes faster than it can be read");
}

int nl_transact(struct nl *n, struct nl_sock *sk, struct nl_request *q, struct akm_error *err)
{
	int r;

	if (!q->msg)
		r = akm_error_set(err, -ENOMEM, q->subject, "%s", strerror(ENOMEM));
	else if (q->r == -ENOPKG)
		r = nl_no_module(err);
	else if (q->r < 0)
		r = akm_error_set(err, q->r, q->subject, "the request cannot be made: %s", strerror(-q->r));
	else
		r = transact(n, sk, q, err);
	free_wiped(q->msg);
	q->msg = NULL;
	return r;
}

/* Rows */

int nl_rows_add(const struct nlmsghdr *h, void *arg)
{
	struct nl_rows *rows = arg;
	void *p;
	int r;

	/* Grows at 0, 1, 2, 4, 8 … */
	if (!(rows->n & (rows->n - 1))) {
		p = reallocarray(rows->data, rows->n ? 2 * rows->n : 1, rows->size);
		if (!p)
			return -ENOMEM;
		rows->data = p;
	}
	r = rows->decode(h, (uint8_t *)rows->data + rows->n * rows->size);
	if (!r)
		rows->n++;
	return r;
}

void nl_rows_again(void *arg)
{
	struct nl_rows *rows = arg;

	free(rows->data);
	rows->data = NULL;
	rows->n = 0;
}

/* Opening */

int nl_set_option(struct nl_sock *sk, int level, int option, int value)
{
	return setsockopt(nl_socket_get_fd(sk), level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* CAP_ACK: errors do not repeat the request, which may hold secrets. */
int nl_connect_socket(int protocol, struct nl_sock **ret)
{
	struct timeval timeout = { .tv_sec = NL_TIMEOUT_S };
	struct nl_sock *sk = nl_socket_alloc();
	int r;

	if (!sk)
		return -ENOMEM;
	*ret = sk;
	if (nl_connect(sk, protocol) < 0)
		return errno ? -errno : -EIO;
	r = nl_set_option(sk, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	r = r ?: nl_set_option(sk, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	r = r ?: nl_set_option(sk, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
	if (!r && setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		r = -errno;
	return r;
}

static int open_nl(struct nl *n, struct event_base *base, struct akm_error *err)
{
	int r;

	r = nl_connect_socket(NETLINK_GENERIC, &n->genl);
	r = r ?: nl_connect_socket(NETLINK_ROUTE, &n->route);
	if (r < 0)
		return akm_error_set(err, r, "kernel", "no netlink socket: %s", strerror(-r));
	return nl_events_open(n, base, err);
}

int nl_open(struct event_base *base, nl_event_fn event, nl_change_fn change, void *ctx,
	    struct nl **ret, struct akm_error *err)
{
	struct nl *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return akm_error_set(err, -ENOMEM, "kernel", "%s", strerror(ENOMEM));
	n->event = event;
	n->change = change;
	n->ctx = ctx;
	r = open_nl(n, base, err);
	if (r < 0) {
		nl_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void nl_free(struct nl *n)
{
	if (!n)
		return;
	nl_events_close(n);
	nl_socket_free(n->genl);
	nl_socket_free(n->route);
	free(n);
}
