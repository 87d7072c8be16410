// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE			/* strerrorname_np() */
#include "report.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "format.h"
#include "records.h"

void akm_usage(FILE *f, const char *object)
{
	if (!object)
		fputs("Usage: akmctl [-j] [--socket PATH] [--color auto|always|never] COMMAND\n\n"
		      "  -j, --json      output (and refusals) as JSON\n"
		      "  --socket PATH   control socket of the daemon (or AKM_SOCKET)\n"
		      "  -V, --version   -h, --help\n\nCommands:\n", f);
	akm_command_usage(f, object);
}

int akm_run_help(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v, struct akm_error *e)
{
	const char *object = akm_value_text(v, "object");
	size_t i;

	(void)cmd;
	for (i = 0; object && strcmp(akm_commands[i].object, object);) {
		if (++i < akm_commands_n)
			continue;
		akm_error_set(e, EINVAL, "object", "there is no such command");
		e->usage = true;
		return -EINVAL;
	}
	akm_usage(ctx->out, object);
	return 0;
}

static void report_json(struct akm_ctx *ctx, const struct akm_error *e)
{
	_cleanup_(akm_json_freep) struct json_object *o = json_object_new_object();
	struct json_object *error = json_object_new_object();
	const char *code = strerrorname_np(e->code);

	json_object_object_add(o, "error", error);
	json_object_object_add(error, "code", json_object_new_string(code ? code : "EIO"));
	if (e->field[0])
		json_object_object_add(error, "field", json_object_new_string(e->field));
	json_object_object_add(error, "reason", json_object_new_string(e->reason));
	akm_json_print(ctx->out, o);
}

/* "akmctl: member set: prefix 10.77.1.3/24: has bits set …" */
static void report_text(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
			const struct akm_error *e)
{
	const char *value = v ? akm_value_text(v, e->field) : NULL;

	fputs("akmctl: ", ctx->err);
	if (cmd)
		fprintf(ctx->err, "%s%s%s: ", cmd->object, cmd->verb ? " " : "", cmd->verb ? cmd->verb : "");
	if (e->field[0]) {
		akm_put_clean(ctx->err, e->field);
		if (value) {
			fputc(' ', ctx->err);
			akm_put_clean(ctx->err, value);
		}
		fputs(": ", ctx->err);
	}
	akm_put_clean(ctx->err, e->reason);
	fputc('\n', ctx->err);
}

void akm_report(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v, struct akm_error *e)
{
	const char *word = cmd && e->attr ? akm_arg_of_attr(cmd, e->attr) : NULL;

	if (e->silent)
		return;
	if (word)
		akm_error_field(e, word);
	if (ctx->json)
		report_json(ctx, e);
	report_text(ctx, cmd, v, e);
}
