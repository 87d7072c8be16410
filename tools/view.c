// SPDX-License-Identifier: GPL-2.0
#include "view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "packet.h"
#include "records.h"

#define CELL_MAX	512

/* Columns of the lists that have a name in the protocol; others show what their first object has. */
static const struct layout {
	const char *list;
	const char *columns[AKM_TABLE_COLUMNS];
} layouts[] = {
	{ "nodes", { "name", "state", "link", "last_seen", "endpoint", "atrs", "rotation", "rotation_failure" } },
	{ "atrs", { "label", "id", "interface", "state", "generation", "suite", "subnet4", "subnet6", "addresses",
		    "port", "self", "members" } },
	{ "members", { "index", "node", "state", "generation", "addresses", "prefixes", "endpoint", "failure" } },
	{ "rules", { "atr", "rule", "from", "when", "then", "fired", "held", "over_budget", "hooked", "hook_held" } },
	{ "holders", { "manager", "policy", "state", "since", "reason" } },
	{ "alerts", { "time", "severity", "source", "kind", "text" } },
};

static const struct layout *layout_of(const char *list)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(layouts); i++) {
		if (!strcmp(layouts[i].list, list))
			return &layouts[i];
	}
	return NULL;
}

/* ------------------------------------------------------------ cells */

static bool is_atr(const char *name)
{
	return !strcmp(name, "id") || !strcmp(name, "atr") || !strcmp(name, "atrs");
}

static void join_values(const char *name, struct json_object *array, char *buf)
{
	size_t i, n = 0, count = json_object_array_length(array);

	buf[0] = '\0';
	for (i = 0; i < count && n < CELL_MAX; i++) {
		struct json_object *v = json_object_array_get_idx(array, i);
		const char *s = json_object_is_type(v, json_type_object) ? akm_json_str(v, "label") :
				json_object_get_string(v);

		n += (size_t)snprintf(buf + n, CELL_MAX - n, "%s%s%s", i ? "," : "",
				      json_object_is_type(v, json_type_int) && is_atr(name) ? "#" : "", s ? s : "?");
	}
}

/* {"state": "ready", "depth": 0} → "state ready, depth 0" */
static void join_object(struct json_object *o, char *buf)
{
	size_t n = 0;

	buf[0] = '\0';
	json_object_object_foreach(o, name, v) {
		if (n >= CELL_MAX)
			break;
		n += (size_t)snprintf(buf + n, CELL_MAX - n, "%s%s %s", n ? ", " : "", name,
				      v ? json_object_get_string(v) : "-");
	}
}

static bool of_objects(struct json_object *v)
{
	return json_object_is_type(v, json_type_array) && json_object_array_length(v) &&
	       json_object_is_type(json_object_array_get_idx(v, 0), json_type_object);
}

/* The text of member @name: numbers that are identifiers get their usual shape. */
static const char *cell_text(const char *name, struct json_object *v, bool in_table, char buf[CELL_MAX])
{
	if (!v)
		return "-";
	if (json_object_is_type(v, json_type_array)) {
		if (in_table && of_objects(v) && !strcmp(name, "members"))
			snprintf(buf, CELL_MAX, "%zu", json_object_array_length(v));
		else
			join_values(name, v, buf);
		return buf;
	}
	if (json_object_is_type(v, json_type_object)) {
		join_object(v, buf);
		return buf;
	}
	if (!json_object_is_type(v, json_type_int))
		return json_object_get_string(v);
	if (!strcmp(name, "key_id"))
		snprintf(buf, CELL_MAX, "0x%08" PRIx64, json_object_get_uint64(v));
	else if (is_atr(name))
		snprintf(buf, CELL_MAX, "#%" PRIu64, json_object_get_uint64(v));
	else if (!strcmp(name, "epoch_grace") || (!strcmp(name, "epoch_interval") && json_object_get_uint64(v)))
		return akm_format_duration(json_object_get_uint64(v), buf);
	else if (!strcmp(name, "epoch_interval"))
		return "no timer";
	else
		return json_object_get_string(v);
	return buf;
}

static enum akm_colour cell_colour(const char *name, const char *text)
{
	if (!strcmp(name, "state") || !strcmp(name, "link") || !strcmp(name, "severity"))
		return akm_colour_of_state(text);
	return !strcmp(name, "name") || !strcmp(name, "label") || !strcmp(name, "node") ? AKM_BOLD : AKM_PLAIN;
}

/* ------------------------------------------------------------ tables */

struct heads {
	const char *names[AKM_TABLE_COLUMNS];
	char text[AKM_TABLE_COLUMNS][32];
	const char *headings[AKM_TABLE_COLUMNS];
	size_t n;
};

/* "last_seen" → "LAST SEEN" */
static void head_text(const char *name, char *buf, size_t size)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++) {
		buf[i] = name[i] == '_' ? ' ' : name[i];
		if (buf[i] >= 'a' && buf[i] <= 'z')
			buf[i] = (char)(buf[i] - 'a' + 'A');
	}
	buf[i] = '\0';
}

static bool any_has(struct json_object *array, const char *name)
{
	size_t i;

	for (i = 0; i < json_object_array_length(array); i++) {
		if (akm_json_has(json_object_array_get_idx(array, i), name))
			return true;
	}
	return false;
}

static void add_head(struct heads *h, const char *name)
{
	if (h->n == AKM_TABLE_COLUMNS)
		return;
	h->names[h->n] = name;
	head_text(name, h->text[h->n], sizeof(h->text[h->n]));
	h->headings[h->n] = h->text[h->n];
	h->n++;
}

static void choose_heads(const char *list, struct json_object *array, struct heads *h)
{
	const struct layout *l = layout_of(list);
	size_t i;

	for (i = 0; l && i < AKM_TABLE_COLUMNS && l->columns[i]; i++) {
		if (any_has(array, l->columns[i]))
			add_head(h, l->columns[i]);
	}
	if (h->n)
		return;
	json_object_object_foreach(json_object_array_get_idx(array, 0), name, v) {
		(void)v;
		add_head(h, name);
	}
}

static int add_row(struct akm_table *t, const struct heads *h, struct json_object *o)
{
	char buf[CELL_MAX];
	size_t i;
	int r = 0;

	for (i = 0; !r && i < h->n; i++) {
		struct json_object *v = NULL;
		const char *text;

		json_object_object_get_ex(o, h->names[i], &v);
		text = cell_text(h->names[i], v, true, buf);
		r = akm_table_cell(t, cell_colour(h->names[i], text), text);
	}
	return r;
}

static int put_table(struct akm_ctx *ctx, const char *list, struct json_object *array, struct akm_error *e)
{
	_cleanup_(akm_table_freep) struct akm_table *t = NULL;
	struct heads h = {};
	size_t i;

	choose_heads(list, array, &h);
	t = akm_table_new(h.headings, h.n);
	if (!t)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	for (i = 0; i < json_object_array_length(array); i++) {
		struct json_object *o = json_object_array_get_idx(array, i);

		if (!json_object_is_type(o, json_type_object))
			return akm_error_set(e, EPROTO, list, "the daemon mixed objects and other values");
		if (add_row(t, &h, o))
			return akm_error_set(e, ENOMEM, NULL, "out of memory");
	}
	akm_table_print(t, ctx->out, ctx->colour);
	return 0;
}

/* ------------------------------------------------------------ objects */

static size_t name_width(struct json_object *o)
{
	size_t w = 0;

	json_object_object_foreach(o, name, v) {
		if (!of_objects(v) && strlen(name) > w)
			w = strlen(name);
	}
	return w;
}

static void put_scalar(struct akm_ctx *ctx, const char *name, struct json_object *v, size_t width)
{
	char buf[CELL_MAX], shown[64];
	const char *text = cell_text(name, v, false, buf), *p;
	size_t i = 0;

	for (p = name; *p && i + 1 < sizeof(shown); p++)
		shown[i++] = *p == '_' ? ' ' : *p;
	shown[i] = '\0';
	akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, shown);
	fprintf(ctx->out, ":%*s ", (int)(width > i ? width - i : 0), "");
	akm_put_coloured(ctx->out, ctx->colour, cell_colour(name, text), *text ? text : "-");
	fputc('\n', ctx->out);
}

static int put_lists(struct akm_ctx *ctx, struct json_object *o, bool apart, struct akm_error *e)
{
	int r = 0;

	json_object_object_foreach(o, name, v) {
		if (!of_objects(v))
			continue;
		if (apart)
			fputc('\n', ctx->out);
		if (json_object_object_length(o) > 1) {
			akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, name);
			fputs(":\n", ctx->out);
		}
		r = put_table(ctx, name, v, e);
		if (r < 0)
			return r;
		apart = true;
	}
	return r;
}

int akm_view_object(struct akm_ctx *ctx, struct json_object *o, struct akm_error *e)
{
	size_t width = name_width(o);
	bool any = false;

	json_object_object_foreach(o, name, v) {
		if (of_objects(v))
			continue;
		/* an answer that is one empty list says so in a word */
		if (json_object_object_length(o) == 1 && json_object_is_type(v, json_type_array) &&
		    !json_object_array_length(v)) {
			fprintf(ctx->out, "no %s\n", name);
			return 0;
		}
		put_scalar(ctx, name, v, width);
		any = true;
	}
	return put_lists(ctx, o, any, e);
}

static void put_field(struct akm_ctx *ctx, struct json_object *event, const char *name, const char *prefix)
{
	struct json_object *v;

	if (!json_object_object_get_ex(event, name, &v) || !v)
		return;
	fprintf(ctx->out, " %s", prefix);
	akm_put_clean(ctx->out, json_object_get_string(v));
}

void akm_view_event(struct akm_ctx *ctx, struct json_object *event)
{
	const char *severity = akm_json_str(event, "severity");
	struct json_object *time, *packet;

	fprintf(ctx->out, "%" PRIu64 " ", akm_json_u64(event, "seq"));
	if (json_object_object_get_ex(event, "time", &time) && time)
		akm_put_clean(ctx->out, json_object_get_string(time));
	fputc(' ', ctx->out);
	severity = severity ? severity : "info";
	akm_put_coloured(ctx->out, ctx->colour, akm_colour_of_state(severity), severity);
	put_field(ctx, event, "source", "");
	put_field(ctx, event, "kind", "");
	if (akm_json_u64(event, "atr"))
		fprintf(ctx->out, " ATR #%" PRIu64, akm_json_u64(event, "atr"));
	else
		put_field(ctx, event, "atr", "ATR ");
	put_field(ctx, event, "member", "member ");
	if (akm_json_str(event, "text")) {
		fputs(": ", ctx->out);
		akm_put_clean(ctx->out, akm_json_str(event, "text"));
	}
	fputc('\n', ctx->out);
	if (json_object_object_get_ex(event, "packet", &packet) && json_object_is_type(packet, json_type_object)) {
		fputs("    ", ctx->out);
		akm_put_packet(ctx->out, akm_json_str(packet, "bytes") ?: "", akm_json_u64(packet, "length"));
		fputc('\n', ctx->out);
	}
}
