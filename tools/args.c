// SPDX-License-Identifier: GPL-2.0
/* Keyword grammar: words of a command line against the arguments of a command. */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int prefix_of_family(const char *text, uint8_t addr_len, struct akm_value *v, struct akm_error *e)
{
	struct akm_prefix p;
	int r = akm_parse_prefix(text, &p, e);

	if (r < 0)
		return r;
	if (p.addr_len != addr_len)
		return akm_error_set(e, EINVAL, NULL, "%s is not an IPv%c prefix", text, addr_len == 4 ? '4' : '6');
	v->prefix = p;
	return 0;
}

static int parse_seconds(const char *text, const struct akm_arg *arg, uint64_t *ret, struct akm_error *e)
{
	uint64_t ms;
	int r = akm_parse_duration(text, arg->max * 1000, &ms, e);

	if (r < 0)
		return r;
	if (ms / 1000 < arg->min)
		return akm_error_set(e, ERANGE, NULL, "%s is shorter than %" PRIu64 "s", text, arg->min);
	if (ms % 1000)
		return akm_error_set(e, EINVAL, NULL, "%s is not a whole number of seconds", text);
	*ret = ms / 1000;
	return 0;
}

static int check_atr(const char *text, struct akm_error *e)
{
	uint64_t id;

	return *text == '#' ? akm_parse_atr_id(text, &id, e) : akm_check_name(text, e);
}

static int check_path(const char *text, struct akm_error *e)
{
	return *text ? 0 : akm_error_set(e, EINVAL, NULL, "is empty");
}

static int parse_value(const struct akm_arg *arg, const char *text, struct akm_value *v, struct akm_error *e)
{
	v->arg = arg;
	v->text = text;
	switch (arg->kind) {
	case AKM_ARG_FLAG:
		return 0;
	case AKM_ARG_U8:
	case AKM_ARG_U16:
	case AKM_ARG_U32:
	case AKM_ARG_U64:
		return akm_parse_uint(text, arg->min, arg->max, &v->num, e);
	case AKM_ARG_ATR_ID:
		return akm_parse_atr_id(text, &v->num, e);
	case AKM_ARG_MS:
		return akm_parse_duration(text, arg->max, &v->num, e);
	case AKM_ARG_SECONDS:
		return parse_seconds(text, arg, &v->num, e);
	case AKM_ARG_SUITE:
		return akm_parse_suite(text, &v->num, e);
	case AKM_ARG_FRESHNESS:
		return akm_parse_freshness(text, &v->num, e);
	case AKM_ARG_SPREAD:
		return akm_parse_spread(text, &v->num, e);
	case AKM_ARG_IFNAME:
		return akm_check_ifname(text, e);
	case AKM_ARG_TEXT:
		return akm_check_text(text, arg->max, e);
	case AKM_ARG_NAME:
		return akm_check_name(text, e);
	case AKM_ARG_NAMES:
		return akm_check_names(text, e);
	case AKM_ARG_ATR:
	case AKM_ARG_ATR_NEW:
		return check_atr(text, e);
	case AKM_ARG_PREFIX:
		return akm_parse_prefix(text, &v->prefix, e);
	case AKM_ARG_PREFIX4:
		return prefix_of_family(text, 4, v, e);
	case AKM_ARG_PREFIX6:
		return prefix_of_family(text, 16, v, e);
	case AKM_ARG_ENDPOINT:
		return akm_parse_endpoint(text, &v->endpoint, e);
	case AKM_ARG_GROUP:
		return akm_parse_group(text, &v->group, e);
	case AKM_ARG_PORTS:
		return akm_parse_ports(text, &v->ports, e);
	case AKM_ARG_VIA:
		return akm_check_via(text, e);
	case AKM_ARG_SECRET_FILE:
	case AKM_ARG_PATH:
		return check_path(text, e);
	}
	return akm_error_set(e, EINVAL, NULL, "cannot be parsed");
}

static unsigned int times_seen(const struct akm_values *v, const struct akm_arg *arg)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < v->n; i++)
		n += v->v[i].arg == arg;
	return n;
}

/* What may stand more than once must differ each time. */
static bool same_value(const struct akm_value *a, const struct akm_value *b)
{
	if (a->arg != b->arg)
		return false;
	if (a->arg->kind == AKM_ARG_PREFIX)
		return !memcmp(&a->prefix, &b->prefix, sizeof(a->prefix));
	return !strcmp(a->text, b->text);
}

static int add_value(struct akm_values *vs, const struct akm_arg *arg, const char *text, struct akm_error *e)
{
	unsigned int seen = times_seen(vs, arg), limit = arg->repeat ? arg->repeat : 1;
	struct akm_value v;
	size_t i;
	int r;

	memset(&v, 0, sizeof(v));
	if (seen >= limit && limit == 1)
		return akm_error_set(e, EINVAL, arg->word, "is given twice");
	if (seen >= limit || vs->n == AKM_VALUES_MAX)
		return akm_error_set(e, E2BIG, arg->word, "is given more than %u times", limit);
	r = parse_value(arg, text, &v, e);
	if (r < 0) {
		akm_error_field(e, arg->word);
		return r;
	}
	for (i = 0; i < vs->n; i++) {
		if (same_value(&vs->v[i], &v))
			return akm_error_set(e, EINVAL, arg->word, "%s is given twice", text);
	}
	vs->v[vs->n++] = v;
	return 0;
}

static const struct akm_arg *next_positional(const struct akm_command *cmd, const struct akm_values *v)
{
	const struct akm_arg *a;

	for (a = cmd->args; a && a->word; a++) {
		if (a->positional && !times_seen(v, a))
			return a;
	}
	return NULL;
}

static const struct akm_arg *keyword(const struct akm_command *cmd, const char *word)
{
	const struct akm_arg *a;

	for (a = cmd->args; a && a->word; a++) {
		if (!a->positional && !strcmp(a->word, word))
			return a;
	}
	return NULL;
}

static int unknown_word(const struct akm_command *cmd, const char *word, struct akm_error *e)
{
	const struct akm_arg *a;
	char words[256] = "";
	size_t n = 0;

	for (a = cmd->args; a && a->word; a++) {
		if (a->positional)
			continue;
		n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%s", n ? ", " : "", a->word);
		if (n >= sizeof(words))
			break;
	}
	if (!n)
		return akm_error_set(e, EINVAL, word, "is not expected here");
	return akm_error_set(e, EINVAL, word, "is not one of the words %s", words);
}

static int check_required(const struct akm_command *cmd, const struct akm_values *v, struct akm_error *e)
{
	const struct akm_arg *a;

	for (a = cmd->args; a && a->word; a++) {
		if ((a->flags & AKM_ARG_REQUIRED) && !times_seen(v, a))
			return akm_error_set(e, EINVAL, a->word, "is missing");
	}
	return 0;
}

static int parse_words(const struct akm_command *cmd, struct akm_ctx *ctx, int argc, char *const argv[],
		       struct akm_values *vs, struct akm_error *e)
{
	const struct akm_arg *arg;
	int i = 0, r;

	while (i < argc) {
		const char *word = argv[i++], *value = word;

		if (!strcmp(word, "-j") || !strcmp(word, "--json")) {
			ctx->json = true;
			continue;
		}
		arg = keyword(cmd, word);
		if (arg && arg->kind != AKM_ARG_FLAG) {
			if (i == argc)
				return akm_error_set(e, EINVAL, word, "%s must follow", arg->meta);
			value = argv[i++];
		}
		arg = arg ? arg : next_positional(cmd, vs);
		if (!arg)
			return unknown_word(cmd, word, e);
		r = add_value(vs, arg, value, e);
		if (r < 0)
			return r;
	}
	return check_required(cmd, vs, e);
}

int akm_args_parse(const struct akm_command *cmd, struct akm_ctx *ctx, int argc, char *const argv[],
		   struct akm_values *ret, struct akm_error *e)
{
	struct akm_values vs = {};
	int r = parse_words(cmd, ctx, argc, argv, &vs, e);

	if (r < 0) {
		e->usage = true;
		return r;
	}
	*ret = vs;
	return 0;
}

const struct akm_value *akm_value(const struct akm_values *v, const char *word)
{
	size_t i;

	for (i = 0; i < v->n; i++) {
		if (!strcmp(v->v[i].arg->word, word))
			return &v->v[i];
	}
	return NULL;
}

uint64_t akm_value_num(const struct akm_values *v, const char *word, uint64_t fallback)
{
	const struct akm_value *x = akm_value(v, word);

	return x ? x->num : fallback;
}

const char *akm_value_text(const struct akm_values *v, const char *word)
{
	const struct akm_value *x = akm_value(v, word);

	return x ? x->text : NULL;
}

const char *akm_arg_of_attr(const struct akm_command *cmd, uint16_t attr)
{
	const struct akm_arg *a;

	for (a = cmd->args; a && a->word; a++) {
		if (a->attr == attr)
			return a->word;
	}
	return NULL;
}
