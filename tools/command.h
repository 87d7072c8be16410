/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands as data: words, values, what they become. The one table is in
 * table.c; parsing, usage, completions and manual page all follow it.
 */
#ifndef AKMCTL_COMMAND_H
#define AKMCTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "parse.h"

struct akm_nl;

enum akm_arg_kind {
	AKM_ARG_FLAG,		/* no value follows */
	AKM_ARG_U8,
	AKM_ARG_U16,
	AKM_ARG_U32,
	AKM_ARG_U64,
	AKM_ARG_ATR_ID,
	AKM_ARG_MS,		/* duration, handed on in milliseconds */
	AKM_ARG_SECONDS,	/* duration, handed on in whole seconds */
	AKM_ARG_SUITE,
	AKM_ARG_FRESHNESS,	/* "strict" or "epoch" */
	AKM_ARG_SPREAD,		/* "off" or "on" */
	AKM_ARG_IFNAME,
	AKM_ARG_TEXT,		/* printable, at most max bytes */
	AKM_ARG_NAME,
	AKM_ARG_NAMES,		/* comma-separated */
	AKM_ARG_ATR,		/* "#1", "1" or a label, for the daemon to resolve */
	AKM_ARG_ATR_NEW,	/* "#1", "1": a number to be; otherwise a label to be */
	AKM_ARG_PREFIX,
	AKM_ARG_PREFIX4,
	AKM_ARG_PREFIX6,
	AKM_ARG_ENDPOINT,
	AKM_ARG_GROUP,		/* a multicast group of the underlay and its link, or "none" */
	AKM_ARG_PORTS,		/* a range of ports, or "none" */
	AKM_ARG_VIA,
	AKM_ARG_SECRET_FILE,	/* a path or "-": the secret itself is never an argument */
	AKM_ARG_PATH,
};

#define AKM_ARG_REQUIRED	0x1

struct akm_arg {
	const char *word;		/* as typed before the value */
	const char *meta;		/* what the value is called; NULL for a flag */
	enum akm_arg_kind kind;
	uint8_t flags;
	bool positional;		/* the value stands alone; word only names it in errors */
	uint8_t repeat;			/* how often it may occur; 0 means once */
	uint16_t attr;			/* netlink attribute, 0: none */
	const char *json;		/* member of args in a control request */
	uint64_t min, max;
};

struct akm_value {
	const struct akm_arg *arg;
	const char *text;		/* as typed */
	union {
		uint64_t num;
		struct akm_prefix prefix;
		struct akm_endpoint endpoint;
		struct akm_group group;
		struct akm_ports ports;
	};
};

#define AKM_VALUES_MAX	96

struct akm_values {
	size_t n;
	struct akm_value v[AKM_VALUES_MAX];
};

struct akm_ctx {
	FILE *out;
	FILE *err;
	bool json;
	bool colour;
	const char *socket;		/* --socket, or NULL */
	struct akm_nl *nl;		/* opened by the first command that needs it */
};

struct akm_command;
typedef int (*akm_run_fn)(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
			  struct akm_error *e);

struct akm_command {
	const char *object;
	const char *verb;		/* NULL: the object is the whole command */
	const char *help;
	akm_run_fn run;
	const struct akm_arg *args;	/* ends with a NULL word */
	uint8_t genl;			/* command of the akm family, 0: none */
	const char *ctl;		/* command of the daemon's control socket */
};

/* ------------------------------------------------------------- the table */

extern const struct akm_command akm_commands[];
extern const size_t akm_commands_n;

/*
 * Finds the command that @argv starts with: an object by an unambiguous
 * beginning, a verb in full. @ret_used counts the words it took.
 */
int akm_command_find(int argc, char *const argv[], const struct akm_command **ret, int *ret_used,
		     struct akm_error *e);

/* One line per command, or for those of one @object (NULL: all). */
void akm_command_usage(FILE *f, const char *object);
/* "member set IFNAME index N …" */
void akm_command_line(FILE *f, const struct akm_command *cmd);

/* ------------------------------------------------------------- arguments */

/* @ctx->json is set by a -j in the place of a keyword. */
int akm_args_parse(const struct akm_command *cmd, struct akm_ctx *ctx, int argc, char *const argv[],
		   struct akm_values *ret, struct akm_error *e);

/* Return: the first value of @word, or NULL. */
const struct akm_value *akm_value(const struct akm_values *v, const char *word);
uint64_t akm_value_num(const struct akm_values *v, const char *word, uint64_t fallback);
const char *akm_value_text(const struct akm_values *v, const char *word);

/* The word for attribute @attr in @cmd, or NULL. */
const char *akm_arg_of_attr(const struct akm_command *cmd, uint16_t attr);

/* ------------------------------------------------------------- subcommands */

int akm_run_dev_add(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_dev_del(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_set(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_generation_install(struct akm_ctx *, const struct akm_command *, const struct akm_values *,
			       struct akm_error *);
int akm_run_pair_set(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_dev_show(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_member_show(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_generation_show(struct akm_ctx *, const struct akm_command *, const struct akm_values *,
			    struct akm_error *);
int akm_run_show(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_stats(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_monitor(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_ctl(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_policy_check(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_policy_test(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_doctor(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);
int akm_run_help(struct akm_ctx *, const struct akm_command *, const struct akm_values *, struct akm_error *);

#endif /* AKMCTL_COMMAND_H */
