// SPDX-License-Identifier: GPL-2.0
/* akmctl generation and akmctl pair: the only commands that carry secrets. */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <linux/akm.h>

#include "format.h"
#include "nl.h"
#include "records.h"
#include "secretfile.h"

/* A request must fit into the socket's send buffer (212,992 bytes by default). */
#define PAIRS_PER_REQUEST	1024
#define PAIR_ROOM		(NLA_HDRLEN + NLA_ALIGN(NLA_HDRLEN + 2) + NLA_HDRLEN + AKM_CHAIN_LEN)

static int put_pair(struct nl_msg *msg, const struct akm_pair *pair)
{
	struct nlattr *nest = nla_nest_start(msg, AKM_A_GENERATION_PAIR);

	if (!nest || nla_put_u16(msg, AKM_A_PAIR_INDEX, pair->index) ||
	    nla_put(msg, AKM_A_PAIR_CHAIN, AKM_CHAIN_LEN, pair->chain))
		return -ENOMEM;
	return nla_nest_end(msg, nest);
}

/* Sends one request with the values of the command line, @chain (may be NULL) and @n of @pairs. */
static int send_chains(struct akm_ctx *ctx, uint8_t cmd, const struct akm_values *v, const uint8_t *chain,
		       const struct akm_pair *pairs, size_t n, struct akm_error *e)
{
	_cleanup_(akm_nl_msg_freep) struct nl_msg *msg = NULL;
	int r = akm_nl_request(ctx, cmd, 0, AKM_MSG_ROOM + n * PAIR_ROOM, &msg, e);
	size_t i;

	r = r < 0 ? r : akm_nl_put_values(msg, v, e);
	if (r < 0)
		return r;
	if (chain && nla_put(msg, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN, chain))
		return akm_error_set(e, EMSGSIZE, "chain-file", "does not fit into one request");
	for (i = 0; i < n; i++) {
		if (put_pair(msg, &pairs[i]) < 0)
			return akm_error_set(e, EMSGSIZE, "pair-file", "does not fit into one request");
	}
	return akm_nl_talk(ctx, msg, NULL, NULL, e);
}

/* What belongs to PAIR_SET of an install's values: which generation, and at which epoch the chains stand. */
static void keep_names(const struct akm_values *v, struct akm_values *ret)
{
	size_t i;

	ret->n = 0;
	for (i = 0; i < v->n; i++) {
		uint16_t attr = v->v[i].arg->attr;

		if (attr == AKM_A_GENERATION_IFNAME || attr == AKM_A_GENERATION_NUMBER ||
		    attr == AKM_A_GENERATION_EPOCH)
			ret->v[ret->n++] = v->v[i];
	}
}

static int send_pairs(struct akm_ctx *ctx, const struct akm_values *v, const struct akm_pages *pages, size_t from,
		      struct akm_error *e)
{
	size_t total = akm_pairs_n(pages), n;
	struct akm_values names;
	int r = 0;

	keep_names(v, &names);
	for (; r >= 0 && from < total; from += n) {
		n = total - from < PAIRS_PER_REQUEST ? total - from : PAIRS_PER_REQUEST;
		r = send_chains(ctx, AKM_CMD_PAIR_SET, &names, NULL, akm_pairs(pages) + from, n, e);
	}
	return r;
}

/* Both from standard input cannot be told apart. */
static int read_chains(const struct akm_values *v, struct akm_pages *chain, struct akm_pages *pairs,
		       struct akm_error *e)
{
	const char *chain_path = akm_value_text(v, "chain-file"), *pair_path = akm_value_text(v, "pair-file");
	int r = 0;

	if (chain_path && pair_path && !strcmp(chain_path, "-") && !strcmp(pair_path, "-"))
		return akm_error_set(e, EINVAL, "pair-file", "only one of chain-file and pair-file can be standard input");
	if (chain_path) {
		r = akm_chain_read(chain_path, chain, e);
		if (r < 0)
			akm_error_field(e, "chain-file");
	}
	if (r >= 0 && pair_path) {
		r = akm_pairs_read(pair_path, pairs, e);
		if (r < 0)
			akm_error_field(e, "pair-file");
	}
	return r;
}

int akm_run_generation_install(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
			       struct akm_error *e)
{
	_cleanup_(akm_pages_free) struct akm_pages chain = {};
	_cleanup_(akm_pages_free) struct akm_pages pairs = {};
	size_t first;
	int r = read_chains(v, &chain, &pairs, e);

	if (r < 0)
		return r;
	first = akm_pairs_n(&pairs) < PAIRS_PER_REQUEST ? akm_pairs_n(&pairs) : PAIRS_PER_REQUEST;
	r = send_chains(ctx, cmd->genl, v, chain.p, akm_pairs(&pairs), first, e);
	if (r < 0)
		return r;
	r = send_pairs(ctx, v, &pairs, first, e);
	if (r < 0)
		fprintf(ctx->err, "akmctl: the generation is pending with only some of its pair chains: "
			"repeat with \"pair set\", or retire it\n");
	return r;
}

int akm_run_pair_set(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
		     struct akm_error *e)
{
	_cleanup_(akm_pages_free) struct akm_pages pairs = {};
	int r = read_chains(v, NULL, &pairs, e);

	(void)cmd;
	return r < 0 ? r : send_pairs(ctx, v, &pairs, 0, e);
}

static int add_row(struct akm_table *t, struct json_object *g)
{
	const char *state = akm_json_str(g, "state");
	char age[AKM_DURATION_STRLEN];
	int r = akm_table_printf(t, AKM_PLAIN, "%" PRIu64, akm_json_u64(g, "number"));

	state = state ? state : "unknown";
	r = r ? r : akm_table_cell(t, akm_colour_of_state(state), state);
	r = r ? r : akm_table_printf(t, AKM_PLAIN, "0x%08" PRIx64, akm_json_u64(g, "key_id"));
	r = r ? r : akm_table_printf(t, AKM_PLAIN, "%" PRIu64, akm_json_u64(g, "epoch"));
	r = r ? r : akm_table_printf(t, AKM_PLAIN, "%" PRIu64, akm_json_u64(g, "pairs"));
	return r ? r : akm_table_cell(t, AKM_PLAIN, akm_format_duration(akm_json_u64(g, "age"), age));
}

int akm_run_generation_show(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
			    struct akm_error *e)
{
	static const char *const headings[] = { "NUMBER", "STATE", "KEY-ID", "EPOCH", "PAIRS", "AGE" };
	_cleanup_(akm_json_freep) struct json_object *array = NULL;
	int r = akm_records_dump(ctx, AKM_RECORD_GENERATION, akm_value_text(v, "interface"), &array, e);

	(void)cmd;
	return r < 0 ? r : akm_records_show(ctx, array, headings, ARRAY_SIZE(headings), add_row, e);
}
