// SPDX-License-Identifier: GPL-2.0
/* The one table of commands, and how to find, list and spell them. */
#include "command.h"

#include <errno.h>
#include <string.h>

#include <linux/akm.h>

#define MINUTE_MS	UINT64_C(60000)
#define ALLOW_MAX_S	86400		/* a provisioning window stays open for a day at most */

#define INTERFACE(a)		{ .word = "interface", .meta = "INTERFACE", .kind = AKM_ARG_IFNAME, .positional = true, \
				  .flags = AKM_ARG_REQUIRED, .attr = (a) }
#define ANY_INTERFACE		{ .word = "interface", .meta = "INTERFACE", .kind = AKM_ARG_IFNAME, .positional = true }
#define REQ			.flags = AKM_ARG_REQUIRED
#define NUM16(w, m, lo, hi)	.word = (w), .meta = (m), .kind = AKM_ARG_U16, .min = (lo), .max = (hi)
#define NUM32(w, m, lo)		.word = (w), .meta = (m), .kind = AKM_ARG_U32, .min = (lo), .max = UINT32_MAX
#define NUM64(w, m)		.word = (w), .meta = (m), .kind = AKM_ARG_U64, .max = UINT64_MAX
#define DURATION(w)		.word = (w), .meta = "TIME", .kind = AKM_ARG_MS, .max = UINT32_MAX
#define POS(w, m, k)		.word = (w), .meta = (m), .kind = (k), .positional = true, REQ

#define DEV_SETTINGS \
	{ .word = "atr-id", .meta = "#N", .kind = AKM_ARG_ATR_ID, .attr = AKM_A_DEV_ATR_ID }, \
	{ .word = "label", .meta = "LABEL", .kind = AKM_ARG_TEXT, .max = AKM_LABEL_MAX, .attr = AKM_A_DEV_LABEL }, \
	{ NUM16("self", "INDEX", 0, AKM_INDEX_MAX), .attr = AKM_A_DEV_SELF }, \
	{ .word = "suite", .meta = "SUITE", .kind = AKM_ARG_SUITE, .attr = AKM_A_DEV_SUITE }, \
	{ NUM16("port", "PORT", 1, UINT16_MAX), .attr = AKM_A_DEV_PORT }, \
	{ .word = "incarnation", .meta = "N", .kind = AKM_ARG_U32, .min = 1, .max = AKM_INCARNATION_MAX, \
	  .attr = AKM_A_DEV_INCARNATION }, \
	{ NUM32("fwmark", "MARK", 0), .attr = AKM_A_DEV_FWMARK }, \
	{ DURATION("epoch-interval"), .attr = AKM_A_DEV_EPOCH_INTERVAL }, \
	{ DURATION("epoch-grace"), .attr = AKM_A_DEV_EPOCH_GRACE }, \
	{ .word = "freshness", .meta = "strict|epoch", .kind = AKM_ARG_FRESHNESS, .attr = AKM_A_DEV_FRESHNESS }, \
	{ .word = "group", .meta = "ADDRESS%LINK", .kind = AKM_ARG_GROUP, .attr = AKM_A_DEV_GROUP }, \
	{ .word = "ttl", .meta = "N", .kind = AKM_ARG_U8, .min = 1, .max = UINT8_MAX, .attr = AKM_A_DEV_GROUP_TTL }, \
	{ .word = "flow-ports", .meta = "LOW-HIGH", .kind = AKM_ARG_PORTS, .attr = AKM_A_DEV_FLOW_PORT_LOW }, \
	{ .word = "spread", .meta = "off|on", .kind = AKM_ARG_SPREAD, .attr = AKM_A_DEV_SPREAD }

static const struct akm_arg dev_settings[] = { INTERFACE(AKM_A_DEV_IFNAME), DEV_SETTINGS, {} };
static const struct akm_arg dev_name[] = { INTERFACE(AKM_A_DEV_IFNAME), {} };
static const struct akm_arg any_dev[] = { ANY_INTERFACE, {} };

static const struct akm_arg member_set[] = {
	INTERFACE(AKM_A_MEMBER_IFNAME),
	{ NUM16("index", "INDEX", 0, AKM_INDEX_MAX), REQ, .attr = AKM_A_MEMBER_INDEX },
	{ .word = "name", .meta = "NAME", .kind = AKM_ARG_TEXT, .max = AKM_NAME_MAX, .attr = AKM_A_MEMBER_NAME },
	{ .word = "prefix", .meta = "ADDRESS/LENGTH", .kind = AKM_ARG_PREFIX, .repeat = AKM_PREFIXES_MAX,
	  .attr = AKM_A_MEMBER_PREFIX },
	{ .word = "endpoint", .meta = "ADDRESS:PORT", .kind = AKM_ARG_ENDPOINT, .attr = AKM_A_MEMBER_ENDPOINT },
	{ .word = "roams", .kind = AKM_ARG_FLAG, .attr = AKM_A_MEMBER_ROAMS },
	{ DURATION("keepalive"), .attr = AKM_A_MEMBER_KEEPALIVE },
	{}
};

static const struct akm_arg member_del[] = {
	INTERFACE(AKM_A_MEMBER_IFNAME),
	{ NUM16("index", "INDEX", 0, AKM_INDEX_MAX), REQ, .attr = AKM_A_MEMBER_INDEX },
	{}
};

static const struct akm_arg member_show[] = {
	INTERFACE(AKM_A_MEMBER_IFNAME),
	{ NUM16("index", "INDEX", 0, AKM_INDEX_MAX) },
	{}
};

#define GENERATION(f)	{ NUM32("number", "N", 1), .flags = (f), .attr = AKM_A_GENERATION_NUMBER }
#define EXPECT		{ NUM32("expect", "N", 0), .attr = AKM_A_GENERATION_EXPECT }
#define FILE_OF(w)	.word = (w), .meta = "FILE", .kind = AKM_ARG_SECRET_FILE

static const struct akm_arg generation_install[] = {
	INTERFACE(AKM_A_GENERATION_IFNAME),
	GENERATION(AKM_ARG_REQUIRED),
	{ NUM32("key-id", "ID", 1), REQ, .attr = AKM_A_GENERATION_KEY_ID },
	{ NUM64("epoch", "N"), .attr = AKM_A_GENERATION_EPOCH },
	{ FILE_OF("chain-file"), REQ },
	{ FILE_OF("pair-file") },
	EXPECT,
	{ .word = "unused", .kind = AKM_ARG_FLAG, .attr = AKM_A_GENERATION_UNUSED },
	{}
};

static const struct akm_arg generation_activate[] = {
	INTERFACE(AKM_A_GENERATION_IFNAME), GENERATION(AKM_ARG_REQUIRED), EXPECT,
	{ DURATION("grace"), .attr = AKM_A_GENERATION_GRACE },
	{ .word = "announce", .kind = AKM_ARG_FLAG, .attr = AKM_A_GENERATION_ANNOUNCE },
	{}
};

static const struct akm_arg generation_retire[] = {
	INTERFACE(AKM_A_GENERATION_IFNAME), GENERATION(AKM_ARG_REQUIRED), EXPECT, {}
};

static const struct akm_arg generation_show[] = { INTERFACE(AKM_A_GENERATION_IFNAME), {} };

static const struct akm_arg pair_set[] = {
	INTERFACE(AKM_A_GENERATION_IFNAME), GENERATION(AKM_ARG_REQUIRED),
	{ NUM64("epoch", "N"), .attr = AKM_A_GENERATION_EPOCH },
	{ FILE_OF("pair-file"), REQ }, EXPECT, {}
};

static const struct akm_arg epoch_roll[] = { INTERFACE(AKM_A_GENERATION_IFNAME), EXPECT, {} };

static const struct akm_arg monitor_args[] = {
	ANY_INTERFACE,
	{ .word = "count", .meta = "N", .kind = AKM_ARG_U32, .min = 1, .max = UINT32_MAX },
	{}
};

static const struct akm_arg provision[] = {
	{ POS("name", "NAME", AKM_ARG_NAME), .json = "name" },
	{ .word = "via", .meta = "VIA", .kind = AKM_ARG_VIA, REQ, .json = "via" },
	{ .word = "endpoint", .meta = "ADDRESS:PORT", .kind = AKM_ARG_ENDPOINT, .json = "endpoint" },
	{ .word = "hardware", .meta = "DIGEST", .kind = AKM_ARG_TEXT, .max = 64, .json = "hardware" },
	{}
};

static const struct akm_arg replace[] = {
	{ POS("manager", "MANAGER", AKM_ARG_NAME), .json = "replaces" },
	{ .word = "with", .meta = "NAME", .kind = AKM_ARG_NAME, REQ, .json = "name" },
	{ .word = "via", .meta = "VIA", .kind = AKM_ARG_VIA, REQ, .json = "via" },
	{ .word = "hardware", .meta = "DIGEST", .kind = AKM_ARG_TEXT, .max = 64, .json = "hardware" },
	{}
};

/* The last of every command that changes ATRs or nodes: say what would be done, and do nothing. */
#define DRY_RUN		{ .word = "--dry-run", .kind = AKM_ARG_FLAG, .json = "dry_run" }

static const struct akm_arg node_replace[] = {
	{ POS("node", "NODE", AKM_ARG_NAME), .json = "replaces" },
	{ .word = "with", .meta = "NAME", .kind = AKM_ARG_NAME, REQ, .json = "name" },
	{ .word = "via", .meta = "VIA", .kind = AKM_ARG_VIA, REQ, .json = "via" },
	{ .word = "endpoint", .meta = "ADDRESS:PORT", .kind = AKM_ARG_ENDPOINT, .json = "endpoint" },
	{ .word = "hardware", .meta = "DIGEST", .kind = AKM_ARG_TEXT, .max = 64, .json = "hardware" },
	DRY_RUN,
	{}
};

static const struct akm_arg node_show[] = { { POS("node", "NODE", AKM_ARG_NAME), .json = "node" }, {} };

static const struct akm_arg node_rotate[] = { { POS("node", "NODE|all", AKM_ARG_NAME), .json = "node" }, {} };
static const struct akm_arg manager_rotate[] = { { POS("node", "MANAGER|all", AKM_ARG_NAME), .json = "node" }, {} };

static const struct akm_arg node_evict[] = {
	{ POS("node", "NODE", AKM_ARG_NAME), .json = "node" },
	{ .word = "reason", .meta = "TEXT", .kind = AKM_ARG_TEXT, .max = 200, .json = "reason" },
	DRY_RUN,
	{}
};

static const struct akm_arg node_move[] = {
	{ POS("node", "NODE", AKM_ARG_NAME), .json = "node" },
	{ .word = "from", .meta = "ATR", .kind = AKM_ARG_ATR, REQ, .json = "from" },
	{ .word = "to", .meta = "ATR", .kind = AKM_ARG_ATR, REQ, .json = "to" },
	DRY_RUN,
	{}
};

static const struct akm_arg node_rename[] = {
	{ POS("node", "NODE", AKM_ARG_NAME), .json = "node" },
	{ POS("name", "NAME", AKM_ARG_NAME), .json = "name" },
	DRY_RUN,
	{}
};

static const struct akm_arg accept_pcrs[] = {
	{ POS("node", "NODE", AKM_ARG_NAME), .json = "node" },
	{ .word = "digest", .meta = "DIGEST", .kind = AKM_ARG_TEXT, .max = 64, .json = "digest" },
	{}
};

#define ATR_SUITE \
	{ .word = "suite", .meta = "SUITE", .kind = AKM_ARG_SUITE, .json = "suite" }, \
	{ NUM16("port", "PORT", 1, UINT16_MAX), .json = "port" }
#define ATR_SETTINGS \
	{ DURATION("epoch-interval"), .json = "epoch_interval" }, \
	{ DURATION("epoch-grace"), .json = "epoch_grace" }, \
	{ .word = "freshness", .meta = "strict|epoch", .kind = AKM_ARG_FRESHNESS, .json = "freshness" }, \
	{ .word = "fallback", .meta = "armed|off", .kind = AKM_ARG_NAME, .json = "fallback" }, \
	{ .word = "group", .meta = "ADDRESS", .kind = AKM_ARG_TEXT, .max = 63, .json = "group" }, \
	{ .word = "ttl", .meta = "N", .kind = AKM_ARG_U8, .min = 1, .max = UINT8_MAX, .json = "ttl" }

static const struct akm_arg atr_create[] = {
	{ POS("atr", "LABEL|#N", AKM_ARG_ATR_NEW), .json = "atr" },
	{ .word = "members", .meta = "NODE,NODE", .kind = AKM_ARG_NAMES, REQ, .repeat = 64, .json = "members" },
	{ .word = "label", .meta = "LABEL", .kind = AKM_ARG_NAME, .json = "label" },
	{ .word = "id", .meta = "#N", .kind = AKM_ARG_ATR_ID, .json = "id" },
	ATR_SUITE,
	{ .word = "subnet", .meta = "ADDRESS/LENGTH", .kind = AKM_ARG_PREFIX4, .json = "subnet4" },
	{ .word = "subnet6", .meta = "ADDRESS/LENGTH", .kind = AKM_ARG_PREFIX6, .json = "subnet6" },
	ATR_SETTINGS,
	DRY_RUN,
	{}
};

#define ATR	{ POS("atr", "ATR", AKM_ARG_ATR), .json = "atr" }

static const struct akm_arg atr_name[] = { ATR, {} };
static const struct akm_arg atr_delete[] = { ATR, DRY_RUN, {} };
static const struct akm_arg atr_node[] = { ATR, { POS("node", "NODE", AKM_ARG_NAME), .json = "node" }, DRY_RUN, {} };
static const struct akm_arg policy_trigger[] = {
	ATR,
	{ .word = "node", .meta = "NODE", .kind = AKM_ARG_NAME, .json = "node" },
	{ .word = "reason", .meta = "TEXT", .kind = AKM_ARG_TEXT, .max = 200, .json = "reason" },
	{}
};
static const struct akm_arg atr_rekey[] = {
	ATR, { .word = "reason", .meta = "WORD", .kind = AKM_ARG_NAME, .json = "reason" }, DRY_RUN, {}
};

static const struct akm_arg atr_set[] = {
	ATR,
	{ .word = "label", .meta = "LABEL", .kind = AKM_ARG_NAME, .json = "label" },
	ATR_SETTINGS,
	ATR_SUITE,
	{ .word = "interrupt", .kind = AKM_ARG_FLAG, .json = "interrupt" },
	{ .word = "member", .meta = "NODE", .kind = AKM_ARG_NAME, .json = "member" },
	{ .word = "prefix", .meta = "ADDRESS/LENGTH", .kind = AKM_ARG_PREFIX, .repeat = 15, .json = "prefixes" },
	DRY_RUN,
	{}
};

static const struct akm_arg events_args[] = {
	{ .word = "-f", .kind = AKM_ARG_FLAG, .json = "follow" },
	{ .word = "since", .meta = "N", .kind = AKM_ARG_U64, .max = INT64_MAX, .json = "since" },
	{ .word = "limit", .meta = "N", .kind = AKM_ARG_U32, .min = 1, .max = INT32_MAX, .json = "limit" },
	{}
};

static const struct akm_arg acknowledge[] = {
	{ .word = "until", .meta = "N", .kind = AKM_ARG_U64, .max = INT64_MAX, .json = "until" },
	{}
};

static const struct akm_arg backup[] = { { POS("path", "FILE", AKM_ARG_PATH), .json = "path" }, {} };

static const struct akm_arg provision_allow[] = {
	{ .word = "via", .meta = "VIA", .kind = AKM_ARG_VIA, .json = "via" },
	{ .word = "for", .meta = "SECONDS", .kind = AKM_ARG_SECONDS, .min = 1, .max = ALLOW_MAX_S, .json = "seconds" },
	{}
};

static const struct akm_arg policy_check[] = {
	{ POS("file", "FILE", AKM_ARG_PATH) },
	{ .word = "hooks", .meta = "DIRECTORY", .kind = AKM_ARG_PATH },
	{ .word = "--root", .meta = "FILE", .kind = AKM_ARG_PATH },
	{}
};
static const struct akm_arg policy_test[] = {
	{ POS("file", "FILE", AKM_ARG_PATH) },
	{ .word = "--events", .meta = "FILE", .kind = AKM_ARG_PATH, REQ },
	{ .word = "--root", .meta = "FILE", .kind = AKM_ARG_PATH },
	{}
};

static const struct akm_arg doctor_args[] = {
	{ NUM16("port", "PORT", 1, UINT16_MAX) },
	{ .word = "tpm", .meta = "PATH", .kind = AKM_ARG_PATH },
	{ .word = "hooks", .meta = "DIRECTORY", .kind = AKM_ARG_PATH },
	{}
};

static const struct akm_arg help_args[] = {
	{ .word = "object", .meta = "OBJECT", .kind = AKM_ARG_NAME, .positional = true }, {}
};

const struct akm_command akm_commands[] = {
	{ "dev", "add", "create an interface", akm_run_dev_add, dev_settings, AKM_CMD_DEV_SET, NULL },
	{ "dev", "del", "remove an interface and its keys", akm_run_dev_del, dev_name, 0, NULL },
	{ "dev", "set", "change an interface", akm_run_set, dev_settings, AKM_CMD_DEV_SET, NULL },
	{ "dev", "show", "list interfaces", akm_run_dev_show, any_dev, 0, NULL },
	{ "member", "set", "create a member, or replace it as a whole", akm_run_set, member_set, AKM_CMD_MEMBER_SET, NULL },
	{ "member", "del", "remove a member and its pair chains", akm_run_set, member_del, AKM_CMD_MEMBER_DEL, NULL },
	{ "member", "show", "list members", akm_run_member_show, member_show, 0, NULL },
	{ "generation", "install", "install a secret, to receive only", akm_run_generation_install, generation_install,
	  AKM_CMD_GENERATION_INSTALL, NULL },
	{ "generation", "activate", "send with a generation", akm_run_set, generation_activate,
	  AKM_CMD_GENERATION_ACTIVATE, NULL },
	{ "generation", "retire", "erase a generation", akm_run_set, generation_retire, AKM_CMD_GENERATION_RETIRE, NULL },
	{ "generation", "show", "list generations", akm_run_generation_show, generation_show, 0, NULL },
	{ "pair", "set", "add pair chains to a generation", akm_run_pair_set, pair_set, AKM_CMD_PAIR_SET, NULL },
	{ "epoch", "roll", "step to the next epoch now", akm_run_set, epoch_roll, AKM_CMD_EPOCH_ROLL, NULL },
	{ "show", NULL, "all that the kernel holds", akm_run_show, any_dev, 0, NULL },
	{ "stats", NULL, "counters", akm_run_stats, any_dev, 0, NULL },
	{ "monitor", NULL, "the kernel's events as they come", akm_run_monitor, monitor_args, 0, NULL },
	{ "status", NULL, "is all well, and if not, what to do", akm_run_ctl, NULL, 0, "status" },
	{ "acknowledge", NULL, "alerts were seen", akm_run_ctl, acknowledge, 0, "acknowledge" },
	{ "backup", NULL, "copy the database of root or manager", akm_run_ctl, backup, 0, "backup" },
	{ "node", "provision", "provision a node over a direct connection", akm_run_ctl, provision, 0, "node-provision" },
	{ "node", "replace", "replace a node, lost or broken, by another machine", akm_run_ctl, node_replace, 0, "node-replace" },
	{ "node", "list", "list nodes", akm_run_ctl, NULL, 0, "node-list" },
	{ "node", "show", "show a node", akm_run_ctl, node_show, 0, "node-show" },
	{ "node", "accept-pcrs", "what a node runs now is what it should", akm_run_ctl, accept_pcrs, 0, "node-accept-pcrs" },
	{ "node", "rotate", "replace the key shared with a node, or with all", akm_run_ctl, node_rotate, 0, "node-rotate" },
	{ "node", "evict", "throw a node out of every ATR", akm_run_ctl, node_evict, 0, "node-evict" },
	{ "node", "move", "move a node from one ATR to another", akm_run_ctl, node_move, 0, "node-move" },
	{ "node", "rename", "give a node another name", akm_run_ctl, node_rename, 0, "node-rename" },
	{ "manager", "provision", "provision a manager, on the root", akm_run_ctl, provision, 0, "node-provision" },
	{ "manager", "replace", "replace a lost manager, on the root", akm_run_ctl, replace, 0, "manager-replace" },
	{ "manager", "rotate", "replace the key shared with a manager, on the root", akm_run_ctl, manager_rotate, 0,
	  "manager-rotate" },
	{ "atr", "create", "create an operational ATR", akm_run_ctl, atr_create, 0, "atr-create" },
	{ "atr", "list", "list operational ATRs", akm_run_ctl, NULL, 0, "atr-list" },
	{ "atr", "show", "show an operational ATR", akm_run_ctl, atr_name, 0, "atr-show" },
	{ "atr", "add", "add a node", akm_run_ctl, atr_node, 0, "atr-add" },
	{ "atr", "remove", "remove a node, by a new generation", akm_run_ctl, atr_node, 0, "atr-remove" },
	{ "atr", "rekey", "replace the secret now", akm_run_ctl, atr_rekey, 0, "atr-rekey" },
	{ "atr", "set", "change an operational ATR", akm_run_ctl, atr_set, 0, "atr-set" },
	{ "atr", "delete", "delete an operational ATR", akm_run_ctl, atr_delete, 0, "atr-delete" },
	{ "atr", "lock", "nobody is added to it any more, and it is rekeyed", akm_run_ctl, atr_delete, 0, "atr-lock" },
	{ "atr", "unlock", "it is as before it was locked", akm_run_ctl, atr_delete, 0, "atr-unlock" },
	{ "lock", NULL, "lock every ATR, and take on no nodes", akm_run_ctl, NULL, 0, "lock" },
	{ "unlock", NULL, "unlock everything", akm_run_ctl, NULL, 0, "unlock" },
	{ "events", NULL, "what happened", akm_run_ctl, events_args, 0, "events" },
	{ "provision", "allow", "let this node be provisioned again", akm_run_ctl, provision_allow, 0, "provision-allow" },
	{ "policy", "check", "check a policy file, without a daemon", akm_run_policy_check, policy_check, 0, NULL },
	{ "policy", "test", "what a policy file would do on recorded events", akm_run_policy_test, policy_test, 0, NULL },
	{ "policy", "show", "the rules in force and what they did", akm_run_ctl, NULL, 0, "policy-show" },
	{ "policy", "trigger", "have the policy act by hand", akm_run_ctl, policy_trigger, 0, "policy-trigger" },
	{ "policy", "reload", "read the policy file again", akm_run_ctl, NULL, 0, "policy-reload" },
	{ "doctor", NULL, "what is missing on this machine", akm_run_doctor, doctor_args, 0, NULL },
	{ "help", NULL, "this text, or that of one object", akm_run_help, help_args, 0, NULL },
};
const size_t akm_commands_n = ARRAY_SIZE(akm_commands);

/* ------------------------------------------------------------ finding */

/* Return: the object that @word means, NULL if none or several begin so; they are listed in @e. */
static const char *find_object(const char *word, struct akm_error *e)
{
	const char *found = NULL;
	char list[128] = "";
	size_t i, n = 0, count = 0;

	for (i = 0; i < akm_commands_n; i++) {
		const char *object = akm_commands[i].object;

		if (!strcmp(object, word))
			return object;
		if (strncmp(object, word, strlen(word)) || (found && !strcmp(found, object)))
			continue;
		found = object;
		count++;
		if (n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", object);
	}
	if (count == 1)
		return found;
	if (count)
		akm_error_set(e, EINVAL, word, "could be any of %s", list);
	else
		akm_error_set(e, EINVAL, word, "is not a command: see akmctl help");
	return NULL;
}

static int verb_missing(const char *object, const char *verb, struct akm_error *e)
{
	char list[128] = "";
	size_t i, n = 0;

	for (i = 0; i < akm_commands_n && n < sizeof(list); i++) {
		if (!strcmp(akm_commands[i].object, object))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", akm_commands[i].verb);
	}
	if (verb)
		return akm_error_set(e, EINVAL, object, "\"%s\" is not one of %s", verb, list);
	return akm_error_set(e, EINVAL, object, "one of %s must follow", list);
}

static int find(int argc, char *const argv[], const struct akm_command **ret, int *ret_used, struct akm_error *e)
{
	const char *object;
	size_t i;

	if (!argc || !*argv[0])
		return akm_error_set(e, EINVAL, NULL, "a command is missing: see akmctl help");
	object = find_object(argv[0], e);
	if (!object)
		return -EINVAL;
	for (i = 0; i < akm_commands_n; i++) {
		const struct akm_command *c = &akm_commands[i];

		if (strcmp(c->object, object) || (c->verb && (argc < 2 || strcmp(c->verb, argv[1]))))
			continue;
		*ret = c;
		*ret_used = c->verb ? 2 : 1;
		return 0;
	}
	return verb_missing(object, argc > 1 ? argv[1] : NULL, e);
}

int akm_command_find(int argc, char *const argv[], const struct akm_command **ret, int *ret_used,
		     struct akm_error *e)
{
	int r = find(argc, argv, ret, ret_used, e);

	if (r < 0)
		e->usage = true;
	return r;
}

/* ------------------------------------------------------------ spelling */

static void put_arg(FILE *f, const struct akm_arg *a)
{
	bool optional = !(a->flags & AKM_ARG_REQUIRED);

	fputs(optional ? " [" : " ", f);
	if (!a->positional)
		fputs(a->word, f);
	if (a->meta)
		fprintf(f, "%s%s", a->positional ? "" : " ", a->meta);
	if (optional)
		fputc(']', f);
	if (a->repeat)
		fputs("...", f);
}

void akm_command_line(FILE *f, const struct akm_command *cmd)
{
	const struct akm_arg *a;

	fputs(cmd->object, f);
	if (cmd->verb)
		fprintf(f, " %s", cmd->verb);
	for (a = cmd->args; a && a->word; a++)
		put_arg(f, a);
}

void akm_command_usage(FILE *f, const char *object)
{
	size_t i;

	for (i = 0; i < akm_commands_n; i++) {
		const struct akm_command *c = &akm_commands[i];

		if (object && strcmp(object, c->object))
			continue;
		fputs("  akmctl ", f);
		akm_command_line(f, c);
		fprintf(f, "\n      %s\n", c->help);
	}
}
