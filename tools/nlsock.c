// SPDX-License-Identifier: GPL-2.0
/* The real struct akm_nl: libnl sockets, opened when first needed. */
#include "nl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <linux/akm.h>

struct kernel {
	struct akm_nl nl;		/* first: the two are cast into each other */
	struct nl_sock *generic, *route;
	int family;
};

/* One exchange. */
struct talk {
	struct nl_msg *request;
	akm_nl_reply_fn reply;
	void *arg;
	struct akm_error *e;
	int r;
	bool done, interrupted;
};

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct talk *t = arg;

	if (t->reply && t->r >= 0)
		t->r = t->reply(nlmsg_hdr(msg), t->arg, t->e);
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct talk *t = arg;

	(void)msg;
	t->done = true;
	return NL_STOP;
}

/* A dump ends with its result in NLMSG_DONE, laid out like the start of an error. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct talk *t = arg;
	int code = 0;

	t->done = true;
	if (nlmsg_datalen(h) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(h), sizeof(code));
	if (code < 0 && t->r >= 0)
		t->r = akm_error_set(t->e, -code, NULL, "%s", strerror(-code));
	return NL_STOP;
}

static int on_interrupted(struct nl_msg *msg, void *arg)
{
	struct talk *t = arg;

	(void)msg;
	t->interrupted = true;
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	struct nlmsghdr *h = (struct nlmsghdr *)((char *)err - NLMSG_HDRLEN);
	struct talk *t = arg;

	(void)from;
	t->done = true;
	t->r = akm_nl_explain(h, nlmsg_hdr(t->request), t->e);
	return NL_STOP;
}

static struct nl_cb *callbacks(struct talk *t)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		return NULL;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, t);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, t);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, t);
	nl_cb_set(cb, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, t);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, t);
	return cb;
}

/*
 * Refusals in words; and without the request repeated in them: it may hold a
 * secret, which would then also lie in the receive buffers.
 */
static int ask_for_words(struct nl_sock *sk, struct akm_error *e)
{
	static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK };
	int on = 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, options[i], &on, sizeof(on)) < 0)
			return akm_error_set(e, errno, "netlink", "cannot set up the socket: %s", strerror(errno));
	}
	return 0;
}

static int connect_to(int proto, struct nl_sock **sk, struct akm_error *e)
{
	struct nl_sock *s;
	int r;

	if (*sk)
		return 0;
	s = nl_socket_alloc();
	if (!s)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	r = nl_connect(s, proto);
	if (r < 0)
		r = akm_error_set(e, errno ? errno : EIO, "netlink", "cannot reach the kernel: %s", nl_geterror(r));
	else
		r = ask_for_words(s, e);
	if (r < 0)
		nl_socket_free(s);
	else
		*sk = s;
	return r;
}

static int exchange(struct nl_sock *sk, struct talk *t)
{
	struct nl_cb *cb = callbacks(t);
	int r;

	if (!cb)
		return akm_error_set(t->e, ENOMEM, NULL, "out of memory");
	r = nl_send_auto(sk, t->request);
	while (r >= 0 && !t->done)
		r = nl_recvmsgs(sk, cb);
	nl_cb_put(cb);
	if (t->r < 0)
		return t->r;
	if (r < 0)
		return akm_error_set(t->e, EIO, "netlink", "%s", nl_geterror(r));
	if (t->interrupted)
		return akm_error_set(t->e, EAGAIN, NULL, "the table changed while it was read");
	return 0;
}

static int kernel_talk(struct akm_nl *nl, int proto, struct nl_msg *msg, akm_nl_reply_fn reply, void *arg,
		       struct akm_error *e)
{
	struct talk t = { .request = msg, .reply = reply, .arg = arg, .e = e };
	struct kernel *k = (struct kernel *)nl;
	struct nl_sock **sk = proto == NETLINK_ROUTE ? &k->route : &k->generic;
	int r = connect_to(proto, sk, e);

	return r < 0 ? r : exchange(*sk, &t);
}

static int kernel_family(struct akm_nl *nl, struct akm_error *e)
{
	struct kernel *k = (struct kernel *)nl;
	int r;

	if (k->family > 0)
		return k->family;
	r = connect_to(NETLINK_GENERIC, &k->generic, e);
	if (r < 0)
		return r;
	r = genl_ctrl_resolve(k->generic, AKM_GENL_NAME);
	if (r == -NLE_OBJ_NOTFOUND)
		return akm_error_set(e, ENOPKG, "module", "the akm module is not loaded: modprobe akm");
	if (r < 0)
		return akm_error_set(e, EIO, "netlink", "cannot look up the akm family: %s", nl_geterror(r));
	k->family = r;
	return r;
}

static void kernel_close(struct akm_nl *nl)
{
	struct kernel *k = (struct kernel *)nl;

	nl_socket_free(k->generic);
	nl_socket_free(k->route);
	free(k);
}

void akm_nl_open(struct akm_ctx *ctx)
{
	struct kernel *k;

	if (ctx->nl)
		return;
	k = calloc(1, sizeof(*k));
	if (!k)
		return;
	k->nl.talk = kernel_talk;
	k->nl.family = kernel_family;
	k->nl.close = kernel_close;
	ctx->nl = &k->nl;
}

void akm_nl_close(struct akm_ctx *ctx)
{
	if (ctx->nl)
		ctx->nl->close(ctx->nl);
	ctx->nl = NULL;
}
