// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel tells unasked: events of the family, that the family itself came or went (the module was loaded
 * or removed; its numbers are others then), that a device was deleted, and what becomes of the link of groups.
 */
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <netlink/genl/genl.h>
#include <sys/socket.h>

#include "nl_internal.h"

#define EVENTS_AT_ONCE	64	/* then the loop's other work has its turn */
#define EVENTS_BUFFER	(1 << 20)

/* The family */

static const struct nla_policy group_policy[CTRL_ATTR_MCAST_GRP_MAX + 1] = {
	[CTRL_ATTR_MCAST_GRP_NAME] = { .type = NLA_STRING, .maxlen = GENL_NAMSIZ },
	[CTRL_ATTR_MCAST_GRP_ID] = { .type = NLA_U32 },
};

static int read_groups(struct nl *n, struct nlattr *groups)
{
	struct nlattr *tb[CTRL_ATTR_MCAST_GRP_MAX + 1], *a;
	int left;

	nla_for_each_nested(a, groups, left) {
		if (nla_parse_nested(tb, CTRL_ATTR_MCAST_GRP_MAX, a, group_policy) < 0)
			return -EPROTO;
		if (tb[CTRL_ATTR_MCAST_GRP_NAME] && tb[CTRL_ATTR_MCAST_GRP_ID] &&
		    nla_strcmp(tb[CTRL_ATTR_MCAST_GRP_NAME], AKM_MCGRP_EVENTS) == 0)
			n->group = nla_get_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
	}
	return 0;
}

static int read_family(const struct nlmsghdr *h, void *ctx)
{
	static const struct nla_policy policy[CTRL_ATTR_MAX + 1] = {
		[CTRL_ATTR_FAMILY_ID] = { .type = NLA_U16 },
		[CTRL_ATTR_MCAST_GROUPS] = { .type = NLA_NESTED },
	};
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	struct nl *n = ctx;

	if (genlmsg_parse((struct nlmsghdr *)h, 0, tb, CTRL_ATTR_MAX, policy) < 0 ||
	    !tb[CTRL_ATTR_FAMILY_ID])
		return -EPROTO;
	n->family = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	return tb[CTRL_ATTR_MCAST_GROUPS] ? read_groups(n, tb[CTRL_ATTR_MCAST_GROUPS]) : 0;
}

/* Asking for it makes the kernel load the module, where it is installed. */
int nl_resolve(struct nl *n, struct akm_error *err)
{
	struct nl_request q = { .msg = nlmsg_alloc(), .subject = "kernel", .row = read_family, .ctx = n };
	int r;

	if (q.msg && !genlmsg_put(q.msg, NL_AUTO_PORT, NL_AUTO_SEQ, GENL_ID_CTRL, 0, 0,
				  CTRL_CMD_GETFAMILY, 1))
		q.r = -EMSGSIZE;
	nl_put_text(&q, CTRL_ATTR_FAMILY_NAME, AKM_GENL_NAME);
	r = nl_transact(n, n->genl, &q, err);
	if (r == -ENOENT)
		return nl_no_module(err);
	if (!r && (!n->family || !n->group))
		return akm_error_set(err, -EPROTO, "kernel", "the family akm is not the one this akmd knows");
	return r;
}

/* Come and gone */

static int join(struct nl_sock *sk, uint32_t group)
{
	return nl_set_option(sk, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, (int)group);
}

static void set_gone(struct nl *n)
{
	n->family = 0;
	n->group = 0;
}

/* The family has new numbers; membership of its group ended with the old one. */
static void come_back(struct nl *n)
{
	if (!n->group || join(n->events, n->group) < 0)
		set_gone(n);
	n->change(n->ctx, n->family ? NL_MODULE_BACK : NL_MODULE_GONE);
}

static void on_control(struct nl *n, const struct nlmsghdr *h)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	const struct genlmsghdr *g;

	if (!genlmsg_valid_hdr((struct nlmsghdr *)h, 0) ||
	    genlmsg_parse((struct nlmsghdr *)h, 0, tb, CTRL_ATTR_MAX, NULL) < 0 ||
	    !tb[CTRL_ATTR_FAMILY_NAME] || nla_strcmp(tb[CTRL_ATTR_FAMILY_NAME], AKM_GENL_NAME))
		return;
	g = nlmsg_data(h);
	if (g->cmd == CTRL_CMD_DELFAMILY) {
		set_gone(n);
		n->change(n->ctx, NL_MODULE_GONE);
	} else if (g->cmd == CTRL_CMD_NEWFAMILY) {
		set_gone(n);
		(void)read_family(h, n);	/* what it does not understand leaves no group */
		come_back(n);
	}
}

/* Among what was lost may have been that the family came or went: ask for it. */
static void on_overrun(struct nl *n)
{
	uint16_t before = n->family;
	struct akm_error ignored = {};

	set_gone(n);
	if (nl_resolve(n, &ignored) < 0)
		set_gone(n);
	if (n->family && n->family != before)
		come_back(n);
	else
		n->change(n->ctx, n->family ? NL_EVENTS_LOST : NL_MODULE_GONE);
}

/* Events */

static void on_event_message(struct nl *n, const struct nlmsghdr *h)
{
	struct nl_event e;

	if (h->nlmsg_type == GENL_ID_CTRL)
		on_control(n, h);
	else if (nl_decode_event(h, &e) < 0)
		n->change(n->ctx, NL_EVENTS_LOST);
	else
		n->event(n->ctx, &e);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	const struct nlmsghdr *h;
	struct nl *n = arg;
	ssize_t len;
	int i, left;

	(void)fd;
	(void)what;
	for (i = 0; i < EVENTS_AT_ONCE; i++) {
		len = nl_receive(n->events, n->event_buf, sizeof(n->event_buf));
		if (len == -EAGAIN)
			return;
		if (len < 0) {
			on_overrun(n);
			return;
		}
		left = (int)len;
		for (h = (struct nlmsghdr *)n->event_buf; nlmsg_ok(h, left);
		     h = nlmsg_next((struct nlmsghdr *)h, &left))
			on_event_message(n, h);
	}
}

/* One of ours was deleted. That it moved to another namespace is told as a deletion as well: somebody wanted that. */
static bool is_deletion(const struct nlmsghdr *h)
{
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];

	return h->nlmsg_type == RTM_DELLINK && nlmsg_valid_hdr(h, sizeof(struct ifinfomsg)) &&
	       nlmsg_parse((struct nlmsghdr *)h, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) == 0 &&
	       tb[IFLA_LINKINFO] && !tb[IFLA_NEW_NETNSID] &&
	       nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) == 0 &&
	       info[IFLA_INFO_KIND] && nla_strcmp(info[IFLA_INFO_KIND], AKM_GENL_NAME) == 0;
}

struct links_seen { bool deletion, gone, there; };

/* A bridge tells of its ports in messages of its own family: a port that leaves it is not gone. */
static void see_group_link(const struct nl *n, const struct nlmsghdr *h, struct links_seen *seen)
{
	const struct ifinfomsg *ifi = nlmsg_data(h);
	struct nlattr *tb[IFLA_MAX + 1];
	bool named, deleted = h->nlmsg_type == RTM_DELLINK;

	if (!n->group_link[0] || (h->nlmsg_type != RTM_NEWLINK && !deleted) ||
	    nlmsg_parse((struct nlmsghdr *)h, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0 || ifi->ifi_family != AF_UNSPEC)
		return;
	named = tb[IFLA_IFNAME] && !nla_strcmp(tb[IFLA_IFNAME], n->group_link);
	seen->gone |= (uint32_t)ifi->ifi_index == n->group_ifindex && (deleted || !named);
	seen->there |= named && !deleted;
}

static void read_links(struct nl *n, struct links_seen *seen)
{
	const struct nlmsghdr *h;
	ssize_t len;
	int i, left;

	for (i = 0; i < EVENTS_AT_ONCE; i++) {
		len = nl_receive(n->links, n->event_buf, sizeof(n->event_buf));
		if (len == -EAGAIN)
			break;
		if (len < 0) {
			seen->deletion = true;	/* who knows what was in it */
			return;
		}
		left = (int)len;
		for (h = (struct nlmsghdr *)n->event_buf; nlmsg_ok(h, left);
		     h = nlmsg_next((struct nlmsghdr *)h, &left)) {
			seen->deletion |= is_deletion(h);
			see_group_link(n, h, seen);
		}
	}
}

static void on_link(evutil_socket_t fd, short what, void *arg)
{
	struct links_seen seen = {};
	struct nl *n = arg;

	/* When the module goes its devices go after the family: hear of it in that order. */
	on_event(fd, what, n);
	read_links(n, &seen);
	if (seen.deletion)
		n->change(n->ctx, NL_DEVICE_GONE);
	if (seen.gone)
		n->change(n->ctx, NL_GROUP_LINK_GONE);
	if (seen.there)
		n->change(n->ctx, NL_GROUP_LINK_THERE);
}

/* Opening */

static int open_socket(int protocol, uint32_t group, struct nl_sock **ret)
{
	int r = nl_connect_socket(protocol, ret);

	if (r < 0)
		return r;
	if (nl_socket_set_nonblocking(*ret) < 0)
		return -EIO;
	/* Beyond the system's limit with CAP_NET_ADMIN; without it as far as that goes. */
	if (nl_set_option(*ret, SOL_SOCKET, SO_RCVBUFFORCE, EVENTS_BUFFER) < 0)
		r = nl_set_option(*ret, SOL_SOCKET, SO_RCVBUF, EVENTS_BUFFER);
	return r ?: join(*ret, group);
}

static int watch(struct event_base *base, struct nl_sock *sk, event_callback_fn fn, struct nl *n, struct event **ret)
{
	*ret = event_new(base, nl_socket_get_fd(sk), EV_READ | EV_PERSIST, fn, n);
	return *ret && event_add(*ret, NULL) == 0 ? 0 : -ENOMEM;
}

int nl_events_open(struct nl *n, struct event_base *base, struct akm_error *err)
{
	int r;

	/* The controller's group has the controller's number. Joined before the family is asked for: no gap. */
	r = open_socket(NETLINK_GENERIC, GENL_ID_CTRL, &n->events);
	r = r ?: open_socket(NETLINK_ROUTE, RTNLGRP_LINK, &n->links);
	if (r < 0)
		return akm_error_set(err, r, "kernel", "no netlink socket: %s", strerror(-r));
	r = nl_resolve(n, err);
	if (r < 0)
		return r;
	r = join(n->events, n->group);
	r = r ?: watch(base, n->events, on_event, n, &n->ev);
	r = r ?: watch(base, n->links, on_link, n, &n->ev_links);
	return r < 0 ? akm_error_set(err, r, "kernel", "cannot listen to the events of akm: %s", strerror(-r)) : 0;
}

void nl_events_close(struct nl *n)
{
	if (n->ev)
		event_free(n->ev);
	if (n->ev_links)
		event_free(n->ev_links);
	nl_socket_free(n->events);
	nl_socket_free(n->links);
}
