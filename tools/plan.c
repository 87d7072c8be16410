// SPDX-License-Identifier: GPL-2.0
/* What --dry-run answers: a change, step by step, as one reads it before saying yes. */
#include "view.h"

#include <inttypes.h>
#include <string.h>

#include "format.h"
#include "records.h"

static void put(struct akm_ctx *ctx, const char *name, const char *text)
{
	fprintf(ctx->out, "   %-16s ", name);
	akm_put_clean(ctx->out, text);
	fputc('\n', ctx->out);
}

static void put_names(struct akm_ctx *ctx, const char *name, struct json_object *step, const char *member)
{
	struct json_object *names;
	size_t i;

	if (!json_object_object_get_ex(step, member, &names) || !json_object_is_type(names, json_type_array) ||
	    !json_object_array_length(names))
		return;
	fprintf(ctx->out, "   %-16s", name);
	for (i = 0; i < json_object_array_length(names); i++) {
		fputs(i ? ", " : " ", ctx->out);
		akm_put_clean(ctx->out, json_object_get_string(json_object_array_get_idx(names, i)));
	}
	fputc('\n', ctx->out);
}

static void put_text(struct akm_ctx *ctx, const char *name, struct json_object *step, const char *member)
{
	const char *text = akm_json_str(step, member);

	if (text)
		put(ctx, name, text);
}

static void put_step(struct akm_ctx *ctx, size_t number, struct json_object *step)
{
	const char *label = akm_json_str(step, "label"), *change = akm_json_str(step, "change");

	fprintf(ctx->out, "%zu. #%" PRIu64 " ", number, akm_json_u64(step, "atr"));
	akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, label ? label : "");
	fputs(": ", ctx->out);
	akm_put_clean(ctx->out, change ? change : "");
	if (akm_json_has(step, "generation"))
		fprintf(ctx->out, ", generation %" PRIu64, akm_json_u64(step, "generation"));
	if (akm_json_has(step, "definition"))
		fprintf(ctx->out, ", definition %" PRIu64, akm_json_u64(step, "definition"));
	fputc('\n', ctx->out);
	put_text(ctx, "leaves:", step, "leaves");
	put_text(ctx, "joins:", step, "joins");
	put_names(ctx, "now:", step, "now");
	put_names(ctx, "at return:", step, "at_return");
	put_text(ctx, "until then, can:", step, "until_return");
	put_text(ctx, "interrupted:", step, "interrupted");
}

bool akm_view_is_plan(struct json_object *o)
{
	return akm_json_has(o, "dry_run");
}

void akm_view_plan(struct akm_ctx *ctx, struct json_object *o)
{
	const char *node = akm_json_str(o, "node");
	struct json_object *steps;
	size_t i;

	fputs("This would be done; nothing is done now.\n", ctx->out);
	if (node) {
		akm_put_clean(ctx->out, node);
		fputs(".\n", ctx->out);
	}
	if (!json_object_object_get_ex(o, "steps", &steps) || !json_object_is_type(steps, json_type_array))
		return;
	for (i = 0; i < json_object_array_length(steps); i++)
		put_step(ctx, i + 1, json_object_array_get_idx(steps, i));
}
