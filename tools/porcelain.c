// SPDX-License-Identifier: GPL-2.0
/* Every command that the daemon carries out: words → request, answer → view. */
#include "porcelain.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <akm-ctl.h>

#include "ctl.h"
#include "format.h"
#include "health.h"
#include "records.h"
#include "view.h"

/* ------------------------------------------------------------ words → args */

static int add(struct json_object *args, const struct akm_value *v, const char *name, struct json_object *value,
	       struct akm_error *e)
{
	if (akm_json_has(args, name)) {
		json_object_put(value);
		akm_error_set(e, EINVAL, v->arg->word, "contradicts what was said before: %s is given twice", name);
		e->usage = true;
		return -EINVAL;
	}
	if (!value || json_object_object_add(args, name, value)) {
		json_object_put(value);
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	}
	return 0;
}

/* "A,B,C" joins the array that an earlier list began. */
static int add_names(struct json_object *args, const struct akm_value *v, struct akm_error *e)
{
	struct json_object *array;
	const char *p = v->text;
	int r = 0;

	if (!json_object_object_get_ex(args, v->arg->json, &array)) {
		array = json_object_new_array();
		r = add(args, v, v->arg->json, array, e);
	}
	while (r >= 0) {
		size_t n = strcspn(p, ",");
		struct json_object *name = json_object_new_string_len(p, (int)n);

		if (!name || json_object_array_add(array, name))
			return akm_error_set(e, ENOMEM, NULL, "out of memory");
		if (!p[n])
			break;
		p += n + 1;
	}
	return r;
}

/* One more of those that were said before */
static int add_prefix(struct json_object *args, const struct akm_value *v, const char *prefix, struct akm_error *e)
{
	struct json_object *array, *item = json_object_new_string(prefix);
	int r = 0;

	if (!json_object_object_get_ex(args, v->arg->json, &array)) {
		array = json_object_new_array();
		r = add(args, v, v->arg->json, array, e);
	}
	if (r < 0 || !item || json_object_array_add(array, item)) {
		json_object_put(item);
		return r ?: akm_error_set(e, ENOMEM, NULL, "out of memory");
	}
	return 0;
}

static bool is_number(const char *text)
{
	return *text == '#' || !text[strspn(text, "0123456789")];
}

/* A new ATR is named by its number or by its label. */
static int add_new_atr(struct json_object *args, const struct akm_value *v, struct akm_error *e)
{
	uint64_t id;
	int r;

	if (!is_number(v->text))
		return add(args, v, "label", json_object_new_string(v->text), e);
	r = akm_parse_atr_id(v->text, &id, e);
	if (r < 0) {
		akm_error_field(e, v->arg->word);
		e->usage = true;
		return r;
	}
	return add(args, v, "id", json_object_new_uint64(id), e);
}

static int add_value(struct json_object *args, const struct akm_value *v, struct akm_error *e)
{
	char prefix[AKM_PREFIX_STRLEN], endpoint[AKM_ENDPOINT_STRLEN];
	const char *name = v->arg->json;

	switch (v->arg->kind) {
	case AKM_ARG_FLAG:
		return add(args, v, name, json_object_new_boolean(true), e);
	case AKM_ARG_U8:
	case AKM_ARG_U16:
	case AKM_ARG_U32:
	case AKM_ARG_U64:
	case AKM_ARG_ATR_ID:
	case AKM_ARG_MS:
	case AKM_ARG_SECONDS:
		return add(args, v, name, json_object_new_uint64(v->num), e);
	case AKM_ARG_SUITE:
		return add(args, v, name, json_object_new_string(akm_suite_name((uint32_t)v->num)), e);
	case AKM_ARG_FRESHNESS:
		return add(args, v, name, json_object_new_string(akm_freshness_name((uint32_t)v->num)), e);
	case AKM_ARG_SPREAD:
		return add(args, v, name, json_object_new_string(akm_spread_name((uint32_t)v->num)), e);
	case AKM_ARG_NAMES:
		return add_names(args, v, e);
	case AKM_ARG_ATR_NEW:
		return add_new_atr(args, v, e);
	case AKM_ARG_PREFIX:
	case AKM_ARG_PREFIX4:
	case AKM_ARG_PREFIX6:
		akm_format_prefix(v->prefix.addr, v->prefix.addr_len, v->prefix.len, prefix);
		return v->arg->repeat ? add_prefix(args, v, prefix, e) : add(args, v, name, json_object_new_string(prefix), e);
	case AKM_ARG_ENDPOINT:
		akm_format_endpoint(&v->endpoint.sa, v->endpoint.len, endpoint);
		return add(args, v, name, json_object_new_string(endpoint), e);
	case AKM_ARG_IFNAME:
	case AKM_ARG_TEXT:
	case AKM_ARG_NAME:
	case AKM_ARG_ATR:
	case AKM_ARG_VIA:
	case AKM_ARG_GROUP:
	case AKM_ARG_PORTS:
	case AKM_ARG_SECRET_FILE:
	case AKM_ARG_PATH:
		return add(args, v, name, json_object_new_string(v->text), e);
	}
	return 0;
}

/* The same node in two lists of one command would be two members. */
static int check_twice(struct json_object *args, struct akm_error *e)
{
	struct json_object *array;
	size_t i, j;

	if (!json_object_object_get_ex(args, "members", &array))
		return 0;
	for (i = 1; i < json_object_array_length(array); i++) {
		for (j = 0; j < i; j++) {
			if (!json_object_equal(json_object_array_get_idx(array, i), json_object_array_get_idx(array, j)))
				continue;
			akm_error_set(e, EINVAL, "members", "names \"%s\" twice",
				      json_object_get_string(json_object_array_get_idx(array, i)));
			e->usage = true;
			return -EINVAL;
		}
	}
	return 0;
}

int akm_ctl_args(const struct akm_values *v, struct json_object **ret, struct akm_error *e)
{
	struct json_object *args = json_object_new_object();
	size_t i;
	int r = 0;

	if (!args)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	for (i = 0; r >= 0 && i < v->n; i++)
		r = v->v[i].arg->json ? add_value(args, &v->v[i], e) : 0;
	r = r < 0 ? r : check_twice(args, e);
	if (r < 0)
		json_object_put(args);
	else
		*ret = args;
	return r;
}

/* ------------------------------------------------------------ answer → view */

static void put_line(FILE *f, struct json_object *o)
{
	fprintf(f, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(f);
}

/* Items are output; progress is for whoever watches, so it does not mix with it. */
static int on_line(struct json_object *line, void *arg, struct akm_error *e)
{
	struct akm_ctx *ctx = arg;
	struct json_object *item;

	if (!json_object_object_get_ex(line, "item", &item)) {
		const char *text = akm_json_str(line, "progress");

		if (ctx->json)
			put_line(ctx->err, line);
		else if (text)
			akm_put_clean(ctx->err, text);
		if (!ctx->json)
			fputc('\n', ctx->err);
		fflush(ctx->err);
		return 0;
	}
	if (!json_object_is_type(item, json_type_object))
		return akm_error_set(e, EPROTO, "answer", "the daemon sent an item that is not an object");
	if (ctx->json)
		put_line(ctx->out, item);
	else
		akm_view_event(ctx, item);
	fflush(ctx->out);
	return ferror(ctx->out) ? akm_error_set(e, EPIPE, "output", "nobody reads it any more") : 0;
}

static int show_result(struct akm_ctx *ctx, const struct akm_command *cmd, struct json_object *result,
		       struct akm_error *e)
{
	if (!strcmp(cmd->ctl, "status"))
		return akm_health_show(ctx, result, e);
	if (!strcmp(cmd->ctl, "events") && !json_object_object_length(result))
		return 0;		/* everything came as items */
	if (ctx->json) {
		akm_json_print(ctx->out, result);
		return 0;
	}
	if (!json_object_object_length(result)) {
		fputs("done\n", ctx->out);
		return 0;
	}
	if (!akm_view_is_plan(result))
		return akm_view_object(ctx, result, e);
	akm_view_plan(ctx, result);
	return 0;
}

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Return: the daemon's socket, or a negative errno. */
static int reach_daemon(struct akm_ctx *ctx, const struct akm_command *cmd, struct akm_error *e)
{
	char path[AKM_CTL_PATH_MAX];
	int r = akm_ctl_find(ctx->socket, getenv("AKM_SOCKET"), AKM_CTL_DIR, path, e);
	int fd = r < 0 ? r : akm_ctl_connect(path, e);

	/* Who asks how it is does not wait for one that hangs; a change may take long. */
	return fd >= 0 && !strcmp(cmd->ctl, "status") ? akm_ctl_hurry(fd, e) : fd;
}

static int run_ctl(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
		   struct json_object **ret, struct akm_error *e)
{
	_cleanup_(closep) int fd = -1;
	struct json_object *args = NULL;
	int r = akm_ctl_args(v, &args, e);

	if (r >= 0)
		r = fd = reach_daemon(ctx, cmd, e);
	if (r < 0) {
		json_object_put(args);
		return r;
	}
	return akm_ctl_request(fd, cmd->ctl, args, on_line, ctx, ret, e);
}

int akm_run_ctl(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v, struct akm_error *e)
{
	_cleanup_(akm_json_freep) struct json_object *result = NULL;
	int r = run_ctl(ctx, cmd, v, &result, e);

	if (r >= 0)
		return show_result(ctx, cmd, result, e);
	if (!strcmp(cmd->ctl, "status") && !e->usage)
		akm_health_none(ctx);
	return r;
}
