// SPDX-License-Identifier: GPL-2.0
/* The device itself, over rtnetlink: add, delete, up and down, addresses. */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "nl_internal.h"

#define REQUEST_BYTES 512

static struct nl_request request(int type, int flags, const void *header, size_t len,
				 const char *subject)
{
	struct nl_request q = { .msg = nlmsg_alloc_size(REQUEST_BYTES), .subject = subject };

	if (q.msg && (!nlmsg_put(q.msg, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) ||
		      nlmsg_append(q.msg, (void *)header, len, NLMSG_ALIGNTO) < 0))
		q.r = -EMSGSIZE;
	return q;
}

/* Devices */

static int link_request(struct nl *n, int type, int flags, const struct ifinfomsg *ifi,
			const char *ifname, bool kind, struct akm_error *err)
{
	struct nl_request q = request(type, flags, ifi, sizeof(*ifi), ifname);
	struct nlattr *info;

	if (strlen(ifname) >= IFNAMSIZ)
		q.r = -ENAMETOOLONG;
	nl_put_text(&q, IFLA_IFNAME, ifname);
	if (kind) {
		info = nl_nest(&q, IFLA_LINKINFO);
		nl_put_text(&q, IFLA_INFO_KIND, "akm");
		nl_nest_end(&q, info);
	}
	return nl_transact(n, n->route, &q, err);
}

int nl_dev_add(struct nl *n, const char *ifname, struct akm_error *err)
{
	const struct ifinfomsg ifi = {};

	return link_request(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi, ifname, true, err);
}

int nl_dev_del(struct nl *n, const char *ifname, struct akm_error *err)
{
	const struct ifinfomsg ifi = {};
	struct nl_dev d;
	int r;

	/* rtnetlink would delete any device of that name. */
	r = nl_dev_get(n, ifname, &d, err);
	return r ?: link_request(n, RTM_DELLINK, 0, &ifi, ifname, false, err);
}

int nl_dev_up(struct nl *n, const char *ifname, bool up, struct akm_error *err)
{
	const struct ifinfomsg ifi = { .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP };

	return link_request(n, RTM_SETLINK, 0, &ifi, ifname, false, err);
}

/* The link of the underlay's groups */

static int decode_index(const struct nlmsghdr *h, void *ctx)
{
	if (!nlmsg_valid_hdr(h, sizeof(struct ifinfomsg)))
		return -EPROTO;
	*(uint32_t *)ctx = (uint32_t)((struct ifinfomsg *)nlmsg_data(h))->ifi_index;
	return 0;
}

static int find_index(struct nl *n, const char *ifname, uint32_t *ret, struct akm_error *err)
{
	const struct ifinfomsg ifi = {};
	struct nl_request q = request(RTM_GETLINK, 0, &ifi, sizeof(ifi), ifname);

	nl_put_text(&q, IFLA_IFNAME, ifname);
	q.row = decode_index;
	q.ctx = ret;
	return nl_transact(n, n->route, &q, err);
}

void nl_group_link(struct nl *n, const char *ifname)
{
	snprintf(n->group_link, sizeof(n->group_link), "%s", ifname);
	n->group_ifindex = 0;
}

int nl_group_link_index(struct nl *n, uint32_t *ret, struct akm_error *err)
{
	uint32_t index = 0;
	int r;

	r = n->group_link[0] ? find_index(n, n->group_link, &index, err) :
	    akm_error_set(err, -ENODEV, "group", "no link is named for it");
	n->group_ifindex = index;
	if (!r)
		*ret = index;
	return r;
}

/* Addresses */

struct address {
	uint32_t ifindex;
	uint8_t scope;
	struct msg_prefix prefix;
};

static int decode_address(const struct nlmsghdr *h, void *ret)
{
	struct nlattr *tb[IFA_MAX + 1], *a;
	const struct ifaddrmsg *ifa;
	struct address *out = ret;

	if (!nlmsg_valid_hdr(h, sizeof(*ifa)) ||
	    nlmsg_parse((struct nlmsghdr *)h, sizeof(*ifa), tb, IFA_MAX, NULL) < 0)
		return -EPROTO;
	ifa = nlmsg_data(h);
	a = tb[IFA_LOCAL] ?: tb[IFA_ADDRESS];
	*out = (struct address){ .ifindex = ifa->ifa_index,
				 .scope = ifa->ifa_scope,
				 .prefix.prefix_len = ifa->ifa_prefixlen };
	/* Another family's entry: kept as no address, matches nothing. */
	if (!a || (nla_len(a) != 4 && nla_len(a) != 16))
		return 0;
	out->prefix.addr_len = (uint8_t)nla_len(a);
	memcpy(out->prefix.addr, nla_data(a), (size_t)nla_len(a));
	return 0;
}

static int list_addresses(struct nl *n, const char *ifname, struct nl_rows *rows,
			  struct akm_error *err)
{
	const struct ifaddrmsg ifa = {};
	struct nl_request q = request(RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof(ifa), ifname);

	q.row = nl_rows_add;
	q.again = nl_rows_again;
	q.ctx = rows;
	return nl_transact(n, n->route, &q, err);
}

static int change_address(struct nl *n, const char *ifname, int type, int flags, uint32_t ifindex,
			  const struct msg_prefix *p, struct akm_error *err)
{
	const struct ifaddrmsg ifa = {
		.ifa_family = p->addr_len == 4 ? AF_INET : AF_INET6,
		.ifa_prefixlen = p->prefix_len,
		.ifa_index = ifindex,
	};
	struct nl_request q = request(type, flags, &ifa, sizeof(ifa), ifname);

	nl_put(&q, IFA_LOCAL, p->addr, p->addr_len);
	nl_put(&q, IFA_ADDRESS, p->addr, p->addr_len);
	/* The manager gives addresses out: nobody else has it, and it is wanted at once. */
	if (type == RTM_NEWADDR && p->addr_len == 16)
		nl_put_u32(&q, IFA_FLAGS, IFA_F_NODAD);
	return nl_transact(n, n->route, &q, err);
}

static bool same(const struct msg_prefix *a, const struct msg_prefix *b)
{
	return a->addr_len == b->addr_len && a->prefix_len == b->prefix_len &&
	       memcmp(a->addr, b->addr, a->addr_len) == 0;
}

static bool wanted(const struct address *have, const struct msg_prefix *a, size_t n_a)
{
	size_t i;

	for (i = 0; i < n_a; i++)
		if (same(&have->prefix, &a[i]))
			return true;
	return have->prefix.addr_len == 16 && have->scope == RT_SCOPE_LINK;
}

static bool present(const struct nl_rows *rows, uint32_t ifindex, const struct msg_prefix *p)
{
	const struct address *have = rows->data;
	size_t i;

	for (i = 0; i < rows->n; i++)
		if (have[i].ifindex == ifindex && same(&have[i].prefix, p))
			return true;
	return false;
}

static int remove_unwanted(struct nl *n, const char *ifname, uint32_t ifindex,
			   const struct msg_prefix *a, size_t n_a, struct akm_error *err)
{
	struct nl_rows rows = { .size = sizeof(struct address), .decode = decode_address };
	const struct address *have;
	size_t i;
	int r;

	r = list_addresses(n, ifname, &rows, err);
	for (have = rows.data, i = 0; !r && i < rows.n; i++) {
		if (have[i].ifindex != ifindex || !have[i].prefix.addr_len || wanted(&have[i], a, n_a))
			continue;
		r = change_address(n, ifname, RTM_DELADDR, 0, ifindex, &have[i].prefix, err);
		if (r == -EADDRNOTAVAIL)	/* went with another one: see below */
			r = 0;
	}
	free(rows.data);
	return r;
}

static int add_missing(struct nl *n, const char *ifname, uint32_t ifindex,
		       const struct msg_prefix *a, size_t n_a, struct akm_error *err)
{
	struct nl_rows rows = { .size = sizeof(struct address), .decode = decode_address };
	size_t i;
	int r;

	r = list_addresses(n, ifname, &rows, err);
	for (i = 0; !r && i < n_a; i++)
		if (!present(&rows, ifindex, &a[i]))
			r = change_address(n, ifname, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, &a[i], err);
	free(rows.data);
	return r;
}

/* With an IPv4 address the kernel may delete others of its subnet: remove first, then look again and add. */
int nl_dev_addresses(struct nl *n, const char *ifname, const struct msg_prefix *a, size_t n_a,
		     struct akm_error *err)
{
	uint32_t ifindex = 0;
	int r;

	r = find_index(n, ifname, &ifindex, err);
	r = r ?: remove_unwanted(n, ifname, ifindex, a, n_a, err);
	return r ?: add_missing(n, ifname, ifindex, a, n_a, err);
}
