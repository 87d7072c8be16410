// SPDX-License-Identifier: GPL-2.0
#include "nl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <linux/akm.h>

/* ------------------------------------------------------------ refusals */

/* The top-level attribute of a generic netlink @request that covers @offset; 0 if none does. */
static uint16_t attr_at(const struct nlmsghdr *request, uint32_t offset)
{
	const char *base = (const char *)request;
	uint32_t at = NLMSG_HDRLEN + GENL_HDRLEN;

	while (at + NLA_HDRLEN <= request->nlmsg_len) {
		const struct nlattr *a = (const struct nlattr *)(base + at);
		uint32_t len = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN)
			return 0;
		if (offset >= at && offset < at + len)
			return a->nla_type & NLA_TYPE_MASK;
		at += len;
	}
	return 0;
}

/* What is to be done, where the error number alone says it. NULL: nothing to add. */
static const char *advice(int code)
{
	switch (code) {
	case EPERM:
	case EACCES:
		return "CAP_NET_ADMIN is needed: run akmctl as root";
	case ENODEV:
		return "there is no akm interface of this name here: see akmctl dev show";
	case ENOBUFS:
	case ENOMEM:
		return "the kernel is out of memory";
	case EMSGSIZE:
		return "the request is too big for the kernel";
	default:
		return NULL;
	}
}

static void explain_attrs(struct nlattr **tb, const struct nlmsghdr *request, int code, struct akm_error *e)
{
	const char *hint = advice(code);

	if (tb[NLMSGERR_ATTR_MSG])
		akm_error_set(e, code, NULL, "%s%s%s%s", nla_get_string(tb[NLMSGERR_ATTR_MSG]),
			      code == EPERM ? " (" : "", code == EPERM ? hint : "", code == EPERM ? ")" : "");
	else if (tb[NLMSGERR_ATTR_MISS_TYPE])
		akm_error_set(e, code, NULL, "is missing");
	else
		akm_error_set(e, code, NULL, "%s", hint ? hint : strerror(code));
	if (tb[NLMSGERR_ATTR_MISS_TYPE])
		e->attr = (uint16_t)nla_get_u32(tb[NLMSGERR_ATTR_MISS_TYPE]);
	else if (tb[NLMSGERR_ATTR_OFFS])
		e->attr = attr_at(request, nla_get_u32(tb[NLMSGERR_ATTR_OFFS]));
}

int akm_nl_explain(const struct nlmsghdr *err, const struct nlmsghdr *request, struct akm_error *e)
{
	static struct nla_policy policy[NLMSGERR_ATTR_MAX + 1] = {
		[NLMSGERR_ATTR_MSG] = { .type = NLA_STRING },
		[NLMSGERR_ATTR_OFFS] = { .type = NLA_U32 },
		[NLMSGERR_ATTR_MISS_TYPE] = { .type = NLA_U32 },
	};
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = {};
	const struct nlmsgerr *body = nlmsg_data(err);
	size_t skip = sizeof(*body);
	int code;

	if (nlmsg_datalen(err) < (int)sizeof(*body))
		return akm_error_set(e, EPROTO, NULL, "the kernel's answer is too short");
	code = body->error < 0 ? -body->error : EPROTO;
	/* the request is repeated in front of the attributes, unless capped */
	if (!(err->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(body->msg.nlmsg_len) - NLMSG_HDRLEN;
	if (err->nlmsg_flags & NLM_F_ACK_TLVS && nlmsg_datalen(err) > (int)skip)
		nla_parse(tb, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)nlmsg_data(err) + skip),
			  nlmsg_datalen(err) - (int)skip, policy);
	explain_attrs(tb, request, code, e);
	return -code;
}

/* ------------------------------------------------------------ requests */

int akm_nl_request(struct akm_ctx *ctx, uint8_t cmd, int flags, size_t room, struct nl_msg **ret,
		   struct akm_error *e)
{
	struct nl_msg *msg;
	int family;

	akm_nl_open(ctx);
	if (!ctx->nl)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	family = ctx->nl->family(ctx->nl, e);
	if (family < 0)
		return family;
	msg = nlmsg_alloc_size(room);
	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, flags, cmd, AKM_GENL_VERSION)) {
		nlmsg_free(msg);
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	}
	*ret = msg;
	return 0;
}

void akm_nl_msg_freep(struct nl_msg **msg)
{
	if (!*msg)
		return;
	explicit_bzero(nlmsg_hdr(*msg), nlmsg_get_max_size(*msg));
	nlmsg_free(*msg);
}

static int put_prefix(struct nl_msg *msg, int attr, const struct akm_prefix *p)
{
	struct nlattr *nest = nla_nest_start(msg, attr);
	int r;

	if (!nest)
		return -NLE_NOMEM;
	r = nla_put(msg, AKM_A_PREFIX_ADDR, p->addr_len, p->addr);
	r = r ? r : nla_put_u8(msg, AKM_A_PREFIX_LEN, p->len);
	return r ? r : nla_nest_end(msg, nest);
}

/* No address: no group any more. */
static int put_group(struct nl_msg *msg, int attr, const struct akm_group *g)
{
	int r = nla_put(msg, attr, g->addr_len, g->addr);

	return r || !g->addr_len ? r : nla_put_u32(msg, AKM_A_DEV_GROUP_LINK, g->link);
}

static int put_ports(struct nl_msg *msg, const struct akm_ports *p)
{
	int r = nla_put_u16(msg, AKM_A_DEV_FLOW_PORT_LOW, p->low);

	return r ? r : nla_put_u16(msg, AKM_A_DEV_FLOW_PORT_HIGH, p->high);
}

static int put_value(struct nl_msg *msg, const struct akm_value *v)
{
	int attr = v->arg->attr;

	switch (v->arg->kind) {
	case AKM_ARG_FLAG:
		return nla_put_flag(msg, attr);
	case AKM_ARG_U8:
		return nla_put_u8(msg, attr, (uint8_t)v->num);
	case AKM_ARG_U16:
		return nla_put_u16(msg, attr, (uint16_t)v->num);
	case AKM_ARG_U32:
	case AKM_ARG_ATR_ID:
	case AKM_ARG_MS:
	case AKM_ARG_SECONDS:
	case AKM_ARG_SUITE:
	case AKM_ARG_FRESHNESS:
	case AKM_ARG_SPREAD:
		return nla_put_u32(msg, attr, (uint32_t)v->num);
	case AKM_ARG_U64:
		return nla_put_u64(msg, attr, v->num);
	case AKM_ARG_PREFIX:
	case AKM_ARG_PREFIX4:
	case AKM_ARG_PREFIX6:
		return put_prefix(msg, attr, &v->prefix);
	case AKM_ARG_ENDPOINT:
		return nla_put(msg, attr, v->endpoint.len, &v->endpoint.sa);
	case AKM_ARG_GROUP:
		return put_group(msg, attr, &v->group);
	case AKM_ARG_PORTS:
		return put_ports(msg, &v->ports);
	case AKM_ARG_IFNAME:
	case AKM_ARG_TEXT:
	case AKM_ARG_NAME:
	case AKM_ARG_NAMES:
	case AKM_ARG_ATR:
	case AKM_ARG_ATR_NEW:
	case AKM_ARG_VIA:
		return nla_put_string(msg, attr, v->text);
	case AKM_ARG_SECRET_FILE:
	case AKM_ARG_PATH:
		break;			/* what they contain is for the command to put */
	}
	return 0;
}

int akm_nl_put_values(struct nl_msg *msg, const struct akm_values *v, struct akm_error *e)
{
	size_t i;

	for (i = 0; i < v->n; i++) {
		if (v->v[i].arg->attr && put_value(msg, &v->v[i]))
			return akm_error_set(e, EMSGSIZE, v->v[i].arg->word, "does not fit into one request");
	}
	return 0;
}

int akm_nl_talk(struct akm_ctx *ctx, struct nl_msg *msg, akm_nl_reply_fn reply, void *arg, struct akm_error *e)
{
	return ctx->nl->talk(ctx->nl, NETLINK_GENERIC, msg, reply, arg, e);
}
