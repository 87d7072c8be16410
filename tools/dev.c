// SPDX-License-Identifier: GPL-2.0
/* akmctl dev; and akm_run_set(), which sends any request that is nothing but its values. */
#include "command.h"

#include <errno.h>
#include <string.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <linux/akm.h>

#include "format.h"
#include "nl.h"
#include "records.h"

int akm_run_set(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v, struct akm_error *e)
{
	_cleanup_(akm_nl_msg_freep) struct nl_msg *msg = NULL;
	int r = akm_nl_request(ctx, cmd->genl, 0, AKM_MSG_ROOM, &msg, e);

	r = r < 0 ? r : akm_nl_put_values(msg, v, e);
	return r < 0 ? r : akm_nl_talk(ctx, msg, NULL, NULL, e);
}

static int link_talk(struct akm_ctx *ctx, struct nl_msg *msg, struct akm_error *e)
{
	int r;

	akm_nl_open(ctx);
	if (!ctx->nl)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	r = ctx->nl->talk(ctx->nl, NETLINK_ROUTE, msg, NULL, NULL, e);
	e->attr = 0;			/* its attributes are rtnetlink's, not ours */
	if (r < 0)
		akm_error_field(e, "interface");
	return r;
}

static int put_link_kind(struct nl_msg *msg)
{
	struct nlattr *info = nla_nest_start(msg, IFLA_LINKINFO);

	if (!info || nla_put_string(msg, IFLA_INFO_KIND, "akm"))
		return -ENOMEM;
	return nla_nest_end(msg, info);
}

static int link_new(struct akm_ctx *ctx, const char *ifname, struct akm_error *e)
{
	_cleanup_(akm_nl_msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct ifinfomsg header = {};
	int r;

	if (!msg || nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) ||
	    nla_put_string(msg, IFLA_IFNAME, ifname) || put_link_kind(msg))
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	r = link_talk(ctx, msg, e);
	if (r == -EOPNOTSUPP)
		return akm_error_set(e, ENOPKG, "module", "the akm module is not loaded: modprobe akm");
	if (r == -EEXIST)
		return akm_error_set(e, EEXIST, "interface", "an interface of this name exists already");
	return r;
}

static int link_del(struct akm_ctx *ctx, int ifindex, const char *ifname, struct akm_error *e)
{
	_cleanup_(akm_nl_msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_DELLINK, 0);
	struct ifinfomsg header = { .ifi_index = ifindex };

	if (!msg || nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) ||
	    (!ifindex && nla_put_string(msg, IFLA_IFNAME, ifname)))
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	return link_talk(ctx, msg, e);
}

int akm_run_dev_add(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
		    struct akm_error *e)
{
	const char *ifname = akm_value_text(v, "interface");
	struct akm_error undo = {};
	int r = link_new(ctx, ifname, e);

	if (r < 0 || v->n == 1)
		return r;
	r = akm_run_set(ctx, cmd, v, e);
	if (r < 0 && link_del(ctx, 0, ifname, &undo) < 0)
		fprintf(ctx->err, "akmctl: %s is left behind without its settings: %s\n", ifname, undo.reason);
	return r;
}

/* By index, after the module has said that it is one of ours: never somebody else's interface. */
int akm_run_dev_del(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
		    struct akm_error *e)
{
	_cleanup_(akm_json_freep) struct json_object *dev = NULL;
	const char *ifname = akm_value_text(v, "interface");
	int r = akm_record_dev(ctx, ifname, &dev, e);

	(void)cmd;
	if (r < 0)
		return r;
	if (!akm_json_u64(dev, "ifindex"))
		return akm_error_set(e, EPROTO, "interface", "the module did not say which interface this is");
	return link_del(ctx, (int)akm_json_u64(dev, "ifindex"), ifname, e);
}

static int devices(struct akm_ctx *ctx, const char *ifname, struct json_object **ret, struct akm_error *e)
{
	struct json_object *dev, *array;
	int r;

	if (!ifname)
		return akm_records_dump(ctx, AKM_RECORD_DEV, NULL, ret, e);
	r = akm_record_dev(ctx, ifname, &dev, e);
	if (r < 0)
		return r;
	array = json_object_new_array();
	if (!array || json_object_array_add(array, dev)) {
		json_object_put(dev);
		json_object_put(array);
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	}
	*ret = array;
	return 0;
}

static int add_dev_row(struct akm_table *t, struct json_object *dev)
{
	int r = akm_table_cell(t, AKM_GREEN, akm_json_str(dev, "ifname"));

	r = r ? r : akm_table_printf(t, AKM_PLAIN, "#%llu", (unsigned long long)akm_json_u64(dev, "atr_id"));
	r = r ? r : akm_table_cell(t, AKM_PLAIN, akm_json_str(dev, "label"));
	r = r ? r : akm_table_printf(t, AKM_PLAIN, "%llu", (unsigned long long)akm_json_u64(dev, "self"));
	r = r ? r : akm_table_cell(t, AKM_PLAIN, akm_json_str(dev, "suite"));
	r = r ? r : akm_table_printf(t, AKM_PLAIN, "%llu", (unsigned long long)akm_json_u64(dev, "port"));
	r = r ? r : akm_table_printf(t, AKM_PLAIN, "%llu", (unsigned long long)akm_json_u64(dev, "incarnation"));
	r = r ? r : akm_table_printf(t, AKM_PLAIN, "%llu", (unsigned long long)akm_json_u64(dev, "members_count"));
	if (!r && akm_json_has(dev, "active_generation"))
		return akm_table_printf(t, AKM_PLAIN, "%llu",
					(unsigned long long)akm_json_u64(dev, "active_generation"));
	return r ? r : akm_table_cell(t, AKM_YELLOW, "none");
}

int akm_run_dev_show(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
		     struct akm_error *e)
{
	static const char *const headings[] = { "INTERFACE", "ATR", "LABEL", "SELF", "SUITE", "PORT", "INCARNATION",
						"MEMBERS", "GENERATION" };
	_cleanup_(akm_json_freep) struct json_object *array = NULL;
	int r = devices(ctx, akm_value_text(v, "interface"), &array, e);

	(void)cmd;
	return r < 0 ? r : akm_records_show(ctx, array, headings, ARRAY_SIZE(headings), add_dev_row, e);
}
